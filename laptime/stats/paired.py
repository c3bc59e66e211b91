"""How many times as fast one way is as another, of several timed in passes: all intervals hold together. Pure.

In each pass every way is timed once, in an order drawn anew. What the machine did in a pass struck all ways alike, so
a pass gives one difference of logarithms for each pair of ways. For a pair:

- the estimate is the mean of its differences; from eight passes on the mean of the middle three fifths of them (Yuen
  1974, The two-sample trimmed t for unequal population variances, Biometrika 61, in its paired form), so that one
  disturbed round in ten doesn't move it;
- where passes are of several kinds (recordings that take turns), what a pair differs by from kind to kind is no noise:
  the estimate is the mean over kinds, untrimmed, and the variance is that within them, as soon as there are two passes
  of each;
- the variance is the pair's own, winsorised as the mean is trimmed, and drawn towards the usual variance of all pairs,
  the more so the less these differ (Smyth 2004, Linear models and empirical Bayes methods for assessing differential
  expression, 3.1 and 6.2): ways differ in how much they vary, so one variance for all would be wrong, and one from ten
  passes alone is itself uncertain;
- the half width is Tukey's, from the studentized range over all ways.

How often all intervals hold, with normal and t₃ noise, with ways of which some vary ten times as much as others, with
drift and on recorded traces of a machine's speed, `python -m benchmarks.budgets race` prints.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from math import exp, inf, isfinite, log
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from laptime.stats import studentized_range

TRIMMED_SHARE = 5
"""A fifth of the differences is left out at each end."""
TRIMMED_FROM = 8
"""Passes; of fewer, trimming leaves too few to tell a variance from."""
FEW_PAIRS, USUAL_DF = 10, 4.0
"""Fewer pairs don't tell how much variances differ: there the usual one weighs as much as four degrees of freedom."""
LEAST_DF, MOST_DF = 1.0, 40.0
CONFIDENCE = 0.95


class Gain(NamedTuple):
    """How many times as fast one way is as another: an estimate and its interval, ends included.

    passes  in which both were timed; without at least two, the interval reaches from 0 to infinity
    """

    estimate: float
    low: float
    high: float
    passes: int

    @property
    def half_width(self) -> float:
        """Half the interval on the scale of logarithms, as a share: 0.05 for ± 5 %; infinite without an interval."""
        return inf if self.low <= 0 or not isfinite(self.high) else exp(log(self.high / self.low) / 2) - 1


class _Pair(NamedTuple):
    """Of one pair: the mean of its differences, their variance and its degrees of freedom.

    counted  of how many differences the mean has the precision
    """

    mean: float
    variance: float
    df: int
    counted: float
    passes: int


class Passes:
    """Several ways, timed in passes.

    seconds  way -> seconds of its round in each pass, in order; None, or nothing at the end, where it was not timed
    kinds    of which kind each pass is; None where they are all alike
    """

    def __init__(self, seconds: Mapping[str, Sequence[float | None]], kinds: Sequence[Hashable] | None = None) -> None:
        self._names = tuple(seconds)
        length = max(map(len, seconds.values()), default=0)
        logs = {name: _logs(values, length) for name, values in seconds.items()}
        self._pairs = {(a, b): _pair(logs[a] - logs[b], kinds) for a, b in combinations(self._names, 2)}
        self._prior = _prior([pair for pair in self._pairs.values() if pair.df > 0])

    def gain(self, base: str, other: str, confidence: float = CONFIDENCE) -> Gain:
        """How many times as fast `other` is as `base`. Raises `KeyError` where one of them is unknown.

        confidence  that all intervals of this confidence hold their true values together
        """
        if base == other:
            return Gain(1.0, 1.0, 1.0, 0)
        if (other, base) in self._pairs:
            estimate, low, high, passes = self.gain(other, base, confidence)
            return Gain(1 / estimate, 1 / high, 1 / low if low else inf, passes)
        pair = self._pairs[base, other]
        half = self._half_width(pair, confidence)
        return Gain(exp(pair.mean), exp(pair.mean - half), exp(min(pair.mean + half, 700)), pair.passes)

    def _half_width(self, pair: _Pair, confidence: float) -> float:
        if pair.df < 1:
            return inf
        prior = self._prior
        df = prior.df + pair.df
        variance = (prior.df * prior.variance + pair.df * pair.variance) / df
        q = studentized_range.quantile(confidence, len(self._names), df)
        return float(q / 2**0.5 * (variance / pair.counted) ** 0.5)


