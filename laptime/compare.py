"""Is one side slower than the other? The decision, from stored runs; or why there is none. Pure.

A run is the independent unit: the rounds inside one share a process, a moment and a state of the machine. So with
several runs on both sides each run counts as one figure. With one run on a side the interval is of the rounds, says so,
and no word but "can't tell" is given: the same code, run again, is off by more than 5 % in 20 to 50 % of cases.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

from laptime.history import (
    DESELECTED,
    FAILED,
    INPUTS,
    PASSED,
    SKIPPED,
    Difference,
    Fingerprint,
    Result,
    Run,
    differences,
    inputs_differences,
)
from laptime.machine import Value
from laptime.stats import intervals
from laptime.stats.intervals import CONFIDENCE, Interval, Ratio

SAME = 0.05
LEAST_RUNS = 5
"""A side of fewer runs decides nothing."""

SLOWER, FASTER, SAME_WITHIN, CANT_TELL = "slower", "faster", "same", "can't tell"
NEW, GONE, BROKEN, REFUSED = "new", "gone", "broken", "not comparable"
COLUMNS = ("min", "max", "mean", "stddev", "median", "iqr", "ops", "outliers", "rounds", "iterations")
"""pytest-benchmark's."""
GROUPINGS = ("group", "name", "func", "fullname", "fullfunc", "param")


class CompareError(ValueError):
    """What is asked for can't be compared; the message says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    metric      one of `laptime.history.METRICS`
    across      the parts of the fingerprint that may differ
    baseline    a variant: each figure is then its ratio to that variant's in the same run and group
    same        two sides whose interval lies within this share of each other are the same
    fail_on     the share by which the whole interval must be above 1 to fail; None: nothing fails for being slower
    confidence  of every interval
    only        the benchmarks whose name contains it
    group_by    as pytest-benchmark has it
    """

    metric: str = "wall"
    across: tuple[str, ...] = ()
    baseline: str | None = None
    same: float = SAME
    fail_on: float | None = None
    confidence: float = CONFIDENCE
    only: str | None = None
    group_by: str = "group"


@dataclass(frozen=True, slots=True)
class Figure:
    """One side of one benchmark.

    value     the median over runs (in the metric's unit, or × the baseline)
    interval  around it; None where there are too few figures for one
    runs      how many runs it is of
    within    whether the interval is of the rounds of one run
    stats     pytest-benchmark's columns, medians over runs
    """

    value: float
    interval: Interval | None
    runs: int
    within: bool
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark.

    word    one of the words above
    bound   for "same": within what share
    within  whether the ratio's interval is of the rounds of single runs
    note    what else there is to say
    """

    fullname: str
    name: str
    group: str
    base: Figure | None
    head: Figure | None
    ratio: Ratio | None
    word: str
    bound: float | None = None
    within: bool = False
    note: str = ""
    refused: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fingerprint's benchmarks, side by side; `differences` are those that were allowed."""

    base: Fingerprint
    head: Fingerprint
    base_runs: int
    head_runs: int
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """All comparisons, one for each fingerprint that both sides have.

    refused    where there is none: what keeps the nearest two apart
    left_out   how many runs have a fingerprint that the other side lacks
    unseen     the benchmarks that only such runs of the base have
    """

    question: Question
    comparisons: tuple[Comparison, ...]
    refused: tuple[Difference, ...] = ()
    left_out: int = 0
    unseen: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Row]:
        """Those of all comparisons."""
        return [row for one in self.comparisons for row in one.rows]

    @property
    def too_few(self) -> list[Row]:
        """What can't be decided, where something is to fail: a side has fewer than `LEAST_RUNS` runs."""
        if self.question.fail_on is None:
            return []
        compared = [row for row in self.rows if row.word not in (NEW, GONE, BROKEN, REFUSED)]
        return [
            row
            for row in compared
            if row.within
            or row.ratio is None
            or not row.base
            or not row.head
            or min(row.base.runs, row.head.runs) < LEAST_RUNS
        ]

    @property
    def undecided(self) -> bool:
        """Whether something is to fail, and not all that the base has was looked at, or nothing was."""
        if self.question.fail_on is None:
            return False
        return bool(self.unseen) or all(row.word == NEW for row in self.rows)

    @property
    def failing(self) -> list[Row]:
        """Benchmarks that are gone or broken, or slower than allowed."""
        limit = self.question.fail_on
        return [
            row
            for row in self.rows
            if row.word in (GONE, BROKEN)
            or (limit is not None and row.ratio is not None and not row.within and row.ratio.low > 1 + limit)
        ]

    @property
    def code(self) -> int:
        """0 nothing fails; 1 something does; 2 not measured."""
        if not self.comparisons or self.too_few or self.undecided:
            return 2
        if self.failing:
            return 1
        return 2 if any(row.word == REFUSED for row in self.rows) else 0


