"""The exact signed-rank test (Wilcoxon), its estimate and its interval. Pure.

It assumes that the values are independent and symmetric about their centre, and no distribution beside (Hollander,
Wolfe & Chicken 2014, Nonparametric Statistical Methods, 3.1–3.3). Log ratios of two sides that are run in random order
are symmetric about zero where the sides are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import sqrt
from statistics import NormalDist
from typing import TypeVar

import numpy as np

from laptime.stats.intervals import CONFIDENCE, Interval

_EFFICIENCY = 3 / np.pi
"""Of the signed-rank test against the t-test under a normal distribution (Lehmann 1975, Nonparametrics, 4.1)."""

Key = TypeVar("Key")


def p_above(values: Sequence[float], than: float = 0.0) -> float:
    """The probability of values so far above `than`, or farther, where their centre is `than`; 1.0 for no values.

    Exact, with ties as well: the distribution is counted out over all signs of the ranks that there are. A value equal
    to `than` counts as below it, which can only raise the result.
    """
    shifts = sorted([value - than for value in values], key=abs)
    ranks = _doubled_ranks(shifts)
    above = sum([rank for rank, shift in zip(ranks, shifts, strict=True) if shift > 0])
    return float(_at_least(ranks)[above])


def _doubled_ranks(ordered: Sequence[float]) -> tuple[int, ...]:
    """Twice the rank of each absolute value, so that the mean rank of those that tie is whole; takes them in order."""
    if len(set(map(abs, ordered))) == len(ordered):
        return _untied(len(ordered))
    ranks: list[int] = []
    while len(ranks) < len(ordered):
        first = len(ranks)
        last = first
        while last + 1 < len(ordered) and abs(ordered[last + 1]) == abs(ordered[first]):
            last += 1
        ranks += [first + last + 2] * (last - first + 1)
    return tuple(ranks)


@lru_cache(maxsize=256)
def _untied(count: int) -> tuple[int, ...]:
    return tuple(range(2, 2 * count + 1, 2))


@lru_cache(maxsize=512)
def _at_least(ranks: tuple[int, ...]) -> np.ndarray:
    """The probability of a sum of positive ranks of 0, 1, 2 … or more, each sign being as likely as the other."""
    probability = np.zeros(sum(ranks) + 1)
    probability[0] = 1.0
    for rank in ranks:
        shifted = np.zeros_like(probability)
        shifted[rank:] = probability[: len(probability) - rank]
        probability = (probability + shifted) / 2
    summed: np.ndarray = np.minimum(probability[::-1].cumsum()[::-1], 1.0)
    return summed


def centre(values: Sequence[float]) -> float:
    """The Hodges–Lehmann estimate: the median of the means of all pairs, each value paired with itself too."""
    return float(np.median(_means(values)))


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """The values that the test does not reject as the centre; None where there are too few (at 95 %: below 6)."""
    fewest = _fewest(len(values), (1 - confidence) / 2)
    if fewest < 1:
        return None
    means = np.sort(_means(values))
    return Interval(float(means[fewest - 1]), float(means[-fewest]))


def _means(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    rows, columns = _pairs(len(array))
    means: np.ndarray = (array[rows] + array[columns]) / 2
    return means


@lru_cache(maxsize=64)
def _pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(count)


@lru_cache(maxsize=256)
def _fewest(count: int, tail: float) -> int:
    """The largest k for which a sum of ranks below k has at most the probability `tail`; 0 where there is none."""
    if count == 0:
        return 0
    at_least = _at_least(_untied(count))[::2]
    # by symmetry a sum below k is as likely as one above the whole less k
    return int(np.count_nonzero(at_least[1:] <= tail))


def holm(p_values: Mapping[Key, float], alpha: float) -> set[Key]:
    """Those that are rejected with at most the probability `alpha` of one wrong among them (Holm 1979)."""
    rejected: set[Key] = set()
    ordered = sorted(p_values, key=lambda key: p_values[key])
    for number, key in enumerate(ordered):
        if p_values[key] > alpha / (len(ordered) - number):
            break
        rejected.add(key)
    return rejected


def detectable(deviation: float, count: int, alpha: float, power: float = 0.95) -> float:
    """How far from the tested centre values of that standard deviation must lie to be found with that power.

    By the t-test, which needs fewer values by the efficiency; infinite where so few can't be significant at all.
    """
    if count < 2 or 0.5**count > alpha:
        return float("inf")
    return deviation * (_student(1 - alpha, count - 1) + _student(power, count - 1)) / sqrt(count * _EFFICIENCY)


def _student(share: float, freedom: int) -> float:
    """The quantile of Student's distribution, to the first order (Abramowitz & Stegun 1964, 26.7.5)."""
    normal = NormalDist().inv_cdf(share)
    return normal + (normal**3 + normal) / (4 * freedom)
