"""One benchmark, driven with pytest-benchmark's own fixture; the replay it talks to is made up."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, count, repeat
from types import SimpleNamespace
from typing import Any

import pytest

from laptime import lap as laps
from laptime import machine
from laptime.lap import Instruments, Lap, Rounds, Visits, WrongRequests, check_requests, run
from laptime.measure import Meter, Reading
from laptime.replay import ReplayDied, Served

PEAR, PLUM, FIG = "GET /pear", "GET /plum", "GET /fig"
NO_HTTP, NO_ROOM = "400 Bad Request: not HTTP/1.1", "503 Service Unavailable: no room"
THREE = Rounds(3, 3, 0.0)
BURN_S = 0.01


class Log(list[str]):
    """What happened, in order."""

    def says(self, event: str, answer: object = None) -> Callable[..., Any]:
        """A call that is noted and returns `answer`."""

        def note(*_: object) -> Any:
            self.append(event)
            return answer

        return note


class MadeUpMemory:
    """In the place of the memory sampler."""

    def __init__(self, log: Log) -> None:
        self.helpers: tuple[int, ...] = ()
        self.stop = log.says("sampled", 12_345)

    def start(self, helpers: tuple[int, ...]) -> None:
        self.helpers = helpers


class MadeUpStage:
    """In the place of a replay's stage: it serves what it is told to have served, round by round."""

    sha256 = "abc"
    latency = "scale:0.5"
    limits = "concurrent:2"
    ca_file = None
    passes = 2

    def __init__(self, log: Log, served: Iterable[dict[str, int] | Served | Exception] = ()) -> None:
        self._served = chain(served, repeat({PEAR: 1}))
        self._log = log
        self.begun: list[int] = []

    def begin(self, pass_number: int) -> None:
        self._log.append("begin")
        self.begun.append(pass_number)

    def end(self) -> Served:
        self._log.append("end")
        served = next(self._served)
        if isinstance(served, Exception):
            raise served
        return served if isinstance(served, Served) else Served(served, [], [], [])


@pytest.fixture
def log() -> Log:
    """What happens in a test."""
    return Log()


@pytest.fixture
def bench(benchmark, monkeypatch):
    """pytest-benchmark's fixture, enabled under xdist too; what it times is no result of this session."""
    monkeypatch.setattr(benchmark, "disabled", False)
    monkeypatch.setattr(benchmark, "_add_stats", [].append)
    yield benchmark
    benchmark.skipped = True  # else it warns that it wasn't used, where the first round failed


@pytest.fixture
def instruments(log) -> Instruments:
    """A real meter, and no memory sampler."""
    return Instruments(Meter(), MadeUpMemory(log), lambda: (1, 2))


def answers(*given: object) -> Callable[[], Any]:
    """Work that gives these answers, one a call, the last one from then on."""
    remaining = chain(given, repeat(given[-1]))

    @contextmanager
    def opened() -> Iterator[Callable[[], object]]:
        yield lambda: next(remaining)

    return opened


def noted(log: Log) -> Callable[[], Any]:
    """Work that notes when it is opened, done and closed, and always answers 1."""

    @contextmanager
    def opened() -> Iterator[Callable[[], object]]:
        log.append("open")
        yield log.says("work", 1)
        log.append("close")

    return opened


def raises(error: type[BaseException], call: int = 0) -> Callable[[], int]:
    """Work that answers 1, but for one call that raises."""
    calls = count()

    def work() -> int:
        if next(calls) == call:
            raise error
        return 1

    return work


def is_one(answer: object) -> None:
    """The check."""
    assert 1 == answer, f"not one: {answer}"


# the number of rounds


@pytest.mark.parametrize(
    ("rounds", "round_s", "number"),
    [
        (Rounds(3, 20, 1.0), 0.1, 10),
        (Rounds(3, 20, 1.0), 0.001, 20),
        (Rounds(3, 20, 1.0), 0.4, 3),
        (Rounds(3, 20, 1.0), 100.0, 3),
        (Rounds(3, 20, 1.0), 0.0, 20),
        (Rounds(5, 30, 5.0), 0.24, 20),
        (Rounds(3, 3, 0.0), 0.001, 3),
    ],
)
def test_rounds_fill_the_time_between_a_least_and_a_most(rounds, round_s, number):
    """As many as fit into the seconds."""
    assert number == rounds.fit(round_s)


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


def test_only_the_work_is_timed(bench, instruments, monkeypatch):
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
    stage = MadeUpStage(Log())
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


