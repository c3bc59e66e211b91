"""The replay held against vcrpy itself: on generated recordings, a client gets from one what it gets from the other."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import urllib3
import vcr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from laptime.cassette import encoded
from laptime.replay import Latency, ReplayServer, Stage
from tests.support import HANG_LIMIT_S

ORIGINS = ("http://one.test", "https://two.test:8443", "http://one.test:81")
DECODING = ("urllib3", "aiohttp")
"""Clients that vcrpy records decoded, and that take from it what is in the file; httpx's are kept as they came."""
FRAMING = {"connection", "content-length", "keep-alive", "transfer-encoding"}
MATCH_ON = ["method", "scheme", "host", "port", "path", "query", "body"]


@dataclass(frozen=True, slots=True)
class Got:
    """What a client got, but for how it was framed; addresses are the recorded ones."""

    status: int
    reason: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes


# what is generated

NAMES = st.sampled_from(["X-One", "x-two", "ETag", "Vary", "Server", "Content-Type", "X_Three", "Cache-Control"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
TARGETS = st.sampled_from(
    ["/", "/a", "/a/", "/a?b=1", "/a?c=2&b=1", "/a?b=1&c=2", "/%C3%A9?q=%C3%A9+x", "/b;c=d", "//e"]
)
MAGICS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""How gzip and zstd begin: a decoded body that begins so is taken for what it looks like, which vcrpy never asks."""
BODIES = st.one_of(
    st.binary(max_size=200), st.text(max_size=100).map(str.encode), st.sampled_from([b"ab" * 500, bytes(11) + b"\x80"])
).filter(lambda body: not body.startswith(MAGICS))
SENT = st.sampled_from([b"", b'{"a": 1}', b"a=1&b=2", b"\x00\xff", b"plain text"])
CODINGS: dict[str, list[tuple[str, ...]]] = {
    "urllib3": [(), (), ("gzip",), ("deflate",), ("br",), ("deflate", "gzip")],
    "httpx": [(), (), ("gzip",), ("deflate",), ("br",), ("zstd",), ("deflate", "gzip")],
    "aiohttp": [(), (), ("gzip",), ("deflate",), ("br",)],
}
"""What each client can decode here: another is never sent to it, and so never recorded."""


@st.composite
def interactions(draw: st.DrawFn, client: str) -> dict[str, Any]:
    """One interaction as vcrpy keeps it of this client."""
    method = draw(st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))
    status = draw(st.sampled_from([200, 200, 201, 204, 302, 304, 404, 429, 500]))
    headers: dict[str, list[str]] = {}
    for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=6)):
        headers.setdefault(name, []).append(value)
    body = b""
    if method != "HEAD" and status not in (204, 304):
        body = draw(BODIES)
        codings = draw(st.sampled_from(CODINGS[client]))
        if client not in DECODING and not body:
            codings = ()  # `;` under br may be a body of that text, or an empty one
        wire = encoded(body, codings)
        if codings:
            headers["Content-Encoding"] = [", ".join(codings)]
        framing = draw(st.sampled_from([{}, {"Content-Length": [str(len(wire))]}, {"Transfer-Encoding": ["chunked"]}]))
        headers |= framing
        body = body if client in DECODING else wire
    if status == 302:
        headers["Location"] = [draw(st.sampled_from([*(f"{one}/a" for one in ORIGINS), "/a", "https://other.test/"]))]
    has_body = method in ("POST", "PUT", "PATCH")
    sent = draw(SENT) if has_body else b""
    return {
        "request": {
            "method": method,
            "uri": draw(st.sampled_from(ORIGINS)) + draw(TARGETS),
            "body": sent or ("" if client == "httpx" else None),
            "headers": {},
        },
        "response": {
            "status": {"code": status, "message": draw(st.sampled_from(["OK", "", "It is so", "Nö"[:1]]))},
            "headers": headers,
            "body": {"string": body},
        },
    }


@st.composite
def recordings(draw: st.DrawFn, client: str) -> tuple[list[dict[str, Any]], list[int]]:
    """Interactions, and an order in which to ask for them."""
    found = draw(st.lists(interactions(client), min_size=1, max_size=8))
    return found, draw(st.permutations(range(len(found))))


# clients: each asks for all, one after the other, and gives what it got

Asked = Sequence[tuple[str, str, bytes]]


def with_urllib3(requests: Asked) -> Iterator[Got]:
    with urllib3.PoolManager(retries=False) as pool:
        for method, url, body in requests:
            answer = pool.request(method, url, body=body or None, redirect=False)
            yield got(answer.status, answer.reason, answer.headers.items(), answer.data)


def with_httpx(requests: Asked) -> Iterator[Got]:
    with httpx.Client(trust_env=False, verify=False, timeout=HANG_LIMIT_S) as client:
        for method, url, body in requests:
            answer = client.request(method, url, content=body)
            yield got(answer.status_code, None, answer.headers.multi_items(), answer.content)


def with_aiohttp(requests: Asked) -> Iterator[Got]:
    async def ask() -> list[Got]:
        found = []
        async with aiohttp.ClientSession() as client:
            for method, url, body in requests:
                async with client.request(method, url, data=body or None, allow_redirects=False) as answer:
                    found.append(got(answer.status, answer.reason, answer.headers.items(), await answer.read()))
        return found

    yield from asyncio.run(ask())


def got(status: int, reason: str | None, headers: Iterable[tuple[str, str]], body: bytes) -> Got:
    kept = sorted((name.lower(), value) for name, value in headers if name.lower() not in FRAMING)
    return Got(status, reason, tuple(kept), body)


CLIENTS = {"urllib3": with_urllib3, "httpx": with_httpx, "aiohttp": with_aiohttp}


@contextmanager
def staged(server: ReplayServer, path: Path) -> Iterator[Stage]:
    stage = server.load(path, Latency.parse("none"))
    try:
        yield stage
    finally:
        stage.close()


def recorded_again(found: Got, stage: Stage) -> Got:
    """With the recorded origins in the place of the replay's addresses."""
    origins = {url: origin for origin, url in stage.origins.items()}

    def back(value: str) -> str:
        return next((value.replace(url, origin) for url, origin in origins.items() if value.startswith(url)), value)

    headers = tuple((name, back(value) if name == "location" else value) for name, value in found.headers)
    return Got(found.status, found.reason, headers, found.body)


@pytest.mark.parametrize("examples", [25, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_gets_what_it_would_get_from_vcrpy(server: ReplayServer, client: str, examples: int) -> None:
    """Status, reason, headers and decoded body, for any recording, asked in any order."""

    @settings(max_examples=examples)
    @given(recordings(client))
    def hold(made: tuple[list[dict[str, Any]], list[int]]) -> None:
        recorded, order = made
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "made.yaml"
            path.write_text(yaml.safe_dump({"version": 1, "interactions": recorded}, allow_unicode=True))
            requests = [recorded[number]["request"] for number in order]
            asked = [(one["method"], one["uri"], one["body"] or b"") for one in requests]
            with vcr.VCR(record_mode=vcr.mode.NONE, match_on=MATCH_ON).use_cassette(str(path)):
                expected = list(CLIENTS[client](asked))
            with staged(server, path) as stage:
                here = [(method, at_replay(uri, stage), body) for method, uri, body in asked]
                found = [recorded_again(one, stage) for one in CLIENTS[client](here)]
                assert ([], []) == (stage.end().unmatched, stage.end().refused)
        assert expected == found

    hold()


def at_replay(uri: str, stage: Stage) -> str:
    origin = next(one for one in ORIGINS if uri.startswith(one + "/"))
    return stage.url(origin) + uri.removeprefix(origin)
