"""The ready-made ways to run a function over items, with real pools, processes, event loops and a real cluster."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from laptime.ways import Way, ways
from tests.support import HANG_LIMIT_S

ITEMS = (7, 1, 5, 3, 9)
SQUARES = [49, 1, 25, 9, 81]

POOLS = [
    *ways("threads", "processes", workers=2),
    *ways("processes", workers=2, start_methods=("fork", "spawn"), lifecycles="cold", chunk_size=2),
]
LOOPS = ways("asyncio", workers=2)


class Refused(Exception):
    """What a function of these tests raises."""


def square(number: int) -> int:
    return number * number


async def square_later(number: int) -> int:
    await asyncio.sleep(0)
    return number * number


class Square:
    """Squares when it is called and awaited."""

    async def __call__(self, number: int) -> int:
        return number * number


def refuse_five(number: int) -> int:
    if number == 5:
        raise Refused(number)
    return number


async def refuse_five_later(number: int) -> int:
    return refuse_five(number)


def worker_process(number: int) -> tuple[int, str]:
    """The id of the process, and how it was started."""
    time.sleep(0.02)
    return os.getpid(), type(multiprocessing.current_process()).__name__


def children() -> set[int | None]:
    return {process.pid for process in multiprocessing.active_children()}


# what they need


def test_interpreters_need_cpython_3_14():
    """Where they are missing, `needs` says so, and so does the attempt to run."""
    way = Way("interpreters", 2, lifecycle="cold")
    if sys.version_info >= (3, 14):
        assert way.needs() is None
        return
    assert way.needs() == "CPython 3.14 or later, which has InterpreterPoolExecutor"
    with pytest.raises(RuntimeError, match=r"^interpreters-w2-cold can't run here: it needs CPython 3\.14 or later"):
        way.open(square, ITEMS)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="CPython has sub-interpreters since 3.14")
@pytest.mark.parametrize("way", ways("interpreters", workers=2, chunk_size=2), ids=str)
def test_interpreters_answer_in_the_order_of_the_items(way):
    """Also those that are handed several items at a time."""
    with way.open(partial(pow, 2), ITEMS) as run:
        assert [run(), run()] == [[128, 2, 32, 8, 512]] * 2


# answers


@pytest.mark.parametrize("way", [Way("sequential"), *POOLS], ids=str)
def test_answers_are_in_the_order_of_the_items(way):
    """In every round."""
    with way.open(square, ITEMS) as run:
        assert [run(), run()] == [SQUARES, SQUARES]


@pytest.mark.parametrize(
    "function",
    [square_later, partial(square_later), Square(), partial(Square())],
    ids=["function", "partial function", "object", "partial object"],
)
@pytest.mark.parametrize("way", [Way("sequential"), *LOOPS], ids=str)
def test_an_async_function_is_awaited(way, function):
    """By asyncio, and one item after the other by the sequential way."""
    with way.open(function, ITEMS) as run:
        assert [run(), run()] == [SQUARES, SQUARES]


@pytest.mark.parametrize("way", [Way("sequential"), *POOLS, *LOOPS], ids=str)
def test_no_items_have_no_answers(way):
    """Whatever is opened for them."""
    with way.open(square, [], square_later) as run:
        assert run() == []


def test_each_way_takes_the_function_that_it_can_run():
    """Of a function and its async form, asyncio awaits the latter; the sequential way does where both are async."""

    async def negative(number):
        return -number

    found = {}
    for function in (square, square_later):
        for way in ways("sequential", "asyncio", workers=2, lifecycles="warm"):
            with way.open(function, ITEMS, negative) as run:
                found[way.kind, function.__name__] = run()
    negatives = [-item for item in ITEMS]
    assert found == {
        ("sequential", "square"): SQUARES,
        ("sequential", "square_later"): negatives,
        ("asyncio", "square"): negatives,
        ("asyncio", "square_later"): negatives,
    }


# functions and items that can't be run


def test_asyncio_says_that_an_async_function_is_missing():
    """Before anything is opened."""
    with pytest.raises(
        TypeError, match=r"^asyncio needs an async function: pass asynchronous=… \(square is not async\)$"
    ):
        LOOPS[0].open(square, ITEMS)


@pytest.mark.parametrize("way", ways("threads", "processes", "dask", workers=2, lifecycles="warm"), ids=str)
def test_a_pool_says_that_a_function_is_async(way):
    """Nobody would await it."""
    if way.needs():
        pytest.skip(f"it needs {way.needs()}")
    text = f"{way.kind} needs a function that is not async: pass one, and square_later as asynchronous=…"
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        way.open(square_later, ITEMS)


# errors


@pytest.mark.parametrize("way", [Way("sequential"), *POOLS, *LOOPS], ids=str)
def test_an_error_of_the_function_is_raised_as_it_is(way):
    """What was opened for it is closed."""
    processes, threads = children(), set(threading.enumerate())
    with pytest.raises(Refused) as raised, way.open(refuse_five, ITEMS, refuse_five_later) as run:
        run()
    assert (type(raised.value), raised.value.args) == (Refused, (5,))
    assert (children() - processes, set(threading.enumerate()) - threads) == (set(), set())


@pytest.mark.parametrize("way", ways("threads", "processes", "asyncio", workers=2, lifecycles="warm"), ids=str)
def test_what_is_warm_runs_on_after_an_error(way):
    """A round that raises leaves nothing to the next one."""
    items = list(ITEMS)
    with way.open(refuse_five, items, refuse_five_later) as run:
        with pytest.raises(Refused):
            run()
        items.remove(5)
        assert run() == items


def test_asyncio_cancels_what_is_at_work_at_an_error():
    """It is over before the error is raised, and nothing more is started."""
    started, ended = [], []

    async def work(number):
        started.append(number)
        if number == 1:
            raise Refused(number)
        try:
            await asyncio.sleep(HANG_LIMIT_S)
        finally:
            ended.append(number)

    with Way("asyncio", 2, lifecycle="warm").open(square, ITEMS, work) as run:
        with pytest.raises(Refused):
            run()
        assert (started, ended) == ([7, 1], [7])


# how many at once, and where


def test_asyncio_runs_as_many_at_once_as_it_has_workers():
    """It starts them in the order of the items."""
    events = []

    async def work(number):
        events.append(+number)
        await asyncio.sleep(0.01)
        events.append(-number)

    with Way("asyncio", 2, lifecycle="warm").open(square, range(1, 7), work) as run:
        run()
    assert [event for event in events if event > 0] == [1, 2, 3, 4, 5, 6]
    at_once = [sum(1 if event > 0 else -1 for event in events[: index + 1]) for index in range(len(events))]
    assert max(at_once) == 2


def test_sequential_awaits_one_after_the_other():
    """One has ended before the next one starts."""
    events = []

    async def work(number):
        events.append(+number)
        await asyncio.sleep(0)
        events.append(-number)

    with Way("sequential").open(work, (1, 2, 3)) as run:
        run()
    assert events == [1, -1, 2, -2, 3, -3]


def test_threads_run_as_many_at_once_as_there_are_workers():
    """Three meet, and there are three."""
    barrier = threading.Barrier(3, timeout=HANG_LIMIT_S)

    def meet(number):
        barrier.wait()
        return threading.get_ident()

    with Way("threads", 3, lifecycle="warm").open(meet, range(6)) as run:
        idents = set(run())
    assert (len(idents), threading.get_ident() in idents) == (3, False)


@pytest.mark.parametrize(
    ("start_method", "kind"),
    [("fork", "ForkProcess"), ("spawn", "SpawnProcess"), ("forkserver", "ForkServerProcess")],
)
def test_processes_are_started_as_the_way_says(start_method, kind):
    """No more than it has workers, none of which is this one."""
    with Way("processes", 2, start_method, "warm").open(worker_process, range(6)) as run:
        answers = run()
    pids = {pid for pid, _ in answers}
    assert {found for _, found in answers} == {kind}
    assert len(pids) <= 2
    assert os.getpid() not in pids


def test_a_chunk_of_items_is_run_by_one_process():
    """As many items as the chunk size says."""
    with Way("processes", 2, "fork", "warm", chunk_size=3).open(worker_process, range(6)) as run:
        pids = [pid for pid, _ in run()]
    assert (len(set(pids[:3])), len(set(pids[3:]))) == (1, 1)


# warm and cold


def test_processes_live_as_long_as_what_is_opened():
    """They are the same in its rounds, and others once it is opened anew."""
    way = Way("processes", 1, "fork", "warm")
    before = children()
    rounds = []
    for _ in range(2):
        with way.open(worker_process, range(2)) as run:
            rounds.append([{pid for pid, _ in run()} for _ in range(2)])
        assert children() - before == set()
    (first, again), (second, _) = rounds
    assert first == again
    assert not first & second


def test_an_event_loop_lives_as_long_as_what_is_opened():
    """It is the same in its rounds, and closed at the end."""

    async def running(number):
        return asyncio.get_running_loop()

    way = Way("asyncio", 2, lifecycle="warm")
    with way.open(square, ITEMS, running) as run:
        warm = {*run(), *run()}
    with way.open(square, ITEMS, running) as run:
        again = set(run())
    assert (len(warm), len(again), warm & again) == (1, 1, set())
    assert all(loop.is_closed() for loop in warm | again)


def test_worker_processes_import_no_more_than_they_need():
    """A module that imports this one pays for it in each cold worker."""
    code = "import sys, laptime.ways; print(sorted({'asyncio', 'distributed', 'pytest', 'numpy'} & {*sys.modules}))"
    ended = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


# dask


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a scheduler with two workers, in this process: what counts is that it runs already."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is an extra")
    options = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", **options
    ) as started:
        yield started.scheduler_address


@pytest.mark.slow
def test_dask_answers_from_a_cluster_of_its_own():
    """In two processes that have ended afterwards; an error is raised as it is, and the next round runs."""
    pytest.importorskip("distributed", reason="dask.distributed is an extra")
    before = children()
    items = list(ITEMS)
    with Way("dask", 2, lifecycle="warm").open(refuse_five, items) as run:
        assert len(children() - before) == 2
        with pytest.raises(Refused) as raised:
            run()
        items.remove(5)
        assert [run(), run()] == [items, items]
    assert raised.value.args == (5,)
    assert children() - before == set()


def test_dask_answers_from_a_running_cluster():
    """With as many of its workers as the way has, or not at all."""
    with cluster() as scheduler:
        for workers in (1, 2):
            with Way("dask", workers, lifecycle="cold", scheduler=scheduler).open(square, ITEMS) as run:
                assert [run(), run()] == [SQUARES, SQUARES]
        text = f"the cluster at {scheduler} has no workers that add up to 3 threads (it has: 1, 1): start more with"
        with (
            pytest.raises(RuntimeError, match=f"^{re.escape(text)}"),
            Way("dask", 3, lifecycle="cold", scheduler=scheduler).open(square, ITEMS),
        ):
            pass


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_cluster_of_dask_leaves_another_alone():
    """It starts without a warning where the usual port of dask's dashboard is in use."""
    pytest.importorskip("distributed", reason="dask.distributed is an extra")
    with socket.socket() as other:
        with suppress(OSError):  # something else is there: all the better
            other.bind(("127.0.0.1", 8787))
            other.listen()
        with Way("dask", 1, lifecycle="cold").open(square, ITEMS) as run:
            assert run() == SQUARES
