"""How often a race says something wrong, and what it finds: whole races with made rounds and a made clock.

The decisions are the real ones: `laptime.passes` says whom to visit and when to look, and `laptime.analysis` reads
documents as pytest-benchmark writes them. Only the loop of `laptime.plugin.passes.Race` is written anew (`run`), since
that one needs pytest's items and reads a real clock. No round is void here, and no variant runs beside the contest.

``python -m benchmarks.budgets.race --races 1000 --seed 1`` for another number of races of each kind.
"""

from __future__ import annotations

import argparse
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.budgets import speed_trace
from benchmarks.budgets.figures import ROOT, Figure, progress, show
from laptime.analysis import race as analysis
from laptime.analysis.documents import races
from laptime.passes import MOST_PASSES, RACE_S, RECORDED_PASSES, Limits, Schedule

Array = npt.NDArray[np.float64]

RACES, SEED = 300, 1
TRACES = ROOT / "docs" / "speed-traces"
ROUND_S, CANARY_S, GAP_S = 0.05, 0.01, 0.005
"""What a round of the first variant and a canary take on a machine of usual speed, and what passes between them."""
LONG_ROUND_S = 0.25
"""With twelve such variants a race is over after ten passes."""
CPU_SHARE = 0.2
"""CPU seconds of a round over its wall seconds: little enough for every gain made here to be possible."""
FIRST = "sequential"
COLD = tuple(f"cold-{number}" for number in range(5))
WARM = tuple(f"warm-{number}" for number in range(6))
NAMES = (FIRST, *COLD, *WARM)
EQUAL = (1.0,) * (len(NAMES) - 1)
ONE_FASTER = (1.3, *EQUAL[1:])
ALL_SLOWER = (0.5,) * len(EQUAL)
MIXED = (1.3, 1.3, 1.3, 1.2, 1.1, 1.05, 1.0, 1.0, 0.9, 0.7, 0.4)
"""Three are fastest, some are near them, and some leave the race at its first look."""
NOISE_SD, QUIET_SD = 0.1, 0.01
LITTLE_SD, LOUD, TIMES = 0.02, 3, 10.0
"""Where variants differ in how much they vary: so many of them vary so many times as much as the others."""
DRIFT = 0.3
"""By how much a machine becomes slower while a race lasts."""
RECORDINGS_SD, WITHIN_SD = 0.1, 0.05
"""Of what a variant gains, from recording to recording; and of its rounds of one recording."""
GRID_S = 0.01


class Machine:
    """A machine whose speed changes.

    slowness  how many times as long as usual work takes, for each `GRID_S` from 0 on
    starts_s  a race starts at a random moment up to there
    """

    def __init__(self, slowness: Array, starts_s: float = 0.0) -> None:
        self.starts_s = starts_s
        self._done: list[float] = np.concatenate([[0.0], np.cumsum(GRID_S / slowness)]).tolist()

    def end(self, start_s: float, work_s: float) -> float:
        """The moment at which work is done that is begun at `start_s`, and takes `work_s` at the usual speed."""
        place = min(int(start_s / GRID_S), len(self._done) - 2)
        before, after = self._done[place : place + 2]
        done = before + (start_s / GRID_S - place) * (after - before) + work_s
        place = min(bisect_right(self._done, done), len(self._done) - 1) - 1
        before, after = self._done[place : place + 2]
        return (place + (done - before) / (after - before)) * GRID_S


def recorded(name: str) -> Machine:
    """The machine of a recorded trace, which is played again where it ends; its median speed is the usual one."""
    moments, seconds = np.array(speed_trace.read(TRACES / f"{name}.json")).T
    grid = np.arange(0.0, moments[-1], GRID_S)
    slowness = np.interp(grid, moments, seconds / np.median(seconds))
    return Machine(np.tile(slowness, 2), starts_s=float(moments[-1]))


def _steady() -> Machine:
    return Machine(np.ones(round(3 * RACE_S / GRID_S)))


def _drifting() -> Machine:
    over = np.arange(0.0, 3, GRID_S / RACE_S)  # in lengths of a race
    return Machine(1 + DRIFT * np.minimum(over, 1.0))


def _stepping() -> Machine:
    over = np.arange(0.0, 3, GRID_S / RACE_S)
    return Machine(np.where(over < 0.5, 1.0, 1 + DRIFT))


