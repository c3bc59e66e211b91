"""How one recording differs from the one that it replaces."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from laptime.cassette import Cassette, changes, load
from tests.support import PASSES, SITE, Exchange, timing, write_cassette


def get(target: str, *waits_ms: float, body: bytes | str = "hello", **changed: object) -> Exchange:
    """A request for a page, with the wait of each pass."""
    passes = [timing(wait=wait) for wait in waits_ms or (0.0,) * PASSES]
    return replace(Exchange(f"{SITE}{target}", body=body, passes=passes), **changed)  # type: ignore[arg-type]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the pairs are written."""
    return tmp_path


def cassette(directory: Path, exchanges: Sequence[Exchange], *, timed: bool = True) -> Cassette:
    """A recording of these."""
    path = directory / f"{len(list(directory.iterdir()))}.yaml"
    return load(write_cassette(path, *exchanges, timed=timed))


def between(directory: Path, old: Sequence[Exchange], new: Sequence[Exchange]) -> list[str]:
    """The changes from one recording to another, without the line on all waits."""
    *lines, last = changes(cassette(directory, old), cassette(directory, new))
    assert last.startswith("all waits of a pass: ")
    return lines


def test_the_same_twice_is_no_change(directory: Path) -> None:
    """But for the line that says how long everything waited, which is always there."""
    once = [get("/a"), get("/b", *range(PASSES))]
    assert ["all waits of a pass: 2 → 2 ms (median)"] == changes(cassette(directory, once), cassette(directory, once))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([get("/a")], [get("/a"), get("/b")], ["added: GET http://site.test/b"]),
        ([get("/a"), get("/b")], [get("/b")], ["gone: GET http://site.test/a"]),
        ([get("/a")], [get("/b")], ["added: GET http://site.test/b", "gone: GET http://site.test/a"]),
        ([get("/a")], [get("/a", method="POST")], ["added: POST http://site.test/a", "gone: GET http://site.test/a"]),
        ([get("/a?q=1")], [get("/a?q=1"), get("/a?q=2")], ["added: GET http://site.test/a?q=2"]),
        ([get("/a"), get("/b")], [get("/b"), get("/a")], []),
        ([get("/a")], [get("/a"), get("/a")], ["added: GET http://site.test/a (no. 2)"]),
        ([get("/a")] * 4, [get("/a")] * 3, ["gone: GET http://site.test/a (no. 4)"]),
        (
            [get("/a"), get("/a", body="second")],
            [get("/a"), get("/a", body="2nd")],
            ["body changed: GET http://site.test/a (no. 2): 6 → 3 bytes"],
        ),
        ([get("/a")], [get("/a", status=404)], ["status changed: GET http://site.test/a: 200 → 404"]),
        ([get("/a")], [get("/a", reason="Okay")], []),
        ([get("/a")], [get("/a", body="jello")], ["body changed: GET http://site.test/a: 5 → 5 bytes"]),
        ([get("/a")], [get("/a", body="x" * 12345)], ["body changed: GET http://site.test/a: 5 → 12,345 bytes"]),
        (
            [get("/a")],
            [get("/a", status=500, body="")],
            ["status changed: GET http://site.test/a: 200 → 500", "body changed: GET http://site.test/a: 5 → 0 bytes"],
        ),
        ([get("/a")], [get("/a", headers={"Date": ["Mon, 02 Jan 2026 03:04:05 GMT"]})], []),
    ],
    ids=[
        "added",
        "gone",
        "another",
        "another method",
        "another query",
        "another order",
        "repeated once more",
        "repeated once less",
        "repeated, the second changed",
        "status",
        "reason",
        "body of the same length",
        "body of another length",
        "status and body",
        "headers",
    ],
)
def test_each_change_is_a_line(directory: Path, old: list[Exchange], new: list[Exchange], expected: list[str]) -> None:
    """Requests by method and address, the second of the same counted for itself; then statuses, then bodies."""
    assert expected == between(directory, old, new)


