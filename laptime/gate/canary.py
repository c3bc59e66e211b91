"""Canaries: work that is the same on both sides for certain. A block in which it is not can't be trusted. Pure."""

from __future__ import annotations

from statistics import median

LEAST = 0.05
_DEVIATIONS = 4.0
_KNOWN = 8
"""From so many values on, their own deviation is known."""
_PRIOR = {False: 0.0125, True: 0.03}
"""Before, one that is typical: on one CPU, and on several."""
_TO_DEVIATION = 1.4826
"""The median absolute deviation of a normal distribution, times this, is its standard deviation."""


class Canaries:
    """The canaries of a run, and how many blocks they have voided."""

    def __init__(self) -> None:
        self._values: dict[bool, list[float]] = {False: [], True: []}
        self.blocks, self.void = 0, 0

    def limit(self, *, multicore: bool) -> float:
        """How far off a canary may be, as a log ratio."""
        values = self._values[multicore]
        deviation = _PRIOR[multicore]
        if len(values) >= _KNOWN:
            deviation = median(abs(value) for value in values) * _TO_DEVIATION
        return max(LEAST, _DEVIATIONS * deviation)

    def is_void(self, *values: float, multicore: bool) -> bool:
        """Judge a block by its canaries."""
        void = max(map(abs, values)) > self.limit(multicore=multicore)
        self._values[multicore] += values
        self.blocks += 1
        self.void += void
        return void

    @property
    def are_too_many(self) -> bool:
        """Whether so many blocks are void that the machine is not fit."""
        return self.void > max(5, self.blocks / 3)
