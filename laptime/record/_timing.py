"""When it was said: the recorded requests sent again, one at a time, by a client that sees each part apart."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from laptime.cassette import SIDECAR_VERSION, Cassette, Interaction, Timing
from laptime.record._capture import Sent
from laptime.record._errors import RecordError
from laptime.record._patience import MAX_TRIES, asked_wait_s

TIMEOUT_S = 60.0
_CLIENTS_OWN = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Headers that the timing client writes itself; the others are sent as they were recorded."""
_MS_PER_S = 1000.0
_DIGITS = 3
"""Microseconds: finer than any client's clock is steady."""

Say = Callable[[str], None]


async def time_passes(
    interactions: Sequence[Interaction],
    sent: Sequence[Sent],
    passes: int,
    progress: Callable[[int, int], None],
    say: Say,
) -> list[list[Timing]]:
    """The passes of each interaction; `sent` are its requests. Raises `RecordError`."""
    timings: list[list[Timing]] = [[] for _ in interactions]
    total = passes * len(interactions)
    for done in range(total):
        interaction = interactions[done % len(interactions)]
        timings[interaction.index].append(await _patiently(interaction, sent[interaction.index], say))
        progress(done + 1, total)
    return timings


def as_sidecar(cassette: Cassette, origin_kind: str, timings: Sequence[Sequence[Timing]]) -> str:
    """The text of the side-car."""
    document = {
        "version": SIDECAR_VERSION,
        "cassette_sha256": cassette.sha256,
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "origin": origin_kind,
        "client": f"aiohttp {aiohttp.__version__}",
        "repeats": len(timings[0]),
        "interactions": [
            {"request": interaction.request, "passes": [_pass(interaction, timing) for timing in found]}
            for interaction, found in zip(cassette.interactions, timings, strict=True)
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _pass(interaction: Interaction, timing: Timing) -> dict[str, object]:
    size = sum(size for _, size in timing.chunks)
    # a page that changes from visit to visit: the chunks are of another body than the recorded one
    own = {} if interaction.wire_bytes in (None, size) else {"bodySize": size}
    return timing.as_json() | own


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


def _tls(uri: str, marks: _Marks) -> ssl.SSLContext | bool:
    if not uri.startswith("https:"):
        return True
    context = _WatchedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.marks = marks
    return context


async def _patiently(interaction: Interaction, sent: Sent, say: Say) -> Timing:
    """One pass over one interaction, tried again where the origin asks for that."""
    # vcrpy doesn't keep what a client says of itself at the last moment, such as that it takes no compressed answers
    compressed = any(name.lower() == "content-encoding" for name, _ in interaction.headers)
    for left in reversed(range(MAX_TRIES)):
        status, retry_after, timing = await _timing(sent, () if compressed else ("Accept-Encoding",))
        if status == interaction.status:
            return timing
        wait_s = asked_wait_s(status, retry_after)
        if wait_s is None:
            raise RecordError(
                f"{interaction.request}: answered {status}, when it was recorded {interaction.status}; "
                "the origin doesn't answer the same twice. Try again later."
            )
        if left:
            say(f"the origin asks to wait {wait_s:g} s (Retry-After)")
            await asyncio.sleep(wait_s)
    raise RecordError(f"{interaction.request}: turned away (Retry-After) in each of {MAX_TRIES} tries")


async def _timing(sent: Sent, unsaid: Sequence[str]) -> tuple[int, str | None, Timing]:
    """Status, Retry-After, and the time of each part; `unsaid` are headers of its own that the client leaves out."""
    marks = _Marks()
    url = URL(sent.uri, encoded=True)  # as it was recorded: else `%27` becomes `'`
    if any(name.lower() == "authorization" for name, _ in sent.headers):
        url = url.with_user(None)  # httpx sends the one and leaves the other; aiohttp refuses both
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=_tls(sent.uri, marks), force_close=True),
            trace_configs=[_trace(marks)],
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        ) as client,
        client.request(
            sent.method,
            url,
            data=sent.body or None,
            headers=[pair for pair in sent.headers if pair[0].lower() not in _CLIENTS_OWN],
            skip_auto_headers=unsaid,
            allow_redirects=False,
        ) as response,
    ):
        # not iter_chunks: over a body that there isn't (HEAD, 204) that never ends, from the second time on
        async for data in response.content.iter_any():
            marks.chunks.append((time.perf_counter(), len(data)))
        ended = time.perf_counter()
    timing = Timing(
        connect_ms=_ms(marks.connected - marks.connecting),
        ssl_ms=-1 if marks.secured is None else _ms(marks.connected - marks.secured),
        send_ms=_ms(marks.sent - marks.connected),
        wait_ms=_ms(marks.head - marks.sent),
        receive_ms=_ms(ended - marks.head),
        chunks=tuple((_ms(at - marks.head), size) for at, size in marks.chunks),
    )
    return response.status, response.headers.get("Retry-After"), timing


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
