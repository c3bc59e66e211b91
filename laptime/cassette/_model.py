"""The nouns of a cassette."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from laptime.cassette._coding import Content

NO_BODY_STATUSES = frozenset({204, 304})


class CassetteError(Exception):
    """A cassette or its side-car can't be used. The message names the file, the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One pass over one interaction, in milliseconds, named and meant as in HAR 1.2.

    connect_ms  a new connection, TLS included; -1 where none was made
    ssl_ms      the TLS part of it; -1 without TLS
    send_ms     the request's bytes
    wait_ms     from the request sent to the head of the response
    receive_ms  from the head to the last byte of the body
    chunks      (offset_ms from the head, bytes on the wire) of each piece of the body
    """

    connect_ms: float
    ssl_ms: float
    send_ms: float
    wait_ms: float
    receive_ms: float
    chunks: tuple[tuple[float, int], ...]

    def as_json(self) -> dict[str, object]:
        """The side-car's form of one pass, `bodySize` left out."""
        return {
            "connect": self.connect_ms,
            "ssl": self.ssl_ms,
            "send": self.send_ms,
            "wait": self.wait_ms,
            "receive": self.receive_ms,
            "chunks": [list(chunk) for chunk in self.chunks],
        }


def origin_of(uri: str) -> str:
    """Scheme, host and port of an absolute address, without the scheme's own port, a user or a password."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


_PORTS = {"http": 80, "https": 443}


def length_of(headers: Iterable[tuple[str, str]]) -> int | None:
    """The Content-Length, where one is stated and is a number."""
    stated = next((value.strip() for name, value in headers if name.lower() == "content-length"), "")
    return int(stated) if _LENGTH.fullmatch(stated) else None


_LENGTH = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Interaction:
    """One request and its response, as vcrpy recorded them.

    `body` is what vcrpy stored: decoded for most clients, whatever `Content-Encoding` says; `content` is what that
    was found to be. `timings` has one entry per pass, in order; it is empty where there is no side-car.
    """

    index: int
    method: str
    uri: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: bytes
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    content: Content
    timings: tuple[Timing, ...]

    @property
    def origin(self) -> str:
        """Scheme, host and port: ``https://example.com``."""
        return origin_of(self.uri)

    @property
    def target(self) -> str:
        """Path and query, as in a request line."""
        parts = urlsplit(self.uri)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def timed(self, timings: tuple[Timing, ...]) -> Interaction:
        """The same, with the time of each pass."""
        return replace(self, timings=timings)

    @property
    def wire_bytes(self) -> int | None:
        """How many bytes of body went over the wire for the response, as far as its recording tells."""
        if not self.has_body:
            return 0
        stated = length_of(self.headers)
        return stated if stated is not None or self.content.wire is None else len(self.content.wire)

    @property
    def has_body(self) -> bool:
        """Whether the response may carry a body: one to HEAD, and some statuses, never do."""
        return self.method != "HEAD" and self.status not in NO_BODY_STATUSES

    @property
    def request(self) -> str:
        """``GET https://…``, the key of the side-car."""
        return f"{self.method} {self.uri}"


@dataclass(frozen=True, slots=True)
class Cassette:
    """A validated cassette; `passes` is 0 and `origin_kind` None where it has no side-car."""

    path: Path
    sha256: str
    interactions: tuple[Interaction, ...]
    origin_kind: str | None
    passes: int

    @property
    def origins(self) -> tuple[str, ...]:
        """The recorded origins, in order of first appearance."""
        return tuple(dict.fromkeys(interaction.origin for interaction in self.interactions))
