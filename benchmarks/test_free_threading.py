"""What a free-threaded build costs on one thread and gains on many, and what keeps its threads from scaling.

One build measures its own lines: run both studies on each, and their stored runs show the lines side by side.
"""

from __future__ import annotations

import sys
import sysconfig
from functools import partial

import pytest

from benchmarks.study import NOT_IN_TURN, point
from workloads import controls, primes, sharing
from workloads.model import WARM, How

THREADS = (1, 2, 4, 8, 16)
"""Five: no law of scaling is fitted to fewer."""
SMOKE_THREADS = (1, 2)
SHARING_THREADS = (1, 2, 4)
SPINS = {"smoke": 4, "default": 16, "full": 64, "gate": 4}
LIMITS = {"smoke": 20_000, "default": 200_000, "full": 1_000_000, "gate": 20_000}
OPERATIONS = {"smoke": 20_000, "default": 400_000, "full": 2_000_000, "gate": 20_000}
ROUNDS = {"smoke": (2, 2, 0.0), "default": (5, 10, 1.0), "full": (5, 20, 3.0), "gate": (3, 3, 0.0)}


def build() -> str:
    """``CPython 3.14t without the GIL``."""
    free = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    held = getattr(sys, "_is_gil_enabled", lambda: True)()
    version = ".".join(map(str, sys.version_info[:2]))
    return f"{sys.implementation.name} {version}{free} {'with' if held else 'without'} the GIL"


def pytest_generate_tests(metafunc):
    """So many threads as the study and the tier have."""
    if metafunc.function is test_sharing_objects:
        metafunc.parametrize("kind", sharing.KINDS)
        threads = SHARING_THREADS
    else:
        metafunc.parametrize("work", ("spin", "primes"))
        threads = THREADS
    if metafunc.config.getoption("tier") == "smoke":
        threads = SMOKE_THREADS
    metafunc.parametrize("threads", threads, ids="t{}".format)


@pytest.mark.laptime_race(**NOT_IN_TURN)
@pytest.mark.study("free_threading")
def test_free_threading(work, threads, lap, tier):
    """Computing on one thread and on more: with a GIL the line is flat; the first point is the price of a build."""
    if work == "spin":
        task = controls.Task(controls.spin, SPINS[tier])
        opened, right, items, item = controls.threads, task.items, task.items, "task"
    else:
        task = primes.Numbers(LIMITS[tier])
        opened, right, items, item = primes.threads, primes.expected(task, {}), task.limit - primes.FIRST, "number"

    def check(answer):
        assert answer == right

    title = "What does a free-threaded build cost on one thread, and gain on many?"
    line = f"{work}, {build()}"
    lap(
        open=partial(opened, task, How(threads)),
        check=check,
        lifecycle=WARM,
        rounds=ROUNDS[tier],
        group=f"free_threading {work}",
        study=point("free_threading", "scaling", title, line=line, x=threads, x_name="threads", items=items, item=item),
        workers=threads,
        tier=tier,
    )


@pytest.mark.laptime_race(**NOT_IN_TURN)
@pytest.mark.study("sharing_objects")
def test_sharing_objects(kind, threads, lap, tier):
    """Small operations on private and on shared objects: nothing may be lost."""
    operations = OPERATIONS[tier]

    def check(found):
        assert found == operations, f"{found} of {operations} operations are found in the objects"

    title = "What stops threads from scaling: private objects or shared ones?"
    line = f"{kind}, {build()}"
    lap(
        open=partial(sharing.threads, kind, operations, threads),
        check=check,
        lifecycle=WARM,
        rounds=ROUNDS[tier],
        group="sharing_objects",
        study=point(
            "sharing_objects",
            "scaling",
            title,
            line=line,
            x=threads,
            x_name="threads",
            items=operations,
            item="operation",
        ),
        workers=threads,
        tier=tier,
    )
