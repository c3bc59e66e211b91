"""How often a gate says something wrong, and what it finds: whole runs of the trial on made blocks.

``python -m benchmarks.budgets.gate_simulation --runs 100000 --seed 1`` for another number of runs; no clock takes part.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import ceil, log1p

import numpy as np
import numpy.typing as npt

from benchmarks.budgets.figures import Figure, percentile, progress, show
from laptime.gate.decision.trial import (
    CONFIRMATION,
    IMPROVED,
    LOOKS,
    METRICS,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    VERDICTS,
    Rules,
    Trial,
)

Array = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Array]

RUNS, SEED = 100_000, 1
FEWER = 10
"""What is beside the margin, 5 % and 10 % takes so many times fewer runs: it is to be known to 0.5 %, not to 0.05 %."""
SINGLE, MULTI = 9, 3
NAMES = [*(f"single_{number}" for number in range(SINGLE)), *(f"multi_{number}" for number in range(MULTI))]
SD_SINGLE, SD_MULTI = (0.014, 0.036), (0.04, 0.05)
"""A block's standard deviation, drawn for each benchmark of each run: as measured, the same code on both sides, of work
that is pinned to one CPU, and of work on several."""
TOGETHER = 0.8
"""The correlation of wall and CPU time within a block."""
OUTLIERS, TIMES = 1 / 50, 10.0
MOST_BLOCKS = LOOKS[-1].blocks + len(LOOKS) * CONFIRMATION
BEFORE_S, KIND_S, EACH_S = 20.0, 1.5, 0.75
"""What a run takes before its first block, a block for each kind (one CPU, several), and for each benchmark."""
CHUNK = 250
MARGIN = 0.01


def _together(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal, for wall and CPU time in the last axis."""
    drawn = random.standard_normal(shape)
    drawn[..., 1] = TOGETHER * drawn[..., 0] + (1 - TOGETHER**2) ** 0.5 * drawn[..., 1]
    return drawn


