"""Calls at absolute times, never early, on any asyncio loop.

epoll rounds its time-out up to a millisecond, and uvloop's timers may fire up to 1.4 ms early. One absolute
timerfd (Linux) over a heap does neither. Elsewhere the loop's own timer is used, and asked again when early.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

NS_PER_S = 1_000_000_000

Call = Callable[[], None]


class _Alarm(Protocol):
    """Wakes the timer at or after one absolute time."""

    def set(self, due_ns: int) -> None: ...
    def close(self) -> None: ...


class Timer:
    """A heap of calls over one alarm. Times are those of `time.monotonic_ns`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heap: list[tuple[int, int, Call]] = []
        self._order = count()
        self._armed_ns: int | None = None
        self._alarm: _Alarm = _TimerFd(loop, self._fire) if sys.platform == "linux" else _LoopAlarm(loop, self._fire)

    def at(self, due_ns: int, call: Call) -> None:
        """Call at `due_ns`, or as soon after it as the loop can."""
        heapq.heappush(self._heap, (due_ns, next(self._order), call))
        if self._armed_ns is None or due_ns < self._armed_ns:
            self._arm(due_ns)

    def close(self) -> None:
        """Forget what was to be called."""
        self._heap.clear()
        self._alarm.close()

    def _arm(self, due_ns: int) -> None:
        self._armed_ns = due_ns
        self._alarm.set(due_ns)

    def _fire(self) -> None:
        self._armed_ns = None
        heap = self._heap
        try:
            while heap and heap[0][0] <= time.monotonic_ns():
                heapq.heappop(heap)[2]()
        finally:  # a call that fails must not stop the others
            if heap and (self._armed_ns is None or heap[0][0] < self._armed_ns):
                self._arm(heap[0][0])


class _LoopAlarm:
    """The loop's own timer; `Timer` asks again where it fires early."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Call) -> None:
        self._loop = loop
        self._fire = fire
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due_ns: int) -> None:
        self.close()
        delay_s = max(due_ns - time.monotonic_ns(), 0) / NS_PER_S
        self._handle = self._loop.call_later(delay_s, self._fire)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1


class _TimerFd:
    """timerfd(2) by ctypes: `os.timerfd_create` came with Python 3.13, and this works on all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Call) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop = loop
        self._fire = fire
        self._spec = _Itimerspec()
        self._argument = ctypes.byref(self._spec)
        loop.add_reader(self._fd, self._read)

    def set(self, due_ns: int) -> None:
        # an all-zero value would disarm the timer
        self._spec.value.seconds, self._spec.value.nanoseconds = divmod(max(due_ns, 1), NS_PER_S)
        if self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, self._argument, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _read(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # set anew between the wake-up and here: it fires again
        self._fire()
