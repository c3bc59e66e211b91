"""The replay as its users meet it: a real process, real sockets, real clients.

Time is only checked from below: by the client's clock, and by the server's own log. Both are the machine's
monotonic clock, so they can be compared. A busy machine may make an answer late; nothing may make it early.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import brotli
import httpx
import psutil
import pytest
import requests
import zstandard

from laptime.cassette import CassetteError, load
from laptime.replay import Latency, LatencyError, ReplayDied, ReplayServer, Served, Stage, Visit, process
from tests.support import (
    HANG_LIMIT_S,
    SITE,
    Exchange,
    Serve,
    Wire,
    bodies,
    complete,
    contents,
    ended,
    is_running,
    timing,
    write_cassette,
)

MS = 1_000_000  # nanoseconds


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    """The server that most tests play their cassettes on, each on a stage of its own."""
    with ReplayServer() as started:
        yield started


@pytest.fixture
def serve(server: ReplayServer, tmp_path: Path) -> Serve:
    """Serve a cassette made of these exchanges."""
    return Serve(server, tmp_path)


def log(stage: Stage) -> list[Visit]:
    """What the server says that it did since the round began."""
    return stage.end(log=True).log


# Answers


class Answer(NamedTuple):
    """A response as a client hands it to its caller, headers by name in lower case."""

    status: int
    reason: str | None
    headers: dict[str, list[str]]
    body: bytes


def by_requests(method: str, url: str) -> Answer:
    """Ask with requests."""
    response = requests.request(method, url, allow_redirects=False, timeout=HANG_LIMIT_S)
    headers = response.raw.headers
    named = {name.lower(): headers.getlist(name) for name in headers}
    return Answer(response.status_code, response.reason, named, response.content)


def by_aiohttp(method: str, url: str) -> Answer:
    """Ask with aiohttp."""

    async def ask() -> Answer:
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, url, allow_redirects=False) as response,
        ):
            body = await response.read()
            named = {name.lower(): response.headers.getall(name) for name in response.headers}
            return Answer(response.status, response.reason, named, body)

    return asyncio.run(asyncio.wait_for(ask(), HANG_LIMIT_S))


PAGE = "<p>caf\u00e9</p>\n" * 1000
ANSWERS = {
    "text": Exchange(f"{SITE}/text", headers={"Content-Type": ["text/plain"], "Content-Length": ["5"]}),
    "text under gzip": Exchange(
        f"{SITE}/gzip?page=1&of=2",
        headers={"Content-Encoding": ["gzip"], "Content-Length": ["777"], "Content-Type": ["text/html"]},
        body=PAGE,
        passes=[timing(chunks=[(0.0, 300), (1.0, 300), (2.0, 177)])] * 5,
    ),
    "gzip": Exchange(f"{SITE}/gzipped", headers={"Content-Encoding": ["gzip"]}, body=gzip.compress(PAGE.encode())),
    "bytes": Exchange(f"{SITE}/bytes", headers={"Content-Type": ["image/png"]}, body=bytes(range(256)) * 1000),
    "chunked": Exchange(f"{SITE}/chunked", headers={"Transfer-Encoding": ["chunked"]}, body="two chunks"),
    "a missing page": Exchange(f"{SITE}/missing", status=404, reason="Not Found", body='{"error": "Not Found"}'),
    "a redirect": Exchange(f"{SITE}/old", status=301, reason="Moved", headers={"Location": ["/new"]}, body=""),
    "no content": Exchange(f"{SITE}/none", "DELETE", 204, "No Content", {"X-Left": ["4"]}, ""),
    "not modified": Exchange(f"{SITE}/same", status=304, reason="Not Modified", headers={"ETag": ['"1"']}, body=""),
    "head": Exchange(f"{SITE}/text", "HEAD", headers={"Content-Length": ["5"], "X-Only": ["head"]}, body=""),
    "post": Exchange(f"{SITE}/text", "POST", 201, "Created", {"Set-Cookie": ["a=1; Path=/", "b=2"]}, "made"),
    "an odd status": Exchange(f"{SITE}/odd", status=799, reason="As You Like It", body="odd"),
}


@pytest.fixture(scope="module")
def all_answers(server: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """All of the answers on one stage."""
    path = write_cassette(tmp_path_factory.mktemp("answers") / "answers.yaml", *ANSWERS.values())
    return server.load(path, Latency.parse("recorded"))


@pytest.mark.parametrize("client", [by_requests, by_aiohttp])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_the_recorded_one(all_answers: Stage, name: str, client: Callable[[str, str], Answer]) -> None:
    """Status, reason, headers and the decoded body, to both clients; only the framing is made anew."""
    exchange = ANSWERS[name]
    answer = client(exchange.method, all_answers.url() + exchange.uri.removeprefix(SITE))
    assert (exchange.status, exchange.reason) == (answer.status, answer.reason)
    framing = {"content-length", "transfer-encoding"}
    recorded = {key.lower(): list(values) for key, values in exchange.headers.items() if key.lower() not in framing}
    assert recorded == {key: values for key, values in answer.headers.items() if key not in framing}
    body = exchange.body.encode() if isinstance(exchange.body, str) else exchange.body
    assert (PAGE.encode() if name == "gzip" else body) == answer.body


PACKED = {
    "gzip": gzip.compress(PAGE.encode()),
    "deflate": zlib.compress(PAGE.encode()),
    "br": brotli.compress(PAGE.encode()),
    "zstd": zstandard.ZstdCompressor().compress(PAGE.encode()),
    "br, gzip": gzip.compress(brotli.compress(PAGE.encode())),
}


@pytest.fixture(scope="module")
def all_codings(server: ReplayServer, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A page under each coding, kept as it was sent and as its client had decoded it."""
    exchanges = []
    for number, (coding, packed) in enumerate(PACKED.items()):
        headers = {"Content-Encoding": [coding], "Content-Length": [str(len(packed))]}
        exchanges += [
            Exchange(
                f"{SITE}/sent/{number}", headers=headers, body=packed, passes=[timing(chunks=[(0, 1), (2, 2)])] * 5
            ),
            Exchange(f"{SITE}/decoded/{number}", headers=headers, body=PAGE, passes=[timing(chunks=[(2, 1)])] * 5),
        ]
    path = write_cassette(tmp_path_factory.mktemp("codings") / "codings.yaml", *exchanges)
    return server.load(path, Latency.parse("recorded"))


