"""A vcrpy file: its text -> the fields of each interaction, every one of them checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import yaml

from laptime.cassette._coding import CodingError, Content, understood
from laptime.cassette._model import NO_BODY_STATUSES, CassetteError, length_of
from laptime.cassette._place import Place, brief, kind_of

VCR_VERSION = 1
MAX_DEPTH = 100
"""vcrpy nests a handful of levels; libyaml's parser overflows the stack of the process at some 20,000."""
MAX_REQUEST_BYTES = 64 * 2**20
_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_Pairs = tuple[tuple[str, str], ...]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, with a limit on nesting (it calls these two around each node) and vcrpy's harmless tags."""

    _depth = 0

    def descend_resolver(self, parent: object, index: object) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} deep")

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def file(self, node: yaml.Node) -> object:
        """The content of a file-like body: the first of its pickled state."""
        state = self.construct_mapping(node, deep=True).get("state") or (b"",)
        return state[0]

    def iterator(self, node: yaml.Node) -> object:
        """The chunks of a streamed body: the argument of `iter`."""
        arguments: list[Any] = self.construct_mapping(node, deep=True).get("args") or [[]]
        return list(arguments[0])


# what vcrpy's own loader takes beside plain YAML; nothing here calls what a file names
for _tag, _construct in {
    "python/str": yaml.SafeLoader.construct_yaml_str,
    "python/unicode": yaml.SafeLoader.construct_yaml_str,
    "python/tuple": lambda loader, node: loader.construct_sequence(node, deep=True),
    "python/object/new:_io.BytesIO": _Loader.file,
    "python/object/apply:builtins.iter": _Loader.iterator,
    "python/object/new:yarl.URL": lambda loader, node: None,  # where an answer came from, as vcrpy 1 wrote for aiohttp
}.items():
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _construct)


def entries(path: Path, raw: bytes) -> list[dict[str, Any]]:
    """The fields of each `Interaction` but its index and timings."""
    try:
        document = json.loads(raw) if _is_json(path, raw) else yaml.load(raw, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError, TypeError) as error:
        # the last three: what PyYAML raises for a value that isn't what its tag says (`!!bool maybe`)
        detail = " ".join(str(error).split())
        raise CassetteError(f"{path}: doesn't parse (truncated, or not a cassette?): {detail}") from error
    if not isinstance(document, dict):
        raise CassetteError(f"{path}: not a cassette: expected a mapping, found {kind_of(document)}")
    if "version" not in document:  # vcrpy writes it last
        raise CassetteError(f"{path}: version: missing; the file is truncated, or no cassette. Record it again")
    version = document["version"]
    if version != VCR_VERSION or isinstance(version, bool):
        raise CassetteError(f"{path}: version: expected {VCR_VERSION}, found {brief(version)}; record it again")
    interactions = document.get("interactions")
    if not isinstance(interactions, list) or not interactions:
        raise CassetteError(f"{path}: interactions: expected a list with entries; nothing was recorded here")
    return [_entry(Place(path, index), item) for index, item in enumerate(interactions)]


def _is_json(path: Path, raw: bytes) -> bool:
    """By its name; or as vcrpy's JSON serializer writes it, whatever the name."""
    return path.suffix == ".json" or raw.startswith(b'{\n    "version"')


def _entry(place: Place, item: object) -> dict[str, Any]:
    if not isinstance(item, dict):
        place.fail("interaction", f"expected a mapping, found {kind_of(item)}")
    request = place.get(item, "request", "request", dict)
    response = place.get(item, "response", "response", dict)
    uri = place.get(request, "uri", "request.uri", str)
    _split(place, uri)
    method = place.get(request, "method", "request.method", str).upper()
    if "status_code" in response:
        response = _modern(place, response)
    status = place.get(response, "status", "response.status", dict)
    code = place.get(status, "code", "response.status.code", int)
    if not HTTPStatus.OK <= code <= 999:  # one of the hundreds only announces another answer
        place.fail("response.status.code", f"expected 200 to 999, found {brief(code)}")
    message = status.get("message")
    reason = message if isinstance(message, str) else ""
    for field, text in (("request.method", method), ("request.uri", uri), ("response.status.message", reason)):
        _one_line(place, field, text)
        _encodable(place, field, text)
    headers = _headers(place, _listed(response, place.get(response, "headers", "response.headers", object)))
    request_headers = _headers(place, request.get("headers") or {}, "request.headers")
    carries_body = method != "HEAD" and code not in NO_BODY_STATUSES
    body = _response_body(place, response, nullable=not carries_body)
    return {
        "method": method,
        "uri": uri,
        "request_headers": request_headers,
        "request_body": _request_body(place, request.get("body"), request_headers),
        "status": code,
        "reason": reason,
        "headers": headers,
        "body": body,
        "content": _content(place, body, headers) if carries_body else Content(b"", b"", ()),
    }


def _modern(place: Place, response: Mapping[str, Any]) -> dict[str, Any]:
    """As httpx's responses were written before vcrpy 6: decoded text, beside other names."""
    return {
        "status": {"code": response["status_code"]},
        "headers": place.get(response, "headers", "response.headers", dict),
        "body": {"string": response.get("content")},
    }


