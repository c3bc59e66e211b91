"""How many rounds there is time for, and whether the requests of one are right."""

from __future__ import annotations

from collections import Counter

import pytest

from laptime.lap import Rounds, WrongRequests, check_requests
from laptime.replay import Served
from tests.support.laps import (
    FIG,
    NO_HTTP,
    NO_ROOM,
    PEAR,
    PLUM,
)

# the number of rounds


@pytest.mark.parametrize(
    ("rounds", "round_s", "number"),
    [
        (Rounds(3, 20, 1.0), 0.1, 10),
        (Rounds(3, 20, 1.0), 0.001, 20),
        (Rounds(3, 20, 1.0), 0.4, 3),
        (Rounds(3, 20, 1.0), 100.0, 3),
        (Rounds(3, 20, 1.0), 0.0, 20),
        (Rounds(5, 30, 5.0), 0.24, 20),
        (Rounds(3, 3, 0.0), 0.001, 3),
    ],
)
def test_rounds_fill_the_time_between_a_least_and_a_most(rounds, round_s, number):
    """As many as fit into the seconds."""
    assert number == rounds.fit(round_s)


# requests


def test_the_requests_that_were_asked_for_are_right():
    """In whatever order they came."""
    assert check_requests(Served({PLUM: 2, PEAR: 1}, [], [], []), Counter({PEAR: 1, PLUM: 2})) is None


@pytest.mark.parametrize(
    ("served", "unmatched", "expected", "message"),
    [
        ({PEAR: 1}, [], {PEAR: 1, PLUM: 1}, "served 1 of 2 expected requests: 1 went missing (GET /plum)"),
        ({PEAR: 1}, [], {PEAR: 3}, "served 1 of 3 expected requests: 2 went missing (GET /pear)"),
        ({PEAR: 3}, [], {PEAR: 1}, "served 3 of 1 expected requests: 2 came more often than asked (GET /pear)"),
        ({PEAR: 1}, [], {}, "served 1 of 0 expected requests: 1 came more often than asked (GET /pear)"),
        (
            {PEAR: 2},
            [],
            {PEAR: 1, PLUM: 1},
            "served 2 of 2 expected requests: 1 went missing (GET /plum); 1 came more often than asked (GET /pear)",
        ),
        ({PEAR: 1}, [FIG, FIG], {PEAR: 1}, "served 1 of 1 expected requests: not in the cassette: GET /fig"),
        (
            {},
            [FIG],
            {PEAR: 1},
            "served 0 of 1 expected requests: not in the cassette: GET /fig; 1 went missing (GET /pear)",
        ),
        (
            {},
            [],
            {f"GET /{number}": 1 for number in range(5)},
            "served 0 of 5 expected requests: 5 went missing (GET /0, GET /1, GET /2 and 2 more)",
        ),
    ],
    ids=[
        "one missing",
        "two of one missing",
        "too many",
        "none asked",
        "both",
        "unmatched",
        "unmatched, missing",
        "many",
    ],
)
def test_requests_that_differ_are_told_with_counts_and_names(served, unmatched, expected, message):
    """What went missing, what came too often, and what was not recorded."""
    with pytest.raises(WrongRequests) as wrong:
        check_requests(Served(served, unmatched, [], []), expected)
    assert f"the replay {message}" == str(wrong.value)


@pytest.mark.parametrize(
    ("served", "message"),
    [
        (Served({PEAR: 1}, [], [NO_HTTP], []), f"served 1 of 1 expected requests: refused: {NO_HTTP}"),
        (
            Served({PEAR: 1}, [], [NO_HTTP, NO_ROOM, NO_HTTP], []),
            f"served 1 of 1 expected requests: refused: {NO_HTTP}, {NO_ROOM}",
        ),
        (
            Served({}, [FIG], [NO_ROOM], []),
            "served 0 of 1 expected requests: "
            f"not in the cassette: GET /fig; refused: {NO_ROOM}; 1 went missing (GET /pear)",
        ),
    ],
    ids=["one", "several kinds", "with what else went wrong"],
)
def test_what_was_refused_is_told_with_the_reason(served, message):
    """Each kind once, in the order in which they came."""
    with pytest.raises(WrongRequests) as wrong:
        check_requests(served, {PEAR: 1})
    assert f"the replay {message}" == str(wrong.value)
