"""What one recorded origin answers, and when: pure look-ups, made once so that playing costs next to nothing."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from laptime.cassette import Cassette, Interaction
from laptime.replay import match, wire
from laptime.replay.latency import Due, Latency, jittered
from laptime.replay.match import Key
from laptime.replay.wire import Wire

UNMATCHED_STATUS = 599
_NEAREST, _COMPARED = 3, 50
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
    """One interaction, in every recorded pass (one take where nothing was timed).

    name     ``GET /path``
    request  the whole of it: what jitter is drawn by
    """

    index: int
    name: str
    request: str
    status: int
    takes: tuple[Take, ...]
    jitter: int | None = None

    def take(self, round_number: int, occurrence: int) -> Take:
        """What is played: pass r mod k in round r; with jitter, what (seed, request, occurrence, round) draws."""
        if self.jitter is None:
            return self.takes[round_number % len(self.takes)]
        number, factor = jittered(len(self.takes), self.jitter, self.request, occurrence, round_number)
        take = self.takes[number]
        return take if factor == 1 else Take(take.connect_ns, round(take.wait_ns * factor), take.pieces)


@dataclass(slots=True)
class Scene:
    """The answers to one request, in recorded order and then from the start again.

    bodies  where the recorded requests differ in nothing but their bodies: the scene of each body
    open    the same, by the fields that may be any and by the rest of the body
    """

    parts: list[Part]
    bodies: dict[Key, Scene] = field(default_factory=dict)
    open: dict[frozenset[str], dict[Key, Scene]] = field(default_factory=dict)
    _seen: int = 0

    def begin(self) -> None:
        """Start from the first answer again."""
        self._seen = 0
        for scene in self.bodies.values():
            scene.begin()

    def next(self) -> tuple[Part, int]:
        """The part that answers now, and how often this request came in this round before."""
        seen = self._seen
        self._seen = seen + 1
        return self.parts[seen % len(self.parts)], seen


class Script:
    """The scenes of one origin."""

    def __init__(self, interactions: Iterable[Interaction], latency: Latency, urls: Mapping[str, str]) -> None:
        self._scenes: dict[tuple[str, Key], Scene] = {}
        self._open: dict[frozenset[str], dict[tuple[str, Key], Scene]] = {}
        self._known: dict[tuple[bytes, bytes], Scene] = {}
        recorded: dict[int, list[Interaction]] = {}
        for interaction in interactions:
            method, target = interaction.method, interaction.target.encode()
            scene = self._scenes.setdefault((method, match.target_key(target)), Scene([]))
            secrets = match.left_out(partial(match.target_key, target))
            some = self._open.setdefault(secrets, {})
            some.setdefault((method, match.target_key(target, match.none_of(secrets))), scene)
            self._known[method.encode(), target] = scene
            scene.parts.append(_part(interaction, latency, urls))
            recorded.setdefault(id(scene), []).append(interaction)
        for scene in self._scenes.values():
            _split_by_body(scene, recorded[id(scene)])

    def begin(self) -> None:
        """Start a round: every request is answered from its first recorded response again."""
        for scene in self._scenes.values():
            scene.begin()

    def scene(self, method: bytes, target: bytes) -> Scene | None:
        """The answers to a request as far as its first line tells; None where nothing of the kind was recorded."""
        known = self._known.get((method, target))
        if known is not None:
            return known
        name = method.decode("latin-1")
        scene = self._scenes.get((name, match.target_key(target)))
        if scene is not None:
            return scene
        opened = (some.get((name, match.target_key(target, match.none_of(out)))) for out, some in self._open.items())
        return next(filter(None, opened), None)

    def with_body(self, scene: Scene, body: bytes) -> Scene | None:
        """Among requests that differ in their bodies, the one with this body; None where it was not recorded.

        One that was recorded without any may have had it: vcrpy 1 lost the bodies of aiohttp's `json=`.
        """
        found = scene.bodies.get(match.body_key(body))
        if found is not None:
            return found
        opened = (some.get(match.body_key(body, match.none_of(out))) for out, some in scene.open.items())
        return next(filter(None, opened), scene.bodies.get(match.body_key(b"")))

    def unmatched(self, method: bytes, target: bytes, scene: Scene | None) -> Wire:
        """The answer to a request that was not recorded: it names the nearest ones that were."""
        request = name_of(method, target)
        lines = [f"laptime replay: not recorded: {request}"]
        if scene is None:
            lines += ["nearest recorded:", *(f"  {one}" for one in self._nearest(request))]
        else:
            lines += [f"with this body; it was recorded with {len({id(one) for one in scene.bodies.values()})} others"]
        return wire.refuse(UNMATCHED_STATUS, "Not Recorded", "\n".join(lines) + "\n")

    def _nearest(self, request: str) -> list[str]:
        # comparing with thousands would hold up all other answers: those that begin alike are enough
        recorded = sorted({name_of(*known) for known in self._known}, key=lambda one: -_common(one, request))
        return difflib.get_close_matches(request, recorded[:_COMPARED], _NEAREST, cutoff=0.0)


def scripts(cassette: Cassette, latency: Latency, urls: Mapping[str, str]) -> Iterator[tuple[str, Script]]:
    """Each recorded origin with its script; `urls` are the replay's, by recorded origin.

    Raises `CassetteError` where the mode needs timings that the cassette lacks.
    """
    latency.refuse_untimed(cassette)
    for origin in cassette.origins:
        own = [interaction for interaction in cassette.interactions if interaction.origin == origin]
        yield origin, Script(own, latency, urls)


def name_of(method: bytes, target: bytes) -> str:
    """``GET /path``."""
    return f"{method.decode('latin-1')} {target.decode('latin-1')}"


def _common(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _split_by_body(scene: Scene, interactions: list[Interaction]) -> None:
    """Where the bodies differ they decide; where all are the same (or there are none) they don't matter."""
    by_body: dict[Key, Scene] = {}
    for part, interaction in zip(scene.parts, interactions, strict=True):
        by_body.setdefault(match.body_key(interaction.request_body), Scene([])).parts.append(part)
    if len(by_body) < 2:
        return
    scene.bodies = by_body
    for interaction in interactions:
        body = interaction.request_body
        own = by_body[match.body_key(body)]
        secrets = match.left_out(partial(match.body_key, body))
        some = scene.open.setdefault(secrets, {})
        for key in match.recorded_body_keys(body):
            scene.bodies.setdefault(key, own)
        for key in match.recorded_body_keys(body, match.none_of(secrets)):
            some.setdefault(key, own)


def _part(interaction: Interaction, latency: Latency, urls: Mapping[str, str]) -> Part:
    response = wire.respond(interaction, urls)
    timings = interaction.timings if latency.needs_timings else (None,)
    return Part(
        interaction.index,
        f"{interaction.method} {interaction.target}",
        f"{interaction.request} {hashlib.blake2b(interaction.request_body, digest_size=8).hexdigest()}",
        response.status,
        tuple(_take(response, latency.due(timing)) for timing in timings),
        latency.jitter,
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
