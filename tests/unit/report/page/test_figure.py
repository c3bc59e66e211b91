"""What the charts share: dots, units and names."""

from __future__ import annotations

import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed: no altair")

from laptime.report.page.figure import distinct, dots, jitter, slug, unit


def test_quantiles_keep_the_ends() -> None:
    """The fastest and the slowest round are among them, and no more than were asked for."""
    kept = dots(range(1000), 30)
    assert (0, 999, 30) == (kept[0], kept[-1], len(kept))
    assert [3.0, 1.0] == dots([3.0, 1.0])


def test_dots_are_strewn_in_the_same_way_each_time() -> None:
    """Within their row, and no two neighbours at one height."""
    places = [jitter(number) for number in range(30)]
    assert len(places) == len({*places})
    assert all(-1 < place < 1 for place in places)


def test_names_of_files_are_names_of_files() -> None:
    """No path, no hidden file, none too long; and one each, on systems too that tell no A from an a."""
    assert "race-etc-passwd" == slug("race", "../../etc/passwd")
    assert 80 >= len(slug("race", "n" * 500))
    assert "chart" == slug("ü")
    assert "race-A-2" == distinct("race-A", ["race-a"])


@pytest.mark.parametrize(
    "seconds", [("3 s", 3.0), ("3 ms", 0.003), ("3 µs", 3e-6), ("3 ns", 3e-9)], ids=lambda one: one[0]
)
def test_an_axis_has_a_unit(seconds: tuple[str, float]) -> None:
    """In which its largest figure is 2 or more."""
    scale, name = unit(seconds[1])
    assert seconds[0] == f"{seconds[1] * scale:.0f} {name}"
