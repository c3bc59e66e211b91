"""A trial's looks: what is screened, what is nominated, what is convicted by fresh blocks."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, isclose

import pytest

from laptime.gate.decision.trial import (
    CONFIRMATION,
    CPU,
    IMPROVED,
    LOOKS,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    WALL,
    Hypothesis,
    Look,
    Rules,
)
from laptime.stats import signed_rank
from tests.support.trials import FIRST, SECOND, THIRD, play, ripple, same, wild

# the constants hold what they promise


def test_all_looks_together_allow_one_false_alarm_in_a_hundred_runs() -> None:
    """Each look's confirmation is a test of its own."""
    assert sum(look.alpha for look in LOOKS) <= 0.01 + 1e-12
    assert [look.blocks for look in LOOKS] == sorted({look.blocks for look in LOOKS})


def test_a_confirmation_can_convict_one_of_hundreds() -> None:
    """Where all its blocks agree, under the strictest look."""
    assert 0.5**CONFIRMATION <= min(look.alpha for look in LOOKS) / 1000


def test_every_look_can_nominate_something() -> None:
    """So many blocks, all above the margin, are suspicious enough."""
    assert all(0.5**look.blocks <= look.suspicion for look in LOOKS)


# screening


def test_what_is_the_same_is_screened_until_it_is_settled() -> None:
    """The first look has too few blocks to settle it; the second has enough."""
    run = play({"a": same(), "b": same()})
    found = run.to_the_end()
    assert run.count == {"a": SECOND, "b": SECOND}
    assert {one.verdict for one in found.values()} == {UNCHANGED}
    assert list(found) == [("a", WALL), ("a", CPU), ("b", WALL), ("b", CPU)]
    assert run.trial.stopped is None
    assert run.trial.looked
    assert run.trial.look is None


def test_what_is_settled_is_run_no_more_and_the_others_are() -> None:
    """Up to the last look."""
    run = play({"a": same(), "b": wild})
    run.to_the_end()
    assert run.count == {"a": SECOND, "b": THIRD}
    assert run.words() == {
        ("a", WALL): UNCHANGED,
        ("a", CPU): UNCHANGED,
        ("b", WALL): UNRESOLVED,
        ("b", CPU): UNRESOLVED,
    }


def test_a_benchmark_is_settled_when_both_its_metrics_are() -> None:
    """One of them is not enough."""
    run = play({"a": lambda name, number: {WALL: same()(name, number)[WALL], CPU: wild(name, number)[CPU]}})
    run.to_the_end()
    assert run.count == {"a": THIRD}
    assert run.words() == {("a", WALL): UNCHANGED, ("a", CPU): UNRESOLVED}


def test_wanted_is_asked_for_as_often_as_one_likes() -> None:
    """Nothing follows from asking."""
    run = play({"a": same(0.2), "b": same()})
    for _ in range(FIRST + 3):
        assert run.trial.wanted() == run.trial.wanted()
        run.step()


def test_the_number_of_blocks_left_falls_to_the_next_look() -> None:
    """And is that of the confirmation while there is one."""
    run = play({"a": same(0.2), "b": same()})
    assert run.trial.left() == FIRST
    run.step()
    assert run.trial.left() == FIRST - 1
    run.until(lambda: run.trial.confirming)  # a block of it is there by then
    assert run.trial.left() == CONFIRMATION - 1
    run.to_the_end()
    assert run.trial.left() == 0


def test_a_block_that_was_void_is_asked_for_again() -> None:
    """Benchmarks may have different numbers of blocks; a look waits for all."""
    run = play({"a": same(0.2), "b": same()})
    for _ in range(FIRST):
        run.trial.add({"a": run.gives["a"]("a", 0)})
    assert run.trial.wanted() == ("b",)
    assert not run.trial.looked


# nomination


def test_what_is_much_slower_is_nominated_at_the_first_look() -> None:
    """By each metric that is; fresh blocks of it alone are wanted."""
    run = play({"a": same(), "b": same(0.2)})
    for _ in range(FIRST):
        assert run.step() == ("a", "b")
        assert run.trial.confirming == ()
    assert run.trial.wanted() == ("b",)
    assert run.trial.confirming == (Hypothesis("b", WALL, slower=True), Hypothesis("b", CPU, slower=True))


def test_what_is_slower_but_less_waits_for_the_second_look() -> None:
    """5 % in 6 blocks may be noise; in 12 it is worth a confirmation."""
    run = play({"a": same(), "b": same(0.05)})
    while run.count["b"] < SECOND:
        assert run.trial.confirming == ()
        assert run.step() == ("a", "b")
    assert run.trial.wanted() == ("b",)
    assert run.trial.confirming == (Hypothesis("b", WALL, slower=True), Hypothesis("b", CPU, slower=True))


def test_what_is_faster_waits_for_the_second_look() -> None:
    """It fails nothing, so there is no hurry."""
    run = play({"a": same(-0.4)})
    found = run.to_the_end()
    assert run.count == {"a": SECOND + CONFIRMATION}
    assert {one.verdict for one in found.values()} == {IMPROVED}
    assert run.trial.stopped is None


