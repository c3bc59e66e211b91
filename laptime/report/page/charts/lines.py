"""What the charts of studies have in common: lines over an axis, and a table of all points. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log
from typing import Any

import altair as alt

from laptime.report.comparison import size
from laptime.report.findings import number
from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.figure import Figure, counts, significant, slug
from laptime.report.study import Line, Point, Study
from laptime.report.units import duration

HEIGHT = 320
TWICE: Sequence[Mapping[str, Any]] = (drawn.HALO, {})
LOG_FROM = 20.0
"""Figures that differ by more than this factor are drawn on a logarithmic axis."""
LONG_NAME = 12
"""Longer names stand below each other in a legend."""


def name_of(study: Study, *more: str) -> str:
    """The name of the file that a chart goes into."""
    kind = study.kind.replace("_", "-")
    return slug(*(() if study.name.startswith(kind) else (kind,)), study.name, *more)


def numbered(study: Study) -> list[Line]:
    """The lines, of their points only those whose x is a number."""
    made = (Line(line.name, tuple(one for one in line.points if not isinstance(one.x, str))) for line in study.lines)
    return [line for line in made if line.points]


def rounds_of(study: Study) -> str:
    """How many rounds a point has, in words."""
    numbers = [len(point.rounds) for line in study.lines for point in line.points]
    return counts(numbers, "round") if min(numbers) else "rounds that the history has thinned"


def per_item(study: Study) -> str:
    """What the axis of time shows, in words."""
    return "wall time of a round" if study.item == "round" else f"wall time per {study.item}"


def _table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    columns = ("line", study.x_name or "at", "median", "95 % interval", per_item(study), "CPU", "peak memory", "rounds")
    rows: list[tuple[str, ...]] = [
        (
            line.name,
            number(point.x),
            duration(point.median_s),
            _interval(point),
            duration(point.per_item_s),
            duration(point.cpu_s),
            "–" if point.peak_pss_bytes is None else size(point.peak_pss_bytes),
            str(len(point.rounds) or "thinned"),
        )
        for line in study.lines
        for point in line.points
    ]
    return columns, rows


def _interval(point: Point) -> str:
    if point.low_s is None or point.high_s is None:
        return "too few rounds"
    return f"{duration(point.low_s)} – {duration(point.high_s)}"


def titled(study: Study, parts: Sequence[str]) -> str:
    """The finding of each line, in one sentence; the question where there is none."""
    return "; ".join(parts) + "." if parts else study.title


def made(study: Study, name: str, title: str, subtitle: str, said: Sequence[str], chart: Mapping[str, Any]) -> Figure:
    """The figure: its title is the finding, and all that the study says is in its description."""
    columns, rows = _table(study)
    return Figure(name, title, subtitle, " ".join([title, *said]), chart, columns, rows)


def _hues(lines: Sequence[Line]) -> list[str]:
    """A colour for each line: its family's, unless two lines are of one."""
    families = [theme.family(line.name) for line in lines]
    if len(set(families)) == len(families):
        return [theme.token(one) for one in families]
    return [theme.token(theme.SERIES[number % len(theme.SERIES)]) for number in range(len(lines))]


def channels_of(lines: Sequence[Line]) -> dict[str, Any]:
    """Colour, dash and shape of lines, and one legend for the three."""
    names = [line.name for line in lines]
    columns = 1 if max(map(len, names)) > LONG_NAME else 3
    legend = (
        alt.Legend(orient="top", title=None, columns=columns, symbolOpacity=1, symbolStrokeWidth=0)
        if len(names) > 1
        else None
    )

    def scale(values: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=names, range=[values[number % len(values)] for number in range(len(names))])

    return {
        "color": alt.Color("line:N", scale=scale(_hues(lines)), legend=legend),
        "strokeDash": alt.StrokeDash("line:N", scale=scale(theme.DASHES), legend=legend),
        "shape": alt.Shape("line:N", scale=scale(theme.SHAPES), legend=legend),
    }


