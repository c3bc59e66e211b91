"""What is asked of a gate, what it is going to do, and who is told how it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

from laptime.gate.decision.trial import LOOKS, Look
from laptime.gate.equipment.equip import Equipment
from laptime.gate.settings import Settings
from laptime.gate.sides.cpus import AUTO


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    directory  where: inside the project
    base, head names of revisions; `head` None: the working tree
    against    the tag that `base` is, where it was asked for as one
    arguments  for pytest
    pin        see `laptime.gate.sides.cpus.Pinning`
    self_test  HEAD against itself
    to_the_end judge everything, rather than stop when the first regression is certain
    looks      at how many blocks what is looked for
    equipment  what the sides run in
    today      that of UTC
    """

    directory: Path
    base: str
    head: str | None = None
    arguments: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    pin: str = AUTO
    self_test: bool = False
    to_the_end: bool = False
    looks: tuple[Look, ...] = LOOKS
    equipment: Equipment = field(default_factory=Equipment)
    against: str | None = None
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be done: names by how they run; blocks of each, `more` of what is suspected; seconds."""

    base: str
    head: str
    single: tuple[str, ...]
    multi: tuple[str, ...]
    fewest: int
    most: int
    more: int
    likely_s: float
    at_most_s: float
    remarks: tuple[str, ...]


class Listener(Protocol):
    """Who is told how it goes."""

    def stage(self, what: str, steps: int, seconds: float | None) -> None:
        """A stage of that many steps began, of which all take about so many seconds."""

    def step(self) -> None:
        """A step is done."""

    def plan(self, plan: Plan) -> None:
        """What is going to be done."""
