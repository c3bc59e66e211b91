"""Colours, as tokens: on the page they are CSS variables, so that dark mode and print need no script. Pure.

The palette is Okabe and Ito's (2008, "Color Universal Design"), which the colour-blind can tell apart; on a light
ground each is darkened, on a dark one lightened, until it can be read as text (WCAG 2.2: 4.5:1). No meaning hangs on
colour alone all the same: a row, a label, a shape or a dash says it as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LIGHT: Mapping[str, str] = {
    "ground": "#ffffff",
    "card": "#f6f7f9",
    "ink": "#16191d",
    "muted": "#545b64",
    "grid": "#dfe3e8",
    "axis": "#8a929c",
    "link": "#00609c",
    "base": "#5a626c",
    "threads": "#0068a6",
    "processes": "#b84700",
    "asyncio": "#00765a",
    "interpreters": "#9b3f78",
    "dask": "#806000",
    "other": "#3f4650",
    "good": "#00765a",
    "bad": "#b3261e",
}
DARK: Mapping[str, str] = {
    "ground": "#14171a",
    "card": "#1d2126",
    "ink": "#eceff2",
    "muted": "#aab2bb",
    "grid": "#333a42",
    "axis": "#79828c",
    "link": "#7cc4f2",
    "base": "#b3bbc4",
    "threads": "#6cbcf0",
    "processes": "#ff9a5c",
    "asyncio": "#41cca3",
    "interpreters": "#ea9cc9",
    "dask": "#e9bd3c",
    "other": "#d3d9df",
    "good": "#41cca3",
    "bad": "#ff9d94",
}
TEXTS = tuple(name for name in LIGHT if name not in ("ground", "card", "grid", "axis"))
"""What may be the colour of a text."""
SERIES = ("threads", "processes", "asyncio", "interpreters", "dask", "other", "base")
"""The colours of lines that belong to no family, in order."""
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [4, 4, 1, 4], [1, 3])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
FAMILIES = ("base", "threads", "processes", "asyncio", "interpreters", "dask", "other")
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
DRAWN_SANS = "'Liberation Sans', Arial, Helvetica, sans-serif"
"""In files of their own, whose reader may have other fonts than those that the texts were measured with."""

_TOKEN = re.compile(r"var\(--([a-z]+)\)")
_WORDS = {
    "thread": "threads",
    "pool": "processes",
    "process": "processes",
    "spawn": "processes",
    "fork": "processes",
    "forkserver": "processes",
    "sequential": "base",
    "session": "base",
    "aiohttp": "asyncio",
    "interpreter": "interpreters",
}


def token(name: str) -> str:
    """A colour, for a chart."""
    assert name in LIGHT, name
    return f"var(--{name})"


def family(name: str) -> str:
    """The family of a variant, or of a line, by its name: one of `FAMILIES`."""
    word = re.split(r"[^a-z]+", name.lower())[0]
    for known in FAMILIES:
        if word == known:
            return known
    return _WORDS.get(word, "other")


def families() -> dict[str, Any]:
    """A scale of Vega-Lite: family to colour."""
    return {"domain": list(FAMILIES), "range": [token(name) for name in FAMILIES]}


def concrete(spec: Any, palette: Mapping[str, str]) -> Any:
    """A chart with colours in the place of tokens; what is measured, and may be named so, is left alone."""
    if isinstance(spec, dict):
        return {
            key: value if key in ("datasets", "values", "title") else concrete(value, palette)
            for key, value in spec.items()
        }
    if isinstance(spec, list):
        return [concrete(one, palette) for one in spec]
    match = _TOKEN.fullmatch(spec) if isinstance(spec, str) else None
    return palette.get(match[1], spec) if match else spec


def config(font: str = SANS) -> dict[str, Any]:
    """What all charts have in common. Their descriptions are the page's."""
    return {
        "aria": False,
        "background": "transparent",
        "font": font,
        "view": {"stroke": None},
        "axis": {
            "labelColor": token("muted"),
            "titleColor": token("muted"),
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "gridColor": token("grid"),
            "domainColor": token("axis"),
            "tickColor": token("axis"),
            "labelOverlap": True,
        },
        "legend": {
            "labelColor": token("ink"),
            "titleColor": token("muted"),
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "symbolSize": 90,
            "labelLimit": 240,
        },
        "text": {"color": token("ink"), "fontSize": 12},
    }


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's ratio of the luminances of two colours, ``#rrggbb``: 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
