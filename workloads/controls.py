"""Work whose speed-up is known beforehand: a pure wait, a pure computation, and nothing at all.

Where a control misses its ideal, the machine or the harness is at fault, and the figures beside it are no
better. The no-op is measured twice under two names: what differs between them is noise.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

from workloads import interpreters as subinterpreters
from workloads.model import WARM, How, Recorded, Variant, Workload

WAIT_S = 0.02
SPIN_LOOPS = 200_000
"""About 5 ms of pure Python."""
NOOP_CALLS = 500_000
ITEMS = {"smoke": 8, "default": 16, "full": 64, "gate": 1}


@dataclass(frozen=True, slots=True)
class Task:
    """The work: a unit, done `items` times."""

    unit: Callable[[int], int]
    items: int


Run = Callable[[], int]
"""Gives the number of items done."""


# the units of work: each answers 1, for one item done


def wait(item: int) -> int:
    """Wait, and do nothing else."""
    time.sleep(WAIT_S)
    return 1


def spin(item: int) -> int:
    """Compute in pure Python, and wait for nothing."""
    total = 0
    for number in range(SPIN_LOOPS):
        total += number
    return int(total > 0)


def nothing(item: int) -> int:
    """Neither."""
    return 1


# the variants: one unit of work, run in different ways


@contextmanager
def sequential(task: Task, how: How) -> Iterator[Run]:
    """One after the other."""
    yield lambda: sum(map(task.unit, range(task.items)))


def _over(pool: Executor, task: Task) -> Run:
    return lambda: sum(pool.map(task.unit, range(task.items)))


@contextmanager
def threads(task: Task, how: How) -> Iterator[Run]:
    """A pool of threads."""
    with ThreadPoolExecutor(how.workers) as pool:
        yield _over(pool, task)


@contextmanager
def processes(task: Task, how: How) -> Iterator[Run]:
    """A pool of processes."""
    context = multiprocessing.get_context(how.start_method)
    with ProcessPoolExecutor(how.workers, mp_context=context) as pool:
        yield _over(pool, task)


@contextmanager
def interpreters(task: Task, how: How) -> Iterator[Run]:
    """A pool of sub-interpreters."""
    with subinterpreters.pool(how.workers, __name__) as pool:
        yield _over(pool, task)


@contextmanager
def event_loop(task: Task, how: How) -> Iterator[Run]:
    """asyncio, at most as many waits at once as there would be workers."""

    async def run() -> int:
        places = asyncio.Semaphore(how.workers)

        async def one() -> int:
            async with places:
                await asyncio.sleep(WAIT_S)
                return 1

        return sum(await asyncio.gather(*(one() for _ in range(task.items))))

    with asyncio.Runner() as runner:
        yield lambda: runner.run(run())


def _rounds(items: int, lanes: int) -> float:
    """How much faster `lanes` at once are, where all items take the same time."""
    return items / ceil(items / lanes)


def ideal_wait(task: Task, variant: str, workers: int, cpus: float) -> float:
    """Every worker waits at the same time."""
    return _rounds(task.items, workers)


def ideal_spin(task: Task, variant: str, workers: int, cpus: float) -> float:
    """Every core computes at the same time; threads only where there is no GIL."""
    serial = variant == "threads" and getattr(sys, "_is_gil_enabled", lambda: True)()
    return 1.0 if serial else _rounds(task.items, max(1, min(workers, int(cpus))))


def ideal_same(task: Task, variant: str, workers: int, cpus: float) -> float:
    """The same work as the first."""
    return 1.0


def expected(task: Task, recorded: Mapping[str, Recorded]) -> int:
    """Every item, once."""
    return task.items


def _control(
    name: str,
    summary: str,
    work: Callable[[str, str, str | None], Task],
    variants: tuple[Variant, ...],
    ideal: Callable[[Task, str, int, float], float],
) -> Workload:
    return Workload(name, summary, work, variants, expected, describe=lambda done: f"{done} items", ideal=ideal)


_SEQUENTIAL = Variant("sequential", sequential)
_THREADS = Variant("threads", threads, lifecycles=(WARM,), workers=True)
_PROCESSES = Variant("processes", processes, lifecycles=(WARM,), workers=True, start_methods=True)
_INTERPRETERS = subinterpreters.variant(interpreters, lifecycles=(WARM,))
_ASYNCIO = Variant("asyncio", event_loop, lifecycles=(WARM,), workers=True)

WAIT = _control(
    "wait",
    "control: waits of 20 ms",
    lambda tier, base_url, parser: Task(wait, ITEMS[tier]),
    (_SEQUENTIAL, _THREADS, _PROCESSES, _INTERPRETERS, _ASYNCIO),
    ideal_wait,
)
SPIN = _control(
    "spin",
    "control: pure computing",
    lambda tier, base_url, parser: Task(spin, ITEMS[tier]),
    (_SEQUENTIAL, _THREADS, _PROCESSES, _INTERPRETERS),
    ideal_spin,
)
NOOP = _control(
    "noop",
    "control: nothing, measured twice",
    lambda tier, base_url, parser: Task(nothing, NOOP_CALLS),
    (_SEQUENTIAL, Variant("sequential-again", sequential)),
    ideal_same,
)