@pytest.mark.parametrize("kept", ["sent", "decoded"])
@pytest.mark.parametrize("number", range(len(PACKED)), ids=PACKED)
def test_a_client_decodes_what_was_encoded(all_codings: Stage, number: int, kept: str) -> None:
    """Whatever the coding, and however the recording kept it; each client those that it knows."""
    url = f"{all_codings.url()}/{kept}/{number}"
    with httpx.Client(headers={"Accept-Encoding": "gzip, deflate, br, zstd"}, timeout=HANG_LIMIT_S) as client:
        answer = client.get(url)
    coding = list(PACKED)[number]
    assert (PAGE, coding) == (answer.text, answer.headers["Content-Encoding"])
    if coding in ("gzip", "deflate", "br"):
        assert [PAGE.encode()] * 2 == [by_requests("GET", url).body, by_aiohttp("GET", url).body]
    assert PAGE.encode() == all_codings.responses()[f"/{kept}/{number}"].body


def test_a_stage_knows_its_recorded_answers(all_answers: Stage) -> None:
    """By path and query, decoded: what a check compares with."""
    found = all_answers.responses()
    assert (200, PAGE.encode()) == found["/gzip?page=1&of=2"]
    assert (200, PAGE.encode()) == found["/gzipped"]
    assert (404, b'{"error": "Not Found"}') == found["/missing"]


def test_a_stage_knows_the_answers_of_each_method_and_origin(serve: Serve) -> None:
    """Where there are several, the origin must be said."""
    stage = serve(
        Exchange("http://a.test/x", body="get"),
        Exchange("http://a.test/x", "POST", 201, body="post"),
        Exchange("http://b.test/x", body="other"),
    )
    assert {"/x": (200, b"get")} == stage.responses(origin="http://a.test")
    assert {"/x": (201, b"post")} == stage.responses("POST", "http://a.test")
    assert {"/x": (200, b"other")} == stage.responses(origin="http://b.test")
    assert {} == stage.responses("POST", "http://b.test")
    with pytest.raises(KeyError, match=r"recorded are: http://a.test, http://b.test"):
        stage.responses()


def test_a_stage_knows_all_that_was_recorded(serve: Serve) -> None:
    """In order."""
    stage = serve(Exchange(f"{SITE}/b"), Exchange(f"{SITE}/a", "POST"))
    assert [(0, "GET", "/b"), (1, "POST", "/a")] == [
        (one.index, one.method, one.target) for one in stage.interactions()
    ]


def test_a_cassette_that_changed_since_is_not_read_for_what_is_played(serve: Serve) -> None:
    """Answers are compared with what is being served, not with another recording."""
    stage = serve(Exchange())
    write_cassette(stage.path, Exchange(body="changed"))
    with pytest.raises(CassetteError, match=r"was changed while it was being played; run again"):
        stage.responses()


def test_of_a_repeated_request_a_stage_knows_the_first_answer(serve: Serve) -> None:
    """The one that a round begins with."""
    stage = serve(Exchange(f"{SITE}/a", body="first"), Exchange(f"{SITE}/a", body="second"))
    assert {"/a": (200, b"first")} == stage.responses()


