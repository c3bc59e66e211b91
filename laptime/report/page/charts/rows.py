"""What charts of named rows share: where a row stands, its name at the left and its figure at the right. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt

from laptime.report.page import theme

HEIGHT = 38
"""Of a row, in pixels."""
TEXT, MARKS = 0.26, 0.68
"""Where, in its row, the text stands, and where what is drawn."""
_FIGURE_PX = 8
"""The width of a sign of a row's figure, rounded up: what is left of the row is the name's."""

Row = Mapping[str, Any]


def data(rows: Sequence[Any]) -> alt.InlineData:
    """Rows as Vega-Lite takes them."""
    return alt.InlineData(values=list(rows))


def y(field: str, count: float) -> alt.Y:
    """A place in rows that are counted from the top."""
    scale = alt.Scale(domain=[0, count], reverse=True, nice=False, zero=False)
    return alt.Y(field, type="quantitative", axis=None, scale=scale)


def x(field: str, title: str, shape: str | None = None, **scale: Any) -> alt.X:
    """The axis of figures, written in a shape of d3-format."""
    shown: Any = alt.Undefined if shape is None else shape
    axis = alt.Axis(title=title, grid=True, domain=False, tickCount=5, titleAnchor="end", format=shown)
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
        made += [
            text.mark_text(align="left", fontWeight=weight, limit=limit).encode(x=alt.value(0), text="name:N"),
            text.mark_text(align="right", fontWeight=weight).encode(x=alt.value("width"), text="figure:N"),
        ]
    return made


def colored(field: str = "family") -> alt.Color:
    """The colour of a family; no legend: each row has its name."""
    known = theme.families()
    return alt.Color(field, type="nominal", legend=None, scale=alt.Scale(domain=known["domain"], range=known["range"]))
