"""How well change points are told from noise, spikes and drift: on made series, and on real runs of unchanged works."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from math import log, pi

import numpy as np
import numpy.typing as npt

from benchmarks.budgets.figures import Figure, progress
from laptime.stats.changes import changes

Array = npt.NDArray[np.float64]
Make = Callable[[np.random.Generator, int], Array]

NOISE = 0.02
"""One run's own deviation. Only drift's size beside it matters, as the search knows no scale."""
DRIFTS = (0.5, 1.0, 2.0)
"""Deviations of the drift, over the noise's."""
SPIKES, SPIKE = 0.02, 0.2
"""How many runs are wild, and by how much (mean of an exponential, of the logarithm)."""
LENGTHS = (30, 60, 100, 200, 400, 1000)
POINTS = 10_000
"""Of each kind, in series of each length."""
PLANTED = 500
STEP = 1.05
NEAR = 3
PROCESSES = 150
ROUNDS = 5
WORKS = {  # about 5 ms each
    "hashing": "hashlib.sha256(bytes(6_500_000))",
    "sorting": "sorted(str(i * 7919 % 9973) for i in range(15_000))",
    "JSON": "json.loads(json.dumps([{'number': i, 'name': str(i)} for i in range(3_600)]))",
    "matching": "re.findall(r'(\\w+)@(\\w+)', 'a few words, and someone@example at last ' * 3_000)",
    "compressing": "zlib.compress(bytes(i * i % 251 for i in range(50_000)))",
    "summing": "sum(i * i for i in range(70_000))",
    "joining": "' '.join(str(i) for i in range(32_000)).split()",
    "sleeping": "time.sleep(0.005)",
}
PROCESS = """
import hashlib, json, re, statistics, time, zlib
def work(): {work}
def timed():
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
print(statistics.median(timed() for _ in range({rounds})))
"""


def figures() -> Iterator[Figure]:
    """False changes where nothing changed, and how many planted ones are found."""
    yield from _unchanged()
    yield from _real()
    yield from _planted()
    yield _time_taken()


