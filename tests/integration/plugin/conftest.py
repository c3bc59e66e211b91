"""What is timed by hand: pytest-benchmark's own fixture, and what measures beside it."""

from __future__ import annotations

import pytest

from laptime.lap import Instruments
from laptime.measure import Meter
from tests.support.laps import Log, MadeUpMemory


@pytest.fixture
def log() -> Log:
    """What happens in a test."""
    return Log()


@pytest.fixture
def bench(benchmark, monkeypatch):
    """pytest-benchmark's fixture, enabled under xdist too; what it times is no result of this session."""
    monkeypatch.setattr(benchmark, "disabled", False)
    monkeypatch.setattr(benchmark, "_add_stats", [].append)
    yield benchmark
    benchmark.skipped = True  # else it warns that it wasn't used, where the first round failed


@pytest.fixture
def instruments(log) -> Instruments:
    """A real meter, and no memory sampler."""
    return Instruments(Meter(), MadeUpMemory(log), lambda: (1, 2))