def test_no_round_has_less_than_no_cpu_time(bench, log):
    """A worker's CPU time is told in nanoseconds while it lives, and in ticks once it has ended."""
    falling = count(10.0, -0.004)
    meter = SimpleNamespace(before=lambda: Reading(next(falling), 0), after=lambda: Reading(next(falling), 0))
    run(bench, Lap(answers(1), is_one), THREE, Instruments(meter, MadeUpMemory(log), tuple))
    assert [0.0] * 3 == bench.extra_info["rounds"]["cpu_s"]


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

    run(bench, Lap(burning, lambda answer: burn(20 * BURN_S)), THREE, instruments)
    assert [True] * 3 == [BURN_S <= cpu_s < 20 * BURN_S for cpu_s in bench.extra_info["rounds"]["cpu_s"]]


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
    run(bench, Lap(answers(1), is_one), THREE, instruments, Visits())
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
        run(bench, Lap(answers(1), is_one), THREE, instruments, visits)
    assert ["off", "on"] == bench.extra_info["gil"]


# a benchmark that goes wrong


@pytest.mark.parametrize("wrong", range(4), ids=["first", "second", "third", "last"])
def test_a_wrong_answer_in_any_round_is_an_error(bench, instruments, wrong):
    """It raises, and marks the benchmark so that its timing is thrown away."""
    given = [1, 1, 1, 1]
    given[wrong] = 0
    with pytest.raises(AssertionError, match="not one: 0"):
        run(bench, Lap(answers(*given), is_one), THREE, instruments)
    assert bench.has_error
    assert {} == bench.extra_info


@pytest.mark.parametrize("wrong", range(4), ids=["first", "second", "third", "last"])
def test_wrong_requests_in_any_round_are_an_error(bench, instruments, log, wrong):
    """Though the answer be right: a client that asks again, or not at all, was not measured at its work."""
    served = [{PEAR: 1}] * wrong + [{PEAR: 2}]
    stage = MadeUpStage(log, served)
    with pytest.raises(WrongRequests, match=r"1 came more often than asked \(GET /pear\)"):
        run(bench, Lap(answers(1), is_one, None, stage, {PEAR: 1}), THREE, instruments)
    assert bench.has_error
    assert {} == bench.extra_info


@pytest.mark.parametrize("wrong", range(4), ids=["first", "second", "third", "last"])
def test_what_was_refused_in_any_round_is_an_error(bench, instruments, log, wrong):
    """Though every request that was expected was served, and the answer be right."""
    served = [{PEAR: 1}] * wrong + [Served({PEAR: 1}, [], [NO_HTTP], [])]
    stage = MadeUpStage(log, served)
    with pytest.raises(WrongRequests, match=f"refused: {NO_HTTP}"):
        run(bench, Lap(answers(1), is_one, None, stage, {PEAR: 1}), THREE, instruments)
    assert bench.has_error
    assert {} == bench.extra_info


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
@pytest.mark.parametrize("call", [0, 2], ids=["first round", "timed round"])
def test_whatever_the_work_raises_is_an_error(bench, instruments, error, call):
    """Ctrl-C too: rounds cut short are no result."""
    work = raises(error, call)

    @contextmanager
    def raising():
        yield work

    with pytest.raises(error):
        run(bench, Lap(raising, is_one), THREE, instruments)
    assert bench.has_error
    assert {} == bench.extra_info


def test_a_pool_that_does_not_close_well_is_an_error(bench, instruments):
    """It was open during all that was measured."""

    @contextmanager
    def opened():
        yield lambda: 1
        raise OSError("a worker is stuck")

    with pytest.raises(OSError, match="a worker is stuck"):
        run(bench, Lap(opened, is_one, "warm"), THREE, instruments)
    assert bench.has_error


def test_memory_sampling_stops_though_the_work_fails(bench, instruments, log):
    """The next benchmark can start it again."""

    @contextmanager
    def failing():
        yield raises(ZeroDivisionError)

    with pytest.raises(ZeroDivisionError):
        run(bench, Lap(failing, is_one), THREE, instruments)
    assert ["sampled"] == log


def test_a_dead_replay_is_the_news_and_not_the_wrong_answer(bench, instruments, log):
    """It is asked before the answer is looked at."""
    stage = MadeUpStage(log, [ReplayDied("gone")])
    with pytest.raises(ReplayDied):
        run(bench, Lap(answers(0), is_one, None, stage, {PEAR: 1}), THREE, instruments)


def test_a_dead_replay_is_the_news_and_not_what_the_work_raised(bench, instruments, log):
    """A refused connection is no fault of the work."""
    stage = MadeUpStage(log, [ReplayDied("gone")])

    @contextmanager
    def refused():
        yield raises(ConnectionRefusedError)

    with pytest.raises(ReplayDied):
        run(bench, Lap(refused, is_one, None, stage, {PEAR: 1}), THREE, instruments)


# with benchmarks disabled


