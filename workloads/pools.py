"""What pools themselves cost: a pool's life, step by step, and tasks of any size to hand to one.

A worker process imports this module, so it imports little.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from math import isqrt
from typing import Any, NamedTuple, Protocol

from workloads.model import How
from workloads.primes import is_prime

THREADS, PROCESSES, POOL = "threads", "processes", "pool"
"""`ThreadPoolExecutor`, `ProcessPoolExecutor`, `multiprocessing.Pool`."""
START_LIMIT_S = 60.0
"""How long a worker may take to start: only one that never will takes so long."""
STEPS = ("first worker", "other workers", "first result", "map", "close")
"""A pool's life, in order; see `life`."""


# tasks


def one(number: int) -> int:
    """Nothing, once."""
    return 1


def spin(loops: int) -> int:
    """Compute: the sum of all numbers below `loops`, one after the other."""
    total = 0
    for number in range(loops):
        total += number
    return total


def spun(loops: int) -> int:
    """What `spin` answers."""
    return loops * (loops - 1) // 2


def loop_s(loops: int = 100_000, times: int = 20) -> float:
    """What one loop of `spin` takes here at its fastest."""
    return min(_spin_s(loops) for _ in range(times)) / loops


def _spin_s(loops: int) -> float:
    started = time.perf_counter()
    spin(loops)
    return time.perf_counter() - started


def echo(payload: object) -> object:
    """What was sent."""
    return payload


def data(size: int) -> bytes:
    """That many bytes."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def objects(size: int) -> list[dict[str, object]]:
    """Records, as many as are about `size` bytes when pickled; at least one."""

    def record(number: int) -> dict[str, object]:
        return {"id": number, "title": f"story {number}", "score": number / 7, "tags": ["a", f"tag{number}"]}

    some = [record(number) for number in range(100)]
    return [record(number) for number in range(max(1, round(size * len(some) / len(pickle.dumps(some)))))]


def primality(numbers: range) -> list[bool]:
    """What `is_prime` says of each of successive numbers, found by crossing out multiples; for numbers from 2 on."""
    prime = bytearray(b"\1") * len(numbers)
    for divisor in range(2, isqrt(numbers[-1]) + 1):
        first = max(divisor * divisor, -(-numbers[0] // divisor) * divisor) - numbers[0]
        if first < len(prime):
            prime[first::divisor] = bytes(len(range(first, len(prime), divisor)))
    return [bool(one) for one in prime]


# warm pools


def executor(kind: str, how: How, initializer: Callable[..., object] | None = None, *args: object) -> Executor:
    """A `ThreadPoolExecutor` or a `ProcessPoolExecutor`."""
    first: dict[str, Any] = {"initializer": initializer, "initargs": args}
    if kind == THREADS:
        return ThreadPoolExecutor(how.workers, **first)
    return ProcessPoolExecutor(how.workers, mp_context=multiprocessing.get_context(how.start_method), **first)


@contextmanager
def testing(kind: str, how: How, numbers: range, chunk: int) -> Iterator[Callable[[], list[bool]]]:
    """Which of the numbers are prime, `chunk` numbers at a time."""
    if kind == POOL:
        with multiprocessing.get_context(how.start_method).Pool(how.workers) as pool:
            yield lambda: pool.map(is_prime, numbers, chunk)
            pool.close()
            pool.join()
        return
    with executor(kind, how) as executing:
        yield lambda: list(executing.map(is_prime, numbers, chunksize=chunk))


@contextmanager
def spinning(kind: str | None, how: How, loops: int, tasks: int, chunk: int = 1) -> Iterator[Callable[[], list[int]]]:
    """As many tasks of so many loops; in a plain loop where `kind` is None."""
    work = [loops] * tasks
    if kind is None:
        yield lambda: [spin(one) for one in work]
        return
    with executor(kind, how) as pool:
        yield lambda: list(pool.map(spin, work, chunksize=chunk))


@contextmanager
def exchanging(kind: str | None, how: How, payload: object, times: int) -> Iterator[Callable[[], list[object]]]:
    """Send something to a worker and get it back, again and again; where `kind` is None, only pickle it each way."""
    if kind is None:

        def there_and_back() -> object:
            return pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(payload))))

        yield lambda: [there_and_back() for _ in range(times)]
        return
    with executor(kind, how) as pool:
        yield lambda: [pool.submit(echo, payload).result() for _ in range(times)]


# a pool's life


class _Gate(Protocol):
    """A semaphore, of threads or of processes."""

    def acquire(self, *, timeout: float) -> bool: ...

    def release(self) -> None: ...


class _Standing(NamedTuple):
    """What is asked of a pool of any kind.

    submit  hands one task over; the result waits for its answer
    map     the answers to tasks, each handed over by itself
    close   returns once the workers have ended
    """

    submit: Callable[[], Callable[[], int]]
    map: Callable[[Sequence[int]], list[int]]
    close: Callable[[], object]


@contextmanager
def step(name: str, kind: str, how: How, tasks: int, *, restart: bool = False) -> Iterator[Callable[[], int]]:
    """One of the `STEPS` of a pool's life, as a call; those before it are done when it is given, the others after it.

    Its answer is the number of workers that began, of tasks done, or, of "close", of workers that are left.

    restart  end the fork server first, if there is one, so that this pool starts one
    """
    if restart:
        stop_fork_server()
    with life(kind, how, tasks) as steps:
        for now, do in steps.items():
            if now == name:
                yield do
            else:
                do()


@contextmanager
def life(kind: str, how: How, tasks: int) -> Iterator[dict[str, Callable[[], int]]]:
    """A pool's `STEPS`: to be taken in order, each once.

    first worker   make the pool and hand it a task, until a worker runs (under fork, the others start with it)
    other workers  hand it a task for each of the others, until they run
    first result   from a worker that runs to the answer to its first task
    map            so many tasks that do nothing, one at a time
    close          until no worker is left

    A worker that runs waits at a gate, so that what comes after doesn't mix with the start of others.
    """
    context: Any = threading if kind == THREADS else multiprocessing.get_context(how.start_method)
    born: _Gate = context.Semaphore(0)
    gate: _Gate = context.Semaphore(0)
    before = _living(kind)
    pools: list[_Standing] = []
    answers: list[Callable[[], int]] = []

    def begin(count: int) -> int:
        answers.extend(pools[0].submit() for _ in range(count))
        for _ in range(count):
            if not born.acquire(timeout=START_LIMIT_S):
                raise TimeoutError(f"{kind}, {how}: no worker began within {START_LIMIT_S:g} s")
        return count

    def first_worker() -> int:
        pools.append(_standing(kind, how, born, gate))
        return begin(1)

    def first_result() -> int:
        for _ in range(how.workers):
            gate.release()
        return answers[0]()

    def close() -> int:
        pools[0].close()
        return _living(kind) - before

    steps = (first_worker, lambda: begin(how.workers - 1), first_result, lambda: sum(pools[0].map(range(tasks))), close)
    try:
        yield dict(zip(STEPS, steps, strict=True))
    finally:
        for _ in range(how.workers):
            gate.release()
        for pool in pools:
            pool.close()


def _begin(born: _Gate, gate: _Gate) -> None:
    """A worker's first act: say that it runs, and wait."""
    born.release()
    gate.acquire(timeout=START_LIMIT_S)


