"""What a suite that uses the `lap` and `replay` fixtures sees, shown by real pytest sessions.

Every session is also held to leave no process behind: `sessions.run` fails where one does.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
from hashlib import sha256
from pathlib import Path
from statistics import median

import pytest

from laptime import machine
from laptime.cassette import load
from tests.support import Exchange, write_cassette
from tests.support.here import pytest as pytest_in
from tests.support.sessions import (
    CUT_SHORT,
    FAILED,
    HANG_LIMIT_S,
    OK,
    PLAIN,
    PRICES,
    PYTEST,
    SHORT,
    USAGE,
    Ended,
    benchmarks,
    closed_port,
    interrupt_after,
    live_site,
    run,
    suite,
    write,
)
from tests.support.sessions import pytest as pytest_process

LINUX = sys.platform == "linux"

TIMED = """
    def in_the_race(test):
        return pytest.mark.benchmark(group="shop")(pytest.mark.laptime_race(seconds=0.5)(test))

    def shop(lap, stage, names=NAMES, asked=ASKED, **settings):
        lap(partial(shopping, stage.url(), names), prices_are_right, stage=stage, requests=asked, **RACE, **settings)

    @in_the_race
    def test_cold(replay, lap):
        shop(lap, replay(HERE / "shop.yaml", "scale:0.5"), lifecycle="cold", parcels=7)

    @in_the_race
    def test_warm(replay, lap):
        shop(lap, replay(HERE / "shop.yaml"), lifecycle="warm")

    def test_without_http(lap):
        lap(one, is_one)
"""
"""A race as it is run where nothing is said of passes, and a benchmark that takes no part."""

QUICK = """
    def test_quick(lap):
        lap(one, is_one)
"""

# a session in which all is well


@pytest.fixture(scope="module")
def well(tmp_path_factory) -> tuple[Path, Ended]:
    """A session of three benchmarks: its directory, and how it ended."""
    directory = suite(tmp_path_factory.mktemp("well"), test_shop=(TIMED,))
    return directory, pytest_in(directory, "--benchmark-json=out.json")


def test_every_benchmark_is_saved(well):
    """Benchmarks whose answers are right pass, and stand in the file under their own names, each once."""
    directory, ended = well
    assert OK == ended.code
    names = [one["name"] for one in json.loads((directory / "out.json").read_text())["benchmarks"]]
    assert ["test_cold", "test_warm", "test_without_http"] == sorted(names)


def test_the_rounds_are_saved_with_what_they_cost(well):
    """Beside pytest-benchmark's own figures stand each round's wall time, CPU, switches, requests, and what it played.

    In a race, also the pass in which it ran, what it waited for a CPU, and for how long the longest answer was awaited.
    """
    directory, _ = well
    saved = benchmarks(directory / "out.json")["test_cold"]
    rounds = saved["extra_info"]["rounds"]
    always = {"wall_s", "cpu_s", "switches", "requests", "pass"}
    assert always | {"race_pass", "void", "waited_s", "longest_s"} == set(rounds)
    count = len(rounds["wall_s"])
    assert {count} == set(map(len, rounds.values()))
    assert saved["stats"]["data"] == rounds["wall_s"]
    assert [2] * count == rounds["requests"]
    assert all(cpu_s > 0 for cpu_s in rounds["cpu_s"])
    assert all(switches >= 2 for switches in rounds["switches"]), "each request is waited for"
    assert all(0.001 <= one < wall_s for one, wall_s in zip(rounds["longest_s"], rounds["wall_s"], strict=True))
    assert {False} == set(rounds["void"])


def test_a_race_plays_the_recorded_passes_in_turn(well):
    """All variants play the same one in the same pass of the race; without a word of passes there are ten at least."""
    directory, _ = well
    raced = [benchmarks(directory / "out.json")[name]["extra_info"] for name in ("test_cold", "test_warm")]
    for info in raced:
        race_passes = info["rounds"]["race_pass"]
        assert sorted(race_passes) == race_passes
        assert [number % 5 for number in race_passes] == info["rounds"]["pass"]
        assert list(range(info["race"]["passes"])) == sorted(set(race_passes))
    assert 1 == len({info["race"]["seed"] for info in raced}), "one race"
    assert max(info["race"]["passes"] for info in raced) >= 10


def test_what_decides_the_figures_is_saved_with_them(well):
    """The recording's digest, its pace, the GIL, the CPUs, the lifecycle, and whatever the test itself gives."""
    directory, _ = well
    info = benchmarks(directory / "out.json")["test_cold"]["extra_info"]
    expected = {
        "cassette_sha256": sha256((directory / "shop.yaml").read_bytes()).hexdigest(),
        "latency": "scale:0.5",
        "limits": "",
        "tls": False,
        "gil": [machine.gil()] * 2,
        "affinity_cpus": machine.affinity_cpus(),
        "cpu_quota": machine.cpu_quota(),
        "lifecycle": "cold",
        "workload": "shop",
        "parcels": 7,
    }
    assert expected == {name: info[name] for name in expected}


