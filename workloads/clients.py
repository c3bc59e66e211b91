"""Fetch small documents, many times over: the work is the same, the HTTP client and how it is shared differ.

There are as many lanes as requests are to be in flight. Each has its share of the requests, and sends the next as soon
as its last one was answered. Nothing is computed with an answer but a checksum, so that what differs is what the
clients cost.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice, repeat
from threading import Barrier
from typing import NamedTuple

import requests
from requests.adapters import HTTPAdapter

from workloads import http
from workloads.hn_items import path
from workloads.model import Recorded

IDS = (2, 3, 4, 5, 6, 7, 9, 12, 13, 15)
"""The items whose documents have less than 10 kB, one that isn't there among them."""


@dataclass(frozen=True, slots=True)
class Fetches:
    """The work: which items to fetch from where, each as often as it is named."""

    base_url: str
    ids: tuple[int, ...]


class Seen(NamedTuple):
    """What was seen of one answer: its status, and a checksum of its decoded body."""

    item_id: int
    status: int
    crc32: int


Answer = Mapping[Seen, int]
"""How many times each was seen."""

Run = Callable[[], Answer]
Get = Callable[[str], tuple[int, bytes]]
"""GET a URL: status and decoded body. Raises the client's own errors."""
AsyncGet = Callable[[str], Awaitable[tuple[int, bytes]]]
Beside = Callable[[], Coroutine[object, object, None]]
"""What an event loop does beside the lanes; it never ends by itself."""


def fetches(base_url: str, count: int) -> Fetches:
    """So many requests, the items taken in turns."""
    return Fetches(base_url, tuple(islice(cycle(IDS), count)))


def targets(work: Fetches) -> Counter[str]:
    """How often each path is asked for."""
    return Counter(map(path, work.ids))


def expected(work: Fetches, recorded: Mapping[str, Recorded]) -> Answer:
    """What is seen of the recorded responses."""
    return Counter(seen(item_id, recorded[path(item_id)].status, recorded[path(item_id)].body) for item_id in work.ids)


# the unit of work


def seen(item_id: int, status: int, body: bytes) -> Seen:
    """What is kept of an answer."""
    return Seen(item_id, status, zlib.crc32(body))


# the lanes


def _lane(get: Get, base_url: str, ids: Sequence[int]) -> Answer:
    return Counter(seen(item_id, *get(base_url + path(item_id))) for item_id in ids)


@contextmanager
def threads(work: Fetches, gets: Sequence[Get]) -> Iterator[Run]:
    """A lane, in a thread of its own, for each of `gets`. Raises `RuntimeError` where no more threads start."""
    lanes = len(gets)
    with ThreadPoolExecutor(lanes) as pool:
        _start(pool, lanes)

        def run() -> Answer:
            answer: Counter[Seen] = Counter()
            for done in pool.map(_lane, gets, repeat(work.base_url), (work.ids[lane::lanes] for lane in range(lanes))):
                answer.update(done)
            return answer

        yield run


def _start(pool: ThreadPoolExecutor, lanes: int) -> None:
    """Start every thread: a pool starts one only where none is idle."""
    everyone = Barrier(lanes)
    try:
        for _ in pool.map(lambda _: everyone.wait(), range(lanes)):
            pass
    finally:
        everyone.abort()  # where one could not be started, the others would wait for it


@contextmanager
def event_loop(
    open_client: Callable[[int], AbstractAsyncContextManager[AsyncGet]],
    work: Fetches,
    lanes: int,
    beside: Beside | None = None,
) -> Iterator[Run]:
    """Lanes that are coroutines, over one client; `beside` is run with them and cancelled when they are done."""

    async def run(get: AsyncGet) -> Answer:
        answer: Counter[Seen] = Counter()

        async def lane(ids: Sequence[int]) -> None:
            for item_id in ids:
                answer[seen(item_id, *await get(work.base_url + path(item_id)))] += 1

        other = asyncio.ensure_future(beside()) if beside else None
        try:
            await asyncio.gather(*(lane(work.ids[number::lanes]) for number in range(lanes)))
        finally:
            if other is not None:
                other.cancel()
                with suppress(asyncio.CancelledError):
                    await other
        return answer

    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        get = runner.run(opened.enter_async_context(open_client(lanes)))
        try:
            yield lambda: runner.run(run(get))
        finally:
            runner.run(opened.aclose())