def _standing(kind: str, how: How, born: _Gate, gate: _Gate) -> _Standing:
    if kind == POOL:
        pool = multiprocessing.get_context(how.start_method).Pool(how.workers, _begin, (born, gate))

        def end() -> None:
            pool.close()
            pool.join()

        return _Standing(lambda: pool.apply_async(one, (0,)).get, lambda work: pool.map(one, work, 1), end)
    made = executor(kind, how, _begin, born, gate)
    return _Standing(lambda: made.submit(one, 0).result, lambda work: list(made.map(one, work)), made.shutdown)


def _living(kind: str) -> int:
    """Workers of this process."""
    return threading.active_count() if kind == THREADS else len(multiprocessing.active_children())


def stop_fork_server() -> None:
    """End the fork server, if one runs; the next worker that is started by it starts another.

    There is no public way. Workers that it started live on.
    """
    server: Any = multiprocessing.forkserver
    server._forkserver._stop()


# several CPUs, or not


class Told(NamedTuple):
    """What a worker knows of what it may use.

    total     the answer to its task
    affinity  the CPUs that it may run on
    groups    its control groups, as the system lists them; empty where there are none
    """

    total: int
    affinity: int
    groups: str


def spin_and_tell(loops: int) -> Told:
    """Compute, and tell."""
    from pathlib import Path  # here: of all workers only these need it

    groups = Path("/proc/self/cgroup")
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Told(spin(loops), affinity, groups.read_text() if groups.exists() else "")


@contextmanager
def spinning_within(
    how: How, loops: int, tasks: int, initializer: Callable[..., object] | None, *args: object
) -> Iterator[Callable[[], list[Told]]]:
    """Tasks of so many loops in processes, each of which begins with `initializer(*args)`: it may limit itself."""
    with executor(PROCESSES, how, initializer, *args) as pool:
        yield lambda: list(pool.map(spin_and_tell, [loops] * tasks))
