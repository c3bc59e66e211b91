"""What a stored body is: what came over the wire, or what its client had decoded; and how it is encoded again."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from laptime.cassette import CassetteError, _coding, load
from laptime.cassette._coding import CodingError, Content, decoded, encoded, understood
from tests.support import Exchange, write_cassette

TEXT = b"It was a bright cold day in April, and the clocks were striking thirteen. " * 20
BINARY = bytes(range(256)) * 4
CODINGS = ("gzip", "deflate", "br", "zstd")


def raw_deflated(data: bytes) -> bytes:
    """Deflate without zlib's header and checksum, as some servers send it under the same name."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def streamed_zstd(data: bytes) -> bytes:
    """A frame that doesn't say how long its content is, as servers send it that compress as they go."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "gzip of another level": ("gzip", gzip.compress(TEXT, 1)),
    "two members of gzip": ("gzip", gzip.compress(TEXT[:700]) + gzip.compress(TEXT[700:])),
    "x-gzip": ("x-gzip", gzip.compress(TEXT)),
    "deflate": ("deflate", zlib.compress(TEXT)),
    "raw deflate": ("deflate", raw_deflated(TEXT)),
    "br": ("br", brotli.compress(TEXT)),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress(TEXT)),
    "streamed zstd": ("zstd", streamed_zstd(TEXT)),
    "two frames of zstd": ("zstd", streamed_zstd(TEXT[:700]) + streamed_zstd(TEXT[700:])),
    "gzip in br": ("gzip, br", brotli.compress(gzip.compress(TEXT))),
    "an odd spelling": (" GZip ,identity", gzip.compress(TEXT)),
}


# What it is


@pytest.mark.parametrize("stated", [True, False], ids=["with its length", "without a length"])
@pytest.mark.parametrize("name", PACKED)
def test_a_body_as_it_was_sent_is_decoded_and_kept(name: str, stated: bool) -> None:
    """httpx's recordings hold the bytes of the wire: what they say is found, and they go out again unchanged."""
    header, body = PACKED[name]
    content = understood(body, header, len(body) if stated else None)
    assert (TEXT, body) == (content.plain, content.wire)


@pytest.mark.parametrize("plain", [TEXT, BINARY, b"x"], ids=["text", "bytes", "a letter"])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_of_another_length_than_was_sent_was_decoded(coding: str, plain: bytes) -> None:
    """The recording client left it so, under the header of the compressed one: it must be encoded again."""
    assert Content(plain, None, (coding,)) == understood(plain, coding, 777)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_text_of_unknown_length_was_decoded(coding: str) -> None:
    """A chunked response states no length; no encoded body is a text but by chance."""
    assert Content(TEXT, None, (coding,)) == understood(TEXT, coding, None)


@pytest.mark.parametrize("coding", CODINGS)
def test_an_archive_that_was_decoded_stays_an_archive(coding: str) -> None:
    """Sent as gzip once more, its length tells that the outer coding is gone."""
    archive = decoded(encoded(gzip.compress(BINARY), (coding,)), (coding,))
    assert Content(archive, None, (coding,)) == understood(archive, coding, len(archive) - 5)


def test_a_text_that_begins_like_deflate_is_a_text() -> None:
    """The first bytes of this one are a whole deflate stream by chance; as there are more, it isn't one."""
    text = b"{yIwwQ  J KAtGqDf"
    assert b"\xe9\xd2-\xbbrQ" == zlib.decompress(text, -zlib.MAX_WBITS)
    assert Content(text, None, ("deflate",)) == understood(text, "deflate", None)


@pytest.mark.parametrize("header", ["", "identity", "Identity, identity", " , "])
def test_a_body_under_no_coding_is_itself(header: str) -> None:
    """Even where it looks compressed: an archive is a body like any other."""
    archive = gzip.compress(TEXT)
    assert Content(archive, archive, ()) == understood(archive, header, None)


@pytest.mark.parametrize("header", ["aws-chunked", "compress", "gzip, exi", "dcb, gzip"])
def test_a_coding_that_nobody_knows_is_passed_through(header: str) -> None:
    """No client decodes it, so the recording client hadn't either."""
    content = understood(BINARY, header, 3)
    assert (BINARY, BINARY) == (content.plain, content.wire)


