"""The best point of a sweep, and what does as well."""

from __future__ import annotations

from laptime.stats.points import Point
from laptime.stats.sweep import Best, best
from tests.support.points import line


def test_the_best_is_told_with_what_does_as_well():
    """From where to where, without a gap, no point is shown to be over 5 % slower."""
    exact = line(x1=[9.0] * 6, x4=[1.04] * 6, x16=[1.0] * 6, x64=[1.03] * 6, x256=[1.2] * 6, x1024=[1.01] * 6)
    assert Best(16, low=4, high=64, first=1, last=1024) == best(exact[::-1])


def test_the_best_counts_time_by_the_item():
    """Rounds of more items take longer."""
    assert 2 == best([Point(1, 10, (1.0,) * 6), Point(2, 1000, (2.0,) * 6)]).x


def test_nothing_is_shown_by_too_few_rounds():
    """All may do as well."""
    assert Best(16, low=1, high=64, first=1, last=64) == best(line(x1=[9.0], x16=[1.0], x64=[3.0]))


def test_one_point_is_no_best():
    """There is nothing that it is better than."""
    assert best(line(x1=[1.0])) is None