def _t4(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Student's with four degrees of freedom; a block is wild by both metrics."""
    return _together(random, shape) / np.sqrt(random.chisquare(4, (*shape[:-1], 1)) / 4) / 2**0.5


def _swapped(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A skewed difference of the sides' places, whose sign is as random as their places are."""
    skewed = random.gamma(2, 1, (*shape[:-1], 1)) + 0.3 * _together(random, shape)
    signs = random.integers(0, 2, (*shape[:-1], 1)) * 2 - 1
    return np.asarray(signs * skewed / 6.09**0.5)


def _outliers(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal, and one block in 50 is ten times as far off, by both metrics."""
    wild = random.random((*shape[:-1], 1)) < OUTLIERS
    return _together(random, shape) * np.where(wild, TIMES, 1.0)


NOISES: dict[str, Noise] = {
    "normal": _together,
    "t4": _t4,
    "swapped": _swapped,
    "outliers": _outliers,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is true of the benchmarks of a run.

    noise    a name in `NOISES`
    effect   of all benchmarks, as a share; `slower`: of single ones
    rules    of all benchmarks of several CPUs; the others have the default
    noisiest the deviations are the largest there are, rather than drawn
    hurried  the time is over at a random block
    """

    noise: str
    effect: float = 0.0
    slower: Mapping[str, float] = field(default_factory=dict)
    multi: Rules = field(default_factory=Rules)
    noisiest: bool = False
    hurried: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What a run said.

    regressed, improved  benchmarks
    blocks, seconds      until its end, by `BEFORE_S`, `KIND_S` and `EACH_S`
    said                 verdict -> how many benchmarks, by the worst of their metrics
    """

    regressed: frozenset[str]
    improved: frozenset[str]
    blocks: int
    seconds: float
    said: Mapping[str, int]


def run(random: np.random.Generator, scenario: Scenario, *, words: bool = False) -> Told:
    """One whole run; `words`: also what is said of those that didn't regress, which takes twice the time."""
    shape = (MOST_BLOCKS, len(NAMES), len(METRICS))
    ranges = [SD_SINGLE] * SINGLE + [SD_MULTI] * MULTI
    deviations = np.array([most if scenario.noisiest else random.uniform(least, most) for least, most in ranges])
    effects = np.array([log1p(scenario.slower.get(name, scenario.effect)) for name in NAMES])
    made = effects[:, None] + deviations[:, None] * NOISES[scenario.noise](random, shape)
    rules = {name: scenario.multi if name.startswith("multi") else Rules() for name in NAMES}
    trial = Trial(rules)
    place = {name: number for number, name in enumerate(NAMES)}
    ends = int(random.integers(1, MOST_BLOCKS)) if scenario.hurried else None
    blocks, seconds = 0, BEFORE_S
    while names := trial.wanted():
        if ends is not None and blocks >= ends:
            if trial.confirming:
                trial.stop("there was no time left")
            else:
                trial.hurry()
                ends += int(random.integers(1, CONFIRMATION + 5))
            continue
        values = made[blocks].tolist()
        trial.add({name: dict(zip(METRICS, values[place[name]], strict=True)) for name in names})
        blocks += 1
        seconds += KIND_S * len({name.partition("_")[0] for name in names}) + EACH_S * len(names)
    convicted = trial.convicted
    said: dict[str, str] = {}
    for finding in trial.findings() if words else ():
        worst = said.get(finding.benchmark, finding.verdict)
        said[finding.benchmark] = min(finding.verdict, worst, key=VERDICTS.index)
    return Told(
        regressed=frozenset(one.benchmark for one in convicted if one.slower),
        improved=frozenset(one.benchmark for one in convicted if not one.slower),
        blocks=blocks,
        seconds=seconds,
        said=Counter(said.values()),
    )


def _chunk(seed: list[int], scenario: Scenario, words: bool) -> list[Told]:
    random = np.random.default_rng(seed)
    return [run(random, scenario, words=words) for _ in range(CHUNK)]


class Runs:
    """So many runs of a scenario on all CPUs; the same seed, the same runs, whatever their number of CPUs."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self._seed, self._scenarios = count, seed, 0
        self._pool = multiprocessing.get_context("spawn").Pool()

    def of(self, what: str, scenario: Scenario, *, fewer: int = 1, words: bool = False) -> list[Told]:
        """What they said."""
        self._scenarios += 1
        chunks = max(1, ceil(self.count / fewer / CHUNK))
        seeds = [[self._seed, self._scenarios, number] for number in range(chunks)]
        told: list[Told] = []
        given = self._pool.imap_unordered(partial(_chunk, scenario=scenario, words=words), seeds)
        for _ in progress(range(chunks), what):
            told += next(given)
        return told

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.terminate()


def figures(runs: int = RUNS, seed: int = SEED) -> Iterator[Figure]:
    """What is said wrongly where nothing is slower than its margin, what is found of what is, and how soon."""
    with Runs(runs, seed) as made:
        yield from _at_the_margin(made)
        yield from _nothing(made)
        yield from _found(made)


def _at_the_margin(made: Runs) -> Iterator[Figure]:
    scenarios = {f"all {MARGIN:.0%} slower, {name} noise": Scenario(name, MARGIN) for name in NOISES}
    scenarios["all 1% slower, t4 noise, the time over at any moment"] = Scenario("t4", MARGIN, hurried=True)
    for what, scenario in scenarios.items():
        told = made.of(what, scenario)
        yield _false(f"{what}: said regressed", [bool(one.regressed) for one in told])
    faster = Scenario("t4", 1 / (1 + MARGIN) - 1)
    what = f"all {MARGIN:.0%} faster, t4 noise"
    told = made.of(what, faster, fewer=FEWER)
    yield _false(f"{what}: said improved", [bool(one.improved) for one in told])


def _nothing(made: Runs) -> Iterator[Figure]:
    for name in NOISES:
        what = f"no effect, {name} noise"
        told = made.of(what, Scenario(name), fewer=FEWER, words=True)
        yield _false(f"{what}: said regressed", [bool(one.regressed) for one in told])
        yield _false(f"{what}: said improved", [bool(one.improved) for one in told])
        said: Counter[str] = Counter()
        for one in told:
            said.update(one.said)
        shares = ", ".join(f"{word} {said[word] / said.total():.2%}" for word in _WORDS)
        yield Figure(f"{what}: said of a benchmark", shares)
        yield Figure(f"{what}: until the end", _cost(told), "≤ 600 s", max(one.seconds for one in told) <= 600)


_WORDS = (UNCHANGED, UNRESOLVED, IMPROVED, REGRESSED)


def _found(made: Runs) -> Iterator[Figure]:
    single, multi = NAMES[0], NAMES[-1]
    lenient = Rules(margin=0.02, limit=0.1)
    for name in NOISES:
        noisiest = f"{name} noise, as noisy as can be"
        five, ten = {single: 0.05}, {multi: 0.1}
        for what, scenario in {
            f"one on one CPU 5% slower, {name} noise": Scenario(name, slower=five),
            f"one on several CPUs 10% slower, {name} noise": Scenario(name, slower=ten),
            f"one on one CPU 5% slower, {noisiest}": Scenario(name, slower=five, noisiest=True),
            f"one on several CPUs 10% slower, {noisiest}": Scenario(name, slower=ten, noisiest=True),
            f"the same, margin 2%, {noisiest}": Scenario(name, slower=ten, multi=lenient, noisiest=True),
        }.items():
            told = made.of(what, scenario, fewer=FEWER if scenario.noisiest else 1)
            yield _share(what, [scenario.slower.keys() <= one.regressed for one in told], told)
    for what, scenario in {
        "one on one CPU 20% slower": Scenario("t4", slower={single: 0.2}),
        "one on several CPUs 20% slower": Scenario("t4", slower={multi: 0.2}),
        "all 20% slower": Scenario("t4", 0.2),
    }.items():
        told = made.of(what, scenario, fewer=FEWER)
        yield _share(what, [bool(one.regressed) for one in told], told)
        seconds = percentile([one.seconds for one in told], 95)
        yield Figure(f"{what}: until certain, 95 of 100 runs", f"{seconds:.0f} s", "≤ 180 s", seconds <= 180)


def _false(what: str, wrong: list[bool]) -> Figure:
    bound = _bounds(sum(wrong), len(wrong))[1]
    measured = f"{np.mean(wrong):.3%} ({sum(wrong)} of {len(wrong):,} runs; 95 % sure: below {bound:.3%})"
    return Figure(what, measured, "≤ 1 %", bound <= 0.01)


def _share(what: str, found: list[bool], told: list[Told]) -> Figure:
    bound = _bounds(sum(found), len(found))[0]
    measured = f"{np.mean(found):.2%} found (95 % sure: above {bound:.2%}); {_cost(told)}"
    return Figure(what, measured, "≥ 95 %", bound >= 0.95)


def _bounds(count: int, of: int) -> tuple[float, float]:
    """Clopper and Pearson's, each one-sided at 95 %."""
    from scipy.stats import beta  # type: ignore[import-untyped, unused-ignore]  # a second

    low = float(beta.ppf(0.05, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.95, count + 1, of - count)) if count < of else 1.0
    return low, high


def _cost(told: list[Told]) -> str:
    blocks, seconds = [one.blocks for one in told], [one.seconds for one in told]
    return (
        f"blocks: median {percentile(blocks, 50):.0f}, 90th percentile {percentile(blocks, 90):.0f}, "
        f"most {max(blocks)}; seconds: "
        f"{percentile(seconds, 50):.0f}, {percentile(seconds, 90):.0f}, {max(seconds):.0f}"
    )


def main() -> None:
    """Print them all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets.gate_simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    options = parser.parse_args()
    show("The gate, simulated", list(figures(options.runs, options.seed)))


if __name__ == "__main__":
    main()
