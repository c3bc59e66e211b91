"""Two sides' stored runs: which benchmark is slower, what can't be told, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_benchmark.plugin import pytest_benchmark_group_stats

from laptime.compare import CANT_TELL, Answer, CompareError, Question, Row, compare, fingerprint_groups, group_of
from laptime.history import DESELECTED, SKIPPED, Fingerprint, Result, Run, from_json
from tests.support.histories import FINGERPRINT, LIBRARIES, MACHINE, PYTHON, benchmark, document, run

FIVE = (0.99, 1.0, 1.01, 1.02, 0.98)
THREADED = replace(FINGERPRINT, interpreter={**PYTHON, "version": "3.14.0"})
FREE = replace(FINGERPRINT, interpreter={**PYTHON, "version": "3.14.0", "GIL": "off", "free-threaded": True})
OTHER_MACHINE = replace(FINGERPRINT, machine={**MACHINE, "cpu": "Slow CPU"})
GATE = Question(fail_on=0.05)


def side(
    factor: float = 1.0, name: str = "a.py::test", *, start: int = 0, figures: Sequence[float] = FIVE, **what: Any
):
    """Runs of one benchmark, a figure each."""
    return [run({name: factor * one}, number=start + number, **what) for number, one in enumerate(figures)]


def made(*benchmarks: Mapping[str, Any], **what: Any) -> Run:
    """A run of benchmarks as they are written."""
    return from_json(document(benchmarks, **what))


def skipping(name: str, number: int = 0) -> Run:
    """A run in which one benchmark was skipped."""
    return replace(run({"a.py::other": 1.0}, number=number), results=(Result(name, SKIPPED, "not here"),))


def only(answer: Answer) -> Row:
    """The one row."""
    (row,) = answer.rows
    return row


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


# fingerprints


def test_other_fingerprints_are_refused_with_what_differs() -> None:
    """Side by side, and nothing is compared."""
    answer = compare(side(), side(start=10, fingerprint=OTHER_MACHINE), Question())
    assert ((), 2) == (answer.comparisons, answer.code)
    assert [("machine", "cpu", "Fast CPU", "Slow CPU")] == [
        (one.part, one.what, one.base, one.head) for one in answer.refused
    ]


def test_the_nearest_two_are_told_where_all_are_refused() -> None:
    """What is to be changed is little."""
    far = replace(FREE, machine=OTHER_MACHINE.machine)
    answer = compare([*side(), *side(start=5, fingerprint=far)], side(start=10, fingerprint=OTHER_MACHINE), Question())
    assert ["cpu"] == [one.what for one in answer.refused]


def test_several_fingerprints_on_both_sides_are_never_pooled() -> None:
    """3.14 is compared with 3.14, and 3.14t with 3.14t; each has its own rows."""
    base = [*side(1, fingerprint=THREADED), *side(10, start=5, fingerprint=FREE)]
    head = [*side(2, start=10, fingerprint=THREADED), *side(10, start=15, fingerprint=FREE)]
    answer = compare(base, head, GATE)
    assert [(5, 5), (5, 5)] == [(one.base_runs, one.head_runs) for one in answer.comparisons]
    assert [False, True] == [bool(one.base.interpreter["free-threaded"]) for one in answer.comparisons]
    assert ["slower", "same"] == [row.word for row in answer.rows]
    assert (1, 0) == (answer.code, answer.left_out)


def test_runs_of_a_fingerprint_that_the_other_side_lacks_are_counted() -> None:
    """They are left out, and that is told."""
    answer = compare(side(), [*side(start=10), *side(2, start=20, fingerprint=FREE)], Question())
    assert (["same"], 5) == ([row.word for row in answer.rows], answer.left_out)


def test_a_benchmark_that_only_a_fingerprint_left_out_had_is_not_passed() -> None:
    """What the base had on another interpreter only was compared with nothing."""
    base = [*side(), *side(name="a.py::free", start=20, fingerprint=FREE)]
    assert 2 == compare(base, side(start=10), GATE).code


@pytest.mark.parametrize(
    ("across", "head"),
    [
        ("machine", OTHER_MACHINE),
        ("interpreter", FREE),
        ("inputs", replace(FINGERPRINT, libraries={**LIBRARIES, "requests": "3"})),
    ],
)
def test_across_lets_just_its_part_differ(across: str, head: Fingerprint) -> None:
    """And tells what differed; the other two parts are refused as before."""
    right = side(2, start=10, fingerprint=head)
    answer = compare(side(), right, Question(across=(across,)))
    assert ["slower"] == [row.word for row in answer.rows]
    assert {across} == {one.part for one in answer.comparisons[0].differences}
    for other in {"machine", "interpreter", "inputs"} - {across}:
        assert () == compare(side(), right, Question(across=(other,))).comparisons


def test_across_interpreters_compares_what_differs() -> None:
    """Where both have 3.14 as well, 3.14 with itself is not what was asked."""
    answer = compare(
        side(fingerprint=THREADED),
        [*side(start=10, fingerprint=THREADED), *side(0.5, start=20, fingerprint=FREE)],
        Question(across=("interpreter",)),
    )
    assert [(True, "faster")] == [
        (bool(one.head.interpreter["free-threaded"]), one.rows[0].word) for one in answer.comparisons
    ]


def test_across_never_pools_interpreters_of_one_side() -> None:
    """Each of them is compared by itself."""
    head = [*side(1, start=10, fingerprint=THREADED), *side(9, start=20, fingerprint=FREE)]
    answer = compare(side(), head, Question(across=("interpreter",)))
    assert [5, 5] == [one.head_runs for one in answer.comparisons]
    assert ["same", "slower"] == [row.word for row in answer.rows]


def test_the_parts_may_differ_together() -> None:
    """Several of `across` at once."""
    head = replace(FREE, machine=OTHER_MACHINE.machine, libraries={**LIBRARIES, "requests": "3"})
    right = side(start=10, fingerprint=head)
    assert 1 == len(compare(side(), right, Question(across=("machine", "interpreter", "inputs"))).comparisons)
    assert 0 == len(compare(side(), right, Question(across=("machine", "interpreter"))).comparisons)


def test_a_library_that_no_side_loaded_keeps_nothing_apart() -> None:
    """What is merely installed changes no figure."""
    head = replace(FINGERPRINT, libraries={**LIBRARIES, "flask": "3"})
    assert ["same"] == [row.word for row in compare(side(), side(start=10, fingerprint=head), Question()).rows]


def test_runs_that_loaded_other_versions_are_not_compared_by_way_of_one_that_loaded_none() -> None:
    """A run of a few benchmarks, which imported less, fits both; those beside it don't fit each other."""

    def loading(version: str, *more: str) -> Fingerprint:
        libraries = {**LIBRARIES, "lxml": version}
        return replace(FINGERPRINT, libraries=libraries, loaded=(*FINGERPRINT.loaded, *more))

    base = [*side(figures=FIVE[:1], fingerprint=loading("5")), *side(start=1, fingerprint=loading("5", "lxml"))]
    head = [
        *side(start=10, figures=FIVE[:1], fingerprint=loading("6")),
        *side(3, start=11, fingerprint=loading("6", "lxml")),
    ]
    answer = compare(base, head, Question())
    assert [] == [one for one in answer.comparisons if one.base_runs > 1 and one.head_runs > 1]


