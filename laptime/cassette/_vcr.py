"""A vcrpy file: its text -> the fields of each interaction, every one of them checked."""

from __future__ import annotations

import json
import reprlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from laptime.cassette._model import CassetteError
from laptime.cassette._place import Place, kind_of

VCR_VERSION = 1
MAX_DEPTH = 100
"""vcrpy nests a handful of levels; libyaml's parser overflows the stack of the process at some 20,000."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, with a limit on nesting: it calls these two around each node."""

    _depth = 0

    def descend_resolver(self, parent: object, index: object) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} deep")

    def ascend_resolver(self) -> None:
        self._depth -= 1


def entries(path: Path, raw: bytes) -> list[dict[str, Any]]:
    """The fields of each `Interaction` but its index and timings."""
    try:
        document = json.loads(raw) if path.suffix == ".json" else yaml.load(raw, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError) as error:
        # the last two: what PyYAML raises for a scalar that isn't what its tag says (`!!bool maybe`)
        detail = " ".join(str(error).split())
        raise CassetteError(f"{path}: doesn't parse (truncated, or not a cassette?): {detail}") from error
    if not isinstance(document, dict):
        raise CassetteError(f"{path}: not a cassette: expected a mapping, found {kind_of(document)}")
    if document.get("version") != VCR_VERSION:
        raise CassetteError(
            f"{path}: version: expected {VCR_VERSION}, found {reprlib.repr(document.get('version'))}; record it again"
        )
    interactions = document.get("interactions")
    if not isinstance(interactions, list) or not interactions:
        raise CassetteError(f"{path}: interactions: expected a list with entries; nothing was recorded here")
    return [_entry(Place(path, index), item) for index, item in enumerate(interactions)]


def _entry(place: Place, item: object) -> dict[str, Any]:
    if not isinstance(item, dict):
        place.fail("interaction", f"expected a mapping, found {kind_of(item)}")
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


def _one_line(place: Place, field: str, text: str) -> None:
    if any(character in text for character in "\r\n\0"):
        place.fail(field, "holds a line break or a null")


def _encodable(place: Place, field: str, text: str, errors: str = "strict") -> None:
    try:
        text.encode("utf-8", errors)
    except UnicodeEncodeError as error:
        place.fail(field, f"undecodable: {error.reason}")


def _split(place: Place, uri: str) -> Any:
    try:
        return urlsplit(uri)
    except ValueError as error:
        place.fail("request.uri", f"{error}: {uri[:80]!r}")


def _body(place: Place, body: object, field: str, *, nullable: bool) -> bytes:
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
        place.fail(field, f"expected text or bytes, found {kind_of(value)}")
    return value


def _headers(place: Place, headers: object, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(headers, dict):
        place.fail(where, f"expected a mapping, found {kind_of(headers)}")
    pairs: list[tuple[str, str]] = []
    for name, values in headers.items():
        field = f"{where}[{name!r}]"
        if not isinstance(name, str) or not isinstance(values, list):
            place.fail(field, f"expected a list of values, found {kind_of(values)}")
        for value in values:
            if not isinstance(value, str):
                place.fail(field, f"expected text, found {kind_of(value)}")
            _one_line(place, field, name + value)
            _encodable(place, field, name + value, "surrogateescape")
            pairs.append((name, value))
    return tuple(pairs)
