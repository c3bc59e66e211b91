"""``--har FILE``: what the replay served in each round, written at the end of the session."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from laptime import har
from laptime.files import write_whole
from laptime.plugin.benchmarks import CANNOT_MEASURE
from laptime.replay import ReplayDied, Stage
from laptime.resources import Resources


class Logbook:
    """Hooks that collect the visits of each round under the name of its test."""

    def __init__(self, resources: Resources, path: Path, say: Callable[[str], None]) -> None:
        self._resources = resources
        self._say = say
        self._path = path
        self._har = har.Har()
        self._test = ""
        self._rounds: Counter[str] = Counter()
        """Of each test: one of a race is visited again and again."""
        resources.before_round = self._collect

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """The rounds of one test."""
        self._test = item.nodeid
        try:
            return (yield)
        finally:
            for stage in self._resources.stages():
                self._collect(stage)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file."""
        try:
            write_whole(self._path, self._har.text())
        except OSError as error:
            self._say(f"laptime: {self._path}: can't be written: {error.strerror}")
            session.exitstatus = CANNOT_MEASURE
        else:
            self._say(f"laptime: wrote {len(self._har.entries)} requests to {self._path}")

    def _collect(self, stage: Stage) -> None:
        try:
            visits = stage.take_log()
        except ReplayDied:
            return  # the test that runs says so
        if visits:
            self._rounds[self._test] += 1
            title = f"{self._test}, round {self._rounds[self._test]}, {stage.path.name} at {stage.latency}"
            epoch_ns = time.time_ns() - time.monotonic_ns()
            self._har.add(title, stage.interactions_if_there(), visits, epoch_ns)