def test_groups_hold_what_can_be_compared() -> None:
    """In the order of the runs."""
    runs = [*side(figures=[1.0], fingerprint=FREE), *side(start=1), *side(start=9, figures=[1.0], fingerprint=FREE)]
    assert [2, 5] == [len(group) for group in fingerprint_groups(runs)]


# inputs


@pytest.mark.parametrize(
    "inputs",
    [
        {"tier": "smoke"},
        {"cassette_sha256": "0" * 64},
        {"latency": "fixed:5ms"},
        {"answer": "42"},
        {"workers": 4},
        {"lifecycle": "cold"},
    ],
    ids=lambda inputs: next(iter(inputs)),
)
def test_other_inputs_are_refused(inputs: Mapping[str, Any]) -> None:
    """Benchmark by benchmark, with what differs; `across` lets them differ."""
    base = [made(benchmark("a.py::test", [figure] * 5, **inputs), number=no) for no, figure in enumerate(FIVE)]
    answer = compare(base, side(2, start=10), GATE)
    row = only(answer)
    assert ("not comparable", list(inputs)) == (row.word, [one.what for one in row.refused])
    assert next(iter(inputs)) in row.note
    assert 2 == answer.code
    assert "slower" == only(compare(base, side(2, start=10), Question(across=("inputs",)))).word


