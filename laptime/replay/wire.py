"""The bytes of a recorded response as they go over the wire. Pure.

A client must get one well-framed response, however the recorded one was framed: the framing headers are made anew, and
a body that the recording client had decoded is compressed again, once, when the cassette is loaded. Addresses of
recorded origins in the headers become the replay's, so that a client that follows a redirect stays here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from laptime.cassette import Interaction, encoded, origin_of

_FRAMING = frozenset({"connection", "content-length", "keep-alive", "proxy-connection", "trailer", "transfer-encoding"})
_ORIGIN = r"(?:(https?):)?//([^/?#\s<>\"',;]+)"
_ADDRESS = re.compile(f"(^){_ORIGIN}", re.I)
_LINKED = re.compile(rf"(<\s*){_ORIGIN}", re.I)
_REFRESHED = re.compile(rf"(^[^;,]*[;,]\s*(?:url\s*=\s*)?['\"]?){_ORIGIN}", re.I)
_ALLOWED = re.compile(rf"(^|[\s;,]){_ORIGIN}", re.I)
_REWRITTEN = {
    "location": _ADDRESS,
    "content-location": _ADDRESS,
    "access-control-allow-origin": _ADDRESS,
    "link": _LINKED,
    "refresh": _REFRESHED,
    "content-security-policy": _ALLOWED,
}


@dataclass(frozen=True, slots=True)
class Wire:
    """A response, framed: `head` ends with the empty line."""

    status: int
    head: bytes
    body: bytes


def respond(interaction: Interaction, urls: Mapping[str, str]) -> Wire:
    """Frame a recorded response for HTTP/1.1; `urls` are the replay's, by recorded origin."""
    content = interaction.content
    headers = list(_headers(interaction, urls))
    body = b""
    if interaction.has_body:
        body = encoded(content.plain, content.codings) if content.wire is None else content.wire
        headers.append(("Content-Length", str(len(body))))
    elif interaction.method == "HEAD":
        headers += [pair for pair in interaction.headers if pair[0].lower() == "content-length"][:1]
    return Wire(interaction.status, _head(interaction.status, interaction.reason, headers), body)


def refuse(
    status: int, reason: str, text: str, *, close: bool = False, headers: Mapping[str, str] | None = None
) -> Wire:
    """A response of the replay's own."""
    body = text.encode()
    pairs = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    pairs += (headers or {}).items()
    if close:
        pairs.append(("Connection", "close"))
    return Wire(status, _head(status, reason, pairs), body)


def _headers(interaction: Interaction, urls: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in interaction.headers:
        lower = name.lower()
        if lower in _REWRITTEN:
            yield name, _rewritten(_REWRITTEN[lower], value, interaction, urls)
        elif lower == "set-cookie":
            yield name, _set_here(value, urls[interaction.origin])
        elif lower not in _FRAMING:
            yield name, value


def _rewritten(pattern: re.Pattern[str], value: str, interaction: Interaction, urls: Mapping[str, str]) -> str:
    def here(found: re.Match[str]) -> str:
        before, scheme, place = found.groups()
        scheme = scheme or interaction.uri.partition(":")[0]
        try:
            url = urls.get(origin_of(f"{scheme}://{place}"))
        except ValueError:  # no port, or no address at all
            url = None
        return found[0] if url is None else before + url

    return pattern.sub(here, value)


def _set_here(cookie: str, url: str) -> str:
    """Without the recorded domain, and without `Secure` where the replay isn't: a client would not send it back."""
    dropped = {"domain"} if url.startswith("https:") else {"domain", "secure"}
    first, *attributes = cookie.split(";")
    kept = [one for one in attributes if one.partition("=")[0].strip().lower() not in dropped]
    return ";".join([first, *kept])


def _head(status: int, reason: str, headers: Sequence[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    # header bytes outside ASCII were read as Latin-1 by the recording client, or were UTF-8 to begin with
    return b"\r\n".join(map(_received, lines))


def _received(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogateescape")
