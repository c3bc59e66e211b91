"""What one recorded origin answers, and when: pure look-ups, made once so that playing costs next to nothing."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from laptime.cassette import Cassette, Interaction
from laptime.replay import wire
from laptime.replay.latency import Due, Latency
from laptime.replay.wire import Wire

UNMATCHED_STATUS = 599
_NEAREST = 3
TOGETHER_NS = 1_000_000
"""A first chunk recorded within a millisecond of its head came with it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to write, and when: nanoseconds after the head is due."""

    offset_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Take:
    """One interaction as played in one pass; the first piece begins with the head, at offset 0."""

    connect_ns: int
    wait_ns: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One interaction, in every recorded pass (one take where nothing was timed)."""

    name: str
    takes: tuple[Take, ...]


@dataclass(slots=True)
class Script:
    """The parts of one origin. Repeated requests are answered in recorded order, then from the start again."""

    parts: dict[tuple[bytes, bytes], tuple[Part, ...]]
    _seen: Counter[tuple[bytes, bytes]] = field(default_factory=Counter)

    def begin(self) -> None:
        """Start a round: every request is answered from its first recorded response again."""
        self._seen.clear()

    def find(self, method: bytes, target: bytes) -> Part | None:
        """The part that answers this request now; None where nothing of the kind was recorded."""
        key = (method, target)
        parts = self.parts.get(key)
        if parts is None:
            return None
        seen = self._seen[key]
        self._seen[key] = seen + 1
        return parts[seen % len(parts)]

    def unmatched(self, method: bytes, target: bytes) -> Wire:
        """The answer to a request that was not recorded: it names the nearest ones that were."""
        request = _name(method, target)
        recorded = [_name(*key) for key in self.parts]
        nearest = difflib.get_close_matches(request, recorded, _NEAREST, cutoff=0.0)
        lines = [
            f"laptime replay: not recorded: {request}",
            "nearest recorded:",
            *(f"  {one}" for one in nearest),
        ]
        return wire.refuse(UNMATCHED_STATUS, "Not Recorded", "\n".join(lines) + "\n")


def scripts(cassette: Cassette, latency: Latency) -> Iterator[tuple[str, Script]]:
    """Each recorded origin with its script. Raises `CassetteError` where the mode needs timings it lacks."""
    latency.refuse_untimed(cassette)
    for origin in cassette.origins:
        parts: dict[tuple[bytes, bytes], list[Part]] = {}
        for interaction in cassette.interactions:
            if interaction.origin == origin:
                key = (interaction.method.encode(), interaction.target.encode())
                parts.setdefault(key, []).append(_part(interaction, latency))
        yield origin, Script({key: tuple(found) for key, found in parts.items()})


def _name(method: bytes, target: bytes) -> str:
    return f"{method.decode('latin-1')} {target.decode('latin-1')}"


def _part(interaction: Interaction, latency: Latency) -> Part:
    response = wire.respond(interaction)
    timings = interaction.timings if latency.needs_timings else (None,)
    return Part(
        f"{interaction.method} {interaction.target}",
        tuple(_take(response, latency.due(timing)) for timing in timings),
    )


def _take(response: Wire, due: Due) -> Take:
    return Take(due.connect_ns, due.wait_ns, tuple(_pieces(response, due)))


def _pieces(response: Wire, due: Due) -> Iterator[Piece]:
    # the head goes in one write with the first chunk, as servers do, unless that was recorded as later; a chunk of no
    # bytes is no write
    start, head = 0, response.head
    if response.body and due.chunks[0][0] > TOGETHER_NS:
        yield Piece(0, head)
        head = b""
    for number, (offset_ns, share) in enumerate(due.chunks):
        last = number == len(due.chunks) - 1
        end = len(response.body) if last else round(share * len(response.body))
        data = head + response.body[start:end]
        if data:
            yield Piece(0 if head else offset_ns, data)
        start, head = end, b""
