"""An origin that asks for a pause gets it, and nothing of a run that it turned away is recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import pytest
import requests

from laptime.cassette import load
from laptime.record import RecordError, record
from laptime.record._patience import MAX_PATIENCE_S, MAX_TRIES
from tests.support import HANG_LIMIT_S, PASSES, contents
from tests.support.origins import Asked, Habit, Reply, asking, sizes

PAUSE_S = 0.2
SHORT = "0.01"
CLOCKS_S = 0.002
"""How much earlier than asked a sleep may end by another clock."""


def turning_away(first: int, last: int, retry_after: str, status: int = HTTPStatus.TOO_MANY_REQUESTS) -> Habit:
    """An origin that turns away these visits, and answers the others with their number."""

    def answer(asked: Asked) -> Reply:
        if first <= asked.visit <= last:
            return Reply(status, {"Retry-After": retry_after}, b"turned away, later please")
        return Reply(body=b"%05d" % asked.visit)

    return Habit(answer)


def pause_s(origin: Habit, visit: int) -> float:
    """How long it was before a visit that nobody asked anything."""
    return origin.asked[visit].at_s - origin.asked[visit - 1].at_s


def raising(url: str) -> None:
    """Ask for a page, and raise what is no success."""
    requests.get(url, timeout=HANG_LIMIT_S).raise_for_status()


def surprised(url: str) -> None:
    """Ask for a page, and stumble over what it holds."""
    assert requests.get(url, timeout=HANG_LIMIT_S).text.isdigit()


def swallowing(url: str) -> None:
    """Ask for a page, whatever comes."""
    with suppress(Exception):
        requests.get(url, timeout=HANG_LIMIT_S)


# A run that is turned away


def test_a_run_that_is_turned_away_is_waited_for_and_done_again(tmp_path: Path) -> None:
    """All of it, after the pause at the soonest; nothing of the first run is recorded, and a line tells of it.

    Progress counts the requests of the run that is done again from the start.
    """
    origin, said, told = turning_away(1, 1, str(PAUSE_S)), [], []
    with origin.serving() as url:
        run = asking(url, "/a", "/b")
        made = record(
            tmp_path / "a.yaml",
            run,
            "live",
            passes=PASSES,
            say=said.append,
            progress=lambda *done: told.append(done),
        )
    assert ["/a", "/b"] * (2 + PASSES) == origin.targets()
    assert pause_s(origin, 2) >= PAUSE_S - CLOCKS_S
    assert [b"00002", b"00003"] == [one.body for one in made.cassette.interactions]
    assert b"turned away" not in b"".join(held for _, held in contents(tmp_path).values())
    assert [f"the origin asks to wait {PAUSE_S} s (Retry-After); then everything is asked again"] == said
    assert [(1, 0), (2, 0), (1, 0), (2, 0), (1, 2 * PASSES)] == told[:5]


def test_a_run_that_was_turned_away_sends_nothing_more(tmp_path: Path) -> None:
    """Also one that swallows what it gets: the next request is the first of the next run, after the pause."""
    origin = turning_away(1, 1, str(PAUSE_S))
    with origin.serving() as url:

        def run() -> None:
            for target in ("/a", "/b", "/c"):
                swallowing(url + target)

        record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert ["/a", "/b", *["/a", "/b", "/c"] * (1 + PASSES)] == origin.targets()
    assert pause_s(origin, 2) >= PAUSE_S - CLOCKS_S


@pytest.mark.parametrize("ask", [raising, surprised])
def test_a_run_that_fails_because_it_was_turned_away_is_done_again(tmp_path: Path, ask: Callable[[str], None]) -> None:
    """Most clients raise an error then, or their caller stumbles over the answer."""
    origin = turning_away(1, 1, SHORT)
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", lambda: [ask(f"{url}/a"), ask(f"{url}/b")], "live", passes=PASSES)
    assert ["/a", "/b"] * (2 + PASSES) == origin.targets()
    assert [b"00002", b"00003"] == [one.body for one in made.cassette.interactions]


@pytest.mark.parametrize(("ask", "error"), [(raising, requests.HTTPError), (surprised, AssertionError)])
def test_a_run_that_fails_of_itself_fails(tmp_path: Path, ask: Callable[[str], None], error: type[Exception]) -> None:
    """At once, with its own error: nobody asked to come back."""
    origin = Habit(lambda asked: Reply(500, body=b"broken"))
    with origin.serving() as url, pytest.raises(error):
        record(tmp_path / "a.yaml", lambda: ask(f"{url}/a"), "live", passes=PASSES)
    assert ["/a"] == origin.targets()
    assert [] == list(tmp_path.iterdir())


# A pass that is turned away


def test_a_pass_that_is_turned_away_is_waited_for_and_tried_again(tmp_path: Path) -> None:
    """That request alone, after the pause at the soonest; the time of the refusal is kept nowhere."""
    origin, said = turning_away(5, 5, str(PAUSE_S), HTTPStatus.SERVICE_UNAVAILABLE), []
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a", "/b"), "live", passes=PASSES, say=said.append)
    assert ["/a", "/b"] * 2 + ["/a", "/b", "/b"] + ["/a", "/b"] * (PASSES - 2) == origin.targets()
    assert pause_s(origin, 6) >= PAUSE_S - CLOCKS_S
    assert [[5] * PASSES] * 2 == [sizes(one) for one in made.cassette.interactions]
    assert [f"the origin asks to wait {PAUSE_S} s (Retry-After)"] == said


def test_each_pass_has_its_own_tries(tmp_path: Path) -> None:
    """An origin that turns away every other request is recorded all the same, with patience."""
    said: list[str] = []

    def answer(asked: Asked) -> Reply:
        return Reply(429, {"Retry-After": "0"}, b"turned away") if asked.visit and asked.visit % 2 else Reply()

    with Habit(answer).serving() as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a"), "live", passes=PASSES, say=said.append)
    assert ([5] * PASSES, PASSES) == (sizes(made.cassette.interactions[0]), len(said))


# No patience


@pytest.mark.parametrize(
    "ask", [lambda url: asking(url, "")(), raising, swallowing], ids=["asks", "raises", "swallows"]
)
def test_a_run_waits_for_minutes_and_not_longer(old: Path, ask: Callable[[str], None]) -> None:
    """An origin that asks for more is left alone at once, whatever the run does then, with an error that says so."""
    origin, said = turning_away(1, 9, str(MAX_PATIENCE_S + 1)), []

    def run() -> None:
        for target in ("/a", "/b", "/c"):
            ask(url + target)

    with origin.serving() as url, pytest.raises(RecordError, match=r"come back in 301 s \(Retry-After: 301.0\)"):
        record(old, run, "live", passes=PASSES, say=said.append)
    assert (["/a", "/b"], []) == (origin.targets(), said)


def test_a_pass_waits_for_minutes_and_not_longer(old: Path) -> None:
    """The recording ends at once, and the request that is told so is the last one."""
    origin, said = turning_away(3, 9, "301"), []
    with origin.serving() as url, pytest.raises(RecordError, match=r"come back in 301 s \(Retry-After: 301\)"):
        record(old, asking(url, "/a"), "live", passes=PASSES, say=said.append)
    assert (4, []) == (len(origin.asked), said)


def test_a_run_that_is_always_turned_away_is_given_up(old: Path) -> None:
    """After five tries, with a line for each pause before the last."""
    origin, said = turning_away(0, 999, SHORT), []
    with origin.serving() as url, pytest.raises(RecordError, match=r"turned .*away.* each of 5 tries"):
        record(old, asking(url, "/a"), "live", passes=PASSES, say=said.append)
    assert (MAX_TRIES, MAX_TRIES - 1) == (len(origin.asked), len(said))


def test_a_pass_that_is_always_turned_away_is_given_up(old: Path) -> None:
    """After five tries of that request, which is named, with a line for each pause before the last."""
    origin, said = turning_away(2, 999, SHORT), []
    with origin.serving() as url, pytest.raises(RecordError) as failed:
        record(old, asking(url, "/a"), "live", passes=PASSES, say=said.append)
    assert f"GET {url}/a: turned away (Retry-After) in each of 5 tries" == str(failed.value)
    assert (2 + MAX_TRIES, MAX_TRIES - 1) == (len(origin.asked), len(said))


def test_a_refusal_without_a_time_is_recorded_as_it_is(tmp_path: Path) -> None:
    """It is an answer like any other, and nobody waits."""
    said: list[str] = []
    with Habit(lambda asked: Reply(429)).serving() as url:
        record(tmp_path / "a.yaml", asking(url, "/a"), "live", passes=PASSES, say=said.append)
    (interaction,) = load(tmp_path / "a.yaml").interactions
    assert (429, PASSES, []) == (interaction.status, len(interaction.timings), said)
