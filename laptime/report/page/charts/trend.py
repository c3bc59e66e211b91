"""Benchmarks' figures from commit to commit: one that changed alone, with its levels; the others as rows. Pure.

What didn't change is drawn many to a chart, all on one scale, in per cent of its median: so a row that wavers more than
the others is seen, and 500 runs of 54 benchmarks are drawn in the time that a reader has.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

import altair as alt

from laptime.history import Point
from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.figure import Figure, count, counts, significant, slug, spec, unit
from laptime.report.trend import percent
from laptime.report.units import duration
from laptime.trend import ChangePoint, Series

_HEIGHT = 120
_SHORT = 10
MOST_ROWS = 20
_ROW_SHARE = 0.1
_ROW_PART = 0.28
"""How far from its middle a row goes, in rows."""
_LEAST_SPAN = 0.05
"""The axis spans at least this share: noise of 0.1 % is not drawn as high as a mountain."""


def trend(series: Series, changes: Sequence[ChangePoint]) -> Figure:
    """The series as a line, its levels as thick lines, its changes as dashed ones with their size."""
    ordered = sorted(changes, key=lambda one: one.at)
    name = short(series.fullname)
    runs = count(len(series.values), "run")
    title = f"{name}: {_said(ordered) if ordered else f'no change in {runs}'}."
    return Figure(
        name=slug("trend", name),
        title=title,
        subtitle=f"{runs} in the order of commits, from {_told(series.points[0])} to "
        f"{_told(series.points[-1])}; the axis doesn't begin at zero.",
        alt=f"{title} From {duration(series.values[0])} to {duration(series.values[-1])}.",
        spec=_spec(series, ordered),
        columns=("from commit", "to commit", "runs", "median", "change", "how sure"),
        rows=_levels(series, ordered),
        small=True,
    )


def short(fullname: str) -> str:
    """What stands in a name's brackets, else its last part."""
    last = fullname.rpartition("::")[2]
    inside = last.partition("[")[2].removesuffix("]")
    return inside or last


def _said(changes: Sequence[ChangePoint]) -> str:
    last = changes[-1]
    more = f" ({count(len(changes) - 1, 'change')} before)" if len(changes) > 1 else ""
    word = "slower" if _ratio(last) > 1 else "faster"
    return f"{_size(last).lstrip('+-')} {word} since {_commit(last.after)}{more}"


def _ratio(change: ChangePoint) -> float:
    if change.ratio is not None:
        return change.ratio.estimate
    values = change.series.values
    return median(values[change.at : change.stop]) / median(values[change.start : change.at])


def _size(change: ChangePoint) -> str:
    return percent(_ratio(change))


def _commit(point: Point) -> str:
    return (point.commit_id or "no commit")[:_SHORT]


def _told(point: Point) -> str:
    return f"{_commit(point)} ({datetime.fromtimestamp(point.at_us / 1e6, UTC):%Y-%m-%d})"


def _bounds(series: Series, changes: Sequence[ChangePoint]) -> list[tuple[int, int]]:
    return list(pairwise([0, *(one.at for one in changes), len(series.values)]))


