"""Ready-made ways to run one function over items, for a race of your own: one after the other, by pools, by asyncio.

    @pytest.mark.parametrize("way", ways("sequential", "threads", "processes", workers=(2, 4)), ids=str)
    def test_thumbnails(race, way):
        race(way, thumbnail, PATHS, expected=SIZES)

Every way runs the same function over the same items and returns the answers in the order of the items.

Imports that only one way needs are where it needs them: worker processes and interpreters import this module, because
the test module with the function does, and the timing of a cold pool includes that.
"""

from __future__ import annotations

import inspect
import multiprocessing
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any

SEQUENTIAL, THREADS, PROCESSES, INTERPRETERS = "sequential", "threads", "processes", "interpreters"
ASYNCIO, DASK = "asyncio", "dask"
KINDS = (SEQUENTIAL, THREADS, PROCESSES, INTERPRETERS, ASYNCIO, DASK)
DEFAULT_KINDS = (SEQUENTIAL, THREADS, PROCESSES)
"""Those that run any function on every Python."""
WARM, COLD = "warm", "cold"
CONNECT_LIMIT_S = 5.0
"""A scheduler that runs answers within milliseconds."""

Run = Callable[[], list[Any]]
"""Runs the function for every item and returns the answers, in the order of the items."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a function over items; `str(way)` is its readable id: ``processes-w2-spawn-cold``.

    kind          "sequential", "threads", "processes", "interpreters", "asyncio" or "dask"
    workers       how many items are worked on at once; None: sequential
    start_method  how processes are started, as `multiprocessing` names it; None for the other kinds
    lifecycle     "warm": the pool or event loop is opened once, "cold": in each round; None: sequential
    scheduler     the address of a running dask cluster's; None: dask starts a cluster of its own
    chunk_size    how many items are handed to a process or an interpreter at a time
    """

    kind: str
    workers: int | None = None
    start_method: str | None = None
    lifecycle: str | None = None
    scheduler: str | None = None
    chunk_size: int = 1

    def __str__(self) -> str:
        parts = [self.kind]
        if self.workers is not None:
            parts.append(f"w{self.workers}")
        parts += filter(None, (self.start_method, self.lifecycle))
        if self.chunk_size != 1:
            parts.append(f"c{self.chunk_size}")
        if self.scheduler is not None:
            parts.append("cluster")
        return "-".join(parts)

    def needs(self) -> str | None:
        """What is missing here to run it, as the end of the sentence "it needs …"; None where it can run."""
        if self.kind == INTERPRETERS and find_spec("concurrent.futures.interpreter") is None:
            return "CPython 3.14 or later, which has InterpreterPoolExecutor"
        if self.kind == DASK and find_spec("distributed") is None:
            return "the package `distributed`: install the extra `laptime[dask]`"
        return None

    def open(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        asynchronous: Callable[[Any], Awaitable[Any]] | None = None,
    ) -> AbstractContextManager[Run]:
        """Enter what the way needs (a pool, an event loop); gives a call that returns the answers for all items.

        function      answers one item; processes, interpreters and dask must be able to pickle it
        items         what it is called with, one by one; must stay the same from one call to the next
        asynchronous  the same as an async function: for asyncio, and for sequential where `function` is async;
                      where it is missing, they take `function` if that is async

        The call raises what the function raises; the answers to other items are lost then.

        Raises `TypeError` where the kind can't run this function, or `items` is an iterator, which only one call could
        use, and `RuntimeError` where something is missing here (`needs`) or a running cluster has too few workers.
        """
        if isinstance(items, Iterator):
            raise TypeError(f"items={items!r} can be gone through only once: pass a list")
        if missing := self.needs():
            raise RuntimeError(f"{self} can't run here: it needs {missing}")
        is_async = _is_async(function)
        if self.kind == ASYNCIO or (self.kind == SEQUENTIAL and is_async):
            awaitable = asynchronous or (function if is_async else None)
            if awaitable is None:
                raise TypeError(
                    f"asyncio needs an async function: pass asynchronous=… ({_name(function)} is not async)"
                )
            return _event_loop(awaitable, items, self.workers)
        if is_async:
            raise TypeError(
                f"{self.kind} needs a function that is not async: pass one, and {_name(function)} as asynchronous=…"
            )
        if self.kind == SEQUENTIAL:
            return nullcontext(lambda: [function(item) for item in items])
        return _dask(self, function, items) if self.kind == DASK else _pool(self, function, items)


def ways(
    *kinds: str,
    workers: int | Iterable[int] = (2, 8),
    start_methods: str | Iterable[str] = ("forkserver",),
    lifecycles: str | Iterable[str] = (WARM, COLD),
    scheduler: str | None = None,
    chunk_size: int = 1,
) -> list[Way]:
    """Every combination that makes sense, by kind, number of workers, start method and lifecycle, in the order given.

    kinds          the first is what the others are compared with; without any: sequential, threads and processes
                   (asyncio needs an async function, and so has to be asked for)
    workers        numbers of workers; of asyncio, how many items are awaited at once
    start_methods  of processes: "fork", "spawn" or "forkserver", where the platform has them
    lifecycles     "warm": the pool or event loop is kept open, "cold": it is opened and closed in each round
    scheduler      the address of a running scheduler's for dask; without it, dask starts a cluster on this machine
    chunk_size     how many items processes and interpreters are handed at a time

    Raises `ValueError`, which names the argument and what is expected, where one can't be used.
    """
    choices = "one or several, each once, of "
    kinds = _values("kinds", kinds or DEFAULT_KINDS, KINDS.__contains__, choices + ", ".join(KINDS))
    workers = _values(
        "workers", workers, _is_count, "one or several numbers from 1 on, each once, as in workers=(2, 8)"
    )
    known = multiprocessing.get_all_start_methods()
    start_methods = _values("start_methods", start_methods, known.__contains__, choices + ", ".join(known))
    lifecycles = _values("lifecycles", lifecycles, (WARM, COLD).__contains__, choices + f"{WARM}, {COLD}")
    if not (scheduler is None or (scheduler and isinstance(scheduler, str))):
        raise ValueError(f"scheduler={scheduler!r}: expected an address, as in tcp://127.0.0.1:8786, or None")
    if not _is_count(chunk_size):
        raise ValueError(f"chunk_size={chunk_size!r}: expected a number from 1 on")
    result = []
    for kind in kinds:
        if kind == SEQUENTIAL:
            result.append(Way(kind))
            continue
        address = scheduler if kind == DASK else None
        size = chunk_size if kind in (PROCESSES, INTERPRETERS) else 1
        methods = start_methods if kind == PROCESSES else (None,)
        for count, method, lifecycle in product(workers, methods, lifecycles):
            result.append(Way(kind, count, method, lifecycle, address, size))
    return result


