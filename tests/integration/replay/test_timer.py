"""Calls at absolute times: never early, in order, on either loop and with either alarm.

Time is only checked from below. `HANG_LIMIT_S` ends a test that would never end.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from laptime.replay import timer as timers
from laptime.replay.timer import Timer
from tests.support import HANG_LIMIT_S

MS = 1_000_000  # nanoseconds
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

Scene = Callable[[Timer], Awaitable[None]]
Play = Callable[[Scene], None]

timerfd_only = pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")


@pytest.fixture(params=LOOPS)
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    """Either event loop."""
    factory: Callable[[], asyncio.AbstractEventLoop] = LOOPS[request.param]
    return factory


@pytest.fixture(params=[pytest.param("timerfd", marks=timerfd_only), "loop"])
def play(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> Play:
    """Run a coroutine function with a timer that has this alarm, on this loop."""
    if request.param == "loop":
        monkeypatch.setattr(timers, "_TimerFd", timers._LoopAlarm)

    def run(scene: Scene) -> None:
        async def whole() -> None:
            timer = Timer(asyncio.get_running_loop())
            try:
                await asyncio.wait_for(scene(timer), HANG_LIMIT_S)
            finally:
                timer.close()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(whole())

    return run


class Calls:
    """Notes of calls: what was called, when it was due and when it came; `all` is set at the last one."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self.names: list[object] = []
        self.early_ns: list[int] = []
        self.all = asyncio.Event()

    def due(self, name: object, due_ns: int) -> Callable[[], None]:
        """A call to be made at this time."""

        def call() -> None:
            self.early_ns.append(due_ns - time.monotonic_ns())
            self.names.append(name)
            if self._expected == len(self.names):
                self.all.set()

        return call


def test_a_call_is_never_early(play: Play) -> None:
    """300 calls at odd moments, some of them past: none comes before its time, not by a nanosecond."""
    offsets_ns = [random.Random(291).randrange(-5 * MS, 60 * MS) for _ in range(300)]

    async def scene(timer: Timer) -> None:
        calls, now_ns = Calls(len(offsets_ns)), time.monotonic_ns()
        for offset_ns in offsets_ns:
            timer.at(now_ns + offset_ns, calls.due(offset_ns, now_ns + offset_ns))
        await calls.all.wait()
        assert len(offsets_ns) == len(calls.early_ns)
        assert max(calls.early_ns) <= 0

    play(scene)


def test_calls_come_in_the_order_of_their_times(play: Play) -> None:
    """Whatever the order they were asked for in; calls for one moment come in the order of asking."""

    async def scene(timer: Timer) -> None:
        calls, start_ns = Calls(6), time.monotonic_ns() + 5 * MS
        for name, after_ms in [("e", 9), ("b", 3), ("a", 0), ("c", 3), ("f", 9), ("d", 3)]:
            timer.at(start_ns + after_ms * MS, calls.due(name, start_ns + after_ms * MS))
        await calls.all.wait()
        assert list("abcdef") == calls.names

    play(scene)


def test_an_earlier_call_goes_before_one_that_was_asked_for_first(play: Play) -> None:
    """The alarm that was set for a later call is set anew."""

    async def scene(timer: Timer) -> None:
        calls, now_ns = Calls(1), time.monotonic_ns()
        timer.at(now_ns + 3_600_000 * MS, calls.due("in an hour", now_ns + 3_600_000 * MS))
        timer.at(now_ns + 2 * MS, calls.due("soon", now_ns + 2 * MS))
        await calls.all.wait()
        assert ["soon"] == calls.names

    play(scene)


@pytest.mark.parametrize("due_ns", [0, 1, -MS])
def test_a_time_long_past_is_now(play: Play, due_ns: int) -> None:
    """A call for a time before the machine started comes at once."""

    async def scene(timer: Timer) -> None:
        calls = Calls(1)
        timer.at(due_ns, calls.due("late", due_ns))
        await calls.all.wait()
        assert ["late"] == calls.names

    play(scene)


