"""What a replay served, as HAR 1.2: the log of a browser, which many tools draw as a waterfall. Pure.

Times are the server's: `connect` is from the connection's acceptance to the first byte of its first request, `send` to
the last byte of the request, `wait` to the first of the answer, `receive` to the last. Addresses and headers are the
recorded ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl

from laptime.cassette import Interaction
from laptime.replay.visit import Visit

_NS_PER_MS, _NS_PER_S = 1e6, 1e9
_HTTP = "HTTP/1.1"


@dataclass(slots=True)
class Har:
    """A log in the making: a page for each title."""

    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(self, title: str, interactions: Sequence[Interaction], visits: Iterable[Visit], epoch_ns: int) -> None:
        """Add what was served; nothing where nothing was.

        interactions  those of the cassette; none where it can't be read any more
        epoch_ns      the time of day, in nanoseconds since 1970, at which `time.monotonic_ns` was 0
        """
        ordered = sorted(visits, key=_started_ns)
        if not ordered:
            return
        if title not in self.pages:
            self.pages[title] = {
                "startedDateTime": _time_of_day(_started_ns(ordered[0]), epoch_ns),
                "id": f"page_{len(self.pages) + 1}",
                "title": title,
                "pageTimings": {},
            }
        page = self.pages[title]["id"]
        for visit in ordered:
            found = interactions[visit.interaction] if 0 <= visit.interaction < len(interactions) else None
            self.entries.append({"pageref": page, **_entry(visit, found, epoch_ns)})

    def text(self) -> str:
        """The whole, as JSON."""
        creator = {"name": "laptime", "version": version("laptime")}
        pages = list(self.pages.values())
        log = {"version": "1.2", "creator": creator, "pages": pages, "entries": self.entries}
        return json.dumps({"log": log})  # in ASCII: a header may hold what can't be written as UTF-8


def _started_ns(visit: Visit) -> int:
    return visit.begun_ns if visit.opened_ns < 0 else visit.opened_ns


def _time_of_day(at_ns: int, epoch_ns: int) -> str:
    return datetime.fromtimestamp((at_ns + epoch_ns) / _NS_PER_S, UTC).isoformat(timespec="milliseconds")


def _entry(visit: Visit, found: Interaction | None, epoch_ns: int) -> dict[str, Any]:
    timings = {
        "blocked": -1,
        "dns": -1,
        "connect": -1 if visit.opened_ns < 0 else _ms(visit.begun_ns - visit.opened_ns),
        "ssl": -1,
        "send": _ms(visit.read_ns - visit.begun_ns),
        "wait": _ms(visit.first_ns - visit.read_ns),
        "receive": _ms(visit.done_ns - visit.first_ns),
    }
    return {
        "startedDateTime": _time_of_day(_started_ns(visit), epoch_ns),
        "time": round(sum(part for part in timings.values() if part >= 0), 3),
        "request": _request(visit, found),
        "response": _response(visit, found),
        "cache": {},
        "timings": timings,
        "serverIPAddress": "127.0.0.1",
        "connection": str(visit.connection),
    }


def _request(visit: Visit, found: Interaction | None) -> dict[str, Any]:
    method, _, target = visit.request.partition(" ")
    whole = target.startswith(("http://", "https://"))  # from a client that takes the replay for a proxy
    url = found.uri if found is not None else target if whole else visit.origin + target
    query = parse_qsl(url.partition("#")[0].partition("?")[2], keep_blank_values=True)
    request: dict[str, Any] = {
        "method": method,
        "url": url,
        "httpVersion": _HTTP,
        "cookies": [],
        "headers": [] if found is None else _pairs(found.request_headers),
        "queryString": _pairs(query),
        "headersSize": -1,
        "bodySize": -1 if found is None else len(found.request_body),
    }
    if found is not None and found.request_body:
        mime = _header(found.request_headers, "content-type")
        request["postData"] = {"mimeType": mime, "text": found.request_body.decode(errors="replace")}
    return request


def _response(visit: Visit, found: Interaction | None) -> dict[str, Any]:
    headers = () if found is None else found.headers
    plain = b"" if found is None or not found.has_body else found.content.plain
    return {
        "status": visit.status,
        "statusText": _reason(visit.status) if found is None else found.reason,
        "httpVersion": _HTTP,
        "cookies": [],
        "headers": _pairs(headers),
        "content": {"size": len(plain), "mimeType": _header(headers, "content-type")},
        "redirectURL": _header(headers, "location"),
        "headersSize": -1,
        "bodySize": -1,
        "_transferSize": visit.sent_bytes,
    }


def _reason(status: int) -> str:
    return _REASONS.get(status, "Not Recorded")


_REASONS: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _header(headers: Iterable[tuple[str, str]], wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _ms(ns: int) -> float:
    return round(max(ns, 0) / _NS_PER_MS, 3)
