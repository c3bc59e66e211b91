"""Which answer a request gets, in what order, and what is known of it afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import requests

from laptime.replay import ReplayServer, Served
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, bodies, complete, timing

MS = 1_000_000  # nanoseconds


def test_a_repeated_request_is_answered_in_recorded_order(serve: Serve) -> None:
    """Then from the start again; other requests in between don't count."""
    stage = serve(
        *(Exchange(f"{SITE}/a", body=body) for body in ("first", "second", "third")), Exchange(f"{SITE}/b", body="b")
    )
    assert ["first", "b", "second", "b", "third", "first", "second"] == (
        bodies(stage, "/a", "/b", "/a", "/b", "/a", "/a", "/a")
    )


def test_a_round_begins_with_the_first_answer(serve: Serve) -> None:
    """Wherever the last one ended."""
    stage = serve(*(Exchange(f"{SITE}/a", body=body) for body in ("first", "second", "third")))
    assert ["first", "second"] == bodies(stage, "/a", "/a")
    stage.begin()
    assert ["first"] == bodies(stage, "/a")


def test_requests_that_differ_in_their_bodies_are_answered_apart(serve: Serve) -> None:
    """Asked from eight threads at once, in any order: each body gets its own answers, in recorded order."""
    queries = [{"query": f"{{ item(id: {number}) }}", "variables": {"n": number}} for number in range(16)]
    stage = serve(
        *(
            Exchange(
                f"{SITE}/graphql", "POST", sent=json.dumps(query), body=f"{number}, {visit}", passes=[timing(1)] * 5
            )
            for visit in ("first", "second")
            for number, query in enumerate(queries)
        )
    )

    def ask(number: int) -> list[str]:
        with requests.Session() as client:
            asked = [client.post(f"{stage.url()}/graphql", json=queries[number], timeout=HANG_LIMIT_S) for _ in "123"]
        return [answer.text for answer in asked]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, reversed(range(16))))
    assert [[f"{number}, {visit}" for visit in ("first", "second", "first")] for number in reversed(range(16))] == found
    answer = requests.post(f"{stage.url()}/graphql", json={"query": "another"}, timeout=HANG_LIMIT_S)
    assert (599, "with this body; it was recorded with 16 others") == (answer.status_code, answer.text.splitlines()[1])
    assert ({"POST /graphql": 48}, ["POST /graphql"]) == stage.end()[:2]


@pytest.mark.parametrize("post", [requests.post, httpx.post], ids=["requests", "httpx"])
def test_forms_are_told_apart_however_a_client_writes_them(serve: Serve, post: Callable[..., Any]) -> None:
    """Fields in any order, and a multipart form whose boundary is drawn anew each time."""
    head = 'Content-Disposition: form-data; name="boat"; filename="a.txt"\r\nContent-Type: text/plain'
    part = f"--drawn\r\n{head}\r\n\r\n%s\r\n--drawn--\r\n"
    stage = serve(
        *(Exchange(f"{SITE}/form", "POST", sent=f"boat={boat}&note=caf%C3%A9+au+lait", body=boat) for boat in "ab"),
        *(Exchange(f"{SITE}/file", "POST", sent=part % boat, body=boat) for boat in "ab"),
    )
    for boat in "ba":
        form = {"note": "caf\u00e9 au lait", "boat": boat}
        assert boat == post(f"{stage.url()}/form", data=form, timeout=HANG_LIMIT_S).text
        files = {"boat": ("a.txt", boat.encode(), "text/plain")}
        assert boat == post(f"{stage.url()}/file", files=files, timeout=HANG_LIMIT_S).text
    assert [] == stage.end().unmatched


def test_a_secret_that_was_left_out_may_be_any(serve: Serve) -> None:
    """What was recorded as REDACTED is found by whatever is sent in its place."""
    stage = serve(
        *(Exchange(f"{SITE}/{path}?page={path}&api_key=REDACTED", body=path) for path in "ab"),
        *(
            Exchange(f"{SITE}/login", "POST", sent=f"user={user}&password=REDACTED", body=f"welcome {user}")
            for user in "ab"
        ),
    )
    assert ["b", "a"] == bodies(stage, "/b?api_key=4f2a&page=b", "/a?page=a&api_key=sesame")
    form = {"password": "s\u00e9same", "user": "b"}
    assert "welcome b" == requests.post(f"{stage.url()}/login", form, timeout=HANG_LIMIT_S).text


