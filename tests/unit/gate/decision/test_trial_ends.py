"""How a trial ends early, or with fewer benchmarks than it began with: no time, or what falls out."""

from __future__ import annotations

from collections.abc import Mapping
from math import log1p

import pytest

from laptime.gate.decision.trial import (
    CONFIRMATION,
    CPU,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    WALL,
    Hypothesis,
    Rules,
    Trial,
)
from tests.support.trials import FIRST, SECOND, THIRD, Play, play, ripple, same, wild

# the time is over


def test_time_over_before_the_first_look_says_nothing() -> None:
    """Every benchmark is named, as unresolved."""
    run = play({"a": same(0.3), "b": same()})
    run.until(lambda: run.rounds == FIRST - 1)
    run.trial.hurry()
    assert run.trial.wanted() == ()
    assert not run.trial.looked
    assert set(run.words().values()) == {UNRESOLVED}
    assert run.trial.stopped == "there was no time for more blocks"
    assert {one.note for one in run.trial.findings()} == {"there was no time for more blocks"}


def test_time_over_before_any_block_names_every_benchmark() -> None:
    """Rather than none."""
    run = play({"a": same(), "b": same()})
    run.trial.hurry()
    assert run.trial.wanted() == ()
    assert run.words() == {("a", WALL): UNRESOLVED, ("b", WALL): UNRESOLVED}
    assert {one.ratio for one in run.trial.findings()} == {None}
    assert {one.note for one in run.trial.findings()} == {"there was no time for more blocks"}
    assert not run.trial.looked


def test_time_over_while_screening_looks_a_last_time() -> None:
    """With the last look's suspicion: what is slower by less than the first look asks for is nominated now."""
    run = play({"a": same(0.05), "b": same()})
    run.until(lambda: run.rounds == FIRST + 1)
    run.trial.hurry()
    assert run.trial.wanted() == ("a",)
    assert run.to_the_end()["a", WALL].verdict == REGRESSED
    assert run.count == {"a": FIRST + 1 + CONFIRMATION, "b": FIRST + 1}


def test_a_hurry_has_the_last_looks_suspicion_whichever_is_due() -> None:
    """Two of seven blocks lie below, the first and the fifth by rank: p = 0.11, too much for the second look."""
    values = [-0.01, 0.1, 0.2, 0.3, -0.4, 0.5, 0.6]
    run = play({"a": lambda _, number: {WALL: log1p(0.01) + values[number]}})
    run.until(lambda: run.rounds == len(values))
    run.trial.hurry()
    assert run.trial.wanted() == ("a",)


def test_the_last_look_in_a_hurry_is_the_last() -> None:
    """Nothing is screened after."""
    run = play({"a": wild})
    run.until(lambda: run.rounds == FIRST + 2)
    run.trial.hurry()
    run.trial.hurry()
    assert run.trial.wanted() == ()
    assert run.trial.looked
    assert run.words() == {("a", WALL): UNRESOLVED, ("a", CPU): UNRESOLVED}
    assert {one.note for one in run.trial.findings()} == {"there was no time for more blocks"}


def test_in_a_hurry_each_is_judged_by_the_blocks_that_it_has() -> None:
    """Void blocks of the one kind take nothing from the other."""
    run = play({"a": same(0.2), "b": same(0.2)})
    run.until(lambda: run.rounds == FIRST - 2)
    for number in range(FIRST):
        run.trial.add({"a": run.gives["a"]("a", number)})
    run.trial.hurry()
    assert run.trial.wanted() == ("a",)
    assert run.trial.looked
    found = run.to_the_end()
    assert found["a", WALL].verdict == REGRESSED
    assert found["b", WALL].verdict == UNRESOLVED


def test_a_hurry_changes_nothing_while_confirming_and_after_the_end() -> None:
    """`stop` is for that."""
    run = play({"a": same(0.2)})
    run.until(lambda: run.count["a"] == FIRST + 3)
    run.trial.hurry()
    assert run.trial.stopped is None
    assert run.to_the_end()["a", WALL].verdict == REGRESSED
    run = play({"a": same()})
    run.to_the_end()
    run.trial.hurry()
    assert run.trial.stopped is None


