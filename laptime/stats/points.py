"""The points of a study's line: what was done at each place, and how long each round of it took. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log
from statistics import median

from laptime.stats.intervals import Interval, of_median, ratio
from laptime.stats.intervals import point as estimate
from laptime.stats.signed_rank import centre, interval


@dataclass(frozen=True, slots=True)
class Point:
    """One benchmark of a line. Raises `ValueError` for what can't have been measured.

    x        where it stands: a number of workers, a size
    items    how many things one round does
    seconds  what each round took
    passes   in which pass each round was, where all points were visited in passes; else empty
    """

    x: float
    items: int
    seconds: tuple[float, ...]
    passes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not isfinite(self.x):
            raise ValueError(f"a point at {self.x}: a finite number is needed")
        if self.items < 1:
            raise ValueError(f"the point at {self.x:g}: {self.items} items a round; at least one is needed")
        if not self.seconds:
            raise ValueError(f"the point at {self.x:g} has no rounds")
        for number, one in enumerate(self.seconds):
            if not (isfinite(one) and one > 0):
                raise ValueError(f"the point at {self.x:g}: round {number} took {one} s; a positive number is needed")

    @property
    def item_s(self) -> float:
        """Seconds an item, by the median round."""
        return median(self.seconds) / self.items

    @property
    def throughput(self) -> float:
        """Items a second, by the median round."""
        return self.items / median(self.seconds)

    @property
    def throughput_interval(self) -> Interval | None:
        """The 95 % interval of it; None where there are fewer than 6 rounds."""
        found = of_median(self.seconds)
        return None if found is None else Interval(self.items / found.high, self.items / found.low)


@dataclass(frozen=True, slots=True)
class Compared:
    """How many times as long an item takes at one point as at another, and the 95 % interval around it.

    Where there are too few rounds for an interval (4 and 4 are enough), it reaches from 0 to infinity.
    """

    estimate: float
    low: float
    high: float


def compared(base: Point, head: Point) -> Compared:
    """head/base: pass by pass, by the signed-rank test, where both were visited in enough passes.

    Else by `laptime.stats.intervals.ratio`, which takes the rounds of a point for independent of each other.
    """
    if head == base:
        return Compared(1.0, 1.0, 1.0)
    paired = _paired(base, head)
    if paired is not None:
        return paired
    left = [one / base.items for one in base.seconds]
    right = [one / head.items for one in head.seconds]
    found = ratio(left, right)
    if found is not None:
        return Compared(found.estimate, found.low, found.high)
    alone = estimate(left, right)
    assert alone is not None  # both have rounds, and none is zero
    return Compared(alone, 0.0, inf)


def _paired(base: Point, head: Point) -> Compared | None:
    """By the passes that both were in; None where they are too few for an interval (at 95 %: below 6)."""
    left, right = _by_pass(base), _by_pass(head)
    ratios = [log(right[number] / left[number]) for number in sorted(left.keys() & right.keys())]
    found = interval(ratios)
    return None if found is None else Compared(exp(centre(ratios)), exp(found.low), exp(found.high))


def _by_pass(point: Point) -> dict[int, float]:
    """Seconds an item in each pass, by its median round."""
    seconds: dict[int, list[float]] = {}
    for number, one in zip(point.passes, point.seconds, strict=False):
        seconds.setdefault(number, []).append(one)
    return {number: median(several) / point.items for number, several in seconds.items()}


def ordered(points: Sequence[Point]) -> list[Point]:
    """By x. Raises `ValueError` where two share one: a line has one figure for each x."""
    twice = [f"{x:g}" for x, count in Counter(point.x for point in points).items() if count > 1]
    if twice:
        raise ValueError(f"several points of one line at {', '.join(twice)}")
    return sorted(points, key=lambda point: point.x)
