"""One loaded cassette being played: its origins' scripts and limits, and what was served in the round."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from laptime.cassette import Cassette
from laptime.replay.latency import Latency
from laptime.replay.limits import Door, Limits
from laptime.replay.script import Script, scripts
from laptime.replay.timer import Timer
from laptime.replay.visit import Visit

MAX_LOG, MAX_NOTES = 200_000, 10_000
"""What is kept of a round that never ends: `laptime serve` may run for months."""


@dataclass(slots=True)
class Origin:
    """One recorded origin at work; `door` is None where nothing is limited."""

    name: str
    script: Script
    door: Door | None


@dataclass(slots=True)
class Stage:
    """One loaded cassette."""

    timer: Timer
    listeners: list[asyncio.Server] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)
    round_number: int = 0
    served: Counter[str] = field(default_factory=Counter)
    unmatched: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    log: deque[Visit] = field(default_factory=lambda: deque(maxlen=MAX_LOG))

    def set(self, cassette: Cassette, latency: Latency, urls: Mapping[str, str], limits: Mapping[str, Limits]) -> None:
        """Make ready to play; `urls` and `limits` by recorded origin. Raises `laptime.cassette.CassetteError`."""
        for origin, script in scripts(cassette, latency, urls):
            found = limits.get(origin)
            self.origins[origin] = Origin(origin, script, Door(found) if found else None)

    def begin(self, round_number: int) -> None:
        """Start a round: count from nothing, and play its recorded pass."""
        self.round_number = round_number
        self.served, self.unmatched, self.refused = Counter(), [], []
        self.log.clear()
        for origin in self.origins.values():
            origin.script.begin()
            if origin.door is not None:
                origin.door.begin()

    def note_unmatched(self, request: str) -> None:
        """Remember a request that was not recorded."""
        _keep(self.unmatched, request)

    def note_refused(self, text: str) -> None:
        """Remember what got no answer to a request."""
        _keep(self.refused, text)

    def take_log(self) -> list[Visit]:
        """The visits since the round began, or since this was last asked."""
        taken = list(self.log)
        self.log.clear()
        return taken

    def close(self) -> None:
        """Take no more connections."""
        for listener in self.listeners:
            listener.close()


def _keep(notes: list[str], text: str) -> None:
    if len(notes) < MAX_NOTES:
        notes.append(text)
