"""The studies, each kind of them drawn as it is read: see `laptime.report.study`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import exp, log
from typing import Any

import altair as alt

from laptime.report.comparison import size
from laptime.report.findings import MEMORY_GROWS, law, number
from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.figure import Figure, counts, listed, sentence, significant, slug, spec, unit
from laptime.report.race import duration, times
from laptime.report.study import Line, Point, Study
from laptime.stats.break_even import Crossing, crossing
from laptime.stats.scaling import NoFit, Usl, knee
from laptime.stats.sweep import best

_HEIGHT = 320
_MB = 1e6
_TWICE: Sequence[Mapping[str, Any]] = (drawn.HALO, {})
_STEPS = 48
"""Of a curve."""
_LAWS = ("Amdahl's law", "the Universal Scalability Law")
_LOG_FROM = 20.0
"""Figures that differ by more than this factor are drawn on a logarithmic axis."""
_LONG_NAME = 12
"""Longer names stand below each other in a legend."""
_MOST_OUTCOMES = 3
_LABELED = 0.07
"""The least share of the longest bar into which a digit fits."""


def figures(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    """A study's charts; `said` is what it says (its findings), `cpus` how many can compute at once.

    Raises `ValueError` where its points have no place on its axis.
    """
    return [*_KINDS[study.kind](study, said, cpus), *_memory(study)]


def _name(study: Study, *more: str) -> str:
    kind = study.kind.replace("_", "-")
    return slug(*(() if study.name.startswith(kind) else (kind,)), study.name, *more)


def _numbers(study: Study) -> list[Line]:
    """The lines, of their points only those whose x is a number."""
    made = (Line(line.name, tuple(one for one in line.points if not isinstance(one.x, str))) for line in study.lines)
    return [line for line in made if line.points]


def _rounds(study: Study) -> str:
    numbers = [len(point.rounds) for line in study.lines for point in line.points]
    return counts(numbers, "round") if min(numbers) else "rounds that the history has thinned"


def _per(study: Study) -> str:
    return "wall time of a round" if study.item == "round" else f"wall time per {study.item}"


def _table(study: Study) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    columns = ("line", study.x_name or "at", "median", "95 % interval", _per(study), "CPU", "peak memory", "rounds")
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


def _titled(study: Study, parts: Sequence[str]) -> str:
    """The finding of each line, in one sentence; the question where there is none."""
    return "; ".join(parts) + "." if parts else study.title


def _figure(
    study: Study, name: str, title: str, subtitle: str, said: Sequence[str], chart: Mapping[str, Any]
) -> Figure:
    columns, rows = _table(study)
    return Figure(name, title, subtitle, " ".join([title, *said]), chart, columns, rows)


# lines


def _hues(lines: Sequence[Line]) -> list[str]:
    """A colour for each line: its family's, unless two lines are of one."""
    families = [theme.family(line.name) for line in lines]
    if len(set(families)) == len(families):
        return [theme.token(one) for one in families]
    return [theme.token(theme.SERIES[number % len(theme.SERIES)]) for number in range(len(lines))]


def _channels(lines: Sequence[Line]) -> dict[str, Any]:
    """Colour, dash and shape of lines, and one legend for the three."""
    names = [line.name for line in lines]
    columns = 1 if max(map(len, names)) > _LONG_NAME else 3
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


