"""Clients that send too much, or what is no request, or take nothing: they are told why, and others are served."""

from __future__ import annotations

import time
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPSConnection
from itertools import pairwise

import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from laptime.replay import Latency, ReplayServer, Served
from laptime.replay import Stage as Handle
from laptime.replay.connection import MAX_BODY_BYTES, MAX_HEAD_BYTES
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, bodies, timing, write_cassette
from tests.support.replays import trusting, write_large

LARGE = 30_000_000
"""More than all buffers between the server and its client hold."""


def address(stage: Handle) -> tuple[str, int]:
    """Host and port."""
    host, _, port = stage.url().partition("://")[2].partition(":")
    return host, int(port)


# Requests that are too much


@pytest.mark.parametrize(
    ("where", "tls"), [("header", False), ("headers", False), ("target", False), ("header", True)], ids=str
)
def test_a_head_of_a_megabyte_is_refused_and_its_sender_told(serve: Serve, where: str, tls: bool) -> None:
    """431, which reaches the client though it was still sending; others are served, and the stage has it."""
    stage = serve(Exchange(), latency="none", tls=tls)
    client: HTTPConnection
    if tls:
        client = HTTPSConnection(*address(stage), timeout=HANG_LIMIT_S, context=trusting(stage))
    else:
        client = HTTPConnection(*address(stage), timeout=HANG_LIMIT_S)
    headers = {"header": {"X": "x" * 2**20}, "headers": {f"X-{n}": "x" * 1024 for n in range(1024)}, "target": {}}
    client.request("GET", "/" + "x" * 2**20 if where == "target" else "/", headers=headers[where])
    answer = client.getresponse()
    assert (431, "close", b"laptime replay: a head of more than 256 KiB\n") == (
        answer.status,
        answer.headers["Connection"],
        answer.read(),
    )
    client.close()
    assert Served({}, [], ["431 Request Header Fields Too Large: a head of more than 256 KiB"], []) == stage.end()


@pytest.mark.parametrize("cut", [2**20, 2**16, 1000], ids=["whole", "in pieces of 64 KiB", "in pieces of 1000 bytes"])
def test_a_head_up_to_the_limit_is_a_head(serve: Serve, cut: int) -> None:
    """Wherever the network cuts it."""
    stage = serve(Exchange(), latency="none")
    head = b"GET / HTTP/1.1\r\nHost: site.test\r\nX: %s\r\n\r\n" % (b"x" * (MAX_HEAD_BYTES - 1000))
    with Wire(stage.url()) as wire:
        for at in range(0, len(head), cut):
            wire.send(head[at : at + cut])
        assert b"HTTP/1.1 200 OK" == wire.until(b"hello")[:15]


def test_a_large_body_that_decides_nothing_is_read_over(serve: Serve) -> None:
    """A hundred megabytes: the answer is the recorded one, and the next request on the connection is answered too."""
    stage = serve(Exchange(method="POST", body="made"), Exchange(f"{SITE}/next", body="next"), latency="none")
    with requests.Session() as client:
        assert "made" == client.post(stage.url(), data=bytes(100_000_000), timeout=HANG_LIMIT_S).text
        assert "next" == client.get(f"{stage.url()}/next", timeout=HANG_LIMIT_S).text
    assert 1 == len({visit.connection for visit in stage.end(log=True).log})


def test_a_large_body_that_decides_is_read_up_to_a_limit(serve: Serve) -> None:
    """Of 64 MiB it is compared with the recorded ones; one byte more is too much to keep, and its sender is told."""
    stage = serve(
        Exchange(method="POST", sent="one", body="first"),
        Exchange(method="POST", sent="other", body="second"),
        latency="none",
    )
    most = bytes(MAX_BODY_BYTES)
    assert 599 == requests.post(stage.url(), data=most, timeout=HANG_LIMIT_S).status_code
    answer = requests.post(stage.url(), data=most + b"x", timeout=HANG_LIMIT_S)
    assert (413, "laptime replay: a body of more than 64 MiB\n") == (answer.status_code, answer.text)
    assert "second" == requests.post(stage.url(), data="other", timeout=HANG_LIMIT_S).text
    served = stage.end()
    assert ({"POST /": 1}, ["POST /"], ["413 Content Too Large: a body of more than 64 MiB"]) == served[:3]


