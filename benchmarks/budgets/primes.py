"""Processes on primes, against what the two cores can do at all at that moment, and against the classroom way."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from statistics import median

from benchmarks.budgets.figures import Figure, progress
from workloads.model import How
from workloads.primes import PRIMES, Numbers, pool_map, primes_in, processes, sequential

ROUNDS = 10
HOW = How(workers=2, start_method="forkserver")
BURN = range(1_900_001, 2_300_001, 2)
"""A burn of the same work: about two seconds on one core."""


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def figures() -> Iterator[Figure]:
    """Full tier, warm pools, everything in turn in each round; medians of the rounds' ratios."""
    work: Numbers = PRIMES.work("full", "", None)
    ceilings, gains, classroom = [], [], []
    context = multiprocessing.get_context("forkserver")
    with (
        sequential(work, HOW) as one,
        processes(work, HOW) as ours,
        pool_map(work, HOW) as theirs,
        ProcessPoolExecutor(1, mp_context=context) as left,
        ProcessPoolExecutor(1, mp_context=context) as right,
    ):
        pools = (left, right)
        assert ours() == theirs() == one()
        wait([pool.submit(primes_in, range(100)) for pool in pools])
        for turn in progress(range(ROUNDS), "primes"):
            alone_s = _timed(lambda turn=turn: pools[turn % 2].submit(primes_in, BURN).result())
            ours_s = _timed(ours)
            both_s = _timed(lambda: wait([pool.submit(primes_in, BURN) for pool in pools]))
            one_s = _timed(one)
            theirs_s = _timed(theirs)
            ceilings.append(2 * alone_s / both_s)
            gains.append(one_s / ours_s)
            classroom.append(one_s / theirs_s)
    ceiling, gain = median(ceilings), median(gains)
    reached = median(gain / ceiling for gain, ceiling in zip(gains, ceilings, strict=True))
    yield Figure(f"two independent burns, speed-up (median of {ROUNDS})", f"{ceiling:.2f} ×")
    yield Figure("processes, 2 workers, warm, speed-up over sequential", f"{gain:.2f} ×")
    yield Figure(
        "processes, of that ceiling (median of the rounds' ratios)", f"{reached:.3f}", "≥ 0.93", reached >= 0.93
    )
    yield Figure("pool-map, 2 workers, warm, speed-up over sequential", f"{median(classroom):.2f} ×")
    yield Figure("processes against pool-map", f"{gain / median(classroom):.2f} ×")
