"""A side-car: its text -> the timings of each interaction, held against the cassette that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from laptime.cassette._model import CassetteError, Timing
from laptime.cassette._place import Place, kind_of

SIDECAR_VERSION = 1
MIN_PASSES = 5
"""Fewer passes would not show how much a site's answers vary from visit to visit."""
MAX_PART_MS = 3_600_000.0
"""No part of a recorded response took an hour: a larger figure is a broken file."""


def timings_of(
    path: Path, raw: bytes, cassette: Path, sha256: str, entries: list[dict[str, Any]]
) -> tuple[str, list[tuple[Timing, ...]]]:
    """The kind of origin, "live" or "stand-in", and the passes of each interaction.

    path, raw        the side-car and its bytes
    cassette         the file that it belongs to, with its digest and `laptime.cassette._vcr.entries`
    """
    try:
        document = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CassetteError(f"{path}: doesn't parse (truncated?): {error}") from error
    if not isinstance(document, dict) or document.get("version") != SIDECAR_VERSION:
        raise CassetteError(f"{path}: version: expected a side-car of version {SIDECAR_VERSION}")
    if document.get("cassette_sha256") != sha256:
        raise CassetteError(
            f"{path}: cassette_sha256: these timings belong to another {cassette.name}, which was changed since. "
            f"Record both again with `pytest --http=record -k {cassette.stem}`."
        )
    kind = document.get("origin")
    if kind not in ("live", "stand-in"):
        raise CassetteError(f"{path}: origin: expected 'live' or 'stand-in', found {kind!r}")
    items = document.get("interactions")
    if not isinstance(items, list) or len(items) != len(entries):
        found = len(items) if isinstance(items, list) else kind_of(items)
        raise CassetteError(f"{path}: interactions: expected {len(entries)}, as in {cassette.name}; found {found}")
    timings = [_passes(Place(path, index), item) for index, item in enumerate(items)]
    for index, (item, entry) in enumerate(zip(items, entries, strict=True)):
        expected = f"{entry['method']} {entry['uri']}"
        if item.get("request") != expected:
            Place(path, index).fail("request", f"expected {expected!r}, found {item.get('request')!r}")
    counts = {len(passes) for passes in timings}
    if len(counts) != 1 or min(counts) < MIN_PASSES:
        raise CassetteError(
            f"{path}: passes: expected the same number, {MIN_PASSES} or more, for each interaction; "
            f"found {sorted(counts)}"
        )
    return kind, timings


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a time")


def _passes(place: Place, item: object) -> tuple[Timing, ...]:
    if not isinstance(item, dict):
        place.fail("interaction", f"expected a mapping, found {kind_of(item)}")
    passes = place.get(item, "passes", "passes", list)
    return tuple(_timing(place, f"passes[{number}]", one) for number, one in enumerate(passes))


def _timing(place: Place, field: str, one: object) -> Timing:
    if not isinstance(one, dict):
        place.fail(field, f"expected a mapping, found {kind_of(one)}")

    def ms(key: str, *, optional: bool = False) -> float:
        value = one.get(key)
        if optional and value == -1:
            return -1.0
        return _ms(value, lambda problem: place.fail(f"{field}.{key}", problem))

    chunks = place.get(one, "chunks", f"{field}.chunks", list)
    return Timing(
        connect_ms=ms("connect", optional=True),
        ssl_ms=ms("ssl", optional=True),
        send_ms=ms("send"),
        wait_ms=ms("wait"),
        receive_ms=ms("receive"),
        chunks=_chunks(place, f"{field}.chunks", chunks),
    )


def _ms(value: object, fail: Callable[[str], NoReturn]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        fail(f"expected milliseconds, found {kind_of(value)}")
    if not 0 <= value <= MAX_PART_MS:  # nor is NaN
        fail(f"expected 0 to {MAX_PART_MS:,.0f} ms, found {str(value)[:40]}")
    return float(value)


def _chunks(place: Place, field: str, chunks: list[object]) -> tuple[tuple[float, int], ...]:
    def fail(problem: str) -> NoReturn:
        place.fail(field, problem)

    result: list[tuple[float, int]] = []
    for chunk in chunks:
        if not isinstance(chunk, list) or len(chunk) != 2:
            fail(f"expected [offset_ms, bytes], found {kind_of(chunk)}")
        offset_ms, size = _ms(chunk[0], fail), chunk[1]
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            fail(f"expected a number of bytes, found {kind_of(size)}")
        if result and offset_ms < result[-1][0]:
            fail(f"offsets must not go back, found {offset_ms} after {result[-1][0]}")
        result.append((offset_ms, size))
    return tuple(result)
