"""One client's connection: bytes in, recorded answers out at their time, and a proper status for what is no request.

The wait is counted from the moment a request was read, on an absolute deadline: what this process does
meanwhile doesn't add to it. Nagle's algorithm is off (with it a kept-alive request costs 44 ms).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import cast

import httptools

from laptime.replay import wire
from laptime.replay.script import Part, Scene, Take, name_of
from laptime.replay.stage import Origin, Stage
from laptime.replay.visit import Visit
from laptime.replay.wire import Wire

MAX_HEAD_BYTES = 256 * 2**10
MAX_BODY_BYTES = 64 * 2**20
"""Of a request whose body decides; others are read and dropped."""
MAX_WAITING = 64
"""Requests read ahead of their turn; a client that sends more has to wait."""
STALL_LIMIT_S = 30.0
"""For the rest of a request that has begun, and for a client to take any more of its answer."""
LINGER_S = 2.0
"""How long a refused client's bytes are still read: closing at once would take the refusal away from it."""
NO_ROOM = 503
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(slots=True)
class House:
    """What all connections share: who is there, and for how many there is room."""

    room: int
    inside: set[Connection] = field(default_factory=set)
    numbers: count[int] = field(default_factory=count)

    def sweep(self) -> None:
        """End what stands still."""
        now_ns = time.monotonic_ns()
        for connection in list(self.inside):
            connection.check(now_ns)


@dataclass(slots=True)
class Asked:
    """One request, read to its end."""

    method: bytes
    target: bytes
    scene: Scene | None
    body: bytes | None
    begun_ns: int
    read_ns: int
    keep_alive: bool
    opened_ns: int = -1


@dataclass(slots=True)
class Playing:
    """One request being answered."""

    asked: Asked
    part: Part
    take: Take
    due_ns: int
    next_piece: int = 0
    first_ns: int = 0


