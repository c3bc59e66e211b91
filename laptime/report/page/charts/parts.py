"""Studies whose places have names, drawn: what a whole is made of, and what compares with what. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from laptime.report.findings import number
from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.charts.lines import LOG_FROM, LONG_NAME, made, name_of, per_item, rounds_of, titled, told
from laptime.report.page.figure import Figure, significant, spec, unit
from laptime.report.study import Line, Study
from laptime.report.units import duration, times

_LABELED = 0.07
"""The least share of the longest bar into which a digit fits."""
_MOST_OUTCOMES = 3


def draw_phases(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    """Bars of parts that follow each other in time."""
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
        legend=alt.Legend(orient="top", title=None, columns=1 if max(map(len, phases)) > LONG_NAME else 3),
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
    subtitle = f"A bar's parts follow each other in time; medians of {rounds_of(study)}, on the right their sum."
    return [
        made(
            study,
            name_of(study),
            titled(study, [_least_and_most(study.lines, totals)]),
            subtitle,
            said,
            spec(layers, height=height * drawn.HEIGHT),
        )
    ]


def _least_and_most(lines: Sequence[Line], totals: Sequence[float]) -> str:
    ordered = sorted(zip(totals, (line.name for line in lines), strict=True))
    ends = ordered if len(ordered) < 2 else (ordered[0], ordered[-1])
    return "; ".join(f"{name}: {duration(total)} in all" for total, name in ends)


def draw_comparison(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
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
                    "told": told(line, point),
                }
            )
            place += 1
        place += 0 if single else 0.25
    wide = max(values) / min(values) > LOG_FROM
    kind: dict[str, Any] = {"type": "log"} if wide else {"zero": True}
    if wide:
        kind |= {"values": drawn.powers([value * scale for value in values])}
    marks = alt.Chart(drawn.data(rows)).encode(y=drawn.y("row", place), color=drawn.colored())
    axis = f"{per_item(study)} ({named}{', by factors' if wide else ''})"
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
        made(
            study,
            name_of(study),
            titled(study, _outcomes(study)),
            f"Dot: median of {rounds_of(study)}; line: its 95 % interval; ×: how many times as fast as {against}.",
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
