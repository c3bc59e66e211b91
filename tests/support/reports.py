"""What the tests of the report share: runs with races, studies and timelines as sessions store them, made up."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from laptime.git import Commit
from laptime.history import Gate, GateResult, Point, Run, from_json
from laptime.history.store import Store
from laptime.trend import Series
from tests.support.histories import FINGERPRINT, START, benchmark, document

VARIANTS: Mapping[str, tuple[float, float, int | None]] = {
    "sequential": (1.0, 1.0, None),
    "threads-w2-cold": (0.6, 1.1, 2),
    "threads-w8-warm": (0.3, 1.2, 8),
    "processes-w2-forkserver-warm": (0.5, 1.3, 2),
    "asyncio-w8-cold": (0.2, 0.9, 8),
}
"""Label -> wall time against that of sequential, CPU time against it, and workers; of work that mostly waits."""
COMPUTING: Mapping[str, tuple[float, float, int | None]] = {
    "sequential": (1.0, 1.0, None),
    "threads-w2-cold": (1.03, 1.02, 2),
    "threads-w8-warm": (1.02, 1.01, 8),
    "processes-w2-forkserver-warm": (0.55, 1.05, 2),
    "asyncio-w8-cold": (1.01, 1.0, 8),
}
"""The same of work that computes: under a GIL, on two CPUs."""


def raced(
    workload: str,
    label: str,
    rounds: Sequence[float],
    *,
    cpu_s: float = 0.01,
    workers: int | None = None,
    **info: Any,
) -> dict[str, Any]:
    """A benchmark of a race, as the `lap` fixture stores it."""
    name = f"benchmarks/test_variants.py::test_variant[{workload}-{label}]"
    known = {
        "workload": workload,
        "summary": f"{workload} and all that",
        "label": label,
        "variant": label.partition("-")[0],
        "workers": workers,
        "start_method": "forkserver" if "forkserver" in label else None,
        "lifecycle": "warm" if label.endswith("warm") else "cold",
        "tier": "smoke",
        "http": "replay",
        "latency": "scale:0.1",
        "affinity_cpus": 2,
        "cpu_quota": None,
        "parallelism": cpu_s / rounds[0],
        "rounds": {"wall_s": list(rounds), "cpu_s": [cpu_s] * len(rounds)},
    }
    made = benchmark(name, rounds, group=workload, param=f"{workload}-{label}")
    return {**made, "extra_info": {**known, **info}}


def race(workload: str, *, seconds: float = 0.1, computing: float = 0.1, passes: int = 10) -> list[dict[str, Any]]:
    """All variants of a workload, a round in each pass; `computing` is the share of its time for which sequential does.

    What a verdict needs is there: nobody was disturbed, and there are passes enough, if there are eight.
    """
    rng = random.Random(workload)
    made = []
    schedule = {"passes": passes, "confidence": 0.99, "look": passes < 8, "seed": 1}
    for label, (wall, cpu, workers) in (VARIANTS if computing < 0.75 else COMPUTING).items():
        walls = [seconds * wall * rng.uniform(0.98, 1.05) for _ in range(passes)]
        one = raced(workload, label, walls, cpu_s=seconds * computing * cpu, workers=workers, race=schedule)
        numbers = list(range(passes))
        one["extra_info"]["rounds"] |= {"race_pass": numbers, "void": [False] * passes, "waited_s": [0.0] * passes}
        one["extra_info"] |= {
            "first": label == "sequential",
            "tried": {"rounds": passes, "void": 0, "wall_s": sum(walls), "others_s": 0.0, "stolen_s": 0.0},
        }
        made.append(one)
    return made


def pointed(study: str, kind: str, line: str, x: float | str, seconds: float, **place: Any) -> dict[str, Any]:
    """A point of a study, of seven rounds."""
    rounds = [seconds * (1 + 0.004 * number) for number in range(-3, 4)]
    where = {"name": study, "kind": kind, "title": f"What of {study}?", "line": line, "x": x, "x_name": "workers"}
    info = {
        "study": {**where, "items": 1, "item": "round", **place},
        "rounds": {"wall_s": rounds, "cpu_s": [seconds * 0.9] * len(rounds)},
        "peak_pss_bytes": 100_000_000,
        "affinity_cpus": 2,
        "cpu_quota": None,
        "tier": "full",
    }
    made = benchmark(f"benchmarks/test_{study}.py::test_{study}[{line}-{x}]", rounds, group=study)
    return {**made, "extra_info": info}


def studies() -> list[dict[str, Any]]:
    """A study of each kind."""
    made = []
    for workers in (1, 2, 3, 4, 6, 8, 12, 16):
        for line, serial in (("threads", 0.02), ("processes", 0.1)):
            seconds = 2.0 * (serial + (1 - serial) / workers)
            made.append(pointed("scaling", "scaling", line, workers, seconds, items=100, item="request"))
    for size in (1, 4, 16, 64, 256, 1024):
        for line in ("fork, 2 workers", "forkserver, 2 workers"):
            seconds = 0.05 + 0.5 / size + size / 5000 + (0.02 if line.startswith("forks") else 0)
            place = {"x_name": "numbers in a chunk", "items": 10_000, "item": "number"}
            made.append(pointed("chunks", "sweep", line, size, seconds, **place))
            made[-1]["extra_info"]["peak_pss_bytes"] += size * 100_000
    for ms in (0.05, 0.2, 0.8, 3.2, 12.8):
        for line, start, share in (("sequential", 0.0, 1.0), ("processes", 0.004, 0.55), ("threads", 0.0005, 1.02)):
            seconds = start + 8 * ms / 1000 * share
            made.append(pointed("smallest", "break_even", line, ms, seconds, x_name="ms of work in a task"))
    for line, scale in (("fork", 1.0), ("forkserver", 6.0), ("spawn", 9.0)):
        for phase, seconds in (("start", 0.01), ("first result", 0.004), ("steady map", 0.02), ("close", 0.006)):
            grown = seconds if phase == "steady map" else seconds * scale
            made.append(pointed("pools", "phases", line, phase, grown, x_name="phase"))
    for line, scale in (("requests", 1.0), ("httpx", 0.8), ("aiohttp", 0.45)):
        for x in ("10 in flight", "100 in flight"):
            made.append(pointed("clients", "compare", line, x, 0.2 * scale, x_name="", items=50, item="request"))
    for position, one in enumerate(made):
        one["extra_info"]["position"] = position
    return made


def timeline(lanes: int, requests: int, *, wait_s: float = 0.05, kind: str = "thread") -> dict[str, Any]:
    """A round whose requests are dealt out to lanes."""
    made: list[dict[str, Any]] = []
    longest = 0.0
    for lane in range(lanes):
        at, sent, cpu = 0.002 * lane, [], []
        for number in range(lane, requests, lanes):
            wait = wait_s * (1 + 0.5 * math.sin(number))
            connect = 0.004 if not sent else 0.0
            times = {"start": at, "connect": connect, "wait": wait, "receive": 0.008}
            sent.append({"name": f"GET /api/v1/items/{number}", **times, "status": 200})
            at += sum((connect, wait, 0.008))
            cpu += [[round(at, 3), 0.9], [round(at + 0.002, 3), 0.4]]
            at += 0.004
        longest = max(longest, at)
        name = "main thread" if lanes == 1 else f"{kind} {lane + 1}"
        made.append({"name": name, "requests": sent, "cpu": cpu if kind != "connection" else []})
    total = [[round(number * 0.002, 3), 0.3] for number in range(int(longest / 0.002))]
    if kind == "connection":
        made.insert(0, {"name": "main thread", "requests": [], "cpu": total})
    return {"seconds": longest, "bin_s": 0.002, "lanes": made, "lanes_left_out": 0, "cpu_total": total}


TIMELINES = {
    "sequential": timeline(1, 10),
    "threads-w8-warm": timeline(8, 10),
    "processes-w2-forkserver-warm": timeline(2, 10, kind="process"),
    "asyncio-w8-cold": timeline(8, 10, kind="connection"),
}


def watched(benchmarks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with timelines."""
    for one in benchmarks:
        label = one["extra_info"]["label"]
        if label in TIMELINES:
            one["extra_info"]["timeline"] = TIMELINES[label]
    return list(benchmarks)


