"""In a test that replays nothing but loopback can be reached: real sessions whose tests try, and are failed for it.

What they try to reach is reserved for documentation; what must be allowed elsewhere is a look-up that asks nobody.
"""

from __future__ import annotations

import multiprocessing
import re
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.here import pytest as pytest_here
from tests.support.sessions import FAILED, OK, Ended, benchmarks
from tests.support.sessions import pytest as pytest_in
from tests.support.shop import suite

START_METHODS = multiprocessing.get_all_start_methods()
SETTINGS = {"COLUMNS": "700", "PYTHONPATH": str(ROOT)}
"""Room for whole messages in pytest's summary, and the repository's own workloads."""

BEFORE = """
    import multiprocessing, socket
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    from contextlib import suppress
    from shop import price

    OUTSIDE = "http://192.0.2.1:9"

    def swallow(name="name.invalid"):
        '''As work does that counts its errors, or tries again elsewhere.'''
        with suppress(OSError):
            socket.gethostbyname(name)

    def ask_nobody():
        '''A look-up of what needs none: nothing leaves, whether it is guarded or not.'''
        return socket.getaddrinfo("192.0.2.1", 9, flags=socket.AI_NUMERICHOST)[0][4]

    def is_allowed():
        return ("192.0.2.1", 9) == ask_nobody()
"""

LEAVING = """
    @pytest.fixture
    def swallows_in_setup(replay):
        swallow()

    @pytest.fixture
    def swallows_in_teardown(replay):
        yield
        swallow()

    @pytest.fixture
    def raises_in_teardown(replay):
        yield
        price(OUTSIDE, "pear")

    @pytest.fixture(scope="module")
    def stage(replay):
        return replay(HERE / "shop.yaml", "none")

    @pytest.fixture
    def indirect(stage):
        return stage.url()

    @pytest.fixture(scope="module")
    def later(request):
        return request.getfixturevalue("replay")(HERE / "shop.yaml", "none")

    @pytest.fixture(scope="module")
    def kept(replay):
        return replay(HERE / "shop.yaml", "fixed:1ms")

    # what leaves nothing to be failed for

    def test_before_any():
        assert is_allowed()

    def test_loopback(replay):
        stage = replay(HERE / "shop.yaml", "none")
        assert 3 == price(stage.url(), "pear") == price(stage.url().replace("127.0.0.1", "localhost"), "pear")

    def test_until_it_is_asked_for(request):
        assert is_allowed()
        stage = request.getfixturevalue("replay")(HERE / "shop.yaml", "none")
        assert 3 == price(stage.url(), "pear")

    # what leaves

    def test_raised(replay):
        price(OUTSIDE, "pear")

    def test_swallowed(replay):
        swallow()

    def test_after_a_failed_one():
        assert is_allowed()

    def test_swallowed_often(replay):
        swallow("first.invalid"), swallow(), swallow()

    def test_answered_wrongly(replay):
        assert price_or_none(OUTSIDE, "pear") is not None, "no price"

    def test_lap(replay, lap):
        lap(partial(shopping, OUTSIDE, NAMES, price_or_none), lambda answer: None, **RACE)

    def test_plain_benchmark(replay, benchmark):
        benchmark.pedantic(price_or_none, (OUTSIDE, "pear"), rounds=2)

    def test_in_setup(benchmark, swallows_in_setup):
        benchmark(int)

    def test_in_teardown(benchmark, swallows_in_teardown):
        benchmark(int)

    def test_lap_in_teardown(lap, swallows_in_teardown):
        lap(one, is_one, **RACE)

    def test_raised_in_teardown(raises_in_teardown):
        pass

    def test_by_another_fixture(indirect):
        swallow()

    @pytest.mark.usefixtures("replay")
    def test_by_mark():
        swallow()

    def test_by_request(request):
        request.getfixturevalue("replay")(HERE / "shop.yaml", "none")
        swallow()

    def test_by_a_fixtures_request(request):
        request.getfixturevalue("later")
        swallow()

    def test_by_request_of_what_is_new(request):
        request.getfixturevalue("kept")
        swallow()

    def test_by_request_of_what_is_there(request):
        request.getfixturevalue("kept")
        swallow()

    def test_skipped(replay):
        swallow()
        pytest.skip("no price")

    def test_given_up(replay):
        swallow()
        pytest.xfail("no price")

    def test_in_a_thread(replay):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(swallow).result()

    @pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
    def test_in_a_worker(replay, method):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert [None] == pool.map(partial(price_or_none, OUTSIDE), ["pear"])

    def test_after_all():
        assert is_allowed()
"""