@pytest.mark.parametrize("coding", CODINGS)
def test_an_empty_body_is_empty_whatever_its_coding(coding: str) -> None:
    """Where nothing was sent nothing is sent; where something was, what decodes to nothing."""
    assert Content(b"", b"", (coding,)) == understood(b"", coding, 0)
    assert Content(b"", None, (coding,)) == understood(b"", coding, 20) == understood(b"", coding, None)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_members_that_unpack_to_much_follow_each_other(coding: str) -> None:
    """Three of them, each longer than what is unpacked at a time: none is lost or doubled."""
    members = [bytes([letter]) * 1_500_000 for letter in b"abc"]
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": streamed_zstd}[coding]
    plain = decoded(b"".join(map(pack, members)), (coding,))
    assert (4_500_000, True) == (len(plain), b"".join(members) == plain)


@pytest.mark.parametrize("rest", [bytes(512), b"trailing words"], ids=["zeros", "words"])
def test_what_follows_gzip_and_is_none_is_dropped(rest: bytes) -> None:
    """As clients do: some archives are padded."""
    plain = bytes(1_500_000)
    assert plain == decoded(gzip.compress(plain) + rest, ("gzip",))


# What it can't be


def cut(body: bytes) -> bytes:
    """A body that ends in the middle."""
    return body[: len(body) // 2]


@pytest.mark.parametrize("header", ["gzip", "zstd"])
def test_a_body_that_begins_as_its_coding_does_must_be_it(header: str) -> None:
    """Cut in the middle it can neither be decoded nor have been, whatever the length says."""
    for length in (None, 5, len(PACKED[header][1])):
        with pytest.raises(CodingError, match=f"is not {header}: "):
            understood(cut(PACKED[header][1]), header, length)


@pytest.mark.parametrize("header", CODINGS)
def test_bytes_of_the_length_that_was_sent_must_be_their_coding(header: str) -> None:
    """They are what came over the wire, and no text: they can't be anything else."""
    body = cut(PACKED[header][1])
    with pytest.raises(CodingError, match=f"is not {header}: "):
        understood(body, header, len(body))


@pytest.mark.parametrize("coding", CODINGS)
def test_a_text_of_the_length_that_was_sent_was_decoded(coding: str) -> None:
    """A site that names a coding and doesn't apply it was understood by the recording client, so it goes on so."""
    assert Content(TEXT, None, (coding,)) == understood(TEXT, coding, len(TEXT))


def test_a_body_that_cant_be_its_coding_is_named(tmp_path: Path) -> None:
    """The message has the file, the interaction, the header and what is wrong."""
    exchange = Exchange(headers={"Content-Encoding": ["gzip"]}, body=cut(gzip.compress(TEXT)))
    path = write_cassette(tmp_path / "cut.yaml", Exchange(), exchange, timed=False)
    with pytest.raises(CassetteError) as refused:
        load(path)
    problem = "is not gzip: it ends in the middle; the header says Content-Encoding: gzip"
    assert f"{path}: interaction 1: response.body: {problem}" == str(refused.value)


def test_codings_stated_by_two_headers_are_one_list(tmp_path: Path) -> None:
    """In the order of the headers."""
    headers = {"Content-Encoding": ["gzip", "br"]}
    path = write_cassette(tmp_path / "two.yaml", Exchange(headers=headers, body=PACKED["gzip in br"][1]), timed=False)
    (found,) = load(path).interactions
    assert Content(TEXT, PACKED["gzip in br"][1], ("gzip", "br")) == found.content


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "many", "5, 5", "\u0665\u0663"])
def test_a_length_that_is_none_is_no_length(tmp_path: Path, length: str) -> None:
    """A header is the site's: whatever it says, the cassette loads."""
    headers = {"Content-Encoding": ["gzip"], "Content-Length": [length]}
    path = write_cassette(tmp_path / "odd.yaml", Exchange(headers=headers, body=PACKED["gzip"][1]), timed=False)
    assert TEXT == load(path).interactions[0].content.plain


# Bombs

MIB = 2**20
NOTHING = bytes(MIB)


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """The bytes that a body may unpack to: few, so that a bomb is made at once."""
    monkeypatch.setattr(_coding, "MAX_PLAIN_BYTES", 4 * MIB)
    return 4 * MIB


