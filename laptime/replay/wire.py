"""The bytes of a recorded response as they go over the wire. Pure.

requests, urllib3 and aiohttp cassettes hold decoded bodies under the headers of the compressed ones;
httpx cassettes hold compressed bytes. Either way a client must get one well-framed response, so the
framing headers are made anew, and a decoded body is compressed again, once, when the cassette is loaded.
"""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from laptime.cassette import Interaction

_FRAMING = frozenset({"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"})
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_LEVEL = 6
"""The level that web servers use by default."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A response, framed: `head` ends with the empty line."""

    head: bytes
    body: bytes


def respond(interaction: Interaction) -> Wire:
    """Frame a recorded response for HTTP/1.1."""
    body, encoding = _encoded(interaction.body, _encoding(interaction))
    headers = [pair for pair in interaction.headers if pair[0].lower() not in _FRAMING]
    if encoding:
        headers.append(("Content-Encoding", encoding))
    if interaction.method == "HEAD":
        headers += [pair for pair in interaction.headers if pair[0].lower() == "content-length"]
        body = b""
    elif interaction.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED) or interaction.status < 200:
        body = b""
    else:
        headers.append(("Content-Length", str(len(body))))
    return Wire(_head(interaction.status, interaction.reason, headers), body)


def plain(interaction: Interaction) -> bytes:
    """The body decoded, as a client hands it to its caller."""
    encoding = _encoding(interaction)
    if encoding == "gzip" and interaction.body.startswith(_GZIP_MAGIC):
        return gzip.decompress(interaction.body)
    if encoding == "deflate":
        inflated = _inflated(interaction.body)
        return interaction.body if inflated is None else inflated
    return interaction.body


def refuse(status: int, reason: str, text: str, *, close: bool = False) -> Wire:
    """A response of the replay's own."""
    body = text.encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    if close:
        headers.append(("Connection", "close"))
    return Wire(_head(status, reason, headers), body)


def _head(status: int, reason: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    # header bytes outside ASCII were read as Latin-1 by the recording client, or were UTF-8 to begin with
    return b"\r\n".join(map(_received, lines))


def _received(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogateescape")


def _encoding(interaction: Interaction) -> str:
    named = (value.strip().lower() for name, value in interaction.headers if name.lower() == "content-encoding")
    return next(named, "").replace("x-gzip", "gzip")


def _encoded(body: bytes, encoding: str) -> tuple[bytes, str]:
    """The body as its Content-Encoding says, and that encoding; ("", decoded) where it can't be made."""
    if encoding == "gzip":
        if body.startswith(_GZIP_MAGIC):
            return body, "gzip"
        # mtime 0 makes the same bytes at each load
        return gzip.compress(body, _GZIP_LEVEL, mtime=0), "gzip"
    if encoding == "deflate":
        return (zlib.compress(body) if _inflated(body) is None else body), "deflate"
    # br and zstd: left as they are; a body that reads as text was decoded by the recording client
    return body, "" if body and _is_text(body) else encoding


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _inflated(body: bytes) -> bytes | None:
    """The body inflated, with zlib's header or, as some servers send it, without; None where it isn't deflated."""
    for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        unpacker = zlib.decompressobj(bits)
        with suppress(zlib.error):
            inflated = unpacker.decompress(body)
            if unpacker.eof and not unpacker.unused_data:  # the start of a text may pass for a whole stream
                return inflated
    return None
