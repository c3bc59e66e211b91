"""Pairs of files that no replay may start with, and how each is refused.

``python -m tests.support.refused`` prints the table.

Each case spoils one thing of a good pair.
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import math
import os
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
import zstandard

from laptime.cassette import CassetteError, load

Document = dict[str, Any]
NAME = "shop.yaml"
GIB = 2**30
PASSES = 5
BODY = "eight by"

_PASS = {"connect": 0.2, "ssl": -1, "send": 0.1, "wait": 20.5, "receive": 1.5, "chunks": [[0.0, 5], [1.4, 3]]}


def cassette() -> Document:
    """A good one."""
    return {
        "version": 1,
        "interactions": [
            {
                "request": {"method": "GET", "uri": uri, "body": None, "headers": {"Accept": ["*/*"]}},
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"Content-Type": ["text/plain"]},
                    "body": {"string": BODY},
                },
            }
            for uri in ("https://shop.example/", "https://shop.example/lamp")
        ],
    }


def sidecar() -> Document:
    """Its own, but for the digest."""
    return {
        "version": 1,
        "recorded_at": "2026-01-02T03:04:05+00:00",
        "origin": "stand-in",
        "client": "made up",
        "repeats": PASSES,
        "interactions": [
            {"request": f"GET {one['request']['uri']}", "passes": [copy.deepcopy(_PASS) for _ in range(PASSES)]}
            for one in cassette()["interactions"]
        ],
    }


def write(directory: Path, raw: bytes, timings: Document | bytes | None) -> Path:
    """Write the pair; the side-car gets the cassette's digest where it names none."""
    path = directory / NAME
    path.write_bytes(raw)
    if isinstance(timings, dict):
        timings = json.dumps({"cassette_sha256": hashlib.sha256(raw).hexdigest()} | timings).encode()
    if timings is not None:
        path.with_suffix(".timings.json").write_bytes(timings)
    return path


Case = Callable[[Path], object]
"""Writes the pair into a directory."""


def _dumped(document: Document) -> bytes:
    return yaml.safe_dump(document, allow_unicode=True).encode()


def _raw(raw: bytes) -> Case:
    return lambda directory: write(directory, raw, None)


def _at(document: Any, place: str) -> tuple[Any, Any]:
    *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    for step in way:
        document = document[step]
    return document, last


def _recorded(place: str, value: object) -> Case:
    """A cassette with this value in that place of its second interaction."""

    def case(directory: Path) -> object:
        document = cassette()
        within, last = _at(document["interactions"][1], place)
        within[last] = value
        return write(directory, _dumped(document), None)

    return case


def _without(place: str) -> Case:
    def case(directory: Path) -> object:
        document = cassette()
        within, last = _at(document["interactions"][1], place)
        del within[last]
        return write(directory, _dumped(document), None)

    return case


def _coded(coding: str, body: bytes, length: int | None = None) -> Case:
    headers = {"Content-Encoding": [coding]} | ({} if length is None else {"Content-Length": [str(length)]})

    def case(directory: Path) -> object:
        document = cassette()
        document["interactions"][1]["response"] |= {"headers": headers, "body": {"string": body}}
        return write(directory, _dumped(document), None)

    return case


def _timed(place: str, value: object) -> Case:
    """A side-car with this value in that place."""

    def case(directory: Path) -> object:
        document = sidecar()
        within, last = _at(document, place)
        within[last] = value
        return write(directory, _dumped(cassette()), document)

    return case


def _timing(part: str, value: object) -> Case:
    return _timed(f"interactions.1.passes.2.{part}", value)


def _timings(raw: bytes) -> Case:
    return lambda directory: write(directory, _dumped(cassette()), raw)


def _huge(suffix: str) -> Case:
    def case(directory: Path) -> object:
        path = write(directory, _dumped(cassette()), None).with_suffix(suffix)
        with path.open("ab") as file:
            os.truncate(file.fileno(), GIB)
        return path

    return case


def _changed(directory: Path) -> object:
    path = write(directory, _dumped(cassette()), sidecar())
    return path.write_bytes(path.read_bytes().replace(b"eight by", b"EIGHT BY"))