def test_a_stage_says_what_it_plays(serve: Serve, tmp_path: Path) -> None:
    """The cassette's digest, its passes and the latency, as they go into a benchmark's results."""
    stage = serve(Exchange(), latency="scale:0.50")
    assert (load(stage.path).sha256, 5, "scale:0.5") == (stage.sha256, stage.passes, stage.latency)


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_a_request_may_come_in_pieces(serve: Serve, cut: int) -> None:
    """Wherever the network cuts it."""
    request = b"GET /a/long/path?with=query HTTP/1.1\r\nHost: site.test\r\n\r\n"
    stage = serve(Exchange(f"{SITE}/a/long/path?with=query"))
    with Wire(stage.url()) as wire:
        for at in range(0, len(request), cut):
            wire.send(request[at : at + cut])
        assert b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" == wire.until(b"hello")


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 12\r\n\r\nGET / HTTP/1",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n3\r\n/ H\r\n0\r\n\r\n",
    ],
    ids=["length", "chunked"],
)
def test_the_body_of_a_request_is_no_request(serve: Serve, body: bytes) -> None:
    """It is read over, and the next request on the connection answered."""
    stage = serve(Exchange(method="POST", body="made"), Exchange(f"{SITE}/next", body="next"))
    with Wire(stage.url()) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: site.test\r\n" + body)
        wire.until(b"made")
        wire.ask("/next")
        wire.until(b"next")
    assert Served({"POST /": 1, "GET /next": 1}, [], [], []) == stage.end()


@pytest.mark.parametrize("version", ["1.1\r\nConnection: close", "1.0", "1.0\r\nConnection: keep-alive"])
def test_a_connection_ends_where_the_client_asked_for_that(serve: Serve, version: str) -> None:
    """After the whole answer; and where it waits for the end, as it was not told that the connection is kept."""
    with Wire(serve(Exchange()).url()) as wire:
        wire.send(f"GET / HTTP/{version}\r\nHost: site.test\r\n\r\n".encode())
        assert b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" == wire.rest()


# Pace


def test_an_answer_is_never_early(serve: Serve) -> None:
    """No head comes before its recorded wait is over, by the client's clock and by the server's own."""
    waits_ms = {f"/{number}": 1.0 + 2.7 * number for number in range(10)}
    stage = serve(*(Exchange(SITE + target, passes=[timing(wait)] * 5) for target, wait in waits_ms.items()))
    with Wire(stage.url()) as wire:
        for number, (target, wait_ms) in enumerate(waits_ms.items()):
            sent_ns, position = wire.ask(target), len(wire.data)
            wire.until(b"hello", times=number + 1)
            assert wait_ms * MS <= wire.arrived_ns(position) - sent_ns
    assert [(f"GET {target}", round(wait_ms * MS), True, True) for target, wait_ms in waits_ms.items()] == [
        (
            entry.request,
            entry.due_ns - entry.read_ns,
            entry.due_ns <= entry.first_ns,
            entry.first_ns <= entry.done_ns,
        )
        for entry in log(stage)
    ]


def test_many_at_once_wait_side_by_side(serve: Serve) -> None:
    """Thirty connections: each of their waits is counted from its own request, and none is early."""
    stage = serve(*(Exchange(f"{SITE}/{number}", passes=[timing(5 + number)] * 5) for number in range(30)))

    async def ask(client: aiohttp.ClientSession, number: int) -> int:
        sent_ns = time.monotonic_ns()
        async with client.get(f"{stage.url()}/{number}") as response:
            took_ns = time.monotonic_ns() - sent_ns
            await response.read()
        return took_ns

    async def ask_all() -> list[int]:
        async with aiohttp.ClientSession() as client:
            return await asyncio.wait_for(asyncio.gather(*(ask(client, number) for number in range(30))), HANG_LIMIT_S)

    took_ns = asyncio.run(ask_all())
    assert [True] * 30 == [(5 + number) * MS <= took for number, took in enumerate(took_ns)]
    entries = {entry.request: entry for entry in log(stage)}
    assert [(5 + number) * MS for number in range(30)] == [
        entries[f"GET /{number}"].due_ns - entries[f"GET /{number}"].read_ns for number in range(30)
    ]
    assert [True] * 30 == [entry.due_ns <= entry.first_ns for entry in entries.values()]


def test_the_wait_begins_when_the_request_was_read(serve: Serve) -> None:
    """Not when its first byte came: the time that a client takes to send a request is not part of the wait."""
    stage = serve(Exchange(passes=[timing(10)] * 5))
    with Wire(stage.url()) as wire:
        wire.send(b"GET / HTTP/1.1\r\n")
        time.sleep(0.03)
        sent_ns = wire.send(b"Host: site.test\r\n\r\n")
        wire.until(b"hello")
        assert 10 * MS <= wire.arrived_ns(0) - sent_ns
    (entry,) = log(stage)
    assert sent_ns <= entry.read_ns
    assert 10 * MS == entry.due_ns - entry.read_ns


def test_connecting_is_charged_once_per_connection(serve: Serve) -> None:
    """The first request on a connection waits for what is left of the recorded connect; the second doesn't."""
    stage = serve(Exchange(passes=[timing(5, connect=60)] * 5))
    begun_ns = time.monotonic_ns()
    with Wire(stage.url()) as wire:
        wire.ask("/")
        wire.until(b"hello")
        assert 65 * MS <= wire.arrived_ns(0) - begun_ns
        wire.ask("/")
        wire.until(b"hello", times=2)
    first, second = log(stage)
    assert begun_ns + 65 * MS <= first.due_ns
    assert first.read_ns + 5 * MS <= first.due_ns
    assert 5 * MS == second.due_ns - second.read_ns