def _content(place: Place, body: bytes, headers: _Pairs) -> Content:
    def value(name: str) -> str:
        return ",".join(value for key, value in headers if key.lower() == name)

    try:
        return understood(body, value("content-encoding"), length_of(headers))
    except CodingError as error:
        place.fail("response.body", f"{error}; the header says Content-Encoding: {value('content-encoding')}")


def _one_line(place: Place, field: str, text: str) -> None:
    if any(character in text for character in "\r\n\0"):
        place.fail(field, "holds a line break or a null")


def _encodable(place: Place, field: str, text: str, errors: str = "strict") -> None:
    try:
        text.encode("utf-8", errors)
    except UnicodeEncodeError as error:
        place.fail(field, f"undecodable: {error.reason}")


def _split(place: Place, uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        place.fail("request.uri", f"{error}: {uri[:80]!r}")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        place.fail("request.uri", f"expected an http or https address, found {uri[:80]!r}")
    return parts


def _response_body(place: Place, response: Mapping[str, Any], *, nullable: bool) -> bytes:
    if "body" not in response:
        place.fail("response.body", "missing")
    body = response["body"]
    if body == {}:
        return b""  # what vcrpy writes for an answer to aiohttp without one
    value = body.get("string") if isinstance(body, dict) else body
    if value is None and nullable:
        return b""
    return _bytes(place, value, "response.body")


def _request_body(place: Place, body: object, headers: _Pairs) -> bytes:
    """Bytes; for a mapping or a list that vcrpy was given instead (by aiohttp's `json=` and `data=`) its JSON."""
    whole = _request_bytes(place, body)
    chunked = any(name.lower() == "transfer-encoding" and value.lower() == "chunked" for name, value in headers)
    return _unchunked(whole) if chunked else whole


def _unchunked(body: bytes) -> bytes:
    """Up to vcrpy 4 a streamed body was kept with its framing; one without stays as it is."""
    found, rest = [], body
    while head := _CHUNK.match(rest):
        size = int(head[1], 16)
        chunk, end, rest = rest[head.end() :][:size], rest[head.end() + size :][:2], rest[head.end() + size + 2 :]
        if len(chunk) != size or end != b"\r\n":
            return body
        found.append(chunk)
        if not size:
            return b"".join(found)
    return body


def _request_bytes(place: Place, body: object) -> bytes:
    field = "request.body"
    match body:
        case None:
            return b""
        case {"string": value}:
            return _bytes(place, value, field)
        case list() if all(isinstance(chunk, bytes) for chunk in body):
            pieces: Iterable[bytes] = body
        case dict() | list() | int() | float():
            pieces = (piece.encode() for piece in json.JSONEncoder(ensure_ascii=False).iterencode(body))
        case _:
            return _bytes(place, body, field)
    whole = bytearray()
    try:
        for piece in pieces:
            whole += piece
            if len(whole) > MAX_REQUEST_BYTES:  # aliases make a small file a value of gigabytes
                place.fail(field, f"more than {MAX_REQUEST_BYTES // 2**20} MiB")
    except (TypeError, ValueError, RecursionError) as error:
        place.fail(field, f"can't be read: {error}")
    return bytes(whole)


def _bytes(place: Place, value: object, field: str) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            place.fail(field, f"undecodable: {error.reason}")
    if not isinstance(value, bytes):
        place.fail(field, f"expected text or bytes, found {kind_of(value)}")
    return value


def _listed(response: Mapping[str, Any], headers: Any) -> Any:
    """As vcrpy 1 to 3 wrote them for aiohttp: one value each, beside the answer's `url`."""
    if "url" in response and isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values()):
        return {name: [value] for name, value in headers.items()}
    return headers


def _headers(place: Place, headers: Any, where: str = "response.headers") -> _Pairs:
    """A mapping of lists or, as it is written for tornado, a list of pairs of a name and its list."""
    pairs: list[tuple[str, str]] = []
    for name, values in _header_items(place, headers, where):
        field = f"{where}[{brief(name)}]"
        if not isinstance(name, str) or not isinstance(values, list):
            place.fail(field, f"expected a list of values, found {kind_of(values)}")
        for value in values:
            if isinstance(value, bytes):
                value = value.decode("latin-1")
            if not isinstance(value, str):
                place.fail(field, f"expected text, found {kind_of(value)}")
            _one_line(place, field, name + value)
            _encodable(place, field, name + value, "surrogateescape")
            pairs.append((name, value))
        if not _NAME.fullmatch(name):
            place.fail(field, "not a name that a header can have")
    return tuple(pairs)


def _header_items(place: Place, headers: Any, where: str) -> Iterable[tuple[object, object]]:
    if isinstance(headers, dict):
        return headers.items()
    if not isinstance(headers, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in headers):
        place.fail(where, f"expected a mapping, found {kind_of(headers)}")
    return [(name, values) for name, values in headers]
