"""The run loop of races: their tests are visited in passes, and each is reported once, with all its rounds.

pytest can run an item again: a visit is setup, call and teardown as ever, so that fixtures, marks and hooks see nothing
new. What differs is that reports of a visit wait until the test has left its race (a failure is reported at once, and
ends its visits), and that pytest-benchmark's fixture adds the rounds of a visit to those of the visits before. To
suspend each test within its benchmark instead would have the fixtures of all set up at once, which fixed ports,
`capsys` and `monkeypatch` don't bear.
"""

from __future__ import annotations

import gc
import importlib
import random
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from _pytest.runner import call_and_report

from laptime.analysis import race as analysis
from laptime.analysis.documents import races
from laptime.lap import Visits
from laptime.passes import RACE_S, REPEATS, Limits, Schedule
from laptime.plugin import revisits
from laptime.plugin.benchmarks import RACE_MARK, benchmark_session, is_lap

CANARY_LOOPS = 200_000
"""About 10 ms of pure Python, twice in each pass."""
INTERLEAVED_PASSES = 10
LIVE_PASSES = 3
"""A live site is asked no more often than it takes to look."""
_HOPELESS = 0.5
"""Void rounds among those that were visited: where there are more, none is repeated."""


class Test:
    """One test of a race: what is known of it from its visits so far; see `revisits.Visited`.

    reports  of its last visit
    seconds  that its visits have taken, with set-up and teardown
    outcome  what was reported: "passed", "skipped" or "failed"; empty before
    alone    whether all its rounds were run in its only visit
    gone     whether it failed, was skipped or timed nothing: it is not visited again
    left     whether it has left its race: its reports are due
    """

    def __init__(self, item: pytest.Item, share: int | None) -> None:
        self.item = item
        self.visits = Visits()
        self.reports: list[pytest.TestReport] = []
        self.metadata: Any = None
        self.timer: tuple[float, int, Any] | None = None
        self.share = share
        self.seconds = 0.0
        self.gone = self.left = self.alone = False
        self.outcome = ""
        self._properties = list(item.user_properties)
        self._closing: pytest.CallInfo[None] | None = None

    @property
    def rounds(self) -> int | None:
        """How many rounds of the visits before this one count."""
        return None if self.share is not None else self.visits.rounds

    def begin(self) -> None:
        """Forget what the visit before recorded of itself: it is reported once."""
        self.item.user_properties[:] = self._properties
        self.item._report_sections.clear()

    def close(self) -> pytest.CallInfo[None]:
        """Close what stands open, once; how that went."""
        if self._closing is None:
            self._closing = pytest.CallInfo.from_call(self.visits.close, "teardown")
        return self._closing

    def document(self) -> dict[str, Any]:
        """As pytest-benchmark writes it to JSON, without statistics."""
        document: dict[str, Any] = self.metadata.as_dict(include_data=False, stats=False)
        return document


def canary() -> float:
    """Seconds of a fixed piece of computing."""
    started = time.perf_counter()
    total = 0
    for number in range(CANARY_LOOPS):
        total += number
    return time.perf_counter() - started