def test_parallelism_is_the_cpu_time_over_the_wall_time(well):
    """The median over the rounds is saved."""
    directory, _ = well
    info = benchmarks(directory / "out.json")["test_warm"]["extra_info"]
    rounds = zip(info["rounds"]["cpu_s"], info["rounds"]["wall_s"], strict=True)
    assert median(cpu_s / wall_s for cpu_s, wall_s in rounds) == info["parallelism"]


@pytest.mark.skipif(not LINUX, reason="only Linux tells the proportional set size")
def test_the_peak_memory_is_saved(well):
    """It is that of the process which did the work: some MB at least."""
    directory, _ = well
    assert benchmarks(directory / "out.json")["test_cold"]["extra_info"]["peak_pss_bytes"] > 5_000_000


def test_work_without_http_has_no_recording(well):
    """No digest, pace, requests, recorded passes or answers are saved of it."""
    directory, _ = well
    info = benchmarks(directory / "out.json")["test_without_http"]["extra_info"]
    assert {"wall_s", "cpu_s", "switches", "race_pass", "void", "waited_s"} == set(info["rounds"])
    assert not {"cassette_sha256", "latency"} & set(info)


def test_the_session_begins_with_its_plan(well):
    """How many benchmarks, at which pace, and how long they take: a guess where they were never timed here."""
    _, ended = well
    line = ended.line("^laptime: .* benchmarks")
    assert re.fullmatch(r"laptime: 3 benchmarks, replay at .*: about \d+ s \(a guess: .*\)", line)


def test_each_benchmark_is_told_as_it_ends(well):
    """A line with its number, its name, its median and the time left, also where output is no terminal.

    Of a race's, as soon as it has left the race: whoever is shown to be too slow leaves before the others.
    """
    _, ended = well
    told = re.findall(r"^(\d/3)  (\w+) +[\d.]+ (?:s|ms|µs|ns) +\d+ s left", ended.text, re.M)
    assert ["1/3", "2/3", "3/3"] == [number for number, _ in told]
    *raced, last = [name for _, name in told]
    assert (["test_cold", "test_warm"], "test_without_http") == (sorted(raced), last)


def test_the_session_ends_with_the_race(well):
    """The variants of a workload, a verdict, and how it was come by: how many passes, at which pace."""
    _, ended = well
    _, race = ended.text.split(" laptime ---")
    assert race.splitlines()[1].startswith("shop: what things cost")
    assert sorted(["test_cold", "test_warm"]) == sorted(re.findall(r"^[>=]? +(test_\w+) +[\d.]+ ms ", race, re.M))
    said = " ".join(race.split())
    assert re.search(r" (No variant|Take|For one run take|NO VERDICT:) ", said), race
    assert re.search(r" Bound by (waiting|computing)", said), race
    assert re.search(r" \d+ passes, replay at scale:0.5 pace: all intervals hold with 95 %", said), race


@pytest.mark.parametrize(("argument", "shown"), [(None, False), ("--benchmark-columns=min", True)])
def test_pytest_benchmarks_own_table_is_shown_where_it_is_asked_for(tmp_path, argument, shown):
    """Where there are but laps it says the same once more; who says how it is to look, wants to see it."""
    ended = pytest_in(suite(tmp_path, test_quick=(QUICK,)), *filter(None, [argument]))
    assert OK == ended.code
    assert shown == bool(re.search(r"^-+ benchmark.*: 1 tests -+$", ended.text, re.M)), ended.text


def test_beside_other_benchmarks_pytest_benchmarks_own_table_is_shown(tmp_path):
    """Ours doesn't hold those that didn't use `lap`."""
    plain = """
        def test_plain(benchmark):
            benchmark.pedantic(int, rounds=2)
    """
    ended = pytest_in(suite(tmp_path, test_both=(QUICK, plain)))
    assert OK == ended.code
    assert "benchmark: 2 tests" in ended.text
    assert ended.timed("test_plain")