NOISE = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(4))
"""Incompressible."""
CASES: dict[str, Case] = {
    # the file
    "no such file": lambda directory: None,
    "a directory": lambda directory: (directory / NAME).mkdir(),
    "an empty file": _raw(b""),
    "a file of 1 GB": _huge(".yaml"),
    "YAML that doesn't parse": _raw(b"version: 1\ninteractions: [}"),
    "YAML that is truncated": _raw(_dumped(cassette())[:-40]),
    "YAML that is truncated and still parses": _raw(_dumped(cassette()).split(b"  response:")[0]),
    "bytes that are no text": _raw(b"version: 1\ninteractions:\n- \xff\xfe\x80"),
    "a tag that would run a program": _raw(b"!!python/object/apply:os.system ['true']"),
    "a tag that would make an object": _raw(b"version: 1\ninteractions: !!python/object:pathlib.Path {}"),
    "lists nested too deep": _raw(b"version: 1\ninteractions: " + b"[" * 500 + b"]" * 500),
    "a list, no mapping": _raw(b"- version: 1"),
    "another version": _raw(_dumped(cassette() | {"version": 2})),
    "no version": _raw(b"interactions: []"),
    "no interactions": _raw(_dumped(cassette() | {"interactions": []})),
    # an interaction
    "an interaction that is a text": _raw(_dumped({"version": 1, "interactions": [*cassette()["interactions"], "x"]})),
    "no request": _without("request"),
    "no response": _without("response"),
    "no address": _without("request.uri"),
    "an address of no web site": _recorded("request.uri", "ftp://shop.example/"),
    "a port that can't be": _recorded("request.uri", "https://shop.example:99999/"),
    "a line break in the method": _recorded("request.method", "GET\r\nX: y"),
    "no status": _without("response.status"),
    "a status that is a text": _recorded("response.status.code", "200"),
    "a status that only announces another": _recorded("response.status.code", 100),
    "no headers": _without("response.headers"),
    "a scalar header": _recorded("response.headers", {"Content-Type": "text/plain", "ETag": ["x"]}),
    "a header that is a number": _recorded("response.headers", {"Age": [7]}),
    "a line break in a header": _recorded("response.headers", {"X-Thing": ["a\r\nSet-Cookie: b"]}),
    "a header whose name can't be one": _recorded("response.headers", {"X Thing": ["a"]}),
    "no body": _without("response.body"),
    "a null body": _recorded("response.body", None),
    "a null text in the body": _recorded("response.body.string", None),
    "a body that is a list": _recorded("response.body.string", ["a"]),
    "half a character": lambda directory: write(
        directory, json.dumps(cassette()).replace(BODY, "\\ud800", 1).encode(), None
    ),
    # content codings
    "gzip that is truncated": _coded("gzip", gzip.compress(NOISE, mtime=0)[:-9]),
    "gzip with a wrong checksum": _coded("gzip", gzip.compress(NOISE, mtime=0)[:-8] + bytes(8)),
    "zstd that is truncated": _coded("zstd", zstandard.compress(NOISE)[:-4]),
    "br of the length that was sent, and no br": _coded("br", NOISE, len(NOISE)),
    "deflate of the length that was sent, truncated": _coded("deflate", zlib.compress(NOISE)[:-6], len(NOISE) + 5),
    "gzip that unpacks to 300 MB": _coded("gzip", gzip.compress(bytes(20 * 2**20), 9, mtime=0) * 15),
    # the side-car
    "a side-car of 1 GB": _huge(".timings.json"),
    "a side-car that is truncated": _timings(json.dumps(sidecar()).encode()[:-30]),
    "a side-car of another version": _timed("version", 7),
    "a side-car of another cassette": _timed("cassette_sha256", "0" * 64),
    "a cassette that was changed since": _changed,
    "a side-car of another kind of origin": _timed("origin", "imagined"),
    "times for fewer interactions": _timed("interactions", sidecar()["interactions"][:1]),
    "times of another request": _timed("interactions.1.request", "GET https://shop.example/chair"),
    "four passes": _timed("interactions", [one | {"passes": one["passes"][:4]} for one in sidecar()["interactions"]]),
    "another number of passes in one": _timed("interactions.1.passes", sidecar()["interactions"][1]["passes"] * 2),
    "another number of passes than it says": _timed("repeats", 12),
    "a negative wait": _timing("wait", -3.5),
    "a wait that is NaN": _timing("wait", math.nan),
    "a wait without end": _timing("wait", math.inf),
    "a wait of two hours": _timing("wait", 7_200_000),
    "a wait that is a text": _timing("wait", "20.5"),
    "a wait that is missing": _timing("wait", None),
    "a chunk without its size": _timing("chunks", [[0.0]]),
    "a chunk of a negative size": _timing("chunks", [[0.0, 9], [1.0, -1]]),
    "chunks that go back in time": _timing("chunks", [[1.4, 5], [0.0, 3]]),
    "chunk sizes that don't add up": _timing("chunks", [[0.0, 5], [1.4, 30]]),
    "no chunks of a body": _timing("chunks", []),
}


def refusal(case: Case, directory: Path) -> str:
    """How the pair is refused, the directory left out."""
    case(directory)
    try:
        load(directory / NAME)
    except CassetteError as error:
        return str(error).replace(f"{directory}{os.sep}", "")
    raise AssertionError("it was not refused")


def row(name: str, directory: Path) -> str:
    """The line of the table for one of them, whose pair is written into a directory."""
    message = refusal(CASES[name], directory).replace("|", "\\|").replace("`", "'")
    return f"| {name} | `{message}` |"


def table() -> str:
    """All of them, in Markdown."""
    lines = ["| file | refused with |", "|---|---|"]
    for name in CASES:
        with tempfile.TemporaryDirectory() as directory:
            lines.append(row(name, Path(directory)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 (what it is for)
