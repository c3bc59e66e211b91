"""A cassette: a vcrpy file, and beside it a side-car with the time that each part of each response took.

`load` turns the pair into frozen, validated objects, or raises `CassetteError` with the file, the
interaction's index and the field. Nothing here writes a file; only `laptime.record` does.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import yaml

VCR_VERSION = 1
SIDECAR_VERSION = 1
MIN_PASSES = 5
"""Fewer passes would not show how much a site's answers vary from visit to visit."""
MAX_FILE_BYTES = 256 * 2**20
MAX_PART_MS = 3_600_000.0
"""No part of a recorded response took an hour: a larger figure is a broken file."""

MAX_DEPTH = 100
"""vcrpy nests a handful of levels; libyaml's parser overflows the stack of the process at some 20,000."""


class CassetteError(Exception):
    """A cassette or its side-car can't be used. The message names the file, the place and the remedy."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, with a limit on nesting: it calls these two around each node."""

    _depth = 0

    def descend_resolver(self, parent: object, index: object) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} deep")

    def ascend_resolver(self) -> None:
        self._depth -= 1


@dataclass(frozen=True, slots=True)
class Timing:
    """One pass over one interaction, in milliseconds, named and meant as in HAR 1.2.

    connect_ms  a new connection, TLS included; -1 where none was made
    ssl_ms      the TLS part of it; -1 without TLS
    send_ms     the request's bytes
    wait_ms     from the request sent to the head of the response
    receive_ms  from the head to the last byte of the body
    chunks      (offset_ms from the head, bytes on the wire) of each piece of the body
    """

    connect_ms: float
    ssl_ms: float
    send_ms: float
    wait_ms: float
    receive_ms: float
    chunks: tuple[tuple[float, int], ...]

    def as_json(self) -> dict[str, object]:
        """The side-car's form of one pass."""
        return {
            "connect": self.connect_ms,
            "ssl": self.ssl_ms,
            "send": self.send_ms,
            "wait": self.wait_ms,
            "receive": self.receive_ms,
            "chunks": [list(chunk) for chunk in self.chunks],
        }


@dataclass(frozen=True, slots=True)
class Interaction:
    """One request and its response, as vcrpy recorded them.

    `body` is what vcrpy stored: decoded for most clients, whatever `Content-Encoding` says.
    `timings` has one entry per pass, in order; it is empty where there is no side-car.
    """

    index: int
    method: str
    uri: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: bytes
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timings: tuple[Timing, ...]

    @property
    def origin(self) -> str:
        """Scheme, host and port: ``https://example.com``."""
        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def target(self) -> str:
        """Path and query, as in a request line."""
        parts = urlsplit(self.uri)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def request(self) -> str:
        """``GET https://…``, the key of the side-car."""
        return f"{self.method} {self.uri}"


@dataclass(frozen=True, slots=True)
class Cassette:
    """A validated cassette; `passes` is 0 and `origin_kind` None where it has no side-car."""

    path: Path
    sha256: str
    interactions: tuple[Interaction, ...]
    origin_kind: str | None
    passes: int

    @property
    def origins(self) -> tuple[str, ...]:
        """The recorded origins, in order of first appearance."""
        return tuple(dict.fromkeys(interaction.origin for interaction in self.interactions))


def sidecar_path(path: Path) -> Path:
    """`NAME.yaml` -> `NAME.timings.json`."""
    return path.with_suffix(".timings.json")


def load(path: Path) -> Cassette:
    """Read and validate a cassette and, where it exists, its side-car.

    Raises `CassetteError`. The time of loading 1,000 interactions is 0.4 s with libyaml.
    """
    raw = _read(path)
    sha256 = hashlib.sha256(raw).hexdigest()
    entries = _entries(path, raw)
    sidecar = sidecar_path(path)
    kind: str | None = None
    timings: list[tuple[Timing, ...]] = [()] * len(entries)
    try:
        timings_raw = _bytes(sidecar)
    except FileNotFoundError:
        pass  # the latency mode decides whether that will do
    else:
        kind, timings = _sidecar(sidecar, timings_raw, path, sha256, entries)
    interactions = tuple(
        Interaction(index=index, timings=passes, **entry)
        for index, (entry, passes) in enumerate(zip(entries, timings, strict=True))
    )
    return Cassette(path, sha256, interactions, kind, len(interactions[0].timings))