class Race:
    """Tests that are visited in passes."""

    def __init__(self, name: str, tests: list[Test], limits: Limits, *, laps: bool) -> None:
        self.name = name
        self.tests = {test.item.nodeid: test for test in tests}
        self._schedule = Schedule(list(self.tests), limits, seed=random.SystemRandom().randrange(2**32))
        self._limits, self._laps = limits, laps
        self._verdict = laps and limits.passes is None
        self._look = limits.passes is not None and limits.passes < analysis.ENOUGH_PASSES
        self._canary: list[list[float]] = []
        self._visited = self._void = 0

    @property
    def open_ended(self) -> bool:
        """Whether its figures say when it ends."""
        return self._limits.passes is None

    @property
    def passes(self) -> int:
        """The number of passes that have ended."""
        return self._schedule.passes

    @property
    def running(self) -> list[Test]:
        """Those that are still visited."""
        return [self.tests[name] for name in self._schedule.running]

    def visits(self) -> Iterator[Test]:
        """Whom to visit; a visit has ended when the next one is asked for. Sets `left` of those that are through."""
        try:
            yield from self._visits()
        finally:
            gc.unfreeze()

    def _visits(self) -> Iterator[Test]:
        began = time.monotonic()
        while self.running:
            yield from self._pass()
            if self._schedule.passes == 0:
                gc.collect()
                gc.freeze()  # what stands now is not looked at again: a collection before each round then costs little
            self._drop_gone()
            elapsed_s = time.monotonic() - began
            leaving = self._looked(self._schedule.look(elapsed_s))
            if self._schedule.is_over(elapsed_s):
                leaving = self.running
            self._schedule.drop(test.item.nodeid for test in leaving)
            for test in leaving:
                test.left = True

    def _pass(self) -> Iterator[Test]:
        seconds = []
        for name in self._schedule.order(canaries=2 if self._verdict else 0):
            if name is None:
                seconds.append(canary())
                continue
            test = self.tests[name]
            if test.gone:  # its teardown failed when it was known already that it would come again
                continue
            test.visits.number, test.visits.again = self._schedule.passes, False
            yield test
            test.left = test.alone
            self._visited += 1
            for _ in range(REPEATS):
                # where most are void, the machine is busy, and no repetition helps
                if test.gone or not test.visits.void or self._void > _HOPELESS * self._visited + REPEATS:
                    break
                self._void += 1
                test.visits.again = True
                yield test
        if seconds:
            self._canary.append(random.sample(seconds, 2))

    def _drop_gone(self) -> None:
        self._schedule.drop(name for name, test in self.tests.items() if test.gone or test.alone)

    def _looked(self, error_rate: float | None) -> list[Test]:
        """Look at the figures, where it is time to: those that need no more passes."""
        if error_rate is None or not self._laps:
            return []
        for test in self.running:
            test.metadata.extra_info["race"] = {
                "passes": self._schedule.passes,
                "confidence": 1 - error_rate,
                "look": self._look,
                "seed": self._schedule.seed,
            }
        timed = [test for test in self.tests.values() if test.metadata is not None and not test.gone]
        if timed:
            timed[0].metadata.extra_info.setdefault("race", {})["canary"] = self._canary
        leaving: dict[str, str] = {}
        for race in races((test.document() for test in timed), running=True):
            leaving |= analysis.through(race, self._schedule.passes)
        left = [test for test in self.running if test.item.nodeid in leaving]
        for test in left:
            test.metadata.extra_info["race"]["left"] = leaving[test.item.nodeid]
        return left


class Watching(Protocol):
    """Who wants to know how the races go."""

    def races(self, names: frozenset[str]) -> None:
        """These tests are in races."""

    def visiting(self, race: Race, test: Test) -> None:
        """Called before each visit of a test."""

    def left(self, race: Race, test: Test) -> None:
        """A test was reported, and is visited no more."""