# Requests that are none


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"NOT HTTP AT ALL\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        bytes(range(256)),
    ],
    ids=["no colon", "no length", "two framings", "no chunk", "HTTP/2", "words", "HTTP/9.9", "TLS", "bytes"],
)
def test_what_is_no_request_is_told_so(serve: Serve, request_: bytes) -> None:
    """400, with a word on why, which the stage has too, and the end of the connection; others are still served."""
    stage = serve(Exchange(), Exchange(method="POST"), latency="none")
    with Wire(stage.url()) as wire:
        wire.send(request_)
        answer = wire.rest()
    assert b"HTTP/1.1 400 Bad Request\r\n" == answer[:26]
    assert b"\r\nConnection: close\r\n\r\nlaptime replay: not HTTP/1.1: " in answer
    served = stage.end()
    assert ({}, [], 1) == (served.requests, served.unmatched, len(served.refused))
    assert "400 Bad Request: not HTTP/1.1: " == served.refused[0][:31]
    assert ["hello"] == bodies(stage, "/")


def test_what_follows_a_request_does_not_take_its_answer(serve: Serve) -> None:
    """Garbage behind a whole request, in one write: the request is answered, then the connection ends."""
    stage = serve(Exchange(), latency="fixed:5ms")
    with Wire(stage.url()) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\nNOT HTTP AT ALL\r\n\r\n")
        assert b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" == wire.rest()[:43]
    served = stage.end()
    assert ({"GET /": 1}, 1) == (served.requests, len(served.refused))


def test_a_client_may_go_in_the_middle_of_its_request(serve: Serve) -> None:
    """That was no request, and nothing is said of it."""
    stage = serve(Exchange(), latency="none")
    for part in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: si", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"):
        with Wire(stage.url()) as wire:
            wire.send(part)
    assert ["hello"] == bodies(stage, "/")
    assert Served({"GET /": 1}, [], [], []) == stage.end()


REQUESTS = {
    b"GET /a HTTP/1.1\r\nHost: site.test\r\n\r\n": b"<a>",
    b"GET http://site.test/a HTTP/1.1\r\nHost: site.test\r\n\r\n": b"<a>",
    b"HEAD /a HTTP/1.1\r\nHost: site.test\r\n\r\n": b"",
    b'POST /b HTTP/1.1\r\nContent-Length: 8\r\n\r\n{"n": 1}': b"<one>",
    b'POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"n\r\n5;x=y\r\n": 2}\r\n0\r\nX: y\r\n\r\n': b"<two>",
    b"POST /b HTTP/1.1\r\nContent-Length: 8\r\n\r\nGET / HT": b"with this body",
    b"\r\nPUT /c HTTP/1.1\r\nContent-Length: 3\r\n\r\nany": b"<c>",
    b"GET /unknown HTTP/1.1\r\n\r\n": b"nearest recorded",
}


@pytest.fixture(scope="module")
def various(server: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Handle:
    """A stage for requests of several kinds."""
    exchanges = (
        Exchange(f"{SITE}/a", body="<a>"),
        Exchange(f"{SITE}/a", "HEAD", body=""),
        Exchange(f"{SITE}/b", "POST", sent='{"n": 1}', body="<one>", passes=[timing(1)] * 5),
        Exchange(f"{SITE}/b", "POST", sent='{"n": 2}', body="<two>"),
        Exchange(f"{SITE}/c", "PUT", body="<c>", passes=[timing(0, chunks=[(0, 1), (1, 2)])] * 5),
    )
    path = write_cassette(tmp_path_factory.mktemp("various") / "various.yaml", *exchanges)
    return server.load(path, Latency.parse("recorded"))


@given(sent_requests=st.lists(st.sampled_from(list(REQUESTS)), min_size=1, max_size=80), data=st.data())
def test_requests_are_answered_in_order_wherever_they_are_cut(
    various: Handle, sent_requests: list[bytes], data: st.DataObject
) -> None:
    """Any kinds of them on one connection, as they come: each gets its own answer, and none is taken for another."""
    sent = b"".join(sent_requests)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=12)))
    various.begin()
    with Wire(various.url()) as wire:
        for start, end in pairwise([0, *cuts, len(sent)]):
            wire.send(sent[start:end])
        answers = wire.receive(lambda received: len(answers_in(received)) == len(sent_requests))
    for request, answer in zip(sent_requests, answers_in(answers), strict=True):
        assert REQUESTS[request] in answer
    unknown = sum(b"nearest" in REQUESTS[one] or b"with this" in REQUESTS[one] for one in sent_requests)
    served = various.end()
    assert (len(sent_requests) - unknown, unknown, []) == (
        sum(served.requests.values()),
        len(served.unmatched),
        served.refused,
    )