def _none(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.zeros(shape)


def _normal(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return NOISE_SD * random.standard_normal(shape)


def _t3(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return NOISE_SD * random.standard_t(3, shape) / 3**0.5


def _quiet(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return QUIET_SD * random.standard_normal(shape)


def _unequal(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    loud = random.permutation(shape[1]) < LOUD
    return LITTLE_SD * np.where(loud, TIMES, 1.0) * random.standard_normal(shape)


def _within(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return WITHIN_SD * random.standard_normal(shape)


Noise = Callable[[np.random.Generator, tuple[int, int]], Array]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is true in a race.

    gains       over the first variant, of the other eleven; which is whose is drawn in each race
    noise       logarithms by which rounds differ, for each pass and variant
    round_s     what a round of the first variant takes on a machine of usual speed
    recordings  in each pass one of five is played, and a variant gains more in one than in another
    """

    gains: tuple[float, ...]
    machine: Machine
    noise: Noise = _none
    round_s: float = ROUND_S
    recordings: bool = False


class Outcome(NamedTuple):
    """A race, and what was true in it: gains over the first variant, the mean of logarithms over the recordings."""

    race: analysis.Race
    passes: int
    seconds: float
    truth: Mapping[str, float]

    @property
    def named(self) -> bool:
        """Whether the race names a winner."""
        return not self.race.unfit and (self.race.once.worthwhile or self.race.kept.worthwhile)

    @property
    def covered(self) -> bool:
        """Whether all intervals of gains over the first variant hold what is true."""
        gains = [(entry.gain, self.truth[entry.fullname]) for entry in self.race.entries if entry is not self.race.base]
        return all(gain is not None and gain.low <= true <= gain.high for gain, true in gains)

    @property
    def covered_all(self) -> bool:
        """Whether the intervals of all pairs do."""
        pairs = combinations(self.race.entries, 2)
        gains = [(self.race.gain(a, b), self.truth[b.fullname] / self.truth[a.fullname]) for a, b in pairs]
        return all(gain.low <= true <= gain.high for gain, true in gains)

    @property
    def wrongs_a_best(self) -> bool:
        """Whether one that is as fast as the best is shown to be slower."""
        best = max(self.truth.values())
        entries = [entry for entry in self.race.entries if self.truth[entry.fullname] == best]
        return not all(self.race.equal_to_best(entry) for entry in entries)

    @property
    def best_low(self) -> float:
        """The lower end of the interval of what the truly fastest variant gains."""
        best = max(self.truth, key=lambda name: self.truth[name])
        return next(entry.gain.low for entry in self.race.entries if entry.fullname == best and entry.gain)


def run(draw: np.random.Generator, scenario: Scenario) -> Outcome:
    """One whole race, as `laptime.plugin.passes.Race` runs it."""
    logs = np.zeros((RECORDED_PASSES, len(NAMES)))
    logs[:, 1:] = np.log(draw.permutation(scenario.gains))
    if scenario.recordings:
        logs[:, 1:] += RECORDINGS_SD * draw.standard_normal((RECORDED_PASSES, len(NAMES) - 1))
    truth = dict(zip(NAMES, np.exp(logs.mean(axis=0)).tolist(), strict=True))
    played = np.tile(logs, (MOST_PASSES // RECORDED_PASSES, 1))
    works_s = (scenario.round_s * np.exp(scenario.noise(draw, played.shape) - played)).tolist()
    began_s = now_s = float(draw.uniform(0.0, scenario.machine.starts_s))
    schedule = Schedule(NAMES, Limits(), seed=int(draw.integers(2**32)))
    shuffled = random.Random(schedule.seed)
    documents = {name: _document(name, recordings=scenario.recordings) for name in NAMES}
    canary: list[list[float]] = []
    race = None
    while schedule.running:
        seconds = []
        for name in schedule.order(canaries=2):
            work_s = CANARY_S if name is None else works_s[schedule.passes][NAMES.index(name)]
            end_s = scenario.machine.end(now_s, work_s)
            if name is None:
                seconds.append(end_s - now_s)
            else:
                _note(documents[name], schedule.passes, end_s - now_s)
            now_s = end_s + GAP_S
        canary.append(shuffled.sample(seconds, 2))
        error_rate = schedule.look(now_s - began_s)
        if error_rate is not None:
            race = _looked(documents, schedule, error_rate, canary)
            leaving = analysis.through(race, schedule.passes)
            for name in leaving.keys() & set(schedule.running):
                documents[name]["extra_info"]["race"]["left"] = leaving[name]
            schedule.drop(leaving)
        if schedule.is_over(now_s - began_s):
            schedule.drop(list(schedule.running))
    assert race is not None, "no race ends without a look"
    return Outcome(race, schedule.passes, now_s - began_s, truth)


def _document(name: str, *, recordings: bool) -> dict[str, Any]:
    """As pytest-benchmark writes it to JSON, before the first round."""
    rounds: dict[str, list[float]] = {"wall_s": [], "cpu_s": [], "race_pass": []}
    info = {
        "workload": "made",
        "position": NAMES.index(name),
        "first": name == FIRST,
        "label": name,
        "lifecycle": "warm" if name in WARM else "cold" if name in COLD else None,
        "affinity_cpus": 2,
        "cpu_quota": None,
        "parallelism": CPU_SHARE,
        "rounds": rounds | {"pass": []} if recordings else rounds,
    }
    return {"name": name, "fullname": name, "param": name, "group": "made", "extra_info": info}


def _note(document: Mapping[str, Any], number: int, wall_s: float) -> None:
    rounds = document["extra_info"]["rounds"]
    rounds["wall_s"].append(wall_s)
    rounds["cpu_s"].append(CPU_SHARE * wall_s)
    rounds["race_pass"].append(number)
    if "pass" in rounds:
        rounds["pass"].append(number % RECORDED_PASSES)


def _looked(
    documents: Mapping[str, Mapping[str, Any]], schedule: Schedule, error_rate: float, canary: list[list[float]]
) -> analysis.Race:
    """The race as a look judges it, from the rounds so far."""
    for name in schedule.running:
        documents[name]["extra_info"]["race"] = {"passes": schedule.passes, "confidence": 1 - error_rate}
    documents[FIRST]["extra_info"]["race"]["canary"] = canary
    (race,) = races(documents.values())
    return race


# figures


class Races:
    """So many races of a scenario; the same seed, the same races."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self._seed, self._scenarios = count, seed, 0

    def of(self, what: str, scenario: Scenario) -> list[Outcome]:
        """How each of them ended, in the order in which they were run."""
        self._scenarios += 1
        seeds = [[self._seed, self._scenarios, number] for number in range(self.count)]
        return [run(np.random.default_rng(seed), scenario) for seed in progress(seeds, what)]


def figures(races: int = RACES, seed: int = SEED) -> Iterator[Figure]:
    """What a race says wrongly, what it finds, how often its intervals hold, and when it ends."""
    made = Races(races, seed)
    traces = {f"trace {path.stem}": recorded(path.stem) for path in sorted(TRACES.glob("*.json"))}
    for name, machine in traces.items():
        yield from _equal(made, f"12 equal, {name}", Scenario(EQUAL, machine))
    for name, machine in traces.items():
        yield from _equal(made, f"12 equal, long rounds, {name}", Scenario(EQUAL, machine, round_s=LONG_ROUND_S))
    for name, machine in traces.items():
        yield from _faster(made, f"one 30% faster, {name}", Scenario(ONE_FASTER, machine), promised=True)
    for name, machine in traces.items():
        scenario = Scenario(ONE_FASTER, machine, round_s=LONG_ROUND_S)
        yield from _faster(made, f"one 30% faster, long rounds, {name}", scenario, promised=False)
    noise = f"{QUIET_SD:.0%} noise"
    yield from _faster(made, f"one 30% faster, {noise}", Scenario(ONE_FASTER, _steady(), _quiet), promised=True)
    yield from _fit(made, f"all half as fast, {noise}", Scenario(ALL_SLOWER, _steady(), _quiet))
    scenarios = {name: Scenario(MIXED, machine) for name, machine in traces.items()}
    unequal = f"normal noise, {LOUD} of 12 vary {TIMES:g} × as much"
    scenarios |= {
        "normal noise": Scenario(MIXED, _steady(), _normal),
        "t3 noise": Scenario(MIXED, _steady(), _t3),
        unequal: Scenario(MIXED, _steady(), _unequal),
        f"normal noise, {DRIFT:.0%} slower in the end": Scenario(MIXED, _drifting(), _normal),
        f"normal noise, {DRIFT:.0%} slower from the middle on": Scenario(MIXED, _stepping(), _normal),
        "five recordings in turn": Scenario(MIXED, _steady(), _within, recordings=True),
        "long rounds, normal noise": Scenario(MIXED, _steady(), _normal, LONG_ROUND_S),
        "long rounds, t3 noise": Scenario(MIXED, _steady(), _t3, LONG_ROUND_S),
        f"long rounds, {unequal}": Scenario(MIXED, _steady(), _unequal, LONG_ROUND_S),
        "long rounds, five recordings in turn": Scenario(MIXED, _steady(), _within, LONG_ROUND_S, recordings=True),
    }
    for name, scenario in scenarios.items():
        yield from _mixed(made, f"mixed, {name}", scenario)


def _equal(made: Races, what: str, scenario: Scenario) -> Iterator[Figure]:
    outcomes = made.of(what, scenario)
    yield _at_most(f"{what}: a winner is named", [one.named for one in outcomes], 0.01)
    yield _at_most(f"{what}: one is shown to be slower", [one.wrongs_a_best for one in outcomes], 0.05)
    yield from _intervals(what, outcomes)
    yield _ends(what, outcomes)


def _faster(made: Races, what: str, scenario: Scenario, *, promised: bool) -> Iterator[Figure]:
    outcomes = made.of(what, scenario)
    budget = 0.95 if promised else None
    yield _at_least(f"{what}: shown to be faster", [one.best_low > 1 for one in outcomes], budget)
    worthwhile = [one.best_low > analysis.WORTHWHILE for one in outcomes]
    yield _at_least(f"{what}: shown to be {analysis.WORTHWHILE - 1:.0%} faster", worthwhile, None)
    yield _at_least(f"{what}: a winner is named", [one.named for one in outcomes], budget)
    yield from _intervals(what, outcomes)
    yield _ends(what, outcomes)


def _fit(made: Races, what: str, scenario: Scenario) -> Iterator[Figure]:
    outcomes = made.of(what, scenario)
    yield _at_least(f"{what}: the race is fit", [not one.race.unfit for one in outcomes], 0.95)
    yield _ends(what, outcomes)


def _mixed(made: Races, what: str, scenario: Scenario) -> Iterator[Figure]:
    outcomes = made.of(what, scenario)
    if not scenario.recordings:  # there, but one is the best
        yield _at_most(f"{what}: one of the best is shown to be slower", [one.wrongs_a_best for one in outcomes], 0.05)
    yield from _intervals(what, outcomes)
    yield _ends(what, outcomes)


def _intervals(what: str, outcomes: Sequence[Outcome]) -> Iterator[Figure]:
    yield _at_least(f"{what}: all gains over the first hold", [one.covered for one in outcomes], 0.94)
    yield _at_least(f"{what}: all pairs hold", [one.covered_all for one in outcomes], 0.94)


def _at_most(what: str, wrong: Sequence[bool], budget: float) -> Figure:
    return Figure(what, _counted(wrong), f"≤ {budget:.0%}", sum(wrong) <= budget * len(wrong))


def _at_least(what: str, right: Sequence[bool], budget: float | None) -> Figure:
    if budget is None:
        return Figure(what, _counted(right))
    return Figure(what, _counted(right), f"≥ {budget:.0%}", sum(right) >= budget * len(right))


def _counted(found: Sequence[bool]) -> str:
    """The share, and between which two shares that of all such races lies with 95 % (Clopper and Pearson)."""
    from scipy.stats import beta  # type: ignore[import-untyped, unused-ignore]  # a second

    count, of = sum(found), len(found)
    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return f"{count / of:.1%} ({count} of {of}; 95 %: {low:.1%} … {high:.1%})"


def _ends(what: str, outcomes: Sequence[Outcome]) -> Figure:
    """When races end: most of all, with which half width of the intervals that the verdict rests on."""
    widths = [one.race.half_width for one in outcomes]
    fit = sum(not one.race.unfit for one in outcomes)
    reasons = sorted({reason.kind for one in outcomes for reason in one.race.unfit})
    return Figure(
        f"{what}: it ends",
        f"after {median(one.passes for one in outcomes):.0f} passes, {median(one.seconds for one in outcomes):.0f} s, "
        f"± {median(widths):.1%}; fit: {fit} of {len(outcomes)}{''.join(f', {reason}' for reason in reasons)}",
    )


def main() -> None:
    """Print every figure beside its budget."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets.race", description=__doc__)
    parser.add_argument("--races", type=int, default=RACES, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    options = parser.parse_args()
    show("Races, simulated", list(figures(options.races, options.seed)))


if __name__ == "__main__":
    main()