def tiers(start: int, **factors: float) -> list[Run]:
    """Runs of one benchmark in several tiers, five each."""
    return [
        made(benchmark("a.py::test", [factor * figure] * 5, tier=tier), number=start + 10 * place + number)
        for place, (tier, factor) in enumerate(factors.items())
        for number, figure in enumerate(FIVE)
    ]


@pytest.mark.parametrize("slow", ["smoke", "full"])
def test_several_tiers_of_one_commit_are_compared_each_with_its_own(slow: str) -> None:
    """A smoke run is never pooled with a full one, and neither is passed over because the other was compared."""
    base = tiers(0, smoke=0.01, full=1.0)
    head = tiers(100, **{"smoke": 0.01, "full": 1.0, slow: {"smoke": 0.02, "full": 2.0}[slow]})
    answer = compare(base, head, GATE)
    assert ["same", "slower"] == sorted(row.word for row in answer.rows)
    assert 1 == answer.code


def test_a_tier_with_fewer_runs_is_not_passed_over() -> None:
    """The five smoke runs decide nothing about the one full run."""
    head = tiers(100, smoke=0.01, full=3.0)[:6]
    assert 2 == compare(tiers(0, smoke=0.01, full=1.0), head, GATE).code


def test_the_same_tier_goes_before_another_across_inputs() -> None:
    """A smoke run is not compared with a full one where there is a full one."""
    base, head = tiers(0, smoke=0.01, full=1.0), tiers(100, full=1.0)
    answer = compare(base, head, Question(across=("inputs",)))
    assert ["same"] == [row.word for row in answer.rows]


# baseline


def race(number: int, **figures: float) -> Run:
    """A run of one group's variants."""
    return made(
        *(
            benchmark(f"a.py::test[{name}]", [figure] * 6, group="race", param=name, variant=name, label=name)
            for name, figure in figures.items()
        ),
        number=number,
    )


def test_a_baseline_makes_ratios_to_it_in_the_same_run() -> None:
    """What the machine did to both is divided out."""
    base = [race(number, sequential=2 * speed, threads=speed) for number, speed in enumerate(FIVE)]
    head = [race(10 + number, sequential=20 * speed, threads=15 * speed) for number, speed in enumerate(FIVE)]
    answer = compare(base, head, Question(baseline="sequential"))
    found = {row.name: row for row in answer.rows}
    assert {"test[sequential]": "same", "test[threads]": "slower"} == {name: row.word for name, row in found.items()}
    threads = found["test[threads]"]
    assert threads.base is not None
    assert threads.head is not None
    assert (0.5, 0.75) == (threads.base.value, threads.head.value)
    assert threads.ratio is not None
    assert pytest.approx(1.5) == threads.ratio.estimate


def test_a_baseline_that_no_group_has_is_refused() -> None:
    """A typo passes nothing."""
    with pytest.raises(CompareError, match="no group has the variant 'nobody'"):
        compare([race(0, a=1.0)], [race(1, a=1.0)], Question(baseline="nobody"))


def test_a_baseline_that_one_side_lacks_is_undecided() -> None:
    """It passes no gate."""
    base = [race(number, a=1.0, b=1.0) for number in range(5)]
    head = [race(10 + number, b=1.0) for number in range(5)]
    answer = compare(base, head, Question(baseline="a", fail_on=0.05))
    assert {"test[a]": "gone", "test[b]": "can't tell"} == {row.name: row.word for row in answer.rows}
    assert 2 == answer.code


