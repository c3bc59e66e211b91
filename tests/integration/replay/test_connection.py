"""The server among clients that are many, slow, hostile or gone: who is refused is told why, and the others are served.

The server is a process of its own, but for what only time would bring about: there a real server runs in this process,
and is asked what it would do later.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from laptime.cassette import load
from laptime.replay import Latency, ReplayDied, ReplayServer, Served, process
from laptime.replay import Stage as Handle
from laptime.replay.connection import MAX_BODY_BYTES, MAX_HEAD_BYTES, STALL_LIMIT_S, Connection, House
from laptime.replay.stage import Stage
from laptime.replay.timer import Timer
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, bodies, complete, timing, write_cassette

S = 1_000_000_000  # nanoseconds
MANY = 5000


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    """The server that most tests play their cassettes on, each on a stage of its own."""
    with ReplayServer() as started:
        yield started


@pytest.fixture
def serve(server: ReplayServer, tmp_path: Path) -> Serve:
    """Serve a cassette made of these exchanges."""
    return Serve(server, tmp_path)


def address(stage: Handle) -> tuple[str, int]:
    """Host and port."""
    host, _, port = stage.url().partition("://")[2].partition(":")
    return host, int(port)


# Requests that are too much


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("where", ["header", "headers", "target"])
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
        bytes(range(256)),
    ],
    ids=["no colon", "no length", "two framings", "no chunk", "HTTP/2", "bytes"],
)
def test_what_is_no_request_is_told_so(serve: Serve, request_: bytes) -> None:
    """400 and the end of the connection, whatever else would have come on it."""
    stage = serve(Exchange(), Exchange(method="POST"), latency="none")
    with Wire(stage.url()) as wire:
        wire.send(request_)
        assert b"HTTP/1.1 400 Bad Request\r\n" == wire.rest()[:26]
    served = stage.end()
    assert ({}, [], 1) == (served.requests, served.unmatched, len(served.refused))


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


def write_large(path: Path, *exchanges: Exchange) -> Path:
    """A cassette as JSON, which is written so much faster than YAML; without times."""
    path.write_text(json.dumps({"version": 1, "interactions": [exchange.recorded() for exchange in exchanges]}))
    return path


@pytest.fixture(scope="module")
def large(server: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Handle:
    """A stage with an answer of a hundred megabytes at `/`, and a short one at `/short`."""
    exchanges = Exchange(body="x" * 100_000_000), Exchange(f"{SITE}/short")
    path = write_large(tmp_path_factory.mktemp("large") / "large.json", *exchanges)
    return server.load(path, Latency.parse("none"))


def test_a_client_that_takes_nothing_stops_nobody(large: Handle) -> None:
    """Five of them ask for a hundred megabytes and read none: others get theirs, and only those were served."""
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
        left = 100_000_000 - (len(wire.data) - wire.data.index(b"\r\n\r\n") - 4)
        taken_ns = time.monotonic_ns()
        while left:
            left -= len(wire.socket.recv(2**20))
        wire.data = b""
        wire.ask("/short")
        wire.until(b"hello")
    first, second = large.end(log=True).log
    assert [("GET /", True), ("GET /short", True)] == [
        (first.request, taken_ns <= first.done_ns and first.sent_bytes > 100_000_000),
        (second.request, first.done_ns <= second.read_ns + S),
    ]


def test_a_large_answer_over_tls_is_whole(server: ReplayServer, large: Handle) -> None:
    """A hundred megabytes, and the connection goes on."""
    stage = server.load(large.path, Latency.parse("none"), tls=True)
    with httpx.Client(verify=trusting(stage), timeout=HANG_LIMIT_S) as client:
        assert 100_000_000 == len(client.get(stage.url()).content)
        assert "hello" == client.get(f"{stage.url()}/short").text
    log = stage.end(log=True).log
    assert (2, 1) == (len(log), len({visit.connection for visit in log}))
    stage.close()


# What only time brings about


def in_this_process(path: Path, check: Callable[[House, Stage, str], Awaitable[None]], room: int = 100) -> None:
    """Run a check of a server in this process; it gets the address."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        stage, house = Stage(Timer(loop)), House(room)
        stage.set(load(path), Latency.parse("none"), {SITE: "http://127.0.0.1:1"}, {})
        listener = await loop.create_server(partial(Connection, stage, stage.origins[SITE], house), "127.0.0.1", 0)
        try:
            async with asyncio.timeout(HANG_LIMIT_S):
                await check(house, stage, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
        finally:
            listener.close()
            stage.timer.close()

    asyncio.run(run())


async def until(happens: Callable[[], object]) -> None:
    """Give the server time until something holds."""
    while not happens():
        await asyncio.sleep(0)


def later(house: House, seconds: float) -> None:
    """What the server does about its connections so much later."""
    now_ns = time.monotonic_ns()
    for connection in list(house.inside):
        connection.check(now_ns + round(seconds * S))


@pytest.mark.parametrize(
    "half",
    [b"G", b"GET / HTTP/1.1\r\nHost: si", b"POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["a letter", "half a head", "half a body"],
)
def test_a_request_that_never_ends_is_ended(tmp_path: Path, half: bytes) -> None:
    """408 when its time is up, not before; the stage has it."""

    async def check(house: House, stage: Stage, url: str) -> None:
        with Wire(url) as wire:
            wire.send(half)
            wire.socket.setblocking(False)
            await until(lambda: any(connection._in_request for connection in house.inside))
            later(house, STALL_LIMIT_S - 5)
            assert [] == stage.refused
            later(house, STALL_LIMIT_S + 1)
            await until(lambda: readable(wire.socket))
            answer = wire.socket.recv(2**16)
            assert b"HTTP/1.1 408 Request Timeout\r\n" == answer[:30]
            assert b"Connection: close\r\n\r\nlaptime replay: a request of which nothing more came for 30 s\n" in answer
        assert ["408 Request Timeout: a request of which nothing more came for 30 s"] == stage.refused
        await until(lambda: not house.inside)

    in_this_process(write_cassette(tmp_path / "a.yaml", Exchange(), Exchange(method="POST")), check)


def readable(one: socket.socket) -> bool:
    """Whether there is something to read."""
    try:
        return bool(one.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@pytest.mark.parametrize(
    "pieces",
    [
        (b"POST / HTTP/1.1\r\nHost: site.test\r\n", b"Content-Length: 1000000\r\n\r\n" + bytes(1_000_000)),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n",
            bytes(1_000_000) + b"POST / HTTP/1.1\r\nX: x",
            b"x" * 100_000,
            b"\r\n\r\n",
        ),
    ],
    ids=["behind it", "before the next"],
)
def test_only_a_head_is_counted_as_head(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    """However much of a body comes in one piece with it."""

    async def check(house: House, stage: Stage, url: str) -> None:
        with Wire(url) as wire:
            wire.socket.setblocking(False)
            await until(lambda: house.inside)
            for piece in pieces:  # straight from here, as only then it is sure where they are cut
                next(iter(house.inside)).data_received(piece)
            await until(lambda: stage.served or stage.refused)
            assert [] == stage.refused

    in_this_process(write_cassette(tmp_path / "a.yaml", Exchange(method="POST")), check)


def test_a_connection_may_be_idle(tmp_path: Path) -> None:
    """However long: clients keep connections for later, before their first request and between two."""

    async def check(house: House, stage: Stage, url: str) -> None:
        with Wire(url) as wire:
            wire.socket.setblocking(False)
            for count in (1, 2):
                await until(lambda: len(house.inside) == 1)
                later(house, 1000 * STALL_LIMIT_S)
                wire.ask("/")
                await until(lambda: readable(wire.socket))
                assert b"HTTP/1.1 200 OK" == wire.socket.recv(2**16)[:15]
                assert ({"GET /": count}, []) == (stage.served, stage.refused)

    in_this_process(write_cassette(tmp_path / "a.yaml", Exchange()), check)


def test_a_request_that_waits_its_turn_is_not_late(tmp_path: Path) -> None:
    """Half a request behind one that is being answered: its time runs only when it is its turn."""

    async def check(house: House, stage: Stage, url: str) -> None:
        with Wire(url) as wire:
            wire.send(b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\nGET / HT")
            wire.socket.setblocking(False)
            await until(lambda: any(connection._paused for connection in house.inside))
            later(house, 0)
            taken = wire.socket.recv(2**16)
            assert b"HTTP/1.1 200 OK" == taken[:15]
            await until(lambda: wire.socket.recv(2**22) if readable(wire.socket) else stage.served)
            wire.send(b"TP/1.1\r\nHost: site.test\r\n\r\n")
            await until(lambda: (readable(wire.socket) and not wire.socket.recv(2**22)) or stage.served["GET /"] == 2)
            assert [] == stage.refused

    in_this_process(write_large(tmp_path / "a.json", Exchange(body="x" * 20_000_000)), check)


def test_an_answer_that_nobody_takes_is_given_up(tmp_path: Path) -> None:
    """When nothing of it was taken for its time; whoever takes a little goes on."""

    async def check(house: House, stage: Stage, url: str) -> None:
        with Wire(url) as idle, Wire(url) as slow:
            for wire in (idle, slow):
                wire.ask("/")
                wire.socket.setblocking(False)
            await until(lambda: [one._paused for one in house.inside] == [True, True])
            later(house, 0)
            sizes = {one: one._transport.get_write_buffer_size() for one in house.inside}

            def moved() -> bool:
                if readable(slow.socket):
                    slow.socket.recv(2**20)
                return any(one._transport.get_write_buffer_size() != size for one, size in sizes.items())

            await until(moved)
            later(house, STALL_LIMIT_S - 5)
            assert [] == stage.refused
            later(house, STALL_LIMIT_S + 1)
            assert ["a client took nothing of its answer for 30 s"] == stage.refused
            await until(lambda: len(house.inside) == 1)
            await until(lambda: (readable(slow.socket) and not slow.socket.recv(2**22)) or stage.served)
            assert {"GET /": 1} == stage.served

    in_this_process(write_large(tmp_path / "a.json", Exchange(body="x" * 20_000_000)), check)


# Crowds


def test_five_thousand_at_once_are_all_answered(serve: Serve) -> None:
    """Each on a connection of its own, all open at the same time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * MANY + 1000:
        pytest.skip(f"needs more open files than {hard}: raise `ulimit -Hn`")
    stage = serve(Exchange(passes=[timing(20)] * 5))

    async def ask(everyone: asyncio.Barrier) -> bytes:
        reader, writer = await asyncio.open_connection(*address(stage))
        await everyone.wait()
        writer.write(b"GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    async def ask_all() -> set[bytes]:
        everyone = asyncio.Barrier(MANY)
        async with asyncio.timeout(HANG_LIMIT_S):
            return set(await asyncio.gather(*(ask(everyone) for _ in range(MANY))))

    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * MANY), hard))
    try:
        assert {b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"} == asyncio.run(ask_all())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    served = stage.end(log=True)
    assert ({"GET /": MANY}, [], []) == (served.requests, served.unmatched, served.refused)
    assert [] == [visit for visit in served.log if visit.first_ns < visit.due_ns]


def test_a_long_line_at_a_door_moves_on(serve: Serve) -> None:
    """A thousand wait for the one place; when it is left, all are answered, one after the other and at once."""
    stage = serve(
        Exchange(f"{SITE}/endless", passes=[timing(600_000)] * 5), Exchange(f"{SITE}/quick"), limits="concurrent:1"
    )
    with ExitStack() as opened:
        inside = opened.enter_context(Wire(stage.url()))
        inside.ask("/endless")
        line = [opened.enter_context(Wire(stage.url())) for _ in range(400)]
        for wire in line:
            wire.socket.settimeout(10)
            wire.ask("/quick")
        with Wire(stage.url()) as last:
            last.ask("/unknown")
            last.until(b"599")
        inside.socket.close()
        assert 400 == sum(wire.until(b"hello").endswith(b"hello") for wire in line)
    assert {"GET /quick": 400} == stage.end().requests


WITHOUT_UVLOOP = 'import sys; sys.modules["uvloop"] = None; from laptime.replay.server import main; main()'


@contextmanager
def with_files(count: int, monkeypatch: pytest.MonkeyPatch, uvloop: bool = True) -> Iterator[ReplayServer]:
    """A server that may not open more files than so many."""
    command = ("-m", "laptime.replay.server") if uvloop else ("-c", WITHOUT_UVLOOP)
    monkeypatch.setattr(
        process, "COMMAND", ("bash", "-c", f'ulimit -n {count}; exec "$@"', "bash", sys.executable, *command)
    )
    with ReplayServer() as started:
        yield started


def test_there_is_room_for_so_many_as_there_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are refused, with the remedy; nobody hangs, who was served still is, and later there is room again."""
    with with_files(100, monkeypatch) as small:
        stage = Serve(small, tmp_path)(Exchange(), latency="none")
        with ExitStack() as opened:
            answers = []
            inside = [opened.enter_context(Wire(stage.url())) for _ in range(36)]
            for wire in inside:
                wire.ask("/")
                assert b"hello" == wire.until(b"hello")[-5:]
            for _ in range(30):
                with Wire(stage.url()) as wire:
                    answers.append(wire.rest())
            assert [b"HTTP/1.1 503 Service Unavailable"] * 30 == [answer[:32] for answer in answers]
            assert b"no room for more than 36 connections: raise `ulimit -n`\n" in answers[0]
            for wire in inside:
                wire.ask("/")
                assert b"hello" == wire.until(b"hello", times=2)[-5:]
            said = "503 Service Unavailable: no room for more than 36 connections: raise `ulimit -n`"
            assert ({"GET /": 72}, [said] * 30) == (stage.end().requests, stage.end().refused)
        stage.begin()
        assert 200 == once_there_is_room(stage.url())


@pytest.mark.parametrize("uvloop", [True, False], ids=["uvloop", "asyncio"])
def test_more_at_once_than_there_are_files_bring_nothing_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uvloop: bool
) -> None:
    """Two hundred are there when it looks up, and files for a hundred: each is answered, refused or closed."""
    with with_files(100, monkeypatch, uvloop) as small:
        stage = Serve(small, tmp_path)(Exchange(), latency="none")
        os.kill(small.pid, signal.SIGSTOP)
        with ExitStack() as opened:
            wires = [opened.enter_context(Wire(stage.url())) for _ in range(200)]
            for wire in wires:
                wire.ask("/")
            os.kill(small.pid, signal.SIGCONT)
            answers = [status(wire) for wire in wires]
        assert {200, 503} == {*answers, 503}
        served = stage.end()
        assert 0 < answers.count(200) == served.requests["GET /"]
        assert {"503 Service Unavailable: no room for more than 36 connections: raise `ulimit -n`"} >= {*served.refused}
        assert 200 == once_there_is_room(stage.url())
        assert os.fstat(small._stderr.fileno()).st_size < 2**20  # it doesn't go on complaining instead of serving


def status(wire: Wire) -> int:
    """The status of the answer, from which the connection is closed; 503 where it was closed instead."""
    try:
        answer = wire.until(b"\r\n\r\n")
    except ConnectionResetError:
        return 503
    finally:
        wire.socket.close()
    return int(answer[9:12] or 503)


def once_there_is_room(url: str) -> int:
    """The status of the answer, once the server has seen that others left."""
    give_up_at = time.monotonic() + HANG_LIMIT_S
    while True:
        with Wire(url) as wire:
            wire.ask("/")
            if (found := status(wire)) != 503 or time.monotonic() > give_up_at:
                return found
        time.sleep(0.01)


# A server that dies


def test_who_is_being_answered_when_the_server_dies_is_not_kept_waiting(tmp_path: Path) -> None:
    """Clients get an error or an end, and the one who runs it all is told."""
    half = Exchange(f"{SITE}/half", body="x" * 100, passes=[timing(0, chunks=[(0.0, 50), (600_000.0, 50)])] * 5)
    with ReplayServer() as server, ExitStack() as opened:
        stage = Serve(server, tmp_path)(Exchange(passes=[timing(600_000)] * 5), half)
        wires = [opened.enter_context(Wire(stage.url())) for _ in range(20)]
        for number, wire in enumerate(wires):
            wire.ask("/half" if number % 2 else "/")
        for wire in wires[1::2]:
            wire.until(b"x" * 50)

        def client() -> object:
            with pytest.raises(requests.ConnectionError) as failed:
                requests.get(stage.url(), timeout=HANG_LIMIT_S)
            return failed.value

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(client) for _ in range(4)]
            with Wire(stage.url()) as last:
                last.ask("/unknown")
                last.until(b"599")
            os.kill(server.pid, signal.SIGKILL)
            assert [] == [one.result() for one in asking if not isinstance(one.result(), requests.ConnectionError)]
        for wire in wires:
            with suppress(ConnectionResetError):
                assert not complete(wire.rest())
        with pytest.raises(ReplayDied, match=r"is gone.*SIGKILL"):
            stage.end()


# TLS


def trusting(stage: Handle) -> ssl.SSLContext:
    """A client's context that trusts this stage, and nobody else."""
    return ssl.create_default_context(cafile=str(stage.ca_file))


def test_a_stage_may_be_served_over_tls(serve: Serve) -> None:
    """To clients that trust its authority, by name and by number; connecting includes the handshake."""
    stage = serve(Exchange(headers={"Set-Cookie": ["a=1; Secure"]}), tls=True)
    assert "https://127.0.0.1:" == stage.url()[:18]
    assert stage.ca_file is not None
    trust = str(stage.ca_file)
    with requests.Session() as client:
        assert ["hello", "hello"] == [client.get(stage.url(), verify=trust, timeout=HANG_LIMIT_S).text for _ in "12"]
        assert {"a": "1"} == client.cookies.get_dict()
    with httpx.Client(verify=trusting(stage)) as other:
        assert "hello" == other.get(stage.url()).text
        assert "hello" == other.get(stage.url().replace("127.0.0.1", "localhost")).text
    assert [True, False, True, True] == [visit.opened_ns >= 0 for visit in stage.end(log=True).log]


def test_who_does_not_trust_the_authority_is_not_served(serve: Serve) -> None:
    """The usual certificates don't vouch for it; the server goes on."""
    stage = serve(Exchange(), tls=True)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(stage.url(), timeout=HANG_LIMIT_S)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(stage.url())
    assert "hello" == requests.get(stage.url(), verify=str(stage.ca_file), timeout=HANG_LIMIT_S).text
    assert {"GET /": 1} == stage.end().requests


def test_a_stage_without_tls_has_no_authority(serve: Serve) -> None:
    """There is nothing to trust; one with and one without may stand side by side."""
    secure, plain = serve(Exchange(body="secure"), tls=True), serve(Exchange(body="plain"))
    assert (None, "http://") == (plain.ca_file, plain.url()[:7])
    assert ["plain"] == bodies(plain, "/")
    assert "secure" == requests.get(secure.url(), verify=str(secure.ca_file), timeout=HANG_LIMIT_S).text


def test_plain_words_on_the_tls_port_end_the_connection(serve: Serve) -> None:
    """No answer could be read; others are served."""
    stage = serve(Exchange(), tls=True)
    with Wire(stage.url()) as wire:
        wire.ask("/")
        with suppress(ConnectionResetError):
            assert b"HTTP" not in wire.rest()
    assert "hello" == requests.get(stage.url(), verify=str(stage.ca_file), timeout=HANG_LIMIT_S).text


def test_tls_on_the_plain_port_ends_the_connection(serve: Serve) -> None:
    """The client finds no handshake there; others are served."""
    stage = serve(Exchange())
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(stage.url().replace("http:", "https:"), timeout=HANG_LIMIT_S)
    assert ["hello"] == bodies(stage, "/")
    assert ["400 Bad Request: not HTTP/1.1: "] == [text[:31] for text in stage.end().refused]


def test_the_authority_ends_with_its_server(tmp_path: Path) -> None:
    """Its files, key and all, are gone; another server has another."""
    with ReplayServer() as one, ReplayServer() as other:
        stages = [Serve(server, tmp_path)(Exchange(), tls=True) for server in (one, other)]
        files = [stage.ca_file for stage in stages]
        assert all(file is not None and file.exists() for file in files)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(stages[0].url(), verify=str(files[1]), timeout=HANG_LIMIT_S)
    assert [(False, False)] * 2 == [(file.exists(), file.parent.exists()) for file in files if file is not None]


def test_a_key_is_nobody_elses(serve: Serve) -> None:
    """Its directory can be entered by its owner only."""
    stage = serve(Exchange(), tls=True)
    assert stage.ca_file is not None
    assert 0 == stage.ca_file.parent.stat().st_mode & 0o077


def test_without_trustme_tls_is_refused_with_the_remedy(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is an extra: the message says what to install, and the server goes on."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with ReplayServer() as server:
        own: Any = Serve(server, tmp_path)
        with pytest.raises(Exception, match=r"TLS needs trustme: `pip install 'laptime\[tls\]'`"):
            own(Exchange(), tls=True)
        assert ["hello"] == bodies(own(Exchange()), "/")
