"""Reading a pair of files: what becomes of a good one, which of two side-cars counts, and files that can't be read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from laptime.cassette import Content, Interaction, Timing, load, sidecar_path
from tests.support import SITE, Exchange, contents, recording, timing, timings, write_cassette, write_pair
from tests.support.cassettes import PAIR, changed, refusal, shown


def test_a_pair_is_loaded_as_it_was_recorded(tmp_path: Path) -> None:
    """Requests, responses, times and digest, in the units of the files."""
    passes = [timing(200.5 + number, connect=30, chunks=[(0.0, 10), (1.5, 20)]) for number in range(5)]
    first = Exchange(
        f"{SITE}/a?b=c", "POST", 404, "Not Found", {"Vary": ["Accept"], "Set-Cookie": ["a=1", "b=2"]}, b"\xff", passes
    )
    path = write_cassette(tmp_path / "pair.yaml", first, Exchange(f"{SITE}/b"))
    loaded = load(path)
    headers = (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Vary", "Accept"))
    times = tuple(Timing(30.0, -1.0, 0.0, 200.5 + number, 0.0, ((0.0, 10), (1.5, 20))) for number in range(5))
    assert (
        Interaction(
            index=0,
            method="POST",
            uri=f"{SITE}/a?b=c",
            request_headers=(("Accept", "*/*"),),
            request_body=b"",
            status=404,
            reason="Not Found",
            headers=headers,
            body=b"\xff",
            content=Content(b"\xff", b"\xff", ()),
            timings=times,
        )
        == (loaded.interactions[0])
    )
    assert [0, 1] == [interaction.index for interaction in loaded.interactions]
    assert ("stand-in", 5, path) == (loaded.origin_kind, loaded.passes, loaded.path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == loaded.sha256


def test_a_cassette_without_side_car_has_no_times(tmp_path: Path) -> None:
    """It loads: whether that will do is for the latency mode to say."""
    loaded = load(write_cassette(tmp_path / "bare.yaml", *PAIR, timed=False))
    assert (None, 0, [(), ()]) == (loaded.origin_kind, loaded.passes, [one.timings for one in loaded.interactions])


def test_loading_writes_nothing(tmp_path: Path) -> None:
    """Neither a pair nor a cassette alone is touched, nor anything beside them."""
    paths = [write_cassette(tmp_path / "pair.yaml", *PAIR), write_cassette(tmp_path / "bare.yaml", *PAIR, timed=False)]
    before = contents(tmp_path)
    assert [2, 2] == [len(load(path).interactions) for path in paths]
    assert before == contents(tmp_path)


@pytest.mark.parametrize(("name", "sidecar"), [("a.yaml", "a.timings.json"), ("a.b.yaml", "a.b.timings.json")])
def test_the_side_car_stands_beside_its_cassette(tmp_path: Path, name: str, sidecar: str) -> None:
    """The same name with another ending."""
    assert tmp_path / sidecar == sidecar_path(tmp_path / name)


def test_a_method_is_upper_case(tmp_path: Path) -> None:
    """However it was recorded, as it stands in a request line."""
    assert (
        "GET" == load(write_cassette(tmp_path / "a.yaml", Exchange(method="get"), timed=False)).interactions[0].method
    )


@pytest.mark.parametrize(
    ("uri", "origin", "target"),
    [
        ("https://example.com", "https://example.com", "/"),
        ("https://example.com/a/b?c=d&e", "https://example.com", "/a/b?c=d&e"),
        ("http://example.com:8901/?", "http://example.com:8901", "/"),
        ("http://example.com?a=1", "http://example.com", "/?a=1"),
        ("http://example.com/a%2Fb?q=%27#part", "http://example.com", "/a%2Fb?q=%27"),
        ("http://[::1]:8901/x", "http://[::1]:8901", "/x"),
        ("http://[::1]:80/x", "http://[::1]", "/x"),
        ("https://example.com:443/x", "https://example.com", "/x"),
        ("https://example.com:80/x", "https://example.com:80", "/x"),
        ("http://Example.COM/X", "http://example.com", "/X"),
        ("http://me:secret@example.com/x", "http://example.com", "/x"),
        ("http://example.com:/x", "http://example.com", "/x"),
    ],
)
def test_an_address_is_an_origin_and_a_target(tmp_path: Path, uri: str, origin: str, target: str) -> None:
    """Scheme, host and a port of its own; path and query as in a request line, not decoded, without the fragment."""
    found = load(write_cassette(tmp_path / "a.yaml", Exchange(uri))).interactions[0]
    assert (origin, target) == (found.origin, found.target)


def test_origins_are_in_order_of_first_appearance(tmp_path: Path) -> None:
    """Each once; another port or scheme is another origin."""
    uris = ["http://b.test/1", "http://a.test/1", "http://b.test/2", "https://b.test/1", "http://b.test:81/1"]
    path = write_cassette(tmp_path / "a.yaml", *map(Exchange, uris))
    assert ("http://b.test", "http://a.test", "https://b.test", "http://b.test:81") == load(path).origins


def test_a_side_car_that_cant_be_read_is_refused(tmp_path: Path) -> None:
    """It isn't as if there were none."""
    path = write_cassette(tmp_path / "a.yaml", *PAIR, timed=False)
    sidecar_path(path).mkdir()
    assert f"{sidecar_path(path)}: can't be read: Is a directory" == refusal(path)


