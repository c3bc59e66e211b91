"""Which CPUs a block is measured on, and which are left to the gate itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from laptime.gate._errors import GateError

AUTO, ALL = "auto", "all"
COST = "single-core benchmarks are then about three times as noisy, and need nine times as many blocks for the same"
"""DESIGN: a standard deviation of 20 % unpinned against 6 % pinned, of 50 ms samples."""

_STOLEN = 0.05
"""From this share on it is said that a host took so much of the machine's time."""


@dataclass(frozen=True, slots=True)
class Cpus:
    """The CPUs of a block: those that both sides run on, and the gate's. None where the system can't pin.

    starts  where each side starts: on as many CPUs as it runs on, since a library may start as many threads
    canary  the one CPU of the canary, of both sides: CPUs differ, and it is to be the same
    """

    sides: tuple[int, ...] | None = None
    gate: tuple[int, ...] | None = None
    starts: tuple[tuple[int, ...] | None, tuple[int, ...] | None] = (None, None)
    canary: int | None = None


class Pinning:
    """Chooses for each block."""

    def __init__(self, wanted: str = AUTO) -> None:
        """`wanted`: "auto"; "all": nothing is pinned; or the CPUs of both sides: "2", "2,3". Raises `GateError`."""
        self._can = hasattr(os, "sched_setaffinity")
        self._usable = tuple(sorted(os.sched_getaffinity(0))) if self._can else ()
        self._named: tuple[int, ...] | None = None
        self._wanted = wanted
        if wanted in (AUTO, ALL):
            return
        try:
            self._named = tuple(sorted({int(number) for number in wanted.split(",")}))
        except ValueError:
            raise GateError(f"--pin {wanted}: expected auto, all, or CPUs as in 2 or 2,3") from None
        if not self._can:
            raise GateError(f"--pin {wanted}: this system can't pin processes to CPUs; leave it out")
        if not set(self._named) <= set(self._usable):
            listed = ",".join(map(str, self._usable))
            raise GateError(f"--pin {wanted}: this process may run on {listed} only")

    @property
    def usable(self) -> tuple[int, ...]:
        """All that may be used."""
        return self._usable

    def remarks(self) -> list[str]:
        """What of this machine makes the figures worse."""
        if not self._can:
            return [f"this system can't pin processes to CPUs: {COST}"]
        if self._wanted == ALL:
            return [f"nothing is pinned (--pin all): {COST}"]
        if len(self._usable) == 1:
            return ["there is one CPU only: the gate and its replay server run on the one that is measured"]
        return []

    def choose(self, random: Random, *, multicore: bool) -> Cpus:
        """For one block: one CPU for all that uses no more, another one each time, since CPUs differ."""
        if not self._can:
            return Cpus()
        if self._named:
            sides = self._named
        elif multicore or self._wanted == ALL:
            sides = self._usable
        else:
            sides = (random.choice(self._usable),)
        rest = tuple(cpu for cpu in self._usable if cpu not in sides)
        apart = (rest[0],) if len(sides) == 1 and rest else sides
        return Cpus(sides, rest or self._usable, (sides, apart), random.choice(sides))


def keep_off(cpus: Cpus, pids: Iterable[int]) -> None:
    """Put the gate's own processes on the CPUs that are theirs."""
    if cpus.gate is not None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(pid, cpus.gate)


def stolen(taken_s: float, *, of_s: float) -> list[str]:
    """What is to be said of the CPU seconds that a virtual machine's host took, of all that there were."""
    if of_s <= 0 or taken_s < _STOLEN * of_s:
        return []
    return [f"the host of this virtual machine took {taken_s / of_s:.0%} of its CPU time meanwhile: more is left open"]
