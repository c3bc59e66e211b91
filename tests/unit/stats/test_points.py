"""Points: what was measured at one place of a line."""

from __future__ import annotations

from math import inf, nan

import pytest

from laptime.stats.break_even import crossing
from laptime.stats.intervals import Interval
from laptime.stats.points import Point
from laptime.stats.scaling import amdahl, knee, usl
from laptime.stats.sweep import best
from tests.support.points import EIGHT, law


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 10, ()), "the point at 2 has no rounds"),
        ((2, 0, (1.0,)), "the point at 2: 0 items a round; at least one is needed"),
        ((2, 10, (1.0, 0.0)), "the point at 2: round 1 took 0.0 s; a positive number is needed"),
        ((2, 10, (-1.0,)), "the point at 2: round 0 took -1.0 s"),
        ((2, 10, (1.0, nan)), "the point at 2: round 1 took nan s"),
        ((2, 10, (inf,)), "the point at 2: round 0 took inf s"),
        ((nan, 10, (1.0,)), "a point at nan: a finite number is needed"),
    ],
)
def test_what_cannot_have_been_measured_is_no_point(arguments: tuple[float, int, tuple[float, ...]], message: str):
    """The message says which point, and which round."""
    with pytest.raises(ValueError, match=message):
        Point(*arguments)


def test_a_point_s_throughput_is_of_its_median_round():
    """With the interval of the median turned over; none from five rounds."""
    six = Point(2, 12, (1.0, 2.0, 3.0, 5.0, 6.0, 12.0))
    assert (3.0, Interval(1.0, 12.0), pytest.approx(1 / 3)) == (six.throughput, six.throughput_interval, six.item_s)
    assert Point(2, 12, (1.0,) * 5).throughput_interval is None


@pytest.mark.parametrize("ask", [amdahl, usl, knee, best, lambda points: crossing(points, points)])
def test_a_line_has_one_figure_for_each_x(ask):
    """Of two, neither is taken."""
    with pytest.raises(ValueError, match="several points of one line at 1, 8"):
        ask([*law(EIGHT), *law([8, 1])])
