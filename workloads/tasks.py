"""What the workers of a study do: as little as it takes to tell what pools cost.

Each worker process imports this module, and its start is measured: so it imports nothing that isn't there already.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

START_LIMIT_S = 60.0
"""How long a worker may take to start: only one that never will takes so long."""


class Semaphore(Protocol):
    """Of threads or of processes."""

    def acquire(self, *, timeout: float) -> bool:
        """Whether it could be had in time."""

    def release(self) -> None:
        """Let one more have it."""


def begin(born: Semaphore, gate: Semaphore) -> None:
    """A worker's first act: say that it runs, and wait."""
    born.release()
    gate.acquire(timeout=START_LIMIT_S)


def one(number: int) -> int:
    """Nothing, once."""
    return 1


def echo(payload: object) -> object:
    """What was sent."""
    return payload


def spin(loops: int) -> int:
    """Compute: the sum of all numbers below `loops`, one after the other."""
    total = 0
    for number in range(loops):
        total += number
    return total


class Told(NamedTuple):
    """What a worker knows of what it may use.

    total     the answer to its task
    affinity  the CPUs that it may run on
    groups    its control groups, as the system lists them; empty where there are none
    """

    total: int
    affinity: int
    groups: str


def spin_and_tell(loops: int) -> Told:
    """Compute, and tell."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/proc/self/cgroup") as groups:  # noqa: PTH123 (pathlib would have to be imported)
            return Told(spin(loops), affinity, groups.read())
    except FileNotFoundError:
        return Told(spin(loops), affinity, "")
