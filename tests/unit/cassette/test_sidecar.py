"""What a side-car must hold to belong to its cassette: a time of each part of each pass, and pieces that add up."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from laptime.cassette import load, sidecar_path
from tests.support import SITE, Exchange, recording, timing, timings, write_cassette, write_pair
from tests.support.cassettes import GONE, PAIR, changed, refusal, shown

WHOLE = timing(chunks=[(0.0, 5)])


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("", "doesn't parse (truncated?): Expecting value"),
        ('{"version": NaN}', "version: expected a side-car of version 1"),
        ("[" * 100_000, "doesn't parse (truncated?): maximum recursion depth"),
        ("[]", "version: expected a side-car of version 1"),
        ("{}", "version: expected a side-car of version 1"),
        ('{"version": "1"}', "version: expected a side-car of version 1"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_side_car_is_refused(tmp_path: Path, raw: str, problem: str) -> None:
    """A cassette isn't played as if it had no times, where there is a file that should hold them."""
    path = write_cassette(tmp_path / "a.yaml", *PAIR)
    sidecar_path(path).write_text(raw)
    expected = f"{sidecar_path(path)}: {problem}"
    assert expected == refusal(path)[: len(expected)]


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("cassette_sha256", None, "cassette_sha256: these timings belong to another a.yaml"),
        ("origin", GONE, "origin: expected 'live' or 'stand-in', found None"),
        ("interactions", GONE, "interactions: expected 2, as in a.yaml; found nothing"),
        ("interactions", {}, "interactions: expected 2, as in a.yaml; found a mapping"),
        ("interactions", [{}] * 3, "interactions: expected 2, as in a.yaml; found 3"),
        ("interactions.1", None, "interaction 1: interaction: expected a mapping, found nothing"),
        ("interactions.1.request", GONE, f"interaction 1: request: expected 'GET {SITE}/b', found None"),
        ("interactions.1.passes", GONE, "interaction 1: passes: missing"),
        ("interactions.1.passes", 7, "interaction 1: passes: expected a list, found a whole number ('7')"),
        ("interactions.1.passes.4", GONE, "interaction 1: passes: expected 5, as in interaction 0; found 4"),
        ("interactions.0.passes", [WHOLE] * 6, "interaction 1: passes: expected 6, as in interaction 0; found 5"),
        ("repeats", "5", "repeats: says text ('5'), and there are 5 passes"),
        ("repeats", None, "repeats: says nothing, and there are 5 passes"),
    ],
    ids=shown,
)
def test_a_side_car_that_does_not_fit_is_refused(tmp_path: Path, place: str, value: object, problem: str) -> None:
    """It must name its cassette's digest, and each of its requests in order, with as many passes for each."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), changed(timings(PAIR), place, value))
    expected = f"{sidecar_path(path)}: {problem}"
    assert expected == refusal(path)[: len(expected)]


def test_a_pass_must_be_a_mapping(tmp_path: Path) -> None:
    """The message names which one isn't."""
    document = changed(timings(PAIR), "interactions.1.passes.3", [1, 2])
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    assert f"{sidecar_path(path)}: interaction 1: passes[3]: expected a mapping, found a list ('[1, 2]')" == (
        refusal(path)
    )


# Times


TIMES = "expected 0 to 3,600,000 ms, found "


@pytest.mark.parametrize(
    ("part", "value", "problem"),
    [
        ("connect", "1.5", "expected milliseconds, found text ('1.5')"),
        ("ssl", None, "expected milliseconds, found nothing"),
        ("send", True, "expected milliseconds, found bool ('True')"),
        ("receive", [1], "expected milliseconds, found a list ('[1]')"),
        ("connect", -2, TIMES + "-2"),
        ("ssl", -0.5, TIMES + "-0.5"),
        ("send", 10**400, TIMES),
        ("wait", -0.001, TIMES + "-0.001"),
        ("wait", 3_600_000.1, TIMES + "3600000.1"),
        ("receive", 1e300, TIMES + "1e+300"),
        ("send", -1, TIMES + "-1"),
        ("wait", -1, TIMES + "-1"),
        ("receive", -1, TIMES + "-1"),
    ],
    ids=shown,
)
def test_a_time_that_cant_have_been_is_refused(tmp_path: Path, part: str, value: object, problem: str) -> None:
    """Not a number, below nothing, or over an hour; -1, for what didn't happen, only of `connect` and `ssl`."""
    document = changed(timings(PAIR), f"interactions.1.passes.3.{part}", value)
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    expected = f"{sidecar_path(path)}: interaction 1: passes[3].{part}: {problem}"
    assert expected == refusal(path)[: len(expected)]


@pytest.mark.parametrize("part", ["connect", "ssl", "send", "wait", "receive"])
@pytest.mark.parametrize("value", [0, 3_600_000])
def test_a_time_from_nothing_to_an_hour_can_have_been(tmp_path: Path, part: str, value: int) -> None:
    """Both ends included."""
    document = changed(timings(PAIR), f"interactions.1.passes.3.{part}", value)
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    assert value == getattr(load(path).interactions[1].timings[3], f"{part}_ms")


