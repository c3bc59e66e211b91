"""What a recorded origin lets through, over sockets: so many requests at once, so many a second.

Times are the server's own, from its log. Nothing depends on how fast the machine is: a request may be late, none may
be early, and none may take another's place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise

import aiohttp
import pytest
import requests
from requests.adapters import HTTPAdapter, Retry

from laptime.replay import LimitsError, Stage, Visit
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, bodies, timing

MS = 1_000_000


def all_at_once(url: Callable[[int], str], count: int) -> list[int]:
    """The statuses of so many requests, each on a connection of its own."""

    async def ask(client: aiohttp.ClientSession, number: int) -> int:
        async with client.get(url(number)) as response:
            await response.read()
            return response.status

    async def ask_all() -> list[int]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            return await asyncio.wait_for(asyncio.gather(*(ask(client, n) for n in range(count))), HANG_LIMIT_S)

    return asyncio.run(ask_all())


def most_at_once(visits: list[Visit], wait_ns: int) -> int:
    """Of how many requests the recorded waits overlap."""
    edges = [(visit.due_ns - wait_ns, 1) for visit in visits] + [(visit.due_ns, -1) for visit in visits]
    inside = most = 0
    for _, step in sorted(edges):  # at one moment the leaving come first
        inside += step
        most = max(most, inside)
    return most


def test_so_many_are_answered_at_once(serve: Serve) -> None:
    """Of thirty requests never more than four; the others begin in the order of their arrival."""
    stage = serve(Exchange(passes=[timing(5)] * 5), limits="concurrent:4")
    assert [200] * 30 == all_at_once(lambda number: stage.url(), 30)
    visits = stage.end(log=True).log
    assert most_at_once(visits, 5 * MS) <= 4
    in_order = sorted(visits, key=lambda visit: visit.read_ns)
    dues = [visit.due_ns for visit in in_order]
    assert sorted(dues) == dues
    assert [True] * 30 == [visit.due_ns - visit.read_ns >= 5 * MS for visit in visits]


def test_no_place_stays_empty(serve: Serve) -> None:
    """Four are answered at once, though none comes to its end; the fifth begins when one of them leaves, not before."""
    endless = Exchange(body="begin" + "x" * 95, passes=[timing(0, chunks=[(0.0, 5), (600_000.0, 95)])] * 5)
    stage = serve(endless, limits="concurrent:4")
    with ExitStack() as opened:
        inside = [opened.enter_context(Wire(stage.url())) for _ in range(4)]
        for wire in inside:
            wire.ask("/")
            wire.until(b"begin")
        fifth = opened.enter_context(Wire(stage.url()))
        fifth.ask("/")
        left_ns = time.monotonic_ns()
        inside[2].socket.close()
        fifth.until(b"begin")
        assert left_ns <= fifth.arrived_ns(0)


def test_a_body_holds_its_place_until_it_is_out(serve: Serve) -> None:
    """The next request begins after the last byte of the one before, not after its head."""
    slow = Exchange(body="x" * 100, passes=[timing(1, chunks=[(0.0, 50), (20.0, 50)])] * 5)
    stage = serve(slow, limits="concurrent:1")
    assert [200] * 3 == all_at_once(lambda number: stage.url(), 3)
    visits = sorted(stage.end(log=True).log, key=lambda visit: visit.due_ns)
    assert [True] * 2 == [earlier.done_ns <= later.due_ns - 1 * MS for earlier, later in pairwise(visits)]
    assert [True] * 3 == [visit.due_ns + 20 * MS <= visit.done_ns for visit in visits]


def test_who_leaves_gives_up_the_place(serve: Serve) -> None:
    """A client that goes while it is answered, or while it waits in line, keeps nobody waiting."""
    stage = serve(
        Exchange(f"{SITE}/slow", passes=[timing(600_000)] * 5), Exchange(f"{SITE}/quick"), limits="concurrent:1"
    )
    with Wire(stage.url()) as inside, Wire(stage.url()) as in_line:
        inside.ask("/slow")
        in_line.ask("/slow")
        assert [599] == all_at_once(lambda number: f"{stage.url()}/unknown", 1)  # by now both were read
    assert ["quick"] * 2 == [body.replace("hello", "quick") for body in bodies(stage, "/quick", "/quick")]
    assert {"GET /quick": 2} == stage.end().requests


@pytest.mark.parametrize("limits", ["concurrent:3", "concurrent:3,rate:2000"])
def test_no_place_is_lost_among_clients_that_come_and_go(serve: Serve, limits: str) -> None:
    """Some leave at once, some in the middle of their answer, some with requests of theirs still in line."""
    slow = Exchange(f"{SITE}/slow", body="x" * 100, passes=[timing(1, chunks=[(0.0, 50), (2.0, 50)])] * 5)
    endless = Exchange(f"{SITE}/endless", body="x" * 100, passes=[timing(0, chunks=[(0.0, 50), (600_000.0, 50)])] * 5)
    stage = serve(slow, endless, limits=limits)
    with ExitStack() as staying:
        for number in range(120):
            wire = Wire(stage.url())
            wire.ask(*["/slow"] * (1 + number % 3))
            if number % 4 == 0:
                staying.enter_context(wire)
            elif number % 4 == 1:
                with wire:
                    wire.until(b"x")
            else:
                wire.socket.close()
    with ExitStack() as opened:
        for _ in range(3):
            wire = opened.enter_context(Wire(stage.url()))
            wire.ask("/endless")
            assert b"x" * 50 == wire.until(b"x" * 50)[-50:]


def test_what_was_not_recorded_does_not_wait_in_line(serve: Serve) -> None:
    """It is told so at once, though all places are taken."""
    stage = serve(Exchange(f"{SITE}/slow", passes=[timing(600_000)] * 5), limits="concurrent:1")
    with Wire(stage.url()) as inside:
        inside.ask("/slow")
        assert [599] == all_at_once(lambda number: f"{stage.url()}/unknown", 1)


def test_pipelined_requests_take_one_place_after_the_other(serve: Serve) -> None:
    """A thousand on one connection, one of two places at a time: all are answered."""
    stage = serve(Exchange(), limits="concurrent:2", latency="none")
    with Wire(stage.url()) as wire:
        wire.ask(*["/"] * 1000)
        wire.until(b"hello", times=1000)
    assert {"GET /": 1000} == stage.end().requests


@pytest.mark.parametrize("limits", ["rate:200", "rate:200,concurrent:3"])
def test_requests_are_let_in_at_the_rate(serve: Serve, limits: str) -> None:
    """None comes closer to the one before than the interval, by when they are due, in the order of their arrival."""
    stage = serve(Exchange(passes=[timing(2)] * 5), limits=limits)
    assert [200] * 20 == all_at_once(lambda number: stage.url(), 20)
    visits = sorted(stage.end(log=True).log, key=lambda visit: visit.read_ns)
    dues = [visit.due_ns for visit in visits]
    assert [True] * 20 == [visit.due_ns >= visit.read_ns + 2 * MS for visit in visits]
    if limits == "rate:200":
        assert [True] * 19 == [later - earlier >= 5 * MS for earlier, later in pairwise(dues)]
    else:
        # who waits for a place starts when there is one: the slots still add up
        assert [True] * 20 == [due >= visits[0].read_ns + (2 + 5 * n) * MS for n, due in enumerate(dues)]


def test_who_is_above_the_rate_is_turned_away(serve: Serve) -> None:
    """With 429 and a number of seconds, at once; it counts for nothing but the log, and the connection goes on."""
    stage = serve(Exchange(), limits="rate:0.01:429")
    with requests.Session() as client:
        assert 200 == client.get(stage.url(), timeout=HANG_LIMIT_S).status_code
        answer = client.get(stage.url(), timeout=HANG_LIMIT_S)
        assert (429, "Too Many Requests", True) == (
            answer.status_code,
            answer.reason,
            1 <= int(answer.headers["Retry-After"]) <= 100,
        )
    served = stage.end(log=True)
    assert ({"GET /": 1}, [], []) == (served.requests, served.unmatched, served.refused)
    assert [(0, 200), (-1, 429)] == [(visit.interaction, visit.status) for visit in served.log]
    assert 1 == len({visit.connection for visit in served.log})
    stage.begin()
    assert ["hello"] == bodies(stage, "/")


def test_who_comes_again_when_it_was_told_to_is_let_in(serve: Serve) -> None:
    """As urllib3's retries do, which read the header; what was turned away took no recorded answer."""
    stage = serve(*(Exchange(body=body) for body in ("first", "second")), limits="rate:1.1:429")
    with requests.Session() as client:
        retries = Retry(total=2, status_forcelist=[429], respect_retry_after_header=True)
        client.mount("http://", HTTPAdapter(max_retries=retries))
        assert ["first", "second"] == [client.get(stage.url(), timeout=HANG_LIMIT_S).text for _ in range(2)]
    assert {"GET /": 2} == stage.end().requests


