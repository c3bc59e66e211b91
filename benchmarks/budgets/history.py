"""The history: what appending, finding and comparing cost in a store of 10,000 runs of 50 benchmarks of 20 rounds.

Beside it pytest-benchmark's own storage, one file a run, doing what `--benchmark-compare` does.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.budgets import postgres
from benchmarks.budgets.figures import Figure, progress
from laptime import compare, trend
from laptime.git import Commit
from laptime.history import Fingerprint, Run, addition, from_json, select
from laptime.history.store import Store

RUNS, BENCHMARKS, ROUNDS = 10_000, 50, 20
MARKS = (1000, RUNS)
REPEATS = 15
FILES = 1000
"""Of pytest-benchmark's files: all that it bears in a few minutes."""
START = datetime(2025, 1, 1, tzinfo=UTC)
BUDGETS_MS = {"append": 100.0, "trend": 100.0, "compare": 50.0}
_PRINT = Fingerprint({"cpu": "made up"}, {"version": "3.13"}, {"requests": "2.0"}, ("requests",))


def figures() -> Iterator[Figure]:
    """SQLite, PostgreSQL where a server is given or can be started, and files."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        commits = repository(place / "repository")
        sqlite = yield from _store("SQLite", str(place / "history.db"), place, commits)
        size = (place / "history.db").stat().st_size
        yield Figure(
            "SQLite: size of the file", f"{size / 1e6:.0f} MB, {size / RUNS / BENCHMARKS:.0f} B a benchmark and run"
        )
        try:
            server = stack.enter_context(postgres.server(safe=True))
        except postgres.NoPostgres as error:
            yield Figure("PostgreSQL", f"not measured: {error}")
        else:
            yield from _store("PostgreSQL", server.url(), place, commits)
        yield from _files(place / "files", sqlite)


def _store(kind: str, url: str, place: Path, commits: list[str]) -> Iterator[Figure]:
    """Fill a store and measure it; gives the milliseconds of comparing at the first mark."""
    store = Store(url, place, create=True)
    draw = random.Random(7)
    appends: dict[int, list[float]] = {}
    compared_ms: dict[int, float] = {}
    for number in progress(range(RUNS), f"filling {kind}"):
        run = made_up(number, commits[number], draw)
        started = time.perf_counter()
        store.append(run)
        took_ms = (time.perf_counter() - started) * 1e3
        for mark in MARKS:
            if mark - 200 <= number < mark:
                appends.setdefault(mark, []).append(took_ms)
        if number + 1 in MARKS:
            compared_ms[number + 1] = _median_ms(lambda: _compare(store, place / "repository"))
    for mark in MARKS:
        yield _figure(kind, "append", f"append one run to {mark:,}", median(appends[mark]))
    name = f"benchmarks/test_made_up.py::test_one[{BENCHMARKS // 2}]"
    yield _figure(
        kind,
        "trend",
        "trend: one benchmark's series, in order of commits",
        _median_ms(lambda: _series(store, name, commits)),
    )
    for mark in MARKS:
        yield _figure(kind, "compare", f"compare two runs of {mark:,}", compared_ms[mark])
    yield Figure(f"{kind}: find `latest`", f"{_median_ms(lambda: select(store, 'latest', place)):.1f} ms")
    yield Figure(f"{kind}: list 20 runs", f"{_median_ms(lambda: store.entries(limit=20)):.1f} ms")
    started = time.perf_counter()
    (series,) = _series(store, name, commits)
    found = trend.change_points(series)
    took = time.perf_counter() - started
    yield Figure(f"{kind}: that series and its change points", f"{took:.2f} s, {len(found)} found")
    return compared_ms[MARKS[0]]


def _figure(kind: str, budget: str, what: str, took_ms: float) -> Figure:
    return Figure(
        f"{kind}: {what}", f"{took_ms:.1f} ms", f"≤ {BUDGETS_MS[budget]:.0f} ms", took_ms <= BUDGETS_MS[budget]
    )


def _median_ms(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1e3)
    return median(taken)


def _compare(store: Store, repository: Path) -> compare.Answer:
    """What `laptime compare latest~1 latest` does, but for starting Python and printing."""
    sides = [select(store, name, repository).entries for name in ("latest~1", "latest")]
    loaded = store.load([entry.no for side in sides for entry in side])
    return compare.compare(loaded[:1], loaded[1:], compare.Question())


def _series(store: Store, name: str, commits: list[str]) -> list[trend.Series]:
    points = store.series(name)
    groups = trend.grouped(store.fingerprints({point.fingerprint_no for point in points}))
    order = {commit: place for place, commit in enumerate(commits)}
    return trend.all_series(name, points, metric="wall", groups=groups, order=order)


def made_up(number: int, commit: str, draw: random.Random) -> Run:
    """The run of a commit."""
    return from_json(_document(number, commit, draw))


def _document(number: int, commit: str, draw: random.Random) -> dict[str, Any]:
    at = START + timedelta(minutes=number)
    identity = hashlib.sha256(str(number).encode()).hexdigest()[:32]
    return {
        "machine_info": {"node": "made-up", "cpu": {}},
        "commit_info": {},
        "benchmarks": [_benchmark(one, draw) for one in range(BENCHMARKS)],
        "datetime": at.isoformat(),
        "version": "5.3.1",
        "laptime": addition(identity, Commit(commit, at, "main"), _PRINT, {"host": "made-up"}, []),
    }


def _benchmark(number: int, draw: random.Random) -> dict[str, Any]:
    level = 0.01 * (number + 1) * draw.lognormvariate(0, 0.02)
    rounds = [level * draw.lognormvariate(0, 0.01) for _ in range(ROUNDS)]
    ordered = sorted(rounds)
    mean = sum(rounds) / ROUNDS
    q1, middle, q3 = ordered[ROUNDS // 4], median(rounds), ordered[3 * ROUNDS // 4]
    stats = {"min": ordered[0], "max": ordered[-1], "mean": mean, "stddev": 0.01, "rounds": ROUNDS, "median": middle}
    stats |= {"iqr": q3 - q1, "q1": q1, "q3": q3, "iqr_outliers": 0, "stddev_outliers": 0, "outliers": "0;0"}
    stats |= {"ld15iqr": ordered[0], "hd15iqr": ordered[-1], "ops": 1 / mean, "total": sum(rounds), "data": rounds}
    name = f"test_one[{number}]"
    return {
        "group": "made up",
        "name": name,
        "fullname": f"benchmarks/test_made_up.py::{name}",
        "params": {"number": number},
        "param": str(number),
        "extra_info": {"workload": "made_up", "tier": "default", "rounds": {"wall_s": rounds, "cpu_s": rounds}},
        "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": 5, "max_time": 1.0},
        "stats": {**stats, "iterations": 1},
    }


def repository(directory: Path) -> list[str]:
    """A real repository with a commit for each run; their hashes, the oldest first."""
    directory.mkdir()
    subprocess.run(("git", "init", "--quiet", "--initial-branch=main"), cwd=directory, check=True)
    stream = "".join(
        f"commit refs/heads/main\ncommitter nobody <> {1_700_000_000 + number} +0000\ndata 0\n"
        for number in range(RUNS)
    )
    subprocess.run(("git", "fast-import", "--quiet"), cwd=directory, input=stream, text=True, check=True)
    listed = subprocess.run(
        ("git", "rev-list", "--reverse", "main"), cwd=directory, text=True, check=True, capture_output=True
    )
    return listed.stdout.split()


def _files(place: Path, sqlite_ms: float) -> Iterator[Figure]:
    """What `--benchmark-compare` does at the start of a session: find and read what was saved."""
    from pytest_benchmark.logger import Logger
    from pytest_benchmark.storage.file import FileStorage

    storage = FileStorage(str(place), Logger(Logger.QUIET), default_machine_id="made-up")
    draw = random.Random(7)
    for number in progress(range(FILES), "filling pytest-benchmark's directory"):
        path = storage.get(f"{number + 1:04}_run.json")
        path.write_text(json.dumps(_document(number, f"{number:040x}", draw), indent=4))
    taken = []
    for _ in range(3):
        storage._cache.clear()
        started = time.perf_counter()
        list(storage.load())[-1:]
        taken.append((time.perf_counter() - started) * 1e3)
    took_ms = median(taken)
    shutil.rmtree(place)
    yield Figure(f"pytest-benchmark's files: --benchmark-compare among {FILES:,}", f"{took_ms / 1e3:.1f} s")
    times = took_ms / sqlite_ms
    yield Figure(f"SQLite against files at {FILES:,} runs", f"{times:.0f} × faster", "≥ 20 ×", times >= 20)
