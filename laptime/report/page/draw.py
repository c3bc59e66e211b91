"""Charts as SVG and PNG, and what draws them on the page, all by vl-convert: no network, no browser. Pure."""

from __future__ import annotations

import textwrap
import zlib
from typing import Any

import vl_convert

from laptime.report.page import theme
from laptime.report.page.figure import Figure

WIDTH = 760
"""Pixels, of a chart in a file of its own."""
PNG_SCALE = 2.0
VEGA_LITE = "6.4"
"""The version that Altair 6 writes for."""
_TITLE_SIGNS, _SUBTITLE_SIGNS = 80, 108
_PADDING = 16
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEVEL = 8
_PALETTE = {**theme.LIGHT, "card": theme.LIGHT["ground"]}


def library() -> str:
    """JavaScript: Vega, Vega-Lite and vega-embed, as ``window.vegaEmbed``. Takes a second."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)


def alone(figure: Figure) -> dict[str, Any]:
    """A figure's chart for a file of its own: in light colours on a ground of its own, with its title."""
    spec = {
        **theme.concrete({**figure.spec, "config": theme.config(theme.DRAWN_SANS)}, _PALETTE),
        "width": WIDTH,
        "padding": _PADDING,
        "background": theme.LIGHT["ground"],
    }
    spec["title"] = {
        "text": textwrap.wrap(figure.title, _TITLE_SIGNS),
        "subtitle": textwrap.wrap(figure.subtitle, _SUBTITLE_SIGNS),
        "anchor": "start",
        "offset": 14,
        "fontSize": 15,
        "subtitleFontSize": 12,
        "subtitlePadding": 6,
        "color": theme.LIGHT["ink"],
        "subtitleColor": theme.LIGHT["muted"],
    }
    return spec


def svg(figure: Figure) -> str:
    """The chart as SVG."""
    return vl_convert.vegalite_to_svg(alone(figure), vl_version=VEGA_LITE)


def png(drawn: str) -> bytes:
    """A chart that was drawn as SVG, as PNG."""
    return compressed(vl_convert.svg_to_png(drawn, scale=PNG_SCALE))


def compressed(image: bytes) -> bytes:
    """The same PNG at a quarter of the size: what drew it packs in haste (https://www.w3.org/TR/png-3/#5Chunk-layout)."""
    chunks, at, pixels = [], len(_SIGNATURE), b""
    while at < len(image):
        size = int.from_bytes(image[at : at + 4], "big")
        kind, data = image[at + 4 : at + 8], image[at + 8 : at + 8 + size]
        if kind == b"IDAT":
            pixels += data
        else:
            chunks.append((kind, data))
        at += size + 12
    *before, end = chunks
    packed = [*before, (b"IDAT", zlib.compress(zlib.decompress(pixels), _LEVEL)), end]
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in packed)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
