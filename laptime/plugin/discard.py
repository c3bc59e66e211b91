"""What failed leaves no timing. pytest-benchmark alone would save one that fails after it was timed."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from laptime.plugin.benchmarks import benchmark_fixture, benchmark_session


class Discard:
    """Hooks that throw away the timings of tests which fail, skip or are interrupted."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._running: pytest.Item | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remember what runs, for Ctrl-C."""
        self._running = item
        result = yield
        self._running = None
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Set-up, call and teardown must all pass."""
        report = yield
        if not report.passed:
            self._discard(item)
        return report

    def pytest_keyboard_interrupt(self) -> None:
        """Rounds that were cut short are no result."""
        if self._running is not None:
            self._discard(self._running)

    def _discard(self, item: pytest.Item) -> None:
        benchmark, session = benchmark_fixture(item), benchmark_session(self._config)
        if benchmark is not None:
            benchmark.has_error = True
        if session is not None:
            session.benchmarks[:] = [
                bench for bench in session.benchmarks if not bench.has_error and bench.fullname != item.nodeid
            ]