@pytest.mark.parametrize("effect", [0.0, 0.005, 0.0099, -0.0099])
def test_what_is_within_the_margin_is_never_nominated(effect: float) -> None:
    """Whatever its noise, as long as it is no more than that."""
    run = play({"a": same(effect, noise=0.01)})
    run.until(lambda: run.trial.confirming)
    assert {one.verdict for one in run.to_the_end().values()} == {UNCHANGED}
    assert run.count == {"a": SECOND}


def test_only_the_metric_that_is_suspected_is_nominated() -> None:
    """CPU time alone."""
    run = play({"a": lambda _, number: {WALL: ripple(number), CPU: 0.2 + ripple(number)}})
    run.until(lambda: run.count["a"] == FIRST)
    run.trial.wanted()
    assert run.trial.confirming == (Hypothesis("a", CPU, slower=True),)
    found = run.to_the_end()
    assert found["a", CPU].verdict == REGRESSED
    assert found["a", WALL].verdict == UNCHANGED
    assert found["a", WALL].confirmed == 0


def test_the_first_look_nominates_the_slowest_alone() -> None:
    """One is enough to fail, and is certain sooner than all."""
    run = play({"a": same(0.2), "b": same(0.3), "c": same(0.25)})
    run.until(lambda: run.count["a"] == FIRST)
    assert run.trial.wanted() == ("b",)
    run.to_the_end()
    assert run.count == {"a": FIRST, "b": FIRST + CONFIRMATION, "c": FIRST}
    assert run.words()["b", WALL] == REGRESSED
    assert run.words()["a", WALL] == UNRESOLVED
    assert run.trial.stopped == "a regression was certain"


def test_where_there_is_no_time_to_confirm_all_some_are_and_the_others_are_left_open() -> None:
    """What exceeds by most what it may: one that is certain fails, where none of many would be certain in time."""
    gives = {"a": same(0.2), "b": same(0.3), "c": same(0.25)}
    run = play(gives, to_the_end=True, b=Rules(accepted=0.25))
    run.until(lambda: run.trial.confirming)
    assert run.trial.suspected() == ["c", "a", "b"]
    run.trial.narrow(["c"], "there was time to confirm 1 of 3")
    assert run.trial.wanted() == ("c",)
    run.until(lambda: not run.trial.confirming)
    run.trial.stop("there was no time left")
    found = {one.benchmark: (one.verdict, one.note) for one in run.trial.findings() if one.metric == WALL}
    assert found["c"] == (REGRESSED, None)
    open_still = (UNRESOLVED, "suspected, and not confirmed: there was time to confirm 1 of 3")
    assert [found["a"], found["b"]] == [open_still, open_still]


def test_the_first_look_nominates_all_where_all_are_to_be_judged() -> None:
    """Their blocks are needed in any case."""
    run = play({"a": same(0.2), "b": same(0.3), "c": same()}, to_the_end=True)
    run.until(lambda: run.count["a"] == FIRST)
    assert run.trial.wanted() == ("a", "b")


def test_those_that_the_first_look_left_wait_for_the_second() -> None:
    """Where the slowest turned out to be none."""

    def at_first(name: str, number: int) -> Mapping[str, float]:
        return same(0.5 if number < FIRST else 0.0)(name, number)

    run = play({"a": same(0.2), "b": at_first})
    run.until(lambda: run.count["b"] == FIRST + CONFIRMATION)
    assert run.count["a"] == FIRST
    run.until(lambda: run.count["a"] == SECOND)
    assert "a" in run.trial.wanted()
    assert Hypothesis("a", WALL, slower=True) in run.trial.confirming
    assert run.to_the_end()["a", WALL].verdict == REGRESSED


# confirmation


def test_a_regression_is_convicted_by_fresh_blocks_alone() -> None:
    """What was screened is shown, and not counted."""

    def slower(_: str, number: int) -> Mapping[str, float]:
        return {WALL: (0.5 if number < FIRST else 0.3) + ripple(number)}

    found = play({"a": slower}).to_the_end()["a", WALL]
    assert found.verdict == REGRESSED
    assert found.confirmed == CONFIRMATION
    assert len(found.blocks) == FIRST + CONFIRMATION
    assert isclose(found.ratio or 0, exp(0.3), rel_tol=0.002)
    assert found.low is not None
    assert found.high is not None
    assert exp(0.29) < found.low <= (found.ratio or 0) <= found.high < exp(0.31)


def test_a_lucky_start_convicts_nobody() -> None:
    """Six blocks far above, and none of the fresh ones."""

    def at_first(name: str, number: int) -> Mapping[str, float]:
        return same(0.5 if number < FIRST else 0.0)(name, number)

    run = play({"a": at_first})
    found = run.to_the_end()
    assert {one.verdict for one in found.values()} == {UNCHANGED}
    assert found["a", WALL].confirmed == CONFIRMATION