@pytest.fixture
def disabled(bench, monkeypatch):
    """As under xdist, or with --benchmark-disable."""
    monkeypatch.setattr(bench, "disabled", True)
    return bench


def test_disabled_it_runs_once_and_is_judged(disabled, instruments, log):
    """Nothing is timed, sampled or stored."""
    run(disabled, Lap(noted(log), log.says("check"), "cold", MadeUpStage(log), {PEAR: 1}), THREE, instruments)
    assert ["begin", "open", "work", "close", "end", "check"] == log
    assert disabled.stats is None
    assert {} == disabled.extra_info


def test_disabled_a_wrong_answer_is_an_error(disabled, instruments):
    """A parallel run of the suite is a test of its answers."""
    with pytest.raises(AssertionError, match="not one: 0"):
        run(disabled, Lap(answers(0), is_one), THREE, instruments)


def test_disabled_what_was_refused_is_an_error(disabled, instruments, log):
    """As it is where benchmarks are timed."""
    stage = MadeUpStage(log, [Served({PEAR: 1}, [], [NO_ROOM], [])])
    with pytest.raises(WrongRequests, match=f"refused: {NO_ROOM}"):
        run(disabled, Lap(answers(1), is_one, None, stage, {PEAR: 1}), THREE, instruments)


def test_disabled_wrong_requests_are_an_error(disabled, instruments, log):
    """And of its requests."""
    stage = MadeUpStage(log, [{}])
    with pytest.raises(WrongRequests, match=r"1 went missing \(GET /pear\)"):
        run(disabled, Lap(answers(1), is_one, None, stage, {PEAR: 1}), THREE, instruments)


# requests


def test_the_requests_that_were_asked_for_are_right():
    """In whatever order they came."""
    assert check_requests(Served({PLUM: 2, PEAR: 1}, [], [], []), Counter({PEAR: 1, PLUM: 2})) is None


@pytest.mark.parametrize(
    ("served", "unmatched", "expected", "message"),
    [
        ({PEAR: 1}, [], {PEAR: 1, PLUM: 1}, "served 1 of 2 expected requests: 1 went missing (GET /plum)"),
        ({PEAR: 1}, [], {PEAR: 3}, "served 1 of 3 expected requests: 2 went missing (GET /pear)"),
        ({PEAR: 3}, [], {PEAR: 1}, "served 3 of 1 expected requests: 2 came more often than asked (GET /pear)"),
        ({PEAR: 1}, [], {}, "served 1 of 0 expected requests: 1 came more often than asked (GET /pear)"),
        (
            {PEAR: 2},
            [],
            {PEAR: 1, PLUM: 1},
            "served 2 of 2 expected requests: 1 went missing (GET /plum); 1 came more often than asked (GET /pear)",
        ),
        ({PEAR: 1}, [FIG, FIG], {PEAR: 1}, "served 1 of 1 expected requests: not in the cassette: GET /fig"),
        (
            {},
            [FIG],
            {PEAR: 1},
            "served 0 of 1 expected requests: not in the cassette: GET /fig; 1 went missing (GET /pear)",
        ),
        (
            {},
            [],
            {f"GET /{number}": 1 for number in range(5)},
            "served 0 of 5 expected requests: 5 went missing (GET /0, GET /1, GET /2 and 2 more)",
        ),
    ],
    ids=[
        "one missing",
        "two of one missing",
        "too many",
        "none asked",
        "both",
        "unmatched",
        "unmatched, missing",
        "many",
    ],
)
def test_requests_that_differ_are_told_with_counts_and_names(served, unmatched, expected, message):
    """What went missing, what came too often, and what was not recorded."""
    with pytest.raises(WrongRequests) as wrong:
        check_requests(Served(served, unmatched, [], []), expected)
    assert f"the replay {message}" == str(wrong.value)


@pytest.mark.parametrize(
    ("served", "message"),
    [
        (Served({PEAR: 1}, [], [NO_HTTP], []), f"served 1 of 1 expected requests: refused: {NO_HTTP}"),
        (
            Served({PEAR: 1}, [], [NO_HTTP, NO_ROOM, NO_HTTP], []),
            f"served 1 of 1 expected requests: refused: {NO_HTTP}, {NO_ROOM}",
        ),
        (
            Served({}, [FIG], [NO_ROOM], []),
            "served 0 of 1 expected requests: "
            f"not in the cassette: GET /fig; refused: {NO_ROOM}; 1 went missing (GET /pear)",
        ),
    ],
    ids=["one", "several kinds", "with what else went wrong"],
)
def test_what_was_refused_is_told_with_the_reason(served, message):
    """Each kind once, in the order in which they came."""
    with pytest.raises(WrongRequests) as wrong:
        check_requests(served, {PEAR: 1})
    assert f"the replay {message}" == str(wrong.value)
