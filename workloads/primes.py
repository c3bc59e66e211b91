"""Find the primes in ``range(10, N)`` by trial division: nothing but computing.

A numpy sieve is the reference line: what a better algorithm buys, against more cores.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, compress, pairwise
from math import isqrt

from workloads import cluster
from workloads import interpreters as subinterpreters
from workloads.model import COLD, WARM, How, Recorded, Variant, Workload, digest

FIRST = 10
LIMITS = {"smoke": 20_000, "default": 100_000, "full": 2_500_000, "gate": 20_000}
CHUNKS_PER_WORKER = 32
"""At most so many: the last one to end then keeps the others waiting for about 1/32 of their time at most."""
CHUNK_COST = 200_000**1.5 / 8
"""No less to a chunk than this (see `chunks`), about 15 ms: handing one to a process costs 0.7 ms of CPU."""
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Numbers:
    """The work: every number from `FIRST` up to, but not including, `limit`."""

    limit: int


Answer = list[int]
"""The primes, in ascending order."""

Run = Callable[[], Answer]


# the unit of work


def is_prime(number: int) -> bool:
    """Whether a number is prime, by trial division; right for every int."""
    if number < 4:
        return number > 1
    if number % 2 == 0:
        return False
    for divisor in range(3, isqrt(number) + 1, 2):  # noqa: SIM110 (the loop is the work; all() would add to it)
        if number % divisor == 0:
            return False
    return True


def primes_in(numbers: Iterable[int]) -> Answer:
    """Those of the numbers that are prime."""
    return [number for number in numbers if is_prime(number)]


def chunks(work: Numbers, workers: int) -> list[range]:
    """The numbers in ranges of about equal cost.

    Most of the time goes into the primes, whose cost grows as √n: up to n it comes to about n^1.5.
    """
    span = max(work.limit - FIRST, 0)
    count = max(workers, min(workers * CHUNKS_PER_WORKER, round(span**1.5 / CHUNK_COST)))
    bounds = [FIRST + round(span * (number / count) ** (2 / 3)) for number in range(count + 1)]
    return [range(low, high) for low, high in pairwise(bounds) if low < high]


# the variants: one unit of work, run in different ways


@contextmanager
def sequential(work: Numbers, how: How) -> Iterator[Run]:
    """One number after the other."""
    yield lambda: primes_in(range(FIRST, work.limit))


def _over(pool: Executor, work: Numbers, how: How) -> Run:
    return lambda: list(chain.from_iterable(pool.map(primes_in, chunks(work, how.workers))))


@contextmanager
def threads(work: Numbers, how: How) -> Iterator[Run]:
    """A pool of threads, a range of numbers at a time."""
    with ThreadPoolExecutor(how.workers) as pool:
        yield _over(pool, work, how)


@contextmanager
def processes(work: Numbers, how: How) -> Iterator[Run]:
    """A pool of processes, a range of numbers at a time."""
    context = multiprocessing.get_context(how.start_method)
    with ProcessPoolExecutor(how.workers, mp_context=context) as pool:
        yield _over(pool, work, how)


@contextmanager
def interpreters(work: Numbers, how: How) -> Iterator[Run]:
    """A pool of sub-interpreters, a range of numbers at a time."""
    with subinterpreters.pool(how.workers, __name__) as pool:
        yield _over(pool, work, how)


@contextmanager
def dask(work: Numbers, how: How) -> Iterator[Run]:
    """A dask cluster, a range of numbers at a time."""
    with cluster.mapping(how) as over:
        yield lambda: list(chain.from_iterable(over(primes_in, chunks(work, how.workers))))


@contextmanager
def pool_map(work: Numbers, how: How) -> Iterator[Run]:
    """multiprocessing.Pool().map, a number at a time."""
    with multiprocessing.get_context(how.start_method).Pool(how.workers) as pool:
        numbers = range(FIRST, work.limit)
        yield lambda: list(compress(numbers, pool.map(is_prime, numbers)))
        pool.close()
        pool.join()


@contextmanager
def sieve(work: Numbers, how: How) -> Iterator[Run]:
    """Another algorithm, in numpy."""
    import numpy as np  # here, so that the spawned workers of `processes` don't pay for it

    def run() -> Answer:
        prime = np.ones(max(work.limit, 2), dtype=bool)
        prime[:2] = False
        for number in range(2, isqrt(len(prime)) + 1):
            if prime[number]:
                prime[number * number :: number] = False
        prime[:FIRST] = False
        return [int(number) for number in np.flatnonzero(prime)]

    yield run


def expected(work: Numbers, recorded: Mapping[str, Recorded]) -> Answer:
    """Found by crossing out every product: no division, and no numpy."""
    composite = bytearray(max(work.limit, 2))
    for number in range(2, isqrt(len(composite)) + 1):
        if not composite[number]:
            multiples = range(number * number, len(composite), number)
            composite[multiples.start :: number] = b"\1" * len(multiples)
    return [number for number in range(FIRST, work.limit) if not composite[number]]


def describe(answer: Answer) -> str:
    """The first and the last ten, how many, and a digest."""
    if len(answer) <= 2 * SHOWN:
        shown = ", ".join(map(str, answer))
    else:
        shown = ", ".join(map(str, answer[:SHOWN])) + ", …, " + ", ".join(map(str, answer[-SHOWN:]))
    return f"{len(answer)} primes ({shown}), digest {digest(answer)}"


PRIMES = Workload(
    name="primes",
    summary="primes by trial division: computing",
    work=lambda tier, base_url, parser: Numbers(LIMITS[tier]),
    variants=(
        Variant("sequential", sequential),
        Variant("threads", threads, lifecycles=(COLD, WARM), workers=True),
        Variant("processes", processes, lifecycles=(COLD, WARM), workers=True, start_methods=True),
        subinterpreters.variant(interpreters),
        Variant("dask", dask, lifecycles=(COLD, WARM), workers=True, cluster=True, needs=cluster.NEEDS),
        Variant("pool-map", pool_map, lifecycles=(COLD, WARM), workers=True, start_methods=True),
        Variant("sieve", sieve, reference=True),
    ),
    expected=expected,
    describe=describe,
)
