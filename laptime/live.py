"""Whether a live origin can be reached at all, asked once before anything is timed."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

PROBE_LIMIT_S = 10.0


class Unreachable(Exception):
    """Nothing answers at an origin; the message names it and the way out."""


def probe(name: str, origin: str) -> None:
    """Raise `Unreachable` unless something speaks HTTP at `origin`; any status will do.

    Follows the system's proxy settings, as the clients do.
    """
    try:
        request = urllib.request.Request(origin, method="HEAD", headers={"User-Agent": "laptime"})
        urllib.request.urlopen(request, timeout=PROBE_LIMIT_S).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(
            f"{name}: {origin} can't be reached: {reason}. Play the recording instead with `--http=replay` (the "
            f"default), or put a server in its place with `--origin {name}=URL`."
        ) from error
