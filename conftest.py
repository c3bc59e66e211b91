"""The suite's own options and fixtures: tiers, cases, and where each workload's requests go."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.cases import LIVE_PASSES, SETTINGS, TIERS, Case, absent, cases
from benchmarks.study import STUDY_PASSES, asked_for
from workloads import cluster
from workloads.catalog import ALL
from workloads.model import Recorded, Workload

ROOT = Path(__file__).parent
BENCHMARKS = ROOT / "benchmarks"


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(dict.fromkeys(int(number) for number in text.split(",")))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1 or max(numbers) > 256:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers from 1 to 256, as in 2,8")
    return numbers


def _scheduler(text: str) -> str:
    try:
        place = urlsplit(text)
        valid = place.scheme == "tcp" and place.hostname and place.port and not place.path
    except ValueError:
        valid = False
    if not valid:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a scheduler's address, as in tcp://127.0.0.1:8786")
    return text


def pytest_addoption(parser):
    """The suite's options, as `pytest --help` shows them."""
    group = parser.getgroup("suite", "the suite of benchmarks")
    group.addoption(
        "--tier",
        choices=TIERS,
        default="default",
        help="How much to run: smoke (a look in 20 s, no verdict), default (2 min), full (everything, whole), or gate "
        "(what `laptime gate` judges: 12 benchmarks with short rounds).",
    )
    group.addoption(
        "--workers",
        type=_numbers,
        metavar="N,N",
        help="How many workers the pooled variants have, instead of the tier's numbers. In names: w2, two workers; "
        "cold, their pool is started and ended in each round; warm, it stands; session, sequential on one connection; "
        "thread-per-item, a thread for each item, results in a Manager's dict; pool-map, multiprocessing.Pool().map; "
        "sieve, another algorithm.",
    )
    group.addoption(
        "--dask",
        type=_scheduler,
        metavar="URL",
        help="The scheduler of a running dask cluster, tcp://HOST:PORT, for the dask variants. Default: they start a "
        "local cluster each, in the tier full or where -k names them.",
    )


def pytest_configure(config):
    """A stand-in for nothing would leave the live site to be asked."""
    known = {workload.http.cassette for workload in ALL if workload.http}
    for text in config.getoption("origin"):
        if (name := text.partition("=")[0]) not in known:
            raise pytest.UsageError(
                f"--origin {text!r}: {name!r} is none of the recordings: {', '.join(sorted(known))}"
            )

    if config.getoption("dask") and not cluster.NEEDS.met():
        raise pytest.UsageError(f"--dask needs {cluster.NEEDS.what}")


def pytest_sessionstart(session):
    """A cluster that can't be used is told at once, before anything is timed, and once."""
    config = session.config
    scheduler = config.getoption("dask")
    if scheduler and not config.getoption("collectonly") and not hasattr(config, "workerinput"):
        try:
            cluster.check(scheduler, here=config.getoption("http") != "live")
        except cluster.ClusterError as error:
            raise pytest.UsageError(f"--dask: {error}") from error


def pytest_terminal_summary(terminalreporter, config):
    """Why nothing ran of what was asked for."""
    places = [(config.invocation_params.dir / one.partition("::")[0]).resolve() for one in config.args]
    if not any(one.is_relative_to(BENCHMARKS) or BENCHMARKS.is_relative_to(one) for one in places):
        return
    for name, what in absent(_asked_for(config)).items():
        terminalreporter.write_line(f"the variant {name!r} does not run here: it needs {what}", yellow=True)


def _asked_for(config) -> Callable[[str], bool]:
    tests = (one.partition("::")[2] for one in config.args)
    expressions = (config.getoption("keyword"), config.getoption("markexpr"), *tests)
    return partial(asked_for, expressions=expressions)


