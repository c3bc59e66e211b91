"""Races really run: whether each gives a verdict, the same one each time, and how its figures scatter from run to run.

Each figure is of whole sessions of pytest, read as `laptime race FILE --format json` gives them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import combinations
from math import log
from pathlib import Path
from statistics import median, stdev
from typing import Any

from benchmarks.budgets.figures import ROOT, Figure, progress
from benchmarks.cases import SETTINGS

RUNS = 10
BURNED = 3
"""Runs of each workload beside which others begin to compute."""
VERDICTS = 0.95
RUN_S = 120.0
SCATTER = {"hn_items": 0.03, "quotes": 0.03, "primes": 0.06}
"""The most that the speed-up of what could be taken may vary (SD), of each workload."""
STARTUP_S = 4.0
"""From the start of a session to the first round of its race, about."""
BURNER = """
import sys, time
after_s, for_s = map(float, sys.argv[1:])
time.sleep(after_s)
ends = time.monotonic() + for_s
while time.monotonic() < ends:
    pass
"""
RACE_S = SETTINGS["default"].seconds
BURNS_S = 4 * RACE_S
EQUAL = """
from laptime.ways import Way
import pytest

# named as pools of workers, and all run one item after the other
WAYS = [Way("sequential"), *(Way("sequential", workers) for workers in range(2, 13))]

def spin(loops):
    total = 0
    for number in range(loops):
        total += number
    return total

@pytest.mark.parametrize("way", WAYS, ids=str)
def test_equal(race, way):
    race(way, spin, [200_000] * 4)
"""

TAKES = {"take_once": "for one run", "take_kept": "with pools kept"}

Found = Mapping[str, Any]
"""A race, as its JSON gives it."""


def default() -> Iterator[Figure]:
    """The default tier, run again and again."""
    seconds, by_workload = [], defaultdict(list)
    for _ in progress(range(RUNS), f"{RUNS} runs of the default tier"):
        started = time.monotonic()
        for race in _races(ROOT):
            by_workload[race["race"]].append(race)
        seconds.append(time.monotonic() - started)
    several = [race for found in by_workload.values() for race in found]
    yield Figure(
        "a run takes, with its start",
        f"{min(seconds):.0f} … {max(seconds):.0f} s, median {median(seconds):.0f} s",
        f"≤ {RUN_S:.0f} s",
        max(seconds) <= RUN_S,
    )
    fit = sum(race["fit"] for race in several)
    reasons = sorted({reason for race in several for reason in race["why"]})
    yield Figure(
        f"races with a verdict, of {len(several)}",
        f"{fit}{''.join(f'; {reason}' for reason in reasons)}",
        f"≥ {VERDICTS:.0%}",
        fit >= VERDICTS * len(several),
    )
    for workload, found in by_workload.items():
        yield from _same(workload, [race for race in found if race["fit"]])
        yield from _scatter(workload, found)


def equal() -> Iterator[Figure]:
    """Twelve ways that do the same."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "test_equal.py").write_text(EQUAL, encoding="utf-8")
        found = [race for _ in progress(range(RUNS), "races of twelve equal ways") for race in _races(Path(directory))]
    named = [race for race in found if race["fit"] and _named(race) != {race["first"]}]
    fit = sum(race["fit"] for race in found)
    yield Figure(f"12 equal ways: a winner is named, of {len(found)} races", f"{len(named)}", "0", not named)
    yield Figure("12 equal ways: races with a verdict (that none gains)", f"{fit}")
    widths = [race["half_width"] for race in found if race["half_width"] is not None]
    yield Figure("12 equal ways: half width of the intervals", f"± {min(widths):.1%} … {max(widths):.1%}")


def burner() -> Iterator[Figure]:
    """Races beside which a process begins to compute on each CPU when they are half over."""
    for workload in ("primes", "quotes"):
        (quiet,) = _races(ROOT, "-k", workload)
        found = []
        for _ in progress(range(BURNED), f"{workload} beside a burner"):
            with _burning(STARTUP_S + RACE_S / 2):
                found += _races(ROOT, "-k", workload)
        wrong = [race for race in found if race["fit"] and not _overlap([race, quiet])]
        yield Figure(f"{workload}, without a burner", _said(quiet))
        for race in found:
            yield Figure(f"{workload}, a burner on each CPU from the middle on", _said(race))
        met = quiet["fit"] and not wrong  # without a verdict there is nothing to compare with
        yield Figure(f"{workload}: others named than without, of {BURNED}", f"{len(wrong)}", "0", met)
        if workload == "primes":
            yield _no_threads(found)