def compare(base: Sequence[Run], head: Sequence[Run], question: Question) -> Answer:
    """Compare two sides' runs, each the newest first. Raises `CompareError`."""
    base_groups, head_groups = fingerprint_groups(base), fingerprint_groups(head)
    pairs = [(left, right) for left in base_groups for right in head_groups if not _apart(left, right, question.across)]
    apart = [(left, right) for left, right in pairs if differences(left[0].fingerprint, right[0].fingerprint)]
    if question.across and apart:
        pairs = apart  # what was asked for is what differs
    if not pairs:
        nearest = min(
            (_apart(a, b, question.across) for a in base_groups for b in head_groups),
            key=len,
            default=[],
        )
        return Answer(question, (), tuple(nearest))
    used = {run.id for pair in pairs for side in pair for run in side}
    comparisons = tuple(_comparison(left, right, question) for left, right in pairs)
    left_out = [run for run in (*base, *head) if run.id not in used]
    seen = {row.fullname for one in comparisons for row in one.rows}
    unseen = {
        result.fullname
        for run in left_out
        if run in base
        for result in run.results
        if result.outcome == PASSED and (question.only or "") in result.fullname
    }
    answer = Answer(question, comparisons, left_out=len(left_out), unseen=tuple(sorted(unseen - seen)))
    _check(answer)
    return answer


