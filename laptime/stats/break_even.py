"""From which size on does another way pay? Where two lines cross, with an interval. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log

from laptime.stats.points import Point, compared, ordered


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where the other way begins to be the faster one, and is so at every greater x that was measured.

    x      by the estimates
    low    where it may begin to be, at the earliest; None where that may be below all that was measured
    high   where it is faster beyond doubt
    """

    x: float
    low: float | None
    high: float


@dataclass(frozen=True, slots=True)
class NoCrossing:
    """Why there is none, in words.

    pays  True where the other way is the faster one everywhere; False where at the greatest x it is the slower one,
          beyond doubt; None where neither is shown
    """

    reason: str
    pays: bool | None


def crossing(plain: Sequence[Point], other: Sequence[Point]) -> Crossing | NoCrossing:
    """Where `other` becomes faster than `plain`, each a line over the same x > 0.

    Between two x the logarithm of the ratio of their times is taken to be linear in the logarithm of x. Its interval
    is where the lower and the upper ends of the ratios' 95 % intervals cross: they hold for each ratio, not for all at
    once. Raises `ValueError` for an x that has no logarithm.
    """
    left, right = {point.x: point for point in ordered(plain)}, ordered(other)
    shared = [point for point in right if point.x in left]
    if any(point.x <= 0 for point in (*plain, *other)):
        raise ValueError("a size of 0 or less has no place on a logarithmic axis")
    if len(shared) < 2:
        return NoCrossing(f"two sizes at least are needed at which both were measured; there are {len(shared)}", None)
    times = [compared(left[point.x], point) for point in shared]
    sizes = [point.x for point in shared]
    estimates = [one.estimate for one in times]
    lows, highs = [one.low for one in times], [one.high for one in times]
    if highs[-1] >= 1:
        # where both take about the same time, chance alone makes the estimates cross
        slower = lows[-1] > 1
        shown = "" if slower else " is shown"
        return NoCrossing(
            f"no gain{shown} up to {sizes[-1]:g}, the greatest that was measured", pays=False if slower else None
        )
    at, high = _falls_below_one(sizes, estimates), _falls_below_one(sizes, highs)
    if at is None or high is None:
        return NoCrossing(f"a gain from {sizes[0]:g} on, the smallest that was measured", pays=True)
    return Crossing(at, _falls_below_one(sizes, lows), high)


def _falls_below_one(sizes: Sequence[float], ratios: Sequence[float]) -> float | None:
    """Where the ratios fall below 1 for the last time; None where they always are."""
    found = None
    for (before, size), (ratio, after) in zip(pairwise(sizes), pairwise(ratios), strict=True):
        if ratio >= 1 > after:
            found = _between(before, size, ratio, after)
    return found


def _between(before: float, size: float, ratio: float, after: float) -> float:
    """The x at which the ratio is 1, on a line in logarithms; a ratio that is not known bounds nothing."""
    if ratio == inf:
        return size
    if after == 0:
        return before
    share = log(ratio) / (log(ratio) - log(after))
    return exp(log(before) + share * (log(size) - log(before)))