def _races(directory: Path, *arguments: str) -> list[Found]:
    """Those of one session there."""
    with tempfile.TemporaryDirectory() as written:
        path = Path(written, "benchmarks.json")
        command = [sys.executable, "-m", "pytest", "--benchmark-only", "--no-history", "-p", "no:cacheprovider"]
        command += [f"--benchmark-json={path}", *arguments]
        ended = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
        command = [sys.executable, "-m", "laptime.cli", "race", str(path), "--format", "json"]
        found: list[Found] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["races"]
        return found


@contextmanager
def _burning(after_s: float) -> Iterator[None]:
    """Processes that compute on each CPU, from so many seconds on."""
    command = [sys.executable, "-c", BURNER, str(after_s), str(BURNS_S)]
    with ExitStack() as stack:
        for cpu in sorted(os.sched_getaffinity(0)):
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.kill)
            os.sched_setaffinity(process.pid, {cpu})
        yield


def _named(race: Found) -> set[str]:
    return {*race["take_once"], *race["take_kept"]}


def _overlap(races: Sequence[Found], keys: Iterable[str] = TAKES) -> bool:
    """Whether any two of them name one in common, under each key."""
    return all({*one[key]} & {*other[key]} for key in keys for one, other in combinations(races, 2))


def _said(race: Found) -> str:
    if not race["fit"]:
        return f"no verdict: {' '.join(race['why'])}"
    return f"once {', '.join(race['take_once'])}; kept {', '.join(race['take_kept'])}"


def _same(workload: str, fit: Sequence[Found]) -> Iterator[Figure]:
    """Whether all races name the same, or sets that overlap."""
    for key, what in TAKES.items():
        sets = [frozenset(race[key]) for race in fit]
        counts = {one: sets.count(one) for one in sets}
        said = "; ".join(
            f"{count} × {', '.join(sorted(one))}" for one, count in sorted(counts.items(), key=lambda item: -item[1])
        )
        yield Figure(f"{workload}, {what}: the equals", said, "all overlap", len(fit) > 1 and _overlap(fit, (key,)))
    if workload == "primes":
        yield _no_threads(fit)


def _no_threads(races: Sequence[Found]) -> Figure:
    named = [name for race in races for name in _named(race) if name.startswith("thread")]
    return Figure("primes: threads are named", f"{len(named)} times", "never", not named)


def _scatter(workload: str, races: Sequence[Found]) -> Iterator[Figure]:
    """How a speed-up varies from race to race: of what any of them could take, and of the others."""
    could = {name for race in races for name in _named(race)}
    logs: dict[str, list[float]] = defaultdict(list)
    for race in races:
        for variant in race["variants"]:
            logs[variant["name"]].append(log(variant["speedup"]))
    scatter = {name: stdev(values) for name, values in logs.items() if name != races[0]["first"]}
    for what, names in (("what could be taken", could), ("the others", scatter.keys() - could)):
        worst_first = sorted(scatter.keys() & names, key=lambda name: -scatter[name])
        if not worst_first:
            continue
        promised = what == "what could be taken"
        yield Figure(
            f"{workload}, {what}: SD of a speed-up",
            ", ".join(f"{name} {scatter[name]:.1%}" for name in worst_first[:6]),
            f"≤ {SCATTER[workload]:.0%}" if promised else "",
            scatter[worst_first[0]] <= SCATTER[workload] if promised else None,
        )
    widths = [race["half_width"] for race in races if race["half_width"] is not None]
    passes = [race["passes"] for race in races]
    yield Figure(
        f"{workload}: half width, passes",
        f"± {min(widths):.1%} … {max(widths):.1%}, {min(passes)} … {max(passes)} passes",
    )
