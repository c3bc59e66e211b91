"""In which order and how often the benchmarks of a race are visited. Pure: the caller has the clock and the figures.

A race runs in passes. In each every benchmark that is still in it is visited once, in an order drawn anew, so that
what the machine does strikes all alike. After the passes of `LOOKS` the figures are looked at: what is clearly slower
than the best leaves, and the race is over once its intervals are narrow enough, or its time is. Every look has an error
rate of its own, and together they come to 5 %: so the intervals that a race ends with, of a benchmark that left early
too, hold together with 95 %, whenever it ended (a union bound over the looks). A race that ends because its time is
over, or its passes, spends what is left of the 5 % on its last look: when that comes is the clock's doing.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LOOKS = ((5, 0.005), (10, 0.01), (20, 0.01), (40, 0.01), (80, 0.015))
"""After so many passes, and the error rate of that look."""
ERROR_RATE = 0.05
RECORDED_PASSES = LOOKS[0][0]
"""A race plays so many recorded passes in turn: by the second look each was played twice."""
LEAST_PASSES = LOOKS[1][0]
"""No race ends before for want of time."""
MOST_PASSES = LOOKS[-1][0]
BESIDE_PASSES = LOOKS[0][0]
"""What is no contender, another parser or algorithm, needs no more."""
RACE_S = 30.0
"""How long a race goes on where nothing else is said."""
REPEATS = 2
"""A void round is repeated at once, so often at most."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a race ends.

    passes   exactly so many, and no look before; None: until the intervals are narrow, or the time is over
    seconds  after which no other pass begins, once there were `LEAST_PASSES`
    """

    passes: int | None = None
    seconds: float = RACE_S


class Schedule:
    """The visits of one race.

    seed     what the orders are drawn from
    running  the names that are still in it, in the order in which they were given
    passes   how many there were
    """

    def __init__(self, names: Sequence[str], limits: Limits, seed: int) -> None:
        self.seed = seed
        self.running = list(names)
        self.passes = 0
        self._limits = limits
        self._looks = list(LOOKS)
        self._left = ERROR_RATE
        self._random = random.Random(seed)

    def order(self, canaries: int = 0) -> list[str | None]:
        """Whom to visit in this pass, in which order; None is the place of a canary.

        The first pass has the order that was given: it proves the answers, and the first benchmark's may be the right
        one for the others.
        """
        names: list[str | None] = [*self.running]
        if self.passes > 0:
            self._random.shuffle(names)
        for _ in range(canaries):
            names.insert(self._random.randrange(len(names) + 1), None)
        return names

    def drop(self, names: Iterable[str]) -> None:
        """Leave these benchmarks out of all later passes."""
        gone = set(names)
        self.running = [name for name in self.running if name not in gone]

    def look(self, elapsed_s: float) -> float | None:
        """End a pass, `elapsed_s` seconds after the race began: the error rate of the look that is due, if one is."""
        self.passes += 1
        if self.is_over(elapsed_s):
            return self._left
        if self._limits.passes is not None or self.passes < self._looks[0][0]:
            return None
        rate = self._looks.pop(0)[1]
        self._left -= rate
        return rate

    def is_over(self, elapsed_s: float) -> bool:
        """Whether the race ends with this pass for want of time, or of passes."""
        if self._limits.passes is not None:
            return self.passes >= self._limits.passes
        pass_s = elapsed_s / max(self.passes, 1)
        out_of_time = self.passes >= LEAST_PASSES and elapsed_s + pass_s / 2 > self._limits.seconds
        return out_of_time or self.passes >= MOST_PASSES or not self.running