LOOK_UP = "this was tried: a look-up of name.invalid (process "
OUTSIDE = "this was tried: a look-up of 192.0.2.1 (process "
LEFT = {
    "test_raised": ("FAILED", OUTSIDE),
    "test_swallowed": ("FAILED", LOOK_UP),
    "test_swallowed_often": ("FAILED", "this was tried: a look-up of first.invalid (process "),
    "test_answered_wrongly": ("FAILED", OUTSIDE),
    "test_lap": ("FAILED", OUTSIDE),
    "test_plain_benchmark": ("FAILED", OUTSIDE),
    "test_in_setup": ("ERROR", LOOK_UP),
    "test_in_teardown": ("ERROR", LOOK_UP),
    "test_lap_in_teardown": ("ERROR", LOOK_UP),
    "test_raised_in_teardown": ("ERROR", OUTSIDE),
    "test_by_another_fixture": ("FAILED", LOOK_UP),
    "test_by_mark": ("FAILED", LOOK_UP),
    "test_by_request": ("FAILED", LOOK_UP),
    "test_by_a_fixtures_request": ("FAILED", LOOK_UP),
    "test_by_request_of_what_is_new": ("FAILED", LOOK_UP),
    "test_by_request_of_what_is_there": ("FAILED", LOOK_UP),
    "test_skipped": ("FAILED", LOOK_UP),
    "test_given_up": ("FAILED", LOOK_UP),
    "test_in_a_thread": ("FAILED", LOOK_UP),
    **{f"test_in_a_worker[{method}]": ("FAILED", OUTSIDE) for method in START_METHODS},
}
STAYED = ["test_before_any", "test_loopback", "test_until_it_is_asked_for", "test_after_a_failed_one", "test_after_all"]
TIMED = [
    "test_lap",
    "test_plain_benchmark",
    "test_in_setup",
    "test_in_teardown",
    "test_lap_in_teardown",
]


@pytest.fixture(scope="module")
def left(tmp_path_factory) -> tuple[Path, Ended]:
    """A session in which tests try to leave in every way: its directory, and how it ended."""
    directory = suite(tmp_path_factory.mktemp("left"), test_leaving=(BEFORE, LEAVING))
    arguments = ("-rA", "--no-fold-skipped", "--benchmark-max-time=0.01", "--benchmark-json=out.json")
    return directory, pytest_in(directory, *arguments, env=SETTINGS)


def summary(ended: Ended, name: str) -> list[tuple[str, str]]:
    """How pytest's summary reports a test: each outcome, and its reason."""
    lines = re.findall(
        rf"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL) .*::{re.escape(name)}(?: - (.*))?$",
        ended.text.partition("short test summary info")[2],
        re.M,
    )
    return [(outcome, reason) for outcome, reason in lines]


@pytest.mark.parametrize("name", LEFT)
def test_who_tries_to_leave_is_failed(left, name):
    """Whatever became of the attempt, wherever it was made: the address is named, and how to do it right."""
    _, ended = left
    outcome, tried = LEFT[name]
    (reason,) = [reason for found, reason in summary(ended, name) if found == outcome]
    beginning, process, rest = re.split(r"(?<=process )(\d+)\)", reason, maxsplit=1)
    assert f"Failed: in replay mode nothing but loopback may be reached, and {tried}" == beginning
    assert "Take the URL from the `replay` fixture's `.url()`, or ask the live site with --http=live." in rest
    assert int(process) > 1


def test_who_does_not_try_is_left_alone(left):
    """Loopback by any name, and all that is done without `replay`, before it and after it."""
    _, ended = left
    assert {name: [("PASSED", "")] for name in STAYED} == {name: summary(ended, name) for name in STAYED}


def test_what_was_timed_meanwhile_is_thrown_away(left):
    """In whichever part of the test the attempt was made, and though the work had an answer."""
    directory, ended = left
    assert {} == benchmarks(directory / "out.json")
    assert [] == [name for name in TIMED if ended.timed(name)]


