"""Does computing starve the waiting work beside it? A fixed number of fetches, and something that computes meanwhile.

Every fetch waits as long, so that a round takes a known time where nothing is beside, and what it takes longer is what
the fetches were kept waiting for the GIL or a CPU. What computes is counted in the round's CPU seconds.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

import pytest

from benchmarks.fetching import fetching
from benchmarks.study import NOT_IN_TURN, point
from workloads import beside, clients

LANES = 8
PLACES = {"threads": f"{LANES} threads", "asyncio": f"asyncio, {LANES} at once"}
BESIDE = {
    "nothing": ("nothing", beside.nothing),
    "thread": ("a thread, pure Python", partial(beside.thread, beside.compute)),
    "thread-switch": ("a thread, pure Python, switch interval 0.5 ms", partial(beside.thread_sooner, beside.compute)),
    "thread-hashlib": ("a thread, hashlib", partial(beside.thread, beside.digest)),
    "process": ("a process, pure Python", partial(beside.process, beside.compute)),
}
WITHIN = {
    "to_thread": ("asyncio.to_thread, pure Python", beside.to_thread),
    "loop": ("the event loop itself", beside.in_the_loop),
}
"""Only asyncio has these."""
CASES = [(where, what) for where in PLACES for what in (*BESIDE, *(WITHIN if where == "asyncio" else ()))]


@contextmanager
def opened(where, what, work):
    """The work, with something that computes beside it."""
    if what in WITHIN:
        with clients.event_loop(clients.aiohttp_client, work, LANES, WITHIN[what][1]) as run:
            yield run
        return
    fetch = clients.CLIENTS["requests" if where == "threads" else "aiohttp"]
    with fetch(work, LANES) as run, BESIDE[what][1]():
        yield run


@pytest.mark.laptime_race(**NOT_IN_TURN)
@pytest.mark.study("starving")
@pytest.mark.parametrize(("where", "what"), CASES, ids=[f"{where}-{what}" for where, what in CASES])
def test_starving(where, what, tier, replay, laptime_options, cassettes, lap):
    """Fetches whose ideal time is known, beside something that computes."""
    each, wait = (2, "fixed:2ms") if tier == "smoke" else (10, "fixed:20ms")
    found = fetching(replay, laptime_options, cassettes, wait, each * LANES)
    lap(
        open=partial(opened, where, what, found.work),
        lifecycle="warm",
        rounds=(1, 1, 0.0) if tier == "smoke" else (6, 10, 3.0),
        group="starving",
        study=point(
            "starving",
            "compare",
            "Does computing starve the waiting work beside it?",
            line=(BESIDE | WITHIN)[what][0],
            x=PLACES[where],
            x_name="what waits",
            items=each * LANES,
            item="request",
        ),
        workers=LANES,
        tier=tier,
        **found.asked(),
    )
