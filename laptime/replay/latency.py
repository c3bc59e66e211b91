"""How fast a recording is played: the recorded times, turned into when each byte is due. Pure."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from statistics import NormalDist

from laptime.cassette import Cassette, CassetteError, Timing

NS_PER_MS = 1_000_000
JITTER_SIGMA = 0.25
"""Of the log-normal jitter of a fixed wait; sites measured from one place vary about so much from visit to visit."""


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
    """``recorded``, ``scale:0.1``, ``fixed:50ms`` or ``none``; jittered with ``+jitter:SEED`` behind it."""

    mode: str
    value: float = 1.0
    jitter: int | None = None

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read a mode as written on the command line. Raises `LatencyError`."""
        pace, plus, seed = text.strip().partition("+jitter:")
        mode, _, argument = pace.partition(":")
        try:
            if mode in ("recorded", "none") and not argument:
                latency = cls(mode)
            elif mode == "scale":
                latency = cls(mode, _positive(argument))
            elif mode == "fixed" and argument.endswith("ms"):
                latency = cls(mode, _positive(argument.removesuffix("ms")))
            else:
                raise ValueError(text)
            return latency.with_jitter(int(seed)) if plus else latency
        except LatencyError:
            raise
        except ValueError:
            raise LatencyError(f"latency {text!r}: expected recorded, scale:0.1, fixed:50ms or none") from None

    def with_jitter(self, seed: int | None) -> Latency:
        """The same pace, its waits drawn anew for each request. Raises `LatencyError` where there are none."""
        if seed is not None and self.mode == "none":
            raise LatencyError("jitter: there are no waits to vary with latency none")
        return replace(self, jitter=seed)

    def __str__(self) -> str:
        pace = {
            "scale": f"scale:{self.value:.15g}",
            "fixed": f"fixed:{self.value:.15g}ms",
        }.get(self.mode, self.mode)
        return pace if self.jitter is None else f"{pace}+jitter:{self.jitter}"

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


def jittered(passes: int, seed: int, request: str, occurrence: int, round_number: int) -> tuple[int, float]:
    """The recorded pass to play, and the factor of its wait: the same for the same arguments, whatever came before.

    Of several passes one is drawn, so that the waits are distributed as they were recorded; an only one is stretched
    by a log-normal factor of median 1.
    """
    key = f"{seed} {occurrence} {round_number} {request}".encode(errors="surrogateescape")
    drawn = (int.from_bytes(hashlib.blake2b(key, digest_size=6).digest()) + 0.5) / 2**48
    if passes > 1:
        return int(drawn * passes), 1.0
    return 0, math.exp(JITTER_SIGMA * NormalDist().inv_cdf(drawn))


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
