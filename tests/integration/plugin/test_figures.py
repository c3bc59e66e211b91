"""What a session of benchmarks tells and saves where all is well, and what where nothing is timed."""

from __future__ import annotations

import json
import re
import sys
from hashlib import sha256
from pathlib import Path
from statistics import median

import pytest

from laptime import machine
from tests.support.here import pytest as pytest_in
from tests.support.sessions import (
    FAILED,
    OK,
    Ended,
    benchmarks,
    run,
)
from tests.support.shop import QUICK, SHORT, TIMED, suite

LINUX = sys.platform == "linux"


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


OWN_TABLE = r"^-+ benchmark.*: \d tests -+$"


def test_where_there_are_but_laps_pytest_benchmarks_own_table_is_not_shown(well):
    """It says the same once more."""
    assert not re.search(OWN_TABLE, well[1].text, re.M)


def test_pytest_benchmarks_own_table_is_shown_where_it_is_asked_for(tmp_path):
    """Who says how it is to look, wants to see it."""
    ended = pytest_in(suite(tmp_path, test_quick=(QUICK,)), "--benchmark-columns=min")
    assert OK == ended.code
    assert re.search(OWN_TABLE, ended.text, re.M), ended.text


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


def test_runs_are_stored_and_compared_by_pytest_benchmark(tmp_path):
    """--benchmark-autosave, then --benchmark-compare and the command's compare; the plan is no guess then."""
    suite(tmp_path, test_quick=(QUICK,))
    cached = ("-p", "cacheprovider")  # the times of the first are in the cache
    first, second = (pytest_in(tmp_path, *cached, option) for option in ("--benchmark-autosave", "--benchmark-compare"))
    compared = run(tmp_path, sys.executable, "-m", "pytest_benchmark", "compare", "0001")
    assert [OK] * 3 == [ended.code for ended in (first, second, compared)]
    assert re.search(r"^test_quick \(NOW\) ", second.text, re.M)
    assert re.search(r"^test_quick \(0001_\w+\) ", second.text, re.M)
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


# where nothing is timed


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
def test_where_benchmarks_are_disabled_answers_are_checked(tmp_path, arguments):
    """And requests; the session says that nothing was timed, and how many answers are right. There is no race."""
    tests = """
    def test_wrong(lap):
        lap(one, lambda answer: is_one(answer + 1))

    def test_too_few(lap, replay):
        stage = replay(HERE / "shop.yaml")
        lap(partial(shopping, stage.url(), ["pear"]), lambda answer: None, stage=stage, requests=ASKED)
    """
    ended = pytest_in(suite(tmp_path, test_shop=(TIMED, tests)), *arguments, "--benchmark-json=out.json")
    assert FAILED == ended.code
    assert "2 failed, 3 passed" in ended.text
    assert "not one: 2" in ended.text
    assert "1 went missing (GET /price/plum)" in ended.text
    assert "laptime: nothing was timed (benchmarks are disabled); 3 answers are right" in ended.text
    assert "left" not in ended.text
    assert not ended.timed("test_cold")
    assert {} == benchmarks(tmp_path / "out.json")
