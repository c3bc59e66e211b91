"""Canaries: work that is the same on both sides for certain. A block in which it is not can't be trusted. Pure."""

from __future__ import annotations

from statistics import median

LEAST, MOST = 0.05, 0.25
_DEVIATIONS = 4.0
_KNOWN = 8
"""From so many values on, their own deviation is known."""
_PRIOR = 0.0125
"""Before, one that is typical."""
_PATIENCE = 15
"""So many void blocks are borne in any case."""
_TO_DEVIATION = 1.4826
"""The median absolute deviation of a normal distribution, times this, is its standard deviation."""


class Canaries:
    """The canaries of a run, and how many blocks they have voided."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self.blocks, self.void = 0, 0

    def limit(self) -> float:
        """How far off a canary may be, as a log ratio."""
        deviation = _PRIOR
        if len(self._values) >= _KNOWN:
            deviation = median(abs(value) for value in self._values) * _TO_DEVIATION
        return min(MOST, max(LEAST, _DEVIATIONS * deviation))

    def is_void(self, *values: float) -> bool:
        """Judge a block by its canaries."""
        void = max(map(abs, values)) > self.limit()
        self._values += values
        self.blocks += 1
        self.void += void
        return void

    @property
    def are_too_many(self) -> bool:
        """Whether so many blocks are void that the machine is not fit.

        What runs beside it for a minute costs time, and no verdict.
        """
        return self.void > max(_PATIENCE, self.blocks / 2)
