"""Where the tests' time goes, by file, fixture and test: ``python -m pytest tests -p tests.costs``, also with ``-n``.

CPU seconds are this process's own, then those of the processes that it started and that have ended; "started" counts
the processes that it started itself. A fixture's cost is also within the cost of the test that needed it first.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from typing import Any, NamedTuple

import pytest

STARTS = {"subprocess.Popen", "os.fork", "os.posix_spawn"}
ROWS = 100
LEAST_S = 0.05
"""What took less, is in the sum only."""

_started = 0


def _count(event: str, arguments: object) -> None:
    global _started
    _started += event in STARTS


class Cost(NamedTuple):
    """What was spent, how many times."""

    times: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    children_cpu_s: float = 0.0
    started: int = 0

    def plus(self, other: Cost, sign: int = 1) -> Cost:
        """The sum, or the difference."""
        return Cost(*(one + sign * another for one, another in zip(self, other, strict=True)))


def _spent() -> Cost:
    """What this process has spent since it began."""
    times = os.times()
    children_s = times.children_user + times.children_system
    return Cost(0, time.perf_counter(), times.user + times.system, children_s, _started)


def _measured(item: pytest.Item, kind: str, name: str, times: int = 0) -> Generator[None, Any, Any]:
    """Run what is wrapped, and note its cost where it reaches the process that reports."""
    before = _spent()
    try:
        return (yield)
    finally:
        cost = _spent().plus(before, -1)
        item.user_properties.append(("cost", (kind, name, *cost._replace(times=times))))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """A fixture is set up for the test that needs it first."""
    name = f"{fixturedef.baseid or '.'}::{fixturedef.argname}"
    return (yield from _measured(request._pyfuncitem, "fixture", name, times=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """With all the fixtures that are set up for this test."""
    return (yield from _measured(item, "test", item.nodeid, times=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Run the test itself, without its fixtures, and note what it cost."""
    return (yield from _measured(item, "test", item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """With all the fixtures that end after this test."""
    return (yield from _measured(item, "test", item.nodeid))


def pytest_configure(config: pytest.Config) -> None:
    """Count processes here, and gather costs where the reports arrive."""
    sys.addaudithook(_count)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tables(), "tests-costs-tables")


class Tables:
    """The costs of all tests, and how they are shown."""

    def __init__(self) -> None:
        self._costs: dict[str, dict[str, Cost]] = defaultdict(lambda: defaultdict(Cost))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The last report of a test carries all its costs."""
        if report.when != "teardown":
            return
        for kind, place, *values in (value for name, value in report.user_properties if name == "cost"):
            self._add(kind, place, Cost(*values))
            if kind == "test":
                self._add("file", place.partition("::")[0], Cost(*values))

    def _add(self, kind: str, place: str, cost: Cost) -> None:
        self._costs[kind][place] = self._costs[kind][place].plus(cost)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A table each of files, fixtures and tests, the longest first."""
        for kind in ("file", "fixture", "test"):
            costs = self._costs[kind]
            total = Cost()
            for cost in costs.values():
                total = total.plus(cost)
            terminalreporter.write_line(f"{'times':>7}{'wall s':>9}{'CPU s':>9}{'theirs':>9}{'started':>9}  {kind}")
            longest = sorted(costs.items(), key=lambda pair: -pair[1].wall_s)[:ROWS]
            shown = [(place, cost) for place, cost in longest if cost.wall_s >= LEAST_S]
            for place, cost in (*shown, (f"all {len(costs)}", total)):
                times, wall_s, *cpu, started = cost
                figures = "".join(f"{seconds:9.2f}" for seconds in (wall_s, *cpu))
                terminalreporter.write_line(f"{times:7}{figures}{started:9}  {place}")
