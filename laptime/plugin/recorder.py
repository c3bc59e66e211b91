"""What a person sees of a recording: how far it is, what it asks for, and what it changed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from laptime.cassette import changes, suspicions
from laptime.plugin.narrator import Narrator

if TYPE_CHECKING:
    from laptime.record import Recording

PLAIN_EVERY_S = 10.0
"""Between lines of progress where a line can't be written over."""


class Recorder:
    """Tells of one recording."""

    def __init__(self, name: str, path: Path, narrator: Narrator) -> None:
        self._name = name
        self._path = path
        self._narrator = narrator
        self._last_s = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """How many requests were asked, or timed."""
        line = f"{self._name}: timed {done} of {total} requests" if total else f"{self._name}: asked {done} requests"
        self._narrator.say(line, over=True)
        if not self._narrator.overwrites and time.monotonic() - self._last_s > PLAIN_EVERY_S:
            self._last_s = time.monotonic()
            self._narrator.say(line)

    def say(self, line: str) -> None:
        """A line that stays."""
        self._narrator.say(f"{self._name}: {line}")

    def done(self, made: Recording, url: str) -> None:
        """What was recorded, what that changed, and what in it looks like a secret."""
        cassette = made.cassette
        say = self._narrator.say
        say(f"recorded {self._path}: {len(cassette.interactions)} requests, {cassette.passes} passes each, from {url}")
        if made.replaced is not None:
            for line in changes(made.replaced, cassette):
                say(f"  {line}")
        for line in suspicions(cassette):
            say(f"  warning: {line}")
