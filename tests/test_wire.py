"""The bytes of a recorded response: well framed, whatever the recording client had done to the body."""

from __future__ import annotations

import gzip
import zlib

import pytest

from laptime.cassette import Interaction
from laptime.replay.wire import Wire, plain, refuse, respond

TEXT = b"It was a bright cold day in April, and the clocks were striking thirteen. " * 20


def raw_deflated(data: bytes) -> bytes:
    """Deflate without zlib's header and checksum, as some servers send it under the same name."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def interaction(
    body: bytes = b"hello", *headers: tuple[str, str], method: str = "GET", status: int = 200, reason: str = "OK"
) -> Interaction:
    """A recorded answer."""
    return Interaction(0, method, "http://site.test/", (), b"", status, reason, headers, body, ())


def headers_of(wire: Wire) -> list[tuple[str, str]]:
    """The header lines of a response, in order."""
    lines = wire.head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")[1:]
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


# The head


def test_a_response_is_framed_by_its_length() -> None:
    """Status line, headers as recorded, the length of the body, an empty line; then the body."""
    headers = (("Content-Type", "text/plain"), ("X-Served-By", "cache-1"))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Served-By: cache-1\r\nContent-Length: 5\r\n\r\n"
    assert Wire(head, b"hello") == respond(interaction(b"hello", *headers))


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (200, "OK", b"HTTP/1.1 200 OK"),
        (404, "Not Found", b"HTTP/1.1 404 Not Found"),
        (404, "Introuvable \xe9", b"HTTP/1.1 404 Introuvable \xe9"),
        (599, "", b"HTTP/1.1 599 "),
    ],
)
def test_the_status_line_is_as_recorded(status: int, reason: str, line: bytes) -> None:
    """Code and reason, even where the reason is empty."""
    assert line == respond(interaction(status=status, reason=reason)).head.split(b"\r\n")[0]


def test_repeated_headers_stay_apart_and_in_order() -> None:
    """Two cookies are two headers."""
    cookies = [("Set-Cookie", "a=1"), ("Vary", "Accept"), ("Set-Cookie", "b=2")]
    assert [*cookies, ("Content-Length", "5")] == headers_of(respond(interaction(b"hello", *cookies)))


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("caf\xe9", b"caf\xe9"),
        ("caf\xc3\xa9", b"caf\xc3\xa9"),
        ("\u65e5\u672c", "\u65e5\u672c".encode()),
    ],
    ids=["Latin-1", "UTF-8 read as Latin-1", "UTF-8 read as such"],
)
def test_headers_beyond_ascii_are_the_bytes_that_were_received(value: str, sent: bytes) -> None:
    """One client reads header bytes as Latin-1, another as UTF-8: either way they go out as they came."""
    assert b"\r\nX-Place: " + sent + b"\r\n" in respond(interaction(b"hello", ("X-Place", value))).head


@pytest.mark.parametrize(
    "header",
    [
        *(("Connection", "close"), ("Keep-Alive", "timeout=5"), ("Transfer-Encoding", "chunked")),
        *(("Content-Length", "99999"), ("transfer-encoding", "gzip, chunked"), ("CONTENT-LENGTH", "0")),
    ],
    ids=str,
)
def test_the_framing_of_the_recorded_connection_is_dropped(header: tuple[str, str]) -> None:
    """What described that connection, or the length of a body that was decoded since, is not repeated."""
    assert [("Content-Length", "5")] == headers_of(respond(interaction(b"hello", header)))


# The body


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP", " gzip "])
def test_a_body_that_was_decoded_is_compressed_again(name: str) -> None:
    """Under `Content-Encoding: gzip` the client gets gzip, and its length; in any spelling."""
    wire = respond(interaction(TEXT, ("Content-Encoding", name)))
    assert TEXT == gzip.decompress(wire.body)
    assert len(wire.body) < len(TEXT)
    assert [("Content-Encoding", "gzip"), ("Content-Length", str(len(wire.body)))] == headers_of(wire)


def test_compressing_again_makes_the_same_bytes_each_time() -> None:
    """No time of day is in them, so two loads of one cassette play the same."""
    assert 1 == len({respond(interaction(TEXT, ("Content-Encoding", "gzip"))).body for _ in range(2)})
    assert bytes(4) == respond(interaction(TEXT, ("Content-Encoding", "gzip"))).body[4:8]  # gzip's time stamp


def test_an_empty_body_under_gzip_decodes_to_nothing() -> None:
    """A client that decodes it gets no bytes and no error."""
    assert b"" == gzip.decompress(respond(interaction(b"", ("Content-Encoding", "gzip"))).body)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT, 1)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflated(TEXT)),
        ("br", b"\x1b\xff\xfe not really brotli"),
        ("zstd", b"\x28\xb5\x2f\xfd not really zstd"),
        ("gzip, br", b"\x1b\xff\xfe not really brotli"),
    ],
    ids=["gzip", "another level", "deflate", "raw deflate", "br", "zstd", "two codings"],
)
def test_a_body_kept_compressed_is_sent_as_it_is(encoding: str, body: bytes) -> None:
    """httpx's recordings hold the bytes of the wire: they go out unchanged under their encoding."""
    wire = respond(interaction(body, ("Content-Encoding", encoding)))
    assert body == wire.body
    assert [("Content-Encoding", encoding), ("Content-Length", str(len(body)))] == headers_of(wire)