def fingerprint_groups(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs that can be compared with each other; those of 3.14 and of 3.14t are never in one group."""
    groups: list[list[Run]] = []
    for run in runs:
        fitting = (group for group in groups if not any(differences(one.fingerprint, run.fingerprint) for one in group))
        group = next(fitting, None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    return groups


def _apart(base: Sequence[Run], head: Sequence[Run], across: Collection[str]) -> list[Difference]:
    """What keeps two groups apart: one run of each is enough."""
    found = (
        differences(one.fingerprint, other.fingerprint, across) for one in _distinct(base) for other in _distinct(head)
    )
    return next(filter(None, found), [])


def _distinct(runs: Sequence[Run]) -> list[Run]:
    """One run of each fingerprint."""
    found: list[Run] = []
    for run in runs:
        if all(run.fingerprint != one.fingerprint for one in found):
            found.append(run)
    return found


def _check(answer: Answer) -> None:
    question = answer.question
    if not answer.rows:
        raise CompareError(
            f"no benchmark's name contains {question.only!r}" if question.only else "no benchmarks there"
        )
    if any(row.base or row.head or row.word in (REFUSED, GONE, BROKEN) for row in answer.rows):
        return
    if question.baseline is not None:
        raise CompareError(f"no group has the variant {question.baseline!r} for a baseline")
    raise CompareError(f"none of these runs has figures of the metric {question.metric}")


def _comparison(base: Sequence[Run], head: Sequence[Run], question: Question) -> Comparison:
    sides = [{run.id: {result.fullname: result for result in run.results} for run in side} for side in (base, head)]
    names = sorted({name for side in sides for results in side.values() for name in results})
    if question.only:
        names = [name for name in names if question.only in name]
    measure = partial(_measured, question=question)
    whole = any(run.complete for run in head)
    rows = [
        row
        for name in names
        for row in _rows(name, list(sides[0].values()), list(sides[1].values()), question, measure, whole=whole)
    ]
    return Comparison(
        base[0].fingerprint,
        head[0].fingerprint,
        len(base),
        len(head),
        tuple(sorted(rows, key=lambda row: (row.group, row.name))),
        tuple(differences(base[0].fingerprint, head[0].fingerprint)),
    )


Results = Mapping[str, Result]
"""One run's, by name."""
Side = Sequence[tuple[Results, Result]]
"""One benchmark's result in each run, with the other results of it."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """One run's figure of one benchmark, and its rounds in the same unit."""

    value: float
    rounds: tuple[float, ...]
    result: Result


def _rows(
    name: str,
    base: Sequence[Results],
    head: Sequence[Results],
    question: Question,
    measure: Callable[[Results, Result], _Measured | None],
    *,
    whole: bool,
) -> list[Row]:
    """A benchmark's row; one for each of its inputs, where both sides have several. `whole`: a head's session ended."""
    known = next(results[name] for results in (*head, *base) if name in results)
    with_document = next((r[name] for r in (*head, *base) if name in r and r[name].document), known)
    row = partial(Row, name, _short(with_document), group_of(with_document, question.group_by))
    every = [[(results, results[name]) for results in side if name in results] for side in (base, head)]
    sides = [[(results, one) for results, one in side if one.outcome != DESELECTED] for side in every]
    passed = [[(results, one) for results, one in side if one.outcome == PASSED] for side in sides]
    failures = [one for _, one in sides[1] if one.outcome == FAILED]
    if failures:
        note = f"failed in {len(failures)} of {len(sides[1])} runs: {failures[0].note or 'no message'}"
        return [row(None, None, None, BROKEN, note=note)]
    if not passed[1]:
        if every[1] and all(one.outcome in (SKIPPED, DESELECTED) for _, one in every[0]):
            return []  # as it was
        if not sides[1] and (every[1] or not whole):
            left = _figure(_all(passed[0], measure), question)
            note = "deselected in the head's runs" if every[1] else "the head's session was cut short before it"
            return [row(left, None, None, CANT_TELL, within=True, note=note)]
        skipped = sides[1][0][1].note if sides[1] else None
        note = f"skipped: {skipped}" if sides[1] else "not in the runs of the head"
        return [row(None, None, None, GONE, note=note)]
    if not sides[0] and every[0]:
        right = _figure(_all(passed[1], measure), question)
        return [row(None, right, None, CANT_TELL, within=True, note="deselected in the base's runs")]
    if not passed[0]:
        note = "it failed or was skipped in the base" if sides[0] else "not in the runs of the base"
        return [row(None, _figure(_all(passed[1], measure), question), None, NEW, note=note)]
    pairs, refused = _same_inputs(passed[0], passed[1], question.across)
    if refused:
        return [row(None, None, None, REFUSED, note=_told(refused), refused=tuple(refused))]
    varying = _varying([left[0][1] for left, _ in pairs])
    return [
        _measured_row(partial(row, note=_listed(left[0][1], varying)), left, right, question, measure)
        for left, right in pairs
    ]


def _measured_row(
    row: Callable[..., Row],
    base: Side,
    head: Side,
    question: Question,
    measure: Callable[[Results, Result], _Measured | None],
) -> Row:
    measured = [_all(side, measure) for side in (base, head)]
    if not measured[0] or not measured[1]:
        left, right = (_figure(one, question) for one in measured)
        return row(left, right, None, CANT_TELL, within=True, note=_missing(question))
    return _judged(row, measured[0], measured[1], question)


def _varying(results: Sequence[Result]) -> list[str]:
    """The inputs that are not the same in all."""
    names = sorted({name for one in results for name in one.inputs})
    return [name for name in names if any(one.inputs.get(name) != results[0].inputs.get(name) for one in results)]


def _listed(result: Result, names: Sequence[str]) -> str:
    return ", ".join(f"{name} {result.inputs.get(name, 'not known')}" for name in names)


def _judged(row: Callable[..., Row], base: list[_Measured], head: list[_Measured], question: Question) -> Row:
    figures = (_figure(base, question), _figure(head, question))
    found = intervals.ratio([one.value for one in base], [one.value for one in head], question.confidence)
    if found is None or 1 in (len(base), len(head)):
        return _undecided(row, figures, base, head, question)
    bound = max(found.high - 1, 1 - found.low)
    if found.low > 1:
        return row(*figures, found, SLOWER)
    if found.high < 1:
        return row(*figures, found, FASTER)
    if bound <= question.same:
        return row(*figures, found, SAME_WITHIN, bound=bound)
    return row(*figures, found, CANT_TELL)


def _undecided(
    row: Callable[..., Row],
    figures: tuple[Figure | None, Figure | None],
    base: list[_Measured],
    head: list[_Measured],
    question: Question,
) -> Row:
    """Too few runs for an interval across runs: at most one within them, which decides nothing."""
    single = len(base) == len(head) == 1
    within = intervals.ratio(base[0].rounds, head[0].rounds, question.confidence) if single else None
    if within is None:
        estimate = intervals.point([one.value for one in base], [one.value for one in head])
        within = None if estimate is None else Ratio(estimate, 0.0, float("inf"))
    return row(*figures, within, CANT_TELL, within=True)


def _all(
    side: Iterable[tuple[Results, Result]], measure: Callable[[Results, Result], _Measured | None]
) -> list[_Measured]:
    return [found for results, one in side if (found := measure(results, one)) is not None]


def _measured(results: Results, result: Result, *, question: Question) -> _Measured | None:
    """One run's figure in the metric asked for, over the baseline's if there is one; None where there is none."""
    value = result.values.get(question.metric)
    scale = 1.0
    if question.baseline is not None:
        found = _baseline(results, result, question)
        scale = found.values.get(question.metric, 0.0) if found is not None else 0.0
    if value is None or scale <= 0:
        return None
    rounds = () if result.thinned else result.rounds.get(question.metric, ())
    return _Measured(value / scale, tuple(one / scale for one in rounds), result)


def _baseline(results: Results, result: Result, question: Question) -> Result | None:
    """The variant to compare with, in the same run and group: by its label or param, else the first of that name."""
    group = group_of(result, question.group_by)
    near = [one for one in results.values() if one.document and group_of(one, question.group_by) == group]
    exact = [one for one in near if question.baseline in (_info(one, "label"), one.document.get("param"), _short(one))]
    named = [one for one in near if _info(one, "variant") == question.baseline]
    return next(iter(exact or named), None)


def _info(result: Result, key: str) -> Any:
    info = result.document.get("extra_info")
    return info.get(key) if isinstance(info, dict) else None


def _figure(measured: Sequence[_Measured], question: Question) -> Figure | None:
    if not measured:
        return None
    within = len(measured) == 1
    values = measured[0].rounds if within else [one.value for one in measured]
    return Figure(
        value=median(one.value for one in measured),
        interval=intervals.of_median(values, question.confidence),
        runs=len(measured),
        within=within,
        stats=_stats([one.result for one in measured]),
    )


def _stats(results: Sequence[Result]) -> dict[str, Any]:
    """pytest-benchmark's columns: medians over the runs; the newest run's where that is no number."""
    found: dict[str, Any] = {}
    for column in COLUMNS:
        found_in = [one.document["stats"].get(column) for one in results if one.document.get("stats")]
        # a file may have been written by anything
        values = [
            one for one in found_in if isinstance(one, str | float) or (isinstance(one, int) and abs(one) < 1e300)
        ]
        numbers = [value for value in values if isinstance(value, int | float)]
        if values:
            found[column] = median(numbers) if len(numbers) == len(values) else values[0]
    return found


def _same_inputs(base: Side, head: Side, across: Collection[str]) -> tuple[list[tuple[Side, Side]], list[Difference]]:
    """Both sides' results with the same inputs, a pair for each; or what differs.

    Where inputs may differ and none are the same: the two with most runs.
    """
    pairs = [(left, right) for left in _by_inputs(base) for right in _by_inputs(head)]
    apart = [inputs_differences(left[0][1].inputs, right[0][1].inputs) for left, right in pairs]
    equal = [pair for pair, found in zip(pairs, apart, strict=True) if not found]
    if equal:
        return equal, []
    if INPUTS in across:
        return [max(pairs, key=lambda pair: min(map(len, pair)))], []
    return [], min(apart, key=len)


def _by_inputs(side: Side) -> list[Side]:
    groups: dict[tuple[tuple[str, Value], ...], list[tuple[Results, Result]]] = {}
    for results, one in side:
        groups.setdefault(tuple(sorted(one.inputs.items())), []).append((results, one))
    return list(groups.values())


def _told(found: Sequence[Difference]) -> str:
    return "; ".join(f"{one.what} {one.base} / {one.head}" for one in found)


def _missing(question: Question) -> str:
    if question.baseline is not None:
        return f"no {question.metric} figures, or no {question.baseline} in its group"
    return f"no figures of the metric {question.metric}"


def _short(result: Result) -> str:
    return str(result.document.get("name") or result.fullname.rpartition("::")[2])


def group_of(result: Result, group_by: str) -> str:
    """The heading of a benchmark, as pytest-benchmark makes it; empty for none."""
    document = result.document
    name, fullname = _short(result), result.fullname
    parts = {
        "group": document.get("group"),
        "name": name,
        "func": name.partition("[")[0],
        "fullname": fullname,
        "fullfunc": fullname.partition("[")[0],
        "param": document.get("param"),
    }
    found = []
    for grouping in group_by.split(","):
        if grouping.startswith("param:"):
            params = document.get("params") or {}
            wanted = grouping.removeprefix("param:")
            found.append(f"{wanted}={params[wanted]}" if wanted in params else None)
        else:
            found.append(parts[grouping])
    return " ".join(str(part) for part in found if part)
