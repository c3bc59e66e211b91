"""Charts as SVG and PNG, and the library that draws them in a browser."""

# ruff: noqa: E402 (altair may be missing)

from __future__ import annotations

import json
import zlib

import pytest

alt = pytest.importorskip("altair", reason="the extra `report` is not installed: no altair")
vl_convert = pytest.importorskip("vl_convert", reason="the extra `report` is not installed: no vl-convert-python")

from laptime.report.page import content, draw, html
from tests.support import reports as support
from tests.support.pages import of, page, values


def test_charts_are_as_vega_lite_wants_them(everything: content.Page) -> None:
    """A chart of each kind fits the schema, which a report doesn't check: it would take twice as long."""
    kinds = {figure.name.partition("-")[0]: figure for figure in everything.figures}
    for kind in ("race", "speedup", "timeline", "scaling", "phases", "trend", "gate"):
        figure = kinds[kind]
        alt.LayerChart.from_dict({**figure.spec, "datasets": {}})


def test_a_name_that_is_a_colour_stays_a_name() -> None:
    """Where colours are put in, what was measured is left alone."""
    made = [support.raced("shop", name, [0.1, 0.1]) for name in ("var(--ink)", "sequential")]
    spec = draw.alone(page(of(*made)).figures[0])
    assert "var(--ink)" in {row.get("name") for row in values(spec)}
    left = json.dumps({key: value for key, value in spec.items() if key != "datasets"})
    assert "var(" not in left


def test_a_chart_is_drawn_as_svg_and_png() -> None:
    """On a ground of its own, with its title, in colours that need no page around them."""
    figure = page(of(*support.race("shop"))).figures[0]
    drawn = draw.svg(figure)
    assert drawn.startswith("<svg")
    assert "var(--" not in drawn
    assert 'fill="#ffffff"' in drawn
    assert figure.title[:20] in drawn
    assert b"\x89PNG\r\n\x1a\n" == draw.png(drawn)[:8]


def test_a_png_is_packed_well() -> None:
    """It holds the same pixels, and its checksums are right."""
    hasty = vl_convert.svg_to_png(
        '<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><text y="50">x</text></svg>'
    )
    packed = draw.compressed(hasty)
    assert len(packed) < len(hasty)
    assert packed == draw.compressed(packed)
    assert pixels(hasty) == pixels(packed)


def pixels(png: bytes) -> bytes:
    """What a PNG of one or several chunks of data holds, its checksums looked at."""
    found, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        body = png[at + 4 : at + 8 + size]
        assert zlib.crc32(body) == int.from_bytes(png[at + 8 + size : at + 12 + size], "big")
        found += body[4:] if body[:4] == b"IDAT" else b""
        at += size + 12
    return zlib.decompress(found)


def test_the_real_library_fits(everything: content.Page) -> None:
    """With everything on it the page is far from three megabytes."""
    library = draw.library()
    assert "</script" not in library
    assert len(html.document(everything, library).encode()) < 2_000_000
