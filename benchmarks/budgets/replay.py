"""The replay server: how late it writes, and what CPU a request costs it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from benchmarks.budgets.figures import Figure, percentile, progress
from laptime.cassette import sidecar_path
from laptime.replay import Latency, ReplayServer, Stage, Visit

CONNECTIONS = {64: (150, (10.0, 30.0)), 1: (300, (10.0, 30.0)), 512: (20, (100.0, 300.0))}
"""Connections -> requests over each of them, and their waits in ms, spread evenly so that no two are due at once."""
BUDGETED = 64
BODY = b'{"measured": "replay"}' * 20
NS_PER_MS, NS_PER_S = 1e6, 1e9


def figures() -> Iterator[Figure]:
    """Lateness and CPU at a paced load; CPU flat out, with small and large cassettes; how soon a large one is ready."""
    late_ms: dict[int, list[float]] = {connections: [] for connections in CONNECTIONS}
    paced_us: dict[int, list[float]] = {connections: [] for connections in CONNECTIONS}
    flat_us: dict[tuple[int, int], list[float]] = {(connections, 20): [] for connections in CONNECTIONS}
    flat_us[BUDGETED, 1000] = []
    bare_ms: list[float] = []
    ready_s: list[float] = []
    for _ in progress(range(5), "replay server"):
        bare_ms += _bare_sleeps()
        for connections in CONNECTIONS:
            with _staged(64, Latency("recorded"), CONNECTIONS[connections][1]) as (server, stage, _):
                cpu_us, log = _load(server, stage, 64, connections)
                paced_us[connections].append(cpu_us)
                late_ms[connections] += [(visit.first_ns - visit.due_ns) / NS_PER_MS for visit in log]
        for connections, size in flat_us:
            with _staged(size, Latency("none")) as (server, stage, took_s):
                flat_us[connections, size].append(_load(server, stage, size, connections)[0])
                if size == 1000:
                    ready_s.append(took_s)
    for connections, late in late_ms.items():
        yield from _lateness(connections, late)
    bare = f"{percentile(bare_ms, 50):.3f} / {percentile(bare_ms, 99):.3f} ms"
    yield Figure("for comparison: lateness of a bare sleep on this machine, in turn with it, p50 / p99", bare)
    for connections, found in paced_us.items():
        paced, budget = percentile(found, 50), connections == BUDGETED
        what = f"server CPU a request, paced, {_many(connections)}"
        yield Figure(what, f"{paced:.0f} µs", "≤ 180 µs" if budget else "", paced <= 180 if budget else None)
    for (connections, size), found in flat_us.items():
        flat, budget = percentile(found, 50), connections == BUDGETED
        what = f"server CPU a request, flat out, {_many(connections)}, {size} interactions"
        yield Figure(what, f"{flat:.0f} µs", "≤ 60 µs" if budget else "", flat <= 60 if budget else None)
    ready = percentile(ready_s, 50)
    yield Figure("1,000 interactions loaded and ready", f"{ready:.2f} s", "≤ 1 s", ready <= 1)


def _many(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"


def _lateness(connections: int, late_ms: list[float]) -> Iterator[Figure]:
    budget = connections == BUDGETED
    low_ms, high_ms = CONNECTIONS[connections][1]
    setting = f"{_many(connections)}, waits of {low_ms:g}–{high_ms:g} ms, {len(late_ms)} requests"
    p50, p99 = percentile(late_ms, 50), percentile(late_ms, 99)
    limit = ("≤ 0.2 ms", p50 <= 0.2) if budget else ("", None)
    yield Figure(f"lateness at the write, p50 ({setting})", f"{p50:.3f} ms", *limit)
    limit = ("≤ 2 ms", p99 <= 2) if budget else ("", None)
    yield Figure("lateness at the write, p99", f"{p99:.3f} ms", *limit)
    yield Figure("lateness at the write, earliest", f"{min(late_ms):.3f} ms", "never early", min(late_ms) >= 0)


def _bare_sleeps(turns: int = 200, each_s: float = 0.005) -> list[float]:
    """How late, in ms, a process that does nothing else wakes up: no server here can do better."""
    late_ms = []
    for _ in range(turns):
        due_s = time.perf_counter() + each_s
        time.sleep(each_s)
        late_ms.append((time.perf_counter() - due_s) * 1e3)
    return late_ms


@contextmanager
def _staged(
    size: int, latency: Latency, waits_ms: tuple[float, float] = (10.0, 30.0)
) -> Iterator[tuple[ReplayServer, Stage, float]]:
    """A server, what it plays, and the seconds that loading it took."""
    with tempfile.TemporaryDirectory() as directory, ReplayServer() as server:
        path = Path(directory) / "made.yaml"
        write_made(path, size, waits_ms)
        started = time.perf_counter()
        stage = server.load(path, latency)
        yield server, stage, time.perf_counter() - started


def write_made(path: Path, size: int, between_ms: tuple[float, float] = (10.0, 30.0)) -> None:
    """A cassette made for this measurement."""
    uris = [f"http://made.example/{number}" for number in range(size)]
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"]},
        "body": {"string": BODY.decode()},
    }
    interactions = [
        {"request": {"method": "GET", "uri": uri, "body": None, "headers": {}}, "response": response} for uri in uris
    ]
    path.write_text(yaml.safe_dump({"version": 1, "interactions": interactions}))
    low_ms, high_ms = between_ms
    waits_ms = [low_ms + (high_ms - low_ms) * number / size for number in range(size)]
    part = {"connect": 0.2, "ssl": -1, "send": 0, "receive": 0, "chunks": [[0, len(BODY)]]}
    sidecar = {
        "version": 1,
        "cassette_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "origin": "stand-in",
        "interactions": [
            {"request": f"GET {uri}", "passes": [{**part, "wait": round(wait_ms, 3)}] * 5}
            for uri, wait_ms in zip(uris, waits_ms, strict=True)
        ],
    }
    sidecar_path(path).write_text(json.dumps(sidecar))


def _load(server: ReplayServer, stage: Stage, targets: int, connections: int) -> tuple[float, list[Visit]]:
    """Put the server under load from another process. CPU µs a request, and the server's log."""
    clock = (~server.pid << 3) | 2
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(_requests, (stage.url(), targets, connections, 2))  # what is done for the first time isn't measured
        stage.begin()
        before_s = time.clock_gettime(clock)
        pool.apply(_requests, (stage.url(), targets, connections, CONNECTIONS[connections][0]))
        cpu_s = time.clock_gettime(clock) - before_s
    log = stage.end(log=True).log
    return cpu_s / len(log) * 1e6, log


def _requests(url: str, targets: int, connections: int, each: int) -> None:
    asyncio.run(_clients(url, targets, connections, each))


async def _clients(url: str, targets: int, connections: int, each: int) -> None:
    """As light a client as can be: the server is to be the bottleneck flat out."""
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for turn in range(each):
            target = (number + turn * connections) % targets
            writer.write(f"GET /{target} HTTP/1.1\r\nHost: made.example\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(BODY))
        writer.close()

    await asyncio.gather(*(client(number) for number in range(connections)))
