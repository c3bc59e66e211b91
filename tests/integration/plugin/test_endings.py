"""What doesn't pass leaves no timing, and what the harness needs ends the session where it isn't there."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from laptime.replay import process
from tests.support.here import pytest as pytest_in
from tests.support.sessions import (
    CUT_SHORT,
    FAILED,
    Ended,
    benchmarks,
    interrupt_after,
)
from tests.support.sessions import pytest as pytest_process
from tests.support.shop import QUICK, SHORT, TIMED, suite

# tests that don't pass leave no timing

ENDINGS = """
    import socket

    def right_until(call):
        calls = count()

        @contextmanager
        def opened():
            yield lambda: int(next(calls) < call)

        return opened

    def timed(lap):
        lap(one, is_one, **RACE)

    @pytest.fixture
    def breaks_in_teardown():
        yield
        pytest.fail("broken in teardown")

    @pytest.fixture
    def breaks_in_setup(benchmark):
        benchmark(int)
        pytest.fail("broken in setup")

    def ask(lap, replay, names, asked, get=price_or_none):
        stage = replay(HERE / "shop.yaml")
        lap(partial(shopping, stage.url(), names, get), lambda answer: None, stage=stage, requests=asked, **RACE)

    def test_right(lap):
        timed(lap)

    def test_right_plain(benchmark):
        benchmark(int)

    def test_wrong_at_first(lap):
        lap(right_until(0), is_one, **RACE)

    def test_wrong_later(lap):
        lap(right_until(2), is_one, **RACE)

    def test_lap_then_assert(lap):
        timed(lap)
        assert 1 == 2, "too late"

    def test_plain_then_assert(benchmark):
        benchmark(int)
        assert 1 == 2, "too late"

    def test_lap_then_skip(lap):
        timed(lap)
        pytest.skip("not today")

    def test_plain_then_skip(benchmark):
        benchmark(int)
        pytest.skip("not today")

    def test_lap_then_teardown(lap, breaks_in_teardown):
        timed(lap)

    def test_plain_then_teardown(benchmark, breaks_in_teardown):
        benchmark(int)

    def test_plain_in_setup(breaks_in_setup):
        pass

    @pytest.mark.xfail(reason="known")
    def test_lap_xfail(lap):
        timed(lap)
        assert 1 == 2

    @pytest.mark.xfail(reason="known")
    def test_plain_xfail(benchmark):
        benchmark(int)
        assert 1 == 2

    def test_lap_by_request(request):
        timed(request.getfixturevalue("lap"))
        assert 1 == 2, "too late"

    def test_plain_by_request(request):
        request.getfixturevalue("benchmark")(int)
        assert 1 == 2, "too late"

    def test_unmatched(lap, replay):
        ask(lap, replay, ["pear", "fig"], ASKED)

    def test_unmatched_and_raised(lap, replay):
        from shop import price
        ask(lap, replay, ["pear", "fig"], ASKED, price)

    def test_refused(lap, replay):
        stage = replay(HERE / "shop.yaml", "none")

        @contextmanager
        def mumbling():
            with shopping(stage.url(), NAMES) as work:
                def mumble_and_work():
                    host, port = stage.url().removeprefix("http://").split(":")
                    with socket.create_connection((host, int(port))) as connection:
                        connection.sendall(b"EHLO mail.example\\r\\n\\r\\n")
                        connection.recv(1000)
                    return work()

                yield mumble_and_work

        lap(mumbling, prices_are_right, stage=stage, requests=ASKED, **RACE)

    def test_too_few(lap, replay):
        ask(lap, replay, ["pear"], ASKED)

    def test_too_many(lap, replay):
        ask(lap, replay, ["pear", "plum", "plum"], ASKED)
