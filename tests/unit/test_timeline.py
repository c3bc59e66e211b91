"""A round as lanes: whose a request was, and what was computed when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.replay import Visit
from laptime.timeline import MOST_BINS, MOST_LANES, Seen, timeline

MS = 1_000_000
BEGAN_NS = 5_000 * MS
PROCESS = 100


def visit(number: int, start_ms: int, *, connection: int = 0, port: int = 0, opened_ms: int | None = None) -> Visit:
    """A request that waits 20 ms and is received in 5."""
    begun_ns = BEGAN_NS + start_ms * MS
    opened_ns = -1 if opened_ms is None else BEGAN_NS + opened_ms * MS
    first_ns, done_ns = begun_ns + 20 * MS, begun_ns + 25 * MS
    name = f"GET /{number}"
    return Visit(
        "http://x", name, 0, 200, connection, opened_ns, begun_ns, begun_ns, first_ns, first_ns, done_ns, 9, port
    )


def seen(visits=(), *, senders=None, owners=None, cpu=None, ms: int = 100) -> Seen:
    samples = {task: [(BEGAN_NS + at * MS, done * MS) for at, done in several] for task, several in (cpu or {}).items()}
    return Seen(BEGAN_NS, BEGAN_NS + ms * MS, PROCESS, visits, senders or {}, owners or {}, samples)


def lanes(found: Seen) -> dict[str, list[str]]:
    return {lane["name"]: [one["name"] for one in lane["requests"]] for lane in timeline(found)["lanes"]}


def test_a_request_is_drawn_from_the_rounds_beginning() -> None:
    """In seconds: when it started, and how long it connected, waited and received."""
    (lane,) = timeline(seen([visit(1, 10, opened_ms=8)]))["lanes"]
    assert [
        {"name": "GET /1", "start": 0.008, "connect": 0.002, "wait": 0.02, "receive": 0.005, "status": 200}
    ] == lane["requests"]


def test_over_a_kept_connection_nothing_connects() -> None:
    """The bar begins with the request."""
    (lane,) = timeline(seen([visit(1, 10)]))["lanes"]
    assert (0.01, 0.0) == (lane["requests"][0]["start"], lane["requests"][0]["connect"])


def test_requests_of_one_thread_share_its_lane_whatever_their_connections() -> None:
    """The sequential variant is one lane, though each of its requests opens a connection."""
    visits = [visit(number, 30 * number, connection=number, port=7000 + number) for number in range(3)]
    assert {"main thread": ["GET /0", "GET /1", "GET /2"]} == lanes(
        seen(visits, senders=dict.fromkeys((7000, 7001, 7002), PROCESS))
    )


def test_threads_are_numbered_in_the_order_of_their_first_request() -> None:
    """Not by the ids that the system gave them."""
    visits = [visit(1, 5, port=7001), visit(2, 0, port=7002)]
    assert {"thread 1": ["GET /2"], "thread 2": ["GET /1"]} == lanes(seen(visits, senders={7001: 150, 7002: 900}))


def test_a_request_of_another_process_is_in_the_lane_of_that_process() -> None:
    """Its threads are one lane."""
    found = seen(
        [visit(1, 0, port=7001), visit(2, 1, port=7002), visit(3, 40, port=7001)],
        owners={7001: 201, 7002: 202},
        cpu={(201, 201): [(0, 0), (10, 5)], (201, 299): [(0, 0), (10, 5)]},
    )
    assert {"process 1": ["GET /1", "GET /3"], "process 2": ["GET /2"]} == lanes(found)
    assert [[0.0, 1.0], [0.005, 1.0]] == timeline(found)["lanes"][0]["cpu"]


def test_connections_of_one_event_loop_have_a_lane_each() -> None:
    """They wait at the same time, and the thread that they share computes above them."""
    visits = [visit(1, 0, connection=4, port=7001), visit(2, 1, connection=5, port=7002)]
    found = seen(visits, owners={7001: PROCESS}, cpu={(PROCESS, PROCESS): [(0, 50), (20, 70)]})
    assert {"main thread": [], "connection 1": ["GET /1"], "connection 2": ["GET /2"]} == lanes(found)


def test_a_thread_that_hardly_computed_has_no_lane_but_counts() -> None:
    """Under 1 % of the round; what all threads computed is whole."""
    cpu = {(PROCESS, PROCESS): [(0, 0), (100, 60)], (PROCESS, 101): [(0, 0), (10, 0.5)]}
    drawn = timeline(seen(cpu=cpu))
    assert ["main thread"] == [lane["name"] for lane in drawn["lanes"]]
    assert pytest.approx(0.0605) == sum(cpus for _, cpus in drawn["cpu_total"]) * drawn["bin_s"]


def test_what_was_noted_late_was_computed_before() -> None:
    """The kernel notes at its ticks: 8 ms that appear within 2 ms fill the bins before, and none holds over one CPU."""
    (lane,) = timeline(seen(cpu={(PROCESS, PROCESS): [(0, 0), (10, 0), (12, 8)]}))["lanes"]
    assert [[0.005, 0.6], [0.01, 1.0]] == lane["cpu"]


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 100)), min_size=1, max_size=30), st.integers(1, 100_000))
def test_no_lane_ever_computes_more_than_there_is_time(steps: list[tuple[int, int]], ms: int) -> None:
    """Whatever the samples: no share over 1, none below 0, and no more bins than can be drawn."""
    at = done = 0
    samples = [(0, 0)]
    for step, computed in steps:
        at, done = at + step, done + computed
        samples.append((at, done))
    drawn = timeline(seen(cpu={(PROCESS, PROCESS): samples}, ms=ms))
    for lane in drawn["lanes"]:
        assert all(0 <= share <= 1.001 for _, share in lane["cpu"])
        assert len(lane["cpu"]) <= MOST_BINS + 1


def test_no_more_lanes_than_can_be_told_apart() -> None:
    """Of a thousand connections the first are drawn, and the others counted."""
    drawn = timeline(seen([visit(number, number % 70, connection=number) for number in range(1000)]))
    assert (MOST_LANES, 1000 - MOST_LANES) == (len(drawn["lanes"]), drawn["lanes_left_out"])


def test_a_round_in_which_nothing_was_seen_is_empty() -> None:
    """As on a system that tells nothing of threads, of work without HTTP."""
    assert {"seconds": 0.1, "bin_s": 0.005, "lanes": [], "lanes_left_out": 0, "cpu_total": []} == timeline(seen())
