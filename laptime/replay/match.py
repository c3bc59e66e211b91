"""Which recorded request an arriving one is: vcrpy's rules (method, origin, path, query), or the body if it decides.

Pure. The order of a query's or a form's fields doesn't matter, nor does how a character is escaped. What a recording
left out as a secret is left out of the arriving request too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes, urlsplit

from laptime.redact import FIELDS, PLACEHOLDER, form_of, json_values

Key = tuple[object, ...]
Kept = Callable[[str, object], bool]
"""Whether a field, by its name in lower case and its value, takes part in the match."""

_BOUNDARY = re.compile(rb"--([!-~]{1,70})\r\n")
_PART_NAME = re.compile(rb';\s*name="([^"]*)"')


def every(name: str, value: object) -> bool:
    """All fields take part."""
    return True


def left_out(key_of: Callable[[Kept], object]) -> frozenset[str]:
    """The fields that may be any in a recorded request: those that it leaves out, and usual secrets that it hasn't."""
    out: set[str] = set()
    kept: set[str] = set()

    def note(name: str, value: object) -> bool:
        (out if value == PLACEHOLDER else kept).add(name)
        return True

    key_of(note)
    return (FIELDS - kept) | out


def none_of(secrets: frozenset[str]) -> Kept:
    """The fields of a request that may not be any."""
    return lambda name, value: name not in secrets


def target_key(target: bytes, kept: Kept = every) -> Key:
    """Path and query of a request line (also from a client that takes the replay for a proxy)."""
    if not target.startswith(b"/"):
        try:
            parts = urlsplit(target)
            target = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
        except ValueError:
            pass  # no address, and so none that was recorded
    path, _, query = target.partition(b"?")
    return (tuple(map(unquote_to_bytes, path.split(b"/"))), _fields(query, kept))


def body_key(body: bytes, kept: Kept = every) -> Key:
    """What must be equal for two bodies to be the same: of JSON and forms the content, of others the bytes."""
    values = json_values(body)
    if values is not None:
        try:
            return ("json", json.dumps([_told(value, kept) for value in values], sort_keys=True))
        except (ValueError, RecursionError):
            return ("bytes", body)
    if boundary := _BOUNDARY.match(body):
        return ("parts", _parts(body.split(b"--" + boundary[1]), kept))  # each client draws its own boundary
    form = form_of(body)
    if form is not None:
        return ("form", _fields(form, kept))
    return ("bytes", body)


def recorded_body_keys(body: bytes, kept: Kept = every) -> Iterator[Key]:
    """The keys of a recorded body: a flat mapping, as aiohttp leaves it to vcrpy, may have been sent as a form."""
    key = body_key(body, kept)
    yield key
    if key[0] == "json":
        fields = _form(*(json_values(body) or [None])[:1])
        if fields is not None:
            sent = [(name.encode(), value.encode()) for name, value in fields if kept(name.casefold(), value)]
            yield ("form", tuple(sorted(sent)))


def _form(value: object) -> list[tuple[str, str]] | None:
    """The fields of a flat mapping, or of a list of pairs; None where it is neither."""
    pairs = list(value.items()) if isinstance(value, dict) else value
    found: list[tuple[str, str]] = []
    for pair in pairs if isinstance(pairs, list) else [None]:
        match pair:
            case (str(name), str() | int() as one):
                found.append((name, str(one)))
            case _:
                return None
    return found


def _fields(text: bytes, kept: Kept) -> Key:
    # urllib's parse_qsl fails on bytes that are not ASCII
    splits = (field.partition(b"=") for field in text.replace(b"+", b" ").split(b"&") if field)
    pairs = [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in splits]
    if kept is not every:
        pairs = [(name, value) for name, value in pairs if kept(_text(name).casefold(), _text(value))]
    return tuple(sorted(pairs))


def _parts(parts: list[bytes], kept: Kept) -> Key:
    found: list[bytes] = []
    for part in parts:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name is None or kept(_text(name[1]).casefold(), _text(value.removesuffix(b"\r\n"))):
            found.append(part)
    return tuple(found)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _told(value: object, kept: Kept) -> object:
    match value:
        case dict():
            return {name: _told(one, kept) for name, one in value.items() if kept(name.casefold(), one)}
        case list():
            return [_told(one, kept) for one in value]
        case _:
            return value
