"""The pytest plugin: options, fixtures and hooks. What they do is elsewhere in the package.

Fixtures for a suite: `race` times ways to run a function, `lap` times any piece of work, `replay` serves a cassette,
`live_origin` gives a live site's URL, `record` records one, `laptime_options` is what the command line said.

pytest loads this in every session of an environment that has laptime. What only a benchmark of ours needs is therefore
imported where it is needed: a session without one starts 0.1 s earlier.

PYTEST_DONT_REWRITE: a gate's side imports this before pytest loads it by `-p`; where warnings are errors, it could not.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from laptime import machine, options, settings
from laptime.history import DEFAULT, HistoryError, anchored
from laptime.options import LIVE, RECORD, REPLAY, Options
from laptime.plugin.benchmarks import CANNOT_MEASURE, RACE_MARK, groups, is_timing
from laptime.plugin.discard import Discard
from laptime.plugin.escapes import Escapes
from laptime.plugin.lock import Lock
from laptime.plugin.narrator import Narrator
from laptime.plugin.racing import Races
from laptime.project import INI_KEY
from laptime.resources import KnownUnreachable, Resources

if TYPE_CHECKING:
    from laptime.plugin.passes import Passes
    from laptime.replay import Stage

RECORD_MARK, GATE_MARK = "laptime_record", "laptime_gate"
_LOOPBACK = "127.0.0.1,localhost"

RESOURCES, NARRATOR, ESCAPES = pytest.StashKey[Resources](), pytest.StashKey[Narrator](), pytest.StashKey[Escapes]()
LOCK = pytest.StashKey[Lock]()
PASSES: pytest.StashKey[Passes] = pytest.StashKey()
RACES = pytest.StashKey[Races]()


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
        "--jitter",
        type=int,
        metavar="SEED",
        help="Draw each answer's wait anew from those that were recorded for it (around a fixed one: log-normal), the "
        "same for the same seed.",
    )
    group.addoption(
        "--history",
        metavar="URL",
        help="Store the run there: a file (SQLite), or postgresql+psycopg://USER@HOST/DATABASE; --benchmark-save and "
        f"--benchmark-compare then use it too. Default: what {INI_KEY} says in the ini file, or history in "
        f"[tool.laptime] of pyproject.toml, else {DEFAULT}.",
    )
    group.addoption("--no-history", action="store_true", help="Don't store the run.")
    parser.addini(INI_KEY, "the store of the runs, as --history takes it", default=None)
    group.addoption(
        "--har",
        metavar="FILE",
        help="Write what the replay served, and when, as HAR 1.2, a page for each round.",
    )
    group.addoption(
        "--timelines",
        action="store_true",
        help="After the timed rounds of each `lap`, watch one more: which worker waited, received and computed, and "
        "when. `laptime report` draws it.",
    )
    group.addoption(
        "--race-time",
        type=_seconds,
        metavar="SECONDS",
        help="How long each race goes on, beyond its first 10 passes, until its intervals are within 5 %% (as 90, 90s "
        "or 2m). Default: what the suite's tier says, else 30 s.",
    )
    group.addoption(
        "--interleave",
        action="store_true",
        help="Time all other benchmarks in passes too: those of a group take turns, in an order drawn anew each time, "
        "so that what the machine does strikes all alike. Their tests are run several times each.",
    )
    group.addoption(
        "--origin",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="With --http=live or --http=record: the server that stands in for a recording's live origin. "
        "May be given several times.",
    )


def _seconds(text: str) -> float:
    from laptime.gate.settings import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


@pytest.hookimpl(tryfirst=True)  # before pytest-benchmark's: it loads there what it compares with
def pytest_configure(config: pytest.Config) -> None:
    """Read the options, and make ready for what the session may need."""
    config.addinivalue_line("markers", f"{RECORD_MARK}: records a cassette; runs with --http=record only")
    config.addinivalue_line(
        "markers", f"{RACE_MARK}(passes, seconds): how many passes its race has, or how long it goes on at most"
    )
    config.addinivalue_line(
        "markers", f"{GATE_MARK}(multicore): how `laptime gate` runs it; multicore: on several CPUs"
    )
    option = config.getoption
    try:
        wanted = settings.read(config.rootpath)
        history, chosen = _history(config, wanted)
        parsed = options.parse(
            option("http"),
            option("latency"),
            option("origin"),
            jitter=option("jitter"),
            har=option("har"),
            timelines=option("timelines"),
            secrets=wanted.secrets,
            history=history,
            chosen=chosen,
        )
    except (HistoryError, options.OptionError, settings.SettingsError) as error:
        raise pytest.UsageError(str(error)) from error
    if parsed.har is not None and (option("numprocesses", None) or hasattr(config, "workerinput")):
        raise pytest.UsageError("--har: several processes would write one file; leave -n out")
    if parsed.har is not None and parsed.http != REPLAY:
        raise pytest.UsageError(f"--har: only a replay is logged, and this is --http={parsed.http}")
    resources, narrator, escapes, lock = Resources(parsed), Narrator(config, parsed), Escapes(parsed), Lock()
    config.stash[RESOURCES], config.stash[NARRATOR], config.stash[ESCAPES] = resources, narrator, escapes
    config.stash[LOCK], config.stash[RACES] = lock, Races()
    hooks = [Discard(config), Selection(resources), escapes, lock, Proxies()]
    if parsed.har is not None and not option("collectonly"):
        from laptime.plugin.logbook import Logbook

        hooks.append(Logbook(resources, parsed.har, narrator.say))
    for one in hooks:
        config.pluginmanager.register(one, f"laptime-{type(one).__name__.lower()}")
    timing = config.pluginmanager.hasplugin("benchmark")
    if timing and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Racing(narrator), "laptime-racing")
    if parsed.history is not None and timing and not hasattr(config, "workerinput"):
        from laptime.plugin.historian import install

        install(config, parsed.history, chosen=parsed.chosen)
    config.pluginmanager.register(narrator, "laptime-narrator")  # last: its summary comes after all others
    _spawn_without_pytest()


def _history(config: pytest.Config, wanted: settings.Settings) -> tuple[str | None, bool]:
    """The store, and whether it was named: the command line goes before ini files, those before `[tool.laptime]`."""
    named = config.getoption("history")
    if config.getoption("no_history"):
        if named is not None:
            raise options.OptionError("--history and --no-history: which?")
        return None, False
    if named is not None:
        return anchored(named, config.invocation_params.dir), True
    named = config.getini(INI_KEY) or wanted.history
    return anchored(named or DEFAULT, config.rootpath), bool(named)


def _spawn_without_pytest() -> None:
    """Make `pytest` and `python -m pytest` start the same worker processes.

    A worker process imports the main module again. Under the script that is all of pytest: a spawned worker then takes
    0.18 s to start and end rather than 0.05, one of a fork server 0.11 rather than 0.005. Under `-m`
    multiprocessing knows to leave a package's `__main__` alone, so the script is made to look like that.
    """
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is None and Path(getattr(main, "__file__", "") or "").name in {
        "pytest",
        "py.test",
    }:
        main.__spec__ = importlib.util.find_spec("pytest.__main__")


class Racing:
    """Brings what visits tests in passes, where there are some to visit."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Once it is known which tests run."""
        config, option = session.config, session.config.getoption
        found = groups(session.items, interleave=option("interleave"))
        if not found or not is_timing(config) or option("collectonly") or option("setuponly"):
            return
        from laptime.plugin.passes import Passes

        live = option("http") == LIVE
        passes = Passes(found, self._narrator, seconds=option("race_time"), live=live)
        config.stash[PASSES] = passes
        config.pluginmanager.register(passes, "laptime-passes")