# A side-car that was written before its cassette


def pair_of(path: Path, *exchanges: Exchange) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a cassette, and its side-car."""
    write_cassette(path, *exchanges)
    return path.read_bytes(), json.loads(sidecar_path(path).read_text())


OLD = Exchange(f"{SITE}/a", passes=[timing(111)] * 5)


NEW = (Exchange(f"{SITE}/b", passes=[timing(222)] * 6), Exchange(f"{SITE}/c", passes=[timing(222)] * 6))


def test_a_recording_that_was_killed_leaves_the_old_pair_or_the_new_one(tmp_path: Path) -> None:
    """The side-car is put in place first, with the one that it replaces in it: both cassettes find their times."""
    path = tmp_path / "a.yaml"
    old_raw, old = pair_of(path, OLD)
    new_raw, new = pair_of(path, *NEW)
    sidecar_path(path).write_text(json.dumps(new | {"replaces": old}))
    path.write_bytes(old_raw)
    assert [[111.0] * 5] == [[one.wait_ms for one in found.timings] for found in load(path).interactions]
    path.write_bytes(new_raw)
    assert [[222.0] * 6] * 2 == [[one.wait_ms for one in found.timings] for found in load(path).interactions]


def test_a_first_timing_that_was_killed_leaves_the_cassette_without_times(tmp_path: Path) -> None:
    """Where the cassette that was to be replaced had no side-car, it still has none."""
    path = tmp_path / "a.yaml"
    old_raw, _ = pair_of(path, OLD)
    _, new = pair_of(path, *NEW)
    replaces = {"cassette_sha256": hashlib.sha256(old_raw).hexdigest()}
    sidecar_path(path).write_text(json.dumps(new | {"replaces": replaces}))
    path.write_bytes(old_raw)
    loaded = load(path)
    assert (None, 0, [()]) == (loaded.origin_kind, loaded.passes, [one.timings for one in loaded.interactions])


def test_a_cassette_recorded_again_unchanged_has_its_new_times(tmp_path: Path) -> None:
    """A deterministic origin gives the same bytes: of two side-cars that belong to it the newer one counts."""
    path = tmp_path / "a.yaml"
    _, old = pair_of(path, OLD)
    _, new = pair_of(path, Exchange(f"{SITE}/a", passes=[timing(222)] * 6))
    assert old["cassette_sha256"] == new["cassette_sha256"]
    sidecar_path(path).write_text(json.dumps(new | {"replaces": old}))
    assert [222.0] * 6 == [one.wait_ms for one in load(path).interactions[0].timings]


@pytest.mark.parametrize(
    "replaces", [None, [], "old", {}, {"cassette_sha256": None}, {"cassette_sha256": "0"}], ids=str
)
def test_a_third_cassette_finds_no_times_in_either(tmp_path: Path, replaces: object) -> None:
    """What replaces what is of no use to a cassette that is neither; nor is a broken note of it."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), timings(PAIR) | {"replaces": replaces})
    assert 5 == load(path).passes
    path.write_bytes(path.read_bytes() + b"\n")
    assert "cassette_sha256: these timings belong to another a.yaml" in refusal(path)


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("version", 2, "version: expected a side-car of version 1"),
        ("origin", "made up", "origin: expected 'live' or 'stand-in', found 'made up'"),
        ("interactions", {}, "interactions: expected 1, as in a.yaml; found a mapping"),
        ("interactions.0.passes.0.wait", "long", "interaction 0: passes[0].wait: expected milliseconds, found text"),
    ],
    ids=shown,
)
def test_a_replaced_side_car_is_held_to_the_same(tmp_path: Path, place: str, value: object, problem: str) -> None:
    """It was a side-car, and is used as one."""
    path = tmp_path / "a.yaml"
    _, new = pair_of(path, *NEW)
    old_raw, old = pair_of(path, OLD)
    sidecar_path(path).write_text(json.dumps(new | {"replaces": changed(old, place, value)}))
    assert old_raw == path.read_bytes()
    assert f"{sidecar_path(path)}: {problem}" in refusal(path)
