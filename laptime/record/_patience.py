"""What an origin asks for when it is asked too much: `Retry-After`. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from laptime.record._errors import RecordError

TURNED_AWAY = (429, 503)
MAX_PATIENCE_S = 300.0
MAX_TRIES = 5


def asked_wait_s(status: int, retry_after: str | None, now: datetime | None = None) -> float | None:
    """Seconds that an answer asks to wait before the next request; None where it doesn't.

    Raises `RecordError` where that is longer than a recording waits.
    """
    if status not in TURNED_AWAY or retry_after is None:
        return None
    try:
        wait_s = float(retry_after)
    except ValueError:
        try:
            until = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        wait_s = (until - (now or datetime.now(UTC))).total_seconds()
    if not math.isfinite(wait_s):
        return None
    if wait_s > MAX_PATIENCE_S:
        raise RecordError(
            f"the origin asks to come back in {wait_s:,.0f} s (Retry-After: {retry_after}); try again then"
        )
    return max(wait_s, 0.0)
