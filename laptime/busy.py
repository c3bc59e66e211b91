"""What a round was kept from: CPU that others took, and time that its own threads waited for one.

Read before and after a round, outside the timed span. Three things are told apart:

- what other processes computed, by their CPU clocks (`clock_gettime`, to the nanosecond; what has come and gone between
  two readings is known to 10 ms a CPU, from /proc/stat);
- what the host took from this virtual machine (*steal* in /proc/stat, in ticks of 10 ms);
- what the round's own threads waited for a CPU (the second figure of /proc/PID/task/TID/schedstat). Threads and
  processes that ended within the round take theirs with them; for those the CPU pressure stands in, which is the time
  for which anybody waited (/proc/pressure/cpu).

Others disturb a round only where it waited: what they took from a CPU that stood idle cost it nothing. Off Linux only
the CPU time of the whole system is known, in ticks; what isn't known is None.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import NamedTuple

import psutil

from laptime import machine
from laptime.measure import descendants

DISTURBED_SHARE = 0.10
"""A round is void where others kept it from computing for more than this share of its time."""
STOLEN_SHARE = 0.25
"""The same of what the host took: it takes some from every virtual machine, and from all ways alike."""
LEAST_S = 0.01
"""Shares are of this at least: shorter rounds are disturbed by anything."""
_ROUNDING = 0.02
"""A round that kept 1.02 CPUs busy had one thread that computed, and clocks that differ."""
_SEEN_SHARE = 0.9
"""Of the CPU time of a round: where its living threads account for less, what they waited is not the whole."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED = 2
_LINUX = sys.platform == "linux"
_PRESSURE = Path("/proc/pressure/cpu")
_STAT = Path("/proc/stat")
_BUSY_FIELDS = (1, 2, 3, 6, 7)
"""user, nice, system, irq and softirq among the figures of all CPUs, after their name (proc_stat(5))."""
_TOTAL = re.compile(rb"some .*total=(\d+)")


class Snapshot(NamedTuple):
    """Running totals, in seconds.

    others      CPU clock of each process that is not the round's
    harness_s   CPU of the harness's own processes
    busy_s      CPU of everybody, to the tick; None where it isn't known
    stolen_s    what the host has taken
    waited_s    what the round's living threads have waited for a CPU, and `threads_s` what they have computed
    pressure_s  for how long anybody waited for a CPU
    at_s        when they were read
    """

    others: dict[int, float]
    harness_s: float
    busy_s: float | None
    stolen_s: float | None
    waited_s: float | None
    threads_s: float
    pressure_s: float | None
    at_s: float = 0.0


class Disturbance(NamedTuple):
    """What happened beside a round, in seconds; None where it isn't known.

    others_s  CPU that other processes took
    stolen_s  CPU that the host took
    waited_s  what the round's threads waited for a CPU, whoever had it
    """

    others_s: float
    stolen_s: float | None
    waited_s: float | None

    def void(self, span_s: float, cpu_s: float) -> bool:
        """Whether a round was kept from computing for too long.

        span_s  from one reading to the other: a little more than the round took
        cpu_s   what it computed
        """
        lanes = max(1, ceil(cpu_s / span_s - _ROUNDING))
        idle_s = max(0.0, lanes * span_s - cpu_s)
        waited_s = self.others_s if self.waited_s is None else min(self.others_s, self.waited_s)
        # a virtual CPU that is woken again and again, as by threads that hand each other the GIL, is noted as stolen
        # for as long as the host takes to wake it: what the round computed meanwhile it has not lost
        stolen_s = min(self.stolen_s or 0.0, idle_s)
        least_s = max(LEAST_S, span_s * lanes)
        return waited_s > DISTURBED_SHARE * least_s or stolen_s > STOLEN_SHARE * least_s