class Passes:
    """Hooks: which tests make a race, and the loop that visits them."""

    def __init__(
        self, groups: Mapping[str, list[pytest.Item]], watching: Watching, *, seconds: float | None, live: bool
    ) -> None:
        """Make the races.

        groups   tests that are timed in passes, by the names of their races
        seconds  what --race-time says
        live     whether live sites are asked
        """
        self._watching = watching
        self._tests: dict[pytest.Item, tuple[Race, Test]] = {}
        self._upcoming: pytest.Item | None = None
        self._visiting: pytest.Item | None = None
        self._sequence: Iterator[pytest.Item] = iter(())
        for name, items in groups.items():
            laps = is_lap(items[0])
            limits = _limits(items[0], seconds, live=live) if laps else Limits(passes=INTERLEAVED_PASSES)
            if limits.passes != 1:
                tests = [Test(item, None if laps else INTERLEAVED_PASSES) for item in items]
                race = Race(name, tests, limits, laps=laps)
                self._tests |= {test.item: (race, test) for test in tests}
        by_name = {item.nodeid: test for item, (_, test) in self._tests.items()}
        watching.races(frozenset(by_name))
        module: Any = importlib.import_module("pytest_benchmark.plugin")
        self._original = module.BenchmarkFixture
        module.BenchmarkFixture = revisits.make(by_name.get)

    def visits(self, item: pytest.Item, *, races: bool) -> Visits | None:
        """What lasts of a test from pass to pass; None where it runs all of its rounds in one visit.

        races  whether its figures are those of a race: what isn't is visited again only where a mark says how often
        """
        if item not in self._tests:
            return None
        race, test = self._tests[item]
        if not races and race.open_ended:
            test.alone = True
            return None
        return test.visits

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """As pytest's own, but for the order: it is found while it runs."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            return None  # pytest's own says so
        self._sequence = self._all(session.items)
        self._advance()
        while (item := self._upcoming) is not None:
            if item in self._tests:
                self._visiting = item
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                if self._visiting is not None:  # another plugin ran it, its own way: that was its only visit
                    self._tests[item][1].gone = True
                    self._advance()
            else:
                self._advance()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=self._upcoming)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
        return True

    def _all(self, items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
        """What is run: a race as a whole where the first of its tests stands."""
        run: set[str] = set()
        for item in items:
            if item not in self._tests:
                yield item
            elif (race := self._tests[item][0]).name not in run:
                run.add(race.name)
                yield from (test.item for test in race.visits())

    def _advance(self) -> None:
        """Find what runs next; after the last visit of a pass this looks at the figures."""
        self._visiting = None
        self._upcoming = next(self._sequence, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """One visit; and the reports of all that have left their race."""
        if item not in self._tests:
            return None
        race, test = self._tests[item]
        self._watching.visiting(race, test)
        started = time.monotonic()
        test.reports = self._visit(item, test)
        test.seconds += time.monotonic() - started
        if not test.reports[-1].passed:
            test.gone = True
            self._pass_over(item)
        for each in race.tests.values():
            if each.reports and (each.left or each.gone):
                self._report(each)
                self._watching.left(race, each)
        return True

    def _pass_over(self, item: pytest.Item) -> None:
        """Find another to come next, where this one would have, and its teardown has failed."""
        known = self._upcoming
        while self._upcoming in self._tests and self._tests[self._upcoming][1].gone:
            self._advance()
        if self._upcoming is not known:  # the teardown left standing what the one that was to come stands in
            item.session._setupstate.teardown_exact(self._upcoming)

    def _visit(self, item: Any, test: Test) -> list[pytest.TestReport]:
        """As pytest runs a test, but that what comes next is found before its teardown, which has to know it."""
        if hasattr(item, "_request") and not item._request:
            item._initrequest()
        test.begin()
        try:
            reports = [call_and_report(item, "setup", log=False)]
            if reports[0].passed:
                reports.append(call_and_report(item, "call", log=False))
            # what failed, was skipped, or timed nothing is not visited again
            test.gone = test.metadata is None or not all(report.passed for report in reports)
            self._advance()
            # what is warm is closed before the fixtures that it stands in
            for each in self._tests[item][0].tests.values():
                if (each.reports or each is test) and (each.left or each.gone):
                    each.close()
            stopping = item.session.shouldfail or item.session.shouldstop
            # before itself, too, a test has to be torn down: all but what it stands in
            upcoming: Any = self._upcoming
            nextitem = None if stopping else item.parent if upcoming is item else upcoming
            return [*reports, call_and_report(item, "teardown", log=False, nextitem=nextitem)]
        finally:
            if hasattr(item, "_request"):
                item._request = False
                item.funcargs = None

    @staticmethod
    def _report(test: Test) -> None:
        """Close what stood open, and report a test: once."""
        reports, test.reports = test.reports, []
        test.outcome = max((report.outcome for report in reports), key=("passed", "skipped", "failed").index)
        hook, item = test.item.ihook, test.item
        closing = test.close()
        if closing.excinfo is not None and reports[-1].passed:
            ended: Any = item
            ended.funcargs = {}  # hooks look into it
            reports[-1] = hook.pytest_runtest_makereport(item=item, call=closing)
            ended.funcargs = None
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in reports:
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # pytest-benchmark's own is a wrapper, and saves before it yields
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Where the session ended in the middle of a race: close what stands open, and drop what was timed of it."""
        unfinished = {test.item.nodeid: test for _, test in self._tests.values() if not test.outcome}
        timed = benchmark_session(session.config)
        if timed is not None:
            timed.benchmarks[:] = [bench for bench in timed.benchmarks if bench.fullname not in unfinished]
        with ExitStack() as closing:
            for test in unfinished.values():
                closing.callback(test.visits.close)
        return (yield)

    def pytest_unconfigure(self) -> None:
        """Give pytest-benchmark its fixture back."""
        module: Any = importlib.import_module("pytest_benchmark.plugin")
        module.BenchmarkFixture = self._original


def _limits(item: pytest.Item, race_time_s: float | None, *, live: bool) -> Limits:
    """What a race's mark says of when it ends; the command line goes before. Raises `pytest.UsageError`."""
    mark = item.get_closest_marker(RACE_MARK)
    asks = live and "live_origin" in getattr(item, "fixturenames", ())
    settings: dict[str, Any] = {"passes": LIVE_PASSES if asks else None, "seconds": RACE_S}
    settings |= dict(mark.kwargs) if mark else {}
    passes, seconds = settings["passes"], settings["seconds"]
    valid = len(settings) == 2 and isinstance(seconds, int | float) and seconds > 0 and not (mark and mark.args)
    if not valid or not (passes is None or (isinstance(passes, int) and passes > 0)):
        raise pytest.UsageError(
            f"{item.nodeid}: {RACE_MARK} takes passes= (a whole number from 1) and seconds= (above 0); got {mark}"
        )
    return Limits(passes, float(seconds) if race_time_s is None else race_time_s)
