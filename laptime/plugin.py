"""The pytest plugin: options, fixtures and hooks. What they do is elsewhere in the package.

Fixtures for a suite: `lap` times a piece of work, `replay` serves a cassette, `live_origin` gives a live site's URL,
`record` records one, `laptime_options` is what the command line said.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from laptime import lap as laps
from laptime import live, options, plan
from laptime.cassette import CassetteError
from laptime.measure import Meter
from laptime.memory import MemorySampler
from laptime.options import RECORD, REPLAY, Options
from laptime.replay import Latency, LatencyError, ReplayDied, ReplayServer, Stage
from laptime.report import race, tables

CANNOT_MEASURE = 2
"""The exit code where the harness failed, and nothing that was measured counts."""
RECORD_MARK = "laptime_record"
LAP_KEYWORD = "laptime_lap"
_LOOPBACK = "127.0.0.1,localhost"

SESSION = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, as `pytest --help` shows them."""
    group = parser.getgroup("laptime", "laptime: concurrent work over recorded HTTP")
    group.addoption(
        "--http",
        choices=options.HTTP_MODES,
        default=REPLAY,
        help="replay: play recorded cassettes (the default). live: ask the live sites, or what --origin puts in their "
        "place. record: record the cassettes anew instead of timing anything; choose with -k.",
    )
    group.addoption(
        "--latency",
        metavar="MODE",
        help="How fast a cassette is played: recorded, scale:0.1, fixed:50ms or none. Default: what the suite's tier "
        "says, else recorded.",
    )
    group.addoption(
        "--origin",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="With --http=live or --http=record: the server that stands in for a recording's live origin. "
        "May be given several times.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, and make ready for what the session may need."""
    config.addinivalue_line("markers", f"{RECORD_MARK}: records a cassette; runs with --http=record only")
    try:
        parsed = options.parse(config.getoption("http"), config.getoption("latency"), config.getoption("origin"))
    except (LatencyError, options.OptionError) as error:
        raise pytest.UsageError(str(error)) from error
    session = Session(config, parsed)
    config.stash[SESSION] = session
    config.pluginmanager.register(session, "laptime-session")
    _spawn_without_pytest()
    _keep_from_proxies()


def _spawn_without_pytest() -> None:
    """Make `pytest` and `python -m pytest` start the same worker processes.

    A spawned process imports the main module again. Under the script that is all of pytest (0.07 s a worker, more
    than it costs under `-m`, where multiprocessing knows to leave a package's `__main__` alone).
    """
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is None and Path(getattr(main, "__file__", "") or "").stem in {
        "pytest",
        "py.test",
    }:
        main.__spec__ = importlib.util.find_spec("pytest.__main__")


def _keep_from_proxies() -> None:
    """A proxy named in the environment would take the requests to the replay; it must be set before a worker starts."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), _LOOPBACK]))


class Session:
    """What lives as long as a pytest session: the replay server, the memory sampler, the plan."""

    def __init__(self, config: pytest.Config, parsed: Options) -> None:
        self.config = config
        self.options = parsed
        self._server: ReplayServer | None = None
        self._memory: MemorySampler | None = None
        self._stages: dict[tuple[Path, str], Stage] = {}
        self._unreachable: set[str] = set()
        self._plan: plan.Plan | None = None
        self._running: pytest.Item | None = None
        self._narrates = False

    # what the fixtures use

    def stage(self, path: Path, latency: Latency) -> Stage:
        """The cassette's stage on the session's one server; started when first asked for."""
        key = (path.resolve(), str(latency))
        if key not in self._stages:
            if self._server is None:
                self._server = ReplayServer()
            self._stages[key] = self._server.load(key[0], latency)
        return self._stages[key]

    def helpers(self) -> tuple[int, ...]:
        """Processes of the harness, which are not the work's."""
        return tuple(helper.pid for helper in (self._server, self._memory) if helper is not None)

    def instruments(self) -> laps.Instruments:
        """What measures beside the timer."""
        if self._memory is None:
            self._memory = MemorySampler()
        return laps.Instruments(Meter(self.helpers), self._memory, self.helpers)

    def reach(self, name: str, origin: str) -> str:
        """The URL of a live origin, or of what stands in for it; the first test that can't reach it fails."""
        url = self.options.origins.get(name, origin)
        if name in self._unreachable:
            pytest.skip(f"{name}: {url} can't be reached (see the first failure)")
        try:
            live.probe(name, url)
        except live.Unreachable as error:
            self._unreachable.add(name)
            pytest.fail(str(error), pytrace=False)
        return url

    # hooks

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Recording and timing are never mixed."""
        recording = self.options.http == RECORD
        chosen = [item for item in items if (item.get_closest_marker(RECORD_MARK) is not None) == recording]
        if dropped := [item for item in items if item not in set(chosen)]:
            config.hook.pytest_deselected(items=dropped)
            items[:] = chosen
        for item in items:
            if _is_lap(item):
                item.keywords[LAP_KEYWORD] = True  # it travels with the reports, also from xdist's workers

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say what is going to be timed, and how long that takes."""
        timed = [item for item in session.items if _is_lap(item)]
        if not timed or not self._timing() or session.config.option.collectonly:
            return
        self._plan = plan.Plan([item.nodeid for item in timed], self._cached().get(self._setting(), {}))
        self._narrates = len(timed) == len(session.items) and session.config.get_verbosity() == 0
        terminal = self._terminal()
        if terminal is None:
            return
        if self._narrates:
            terminal.showfspath = False
        guess = "" if self._plan.known else " (a guess: most of it was not timed here before)"
        terminal.write_line(
            f"laptime: {len(timed)} benchmarks, {self._setting()}: about {plan.clock(self._plan.left_s())}{guess}"
        )

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show what runs now, where that can be overwritten."""
        if self._narrates:
            self.say(f"{self._count(1)}  {_short(nodeid)} …  {self._eta()}", over=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Our own line instead of a dot."""
        if self._narrates and report.when == "call" and report.passed:
            return "passed", "", ""
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remember what runs, for Ctrl-C."""
        self._running = item
        result = yield
        self._running = None
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A test that fails or skips after it was timed leaves no timing (pytest-benchmark alone would save it)."""
        report = yield
        if not report.passed:
            self._discard(item)
        if self._plan and item.nodeid in self._plan.names:
            if report.when == "call":
                self._plan.done(item.nodeid, call_s := report.duration)
                if report.passed and self._narrates:
                    self._narrate(item, call_s)
            elif report.when == "setup" and not report.passed:
                self._plan.done(item.nodeid, report.duration)
        return report

    def pytest_keyboard_interrupt(self) -> None:
        """Rounds that were cut short are no result."""
        if self._running is not None:
            self._discard(self._running)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Stop the helpers, and remember how long everything took."""
        if self._plan and self._plan.now_s and (cache := getattr(self.config, "cache", None)):
            cached = self._cached()
            cached.setdefault(self._setting(), {}).update(self._plan.now_s)
            cache.set("laptime/seconds", cached)
        self.close()
        return (yield)

    def pytest_unconfigure(self) -> None:
        """Where the session ended before it finished."""
        self.close()

    def say(self, line: str, *, over: bool = False) -> None:
        """Write a line while a test runs; `over` what stands there, and not at all where that can't be."""
        terminal, capture = self._terminal(), self.config.pluginmanager.get_plugin("capturemanager")
        if terminal is None or (over and not terminal.isatty):
            return
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            if terminal.isatty:
                terminal.rewrite(line, erase=True)
                terminal.write("" if over else "\n")
            else:
                terminal.ensure_newline()
                terminal.write_line(line)

    def close(self) -> None:
        """Stop the helpers."""
        for helper in (self._server, self._memory):
            if helper is not None:
                helper.close()
        self._server = self._memory = None
        self._stages.clear()

    def summarise(self, terminal: pytest.TerminalReporter) -> None:
        """The race, or that there was none."""
        session = _benchmark_session(self.config)
        if self.options.http == RECORD or session is None:
            return
        checked = [
            report for report in terminal.stats.get("passed", ()) if LAP_KEYWORD in getattr(report, "keywords", ())
        ]
        if session.disabled and checked:
            terminal.write_line(
                f"laptime: nothing was timed (benchmarks are disabled); {len(checked)} answers are right",
                yellow=True,
            )
            return
        found = race.races(bench.as_dict() for bench in session.benchmarks if bench and not bench.has_error)
        if found:
            terminal.section("laptime", sep="-", yellow=True)
            text = tables.terminal(found, width=terminal._tw.fullwidth, color=terminal.hasmarkup)
            terminal.write(text.lstrip("\n"))

    # in private

    def _timing(self) -> bool:
        session = _benchmark_session(self.config)
        return session is not None and not session.disabled and not session.skip and self.options.http != RECORD

    def _setting(self) -> str:
        latency = self.options.latency or "the tier's latency"
        http = f"replay at {latency}" if self.options.http == REPLAY else self.options.http
        tier = self.config.getoption("tier", None)
        return f"tier {tier}, {http}" if tier else http

    def _cached(self) -> dict[str, dict[str, float]]:
        cache = getattr(self.config, "cache", None)
        return dict(cache.get("laptime/seconds", {})) if cache else {}

    def _terminal(self) -> pytest.TerminalReporter | None:
        return cast("pytest.TerminalReporter | None", self.config.pluginmanager.get_plugin("terminalreporter"))

    def _count(self, add: int = 0) -> str:
        assert self._plan is not None
        total = str(len(self._plan.names))
        return f"{len(self._plan.now_s) + add:>{len(total)}}/{total}"

    def _eta(self) -> str:
        assert self._plan is not None
        return f"{plan.clock(self._plan.left_s())} left"

    def _narrate(self, item: pytest.Item, call_s: float) -> None:
        benchmark = _fixture(item)
        if benchmark is not None and benchmark.stats is not None:
            took = race.duration(benchmark.stats.stats.median)
            self.say(f"{self._count()}  {_short(item.nodeid):<48} {took:>9}   {self._eta()}")

    def _discard(self, item: pytest.Item) -> None:
        benchmark, session = _fixture(item), _benchmark_session(self.config)
        if benchmark is not None:
            benchmark.has_error = True
        if session is not None:
            session.benchmarks[:] = [bench for bench in session.benchmarks if not bench.has_error]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """After pytest-benchmark's own table, one to act on."""
    config.stash[SESSION].summarise(terminalreporter)


def _benchmark_session(config: pytest.Config) -> Any:
    return getattr(config, "_benchmarksession", None)


def _is_lap(item: pytest.Item) -> bool:
    return "lap" in getattr(item, "fixturenames", ())


def _fixture(item: pytest.Item) -> Any:
    return (getattr(item, "funcargs", None) or {}).get("benchmark")


def _short(nodeid: str) -> str:
    """`hn_items-threads-w8-warm` of ``benchmarks/test_variants.py::test_variant[hn_items-threads-w8-warm]``."""
    name = nodeid.rpartition("::")[2]
    return name.partition("[")[2].removesuffix("]") or name


# fixtures


@pytest.fixture(scope="session")
def laptime_options(pytestconfig: pytest.Config) -> Options:
    """What the command line said: `.http` is "replay", "live" or "record"."""
    return pytestconfig.stash[SESSION].options


@pytest.fixture(scope="session")
def replay(pytestconfig: pytest.Config) -> Callable[..., Stage]:
    """``replay(path, latency="recorded")`` serves a cassette; the result's `.url(origin)` stands for a recorded origin.

    A latency given on the command line goes before the one given here. One server process serves the session.
    """
    session = pytestconfig.stash[SESSION]

    def serve(path: str | Path, latency: str = "recorded") -> Stage:
        try:
            return session.stage(Path(path), session.options.latency or Latency.parse(latency))
        except ReplayDied as error:
            pytest.exit(f"laptime: {error}", CANNOT_MEASURE)
        except CassetteError as error:
            pytest.fail(str(error), pytrace=False)

    return serve


@pytest.fixture(scope="session")
def live_origin(pytestconfig: pytest.Config) -> Callable[[str, str], str]:
    """``live_origin(name, url)`` is where a live site is reached; fails at once, and once, where it can't be."""
    return pytestconfig.stash[SESSION].reach


@pytest.fixture
def lap(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., None]:
    """``lap(open, check, …)`` times a piece of work in checked rounds; see `laptime.lap.Lap` for what it takes.

    Takes besides: ``rounds=(least, most, seconds)`` and ``group=``.
    """
    session = request.config.stash[SESSION]

    def run(
        open: Callable[[], AbstractContextManager[Callable[[], object]]],  # noqa: A002 (the noun of `Lap`)
        check: Callable[[Any], None],
        *,
        lifecycle: str | None = None,
        stage: Stage | None = None,
        requests: Mapping[str, int] | None = None,
        rounds: tuple[int, int, float] = (3, 20, 1.0),
        group: str | None = None,
        **info: object,
    ) -> None:
        benchmark.group = group
        work = laps.Lap(open, check, lifecycle, stage, requests or {}, info)
        try:
            laps.run(benchmark, work, laps.Rounds(*rounds), session.instruments())
        except ReplayDied as error:
            pytest.exit(f"laptime: {error}", CANNOT_MEASURE)

    return run


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``record(name, path, origin, run)`` records what ``run(url)`` asks for; `url` is the origin or its stand-in."""
    from laptime import record as recording  # aiohttp and vcrpy are needed for this only

    session = request.config.stash[SESSION]

    def make(name: str, path: Path, origin: str, run: Callable[[str], object]) -> None:
        url = session.reach(name, origin)

        def progress(done: int, total: int) -> None:
            session.say(f"{name}: timed {done} of {total} requests", over=True)

        try:
            with recording.explained(name, url):
                made = recording.record(
                    path, lambda: run(url), "live" if url == origin else "stand-in", progress=progress
                )
        except recording.RecordError as error:
            pytest.fail(str(error), pytrace=False)
        session.say(f"recorded {path}: {len(made.interactions)} requests, {made.passes} passes each, from {url}")

    return make
