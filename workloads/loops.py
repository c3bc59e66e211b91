"""Computing in portions of a given length: what a task is made of where only its size matters."""

from __future__ import annotations

import time
from functools import cache

CALIBRATING_LOOPS = 50_000
CALIBRATIONS = 7


def loop(count: int) -> int:
    """Add so many numbers in pure Python; the result is their number."""
    total = 0
    for _ in range(count):
        total += 1
    return total


def echo(payload: bytes) -> int:
    """Take something, and give its length."""
    return len(payload)


@cache
def loops_per_ms() -> float:
    """How much `loop` does in a millisecond on this machine now: the best of a few."""
    fastest_s = min(_taken_s() for _ in range(CALIBRATIONS))
    return CALIBRATING_LOOPS / fastest_s / 1000


def _taken_s() -> float:
    started = time.perf_counter()
    loop(CALIBRATING_LOOPS)
    return time.perf_counter() - started