@pytest.mark.parametrize(("flag", "own"), [("-v", r"test_quick.py::test_quick PASSED"), ("-q", r"^\. +\[100%\]")])
def test_with_v_or_q_the_output_is_as_pytest_has_it(tmp_path, flag, own):
    """What was asked for is what is shown: no lines of ours stand between pytest's own."""
    ended = pytest_in(suite(tmp_path, test_quick=(QUICK,)), flag)
    assert OK == ended.code
    assert re.search(own, ended.text, re.M)
    assert "1/1" not in ended.text


def test_runs_are_stored_compared_and_listed_by_pytest_benchmark(tmp_path):
    """--benchmark-autosave, then --benchmark-compare and the command's list and compare; the plan is no guess then."""
    suite(tmp_path, test_quick=(QUICK,))
    plain = (*PYTEST, *PLAIN[2:])  # with its cache: the times of the first are in it
    first, second = run(tmp_path, *plain, "--benchmark-autosave"), run(tmp_path, *plain, "--benchmark-compare")
    command = (sys.executable, "-m", "pytest_benchmark")
    listed, compared = run(tmp_path, *command, "list"), run(tmp_path, *command, "compare", "0001")
    assert [OK] * 4 == [ended.code for ended in (first, second, listed, compared)]
    assert re.search(r"^test_quick \(NOW\) ", second.text, re.M)
    assert re.search(r"^test_quick \(0001_\w+\) ", second.text, re.M)
    assert re.search(r"0001_.*\.json", listed.text)
    assert compared.timed("test_quick")
    assert "(a guess" in first.line("^laptime: .* benchmark")
    assert "(a guess" not in second.line("^laptime: .* benchmark")


def test_profiling_leaves_the_timing_whole(tmp_path):
    """--benchmark-cprofile runs the work once more; the rounds that are saved are still the timed ones."""
    suite(tmp_path, test_short=(SHORT,))
    ended = pytest_in(tmp_path, "--benchmark-cprofile=cumtime", "--benchmark-json=out.json")
    assert OK == ended.code, ended.text
    rounds = benchmarks(tmp_path / "out.json")["test_short"]["extra_info"]["rounds"]
    assert {2} == set(map(len, rounds.values()))


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
def test_what_ends_badly_says_so(endings, name, outcome, reason):
    """It fails, or skips, with its reason in one line."""
    _, ended = endings
    summary = ended.text.partition("short test summary info")[2]
    lines = [line for line in summary.splitlines() if line.startswith(outcome) and line.split(" - ")[0].endswith(name)]
    assert [True] == [reason in line for line in lines], summary


@pytest.mark.parametrize("name", [name for name, *_ in ENDED_BADLY])
def test_what_ends_badly_leaves_no_timing(endings, name):
    """Neither in the file that was asked for, nor in the autosaved one, nor in a table."""
    directory, ended = endings
    assert name not in benchmarks(directory / "out.json")
    assert name not in benchmarks(autosaved(directory))
    assert not ended.timed(name)


