"""Blocks, one after the other, until a trial is decided or the time is over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from laptime import machine
from laptime.gate.decision import growth, verdicts
from laptime.gate.decision.rounds import Outcome, Pace
from laptime.gate.decision.trial import CONFIRMATION, CPU, METRICS, Look, Trial
from laptime.gate.decision.verdicts import Cost
from laptime.gate.request import Listener, Plan
from laptime.gate.sides.cpus import stolen

_SPARE = 1.25
"""A block may take so many times as long as expected."""
_OPEN = 3
"""One in so many benchmarks is open still when most are decided, where nothing became slower."""
_IN_TICKS = "workers of a fork server ended in it, whose CPU time is known to 10 ms only"


class Measuring(Protocol):
    """What runs blocks, and knows how long they take: `laptime.gate.blocks.Blocks`, or what stands in for it."""

    paces: dict[str, Pace]
    multicore: set[str]

    def run(self, names: Sequence[str], *, share: float, memory: bool) -> dict[str, Outcome]:
        """A block of each kind; what is void is left out."""

    def seconds(self, names: Sequence[str], share: float = 1.0) -> float:
        """How long it takes."""

    def share(self, names: Sequence[str], blocks: int, available_s: float) -> float:
        """How much of each benchmark's rounds so many blocks in that time allow."""


