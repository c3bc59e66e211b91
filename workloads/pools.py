"""What pools themselves cost: a pool's life, step by step, and tasks of any size to hand to one."""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from math import isqrt
from typing import Any, NamedTuple

from workloads.model import How
from workloads.primes import is_prime
from workloads.tasks import START_LIMIT_S, Semaphore, Told, begin, echo, one, spin, spin_and_tell

THREADS, PROCESSES, POOL = "threads", "processes", "pool"
"""`ThreadPoolExecutor`, `ProcessPoolExecutor`, `multiprocessing.Pool`."""
STEPS = ("start", "first result", "map", "close")
"""A pool's life, in order; see `life`."""


# right answers, and what is sent


def spun(loops: int) -> int:
    """What `spin` answers."""
    return loops * (loops - 1) // 2


def loop_s(loops: int = 100_000, times: int = 20) -> float:
    """What one loop of `spin` takes here at its fastest."""

    def once() -> float:
        started = time.perf_counter()
        spin(loops)
        return time.perf_counter() - started

    return min(once() for _ in range(times)) / loops


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

    Its answer is the number of workers that began ("start"), of tasks done, or of workers that are left ("close").

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

    start         make the pool and hand it a task for each worker, until all workers run
    first result  from workers that run to the answer to the first task
    map           so many tasks that do nothing, one at a time
    close         until no worker is left

    A worker that runs waits at a gate, so that what comes after doesn't mix with its start.
    """
    context: Any = threading if kind == THREADS else multiprocessing.get_context(how.start_method)
    born: Semaphore = context.Semaphore(0)
    gate: Semaphore = context.Semaphore(0)
    before = _living(kind)
    pools: list[_Standing] = []
    answers: list[Callable[[], int]] = []

    def start() -> int:
        pools.append(_standing(kind, how, born, gate))
        answers.extend(pools[0].submit() for _ in range(how.workers))
        for _ in range(how.workers):
            if not born.acquire(timeout=START_LIMIT_S):
                raise TimeoutError(f"{kind}, {how}: a worker didn't begin within {START_LIMIT_S:g} s")
        return how.workers

    def first_result() -> int:
        for _ in range(how.workers):
            gate.release()
        return answers[0]()

    def close() -> int:
        pools[0].close()
        return _living(kind) - before

    steps = (start, first_result, lambda: sum(pools[0].map(range(tasks))), close)
    try:
        yield dict(zip(STEPS, steps, strict=True))
    finally:
        for _ in range(how.workers):
            gate.release()
        for pool in pools:
            pool.close()


def _standing(kind: str, how: How, born: Semaphore, gate: Semaphore) -> _Standing:
    if kind == POOL:
        pool = multiprocessing.get_context(how.start_method).Pool(how.workers, begin, (born, gate))

        def end() -> None:
            pool.close()
            pool.join()

        return _Standing(lambda: pool.apply_async(one, (0,)).get, lambda work: pool.map(one, work, 1), end)
    made = executor(kind, how, begin, born, gate)
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


@contextmanager
def spinning_within(
    how: How, loops: int, tasks: int, initializer: Callable[..., object] | None, *args: object
) -> Iterator[Callable[[], list[Told]]]:
    """Tasks of so many loops in processes, each of which begins with `initializer(*args)`: it may limit itself."""
    with executor(PROCESSES, how, initializer, *args) as pool:
        yield lambda: list(pool.map(spin_and_tell, [loops] * tasks))
