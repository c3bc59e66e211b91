"""The studies that fetch: in_flight, clients, sharing and starving; what they run, and what they store."""

from __future__ import annotations

import ast
import inspect
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import test_clients, test_in_flight, test_sharing, test_starving
from benchmarks.fetching import Fetching, fetching
from laptime.cassette import load
from laptime.replay import Latency, ReplayServer, Stage
from laptime.replay.visit import Visit
from tests.support import ROOT, ended
from tests.support.here import pytest as pytest_here
from tests.support.sessions import OK, benchmarks
from workloads import apart, beside, clients, parsers, quotes

CASSETTES = ROOT / "cassettes"
STUDIES = ("in_flight", "clients", "sharing", "starving")
LANES = 3
MANY = [10, 100, 1000]
NO_MORE = "can't start new thread"


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    """The server that everything here is fetched from."""
    with ReplayServer() as started:
        yield started


@pytest.fixture
def replay(server: ReplayServer) -> Iterator[Callable[[Path, str], Stage]]:
    """As the plugin's, but that nothing is waited for."""
    stages = []

    def serve(path: Path, latency: str) -> Stage:
        stages.append(server.load(path, Latency.parse("none")))
        return stages[-1]

    yield serve
    for stage in stages:
        stage.close()


@pytest.fixture
def fetched(replay: Callable[..., Stage]) -> Callable[[int], Fetching]:
    """So many requests of the recorded items."""

    def make(number: int) -> Fetching:
        found = fetching(replay, SimpleNamespace(http="replay"), CASSETTES, "none", number)
        found.stage.begin()
        return found

    return make


# names


def test_a_study_runs_where_it_is_asked_for_and_stores_its_points(tmp_path: Path) -> None:
    """A few that need no process; test_documented_commands.py has all of them."""
    points = {
        "test_clients[n8-requests]": ("clients", "requests, a Session in each thread", "8 in flight"),
        "test_sharing_session[w8-shared]": ("sharing", "one for all", "a Session, 8 threads"),
        "test_sharing_parser[thread]": ("sharing", "one in each thread", "an lxml parser, 2 threads"),
        "test_starving[threads-nothing]": ("starving", "nothing", "8 threads"),
        "test_starving[asyncio-loop]": ("starving", "the event loop itself", "asyncio, 8 at once"),
    }
    asked = ("-k", " or ".join(points), "--tier=smoke", "--latency=none")
    out = tmp_path / "out.json"
    ended = pytest_here(ROOT, "-p", "no:randomly", "--benchmark-only", *asked, f"--benchmark-json={out}")
    assert OK == ended.code, ended.text
    stored = {name: benchmark["extra_info"] for name, benchmark in benchmarks(out).items()}
    found = {name: info["study"] for name, info in stored.items()}
    assert points == {name: (point["name"], point["line"], point["x"]) for name, point in found.items()}
    for name, info in stored.items():
        if "requests" in info["rounds"]:
            assert {found[name]["items"]} == set(info["rounds"]["requests"])


@pytest.mark.parametrize(("tier", "numbers"), [("smoke", [4, 32]), ("default", MANY), ("full", MANY)])
def test_a_thousand_are_in_flight_where_there_is_time(tier: str, numbers: list[int]) -> None:
    """10, 100 and 1,000, each way next to the other; a look takes fewer."""
    made: list[Any] = []
    option = SimpleNamespace(getoption={"tier": tier}.get)
    test_in_flight.pytest_generate_tests(
        SimpleNamespace(config=option, parametrize=lambda names, places, ids: made.extend(places))
    )
    assert [(way, number) for number in numbers for way in ("asyncio", "threads")] == made


# answers

POINTS = {
    "in_flight": partial(test_in_flight.test_in_flight, "threads", 2),
    "clients": partial(test_clients.test_clients, "aiohttp", 1),
    "sharing_session": partial(test_sharing.test_sharing_session, test_sharing.SHARED, 2),
    "sharing_parser": partial(test_sharing.test_sharing_parser, test_sharing.SHARED),
    "starving": partial(test_starving.test_starving, "asyncio", "loop"),
}


def run_point(name: str, lap: Callable[..., None], replay: Callable[..., Stage], http: str = "replay") -> None:
    """One benchmark of a study, with another `lap`."""
    POINTS[name](tier="smoke", replay=replay, laptime_options=SimpleNamespace(http=http), cassettes=CASSETTES, lap=lap)


@pytest.mark.parametrize("name", POINTS)
def test_a_wrong_answer_fails(name: str, replay: Callable[..., Stage]) -> None:
    """The answer of the work is right; without its last part, doubled, or empty it isn't."""

    def lap(open: Callable[..., Any], check: Callable[[Any], None], **info: Any) -> None:  # noqa: A002 (as in `lap`)
        with open() as work:
            answer = work()
        check(answer)
        if isinstance(answer, tuple):
            wrong: list[Any] = [answer[:-1], answer * 2, (), (*answer[:-1], answer[-1][:-1])]
        else:
            first, *others = answer
            less = {one: answer[one] for one in others}
            wrong = [less, {**answer, first: answer[first] + 1}, {}, {**less, first._replace(crc32=0): answer[first]}]
        for one in wrong:
            with pytest.raises(AssertionError, match=r"^wrong answer: "):
                check(one)

    run_point(name, lap, replay)


