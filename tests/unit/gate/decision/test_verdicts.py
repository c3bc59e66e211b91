"""Exit codes, rows, and what a call costs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations, product

import pytest

from laptime.gate.decision import verdicts
from laptime.gate.decision.rounds import Measured, Pace
from laptime.gate.decision.trial import (
    ACCEPTED,
    BROKEN,
    CPU,
    FAILING,
    IMPROVED,
    MISSING,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    VERDICTS,
    WALL,
    Rules,
    Trial,
)
from laptime.gate.decision.verdicts import CANNOT, FAIL, PASS, Cost, Report, Row, Trouble
from tests.support.verdicts import (
    finding,
    judged,
    turns,
)


def test_the_exit_code_in_all_combinations() -> None:
    """Every set of verdicts, fit or not, interrupted or not, looked or not, strict or not."""
    sets = [found for size in range(len(VERDICTS) + 1) for found in combinations(VERDICTS, size)]
    either = (False, True)
    for words, unfit, interrupted, looked, strict in product(sets, (None, "hot"), either, either, either):
        code = judged(*words, unfit=unfit, interrupted=interrupted, looked=looked).code(strict=strict)
        if unfit:
            assert code == CANNOT
        elif {REGRESSED, MISSING, BROKEN} & set(words):
            assert code == FAIL
        elif interrupted or not looked or not words:
            assert code == CANNOT
        elif strict and UNRESOLVED in words:
            assert code == FAIL
        else:
            assert code == PASS
    assert {PASS, FAIL, CANNOT} == {0, 1, 2}


GOOD, BAD, SKIP, ABORT = 0, 1, 125, 128
"""What `git bisect run` takes exit codes for."""


def test_what_a_bisection_is_told_in_all_combinations():
    """A commit is bad for a regression alone, and good only where nothing is open; an interruption ends the search."""
    sets = [found for size in range(len(VERDICTS) + 1) for found in combinations(VERDICTS, size)]
    either = (False, True)
    for words, unfit, interrupted, looked, refused in product(sets, (None, "hot"), either, either, ((), ("x",))):
        report = judged(*words, unfit=unfit, interrupted=interrupted, looked=looked, refused=refused)
        if interrupted:
            expected = ABORT
        elif unfit:
            expected = SKIP
        elif REGRESSED in words:
            expected = BAD
        elif {UNRESOLVED, MISSING, BROKEN} & set(words) or not looked or not words:
            expected = SKIP
        else:
            assert set(words) <= {ACCEPTED, IMPROVED, UNCHANGED, NEW}
            expected = GOOD
        assert expected == report.bisect_code(), (words, unfit, interrupted, looked)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("word", VERDICTS)
def test_what_is_accepted_without_need_is_no_pass_and_hides_no_failure(word: str, strict: bool) -> None:
    """The exit code is 2, unless something failed."""
    expected = FAIL if word in FAILING else CANNOT
    assert judged(UNCHANGED, word, refused=("accept 'x' fits no benchmark",)).code(strict=strict) == expected


def test_a_benchmark_counts_once_under_the_worst_of_its_verdicts() -> None:
    """Whatever the order of its metrics; the worst verdict comes first."""
    for order in permutations([Row("a", WALL, UNCHANGED), Row("a", CPU, REGRESSED), Row("b", WALL, UNRESOLVED)]):
        counts = Report("main", "HEAD", order).counts()
        assert list(counts.items()) == [(REGRESSED, 1), (UNRESOLVED, 1)]
    assert Report("main", "HEAD", ()).counts() == {}
    assert FAILING == {REGRESSED, MISSING, BROKEN}


def test_rows_come_by_what_matters() -> None:
    """The worst verdict, then the largest change in either direction; wall before CPU."""

    def rows_of(name: str, word: str, ratio: float) -> list[Row]:
        return [Row(name, metric, word, finding(name, word, ratio, metric)) for metric in (CPU, WALL)]

    rows = [
        *rows_of("same", UNCHANGED, 1.001),
        *rows_of("slow", REGRESSED, 1.1),
        *rows_of("slower", REGRESSED, 1.3),
        *rows_of("fast", IMPROVED, 0.4),
        Row("new", None, NEW),
        Row("gone", None, MISSING),
        Row("unknown", WALL, UNRESOLVED, finding("unknown", ratio=None)),
    ]
    found = verdicts.ordered(rows)
    names = ["gone", "slower", "slower", "slow", "slow", "unknown", "fast", "fast", "same", "same", "new"]
    assert [row.benchmark for row in found] == names
    assert [row.metric for row in found if row.benchmark == "slow"] == [WALL, CPU]


def _trial(names: Sequence[str], metrics: Sequence[str] = (WALL, CPU)) -> Trial:
    trial = Trial({name: Rules() for name in names})
    for number in range(12):
        trial.add({name: dict.fromkeys(metrics, (-1.0) ** number * (0.001 + 0.0001 * number)) for name in names})
        trial.wanted()
    return trial


def test_rows_are_what_was_judged_and_what_could_not_be() -> None:
    """A benchmark in trouble has one row, and none of its findings; costs are beside those that have some."""
    costs = {"a": (Cost(1.0, 0.5, 2), Cost(2.0, 0.5, 2))}
    rows = verdicts.rows(_trial(["a", "b"]), {"b": Trouble(BROKEN, "HEAD: boom"), "c": Trouble(MISSING, "gone")}, costs)
    assert [(row.benchmark, row.metric, row.verdict) for row in rows] == [
        ("b", None, BROKEN),
        ("c", None, MISSING),
        ("a", WALL, UNCHANGED),
        ("a", CPU, UNCHANGED),
    ]
    assert (rows[2].base, rows[2].head) == costs["a"]
    assert rows[0].note == "HEAD: boom"


def test_why_a_metric_is_not_judged_is_said_beside_the_other() -> None:
    """Whichever it is."""
    for left_out, other in ((CPU, WALL), (WALL, CPU)):
        trial = _trial(["a"])
        trial.leave_out("a", left_out, "it takes none")
        rows = verdicts.rows(trial, {}, {})
        assert [(row.metric, row.note) for row in rows] == [(other, f"{left_out} is not judged: it takes none")]


def test_a_benchmark_of_which_no_metric_is_judged_has_a_row() -> None:
    """It is unresolved: not mentioned, it would pass."""
    trial = _trial(["a"])
    trial.leave_out("a", CPU, "it takes none")
    trial.leave_out("a", WALL, "it takes none")
    (row,) = verdicts.rows(trial, {}, {})
    assert (row.benchmark, row.verdict) == ("a", UNRESOLVED)
    assert row.note is not None
    assert "wall is not judged: it takes none" in row.note


def test_nothing_judged_is_no_pass() -> None:
    """Where all benchmarks are new in BASE's eyes, or skipped, nothing was compared."""
    trial = Trial({})
    assert trial.wanted() == ()
    rows = verdicts.rows(trial, {"a": Trouble(NEW, "BASE skips it")}, {})
    assert Report("main", "HEAD", rows, looked=trial.looked).code() == CANNOT


def test_a_cost_is_that_of_one_call() -> None:
    """Medians, divided by the calls of a round."""
    measured = Measured(turns([8, 8, 80]), turns([16, 16, 1]), base_peak=100)
    base, head = verdicts.cost(measured, Pace(iterations=4, repeats=2, pairs=3))
    assert base == Cost(1.0, 0.5, 3 / 8, 100)
    assert head == Cost(2.0, 1.0, 3 / 8, None)
    assert base.waiting_s == 0.5
    assert Cost(1.0, 1.9, 0).waiting_s == 0


def test_a_typical_cost_is_the_median_of_the_blocks() -> None:
    """Of memory the largest that was seen, if it was."""
    costs = [(Cost(wall, wall, wall, peak), Cost(wall * 2, 1, 1)) for wall, peak in ((1, None), (2, 7), (9, 5))]
    base, head = verdicts.typical(costs)
    assert base == Cost(2, 2, 2, 7)
    assert head == Cost(4, 1, 1, None)