def test_time_over_in_a_confirmation_is_unresolved_never_unchanged() -> None:
    """Whatever the blocks say that are there."""

    def at_first(name: str, number: int) -> Mapping[str, float]:
        return same(0.5 if number < FIRST else 0.0)(name, number)

    for fresh in range(CONFIRMATION):
        run = play({"a": at_first, "b": same()})
        run.until(lambda run=run, fresh=fresh: run.count["a"] == FIRST + fresh)  # type: ignore[misc]
        run.trial.wanted()
        run.trial.stop("there was no time left")
        assert run.trial.wanted() == ()
        assert run.trial.stopped == "there was no time left"
        found = run.found()
        assert found["a", WALL].verdict == UNRESOLVED
        assert found["a", WALL].note == "suspected, and not confirmed: there was no time left"


def test_time_over_in_a_confirmation_convicts_by_what_is_there() -> None:
    """A clock, and not the values, said how many blocks there are: the test is valid, and unresolved would pass."""
    run = play({"a": same(0.3)})
    run.until(lambda: run.count["a"] == FIRST + 12)
    run.trial.stop("there was no time left")
    found = run.found()
    assert found["a", WALL].verdict == REGRESSED
    assert found["a", WALL].confirmed == 12
    assert run.trial.stopped == "there was no time left"
    assert run.trial.wanted() == ()
    few = play({"a": same(0.3)})
    few.until(lambda: few.count["a"] == FIRST + 8)
    few.trial.stop("there was no time left")
    assert few.words()["a", WALL] == UNRESOLVED


def test_a_stop_while_screening_leaves_all_open() -> None:
    """But what its blocks settle."""
    run = play({"a": same(), "b": wild})
    run.until(lambda: run.rounds == FIRST + 2)
    run.trial.stop("interrupted")
    assert run.trial.wanted() == ()
    found = run.found()
    assert found["a", WALL].verdict == UNCHANGED
    assert (found["b", WALL].verdict, found["b", WALL].note) == (UNRESOLVED, "interrupted")


# what falls out


@pytest.mark.parametrize("blocks", [0, 3, FIRST, FIRST + 1, FIRST + 5])
def test_what_breaks_is_dropped_at_any_time(blocks: int) -> None:
    """While screening and while it, or another, is confirmed; the others go on."""
    for broken, other in (("a", "b"), ("b", "a")):
        run = play({"a": same(0.3), "b": same(0.3)}, to_the_end=True)
        run.until(lambda run=run: run.rounds == blocks)  # type: ignore[misc]
        run.trial.drop(broken)
        assert broken not in run.trial.wanted()
        assert set(run.to_the_end()) == {(other, WALL), (other, CPU)}
        assert set(run.words().values()) == {REGRESSED}
        run.trial.drop("never heard of")


def test_the_only_nominee_may_break() -> None:
    """Screening goes on."""
    run = play({"a": same(0.3), "b": same()})
    run.until(lambda: run.count["a"] == FIRST + 2)
    run.trial.drop("a")
    assert run.trial.wanted() == ("b",)
    assert run.trial.confirming == ()
    run.to_the_end()
    assert run.count["b"] == SECOND
    assert set(run.words().values()) == {UNCHANGED}


def test_all_may_break() -> None:
    """Nothing is wanted then."""
    run = play({"a": same(), "b": same()})
    run.step()
    run.trial.drop("a")
    run.trial.drop("b")
    assert run.trial.wanted() == ()
    assert run.trial.findings() == []
    assert not run.trial.looked


@pytest.mark.parametrize("blocks", [0, 3, FIRST, FIRST + 1, FIRST + 5])
def test_a_metric_may_be_left_out_at_any_time(blocks: int) -> None:
    """The other is judged."""
    run = play({"a": same(0.3)})
    run.until(lambda: run.rounds == blocks)
    run.trial.leave_out("a", CPU, "it takes none")
    run.gives = {"a": lambda name, number: {WALL: same(0.3)(name, number)[WALL]}}
    assert list(run.to_the_end()) == [("a", WALL)]
    assert run.words() == {("a", WALL): REGRESSED}
    assert run.trial.unjudged == {("a", CPU): "it takes none"}


def test_what_is_still_measured_of_a_metric_that_was_left_out_is_nothing() -> None:
    """It would begin anew, with the blocks that came after."""
    run = play({"a": same()})
    run.step()
    run.trial.leave_out("a", CPU, "it takes none")
    assert list(run.to_the_end()) == [("a", WALL)]


