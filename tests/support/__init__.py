"""What several tests share: made-up cassettes, a client for raw bytes, and processes that must not outlive a test."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
import requests
import yaml

from laptime.replay import Latency, ReplayServer, Stage

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
HANG_LIMIT_S = 60.0
"""How long a test waits for what should come at once: only a hang takes so long."""
SITE = "http://site.test"
needs_ruptures = pytest.mark.skipif(
    importlib.util.find_spec("ruptures") is None, reason="ruptures has no release for this Python"
)
PASSES = 5


def outside_pytest() -> dict[str, str]:
    """The environment without what this pytest, xdist or CI tells its own workers: for a pytest within a test."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GITHUB_"))}


def timing(
    wait: float = 0.0, *, connect: float = -1, chunks: Sequence[tuple[float, int]] = ((0.0, 1),)
) -> dict[str, Any]:
    """One pass of a side-car, in milliseconds; without `connect`, one where no connection was made."""
    pieces = [list(chunk) for chunk in chunks]
    return {"connect": connect, "ssl": -1, "send": 0.0, "wait": wait, "receive": 0.0, "chunks": pieces}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One interaction to write: what is asked (`sent` is its body), what is answered, and the time of each pass."""

    uri: str = f"{SITE}/"
    method: str = "GET"
    status: int = 200
    reason: str = "OK"
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes | str = "hello"
    passes: Sequence[Mapping[str, Any]] = (timing(),) * PASSES
    sent: Any = None

    def recorded(self) -> dict[str, Any]:
        """The interaction as vcrpy writes it."""
        return {
            "request": {"method": self.method, "uri": self.uri, "body": self.sent, "headers": {"Accept": ["*/*"]}},
            "response": {
                "status": {"code": self.status, "message": self.reason},
                "headers": {name: list(values) for name, values in self.headers.items()},
                "body": {"string": self.body},
            },
        }

    def timed(self) -> dict[str, Any]:
        """The interaction's entry in the side-car."""
        # chunks are given as shares of the body; `bodySize` makes them whole
        passes = [{"bodySize": sum(size for _, size in one["chunks"]), **one} for one in self.passes]
        return {"request": f"{self.method} {self.uri}", "passes": passes}


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
        "repeats": len(exchanges[0].passes) if exchanges else PASSES,
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


@dataclass(frozen=True, slots=True)
class Serve:
    """Serve a cassette made of some exchanges, each time on a stage of its own; other arguments are those of `load`."""

    server: ReplayServer
    directory: Path

    def __call__(self, *exchanges: Exchange, latency: str = "recorded", timed: bool = True, **arguments: Any) -> Stage:
        path = self.directory / f"cassette{len(list(self.directory.glob('*.yaml')))}.yaml"
        write_cassette(path, *exchanges, timed=timed)
        return self.server.load(path, Latency.parse(latency), **arguments)


@dataclass(slots=True)
class Wire:
    """A client without any manners: it sends bytes, and notes when each byte of the answers came."""

    url: str
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    data: bytes = b""
    socket: Any = None

    def __post_init__(self) -> None:
        host, _, port = self.url.partition("://")[2].partition(":")
        self.socket = socket.create_connection((host, int(port)), HANG_LIMIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> int:
        """Send bytes; the result is the time just before."""
        sent_ns = time.monotonic_ns()
        self.socket.sendall(data)
        return sent_ns

    def ask(self, *targets: str) -> int:
        """Send a GET for each target, all in one write; the result is the time just before."""
        return self.send(b"".join(b"GET %s HTTP/1.1\r\nHost: site.test\r\n\r\n" % one.encode() for one in targets))

    def receive(self, ends: Callable[[bytes], bool]) -> bytes:
        """Everything that came so far, once it ends the test's way or the server ends the connection."""
        while not ends(self.data) and (data := self.socket.recv(2**16)):
            self.data += data
            self.arrivals.append((time.monotonic_ns(), len(self.data)))
        return self.data

    def until(self, text: bytes, times: int = 1) -> bytes:
        """Everything that came so far, once these bytes came so often."""
        return self.receive(lambda data: data.count(text) >= times)

    def rest(self) -> bytes:
        """Everything that comes until the server ends the connection."""
        return self.receive(lambda data: False)

    def arrived_ns(self, position: int) -> int:
        """When the byte at a position had come."""
        return next(at_ns for at_ns, length in self.arrivals if length > position)


def complete(data: bytes) -> bool:
    """Whether a response with a Content-Length is whole."""
    head, found, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b": ")[2] for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
    return bool(found) and len(body) == int(lengths[0])


def bodies(stage: Stage, *targets: str, origin: str | None = None) -> list[str]:
    """The bodies of the answers to these requests, one after the other on one connection."""
    with requests.Session() as client:
        return [client.get(stage.url(origin) + target, timeout=HANG_LIMIT_S).text for target in targets]


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
