"""Two sides' stored runs: which benchmark is slower, what can't be told, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from laptime.compare import CompareError, Question, compare
from laptime.history import SKIPPED, Result, Run
from tests.support.comparisons import FIVE, GATE, made, only, side
from tests.support.histories import benchmark, run


def skipping(name: str, number: int = 0) -> Run:
    """A run in which one benchmark was skipped."""
    return replace(run({"a.py::other": 1.0}, number=number), results=(Result(name, SKIPPED, "not here"),))


# words


@pytest.mark.parametrize(
    ("factor", "word"),
    [(1.2, "slower"), (0.8, "faster"), (1.0, "same")],
)
def test_five_runs_a_side_decide(factor: float, word: str) -> None:
    """Where the whole interval is on one side of 1, or within what is called the same."""
    row = only(compare(side(), side(factor, start=10), Question()))
    assert (word, False) == (row.word, row.within)
    assert row.ratio is not None
    assert row.ratio.low <= factor <= row.ratio.high
    assert pytest.approx(factor) == row.ratio.estimate


def test_same_says_within_what() -> None:
    """The further end of the interval, which is 4 % here."""
    row = only(compare(side(), side(start=10), Question()))
    assert row.ratio is not None
    assert row.bound == max(row.ratio.high - 1, 1 - row.ratio.low)
    assert row.bound <= 0.05


def test_what_is_wider_than_the_same_cannot_be_told() -> None:
    """An interval around 1 that reaches too far on either side."""
    noisy = (0.7, 0.9, 1.0, 1.1, 1.4)
    assert "can't tell" == only(compare(side(figures=noisy), side(start=10, figures=noisy), Question())).word
    assert "same" == only(compare(side(figures=noisy), side(start=10, figures=noisy), Question(same=0.99))).word


def test_identical_sides_are_the_same() -> None:
    """Runs without any spread, and one side compared with itself."""
    still = side(figures=[1.0] * 5)
    row = only(compare(still, still, GATE))
    assert ("same", 0.0) == (row.word, row.bound)
    assert 0 == compare(still, still, GATE).code


def test_runs_are_the_unit_and_not_their_rounds() -> None:
    """Each of five runs is one figure, however many rounds it has."""
    base = [run({"a.py::test": [figure] * 50}, number=number) for number, figure in enumerate(FIVE)]
    row = only(compare(base, side(1.2, start=10), Question()))
    assert row.base is not None
    assert (5, False) == (row.base.runs, row.base.within)
    assert only(compare(side(), side(1.2, start=10), Question())).ratio == row.ratio


@pytest.mark.parametrize("confidence", [0.5, 0.95])
@pytest.mark.parametrize("heads", [1, 3, 5, 60])
def test_a_single_run_on_a_side_decides_nothing(heads: int, confidence: float) -> None:
    """However far apart the two are, however many the other has, and whatever is enough to be sure."""
    base = [run({"a.py::test": [1.0, 1.01, 1.02, 1.0, 0.99, 1.0]})]
    answer = compare(base, side(9.0, start=10, figures=[1.0] * heads), Question(confidence=confidence))
    row = only(answer)
    assert ("can't tell", True) == (row.word, row.within)
    assert [] == answer.failing


def test_the_interval_within_single_runs_is_of_their_rounds() -> None:
    """It is given, marked as such, and no word is made of it."""
    row = only(
        compare([run({"a.py::test": FIVE})], [run({"a.py::test": [2 * one for one in FIVE]}, number=1)], Question())
    )
    assert ("can't tell", True) == (row.word, row.within)
    assert row.ratio is not None
    assert 1 < row.ratio.low < 2 < row.ratio.high < 3


@pytest.mark.parametrize("count", [2, 3])
def test_too_few_runs_have_an_estimate_and_no_interval(count: int) -> None:
    """Two and three runs a side: nothing is wide enough to be sure."""
    row = only(compare(side(figures=FIVE[:count]), side(2, start=10, figures=FIVE[:count]), Question()))
    assert ("can't tell", True) == (row.word, row.within)
    assert row.ratio is not None
    assert (0.0, float("inf")) == (row.ratio.low, row.ratio.high)


def test_many_rounds_of_single_runs_are_compared_as_well() -> None:
    """pytest-benchmark measures what is fast 100,000 times and more."""
    rounds = [1e-6 + 1e-9 * (number % 17) for number in range(100_000)]
    base, head = run({"a.py::test": rounds}), run({"a.py::test": [2 * one for one in rounds]}, number=1)
    row = only(compare([base], [head], Question()))
    assert row.ratio is not None
    assert row.base is not None
    assert row.base.interval is not None
    assert row.ratio.low <= 2 <= row.ratio.high
    assert row.base.interval.low <= row.base.value <= row.base.interval.high


def test_thinned_rounds_have_no_interval_of_their_own() -> None:
    """Quantiles are no rounds: an interval of seven of them would be of nothing."""
    whole = run({"a.py::test": [1.0] * 30})
    thinned = replace(whole.results[0], rounds={"wall": (1.0,) * 7}, thinned=True)
    row = only(compare([replace(whole, results=(thinned,))], [run({"a.py::test": [1.0] * 30}, number=1)], Question()))
    assert row.base is not None
    assert row.head is not None
    assert (1.0, None) == (row.base.value, row.base.interval)
    assert row.head.interval is not None


@pytest.mark.parametrize("zeros", [(0.0,) * 5, (0.0, 1.0, 1.0, 1.0, 1.0)])
def test_timings_of_zero_have_no_ratio(zeros: Sequence[float]) -> None:
    """A clock too coarse for them: nothing is divided by, and nothing is decided."""
    for base, head in ((side(figures=zeros), side(start=10)), (side(), side(start=10, figures=zeros))):
        row = only(compare(base, head, Question()))
        assert ("can't tell", None) == (row.word, row.ratio)
        assert 2 == compare(base, head, GATE).code


# new, gone, broken, skipped


def test_a_benchmark_that_is_gone_fails() -> None:
    """Also where nothing is said to fail for being slower."""
    base = [run({"a.py::stays": 1.0, "a.py::goes": 1.0})]
    answer = compare(base, [run({"a.py::stays": 1.0}, number=1)], Question())
    assert [("goes", "gone"), ("stays", "can't tell")] == [(row.name, row.word) for row in answer.rows]
    assert (1, ["goes"]) == (answer.code, [row.name for row in answer.failing])


def test_a_benchmark_that_is_new_is_told() -> None:
    """With its figure, and fails nothing."""
    answer = compare([run({"a.py::stays": 1.0})], [run({"a.py::stays": 1.0, "a.py::comes": 3.0}, number=1)], Question())
    row = answer.rows[0]
    assert ("comes", "new", None) == (row.name, row.word, row.base)
    assert row.head is not None
    assert (3.0, 0) == (row.head.value, answer.code)


def test_a_benchmark_that_fails_in_one_of_its_runs_is_broken() -> None:
    """With the message of the failure; its timings in other runs don't count."""
    head = [*side(start=10), run({}, number=20, failed={"a.py::test": "wrong answer: 3"})]
    row = only(compare(side(), head, GATE))
    assert ("broken", "failed in 1 of 6 runs: wrong answer: 3", None) == (row.word, row.note, row.ratio)
    assert 1 == compare(side(), head, GATE).code


