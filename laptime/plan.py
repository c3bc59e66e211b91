"""How long a session will take, from how long its benchmarks took here before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FIRST_GUESS_S = 1.2
"""For a benchmark that was never timed here, until others of this session were."""


@dataclass(slots=True)
class Plan:
    """The benchmarks of a session, and the seconds that they took before (whole, with set-up)."""

    names: Sequence[str]
    before_s: Mapping[str, float]
    now_s: dict[str, float] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether most of it was timed here before, so that the figure is more than a guess."""
        return sum(name in self.before_s for name in self.names) * 2 > len(self.names)

    def left_s(self) -> float:
        """Seconds for those that have not run."""
        guess_s = sum(self.now_s.values()) / len(self.now_s) if self.now_s else FIRST_GUESS_S
        return sum(self.before_s.get(name, guess_s) for name in self.names if name not in self.now_s)

    def done(self, name: str, seconds: float) -> None:
        """Note that one has run."""
        self.now_s[name] = seconds


def clock(seconds: float) -> str:
    """``1 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