def test_each_connection_is_charged(serve: Serve) -> None:
    """A client that opens a connection for each request pays for each."""
    stage = serve(Exchange(passes=[timing(5, connect=20)] * 5))
    for _ in range(3):
        begun_ns = time.monotonic_ns()
        with Wire(stage.url()) as wire:
            wire.ask("/")
            wire.until(b"hello")
            assert 25 * MS <= wire.arrived_ns(0) - begun_ns


def test_a_client_that_connected_long_ago_is_charged_nothing(serve: Serve) -> None:
    """The recorded connect runs from the acceptance: what passed since then counts."""
    stage = serve(Exchange(passes=[timing(5, connect=20)] * 5))
    with Wire(stage.url()) as early, Wire(stage.url()) as other:
        other.ask("/")
        other.until(b"hello")  # connections are accepted in order: by now the early one was
        time.sleep(0.02)
        early.ask("/")
        early.until(b"hello")
    assert 5 * MS == log(stage)[1].due_ns - log(stage)[1].read_ns


@pytest.mark.parametrize(
    ("latency", "waits_ns"),
    [("scale:0.1", 4 * MS), ("fixed:3ms", 3 * MS), ("none", 0)],
)
def test_other_modes_play_at_their_own_pace(serve: Serve, latency: str, waits_ns: int) -> None:
    """Scaled, or one wait for all, or none; the second request on a connection shows it without the connect."""
    stage = serve(Exchange(passes=[timing(40, connect=40)] * 5), latency=latency)
    assert ["hello", "hello"] == bodies(stage, "/", "/")
    entry = log(stage)[1]
    assert waits_ns == entry.due_ns - entry.read_ns
    assert entry.due_ns <= entry.first_ns


@pytest.mark.parametrize("pass_number", [0, 3])
def test_chunks_follow_at_their_offsets(serve: Serve, pass_number: int) -> None:
    """No byte of a piece comes before its offset from the head, and each piece has its share of the body."""
    body = bytes(range(200)) * 5
    chunks = [(0.0, 100), (12.0, 300), (12.0, 200), (31.5, 400)]
    quick = timing(1, chunks=[(0.0, 1)])
    passes = [timing(3, chunks=chunks) if number == pass_number else quick for number in range(5)]
    stage = serve(Exchange(body=body, passes=passes))
    stage.begin(pass_number)
    with Wire(stage.url()) as wire:
        wire.ask("/")
        answer = wire.until(body)
        start = len(answer) - len(body)
        (entry,) = log(stage)
        positions = [0, start, start + 100, start + 400, start + 600, len(answer) - 1]
        offsets_ms = [0, 0, 12, 12, 31.5, 31.5]
        early = [
            position
            for position, offset_ms in zip(positions, offsets_ms, strict=True)
            if wire.arrived_ns(position) < entry.due_ns + offset_ms * MS
        ]
    assert [] == early
    assert entry.due_ns + 31.5 * MS <= entry.done_ns


def test_shares_hold_where_the_body_is_compressed_anew(serve: Serve) -> None:
    """The pieces of a body of another length than was recorded end at the same shares of it, none early."""
    body = "".join(f"{number:x}" for number in range(20_000))
    passes = [timing(1, chunks=[(0.0, 1000), (15.0, 1000)])] * 5
    stage = serve(Exchange(headers={"Content-Encoding": ["gzip"]}, body=body, passes=passes))
    with Wire(stage.url()) as wire:
        wire.ask("/")
        answer = wire.receive(complete)
        head, _, packed = answer.partition(b"\r\n\r\n")
        assert body.encode() == gzip.decompress(packed)
        (entry,) = log(stage)
        second = len(head) + 4 + len(packed) // 2 + 1  # a byte after the middle
        assert entry.due_ns + 15 * MS <= wire.arrived_ns(second)


def test_a_body_that_began_after_its_head_does_so_again(serve: Serve) -> None:
    """Where the first piece was recorded some time after the head, none of it comes before that."""
    stage = serve(Exchange(passes=[timing(2, chunks=[(40.0, 5)])] * 5))
    with Wire(stage.url()) as wire:
        wire.ask("/")
        answer = wire.until(b"hello")
        (entry,) = log(stage)
        assert entry.due_ns + 40 * MS <= wire.arrived_ns(len(answer) - 5)
    assert entry.due_ns + 40 * MS <= entry.done_ns


def test_each_round_plays_its_pass(serve: Serve) -> None:
    """Round r plays recorded pass r mod k, of every request."""
    stage = serve(
        Exchange(f"{SITE}/a", passes=[timing(1 + number) for number in range(5)]),
        Exchange(f"{SITE}/b", passes=[timing(6 + number) for number in range(5)]),
    )
    played_ms = []
    for number in range(7):
        stage.begin(number)
        assert ["hello", "hello"] == bodies(stage, "/a", "/b")
        played_ms.append([(entry.due_ns - entry.read_ns) / MS for entry in log(stage)])
    assert [[1 + number % 5, 6 + number % 5] for number in range(7)] == played_ms


# Jitter


