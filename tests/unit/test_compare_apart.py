"""Which stored runs are compared: those of one machine, interpreter and inputs, or across; baselines and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_benchmark.plugin import pytest_benchmark_group_stats

from laptime.compare import CANT_TELL, CompareError, Question, compare, fingerprint_groups, group_of
from laptime.history import DESELECTED, Fingerprint, Result, Run
from tests.support.comparisons import FIVE, FREE, GATE, OTHER_MACHINE, THREADED, made, only, side
from tests.support.histories import FINGERPRINT, LIBRARIES, benchmark, run

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