class Proxies:
    """A proxy named in the environment would take the requests to the replay; said before any worker starts."""

    def __init__(self) -> None:
        self._before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
        for name, value in self._before.items():
            if value is None or "*" not in value.split(","):  # which is: no proxy at all
                os.environ[name] = ",".join(filter(None, [value, _LOOPBACK]))

    def pytest_unconfigure(self) -> None:
        """Leave the environment as it was."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Selection:
    """Hooks that keep recording and timing apart, and stop the shared processes at the end."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """With --http=record only what records, otherwise all but that."""
        recording = self._resources.options.http == RECORD
        chosen: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        for item in items:
            records = item.get_closest_marker(RECORD_MARK) is not None
            (chosen if records == recording else dropped).append(item)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = chosen

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A test meets each stage as if nothing had been asked of it before, whatever ran before it."""
        if {"replay", "request"} & set(getattr(item, "fixturenames", ())) and self._resources.stages():
            from laptime.replay import ReplayDied

            try:
                self._resources.begin()
            except ReplayDied as error:
                pytest.exit(f"laptime: {error}", CANNOT_MEASURE)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Stop the shared processes."""
        self._resources.close()

    def pytest_unconfigure(self) -> None:
        """Where the session ended before it finished."""
        self._resources.close()


# fixtures


@pytest.fixture(scope="session")
def laptime_options(pytestconfig: pytest.Config) -> Options:
    """What the command line said: `.http` is "replay", "live" or "record"."""
    return pytestconfig.stash[RESOURCES].options


@pytest.fixture(scope="session")
def usable_cpus() -> float:
    """How many CPUs' worth of work can be done at once: the lesser of affinity and cgroup quota."""
    return machine.usable_cpus()