# Pieces


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        (GONE, "missing"),
        ({}, "expected a list, found a mapping ('{}')"),
        ([7], "expected [offset_ms, bytes], found a whole number ('7')"),
        ([[1.0, 2, 3]], "expected [offset_ms, bytes], found a list ('[1.0, 2, 3]')"),
        ([["0", 1]], "expected milliseconds, found text ('0')"),
        ([[True, 1]], "expected milliseconds, found bool ('True')"),
        ([[-1, 1]], TIMES + "-1"),
        ([[0.0, 1.5]], "expected a number of bytes, found float ('1.5')"),
        ([[0.0, True]], "expected a number of bytes, found bool ('True')"),
        ([[0.0, 9 * 10**4299]] * 2, "expected a number of bytes, found a whole number ('900"),
    ],
    ids=shown,
)
def test_chunks_that_cant_have_been_are_refused(tmp_path: Path, chunks: object, problem: str) -> None:
    """Each is an offset and a number of bytes, and none comes before the one before it."""
    document = changed(timings(PAIR), "interactions.1.passes.3.chunks", chunks)
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    expected = f"{sidecar_path(path)}: interaction 1: passes[3].chunks: {problem}"
    assert expected == refusal(path)[: len(expected)]


CHUNKED = "interactions.1.passes.3.chunks"


def with_chunks(sizes: list[int], size: object = GONE) -> dict[str, Any]:
    """The side-car with a pass whose chunks are of these sizes, and that states a size of the body or none."""
    document = changed(timings(PAIR), CHUNKED, [[0.5 * number, size] for number, size in enumerate(sizes)])
    return changed(document, "interactions.1.passes.3.bodySize", size)


@pytest.mark.parametrize("sizes", [[5], [2, 3], [0, 5, 0]], ids=str)
def test_chunks_add_up_to_the_body(tmp_path: Path, sizes: list[int]) -> None:
    """However it was cut."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), with_chunks(sizes))
    assert tuple(sizes) == tuple(size for _, size in load(path).interactions[1].timings[3].chunks)


@pytest.mark.parametrize(("sizes", "total"), [([4], "4"), ([5, 1], "6"), ([5000], "5,000")], ids=str)
def test_chunks_that_add_up_to_another_body_are_refused(tmp_path: Path, sizes: list[int], total: str) -> None:
    """A side-car that was cut or mended by hand would play the body at a pace that never was."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), with_chunks(sizes))
    problem = f"interaction 1: passes[3].chunks: sizes add up to {total} bytes, of a body of 5"
    assert f"{sidecar_path(path)}: {problem}" == refusal(path)


@pytest.mark.parametrize(("stated", "sizes"), [(8, [8]), (8, [3, 5]), (0, [])], ids=str)
def test_a_pass_may_have_had_a_body_of_its_own(tmp_path: Path, stated: int, sizes: list[int]) -> None:
    """It says so itself, as pages change from visit to visit; then that is what its chunks add up to."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), with_chunks(sizes, stated))
    assert sum(sizes) == sum(size for _, size in load(path).interactions[1].timings[3].chunks)


@pytest.mark.parametrize(("stated", "sizes"), [(8, [5]), (5, [8]), ("5", [5]), (-1, []), (None, [8])], ids=str)
def test_a_size_of_its_own_binds_too(tmp_path: Path, stated: object, sizes: list[int]) -> None:
    """Where a pass states one, it is a number, and no other."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), with_chunks(sizes, stated))
    place = f"{sidecar_path(path)}: interaction 1: passes[3]."
    assert place == refusal(path)[: len(place)]


@pytest.mark.parametrize(
    ("exchange", "size"),
    [
        (Exchange(headers={"Content-Length": ["3"], "Content-Encoding": ["gzip"]}, body="decoded"), 3),
        (Exchange(headers={"content-length": [" 7 "]}, body="hello"), 7),
        (Exchange(headers={"Content-Encoding": ["gzip"]}, body=gzip.compress(b"hello", mtime=0)), 25),
        (Exchange(headers={"Content-Length": ["many"]}, body="hello"), 5),
        (Exchange(method="HEAD", headers={"Content-Length": ["51234"]}, body=""), 0),
        (Exchange(status=304, headers={"Content-Length": ["51234"]}, body=""), 0),
        (Exchange(headers={"Transfer-Encoding": ["chunked"], "Content-Encoding": ["gzip"]}, body="decoded"), None),
    ],
    ids=["stated", "stated otherwise", "as sent", "no number", "head", "not modified", "chunked and decoded"],
)
def test_the_bytes_of_the_wire_are_what_chunks_are_held_against(
    tmp_path: Path, exchange: Exchange, size: int | None
) -> None:
    """The stated length, else the body where that is what was sent; where nobody knows, any sum will do."""
    assert size == load(write_cassette(tmp_path / "a.yaml", exchange)).interactions[0].wire_bytes
    for total in (size or 0, 4):
        document = timings([exchange])
        for one in document["interactions"][0]["passes"]:
            del one["bodySize"]
            one["chunks"] = [[0.0, total]]
        path = write_pair(tmp_path / "a.yaml", recording([exchange]), document)
        if size in (None, total):
            assert [total] * 5 == [one.chunks[0][1] for one in load(path).interactions[0].timings]
        else:
            assert f"sizes add up to {total} bytes, of a body of {size}" in refusal(path)
