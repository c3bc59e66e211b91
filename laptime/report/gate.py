"""What a gate found, for a person: a table with what matters first, and for a regression where the time went. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from math import log

from rich.table import Table
from rich.text import Text

from laptime.gate.decision.noise import Noise
from laptime.gate.decision.trial import (
    ACCEPTED,
    BROKEN,
    CERTAIN,
    FAILING,
    IMPROVED,
    MISSING,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    Finding,
)
from laptime.gate.decision.verdicts import FAIL, Cost, Report, Row, last_line
from laptime.report.comparison import size
from laptime.report.console import plain, printed
from laptime.report.units import duration

_BARS = "▁▂▃▄▅▆▇█"
_STYLES = {
    REGRESSED: "red bold",
    BROKEN: "red bold",
    MISSING: "red bold",
    UNRESOLVED: "yellow",
    ACCEPTED: "magenta",
    IMPROVED: "green",
    UNCHANGED: "",
    NEW: "cyan",
}
_MOST_BARS = 20
_LEAST_SCALE = 0.02
"""Bars as high as this, at least: noise of a few parts in a thousand is to look like noise."""
_HEADINGS = ("benchmark", "by", "verdict", "change", "95 % interval", "would find", "blocks", "")
_NAME, _VERDICT, _INTERVAL, _FINDS, _BLOCKS, _REMARK = 0, 2, 4, 5, 6, 7
_LEAST_TEXT, _GAP = 20, 2
_WIDE = 120
"""From so many columns on, a self-test shows its blocks."""


def terminal(report: Report, command: Callable[[str], str], *, strict: bool = False, width: int, color: bool) -> str:
    """The table, what is to be said of single benchmarks, and the sum.

    command  gives what runs one of them alone
    strict   whether what is unresolved fails
    """

    def show(write: Callable[..., None]) -> None:
        write(f"laptime gate: {plain(report.head)} against {plain(report.base)}")
        if report.rows:
            table, remarks = _table(report, width)
            write(table)
            for line in remarks:
                write(Text(plain(line)), soft_wrap=True)
        for line in details(report.rows, command):
            write(Text(plain(line)), soft_wrap=True)
        for line in summary(report, strict=strict):
            write(Text(plain(line)), soft_wrap=True)

    return printed(show, width=width, color=color)


def _table(report: Report, width: int) -> tuple[Table, list[str]]:
    """The table, and the remarks for which it has no room."""
    rows = report.rows
    named = [number == 0 or row.benchmark != rows[number - 1].benchmark for number, row in enumerate(rows)]
    names = labels(row.benchmark for row in rows)
    remarks = [remark(row, report.stopped) for row in rows]
    lines = [
        [*map(plain, _cells(row, names[row.benchmark] if first else "")), plain(remark)]
        for row, first, remark in zip(rows, named, remarks, strict=True)
    ]
    shown = _fitting(lines, width)
    table = Table(box=None, pad_edge=False)
    for number in shown:
        table.add_column(_HEADINGS[number], overflow="fold", no_wrap=number != _NAME)
    for row, line in zip(rows, lines, strict=True):
        cells = [Text(line[number]) for number in shown]
        cells[shown.index(_VERDICT)].stylize(_STYLES[row.verdict])
        table.add_row(*cells)
    if _REMARK in shown:
        return table, []
    told = zip((names[row.benchmark] for row in rows), (line[_REMARK] for line in lines), strict=True)
    return table, [f"{name}: {remark}" for name, remark in told if remark]


def _fitting(lines: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns for which there is room: remarks where all fit on lines of their own, the others beside a name."""
    wide = [max(len(line[number]) for line in (_HEADINGS, *lines)) for number in range(len(_HEADINGS))]
    empty = {number for number in (_FINDS, _REMARK) if not any(line[number] for line in lines)}
    shown = [number for number in range(len(_HEADINGS)) if number not in empty]
    if _REMARK in shown and sum(wide[number] + _GAP for number in shown) - _GAP > width:
        shown.remove(_REMARK)
    for number in (one for one in (_BLOCKS, _INTERVAL, _FINDS) if one in shown):
        room = width - sum(wide[one] + _GAP for one in shown if one != _NAME)
        if room >= min(_LEAST_TEXT, wide[_NAME]):
            break
        shown.remove(number)
    return shown