def plotted(
    lines: Sequence[Line],
    value: Callable[[Line, Point], float],
    told: Callable[[Line, Point], str],
    x: alt.X,
    y: alt.Y,
    low_high: Callable[[Line, Point], tuple[float, float] | None],
    joined: Sequence[Line] | None = None,
) -> list[alt.Chart]:
    """The intervals, lines (of those in `joined`: else of all), and a symbol at each point."""
    points = []
    for line in lines:
        for point in line.points:
            row = {"line": line.name, "x": point.x, "y": significant(value(line, point)), "told": told(line, point)}
            interval = low_high(line, point)
            if interval is not None:
                row |= {"low": significant(interval[0]), "high": significant(interval[1])}
            points.append(row)
    channels = channels_of(lines)
    base = alt.Chart(drawn.data(points)).encode(x=x, y=y, color=channels["color"])
    banded = alt.Chart(drawn.data([row for row in points if "low" in row])).encode(
        x=x, color=channels["color"], y=alt.Y("low", type="quantitative"), y2=alt.Y2("high")
    )
    names = {line.name for line in (lines if joined is None else joined)}
    straight = alt.Chart(drawn.data([row for row in points if row["line"] in names])).encode(x=x, y=y)
    return [
        banded.mark_area(opacity=0.15) if joined is None else banded.mark_rule(opacity=0),
        banded.mark_rule(opacity=0.6, strokeWidth=1.5),
        straight.mark_line(strokeWidth=2).encode(color=channels["color"], strokeDash=channels["strokeDash"]),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            shape=channels["shape"], tooltip=alt.Tooltip("told", type="nominal")
        ),
    ]


def x_axis(study: Study, lines: Sequence[Line]) -> alt.X:
    """Where x is drawn: what was measured is what is marked on the axis."""
    places = sorted({float(point.x) for line in lines for point in line.points})
    axis = alt.Axis(
        title=study.x_name, titleAnchor="end", values=places, grid=False, format="~s" if places[-1] >= 10_000 else "~g"
    )
    if places[0] <= 0:
        return alt.X("x", type="quantitative", axis=axis, scale=alt.Scale(nice=False))
    scale = alt.Scale(type="log", base=2, nice=False, domain=[places[0], places[-1]])
    return alt.X("x", type="quantitative", axis=axis, scale=scale)


def y_axis(title: str, values: Sequence[float], **axis: Any) -> alt.Y:
    """From zero, or logarithmic where the figures differ by much."""
    wide = min(values) > 0 and max(values) / min(values) > LOG_FROM
    scale = alt.Scale(type="log", nice=True) if wide else alt.Scale(zero=True)
    if wide:
        axis |= {"values": drawn.powers(values)}
    shown = alt.Axis(title=title, domain=False, tickCount=5, titleAnchor="end", **axis)
    return alt.Y("y", type="quantitative", axis=shown, scale=scale)


def mark(x: float, text: str, axis: alt.X, place: int, *, right: bool) -> list[alt.Chart]:
    """A dashed line at an x, and what it is, on a line of its own."""
    base = alt.Chart(drawn.data([{"x": x, "text": text}])).encode(x=axis)
    return [
        base.mark_rule(strokeDash=[3, 3], color=theme.token("muted")),
        base.mark_text(align="right" if right else "left", dx=-5 if right else 5, baseline="top").encode(
            y=drawn.fixed(alt.YValue, 2 + 16 * place), text=alt.Text("text", type="nominal")
        ),
    ]


def is_right(x: float, lines: Sequence[Line]) -> bool:
    """Whether a place is in the right half of a logarithmic axis: what is written there goes to its left."""
    places = sorted({float(point.x) for line in lines for point in line.points})
    if places[0] <= 0 or places[0] == places[-1]:
        return x > (places[0] + places[-1]) / 2
    return log(x / places[0]) > log(places[-1] / places[0]) / 2


def told(line: Line, point: Point) -> str:
    """What is shown of a point that is pointed at."""
    return f"{line.name}, {number(point.x)}: {duration(point.per_item_s)} ({_interval(point)} a round)"


def scaled_interval(scale: float) -> Callable[[Line, Point], tuple[float, float] | None]:
    """The interval of the time per item, in the unit of the axis."""

    def interval(line: Line, point: Point) -> tuple[float, float] | None:
        if point.low_s is None or point.high_s is None:
            return None
        return point.low_s / point.items * scale, point.high_s / point.items * scale

    return interval