def _logs(values: Sequence[float | None], length: int) -> npt.NDArray[np.float64]:
    logs = np.full(length, np.nan)
    for number, value in enumerate(values):
        if value is not None:
            if not (isfinite(value) and value > 0):
                raise ValueError(f"pass {number}: {value} s; a positive number is needed")
            logs[number] = log(value)
    return logs


def _pair(differences: npt.NDArray[np.float64], kinds: Sequence[Hashable] | None) -> _Pair:
    present = ~np.isnan(differences)
    passes = int(present.sum())
    if passes == 0:
        return _Pair(0.0, inf, 0, 0, 0)
    if kinds is not None:
        by_kind: dict[Hashable, list[float]] = {}
        for kind, difference in zip(kinds, differences, strict=False):
            if not np.isnan(difference):
                by_kind.setdefault(kind, []).append(float(difference))
        # a kind that this pair has not would be missing from its mean
        if len(by_kind) == len(set(kinds)) > 1 and min(map(len, by_kind.values())) > 1:
            return _within(list(by_kind.values()), passes)
    ordered = np.sort(differences[present])
    trimmed = passes // TRIMMED_SHARE if passes >= TRIMMED_FROM else 0
    middle = ordered[trimmed : passes - trimmed]
    counted = len(middle)
    if counted < 2:
        return _Pair(float(middle.mean()), inf, 0, counted, passes)
    winsorised = np.clip(ordered, middle[0], middle[-1])
    # of so many passes, so that the variances of trimmed and of whole means are on one scale
    variance = float(winsorised.var(ddof=1)) * (passes - 1) * passes / (counted * (counted - 1))
    return _Pair(float(middle.mean()), variance, counted - 1, passes, passes)


class _Prior(NamedTuple):
    """The usual variance of a pair, and the degrees of freedom that it weighs."""

    variance: float
    df: float


def _prior(pairs: Sequence[_Pair]) -> _Prior:
    """From the moments of the logarithms of all pairs' variances (Smyth 2004, 6.2)."""
    known = [pair for pair in pairs if pair.variance > 0]
    if not known:
        return _Prior(0.0 if pairs else inf, USUAL_DF)
    if len(known) < FEW_PAIRS:
        return _Prior(median(pair.variance for pair in known), USUAL_DF)
    logs = np.array([log(pair.variance) - _digamma(pair.df / 2) + log(pair.df / 2) for pair in known])
    beyond_chance = float(logs.var(ddof=1)) - float(np.mean([_trigamma(pair.df / 2) for pair in known]))
    low, high = LEAST_DF, MOST_DF
    while high - low > 0.25:  # trigamma falls
        middle = (low + high) / 2
        low, high = (middle, high) if _trigamma(middle / 2) > beyond_chance else (low, middle)
    df = round(2 * low) / 2
    return _Prior(exp(float(logs.mean()) + _digamma(df / 2) - log(df / 2)), df)


def _digamma(x: float) -> float:
    """By recurrence and the asymptotic series (Abramowitz & Stegun 1964, 6.3.18)."""
    shift = 0.0
    while x < 6:
        shift, x = shift - 1 / x, x + 1
    return shift + log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6)


def _trigamma(x: float) -> float:
    """By recurrence and the asymptotic series (Abramowitz & Stegun 1964, 6.4.12)."""
    shift = 0.0
    while x < 6:
        shift, x = shift + 1 / x**2, x + 1
    return shift + 1 / x + 1 / (2 * x**2) + 1 / (6 * x**3) - 1 / (30 * x**5) + 1 / (42 * x**7)


def _within(groups: Sequence[Sequence[float]], passes: int) -> _Pair:
    """The mean over the kinds of passes, and the variance within them."""
    df = passes - len(groups)
    variance = sum(float(np.var(group)) * len(group) for group in groups) / df
    counted = len(groups) ** 2 / sum(1 / len(group) for group in groups)
    return _Pair(float(np.mean([np.mean(group) for group in groups])), variance, df, counted, passes)