# the clients


@contextmanager
def requests_session(pool_maxsize: int | None = None) -> Iterator[Get]:
    """A `requests.Session`; `pool_maxsize` is how many connections it keeps, 10 where nothing is said."""
    with requests.Session() as session:
        session.headers.update(http.HEADERS)
        if pool_maxsize is not None:
            session.mount("http://", HTTPAdapter(pool_maxsize=pool_maxsize))

        def get(url: str) -> tuple[int, bytes]:
            response = session.get(url, timeout=http.TIMEOUT_S)
            return response.status_code, response.content

        yield get


def requests_once(url: str) -> tuple[int, bytes]:
    """`requests.get`: a session, and a connection, for each request."""
    response = http.get_once(url)
    return response.status_code, response.content


@contextmanager
def httpx_client() -> Iterator[Get]:
    """An `httpx.Client`."""
    import httpx  # here, so that nobody else pays for it

    with httpx.Client(headers=http.HEADERS, timeout=http.TIMEOUT_S, verify=_no_certificates()) as client:

        def get(url: str) -> tuple[int, bytes]:
            response = client.get(url)
            return response.status_code, response.content

        yield get


@asynccontextmanager
async def aiohttp_client(connections: int) -> AsyncIterator[AsyncGet]:
    """An `aiohttp.ClientSession`."""
    import aiohttp

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(sock_connect=http.TIMEOUT_S, sock_read=http.TIMEOUT_S),
        headers=http.HEADERS,
    ) as client:

        async def get(url: str) -> tuple[int, bytes]:
            async with client.get(url) as response:
                return response.status, await response.read()

        yield get


@asynccontextmanager
async def httpx_async_client(connections: int) -> AsyncIterator[AsyncGet]:
    """An `httpx.AsyncClient`."""
    import httpx

    async with httpx.AsyncClient(
        headers=http.HEADERS,
        timeout=http.TIMEOUT_S,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        verify=_no_certificates(),
    ) as client:

        async def get(url: str) -> tuple[int, bytes]:
            response = await client.get(url)
            return response.status_code, response.content

        yield get


def _no_certificates() -> ssl.SSLContext:
    """httpx reads the usual bundle for each client, which takes 20 ms; nothing is fetched over TLS here."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


# who shares a client


@contextmanager
def one_each(open_client: Callable[[], AbstractContextManager[Get]], work: Fetches, lanes: int) -> Iterator[Run]:
    """Threads, a client in each."""
    with ExitStack() as stack:
        gets = [stack.enter_context(open_client()) for _ in range(lanes)]
        yield stack.enter_context(threads(work, gets))


@contextmanager
def shared(open_client: Callable[[], AbstractContextManager[Get]], work: Fetches, lanes: int) -> Iterator[Run]:
    """Threads, one client for all of them."""
    with open_client() as get, threads(work, [get] * lanes) as run:
        yield run


@contextmanager
def one_each_time(get: Get, work: Fetches, lanes: int) -> Iterator[Run]:
    """Threads, a client for each request: `get` makes its own."""
    with threads(work, [get] * lanes) as run:
        yield run


CLIENTS: dict[str, Callable[[Fetches, int], AbstractContextManager[Run]]] = {
    "requests": partial(one_each, requests_session),
    "httpx": partial(one_each, httpx_client),
    "aiohttp": partial(event_loop, aiohttp_client),
    "httpx-async": partial(event_loop, httpx_async_client),
}
"""``CLIENTS[name](work, lanes)``: threads with a client each, or an event loop."""
