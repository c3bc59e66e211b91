"""Where pytest-benchmark keeps what this plugin needs of it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import pytest

RACE_MARK = "laptime_race"
CANNOT_MEASURE = 2
"""The exit code where the harness failed, and nothing that was measured counts."""


def benchmark_session(config: pytest.Config) -> Any:
    """pytest-benchmark's session; None where it is switched off."""
    return getattr(config, "_benchmarksession", None)


def benchmark_fixture(item: pytest.Item) -> Any:
    """A running test's `benchmark` fixture; None where it has none."""
    return (getattr(item, "funcargs", None) or {}).get("benchmark")


def is_lap(item: pytest.Item) -> bool:
    """Whether a test uses the `lap` fixture."""
    return "lap" in getattr(item, "fixturenames", ())


def is_benchmark(item: pytest.Item) -> bool:
    """Whether a test uses the `benchmark` fixture."""
    return "benchmark" in getattr(item, "fixturenames", ())


def groups(items: Iterable[pytest.Item], *, interleave: bool) -> dict[str, list[pytest.Item]]:
    """Tests that are to be timed in passes, by name: those that use `lap`; to `interleave`, those of `benchmark` too.

    A group is what the mark says, ``@pytest.mark.benchmark(group="name")``; without one, the cases of one function that
    uses `lap`, and all other benchmarks.
    """
    found: dict[str, list[pytest.Item]] = {}
    for item in items:
        lap = is_lap(item)
        if lap or (interleave and is_benchmark(item)):
            mark = item.get_closest_marker("benchmark")
            group = mark.kwargs.get("group") if mark else None
            name = group if group is not None else item.nodeid.partition("[")[0] if lap else ""
            found.setdefault(f"{'lap' if lap else 'benchmark'} {name}", []).append(item)
    return found


def with_storage(storage: Any) -> None:
    """Have the next session that pytest-benchmark begins save to and load from this.

    It builds its storage in `BenchmarkSession`, from a function that it imported: there is no option that takes one.
    """
    session: Any = importlib.import_module("pytest_benchmark.session")

    original = session.load_storage

    def load_storage(*arguments: object, **settings: object) -> Any:
        session.load_storage = original
        return storage

    session.load_storage = load_storage


def is_timing(config: pytest.Config) -> bool:
    """Whether benchmarks are timed in this session, rather than only run."""
    session = benchmark_session(config)
    return session is not None and not session.disabled and not session.skip