def test_a_decoded_body_under_deflate_is_deflated_again() -> None:
    """With zlib's header, as the standard has it."""
    wire = respond(interaction(TEXT, ("Content-Encoding", "deflate")))
    assert TEXT == zlib.decompress(wire.body)
    assert [("Content-Encoding", "deflate"), ("Content-Length", str(len(wire.body)))] == headers_of(wire)


@pytest.mark.parametrize("encoding", ["br", "zstd", "identity", "gzip, br"])
def test_text_under_an_encoding_that_cant_be_made_is_sent_plain(encoding: str) -> None:
    """A text was decoded by the recording client: it goes out as text, under no encoding."""
    assert [("Content-Length", "5")] == headers_of(respond(interaction(b"hello", ("Content-Encoding", encoding))))
    assert b"hello" == respond(interaction(b"hello", ("Content-Encoding", encoding))).body


def test_a_body_under_no_encoding_is_sent_as_it_is() -> None:
    """Even where it looks compressed: an archive is a body like any other."""
    archive = gzip.compress(TEXT)
    wire = respond(interaction(archive, ("Content-Type", "application/gzip")))
    assert (archive, ("Content-Length", str(len(archive)))) == (wire.body, headers_of(wire)[-1])


# Responses without a body


def test_an_answer_to_head_states_the_recorded_length_and_has_no_body() -> None:
    """The length is that of the body that a GET would get, so it is the recorded one that stands."""
    recorded = [("Content-Type", "text/html"), ("Content-Length", "51234")]
    wire = respond(interaction(b"", *recorded, method="HEAD"))
    assert (recorded, b"") == (headers_of(wire), wire.body)


def test_an_answer_to_head_may_state_no_length() -> None:
    """Where none was recorded, none is made up."""
    assert Wire(b"HTTP/1.1 200 OK\r\n\r\n", b"") == respond(interaction(b"", method="HEAD"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_an_answer_to_head_keeps_its_encoding(encoding: str) -> None:
    """It says how a GET's body would be encoded, though there is none."""
    recorded = [("Content-Encoding", encoding), ("Content-Length", "51234")]
    assert recorded == headers_of(respond(interaction(b"", *recorded, method="HEAD")))


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_states_no_length(status: int) -> None:
    """204 and 304 end with their head, whatever was recorded."""
    recorded = (("ETag", '"1"'), ("Content-Length", "5"), ("Transfer-Encoding", "chunked"))
    wire = respond(interaction(b"hello", *recorded, status=status))
    assert ([("ETag", '"1"')], b"") == (headers_of(wire), wire.body)


def test_an_empty_body_has_length_zero() -> None:
    """Unlike 204, an empty 200 must say so, or a client waits for more."""
    assert Wire(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"") == respond(interaction(b""))


# Decoded


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", TEXT),
        ("gzip", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-Gzip", gzip.compress(TEXT)),
        ("deflate", TEXT),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflated(TEXT)),
        ("br", TEXT),
    ],
    ids=["none", "gzip, decoded", "gzip", "x-gzip", "deflate, decoded", "deflate", "raw deflate", "br, decoded"],
)
def test_the_plain_body_is_what_a_client_hands_to_its_caller(encoding: str, body: bytes) -> None:
    """Decoded, whether the recording client had decoded it or not."""
    assert TEXT == plain(interaction(body, *([("Content-Encoding", encoding)] if encoding else [])))


def test_a_text_that_begins_like_deflate_is_a_text() -> None:
    """The first bytes of this one are a whole deflate stream by chance; as there are more, it isn't one."""
    text = interaction(b"{yIwwQ  J KAtGqDf", ("Content-Encoding", "deflate"))
    assert b"\xe9\xd2-\xbbrQ" == zlib.decompress(text.body, -zlib.MAX_WBITS)
    assert (text.body, text.body) == (plain(text), zlib.decompress(respond(text).body))


# Refusals


def test_a_refusal_is_a_text_for_people() -> None:
    """An answer of the replay's own is plain text in UTF-8, framed like any other."""
    head = b"HTTP/1.1 599 Not Recorded\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\n"
    assert Wire(head, "é\n".encode()) == refuse(599, "Not Recorded", "é\n")


def test_a_refusal_may_end_the_connection() -> None:
    """And says so."""
    assert ("Connection", "close") in headers_of(refuse(400, "Bad Request", "no", close=True))
