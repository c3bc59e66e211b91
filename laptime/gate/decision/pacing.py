"""How long blocks take, and how much of each benchmark there is time for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from laptime.gate.decision.rounds import Pace

FEWEST_PAIRS = 8
WARM_UP_PAIRS = 2
_ROUND_SPARE = 1.05
_LEARNED = 0.3
_FIRST_START_S, _FIRST_EACH_S = 3.0, 0.02


def shortened(pace: Pace, share: float) -> Pace:
    """So much of it: whole ABBA, and never fewer pairs than tell anything."""
    return replace(pace, pairs=min(pace.pairs, max(FEWEST_PAIRS, round(pace.pairs * share / 2) * 2)))


@dataclass(slots=True)
class Costs:
    """What blocks take, as it was seen so far.

    start_s  a pair of processes: their start and end, and the canaries
    each_s   a benchmark, beside its rounds: set-up and end of its test
    round_s  benchmark -> a round of one side
    """

    start_s: float = _FIRST_START_S
    each_s: float = _FIRST_EACH_S
    round_s: dict[str, float] = field(default_factory=dict)

    def learn(self, start_s: float, rest_s: float, paces: Iterable[tuple[str, Pace]]) -> None:
        """A block took `start_s`, and `rest_s` for its benchmarks with their rounds."""
        paces = list(paces)
        self.start_s += _LEARNED * (start_s - self.start_s)
        if paces:
            each_s = max(0.0, rest_s - self.played(paces)) / len(paces)
            self.each_s += _LEARNED * (each_s - self.each_s)

    def played(self, paces: Iterable[tuple[str, Pace]]) -> float:
        """The rounds of a block, on both sides, with those that warm up."""
        return _ROUND_SPARE * sum(
            2 * self.round_s.get(name, 0.0) * (pace.pairs + WARM_UP_PAIRS) for name, pace in paces
        )

    def block(self, paces: Iterable[tuple[str, Pace]], kinds: int) -> float:
        """A block of these, of so many kinds, each in processes of its own."""
        paces = list(paces)
        return kinds * self.start_s + len(paces) * self.each_s + self.played(paces)

    def share(self, paces: Iterable[tuple[str, Pace]], kinds: int, blocks: int, available_s: float) -> float:
        """How much of each pace so many blocks in that time allow; at most 1, and 0 where the time is too short.

        A block's value is noisier with fewer rounds, but far less than in proportion: it is the luck of a process that
        is common to all of them. So where there is little time, more blocks are worth more than longer ones.
        """
        paces = list(paces)
        if blocks <= 0 or self.block(paces, kinds) * blocks <= available_s:
            return 1.0
        low, high = 0.0, 1.0
        while high - low > 0.01:  # the fewest pairs make it no straight line
            middle = (low + high) / 2
            some = [(name, shortened(pace, middle)) for name, pace in paces]
            if self.block(some, kinds) * blocks <= available_s:
                low = middle
            else:
                high = middle
        return low
