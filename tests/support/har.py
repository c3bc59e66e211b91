"""What HAR 1.2 says of a log, to hold ours to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

_NUMBER = (int, float)
_HAR = {
    "log": {"version": str, "creator": dict, "pages": list, "entries": list},
    "creator": {"name": str, "version": str},
    "page": {"startedDateTime": str, "id": str, "title": str, "pageTimings": dict},
    "entry": {
        "startedDateTime": str,
        "time": _NUMBER,
        "request": dict,
        "response": dict,
        "cache": dict,
        "timings": dict,
    },
    "request": {
        "method": str,
        "url": str,
        "httpVersion": str,
        "cookies": list,
        "headers": list,
        "queryString": list,
        "headersSize": int,
        "bodySize": int,
    },
    "response": {
        "status": int,
        "statusText": str,
        "httpVersion": str,
        "cookies": list,
        "headers": list,
        "content": dict,
        "redirectURL": str,
        "headersSize": int,
        "bodySize": int,
    },
    "content": {"size": int, "mimeType": str},
    "postData": {"mimeType": str, "text": str},
    "pair": {"name": str, "value": str},
    "timings": {"send": _NUMBER, "wait": _NUMBER, "receive": _NUMBER},
}
"""The fields that HAR 1.2 requires, and their types (of posted data: where it is text)."""
_PHASES = {"blocked", "dns", "connect", "send", "wait", "receive", "ssl"}


def har_problems(document: Any) -> list[str]:
    """What of a log isn't as HAR 1.2 says (http://www.softwareishard.com/blog/har-12-spec/); nothing where all is."""
    return list(_har_problems(document))


def _har_problems(document: Any) -> Iterator[str]:
    log = document["log"]
    yield from _lacks("log", log)
    yield from _lacks("creator", log["creator"])
    if log["version"] != "1.2":
        yield f"version: {log['version']!r}"
    for page in log["pages"]:
        yield from _lacks("page", page)
        yield from _no_moment(page["startedDateTime"])
    ids = [page["id"] for page in log["pages"]]
    if len(ids) != len(set(ids)):
        yield f"pages: several of one id: {ids}"
    for number, entry in enumerate(log["entries"]):
        for problem in _entry_problems(entry, ids):
            yield f"entries[{number}]: {problem}"


def _entry_problems(entry: Any, ids: list[str]) -> Iterator[str]:
    request, response, timings = entry["request"], entry["response"], entry["timings"]
    for kind in ("entry", "request", "response", "timings"):
        yield from _lacks(kind, entry if kind == "entry" else entry[kind])
    yield from _lacks("content", response["content"])
    yield from _no_moment(entry["startedDateTime"])
    if entry["pageref"] not in ids:
        yield f"pageref: no page {entry['pageref']!r}"
    if not all(isinstance(entry.get(name, ""), str) for name in ("serverIPAddress", "connection")):
        yield "serverIPAddress, connection: no text"
    if "postData" in request:
        yield from _lacks("postData", request["postData"])
        if request["postData"].get("params"):
            yield "postData: both params and text"
    for pair in (*request["headers"], *request["queryString"], *response["headers"]):
        yield from _lacks("pair", pair)
    sizes = [request["headersSize"], request["bodySize"], response["headersSize"], response["bodySize"]]
    if min(sizes) < -1 or response["content"]["size"] < 0:
        yield f"sizes: {sizes}, content {response['content']['size']}"
    phases = {name: value for name, value in timings.items() if not name.startswith("_")}
    if set(phases) - _PHASES:
        yield f"timings: no phases: {set(phases) - _PHASES}"
    needed = _HAR["timings"].keys()
    if not all(value >= 0 or (value == -1 and name not in needed) for name, value in phases.items()):
        yield f"timings: negative: {phases}"
    spent = sum(value for name, value in phases.items() if value >= 0 and name != "ssl")  # `connect` includes `ssl`
    if abs(entry["time"] - spent) > 0.0011:
        yield f"time: {entry['time']}, and the sum of the timings is {spent}"


def _lacks(kind: str, value: Any) -> Iterator[str]:
    for name, wanted in _HAR[kind].items():
        found = value.get(name)
        if not isinstance(found, wanted) or isinstance(found, bool):
            yield f"{kind}.{name}: {found!r}"


def _no_moment(text: str) -> Iterator[str]:
    try:
        if datetime.fromisoformat(text).tzinfo is None:
            yield f"startedDateTime: no zone: {text}"
    except ValueError as error:
        yield f"startedDateTime: {error}"
