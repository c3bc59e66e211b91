"""Studies of what pools cost: their life by start method, chunks, payloads, the smallest task, and which CPUs count."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import DEFAULT_START_METHOD
from benchmarks.study import point
from workloads import limits, pools
from workloads.model import WARM, How
from workloads.tasks import Told

FRESH = "fresh"
WORKERS = 2
TWO = How(WORKERS, DEFAULT_START_METHOD)
ROUNDS = {"smoke": (1, 1, 0.0), "default": (6, 15, 0.8), "full": (8, 30, 2.0), "gate": (3, 15, 0.3)}

# a pool's life, line by line: the kind of pool, the start method, whether its fork server is ended first
LIVES: dict[str, tuple[str, str | None, bool]] = {
    "threads": (pools.THREADS, None, False),
    "fork": (pools.PROCESSES, "fork", False),
    "forkserver": (pools.PROCESSES, "forkserver", False),
    "forkserver-restarted": (pools.PROCESSES, "forkserver", True),
    "spawn": (pools.PROCESSES, "spawn", False),
    "pool-forkserver": (pools.POOL, "forkserver", False),
}
LIFE_TITLES = {
    "threads": "threads",
    "fork": "fork",
    "forkserver": "forkserver, running",
    "forkserver-restarted": "forkserver, started too",
    "spawn": "spawn",
    "pool-forkserver": "multiprocessing.Pool, forkserver, running",
}
MAP_TASKS = {"smoke": 10, "default": 500, "full": 1000, "gate": 100}

# chunks: numbers that take so long each, from where, and how many
LIGHT, HEAVY = range(2, 8_194), range(10**10, 10**10 + 1_024)
CHUNKED = {
    "executor-light": (pools.PROCESSES, LIGHT, "ProcessPoolExecutor, numbers to 8,193"),
    "pool-light": (pools.POOL, LIGHT, "multiprocessing.Pool, numbers to 8,193"),
    "executor-heavy": (pools.PROCESSES, HEAVY, "ProcessPoolExecutor, numbers about 10¹⁰"),
}
CHUNKS = (1, 4, 16, 64, 256, 1024, 4096)

SIZES = {"100-B": 100, "1-kB": 1_000, "10-kB": 10_000, "100-kB": 100_000, "1-MB": 1_000_000, "10-MB": 10_000_000}


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What is sent, and how; `largest` is the greatest size that doesn't take too long, `most` a round's bytes."""

    title: str
    kind: str | None
    make: Callable[[int], object]
    largest: int = 10_000_000
    most: int = 20_000_000


_records = partial(Exchanged, make=pools.objects, largest=1_000_000, most=1_000_000)
EXCHANGED = {
    "bytes-threads": Exchanged("bytes through threads", pools.THREADS, pools.data),
    "bytes-processes": Exchanged("bytes through processes", pools.PROCESSES, pools.data),
    "bytes-pickle": Exchanged("bytes, pickled only", None, pools.data),
    "records-processes": _records("records through processes", pools.PROCESSES),
    "records-pickle": _records("records, pickled only", None),
}
MOST_EXCHANGES = 200

LOOPS = (300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000)
"""From about 10 µs to 10 ms of pure Python."""
SPUN_LOOPS, MOST_SPINS = 3_000_000, 1_000
"""A round computes for so long at most, about 0.1 s, in so many tasks."""
SPINNERS = {
    "plain": (None, False, "a plain loop"),
    "threads": (pools.THREADS, False, "threads"),
    "processes": (pools.PROCESSES, False, "processes"),
    "processes-chunked": (pools.PROCESSES, True, "processes, in about 8 chunks"),
}

ALLOWED = {"all": "all CPUs", "affinity-1": "1 CPU by affinity", "quota-1": "1 CPU by quota"}
NUMBERS_OF_WORKERS = (1, 2, 4)
SPINS = {"smoke": (4, 10_000), "default": (16, 300_000), "full": (32, 500_000), "gate": (4, 100_000)}


