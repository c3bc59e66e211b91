"""Studies along a size, drawn: what is best, from where another way pays, and how memory grows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from laptime.report.comparison import size
from laptime.report.findings import MEMORY_GROWS, number
from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.charts.lines import (
    HEIGHT,
    TWICE,
    is_right,
    made,
    mark,
    name_of,
    numbered,
    per_item,
    plotted,
    rounds_of,
    scaled_interval,
    titled,
    told,
    x_axis,
    y_axis,
)
from laptime.report.page.figure import Figure, sentence, significant, spec, unit
from laptime.report.study import Line, Point, Study
from laptime.stats.break_even import Crossing, crossing
from laptime.stats.sweep import best

_MB = 1e6


def draw_best(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    """Time per item along a size, the best marked."""
    lines = numbered(study)
    if not lines:
        return []
    values = [point.per_item_s for line in lines for point in line.points]
    scale, named = unit(max(values))
    x, y = x_axis(study, lines), y_axis(f"{per_item(study)} ({named})", [value * scale for value in values])
    found = [(line, one) for line in lines if (one := best(line.measured()))]
    marks: list[dict[str, Any]] = [
        {"x": one.x, "y": significant(at.per_item_s * scale), "text": f"best: {number(one.x)}"}
        for line, one in found
        if (at := line.at(one.x))
    ]
    # one label for lines that are at their best at one place: below the lowest of them
    labels = {mark["x"]: mark for mark in sorted(marks, key=lambda mark: -mark["y"])}
    bests, named_bests = (alt.Chart(drawn.data(some)).encode(x=x, y=y) for some in (marks, [*labels.values()]))
    layers = [
        *plotted(lines, lambda line, point: point.per_item_s * scale, told, x, y, scaled_interval(scale)),
        bests.mark_point(shape="circle", size=240, filled=False, strokeWidth=1.5, color=theme.token("ink")),
        *(
            named_bests.mark_text(dy=18, align="center", **halo).encode(text=alt.Text("text", type="nominal"))
            for halo in TWICE
        ),
    ]
    said_of = [
        f"{line.name}: best at {number(one.x)}"
        + (f", about as well from {number(one.low)} to {number(one.high)}" if one.low < one.high else "")
        for line, one in found
    ]
    return [
        made(
            study,
            name_of(study),
            titled(study, said_of),
            f"{sentence(per_item(study))}: median of {rounds_of(study)} at each point, band: 95 % interval of the "
            "median. Ring: the best.",
            said,
            spec(layers, height=HEIGHT),
        )
    ]


def draw_break_even(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    """Time per item along a size, and where another way crosses the plain one."""
    lines = numbered(study)
    if not lines:
        return []
    values = [point.per_item_s for line in lines for point in line.points]
    scale, named = unit(max(values))
    x, y = x_axis(study, lines), y_axis(f"{per_item(study)} ({named})", [value * scale for value in values])
    plain, *others = lines
    found = [(line, crossing(plain.measured(), line.measured())) for line in others]
    crossed = [(line, one) for line, one in found if isinstance(one, Crossing)]
    marks: list[alt.Chart] = []
    for place, (line, one) in enumerate(crossed):
        marks += mark(one.x, f"{line.name}: {one.x:.3g}", x, place, right=is_right(one.x, lines))
    layers = [
        *marks,
        *plotted(lines, lambda line, point: point.per_item_s * scale, told, x, y, scaled_interval(scale)),
    ]
    parts = [
        f"{line.name}: pays from {one.x:.3g} {study.x_name} on"
        if isinstance(one, Crossing)
        else f"{line.name}: {_PAYS[one.pays]}"
        for line, one in found
    ]
    return [
        made(
            study,
            name_of(study),
            titled(study, parts),
            f"{plain.name} is the plain way; dashed: where another crosses it. Medians of {rounds_of(study)}, band: "
            "95 % interval of the median.",
            said,
            spec(layers, height=HEIGHT),
        )
    ]


def draw_memory(study: Study) -> list[Figure]:
    """Peak memory along the lines, where it grows along one by as much as is worth a sentence."""
    known = (Line(line.name, tuple(one for one in line.points if one.peak_pss_bytes)) for line in numbered(study))
    lines = [line for line in known if len(line.points) > 1]
    grown = [(line, _bytes(line.points[-1]) / _bytes(line.points[0])) for line in lines]
    if max((growth for _, growth in grown), default=0.0) < MEMORY_GROWS:
        return []
    x = x_axis(study, lines)
    values = [_bytes(point) / _MB for line in lines for point in line.points]
    y = y_axis("peak memory (MB)", values)
    parts = [
        f"{line.name} {size(_bytes(line.points[0]))} at {number(line.points[0].x)}, "
        f"{size(_bytes(line.points[-1]))} at {number(line.points[-1].x)}"
        for line in lines
    ]
    layers = plotted(lines, lambda line, point: _bytes(point) / _MB, _told_memory, x, y, lambda line, point: None)
    title = titled(study, [f"Peak memory: {', '.join(parts)}"])
    subtitle = "Of the process tree, shared pages counted in shares (PSS); of one round, which wasn't timed."
    return [made(study, name_of(study, "memory"), title, subtitle, (), spec(layers, height=HEIGHT * 2 // 3))]


def _bytes(point: Point) -> int:
    return point.peak_pss_bytes or 0


def _told_memory(line: Line, point: Point) -> str:
    return f"{line.name}, {number(point.x)}: {size(_bytes(point))}"


_PAYS = {True: "pays at every size", False: "pays at none of the sizes", None: "no gain that is sure"}