def test_what_failed_in_the_base_already_is_broken_still() -> None:
    """A benchmark that does not run fails, whoever broke it."""
    failing = [run({}, number=number, failed={"a.py::test": "no"}) for number in range(2)]
    assert 1 == compare(failing[:1], failing[1:], Question()).code


def test_a_failure_in_one_run_of_the_base_leaves_its_timings() -> None:
    """What is asked is whether the head is well."""
    base = [*side(), run({}, number=9, failed={"a.py::test": "flaky"})]
    assert "same" == only(compare(base, side(start=10), GATE)).word


def test_a_benchmark_that_is_skipped_now_is_gone() -> None:
    """With the reason."""
    row = only(compare(side(), [skipping("a.py::test", 10)], Question()))
    assert ("gone", "skipped: not here") == (row.word, row.note)


def test_a_benchmark_that_is_skipped_on_both_sides_is_not_gone() -> None:
    """It fails nothing: it was not there before."""
    base = [replace(run({"a.py::test": one}, number=number)) for number, one in enumerate(FIVE)]
    base = [replace(one, results=(*one.results, Result("a.py::windows", SKIPPED, "Windows"))) for one in base]
    head = [replace(one, results=(*one.results, Result("a.py::windows", SKIPPED, "Windows"))) for one in side(start=9)]
    assert 0 == compare(base, head, Question()).code
    assert 0 == compare(base, head, GATE).code


def test_what_a_session_that_was_cut_short_did_not_reach_is_not_gone() -> None:
    """Nobody knows: it is not failed for it, and not passed either."""
    base = [run({"a.py::first": 1.0, "a.py::last": 1.0})]
    answer = compare(base, [run({"a.py::first": 1.0}, number=1, complete=False)], Question())
    assert "gone" not in [row.word for row in answer.rows]
    assert [] == answer.failing
    assert 2 == compare(base, [run({"a.py::first": 1.0}, number=1, complete=False)], GATE).code


def test_what_a_whole_session_beside_one_that_was_cut_short_lacks_is_gone() -> None:
    """One that ended did not have it."""
    base = [run({"a.py::first": 1.0, "a.py::last": 1.0})]
    head = [run({"a.py::first": 1.0}, number=1, complete=False), run({"a.py::first": 1.0}, number=2)]
    assert ["gone"] == [row.word for row in compare(base, head, Question()).rows if row.name == "last"]


# what fails, and with which code


def test_slower_than_allowed_fails() -> None:
    """Where the lower end of the interval is beyond the limit, and not where the estimate alone is."""
    assert 1 == compare(side(), side(1.3, start=10), GATE).code
    noisy = (0.9, 1.0, 1.2, 1.3, 1.5)
    answer = compare(side(), side(start=10, figures=noisy), GATE)
    row = only(answer)
    assert row.ratio is not None
    assert row.ratio.estimate > 1.05 > row.ratio.low
    assert 0 == answer.code


