"""What several tests share: made-up cassettes, and the processes that must not outlive a test."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

HANG_LIMIT_S = 60.0
"""How long a test waits for what should come at once: only a hang takes so long."""
SITE = "http://site.test"
PASSES = 5


def outside_pytest() -> dict[str, str]:
    """The environment without what this pytest, or xdist, tells its own workers: for a pytest within a test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def timing(
    wait: float = 0.0, *, connect: float = -1, chunks: Sequence[tuple[float, int]] = ((0.0, 1),)
) -> dict[str, Any]:
    """One pass of a side-car, in milliseconds; without `connect`, one where no connection was made."""
    pieces = [list(chunk) for chunk in chunks]
    return {"connect": connect, "ssl": -1, "send": 0.0, "wait": wait, "receive": 0.0, "chunks": pieces}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One interaction to write: what is asked, what is answered, and the time of each pass."""

    uri: str = f"{SITE}/"
    method: str = "GET"
    status: int = 200
    reason: str = "OK"
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes | str = "hello"
    passes: Sequence[Mapping[str, Any]] = (timing(),) * PASSES

    def recorded(self) -> dict[str, Any]:
        """The interaction as vcrpy writes it."""
        return {
            "request": {"method": self.method, "uri": self.uri, "body": None, "headers": {"Accept": ["*/*"]}},
            "response": {
                "status": {"code": self.status, "message": self.reason},
                "headers": {name: list(values) for name, values in self.headers.items()},
                "body": {"string": self.body},
            },
        }

    def timed(self) -> dict[str, Any]:
        """The interaction's entry in the side-car."""
        return {"request": f"{self.method} {self.uri}", "passes": [dict(one) for one in self.passes]}


def recording(exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """The cassette's document."""
    return {"version": 1, "interactions": [exchange.recorded() for exchange in exchanges]}


def timings(exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """The side-car's document, but for the digest of the cassette."""
    return {
        "version": 1,
        "recorded_at": "2026-01-02T03:04:05+00:00",
        "origin": "stand-in",
        "client": "made up",
        "repeats": PASSES,
        "interactions": [exchange.timed() for exchange in exchanges],
    }


def write_pair(path: Path, cassette: Mapping[str, Any], sidecar: Mapping[str, Any] | None) -> Path:
    """Write a cassette and, unless it is None, its side-car, which names the cassette's digest if it names none."""
    raw = yaml.safe_dump(cassette, allow_unicode=True).encode()
    path.write_bytes(raw)
    if sidecar is not None:
        digest = {"cassette_sha256": hashlib.sha256(raw).hexdigest()}
        path.with_suffix(".timings.json").write_text(json.dumps(digest | dict(sidecar)))
    return path


def write_cassette(path: Path, *exchanges: Exchange, timed: bool = True) -> Path:
    """Write a valid cassette, with its side-car unless told otherwise."""
    return write_pair(path, recording(exchanges), timings(exchanges) if timed else None)


def contents(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Everything under a directory: when it was last written, and what it holds."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def is_running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ended(pid: int) -> bool:
    """Whether a process ends before the hang limit."""
    give_up_at = time.monotonic() + HANG_LIMIT_S
    while is_running(pid) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return not is_running(pid)
