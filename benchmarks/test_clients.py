"""Which HTTP client, where as many requests are in flight: what each costs in CPU decides how many can be."""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks.fetching import fetching
from benchmarks.study import point
from workloads.clients import CLIENTS

LINES = {
    "requests": "requests, a Session in each thread",
    "httpx": "httpx, a Client in each thread",
    "aiohttp": "aiohttp",
    "httpx-async": "httpx, AsyncClient",
}
PLACES = {1: "1 at a time", 8: "8 in flight"}
COUNT = {"smoke": 16}
WAIT = {"smoke": "fixed:1ms"}
ROUNDS = {"smoke": (1, 1, 0.0)}


@pytest.mark.study("clients")
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("number", PLACES, ids=lambda number: f"n{number}")
def test_clients(client, number, tier, replay, laptime_options, cassettes, lap):
    """The same requests, over connections that are kept, with nothing computed beside."""
    count = COUNT.get(tier, 50 * number)
    found = fetching(replay, laptime_options, cassettes, WAIT.get(tier, "fixed:5ms"), count)
    lap(
        open=partial(CLIENTS[client], found.work, number),
        lifecycle="warm",
        rounds=ROUNDS.get(tier, (6, 20, 3.0)),
        group="clients",
        study=point(
            "clients",
            "compare",
            "Which HTTP client?",
            line=LINES[client],
            x=PLACES[number],
            x_name="requests in flight",
            items=count,
            item="request",
        ),
        workers=number,
        tier=tier,
        **found.asked(),
    )