def drawn(stage: Stage, *targets: str) -> dict[str, list[int]]:
    """How long each request waited, by when it was due, in the order of its occurrences."""
    bodies(stage, *targets)
    waits: dict[str, list[int]] = {}
    for visit in sorted(log(stage), key=lambda visit: visit.read_ns):
        waits.setdefault(visit.request, []).append(visit.due_ns - visit.read_ns)
    return waits


@pytest.mark.parametrize("latency", ["recorded+jitter:7", "scale:0.5+jitter:7", "fixed:2ms+jitter:7"])
def test_jitter_is_the_same_on_another_server_and_in_another_order(serve: Serve, tmp_path: Path, latency: str) -> None:
    """It is drawn by the seed, the request and its occurrence, not by who came first."""
    exchanges = [
        Exchange(f"{SITE}/{number}", passes=[timing(1 + number / 8 + each / 4) for each in range(7)])
        for number in range(8)
    ]
    targets = [f"/{number}" for number in range(8)] * 3
    with ReplayServer() as another:
        stages = [serve(*exchanges, latency=latency), Serve(another, tmp_path)(*exchanges, latency=latency)]
        assert [latency] * 2 == [stage.latency for stage in stages]
        first, second = drawn(stages[0], *targets), drawn(stages[1], *targets[::-1])
        assert first == second
        assert 1 < len({tuple(waits) for waits in first.values()})
        stages[0].begin(1)
        assert first != drawn(stages[0], *targets)
        stages[0].begin(0)
        assert first == drawn(stages[0], *targets)


def test_jitter_draws_from_the_recorded_passes(serve: Serve) -> None:
    """All of them, in one round; another seed draws others."""
    exchange = Exchange(passes=[timing(1 + number / 4) for number in range(5)])
    waits = drawn(serve(exchange, latency="recorded+jitter:1"), *["/"] * 60)["GET /"]
    assert {round((1 + number / 4) * MS) for number in range(5)} == set(waits)
    assert waits != drawn(serve(exchange, latency="recorded+jitter:2"), *["/"] * 60)["GET /"]


# Order and counts


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
    entries = log(stage)
    assert ["GET /0", "GET /1", "GET /2"] == [entry.request for entry in entries]
    assert [wait * MS for wait in waits_ms] == [entry.due_ns - entry.read_ns for entry in entries]


@pytest.mark.parametrize("target", ["/", "/unknown"])
def test_any_number_of_pipelined_requests_is_answered(serve: Serve, target: str) -> None:
    """A thousand in one write, behind one that waits."""
    stage = serve(Exchange(), latency="fixed:5ms")
    with Wire(stage.url()) as wire:
        wire.socket.settimeout(10)
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
    assert ["GET /a", "GET /b?c=d", "GET /a"] == [entry.request for entry in log(stage)]


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
    first, second, other = log(stage)
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
    """A request that waits longer is logged later, though it came first."""
    stage = serve(Exchange(f"{SITE}/slow", passes=[timing(60)] * 5), Exchange(f"{SITE}/quick"))
    with Wire(stage.url()) as slow, Wire(stage.url()) as quick:
        slow.ask("/slow")
        quick.ask("/quick")
        quick.until(b"hello")
        slow.until(b"hello")
    assert ["GET /quick", "GET /slow"] == [entry.request for entry in log(stage)]


def test_a_client_that_left_was_not_served(serve: Serve) -> None:
    """An answer that nobody waited for doesn't count, and does no harm."""
    stage = serve(Exchange(f"{SITE}/a", passes=[timing(200)] * 5))
    with Wire(stage.url()) as leaving:
        leaving.ask("/a")
    assert ["hello"] == bodies(stage, "/a")  # it was asked for later, so it comes later
    assert {"GET /a": 1} == stage.end().requests


def test_a_client_that_left_amid_the_body_was_not_served(serve: Serve) -> None:
    """Nor does half an answer."""
    stage = serve(
        Exchange(f"{SITE}/a", body="x" * 1000, passes=[timing(1, chunks=[(0.0, 500), (200.0, 500)])] * 5),
        Exchange(f"{SITE}/b", passes=[timing(300)] * 5),
    )
    with Wire(stage.url()) as leaving:
        leaving.ask("/a")
        leaving.until(b"xxx")
    assert ["hello"] == bodies(stage, "/b")
    assert {"GET /b": 1} == stage.end().requests


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


