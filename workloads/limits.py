"""Fewer CPUs for a worker process: by affinity, or by a control group's quota. Linux.

A worker limits itself, as a pool's initializer: ``initializer=pin, initargs=(cpu,)``.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PERIOD_US = 20_000
"""The quota is of so much time: short against a round, so that no round ends in the middle of a forced pause."""
LEAVE_LIMIT_S = 10.0
"""How long ended processes may take to leave a control group."""
PREFIX = "laptime-"


class CannotLimit(Exception):
    """This machine, or this user, can't; the message says why."""


def pin(cpu: int) -> None:
    """Let this process run on one CPU only."""
    os.sched_setaffinity(0, {cpu})


def join(group: Path) -> None:
    """Move this process into a control group."""
    (group / "cgroup.procs").write_text(str(os.getpid()))


def usable() -> list[int]:
    """The CPUs that this process may run on. Raises `CannotLimit` where the system doesn't tell."""
    if not hasattr(os, "sched_setaffinity"):
        raise CannotLimit("this system knows no affinity")
    return sorted(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where control groups that limit CPU time are made: `root`; version 2, or else 1."""

    root: Path
    version: int


def hierarchy(mounts: str) -> Hierarchy:
    """The one that /proc/mounts lists. Raises `CannotLimit` where there is none that hands the CPU controller on."""
    second: Path | None = None
    for line in mounts.splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Hierarchy(Path(where), 1)
        if kind == "cgroup2":
            second = Path(where)
    if second is None:
        raise CannotLimit("no control groups are mounted")
    handed_on = second / "cgroup.subtree_control"
    try:
        if "cpu" not in handed_on.read_text().split():
            raise CannotLimit(f"{handed_on} hands no CPU controller on")
    except OSError as error:
        raise CannotLimit(f"{handed_on}: {error.strerror}") from error
    return Hierarchy(second, 2)


@contextmanager
def quota(cpus: float, hierarchy: Hierarchy) -> Iterator[Path]:
    """A control group whose processes together get so many CPUs' worth of time, to `join`. Raises `CannotLimit`.

    At the end the processes that are still in it go back to where this one is, and it is removed. One that a killed
    process left behind is removed by the next.
    """
    for left in hierarchy.root.glob(f"{PREFIX}*"):
        if not Path(f"/proc/{left.name.removeprefix(PREFIX)}").exists():
            with suppress(OSError):  # in use still, or gone
                left.rmdir()
    group = hierarchy.root / f"{PREFIX}{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise CannotLimit(f"{group} can't be made: {error.strerror}") from error
    try:
        _limit(group, cpus, hierarchy.version)
        yield group
    finally:
        _remove(group, hierarchy.root / own(Path("/proc/self/cgroup").read_text(), hierarchy.version))


def _limit(group: Path, cpus: float, version: int) -> None:
    allowed = round(cpus * PERIOD_US)
    try:
        if version == 2:
            (group / "cpu.max").write_text(f"{allowed} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(allowed))
    except OSError as error:
        raise CannotLimit(f"{group}: no quota can be set: {error.strerror}") from error


def own(groups: str, version: int) -> str:
    """The path of a process's group below the hierarchy's root, from what /proc/PID/cgroup lists."""
    for line in groups.splitlines():
        number, controllers, path = line.split(":", 2)
        if (number == "0" and not controllers) if version == 2 else ("cpu" in controllers.split(",")):
            return path.lstrip("/")
    return ""


def _remove(group: Path, home: Path) -> None:
    give_up_at = time.monotonic() + LEAVE_LIMIT_S
    while True:
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):  # it ended meanwhile
                (home / "cgroup.procs").write_text(pid)
        try:
            group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return