"""


# name, how pytest reports it, what it says of it
ENDED_BADLY = [
    ("test_wrong_at_first", "FAILED", "not one: 0"),
    ("test_wrong_later", "FAILED", "not one: 0"),
    ("test_lap_then_assert", "FAILED", "too late"),
    ("test_plain_then_assert", "FAILED", "too late"),
    ("test_lap_then_skip", "SKIPPED", "not today"),
    ("test_plain_then_skip", "SKIPPED", "not today"),
    ("test_lap_then_teardown", "ERROR", "broken in teardown"),
    ("test_plain_then_teardown", "ERROR", "broken in teardown"),
    ("test_plain_in_setup", "ERROR", "broken in setup"),
    ("test_lap_xfail", "XFAIL", "known"),
    ("test_plain_xfail", "XFAIL", "known"),
    ("test_lap_by_request", "FAILED", "too late"),
    ("test_plain_by_request", "FAILED", "too late"),
    ("test_unmatched", "FAILED", "not in the cassette: GET /price/fig"),
    ("test_unmatched_and_raised", "FAILED", "not in the cassette: GET /price/fig"),
    ("test_refused", "FAILED", "served 2 of 2 expected requests: refused: 400 Bad Request: not HTTP/1.1: "),
    ("test_too_few", "FAILED", "served 1 of 2 expected requests: 1 went missing (GET /price/plum)"),
    ("test_too_many", "FAILED", "served 3 of 2 expected requests: 1 came more often than asked (GET /price/plum)"),
]


@pytest.fixture(scope="module")
def endings(tmp_path_factory) -> tuple[Path, Ended]:
    """A session in which benchmarks end in every way: its directory, and how it ended."""
    directory = suite(tmp_path_factory.mktemp("endings"), test_endings=(ENDINGS,))
    arguments = (
        "-rA",
        "--no-fold-skipped",
        "--tb=line",
        "--benchmark-max-time=0.01",
        "--benchmark-json=out.json",
        "--benchmark-autosave",
    )
    return directory, pytest_in(directory, *arguments, env={"COLUMNS": "300"})


def autosaved(directory: Path) -> Path:
    """The file that --benchmark-autosave made."""
    (path,) = (directory / ".benchmarks").rglob("*.json")
    return path


def test_what_ends_well_is_saved_beside_what_does_not(endings):
    """Failures elsewhere take nothing from a benchmark that passed."""
    directory, ended = endings
    assert FAILED == ended.code
    for name in ("test_right", "test_right_plain"):
        assert name in benchmarks(directory / "out.json")
        assert name in benchmarks(autosaved(directory))
        assert ended.timed(name)


@pytest.mark.parametrize(("name", "outcome", "reason"), ENDED_BADLY, ids=[name for name, *_ in ENDED_BADLY])
def test_what_ends_badly_says_so_and_leaves_no_timing(endings, name, outcome, reason):
    """Its reason stands in one line, and its figures in no table and no file, autosaved or asked for."""
    directory, ended = endings
    summary = ended.text.partition("short test summary info")[2]
    lines = [line for line in summary.splitlines() if line.startswith(outcome) and line.split(" - ")[0].endswith(name)]
    assert [True] == [reason in line for line in lines], summary
    assert name not in benchmarks(directory / "out.json")
    assert name not in benchmarks(autosaved(directory))
    assert not ended.timed(name)


CUT = {
    "lap in its second pass": """
        calls = opened_until(2)

        def test_cut(lap):
            lap(calls, is_one, **RACE)
    """,
    "plain": """
        def test_cut(benchmark):
            with opened_until(20)() as work:
                benchmark(work)
    """,
}


BEFORE_CUT = """
    def opened_until(call):
        calls = count()

        def work():
            if next(calls) == call:
                (HERE / "started").touch()
                time.sleep(600)
            time.sleep(0.016)  # so long that a visit has one round
            return 1

        @contextmanager
        def opened():
            yield work

        return opened

    def test_before(lap):
        lap(one, is_one, **RACE)
"""


@pytest.mark.parametrize("cut", CUT)
def test_rounds_cut_by_ctrl_c_are_not_saved(tmp_path, cut):
    """The session ends with pytest's exit code for it, and what had passed before is saved."""
    suite(tmp_path, test_cut=(BEFORE_CUT, CUT[cut]))
    arguments = ("--benchmark-json=out.json", "--benchmark-autosave")
    ended = pytest_process(tmp_path, *arguments, during=interrupt_after(tmp_path / "started"))
    assert CUT_SHORT == ended.code
    assert ["test_before"] == list(benchmarks(tmp_path / "out.json"))
    assert ["test_before"] == list(benchmarks(autosaved(tmp_path)))
    assert ended.timed("test_before")
    assert not ended.timed("test_cut")


# what the harness needs, and what it says where it isn't there