@pytest.mark.parametrize(
    "garbage", [b"NOT HTTP AT ALL\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_garbage_is_refused_and_the_connection_ended(serve: Serve, garbage: bytes) -> None:
    """400, with a word on why, which the stage has too; others are still served, and it counts as no request."""
    stage = serve(Exchange())
    with Wire(stage.url()) as wire:
        wire.send(garbage)
        answer = wire.rest()
    assert b"HTTP/1.1 400 Bad Request\r\n" == answer[:26]
    assert b"\r\nConnection: close\r\n\r\nlaptime replay: not HTTP/1.1: " in answer
    served = stage.end()
    assert ({}, [], 1) == (served.requests, served.unmatched, len(served.refused))
    assert "400 Bad Request: not HTTP/1.1: " == served.refused[0][:31]
    assert ["hello"] == bodies(stage, "/")


def test_an_upgrade_is_refused_once(serve: Serve) -> None:
    """501 and the end of the connection: nothing but HTTP was recorded, so nothing was served."""
    stage = serve(Exchange(), latency="none")
    with Wire(stage.url()) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        answer = wire.rest()
    assert [b"", b"501 Not Implemented"] == [part.partition(b"\r\n")[0] for part in answer.split(b"HTTP/1.1 ")]
    assert Served({}, [], ["501 Not Implemented: protocol upgrades are not recorded"], []) == stage.end()


# Origins and ports


def test_each_origin_has_its_port(serve: Serve) -> None:
    """The same path is another request at another origin."""
    hosts = ["http://a.test", "https://a.test", "http://b.test:8080"]
    stage = serve(*(Exchange(f"{host}/page", body=host) for host in hosts))
    assert hosts == list(stage.origins)
    assert 3 == len({stage.url(host) for host in hosts})
    assert [[host] for host in hosts] == [bodies(stage, "/page", origin=host) for host in hosts]
    assert {"GET /page": 3} == stage.end().requests


def test_a_stage_is_on_loopback(serve: Serve) -> None:
    """Nobody else on the network can ask."""
    assert "http://127.0.0.1:" == serve(Exchange()).url()[:17]


def test_a_client_that_follows_a_redirect_stays_here(serve: Serve) -> None:
    """From one recorded origin to another, with their own ports; nothing but loopback is asked."""
    moved = {"Location": ["https://b.test:443/new?page=2"]}
    back = {"Location": ["//a.test:8080/home"], "Set-Cookie": ["seen=1; Domain=b.test; Path=/; Secure"]}
    stage = serve(
        Exchange("http://a.test:8080/old", status=302, reason="Found", headers=moved, body=""),
        Exchange("https://b.test/new?page=2", status=307, headers={"Location": ["http://a.test:8080/home"]}, body="on"),
        Exchange("http://a.test:8080/home", body="home"),
        Exchange("http://a.test:8080/back", status=303, headers=back, body=""),
    )
    here = [f"{stage.url('http://a.test:8080')}/old", f"{stage.url('https://b.test')}/new?page=2"]
    home = f"{stage.url('http://a.test:8080')}/home"
    with requests.Session() as client:
        answer = client.get(here[0], timeout=HANG_LIMIT_S)
        assert ("home", here, home) == (answer.text, [one.url for one in answer.history], answer.url)
        assert home == client.get(f"{stage.url('http://a.test:8080')}/back", timeout=HANG_LIMIT_S).url
    assert "home" == httpx.get(here[0], follow_redirects=True, timeout=HANG_LIMIT_S).text
    assert [] == stage.end().unmatched


def test_a_cookie_comes_back(serve: Serve) -> None:
    """Though it was set for another host, and to be sent over TLS only."""
    cookies = ["sid=4f2a; Domain=.site.test; Path=/; Secure; HttpOnly", "tide=low; Path=/tide"]
    stage = serve(Exchange(f"{SITE}/login", headers={"Set-Cookie": cookies}), Exchange(f"{SITE}/page"))
    with requests.Session() as client:
        client.get(f"{stage.url()}/login", timeout=HANG_LIMIT_S)
        assert "sid=4f2a" == client.get(f"{stage.url()}/page", timeout=HANG_LIMIT_S).request.headers["Cookie"]
    with httpx.Client() as other:
        other.get(f"{stage.url()}/login")
        assert "sid=4f2a" == other.get(f"{stage.url()}/page").request.headers["Cookie"]


def test_a_closed_stage_is_served_no_longer(serve: Serve) -> None:
    """Its ports are free, the other stages of the server go on."""
    closed, other = serve(Exchange()), serve(Exchange(body="other"))
    closed.close()
    with pytest.raises(ConnectionRefusedError):
        Wire(closed.url())
    assert ["other"] == bodies(other, "/")


@pytest.mark.parametrize("origin", [None, "http://c.test", "a.test", "http://a.test/"])
def test_an_origin_that_was_not_recorded_has_no_url(serve: Serve, origin: str | None) -> None:
    """The error lists those that were; which one is meant must be said where there are two."""
    stage = serve(Exchange("http://a.test/"), Exchange("http://b.test/"))
    with pytest.raises(KeyError) as refused:
        stage.url(origin)
    assert f"{stage.path}: origin {origin!r}; recorded are: http://a.test, http://b.test" == refused.value.args[0]


def test_an_only_origin_need_not_be_named(serve: Serve) -> None:
    """But it may be; another name is an error even so."""
    stage = serve(Exchange(f"{SITE}/a"))
    assert stage.url() == stage.url(SITE)
    with pytest.raises(KeyError, match=r"recorded are: http://site.test"):
        stage.url("http://other.test")


@pytest.fixture
def neighbours() -> tuple[socket.socket, socket.socket]:
    """Two listening sockets whose ports follow each other; a test closes those whose port it needs."""
    # below the ports that systems give to clients, and seldom the same in two processes
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with ExitStack() as opened:
            try:
                pair = [opened.enter_context(socket.create_server(("127.0.0.1", port + number))) for number in (0, 1)]
            except OSError:
                continue
            opened.pop_all()
            return pair[0], pair[1]
    pytest.fail("no two free ports in a row")


TWO_ORIGINS = (Exchange("http://a.test/"), Exchange("http://b.test/"))


def test_ports_may_be_chosen(
    server: ReplayServer, tmp_path: Path, neighbours: tuple[socket.socket, socket.socket]
) -> None:
    """The first origin gets the port that was named, the next one the next."""
    path, port = write_cassette(tmp_path / "two.yaml", *TWO_ORIGINS), neighbours[0].getsockname()[1]
    for taken in neighbours:
        taken.close()
    stage = server.load(path, Latency.parse("none"), port)
    assert {
        "http://a.test": f"http://127.0.0.1:{port}",
        "http://b.test": f"http://127.0.0.1:{port + 1}",
    } == stage.origins


def test_a_taken_port_is_an_error(
    server: ReplayServer, tmp_path: Path, neighbours: tuple[socket.socket, socket.socket]
) -> None:
    """It names the port; the origins before it don't keep theirs, and the server goes on."""
    path, port = write_cassette(tmp_path / "two.yaml", *TWO_ORIGINS), neighbours[0].getsockname()[1]
    neighbours[0].close()
    with closing(neighbours[1]), pytest.raises(OSError, match=str(port + 1)):
        server.load(path, Latency.parse("none"), port)
    stage = server.load(path, Latency.parse("none"), port)
    assert f"http://127.0.0.1:{port}" == stage.url("http://a.test")


@pytest.mark.parametrize("port", [70_000, -1])
def test_a_port_that_cant_be_is_an_error(server: ReplayServer, tmp_path: Path, port: int) -> None:
    """And the server goes on."""
    path = write_cassette(tmp_path / "one.yaml", Exchange())
    with pytest.raises(OSError, match=str(port)):
        server.load(path, Latency.parse("none"), port)
    assert ["hello"] == bodies(server.load(path, Latency.parse("none")), "/")


# Cassettes that can't be played


def test_a_cassette_without_side_car_is_refused_at_its_recorded_pace(serve: Serve) -> None:
    """It has none: the error names both ways out."""
    with pytest.raises(CassetteError) as refused:
        serve(Exchange(), timed=False)
    said = str(refused.value)
    parts = ["cassette0.yaml: no side-car", "pytest --http=record -k cassette0", "--latency fixed:50ms"]
    assert parts == [part for part in parts if part in said]


@pytest.mark.parametrize("latency", ["fixed:5ms", "none"])
def test_a_cassette_without_side_car_plays_at_a_stated_pace(serve: Serve, latency: str) -> None:
    """In every round the same."""
    stage = serve(Exchange(), timed=False, latency=latency)
    assert 1 == stage.passes
    for number in range(3):
        stage.begin(number)
        assert ["hello"] == bodies(stage, "/")


def test_a_broken_cassette_is_refused_and_left_alone(server: ReplayServer, tmp_path: Path) -> None:
    """With the same words as by `load`; the server goes on."""
    path = write_cassette(tmp_path / "stale.yaml", Exchange())
    path.write_bytes(path.read_bytes() + b"\n")
    before = contents(tmp_path)
    with pytest.raises(CassetteError, match=r"cassette_sha256: these timings belong to another stale.yaml"):
        server.load(path, Latency.parse("recorded"))
    assert before == contents(tmp_path)
    assert ["hello"] == bodies(server.load(write_cassette(tmp_path / "good.yaml", Exchange()), Latency("none")), "/")


def test_a_latency_that_cant_be_is_refused(server: ReplayServer, tmp_path: Path) -> None:
    """By the server too, should one get so far."""
    with pytest.raises(LatencyError, match=r"expected recorded, scale:0.1"):
        server.load(write_cassette(tmp_path / "a.yaml", Exchange()), Latency("backwards"))


# The process


def test_a_closed_server_is_gone(tmp_path: Path) -> None:
    """Its process, its ports, and the connections that were waiting for an answer."""
    path = write_cassette(tmp_path / "a.yaml", Exchange(passes=[timing(600_000)] * 5))
    with ReplayServer() as server:
        stage = server.load(path, Latency("recorded"))
        wire = Wire(stage.url())
        wire.ask("/")
    with wire:
        assert b"" == wire.rest()
    assert not psutil.pid_exists(server.pid)
    with pytest.raises(ConnectionRefusedError):
        Wire(stage.url())


def test_a_server_may_be_closed_twice() -> None:
    """The second time nothing happens."""
    server = ReplayServer()
    server.close()
    server.close()
    assert not psutil.pid_exists(server.pid)


def test_a_server_is_closed_where_the_test_fails() -> None:
    """An error in the block ends it like any other end."""
    with pytest.raises(ArithmeticError), ReplayServer() as server:
        raise ArithmeticError
    assert not psutil.pid_exists(server.pid)


def test_a_closed_server_answers_nothing(tmp_path: Path) -> None:
    """A stage that outlived its server says that it is gone."""
    with ReplayServer() as server:
        stage = server.load(write_cassette(tmp_path / "a.yaml", Exchange()), Latency("none"))
    with pytest.raises(ReplayDied, match="is gone"):
        stage.begin()


def test_a_server_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked first, then made to: here it is stopped, so that it can't hear."""
    monkeypatch.setattr(process, "STOP_LIMIT_S", 0.1)
    with ReplayServer() as server:
        os.kill(server.pid, signal.SIGSTOP)
    assert not psutil.pid_exists(server.pid)


@pytest.mark.parametrize("command", ["begin", "end"])
def test_a_server_that_was_killed_is_missed(tmp_path: Path, command: str) -> None:
    """The next command says that it is gone, and by what signal."""
    with ReplayServer() as server:
        stage = server.load(write_cassette(tmp_path / "a.yaml", Exchange()), Latency("none"))
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ReplayDied, match=r"is gone.*SIGKILL"):
            getattr(stage, command)()


def test_waiting_for_a_server_ends_when_it_does() -> None:
    """However it ends."""
    with ReplayServer() as server:
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ReplayDied, match=r"is gone.*SIGKILL"):
            server.wait()


