"""What a recording leaves out because it is a secret, and what in it still looks like one. Pure.

A secret header is left out. The value of a secret field becomes `PLACEHOLDER`, for which a replay takes whatever is
sent.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus, urlsplit, urlunsplit

PLACEHOLDER = "REDACTED"

HEADERS = frozenset(
    """
    authorization proxy-authorization cookie set-cookie api-key apikey x-api-key x-apikey x-api-token x-api-secret
    x-auth-key x-auth-token x-access-token x-session-token x-session-id x-csrf-token x-xsrf-token x-goog-api-key
    x-amz-security-token x-vault-token x-gitlab-token private-token job-token x-functions-key x-rapidapi-key
    ocp-apim-subscription-key
    """.split()
)
FIELDS = frozenset(
    """
    api_key apikey api-key access_key secret_key secret client_secret app_secret client_assertion
    token access_token refresh_token id_token auth_token authtoken session_token csrf_token xsrf_token jwt
    password passwd passphrase pwd signature session_id sessionid
    x-amz-signature x-amz-credential x-amz-security-token x-goog-signature x-goog-credential
    """.split()
)
"""Fields of queries, forms and JSON bodies."""
MAYBE_FIELDS = frozenset("key code auth session sid sig hmac credential".split())
"""Fields that are often something else: only a value that looks like a token is left out."""

_TOKEN = re.compile(r"[A-Za-z0-9_+]{20,}={0,2}")
_HEX_TOKEN = re.compile(r"[0-9a-fA-F]{24,}")
_VALUE = re.compile(r"[A-Za-z0-9_+/.~-]{20,}={0,2}")
_DIVIDERS = re.compile(r"[/.~-]")
_MIN_BITS, _MIN_HEX_BITS = 3.5, 3.0
"""Bits of entropy a character: words and names stay below, drawn tokens don't."""
_HARMLESS = frozenset(
    """
    etag if-match if-none-match x-request-id request-id x-correlation-id x-trace-id traceparent tracestate cf-ray nel
    report-to content-security-policy content-md5 digest repr-digest x-amz-request-id x-amz-id-2 x-amz-cf-id x-served-by
    """.split()
)
"""Headers that hold digests and numbers of requests."""
_ADDRESSES = frozenset({"location", "content-location", "referer"})
_WITH_ADDRESSES = frozenset({"link", "refresh"})
_QUERY_FIELD = re.compile(r"(?<=[?&])[^=&#\s<>\"';,]+=[^&#\s<>\"';,]*")
_FORM = re.compile(rb"([!-<>-~]*=[^\x00-\x1f\x7f]*)[\r\n]*")
_PART = re.compile(
    rb'(Content-Disposition:[^\r\n]*?;\s*name="([^"]*)"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)(.*?)(?=\r\n--)', re.I | re.S
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Names, in lower case, of what is left out."""

    headers: frozenset[str] = HEADERS
    fields: frozenset[str] = FIELDS

    def header(self, name: str) -> bool:
        """Whether a header is left out."""
        return name.lower() in self.headers

    def field(self, name: str, value: str) -> bool:
        """Whether a field's value is left out."""
        name = _plain(name)
        return name in _plains(self.fields) or (name in MAYBE_FIELDS and _is_drawn(value))

    def uri(self, uri: str) -> str:
        """The address without a user, a password and secret fields; what else it holds stays as it is written."""
        parts = urlsplit(uri)
        place = parts.netloc.rpartition("@")[2]
        fields = [self._written(field) for field in parts.query.split("&")] if parts.query else []
        return urlunsplit((parts.scheme, place, parts.path, "&".join(fields), parts.fragment))

    def body(self, body: bytes) -> bytes:
        """A request's body without secret fields: JSON, a form or a multipart form; others stay as they are."""
        values = json_values(body)
        if values is not None:
            told = [self._told(value) for value in values]
            return body if told == values else "\n".join(map(json.dumps, told)).encode()
        if body.startswith(b"--"):
            return _PART.sub(self._part, body)
        form = form_of(body)
        if form is None:
            return body
        fields = [self._written(field) for field in form.decode("latin-1").split("&")]
        told_form = "&".join(fields).encode("latin-1")
        return body if told_form == form else told_form

    def header_value(self, name: str, value: str) -> str:
        """A header that is kept; addresses in it without secret fields."""
        if name.lower() in _WITH_ADDRESSES:
            return _QUERY_FIELD.sub(lambda found: self._written(found[0]), value)
        if name.lower() not in _ADDRESSES:
            return value
        try:
            return self.uri(value)
        except ValueError:
            return value

    def _written(self, field: str) -> str:
        name, equals, value = field.partition("=")
        secret = equals and self.field(unquote_plus(name), unquote_plus(value))
        return f"{name}={PLACEHOLDER}" if secret else field

    def _part(self, found: re.Match[bytes]) -> bytes:
        head, name, value = found.groups()
        secret = self.field(name.decode(errors="replace"), value.decode(errors="replace"))
        return head + (PLACEHOLDER.encode() if secret else value)

    def _told(self, value: object) -> object:
        match value:
            case dict():
                return {
                    name: PLACEHOLDER if self.field(name, str(one)) else self._told(one) for name, one in value.items()
                }
            case list():
                return [self._told(one) for one in value]
            case _:
                return value


def json_values(body: bytes) -> list[object] | None:
    """The value of a JSON text, or of each of its lines where it has one in each; None where it is no JSON."""
    if body[:100].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        return None
    try:
        try:
            return [json.loads(body)]
        except ValueError:
            return [json.loads(line) for line in body.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return None


def form_of(body: bytes) -> bytes | None:
    """The fields of a form, also of one that its client didn't quite encode; None where it is none."""
    found = _FORM.fullmatch(body)
    return None if found is None else found[1]


def _plain(name: str) -> str:
    """``user[accessToken]`` and ``ACCESS-TOKEN`` -> ``accesstoken``."""
    last = re.findall(r"[^\[\]]+", name)[-1:]
    return re.sub("[-_]", "", "".join(last)).casefold()


@lru_cache
def _plains(names: frozenset[str]) -> frozenset[str]:
    return frozenset(map(_plain, names))


class Suspect(NamedTuple):
    """Something in a recording that looks like a secret.

    field  ``request.uri`` or ``response.headers['X-Thing']``
    hint   its beginning and its length, not the whole
    """

    field: str
    hint: str


def suspects(
    uri: str, request_headers: Iterable[tuple[str, str]], headers: Iterable[tuple[str, str]]
) -> Iterator[Suspect]:
    """What still looks like a secret in one interaction's address and headers."""
    places = [("request.uri", unquote_plus(uri))]
    for where, pairs in (("request", request_headers), ("response", headers)):
        places += [(f"{where}.headers[{name!r}]", value) for name, value in pairs if name.lower() not in _HARMLESS]
    for field, text in places:
        for token in _TOKEN.findall(text):
            if looks_drawn(token):
                yield Suspect(field, f"{token[:4]}… ({len(token)} characters)")
                break


def _is_drawn(value: str) -> bool:
    """Whether a whole value looks drawn: there a dash or a slash is part of it, where in a text it divides words."""
    return looks_drawn(_DIVIDERS.sub("_", value)) if _VALUE.fullmatch(value) else looks_drawn(value)


def looks_drawn(text: str) -> bool:
    """Whether a text looks drawn at random: long, of digits and letters, with more entropy than words have."""
    for token in _TOKEN.findall(text):
        if token.isdigit() or not any(map(str.isdigit, token)):
            continue
        counts = Counter(token)
        bits = -sum(count / len(token) * math.log2(count / len(token)) for count in counts.values())
        if bits >= _MIN_BITS or (_HEX_TOKEN.fullmatch(token) and bits >= _MIN_HEX_BITS):
            return True
    return False