class Judge:
    """Has blocks run, and keeps what is to be said of them beside the verdicts."""

    def __init__(
        self,
        blocks: Measuring,
        settle: Callable[[str, Outcome], bool],
        since: float,
        max_time_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Measuring began at `since` by the `clock`. `settle`: note an outcome, and whether it can be judged."""
        self._blocks = blocks
        self._clock = clock
        self._settle = settle
        self._since = since
        self._max_time_s = max_time_s
        self._deadline = since + max_time_s
        self._costs: dict[str, list[tuple[Cost, Cost]]] = {}
        self._grown: dict[str, list[tuple[float, float]]] = {}
        self._stolen_s = machine.stolen_s()
        self.first_block_at = self._clock() - since
        """Seconds after measuring began."""

    def run(self, trial: Trial, listener: Listener) -> None:
        """Until it is decided, or the time is over. Raises `GateError` where the machine is not fit."""
        announced: object = None
        while names := trial.wanted():
            if trial.confirming and trial.left() == CONFIRMATION and self._narrow(trial):
                continue
            share = self._share(trial, names)
            if (trial.confirming, trial.look) != announced:
                announced = (trial.confirming, trial.look)
                self._announce(trial, names, share, listener)
            if self._clock() + self._reserve(trial, names, share) > self._deadline:
                if trial.confirming:
                    trial.stop("there was no time left")
                else:
                    trial.hurry()
                continue
            # memory is sampled in a round of its own, once for each that is suspected
            memory = bool(trial.confirming) and trial.left() == CONFIRMATION
            self._add(trial, names, share=share, memory=memory)
            listener.step()

    def _narrow(self, trial: Trial) -> bool:
        """Whether there is no time to confirm all that is suspected: then those are that exceed by most what they may.

        One that is certain fails, where none of many would be certain in time.
        """
        suspected = trial.suspected()
        left_s = self._deadline - self._clock()
        fitting = len(suspected)
        while fitting > 1 and CONFIRMATION * self._blocks.seconds(suspected[:fitting], share=0.0) * _SPARE > left_s:
            fitting -= 1
        if fitting < len(suspected):
            trial.narrow(suspected[:fitting], f"there was time to confirm {fitting} of {len(suspected)}")
        return fitting < len(suspected)

    def _share(self, trial: Trial, names: Sequence[str]) -> float:
        """How much of each benchmark's rounds there is time for."""
        left_s = (self._deadline - self._clock()) / _SPARE
        if trial.confirming:
            return self._blocks.share(names, trial.left(), left_s)
        left_s -= self._confirmation_s(names)
        share = self._blocks.share(names, trial.ahead(), left_s)
        trial.crowded = trial.crowded or share == 0  # the least of each, then, and what time is left for the others
        return share

    def _reserve(self, trial: Trial, names: Sequence[str], share: float) -> float:
        """Seconds that must be left to go on: a suspicion that can't be confirmed in time is worth nothing."""
        block_s = self._blocks.seconds(names, share) * _SPARE
        confirms = trial.look is not None and trial.look.suspicion > 0
        return block_s if trial.confirming or not confirms else block_s + self._confirmation_s(names)

    def _confirmation_s(self, names: Sequence[str]) -> float:
        """Of one of them."""
        return CONFIRMATION * self._blocks.seconds(names[:1])

    def _announce(self, trial: Trial, names: Sequence[str], share: float, listener: Listener) -> None:
        count, blocks = len(names), trial.left()
        what = f"{'confirming' if trial.confirming else 'screening'} {count} benchmark{'s' if count > 1 else ''}"
        listener.stage(what, blocks, blocks * self._blocks.seconds(names, share))

    def _add(self, trial: Trial, names: Sequence[str], *, share: float, memory: bool) -> None:
        values: dict[str, dict[str, float]] = {}
        for name, outcome in self._blocks.run(names, share=share, memory=memory).items():
            if self._settle(name, outcome):
                values[name] = self._ratios(trial, name, outcome)
            else:
                trial.drop(name)
        trial.add(values)

    def _ratios(self, trial: Trial, name: str, outcome: Outcome) -> dict[str, float]:
        measured = outcome.measured
        assert measured is not None
        found = {metric: measured.ratio(metric) for metric in METRICS}
        if found[CPU] is None and (name, CPU) not in trial.unjudged:
            ticks = any(turn.ticks for turn in (*measured.base, *measured.head))
            trial.leave_out(name, CPU, _IN_TICKS if ticks else "it takes none")
        self._costs.setdefault(name, []).append(verdicts.cost(measured, self._blocks.paces[name]))
        grown = tuple(map(growth.within, (measured.base, measured.head)))
        if None not in grown:
            self._grown.setdefault(name, []).append(cast(tuple[float, float], grown))
        judged = (metric for metric in METRICS if (name, metric) not in trial.unjudged)
        return {metric: value for metric in judged if (value := found[metric]) is not None}

    # before

    def plan(self, names: Sequence[str], looks: Sequence[Look], sides: tuple[str, str], remarks: list[str]) -> Plan:
        """What is going to be done; `remarks` grows by what of it is to be said in the end, too."""
        multicore = self._blocks.multicore
        fewest, most = looks[len(looks) // 2].blocks, looks[-1].blocks
        some = names[: max(1, len(names) // _OPEN)]
        likely_s = (
            self.first_block_at + fewest * self._blocks.seconds(names) + (most - fewest) * self._blocks.seconds(some)
        )
        first_s = looks[0].blocks * self._blocks.seconds(names, share=0.0)
        least_s = self.first_block_at + first_s + self._confirmation_s(names)
        if least_s > self._max_time_s:
            remarks.append(
                f"{self._max_time_s:.0f} s are too few to know anything: {looks[0].blocks} blocks of each, "
                f"and one confirmation, take about {least_s:.0f} s (--max-time)"
            )
        base, head = sides
        return Plan(
            base=base,
            head=head,
            single=tuple(name for name in names if name not in multicore),
            multi=tuple(name for name in names if name in multicore),
            fewest=fewest,
            most=most,
            more=CONFIRMATION if any(look.suspicion > 0 for look in looks) else 0,
            likely_s=min(self._max_time_s, likely_s),
            at_most_s=self._max_time_s,
            remarks=tuple(remarks),
        )

    # after

    def costs(self) -> dict[str, tuple[Cost, Cost]]:
        """What a call of each benchmark took on both sides."""
        return {name: verdicts.typical(found) for name, found in self._costs.items()}

    def growing(self) -> dict[str, str]:
        """What is to be said of benchmarks whose state grows."""
        found = {name: growth.remark(*zip(*blocks, strict=True)) for name, blocks in self._grown.items()}
        return {name: said for name, said in found.items() if said is not None}

    def disturbed(self) -> list[str]:
        """What a virtual machine's host took while blocks ran."""
        now_s = machine.stolen_s()
        if self._stolen_s is None or now_s is None:
            return []
        blocks_s = self._clock() - self._since - self.first_block_at
        return stolen(now_s - self._stolen_s, of_s=blocks_s * (os.cpu_count() or 1))
