"""Sub-interpreters or processes? What each costs to start, and for a call, by what it carries; threads beside them."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest

from benchmarks.cases import DEFAULT_START_METHOD
from benchmarks.study import NOT_IN_TURN, point
from workloads import interpreters, loops
from workloads.model import COLD, WARM

pytestmark = pytest.mark.last
TITLE = "Sub-interpreters or processes?"
WORKERS = 2
POOLS = ("threads", "interpreters", "processes")
PAYLOADS = {"nothing": 0, "10kB": 10_000, "1MB": 1_000_000}
CALLS = {"smoke": 10, "default": 100, "full": 300, "gate": 10}
TASKS = {"smoke": 4, "default": 20, "full": 80, "gate": 4}
TASK_MS = 10
ROUNDS = {"smoke": (2, 2, 0.0), "default": (5, 10, 1.0), "full": (10, 30, 3.0), "gate": (3, 3, 0.0)}


@contextmanager
def _pool(name):
    if name == "threads":
        opened = ThreadPoolExecutor(WORKERS)
    elif name == "processes":
        opened = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(DEFAULT_START_METHOD))
    else:
        opened = interpreters.pool(WORKERS, loops.__name__)
    with opened as pool:
        yield pool


@contextmanager
def _opened(name, run):
    with _pool(name) as pool:
        yield partial(run, pool)


def _results(pool, function, arguments):
    return list(pool.map(function, arguments))


def _calls(pool, payload, calls):
    return [pool.submit(loops.echo, payload).result() for _ in range(calls)]


def _measure(lap, tier, pool, x, run, right, *, lifecycle=WARM, items=1, item="round"):
    if pool == "interpreters" and not interpreters.NEEDS.met():
        pytest.skip(f"sub-interpreters need {interpreters.NEEDS.what}")

    def check(answer):
        assert answer == right

    line = f"{pool}, {WORKERS} workers"
    lap(
        open=partial(_opened, pool, run),
        check=check,
        lifecycle=lifecycle,
        rounds=ROUNDS[tier],
        group=f"interpreters: {x}",
        study=point("interpreters", "compare", TITLE, line=line, x=x, x_name="what", items=items, item=item),
        workers=WORKERS,
        start_method=DEFAULT_START_METHOD if pool == "processes" else None,
        tier=tier,
    )


@pytest.mark.laptime_race(**NOT_IN_TURN)
@pytest.mark.study("interpreters")
@pytest.mark.parametrize("pool", POOLS)
def test_interpreters_start(pool, lap, tier):
    """From nothing to the first result of each worker, and closed again."""
    run = partial(_results, function=loops.echo, arguments=[b""] * WORKERS)
    _measure(lap, tier, pool, "start, first results, close", run, [0] * WORKERS, lifecycle=COLD)


@pytest.mark.laptime_race(**NOT_IN_TURN)
@pytest.mark.study("interpreters")
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("carries", PAYLOADS)
def test_interpreters_call(carries, pool, lap, tier):
    """A call that does nothing, one at a time, with what it carries there."""
    size, calls = PAYLOADS[carries], CALLS[tier]
    run = partial(_calls, payload=bytes(size), calls=calls)
    _measure(lap, tier, pool, f"a call with {carries}", run, [size] * calls, items=calls, item="call")


@pytest.mark.laptime_race(**NOT_IN_TURN)
@pytest.mark.study("interpreters")
@pytest.mark.parametrize("pool", POOLS)
def test_interpreters_compute(pool, lap, tier):
    """Computing in tasks of 10 ms: what runs at the same time."""
    count, tasks = round(loops.loops_per_ms() * TASK_MS), TASKS[tier]
    run = partial(_results, function=loops.loop, arguments=[count] * tasks)
    _measure(lap, tier, pool, f"a task of {TASK_MS} ms", run, [count] * tasks, items=tasks, item="task")
