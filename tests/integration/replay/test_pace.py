"""When a client gets it: at the recorded pace, or a stated one.

Time is only checked from below: by the client's clock, and by the server's own log. Both are the machine's
monotonic clock, so they can be compared. A busy machine may make an answer late; nothing may make it early.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from laptime.replay import ReplayServer, Stage
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, bodies, complete, timing

MS = 1_000_000  # nanoseconds


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
        for entry in stage.end(log=True).log
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
    entries = {entry.request: entry for entry in stage.end(log=True).log}
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
    (entry,) = stage.end(log=True).log
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
    first, second = stage.end(log=True).log
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
    assert 5 * MS == stage.end(log=True).log[1].due_ns - stage.end(log=True).log[1].read_ns


@pytest.mark.parametrize(
    ("latency", "waits_ns"),
    [("scale:0.1", 4 * MS), ("fixed:3ms", 3 * MS), ("none", 0)],
)
def test_other_modes_play_at_their_own_pace(serve: Serve, latency: str, waits_ns: int) -> None:
    """Scaled, or one wait for all, or none; the second request on a connection shows it without the connect."""
    stage = serve(Exchange(passes=[timing(40, connect=40)] * 5), latency=latency)
    assert ["hello", "hello"] == bodies(stage, "/", "/")
    entry = stage.end(log=True).log[1]
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
        (entry,) = stage.end(log=True).log
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
        (entry,) = stage.end(log=True).log
        second = len(head) + 4 + len(packed) // 2 + 1  # a byte after the middle
        assert entry.due_ns + 15 * MS <= wire.arrived_ns(second)


def test_a_body_that_began_after_its_head_does_so_again(serve: Serve) -> None:
    """Where the first piece was recorded some time after the head, none of it comes before that."""
    stage = serve(Exchange(passes=[timing(2, chunks=[(40.0, 5)])] * 5))
    with Wire(stage.url()) as wire:
        wire.ask("/")
        answer = wire.until(b"hello")
        (entry,) = stage.end(log=True).log
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
        played_ms.append([(entry.due_ns - entry.read_ns) / MS for entry in stage.end(log=True).log])
    assert [[1 + number % 5, 6 + number % 5] for number in range(7)] == played_ms


# Jitter


def drawn(stage: Stage, *targets: str) -> dict[str, list[int]]:
    """How long each request waited, by when it was due, in the order of its occurrences."""
    bodies(stage, *targets)
    waits: dict[str, list[int]] = {}
    for visit in sorted(stage.end(log=True).log, key=lambda visit: visit.read_ns):
        waits.setdefault(visit.request, []).append(visit.due_ns - visit.read_ns)
    return waits


@pytest.fixture(scope="module")
def another() -> Iterator[ReplayServer]:
    """Another server."""
    with ReplayServer() as started:
        yield started


@pytest.mark.parametrize("latency", ["recorded+jitter:7", "scale:0.5+jitter:7", "fixed:2ms+jitter:7"])
def test_jitter_is_the_same_on_another_server_and_in_another_order(
    serve: Serve, another: ReplayServer, tmp_path: Path, latency: str
) -> None:
    """It is drawn by the seed, the request and its occurrence, not by who came first."""
    exchanges = [
        Exchange(f"{SITE}/{number}", passes=[timing(1 + number / 8 + each / 4) for each in range(7)])
        for number in range(8)
    ]
    targets = [f"/{number}" for number in range(8)] * 3
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