# Origins


def limited(serve: Serve, limits: object) -> Stage:
    """Two origins under these limits."""
    slow = [timing(3)] * 5
    return serve(Exchange("http://a.test/", passes=slow), Exchange("http://b.test/", passes=slow), limits=limits)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("concurrent:1", (1, 1)),
        ({"http://a.test": "concurrent:1"}, (1, None)),
        ({"http://a.test": "concurrent:1", "*": "concurrent:2"}, (1, 2)),
        ({"http://a.test": "", "*": "concurrent:2"}, (None, 2)),
    ],
    ids=str,
)
def test_each_origin_has_its_own_limits(serve: Serve, limits: object, expected: tuple[int | None, ...]) -> None:
    """The same for all, by their name, or for the rest of them; one origin's requests wait for none of another's."""
    stage = limited(serve, limits)
    origins = list(stage.origins)
    assert [200] * 16 == all_at_once(lambda number: stage.url(origins[number % 2]), 16)
    log = stage.end(log=True).log
    for origin, most in zip(origins, expected, strict=True):
        visits = [visit for visit in log if visit.origin == origin]
        assert 8 == len(visits)
        if most is None:
            assert [3 * MS] * 8 == [
                visit.due_ns - max(visit.read_ns, visit.opened_ns) for visit in visits
            ]  # nobody waited
        else:
            assert most_at_once(visits, 3 * MS) <= most


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("often", "limits 'often': expected concurrent:4, rate:10 or rate:10:429"),
        ({"http://a.test": "often"}, "limits 'often': expected concurrent:4, rate:10 or rate:10:429"),
        ({"http://c.test": "rate:1"}, "limits: http://c.test was not recorded in "),
        ({"a.test": "rate:1"}, "limits: a.test was not recorded in "),
    ],
    ids=str,
)
def test_limits_that_cant_be_are_an_error(serve: Serve, limits: object, said: str) -> None:
    """Ones that can't be read, or of an origin that wasn't recorded; the server goes on."""
    with pytest.raises(LimitsError) as refused:
        limited(serve, limits)
    assert said == str(refused.value)[: len(said)]
    assert ["hello"] == bodies(serve(Exchange()), "/")