def test_bodies_are_compared_as_a_reader_sees_them(directory: Path) -> None:
    """Not as they were compressed, which may differ from visit to visit."""
    page = b"a page that repeats itself " * 100
    headers = {"Content-Encoding": ["gzip"]}
    packed = [get("/a", body=gzip.compress(page, level, mtime=level), headers=headers) for level in (1, 9)]
    assert [] == between(directory, packed[:1], packed[1:])
    assert [] == between(directory, packed[:1], [get("/a", body=page)])
    other = get("/a", body=gzip.compress(page + b"."), headers=headers)
    assert ["body changed: GET http://site.test/a: 2,700 → 2,701 bytes"] == between(directory, packed[:1], [other])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((1, 2, 3, 4, 5), (6, 7, 8, 9, 10), "3.0 → 8.0"),
        ((6, 7, 8, 9, 10), (1, 2, 3, 4, 5), "8.0 → 3.0"),
        ((1, 2, 3, 4, 5), (6, 7, 8, 1999.5, 2000), "3.0 → 8.0"),
        ((1, 2, 3, 4, 5), (5, 6, 7, 8, 9), None),
        ((1, 2, 3, 4, 50), (6, 7, 8, 9, 10), None),
        ((6, 7, 8, 9, 10), (1, 2, 3, 4, 6), None),
        ((5, 5, 5, 5, 5), (5, 5, 5, 5, 5), None),
        ((0, 0, 0, 0, 0), (1000, 1000, 1000, 1000, 1234.56), "0.0 → 1,000.0"),
        ((1, 2, 3, 4, 5), (6, 7, 8, 9, 10, 11), "3.0 → 8.5"),
    ],
)
def test_a_wait_changed_where_all_passes_say_so(
    directory: Path, old: tuple[float, ...], new: tuple[float, ...], expected: str | None
) -> None:
    """All of one recording are longer than all of the other; what both could have shown is no change."""
    lines = [] if expected is None else [f"wait changed: GET http://site.test/a: {expected} ms (median)"]
    assert lines == between(directory, [get("/a", *old)], [get("/a", *new)])


def test_the_waits_of_all_requests_are_summed_up(directory: Path) -> None:
    """Pass by pass; the median of those sums."""
    old = cassette(directory, [get("/a", 1, 2, 3, 4, 5), get("/b", 50, 40, 30, 20, 10)])
    new = cassette(directory, [get("/a", 1, 2, 3, 4, 5), get("/c", 1000, 1000, 1000, 1000, 1000)])
    assert "all waits of a pass: 33 → 1,003 ms (median)" == changes(old, new)[-1]


@pytest.mark.parametrize(("old_is_timed", "new_is_timed"), [(False, True), (True, False), (False, False)])
def test_what_has_no_times_has_none_to_compare(directory: Path, old_is_timed: bool, new_is_timed: bool) -> None:
    """Where one recording lacks its side-car only the answers are compared."""
    old = cassette(directory, [get("/a")], timed=old_is_timed)
    new = cassette(directory, [get("/a", 9, 9, 9, 9, 9, body="new")], timed=new_is_timed)
    assert ["body changed: GET http://site.test/a: 5 → 3 bytes"] == changes(old, new)


KINDS = {
    "added": ([get("/a")], [get("/a"), *(get(f"/{number}") for number in range(12))]),
    "gone": ([get("/a"), *(get(f"/{number}") for number in range(12))], [get("/a")]),
    "status changed": (
        [get(f"/{number}") for number in range(12)],
        [get(f"/{number}", status=404) for number in range(12)],
    ),
    "body changed": ([get(f"/{number}") for number in range(12)], [get(f"/{number}", body="") for number in range(12)]),
    "wait changed": (
        [get(f"/{number}") for number in range(12)],
        [get(f"/{number}", *(9.0,) * PASSES) for number in range(12)],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_ten_of_a_kind_are_counted(directory: Path, kind: str) -> None:
    """The first ten are shown, in the order of the recording, and how many more there are."""
    old, new = KINDS[kind]
    lines = between(directory, old, new)
    assert [f"{kind}: GET http://site.test/{number}" for number in range(10)] == [
        ": ".join([*line.split(": ")[:2]]) for line in lines[:10]
    ]
    assert [f"{kind}: and 2 more"] == lines[10:]


def test_ten_of_a_kind_are_all_shown(directory: Path) -> None:
    """Nothing is left to be counted."""
    new = [get("/a"), *(get(f"/{number}") for number in range(10))]
    assert [f"added: GET http://site.test/{number}" for number in range(10)] == between(directory, [get("/a")], new)
