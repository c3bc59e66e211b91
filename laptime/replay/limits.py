"""What a recorded origin lets through: requests at once, requests a second. Time is an argument, so this is pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

NS_PER_S = 1_000_000_000
MAX_CONCURRENT = 100_000
MAX_PER_SECOND = 1e6


class LimitsError(ValueError):
    """Limits that can't be read; the message shows ones that can."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of each origin of a stage; None and False where there is none.

    concurrent  so many requests are answered at once, the others wait in the order of their arrival
    per_second  so many are let in, evenly spaced; the others wait in the order of their arrival
    turn_away   those above `per_second` get 429 and Retry-After instead
    """

    concurrent: int | None = None
    per_second: float | None = None
    turn_away: bool = False

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Read limits as written on the command line. Raises `LimitsError`."""
        found: dict[str, object] = {}
        try:
            for limit in filter(None, text.replace(" ", "").split(",")):
                match limit.split(":"):
                    case ["concurrent", number] if "concurrent" not in found:
                        found["concurrent"] = _within(int(number), 1, MAX_CONCURRENT)
                    case ["rate", number, *rest] if "per_second" not in found and rest in ([], ["queue"], ["429"]):
                        found |= {
                            "per_second": _within(float(number), 1e-3, MAX_PER_SECOND),
                            "turn_away": rest == ["429"],
                        }
                    case _:
                        raise ValueError(limit)
        except ValueError:
            raise LimitsError(
                f"limits {text!r}: expected concurrent:4, rate:10 or rate:10:429, or two of them with a comma between"
            ) from None
        return cls(**found)  # type: ignore[arg-type]

    def __str__(self) -> str:
        parts = [] if self.concurrent is None else [f"concurrent:{self.concurrent}"]
        if self.per_second is not None:
            parts.append(f"rate:{self.per_second:.15g}" + (":429" if self.turn_away else ""))
        return ",".join(parts)

    def __bool__(self) -> bool:
        return self.concurrent is not None or self.per_second is not None


@dataclass(slots=True)
class Door:
    """One origin's limits at work."""

    limits: Limits
    _inside: int = 0
    _next_ns: int = 0
    _queue: deque[Callable[[], None]] = field(default_factory=deque)

    def begin(self) -> None:
        """A round begins: what was let in before doesn't count."""
        self._next_ns = 0

    def retry_after_s(self, now_ns: int) -> int:
        """Whole seconds after which a request that arrives now may come again; 0 where it isn't turned away."""
        if not self.limits.turn_away or now_ns >= self._next_ns:
            return 0
        return math.ceil((self._next_ns - now_ns) / NS_PER_S)

    def slot_ns(self, now_ns: int) -> int:
        """When, by the rate, a request that arrives now is let in. Takes that time."""
        if self.limits.per_second is None:
            return now_ns
        at_ns = max(now_ns, self._next_ns)
        self._next_ns = at_ns + round(NS_PER_S / self.limits.per_second)
        return at_ns

    def enter(self, go: Callable[[], None]) -> None:
        """Call `go` now, or when there is room; `leave` must follow each `go`."""
        if self.limits.concurrent is None or self._inside < self.limits.concurrent:
            self._inside += 1
            go()
        else:
            self._queue.append(go)

    def leave(self) -> None:
        """Make room for the next."""
        self._inside -= 1
        if self._queue:
            self._inside += 1
            self._queue.popleft()()


def _within(number: float, least: float, most: float) -> float:
    if not least <= number <= most:  # nor is NaN
        raise ValueError(number)
    return number
