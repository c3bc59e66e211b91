"""How fast a recording is played: the recorded times, turned into when each byte is due. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from laptime.cassette import Cassette, CassetteError, Timing

NS_PER_MS = 1_000_000


class LatencyError(ValueError):
    """A latency mode that can't be read; the message shows the ones that can."""


@dataclass(frozen=True, slots=True)
class Due:
    """When the parts of one response are due, in nanoseconds.

    connect_ns  charged once per new connection, from its acceptance
    wait_ns     from the moment the request was read (or the connection was ready) to the head
    chunks      (offset from the head in ns, end as a fraction of the body) of each piece, the last ending at 1
    """

    connect_ns: int
    wait_ns: int
    chunks: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """``recorded``, ``scale:0.1``, ``fixed:50ms`` or ``none``."""

    mode: str
    value: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read a mode as written on the command line. Raises `LatencyError`."""
        mode, _, argument = text.strip().partition(":")
        try:
            if mode in ("recorded", "none") and not argument:
                return cls(mode)
            if mode == "scale":
                return cls(mode, _positive(argument))
            if mode == "fixed" and argument.endswith("ms"):
                return cls(mode, _positive(argument.removesuffix("ms")))
        except ValueError:
            pass
        raise LatencyError(f"latency {text!r}: expected recorded, scale:0.1, fixed:50ms or none")

    def __str__(self) -> str:
        return {
            "scale": f"scale:{self.value:.15g}",
            "fixed": f"fixed:{self.value:.15g}ms",
        }.get(self.mode, self.mode)

    @property
    def needs_timings(self) -> bool:
        """Whether a cassette can be played so only where it has a side-car."""
        return self.mode in ("recorded", "scale")

    def refuse_untimed(self, cassette: Cassette) -> None:
        """Raise `CassetteError` where this mode needs timings that the cassette doesn't have."""
        if self.needs_timings and not cassette.passes:
            raise CassetteError(
                f"{cassette.path}: no side-car {cassette.path.stem}.timings.json, so there is no recorded pace. "
                f"Record it with `pytest --http=record -k {cassette.path.stem}`, or play it with "
                "`--latency fixed:50ms`."
            )

    def due(self, timing: Timing | None) -> Due:
        """When the parts of a response with this timing are due in this mode."""
        if timing is None or not self.needs_timings:
            wait_ms = self.value if self.mode == "fixed" else 0.0
            return Due(0, round(wait_ms * NS_PER_MS), ((0, 1.0),))
        scale = self.value * NS_PER_MS
        return Due(
            connect_ns=round(max(timing.connect_ms, 0.0) * scale),
            wait_ns=round(timing.wait_ms * scale),
            chunks=_shares(timing.chunks, scale),
        )


def _positive(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or not 0 < value <= 1e6:
        raise ValueError(text)
    return value


def _shares(chunks: tuple[tuple[float, int], ...], scale: float) -> tuple[tuple[int, float], ...]:
    """Sizes as shares of the whole: the replay may compress a body to another length than the origin did."""
    total = sum(size for _, size in chunks)
    if not total:
        return ((0, 1.0),)
    shares: list[tuple[int, float]] = []
    sent = 0
    for offset_ms, size in chunks:
        sent += size
        shares.append((round(offset_ms * scale), sent / total))
    return tuple(shares)