def test_who_was_not_convicted_is_looked_at_again() -> None:
    """A nominee of the second look whose fresh blocks said too little may be convicted after the third."""
    doubtful = range(SECOND, SECOND + CONFIRMATION)

    def slower(_: str, number: int) -> Mapping[str, float]:
        return {WALL: wild("", number)[WALL] if number in doubtful else 0.06 + ripple(number)}

    run = play({"a": slower})
    run.until(lambda: run.count["a"] == SECOND + CONFIRMATION)
    assert run.words() == {("a", WALL): UNRESOLVED}
    found = run.to_the_end()["a", WALL]
    assert run.count == {"a": THIRD + 2 * CONFIRMATION}
    assert found.verdict == REGRESSED
    assert found.confirmed == CONFIRMATION
    assert len(found.blocks) == THIRD + 2 * CONFIRMATION
    assert isclose(found.ratio or 0, exp(0.06), rel_tol=0.002)


def test_the_share_of_a_look_is_shared_among_its_nominees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holm's procedure is asked for those that are slower and those that are faster apart, at the look's own share."""
    asked: list[tuple[set[Hypothesis], float]] = []

    def holm(p_values: Mapping[Hypothesis, float], alpha: float) -> set[Hypothesis]:
        asked.append((set(p_values), alpha))
        return set()

    monkeypatch.setattr(signed_rank, "holm", holm)
    run = play({"a": same(0.06), "b": same(-0.06)})
    run.to_the_end()
    slower = {Hypothesis("a", metric, slower=True) for metric in (WALL, CPU)}
    faster = {Hypothesis("b", metric, slower=False) for metric in (WALL, CPU)}
    assert asked == [(slower, 0.003), (faster, 0.003), (slower, 0.005), (faster, 0.005)]


def test_a_faster_one_takes_nothing_from_a_slower_one() -> None:
    """Both are said; the slower one ends the run."""
    run = play({"a": same(0.06), "b": same(-0.06)})
    run.to_the_end()
    assert set(run.words().values()) == {REGRESSED, IMPROVED}
    assert run.trial.convicted == {
        *(Hypothesis("a", metric, slower=True) for metric in (WALL, CPU)),
        *(Hypothesis("b", metric, slower=False) for metric in (WALL, CPU)),
    }


def test_a_conviction_ends_the_run() -> None:
    """What isn't judged by then is said to be open, and why."""
    run = play({"a": same(0.3), "b": wild})
    found = run.to_the_end()
    assert run.count == {"a": FIRST + CONFIRMATION, "b": FIRST}
    assert run.trial.stopped == "a regression was certain"
    assert (found["b", WALL].verdict, found["b", WALL].note) == (UNRESOLVED, "a regression was certain")


def test_a_conviction_at_the_last_look_ends_nothing_early() -> None:
    """There was nothing left to be done."""
    run = play({"a": same(0.3)}, looks=[Look(6, 0.01, 0.05)])
    assert run.to_the_end()["a", WALL].verdict == REGRESSED
    assert run.trial.stopped is None


def test_where_all_are_to_be_judged_a_conviction_ends_nothing() -> None:
    """The convicted isn't run again, the others are run to their end."""
    run = play({"a": same(0.3), "b": wild, "c": same(0.05)}, to_the_end=True)
    run.to_the_end()
    assert run.trial.stopped is None
    assert run.count == {"a": FIRST + CONFIRMATION, "b": THIRD, "c": SECOND + CONFIRMATION}
    assert run.words()["a", WALL] == run.words()["c", WALL] == REGRESSED
    assert run.words()["b", WALL] == UNRESOLVED


def test_what_is_convicted_is_not_tried_again() -> None:
    """By the same metric, in the same direction."""
    run = play({"a": lambda _, number: {WALL: 0.3 + ripple(number), CPU: wild("", number)[CPU]}}, to_the_end=True)
    run.to_the_end()
    assert run.count == {"a": THIRD + CONFIRMATION}
    assert run.found()["a", WALL].confirmed == CONFIRMATION


def test_the_margin_is_each_benchmarks_own() -> None:
    """3 % is a regression under a margin of 1 %, and none under 4 %."""
    run = play({"a": same(0.03), "b": same(0.03)}, a=Rules(0.01, 0.05), b=Rules(0.04, 0.1))
    run.to_the_end()
    assert run.words()["a", WALL] == REGRESSED
    assert run.count["b"] == SECOND


def test_the_limit_is_each_benchmarks_own() -> None:
    """Unchanged is what lies within it."""
    noise = 20.0  # 2 %
    run = play({"a": same(noise=noise), "b": same(noise=noise)}, a=Rules(0.01, 0.02), b=Rules(0.01, 0.1))
    run.to_the_end()
    assert run.words() == {
        ("a", WALL): UNRESOLVED,
        ("a", CPU): UNRESOLVED,
        ("b", WALL): UNCHANGED,
        ("b", CPU): UNCHANGED,
    }
