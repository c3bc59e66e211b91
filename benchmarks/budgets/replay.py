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
from laptime.replay import Latency, ReplayServer, Stage

CONNECTIONS = 64
REQUESTS_EACH = 150
WAITS_MS = (10.0, 30.0)
"""Spread evenly over the targets, so that no two are due at once."""
BODY = b'{"measured": "replay"}' * 20
NS_PER_MS, NS_PER_S = 1e6, 1e9


def figures() -> Iterator[Figure]:
    """Lateness and CPU at a paced load; CPU flat out, with a small and a large cassette."""
    late_ms: list[float] = []
    paced_us: list[float] = []
    flat_us: dict[int, list[float]] = {20: [], 1000: []}
    bare_ms: list[float] = []
    for _ in progress(range(5), "replay server"):
        bare_ms += _bare_sleeps()
        with _staged(CONNECTIONS, Latency("recorded")) as (server, stage):
            cpu_us, log = _load(server, stage, CONNECTIONS)
            paced_us.append(cpu_us)
            late_ms += [(first_ns - due_ns) / NS_PER_MS for _, _, due_ns, first_ns, _ in log]
        for size in flat_us:
            with _staged(size, Latency("none")) as (server, stage):
                flat_us[size].append(_load(server, stage, size)[0])
    p50, p99 = percentile(late_ms, 50), percentile(late_ms, 99)
    setting = f"{CONNECTIONS} connections, waits of {WAITS_MS[0]:g}–{WAITS_MS[1]:g} ms, {len(late_ms)} requests"
    yield Figure(f"lateness at the write, p50 ({setting})", f"{p50:.3f} ms", "≤ 0.2 ms", p50 <= 0.2)
    yield Figure("lateness at the write, p99", f"{p99:.3f} ms", "≤ 2 ms", p99 <= 2)
    yield Figure("lateness at the write, earliest", f"{min(late_ms):.3f} ms", "never early", min(late_ms) >= 0)
    bare = f"{percentile(bare_ms, 50):.3f} / {percentile(bare_ms, 99):.3f} ms"
    yield Figure("for comparison: lateness of a bare sleep on this machine, in turn with it, p50 / p99", bare)
    paced = percentile(paced_us, 50)
    yield Figure("server CPU a request, paced", f"{paced:.0f} µs", "≤ 180 µs", paced <= 180)
    for size, found in flat_us.items():
        flat = percentile(found, 50)
        yield Figure(f"server CPU a request, flat out, {size} interactions", f"{flat:.0f} µs", "≤ 60 µs", flat <= 60)


def _bare_sleeps(turns: int = 200, each_s: float = 0.005) -> list[float]:
    """How late, in ms, a process that does nothing else wakes up: no server here can do better."""
    late_ms = []
    for _ in range(turns):
        due_s = time.perf_counter() + each_s
        time.sleep(each_s)
        late_ms.append((time.perf_counter() - due_s) * 1e3)
    return late_ms


@contextmanager
def _staged(size: int, latency: Latency) -> Iterator[tuple[ReplayServer, Stage]]:
    with tempfile.TemporaryDirectory() as directory, ReplayServer() as server:
        path = Path(directory) / "made.yaml"
        _write(path, size)
        yield server, server.load(path, latency)


def _write(path: Path, size: int) -> None:
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
    low_ms, high_ms = WAITS_MS
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


def _load(server: ReplayServer, stage: Stage, targets: int) -> tuple[float, list[tuple[str, int, int, int, int]]]:
    """Put the server under load from another process. CPU µs a request, and the server's log."""
    clock = (~server.pid << 3) | 2
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(_requests, (stage.url(), targets, 2))  # what is done for the first time isn't measured
        stage.begin()
        before_s = time.clock_gettime(clock)
        pool.apply(_requests, (stage.url(), targets, REQUESTS_EACH))
        cpu_s = time.clock_gettime(clock) - before_s
    log = stage.end(log=True).log
    return cpu_s / len(log) * 1e6, log


def _requests(url: str, targets: int, each: int) -> None:
    asyncio.run(_clients(url, targets, each))


async def _clients(url: str, targets: int, each: int) -> None:
    """As light a client as can be: the server is to be the bottleneck flat out."""
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for turn in range(each):
            target = (number + turn * CONNECTIONS) % targets
            writer.write(f"GET /{target} HTTP/1.1\r\nHost: made.example\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(BODY))
        writer.close()

    await asyncio.gather(*(client(number) for number in range(CONNECTIONS)))