def _read(path: Path) -> bytes:
    try:
        return _bytes(path)
    except FileNotFoundError:
        raise CassetteError(
            f"{path}: no such cassette. Record it with `pytest --http=record -k {path.stem}`."
        ) from None


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise CassetteError(
                f"{path}: {size / 2**20:,.0f} MiB; a cassette is at most {MAX_FILE_BYTES // 2**20} MiB. "
                "Record fewer requests in one file."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CassetteError(f"{path}: can't be read: {error.strerror}") from error


def _entries(path: Path, raw: bytes) -> list[dict[str, Any]]:
    """The fields of each `Interaction` but its index and timings."""
    try:
        document = json.loads(raw) if path.suffix == ".json" else yaml.load(raw, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError) as error:
        # the last two: what PyYAML raises for a scalar that isn't what its tag says (`!!bool maybe`)
        detail = " ".join(str(error).split())
        raise CassetteError(f"{path}: doesn't parse (truncated, or not a cassette?): {detail}") from error
    if not isinstance(document, dict):
        raise CassetteError(f"{path}: not a cassette: expected a mapping, found {_kind(document)}")
    if document.get("version") != VCR_VERSION:
        raise CassetteError(
            f"{path}: version: expected {VCR_VERSION}, found {reprlib.repr(document.get('version'))}; record it again"
        )
    interactions = document.get("interactions")
    if not isinstance(interactions, list) or not interactions:
        raise CassetteError(f"{path}: interactions: expected a list with entries; nothing was recorded here")
    return [_entry(_Place(path, index), item) for index, item in enumerate(interactions)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a file a value stands; `fail` says so."""

    path: Path
    index: int

    def fail(self, field: str, problem: str) -> NoReturn:
        raise CassetteError(f"{self.path}: interaction {self.index}: {field}: {problem}")

    def get(self, mapping: Mapping[str, Any], key: str, field: str, kind: type) -> Any:
        if key not in mapping:
            self.fail(field, "missing")
        value = mapping[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fail(field, f"expected {_NAMES[kind]}, found {_kind(value)}")
        return value


_NAMES: dict[type, str] = {dict: "a mapping", list: "a list", str: "text", int: "a whole number"}


def _kind(value: object) -> str:
    return "nothing" if value is None else f"{_NAMES.get(type(value), type(value).__name__)} ({_short(value)!r})"


def _short(value: object) -> str:
    # aliases make a small file a value of gigabytes: a container is never written out whole
    return str(value)[:40] if isinstance(value, str | int | float | bytes) else reprlib.repr(value)[:40]


def _entry(place: _Place, item: object) -> dict[str, Any]:
    if not isinstance(item, dict):
        place.fail("interaction", f"expected a mapping, found {_kind(item)}")
    request = place.get(item, "request", "request", dict)
    response = place.get(item, "response", "response", dict)
    uri = place.get(request, "uri", "request.uri", str)
    parts = _split(place, uri)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        place.fail("request.uri", f"expected an http or https address, found {uri[:80]!r}")
    status = place.get(response, "status", "response.status", dict)
    code = place.get(status, "code", "response.status.code", int)
    if not 100 <= code <= 999:
        place.fail("response.status.code", f"expected 100 to 999, found {code}")
    message = status.get("message")
    method = place.get(request, "method", "request.method", str)
    reason = message if isinstance(message, str) else ""
    for field, text in (("request.method", method), ("request.uri", uri), ("response.status.message", reason)):
        _one_line(place, field, text)
        _encodable(place, field, text)
    return {
        "method": method.upper(),
        "uri": uri,
        "request_headers": _headers(place, request.get("headers") or {}, "request.headers"),
        "request_body": _body(place, request.get("body"), "request.body", nullable=True),
        "status": code,
        "reason": reason,
        "headers": _headers(place, place.get(response, "headers", "response.headers", dict), "response.headers"),
        "body": _body(place, response.get("body"), "response.body", nullable=False),
    }


def _one_line(place: _Place, field: str, text: str) -> None:
    if any(character in text for character in "\r\n\0"):
        place.fail(field, "holds a line break or a null")


def _encodable(place: _Place, field: str, text: str, errors: str = "strict") -> None:
    try:
        text.encode("utf-8", errors)
    except UnicodeEncodeError as error:
        place.fail(field, f"undecodable: {error.reason}")


def _split(place: _Place, uri: str) -> Any:
    try:
        return urlsplit(uri)
    except ValueError as error:
        place.fail("request.uri", f"{error}: {uri[:80]!r}")


def _body(place: _Place, body: object, field: str, *, nullable: bool) -> bytes:
    # vcrpy writes a response's body as {string: …}; a request's as the bare value
    value = body.get("string") if isinstance(body, dict) and "string" in body else body
    if value is None and nullable:
        return b""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            place.fail(field, f"undecodable: {error.reason}")
    if not isinstance(value, bytes):
        place.fail(field, f"expected text or bytes, found {_kind(value)}")
    return value


def _headers(place: _Place, headers: object, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(headers, dict):
        place.fail(where, f"expected a mapping, found {_kind(headers)}")
    pairs: list[tuple[str, str]] = []
    for name, values in headers.items():
        field = f"{where}[{name!r}]"
        if not isinstance(name, str) or not isinstance(values, list):
            place.fail(field, f"expected a list of values, found {_kind(values)}")
        for value in values:
            if not isinstance(value, str):
                place.fail(field, f"expected text, found {_kind(value)}")
            _one_line(place, field, name + value)
            _encodable(place, field, name + value, "surrogateescape")
            pairs.append((name, value))
    return tuple(pairs)


def _sidecar(
    path: Path, raw: bytes, cassette: Path, sha256: str, entries: list[dict[str, Any]]
) -> tuple[str, list[tuple[Timing, ...]]]:
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
        found = len(items) if isinstance(items, list) else _kind(items)
        raise CassetteError(f"{path}: interactions: expected {len(entries)}, as in {cassette.name}; found {found}")
    timings = [_passes(_Place(path, index), item) for index, item in enumerate(items)]
    for index, (item, entry) in enumerate(zip(items, entries, strict=True)):
        expected = f"{entry['method']} {entry['uri']}"
        if item.get("request") != expected:
            _Place(path, index).fail("request", f"expected {expected!r}, found {item.get('request')!r}")
    counts = {len(passes) for passes in timings}
    if len(counts) != 1 or min(counts) < MIN_PASSES:
        raise CassetteError(
            f"{path}: passes: expected the same number, {MIN_PASSES} or more, for each interaction; "
            f"found {sorted(counts)}"
        )
    return kind, timings


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a time")


def _passes(place: _Place, item: object) -> tuple[Timing, ...]:
    if not isinstance(item, dict):
        place.fail("interaction", f"expected a mapping, found {_kind(item)}")
    passes = place.get(item, "passes", "passes", list)
    return tuple(_timing(place, f"passes[{number}]", one) for number, one in enumerate(passes))


def _timing(place: _Place, field: str, one: object) -> Timing:
    if not isinstance(one, dict):
        place.fail(field, f"expected a mapping, found {_kind(one)}")

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
        fail(f"expected milliseconds, found {_kind(value)}")
    if not 0 <= value <= MAX_PART_MS:  # nor is NaN
        fail(f"expected 0 to {MAX_PART_MS:,.0f} ms, found {str(value)[:40]}")
    return float(value)


def _chunks(place: _Place, field: str, chunks: list[object]) -> tuple[tuple[float, int], ...]:
    def fail(problem: str) -> NoReturn:
        place.fail(field, problem)

    result: list[tuple[float, int]] = []
    for chunk in chunks:
        if not isinstance(chunk, list) or len(chunk) != 2:
            fail(f"expected [offset_ms, bytes], found {_kind(chunk)}")
        offset_ms, size = _ms(chunk[0], fail), chunk[1]
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            fail(f"expected a number of bytes, found {_kind(size)}")
        if result and offset_ms < result[-1][0]:
            fail(f"offsets must not go back, found {offset_ms} after {result[-1][0]}")
        result.append((offset_ms, size))
    return tuple(result)