def pytest_generate_tests(metafunc):
    """The points of each study; a few of them in the smoke tier."""
    smoke = metafunc.config.getoption("tier") == "smoke"
    match metafunc.function.__name__:
        case "test_pools":
            lines = ("threads", "forkserver") if smoke else LIVES
            found = {f"{line}-{step.replace(' ', '-')}": (line, step) for line in lines for step in pools.STEPS}
            metafunc.parametrize(("line", "step"), found.values(), ids=found)
        case "test_chunks":
            lines, chunks = (("executor-light",), (64, 1024)) if smoke else (CHUNKED, CHUNKS)
            points = [(line, chunk) for line in lines for chunk in chunks if chunk * WORKERS <= len(CHUNKED[line][1])]
            found = {f"{line}-c{chunk}": (line, chunk) for line, chunk in points}
            metafunc.parametrize(("line", "chunk"), found.values(), ids=found)
        case "test_payload":
            lines, sizes = (tuple(EXCHANGED)[:3], ("100-B", "10-kB")) if smoke else (EXCHANGED, SIZES)
            points = [(line, size) for line in lines for size in sizes if SIZES[size] <= EXCHANGED[line].largest]
            found = {f"{line}-{size}": (line, size) for line, size in points}
            metafunc.parametrize(("line", "size"), found.values(), ids=found)
        case "test_smallest":
            lines, sizes = (tuple(SPINNERS)[:3], LOOPS[:2]) if smoke else (SPINNERS, LOOPS)
            found = {f"{line}-{loops}-loops": (line, loops) for loops in sizes for line in lines}
            metafunc.parametrize(("line", "loops"), found.values(), ids=found)
        case "test_cpus":
            numbers = NUMBERS_OF_WORKERS[:2] if smoke else NUMBERS_OF_WORKERS
            found = {f"{allowed}-w{workers}": (allowed, workers) for allowed in ALLOWED for workers in numbers}
            metafunc.parametrize(("allowed", "workers"), found.values(), ids=found)


def equals(expected: object) -> Callable[[object], None]:
    """A check: the answer must be this one."""

    def check(answer: object) -> None:
        # neither is shown: they may have 10 MB
        assert answer == expected, f"wrong answer: a {type(answer).__name__} that isn't the right one"

    return check


@pytest.mark.study("pools")
def test_pools(line, step, lap, tier):
    """One step in the life of a pool of two workers."""
    kind, method, restart = LIVES[line]
    if method is not None and method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no start method {method}")
    tasks = MAP_TASKS[tier]
    right = {"start": WORKERS, "first result": 1, "map": tasks, "close": 0}
    lap(
        open=partial(pools.step, step, kind, How(WORKERS, method), tasks, restart=restart),
        check=equals(right[step]),
        lifecycle=FRESH,
        rounds=ROUNDS[tier],
        group="pools",
        study=point(
            "pools",
            "phases",
            "What does a pool cost to start, to use and to stop?",
            line=LIFE_TITLES[line],
            x=f"map of {tasks:,}" if step == "map" else step,
            x_name=f"step in the life of a pool of {WORKERS} workers",
            items=tasks if step == "map" else 1,
            item="task" if step == "map" else "step",
        ),
        workers=WORKERS,
        start_method=method,
        tier=tier,
    )


@pytest.mark.study("chunks")
def test_chunks(line, chunk, lap, tier):
    """Which of many numbers are prime, so many at a time."""
    kind, numbers, title = CHUNKED[line]
    if tier == "smoke":
        numbers = numbers[:2_000]
    lap(
        open=partial(pools.testing, kind, TWO, numbers, chunk),
        check=equals(pools.primality(numbers)),
        lifecycle=WARM,
        rounds=ROUNDS[tier],
        group="chunks",
        study=point(
            "chunks",
            "sweep",
            "What chunk size?",
            line=title,
            x=chunk,
            x_name="numbers in a chunk",
            items=len(numbers),
            item="number",
        ),
        workers=WORKERS,
        start_method=DEFAULT_START_METHOD,
        tier=tier,
    )


