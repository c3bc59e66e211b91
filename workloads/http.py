"""What the HTTP workloads share: who they say they are, how long they wait, and a session per worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    import aiohttp

USER_AGENT = "laptime benchmark suite (Python; sequential, threads, processes, asyncio)"
HEADERS = {"User-Agent": USER_AGENT}
TIMEOUT_S = 30.0

_worker = local()
_session: requests.Session


def get_once(url: str) -> requests.Response:
    """GET over a connection of its own, as the simplest script does."""
    return requests.get(url, headers=HEADERS, timeout=TIMEOUT_S)


def open_session() -> None:
    """Give this thread, or this process, a session of its own; an initializer for pools."""
    _worker.session = requests.Session()
    _worker.session.headers.update(HEADERS)


def get_kept(url: str) -> requests.Response:
    """GET over the connection that this worker keeps alive."""
    response: requests.Response = _worker.session.get(url, timeout=TIMEOUT_S)
    return response


def open_interpreter_session() -> None:
    """Give this interpreter one session; an initializer for pools of sub-interpreters.

    A thread that enters one anew finds nothing there of what it kept for itself (`threading.local`) the last time.
    """
    global _session
    _session = requests.Session()
    _session.headers.update(HEADERS)


def get_in_interpreter(url: str) -> requests.Response:
    """GET over the connection that this interpreter keeps alive."""
    return _session.get(url, timeout=TIMEOUT_S)


def get_kept_or_open(url: str) -> requests.Response:
    """GET over the connection that this worker keeps alive, opened by its first request: where no pool does that."""
    if not hasattr(_worker, "session"):
        open_session()
    return get_kept(url)


@contextmanager
def session() -> Iterator[None]:
    """A session for the calling thread, closed at the end."""
    open_session()
    with _worker.session:
        yield


@contextmanager
def event_loop(
    workers: int,
) -> Iterator[Callable[[Callable[[aiohttp.ClientSession], Awaitable[object]]], object]]:
    """An event loop with a client of at most `workers` connections; gives a call that runs a coroutine function."""
    import aiohttp  # here, so that the spawned workers of `processes` don't pay for it

    async def client() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=workers),
            timeout=aiohttp.ClientTimeout(sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S),
            headers=HEADERS,
        )

    async def run(work: Callable[[aiohttp.ClientSession], Awaitable[object]]) -> object:
        return await work(open_client)

    with asyncio.Runner() as runner:
        open_client = runner.run(client())
        try:
            yield lambda work: runner.run(run(work))
        finally:
            runner.run(open_client.close())
