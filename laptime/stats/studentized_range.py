"""Quantiles of the studentized range, for all comparisons among several means at once. Pure.

Tukey (1953): of k independent means, each with standard error s estimated with `df` degrees of freedom, the range over
s exceeds the quantile q(p; k, df) with probability 1 - p. So all k(k - 1)/2 differences lie within q·s of their true
values together. `scipy.stats.studentized_range` gives the same to four digits, and takes 1.3 s to import.
"""

from __future__ import annotations

from functools import lru_cache
from math import erf, lgamma, log, pi, sqrt

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float64]

_LARGEST, _TOLERANCE = 2_000.0, 1e-5
_REACH = 8.0
"""Beyond so many standard deviations a normal density is below 1e-14."""

_erf = np.vectorize(erf, otypes=[float])


def _normal_cdf(values: _Array) -> _Array:
    cdf: _Array = 0.5 * (1 + _erf(values / sqrt(2)))
    return cdf


_NODES, _WEIGHTS = (_REACH * part for part in np.polynomial.legendre.leggauss(64))
_DENSITY = np.exp(-(_NODES**2) / 2) / sqrt(2 * pi) * _WEIGHTS
_BELOW = _normal_cdf(_NODES)
_UNIT_NODES, _UNIT_WEIGHTS = np.polynomial.legendre.leggauss(48)


def _range_cdf(widths: _Array, k: int) -> _Array:
    """P(range of k standard normals ≤ width), for each width."""
    within = np.clip(_BELOW[None, :] - _normal_cdf(_NODES[None, :] - widths[:, None]), 0, 1)
    cdf: _Array = k * (within ** (k - 1) @ _DENSITY)
    return cdf


def cdf(q: float, k: int, df: float) -> float:
    """P(studentized range of k means ≤ q), the variance estimated with `df` degrees of freedom."""
    # over the estimated standard deviation, whose square times df is chi-squared
    reach = _REACH / sqrt(2 * df)
    low, high = max(0.0, 1 - reach), 1 + (reach if df > 2 else 12.0)
    scale = (_UNIT_NODES + 1) / 2 * (high - low) + low
    log_density = log(2) + df / 2 * log(df / 2) - lgamma(df / 2) + (df - 1) * np.log(scale) - df * scale**2 / 2
    weights = _UNIT_WEIGHTS * (high - low) / 2 * np.exp(log_density)
    return float(_range_cdf(q * scale, k) @ weights)


@lru_cache(maxsize=1024)
def quantile(p: float, k: int, df: float) -> float:
    """The value that the studentized range of k means exceeds with probability 1 - p.

    Raises `ValueError` where p is no probability strictly between 0 and 1, k < 2 or df < 2.
    """
    if not 0 < p < 1 or k < 2 or df < 2:
        raise ValueError(f"p={p}, k={k}, df={df}: expected 0 < p < 1, at least two means and 2 degrees of freedom")
    low, high = 0.0, _LARGEST
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        low, high = (middle, high) if cdf(middle, k, df) < p else (low, middle)
    return high
