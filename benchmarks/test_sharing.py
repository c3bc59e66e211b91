"""Share the Session and the parser, or have one each?"""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks.fetching import fetching
from benchmarks.study import point
from workloads import clients, parsers, quotes
from workloads.model import Recorded

TIMES, EACH, SHARED, WIDE = "one for each", "one in each thread", "one for all", "one for all, pool_maxsize=threads"
SESSIONS = {
    TIMES: partial(clients.one_each_time, clients.requests_once),
    EACH: partial(clients.one_each, clients.requests_session),
    SHARED: partial(clients.shared, clients.requests_session),
}
PARSERS = {TIMES: parsers.one_each_time, EACH: parsers.one_each, SHARED: parsers.shared}
IDS = {TIMES: "each", EACH: "thread", SHARED: "shared", WIDE: "shared-wide"}
THREADS = (8, 32)
"""Under and over the 10 connections that a Session keeps."""
PARSING_THREADS = 2
ROUNDS = {"smoke": (1, 1, 0.0)}


def _wide(work, lanes):
    return clients.shared(partial(clients.requests_session, pool_maxsize=lanes), work, lanes)


def _point(line, x, items):
    title = "Share the Session and the parser, or one each?"
    return point("sharing", "compare", title, line=line, x=x, x_name="what is shared", items=items, item="item")


@pytest.mark.study("sharing")
@pytest.mark.parametrize("line", [*SESSIONS, WIDE], ids=IDS.get)
@pytest.mark.parametrize("threads", THREADS, ids=lambda number: f"w{number}")
def test_sharing_session(line, threads, tier, replay, laptime_options, cassettes, lap):
    """The same requests; a Session is shared or not."""
    count = threads * (1 if tier == "smoke" else 20)
    found = fetching(replay, laptime_options, cassettes, "fixed:2ms" if tier == "smoke" else "fixed:20ms", count)
    lap(
        open=partial(SESSIONS.get(line, _wide), found.work, threads),
        lifecycle="warm",
        rounds=ROUNDS.get(tier, (6, 20, 4.0)),
        group="sharing",
        study=_point(line, f"a Session, {threads} threads", count),
        workers=threads,
        tier=tier,
        **found.asked(),
    )


@pytest.mark.study("sharing")
@pytest.mark.parametrize("line", PARSERS, ids=IDS.get)
def test_sharing_parser(line, tier, replay, laptime_options, cassettes, lap):
    """The same pages, read beforehand; a parser is shared or not."""
    if laptime_options.http != "replay":
        pytest.skip("a study reads recorded pages: of a replay only")
    stage = replay(cassettes / "quotes.yaml", "none")
    recorded = {target: Recorded(*response) for target, response in stage.responses().items()}
    numbers = quotes.PAGES["smoke" if tier == "smoke" else "full"]
    times = 1 if tier == "smoke" else 20
    pages = tuple(recorded[quotes.path(number)].body for number in numbers) * times
    expected = quotes.expected(quotes.Pages("", tuple(numbers), ""), recorded) * times

    def check(answer):
        assert answer == expected, f"wrong answer: expected {quotes.describe(expected)}, got {quotes.describe(answer)}"

    lap(
        open=partial(PARSERS[line], pages, PARSING_THREADS),
        check=check,
        lifecycle="warm",
        rounds=ROUNDS.get(tier, (6, 20, 4.0)),
        group="sharing",
        study=_point(line, f"an lxml parser, {PARSING_THREADS} threads", len(pages)),
        workers=PARSING_THREADS,
        parser="lxml",
        tier=tier,
    )
