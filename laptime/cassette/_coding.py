"""Content codings: whether a stored body is compressed, as its header says, or was decoded by its client. Pure.

requests (with urllib3 2) and aiohttp hand vcrpy decoded bodies under the headers of the compressed ones; httpx and
`http.client` hand it what came over the wire. Nothing in the file tells which, so the body itself must.

brotli and zstandard are imported where they are used: few cassettes need them, and not every process that knows what a
cassette is reads one.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import NamedTuple

MAX_PLAIN_BYTES = 256 * 2**20
"""A body that unpacks to more is a bomb."""
_PIECE_BYTES, _KILOBYTE = 2**20, 2**10
_GZIP_LEVEL, _BROTLI_QUALITY, _ZSTD_LEVEL = 6, 4, 3
"""What web servers use for answers that they compress as they go."""


class CodingError(ValueError):
    """A body can't be what its Content-Encoding says; the message says why."""


class Content(NamedTuple):
    """A stored body, understood.

    plain    decoded, as a client hands it to its caller
    wire     as it was sent; None where the client had decoded it, so that it must be encoded again
    codings  the codings of the header, in the order in which they were applied
    """

    plain: bytes
    wire: bytes | None
    codings: tuple[str, ...]


class _Codec(NamedTuple):
    """magic: how its bytes begin; b"" where they may begin in any way."""

    decode: Callable[[bytes], bytes]
    encode: Callable[[bytes], bytes]
    magic: bytes


def understood(body: bytes, header: str, length: int | None) -> Content:
    """Tell what a stored body is.

    header  the value of Content-Encoding
    length  the value of Content-Length, where there is one

    Raises `CodingError` where it is neither: it can't be decoded, and begins as its coding does,
    or has the length of what was sent, is no text, and can't be compressed to that length either.
    """
    names = [name.strip().lower() for name in header.split(",")]
    codings = tuple(_ALIASES.get(name, name) for name in names if name not in ("", "identity"))
    if not codings or not all(coding in _CODECS for coding in codings):
        return Content(body, body, codings)  # no client decodes what it doesn't know
    if not body:
        return Content(body, body if length == 0 else None, codings)
    magic = _CODECS[codings[-1]].magic
    begins_so = bool(magic) and body.startswith(magic)
    try:
        plain = decoded(body, codings)
    except CodingError:
        if begins_so or (length == len(body) and not _is_text(body) and len(encoded(body, codings)) > length):
            raise
        return Content(body, None, codings)
    # a decoded body can look encoded: a .gz file is, and a short text may pass for brotli or deflate
    was_decoded = length != len(body) if length is not None else not begins_so and _is_text(body)
    return Content(body, None, codings) if was_decoded else Content(plain, body, codings)


def encoded(plain: bytes, codings: tuple[str, ...]) -> bytes:
    """The body as it goes over the wire, the same bytes each time. The codings must be known ones."""
    for coding in codings:
        plain = _CODECS[coding].encode(plain)
    return plain


def decoded(body: bytes, codings: tuple[str, ...]) -> bytes:
    """The plain body. Raises `CodingError`."""
    for coding in reversed(codings):
        try:
            body = _CODECS[coding].decode(body)
        except (zlib.error, EOFError) as error:
            raise CodingError(f"is not {coding}: {error}") from error
    return body


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Room:
    """Collects pieces, up to the limit."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._left = MAX_PLAIN_BYTES

    def add(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise CodingError(f"unpacks to more than {MAX_PLAIN_BYTES // 2**20} MiB")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        return b"".join(self._pieces)


def _inflate(body: bytes, bits: int) -> bytes:
    """One stream of zlib's after the other; what follows the first and is none is dropped, as clients do."""
    room, streams = _Room(), 0
    while body:
        unpacker = zlib.decompressobj(bits)
        try:
            while body and not unpacker.eof:
                room.add(unpacker.decompress(body, _PIECE_BYTES))
                body = unpacker.unconsumed_tail
            if not unpacker.eof:  # after the end it would take what follows for input, and double it
                room.add(unpacker.flush())
        except zlib.error:
            if not streams:
                raise
            break
        if not unpacker.eof:
            raise EOFError("it ends in the middle")
        streams += 1
        body = unpacker.unused_data
    return room.whole()


def _gunzip(body: bytes) -> bytes:
    return _inflate(body, zlib.MAX_WBITS | 16)


def _undeflate(body: bytes) -> bytes:
    """With zlib's header or, as some servers send it, without."""
    try:
        return _inflate(body, zlib.MAX_WBITS)
    except zlib.error:
        return _inflate(body, -zlib.MAX_WBITS)


def _unbrotli(body: bytes) -> bytes:
    import brotli

    room, unpacker = _Room(), brotli.Decompressor()
    try:
        piece = unpacker.process(body, output_buffer_limit=_PIECE_BYTES)
        while piece:
            room.add(piece)
            piece = b"" if unpacker.is_finished() else unpacker.process(b"", output_buffer_limit=_PIECE_BYTES)
    except brotli.error as error:
        raise EOFError(error) from error
    if not unpacker.is_finished():
        raise EOFError("it ends in the middle")
    return room.whole()


def _unzstd(body: bytes) -> bytes:
    """One frame after the other. The input goes in by the kilobyte: the output of one such piece can't be limited."""
    import zstandard

    room, left = _Room(), memoryview(body)
    while left:
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        while left and not unpacker.eof:
            piece, left = left[:_KILOBYTE], left[_KILOBYTE:]
            try:
                room.add(unpacker.decompress(piece))
            except zstandard.ZstdError as error:
                raise EOFError(error) from error
        if not unpacker.eof:
            raise EOFError("it ends in the middle")
        left = memoryview(unpacker.unused_data + bytes(left))
    return room.whole()


def _brotli(plain: bytes) -> bytes:
    import brotli

    packed: bytes = brotli.compress(plain, quality=_BROTLI_QUALITY)
    return packed


def _zstd(plain: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(plain)


_CODECS = {
    # mtime 0 makes the same bytes each time
    "gzip": _Codec(_gunzip, lambda plain: gzip.compress(plain, _GZIP_LEVEL, mtime=0), b"\x1f\x8b"),
    "deflate": _Codec(_undeflate, zlib.compress, b""),
    "br": _Codec(_unbrotli, _brotli, b""),
    "zstd": _Codec(_unzstd, _zstd, b"\x28\xb5\x2f\xfd"),
}
_ALIASES = {"x-gzip": "gzip"}
