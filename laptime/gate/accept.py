"""Slowdowns that are intended: what they are, which benchmarks they are of, and whether they are needed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from laptime.gate._errors import GateError
from laptime.gate.decision.trial import ACCEPTED, IMPROVED, NEW, REGRESSED, UNCHANGED, Rules
from laptime.gate.decision.verdicts import Report, Row
from laptime.gate.pattern import fits


@dataclass(frozen=True, slots=True)
class Accept:
    """An entry of `[[tool.laptime.gate.accept]]`.

    benchmark  a node id, or a pattern
    up_to      by how much it may be slower, as a share
    why        in one line
    until      the last day on which it may stand there (UTC); or the name of a revision, until BASE contains that
    """

    benchmark: str
    up_to: float
    why: str
    until: date | str

    def __str__(self) -> str:
        return f"accept {self.benchmark!r}"

    @property
    def bounds(self) -> str:
        """By how much, and until when: ``12 % until 2027-01-31``."""
        return f"{self.up_to * 100:g} % until {self.until}"


def by_benchmark(names: Iterable[str], entries: Sequence[Accept]) -> dict[str, Accept]:
    """The entry of each benchmark that has one. Raises `GateError` where two fit one benchmark."""
    found: dict[str, Accept] = {}
    for name in names:
        fitting = [one for one in entries if fits(one.benchmark, name)]
        if len(fitting) > 1:
            raise GateError(
                f"[[tool.laptime.gate.accept]]: {fitting[0].benchmark!r} and {fitting[1].benchmark!r} both fit {name}: "
                "which one is meant? Make one of them, with an up_to for both slowdowns, or have them fit less"
            )
        if fitting:
            found[name] = fitting[0]
    return found


def rules(of: Mapping[str, Rules], accepted: Mapping[str, Accept]) -> dict[str, Rules]:
    """The rules of each benchmark, with what is accepted of it. Raises `GateError` where that is within its margin."""
    found = dict(of)
    for name, entry in accepted.items():
        margin = of[name].margin
        if entry.up_to <= margin:
            raise GateError(
                f"[[tool.laptime.gate.accept]]: {entry.benchmark!r}: up_to {entry.up_to * 100:g} % is not above the "
                f"margin of {name}, {margin * 100:g} %: a slowdown within the margin needs no entry"
            )
        found[name] = replace(of[name], accepted=entry.up_to)
    return found


def concluded(report: Report, entries: Sequence[Accept], names: Iterable[str], *, chosen: bool) -> Report:
    """The report, with what is said of the entries that count: beside their benchmarks, as remarks, as refused.

    names   all benchmarks that there are
    chosen  whether these may not be all of the suite, as the command line had a say in it
    """
    names = list(names)
    refused, remarks = list(report.refused), list(report.remarks)
    rows = report.rows
    for entry in entries:
        fitted = {name for name in names if fits(entry.benchmark, name)}
        if not fitted and chosen:
            remarks.append(f"{entry} fits none of the benchmarks that were chosen")
        elif not fitted:
            refused.append(f"{entry} fits no benchmark")
        elif _is_needless(row for row in rows if row.benchmark in fitted):
            refused.append(f"{entry} is not needed: nothing that it fits became slower")
        elif not any(row.verdict in (ACCEPTED, REGRESSED) for row in rows if row.benchmark in fitted):
            remarks.append(f"{entry}: whether it is needed is not known by now")
        rows = tuple(_noted(row, entry) if row.benchmark in fitted else row for row in rows)
    return replace(report, rows=rows, refused=tuple(refused), remarks=tuple(remarks))


def _is_needless(rows: Iterable[Row]) -> bool:
    """Whether all was judged, and none is slower.

    What has no finding was not measured, as where both sides hold the same files: that the entry comes before the
    change that needs it does no harm. What is new can't be slower.
    """
    judged = [row for row in rows if row.verdict != NEW]
    return bool(judged) and all(map(_is_no_slower, judged))


def _is_no_slower(row: Row) -> bool:
    if row.finding is None or row.verdict not in (UNCHANGED, IMPROVED):
        return False
    # within the limit, and yet slower for certain: the next gate may find it beyond the margin
    return row.finding.low is None or row.finding.low <= 1


def _noted(row: Row, entry: Accept) -> Row:
    if row.verdict == ACCEPTED:
        said = f"accepted up to {entry.bounds}: {entry.why}"
    elif row.verdict == REGRESSED:
        said = f"beyond what is accepted, {entry.bounds}"
    else:
        return row
    return replace(row, note=f"{said}; {row.note}" if row.note else said)