@pytest.mark.parametrize("name", POINTS)
def test_a_live_site_is_not_asked(name: str, replay: Callable[..., Stage]) -> None:
    """With --http=live a study is skipped, in words: thousands of requests are for a replay."""
    with pytest.raises(pytest.skip.Exception, match="a replay only"):
        run_point(name, pytest.fail, replay, "live")


# clients and lanes


@pytest.mark.parametrize("name", clients.CLIENTS)
def test_every_client_does_the_same_work(name: str, fetched: Callable[[int], Fetching]) -> None:
    """Each gets every recorded answer, one that isn't there among them, over connections that it keeps."""
    found = fetched(20)
    with clients.CLIENTS[name](found.work, LANES) as run:
        found.check(run())
        found.check(run())
    log = found.stage.end(log=True).log
    assert {200, 404} == {visit.status for visit in log}
    assert len({visit.connection for visit in log}) <= LANES


@pytest.mark.parametrize(
    ("opened", "connections"),
    [
        (partial(clients.one_each_time, clients.requests_once), {20}),
        (partial(clients.one_each, clients.requests_session), {LANES}),
        (partial(clients.shared, clients.requests_session), range(1, LANES + 1)),
        (test_sharing._wide, range(1, LANES + 1)),
    ],
    ids=["each", "thread", "shared", "shared-wide"],
)
def test_who_shares_a_session_shares_its_connections(opened, connections, fetched) -> None:
    """A session for each request has a connection for each, one for each thread as many as threads."""
    found = fetched(20)
    with opened(found.work, LANES) as run:
        found.check(run())
    assert len({visit.connection for visit in found.stage.end(log=True).log}) in connections


@pytest.mark.parametrize("pool", [None, 16])
def test_a_wide_session_keeps_a_connection_for_each_thread(pool: int | None) -> None:
    """requests keeps 10 of a host, where nothing else is said."""
    with clients.requests_session(pool) as get:
        session = inspect.getclosurevars(get).nonlocals["session"]
        assert (pool or 10) == session.get_adapter("http://127.0.0.1")._pool_maxsize


def test_a_lane_that_fails_fails_the_work(fetched: Callable[[int], Fetching]) -> None:
    """An error of a client is not counted, nor swallowed."""
    found = fetched(4)
    with (
        clients.shared(partial(nullcontext, lambda url: 1 / 0), found.work, 2) as run,
        pytest.raises(ZeroDivisionError),
    ):
        run()


@pytest.mark.parametrize(("name", "connections"), [("requests", 300), ("aiohttp", 1000)])
def test_so_many_connections_are_served(name: str, connections: int, fetched: Callable[[int], Fetching]) -> None:
    """A process of its own has files for them, whatever the limit here; each answer is right, and none refused."""
    if reason := apart.lacking(connections):
        pytest.skip(reason)
    found = fetched(connections)
    with apart.apart(partial(clients.CLIENTS[name], found.work, connections), connections) as run:
        found.check(run())
    served = found.stage.end(log=True)
    assert ([], []) == (served.unmatched, served.refused)
    assert [] == [visit for visit in served.log if visit.first_ns < visit.due_ns]
    if name == "requests":  # a session each
        assert connections == len({visit.connection for visit in served.log})


def test_the_limit_of_open_files_is_raised_as_far_as_needed() -> None:
    """And only where it is too low; other limits are left alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        apart._enter(lambda: nullcontext(int), apart.files_for(200))
        assert (300, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
        apart._enter(lambda: nullcontext(int), apart.files_for(100))
        assert (300, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_the_system_does_not_allow_is_said_in_words(monkeypatch: pytest.MonkeyPatch, replay: Any) -> None:
    """Too few files, or no more threads: the study is skipped, with the reason; another error is one."""
    run = partial(run_point, "in_flight", replay=replay)

    def fail(words: str, **_: object) -> None:
        raise RuntimeError(words)

    with pytest.raises(pytest.skip.Exception, match=f"the system lets no 2 threads start: {NO_MORE}"):
        run(lambda **info: fail(NO_MORE))
    with pytest.raises(RuntimeError, match="anything else"):
        run(lambda **info: fail("anything else"))
    monkeypatch.setattr(resource, "getrlimit", lambda which: (50, 101))
    with pytest.raises(pytest.skip.Exception, match=r"2 connections need 102 open files, 101 are allowed: raise `ulim"):
        run(pytest.fail)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (50, resource.RLIM_INFINITY))
    assert apart.lacking(10**6) is None


def test_threads_that_can_not_start_leave_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the third is refused, the first two don't wait for it for ever."""
    before, numbers, start = threading.active_count(), count(1), threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if next(numbers) > 2:
            raise RuntimeError(NO_MORE)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    with (
        pytest.raises(RuntimeError, match=NO_MORE),
        clients.threads(clients.fetches("", 1), [clients.requests_once] * 4),
    ):
        pytest.fail("it has begun")
    assert before == threading.active_count()