def _unchanged() -> Iterator[Figure]:
    random = np.random.default_rng(1)
    by_length = dict.fromkeys(LENGTHS, 0)
    for kind, make in KINDS.items():
        lengths = [length for length in LENGTHS for _ in range(POINTS // length)]
        false = 0
        for length in progress(lengths, f"unchanged: {kind}"):
            found = len(changes(np.exp(make(random, length)).tolist()))
            false += found
            by_length[length] += found
        yield _false(f"unchanged, {kind}", false, sum(lengths))
    for length, false in by_length.items():
        yield _false(f"all kinds, series of {length}", false, POINTS // length * length * len(KINDS), promised=False)
    points = sum(POINTS // length * length for length in LENGTHS) * len(KINDS)
    yield _false("unchanged, all kinds", sum(by_length.values()), points)


def _false(what: str, false: int, points: int, promised: bool = True) -> Figure:
    from scipy.stats import chi2  # type: ignore[import-untyped, unused-ignore]  # a second

    rate = 1000 * false / points
    bound = 1000 * chi2.ppf(0.95, 2 * false + 2) / 2 / points  # Poisson's, one-sided
    measured = f"{rate:.2f} false changes in 1,000 points ({false} in {points:,}; 95 % sure: below {bound:.2f})"
    return Figure(what, measured, "≤ 1", rate <= 1) if promised else Figure(what, measured)


def _noise(random: np.random.Generator, count: int) -> Array:
    """Normal noise, or Student's with four or three degrees of freedom."""
    return [_normal, _t4, _t3][random.integers(3)](random, count)


def _normal(random: np.random.Generator, count: int) -> Array:
    return NOISE * random.standard_normal(count)


def _t3(random: np.random.Generator, count: int) -> Array:
    return NOISE * random.standard_t(3, count) / 3**0.5  # of deviation NOISE too


def _t4(random: np.random.Generator, count: int) -> Array:
    return NOISE * random.standard_t(4, count) / 2**0.5


def _spiky(noise: Make) -> Make:
    def make(random: np.random.Generator, count: int) -> Array:
        return noise(random, count) + (random.random(count) < SPIKES) * random.exponential(SPIKE, count)

    return make


def _autoregressive(keep: float) -> Make:
    def make(random: np.random.Generator, count: int) -> Array:
        before = int(10 / (1 - keep))  # forgotten by the first run
        pushes = (1 - keep**2) ** 0.5 * random.standard_normal(before + count)
        drift = np.array([*accumulate(pushes, lambda last, push: keep * last + push)][before:])
        return _spiky(_noise)(random, count) + NOISE * float(random.choice(DRIFTS)) * drift

    return make


def _wave(random: np.random.Generator, count: int) -> Array:
    turns = np.arange(count) / float(random.choice([50, 100, 200, 400])) + random.random()
    return _spiky(_noise)(random, count) + NOISE * float(random.choice(DRIFTS)) * 2**0.5 * np.sin(2 * pi * turns)


def _walk(random: np.random.Generator, count: int) -> Array:
    """0.1, 0.2 or 0.4 % from run to run, so 2 to 8 % in 400 runs."""
    steps = float(random.choice([0.05, 0.1, 0.2])) * NOISE * random.standard_normal(count)
    return _spiky(_noise)(random, count) + np.cumsum(steps)


KINDS: dict[str, Make] = {
    "normal noise": _normal,
    "noise of t4": _t4,
    "noise of t3": _t3,
    "noise and spikes": _spiky(_noise),
    **{f"spikes and drift, φ {keep}": _autoregressive(keep) for keep in (0.5, 0.8, 0.9, 0.95, 0.98)},
    "spikes and a slow wave": _wave,
    "spikes and a random walk": _walk,
}


def _real() -> Iterator[Figure]:
    """Works that stay the same, in fresh processes, in turn."""
    medians: dict[str, list[float]] = {name: [] for name in WORKS}
    for _ in progress(range(PROCESSES), "real runs of unchanged works"):
        for name, work in WORKS.items():
            code = PROCESS.format(work=work, rounds=ROUNDS)
            ran = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
            medians[name].append(float(ran.stdout))
    found = {name: [change.at for change in changes(series)] for name, series in medians.items()}
    for name, series in medians.items():
        levels = [float(np.median(series[a:b])) for a, b in pairwise([0, *found[name], len(series)])]
        deviation = 1.4826 * float(np.median(np.abs(np.diff(np.log(series))))) / 2**0.5
        yield Figure(
            f"real, {name}",
            f"{len(found[name])} changes in {len(series)} runs; "
            f"{', '.join(f'{1e3 * level:.2f}' for level in levels)} ms; noise {deviation:.1%}",
        )
    yield _false("real, all works", sum(map(len, found.values())), PROCESSES * len(WORKS), promised=False)
    shared = sum(
        any(abs(at - other) <= NEAR for also, others in found.items() if also != name for other in others)
        for name, places in found.items()
        for at in places
    )
    yield Figure("of these, where another work changed too (the machine did)", str(shared))


def _planted() -> Iterator[Figure]:
    random = np.random.default_rng(2)
    for noise, promised in ((0.02, True), (0.03, False)):
        for name, make in (("normal", _normal), ("t4", _t4)):
            near = extra = known = 0
            for _ in progress(range(PLANTED), f"a step in {noise:.0%} of noise ({name})"):
                at, after = random.integers(20, 41, 2)
                logs = make(random, at + after) * noise / NOISE + log(STEP) * (np.arange(at + after) >= at)
                found = [change.at for change in changes(np.exp(logs).tolist())]
                near += any(abs(one - at) <= NEAR for one in found)
                extra += max(0, len(found) - 1)
                known += abs(_oracle(logs) - at) <= NEAR
            yield Figure(
                f"a step of 5 %, 20-40 runs on each side, noise {noise:.0%} ({name})",
                f"{near / PLANTED:.1%} of {PLANTED} found within {NEAR} runs, {extra} more besides; "
                f"who knows both levels: {known / PLANTED:.1%}",
                "≥ 95 %" if promised else "",
                near / PLANTED >= 0.95 if promised else None,
            )


def _oracle(logs: Array) -> int:
    """Where the step is for one who knows that there is one, and both levels: least squares."""
    before, after = logs**2, (logs - log(STEP)) ** 2
    return int(np.argmin(np.cumsum(np.concatenate([[0.0], before - after]))))


def _time_taken() -> Figure:
    random = np.random.default_rng(3)
    logs = _autoregressive(0.9)(random, 10_000) + 0.1 * (np.arange(10_000) // 500 % 2)
    began = time.perf_counter()
    found = len(changes(np.exp(logs).tolist()))
    taken = time.perf_counter() - began
    return Figure("10,000 points with drift and 19 steps", f"{taken:.1f} s, {found} found", "≤ 5 s", taken <= 5)
