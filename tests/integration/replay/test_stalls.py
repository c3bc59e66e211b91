"""What only time brings about: a real server runs in this process, and is asked what it would do later."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from laptime.cassette import load
from laptime.replay import Latency, connection
from laptime.replay.connection import STALL_LIMIT_S, Connection, House
from laptime.replay.stage import Stage
from laptime.replay.timer import Timer
from tests.support import HANG_LIMIT_S, SITE, Exchange, Wire, timing, write_cassette
from tests.support.replays import write_large

S = 1_000_000_000  # nanoseconds


def in_this_process(
    path: Path, check: Callable[[House, Stage, str], Awaitable[None]], latency: str = "none", timer: Any = None
) -> None:
    """Run a check of a server in this process; it gets the address."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        stage, house = Stage(timer or Timer(loop)), House(room=100)
        stage.set(load(path), Latency.parse(latency), {SITE: "http://127.0.0.1:1"}, {})
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
    for one in list(house.inside):
        one.check(now_ns + round(seconds * S))


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
            await until(lambda: any(one._in_request for one in house.inside))
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
            await until(lambda: any(one._paused for one in house.inside))
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


class ByHand:
    """A timer whose calls are made by the test."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def at(self, due_ns: int, call: Callable[[], None]) -> None:
        """Keep a call."""
        self.calls.append(call)

    def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize(
    "recorded",
    [timing(600_000), timing(0, chunks=[(0.0, 500), (600_000.0, 500)])],
    ids=["before the answer", "amid its body"],
)
def test_a_client_that_left_was_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: dict[str, Any]
) -> None:
    """An answer that nobody waited for, or not to its end, doesn't count, and does no harm."""
    timer = ByHand()

    async def check(house: House, stage: Stage, url: str) -> None:
        with Wire(url) as leaving:
            leaving.ask("/")
            await until(lambda: timer.calls)
        await until(lambda: not house.inside)
        monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic_ns=lambda: 2**62))  # when it would be due
        for call in timer.calls:
            call()
        assert ({}, []) == (stage.served, stage.take_log())

    path = write_cassette(tmp_path / "a.yaml", Exchange(body="x" * 1000, passes=[recorded] * 5))
    in_this_process(path, check, latency="recorded", timer=timer)