def _lines(
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
    channels = _channels(lines)
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


def _x_axis(study: Study, lines: Sequence[Line]) -> alt.X:
    """Where x is drawn: what was measured is what is marked on the axis."""
    places = sorted({float(point.x) for line in lines for point in line.points})
    axis = alt.Axis(
        title=study.x_name, titleAnchor="end", values=places, grid=False, format="~s" if places[-1] >= 10_000 else "~g"
    )
    if places[0] <= 0:
        return alt.X("x", type="quantitative", axis=axis, scale=alt.Scale(nice=False))
    scale = alt.Scale(type="log", base=2, nice=False, domain=[places[0], places[-1]])
    return alt.X("x", type="quantitative", axis=axis, scale=scale)


def _y_axis(title: str, values: Sequence[float], **axis: Any) -> alt.Y:
    """From zero, or logarithmic where the figures differ by much."""
    wide = min(values) > 0 and max(values) / min(values) > _LOG_FROM
    scale = alt.Scale(type="log", nice=True) if wide else alt.Scale(zero=True)
    if wide:
        axis |= {"values": drawn.powers(values)}
    shown = alt.Axis(title=title, domain=False, tickCount=5, titleAnchor="end", **axis)
    return alt.Y("y", type="quantitative", axis=shown, scale=scale)


def _mark(x: float, text: str, axis: alt.X, place: int, *, right: bool) -> list[alt.Chart]:
    """A dashed line at an x, and what it is, on a line of its own."""
    base = alt.Chart(drawn.data([{"x": x, "text": text}])).encode(x=axis)
    return [
        base.mark_rule(strokeDash=[3, 3], color=theme.token("muted")),
        base.mark_text(align="right" if right else "left", dx=-5 if right else 5, baseline="top").encode(
            y=drawn.fixed(alt.YValue, 2 + 16 * place), text=alt.Text("text", type="nominal")
        ),
    ]


def _is_right(x: float, lines: Sequence[Line]) -> bool:
    """Whether a place is in the right half of a logarithmic axis: what is written there goes to its left."""
    places = sorted({float(point.x) for line in lines for point in line.points})
    if places[0] <= 0 or places[0] == places[-1]:
        return x > (places[0] + places[-1]) / 2
    return log(x / places[0]) > log(places[-1] / places[0]) / 2


# kinds


def _speedup(line: Line, point: Point) -> float:
    return point.throughput / line.points[0].throughput * float(line.points[0].x)


def _waits(line: Line) -> bool:
    first = line.points[0]
    return first.cpu_s < first.median_s * 0.25


def _scaling(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    lines = _numbers(study)
    if not lines:
        return []
    x = _x_axis(study, lines)
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
    knees = [(line, at) for line in lines if (found := knee(line.measured())) and (at := line.at(found.workers))]
    layers = [
        *ideals,
        *_curves(lines, x, y),
        *_lines(lines, _speedup, _told_speedup, x, y, _interval_of(_speedup), joined=_without_law(lines)),
        *_knees(knees, x, y),
    ]
    bounds = ["as many times as there are workers, for what waits"] * (True in kinds)
    bounds += [f"up to {cpus:g} CPUs, for what computes"] * (False in kinds)
    fitted = [line.name for line in lines if not isinstance(law(line), NoFit)]
    first = _figure(
        study,
        _name(study),
        _titled(study, [_knee_said(line, at) for line, at in knees]),
        f"Points: throughput over one worker's, medians of {_rounds(study)}, with their 95 % intervals. "
        + (f"Curve: the law that fits {listed(fitted)}; straight pieces: no law was fitted. " if fitted else "")
        + f"Ring: the knee, fewest workers within 5 % of the best. Dotted: ideal, {'; '.join(bounds)}.",
        said,
        spec(layers, height=_HEIGHT),
    )

    def efficiency(line: Line, point: Point) -> float:
        return _speedup(line, point) / float(point.x)

    ends = [
        f"{line.name} {efficiency(line, line.points[-1]):.0%} with {number(line.points[-1].x)}"
        for line in lines
        if len(line.points) > 1
    ]
    share = _y_axis("speed-up over workers", [0.0, 1.0], format="%")
    second = _figure(
        study,
        _name(study, "efficiency"),
        _titled(study, [f"Of what one worker does alone, each does: {', '.join(ends)}"] if ends else []),
        f"Efficiency: speed-up over the number of workers; medians of {_rounds(study)}, with their 95 % intervals.",
        (),
        spec(
            _lines(lines, efficiency, _told_speedup, x, share, _interval_of(efficiency)),
            height=_HEIGHT * 2 // 3,
        ),
    )
    return [first, second]


def _knee_said(line: Line, at: Point) -> str:
    gain = times(_speedup(line, at))
    if at is line.points[-1]:
        return f"{line.name}: gains up to {number(at.x)}, the most that was measured ({gain})"
    if at is line.points[0]:
        return f"{line.name}: nothing gained from more than {number(at.x)}"
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
            for halo in _TWICE
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
    channels = _channels(lines)
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


def _told(line: Line, point: Point) -> str:
    return f"{line.name}, {number(point.x)}: {duration(point.per_item_s)} ({_interval(point)} a round)"


def _sweep(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    lines = _numbers(study)
    if not lines:
        return []
    values = [point.per_item_s for line in lines for point in line.points]
    scale, named = unit(max(values))
    x, y = _x_axis(study, lines), _y_axis(f"{_per(study)} ({named})", [value * scale for value in values])
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
        *_lines(lines, lambda line, point: point.per_item_s * scale, _told, x, y, _scaled_interval(scale)),
        bests.mark_point(shape="circle", size=240, filled=False, strokeWidth=1.5, color=theme.token("ink")),
        *(
            named_bests.mark_text(dy=18, align="center", **halo).encode(text=alt.Text("text", type="nominal"))
            for halo in _TWICE
        ),
    ]
    said_of = [
        f"{line.name}: best at {number(one.x)}"
        + (f", about as well from {number(one.low)} to {number(one.high)}" if one.low < one.high else "")
        for line, one in found
    ]
    return [
        _figure(
            study,
            _name(study),
            _titled(study, said_of),
            f"{sentence(_per(study))}: median of {_rounds(study)} at each point, band: 95 % interval of the median. "
            "Ring: the best.",
            said,
            spec(layers, height=_HEIGHT),
        )
    ]


def _memory(study: Study) -> list[Figure]:
    """Peak memory along the lines, where it grows along one by as much as is worth a sentence."""
    known = (Line(line.name, tuple(one for one in line.points if one.peak_pss_bytes)) for line in _numbers(study))
    lines = [line for line in known if len(line.points) > 1]
    grown = [(line, _bytes(line.points[-1]) / _bytes(line.points[0])) for line in lines]
    if max((growth for _, growth in grown), default=0.0) < MEMORY_GROWS:
        return []
    x = _x_axis(study, lines)
    values = [_bytes(point) / _MB for line in lines for point in line.points]
    y = _y_axis("peak memory (MB)", values)
    parts = [
        f"{line.name} {size(_bytes(line.points[0]))} at {number(line.points[0].x)}, "
        f"{size(_bytes(line.points[-1]))} at {number(line.points[-1].x)}"
        for line in lines
    ]
    layers = _lines(lines, lambda line, point: _bytes(point) / _MB, _told_memory, x, y, lambda line, point: None)
    title = _titled(study, [f"Peak memory: {', '.join(parts)}"])
    subtitle = "Of the process tree, shared pages counted in shares (PSS); of one round, which wasn't timed."
    return [_figure(study, _name(study, "memory"), title, subtitle, (), spec(layers, height=_HEIGHT * 2 // 3))]


def _bytes(point: Point) -> int:
    return point.peak_pss_bytes or 0


def _told_memory(line: Line, point: Point) -> str:
    return f"{line.name}, {number(point.x)}: {size(_bytes(point))}"


def _scaled_interval(scale: float) -> Callable[[Line, Point], tuple[float, float] | None]:
    def interval(line: Line, point: Point) -> tuple[float, float] | None:
        if point.low_s is None or point.high_s is None:
            return None
        return point.low_s / point.items * scale, point.high_s / point.items * scale

    return interval


def _break_even(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    lines = _numbers(study)
    if not lines:
        return []
    values = [point.per_item_s for line in lines for point in line.points]
    scale, named = unit(max(values))
    x, y = _x_axis(study, lines), _y_axis(f"{_per(study)} ({named})", [value * scale for value in values])
    plain, *others = lines
    found = [(line, crossing(plain.measured(), line.measured())) for line in others]
    crossed = [(line, one) for line, one in found if isinstance(one, Crossing)]
    marks: list[alt.Chart] = []
    for place, (line, one) in enumerate(crossed):
        marks += _mark(one.x, f"{line.name}: {one.x:.3g}", x, place, right=_is_right(one.x, lines))
    layers = [
        *marks,
        *_lines(lines, lambda line, point: point.per_item_s * scale, _told, x, y, _scaled_interval(scale)),
    ]
    parts = [
        f"{line.name}: pays from {one.x:.3g} {study.x_name} on"
        if isinstance(one, Crossing)
        else f"{line.name}: {_PAYS[one.pays]}"
        for line, one in found
    ]
    return [
        _figure(
            study,
            _name(study),
            _titled(study, parts),
            f"{plain.name} is the plain way; dashed: where another crosses it. Medians of {_rounds(study)}, band: 95 % "
            "interval of the median.",
            said,
            spec(layers, height=_HEIGHT),
        )
    ]


_PAYS = {True: "pays at every size", False: "pays at none of the sizes", None: "no gain that is sure"}


def _phases(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    phases = [str(place) for place in study.places]
    totals = [sum(point.median_s for point in line.points) for line in study.lines]
    scale, named = unit(max(totals))
    rows: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for index, (line, total) in enumerate(zip(study.lines, totals, strict=True)):
        row = {"y": index + drawn.TEXT, "name": line.name, "figure": duration(total), "bold": False}
        rows.append(row)
        start = 0.0
        for phase in phases:
            point = line.at(phase)
            if point is None:
                continue
            place = phases.index(phase)
            end = start + point.median_s
            parts.append(
                {
                    "row": index + drawn.MARKS,
                    "phase": f"{place + 1} {phase}",
                    "digit": str(place + 1) if point.median_s > _LABELED * max(totals) else "",
                    "x": significant(start * scale),
                    "x2": significant(end * scale),
                    "middle": significant((start + end) / 2 * scale),
                    "told": f"{line.name}, {phase}: {duration(point.median_s)}",
                }
            )
            start = end
    height = len(study.lines)
    x = drawn.x("x", f"wall time ({named})", zero=True)
    named_phases = [f"{number + 1} {phase}" for number, phase in enumerate(phases)]
    color = alt.Color(
        "phase:N",
        scale=alt.Scale(
            domain=named_phases,
            range=[theme.token(theme.SERIES[number % len(theme.SERIES)]) for number in range(len(phases))],
        ),
        legend=alt.Legend(orient="top", title=None, columns=1 if max(map(len, phases)) > _LONG_NAME else 3),
    )
    marks = alt.Chart(drawn.data(parts)).encode(y=drawn.y("row", height))
    layers = [
        marks.mark_bar(height=13, stroke=theme.token("ground"), strokeWidth=1).encode(
            x=x, x2=alt.X2("x2"), color=color, tooltip=alt.Tooltip("told", type="nominal")
        ),
        marks.mark_text(baseline="middle", color=theme.token("ground"), fontWeight="bold").encode(
            x=drawn.x("middle", ""), text=alt.Text("digit", type="nominal")
        ),
        *drawn.names(rows, height),
    ]
    subtitle = f"A bar's parts follow each other in time; medians of {_rounds(study)}, on the right their sum."
    return [
        _figure(
            study,
            _name(study),
            _titled(study, [one.rstrip(".") for one in said[:2]]),
            subtitle,
            said[2:],
            spec(layers, height=height * drawn.HEIGHT),
        )
    ]


def _compare(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    """Rows under a heading for each x; where there is one line only, a row for each x."""
    values = [point.per_item_s for line in study.lines for point in line.points]
    scale, named = unit(max(values))
    heads: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    place = 0.0
    single = len(study.lines) == 1
    for x in study.places:
        found = [(line, point) for line in study.lines if (point := line.at(x)) is not None]
        if not single:
            heads.append({"y": place + 0.45, "name": number(x)})
            place += 0.75
        first = study.lines[0].points[0] if single else found[0][1]
        for line, point in found:
            ratio = times(first.per_item_s / point.per_item_s) if point is not first else ""
            low, high = point.low_s, point.high_s
            rows.append(
                {
                    "y": place + drawn.TEXT,
                    "row": place + drawn.MARKS,
                    "name": number(x) if single else line.name,
                    "figure": f"{duration(point.per_item_s)}  {ratio}".rstrip(),
                    "bold": False,
                    "t": significant(point.per_item_s * scale),
                    "low": significant((point.median_s if low is None else low) / point.items * scale),
                    "high": significant((point.median_s if high is None else high) / point.items * scale),
                    "family": theme.family(number(x) if single else line.name),
                    "told": _told(line, point),
                }
            )
            place += 1
        place += 0 if single else 0.25
    wide = max(values) / min(values) > _LOG_FROM
    kind: dict[str, Any] = {"type": "log"} if wide else {"zero": True}
    if wide:
        kind |= {"values": drawn.powers([value * scale for value in values])}
    marks = alt.Chart(drawn.data(rows)).encode(y=drawn.y("row", place), color=drawn.colored())
    axis = f"{_per(study)} ({named}{', by factors' if wide else ''})"
    layers = [
        marks.mark_rule(strokeWidth=3, opacity=0.45).encode(x=drawn.x("low", "", **kind), x2=alt.X2("high")),
        marks.mark_circle(size=80, opacity=1).encode(
            x=drawn.x("t", axis, **kind), tooltip=alt.Tooltip("told", type="nominal")
        ),
        *drawn.names(rows, place),
    ]
    if heads:
        layers.append(drawn.headings(heads, place))
    against = "the first row" if single else f"the first row of each group ({study.x_name})".replace(" ()", "")
    return [
        _figure(
            study,
            _name(study),
            _titled(study, _outcomes(study)),
            f"Dot: median of {_rounds(study)}; line: its 95 % interval; ×: how many times as fast as {against}.",
            said,
            spec(layers, height=round(place * drawn.HEIGHT)),
        )
    ]


def _outcomes(study: Study) -> list[str]:
    """At each place, what does best, against the first line there; of many places the first and the last."""
    base, *others = study.lines
    found = []
    for x in study.places:
        first = base.at(x)
        rivals = [(line, one) for line in others if (one := line.at(x))]
        if first is not None and rivals:
            line, best_one = min(rivals, key=lambda rival: rival[1].per_item_s)
            gain = first.per_item_s / best_one.per_item_s
            beats = f"{line.name} is {times(gain)} {base.name}" if gain > 1 else f"none is faster than {base.name}"
            found.append(f"{number(x)}: {beats}")
    return found if len(found) <= _MOST_OUTCOMES else [found[0], found[-1]]


_KINDS: Mapping[str, Callable[[Study, Sequence[str], float], list[Figure]]] = {
    "scaling": _scaling,
    "sweep": _sweep,
    "break_even": _break_even,
    "phases": _phases,
    "compare": _compare,
}