def test_a_baseline_of_zero_seconds_is_none() -> None:
    """Nothing is divided by it."""
    base = [race(number, a=0.0, b=1.0) for number in range(5)]
    with pytest.raises(CompareError, match="no group has the variant 'a'"):
        compare(base, base, Question(baseline="a"))


# names, groups and columns


@pytest.mark.parametrize(
    "group_by",
    [
        "group",
        "name",
        "func",
        "fullname",
        "fullfunc",
        "param",
        "param:kind",
        "group,func",
        "func,param:kind",
        "param,name",
    ],
)
def test_groups_are_those_of_pytest_benchmark(group_by: str) -> None:
    """Compared with its own function."""
    written = [
        benchmark("a.py::C::test_one[x]", FIVE, group="g", param="x"),
        benchmark("a.py::C::test_one[y]", FIVE, group="", param="y"),
        benchmark("b.py::test_two[x-1]", FIVE, param="x-1"),
        benchmark("b.py::test_one[x]", FIVE, group="h", param="x"),
    ]
    theirs = pytest_benchmark_group_stats(SimpleNamespace(), [dict(one) for one in written], group_by)
    wanted = {one["fullname"]: heading or "" for heading, several in theirs for one in several}
    found = made(*written)
    assert wanted == {result.fullname: group_of(result, group_by) for result in found.results}
    answer = compare([found], [found], Question(group_by=group_by))
    assert [heading or "" for heading, _ in theirs] == list(dict.fromkeys(row.group for row in answer.rows))


def test_what_has_no_such_parameter_has_no_heading() -> None:
    """Where pytest-benchmark ends with a traceback."""
    (result,) = run({"a.py::test": 1.0}).results
    assert "" == group_of(result, "param:kind")


def test_a_benchmark_that_is_gone_stands_in_its_group() -> None:
    """As the base has it."""
    base = [made(benchmark("a.py::goes", FIVE, group="g"), benchmark("a.py::stays", FIVE, group="g"))]
    answer = compare(base, [made(benchmark("a.py::stays", FIVE, group="g"), number=1)], Question())
    assert [("goes", "g"), ("stays", "g")] == [(row.name, row.group) for row in answer.rows]


def test_columns_are_medians_over_runs() -> None:
    """Numbers at least; of the outliers, which are text, the newest run's."""
    row = only(compare(side(), side(start=10), Question()))
    assert row.base is not None
    assert (1.0, 5, "0;0") == (row.base.stats["min"], row.base.stats["rounds"], row.base.stats["outliers"])


def test_an_imported_run_without_statistics_has_no_columns() -> None:
    """3.0 wrote fewer of them."""
    written = benchmark("a.py::test", FIVE)
    written["stats"] = {"median": 1.0}
    row = only(compare([made(written)], [made(written, number=1)], Question()))
    assert row.base is not None
    assert {"median": 1.0} == row.base.stats


def test_what_was_deselected_is_not_gone() -> None:
    """Of one left out on purpose, by -k say, nothing is known: it doesn't fail, and isn't passed either."""
    base = run({"t.py::one": 1.0, "t.py::two": 1.0}, number=0)
    head = run({"t.py::one": 1.0}, number=1)
    head = replace(head, results=(*head.results, Result("t.py::two", DESELECTED)))
    (row,) = [row for row in compare([base], [head], Question()).rows if row.name == "two"]
    assert (CANT_TELL, "deselected in the head's runs") == (row.word, row.note)
    assert 0 == compare([base], [head], Question()).code
    assert 2 == compare([base], [head], Question(fail_on=0.05)).code
    (row,) = [row for row in compare([head], [base], Question()).rows if row.name == "two"]
    assert (CANT_TELL, "deselected in the base's runs") == (row.word, row.note)
    assert ["one"] == [row.name for row in compare([head], [head], Question()).rows]
