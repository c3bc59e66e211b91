"""What was served, as HAR 1.2: made of made-up visits, and held to the specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.cassette import Content, Interaction, load
from laptime.files import write_whole
from laptime.har import Har
from laptime.replay import Visit
from tests.support import SITE, Exchange, write_cassette
from tests.support.har import har_problems

MS = 1_000_000
DAY_NS = 1_767_323_045_678_000_000
"""2026-01-02T03:04:05.678 UTC."""


def visit(request: str = "GET /", interaction: int = 0, status: int = 200, **changed: Any) -> Visit:
    """A visit that begins at 10 ms of the clock, with a connection made for it: 1, 2, 30 and 4 ms; 99 bytes."""
    times = {"opened_ns": 10 * MS, "begun_ns": 11 * MS, "read_ns": 13 * MS, "due_ns": 43 * MS}
    times |= {"first_ns": 43 * MS, "done_ns": 47 * MS}
    return Visit(
        **{
            "origin": SITE,
            "request": request,
            "interaction": interaction,
            "status": status,
            "connection": 3,
            "sent_bytes": 99,
            **times,
            **changed,
        }
    )


def recorded(directory: Path, *exchanges: Exchange) -> tuple[Interaction, ...]:
    """The interactions of a cassette that is made of these."""
    return load(write_cassette(directory / "made-up.yaml", *exchanges, timed=False)).interactions


def logged(interactions: tuple[Interaction, ...], *visits: Visit) -> dict[str, Any]:
    """The log of one page of visits, which is as the specification says."""
    har = Har()
    har.add("test_shop, round 1", interactions, visits, DAY_NS)
    document = json.loads(har.text())
    assert [] == har_problems(document)
    log: dict[str, Any] = document["log"]
    return log


def entry(interactions: tuple[Interaction, ...], one: Visit) -> dict[str, Any]:
    """The entry of one visit."""
    (found,) = logged(interactions, one)["entries"]
    return dict(found)


# pages and entries


def test_what_was_not_visited_is_no_page() -> None:
    """A round without requests leaves a log without pages, which is valid too."""
    log = logged(())
    assert ([], []) == (log["pages"], log["entries"])
    assert ("1.2", "laptime") == (log["version"], log["creator"]["name"])


def test_a_page_begins_with_its_first_visit(tmp_path: Path) -> None:
    """Visits are told as they were completed, and written as they began, each with the time of day."""
    visits = [visit(opened_ns=-1, begun_ns=90 * MS), visit(opened_ns=20 * MS), visit(opened_ns=-1, begun_ns=30 * MS)]
    log = logged(recorded(tmp_path, Exchange()), *visits)
    times = ["2026-01-02T03:04:05.698+00:00", "2026-01-02T03:04:05.708+00:00", "2026-01-02T03:04:05.768+00:00"]
    assert times == [one["startedDateTime"] for one in log["entries"]]
    assert [(times[0], "test_shop, round 1")] == [(page["startedDateTime"], page["title"]) for page in log["pages"]]
    assert {log["pages"][0]["id"]} == {one["pageref"] for one in log["entries"]}


def test_each_title_is_one_page(tmp_path: Path) -> None:
    """However often it is added to; no two pages have the same id."""
    interactions, har = recorded(tmp_path, Exchange()), Har()
    for title in ("first", "second", "first", "empty"):
        har.add(title, interactions, [visit()] if title != "empty" else [], DAY_NS)
    log = json.loads(har.text())["log"]
    assert [] == har_problems({"log": log})
    first, second = log["pages"]
    assert ("first", "second") == (first["title"], second["title"])
    assert [first["id"], second["id"], first["id"]] == [one["pageref"] for one in log["entries"]]


# time


def test_each_part_of_a_visit_has_its_time(tmp_path: Path) -> None:
    """In milliseconds: from accepting the connection, to the request, to its end, to the answer, to its end."""
    found = entry(recorded(tmp_path, Exchange()), visit())
    parts = {"blocked": -1, "dns": -1, "connect": 1.0, "ssl": -1, "send": 2.0, "wait": 30.0, "receive": 4.0}
    assert (parts, 37.0) == (found["timings"], found["time"])
    assert "2026-01-02T03:04:05.688+00:00" == found["startedDateTime"]


def test_a_connection_that_was_kept_took_no_time(tmp_path: Path) -> None:
    """It is said to be unknown, as the specification has it, and the visit begins with its request."""
    found = entry(recorded(tmp_path, Exchange()), visit(opened_ns=-1))
    assert (-1, 36.0, "3") == (found["timings"]["connect"], found["time"], found["connection"])
    assert "2026-01-02T03:04:05.689+00:00" == found["startedDateTime"]


MOMENTS = st.integers(0, 10**15)
HELLO = Interaction(0, "GET", f"{SITE}/", (), b"", 200, "OK", (), b"hello", Content(b"hello", None, ()), ())


@given(
    st.lists(
        st.builds(
            visit,
            interaction=st.sampled_from([-1, 0]),
            status=st.integers(200, 999),
            opened_ns=st.just(-1) | MOMENTS,
            begun_ns=MOMENTS,
            read_ns=MOMENTS,
            first_ns=MOMENTS,
            done_ns=MOMENTS,
            sent_bytes=st.integers(0, 2**40),
            connection=st.integers(0, 10**6),
        ),
        max_size=5,
    )
)
def test_no_time_is_negative_whatever_was_noted(visits: list[Visit]) -> None:
    """Pipelined requests overlap, and clocks are read one after the other: the sum is still the whole."""
    assert len(visits) == len(logged((HELLO,), *visits)["entries"])


# what was asked and answered


def test_what_was_asked_is_as_recorded(tmp_path: Path) -> None:
    """The recorded address, its query in parts and its headers; what was posted, as text."""
    sent = "name=pear&price=3"
    exchange = Exchange(f"{SITE}/a%20b?x=1&x=&y=%C3%A4+b", "POST", sent=sent)
    asked = entry(recorded(tmp_path, exchange), visit("POST /a%20b?x=1&x=&y=%C3%A4+b"))["request"]
    assert ("POST", exchange.uri, "HTTP/1.1") == (asked["method"], asked["url"], asked["httpVersion"])
    assert [{"name": "Accept", "value": "*/*"}] == asked["headers"]
    query = [(pair["name"], pair["value"]) for pair in asked["queryString"]]
    assert [("x", "1"), ("x", ""), ("y", "ä b")] == query
    assert (len(sent), sent) == (asked["bodySize"], asked["postData"]["text"])


def test_a_body_that_is_no_text_is_written_as_far_as_it_is(tmp_path: Path) -> None:
    """JSON holds text only."""
    asked = entry(recorded(tmp_path, Exchange(method="POST", sent=b"a\xff\0b")), visit("POST /"))["request"]
    assert (4, "a\ufffd\0b") == (asked["bodySize"], asked["postData"]["text"])


def test_what_was_answered_is_as_recorded(tmp_path: Path) -> None:
    """Its headers, the size of what was unpacked, and the bytes that were sent."""
    headers = {"Content-Type": ["text/plain"], "Content-Encoding": ["gzip"], "Location": ["/b"], "X-Two": ["1", "2"]}
    exchange = Exchange(status=201, reason="Made", headers=headers, body="x" * 1000)
    answered = entry(recorded(tmp_path, exchange), visit(status=201))["response"]
    assert (201, "Made", "/b") == (answered["status"], answered["statusText"], answered["redirectURL"])
    assert {"size": 1000, "mimeType": "text/plain"} == answered["content"]
    assert [("X-Two", "1"), ("X-Two", "2")] == [(one["name"], one["value"]) for one in answered["headers"]][-2:]
    assert 99 == answered["_transferSize"]


@pytest.mark.parametrize(
    "exchange",
    [Exchange(method="HEAD"), Exchange(status=204), Exchange(status=304)],
    ids=lambda exchange: f"{exchange.method} {exchange.status}",
)
def test_an_answer_without_a_body_has_no_content(tmp_path: Path, exchange: Exchange) -> None:
    """Whatever the recording holds as one."""
    found = entry(recorded(tmp_path, exchange), visit(f"{exchange.method} /", status=exchange.status))
    assert {"size": 0, "mimeType": ""} == found["response"]["content"]


@pytest.mark.parametrize(
    ("status", "reason"), [(599, "Not Recorded"), (429, "Too Many Requests"), (503, "Service Unavailable")]
)
def test_what_no_recording_answered_is_logged_too(status: int, reason: str) -> None:
    """Under the recorded origin, with the replay's own status."""
    found = entry((), visit("GET /fig?x=1", interaction=-1, status=status))
    assert (f"{SITE}/fig?x=1", status, reason) == (
        found["request"]["url"],
        found["response"]["status"],
        found["response"]["statusText"],
    )
    assert [{"name": "x", "value": "1"}] == found["request"]["queryString"]


def test_an_address_that_was_asked_whole_is_not_put_behind_the_origin() -> None:
    """As a client asks that takes the replay for a proxy."""
    found = entry((), visit("GET http://other.test/fig", interaction=-1, status=599))
    assert "http://other.test/fig" == found["request"]["url"]


def test_bytes_outside_text_do_not_spoil_the_file(tmp_path: Path) -> None:
    """A recorded header may hold what is no UTF-8; the log can be written all the same."""
    path = tmp_path / "odd.json"
    request = {"method": "GET", "uri": f"{SITE}/", "body": None, "headers": {}}
    headers = {"X-Odd": ["caf\udce9"]}
    response = {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": "hello"}}
    path.write_text(json.dumps({"version": 1, "interactions": [{"request": request, "response": response}]}))
    har = Har()
    har.add("odd", load(path).interactions, [visit()], DAY_NS)
    write_whole(tmp_path / "out.har", har.text())
    assert [] == har_problems(json.loads((tmp_path / "out.har").read_text(encoding="utf-8")))
