"""What a stored body is: what came over the wire, or what its client had decoded; and how it is encoded again."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from laptime.cassette import CassetteError, load
from laptime.cassette._coding import CodingError, Content, decoded, encoded, understood
from tests.support import HANG_LIMIT_S, Exchange, write_cassette

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

LIMITED = """
import resource, sys
from laptime.cassette._coding import CodingError, decoded
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
try:
    decoded(sys.stdin.buffer.read(), (sys.argv[1],))
except CodingError as error:
    print(error)
"""


def bomb(coding: str) -> bytes:
    """Just too many bytes of nothing, packed a piece at a time."""
    pieces = [bytes(2**20)] * 257
    if coding == "zstd":
        packer = zstandard.ZstdCompressor().compressobj()
        return b"".join([*map(packer.compress, pieces), packer.flush()])
    if coding == "br":
        shrinker = brotli.Compressor(quality=1)
        return b"".join([*map(shrinker.process, pieces), shrinker.finish()])
    squeezer = zlib.compressobj(1, wbits={"gzip": 31, "deflate": 15}[coding])
    return b"".join([*map(squeezer.compress, pieces), squeezer.flush()])


def unpacked_within_a_gibibyte(coding: str, body: bytes) -> bytes:
    """What is said of a body by a process that has little more memory than the limit."""
    command = [sys.executable, "-c", LIMITED, coding]
    ran = subprocess.run(command, input=body, capture_output=True, timeout=HANG_LIMIT_S, check=False)
    assert (0, b"") == (ran.returncode, ran.stderr[-500:])
    return ran.stdout


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_refused_before_it_fills_the_memory(coding: str) -> None:
    """Unpacking ends at the limit."""
    assert b"unpacks to more than 256 MiB\n" == unpacked_within_a_gibibyte(coding, bomb(coding))


@pytest.mark.parametrize(
    ("coding", "member"),
    [("gzip", gzip.compress(bytes(2**24), 1)), ("zstd", streamed_zstd(bytes(2**24)))],
    ids=["gzip", "zstd"],
)
def test_many_small_members_are_a_bomb_too(coding: str, member: bytes) -> None:
    """The limit is that of the whole body, not of each member of it."""
    assert b"unpacks to more than 256 MiB\n" == unpacked_within_a_gibibyte(coding, member * 17)


def test_the_limit_holds_for_each_layer() -> None:
    """A body packed twice must not grow too large between the two either."""
    with pytest.raises(CodingError, match=r"unpacks to more than 256 MiB"):
        decoded(gzip.compress(bomb("gzip")), ("gzip", "gzip"))


# Again


@pytest.mark.parametrize("codings", [("gzip",), ("deflate",), ("br",), ("zstd",), ("br", "gzip"), ("gzip", "zstd")])
def test_encoding_makes_the_same_bytes_each_time(codings: tuple[str, ...]) -> None:
    """No time of day is in them, so two loads of one cassette play the same; and they are fewer."""
    first, second = encoded(TEXT, codings), encoded(TEXT, codings)
    assert first == second
    assert len(first) < len(TEXT)


@given(plain=st.binary(max_size=3000), codings=st.lists(st.sampled_from(CODINGS), max_size=3).map(tuple))
def test_what_was_encoded_decodes_to_itself(plain: bytes, codings: tuple[str, ...]) -> None:
    """Any bytes under any list of codings."""
    assert plain == decoded(encoded(plain, codings), codings)


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