def test_a_server_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit the error names the command."""
    with ReplayServer() as server:
        stage = server.load(write_cassette(tmp_path / "a.yaml", Exchange()), Latency("none"))
        monkeypatch.setattr(process, "ANSWER_LIMIT_S", 0.1)
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(ReplayDied, match=r"did not answer 'begin' within 0.1 s \(still running\)"):
            stage.begin()
        os.kill(server.pid, signal.SIGCONT)


def test_an_answer_that_came_too_late_is_not_taken_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that was not waited for to its end, as where somebody pressed Ctrl-C."""
    with ReplayServer() as server:
        stage = Serve(server, tmp_path)(Exchange())
        bodies(stage, "/")
        with monkeypatch.context() as impatient:
            impatient.setattr(process, "ANSWER_LIMIT_S", 0.01)
            os.kill(server.pid, signal.SIGSTOP)
            with pytest.raises(ReplayDied, match=r"did not answer 'log'"):
                stage.take_log()
            os.kill(server.pid, signal.SIGCONT)
        assert {"GET /": 1} == stage.end().requests
        stage.begin()
        assert {} == stage.end().requests


def children() -> set[int]:
    """The processes that this one started and that still run."""
    return {child.pid for child in psutil.Process().children() if is_running(child.pid)}


def test_a_server_that_fails_to_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has its exit code and its own words, and nothing is left of it."""
    fail = "import sys; print('the loop is out of order', file=sys.stderr); sys.exit(3)"
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", fail))
    before = children()
    with pytest.raises(ReplayDied) as died:
        ReplayServer()
    said = "the replay server never became ready (exit code 3). Its own words:\nthe loop is out of order"
    assert said == str(died.value)
    assert before == children()


def test_a_server_that_never_starts_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit it is ended, and nothing is left of it."""
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(process, "START_LIMIT_S", 0.1)
    monkeypatch.setattr(process, "STOP_LIMIT_S", 0.1)
    before = children()
    with pytest.raises(ReplayDied) as died:
        ReplayServer()
    assert "the replay server never became ready within 0.1 s (still running). Its own words:\n(none)" == (
        str(died.value)
    )
    assert before == children()