@pytest.mark.study("payload")
def test_payload(line, size, lap, tier):
    """Send something of a size to one worker and get it back, one after the other."""
    how = EXCHANGED[line]
    kind, payload = how.kind, how.make(SIZES[size])
    times = max(1, min(5 if tier == "smoke" else MOST_EXCHANGES, how.most // SIZES[size]))
    processes = kind == pools.PROCESSES
    lap(
        open=partial(pools.exchanging, kind, How(1, DEFAULT_START_METHOD), payload, times),
        check=equals([payload] * times),
        lifecycle=WARM if kind else None,
        rounds=ROUNDS[tier],
        group="payload",
        study=point(
            "payload",
            "compare",
            "What does pickling cost?",
            line=how.title,
            x=size.replace("-", " "),
            x_name="size of what is sent and sent back",
            items=times,
            item="exchange",
        ),
        workers=1 if kind else None,
        start_method=DEFAULT_START_METHOD if processes else None,
        payload_bytes=SIZES[size],
        tier=tier,
    )


@pytest.fixture(scope="session")
def loop_ms():
    """What one loop takes on this machine: sizes of tasks are told in milliseconds, and are the same in loops."""
    return pools.loop_s() * 1000


@pytest.mark.study("smallest")
def test_smallest(line, loops, lap, tier, loop_ms):
    """Many tasks of one size, in a plain loop and in pools."""
    kind, chunked, title = SPINNERS[line]
    tasks = 8 if tier == "smoke" else max(2 * WORKERS, min(MOST_SPINS, SPUN_LOOPS // loops))
    lap(
        open=partial(pools.spinning, kind, TWO, loops, tasks, max(1, tasks // 8) if chunked else 1),
        check=equals([pools.spun(loops)] * tasks),
        lifecycle=WARM if kind else None,
        rounds=ROUNDS[tier],
        group="smallest",
        study=point(
            "smallest",
            "break_even",
            "What is the smallest task worth handing to a pool?",
            line=title,
            x=float(f"{loops * loop_ms:.3g}"),
            x_name="ms of computing in a task",
            items=tasks,
            item="task",
        ),
        workers=WORKERS if kind else None,
        start_method=DEFAULT_START_METHOD if kind == pools.PROCESSES else None,
        loops=loops,
        tier=tier,
    )


Limit = tuple[Callable[..., object] | None, tuple[Any, ...]]


def limit(allowed: str, group: Callable[[], Path]) -> Limit:
    """How each worker limits itself: what it calls, and with what. Raises `limits.CannotLimit`."""
    if allowed == "affinity-1":
        return limits.pin, (limits.usable()[0],)
    if allowed == "quota-1":
        return limits.join, (group(),)
    return None, ()


@pytest.fixture(scope="module")
def quota_group():
    """Gives the control group of one CPU's time; all pools share it, as they stay open from pass to pass."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(limits.quota(1, limits.hierarchy(_mounts()))))


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text()
    except OSError:
        raise limits.CannotLimit("control groups are Linux's") from None


@pytest.mark.study("cpus")
def test_cpus(allowed, workers, lap, tier, usable_cpus, quota_group):
    """Computing in processes that may use all CPUs, or one of them, or the time of one."""
    if usable_cpus < 2:
        pytest.skip(f"there is nothing to take away: {usable_cpus:g} CPU is usable")
    (tasks, loops), how = SPINS[tier], How(workers, DEFAULT_START_METHOD)
    try:
        initializer, arguments = limit(allowed, quota_group)
        affinity = 1 if allowed == "affinity-1" else len(limits.usable())
    except limits.CannotLimit as why:
        pytest.skip(str(why))

    def check(answer: list[Told]) -> None:
        assert [pools.spun(loops)] * tasks == [told.total for told in answer], "wrong answer: another total"
        if allowed == "affinity-1":
            assert {1} == {told.affinity for told in answer}, "a worker isn't pinned"
        if allowed == "quota-1":
            assert all(f"/{arguments[0].name}\n" in told.groups for told in answer), "a worker isn't limited"

    lap(
        open=partial(pools.spinning_within, how, loops, tasks, initializer, *arguments),
        check=check,
        lifecycle=WARM,
        rounds=ROUNDS[tier],
        group="cpus",
        study=point(
            "cpus",
            "compare",
            "Logical CPUs, affinity or quota: which number counts?",
            line=f"{workers} worker{'s' if workers > 1 else ''}",
            x=ALLOWED[allowed],
            x_name="what the workers may use",
            items=tasks,
            item="task",
        ),
        workers=workers,
        start_method=DEFAULT_START_METHOD,
        cpus={
            "os.cpu_count()": os.cpu_count(),
            "affinity": affinity,
            "quota": 1 if allowed == "quota-1" else None,
        },
        tier=tier,
    )
