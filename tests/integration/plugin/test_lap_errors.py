"""A benchmark that goes wrong, and one that is not timed, driven with pytest-benchmark's own fixture."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from laptime.lap import Lap, WrongRequests, run
from laptime.replay import ReplayDied, Served
from tests.support.laps import (
    NO_HTTP,
    NO_ROOM,
    PEAR,
    THREE,
    MadeUpStage,
    answers,
    is_one,
    noted,
    raises,
)

# a benchmark that goes wrong


@pytest.mark.parametrize("wrong", [0, 3], ids=["first", "last"])
def test_a_wrong_answer_in_any_round_is_an_error(bench, instruments, wrong):
    """It raises, and marks the benchmark so that its timing is thrown away."""
    given = [1, 1, 1, 1]
    given[wrong] = 0
    with pytest.raises(AssertionError, match="not one: 0"):
        run(bench, Lap(answers(*given), is_one), THREE, instruments)
    assert bench.has_error
    assert {} == bench.extra_info


@pytest.mark.parametrize("wrong", [0, 3], ids=["first", "last"])
def test_wrong_requests_in_any_round_are_an_error(bench, instruments, log, wrong):
    """Though the answer be right: a client that asks again, or not at all, was not measured at its work."""
    served = [{PEAR: 1}] * wrong + [{PEAR: 2}]
    stage = MadeUpStage(log, served)
    with pytest.raises(WrongRequests, match=r"1 came more often than asked \(GET /pear\)"):
        run(bench, Lap(answers(1), is_one, None, stage, {PEAR: 1}), THREE, instruments)
    assert bench.has_error
    assert {} == bench.extra_info


@pytest.mark.parametrize("wrong", [0, 3], ids=["first", "last"])
def test_what_was_refused_in_any_round_is_an_error(bench, instruments, log, wrong):
    """Though every request that was expected was served, and the answer be right."""
    served = [{PEAR: 1}] * wrong + [Served({PEAR: 1}, [], [NO_HTTP], [])]
    stage = MadeUpStage(log, served)
    with pytest.raises(WrongRequests, match=f"refused: {NO_HTTP}"):
        run(bench, Lap(answers(1), is_one, None, stage, {PEAR: 1}), THREE, instruments)
    assert bench.has_error
    assert {} == bench.extra_info


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
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
