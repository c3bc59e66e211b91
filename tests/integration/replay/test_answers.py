"""What a client gets: the recorded answer, however it was encoded and however it is asked for."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import aiohttp
import brotli
import httpx
import pytest
import requests
import zstandard

from laptime.cassette import CassetteError, load
from laptime.replay import Latency, ReplayServer, Served, Stage
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, timing, write_cassette


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