def test_the_most_at_once_is_read_from_the_log() -> None:
    """A visit is on its way from when it was read until it was answered; one that ends as another begins is over."""

    def visit(read_ns: int, done_ns: int) -> Visit:
        return Visit("", "", 0, 200, 0, -1, read_ns, read_ns, done_ns, done_ns, done_ns, 1)

    assert 2 == test_in_flight.most_at_once([visit(0, 10), visit(5, 20), visit(10, 30), visit(40, 50)])


def test_a_client_is_imported_where_it_is_used() -> None:
    """A worker process that is started for something else doesn't pay for it."""
    at_once = [
        alias.name
        for path in ROOT.glob("workloads/*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    assert "requests" in at_once
    assert not {"httpx", "aiohttp"} & set(at_once)


# parsers


@pytest.mark.parametrize("opened", test_sharing.PARSERS.values(), ids=lambda opened: opened.__name__)
def test_a_parser_may_be_shared(opened: Callable[..., Any]) -> None:
    """However many threads have one, each page has what BeautifulSoup finds there, in the order of the pages."""
    pages = tuple(one.body for one in load(CASSETTES / "quotes.yaml").interactions[:2])
    with opened(pages * 8, 4) as run:
        assert tuple(quotes.parse("html.parser", page) for page in pages) * 8 == run()


def test_a_thread_keeps_its_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each page makes as many as there are pages, one for each thread no more than threads."""
    made: list[Any] = []
    new = parsers.new
    monkeypatch.setattr(parsers, "new", lambda: made.append(new()) or made[-1])
    counts = []
    for opened in (parsers.one_each_time, parsers.one_each, parsers.shared):
        made.clear()
        with opened((b"<p>",) * 8, 2) as run:
            run()
        counts.append(len(made))
    assert (8, 1) == (counts[0], counts[2])
    assert 1 <= counts[1] <= 2


# what computes beside


@pytest.mark.parametrize("what", test_starving.BESIDE)
def test_what_computes_ends_with_the_work(what: str) -> None:
    """Whether the work succeeds or fails: no thread, no process and no switch interval stays."""
    before = (threading.active_count(), sys.getswitchinterval())
    for fails in (False, True):
        with pytest.raises(ZeroDivisionError) if fails else nullcontext(), test_starving.BESIDE[what][1]():
            process = next((one for one in multiprocessing.active_children() if one.name == "beside"), None)
            assert ("process" in what) == (process is not None)
            assert ("thread" in what) == ("beside" in {thread.name for thread in threading.enumerate()})
            if "switch" in what:
                assert pytest.approx(beside.SHORT_SWITCH_S) == sys.getswitchinterval()
            if fails:
                _ = 1 / 0
        assert before == (threading.active_count(), sys.getswitchinterval())
        assert process is None or not process.is_alive()


@pytest.mark.parametrize(
    "opened",
    [
        "beside.process(beside.compute) as _: print(multiprocessing.active_children()[0].pid",
        "apart.apart(partial(nullcontext, os.getpid), 1) as run: print(run()",
    ],
    ids=["beside", "apart"],
)
def test_a_process_of_its_own_ends_with_who_started_it(opened: str) -> None:
    """Even where that was killed."""
    imports = "import multiprocessing, os, time; from contextlib import nullcontext; from functools import partial"
    code = f"{imports}; from workloads import apart, beside\nwith {opened}, flush=True); time.sleep(60)"
    with subprocess.Popen((sys.executable, "-c", code), cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    assert ended(pid)


@pytest.mark.parametrize("what", test_starving.WITHIN)
def test_an_event_loop_computes_only_while_it_fetches(
    what: str, fetched: Callable[[int], Fetching], monkeypatch
) -> None:
    """It is begun with the lanes and cancelled with them."""
    computed = count()
    monkeypatch.setattr(beside, "compute", lambda: next(computed))
    found = fetched(8)
    with clients.event_loop(clients.aiohttp_client, found.work, 2, test_starving.WITHIN[what][1]) as run:
        found.check(run())
    after = next(computed)
    assert after > 0
    assert after + 1 == next(computed)


def test_what_fails_beside_fails_the_work(fetched: Callable[[int], Fetching]) -> None:
    """An event loop beside which nothing computes any more is not what was to be measured."""
    found = fetched(4)

    async def broken() -> None:
        raise ZeroDivisionError

    with clients.event_loop(clients.aiohttp_client, found.work, 2, broken) as run, pytest.raises(ZeroDivisionError):
        run()
