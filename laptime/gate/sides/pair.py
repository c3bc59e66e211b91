"""A pair of sides in lockstep: one round at a time, in turn, while the other side stands still."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, log
from statistics import median
from typing import Any

from laptime.gate.decision.pacing import FEWEST_PAIRS, WARM_UP_PAIRS
from laptime.gate.decision.rounds import Measured, Outcome, Pace, Turn
from laptime.gate.sides.side import Side, SideDied, SideHung

TARGET_S, LEAST_S = 0.007, 0.005
"""Rounds take so long, where the work is shorter: much shorter ones are noise, longer ones let the machine drift."""
BLOCK_S, MOST_PAIRS = 0.7, 48
_MOST_ROUND_S = 0.02
_MOST_ITERATIONS, _MOST_REPEATS = 10_000_000, 64
CANARY_PAIRS, _CANARY_WARMS_UP = 32, 2
START_LIMIT_S = 120.0
SET_UP_LIMIT = 2
"""Setting a benchmark up, or tearing it down, may take so many times as long as one round."""
_LOOK_S = 0.25

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(slots=True)
class Collected:
    """What a side found: its benchmarks, what could not be collected (where, why), and what forbids lockstep."""

    benchmarks: list[dict[str, Any]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    testpaths: list[str] = field(default_factory=list)


class Pair:
    """Both sides of a block, started."""

    def __init__(self, base: Side, head: Side, ask: Ask, limit_s: Callable[[str], float], *, base_begins: bool) -> None:
        """`ask` has the replay server answer; `limit_s` of a benchmark is how long a round of it may take."""
        self.base, self.head = base, head
        self._sides = (base, head)
        self._ask = ask
        self._limit_of = limit_s
        self._limit_s = START_LIMIT_S  # of the round that is on turn
        # whoever comes first in anything: neither side has an advantage of its name
        self._order = self._sides if base_begins else (head, base)
        self._ended: dict[Side, SideDied] = {}
        self._heard: dict[Side, deque[dict[str, Any]]] = {side: deque() for side in self._sides}

    # the conversation

    def hear(self, side: Side, limit_s: float) -> dict[str, Any]:
        """The next thing that a side says; what either asks of the replay is answered meanwhile.

        Raises `SideFailed`.
        """
        give_up_at = time.monotonic() + limit_s
        while not self._heard[side]:
            if time.monotonic() > give_up_at:
                raise SideHung(side.label, f"{side.tail()}it hung: nothing was heard of it for {limit_s:g} s")
            if side in self._ended:
                raise self._ended[side]
            there = [one.channel for one in self._sides if one not in self._ended]
            ready = [channel for channel in there if channel.has_line]
            ready = ready or select.select(there, [], [], _LOOK_S)[0]
            if not ready and not side.is_running:
                raise side.died("ended")
            for one in self._sides:
                if one.channel in ready:
                    try:
                        self._take(one)
                    except SideDied as error:  # the other one may have said all that it had to say
                        self._ended[one] = error
        return self._heard[side].popleft()

    def _take(self, side: Side) -> None:
        message = side.receive()
        if message["say"] == "ask":
            side.send(answer=self._ask(message["command"]))
        else:
            self._heard[side].append(message)

    def collected(self) -> tuple[Collected, Collected]:
        """What each side found. Raises `SideFailed`."""
        found = []
        for side in self._sides:
            said = self.hear(side, START_LIMIT_S)
            if said["say"] != "collected":
                raise side.died("could not begin")
            found.append(
                Collected(
                    said["benchmarks"], [tuple(one) for one in said["errors"]], said["conflicts"], said["testpaths"]
                )
            )
        return found[0], found[1]

    # rounds

    def canary(self, cpu: int | None, pairs: int = CANARY_PAIRS) -> float:
        """The log ratio of work that is the same on both sides, on one CPU."""
        self._limit_s = START_LIMIT_S
        logs = []
        for number in range(_CANARY_WARMS_UP + pairs):
            order = self._order if number % 2 == 0 else self._order[::-1]
            wall = {side: self._order_round(side, do="canary", cpu=cpu)["wall"] for side in order}
            logs.append(log(wall[self.head] / wall[self.base]))
        return median(logs[_CANARY_WARMS_UP:])

    def begin(self) -> None:
        """Let both sides run their tests."""
        for side in self._order:
            side.release()
            side.send(do="go")

    def run(
        self, name: str, pace: Pace | None, *, pairs: int | None = None, memory: bool = False
    ) -> tuple[Outcome, Pace]:
        """One benchmark: both sides set up, play in turn and end; `pace` None finds it out.

        `pairs`: instead of as many as belong to the pace; `memory`: one more, untimed round on each side, sampled.
        Raises `SideFailed`.
        """
        self._limit_s = self._limit_of(name)
        outcome = Outcome()
        asked = {side: self._arrive(side, name, outcome) for side in self._order}
        if None in asked.values():
            self._finish(name, outcome, [side for side in self._order if asked[side] is not None])
            return outcome, pace or Pace(1, 1, FEWEST_PAIRS)
        iterations = [said["iterations"] for said in asked.values() if said is not None]
        try:
            found = pace or self._find_pace(iterations)
            if pace is not None:
                self._alternate(Pace(pace.iterations, pace.repeats, WARM_UP_PAIRS))  # a fresh process is slow at first
            wanted = found if pairs is None else Pace(found.iterations, found.repeats, pairs)
            measured = self._alternate(wanted)
            if memory:
                peaks = {side: self._memory(side, found) for side in self._order}
                measured = Measured(measured.base, measured.head, peaks[self.base], peaks[self.head])
        except _Left as left:
            others = [side for side in self._sides if side is not left.side]
            _note(outcome, base=left.side is self.base, said=left.said)
            self._finish(name, outcome, others)
            return outcome, pace or Pace(1, 1, FEWEST_PAIRS)
        self._finish(name, outcome, self._order)
        if outcome.base == outcome.head == ("passed", ""):
            outcome.measured = measured
        return outcome, found

    def alone(self, name: str) -> tuple[str, str]:
        """Run a benchmark that HEAD alone has, one round of it; what became of it. Raises `SideFailed`."""
        self._limit_s = self._limit_of(name)
        outcome = Outcome()
        if self._arrive(self.head, name, outcome) is not None:
            try:
                self._turn(self.head, Pace(1, 1, 1))
            except _Left as left:
                _note(outcome, base=False, said=left.said)
            else:
                self._finish(name, outcome, [self.head])
        assert outcome.head is not None
        return outcome.head

    def _arrive(self, side: Side, name: str, outcome: Outcome) -> dict[str, Any] | None:
        """Wait until a side's test asks to be timed; None where it ended without."""
        said = self.hear(side, SET_UP_LIMIT * self._limit_s)
        if said["say"] not in ("ready", "outcome") or said["benchmark"] != name:
            raise side.died(f"said {said['say']!r} rather than run {name}")
        if said["say"] == "outcome":
            _note(outcome, base=side is self.base, said=said)
            return None
        side.hold()
        return said

    def _finish(self, name: str, outcome: Outcome, sides: Sequence[Side]) -> None:
        for side in sides:
            side.release()
            side.send(do="end")
        for side in sides:
            said = self.hear(side, SET_UP_LIMIT * self._limit_s)
            if said["say"] != "outcome" or said["benchmark"] != name:
                raise side.died(f"said {said['say']!r} at the end of {name}")
            _note(outcome, base=side is self.base, said=said)

    def _find_pace(self, iterations: Sequence[int | None]) -> Pace:
        """How long a call takes is measured, on the side where it takes less, unless the other one takes far more."""
        fixed = next((one for one in iterations if one is not None), None)
        most = _MOST_REPEATS if fixed else _MOST_ITERATIONS
        self._alternate(Pace(fixed or 1, 1, 1))  # the first call is slow
        count = 1
        while True:
            started = time.monotonic()
            taken, longer = self._taken(Pace(fixed, count, 1) if fixed else Pace(count, 1, 1))
            played_s = (time.monotonic() - started) / 2
            if taken >= LEAST_S or longer >= BLOCK_S or count == most:
                break
            if fixed and played_s >= _MOST_ROUND_S:
                break  # what is done between the timings takes far longer than they do
            # too short a time tells little of how many fit
            wanted = ceil(count * TARGET_S / taken) if taken > LEAST_S / 10 else count * 10
            fitting = ceil(count * BLOCK_S / longer) if longer > LEAST_S else wanted
            count = min(most, wanted, fitting)
        pairs = max(FEWEST_PAIRS, min(MOST_PAIRS, int(BLOCK_S / (taken + longer))))
        return Pace(fixed, count, pairs) if fixed else Pace(count, 1, pairs)

    def _taken(self, pace: Pace) -> tuple[float, float]:
        """The seconds of the side that takes less, and of the other."""
        found = self._alternate(pace)
        taken, longer = sorted((found.base[-1].wall, found.head[-1].wall))
        return taken, longer

    def _alternate(self, pace: Pace) -> Measured:
        """A pair after the other, ABBA, so that a drift favours neither side."""
        rounds: dict[Side, list[Turn]] = {side: [] for side in self._sides}
        for number in range(pace.pairs):
            for side in self._order if number % 2 == 0 else self._order[::-1]:
                rounds[side].append(self._turn(side, pace))
        return Measured(tuple(rounds[self.base]), tuple(rounds[self.head]))

    def _turn(self, side: Side, pace: Pace) -> Turn:
        said = self._order_round(side, do="round", iterations=pace.iterations, repeats=pace.repeats)
        return Turn(said["wall"], said["cpu"], said["ticks"], said["switches"])

    def _memory(self, side: Side, pace: Pace) -> int | None:
        peak: int | None = self._order_round(side, do="memory", iterations=pace.iterations, repeats=pace.repeats)[
            "peak"
        ]
        return peak

    def _order_round(self, side: Side, **order: Any) -> dict[str, Any]:
        side.release()
        side.send(**order)
        said = self.hear(side, self._limit_s)
        side.hold()
        if said["say"] == "outcome":
            side.release()
            raise _Left(side, said)
        return said

    def done(self) -> tuple[dict[str, str], dict[str, str]]:
        """The modules that each side has loaded. Raises `SideFailed`."""
        found = []
        for side in self._sides:
            said = self.hear(side, START_LIMIT_S)
            if said["say"] != "done":
                raise side.died(f"said {said['say']!r} rather than end")
            found.append(said["modules"])
        return found[0], found[1]

    def quit(self) -> None:
        """End both sides as they want to end."""
        for side in self._sides:
            side.release()
            side.send(do="quit")
        for side in self._sides:
            side.end()

    def kill(self) -> None:
        """End both sides, whatever they are at."""
        for side in self._sides:
            side.kill()


class _Left(Exception):
    """A test ended in the middle of its rounds: it failed."""

    def __init__(self, side: Side, said: Mapping[str, Any]) -> None:
        super().__init__(side.label)
        self.side, self.said = side, said


def _note(outcome: Outcome, *, base: bool, said: Mapping[str, Any]) -> None:
    found = (said["outcome"], said["message"])
    if base:
        outcome.base = found
    else:
        outcome.head = found