def together(several: Sequence[Disturbance]) -> Disturbance:
    """What happened beside several rounds that followed each other; what isn't known of one isn't known of all."""
    others_s, stolen_s, waited_s = zip(*several, strict=True)
    return Disturbance(
        sum(others_s),
        None if None in stolen_s else sum(filter(None, stolen_s)),
        None if None in waited_s else sum(filter(None, waited_s)),
    )


class Surroundings:
    """Reads them, for the process tree of this process without its helpers."""

    def __init__(self, helpers: Callable[[], Iterable[int]] = tuple) -> None:
        self._helpers = helpers

    def snapshot(self) -> Snapshot:
        """What the running totals are now."""
        if not _LINUX:
            times = psutil.cpu_times()
            return Snapshot({}, 0.0, times.user + times.system, None, None, 0.0, None, time.monotonic())
        helpers = set(self._helpers())
        tree = [os.getpid(), *(pid for pid in descendants(os.getpid()) if pid not in helpers)]
        waited_s, threads_s = _threads(tree)
        ours = helpers | set(tree)
        others = {pid: cpu_s for pid in _processes() if pid not in ours and (cpu_s := _cpu_s(pid)) is not None}
        harness_s = sum(filter(None, map(_cpu_s, helpers)))
        readings = _busy_s(), machine.stolen_s(), waited_s, threads_s, _pressure_s()
        return Snapshot(others, harness_s, *readings, time.monotonic())

    def between(self, before: Snapshot, after: Snapshot, cpu_s: float) -> Disturbance:
        """What happened between two readings; `cpu_s` is what the round itself computed meanwhile."""
        others_s = sum(now_s - before.others.get(pid, 0.0) for pid, now_s in after.others.items())
        if before.busy_s is not None and after.busy_s is not None:
            harness_s = after.harness_s - before.harness_s
            ticks_s = 2 * _TICK_S * (os.cpu_count() or 1)
            others_s = max(others_s, after.busy_s - before.busy_s - cpu_s - harness_s - ticks_s)
        stolen_s = None
        if before.stolen_s is not None and after.stolen_s is not None:
            stolen_s = max(0.0, after.stolen_s - before.stolen_s - _TICK_S)
        return Disturbance(max(0.0, others_s), stolen_s, _waited(before, after, cpu_s))


def _waited(before: Snapshot, after: Snapshot, cpu_s: float) -> float | None:
    if before.waited_s is None or after.waited_s is None:
        return None
    seen_s, waited_s = after.threads_s - before.threads_s, after.waited_s - before.waited_s
    if seen_s >= _SEEN_SHARE * cpu_s:
        return max(0.0, waited_s)
    if before.pressure_s is None or after.pressure_s is None:
        return None
    return max(0.0, waited_s, after.pressure_s - before.pressure_s)


def _threads(pids: Iterable[int]) -> tuple[float | None, float]:
    """Seconds that all living threads of the processes have waited for a CPU, and computed."""
    waited_ns = computed_ns = 0
    told = False
    for pid in pids:
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (read twice a round)
                with suppress(OSError), open(f"/proc/{pid}/task/{task}/schedstat", "rb") as file:  # noqa: PTH123
                    figures = file.read().split()
                    computed_ns += int(figures[0])
                    waited_ns += int(figures[1])
                    told = True
    return waited_ns / 1e9 if told else None, computed_ns / 1e9


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208


def _cpu_s(pid: int) -> float | None:
    """By the process's CPU clock, see `laptime.measure`; None where it has ended or is hidden."""
    try:
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return None


def _busy_s() -> float | None:
    try:
        fields = _STAT.read_bytes().partition(b"\n")[0].split()
        return sum(int(fields[place]) for place in _BUSY_FIELDS) * _TICK_S
    except (OSError, ValueError, IndexError):
        return None


def _pressure_s() -> float | None:
    try:
        found = _TOTAL.search(_PRESSURE.read_bytes())
    except OSError:
        return None
    return int(found[1]) / 1e6 if found else None