def test_method_path_and_query_tell_requests_apart(serve: Serve) -> None:
    """Nothing else does."""
    stage = serve(
        Exchange(f"{SITE}/a", body="get"),
        Exchange(f"{SITE}/a", "POST", body="post"),
        Exchange(f"{SITE}/a?page=2", body="second page"),
    )
    assert ["get", "second page"] == bodies(stage, "/a", "/a?page=2")
    asked = requests.post(f"{stage.url()}/a", {"any": "thing"}, headers={"X-Any": "thing"}, timeout=HANG_LIMIT_S)
    assert "post" == asked.text


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    """However long each one takes; their waits run side by side, from when they were read."""
    waits_ms = [20, 2, 11]
    stage = serve(
        *(
            Exchange(f"{SITE}/{number}", body=f"<{number}>", passes=[timing(wait)] * 5)
            for number, wait in enumerate(waits_ms)
        )
    )
    with Wire(stage.url()) as wire:
        sent_ns = wire.ask("/0", "/1", "/2")
        answers = wire.until(b"<2>")
        assert 20 * MS <= wire.arrived_ns(0) - sent_ns
    assert [b"<0>", b"<1>", b"<2>"] == [part[-3:] for part in answers.split(b"HTTP/1.1 200 OK")[1:]]
    entries = stage.end(log=True).log
    assert ["GET /0", "GET /1", "GET /2"] == [entry.request for entry in entries]
    assert [wait * MS for wait in waits_ms] == [entry.due_ns - entry.read_ns for entry in entries]


@pytest.mark.parametrize("target", ["/", "/unknown"])
def test_any_number_of_pipelined_requests_is_answered(serve: Serve, target: str) -> None:
    """A thousand in one write, behind one that waits."""
    stage = serve(Exchange(), latency="fixed:5ms")
    with Wire(stage.url()) as wire:
        wire.ask(*["/"] + [target] * 999)
        wire.until(b"HTTP/1.1 ", times=1000)
    served = stage.end()
    assert 1000 == served.requests["GET /"] + len(served.unmatched)


def test_what_was_served_is_counted_by_request(serve: Serve) -> None:
    """From the beginning of the round; the log is there for those who ask for it."""
    stage = serve(Exchange(f"{SITE}/a"), Exchange(f"{SITE}/b?c=d"))
    bodies(stage, "/a")
    stage.begin()
    assert Served({}, [], [], []) == stage.end()
    bodies(stage, "/a", "/b?c=d", "/a")
    assert Served({"GET /a": 2, "GET /b?c=d": 1}, [], [], []) == stage.end()
    assert ["GET /a", "GET /b?c=d", "GET /a"] == [entry.request for entry in stage.end(log=True).log]


def test_the_log_may_be_taken_in_parts(serve: Serve) -> None:
    """What was taken is not in the rest; the counts are of the whole round."""
    stage = serve(Exchange(f"{SITE}/a"), Exchange(f"{SITE}/b"))
    bodies(stage, "/a")
    assert ["GET /a"] == [visit.request for visit in stage.take_log()]
    bodies(stage, "/b", "/c")
    assert [("GET /b", 1, 200), ("GET /c", -1, 599)] == [
        (visit.request, visit.interaction, visit.status) for visit in stage.take_log()
    ]
    assert ([], {"GET /a": 1, "GET /b": 1}) == (stage.take_log(), stage.end(log=True).requests)


def test_a_visit_tells_what_came_when(serve: Serve) -> None:
    """Its times follow each other; the first on a connection has when that was opened, and each how much was sent."""
    stage = serve(
        Exchange(f"{SITE}/a", passes=[timing(2)] * 5), Exchange("http://b.test/a", status=404, reason="Not Found")
    )
    with Wire(stage.url(SITE)) as wire:
        begun_ns = wire.send(b"GET /a HTTP/1.1\r\n")
        read_ns = wire.send(b"Host: site.test\r\n\r\n")
        wire.until(b"hello")
        wire.ask("/a")
        wire.until(b"hello", times=2)
        done_ns = time.monotonic_ns()
    bodies(stage, "/a", origin="http://b.test")
    first, second, other = stage.end(log=True).log
    assert [True] * 3 == [
        visit.begun_ns <= visit.read_ns <= visit.due_ns <= visit.first_ns <= visit.done_ns
        for visit in (first, second, other)
    ]
    assert begun_ns <= first.begun_ns <= done_ns
    assert read_ns <= first.read_ns <= first.done_ns <= second.begun_ns <= done_ns
    assert (True, -1, True) == (0 <= first.opened_ns <= first.begun_ns, second.opened_ns, 0 <= other.opened_ns)
    assert (True, False) == (first.connection == second.connection, second.connection == other.connection)
    sent = len("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    assert [(SITE, 0, 200, sent), (SITE, 0, 200, sent), ("http://b.test", 1, 404, sent + 7)] == [
        (visit.origin, visit.interaction, visit.status, visit.sent_bytes) for visit in (first, second, other)
    ]