CUT = {
    "lap in the first round": """
        def test_cut(lap):
            lap(opened_until(0), is_one, **RACE)
    """,
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
    "plain, pedantic": """
        def test_cut(benchmark):
            with opened_until(2)() as work:
                benchmark.pedantic(work, rounds=5)
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


@pytest.mark.parametrize("get", ["price", "price_or_none"], ids=["the work raises", "the work answers wrongly"])
@pytest.mark.parametrize("call", [0, 2], ids=["in the first round", "in a timed round"])
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


def test_a_replay_server_that_cannot_start_ends_the_session(tmp_path):
    """At once, with the same exit code and what it said, rather than once for each benchmark."""
    conftest = """
        import sys
        from laptime.replay import process

        process.COMMAND = (sys.executable, "-c", "import sys; sys.exit('no luck today')")
    """
    write(suite(tmp_path, test_shop=(TIMED,)), conftest=conftest)
    ended = pytest_in(tmp_path)
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
    path = suite(tmp_path, test_shop=(TIMED,)) / "shop.yaml"
    path.write_text(broken) if broken else path.unlink()
    ended = pytest_in(tmp_path, "--benchmark-json=out.json")
    assert FAILED == ended.code
    assert f"{tmp_path}/{message}" in ended.text
    assert "Traceback" not in ended.text
    assert ["test_without_http"] == list(benchmarks(tmp_path / "out.json"))


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


# options


@pytest.mark.parametrize(
    ("arguments", "played"),
    [((), "fixed:5ms"), (("--latency=none",), "none"), (("--latency=fixed:1ms", "--jitter=7"), "fixed:1ms+jitter:7")],
)
def test_latency_on_the_command_line_goes_before_the_suites(tmp_path, arguments, played):
    """What the test asks for holds only where nothing was said."""
    tests = f"""
        def test_latency(replay):
            assert "{played}" == replay(HERE / "shop.yaml", "fixed:5ms").latency
    """
    ended = pytest_in(suite(tmp_path, test_latency=(tests,)), *arguments)
    assert OK == ended.code, ended.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--latency=fast",), "latency 'fast': expected recorded, scale:0.1, fixed:50ms or none"),
        (("--origin=shop",), "--origin 'shop': expected NAME=URL, as in hn_items=http://127.0.0.1:8901"),
        (("--http=alive",), "'replay', 'live', 'record'"),
        (("--jitter=soon",), "--jitter: invalid int value: 'soon'"),
        (("--latency=none", "--jitter=7"), "jitter: there are no waits to vary with latency none"),
    ],
    ids=["latency", "origin", "http", "jitter", "jitter without waits"],
)
def test_an_option_that_cannot_be_read_is_a_usage_error(tmp_path, arguments, message):
    """It is named with what was expected, and nothing runs."""
    ended = pytest_in(suite(tmp_path, test_quick=(QUICK,)), *arguments)
    assert USAGE == ended.code
    assert message in ended.text
    assert "collected" not in ended.text


def test_what_varies_the_waits_is_stored_with_the_figures(tmp_path):
    """The seed stands behind the pace; what is played at latency none fails rather than not vary."""
    tests = """
        def test_varied(replay, lap):
            stage = replay(HERE / "shop.yaml", "scale:0.5")
            lap(partial(shopping, stage.url(), NAMES), prices_are_right, stage=stage, requests=ASKED, **RACE)

        def test_without_waits(replay):
            replay(HERE / "shop.yaml", "none")
    """
    ended = pytest_in(suite(tmp_path, test_varied=(tests,)), "--jitter=7", "--benchmark-json=out.json")
    assert "1 failed, 1 passed" in ended.text
    assert "jitter: there are no waits to vary with latency none" in ended.text
    assert "scale:0.5+jitter:7" == benchmarks(tmp_path / "out.json")["test_varied"]["extra_info"]["latency"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('secret_feilds = ["parcel"]', "secret_feilds: no such setting; there are history, secret_fields"),
        ('secret_headers = "parcel"', 'secret_headers: expected a list of names, as in ["x-session"]'),
    ],
    ids=["unknown key", "wrong type"],
)
def test_a_setting_that_cannot_be_read_is_a_usage_error(tmp_path, text, message):
    """The file and the key are named with what was expected, and nothing runs."""
    suite(tmp_path, test_quick=(QUICK,))
    (tmp_path / "pyproject.toml").write_text(f"[tool.laptime]\n{text}\n")
    ended = pytest_in(tmp_path)
    assert USAGE == ended.code
    assert f"{tmp_path}/pyproject.toml: tool.laptime.{message}" in ended.text
    assert "collected" not in ended.text


def test_a_recording_leaves_out_what_the_project_says(tmp_path):
    """Beside what is left out anyway; tables below are another part's affair."""
    tests = """
        from urllib.request import Request, urlopen

        @pytest.mark.laptime_record
        def test_record(record):
            def run(url):
                headers = {"X-Shop-Session": "of-4711", "Authorization": "of-4712", "X-Plain": "of-4713"}
                urlopen(Request(f"{url}/price/pear?parcel=4714&token=4715&page=4716", headers=headers)).close()

            record("shop", HERE / "secret.yaml", "https://shop.test", run)
    """
    suite(tmp_path, test_record=(tests,))
    (tmp_path / "pyproject.toml").write_text(
        '[tool.laptime]\nsecret_headers = ["x-shop-session"]\nsecret_fields = ["parcel"]\n'
        "[tool.laptime.gate]\nslower = 1.1\n"
    )
    with live_site({"/price/pear?parcel=4714&token=4715&page=4716": "3"}) as (url, _):
        ended = pytest_in(tmp_path, "--http=record", f"--origin=shop={url}")
    assert OK == ended.code, ended.text
    written = (tmp_path / "secret.yaml").read_text() + (tmp_path / "secret.timings.json").read_text()
    secrets = ["4711", "4712", "4713", "4714", "4715", "4716"]
    assert ["4713", "4716"] == [secret for secret in secrets if secret in written]


RECORDING = """
    @pytest.mark.laptime_record
    def test_record(record):
        def run(url):
            with shopping(url, NAMES) as work:
                work()

        record("shop", HERE / "shop.yaml", "https://shop.test", run)
"""


def test_recordings_are_made_only_when_asked_for(tmp_path):
    """Without --http=record the tests that record are deselected, and the benchmarks run."""
    suite(tmp_path, test_quick=(QUICK,), test_record=(RECORDING,))
    before = (tmp_path / "shop.yaml").read_bytes()
    ended = pytest_in(tmp_path)
    assert OK == ended.code
    assert "1 passed, 1 deselected" in ended.text
    assert before == (tmp_path / "shop.yaml").read_bytes()


def test_recording_times_nothing(tmp_path):
    """With --http=record only the tests that record run; what they record can be played."""
    suite(tmp_path, test_shop=(SHORT,), test_record=(RECORDING,))
    with live_site(PRICES) as (url, _):
        ended = pytest_in(tmp_path, "--http=record", f"--origin=shop={url}", "--benchmark-json=out.json")
    assert OK == ended.code, ended.text
    assert "1 passed, 1 deselected" in ended.text
    assert {} == benchmarks(tmp_path / "out.json")
    made = load(tmp_path / "shop.yaml")
    assert ("stand-in", (url,)) == (made.origin_kind, made.origins)
    assert f"recorded {tmp_path}/shop.yaml: 2 requests, {made.passes} passes each, from {url}" in ended.text
    assert OK == pytest_in(tmp_path).code


LIVE = """
    @pytest.mark.laptime_race(passes=1)
    @pytest.mark.parametrize("number", range(3))
    def test_live(lap, live_origin, number):
        url = live_origin("shop", "https://shop.test")
        lap(partial(shopping, url, NAMES), prices_are_right, rounds=(1, 1, 0.0))
"""


def test_a_live_site_is_asked_once_whether_it_is_there(tmp_path):
    """A HEAD before the first benchmark, and none before the others."""
    suite(tmp_path, test_live=(LIVE,))
    with live_site(PRICES) as (url, asked):
        ended = pytest_in(tmp_path, "--http=live", f"--origin=shop={url}/")
    assert OK == ended.code, ended.text
    assert 3 * 2 * 2 == sum(request.startswith("GET") for request in asked)
    assert 1 == sum(request.startswith("HEAD") for request in asked)


@pytest.mark.parametrize("mark", ["passes=3", "seconds=0.01"])
def test_a_live_site_is_asked_for_no_more_than_three_rounds(tmp_path, mark):
    """Of each benchmark, and one that is not timed: however short they are, and though nothing was said of passes."""
    suite(tmp_path, test_live=(LIVE.replace("passes=1", mark),))
    with live_site(PRICES) as (url, asked):
        ended = pytest_in(tmp_path, "--http=live", f"--origin=shop={url}/")
    assert OK == ended.code, ended.text
    assert 3 * 2 * (1 + 3) >= sum(request.startswith("GET") for request in asked)


def test_a_live_site_that_is_not_there_fails_once(tmp_path):
    """The first benchmark names the site and the way out, the others are skipped."""
    suite(tmp_path, test_live=(LIVE,))
    with closed_port() as port:
        ended = pytest_in(tmp_path, "--http=live", f"--origin=shop=http://127.0.0.1:{port}")
    assert FAILED == ended.code
    assert "1 failed, 2 skipped" in ended.text
    assert f"shop: http://127.0.0.1:{port} can't be reached: " in ended.text
    assert "--origin shop=URL" in ended.text


def test_a_live_site_that_speaks_no_http_fails_once(tmp_path):
    """Whatever answers in another tongue is no site either."""
    suite(tmp_path, test_live=(LIVE,))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def mumble(process):
            listener.settimeout(HANG_LIMIT_S)
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        ended = pytest_process(tmp_path, "--http=live", f"--origin=shop=http://127.0.0.1:{port}", during=mumble)
    assert FAILED == ended.code
    assert "1 failed, 2 skipped" in ended.text
    assert f"shop: http://127.0.0.1:{port} can't be reached: " in ended.text


# where nothing is timed


@pytest.mark.parametrize("arguments", [("-n", "1"), ("--benchmark-disable",)], ids=["xdist", "disabled"])
def test_where_benchmarks_are_disabled_answers_are_checked(tmp_path, arguments):
    """The session says that nothing was timed, and how many answers are right; there is no race."""
    suite(tmp_path, test_shop=(TIMED,))
    ended = pytest_in(tmp_path, *arguments, "--benchmark-json=out.json")
    assert OK == ended.code
    assert "laptime: nothing was timed (benchmarks are disabled); 3 answers are right" in ended.text
    assert "left" not in ended.text
    assert not ended.timed("test_cold")
    assert {} == benchmarks(tmp_path / "out.json")


def test_a_name_that_looks_like_markup_is_shown_as_it_is(tmp_path):
    """Brackets in a test's parameters don't end the session in an internal error."""
    tests = """
        @pytest.mark.parametrize("number", [1], ids=["get[/red]"])
        def test_number(lap, number):
            lap(one, is_one, **RACE)
    """
    ended = pytest_in(suite(tmp_path, test_number=(tests,)))
    assert OK == ended.code, ended.text
    assert ended.timed("get[/red]")


@pytest.mark.parametrize("arguments", [("-n", "1"), ("--benchmark-disable",)], ids=["xdist", "disabled"])
def test_where_benchmarks_are_disabled_wrong_answers_fail(tmp_path, arguments):
    """So do requests that were not asked for."""
    tests = """
    def test_wrong(lap):
        lap(one, lambda answer: is_one(answer + 1))

    def test_too_few(lap, replay):
        stage = replay(HERE / "shop.yaml")
        lap(partial(shopping, stage.url(), ["pear"]), lambda answer: None, stage=stage, requests=ASKED)
    """
    ended = pytest_in(suite(tmp_path, test_shop=(SHORT, tests)), *arguments)
    assert FAILED == ended.code
    assert "not one: 2" in ended.text
    assert "1 went missing (GET /price/plum)" in ended.text
    assert "nothing was timed (benchmarks are disabled); 1 answers are right" in ended.text


# what stands around the session


SPAWNING = """
    import multiprocessing

    def test_workers():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert [False, True] == pool.map(is_loaded, ["_pytest", "shop"])
"""


@pytest.mark.parametrize("command", ["pytest", "py.test", "-m pytest"])
def test_however_pytest_is_started_spawned_workers_do_not_import_it(tmp_path, command):
    """The script and the module start workers alike, so that their figures can be compared."""
    script = Path(sys.executable).with_name(command)
    if command == "-m pytest":
        started = PYTEST
    elif script.exists():
        started = (script,)
    else:
        pytest.skip(f"no {command} beside {sys.executable}")
    ended = run(suite(tmp_path, test_spawn=(SPAWNING,)), *started, *PLAIN)
    assert OK == ended.code, ended.text


PROXIED = """
    import asyncio, multiprocessing, shutil, subprocess
    import aiohttp, httpx, requests
    from shop import price

    @pytest.fixture(scope="module")
    def stage(replay):
        return replay(HERE / "shop.yaml", "none")

    def test_requests(stage):
        assert 3 == requests.get(f"{stage.url()}/price/pear", timeout=60).json()

    def test_requests_by_name(stage):
        assert 3 == requests.get(f"{stage.url()}/price/pear".replace("127.0.0.1", "localhost"), timeout=60).json()

    def test_requests_over_tls(replay):
        stage = replay(HERE / "shop.yaml", "none", tls=True)
        assert 3 == requests.get(f"{stage.url()}/price/pear", timeout=60, verify=stage.ca_file).json()

    def test_httpx(stage):
        assert 3 == httpx.get(f"{stage.url()}/price/pear", timeout=60).json()

    def test_urllib(stage):
        assert 3 == price(stage.url(), "pear")

    def test_aiohttp(stage):
        async def ask():
            async with aiohttp.ClientSession(trust_env=True) as client:
                async with client.get(f"{stage.url()}/price/pear") as response:
                    return await response.text()

        assert "3" == asyncio.run(ask())

    @pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
    def test_curl(stage):
        command = ["curl", "--silent", "--show-error", "--fail", f"{stage.url()}/price/pear"]
        assert b"3" == subprocess.run(command, check=True, capture_output=True).stdout

    @pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
    def test_workers(stage, method):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert [3, 4] == pool.map(partial(price, stage.url()), NAMES)
"""
VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("exempt", [None, "intranet.example"], ids=["none exempt", "another exempt"])
def test_a_proxy_does_not_take_the_requests_to_the_replay(tmp_path, exempt):
    """Not even one that is named in the environment for every address, whichever client asks, in whichever process."""
    with closed_port() as port:
        env = dict.fromkeys(VARIABLES, f"http://127.0.0.1:{port}")
        env |= dict.fromkeys(("NO_PROXY", "no_proxy"), exempt) if exempt else {}
        ended = pytest_in(suite(tmp_path, test_shop=(SHORT, PROXIED)), "--benchmark-json=out.json", env=env)
    assert OK == ended.code, ended.text
    assert ["test_short"] == list(benchmarks(tmp_path / "out.json"))


def test_the_environment_is_left_as_it_was(tmp_path):
    """Exceptions of one's own stay beside ours; where every address is one already, nothing is added."""
    tests = """
        def test_noted(replay):
            noted = [os.environ.get(name) for name in ("NO_PROXY", "no_proxy")]
            print(f"during: {noted}")
    """
    several = """
        import os, pytest

        for exempt in ((None, None), ("a.example", None), (None, "*"), ("a.example,*", "b.example,.c.example")):
            for name, value in zip(("NO_PROXY", "no_proxy"), exempt):
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            before = dict(os.environ)
            assert 0 == pytest.main(["-q", "-s", *PLAIN, "test_noted.py"])
            assert before == dict(os.environ), exempt
            os.environ.update(before)
    """
    write(suite(tmp_path, test_noted=(tests,)), several=several.replace("*PLAIN", str(PLAIN)[1:-1]))
    ended = run(tmp_path, sys.executable, "several.py")
    assert OK == ended.code, ended.text
    ours = "127.0.0.1,localhost"
    expected = [
        [ours, ours],
        [f"a.example,{ours}", ours],
        [ours, "*"],
        ["a.example,*", f"b.example,.c.example,{ours}"],
    ]
    assert [str(one) for one in expected] == re.findall(r"^during: (.*?)\.?$", ended.text, re.M)


# the replay itself, as a fixture

REPLAYED = """
    import requests
    from urllib.parse import urlsplit

    def test_a_stage_stands_for_its_origins(replay):
        stage = replay(HERE / "shop.yaml", "none")
        assert {"https://shop.test": stage.url()} == dict(stage.origins)
        assert stage.url("https://shop.test") == stage.url()
        assert ("http", "127.0.0.1") == (urlsplit(stage.url()).scheme, urlsplit(stage.url()).hostname)
        with pytest.raises(KeyError, match="origin 'https://other.test'; recorded are: https://shop.test"):
            stage.url("https://other.test")

    def test_a_path_may_be_text(replay):
        assert replay(str(HERE / "shop.yaml"), "none") == replay(HERE / "shop.yaml", "none")

    def test_without_tls_there_is_nothing_to_trust(replay):
        assert replay(HERE / "shop.yaml", "none").ca_file is None

    def test_tls(replay):
        stage = replay(HERE / "shop.yaml", "none", tls=True)
        assert stage.url().startswith("https://")
        assert 3 == requests.get(f"{stage.url()}/price/pear", verify=stage.ca_file, timeout=60).json()
        assert 4 == requests.get(
            f"{stage.url()}/price/plum".replace("127.0.0.1", "localhost"), verify=stage.ca_file, timeout=60
        ).json()
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{stage.url()}/price/pear", timeout=60)
        assert stage.ca_file == replay(HERE / "shop.yaml", "fixed:1ms", tls=True).ca_file

    def test_what_was_recorded(replay):
        stage = replay(HERE / "shop.yaml", "none")
        recorded = stage.interactions()
        assert ["https://shop.test/price/pear", "https://shop.test/price/plum"] == [one.uri for one in recorded]
        assert {"/price/pear": (200, b"3"), "/price/plum": (200, b"4")} == stage.responses()
        assert {} == stage.responses("POST")

    def test_what_was_served(replay):
        stage = replay(HERE / "shop.yaml", "fixed:2ms")
        assert [] == stage.take_log()
        with requests.Session() as client:
            for name in ("plum", "pear", "fig"):
                client.get(f"{stage.url()}/price/{name}", timeout=60)
        log = stage.take_log()
        assert [] == stage.take_log()
        asked = ["GET /price/plum", "GET /price/pear", "GET /price/fig"]
        assert asked == [visit.request for visit in log]
        assert [(1, 200), (0, 200), (-1, 599)] == [(visit.interaction, visit.status) for visit in log]
        assert [True, False, False] == [visit.opened_ns >= 0 for visit in log]
        for visit in log:
            assert visit.begun_ns <= visit.read_ns <= visit.due_ns <= visit.first_ns <= visit.done_ns
        assert all(visit.due_ns - visit.read_ns >= 2_000_000 for visit in log[:2])

    @pytest.mark.parametrize("origin", [None, "https://shop.test", "*"])
    def test_limits(replay, origin):
        limits = "rate:0.01:429"
        stage = replay(HERE / "shop.yaml", "none", limits=limits if origin is None else {origin: limits})
        stage.begin()
        assert [200, 429] == [requests.get(f"{stage.url()}/price/pear", timeout=60).status_code for _ in range(2)]
        answer = requests.get(f"{stage.url()}/price/plum", timeout=60)
        assert (429, True) == (answer.status_code, 1 <= int(answer.headers["Retry-After"]) <= 100)
        assert [200, 429, 429] == [visit.status for visit in stage.take_log()]

    def test_each_way_to_play_is_a_stage_of_its_own(replay):
        path = HERE / "shop.yaml"
        ways = [{}, {"latency": "none"}, {"limits": "concurrent:1"}, {"limits": "concurrent:2"}, {"tls": True}]
        assert len(ways) == len({replay(path, **way).url() for way in ways})
        assert [replay(path, **way) for way in ways] == [replay(path, **way) for way in ways]

    def test_limits_that_cannot_be_read(replay):
        replay(HERE / "shop.yaml", limits="concurrent:0")

    def test_limits_of_another_origin(replay):
        replay(HERE / "shop.yaml", limits={"https://other.test": "concurrent:1"})

    def test_a_latency_that_cannot_be_read(replay):
        replay(HERE / "shop.yaml", "fast")
"""
REFUSED = {
    "test_limits_that_cannot_be_read": "limits 'concurrent:0': expected concurrent:4, rate:10 or rate:10:429",
    "test_limits_of_another_origin": "limits: https://other.test was not recorded in",
    "test_a_latency_that_cannot_be_read": "latency 'fast': expected recorded, scale:0.1, fixed:50ms or none",
}


def test_a_suite_can_play_and_look_at_a_recording(tmp_path):
    """Over TLS, within limits, its answers and what was served of them; what can't be played fails its test shortly."""
    ended = pytest_in(suite(tmp_path, test_replayed=(REPLAYED,)), "-rA", env={"COLUMNS": "300"})
    assert FAILED == ended.code
    failed = dict(re.findall(r"^FAILED test_replayed\.py::(\w+) - Failed: (.*)$", ended.text, re.M))
    assert REFUSED.keys() == failed.keys(), ended.text
    assert [True] * 3 == [failed[name].startswith(said) for name, said in REFUSED.items()]
    assert f"{len(REFUSED)} failed, 10 passed" in ended.text
    assert "Traceback" not in ended.text


IN_TURN = """
    @pytest.fixture(scope="module")
    def shared(replay):
        return replay(HERE / "turns.yaml", "none")

    @pytest.fixture
    def dynamic(request):
        return request.getfixturevalue("shared")

    @pytest.mark.parametrize("number", range(2))
    def test_first(replay, number):
        stage = replay(HERE / "turns.yaml", "none")
        assert [1, 2, 3] == [price_or_none(stage.url(), "pear") for _ in range(3)]
        assert 3 == len(stage.take_log())

    @pytest.mark.parametrize("number", range(2))
    def test_cut_short(shared, number):
        assert 1 == price_or_none(shared.url(), "pear")
        assert None is price_or_none(shared.url(), "fig")
        assert 2 == len(shared.take_log())

    def test_by_request(dynamic):
        assert 1 == price_or_none(dynamic.url(), "pear")
        assert 1 == len(dynamic.take_log())

    def test_timed(lap, shared):
        lap(partial(shopping, shared.url(), ["pear"]), is_one, stage=shared, requests={"GET /price/pear": 1}, **RACE)
"""


@pytest.mark.parametrize("arguments", [(), ("--har=out.har",), ("-n", "1")], ids=["plain", "logged", "xdist"])
def test_a_test_meets_a_replay_as_if_it_were_the_first(tmp_path, arguments):
    """What others asked for before it is neither in its log, nor has it used up an answer."""
    suite(tmp_path, test_turns=(IN_TURN.replace("is_one", "lambda answer: is_one(*answer)"),))
    exchanges = [Exchange("https://shop.test/price/pear", body=str(price)) for price in (1, 2, 3)]
    write_cassette(tmp_path / "turns.yaml", *exchanges, timed=False)
    ended = pytest_in(tmp_path, *arguments)
    assert OK == ended.code, ended.text


def test_tls_says_what_it_needs(tmp_path):
    """Where trustme isn't installed."""
    tests = """
        import sys
        sys.modules["trustme"] = None  # as good as not installed

        def test_tls(replay):
            replay(HERE / "shop.yaml", "none", tls=True)
    """
    ended = pytest_in(suite(tmp_path, test_tls=(tests,)))
    assert FAILED == ended.code
    assert "TLS needs trustme: `pip install 'laptime[tls]'`" in ended.text
