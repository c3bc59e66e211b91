"""The page's colours: they can be read, and each family has its own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from laptime.report.page import theme


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_texts_can_be_read(palette: Mapping[str, str]) -> None:
    """4.5:1 on the ground and on a card, for every colour that a text or a mark may have."""
    low = {
        (name, ground): theme.contrast(palette[name], palette[ground])
        for name in theme.TEXTS
        for ground in ("ground", "card")
    }
    assert {} == {key: ratio for key, ratio in low.items() if ratio < 4.5}


def test_contrast_is_that_of_the_standard() -> None:
    """21 for black on white, 1 for a colour on itself; 4.5 for the grey that is known for it."""
    assert 21 == pytest.approx(theme.contrast("#000000", "#ffffff"))
    assert 1 == theme.contrast("#777777", "#777777")
    assert 4.54 == pytest.approx(theme.contrast("#767676", "#ffffff"), abs=0.005)


def test_both_palettes_have_all_colours() -> None:
    """A variable that one lacks would be the other's."""
    assert [*theme.LIGHT] == [*theme.DARK]
    assert {*theme.FAMILIES, *theme.SERIES} <= {*theme.LIGHT}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("threads-w8-cold", "threads"),
        ("thread-per-item-forkserver", "threads"),
        ("pool-map-w2", "processes"),
        ("fork, 2 workers", "processes"),
        ("sequential-again", "base"),
        ("asyncio-w8", "asyncio"),
        ("sieve", "other"),
    ],
)
def test_a_variant_has_the_colour_of_its_family(name: str, expected: str) -> None:
    """By the first word of its name."""
    assert expected == theme.family(name)
