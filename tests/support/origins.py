"""Origins that answer as a test likes, and what is asked of them: what the tests of recording share."""

from __future__ import annotations

import json
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote_plus

import requests
import yaml

from laptime.cassette import Interaction
from tests.support import HANG_LIMIT_S

PASSES = 5


def asking(url: str, *targets: str, **options: object) -> Callable[[], None]:
    """A run that gets these targets with requests, one after the other, in one session."""

    def run() -> None:
        with requests.Session() as client:
            for target in targets:
                client.get(url + target, timeout=HANG_LIMIT_S, **options)  # type: ignore[arg-type]

    return run


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came, header names in lower case; `visit` and `times` count those, and those alike, before it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    visit: int
    times: int
    at_s: float

    @property
    def whole(self) -> str:
        """All that it says, unescaped and as it was written."""
        body = self.body.decode("latin-1")
        return "\n".join([unquote_plus(self.target), *self.headers.values(), body, unquote_plus(body)])


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; with `pieces` it is a chunked one, and `pause_s` is waited before each of them.

    Status 0 is none: the connection ends.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"hello"
    pieces: Sequence[bytes] = ()
    pause_s: float = 0.0


class Quiet(ThreadingHTTPServer):
    """Says nothing where a client is gone, as one that was killed is."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@dataclass(slots=True)
class Habit:
    """A small origin in this process, which answers as it likes; `at_once` is the most requests that it had at a time.

    `busy_s` is how long each answer takes, so that requests that are sent together are there together.
    """

    answer: Callable[[Asked], Reply]
    busy_s: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0
    _now: int = 0
    _lock: Lock = field(default_factory=Lock)

    def targets(self) -> list[str]:
        """What was asked for, in order."""
        return [one.target for one in self.asked]

    def arrive(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Note a request that came, and decide how it is answered."""
        with self._lock:
            self._now += 1
            self.at_once = max(self.at_once, self._now)
            times = sum((method, target) == (one.method, one.target) for one in self.asked)
            found = {name.lower(): value for name, value in headers.items()}
            asked = Asked(method, target, found, body, len(self.asked), times, time.monotonic())
            self.asked.append(asked)
        time.sleep(self.busy_s)
        return self.answer(asked)

    def leave(self) -> None:
        """Note that an answer is about to end."""
        with self._lock:
            self._now -= 1

    @contextmanager
    def serving(self, context: ssl.SSLContext | None = None) -> Iterator[str]:
        """Its URL, as long as it is there."""
        habit = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                reply = habit.arrive(self.command, self.path, dict(self.headers), self.read())
                if not reply.status:
                    self.close_connection = True
                    habit.leave()
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.pieces:
                    self.send_header("Transfer-Encoding", "chunked")
                elif reply.status not in (204, 304):
                    self.send_header("Content-Length", str(len(reply.body)))
                if reply.pieces and self.command == "HEAD":
                    habit.leave()
                    self.end_headers()
                    return
                if reply.pieces:
                    self.end_headers()
                for piece in reply.pieces:
                    time.sleep(reply.pause_s)
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                habit.leave()  # before the last byte, or the next request would come first
                if reply.pieces:
                    self.wfile.write(b"0\r\n\r\n")
                    return
                self.end_headers()
                if self.command != "HEAD" and reply.status not in (204, 304):
                    self.wfile.write(reply.body)

            do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 (http.server's names)

            def read(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
                pass

        with Quiet(("127.0.0.1", 0), Handler) as server:
            if context is not None:
                server.socket = context.wrap_socket(server.socket, server_side=True)
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            try:
                yield f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()


def always(**reply: Any) -> Callable[[Asked], Reply]:
    """The same answer to everything."""
    return lambda asked: Reply(**reply)


def sizes(interaction: Interaction) -> list[int]:
    """The bytes of body that came over the wire, in each pass."""
    return [sum(size for _, size in one.chunks) for one in interaction.timings]


DRAWN = "q7Xk2Lm9Rt4Vb8Nz3Pw6Yc1"


def as_read(body: bytes) -> str:
    """A body's JSON, or its text, as its reader sees it."""
    lines = body.strip().splitlines()
    try:
        return "\n".join(json.dumps(json.loads(line), ensure_ascii=False) for line in lines)
    except ValueError:
        return body.decode(errors="replace")


def leaves(value: object) -> Iterator[str]:
    """The texts within a document, as they are and unescaped."""
    match value:
        case dict():
            for name, one in value.items():
                yield from (*leaves(name), *leaves(one))
        case list():
            for one in value:
                yield from leaves(one)
        case bytes():
            yield from leaves(value.decode("latin-1"))
            yield as_read(value)
        case str():
            yield from (value, unquote_plus(value), as_read(value.encode()))


def written(directory: Path) -> str:
    """All that the files in a directory hold: their bytes, and each text and each body in them as it is read."""
    found = []
    for path in directory.iterdir():
        raw = path.read_bytes()
        found += [raw.decode(), *leaves(yaml.safe_load(raw))]
    return "\n".join(found)