DYING = """
    def server():
        (found,) = [one for one in psutil.Process().children() if "laptime.replay.server" in one.cmdline()]
        return found

    def kill_the_server():
        found = server()
        found.kill()
        while found.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.001)

    @contextmanager
    def shopping_until(call, base_url, get):
        calls = count()

        def work():
            if next(calls) == call:
                kill_the_server()
            return [get(base_url, name) for name in NAMES]

        yield work

    def dies(lap, replay, call, get):
        stage = replay(HERE / "shop.yaml")
        open = partial(shopping_until, call, stage.url(), get)
        lap(open, prices_are_right, lifecycle="warm", stage=stage, requests=ASKED, **RACE)
"""


@pytest.mark.parametrize(
    ("call", "get"),
    [(0, "price_or_none"), (2, "price")],
    ids=["in the first round, the work answers wrongly", "in a timed round, the work raises"],
)
def test_a_killed_replay_server_ends_the_session(tmp_path, call, get):
    """At once, with an exit code of its own and its last words; whatever the work made of it is no news."""
    tests = f"""
    from shop import price

    def test_it_dies(lap, replay):
        dies(lap, replay, {call}, {get})

    def test_after(lap):
        lap(one, is_one, **RACE)
    """
    suite(tmp_path, test_dying=(DYING, tests))
    ended = pytest_in(tmp_path, "--benchmark-json=out.json")
    assert CUT_SHORT == ended.code, ended.text
    assert "laptime: the replay server is gone (killed by SIGKILL)" in ended.text
    assert {} == benchmarks(tmp_path / "out.json")


def test_a_replay_server_that_cannot_start_ends_the_session(tmp_path, monkeypatch):
    """At once, with the same exit code and what it said, rather than once for each benchmark."""
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", "import sys; sys.exit('no luck today')"))
    ended = pytest_in(suite(tmp_path, test_shop=(TIMED,)))
    assert CUT_SHORT == ended.code
    assert "laptime: the replay server never became ready (exit code 1)" in ended.text
    assert 1 == ended.text.count("no luck today")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("version: 2", "shop.yaml: version: expected 1, found 2; record it again"),
        (None, "shop.yaml: no such cassette. Record it with `pytest --http=record -k shop`."),
    ],
    ids=["another version", "missing"],
)
def test_a_recording_that_cannot_be_played_fails_its_benchmarks(tmp_path, broken, message):
    """With what is wrong with it and no traceback; benchmarks without it go on."""
    path = suite(tmp_path, test_shop=(SHORT, QUICK)) / "shop.yaml"
    path.write_text(broken) if broken else path.unlink()
    ended = pytest_in(tmp_path, "--benchmark-json=out.json")
    assert FAILED == ended.code
    assert f"{tmp_path}/{message}" in ended.text
    assert "Traceback" not in ended.text
    assert ["test_quick"] == list(benchmarks(tmp_path / "out.json"))


def test_a_killed_memory_sampler_ends_the_session(tmp_path):
    """It is a part of the harness as the replay server is: at once, with the same exit code and its own message."""
    tests = """
        def test_it_dies(lap):
            @contextmanager
            def killing():
                (sampler,) = [one for one in psutil.Process().children() if "laptime.memory" in one.cmdline()]
                sampler.kill()
                while sampler.status() != psutil.STATUS_ZOMBIE:
                    time.sleep(0.001)
                yield lambda: 1

            lap(killing, is_one)

        def test_after(lap):
            lap(one, is_one)
    """
    ended = pytest_in(suite(tmp_path, test_dying=(tests,)), "--benchmark-json=out.json")
    assert CUT_SHORT == ended.code, ended.text
    assert "laptime: the memory sampler is gone" in ended.text
    assert "INTERNALERROR" not in ended.text
    assert {} == benchmarks(tmp_path / "out.json")


def test_helpers_end_with_a_session_that_is_killed(tmp_path):
    """The replay server and the memory sampler don't outlive a pytest that had no time to stop them."""
    tests = """
        def test_endless(lap, replay):
            replay(HERE / "shop.yaml")

            @contextmanager
            def endless():
                helpers = [one.cmdline()[-2:] for one in psutil.Process().children()]
                (HERE / "helpers").write_text(str(helpers))
                (HERE / "started").touch()
                yield partial(time.sleep, 600)

            lap(endless, is_one)
    """
    suite(tmp_path, test_endless=(tests,))
    ended = pytest_process(tmp_path, during=interrupt_after(tmp_path / "started", signal.SIGKILL))
    assert -signal.SIGKILL == ended.code
    helpers = (tmp_path / "helpers").read_text()
    assert "laptime.replay.server" in helpers
    assert "laptime.memory" in helpers
