"""Whatever client asks, in whichever process or loop: it gets the bytes that were recorded.

Every client here is one that people use; none of them knows of the replay.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import multiprocessing
import random
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import pytest
import requests

from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, timing

OTHER = "https://other.test"
DRAWN = random.Random(7).randbytes(300_000)
GZIP = {"Content-Encoding": ["gzip"]}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000002000000030802000000368849d6000000104944415478da63f8cfc000440c28140044"
    "d005fb4cce710f0000000049454e44ae426082"
)
"""Two by three pixels, all red."""


class Answer(NamedTuple):
    """What a client got: the status, and the body as it was before it was packed."""

    status: int
    body: bytes


# what is asked: plain, packed, binary, large and in pieces, empty, missing, and an address in need of escapes
EXCHANGES = (
    Exchange(f"{SITE}/plain", body="grüße"),
    Exchange(f"{SITE}/packed", headers=GZIP, body="packed " * 1000),
    Exchange(f"{SITE}/drawn", body=DRAWN, passes=[timing(1.0, chunks=((0.0, 1), (1.0, 2), (2.0, 3)))] * 5),
    Exchange(f"{SITE}/empty", body=b""),
    Exchange(f"{SITE}/nothing", status=204, reason="No Content", body=b""),
    Exchange(f"{SITE}/missing", status=404, reason="Not Found", body="no such thing"),
    Exchange(f"{SITE}/a%20b/%C3%A4?x=1&y=%26", body="escaped"),
)
EXPECTED = {
    urlsplit(one.uri)._replace(scheme="", netloc="").geturl(): Answer(
        one.status, one.body if isinstance(one.body, bytes) else one.body.encode()
    )
    for one in EXCHANGES
}
Ask = Callable[[Sequence[str]], list[Answer]]


def unpacked(body: bytes, coding: str | None) -> bytes:
    """For clients that leave a body as it came."""
    return gzip.decompress(body) if coding == "gzip" else body


# clients, one after the other


def with_requests(urls: Sequence[str]) -> list[Answer]:
    """One session."""
    with requests.Session() as session:
        answers = [session.get(url, timeout=HANG_LIMIT_S) for url in urls]
    return [Answer(answer.status_code, answer.content) for answer in answers]


def with_httpx(urls: Sequence[str]) -> list[Answer]:
    """Its client for blocking code."""
    httpx = pytest.importorskip("httpx")
    with httpx.Client(timeout=HANG_LIMIT_S) as client:
        return [Answer(answer.status_code, answer.content) for answer in map(client.get, urls)]


def with_urllib(urls: Sequence[str]) -> list[Answer]:
    """The standard library's, a connection for each."""

    def get(url: str) -> Answer:
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        try:
            with urllib.request.urlopen(request, timeout=HANG_LIMIT_S) as answer:
                return Answer(answer.status, unpacked(answer.read(), answer.headers["Content-Encoding"]))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read())

    return list(map(get, urls))


def with_http_client(urls: Sequence[str]) -> list[Answer]:
    """The standard library's bare one, over one connection."""
    connection = http.client.HTTPConnection(urlsplit(urls[0]).netloc, timeout=HANG_LIMIT_S)

    def get(url: str) -> Answer:
        connection.request("GET", urlsplit(url)._replace(scheme="", netloc="").geturl())
        answer = connection.getresponse()
        return Answer(answer.status, unpacked(answer.read(), answer.headers["Content-Encoding"]))

    try:
        return list(map(get, urls))
    finally:
        connection.close()


# in threads and processes


def from_response(answer: requests.Response) -> Answer:
    """What a worker sent back."""
    return Answer(answer.status_code, answer.content)


def in_threads(urls: Sequence[str]) -> list[Answer]:
    """requests, in a pool of threads."""
    with ThreadPoolExecutor(4) as pool:
        return list(map(from_response, pool.map(partial(requests.get, timeout=HANG_LIMIT_S), urls)))


