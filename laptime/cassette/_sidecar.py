"""A side-car: its text -> the timings of each interaction, held against the cassette that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from laptime.cassette._model import CassetteError, Interaction, Timing
from laptime.cassette._place import Place, kind_of

SIDECAR_VERSION = 1
MAX_BYTES = 2**40
MIN_PASSES = 5
"""Fewer passes would not show how much a site's answers vary from visit to visit."""
MAX_PART_MS = 3_600_000.0
"""No part of a recorded response took an hour: a larger figure is a broken file."""


def timings_of(
    path: Path, raw: bytes, cassette: Path, sha256: str, interactions: list[Interaction]
) -> tuple[str | None, list[tuple[Timing, ...]]]:
    """The kind of origin, "live" or "stand-in", and the passes of each interaction; None where there are no times yet.

    path, raw     the side-car and its bytes
    cassette      the file that it belongs to, with its digest and what was read from it
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CassetteError(f"{path}: doesn't parse (truncated?): {error}") from error
    _check_version(path, document)
    replaced = document.get("replaces")
    if document.get("cassette_sha256") != sha256 == (isinstance(replaced, dict) and replaced.get("cassette_sha256")):
        # a recording was killed before the new cassette took the old one's place
        if "interactions" not in replaced:
            return None, []  # which had no side-car
        document = replaced
        _check_version(path, document)
    if document.get("cassette_sha256") != sha256:
        raise CassetteError(
            f"{path}: cassette_sha256: these timings belong to another {cassette.name}, which was changed since. "
            f"Record both again with `pytest --http=record -k {cassette.stem}`."
        )
    kind = document.get("origin")
    if kind not in ("live", "stand-in"):
        raise CassetteError(f"{path}: origin: expected 'live' or 'stand-in', found {kind!r}")
    items = document.get("interactions")
    if not isinstance(items, list) or len(items) != len(interactions):
        found = len(items) if isinstance(items, list) else kind_of(items)
        raise CassetteError(f"{path}: interactions: expected {len(interactions)}, as in {cassette.name}; found {found}")
    pairs = list(zip(interactions, items, strict=True))
    timings = [_passes(Place(path, interaction.index), item, interaction.wire_bytes) for interaction, item in pairs]
    for interaction, item in pairs:
        if item.get("request") != interaction.request:
            problem = f"expected {interaction.request!r}, found {item.get('request')!r}"
            Place(path, interaction.index).fail("request", problem)
    count = len(timings[0])
    for index, passes in enumerate(timings):
        if len(passes) != count or count < MIN_PASSES:
            wanted = f"{count}, as in interaction 0" if len(passes) != count else f"{MIN_PASSES} or more"
            Place(path, index).fail("passes", f"expected {wanted}; found {len(passes)}")
    if document.get("repeats", count) != count:
        raise CassetteError(f"{path}: repeats: says {kind_of(document['repeats'])}, and there are {count} passes")
    return kind, timings


def _check_version(path: Path, document: object) -> None:
    if not isinstance(document, dict) or document.get("version") != SIDECAR_VERSION:
        raise CassetteError(f"{path}: version: expected a side-car of version {SIDECAR_VERSION}")


def _passes(place: Place, item: object, wire_bytes: int | None) -> tuple[Timing, ...]:
    if not isinstance(item, dict):
        place.fail("interaction", f"expected a mapping, found {kind_of(item)}")
    passes = place.get(item, "passes", "passes", list)
    return tuple(_timing(place, f"passes[{number}]", one, wire_bytes) for number, one in enumerate(passes))


def _timing(place: Place, field: str, one: object, wire_bytes: int | None) -> Timing:
    if not isinstance(one, dict):
        place.fail(field, f"expected a mapping, found {kind_of(one)}")

    def ms(key: str, *, optional: bool = False) -> float:
        value = one.get(key)
        if optional and value == -1:
            return -1.0
        return _ms(value, lambda problem: place.fail(f"{field}.{key}", problem))

    chunks = _chunks(place, f"{field}.chunks", place.get(one, "chunks", f"{field}.chunks", list))
    # a pass whose body had another length than the one recorded says so itself
    if "bodySize" in one:
        wire_bytes = _size(one["bodySize"], lambda problem: place.fail(f"{field}.bodySize", problem))
    total = sum(size for _, size in chunks)
    if wire_bytes is not None and total != wire_bytes:
        place.fail(f"{field}.chunks", f"sizes add up to {total:,} bytes, of a body of {wire_bytes:,}")
    return Timing(
        connect_ms=ms("connect", optional=True),
        ssl_ms=ms("ssl", optional=True),
        send_ms=ms("send"),
        wait_ms=ms("wait"),
        receive_ms=ms("receive"),
        chunks=chunks,
    )


def _ms(value: object, fail: Callable[[str], NoReturn]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        fail(f"expected milliseconds, found {kind_of(value)}")
    if not 0 <= value <= MAX_PART_MS:  # nor is NaN
        fail(f"expected 0 to {MAX_PART_MS:,.0f} ms, found {str(value)[:40]}")
    return float(value)


def _size(value: object, fail: Callable[[str], NoReturn]) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_BYTES:
        fail(f"expected a number of bytes, found {kind_of(value)}")
    return value


def _chunks(place: Place, field: str, chunks: list[object]) -> tuple[tuple[float, int], ...]:
    def fail(problem: str) -> NoReturn:
        place.fail(field, problem)

    result: list[tuple[float, int]] = []
    for chunk in chunks:
        if not isinstance(chunk, list) or len(chunk) != 2:
            fail(f"expected [offset_ms, bytes], found {kind_of(chunk)}")
        offset_ms, size = _ms(chunk[0], fail), _size(chunk[1], fail)
        if result and offset_ms < result[-1][0]:
            fail(f"offsets must not go back, found {offset_ms} after {result[-1][0]}")
        result.append((offset_ms, size))
    return tuple(result)