def test_a_call_may_ask_for_the_next_one(play: Play) -> None:
    """Each of a chain of calls asks for its successor 1 ms later; all come, none early."""

    async def scene(timer: Timer) -> None:
        calls, start_ns = Calls(10), time.monotonic_ns()

        def link(number: int) -> None:
            due_ns = start_ns + number * MS
            calls.due(number, due_ns)()
            if number < 9:
                timer.at(due_ns + MS, lambda: link(number + 1))

        timer.at(start_ns, lambda: link(0))
        await calls.all.wait()
        assert list(range(10)) == calls.names
        assert max(calls.early_ns) <= 0

    play(scene)


def test_a_call_may_ask_for_one_before_those_that_wait(play: Play) -> None:
    """What is asked for within a call takes its place among the others: past, between, or after."""

    async def scene(timer: Timer) -> None:
        calls, start_ns = Calls(5), time.monotonic_ns() + 2 * MS

        def first() -> None:
            calls.due("first", start_ns)()
            for name, after_ms in [("last", 12), ("past", -1), ("between", 4)]:
                timer.at(start_ns + after_ms * MS, calls.due(name, start_ns + after_ms * MS))

        timer.at(start_ns, first)
        timer.at(start_ns + 8 * MS, calls.due("waiting", start_ns + 8 * MS))
        await calls.all.wait()
        assert ["first", "past", "between", "waiting", "last"] == calls.names
        assert max(calls.early_ns) <= 0

    play(scene)


def test_a_call_that_fails_does_not_stop_the_others(play: Play) -> None:
    """The loop is told of the error, and what waits is called at its time."""

    async def scene(timer: Timer) -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        calls, start_ns, broken = Calls(2), time.monotonic_ns() + 2 * MS, ArithmeticError("a call broke")

        def fail() -> None:
            raise broken

        timer.at(start_ns, fail)
        timer.at(start_ns + MS, calls.due("next", start_ns + MS))
        timer.at(start_ns + 2 * MS, calls.due("last", start_ns + 2 * MS))
        await calls.all.wait()
        assert ["next", "last"] == calls.names
        assert [broken] == told

    play(scene)


def test_after_close_nothing_is_called(play: Play) -> None:
    """What was to be called is forgotten."""

    async def scene(timer: Timer) -> None:
        closed = Timer(asyncio.get_running_loop())
        calls, now_ns = Calls(1), time.monotonic_ns()
        closed.at(now_ns + 2 * MS, calls.due("forgotten", now_ns + 2 * MS))
        closed.close()
        timer.at(now_ns + 10 * MS, calls.due("another timer's", now_ns + 10 * MS))
        await calls.all.wait()
        assert ["another timer's"] == calls.names

    play(scene)


def test_a_timer_may_be_closed_by_a_call(play: Play) -> None:
    """The calls after the one that closes it, though due, are not made."""

    async def scene(timer: Timer) -> None:
        closing = Timer(asyncio.get_running_loop())
        calls, now_ns = Calls(2), time.monotonic_ns()

        def close() -> None:
            calls.due("closing", now_ns)()
            closing.close()

        closing.at(now_ns, close)
        closing.at(now_ns, calls.due("too late", now_ns))
        timer.at(now_ns + 10 * MS, calls.due("another timer's", now_ns + 10 * MS))
        await calls.all.wait()
        assert ["closing", "another timer's"] == calls.names

    play(scene)


@timerfd_only
def test_close_gives_the_descriptor_back(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A hundred timers, opened and closed, leave no file descriptor open."""

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def opened() -> int:
        loop, before = asyncio.get_running_loop(), descriptors()
        for _ in range(100):
            timer = Timer(loop)
            timer.at(time.monotonic_ns() + MS, lambda: None)
            timer.close()
        return descriptors() - before

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert 0 == runner.run(opened())


@timerfd_only
def test_linux_has_the_finer_alarm() -> None:
    """Where there is timerfd, a timer uses it."""

    async def alarm() -> object:
        timer = Timer(asyncio.get_running_loop())
        timer.close()
        return type(timer._alarm)

    assert timers._TimerFd is asyncio.run(alarm())