def test_slower_without_a_limit_is_told_and_fails_nothing() -> None:
    """Only `fail_on` makes it fail."""
    answer = compare(side(), side(1.3, start=10), Question())
    assert ("slower", 0) == (only(answer).word, answer.code)


def test_the_limit_is_the_limit() -> None:
    """The interval's lower end against it."""
    low = only(compare(side(), side(1.3, start=10), Question())).ratio
    assert low is not None
    assert 1 == compare(side(), side(1.3, start=10), Question(fail_on=low.low - 1 - 1e-9)).code
    assert 0 == compare(side(), side(1.3, start=10), Question(fail_on=low.low - 1 + 1e-9)).code


@pytest.mark.parametrize(("base", "head"), [(4, 5), (5, 4), (4, 4), (1, 1), (1, 50)])
def test_fewer_than_five_runs_a_side_decide_no_failure(base: int, head: int) -> None:
    """Code 2, whether it is slower or not."""
    for factor in (1.0, 3.0):
        left, right = side(figures=[1.0] * base), side(factor, start=100, figures=[1.0] * head)
        answer = compare(left, right, GATE)
        assert (2, ["test"]) == (answer.code, [row.name for row in answer.too_few])


def test_one_benchmark_with_too_few_runs_leaves_all_undecided() -> None:
    """A suite passes whole or not at all."""
    extra = [run({"a.py::rare": 1.0}, number=30), run({"a.py::rare": 1.0}, number=31)]
    assert 2 == compare([*side(), extra[0]], [*side(start=10), extra[1]], GATE).code


def test_not_measured_goes_before_failed() -> None:
    """2 where something is undecided, though something else failed; 1 before what was refused."""
    base = [run({"a.py::goes": 1.0, "a.py::test": 1.0})]
    assert 2 == compare(base, [run({"a.py::test": 1.0}, number=1)], GATE).code
    tiers = [made(benchmark("a.py::test", FIVE, tier=tier), number=no) for no, tier in enumerate(("smoke", "full"))]
    gone = made(benchmark("a.py::test", FIVE, tier="smoke"), benchmark("a.py::goes", FIVE), number=5)
    assert 1 == compare([gone], [tiers[1]], Question()).code
    assert 2 == compare([tiers[0]], [tiers[1]], Question()).code


def test_nothing_compared_is_nothing_passed() -> None:
    """All of the base failed, so that every benchmark looks new: what was to be decided was not."""
    base = [run({}, number=number, failed={"a.py::test": "no"}) for number in range(5)]
    assert 2 == compare(base, side(1.0, start=10), GATE).code


@pytest.mark.parametrize("metric", ["cpu", "memory"])
def test_a_metric_that_nobody_measured_is_refused(metric: str) -> None:
    """A suite without `lap` has wall times only."""
    with pytest.raises(CompareError, match=f"none of these runs has figures of the metric {metric}"):
        compare(side(), side(start=10), Question(metric=metric))


def test_a_metric_that_one_side_lacks_is_undecided() -> None:
    """It says so, and passes no gate."""
    base = [made(benchmark("a.py::test", FIVE, peak_pss_bytes=1000), number=number) for number in range(5)]
    answer = compare(base, side(start=10), Question(metric="memory", fail_on=0.05))
    assert ("can't tell", "no figures of the metric memory") == (only(answer).word, only(answer).note)
    assert 2 == answer.code


@pytest.mark.parametrize("metric", ["cpu", "memory"])
def test_other_metrics_are_compared_as_time_is(metric: str) -> None:
    """CPU time has rounds; memory has one figure a run."""

    def measured(figure: float) -> dict[str, Any]:
        written = benchmark("a.py::test", FIVE, peak_pss_bytes=round(1e6 * figure))
        written["extra_info"]["rounds"] = {"cpu_s": [figure] * 5}
        return written

    def several(factor: float, start: int) -> list[Run]:
        return [made(measured(factor * one), number=start + number) for number, one in enumerate(FIVE)]

    row = only(compare(several(1.0, 0), several(1.5, 10), Question(metric=metric)))
    assert "slower" == row.word
    assert row.ratio is not None
    assert pytest.approx(1.5, rel=1e-5) == row.ratio.estimate


def test_a_name_that_no_benchmark_contains_is_refused() -> None:
    """A typo passes nothing."""
    with pytest.raises(CompareError, match="no benchmark's name contains 'tset'"):
        compare(side(), side(start=10), Question(only="tset"))


def test_only_those_whose_name_contains_a_text_are_compared() -> None:
    """What else is gone is not asked for."""
    answer = compare(
        [run({"a.py::goes": 1.0, "b.py::stays": 1.0})], [run({"b.py::stays": 1.0}, number=1)], Question(only="b.py")
    )
    assert (["stays"], 0) == ([row.name for row in answer.rows], answer.code)