def _levels(series: Series, changes: Sequence[ChangePoint]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for (start, stop), change in zip(_bounds(series, changes), [None, *changes], strict=True):
        level = duration(median(series.values[start:stop]))
        size, sure = ("", "") if change is None else (_size(change), f"p = {change.p:.3g}")
        first, last = series.points[start], series.points[stop - 1]
        found.append((_commit(first), _commit(last), str(stop - start), level, size, sure))
    return found


def _spec(series: Series, changes: Sequence[ChangePoint]) -> dict[str, Any]:
    scale, named = unit(max(series.values))
    last = len(series.values)
    low, high = min(series.values), max(series.values)
    middle = (low + high) / 2
    low, high = min(low, middle * (1 - _LEAST_SPAN / 2)), max(high, middle * (1 + _LEAST_SPAN / 2))
    x = alt.X(
        "run",
        type="quantitative",
        scale=alt.Scale(domain=[1, max(last, 2)], nice=False),
        axis=alt.Axis(title="run", tickCount=4, grid=False, format="d", titleAnchor="end", tickMinStep=1),
    )
    y = alt.Y(
        "data",
        type="quantitative",
        scale=alt.Scale(domain=[significant(low * scale), significant(high * scale)], zero=False, nice=True),
        axis=alt.Axis(title=named, domain=False, tickCount=3, titleAnchor="end"),
    )
    levels = [
        {"run": start + 1, "to": stop, "data": significant(median(series.values[start:stop]) * scale)}
        for start, stop in _bounds(series, changes)
    ]
    color = theme.token(theme.family(short(series.fullname).partition("-")[2]))
    values = [significant(value * scale) for value in series.values]
    layers = [
        # plain numbers, counted in the page: of 500 runs of 54 benchmarks every byte counts
        alt.Chart(alt.InlineData(values=values))
        .transform_window(run="row_number()")
        .mark_line(strokeWidth=1, opacity=0.75, color=color, strokeJoin="round")
        .encode(x=x, y=y),
        alt.Chart(alt.InlineData(values=levels))
        .mark_rule(strokeWidth=3, color=theme.token("ink"))
        .encode(x=x, x2=alt.X2("to"), y=y),
    ]
    if changes:
        steps = [{"run": one.at + 0.5, "text": _size(one), "left": one.at > last / 2} for one in changes]
        base = alt.Chart(alt.InlineData(values=steps)).encode(x=x)
        layers.append(base.mark_rule(strokeDash=[3, 3], color=theme.token("muted")))
        for left in (True, False):
            text = alt.Chart(alt.InlineData(values=[step for step in steps if step["left"] is left]))
            layers.append(
                text.mark_text(
                    align="right" if left else "left",
                    dx=-4 if left else 4,
                    baseline="top",
                    fontWeight="bold",
                ).encode(x=x, y=drawn.fixed(alt.YValue, 0), text=alt.Text("text", type="nominal"))
            )
    return spec(layers, height=_HEIGHT)


def steady(several: Sequence[Series]) -> list[Figure]:
    """What didn't change, a row each, `MOST_ROWS` to a chart."""
    ordered = sorted(several, key=lambda one: short(one.fullname))
    some = [ordered[start : start + MOST_ROWS] for start in range(0, len(ordered), MOST_ROWS)]
    return [_steady(one) for one in some]


def _steady(several: Sequence[Series]) -> Figure:
    widest = max(several, key=_spread)
    said = f"No change in {count(len(several), 'benchmark')}"
    title = f"{said}; {short(widest.fullname)} wavers most, by ± {_spread(widest):.1%}."
    runs = counts([len(one.values) for one in several], "run")
    return Figure(
        name="trends-steady",
        title=title,
        subtitle=f"{runs} in the order of commits; a row is ± {_ROW_SHARE:.0%} of its median high, and what is beyond "
        "is cut off. At the right: the median, and half the width of the middle half of the runs.",
        alt=title,
        spec=_steady_spec(several),
        columns=("benchmark", "runs", "from commit", "to commit", "median", "middle half"),
        rows=[
            (
                short(one.fullname),
                str(len(one.values)),
                _commit(one.points[0]),
                _commit(one.points[-1]),
                duration(median(one.values)),
                f"± {_spread(one):.1%}",
            )
            for one in several
        ],
    )


def _spread(series: Series) -> float:
    """Half the interquartile range, as a share of the median."""
    low, _, high = quantiles(series.values, n=4, method="inclusive")
    return (high - low) / 2 / median(series.values)


def _steady_spec(several: Sequence[Series]) -> dict[str, Any]:
    height = len(several)
    last = max(len(one.values) for one in several)
    rows = [
        {
            "y": number + drawn.TEXT,
            "row": number + drawn.MARKS,
            "name": short(one.fullname),
            "figure": f"{duration(median(one.values))} ± {_spread(one):.1%}",
            "bold": False,
            "one": 1,
            "last": last,
        }
        for number, one in enumerate(several)
    ]
    lines = [
        {"of": number, "family": theme.family(short(one.fullname).partition("-")[2]), "y": _heights(one, number)}
        for number, one in enumerate(several)
    ]
    scale = alt.Scale(domain=[1, max(last, 2)], nice=False)
    axis = alt.Axis(title="run", tickCount=4, grid=False, domain=False, format="d", titleAnchor="end", tickMinStep=1)
    x = alt.X("run", type="quantitative", scale=scale, axis=axis)
    layers = [
        alt.Chart(drawn.data(rows))
        .mark_rule(color=theme.token("axis"), strokeDash=[1, 3])
        .encode(
            x=alt.X("one", type="quantitative", scale=scale, axis=axis), x2=alt.X2("last"), y=drawn.y("row", height)
        ),
        # plain numbers, counted in the page: of 500 runs of 54 benchmarks every byte counts
        alt.Chart(drawn.data(lines))
        .transform_flatten(["y"])
        .transform_window(run="row_number()", groupby=["of"])
        .mark_line(strokeWidth=1, strokeJoin="round")
        .encode(x=x, y=drawn.y("y", height), color=drawn.colored(), detail=alt.Detail("of", type="nominal")),
        *drawn.names(rows, height),
    ]
    return spec(layers, height=height * drawn.HEIGHT)


def _heights(series: Series, row: int) -> list[float]:
    middle = median(series.values)
    shares = (max(-1.0, min(1.0, (value / middle - 1) / _ROW_SHARE)) for value in series.values)
    return [round(row + drawn.MARKS - _ROW_PART * share, 3) for share in shares]
