"""What an answer with `Retry-After` asks for: how long to wait, or more than anybody waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.record import RecordError
from laptime.record._patience import MAX_PATIENCE_S, asked_wait_s

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("0", 0.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("300", 300.0),
        ("-3", 0.0),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Fri, 02 Jan 2026 03:09:05 GMT", 300.0),
        ("Fri, 02 Jan 2026 05:04:06 +0200", 1.0),
        ("Thu, 01 Jan 2026 03:04:05 GMT", 0.0),
        ("Friday, 02-Jan-26 03:04:15 GMT", 10.0),
        ("Fri Jan  2 03:04:15 2026", 10.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_is_read_in_seconds_or_as_a_date(status: int, retry_after: str, expected: float) -> None:
    """Seconds from now, in all of HTTP's forms of a date; what is past is no wait."""
    assert expected == asked_wait_s(status, retry_after, NOW)


@given(st.integers(-1000, 1000) | st.integers(290, 310))
def test_a_date_asks_for_as_long_as_its_seconds(seconds: int) -> None:
    """And for more than five minutes neither is waited for."""
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    for retry_after in (str(seconds), date):
        if seconds > MAX_PATIENCE_S:
            with pytest.raises(RecordError, match=f"in {seconds:,} s"):
                asked_wait_s(429, retry_after, NOW)
        else:
            assert max(seconds, 0) == asked_wait_s(429, retry_after, NOW)


@pytest.mark.parametrize("retry_after", [None, "", "soon", "nan", "inf", "-inf", "7 s", "Fri, 99 Jan 2026", "1e999"])
def test_what_is_no_wait_asks_for_none(retry_after: str | None) -> None:
    """Then the answer is one like any other."""
    assert asked_wait_s(429, retry_after, NOW) is None


@given(st.integers(100, 999).filter(lambda status: status not in (429, 503)))
def test_other_statuses_turn_nobody_away(status: int) -> None:
    """Though they may carry the header, and however long the wait in it."""
    assert (None, None) == (asked_wait_s(status, "7", NOW), asked_wait_s(status, "86400", NOW))


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("300.5", "300"), ("86400", "86,400"), ("Fri, 02 Jan 2026 03:09:06 GMT", "301")],
)
def test_a_wait_that_is_too_long_is_an_error(retry_after: str, seconds: str) -> None:
    """It says how long, and what the origin said."""
    with pytest.raises(RecordError) as failed:
        asked_wait_s(503, retry_after, NOW)
    expected = f"the origin asks to come back in {seconds} s (Retry-After: {retry_after}); try again then"
    assert expected == str(failed.value)


def test_by_default_a_date_is_counted_from_now() -> None:
    """Which is after 1970, and centuries before 9999."""
    assert 0.0 == asked_wait_s(429, "Thu, 01 Jan 1970 00:00:00 GMT")
    with pytest.raises(RecordError, match="come back in"):
        asked_wait_s(429, "Fri, 31 Dec 9999 23:59:59 GMT")
