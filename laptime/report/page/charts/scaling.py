"""A study of scaling, drawn: speed-up with its ideal, its law and its knee, and efficiency. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp, log

import altair as alt

from laptime.report.findings import law, number
from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.charts.lines import (
    HEIGHT,
    TWICE,
    channels_of,
    made,
    name_of,
    numbered,
    plotted,
    rounds_of,
    titled,
    x_axis,
    y_axis,
)
from laptime.report.page.figure import Figure, listed, significant, spec
from laptime.report.study import Line, Point, Study
from laptime.report.units import duration, times
from laptime.stats.scaling import NoFit, Usl, knee

_STEPS = 48
"""Of a curve."""
_LAWS = ("Amdahl's law", "the Universal Scalability Law")


def draw(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    """Speed-up with the ideal, the laws and the knees; and efficiency."""
    lines = numbered(study)
    if not lines:
        return []
    x = x_axis(study, lines)
    most = max(float(point.x) for line in lines for point in line.points)
    least = min(float(line.points[0].x) for line in lines)
    top = max(_speedup(line, point) for line in lines for point in line.points) * 1.15
    kinds = {_waits(line) for line in lines}
    limits = [most] * (True in kinds) + [min(cpus, most)] * (False in kinds)
    y = alt.Y(
        "y",
        type="quantitative",
        axis=alt.Axis(title="times as fast as one", domain=False, tickCount=6, titleAnchor="end"),
        scale=alt.Scale(domain=[0, significant(top)], nice=False),
    )
    corners = [
        [(least, least), (min(limit, top), min(limit, top)), *([(most, limit)] if limit < min(most, top) else [])]
        for limit in limits
    ]
    ideals = [
        alt.Chart(drawn.data(_dense(some)))
        .mark_line(strokeDash=[1, 4], strokeCap="round", color=theme.token("muted"), strokeWidth=2, clip=True)
        .encode(x=x, y=y)
        for some in corners
    ]
    knees = [(line, at, found) for line in lines if (found := knee(line.measured())) and (at := line.at(found.workers))]
    layers = [
        *ideals,
        *_curves(lines, x, y),
        *plotted(lines, _speedup, _told_speedup, x, y, _interval_of(_speedup), joined=_without_law(lines)),
        *_knees([(line, at) for line, at, found in knees if found.low != line.points[0].x], x, y),
    ]
    bounds = ["as many times as there are workers, for what waits"] * (True in kinds)
    bounds += [f"up to {cpus:g} CPUs, for what computes"] * (False in kinds)
    fitted = [line.name for line in lines if not isinstance(law(line), NoFit)]
    first = made(
        study,
        name_of(study),
        titled(study, [_knee_said(line, at, shown=found.low != line.points[0].x) for line, at, found in knees]),
        f"Points: throughput over one worker's, medians of {rounds_of(study)}, with their 95 % intervals. "
        + (f"Curve: the law that fits {listed(fitted)}; straight pieces: no law was fitted. " if fitted else "")
        + f"Ring: the knee, fewest workers within 5 % of the best. Dotted: ideal, {'; '.join(bounds)}.",
        said,
        spec(layers, height=HEIGHT),
    )

    def efficiency(line: Line, point: Point) -> float:
        return _speedup(line, point) / float(point.x)

    ends = [
        f"{line.name} {efficiency(line, line.points[-1]):.0%} with {number(line.points[-1].x)}"
        for line in lines
        if len(line.points) > 1
    ]
    share = y_axis("speed-up over workers", [0.0, 1.0], format="%")
    second = made(
        study,
        name_of(study, "efficiency"),
        titled(study, [f"Of what one worker does alone, each does: {', '.join(ends)}"] if ends else []),
        f"Efficiency: speed-up over the number of workers; medians of {rounds_of(study)}, with their 95 % intervals.",
        (),
        spec(
            plotted(lines, efficiency, _told_speedup, x, share, _interval_of(efficiency)),
            height=HEIGHT * 2 // 3,
        ),
    )
    return [first, second]


def _speedup(line: Line, point: Point) -> float:
    return point.throughput / line.points[0].throughput * float(line.points[0].x)


def _waits(line: Line) -> bool:
    first = line.points[0]
    return first.cpu_s < first.median_s * 0.25


def _knee_said(line: Line, at: Point, *, shown: bool) -> str:
    """`shown`: whether the interval of the knee leaves out the fewest workers."""
    gain = times(_speedup(line, at))
    if at is line.points[0]:
        return f"{line.name}: nothing gained from more than {number(at.x)}"
    if not shown:
        return f"{line.name}: that more than {number(line.points[0].x)} gain anything is not shown"
    if at is line.points[-1]:
        return f"{line.name}: gains up to {number(at.x)}, the most that was measured ({gain})"
    return f"{line.name}: the knee is at {number(at.x)} ({gain})"


def _knees(knees: Sequence[tuple[Line, Point]], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """A ring around each knee, and its name; the ends of a line are none."""
    rings = [
        {"x": at.x, "y": significant(_speedup(line, at)), "text": f"knee: {number(at.x)}"}
        for line, at in knees
        if at is not line.points[0] and at is not line.points[-1]
    ]
    base = alt.Chart(drawn.data(rings)).encode(x=x, y=y)
    return [
        base.mark_point(shape="circle", size=240, filled=False, strokeWidth=1.5, color=theme.token("ink")),
        *(
            base.mark_text(dy=18, align="center", **halo).encode(text=alt.Text("text", type="nominal"))
            for halo in TWICE
        ),
    ]


def _without_law(lines: Sequence[Line]) -> list[Line]:
    """Between their points, straight pieces are drawn."""
    return [line for line in lines if isinstance(law(line), NoFit)]


def _curves(lines: Sequence[Line], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The fitted laws, inside of what was measured."""
    rows = []
    for line in lines:
        fitted = law(line)
        if isinstance(fitted, NoFit):
            continue
        one = line.points[0].throughput / float(line.points[0].x)
        span = log(fitted.most / fitted.fewest)
        for step in range(_STEPS + 1):
            # rounding must not lead outside of what was measured, where the law is not drawn
            workers = min(max(fitted.fewest * exp(span * step / _STEPS), fitted.fewest), fitted.most)
            row = {"x": significant(workers), "y": significant(fitted.throughput(workers) / one), "line": line.name}
            rows.append({**row, "told": f"{line.name}: {_LAWS[isinstance(fitted, Usl)]}"})
    channels = channels_of(lines)
    base = alt.Chart(drawn.data(rows)).mark_line(strokeWidth=2, clip=True)
    return [
        base.encode(
            x=x,
            y=y,
            color=channels["color"],
            strokeDash=channels["strokeDash"],
            tooltip=alt.Tooltip("told", type="nominal"),
        )
    ]


def _dense(corners: Sequence[tuple[float, float]]) -> list[dict[str, float]]:
    """Points on a line through corners, close enough to be a curve on a logarithmic axis."""
    return [
        {"x": significant(x + (to_x - x) * step / _STEPS), "y": significant(y + (to_y - y) * step / _STEPS)}
        for (x, y), (to_x, to_y) in pairwise(corners)
        for step in range(_STEPS + 1)
    ]


def _interval_of(
    value: Callable[[Line, Point], float],
) -> Callable[[Line, Point], tuple[float, float] | None]:
    """The interval of a figure that falls as the time rises."""

    def interval(line: Line, point: Point) -> tuple[float, float] | None:
        if not point.low_s or point.high_s is None:
            return None
        at = value(line, point) * point.median_s
        return at / point.high_s, at / point.low_s

    return interval


def _told_speedup(line: Line, point: Point) -> str:
    return f"{line.name}, {number(point.x)}: {times(_speedup(line, point))}, {duration(point.median_s)} a round"