def test_the_metric_that_was_nominated_may_be_left_out() -> None:
    """Screening goes on by the other."""
    run = play({"a": lambda _, number: {WALL: ripple(number), CPU: 0.2 + ripple(number)}})
    run.until(lambda: run.count["a"] == FIRST + 2)
    assert run.trial.confirming == (Hypothesis("a", CPU, slower=True),)
    run.trial.leave_out("a", CPU, "known in ticks only")
    assert not run.trial.confirming
    run.gives = {"a": lambda _, number: {WALL: ripple(number)}}
    run.to_the_end()
    assert run.words() == {("a", WALL): UNCHANGED}


def test_a_benchmark_with_one_metric_is_judged_by_it() -> None:
    """CPU time may never have been known."""
    run = play({"a": lambda _, number: {WALL: ripple(number)}})
    run.to_the_end()
    assert run.words() == {("a", WALL): UNCHANGED}


def test_a_benchmark_without_any_figure_ends_and_is_unresolved() -> None:
    """It neither holds the others up nor is forgotten."""
    run = play({"a": lambda *_: {}, "b": same()})
    run.to_the_end()
    assert run.words() == {("a", WALL): UNRESOLVED, ("b", WALL): UNCHANGED, ("b", CPU): UNCHANGED}


def test_a_nominee_that_gives_no_figure_any_more_is_left_open() -> None:
    """Its confirmation ends; nothing was confirmed, and nothing is unchanged."""

    def at_first(name: str, number: int) -> Mapping[str, float]:
        return same(0.3)(name, number) if number < FIRST else {}

    run = play({"a": at_first}, a=Rules(0.01, 0.9))  # what was screened lies within that limit
    run.to_the_end()
    assert set(run.words().values()) == {UNRESOLVED}


def test_a_nominee_that_lacks_a_figure_now_and_then_is_tried_by_the_others() -> None:
    """A block counts, whatever it holds."""

    def gappy(name: str, number: int) -> Mapping[str, float]:
        return same(0.3)(name, number) if number < FIRST or number % 4 else {CPU: 0.3 + ripple(number)}

    run = play({"a": gappy})
    found = run.to_the_end()
    assert {one.verdict for one in found.values()} == {REGRESSED}
    assert found["a", CPU].confirmed == CONFIRMATION
    assert found["a", WALL].confirmed == CONFIRMATION * 3 // 4


def test_no_benchmarks_end_at_once() -> None:
    """And nothing is known."""
    trial = Trial({})
    assert trial.wanted() == ()
    assert trial.findings() == []
    assert not trial.looked
    trial.hurry()
    trial.stop("interrupted")
    assert trial.wanted() == ()


def test_without_looks_nothing_is_wanted() -> None:
    """Nor decided."""
    trial = Trial({"a": Rules()}, [])
    assert trial.wanted() == ()
    assert [one.verdict for one in trial.findings()] == [UNRESOLVED]


# more benchmarks than there is time for


def test_what_is_ahead_at_first_reaches_to_the_second_look() -> None:
    """Of the blocks that all benchmarks need; later ones are for those that are still open."""
    play = Play(Trial({"a": Rules()}), {"a": same()})
    assert SECOND == play.trial.ahead()
    play.until(lambda: play.count["a"] == FIRST)
    assert (SECOND - FIRST, SECOND - FIRST) == (play.trial.left(), play.trial.ahead())
    play.until(lambda: not play.trial.wanted())
    assert 0 == play.trial.ahead()


@pytest.mark.parametrize(("crowded", "blocks"), [(False, SECOND), (True, FIRST)])
def test_in_a_crowd_what_is_clearly_unchanged_is_let_go_at_the_first_look(crowded: bool, blocks: int) -> None:
    """By the interval that its verdict needs in the end; what isn't clear gets more blocks, in a crowd as well."""
    trial = Trial({"clear": Rules(), "open": Rules()})
    trial.crowded = crowded
    play = Play(trial, {"clear": same(), "open": same(noise=50)})
    found = play.to_the_end()
    assert {"clear": blocks, "open": THIRD} == play.count
    assert UNCHANGED == found["clear", WALL].verdict
    assert UNRESOLVED == found["open", WALL].verdict


def test_in_a_crowd_nothing_is_convicted_that_otherwise_is_not() -> None:
    """Only fresh blocks do that, however few led to the nomination."""
    gives = {"slower": same(0.2), **{f"same {number}": same() for number in range(5)}}
    trial = Trial(dict.fromkeys(gives, Rules()), to_the_end=True)
    trial.crowded = True
    found = Play(trial, gives).to_the_end()
    assert {("slower", WALL), ("slower", CPU)} == {key for key, one in found.items() if one.verdict == REGRESSED}
