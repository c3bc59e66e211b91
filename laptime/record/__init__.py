"""Record a cassette: the requests once with vcrpy, sequentially; then k passes that time each response's parts.

vcrpy keeps what was said, not when. So the recorded requests are sent again, k times, one at a time and each
over a connection of its own, by an aiohttp client that sees connecting, waiting and receiving apart.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from laptime.cassette import MIN_PASSES, Cassette, CassetteError, load, sidecar_path
from laptime.record._capture import capture
from laptime.record._errors import RecordError
from laptime.record._files import draft, publish
from laptime.record._timing import Say, as_sidecar, time_passes
from laptime.redact import Secrets

PASSES = 10
_CLIENTS = frozenset({"aiohttp", "httpcore", "httpx", "urllib3"})

__all__ = ["PASSES", "RecordError", "Recording", "explained", "record"]


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded, and the cassette that it took the place of, if there was one that could be read."""

    cassette: Cassette
    replaced: Cassette | None


def record(
    path: Path,
    run: Callable[[], object],
    origin_kind: str,
    *,
    passes: int = PASSES,
    secrets: Secrets | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    say: Say = lambda line: None,
) -> Recording:
    """Record what `run` asks for, and time it; the pair replaces `path` and its side-car at the end.

    run          sends the requests, in this process, one at a time
    origin_kind  "live" or "stand-in"
    passes       how often each request is timed, 5 or more
    secrets      what is left out of the file (the requests are timed with it)
    progress     called with (requests asked, 0) while `run` runs, then with (requests timed, requests to time)
    say          called with a line where an origin asks for patience

    Raises `RecordError`. Interrupted, failed or killed at any moment, it leaves the old pair as it was, or the new one.
    """
    if passes < MIN_PASSES:
        raise RecordError(f"passes: expected {MIN_PASSES} or more, found {passes}")
    path = path.resolve()  # a link stays one
    with draft(path) as made:
        sent = capture(made, run, secrets or Secrets(), progress, say)
        if not sent:
            raise RecordError(f"{path.stem}: nothing usable was recorded: nothing was asked for")
        try:
            cassette = load(made)
        except CassetteError as error:
            problem = str(error).replace(str(made), str(path))
            raise RecordError(f"{path.stem}: nothing usable was recorded: {problem}") from error
        timings = asyncio.run(time_passes(cassette.interactions, sent, passes, progress, say))
        sidecar_path(made).write_text(as_sidecar(cassette, origin_kind, timings), encoding="utf-8")
        load(made)
        replaced = _readable(path)
        publish(made, path)
    return Recording(load(path), replaced)


def _readable(path: Path) -> Cassette | None:
    try:
        return load(path)
    except CassetteError:
        return None


@contextmanager
def explained(name: str, origin: str) -> Iterator[None]:
    """Turn what ends a recording, also what a client raises, into a `RecordError` that names it and its origin."""
    try:
        yield
    except RecordError as error:
        raise RecordError(f"{name}: {origin} can't be recorded: {error}") from error
    except Exception as error:
        if not _is_a_clients(error):
            raise
        raise RecordError(f"{name}: {origin} can't be recorded: {type(error).__name__}: {error}") from error


def _is_a_clients(error: Exception) -> bool:
    """Some clients derive their errors from nothing in particular."""
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, OSError | http.client.HTTPException) or bool(packages & _CLIENTS)
