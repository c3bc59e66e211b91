"""What a person sees of a session: the plan, a line for each benchmark as it ends, and the race at the end."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

import pytest

from laptime import plan
from laptime.options import REPLAY, Options
from laptime.plugin.benchmarks import benchmark_fixture, benchmark_session, is_lap, is_timing
from laptime.report.units import duration

if TYPE_CHECKING:
    from laptime.plugin.passes import Race, Test

LAP_KEYWORD = "laptime_lap"
CACHE_KEY = "laptime/seconds"
_NAME_WIDTH = 42
_TABLE_OPTIONS = tuple(
    f"--benchmark-{name}" for name in ("columns", "sort", "group-by", "name", "time-unit", "verbose", "cprofile")
)


class Narrator:
    """Hooks that print. Where only laps run, their lines stand in for pytest's dots; -v and -q are left alone."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self._config = config
        self._options = options
        self._plan: plan.Plan | None = None
        self._narrates = False
        self._raced: frozenset[str] = frozenset()

    def races(self, names: frozenset[str]) -> None:
        """These tests are visited in passes: `visiting` and `left` tell of them."""
        self._raced = names

    @property
    def overwrites(self) -> bool:
        """Whether a line can be written over."""
        terminal = self._terminal()
        return terminal is not None and bool(terminal.isatty)

    def say(self, line: str, *, over: bool = False) -> None:
        """Write a line while a test runs; `over` what stands there, and not at all where that can't be."""
        terminal, capture = self._terminal(), self._config.pluginmanager.get_plugin("capturemanager")
        if terminal is None or (over and not terminal.isatty):
            return
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            if terminal.isatty:
                terminal.rewrite(line, erase=True)
                terminal.write("" if over else "\n")
            else:
                terminal.ensure_newline()
                terminal.write_line(line)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A keyword travels with the reports, also from xdist's workers."""
        for item in filter(is_lap, items):
            item.keywords[LAP_KEYWORD] = True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say what is going to be timed, and how long that takes."""
        laps = [item for item in session.items if is_lap(item)]
        terminal = self._terminal()
        if not laps or terminal is None or not is_timing(session.config) or session.config.option.collectonly:
            return
        self._plan = plan.Plan([item.nodeid for item in laps], self._cached().get(self._setting(), {}))
        guess = "" if self._plan.known else " (a guess: most of it was not timed here before)"
        count = f"{len(laps)} benchmark{'s' if len(laps) > 1 else ''}"
        terminal.write_line(f"laptime: {count}, {self._setting()}: about {plan.clock(self._plan.left_s())}{guess}")
        if len(laps) == len(session.items) and session.config.get_verbosity() == 0:
            self._narrates = True
            terminal.showfspath = False
            if not _asks_for_table(session.config):
                benchmark_session(session.config).quiet = True

    def visiting(self, race: Race, test: Test) -> None:
        """Show how a race goes, where that can be overwritten."""
        if self._narrates:
            number, of = race.passes + 1, f", {len(race.running)} of {len(race.tests)} in it"
            self.say(f"{self._count(1)}  pass {number}{of}: {_short(test.item.nodeid)} …  {self._eta()}", over=True)

    def left(self, race: Race, test: Test) -> None:
        """A line as soon as a benchmark has left its race."""
        if self._plan is None or test.item.nodeid not in self._plan.names:
            return
        self._plan.done(test.item.nodeid, test.seconds)
        if test.outcome == "passed" and test.metadata is not None:
            self._line(test.item.nodeid, duration(test.metadata.stats.median))
        else:
            self._line(test.item.nodeid, "not run" if test.outcome == "skipped" else test.outcome)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show what runs now, where that can be overwritten."""
        if self._narrates and nodeid not in self._raced:
            self.say(f"{self._count(1)}  {_short(nodeid)} …  {self._eta()}", over=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No dot, where there is a line."""
        if not self._narrates:
            return None
        if report.failed:
            return ("failed", "", "FAILED") if report.when == "call" else ("error", "", "ERROR")
        return (report.outcome, "", "") if report.when == "call" or report.skipped else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A line as soon as a benchmark ends."""
        report = yield
        if (
            self._plan
            and item.nodeid in self._plan.names
            and item.nodeid not in self._raced
            and (report.when == "call" or not report.passed)
        ):
            self._plan.done(item.nodeid, report.duration)
            benchmark = benchmark_fixture(item)
            if report.failed:
                self._line(item.nodeid, "failed")
            elif report.skipped:
                self._line(item.nodeid, "not run")
            elif benchmark.stats is not None:
                self._line(item.nodeid, duration(benchmark.stats.stats.median))
        return report

    def _line(self, nodeid: str, outcome: str) -> None:
        if self._narrates:
            self.say(f"{self._count()}  {_short(nodeid):<{_NAME_WIDTH}} {outcome:>9}   {self._eta()}")

    def pytest_sessionfinish(self) -> None:
        """Remember how long everything took, for the next plan."""
        cache = getattr(self._config, "cache", None)
        if cache and self._plan and self._plan.now_s:
            cached = self._cached()
            cached.setdefault(self._setting(), {}).update(self._plan.now_s)
            cache.set(CACHE_KEY, cached)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
        """After all others: the verdict stands last."""
        try:
            return (yield)
        finally:
            self._summarise(terminalreporter)

    def _summarise(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A table to act on; or that nothing was timed."""
        session = benchmark_session(self._config)
        if session is None:
            return
        passed = terminalreporter.stats.get("passed", ())
        checked = [report for report in passed if LAP_KEYWORD in getattr(report, "keywords", ())]
        self._tell_skipped(terminalreporter)
        if session.disabled and checked:
            terminalreporter.ensure_newline()
            terminalreporter.write_line(
                f"laptime: nothing was timed (benchmarks are disabled); {len(checked)} answers are right", yellow=True
            )
            return
        timed = [bench.as_dict() for bench in session.benchmarks if bench and not bench.has_error]
        from laptime.analysis import documents

        found, points = documents.races(timed), [one for one in timed if "study" in one["extra_info"]]
        if not found and not points:
            return
        terminalreporter.section("laptime", sep="-", yellow=True)
        width, color, text = self._config.get_terminal_writer().fullwidth, terminalreporter.hasmarkup, ""
        if found:
            from laptime.report import tables  # Rich: only where there is something to show

            text += tables.terminal(found, width=width, color=color)
        if points:
            from laptime.report import study, study_tables

            try:
                text += study_tables.terminal(study.studies(points), width=width, color=color)
            except study.StudyError as error:  # of somebody's own study; the figures stand all the same
                text += f"\nlaptime: {error}\n"
        terminalreporter.write(text.lstrip("\n"))

    @staticmethod
    def _tell_skipped(terminal: pytest.TerminalReporter) -> None:
        """Which benchmarks a table lacks, and why: pytest itself says so with -rs only."""
        names: dict[str, list[str]] = {}
        for report in terminal.stats.get("skipped", ()):
            if LAP_KEYWORD in getattr(report, "keywords", ()) and isinstance(report.longrepr, tuple):
                names.setdefault(report.longrepr[2].removeprefix("Skipped: "), []).append(_short(report.nodeid))
        for reason, (first, *others) in names.items():
            terminal.ensure_newline()
            more = f" and {len(others)} more" if others else ""
            terminal.write_line(f"laptime: {first}{more} did not run: {reason}", yellow=True)

    def _setting(self) -> str:
        if self._options.http == REPLAY:
            http = f"replay at {self._options.latency or 'the pace of the tier'}"
        else:
            http = self._options.http
        tier = self._config.getoption("tier", None)
        return f"tier {tier}, {http}" if tier else http

    def _cached(self) -> dict[str, dict[str, float]]:
        cache = getattr(self._config, "cache", None)
        return dict(cache.get(CACHE_KEY, {})) if cache else {}

    def _terminal(self) -> pytest.TerminalReporter | None:
        return cast("pytest.TerminalReporter | None", self._config.pluginmanager.get_plugin("terminalreporter"))

    def _count(self, add: int = 0) -> str:
        assert self._plan is not None
        total = str(len(self._plan.names))
        return f"{len(self._plan.now_s) + add:>{len(total)}}/{total}"

    def _eta(self) -> str:
        assert self._plan is not None
        return f"{plan.clock(self._plan.left_s())} left"


def _asks_for_table(config: pytest.Config) -> bool:
    """Whether pytest-benchmark's own table is wanted: how it looks is said on the command line, or it compares."""
    said = any(str(argument).startswith(_TABLE_OPTIONS) for argument in config.invocation_params.args)
    return said or bool(config.getoption("benchmark_compare", None))


def _short(nodeid: str) -> str:
    """`hn_items-threads-w8-warm` of ``benchmarks/test_variants.py::test_variant[hn_items-threads-w8-warm]``."""
    name = nodeid.rpartition("::")[2]
    return name.partition("[")[2].removesuffix("]") or name