def _cells(row: Row, name: str) -> tuple[str, ...]:
    """All but the remark."""
    finding = row.finding
    if finding is None:
        return (name, row.metric or "", row.verdict, "–", "–", "", "")
    return (
        name,
        row.metric or "",
        row.verdict,
        percent(finding.ratio),
        between(finding),
        would_find(finding) if row.verdict == UNRESOLVED else "",
        sparkline(finding.blocks),
    )


def would_find(finding: Finding) -> str:
    """What as many blocks as confirm would find, as noisy as these are."""
    if not finding.blocks:
        return ""
    return "too noisy" if finding.smallest is None else f"{finding.smallest * 100:.1f} %"


def remark(row: Row, stopped: str | None) -> str:
    """The note in a line; why the run was ended is said below, once."""
    if row.finding is None:
        return _first(row.note)
    return "" if row.note == stopped else (row.note or "").removesuffix(f": {stopped}")


def details(rows: Sequence[Row], command: Callable[[str], str]) -> list[str]:
    """Of each regression where it went, of what is broken the whole message, and how to run it alone."""
    failing: dict[str, list[Row]] = {}
    for row in rows:
        if row.verdict in FAILING:
            failing.setdefault(row.benchmark, []).append(row)
    return [line for name, group in failing.items() for line in _detail(name, group, command(name))]


def _detail(name: str, group: Sequence[Row], command: str) -> list[str]:
    row = group[0]
    by = " and ".join(one.metric for one in group if one.metric)
    lines = ["", f"{row.verdict.upper()} {name}" + (f" ({by} time)" if by else "")]
    if row.base is not None and row.head is not None:
        lines += [f"  {line}" for line in where_it_went(row.base, row.head)]
    elif row.note:
        lines += [f"  {line}" for line in row.note.splitlines()]
    return [*lines, f"  {command}"]


def where_it_went(base: Cost, head: Cost) -> list[str]:
    """One line a kind of cost, of one call: BASE, HEAD, and the difference."""
    lines = [
        _cost("wall", base.wall_s, head.wall_s, duration),
        _cost("CPU", base.cpu_s, head.cpu_s, duration),
        _cost("waiting", base.waiting_s, head.waiting_s, duration),
        _cost("switches", base.switches, head.switches, lambda value: f"{value:.3g}"),
    ]
    if base.peak and head.peak:
        lines.append(_cost("peak memory", base.peak, head.peak, size))
    return lines


def _cost(what: str, base: float, head: float, show: Callable[[float], str]) -> str:
    change = f"  ({percent(head / base)})" if base > 0 and head > 0 else ""
    return f"{what:<12}{show(base)} → {show(head)}{change}"


def summary(report: Report, *, strict: bool = False) -> list[str]:
    """What the whole comes to; `strict`: what is unresolved fails."""
    counts = report.counts()
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "nothing was judged"
    void = f", {report.void} void" if report.void else ""
    lines = ["", f"{said} · {_count(report.blocks, 'block')}{void}, {clock(report.seconds)}"]
    if report.skipped:
        lines.append(f"skipped on both sides: {_count(len(report.skipped), 'benchmark')}")
    if report.interrupted:
        lines.append("interrupted: this is what was known by then")
    elif report.stopped:
        lines.append(f"ended early, since {report.stopped}" + _how_to_go_on(report))
    lines += [f"note: {remark}" for remark in report.remarks]
    if report.unfit:
        lines.append(f"CAN'T TELL: {report.unfit}")
    elif report.code(strict=strict) == FAIL:
        failing = [verdict for verdict in counts if verdict in FAILING or (strict and verdict == UNRESOLVED)]
        lines.append(f"FAILED: {', '.join(f'{counts[verdict]} {verdict}' for verdict in failing)}")
    elif not report.interrupted and not (report.looked and counts):
        lines.append("CAN'T TELL: there was too little time for anything to be known; give it more by --max-time")
    lines += [f"REFUSED: {one}" for one in refusals(report)]
    return lines


