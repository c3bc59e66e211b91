"""What the harness costs a client: TLS, and the guard that keeps it on loopback. CPU of this process, in turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import requests

from benchmarks.budgets.figures import Figure, progress
from benchmarks.budgets.replay import write_made
from laptime import guard
from laptime.replay import Latency, ReplayServer

TURNS, EACH = 10, 100
TARGETS = 20


def figures() -> Iterator[Figure]:
    """`requests`, a kept connection and a new one each time, plain and over TLS, with and without the guard."""
    with tempfile.TemporaryDirectory() as directory, ReplayServer() as server:
        path = Path(directory) / "made.yaml"
        write_made(path, TARGETS)
        plain = server.load(path, Latency("none"))
        secure = server.load(path, Latency("none"), tls=True)
        trusted = str(secure.ca_file)
        notes = str(Path(directory) / "notes")
        ways: dict[str, Callable[[], float]] = {
            "kept, plain": lambda: _kept_ms(plain.url(), False),
            "kept, TLS": lambda: _kept_ms(secure.url(), trusted),
            "new, plain": lambda: _new_ms(plain.url(), False),
            "new, TLS": lambda: _new_ms(secure.url(), trusted),
            "kept, guarded": lambda: _guarded(notes, lambda: _kept_ms(plain.url(), False)),
            "new, guarded": lambda: _guarded(notes, lambda: _new_ms(plain.url(), False)),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in progress(range(TURNS), "what the harness costs a client"):
            for name, way in ways.items():
                found[name].append(way())
    ms = {name: median(times) for name, times in found.items()}
    for kind, what in (("kept", "a request over a kept connection"), ("new", "a request over a new connection")):
        base = ms[f"{kind}, plain"]
        yield Figure(f"CPU of `requests`, {what}", f"{base:.2f} ms")
        yield Figure("the same over TLS, one CA to trust", f"{ms[f'{kind}, TLS'] - base:+.2f} ms")
        yield Figure("the same, guarded", f"{ms[f'{kind}, guarded'] - base:+.3f} ms")


def _kept_ms(url: str, verify: bool | str) -> float:
    """CPU ms a request."""
    with requests.Session() as session:
        session.get(f"{url}/0", verify=verify)
        before_s = time.process_time()
        for number in range(EACH):
            session.get(f"{url}/{number % TARGETS}", verify=verify)
    return (time.process_time() - before_s) / EACH * 1e3


def _new_ms(url: str, verify: bool | str) -> float:
    before_s = time.process_time()
    for number in range(EACH):
        requests.get(f"{url}/{number % TARGETS}", verify=verify)
    return (time.process_time() - before_s) / EACH * 1e3


def _guarded(notes: str, work: Callable[[], float]) -> float:
    guard.up(notes)
    try:
        return work()
    finally:
        guard.down()
