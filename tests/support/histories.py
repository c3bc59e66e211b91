"""What the tests of the history share: runs and gates as sessions write them, and repositories for their commits."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from laptime.git import Commit
from laptime.history import (
    FAILED,
    GATE_METRICS,
    Fingerprint,
    Gate,
    GateResult,
    Result,
    Run,
    addition,
    from_json,
)
from laptime.history.store import Store


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MACHINE = {"cpu": "Fast CPU", "usable CPUs": 2, "CPU quota": None, "architecture": "x86_64", "OS": "Linux", "libc": "1"}
PYTHON = {"implementation": "CPython", "version": "3.13.0", "GIL": "on", "free-threaded": False}
LIBRARIES = {"pytest-benchmark": "5.3.1", "requests": "2.34.2"}
FINGERPRINT = Fingerprint(MACHINE, PYTHON, LIBRARIES, ("pytest-benchmark", "requests"))


def benchmark(
    fullname: str, rounds: Sequence[float], *, group: str | None = None, param: str | None = None, **info: Any
) -> dict[str, Any]:
    """A benchmark as pytest-benchmark writes it."""
    ordered = sorted(rounds)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    mean = sum(rounds) / len(rounds)
    stats = {"min": ordered[0], "max": ordered[-1], "mean": mean, "median": middle, "rounds": len(rounds)}
    stats |= {"stddev": 0.0, "iqr": 0.0, "q1": middle, "q3": middle, "ops": 1 / mean if mean else 0}
    stats |= {"total": sum(rounds), "iterations": 1, "outliers": "0;0", "data": list(rounds)}
    return {
        "group": group,
        "name": fullname.rpartition("::")[2],
        "fullname": fullname,
        "params": None if param is None else {"kind": param},
        "param": param,
        "extra_info": info,
        "options": {"timer": "perf_counter", "disable_gc": False},
        "stats": stats,
    }


def document(
    benchmarks: Sequence[Mapping[str, Any]],
    *,
    number: int = 0,
    commit: Commit | None = None,
    fingerprint: Fingerprint = FINGERPRINT,
    failed: Mapping[str, str] | None = None,
    label: str | None = None,
    complete: bool = True,
) -> dict[str, Any]:
    """What a session writes: `number` makes its id and its time; `failed` maps names to why."""
    return {
        "machine_info": {"node": "here", "cpu": {}},
        "commit_info": {},
        "benchmarks": [dict(one) for one in benchmarks],
        "datetime": (START + timedelta(minutes=number)).isoformat(),
        "version": "5.3.1",
        "laptime": addition(
            hashlib.sha256(f"run {number}".encode()).hexdigest()[:32],
            commit or Commit(),
            fingerprint,
            {"host": "here"},
            [Result(name, FAILED, why) for name, why in (failed or {}).items()],
            label=label,
            complete=complete,
        ),
    }


def run(figures: Mapping[str, float | Sequence[float]], **what: Any) -> Run:
    """A run: name -> its rounds, or one figure for all of five rounds; and what `document` takes."""
    made = [
        benchmark(name, [rounds] * 5 if isinstance(rounds, int | float) else rounds) for name, rounds in figures.items()
    ]
    return from_json(document(made, **what))


def commit(identity: str, minutes: int = 0, *, branch: str | None = "main", changes: str | None = None) -> Commit:
    """A commit; the identity is padded to 40 digits."""
    return Commit(identity.ljust(40, "0"), START + timedelta(minutes=minutes), branch, changes)


def five(identity: str, factor: float = 1.0, start: int = 0, name: str = "a.py::test", **what: Any) -> list[Run]:
    """Five runs of a commit."""
    return [
        run({name: factor * (1 + number / 100)}, number=start + number, commit=commit(identity), **what)
        for number in range(5)
    ]


def big(number: int = 7, benchmarks: int = 40) -> Run:
    """A run that takes a while to store."""
    values = random.Random(number)
    return run({f"test_{n}": [values.random() for _ in range(80)] for n in range(benchmarks)}, number=number)


def ids(ran: Ran) -> list[str]:
    """The ids in a list of runs as JSON."""
    return [listed["id"] for listed in json.loads(ran.out)["runs"]]


def store_with(directory: Path, *contents: Run | Gate, name: str = ".benchmarks/history.db") -> Store:
    """A store with these runs and gates."""
    store = Store(name, directory, create=True)
    for content in contents:
        if isinstance(content, Gate):
            store.append_gate(content)
        else:
            store.append(content)
    return store


BASE, HEAD = commit("ba5e", 0), commit("4ead", 5, branch="topic", changes="d" * 64)
BLOCKS = (0.25, -0.5, 5e-324, 1e300, 0.1 + 0.2, -0.0)
SLOWER = GateResult("a.py::test_slow", "wall", "regressed", 1.25, 1.125, 1.5, BLOCKS, 2, "confirmed")
RESULTS = (
    SLOWER,
    GateResult("a.py::test_slow", "cpu", "unchanged", 1.0, 0.875, 1.125, (0.0, 0.125)),
    GateResult("a.py::test_gone", None, "missing", note="it is not in head"),
)


def gate(number: int = 0, **what: Any) -> Gate:
    """A gate: `number` makes its id and its time."""
    parts = {
        "id": hashlib.sha256(f"gate {number}".encode()).hexdigest()[:32],
        "at": START + timedelta(minutes=number),
        "seconds": 754.25,
        "base": BASE,
        "head": HEAD,
        "fingerprint": FINGERPRINT,
        "host": {"host": "here", "kernel": "6.1"},
        "code": 1,
        "complete": True,
        "document": {"settings": {"budget_s": 600, "metrics": ["wall", "cpu"]}, "plan": [], "void": [None, 0.5]},
        "results": RESULTS,
    }
    return Gate(**{**parts, **what})


def of(*results: GateResult, number: int = 0, **what: Any) -> Gate:
    """A gate with these results."""
    return gate(number, results=results, **what)


def of_metrics(**verdicts: str) -> Gate:
    """A gate with these verdicts: name -> by wall time and by CPU time, or as a whole."""
    results = []
    for name, several in verdicts.items():
        words = several.split()
        metrics = [None] if len(words) == 1 else GATE_METRICS
        results += [GateResult(name, metric, word) for metric, word in zip(metrics, words, strict=True)]
    return of(*results)


def large_gate(number: int = 7) -> Gate:
    """A gate that takes a while to store."""
    blocks = tuple(0.001 * place for place in range(40))
    results = [GateResult(f"test_{n}", m, "unchanged", 1.0, 0.5, 2.0, blocks) for n in range(40) for m in GATE_METRICS]
    return of(*results, number=number)


def git(directory: Path, *words: str, typed: str | None = None) -> str:
    """Run git as nobody in particular, with a text as its standard input; what it prints."""
    person = {f"GIT_{role}_{what}": "nobody" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": "2026-03-01T12:00:00Z", "GIT_COMMITTER_DATE": "2026-03-01T12:00:00Z"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = {**clean, **person, **dates, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ("git", *words), cwd=directory, env=settings, input=typed, text=True, capture_output=True, check=True
    )
    return done.stdout.strip()


def repository(directory: Path, commits: int) -> list[str]:
    """A repository with a branch `main` of so many commits; their hashes, the oldest first."""
    directory.mkdir(parents=True, exist_ok=True)
    git(directory, "init", "--quiet", "--initial-branch=main")
    # all at once: a process or three for each commit take longer than most tests
    git(directory, "fast-import", "--quiet", typed="".join(map(_commit, range(commits))))
    git(directory, "reset", "--quiet", "--hard")
    return git(directory, "rev-list", "--reverse", "HEAD").split()


def _commit(number: int) -> str:
    """A commit in the words of `git fast-import`: its message, and `file.txt` as it is then."""
    message, content = f"change {number}\n", f"{number}\n"
    return (
        "commit refs/heads/main\n"
        f"committer nobody <nobody> {round(START.timestamp())} +0000\n"
        f"data {len(message)}\n{message}"
        f"M 100644 inline file.txt\ndata {len(content)}\n{content}"
    )