def answers_in(received: bytes) -> list[bytes]:
    """The whole answers, heads and bodies."""
    found = []
    while b"\r\n\r\n" in received:
        head, _, rest = received.partition(b"\r\n\r\n")
        stated = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
        size = stated[0] if stated else 0
        if len(rest) < size:
            break
        found.append(head + rest[:size])
        received = rest[size:]
    return found


# Leave to send a body


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n"], ids=["length", "chunked"]
)
def test_who_asks_whether_to_send_a_body_is_told_to(serve: Serve, framing: bytes) -> None:
    """100 comes before the body is sent, the answer after it."""
    stage = serve(Exchange(method="POST", body="made"), latency="none")
    with Wire(stage.url()) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: site.test\r\nExpect: 100-Continue\r\n" + framing + b"\r\n")
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == wire.until(b"\r\n\r\n")
        wire.send(b"4\r\nbody\r\n0\r\n\r\n" if b"chunked" in framing else b"body")
        assert b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmade" == wire.until(b"made")[25:]
    assert {"POST /": 1} == stage.end().requests


def test_who_asks_amid_another_answer_is_told_afterwards(serve: Serve) -> None:
    """The leave belongs behind the answer before it, and must come even so."""
    stage = serve(Exchange(body="first", passes=[timing(30)] * 5), Exchange(method="POST", body="made"))
    with Wire(stage.url()) as wire:
        wire.ask("/")
        wire.send(b"POST / HTTP/1.1\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        told = wire.until(b"100 Continue\r\n\r\n")
        assert b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 100 Continue\r\n\r\n" == told
        wire.send(b"body")
        wire.until(b"made")


def test_nobody_else_is_told_to_send_a_body(serve: Serve) -> None:
    """Other expectations are not met, and not asked about."""
    stage = serve(Exchange(method="POST", body="made"), latency="none")
    with Wire(stage.url()) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: site.test\r\nExpect: the-unexpected\r\nContent-Length: 4\r\n\r\nbody")
        assert b"HTTP/1.1 200 OK" == wire.until(b"made")[:15]


# Clients that take nothing


@pytest.fixture(scope="module")
def large(server: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Handle:
    """A stage with an answer of thirty megabytes at `/`, and a short one at `/short`."""
    exchanges = Exchange(body="x" * LARGE), Exchange(f"{SITE}/short")
    path = write_large(tmp_path_factory.mktemp("large") / "large.json", *exchanges)
    return server.load(path, Latency.parse("none"))


def test_a_client_that_takes_nothing_stops_nobody(large: Handle) -> None:
    """Five of them ask for thirty megabytes and read none: others get theirs, and only those were served."""
    large.begin()
    with ExitStack() as opened:
        for _ in range(5):
            opened.enter_context(Wire(large.url())).ask("/")
        assert ["hello"] * 20 == bodies(large, *["/short"] * 20)
        assert {"GET /short": 20} == large.end().requests


def test_a_large_answer_is_done_when_it_was_taken(large: Handle) -> None:
    """Not when it was handed to the system: until then it isn't among what was served."""
    large.begin()
    with Wire(large.url()) as wire:
        wire.ask("/")
        wire.until(b"x")
        assert {} == large.end().requests
        left = LARGE - (len(wire.data) - wire.data.index(b"\r\n\r\n") - 4)
        taken_ns = time.monotonic_ns()
        while left:
            left -= len(wire.socket.recv(2**20))
        wire.data = b""
        wire.ask("/short")
        wire.until(b"hello")
    first, second = large.end(log=True).log
    assert ["GET /", "GET /short"] == [first.request, second.request]
    assert taken_ns <= first.done_ns
    assert LARGE < first.sent_bytes


def test_a_large_answer_over_tls_is_whole(server: ReplayServer, large: Handle) -> None:
    """Thirty megabytes, and the connection goes on."""
    stage = server.load(large.path, Latency.parse("none"), tls=True)
    with httpx.Client(verify=trusting(stage), timeout=HANG_LIMIT_S) as client:
        assert LARGE == len(client.get(stage.url()).content)
        assert "hello" == client.get(f"{stage.url()}/short").text
    log = stage.end(log=True).log
    assert (2, 1) == (len(log), len({visit.connection for visit in log}))
    stage.close()
