"""One benchmark, driven with pytest-benchmark's own fixture; the replay it talks to is made up."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, count, repeat
from types import SimpleNamespace

import pytest

from laptime import lap as laps
from laptime import machine
from laptime.lap import Instruments, Lap, Rounds, Visits, run
from laptime.measure import Reading
from tests.support.laps import (
    ONE,
    PEAR,
    THREE,
    MadeUpMemory,
    MadeUpStage,
    answers,
    is_one,
    noted,
    raises,
)

BURN_S = 0.01


# a benchmark that goes well


def test_the_first_round_is_not_timed(bench, instruments):
    """It proves the answer and tells how many there is time for; the timed ones come after it."""
    calls = count()

    @contextmanager
    def counted():
        yield lambda: next(calls)

    run(bench, Lap(counted, lambda answer: None), THREE, instruments)
    assert 4 == next(calls)
    assert 3 == len(bench.stats.stats.data)


def test_every_round_is_prepared_and_judged_outside_the_timing(bench, instruments, log):
    """The replay is told of each round before it, asked after it, and the answer is checked last."""
    lap = Lap(noted(log), log.says("check"), "cold", MadeUpStage(log), {PEAR: 1})
    run(bench, lap, Rounds(2, 2, 0.0), instruments)
    whole = ["begin", "open", "work", "close", "end", "check"]
    first = [*whole[:4], "sampled", *whole[4:]]
    assert [*first, *whole, *whole] == log


def test_what_is_fresh_is_opened_for_each_round_outside_the_timing(bench, instruments, log):
    """Before the replay is told of the round, and closed once it was asked; a round has one of its own."""
    run(bench, Lap(noted(log), log.says("check"), "fresh", MadeUpStage(log), {PEAR: 1}), Rounds(2, 2, 0.0), instruments)
    whole = ["open", "begin", "work", "end", "close", "check"]
    first = [*whole[:3], "sampled", *whole[3:]]
    assert [*first, *whole, *whole] == log
    assert "fresh" == bench.extra_info["lifecycle"]


def test_of_what_is_fresh_the_call_alone_is_timed(bench, instruments, monkeypatch):
    """On a clock that moves by what is done: neither opening nor closing moves it."""
    moved = [0]

    @contextmanager
    def opened():
        def work() -> int:
            moved[0] += 1
            return 1

        moved[0] += 10
        yield work
        moved[0] += 100

    monkeypatch.setattr(bench, "_timer", lambda: moved[0])
    run(bench, Lap(opened, is_one, "fresh"), THREE, instruments)
    assert [1, 1, 1] == list(bench.stats.stats.data)


def test_of_what_is_fresh_opening_and_closing_count_towards_the_time_there_is(bench, instruments):
    """Of rounds that take 60 ms to open and close three fit into 0.2 s, and not a hundred."""

    @contextmanager
    def opened():
        time.sleep(0.03)
        yield lambda: 1
        time.sleep(0.03)

    run(bench, Lap(opened, is_one, "fresh"), Rounds(1, 100, 0.2), instruments)
    assert len(bench.stats.stats.data) <= 3


def test_what_is_fresh_can_be_profiled_in_a_loop(bench, instruments, monkeypatch):
    """Where the work is called again without a word before, it is opened then; its figures are not those of a round."""
    monkeypatch.setattr(bench, "cprofile", True)
    monkeypatch.setattr(bench, "cprofile_loops", 3)
    monkeypatch.setattr(bench, "_save_cprofile", lambda profile: None)
    opened = []

    @contextmanager
    def once():
        opened.append(calls := count())
        yield lambda: next(calls)
        assert 1 == next(calls), "called once, and closed"

    run(bench, Lap(once, lambda answer: None, "fresh"), Rounds(2, 2, 0.0), instruments)
    assert 1 + 2 + 3 == len(opened)
    assert 2 == len(bench.extra_info["rounds"]["cpu_s"])


@pytest.mark.parametrize(
    ("work", "error"), [(raises(ValueError), ValueError), (lambda: 0, AssertionError)], ids=["raises", "is wrong"]
)
def test_what_was_opened_for_a_round_is_closed_where_the_round_fails(bench, instruments, log, work, error):
    """Whether the work raises or its answer is wrong: no pool outlives its round."""

    @contextmanager
    def opened():
        log.append("open")
        try:
            yield work
        finally:
            log.append("close")

    with pytest.raises(error):
        run(bench, Lap(opened, is_one, "fresh"), THREE, instruments)
    assert ["open", "sampled", "close"] == log


def test_only_the_work_is_timed(bench, instruments, log, monkeypatch):
    """On a clock that moves by what is done: neither preparing nor checking moves it."""
    moved = [0]

    def work(ticks: int) -> Callable[..., int]:
        def move(*_: object) -> int:
            moved[0] += ticks
            return 1

        return move

    @contextmanager
    def opened():
        work(10)()
        yield work(1)
        work(100)()

    monkeypatch.setattr(bench, "_timer", lambda: moved[0])
    stage = MadeUpStage(log)
    monkeypatch.setattr(stage, "begin", work(10_000))
    run(bench, Lap(opened, work(1_000), "cold", stage, {PEAR: 1}), THREE, instruments)
    assert [111, 111, 111] == bench.stats.stats.data


def test_what_is_cold_is_opened_and_closed_in_every_round(bench, instruments, log):
    """So that starting a pool is part of its time."""
    run(bench, Lap(noted(log), is_one, "cold"), Rounds(2, 2, 0.0), instruments)
    once = ["open", "work", "close"]
    assert once * 3 == [event for event in log if event != "sampled"]


def test_what_is_warm_is_opened_once(bench, instruments, log):
    """Before the first round, and closed after the last."""
    run(bench, Lap(noted(log), is_one, "warm"), Rounds(2, 2, 0.0), instruments)
    assert ["open", "work", "work", "work", "close"] == [event for event in log if event != "sampled"]


def test_timing_begins_when_what_is_warm_has_settled(bench, log):
    """The last workers of a pool may still be importing what they need when the first ones have done all there was."""
    computed = chain([0.0, 0.02, 0.03], repeat(0.031))
    meter = SimpleNamespace(
        before=log.says("before", Reading(0.0, 0)),
        after=lambda: Reading(0.0, 0),
        children=lambda: Reading(log.says("settling", next(computed))(), 0),
    )
    run(bench, Lap(answers(1), is_one, "warm"), Rounds(1, 1, 0.0), Instruments(meter, MadeUpMemory(log), tuple))
    events = [event for event in log if event != "sampled"]
    assert ["before", *["settling"] * 4, "before"] == events


def test_what_never_settles_is_timed_all_the_same(bench, log, monkeypatch):
    """A process that computes beside the work, on purpose."""
    monkeypatch.setattr(laps, "SETTLE_LIMIT_S", 0.05)
    rising = count(0.0, 0.02)
    idle = Reading(0.0, 0)
    meter = SimpleNamespace(before=lambda: idle, after=lambda: idle, children=lambda: Reading(next(rising), 0))
    run(bench, Lap(answers(1), is_one, "warm"), Rounds(1, 1, 0.0), Instruments(meter, MadeUpMemory(log), tuple))
    assert 1 == len(bench.extra_info["rounds"]["wall_s"])


def test_a_round_plays_the_recorded_passes_in_turn(bench, instruments, log):
    """From the first one, in the untimed round and again in the timed ones."""
    stage = MadeUpStage(log)
    run(bench, Lap(answers(1), is_one, None, stage, {PEAR: 1}), THREE, instruments)
    assert [0, 0, 1, 2] == stage.begun
    assert [0, 1, 0] == bench.extra_info["rounds"]["pass"]
    assert [1, 1, 1] == bench.extra_info["rounds"]["requests"]


def test_what_was_measured_is_stored_beside_the_timings(bench, instruments, log):
    """With what the caller adds."""
    lap = Lap(answers(1), is_one, "warm", MadeUpStage(log), {PEAR: 1}, {"workload": "shop", "workers": 2})
    run(bench, lap, THREE, instruments)
    info = bench.extra_info
    expected = {
        "workload": "shop",
        "workers": 2,
        "lifecycle": "warm",
        "gil": [machine.gil()] * 2,
        "affinity_cpus": machine.affinity_cpus(),
        "cpu_quota": machine.cpu_quota(),
        "peak_pss_bytes": 12_345,
        "cassette_sha256": "abc",
        "latency": "scale:0.5",
        "limits": "concurrent:2",
        "tls": False,
    }
    assert expected == {name: info[name] for name in expected}
    assert bench.stats.stats.data == info["rounds"]["wall_s"]
    assert [3] * 5 == list(map(len, info["rounds"].values()))


def test_no_round_costs_less_than_nothing(bench, log):
    """A worker that ended has its CPU time in ticks, no longer in nanoseconds; of a fork server's, no switches."""
    falling = count(10.0, -0.004)

    def look() -> Reading:
        cpu_s = next(falling)
        return Reading(cpu_s, round(1000 * cpu_s))

    run(
        bench,
        Lap(answers(1), is_one),
        THREE,
        Instruments(SimpleNamespace(before=look, after=look), MadeUpMemory(log), tuple),
    )
    rounds = bench.extra_info["rounds"]
    assert ([0.0] * 3, [0] * 3) == (rounds["cpu_s"], rounds["switches"])