def pytest_collection_modifyitems(config, items):
    """A study takes its time: it runs in the tier `full`, or where it is asked for by name or by its file."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
    for item in items:
        if item.get_closest_marker("study") and not item.get_closest_marker("laptime_race"):
            item.add_marker(pytest.mark.laptime_race(passes=STUDY_PASSES[config.getoption("tier")]))
    if config.getoption("tier") == "full":
        return
    named = _asked_for(config)
    paths = {(config.invocation_params.dir / one.partition("::")[0]).resolve() for one in config.args}
    dropped = []
    for item in items:
        marker = item.get_closest_marker("study")
        if marker and not named(marker.args[0]) and item.path not in paths:
            dropped.append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


def pytest_generate_tests(metafunc):
    """One benchmark per case of the tier."""
    if "case" in metafunc.fixturenames:
        option = metafunc.config.getoption
        http = option("http")
        chosen = {"live": http == "live", "asked_for": _asked_for(metafunc.config), "scheduler": option("dask")}
        found = list(cases(option("tier"), option("workers"), **chosen))
        marked = [pytest.param(case, marks=_marks(case, option("tier"), chosen["live"])) for case in found]
        metafunc.parametrize("case", marked, ids=[case.id(http) for case in found])


def _marks(case: Case, tier: str, live: bool) -> list[pytest.MarkDecorator]:
    """Its race, and for how long that goes on; and what a gate has to know."""
    live = live and case.workload.http is not None
    settings = SETTINGS[tier]
    marks = [
        pytest.mark.benchmark(group=f"{case.workload.name} (live)" if live else case.workload.name),
        pytest.mark.laptime_race(passes=LIVE_PASSES if live else settings.passes, seconds=settings.seconds),
    ]
    # what waits, or has one page to parse, keeps no second CPU busy
    if case.variant.start_methods and case.workload.http is None:
        marks.append(pytest.mark.laptime_gate(multicore=True))
    if case.variant.leaves_memory:
        marks.append(pytest.mark.last)
    return marks


@dataclass(frozen=True, slots=True)
class Answers:
    """What is right, worked out once for all variants: expected answers by work, and what live sites said first."""

    expected: dict[tuple[str, object], object] = field(default_factory=dict)
    live: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """Where an HTTP workload's requests go, and what answer is right.

    `stage` is the replay; None live, and for work without HTTP.
    """

    workload: Workload
    base_url: str
    stage: Any
    live: bool
    recorded: Mapping[str, Recorded]
    answers: Answers

    def check(self, work: object) -> Callable[[Any], None]:
        """A check of answers to this work: against the right one, or, live, against the first."""
        return self._check_live if self.live else self._check(self._expected(work))

    def summary(self, work: object) -> str | None:
        """The right answer in one line; None live, where nobody knows it."""
        return None if self.live else self.workload.describe(self._expected(work))

    def _expected(self, work: object) -> Any:
        key = (self.workload.name, work)
        if key not in self.answers.expected:
            self.answers.expected[key] = self.workload.expected(work, self.recorded)
        return self.answers.expected[key]

    def _check(self, expected: object) -> Callable[[Any], None]:
        describe = self.workload.describe

        def check(answer: Any) -> None:
            assert answer == expected, (
                f"wrong answer: expected {describe(expected)}, got {'nothing' if answer is None else describe(answer)}"
            )

        return check

    def _check_live(self, answer: Any) -> None:
        assert self.workload.http is not None
        outline = self.workload.http.outline(answer)
        first = self.answers.live.setdefault(self.workload.name, outline)
        assert outline == first, (
            f"the live site answered differently before: {first}, now {outline} ({self.workload.describe(answer)})"
        )


@pytest.fixture(scope="session")
def tier(pytestconfig):
    """The name of the tier."""
    return pytestconfig.getoption("tier")


@pytest.fixture(scope="session")
def cassettes():
    """The directory of the recordings."""
    return ROOT / "cassettes"


@pytest.fixture(scope="session")
def answers():
    """The right answers, as far as they were worked out."""
    return Answers()


@pytest.fixture
def site_for(cassettes, replay, live_origin, laptime_options, answers):
    """``site_for(workload, latency)`` is where its requests go."""

    def find(workload: Workload, latency: str) -> Site:
        http = workload.http
        if http is None:
            return Site(workload, "", None, False, {}, answers)
        if laptime_options.http == "live":
            return Site(workload, live_origin(http.cassette, http.origin), None, True, {}, answers)
        stage = replay(cassettes / f"{http.cassette}.yaml", latency)
        recorded = {target: Recorded(*response) for target, response in stage.responses().items()}
        return Site(workload, stage.url(), stage, False, recorded, answers)

    return find


@pytest.fixture
def site(case, tier, site_for):
    """Where the case's requests go."""
    return site_for(case.workload, SETTINGS[tier].latency)
