"""Patience: an origin that asks for a pause gets it, and nothing of a run that it turned away is recorded."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
import requests

from laptime.cassette import load
from laptime.record import RecordError, record
from laptime.record._patience import MAX_PATIENCE_S, MAX_TRIES, asked_wait_s
from tests.support import HANG_LIMIT_S, PASSES, Exchange, contents, write_cassette
from tests.support.origins import Asked, Habit, Reply, asking, no_hang, sizes

__all__ = ["no_hang"]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAUSE_S = 0.2
SHORT = "0.01"
CLOCKS_S = 0.002
"""How much earlier than asked a sleep may end by another clock."""


# What an answer asks for


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("300", 300.0),
        ("-3", 0.0),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Fri, 02 Jan 2026 03:09:05 GMT", 300.0),
        ("Fri, 02 Jan 2026 05:04:06 +0200", 1.0),
        ("Fri, 02 Jan 2026 03:04:05 GMT", 0.0),
        ("Thu, 01 Jan 2026 03:04:05 GMT", 0.0),
        ("Friday, 02-Jan-26 03:04:15 GMT", 10.0),
        ("Fri Jan  2 03:04:15 2026", 10.0),
    ],
)
def test_a_wait_is_read_in_seconds_or_as_a_date(status: int, retry_after: str, expected: float) -> None:
    """Seconds from now, in all of HTTP's forms of a date; what is past is no wait."""
    assert expected == asked_wait_s(status, retry_after, NOW)


@pytest.mark.parametrize("retry_after", [None, "", "soon", "nan", "inf", "-inf", "7 s", "Fri, 99 Jan 2026", "1e999"])
def test_what_is_no_wait_asks_for_none(retry_after: str | None) -> None:
    """Then the answer is one like any other."""
    assert asked_wait_s(429, retry_after, NOW) is None


@pytest.mark.parametrize("status", [200, 202, 301, 302, 404, 413, 500, 502])
def test_other_statuses_turn_nobody_away(status: int) -> None:
    """Though they may carry the header."""
    assert asked_wait_s(status, "7", NOW) is None


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("301", "301"), ("300.5", "300"), ("86400", "86,400"), ("Fri, 02 Jan 2026 03:09:06 GMT", "301"), ("1e30", "1")],
)
def test_a_wait_that_is_too_long_is_an_error(retry_after: str, seconds: str) -> None:
    """It says how long, and what the origin said."""
    with pytest.raises(RecordError) as failed:
        asked_wait_s(503, retry_after, NOW)
    assert f"come back in {seconds}" in str(failed.value)
    assert f"Retry-After: {retry_after}" in str(failed.value)


def test_by_default_a_date_is_counted_from_now() -> None:
    """As far as a date, which has whole seconds, can tell."""
    wait_s = asked_wait_s(429, format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True))
    assert wait_s is not None
    assert (True, True) == (wait_s <= 100.0, wait_s > 0.0)


# A run that is turned away


def turning_away(
    first: int, last: int, retry_after: Callable[[], str], status: int = HTTPStatus.TOO_MANY_REQUESTS
) -> Habit:
    """An origin that turns away these visits, and answers the others with their number."""

    def answer(asked: Asked) -> Reply:
        if first <= asked.visit <= last:
            return Reply(status, {"Retry-After": retry_after()}, b"turned away, later please")
        return Reply(body=b"%05d" % asked.visit)

    return Habit(answer)


