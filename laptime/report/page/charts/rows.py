"""What charts of named rows share: where a row stands, its name at the left and its figure at the right. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, log10
from typing import Any, Literal

import altair as alt

from laptime.report.page import theme

HEIGHT = 38
"""Of a row, in pixels."""
TEXT, MARKS = 0.26, 0.64
"""Where, in its row, the text stands, and where what is drawn."""
_FIGURE_PX = 6.6
"""The width of a sign of a row's figure, rounded up: what is left of the row is the name's."""

Row = Mapping[str, Any]
HALO: Mapping[str, Any] = {"stroke": theme.token("card"), "strokeWidth": 4, "strokeJoin": "round"}
"""Beneath a text: lines that cross it stop short of it."""


def data(rows: Sequence[Any]) -> alt.InlineData:
    """Rows as Vega-Lite takes them."""
    return alt.InlineData(values=list(rows))


def y(field: str, count: float) -> alt.Y:
    """A place in rows that are counted from the top."""
    scale = alt.Scale(domain=[0, count], reverse=True, nice=False, zero=False)
    return alt.Y(field, type="quantitative", axis=None, scale=scale)


def x(field: str, title: str, shape: str | None = None, values: Sequence[float] | None = None, **scale: Any) -> alt.X:
    """The axis of figures, written in a shape of d3-format; marked at these values, or where it suits."""
    given: dict[str, Any] = {"format": shape, "values": values}
    some = {key: value for key, value in given.items() if value is not None}
    axis = alt.Axis(title=title, grid=True, domain=False, tickCount=5, titleAnchor="end", **some)
    return alt.X(field, type="quantitative", axis=axis, scale=alt.Scale(**scale))


def names(rows: Sequence[Row], count: float) -> list[alt.Chart]:
    """The texts of rows: ``y``, ``name``, ``figure`` and ``bold``."""
    longest = max((len(row["figure"]) for row in rows), default=0)
    made = []
    weights: tuple[Literal["normal", "bold"], ...] = ("normal", "bold")
    for weight in weights:
        some = [row for row in rows if row["bold"] is (weight == "bold")]
        limit = alt.ExprRef(expr=f"max(60, width - {longest * _FIGURE_PX})")
        text = alt.Chart(data(some)).encode(y=y("y", count))
        left, right = (
            text.encode(x=fixed(alt.XValue, 0), text=alt.Text("name", type="nominal")),
            text.encode(x=fixed(alt.XValue, "width"), text=alt.Text("figure", type="nominal")),
        )
        for halo in (HALO, {}):
            made += [
                left.mark_text(align="left", fontWeight=weight, limit=limit, **halo),
                right.mark_text(align="right", fontWeight=weight, **halo),
            ]
    return made


def headings(rows: Sequence[Row], count: float) -> alt.Chart:
    """Texts above several rows: ``y`` and ``name``."""
    text = alt.Chart(data(rows)).encode(x=fixed(alt.XValue, 0), y=y("y", count), text=alt.Text("name", type="nominal"))
    made: alt.Chart = text.mark_text(align="left", fontWeight="bold", fontSize=14, limit=alt.ExprRef(expr="width"))
    return made


def colored(channel: Callable[..., Any] = alt.Color) -> Any:
    """The colour of a row's family; no legend: each row has its name."""
    known = theme.families()
    scale = alt.Scale(domain=known["domain"], range=known["range"])
    return channel("family", type="nominal", legend=None, scale=scale)


def fixed(channel: Callable[..., Any], value: float | str) -> Any:
    """A channel with one value, a number of pixels or a colour: `alt.value` in its place takes ten times as long."""
    return channel(value)


def powers(values: Sequence[float]) -> list[float]:
    """The powers of ten around figures: what a logarithmic axis is marked at."""
    return [10.0**power for power in range(floor(log10(min(values))), ceil(log10(max(values))) + 1)]
