"""What a gate's Markdown, JSON, JUnit report and annotations say in the same words. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from laptime.gate.decision.trial import (
    ACCEPTED,
    BROKEN,
    FAILING,
    IMPROVED,
    MISSING,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    VERDICTS,
)
from laptime.gate.decision.verdicts import CANNOT, FAIL, Report, Row
from laptime.history import scrub
from laptime.report.gate import between, percent, refusals, remark, would_find


class Mark(NamedTuple):
    """How a verdict is shown, and what it means."""

    icon: str
    means: str


MARKS = {
    BROKEN: Mark("💥", "an error or a wrong answer"),
    MISSING: Mark("❓", "BASE alone has it, or HEAD skips it"),
    REGRESSED: Mark("🔴", "slower than the margin, beyond chance"),
    UNRESOLVED: Mark("🟡", "neither slower nor unchanged for certain"),
    ACCEPTED: Mark("🟠", "slower than the margin, as is intended"),
    IMPROVED: Mark("🟢", "faster than the margin, beyond chance"),
    UNCHANGED: Mark("⚪", "within the limit"),
    NEW: Mark("🆕", "HEAD alone has it: run, not judged"),
}
"""Of each verdict."""


@dataclass(frozen=True, slots=True)
class Told:
    """A report, and what its forms say besides.

    strict  whether what is unresolved fails
    alone   benchmark -> the command that gates it alone
    again   the command that does all of it again
    folder  the project's, from the repository's root: empty, or with a slash at its end
    """

    report: Report
    strict: bool
    alone: Callable[[str], str]
    again: str
    folder: str = ""

    @property
    def code(self) -> int:
        """The exit code."""
        return self.report.code(strict=self.strict)

    def fails(self, verdict: str) -> bool:
        """Whether a benchmark of which this is said makes it fail."""
        return verdict in FAILING or (self.strict and verdict == UNRESOLVED)

    def file(self, benchmark: str) -> str | None:
        """Where a benchmark is, from the repository's root; None where that is not known, or outside."""
        name, colons, _ = benchmark.partition("[")[0].partition("::")
        path = posixpath.normpath(posixpath.join(self.folder, name))
        return path if colons and name and not path.startswith(("/", "..")) else None


def scrubbed(report: Report) -> Report:
    """Without the passwords in messages: what is written may be published."""
    return replace(
        report,
        rows=tuple(replace(row, note=row.note and scrub(row.note)) for row in report.rows),
        remarks=tuple(map(scrub, report.remarks)),
        refused=tuple(map(scrub, report.refused)),
        stopped=report.stopped and scrub(report.stopped),
        unfit=report.unfit and scrub(report.unfit),
    )


def groups(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """By benchmark, in their order: the worst that is said of it, and its rows."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.benchmark, []).append(row)
    return [(min((row.verdict for row in group), key=VERDICTS.index), group) for group in found.values()]


def outcome(told: Told) -> str:
    """What the whole comes to, in a line."""
    report, counts = told.report, told.report.counts()
    if told.code == FAIL:
        return "failed: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if told.fails(verdict))
    if report.is_refused:
        return f"refused: {refusals(report)[0]}"
    if told.code == CANNOT:
        return f"could not be measured: {_why_not(report)}"
    open_ = counts.get(UNRESOLVED)
    return "passed: no regression" + (f" found, {open_} unresolved" if open_ else "")


def _why_not(report: Report) -> str:
    if report.unfit:
        return report.unfit
    if report.interrupted:
        return "interrupted"
    if not report.rows:
        return "nothing was judged"
    return "there was too little time for anything to be known; --max-time gives it more"


def notes(report: Report) -> list[str]:
    """What else is to be known of the whole."""
    found = []
    if report.skipped:
        count = len(report.skipped)
        found.append(f"skipped on both sides: {count} benchmark{'' if count == 1 else 's'}")
    if report.interrupted:
        found.append("interrupted: this is what was known by then")
    elif report.stopped:
        found.append(f"ended early, since {report.stopped}")
    return [*found, *report.remarks, *(f"refused: {one}" for one in refusals(report))]


def line(verdict: str, group: Sequence[Row], stopped: str | None) -> str:
    """Of one benchmark what its verdict rests on: ``wall time +20.3 % (95 % interval +18.1 % … +22.9 %)``."""
    said = [part for row in group if row.verdict == verdict for part in _parts(row, stopped)]
    return "; ".join(dict.fromkeys(said)) or MARKS[verdict].means


def _parts(row: Row, stopped: str | None) -> list[str]:
    found = []
    if row.finding is not None and row.finding.ratio is not None:
        found.append(f"{row.metric} time {percent(row.finding.ratio)} (95 % interval {between(row.finding)})")
        if row.verdict == UNRESOLVED and (least := would_find(row.finding)):
            found.append(f"would find {least}")
    told = remark(row, stopped)
    return [*found, told] if told else found