def controls() -> list[dict[str, Any]]:
    """A control that is as it must be."""
    info = {"summary": "control: waits", "latency": None}
    return [
        raced("wait", "sequential", [0.16, 0.161], ideal=None, **info),
        raced("wait", "threads-w2-warm", [0.08, 0.081], workers=2, ideal=2.0, **info),
    ]


def full(**what: Any) -> Run:
    """A run with everything."""
    work = [*race("hn_items", computing=0.03), *race("quotes", computing=0.4), *race("primes", computing=1.0)]
    return from_json(document([*watched(work), *studies(), *controls()], **what))


def stepped(runs: int = 40) -> Series:
    """A series that is slower by 8 % after three fifths of its runs."""
    rng = random.Random(2)
    at = runs * 3 // 5
    values = [0.1 * (1.08 if number >= at else 1.0) * rng.gauss(1, 0.005) for number in range(runs)]
    points = [
        Point(number, number * 3_600_000_000, f"{number:040x}", False, 1, 1, value, None, None)
        for number, value in enumerate(values)
    ]
    return Series("t.py::test[slow]", (1, 1), tuple(points), tuple(values))


def gate(number: int = 0) -> Gate:
    """A gate that found something."""
    blocks = (0.05, 0.06, 0.055)
    return Gate(
        id=f"{number:032x}",
        at=START,
        seconds=321.0,
        base=Commit("a" * 40),
        head=Commit("b" * 40),
        fingerprint=FINGERPRINT,
        host={"host": "here"},
        code=1,
        complete=True,
        document={},
        results=(
            GateResult("t.py::test[slow]", "wall", "regressed", 1.056, 1.04, 1.07, blocks, 3),
            GateResult("t.py::test[same]", "wall", "unchanged", 1.002, 0.99, 1.01, blocks, 3),
            GateResult("t.py::test[fast]", "wall", "improved", 0.9, 0.88, 0.93, blocks, 3),
            GateResult("t.py::test[new]", None, "new", note="not in base"),
        ),
    )


def history(runs: int, benchmarks: int, *, step_at: int) -> Iterator[Run]:
    """So many runs of one commit each; every fourth benchmark is slower by 8 % from `step_at` on."""
    rng = random.Random(1)
    labels = [f"{label}-{number}" for number in range(math.ceil(benchmarks / 5)) for label in VARIANTS][:benchmarks]
    for number in range(runs):
        made = []
        for place, label in enumerate(labels):
            wall, cpu, workers = VARIANTS[label.rpartition("-")[0]]
            level = wall * (1.08 if place % 4 == 1 and number >= step_at else 1.0) * 0.1
            rounds = [level * rng.gauss(1, 0.01) for _ in range(3)]
            made.append(raced(f"work{place // 18}", label, rounds, cpu_s=cpu * 0.01, workers=workers))
        identity = Commit(f"{number:040x}", START, "main", None)
        yield from_json(document(made, number=number, commit=identity))


def stored(path: Path, runs: Iterator[Run], gates: Sequence[Gate] = ()) -> Store:
    """A store of runs."""
    store = Store(str(path), path.parent, create=True)
    for run in runs:
        store.append(run)
    for one in gates:
        store.append_gate(one)
    return store