def in_processes(method: str, urls: Sequence[str]) -> list[Answer]:
    """requests, in a pool of processes."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        return list(map(from_response, pool.map(partial(requests.get, timeout=HANG_LIMIT_S), urls)))


# on event loops


async def with_aiohttp(urls: Sequence[str]) -> list[Answer]:
    """All at once."""

    async def get(client: aiohttp.ClientSession, url: str) -> Answer:
        async with client.get(url) as answer:
            return Answer(answer.status, await answer.read())

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(HANG_LIMIT_S)) as client:
        return await asyncio.gather(*(get(client, url) for url in urls))


async def with_async_httpx(urls: Sequence[str]) -> list[Answer]:
    """All at once."""
    httpx = pytest.importorskip("httpx")
    async with httpx.AsyncClient(timeout=HANG_LIMIT_S) as client:
        answers = await asyncio.gather(*map(client.get, urls))
    return [Answer(answer.status_code, answer.content) for answer in answers]


async def with_tornado(urls: Sequence[str]) -> list[Answer]:
    """Its own client, all at once."""
    tornado = pytest.importorskip("tornado.simple_httpclient")
    client = tornado.SimpleAsyncHTTPClient(force_instance=True)
    try:
        timeouts = {"request_timeout": HANG_LIMIT_S, "connect_timeout": HANG_LIMIT_S}
        answers = await asyncio.gather(*(client.fetch(url, raise_error=False, **timeouts) for url in urls))
    finally:
        client.close()
    return [Answer(answer.code, answer.body) for answer in answers]


def on_asyncio(client: Callable[[Sequence[str]], Awaitable[list[Answer]]], urls: Sequence[str]) -> list[Answer]:
    """On the standard library's event loop."""
    return asyncio.run(client(urls))  # type: ignore[arg-type]


def on_uvloop(client: Callable[[Sequence[str]], Awaitable[list[Answer]]], urls: Sequence[str]) -> list[Answer]:
    """On libuv's."""
    uvloop = pytest.importorskip("uvloop")
    return list(uvloop.run(client(urls)))


