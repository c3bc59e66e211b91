"""Clients that are many: all are answered, as far as there is room for them, and the others told."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from laptime.replay import ReplayServer, process
from laptime.replay import Stage as Handle
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, timing


def address(stage: Handle) -> tuple[str, int]:
    """Host and port."""
    host, _, port = stage.url().partition("://")[2].partition(":")
    return host, int(port)


@pytest.mark.parametrize("many", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_thousands_at_once_are_all_answered(serve: Serve, many: int) -> None:
    """Each on a connection of its own, all open at the same time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * many + 1000:
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
        everyone = asyncio.Barrier(many)
        async with asyncio.timeout(HANG_LIMIT_S):
            return set(await asyncio.gather(*(ask(everyone) for _ in range(many))))

    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * many), hard))
    try:
        assert {b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"} == asyncio.run(ask_all())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    served = stage.end(log=True)
    assert ({"GET /": many}, [], []) == (served.requests, served.unmatched, served.refused)
    assert [] == [visit for visit in served.log if visit.first_ns < visit.due_ns]


def test_a_long_line_at_a_door_moves_on(serve: Serve) -> None:
    """Four hundred wait for the one place; when it is left, all are answered, one after the other and at once."""
    stage = serve(
        Exchange(f"{SITE}/endless", passes=[timing(600_000)] * 5), Exchange(f"{SITE}/quick"), limits="concurrent:1"
    )
    with ExitStack() as opened:
        inside = opened.enter_context(Wire(stage.url()))
        inside.ask("/endless")
        line = [opened.enter_context(Wire(stage.url())) for _ in range(400)]
        for wire in line:
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