def refusals(report: Report) -> list[str]:
    """What is accepted without need, and what to do."""
    return [f"{one}: remove it" for one in report.refused]


def _how_to_go_on(report: Report) -> str:
    if report.stopped == CERTAIN:
        return "; --complete judges the others to the end"
    return "; --max-time gives it more"


def labels(names: Iterable[str]) -> dict[str, str]:
    """Node id -> as little of it as tells it from the others: its parameters, its function, its file."""
    names = list(dict.fromkeys(names))
    functions = {name.partition("[")[0] for name in names}
    forms: list[Callable[[str], str]] = [
        lambda name: name.rpartition("::")[2] if "[" not in name else _function(name),
        lambda name: name.partition("::")[0].rpartition("/")[2] + "::" + name.partition("::")[2],
        lambda name: name,
    ]
    if len(functions) == 1 and len(names) > 1:
        forms.insert(0, lambda name: name.partition("[")[2].removesuffix("]"))
    for form in forms:
        found = {name: form(name) for name in names}
        if len(set(found.values())) == len(names) and all(found.values()):
            return found
    return {name: name for name in names}


def _function(name: str) -> str:
    """``test_x[a::b]`` of ``test_file.py::TestClass::test_x[a::b]``."""
    function, bracket, parameters = name.partition("[")
    return function.rpartition("::")[2] + bracket + parameters


def percent(ratio: float | None) -> str:
    """A ratio as a change: ``+5.2 %``."""
    if ratio is None:
        return "–"
    change = round((ratio - 1) * 100, 1) + 0.0  # no -0.0
    return f"{change:+.1f} %" if abs(change) < 100 else f"{change:+.0f} %"


def between(finding: Finding) -> str:
    """Its interval."""
    if finding.low is None or finding.high is None:
        return "–"
    return f"{percent(finding.low)} … {percent(finding.high)}"


def sparkline(blocks: Sequence[float]) -> str:
    """The blocks as bars, the latest last: half high is no change, above is slower; as wide as they differ."""
    shown = blocks[-_MOST_BARS:]
    scale = max([abs(value) for value in shown] + [_LEAST_SCALE])
    steps = len(_BARS) - 1
    return "".join(_BARS[round((value / scale + 1) / 2 * steps)] for value in shown)


def clock(seconds: float) -> str:
    """``4 min 5 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def command(base: str, head: str | None, options: Sequence[str], arguments: Sequence[str]) -> str:
    """The command that gates these revisions; `arguments` are for pytest."""
    words = ["laptime", "gate", *options, base, *([head] if head else [])]
    return shlex.join([*words, "--", *arguments] if arguments else words)


def _first(note: str | None) -> str:
    """Of a note in one line what matters."""
    if not note:
        return ""
    label, separator, rest = note.partition(": ")
    if label not in ("BASE", "HEAD"):
        return last_line(note)
    return f"{label}{separator}{last_line(rest)}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def noise(found: Sequence[Noise], *, width: int, color: bool) -> str:
    """A self-test: how noisy each benchmark is, and what can be found in which time."""
    times = [clock(seconds) for seconds, _ in found[0].smallest] if found else []

    def show(write: Callable[..., None]) -> None:
        table = Table(box=None, pad_edge=False)
        headings = ["benchmark", "by", "noise of a block", "A/A", *(f"found in {time}" for time in times), "blocks"]
        if width < _WIDE:
            headings.pop()
        for heading in headings:
            table.add_column(
                heading,
                overflow="fold",
                justify="left" if heading in ("benchmark", "by", "blocks") else "right",
            )
        before = None
        names = labels(one.benchmark for one in found)
        for one in found:
            name = names[one.benchmark] if one.benchmark != before else ""
            effects = ["–" if effect is None else f"{effect * 100:.1f} %" for _, effect in one.smallest]
            cells = (
                name,
                one.metric,
                f"{one.deviation * 100:.1f} %",
                percent(one.ratio),
                *effects,
                sparkline(tuple(map(log, one.ratios))),
            )
            table.add_row(*(Text(plain(cell)) for cell in cells[: len(headings)]))
            before = one.benchmark
        write(table)

    return printed(show, width=width, color=color)
