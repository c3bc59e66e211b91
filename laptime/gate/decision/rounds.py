"""What rounds of a pair of sides cost, and what follows of them for a block. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from statistics import median
from typing import NamedTuple

from laptime.gate.decision.trial import CPU

_LEAST_S = 0.001


class Turn(NamedTuple):
    """What one side's round cost: seconds, of CPU time also those known in ticks only, and context switches."""

    wall: float
    cpu: float
    ticks: float
    switches: int


@dataclass(frozen=True, slots=True)
class Pace:
    """One round: how often the work is called within one timing, and how many timings are summed."""

    iterations: int
    repeats: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One benchmark in one block, the sides' rounds in order: round n of one and of the other are a pair."""

    base: tuple[Turn, ...]
    head: tuple[Turn, ...]
    base_peak: int | None = None
    head_peak: int | None = None

    def ratio(self, metric: str) -> float | None:
        """The median of the paired log ratios (head/base); None where a figure is zero, or known in ticks only."""
        if metric == CPU and any(turn.ticks for turn in (*self.base, *self.head)):
            return None
        pairs = [
            (getattr(base, metric), getattr(head, metric)) for base, head in zip(self.base, self.head, strict=True)
        ]
        if not pairs or min(min(pair) for pair in pairs) <= 0:
            return None
        return median(log(head / base) for base, head in pairs)

    @property
    def parallelism(self) -> float:
        """CPU seconds a second, of the busier side; of rounds so short that reading the clocks counts, 0."""
        spent = [(sum(turn.cpu for turn in side), sum(turn.wall for turn in side)) for side in (self.base, self.head)]
        return max((cpu / wall for cpu, wall in spent if wall >= len(self.base) * _LEAST_S), default=0.0)


@dataclass(slots=True)
class Outcome:
    """What became of a benchmark on both sides of a block; `measured` only where both passed."""

    measured: Measured | None = None
    base: tuple[str, str] | None = None
    head: tuple[str, str] | None = None