def _values(argument: str, given: Any, valid: Callable[[Any], bool], expected: str) -> tuple[Any, ...]:
    """The values of an argument that takes one or several."""
    several = isinstance(given, Iterable) and not isinstance(given, str)
    values = tuple(given) if several else (given,)
    if not values or not all(map(valid, values)) or len(set(values)) < len(values):
        raise ValueError(f"{argument}={values if several else given!r}: expected {expected}")
    return values


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_async(function: Callable[[Any], Any]) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _name(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


@contextmanager
def _event_loop(function: Callable[[Any], Awaitable[Any]], items: Iterable[Any], workers: int | None) -> Iterator[Run]:
    """At most as many items are awaited at once as there are workers; None: one after the other."""
    import asyncio

    async def one_by_one() -> list[Any]:
        return [await function(item) for item in items]

    async def at_once(workers: int) -> list[Any]:
        answers: dict[int, Any] = {}
        remaining = enumerate(items)

        async def worker() -> None:
            for index, item in remaining:  # all workers take from it
                answers[index] = await function(item)

        tasks = [asyncio.create_task(worker()) for _ in range(workers)]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            # else the other workers would run on into the next round of a warm loop
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        return [answers[index] for index in range(len(answers))]

    with asyncio.Runner() as runner:
        yield lambda: runner.run(one_by_one() if workers is None else at_once(workers))


@contextmanager
def _pool(way: Way, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Run]:
    with _executor(way) as pool:
        if way.kind == INTERPRETERS and way.chunk_size > 1:  # their executor ignores `chunksize`
            values = list(items)
            chunks = [values[start : start + way.chunk_size] for start in range(0, len(values), way.chunk_size)]
            yield lambda: [answer for answers in pool.map(partial(_answers, function), chunks) for answer in answers]
        else:
            yield lambda: list(pool.map(function, items, chunksize=way.chunk_size))


def _executor(way: Way) -> futures.Executor:
    if way.kind == THREADS:
        return futures.ThreadPoolExecutor(way.workers)
    if way.kind == PROCESSES:
        return futures.ProcessPoolExecutor(way.workers, multiprocessing.get_context(way.start_method))
    import sys

    # a new interpreter starts with Python's own path, on which it may not find the module of the function
    path = f"import sys; sys.path[:] = {sys.path!r}"
    executor: futures.Executor = futures.InterpreterPoolExecutor(  # type: ignore[attr-defined, unused-ignore]
        way.workers, initializer=exec, initargs=(path, {})
    )
    return executor


def _answers(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    return [function(item) for item in items]


@contextmanager
def _dask(way: Way, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Run]:
    from distributed import Client

    with ExitStack() as stack:
        address = way.scheduler or stack.enter_context(_local_cluster(way.workers or 1))
        client = stack.enter_context(Client(address, timeout=CONNECT_LIMIT_S, set_as_default=False))
        where: dict[str, Any] = {}
        if way.scheduler:
            # another worker takes over the tasks of one that is lost
            where = {"workers": _chosen(way, client.nthreads()), "allow_other_workers": True}

        def run() -> list[Any]:
            # with pure=True dask would answer the second round from memory
            tasks = client.map(function, list(items), pure=False, **where)
            try:
                return list(client.gather(tasks))
            except Exception:
                client.cancel(tasks)
                raise

        yield run


def _chosen(way: Way, threads: Mapping[str, int]) -> list[str]:
    """Addresses of workers that have as many threads as the way asks for; a worker has a task for each at a time."""
    chosen, left = [], way.workers or 1
    for address in sorted(threads, key=lambda address: (-threads[address], address)):
        if threads[address] <= left:
            chosen.append(address)
            left -= threads[address]
    if left:
        counts = ", ".join(map(str, threads.values())) or "none"
        raise RuntimeError(
            f"the cluster at {way.scheduler} has no workers that add up to {way.workers} threads (it has: {counts}): "
            "start more with `dask worker --nthreads 1`, or pass other workers=…"
        )
    return chosen


@contextmanager
def _local_cluster(workers: int) -> Iterator[str]:
    """The address of a scheduler on loopback, with workers that are processes of one thread each."""
    import logging
    import tempfile

    import dask
    from distributed import LocalCluster

    with (
        tempfile.TemporaryDirectory(prefix="dask-") as directory,
        dask.config.set({"temporary-directory": directory}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            # its server starts all the same, and warns where another cluster has the usual port
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            worker_dashboard_address=None,
            silence_logs=logging.ERROR,
        ) as cluster,
    ):
        yield cluster.scheduler_address
