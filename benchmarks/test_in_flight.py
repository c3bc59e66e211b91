"""asyncio or threads, with so many requests in flight: throughput, and memory.

Every answer is waited for as long, so the most that can be reached is known: requests in flight over seconds of wait.
That is long enough for a thousand to be sent before the first is answered; how many were on their way at once is
stored for each round, the untimed first one too, as ``most_at_once``. Each point has a process of its own: memory that
another one left behind would count as its own.
"""

from __future__ import annotations

from functools import partial
from itertools import accumulate

import pytest

from benchmarks.fetching import fetching
from benchmarks.study import NOT_IN_TURN, point
from workloads.apart import apart, lacking
from workloads.clients import CLIENTS

LINES = {"asyncio": "aiohttp", "threads": "requests"}
IN_FLIGHT = {"smoke": (4, 32)}
MOST = (10, 100, 1000)


def pytest_generate_tests(metafunc):
    """As many points as the tier has time for."""
    numbers = IN_FLIGHT.get(metafunc.config.getoption("tier"), MOST)
    places = [(way, number) for number in numbers for way in LINES]
    metafunc.parametrize(("way", "number"), places, ids=[f"{way}-n{number}" for way, number in places])


@pytest.mark.laptime_race(**NOT_IN_TURN)
@pytest.mark.study("in_flight")
def test_in_flight(way, number, tier, replay, laptime_options, cassettes, lap):
    """A lane for each request in flight; each sends a few, one after the other."""
    if reason := lacking(number):
        pytest.skip(reason)
    each, wait, rounds = (2, "fixed:10ms", (1, 1, 0.0)) if tier == "smoke" else (2, "fixed:500ms", (6, 6, 0.0))
    found = fetching(replay, laptime_options, cassettes, wait, each * number)
    at_once = []

    def check(answer):
        found.check(answer)
        at_once.append(most_at_once(found.stage.end(log=True).log))

    try:
        lap(
            open=partial(apart, partial(CLIENTS[LINES[way]], found.work, number), number),
            lifecycle="warm",
            rounds=rounds,
            group="in_flight",
            study=point(
                "in_flight",
                "sweep",
                "asyncio or threads, with so many requests in flight?",
                line=f"{way} ({LINES[way]})",
                x=number,
                x_name="requests in flight",
                items=each * number,
                item="request",
            ),
            workers=number,
            start_method="forkserver",
            tier=tier,
            most_at_once=at_once,
            **found.asked() | {"check": check},
        )
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        pytest.skip(f"the system lets no {number} threads start: {error}")


def most_at_once(log):
    """How many of a stage's visits were on their way at the same time: read, and not yet answered."""
    changes = sorted([(visit.read_ns, 1) for visit in log] + [(visit.done_ns, -1) for visit in log])
    return max(accumulate(change for _, change in changes))
