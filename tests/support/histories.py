"""What the tests of the history share: runs as a session would write them, and repositories for their commits."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from laptime.git import Commit
from laptime.history import FAILED, Fingerprint, Result, Run, addition, from_json

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


def git(directory: Path, *words: str) -> str:
    """Run git as nobody in particular; what it prints."""
    person = {f"GIT_{role}_{what}": "nobody" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": "2026-03-01T12:00:00Z", "GIT_COMMITTER_DATE": "2026-03-01T12:00:00Z"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = {**clean, **person, **dates, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(("git", *words), cwd=directory, env=settings, text=True, capture_output=True, check=True)
    return done.stdout.strip()


def repository(directory: Path, commits: int) -> list[str]:
    """A repository with a branch `main` of so many commits; their hashes, the oldest first."""
    directory.mkdir(parents=True, exist_ok=True)
    git(directory, "init", "--quiet", "--initial-branch=main")
    hashes = []
    for number in range(commits):
        (directory / "file.txt").write_text(f"{number}\n")
        git(directory, "add", "file.txt")
        git(directory, "commit", "--quiet", "-m", f"change {number}")
        hashes.append(git(directory, "rev-parse", "HEAD"))
    return hashes