def test_the_log_is_in_order_of_completion(serve: Serve) -> None:
    """A request that waits longer is logged later, though it came first; whichever it was that was done first."""
    stage = serve(Exchange(f"{SITE}/slow", passes=[timing(60)] * 5), Exchange(f"{SITE}/quick"))
    with Wire(stage.url()) as slow, Wire(stage.url()) as quick:
        slow.ask("/slow")
        quick.ask("/quick")
        quick.until(b"hello")
        slow.until(b"hello")
    done_ns = {entry.request: entry.done_ns for entry in stage.end(log=True).log}
    assert {"GET /quick", "GET /slow"} == set(done_ns)
    assert sorted(done_ns.values()) == list(done_ns.values())


def test_a_round_may_begin_on_all_stages_at_once(server: ReplayServer, serve: Serve) -> None:
    """Each starts from its first answers again, and counts from nothing."""
    stages = [serve(*(Exchange(f"{SITE}/a", body=f"{name} {visit}") for visit in "12")) for name in ("one", "other")]
    for _ in range(2):
        server.begin()
        assert [["one 1"], ["other 1"]] == [bodies(stage, "/a") for stage in stages]
        assert [{"GET /a": 1}] * 2 == [stage.end().requests for stage in stages]


def test_stages_on_one_server_are_apart(serve: Serve) -> None:
    """Each has its own ports, its own counts and its own rounds."""
    one, other = serve(Exchange(f"{SITE}/a", body="one")), serve(Exchange(f"{SITE}/a", body="other"))
    assert [["one", "one"], ["other"]] == [bodies(one, "/a", "/a"), bodies(other, "/a")]
    one.begin()
    assert [{}, {"GET /a": 1}] == [one.end().requests, other.end().requests]


# What was not recorded


def test_a_request_that_was_not_recorded_is_refused(serve: Serve) -> None:
    """With status 599, which no site uses, and the recorded requests that come nearest."""
    stage = serve(*(Exchange(f"{SITE}/items/{number}") for number in (1, 2, 3)), Exchange(f"{SITE}/about"))
    answer = requests.get(f"{stage.url()}/items/10?x", timeout=HANG_LIMIT_S)
    said = "laptime replay: not recorded: GET /items/10?x\nnearest recorded:\n  GET /items/"
    assert (599, "Not Recorded", said) == (answer.status_code, answer.reason, answer.text[: len(said)])
    assert {"GET /items/1", "GET /items/2", "GET /items/3"} == {line.strip() for line in answer.text.splitlines()[2:]}


def test_requests_that_were_not_recorded_are_listed(serve: Serve) -> None:
    """In order of arrival, and not among the served; the connection goes on."""
    stage = serve(Exchange(f"{SITE}/a"))
    with Wire(stage.url()) as wire:
        for request in ("PUT /a", "GET /b", "GET /a", "GET /b"):
            wire.data = b""
            wire.send(f"{request} HTTP/1.1\r\nHost: site.test\r\n\r\n".encode())
            wire.receive(complete)
    assert Served({"GET /a": 1}, ["PUT /a", "GET /b", "GET /b"], [], []) == stage.end()


def test_a_round_begins_with_no_unmatched_requests(serve: Serve) -> None:
    """Those of the round before are forgotten."""
    stage = serve(Exchange(f"{SITE}/a"))
    bodies(stage, "/b")
    assert ["GET /b"] == stage.end().unmatched
    stage.begin()
    assert [] == stage.end().unmatched


def test_an_upgrade_is_refused_once(serve: Serve) -> None:
    """501 and the end of the connection: nothing but HTTP was recorded, so nothing was served."""
    stage = serve(Exchange(), latency="none")
    with Wire(stage.url()) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        answer = wire.rest()
    assert [b"", b"501 Not Implemented"] == [part.partition(b"\r\n")[0] for part in answer.split(b"HTTP/1.1 ")]
    assert Served({}, [], ["501 Not Implemented: protocol upgrades are not recorded"], []) == stage.end()