class Connection(asyncio.Protocol):  # its public methods are asyncio's and httptools' callbacks
    """One client's connection; requests that arrive together are answered in order."""

    def __init__(self, stage: Stage, origin: Origin, house: House) -> None:
        self._opened_ns = time.monotonic_ns()  # before any TLS handshake, which is part of connecting
        self._stage, self._origin, self._script, self._door = stage, origin.name, origin.script, origin.door
        self._house = house
        self._number = next(house.numbers)
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Asked] = deque()
        self._busy = self._fresh = True  # fresh until its first request; busy until the connection is made
        self._seated = self._refused = self._paused = self._in_request = self._in_head = self._expects = False
        self._target = b""
        self._scene: Scene | None = None
        self._body: bytearray | None = None
        self._head_bytes = self._line_bytes = self._begun_ns = self._heard_ns = self._moved_ns = self._unsent_bytes = 0
        self._fault: tuple[int, str, str] | None = None
        self._when_sent: Callable[[], None] | None = None
        self._last_words: Wire | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast(asyncio.Transport, transport)
        self._busy = False
        self._port = _port(transport.get_extra_info("peername"))
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(high=0)  # to be told when the last byte is out
        self._house.inside.add(self)
        if len(self._house.inside) > self._house.room:
            self._refuse(
                NO_ROOM,
                "Service Unavailable",
                f"no room for more than {self._house.room} connections: raise `ulimit -n`",
            )

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._house.inside.discard(self)
        self._when_sent = None
        self._leave()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._refused:
            return
        self._heard_ns = time.monotonic_ns()
        begun_ns = self._begun_ns if self._in_head else 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fault = (501, "Not Implemented", "protocol upgrades are not recorded")
        except httptools.HttpParserError as error:
            self._fault = self._fault or (400, "Bad Request", f"not HTTP/1.1: {error}")
        if self._in_head and self._begun_ns == begun_ns:  # all of it was head: `on_header` tells only of whole lines
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._too_large()
        if self._fault is not None:
            self._refuse(*self._fault)

    def on_message_begin(self) -> None:  # noqa: D102
        self._begun_ns = time.monotonic_ns()
        self._in_request = self._in_head = True
        self._target, self._head_bytes, self._line_bytes, self._expects, self._body = b"", 0, 0, False, None

    def on_url(self, url: bytes) -> None:  # noqa: D102
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        self._line_bytes += len(name) + len(value)
        if len(name) == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
            self._expects = True

    def on_headers_complete(self) -> None:  # noqa: D102
        self._in_head = False
        if self._line_bytes + len(self._target) > MAX_HEAD_BYTES:
            self._too_large()
            return
        self._scene = self._script.scene(self._parser.get_method(), self._target)
        if self._scene is not None and self._scene.bodies:
            self._body = bytearray()
        if not self._busy:
            self._go_on()

    def on_body(self, body: bytes) -> None:  # noqa: D102
        if self._body is not None:
            self._body += body
            if len(self._body) > MAX_BODY_BYTES:
                self._body = None
                self._fault = (413, "Content Too Large", f"a body of more than {MAX_BODY_BYTES // 2**20} MiB")

    def on_message_complete(self) -> None:  # noqa: D102
        self._in_request = self._expects = False
        if self._fault is not None or self._parser.should_upgrade():
            return  # refused in `data_received`
        body = None if self._body is None else bytes(self._body)
        asked = Asked(
            self._parser.get_method(),
            self._target,
            self._scene,
            body,
            self._begun_ns,
            time.monotonic_ns(),
            # HTTP/1.0's way of keeping a connection would have to be confirmed
            self._parser.should_keep_alive() and self._parser.get_http_version() != "1.0",
        )
        if self._busy:
            self._waiting.append(asked)
            if len(self._waiting) == MAX_WAITING:
                self._transport.pause_reading()
        else:
            self._answer(asked)

    def pause_writing(self) -> None:  # noqa: D102
        self._paused = True
        self._unsent_bytes = -1

    def resume_writing(self) -> None:  # noqa: D102
        self._paused = False
        if self._when_sent is not None:
            call, self._when_sent = self._when_sent, None
            call()

    def check(self, now_ns: int) -> None:
        """End a request that never comes to its end, and an answer that is never taken."""
        limit_ns = round(STALL_LIMIT_S * 1e9)
        if self._paused:
            unsent_bytes = self._transport.get_write_buffer_size()
            if unsent_bytes != self._unsent_bytes:
                self._unsent_bytes, self._moved_ns = unsent_bytes, now_ns
            elif now_ns - self._moved_ns > limit_ns:
                self._stage.note_refused(f"a client took nothing of its answer for {STALL_LIMIT_S:g} s")
                self._transport.abort()
        elif self._in_request and not self._busy and now_ns - self._heard_ns > limit_ns:
            self._refuse(408, "Request Timeout", f"a request of which nothing more came for {STALL_LIMIT_S:g} s")

    def _too_large(self) -> None:
        self._fault = (431, "Request Header Fields Too Large", f"a head of more than {MAX_HEAD_BYTES // 2**10} KiB")

    def _answer(self, asked: Asked) -> None:
        self._busy = True
        if self._fresh:
            self._fresh = False
            asked.opened_ns = self._opened_ns
        scene = asked.scene
        if scene is not None and asked.body is not None:
            scene = self._script.with_body(scene, asked.body)
        if scene is None:
            self._stage.note_unmatched(name_of(asked.method, asked.target))
            self._say(asked, self._script.unmatched(asked.method, asked.target, asked.scene))
            return
        retry_after_s = 0 if self._door is None else self._door.retry_after_s(asked.read_ns)
        if retry_after_s:  # which takes no answer: the same request, come again, gets the one that it would have got
            text = "laptime replay: above the limit of requests a second\n"
            headers = {"Retry-After": str(retry_after_s)}
            self._say(asked, wire.refuse(429, "Too Many Requests", text, headers=headers))
            return
        part, occurrence = scene.next()
        take = part.take(self._stage.round_number, occurrence)
        if self._door is None:
            self._play_from(asked, part, take, asked.read_ns)
            return
        slot_ns = self._door.slot_ns(asked.read_ns)
        enter = partial(self._door.enter, partial(self._let_in, asked, part, take, slot_ns))
        if slot_ns > time.monotonic_ns():
            self._stage.timer.at(slot_ns, enter)
        else:
            enter()

    def _let_in(self, asked: Asked, part: Part, take: Take, slot_ns: int) -> None:
        self._seated = True
        if self._transport.is_closing():
            self._leave()
            return
        waited = self._door is not None and self._door.limits.concurrent is not None
        self._play_from(asked, part, take, max(slot_ns, time.monotonic_ns()) if waited else slot_ns)

    def _play_from(self, asked: Asked, part: Part, take: Take, start_ns: int) -> None:
        if asked.opened_ns >= 0:
            # a client connects, then sends: what is left of the recorded connect goes before the wait
            start_ns = max(start_ns, asked.opened_ns + take.connect_ns)
        self._play(Playing(asked, part, take, start_ns + take.wait_ns))

    def _play(self, playing: Playing) -> None:
        """Write the pieces that are due, then come back for the next one."""
        pieces = playing.take.pieces
        while playing.next_piece < len(pieces):
            piece = pieces[playing.next_piece]
            piece_due_ns = playing.due_ns + piece.offset_ns
            now_ns = time.monotonic_ns()
            if now_ns < piece_due_ns:
                self._stage.timer.at(piece_due_ns, partial(self._play, playing))
                return
            if self._transport.is_closing():
                return  # the client left: an answer that nobody read was not served
            self._transport.write(piece.data)
            playing.first_ns = playing.first_ns or now_ns
            playing.next_piece += 1
        if self._paused:
            self._when_sent = partial(self._played, playing)
        else:
            self._played(playing)

    def _played(self, playing: Playing) -> None:
        part = playing.part
        self._stage.served[part.name] += 1
        sent_bytes = sum(len(piece.data) for piece in playing.take.pieces)
        self._note(playing.asked, part.name, part.index, part.status, playing.due_ns, playing.first_ns, sent_bytes)
        self._leave()
        self._done(playing.asked.keep_alive)

    def _say(self, asked: Asked, answer: Wire) -> None:
        """An answer of the replay's own, at once."""
        now_ns = time.monotonic_ns()
        self._transport.write(answer.head + answer.body)
        name, size = name_of(asked.method, asked.target), len(answer.head) + len(answer.body)
        self._note(asked, name, -1, answer.status, now_ns, now_ns, size)
        self._done(asked.keep_alive)

    def _note(
        self, asked: Asked, name: str, index: int, status: int, due_ns: int, first_ns: int, sent_bytes: int
    ) -> None:
        self._stage.log.append(
            Visit(
                self._origin,
                name,
                index,
                status,
                self._number,
                asked.opened_ns,
                asked.begun_ns,
                asked.read_ns,
                due_ns,
                first_ns,
                time.monotonic_ns(),
                sent_bytes,
                self._port,
            )
        )

    def _leave(self) -> None:
        if self._seated and self._door is not None:
            self._seated = False
            asyncio.get_running_loop().call_soon(self._door.leave)  # not from within: a long line would nest as deep

    def _done(self, keep_alive: bool) -> None:
        if not keep_alive:
            self._transport.close()
            return
        if self._waiting:
            if len(self._waiting) == MAX_WAITING:
                self._transport.resume_reading()
            # not from within: a thousand pipelined requests would nest as deep
            asyncio.get_running_loop().call_soon(self._answer, self._waiting.popleft())
        elif self._last_words is not None:
            self._end(self._last_words)
        else:
            self._busy = False
            self._go_on()

    def _go_on(self) -> None:
        """Let a client send its body that waits to be told so."""
        if self._expects:
            self._expects = False
            self._transport.write(_CONTINUE)

    def _refuse(self, status: int, reason: str, text: str) -> None:
        if self._refused:
            return
        self._refused = True
        self._stage.note_refused(f"{status} {reason}: {text}")
        refusal = wire.refuse(status, reason, f"laptime replay: {text}\n", close=True)
        if self._busy:
            self._last_words = refusal  # behind the answers to what came before
        else:
            self._end(refusal)

    def _end(self, refusal: Wire) -> None:
        self._transport.write(refusal.head + refusal.body)
        if self._transport.can_write_eof() and refusal.status != NO_ROOM:
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)
        else:
            self._transport.close()


def _port(address: object) -> int:
    """Of a client that is gone already, nothing is known."""
    return int(address[1]) if isinstance(address, tuple) else 0
