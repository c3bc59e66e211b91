"""pytest-benchmark's fixture for a test that is visited several times: its rounds are added up, and reported once."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from math import ceil
from typing import Any, Protocol


class Visited(Protocol):
    """One test's visits.

    metadata   pytest-benchmark's figures of it; None before the first visit
    timer      what calibrating its timer gave: seconds of a round, iterations, and their range
    share      of the rounds that the test asks for, those that one visit runs; None: all of them
    rounds     how many rounds of the visits before this one count; None: all
    """

    metadata: Any
    timer: tuple[float, int, Any] | None
    share: int | None

    @property
    def rounds(self) -> int | None:
        """How many rounds of the visits before count; None: all."""


def make(visited: Callable[[str], Visited | None]) -> type[Any]:
    """A class to put in the place of pytest-benchmark's; `visited` gives a test's visits by its full name."""
    module: Any = importlib.import_module("pytest_benchmark.fixture")

    class RevisitedFixture(module.BenchmarkFixture):  # type: ignore[misc]
        """Keeps what the original offers; a test that isn't visited again has the original."""

        _max_time: float
        _min_rounds: int
        _asked: tuple[tuple[str, float], ...] = ()

        def _make_stats(self, iterations: int) -> Any:
            test = visited(self.fullname)
            if test is None:
                return super()._make_stats(iterations)
            if test.metadata is None:
                test.metadata = super()._make_stats(iterations)
                test.metadata.options.update(self._asked)
                return test.metadata
            metadata, before = test.metadata, test.metadata.stats.data
            # pytest-benchmark remembers what it once worked out from the rounds
            metadata.stats = type(metadata.stats)()
            metadata.stats.data = before[: test.rounds]
            metadata.fixture, metadata.group, metadata.extra_info = self, self.group, self.extra_info
            self.stats = metadata
            return metadata

        def _calibrate_timer(self, runner: Any) -> Any:
            test = visited(self.fullname)
            if test is None or test.share is None:
                return super()._calibrate_timer(runner)
            if test.timer is None:
                test.timer = super()._calibrate_timer(runner)
                rounds = max(ceil(self._max_time / test.timer[0]), self._min_rounds)
                test.share = max(1, ceil(rounds / test.share))
            self._asked = ("min_rounds", self._min_rounds), ("max_time", self._max_time)  # of all visits, as stored
            self._min_rounds, self._max_time = test.share, 0.0
            return test.timer

        def _raw_pedantic(self, target: Any, *arguments: Any, rounds: int = 1, **options: Any) -> Any:
            test = visited(self.fullname)
            if test is not None and test.share is not None and isinstance(rounds, int):
                rounds = max(1, ceil(rounds / test.share)) if rounds > 0 else rounds
            return super()._raw_pedantic(target, *arguments, rounds=rounds, **options)

    return RevisitedFixture
