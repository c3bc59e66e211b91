"""Record a cassette: the requests once with vcrpy, sequentially; then k passes that time each response's parts.

vcrpy keeps what was said, not when. So the recorded requests are sent again, k times, one at a time and each
over a connection of its own, by an aiohttp client that sees connecting, waiting and receiving apart.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import vcr
from yarl import URL

from laptime.cassette import (
    MIN_PASSES,
    SIDECAR_VERSION,
    Cassette,
    CassetteError,
    Interaction,
    Timing,
    load,
    sidecar_path,
)

PASSES = 10
TIMEOUT_S = 60.0
SECRET_HEADERS = ["authorization", "cookie", "proxy-authorization", "x-api-key"]
_CLIENTS_OWN = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Headers that the timing client writes itself; the others are sent as they were recorded."""
_MS_PER_S = 1000.0
_DIGITS = 3
"""Microseconds: finer than any client's clock is steady."""


class RecordError(Exception):
    """Nothing was recorded, and what was there before is untouched. The message says why."""


def record(
    path: Path,
    run: Callable[[], object],
    origin_kind: str,
    *,
    passes: int = PASSES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Cassette:
    """Record what `run` asks for, and time it; the pair replaces `path` and its side-car at the end.

    run          sends the requests, in this process, one at a time
    origin_kind  "live" or "stand-in"
    passes       how often each request is timed, 5 or more
    progress     called with (requests timed, requests to time)

    Raises `RecordError`. An interrupted recording leaves the old pair as it was.
    """
    if passes < MIN_PASSES:
        raise RecordError(f"passes: expected {MIN_PASSES} or more, found {passes}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as directory:
        draft = Path(directory) / path.name
        _with_vcr(draft, run)
        try:
            cassette = load(draft)
        except CassetteError as error:
            raise RecordError(f"{path.stem}: nothing usable was recorded: {error}") from error
        timings = asyncio.run(_time(cassette.interactions, passes, progress))
        sidecar_path(draft).write_text(_sidecar(cassette, origin_kind, passes, timings))
        load(draft)
        # the side-car names the digest of its cassette: between the two replacements it is stale, and refused
        draft.replace(path)
        sidecar_path(draft).replace(sidecar_path(path))
    return load(path)


def _with_vcr(path: Path, run: Callable[[], object]) -> None:
    recorder = vcr.VCR(filter_headers=SECRET_HEADERS, before_record_response=_without_cookies)
    with recorder.use_cassette(str(path), record_mode=vcr.mode.ALL):
        run()


def _without_cookies(response: dict[str, Any]) -> dict[str, Any]:
    for name in [name for name in response["headers"] if name.lower() == "set-cookie"]:
        del response["headers"][name]
    return response


def _sidecar(cassette: Cassette, origin_kind: str, passes: int, timings: Sequence[Sequence[Timing]]) -> str:
    document = {
        "version": SIDECAR_VERSION,
        "cassette_sha256": cassette.sha256,
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "origin": origin_kind,
        "client": f"aiohttp {aiohttp.__version__}",
        "repeats": passes,
        "interactions": [
            {"request": interaction.request, "passes": [timing.as_json() for timing in found]}
            for interaction, found in zip(cassette.interactions, timings, strict=True)
        ],
    }
    return json.dumps(document, indent=1) + "\n"


async def _time(
    interactions: Sequence[Interaction], passes: int, progress: Callable[[int, int], None]
) -> list[list[Timing]]:
    timings: list[list[Timing]] = [[] for _ in interactions]
    total = passes * len(interactions)
    for done in range(total):
        interaction = interactions[done % len(interactions)]
        timings[interaction.index].append(await _timing(interaction))
        progress(done + 1, total)
    return timings


@dataclass(slots=True)
class _Marks:
    """When things happened to one request, in seconds of `time.perf_counter`."""

    connecting: float = 0.0
    secured: float | None = None
    connected: float = 0.0
    sent: float = 0.0
    head: float = 0.0
    chunks: list[tuple[float, int]] = field(default_factory=list)


class _WatchedContext(ssl.SSLContext):
    """A TLS context that notes when a handshake begins: the TCP connection stands at that moment."""

    marks: _Marks

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        self.marks.secured = time.perf_counter()
        return super().wrap_bio(*args, **kwargs)


def _tls(interaction: Interaction, marks: _Marks) -> ssl.SSLContext | bool:
    if not interaction.uri.startswith("https:"):
        return True
    context = _WatchedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.marks = marks
    return context


async def _timing(interaction: Interaction) -> Timing:
    marks = _Marks()
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=_tls(interaction, marks), force_close=True),
            trace_configs=[_trace(marks)],
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        ) as client,
        client.request(
            interaction.method,
            URL(interaction.uri, encoded=True),  # as it was recorded: else `%27` becomes `'`
            data=interaction.request_body or None,
            headers=[pair for pair in interaction.request_headers if pair[0].lower() not in _CLIENTS_OWN],
            allow_redirects=False,
        ) as response,
    ):
        async for data, _ in response.content.iter_chunks():
            if data:
                marks.chunks.append((time.perf_counter(), len(data)))
        ended = time.perf_counter()
        if response.status != interaction.status:
            raise RecordError(
                f"{interaction.request}: answered {response.status}, when it was recorded {interaction.status}; "
                "the origin doesn't answer the same twice. Try again later."
            )
    return Timing(
        connect_ms=_ms(marks.connected - marks.connecting),
        ssl_ms=-1 if marks.secured is None else _ms(marks.connected - marks.secured),
        send_ms=_ms(marks.sent - marks.connected),
        wait_ms=_ms(marks.head - marks.sent),
        receive_ms=_ms(ended - marks.head),
        chunks=tuple((_ms(at - marks.head), size) for at, size in marks.chunks),
    )


def _ms(seconds: float) -> float:
    return round(max(seconds, 0.0) * _MS_PER_S, _DIGITS)


def _trace(marks: _Marks) -> aiohttp.TraceConfig:
    def mark(name: str) -> Callable[..., Any]:
        async def note(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
            setattr(marks, name, time.perf_counter())

        return note

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(mark("connecting"))
    trace.on_connection_create_end.append(mark("connected"))
    trace.on_request_headers_sent.append(mark("sent"))
    trace.on_request_chunk_sent.append(mark("sent"))
    trace.on_request_end.append(mark("head"))
    return trace


@contextmanager
def explained(name: str, origin: str) -> Iterator[None]:
    """Turn what a client raises where an origin can't be reached into a `RecordError` that names it."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise RecordError(f"{name}: {origin} can't be recorded: {type(error).__name__}: {error}") from error