def test_without_a_replay_nothing_is_stored_of_one(bench, instruments):
    """Work without HTTP plays no recording."""
    run(bench, Lap(answers(1), is_one), THREE, instruments)
    assert {"wall_s", "cpu_s", "switches"} == set(bench.extra_info["rounds"])
    assert not {"cassette_sha256", "latency", "limits", "tls"} & set(bench.extra_info)


def test_each_rounds_cpu_time_is_stored(bench, instruments):
    """What the work burns is found in every round; what the check burns in none."""

    def burn(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    @contextmanager
    def burning():
        yield lambda: burn(BURN_S)

    run(bench, Lap(burning, lambda answer: burn(20 * BURN_S)), Rounds(2, 2, 0.0), instruments)
    assert [True] * 2 == [BURN_S <= cpu_s < 20 * BURN_S for cpu_s in bench.extra_info["rounds"]["cpu_s"]]


def test_memory_is_sampled_without_the_helpers(bench, instruments):
    """They are told to the sampler as they are when the first round begins."""
    run(bench, Lap(answers(1), is_one), THREE, instruments)
    assert (1, 2) == instruments.memory.helpers


@pytest.fixture
def standing() -> Iterator[int]:
    """A child of this process that was there before the benchmark began: its id."""
    with subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE) as child:
        yield child.pid
        child.communicate(b"\n")


def test_in_a_race_memory_is_sampled_without_what_the_others_keep(bench, instruments, standing):
    """The processes of a pool that stays open from pass to pass are not this benchmark's."""
    run(bench, Lap(answers(1), is_one), ONE, instruments, Visits())
    assert {1, 2, standing} <= set(instruments.memory.helpers)


def test_in_no_race_memory_is_sampled_of_all_that_stands(bench, instruments, standing):
    """A pool that a fixture of the suite keeps does the work: nobody else's is there."""
    run(bench, Lap(answers(1), is_one), THREE, instruments)
    assert standing not in instruments.memory.helpers


def test_the_gil_is_told_as_it_was_before_the_first_visit_and_is_after_the_last(bench, instruments, monkeypatch):
    """However often a visit is repeated, and whichever pass turned it on."""
    states = iter(["off", "off", "off", "on"])  # before; after pass 0, after it was repeated, after pass 1
    monkeypatch.setattr(laps.machine, "gil", lambda: next(states))
    visits = Visits()
    for visits.number, visits.again in ((0, False), (0, True), (1, False)):
        bench._mode = None  # as a new fixture would be
        run(bench, Lap(answers(1), is_one), ONE, instruments, visits)
    assert ["off", "on"] == bench.extra_info["gil"]