CLIENTS: dict[str, Ask] = {
    "requests": with_requests,
    "httpx": with_httpx,
    "urllib.request": with_urllib,
    "http.client": with_http_client,
    "requests in threads": in_threads,
    **{f"requests, {name}": partial(in_processes, name) for name in multiprocessing.get_all_start_methods()},
    "aiohttp on asyncio": partial(on_asyncio, with_aiohttp),
    "aiohttp on uvloop": partial(on_uvloop, with_aiohttp),
    "httpx on asyncio": partial(on_asyncio, with_async_httpx),
    "httpx on uvloop": partial(on_uvloop, with_async_httpx),
    "tornado on asyncio": partial(on_asyncio, with_tornado),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_any_client_gets_what_was_recorded(serve: Serve, client: str) -> None:
    """Its status and every byte of its body, packed or in pieces; each request once, and nothing else."""
    stage = serve(*EXCHANGES)
    got = CLIENTS[client]([stage.url() + target for target in EXPECTED])
    assert EXPECTED == dict(zip(EXPECTED, got, strict=True))
    served = stage.end()
    assert ({f"GET {target}": 1 for target in EXPECTED}, [], []) == (served.requests, served.unmatched, served.refused)


# curl

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on PATH")


def curl(*arguments: object) -> bytes:
    """What curl writes, without its settings of this machine's user."""
    command = ["curl", "--disable", "--silent", "--show-error", "--max-time", str(HANG_LIMIT_S), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout


@needs_curl
def test_curl_gets_what_was_recorded(serve: Serve, tmp_path: Path) -> None:
    """All of it, over one connection."""
    stage = serve(*EXCHANGES)
    files = [tmp_path / f"answer{number}" for number in range(len(EXPECTED))]
    outputs = [
        word for target, file in zip(EXPECTED, files, strict=True) for word in ("--output", file, stage.url() + target)
    ]
    statuses = curl("--globoff", "--write-out", "%{http_code}\n", *outputs).decode().split()
    got = [
        Answer(int(status), file.read_bytes() if file.exists() else b"")
        for status, file in zip(statuses, files, strict=True)
    ]
    packed = list(EXPECTED).index("/packed")
    got[packed] = got[packed]._replace(body=gzip.decompress(got[packed].body))
    assert EXPECTED == dict(zip(EXPECTED, got, strict=True))
    assert 1 == len({visit.connection for visit in stage.take_log()})


@needs_curl
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_curl_unpacks_what_it_asked_for_packed(serve: Serve, coding: str) -> None:
    """With --compressed, as far as it was built for it."""
    if coding in ("br", "zstd") and {"br": "brotli"}.get(coding, coding) not in curl("--version").decode():
        pytest.skip(f"this curl can't unpack {coding}")
    stage = serve(Exchange(headers={"Content-Encoding": [coding]}, body="packed " * 1000))
    assert b"packed " * 1000 == curl("--compressed", stage.url())
    assert b"packed " * 1000 != curl(stage.url())


@needs_curl
def test_curl_follows_from_one_recorded_origin_to_another(serve: Serve) -> None:
    """With --location, and it stays on this machine."""
    found = {"Location": [f"{OTHER}/new?x=1"]}
    stage = serve(
        Exchange(f"{SITE}/old", status=302, reason="Found", headers=found, body="moved"),
        Exchange(f"{OTHER}/new?x=1", status=301, headers={"Location": ["/newer"]}, body="moved again"),
        Exchange(f"{OTHER}/newer", body="here"),
    )
    written = curl("--location", "--write-out", "|%{num_redirects}|%{url_effective}", f"{stage.url(SITE)}/old")
    assert f"here|2|{stage.url(OTHER)}/newer" == written.decode()


@needs_curl
def test_curl_trusts_the_replays_own_authority(serve: Serve) -> None:
    """With --cacert; without it, curl refuses to go on."""
    stage = serve(*EXCHANGES, tls=True)
    assert EXPECTED["/plain"].body == curl("--cacert", stage.ca_file, f"{stage.url()}/plain")
    with pytest.raises(subprocess.CalledProcessError, match="60"):
        curl(f"{stage.url()}/plain")


@needs_curl
def test_curl_need_not_wait_to_send_what_is_large(serve: Serve, tmp_path: Path) -> None:
    """Above 1 MB it asks first whether it may (`Expect: 100-continue`), and is told so: here it would wait for ever."""
    large = tmp_path / "large"
    large.write_bytes(b"a" * 1_500_000)
    stage = serve(Exchange(f"{SITE}/upload", "POST", body="taken"), timed=False, latency="none")
    form = ["--header", "Content-Type: application/octet-stream", "--data-binary", f"@{large}"]
    patient = ["--expect100-timeout", str(10 * HANG_LIMIT_S)]
    heads, _, body = curl("--include", *patient, *form, f"{stage.url()}/upload").rpartition(b"\r\n\r\n")
    assert b"taken" == body
    if b"100 Continue" not in heads:
        pytest.skip("this curl didn't ask")


# a browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
)
PAGE = """<!doctype html>
<html><head><title>Shop</title><link rel="icon" href="data:,"></head>
<body><img id="logo" src="/logo.png"><p id="price">?</p><script src="/shop.js"></script></body></html>
"""
SCRIPT = """
const logo = document.getElementById("logo"), price = document.getElementById("price");
const loaded = logo.complete ? Promise.resolve() : new Promise(done => { logo.onload = logo.onerror = done; });
Promise.all([fetch("/price").then(answer => answer.json()), loaded]).then(([found]) => {
  price.textContent = `${found.name} costs ${found.price}; the logo is ${logo.naturalWidth} by ${logo.naturalHeight}`;
});
"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on PATH")
def test_a_browser_shows_a_page_that_is_all_replayed(serve: Serve, tmp_path: Path) -> None:
    """Its image, its script, and what that fetches, behind a redirect to another recorded origin."""
    price = json.dumps({"name": "pear", "price": 3})
    shared = {"Content-Type": ["application/json"], "Access-Control-Allow-Origin": [SITE]}
    stage = serve(
        Exchange(f"{SITE}/", headers={"Content-Type": ["text/html"], **GZIP}, body=PAGE),
        Exchange(f"{SITE}/logo.png", headers={"Content-Type": ["image/png"]}, body=PNG),
        Exchange(f"{SITE}/shop.js", headers={"Content-Type": ["text/javascript"]}, body=SCRIPT),
        Exchange(f"{SITE}/price", status=302, reason="Found", headers={"Location": [f"{OTHER}/price"]}, body=""),
        Exchange(f"{OTHER}/price", headers=shared, body=price),
    )
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = subprocess.run(
        [str(BROWSER), *QUIET, profile, "--dump-dom", f"{stage.url(SITE)}/"],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=HANG_LIMIT_S,
        text=True,
    )
    assert "pear costs 3; the logo is 2 by 3" in shown.stdout, shown
    served = stage.end()
    asked = ["GET /", "GET /logo.png", "GET /shop.js", "GET /price"]
    assert dict(zip(asked, (1, 1, 1, 2), strict=True)) == served.requests
    assert ([], []) == (served.unmatched, served.refused)
