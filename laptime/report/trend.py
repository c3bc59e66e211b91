"""A series drawn in a terminal, and change points as a table, Markdown or JSON. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from rich.table import Table
from rich.text import Text

from laptime.history import Point
from laptime.report.comparison import size
from laptime.report.console import escaped, plain, printed
from laptime.report.units import duration
from laptime.trend import ChangePoint, Series

HEIGHT = 14
_LEAST_WIDTH = 20
_SHORT = 10
_DOT, _MANY, _LINE = "•", "●", "│"
_SPREAD = 0.05
"""The axis spans at least so large a share: noise of 0.1 % is not drawn as high as a mountain."""


def terminal(
    series: Series, found: Sequence[ChangePoint], metric: str, notes: Sequence[str], *, width: int, color: bool
) -> str:
    """The series as a chart with its change points, and these in words."""

    def show(write: Callable[..., None]) -> None:
        write(Text(plain(f"{series.fullname}: {len(series.values)} runs, {metric}"), style="bold"))
        for line in chart(series.values, [one.at for one in found], unit(metric), width=width):
            write(Text(line))
        first, last = series.points[0], series.points[-1]
        write(Text(f"from {_told(first)} to {_told(last)}", style="dim"))
        write("")
        if found:
            write(_table(found, metric, names=False))
        else:
            write("no change")
        for line in notes:
            write(Text(plain(line)))

    return printed(show, width=width, color=color)


def chart(values: Sequence[float], changes: Sequence[int], show: Callable[[float], str], *, width: int) -> list[str]:
    """Lines of text: a dot a run (or the median of several, side by side), and a line where the series changed."""
    low, high = min(values), max(values)
    middle = (low + high) / 2
    low, high = min(low, middle * (1 - _SPREAD / 2)), max(high, middle * (1 + _SPREAD / 2))
    labels = [show(high), show(middle), show(low)]
    gutter = max(map(len, labels))
    columns = min(len(values), max(width - gutter - 2, _LEAST_WIDTH))
    places = [index * columns // len(values) for index in range(len(values))]
    rows = [[" "] * columns for _ in range(HEIGHT)]
    for change in changes:
        for row in rows:
            row[places[change]] = _LINE
    for column in range(columns):
        several = [value for value, place in zip(values, places, strict=True) if place == column]
        height = (median(several) - low) / (high - low) if high > low else 0.5
        rows[HEIGHT - 1 - round(height * (HEIGHT - 1))][column] = _DOT if len(several) == 1 else _MANY
    beside = {0: labels[0], HEIGHT // 2: labels[1], HEIGHT - 1: labels[2]}
    return [f"{beside.get(number, ''):>{gutter}} ┤{''.join(row)}".rstrip() for number, row in enumerate(rows)]


def changes_terminal(found: Sequence[ChangePoint], metric: str, summary: str, *, width: int, color: bool) -> str:
    """Change points of many series."""

    def show(write: Callable[..., None]) -> None:
        if found:
            write(_table(found, metric, names=True))
            write("")
        write(Text(plain(summary)))

    return printed(show, width=width, color=color)


def changes_markdown(found: Sequence[ChangePoint], metric: str, summary: str) -> str:
    """The same for a page."""
    lines = []
    if found:
        lines += [f"| {' | '.join(_HEADINGS)} |", "|---|---|---|---:|---:|---:|---|"]
        lines += [f"| {' | '.join(map(escaped, _cells(one, metric)))} |" for one in found]
        lines.append("")
    return "\n".join([*lines, escaped(summary)]) + "\n"


def changes_json(found: Sequence[ChangePoint], metric: str, several: Sequence[Series]) -> str:
    """The same for a program."""
    document = {
        "version": 1,
        "metric": metric,
        "unit": "B" if metric == "memory" else "s",
        "series": len(several),
        "runs": sum(len(one.values) for one in several),
        "changes": [_json(one) for one in found],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def trend_json(series: Series, found: Sequence[ChangePoint], metric: str) -> str:
    """One series for a program."""
    document = {
        "version": 1,
        "benchmark": series.fullname,
        "metric": metric,
        "unit": "B" if metric == "memory" else "s",
        "runs": [
            {"commit": point.commit_id, "at": _moment(point).isoformat(), "value": value}
            for point, value in zip(series.points, series.values, strict=True)
        ],
        "changes": [_json(one) for one in found],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def unit(metric: str) -> Callable[[float], str]:
    """How a figure of the metric is written."""
    return size if metric == "memory" else duration


_HEADINGS = ("commit", "when", "benchmark", "before", "after", "change", "how sure")


def _table(found: Sequence[ChangePoint], metric: str, *, names: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    kept = [number for number, heading in enumerate(_HEADINGS) if names or heading != "benchmark"]
    for number in kept:
        right = _HEADINGS[number] in ("before", "after", "change")
        table.add_column(_HEADINGS[number], justify="right" if right else "left", overflow="fold", no_wrap=number != 2)
    for one in found:
        cells = _cells(one, metric)
        table.add_row(*(Text(plain(cells[number])) for number in kept))
    return table


def _cells(one: ChangePoint, metric: str) -> tuple[str, ...]:
    before, after = _levels(one)
    show = unit(metric)
    commit = (one.after.commit_id or "no commit")[:_SHORT] + (" (within one commit)" if one.within else "")
    name = one.series.fullname.rpartition("::")[2]
    when = f"{_moment(one.after):%Y-%m-%d}"
    return commit, when, name, show(before), show(after), _change(one), f"p = {one.p:.3g}"


def _levels(one: ChangePoint) -> tuple[float, float]:
    values = one.series.values
    return median(values[one.start : one.at]), median(values[one.at : one.stop])


def _change(one: ChangePoint) -> str:
    if one.ratio is None:
        before, after = _levels(one)
        return percent(after / before)
    return f"{percent(one.ratio.estimate)} [{percent(one.ratio.low)}, {percent(one.ratio.high)}]"


def percent(ratio: float) -> str:
    """A ratio as a change: ``+5.2 %``; from ten times on as a factor."""
    return f"{(ratio - 1) * 100:+.1f} %" if ratio < 10 else f"{ratio:.3g} ×"


def _json(one: ChangePoint) -> dict[str, Any]:
    ratio = one.ratio
    interval = None if ratio is None or math.isinf(ratio.high) else [ratio.low, ratio.high]
    return {
        "benchmark": one.series.fullname,
        "commit": one.after.commit_id,
        "previous_commit": one.before.commit_id,
        "within_one_commit": one.within,
        "at": _moment(one.after).isoformat(),
        "ratio": None if ratio is None else ratio.estimate,
        "interval": interval,
        "p": one.p,
    }


def _moment(point: Point) -> datetime:
    return datetime.fromtimestamp(point.at_us / 1e6, UTC)


def _told(point: Point) -> str:
    return f"{(point.commit_id or 'no commit')[:_SHORT]} ({_moment(point):%Y-%m-%d})"
