"""How far a median, and the ratio of two, can be trusted: intervals that assume no distribution. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
_EXACT = 40
"""Up to so many on each side the rank-sum distribution is counted out; beyond, its normal approximation is as good."""
_MANY = 200
"""The same for the binomial distribution of a median's order statistics."""
_MOST = 1000
"""A microbenchmark has 100,000 rounds, and all pairs of two sides are formed."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, ends included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as large one side is: an estimate, and the interval around it."""

    estimate: float
    low: float
    high: float


def of_median(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """The interval of a median between two order statistics; None where there are too few values (at 95 %: below 6).

    Exact for any continuous distribution (Conover 1999, Practical Nonparametric Statistics, 3.2).
    """
    below = _below(len(values), (1 - confidence) / 2)
    if below < 0:
        return None
    ordered = sorted(values)
    return Interval(ordered[below], ordered[-1 - below])


def _below(count: int, share: float) -> int:
    """How many order statistics lie outside an interval on each side; -1 where there are too few values."""
    if count > _MANY:
        return int(count / 2 + NormalDist().inv_cdf(share) * count**0.5 / 2) - 1
    tail, below = 0.0, -1
    for successes in range(count // 2 + 1):
        tail += comb(count, successes) / 2**count
        if tail > share:
            break
        below = successes
    return below


def ratio(base: Sequence[float], head: Sequence[float], confidence: float = CONFIDENCE) -> Ratio | None:
    """head/base: the Hodges–Lehmann estimate of the shift of the logarithms, and its exact interval.

    The interval inverts the rank-sum test (Hollander, Wolfe & Chicken 2014, Nonparametric Statistical Methods, 4.3),
    and so assumes of both sides only that they have one shape. None where the sides are too small for it (4 and 4 are
    enough at 95 %), or a figure is zero.
    """
    base, head = _bearable(base), _bearable(head)
    if min((*base, *head), default=0.0) <= 0:
        return None
    fewest = _fewest(len(base), len(head), (1 - confidence) / 2)
    if fewest < 1:
        return None
    shifts = np.sort(np.subtract.outer(np.log(head), np.log(base)), axis=None)
    return Ratio(exp(np.median(shifts)), exp(shifts[fewest - 1]), exp(shifts[-fewest]))


def point(base: Sequence[float], head: Sequence[float]) -> float | None:
    """The same estimate where there is no interval; None where a figure is zero or a side is empty."""
    if not base or not head or min((*base, *head)) <= 0:
        return None
    base, head = _bearable(base), _bearable(head)
    return exp(np.median(np.subtract.outer(np.log(head), np.log(base))))


def _bearable(values: Sequence[float]) -> Sequence[float]:
    """Of very many values the medians of as many groups of neighbours as are enough: all pairs will be formed."""
    if len(values) <= _MOST:
        return values
    return [float(np.median(group)) for group in np.array_split(np.asarray(values), _MOST)]


def _fewest(base: int, head: int, tail: float) -> int:
    """The largest k for which a rank sum's U below k has at most the probability `tail`; 0 where there is none."""
    if base < 1 or head < 1:
        return 0
    if max(base, head) > _EXACT:
        mean, deviation = base * head / 2, (base * head * (base + head + 1) / 12) ** 0.5
        return max(0, int(mean + NormalDist().inv_cdf(tail) * deviation))
    counts = _counts(base, head)
    share, below = tail * comb(base + head, base), 0
    for fewest, count in enumerate(counts):
        below += count
        if below > share:
            return fewest
    return 0


@lru_cache(maxsize=256)
def _counts(base: int, head: int) -> tuple[int, ...]:
    """How many of the orders of two samples give U = 0, 1, 2 … (coefficients of the Gaussian binomial)."""
    counts = [1] + [0] * (base * head)
    for size in range(1, base + 1):
        # times (1 - q^(head + size)) / (1 - q^size)
        for degree in range(base * head, head + size - 1, -1):
            counts[degree] -= counts[degree - head - size]
        for degree in range(size, base * head + 1):
            counts[degree] += counts[degree - size]
    return tuple(counts)
