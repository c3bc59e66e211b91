"""A group of benchmarks that say nothing of themselves: those of any suite of pytest-benchmark. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.figure import MOST_DOTS, Figure, count, dots, jitter, listed, significant, slug, spec, unit
from laptime.report.units import duration, times

MOST_ROWS = 60
"""Of one chart; the others are in its table."""


def plain(group: str, benchmarks: Sequence[Mapping[str, Any]]) -> Figure:
    """Each benchmark's median, the middle half and the ends of its rounds, and the rounds where they were kept."""
    ordered = sorted(benchmarks, key=lambda one: float(one["stats"]["median"]))
    shown = ordered[:MOST_ROWS]
    fastest, slowest = ordered[0], ordered[-1]
    title = f"{_name(fastest)} takes {duration(_figure(fastest, 'median'))}"
    if len(ordered) > 1:
        ratio = _figure(slowest, "median") / max(_figure(fastest, "median"), 1e-12)
        title = (
            f"{_name(fastest)} is the fastest ({duration(_figure(fastest, 'median'))}), {times(ratio)} {_name(slowest)}"
        )
    cut = len(ordered) - len(shown)
    return Figure(
        name=slug("group", group),
        title=f"{title}.",
        subtitle="Tick: median; thick line: the middle half of the rounds; thin line: fastest to slowest; dots: rounds "
        f"(at most {MOST_DOTS}, of more their quantiles)."
        + (f" {cut} slower ones are in the table only." if cut else ""),
        alt=f"{title}. {count(len(ordered), 'benchmark')}: {listed([_name(one) for one in ordered])}.",
        spec=_spec(shown),
        columns=("benchmark", "median", "min", "max", "rounds"),
        rows=[
            (
                _name(one),
                *(duration(_figure(one, key)) for key in ("median", "min", "max")),
                str(one["stats"].get("rounds", "–")),
            )
            for one in ordered
        ],
        small=True,
    )


def _name(one: Mapping[str, Any]) -> str:
    return str(one.get("name") or one["fullname"])


def _figure(one: Mapping[str, Any], key: str) -> float:
    found = one["stats"].get(key)
    return float(one["stats"]["median"] if found is None else found)


def _spec(shown: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    height = len(shown)
    rounds = [dots([float(each) for each in one["stats"].get("data") or ()]) for one in shown]
    # one slow round of a million doesn't press all the others against the axis
    scale, named = unit(max(_figure(one, "q3") for one in shown))
    rows: list[dict[str, Any]] = []
    points: list[dict[str, float]] = []
    for number, (one, some) in enumerate(zip(shown, rounds, strict=True)):
        figures = {key: significant(_figure(one, key) * scale) for key in ("min", "q1", "median", "q3", "max")}
        rows.append(
            {
                "y": number + drawn.TEXT,
                "row": number + drawn.MARKS,
                "name": _name(one),
                "figure": duration(_figure(one, "median")),
                "bold": False,
                **figures,
            }
        )
        points += [
            {"row": significant(number + drawn.MARKS + 0.13 * jitter(place)), "t": significant(each * scale)}
            for place, each in enumerate(some)
        ]
    wide = max(row["max"] for row in rows) > 20 * min(row["min"] for row in rows) > 0
    ends = [row[key] for row in rows for key in ("min", "max")]
    kind: dict[str, Any] = {"type": "log", "values": drawn.powers(ends)} if wide else {"zero": True}
    axis = f"wall time of a round ({named}{', by factors' if wide else ''})"
    marks = alt.Chart(drawn.data(rows)).encode(y=drawn.y("row", height))
    color = theme.token("threads")
    layers = [
        marks.mark_rule(color=theme.token("axis")).encode(x=drawn.x("min", axis, **kind), x2=alt.X2("max")),
        marks.mark_rule(color=color, strokeWidth=5, opacity=0.4).encode(x=drawn.x("q1", axis, **kind), x2=alt.X2("q3")),
        alt.Chart(drawn.data(points))
        .mark_circle(size=20, opacity=0.55, color=color)
        .encode(x=drawn.x("t", axis, **kind), y=drawn.y("row", height)),
        marks.mark_tick(thickness=3, size=18, color=color).encode(x=drawn.x("median", axis, **kind)),
        *drawn.names(rows, height),
    ]
    return spec(layers, height=height * drawn.HEIGHT)