@pytest.fixture(scope="session")
def replay(pytestconfig: pytest.Config) -> Callable[..., Stage]:
    """``replay(path, latency="recorded", *, tls=False, limits="")`` serves a cassette to any client on this machine.

    The result's `.url(origin)` stands for a recorded origin; see `laptime.replay.Stage`, and `ReplayServer.load` for
    what it takes. A latency on the command line goes before the one given here. One server process serves the session.
    In a test that uses it nothing but loopback can be reached.
    """
    from laptime.cassette import CassetteError
    from laptime.replay import LatencyError, LimitsError, ReplayDied, TlsError

    resources, escapes = pytestconfig.stash[RESOURCES], pytestconfig.stash[ESCAPES]

    def serve(
        path: str | Path, latency: str = "recorded", *, tls: bool = False, limits: str | Mapping[str, str] = ""
    ) -> Stage:
        try:
            stage = resources.stage(Path(path), resources.options.pace(latency), tls=tls, limits=limits)
        except ReplayDied as error:
            pytest.exit(f"laptime: {error}", CANNOT_MEASURE)
        except (CassetteError, LatencyError, LimitsError, TlsError) as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        escapes.up()
        return stage

    return serve


@pytest.fixture(scope="session")
def live_origin(pytestconfig: pytest.Config) -> Callable[[str, str], str]:
    """``live_origin(name, url)`` is where a live site is reached; fails at once, and once, where it can't be."""
    from laptime import live

    resources = pytestconfig.stash[RESOURCES]

    def reach(name: str, origin: str) -> str:
        try:
            return resources.reach(name, origin)
        except live.Unreachable as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None  # its causes are in its message
        except KnownUnreachable as error:
            pytest.skip(str(error))

    return reach


@pytest.fixture
def lap(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., None]:
    """``lap(open, check, …)`` times a piece of work in checked rounds; see `laptime.lap.Lap` for what it takes.

    Takes besides ``group=``, and ``rounds=(least, most, seconds)``, which counts where the test is in no race: without
    ``workload=``, or with ``study=``, its figures are those of none.
    """
    from laptime import lap as laps
    from laptime.child import HelperDied
    from laptime.replay import ReplayDied

    resources, lock = request.config.stash[RESOURCES], request.config.stash[LOCK]
    passes = request.config.stash.get(PASSES, None)

    def run(
        open: Callable[[], AbstractContextManager[Callable[[], object]]],  # noqa: A002 (the noun of `Lap`)
        check: Callable[[Any], None],
        *,
        lifecycle: str | None = None,
        stage: Stage | None = None,
        requests: Mapping[str, int] | None = laps.NO_REQUESTS,
        rounds: tuple[int, int, float] = (3, 20, 1.0),
        group: str | None = None,
        **info: object,
    ) -> None:
        benchmark.group = group or benchmark.group
        info["position"] = request.session.items.index(request.node)
        work = laps.Lap(open, check, lifecycle, stage, requests, info)
        visits = passes.visits(request.node, races="workload" in info and "study" not in info) if passes else None
        in_a_visit = laps.ONE if resources.options.http == LIVE else laps.IN_A_VISIT
        try:
            with lock.watching():
                allowed = laps.Rounds(*rounds) if visits is None else in_a_visit
                laps.run(benchmark, work, allowed, resources.instruments(), visits)
        except (HelperDied, ReplayDied) as error:
            pytest.exit(f"laptime: {error}", CANNOT_MEASURE)
        if not benchmark.disabled and (culprit := lock.culprit()):
            benchmark.extra_info["gil_on_by"] = culprit

    return run


@pytest.fixture
def race(lap: Callable[..., None], request: pytest.FixtureRequest) -> Callable[..., None]:
    """``race(way, function, items, …)`` times one way to run a function; see `laptime.plugin.racing.Races.run`.

    The cases of a test function are one race: they are timed in passes, and compared with the first of them.
    """
    return partial(request.config.stash[RACES].run, lap, request.node)


@pytest.fixture
def record(pytestconfig: pytest.Config, live_origin: Callable[[str, str], str]) -> Callable[..., None]:
    """``record(name, path, origin, run)`` records what ``run(url)`` asks for; `url` is the origin or its stand-in."""
    from laptime import record as recording
    from laptime.plugin.recorder import Recorder

    resources, narrator = pytestconfig.stash[RESOURCES], pytestconfig.stash[NARRATOR]

    def make(name: str, path: Path, origin: str, run: Callable[[str], object]) -> None:
        url = live_origin(name, origin)
        told = Recorder(name, path, narrator)
        try:
            with recording.explained(name, url):
                made = recording.record(
                    path,
                    lambda: run(url),
                    "live" if url == origin else "stand-in",
                    secrets=resources.options.secrets,
                    progress=told.progress,
                    say=told.say,
                )
        except recording.RecordError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None  # its causes are in its message
        told.done(made, url)

    return make