def bomb(coding: str, pieces: int) -> bytes:
    """So many MiB of nothing in one stream, packed a piece at a time."""
    if coding == "zstd":
        packer = zstandard.ZstdCompressor().compressobj()
        return b"".join([*(packer.compress(NOTHING) for _ in range(pieces)), packer.flush()])
    if coding == "br":
        shrinker = brotli.Compressor(quality=1)
        return b"".join([*(shrinker.process(NOTHING) for _ in range(pieces)), shrinker.finish()])
    squeezer = zlib.compressobj(1, wbits={"gzip": 31, "deflate": 15}[coding])
    return b"".join([*(squeezer.compress(NOTHING) for _ in range(pieces)), squeezer.flush()])


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_may_unpack_to_the_limit_and_no_more(limit: int, coding: str) -> None:
    """To the byte."""
    assert limit == len(decoded(encoded(bytes(limit), (coding,)), (coding,)))
    with pytest.raises(CodingError, match="unpacks to more than 4 MiB"):
        decoded(encoded(bytes(limit + 1), (coding,)), (coding,))


@pytest.mark.parametrize(
    ("coding", "pieces", "most_expected"),
    [("gzip", 40, 16 * MIB), ("deflate", 40, 16 * MIB), ("br", 40, 16 * MIB), ("zstd", 400, 64 * MIB)],
)
@pytest.mark.usefixtures("limit")
def test_a_bomb_is_refused_before_it_fills_the_memory(coding: str, pieces: int, most_expected: int) -> None:
    """Unpacking ends at the limit, or soon after it: a kilobyte of zstd can hold 32 MiB."""
    body = bomb(coding, pieces)
    tracemalloc.start()
    try:
        with pytest.raises(CodingError, match="unpacks to more than 4 MiB"):
            decoded(body, (coding,))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < most_expected


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_many_small_members_are_a_bomb_too(limit: int, coding: str) -> None:
    """The limit is that of the whole body, not of each member of it."""
    with pytest.raises(CodingError, match="unpacks to more than 4 MiB"):
        decoded(bomb(coding, 1) * (limit // MIB + 1), (coding,))


def test_the_limit_holds_for_each_layer(limit: int) -> None:
    """A body packed twice must not grow too large between the two either."""
    with pytest.raises(CodingError, match="unpacks to more than 4 MiB"):
        decoded(gzip.compress(bomb("gzip", limit // MIB + 1)), ("gzip", "gzip"))


# Again


@given(plain=st.binary(max_size=3000), codings=st.lists(st.sampled_from(CODINGS), max_size=3).map(tuple))
def test_what_was_encoded_decodes_to_itself(plain: bytes, codings: tuple[str, ...]) -> None:
    """Any bytes under any list of codings; the same bytes each time, so two loads of a cassette play the same."""
    once = encoded(plain, codings)
    assert (plain, once) == (decoded(once, codings), encoded(plain, codings))


@pytest.mark.parametrize("coding", CODINGS)
def test_encoding_makes_a_text_shorter_and_notes_no_time_of_day(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two loads of one cassette would play other bytes, a second later."""
    now = encoded(TEXT, (coding,))
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert now == encoded(TEXT, (coding,))
    assert len(now) < len(TEXT)


@given(
    plain=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)),
    coding=st.sampled_from(CODINGS),
    stated=st.booleans(),
)
def test_what_came_over_the_wire_is_never_taken_for_decoded(plain: bytes, coding: str, stated: bool) -> None:
    """Where the length says that it is what was sent, or where it begins as its coding does."""
    wire = encoded(plain, (coding,))
    if stated or coding in ("gzip", "zstd"):
        assert Content(plain, wire, (coding,)) == understood(wire, coding, len(wire) if stated else None)


@given(body=st.binary(max_size=300), header=st.sampled_from(CODINGS), length=st.none() | st.integers(0, 400))
def test_any_body_is_understood_or_refused(body: bytes, header: str, length: int | None) -> None:
    """Nothing else: and what is understood can be sent."""
    try:
        content = understood(body, header, length)
    except CodingError:
        return
    sent = encoded(content.plain, content.codings) if content.wire is None else content.wire
    assert content.plain == (decoded(sent, content.codings) if sent else b"")