def test_of_many_attempts_the_first_is_named(left):
    """And how many followed."""
    _, ended = left
    ((_, once),), ((_, often),) = summary(ended, "test_swallowed"), summary(ended, "test_swallowed_often")
    assert "). Take the URL" in once
    assert ") and 2 more. Take the URL" in often


def test_what_the_attempt_led_to_is_told_with_it(left):
    """A wrong answer is no news beside its cause, but may help to find the place."""
    _, ended = left
    ((_, reason),) = summary(ended, "test_answered_wrongly")
    assert "It led to AssertionError: no price" in reason


def test_what_leaves_in_a_worker_is_told_with_the_workers_number(left):
    """It isn't that of the session itself."""
    _, ended = left
    found = [summary(ended, name)[0][1] for name in ("test_raised", *(f"test_in_a_worker[{m}]" for m in START_METHODS))]
    processes = [re.search(r"\(process (\d+)\)", reason)[1] for reason in found]
    assert len(processes) == len(set(processes))


# the workloads of this repository, which count their errors

WORKLOADS = """
    from workloads.hn_items import HN_ITEMS, Items
    from workloads.model import COLD, WARM, How

    METHODS = multiprocessing.get_all_start_methods()
    WAYS = [
        pytest.param(variant, method, lifecycle, id=f"{variant.name}-{method}-{lifecycle}")
        for variant in HN_ITEMS.variants
        if variant.needs is None  # a cluster's workers are not guarded, and sub-interpreters are not on every Python
        for method in (METHODS if variant.name == "processes" else METHODS[:1])
        for lifecycle in variant.lifecycles[-1:] or (COLD,)
    ]

    @pytest.mark.parametrize(("variant", "method", "lifecycle"), WAYS)
    def test_counted(replay, lap, variant, method, lifecycle):
        def all_went_wrong(answer):
            assert {} == answer.found
            assert 1 == sum(answer.errors.values())

        work = partial(variant.open, Items(OUTSIDE, (1,)), How(1, method))
        lap(work, all_went_wrong, lifecycle=lifecycle)
"""


@pytest.mark.slow
def test_workloads_that_count_their_errors_are_failed(tmp_path):
    """Every variant of hn_items, in threads, processes and on an event loop: none is timed at failing to leave."""
    suite(tmp_path, test_workloads=(BEFORE, WORKLOADS))
    ended = pytest_in(tmp_path, "-rA", "--benchmark-json=out.json", env=SETTINGS)
    assert FAILED == ended.code
    tried = r"this was tried: a (?:look-up of 192\.0\.2\.1|connection to 192\.0\.2\.1:9) \("
    failed = re.findall(rf"^FAILED test_workloads\.py::test_counted\[(.*)\] - .*{tried}", ended.text, re.M)
    ways = ["sequential", "session", "threads", "thread-per-item", *["processes"] * len(START_METHODS), "asyncio"]
    assert sorted(ways) == sorted(re.split(r"-(?:fork|forkserver|spawn)-", name)[0] for name in failed), ended.text
    assert " passed" not in ended.text.splitlines()[-1]
    assert {} == benchmarks(tmp_path / "out.json")


# other modes

ANY_MODE = """
    def test_replay(replay):
        assert replay(HERE / "shop.yaml", "none").url().startswith("http://127.0.0.1:")
        ask_nobody()

    def test_plain():
        ask_nobody()
"""


def test_live_nothing_is_guarded(tmp_path):
    """With --http=live a test may use `replay` and ask whomever it likes."""
    ended = pytest_here(suite(tmp_path, test_any=(BEFORE, ANY_MODE)), "--http=live")
    assert OK == ended.code, ended.text


def test_xdists_workers_are_guarded_too(tmp_path):
    """The one test fails, the other one passes."""
    ended = pytest_in(suite(tmp_path, test_any=(BEFORE, ANY_MODE)), "-n", "1", "-rA", env=SETTINGS)
    assert FAILED == ended.code
    assert [OUTSIDE in reason for _, reason in summary(ended, "test_replay")] == [True]
    assert [("PASSED", "")] == summary(ended, "test_plain")
