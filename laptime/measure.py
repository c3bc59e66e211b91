"""What one round cost beside wall time: CPU seconds and context switches, with those of its child processes.

Both are read as running totals over the process tree; a round's cost is the difference of two readings. When
a child ends and is reaped, its share moves from "living" to "reaped" and the total stays whole. Of a child's own
children that it reaped, the CPU seconds stay, in ticks, and the switches are lost: no system tells them.

psutil's per-process times have ticks of 10 ms. Linux numbers the CPU clock of every process, so that
`clock_gettime` reads another one's in nanoseconds: `(~pid << 3) | 2`, see `man 3 clock_getcpuclockid`.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

import psutil

_LINUX = sys.platform == "linux"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED = 2
_LISTS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # noqa: PTH110 (absent on some kernels)


class Reading(NamedTuple):
    """Running totals of this process and all its descendants, reaped ones included (but see `switches`).

    switches    without those of what living children have reaped: they fall when a child's child ends
    in_ticks_s  the part of `cpu_s` that is known in ticks of 10 ms only: what living children have reaped (a fork
                server's ended workers)
    """

    cpu_s: float
    switches: int
    in_ticks_s: float = 0.0


class Meter:
    """Reads the totals, leaving out helpers (the replay server, say) by their process ids."""

    def __init__(self, helpers: Callable[[], Iterable[int]] = tuple, *, switches: bool = True) -> None:
        """`switches`: of living children too, which takes as long again as all the rest."""
        self._helpers = helpers
        self._switches = switches
        self._self = psutil.Process()

    def before(self) -> Reading:
        """The totals, this process read last: as little as possible lies between this and the work."""
        children = self.children()
        return _add(_own(), children)

    def after(self) -> Reading:
        """The totals, this process read first."""
        own = _own()
        return _add(own, self.children())

    def children(self) -> Reading:
        """The totals of the descendants alone."""
        helpers = set(self._helpers())
        total = Reading(0.0, 0)
        for pid in self._descendants():
            if pid in helpers:
                continue
            try:
                reaped_s = _reaped_cpu_s(pid)
                switches = _switches(pid) if self._switches else 0
                total = _add(total, Reading(_cpu_s(pid) + reaped_s, switches, reaped_s))
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue  # it ended between the listing and here
        return total

    def _descendants(self) -> list[int]:
        if _LISTS_CHILDREN:
            return descendants(self._self.pid)
        return [child.pid for child in self._self.children(recursive=True)]


def descendants(pid: int) -> list[int]:
    """As Linux lists them, in 0.1 ms: psutil reads every process of the system, in 2 ms for a hundred."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (read twice a round)
            with (
                suppress(FileNotFoundError, ProcessLookupError),
                open(f"/proc/{pid}/task/{task}/children", "rb") as children,  # noqa: PTH123
            ):
                found += map(int, children.read().split())
    return found + [one for child in found for one in descendants(child)]


def standing(pid: int) -> tuple[int, ...]:
    """The descendants that stand now, without multiprocessing's fork server and resource tracker, which pools share."""
    process = psutil.Process(pid)
    shared = {child.pid for child in process.children() if _is_shared(child)}
    return tuple(child.pid for child in process.children(recursive=True) if child.pid not in shared)


def _is_shared(child: psutil.Process) -> bool:
    # the fork server's own children, the workers, have its command line too
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return any(word.startswith("from multiprocessing.") and "spawn" not in word for word in child.cmdline())
    return False


def _add(one: Reading, other: Reading) -> Reading:
    return Reading(one.cpu_s + other.cpu_s, one.switches + other.switches, one.in_ticks_s + other.in_ticks_s)


def _own() -> Reading:
    own_cpu_s = time.process_time()
    own, reaped = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return Reading(
        own_cpu_s + reaped.ru_utime + reaped.ru_stime,
        own.ru_nvcsw + own.ru_nivcsw + reaped.ru_nvcsw + reaped.ru_nivcsw,
    )


def _cpu_s(pid: int) -> float:
    if _LINUX:
        try:
            return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
        except OSError as error:
            raise psutil.NoSuchProcess(pid) from error
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _reaped_cpu_s(pid: int) -> float:
    """CPU of the children that this child has reaped, in ticks of 10 ms: a fork server's cold workers."""
    if not _LINUX:
        return 0.0
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 (read twice a round)
            fields = stat.read().rpartition(b")")[2].split()
    except OSError as error:
        raise psutil.NoSuchProcess(pid) from error
    # man 5 proc: cutime and cstime are fields 16 and 17; what follows the name begins with field 3
    return (int(fields[13]) + int(fields[14])) / _TICKS_PER_S


def _switches(pid: int) -> int:
    """Of every living thread: /proc/PID/status alone tells the main thread's."""
    if not _LINUX:
        counts = psutil.Process(pid).num_ctx_switches()
        return int(counts.voluntary + counts.involuntary)
    total = 0
    try:
        tasks = list(os.scandir(f"/proc/{pid}/task"))
    except OSError as error:
        raise psutil.NoSuchProcess(pid) from error
    for task in tasks:
        # a thread that ended meanwhile takes no other's with it
        with suppress(FileNotFoundError, ProcessLookupError), open(f"{task.path}/status", "rb") as status:  # noqa: PTH123
            total += sum(int(line.split()[1]) for line in status if b"ctxt_switches" in line)
    return total