ALONE = "server = ReplayServer(); print(server.pid, flush=True)"
FORKED = "server = ReplayServer(); child = os.fork(); print(server.pid, child, flush=True) if child else None"


@pytest.mark.parametrize("start", [ALONE, FORKED], ids=["alone", "with a forked worker"])
def test_a_server_ends_with_the_process_that_started_it(start: str) -> None:
    """Even where that is killed, and even where a forked worker of it lives on and holds the server's input."""
    program = f"import os, time\nfrom laptime.replay import ReplayServer\n{start}\ntime.sleep(600)"
    others: Sequence[int] = ()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            server, *others = map(int, parent.stdout.readline().split())
            assert is_running(server)
        finally:
            parent.kill()
        try:
            assert ended(server)
        finally:
            for other in others:
                os.kill(other, signal.SIGKILL)


def test_a_server_is_told_in_json(tmp_path: Path) -> None:
    """One line for each command and each answer; an unknown command is an answer, and the end of input is its end."""
    path = write_cassette(tmp_path / "a.yaml", Exchange())
    load_it = {"do": "load", "path": str(path), "latency": "none", "port": 0, "tls": None, "limits": {}}
    commands = [{"do": "sing"}, load_it]
    told = "".join(json.dumps(command) + "\n" for command in commands)
    ran = subprocess.run(process.COMMAND, input=told, capture_output=True, text=True, timeout=HANG_LIMIT_S, check=True)
    ready, unknown, loaded = map(json.loads, ran.stdout.splitlines())
    assert {"ready": True} == ready
    assert "no such command: 'sing'" == unknown["message"]
    assert ([SITE], 5, "none") == (list(loaded["urls"]), loaded["passes"], loaded["latency"])
