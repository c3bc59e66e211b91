"""From which size of a task on a cluster pays: the same tasks in a plain loop, on processes and on dask."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext

import pytest

from benchmarks.cases import DEFAULT_START_METHOD
from benchmarks.study import NOT_IN_TURN, point
from workloads import cluster, loops
from workloads.model import WARM, CannotRun, How

TITLE = "How large must a task be for a cluster to pay?"
WORKERS = 2
LINES = ("plain", "processes", "dask")
SIZES_MS = (0.1, 0.3, 1, 3, 10, 30, 100)
SMOKE_SIZES_MS = (1, 10)
WORK_MS = {"smoke": 20, "default": 400, "full": 500, "gate": 20}
"""What a round computes, in as many tasks of each size; no fewer than `LEAST_TASKS`."""
LEAST_TASKS = {"smoke": 2, "default": 8, "full": 8, "gate": 2}
MOST_TASKS = 200
ROUNDS = {"smoke": (2, 2, 0.0), "default": (5, 7, 1.0), "full": (5, 7, 2.0), "gate": (3, 3, 0.0)}


@contextmanager
def _processes():
    context = multiprocessing.get_context(DEFAULT_START_METHOD)
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        yield lambda function, items: list(pool.map(function, items))


@pytest.fixture(scope="module")
def line(request, pytestconfig):
    """The name of a line and its map, opened once for all sizes: one pool is there at a time."""
    if request.param == "plain":
        yield "plain loop", lambda function, items: list(map(function, items))
    elif request.param == "processes":
        with _processes() as over:
            yield f"processes, {WORKERS} workers", over
    else:
        if not cluster.NEEDS.met():
            pytest.skip(f"it needs {cluster.NEEDS.what}")
        scheduler = pytestconfig.getoption("dask")
        try:
            with cluster.mapping(How(WORKERS, scheduler=scheduler)) as over:
                yield f"dask, {'a running' if scheduler else 'a local'} cluster, {WORKERS} workers", over
        except CannotRun as error:
            pytest.skip(str(error))


def pytest_generate_tests(metafunc):
    """So many sizes as the tier has."""
    metafunc.parametrize("line", LINES, indirect=True, scope="module")
    sizes_ms = SMOKE_SIZES_MS if metafunc.config.getoption("tier") == "smoke" else SIZES_MS
    metafunc.parametrize("size_ms", sizes_ms, ids="{}ms".format)


@pytest.mark.laptime_race(**NOT_IN_TURN)
@pytest.mark.study("dask_tasks")
def test_dask_tasks(line, size_ms, lap, tier):
    """Tasks that compute for so long, handed out one by one."""
    name, over = line
    count = max(1, round(loops.loops_per_ms() * size_ms))
    tasks = min(MOST_TASKS, max(LEAST_TASKS[tier], round(WORK_MS[tier] / size_ms)))

    def check(answer):
        assert answer == [count] * tasks

    lap(
        open=lambda: nullcontext(lambda: over(loops.loop, [count] * tasks)),
        check=check,
        lifecycle=WARM,
        rounds=ROUNDS[tier],
        group=f"dask_tasks: {size_ms} ms",
        study=point(
            "dask_tasks", "break_even", TITLE, line=name, x=size_ms, x_name="ms a task", items=tasks, item="task"
        ),
        workers=None if name == "plain loop" else WORKERS,
        cpu_elsewhere=name.startswith("dask, a running"),
        tier=tier,
    )
