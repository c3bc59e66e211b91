"""What a recorded origin lets through: so many requests at once, so many a second, and what becomes of the others.

Times are the server's own, from its log. Nothing depends on how fast the machine is: a request may be late, none may
be early, and none may take another's place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter, Retry

from laptime.replay import Limits, LimitsError, ReplayServer, Stage, Visit
from laptime.replay.limits import Door
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, bodies, timing

MS = 1_000_000
S = 1000 * MS

# Reading limits


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", Limits()),
        ("concurrent:4", Limits(concurrent=4)),
        ("rate:10", Limits(per_second=10)),
        ("rate:0.5", Limits(per_second=0.5)),
        ("rate:10:queue", Limits(per_second=10)),
        ("rate:10:429", Limits(per_second=10, turn_away=True)),
        ("concurrent:4,rate:10:429", Limits(4, 10, True)),
        (" rate:10 , concurrent:4 ", Limits(4, 10)),
        ("concurrent:100000,rate:1000000", Limits(100_000, 1e6)),
    ],
)
def test_limits_are_read_as_they_are_written(text: str, limits: Limits) -> None:
    """In any order, with blanks or without; none are no limits."""
    assert limits == Limits.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("4", "concurrent", "concurrent:", "concurrent:0", "concurrent:-1", "concurrent:1.5", "concurrent:100001"),
        *("concurrent:x", "concurrent:4:429", "concurrent:4,concurrent:5", "Concurrent:4", "concurrent:" + "9" * 5000),
        *("rate", "rate:", "rate:0", "rate:-1", "rate:nan", "rate:inf", "rate:1e7", "rate:0.0001", "rate:x"),
        *("rate:10:503", "rate:10:429:429", "rate:1,rate:2", "rate:10;concurrent:4", "burst:3"),
    ],
)
def test_any_other_limits_are_refused(text: str) -> None:
    """What are none is quoted, with ones that are."""
    with pytest.raises(LimitsError) as refused:
        Limits.parse(text)
    expected = "expected concurrent:4, rate:10 or rate:10:429, or two of them with a comma between"
    assert f"limits {text!r}: {expected}" == str(refused.value)


@given(
    st.builds(
        Limits,
        concurrent=st.none() | st.integers(1, 100_000),
        per_second=st.floats(1e-3, 1e6),
        turn_away=st.booleans(),
    )
)
def test_limits_are_shown_as_they_are_written(limits: Limits) -> None:
    """What was read from the text of limits has the same text."""
    assert str(limits) == str(Limits.parse(str(limits)))


@pytest.mark.parametrize(("text", "any_"), [("", False), ("concurrent:1", True), ("rate:1", True)])
def test_no_limits_are_none(text: str, any_: bool) -> None:
    """Nothing is looked at where nothing is limited."""
    assert any_ == bool(Limits.parse(text))


# The door


def test_so_many_enter_and_the_others_wait_in_line() -> None:
    """The first who leaves makes room for the first who waits."""
    door, entered = Door(Limits(concurrent=2)), list[int]()
    for number in range(5):
        door.enter(partial(entered.append, number))
    assert [0, 1] == entered
    door.leave()
    assert [0, 1, 2] == entered
    door.leave()
    door.leave()
    assert [0, 1, 2, 3, 4] == entered


def test_a_place_that_was_left_is_free() -> None:
    """Where nobody waits, the next one enters at once; never more than there is room for."""
    door, entered = Door(Limits(concurrent=2)), list[int]()
    for number in range(4):
        door.enter(partial(entered.append, number))
        door.leave()
    assert [0, 1, 2, 3] == entered
    for number in (4, 5, 6):
        door.enter(partial(entered.append, number))
    assert [0, 1, 2, 3, 4, 5] == entered


def test_without_a_number_all_enter() -> None:
    """A rate alone keeps nobody waiting here."""
    door, entered = Door(Limits(per_second=1)), list[int]()
    for number in range(5):
        door.enter(partial(entered.append, number))
    assert [0, 1, 2, 3, 4] == entered


@given(
    most=st.integers(1, 4),
    steps=st.lists(st.booleans(), max_size=60),
)
def test_never_more_than_so_many_are_inside(most: int, steps: list[bool]) -> None:
    """Whatever comes and goes: all enter in the order of their arrival, and nobody waits while there is room."""
    door, entered, arrived, left = Door(Limits(concurrent=most)), list[int](), 0, 0
    for arrives in steps:
        if arrives:
            door.enter(partial(entered.append, arrived))
            arrived += 1
        elif left < len(entered):
            door.leave()
            left += 1
        assert len(entered) - left == min(most, arrived - left)
    assert list(range(len(entered))) == entered


def test_slots_follow_each_other_at_the_rate() -> None:
    """The first at once, each further one an interval after the one before; who comes late has no claim to more."""
    door = Door(Limits(per_second=10))
    assert [0, 100 * MS, 200 * MS] == [door.slot_ns(0) for _ in range(3)]
    assert 300 * MS == door.slot_ns(250 * MS)
    assert [1000 * MS, 1100 * MS] == [door.slot_ns(1000 * MS), door.slot_ns(1000 * MS)]


def test_without_a_rate_every_slot_is_now() -> None:
    """However many come."""
    door = Door(Limits(concurrent=1))
    assert [7, 7, 8] == [door.slot_ns(7), door.slot_ns(7), door.slot_ns(8)]


@given(
    rate=st.floats(1e-3, 1e6),
    arrivals=st.lists(st.integers(0, 10**12), min_size=1, max_size=50).map(sorted),
)
def test_no_two_slots_are_closer_than_the_interval(rate: float, arrivals: list[int]) -> None:
    """None is before its request came, and in no second are there more than the rate allows."""
    door = Door(Limits(per_second=rate))
    slots = [door.slot_ns(arrival) for arrival in arrivals]
    interval = round(S / rate)
    assert [True] * len(slots) == [slot >= arrival for slot, arrival in zip(slots, arrivals, strict=True)]
    assert all(later - earlier >= interval for earlier, later in pairwise(slots))


@pytest.mark.parametrize(("at_ns", "after_s"), [(0, 2), (400 * MS, 2), (500 * MS, 1), (1499 * MS, 1), (1500 * MS, 0)])
def test_who_is_turned_away_is_told_when_to_come_again(at_ns: int, after_s: int) -> None:
    """In whole seconds, after which it is let in; who is, isn't told anything."""
    door = Door(Limits(per_second=2 / 3, turn_away=True))
    assert 0 == door.retry_after_s(0)
    assert 0 == door.slot_ns(0)
    assert after_s == door.retry_after_s(at_ns)
    assert 0 == door.retry_after_s(at_ns + after_s * S)


def test_who_may_wait_is_not_turned_away() -> None:
    """Without 429 in the limits."""
    door = Door(Limits(per_second=1))
    door.slot_ns(0)
    assert 0 == door.retry_after_s(0)


def test_a_round_begins_with_a_free_slot() -> None:
    """What the last round used up is no part of it."""
    door = Door(Limits(per_second=1, turn_away=True))
    door.slot_ns(0)
    door.begin()
    assert (0, 5) == (door.retry_after_s(5), door.slot_ns(5))


# Over sockets


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    """The server of this module."""
    with ReplayServer() as started:
        yield started


@pytest.fixture
def serve(server: ReplayServer, tmp_path: Path) -> Serve:
    """Serve a cassette made of these exchanges."""
    return Serve(server, tmp_path)


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