def in_two_seconds() -> str:
    """A date: between one and two seconds from now, as it has no fractions."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "least_s"),
    [(lambda: str(PAUSE_S), PAUSE_S), (lambda: "1", 1.0), (in_two_seconds, 1.0)],
    ids=["fraction", "seconds", "date"],
)
def test_a_run_that_is_turned_away_is_waited_for_and_done_again(
    tmp_path: Path, status: int, retry_after: Callable[[], str], least_s: float
) -> None:
    """All of it, after the pause at the soonest; nothing of the first run is recorded, and a line tells of it."""
    origin, said = turning_away(1, 1, retry_after, status), []
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a", "/b"), "live", passes=PASSES, say=said.append)
    assert ["/a", "/b"] * (2 + PASSES) == origin.targets()
    assert [b"00002", b"00003"] == [one.body for one in made.cassette.interactions]
    assert [True] == [origin.asked[2].at_s - origin.asked[1].at_s >= least_s - CLOCKS_S]
    assert ["the origin asks to wait "] == [line[:24] for line in said]
    assert [True] == ["everything is asked again" in line for line in said]
    assert b"turned away" not in b"".join(held for _, held in contents(tmp_path).values())


def test_a_run_that_was_turned_away_sends_nothing_more(tmp_path: Path) -> None:
    """Also one that swallows what it gets: the next request is the first of the next run, after the pause."""
    origin = turning_away(1, 1, lambda: str(PAUSE_S))
    with origin.serving() as url:
        ask = [asking(url, target) for target in ("/a", "/b", "/c")]

        def run() -> None:
            for one in ask:
                with suppress(Exception):
                    one()

        record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert ["/a", "/b", *["/a", "/b", "/c"] * (1 + PASSES)] == origin.targets()
    assert [True] == [origin.asked[2].at_s - origin.asked[1].at_s >= PAUSE_S - CLOCKS_S]


def test_progress_counts_from_the_start_again(tmp_path: Path) -> None:
    """Of the requests of the run that is done again."""
    origin, told = turning_away(1, 1, lambda: SHORT), []
    with origin.serving() as url:
        run = asking(url, "/a", "/b")
        record(tmp_path / "a.yaml", run, "live", passes=PASSES, progress=lambda *done: told.append(done))
    assert [(1, 0), (2, 0), (1, 0), (2, 0), (1, 2 * PASSES)] == told[:5]


def raising_requests(url: str) -> None:
    """Ask for a page with requests, and raise what is no success."""
    requests.get(url, timeout=HANG_LIMIT_S).raise_for_status()


def raising_urllib(url: str) -> None:
    """Ask for a page with urllib, which raises what is no success."""
    urllib.request.urlopen(url, timeout=HANG_LIMIT_S).close()


def raising_httpx(url: str) -> None:
    """Ask for a page with httpx, and raise what is no success."""
    httpx.get(url, timeout=HANG_LIMIT_S).raise_for_status()


def raising_wrong(url: str) -> None:
    """Ask for a page, and be surprised by what it holds."""
    assert requests.get(url, timeout=HANG_LIMIT_S).text.isdigit()


RAISING = [raising_requests, raising_urllib, raising_httpx, raising_wrong]


@pytest.mark.parametrize("ask", RAISING)
def test_a_run_that_fails_because_it_was_turned_away_is_done_again(tmp_path: Path, ask: Callable[[str], None]) -> None:
    """Most clients raise an error then, or stumble over the answer."""
    origin = turning_away(1, 1, lambda: SHORT)
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", lambda: [ask(f"{url}/a"), ask(f"{url}/b")], "live", passes=PASSES)
    assert ["/a", "/b"] * (2 + PASSES) == origin.targets()
    assert [b"00002", b"00003"] == [one.body for one in made.cassette.interactions]


@pytest.mark.parametrize("ask", RAISING)
def test_a_run_that_fails_of_itself_fails(tmp_path: Path, ask: Callable[[str], None]) -> None:
    """At once, with its own error: nobody asked to come back."""
    origin = Habit(lambda asked: Reply(500, body=b"broken"))
    with origin.serving() as url, pytest.raises((OSError, httpx.HTTPError, AssertionError)):
        record(tmp_path / "a.yaml", lambda: ask(f"{url}/a"), "live", passes=PASSES)
    assert ["/a"] == origin.targets()
    assert [] == list(tmp_path.iterdir())


# A pass that is turned away


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "least_s"), [(lambda: str(PAUSE_S), PAUSE_S), (in_two_seconds, 1.0)], ids=["seconds", "date"]
)
def test_a_pass_that_is_turned_away_is_waited_for_and_tried_again(
    tmp_path: Path, status: int, retry_after: Callable[[], str], least_s: float
) -> None:
    """That request alone, after the pause at the soonest; the time of the refusal is kept nowhere."""
    origin, said = turning_away(5, 5, retry_after, status), []
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a", "/b"), "live", passes=PASSES, say=said.append)
    assert ["/a", "/b"] * 2 + ["/a", "/b", "/b"] + ["/a", "/b"] * (PASSES - 2) == origin.targets()
    assert [True] == [origin.asked[6].at_s - origin.asked[5].at_s >= least_s - CLOCKS_S]
    assert [[5] * PASSES] * 2 == [sizes(one) for one in made.cassette.interactions]
    assert ["the origin asks to wait "] == [line[:24] for line in said]


def test_each_pass_has_its_own_tries(tmp_path: Path) -> None:
    """An origin that turns away every other request is recorded all the same, with patience."""
    said: list[str] = []

    def answer(asked: Asked) -> Reply:
        return Reply(429, {"Retry-After": "0"}, b"turned away") if asked.visit and asked.visit % 2 else Reply()

    with Habit(answer).serving() as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a"), "live", passes=PASSES, say=said.append)
    assert ([5] * PASSES, PASSES) == (sizes(made.cassette.interactions[0]), len(said))


# No patience


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """A pair that was there before, and must be there afterwards, byte for byte."""
    path = write_cassette(tmp_path / "items.yaml", Exchange("http://old.test/"))
    before = contents(tmp_path)
    yield path
    assert before == contents(tmp_path)


def swallowing(url: str) -> None:
    """Ask for two pages, whatever comes."""
    for target in ("/a", "/b"):
        try:
            requests.get(url + target, timeout=HANG_LIMIT_S)
        except Exception:  # noqa: BLE001 (as many a script does)
            continue


@pytest.mark.parametrize(
    "run",
    [lambda url: asking(url, "/a", "/b")(), lambda url: raising_requests(f"{url}/a"), swallowing],
    ids=["asks", "raises", "swallows"],
)
def test_a_run_waits_for_minutes_and_not_longer(old: Path, run: Callable[[str], None]) -> None:
    """An origin that asks for more is left alone at once, whatever the run does then, with an error that says so."""
    origin, said = turning_away(0, 9, lambda: str(MAX_PATIENCE_S + 1)), []
    with origin.serving() as url, pytest.raises(RecordError, match=r"come back in 301 s \(Retry-After: 301.0\)"):
        record(old, lambda: run(url), "live", passes=PASSES, say=said.append)
    assert (["/a"], []) == (origin.targets(), said)


def test_a_run_that_is_told_to_come_back_tomorrow_asks_no_more(old: Path) -> None:
    """The request that is told so is the last one."""
    origin = turning_away(1, 9, lambda: "86400")
    with origin.serving() as url, pytest.raises(RecordError, match="come back in 86,400 s"):
        record(old, asking(url, "/a", "/b", "/c"), "live", passes=PASSES)
    assert ["/a", "/b"] == origin.targets()


def test_a_pass_waits_for_minutes_and_not_longer(old: Path) -> None:
    """The recording ends at once, and the request that is told so is the last one."""
    origin, said = turning_away(3, 9, lambda: "301"), []
    with origin.serving() as url, pytest.raises(RecordError, match=r"come back in 301 s \(Retry-After: 301\)"):
        record(old, asking(url, "/a"), "live", passes=PASSES, say=said.append)
    assert (4, []) == (len(origin.asked), said)


def test_a_run_that_is_always_turned_away_is_given_up(old: Path) -> None:
    """After five tries, with a line for each pause before the last."""
    origin, said = turning_away(0, 999, lambda: SHORT), []
    with origin.serving() as url, pytest.raises(RecordError, match=r"turned .*away.* each of 5 tries"):
        record(old, asking(url, "/a"), "live", passes=PASSES, say=said.append)
    assert (MAX_TRIES, MAX_TRIES - 1) == (len(origin.asked), len(said))


def test_a_pass_that_is_always_turned_away_is_given_up(old: Path) -> None:
    """After five tries of that request, which is named, with a line for each pause before the last."""
    origin, said = turning_away(2, 999, lambda: SHORT), []
    with origin.serving() as url, pytest.raises(RecordError) as failed:
        record(old, asking(url, "/a"), "live", passes=PASSES, say=said.append)
    assert f"GET {url}/a: turned away (Retry-After) in each of 5 tries" == str(failed.value)
    assert (2 + MAX_TRIES, MAX_TRIES - 1) == (len(origin.asked), len(said))


# Answers that only look like it


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_without_a_time_is_recorded_as_it_is(tmp_path: Path, status: int) -> None:
    """It is an answer like any other, and nobody waits."""
    said: list[str] = []
    with Habit(lambda asked: Reply(status)).serving() as url:
        record(tmp_path / "a.yaml", asking(url, "/a"), "live", passes=PASSES, say=said.append)
    (interaction,) = load(tmp_path / "a.yaml").interactions
    assert (status, PASSES, []) == (interaction.status, len(interaction.timings), said)


def test_a_refusal_without_a_time_in_a_pass_is_an_error(old: Path) -> None:
    """The origin answered otherwise when it was recorded, and doesn't say when it will again."""
    origin = Habit(lambda asked: Reply(429 if asked.visit == 2 else 200))
    with origin.serving() as url, pytest.raises(RecordError, match=f"GET {url}/a: answered 429"):
        record(old, asking(url, "/a"), "live", passes=PASSES)
