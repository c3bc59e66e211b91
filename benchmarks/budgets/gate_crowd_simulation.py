"""What a gate finds among more benchmarks than there is time for: its own judge, with a made clock and made blocks.

``python -m benchmarks.budgets gate-crowd-simulation``; a run of 200 benchmarks takes 0.2 s.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp, log1p

import numpy as np

from benchmarks.budgets.figures import Figure, percentile, progress
from benchmarks.budgets.gate_simulation import NOISES, Array
from laptime.gate.decision.pacing import Costs, shortened
from laptime.gate.decision.rounds import Measured, Outcome, Pace, Turn
from laptime.gate.decision.trial import METRICS, Rules, Trial
from laptime.gate.judge import Judge

BENCHMARKS, RUNS, SEED = 200, 200, 1
MAX_TIME_S, BEFORE_S = 600.0, 40.0
DEVIATIONS = (0.013, 0.055)
"""Of short blocks: the 5th and 95th percentile of what 200 benchmarks of 0.05 to 1 ms showed (`gate-crowd`)."""
START_S, EACH_S, ROUND_S, PAIRS = 1.5, 0.04, 0.007, 24
"""What theirs took: a block's processes, a benchmark's set-up, a round; and the pairs of rounds of a whole block."""
NOISE = "t4"
SLOWED = (1, 5, 20, 60, BENCHMARKS)
EFFECTS = (0.05, 0.10)


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many of the benchmarks are slower by `effect`, a share."""

    slowed: int
    effect: float


@dataclass(frozen=True, slots=True)
class Told:
    """How many of the slowed are said to have regressed, whether another is, and after how many seconds it ended."""

    found: int
    wrong: bool
    seconds: float


class Made:
    """Stands in for `laptime.gate.blocks.Blocks`: time passes as it did there, and the figures are drawn."""

    def __init__(self, random: np.random.Generator, crowd: Crowd) -> None:
        self._random = random
        self.names = [f"test_{number}" for number in range(BENCHMARKS)]
        self._place = {name: number for number, name in enumerate(self.names)}
        self._effects = np.zeros((BENCHMARKS, 1))
        self._effects[: crowd.slowed] = log1p(crowd.effect)
        self._deviations = random.uniform(*DEVIATIONS, (BENCHMARKS, 1))
        self.paces = dict.fromkeys(self.names, Pace(iterations=1, repeats=1, pairs=PAIRS))
        self.multicore: set[str] = set()
        self._costs = Costs(START_S, EACH_S, dict.fromkeys(self.names, ROUND_S))
        self.now_s = BEFORE_S

    def run(self, names: Sequence[str], *, share: float, memory: bool) -> dict[str, Outcome]:
        """A block, with which time passes."""
        self.now_s += self.seconds(names, share)
        drawn: Array = self._effects + self._deviations * NOISES[NOISE](self._random, (BENCHMARKS, len(METRICS)))
        return {name: _outcome(*drawn[self._place[name]]) for name in names}

    def seconds(self, names: Sequence[str], share: float = 1.0) -> float:
        """How long it takes."""
        return self._costs.block([(name, shortened(self.paces[name], share)) for name in names], 1)

    def share(self, names: Sequence[str], blocks: int, available_s: float) -> float:
        """How much of each benchmark's rounds so many blocks in that time allow."""
        return self._costs.share([(name, self.paces[name]) for name in names], 1, blocks, available_s)


def _outcome(wall: float, cpu: float) -> Outcome:
    passed = ("passed", "")
    base, head = Turn(wall=1.0, cpu=1.0, ticks=0.0, switches=0), Turn(exp(wall), exp(cpu), ticks=0.0, switches=0)
    return Outcome(Measured((base,), (head,)), passed, passed)


class _Silent:
    """A listener that says nothing."""

    def stage(self, what: str, steps: int, seconds: float | None) -> None: ...
    def step(self) -> None: ...
    def plan(self, plan: object) -> None: ...


def run(seed: Sequence[int], crowd: Crowd, max_time_s: float = MAX_TIME_S) -> Told:
    """One whole run."""
    made = Made(np.random.default_rng(list(seed)), crowd)
    trial = Trial({name: Rules() for name in made.names})
    Judge(made, lambda name, outcome: True, 0.0, max_time_s, lambda: made.now_s).run(trial, _Silent())
    slowed = set(made.names[: crowd.slowed])
    regressed = {one.benchmark for one in trial.convicted if one.slower}
    return Told(len(regressed & slowed), bool(regressed - slowed), made.now_s)


def figures(runs: int = RUNS) -> Iterator[Figure]:
    """Whether it fails where it should, by how many are slower and by how much; and where it should not."""
    wrong, count, last_s = 0, 0, 0.0
    with multiprocessing.get_context("spawn").Pool() as pool:
        for crowd in (Crowd(0, 0.0), *(Crowd(slowed, effect) for slowed in SLOWED for effect in EFFECTS)):
            what = f"{crowd.slowed} of {BENCHMARKS} slower by {crowd.effect:.0%}" if crowd.slowed else "no effect"
            seeds = [(SEED, crowd.slowed, int(crowd.effect * 100), number) for number in range(runs)]
            given = pool.imap_unordered(partial(run, crowd=crowd), seeds)
            told = [next(given) for _ in progress(range(runs), what)]
            yield _found(what, told) if crowd.slowed else _nothing(what, told)
            wrong += sum(one.wrong for one in told)
            last_s = max(last_s, *(one.seconds for one in told))
            count += runs
    yield Figure(
        "in all: one said regressed that is not slower", f"{wrong} of {count:,} runs", "≤ 1 %", wrong <= count / 100
    )
    yield Figure("in all: until the end", f"at most {last_s:.0f} s", f"≤ {MAX_TIME_S:.0f} s", last_s <= MAX_TIME_S)


def _found(what: str, told: Sequence[Told]) -> Figure:
    share = float(np.mean([one.found > 0 for one in told]))
    named = [one.found for one in told]
    measured = (
        f"{share:.1%} fail, naming {percentile(named, 50):.0f} in the median, {max(named)} at most; {_took(told)}"
    )
    return Figure(what, measured, "≥ 95 %", share >= 0.95)


def _nothing(what: str, told: Sequence[Told]) -> Figure:
    return Figure(what, f"{sum(one.wrong for one in told)} of {len(told)} runs fail; {_took(told)}")


def _took(told: Sequence[Told]) -> str:
    return f"median {percentile([one.seconds for one in told], 50):.0f} s"
