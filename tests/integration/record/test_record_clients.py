"""Recording with each HTTP client: what it asks is recorded, timed, and played by laptime and by vcrpy."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import io
import json
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import httpx
import pytest
import requests
import urllib3
import vcr

from laptime.cassette import load, sidecar_path
from laptime.record import RecordError, record
from laptime.replay import Latency, ReplayServer
from tests.support import HANG_LIMIT_S, Exchange, contents, recording, timings
from tests.support.origins import (
    PASSES,
    Asked,
    Habit,
    Reply,
    always,
    asking,
)


class Step(NamedTuple):
    """A request, and the status that it gets."""

    method: str
    target: str
    body: bytes | None
    status: int


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STEPS = [
    Step("GET", "/a", None, 200),
    Step("GET", "/b?q=1", None, 200),
    Step("GET", "/a", None, 200),
    Step("POST", "/form", b"name=pear&size=3", 200),
    Step("POST", "/form", b"name=plum&size=4", 201),
    Step("HEAD", "/a", None, 200),
    Step("DELETE", "/a", None, 204),
    Step("GET", "/moved", None, 302),
    Step("GET", "/none", None, 404),
]


def by_step(asked: Asked) -> Reply:
    """What the origin answers to a step."""
    ask = (asked.method, asked.target, asked.body or None)
    found = {step.status for step in STEPS if ask == step[:3]}
    status = found.pop() if found else 400
    location = {"Location": "/b?q=1"} if status == 302 else {}
    return Reply(status, {"Content-Type": "text/plain", **location}, f"{asked.method} {asked.target}".encode())


def with_requests(url: str, steps: Sequence[Step]) -> list[int]:
    """Take the steps; the result is the statuses."""
    with requests.Session() as client:
        return [
            client.request(
                one.method, url + one.target, data=one.body, headers=FORM, allow_redirects=False, timeout=HANG_LIMIT_S
            ).status_code
            for one in steps
        ]


def with_urllib3(url: str, steps: Sequence[Step]) -> list[int]:
    """Take the steps; the result is the statuses."""
    with urllib3.PoolManager(timeout=HANG_LIMIT_S, retries=False) as client:
        return [client.request(one.method, url + one.target, body=one.body, headers=FORM).status for one in steps]


def with_http_client(url: str, steps: Sequence[Step]) -> list[int]:
    """Take the steps; the result is the statuses."""
    statuses = []
    for one in steps:
        with closing(http.client.HTTPConnection(url.partition("://")[2], timeout=HANG_LIMIT_S)) as client:
            client.request(one.method, one.target, one.body, FORM)
            answer = client.getresponse()
            answer.read()
            statuses.append(answer.status)
    return statuses


def with_httpx(url: str, steps: Sequence[Step]) -> list[int]:
    """Take the steps; the result is the statuses."""
    with httpx.Client(timeout=HANG_LIMIT_S) as client:
        return [
            client.request(one.method, url + one.target, content=one.body, headers=FORM).status_code for one in steps
        ]


def with_httpx_async(url: str, steps: Sequence[Step]) -> list[int]:
    """Take the steps; the result is the statuses."""

    async def take() -> list[int]:
        async with httpx.AsyncClient(timeout=HANG_LIMIT_S) as client:
            answers = [await client.request(o.method, url + o.target, content=o.body, headers=FORM) for o in steps]
            return [answer.status_code for answer in answers]

    return asyncio.run(take())


def with_aiohttp(url: str, steps: Sequence[Step]) -> list[int]:
    """Take the steps; the result is the statuses."""

    async def take() -> list[int]:
        statuses = []
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(HANG_LIMIT_S)) as client:
            for one in steps:
                given: dict[str, Any] = {"data": one.body, "headers": FORM, "allow_redirects": False}
                async with client.request(one.method, url + one.target, **given) as answer:
                    await answer.read()
                    statuses.append(answer.status)
        return statuses

    return asyncio.run(take())


CLIENTS = [with_requests, with_urllib3, with_http_client, with_httpx, with_httpx_async, with_aiohttp]


@pytest.mark.parametrize(("client", "name"), [*((client, "a.yaml") for client in CLIENTS), (with_requests, "a.json")])
def test_what_any_client_asks_is_recorded_and_timed(
    tmp_path: Path, server: ReplayServer, client: Callable[[str, Sequence[Step]], list[int]], name: str
) -> None:
    """Methods, bodies, redirects, errors and repeated requests, each pass like the run; the replay answers it alike."""
    statuses: list[list[int]] = []
    origin = Habit(by_step)
    with origin.serving() as url:
        made = record(tmp_path / name, lambda: statuses.append(client(url, STEPS)), "live", passes=PASSES)
    expected = [step.status for step in STEPS]
    assert [expected] == statuses
    assert [step[:3] for step in STEPS] * (1 + PASSES) == [(o.method, o.target, o.body or None) for o in origin.asked]
    found = [(one.method, one.target, one.request_body or None, one.status) for one in made.cassette.interactions]
    assert STEPS == found
    assert {PASSES} == {len(one.timings) for one in made.cassette.interactions}
    assert {"a.timings.json", name} == set(contents(tmp_path))
    assert (name == "a.json") == (tmp_path / name).read_bytes().startswith(b"{")
    stage = server.load(tmp_path / name, Latency.parse("recorded"))
    assert expected == client(stage.url(), STEPS)
    assert [] == stage.end().unmatched


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_vcrpy_plays_what_was_recorded(tmp_path: Path, name: str) -> None:
    """The cassette is vcrpy's own, in its YAML or its JSON, by the name of the file."""
    with Habit(by_step).serving() as url:
        record(tmp_path / name, lambda: with_requests(url, STEPS), "live", passes=PASSES)
    serializer = name.partition(".")[2]
    player = vcr.VCR(serializer=serializer, record_mode=vcr.mode.NONE, match_on=["method", "uri", "raw_body"])
    with player.use_cassette(str(tmp_path / name)) as cassette:
        assert [step.status for step in STEPS] == with_requests(url, STEPS)
        assert cassette.all_played


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("HEAD", Reply()),
        ("HEAD", Reply(pieces=[b"hello"])),
        ("DELETE", Reply(204)),
        ("GET", Reply(304)),
        ("GET", Reply(body=b"")),
    ],
    ids=["HEAD", "chunked HEAD", "204", "304", "empty"],
)
def test_an_answer_without_a_body_is_timed_without_pieces(tmp_path: Path, method: str, reply: Reply) -> None:
    """In each pass, and each time that it is asked for."""

    def run() -> None:
        for _ in range(2):
            requests.request(method, f"{url}/a", timeout=HANG_LIMIT_S)

    with Habit(lambda asked: reply).serving() as url:
        made = record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    timings = [one for interaction in made.cassette.interactions for one in interaction.timings]
    assert [()] * 2 * PASSES == [one.chunks for one in timings]
    assert made.cassette == load(tmp_path / "a.yaml")


@pytest.mark.parametrize("value", ["text", "caf\xe9".encode()], ids=str)
def test_a_header_is_timed_as_it_was_sent(tmp_path: Path, value: bytes | str) -> None:
    """Also where requests was given bytes."""
    origin = Habit(always())
    with origin.serving() as url:
        run = asking(url, "/a", headers={"X-Thing": value})
        record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    text = value if isinstance(value, str) else value.decode("latin-1")
    assert [text] * (1 + PASSES) == [one.headers["x-thing"] for one in origin.asked]


def test_a_body_that_is_streamed_is_recorded_and_timed(tmp_path: Path) -> None:
    """A file, and the pieces of an iterator: the whole of it is sent in each pass."""
    origin = Habit(always())

    def run() -> None:
        requests.post(f"{url}/file", data=io.BytesIO(b"a file's content"), timeout=HANG_LIMIT_S)
        requests.post(f"{url}/pieces", data=iter([b"some ", b"pieces"]), timeout=HANG_LIMIT_S)

    with origin.serving() as url:
        record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert [b"a file's content", b"some pieces"] * (1 + PASSES) == [one.body for one in origin.asked]


def test_a_redirect_that_a_client_follows_is_two_interactions(tmp_path: Path) -> None:
    """aiohttp and requests alike; each pass asks for both, and follows none."""

    def run() -> None:
        requests.get(f"{url}/moved", timeout=HANG_LIMIT_S)
        with_aiohttp_following(f"{url}/moved")

    origin = Habit(by_step)
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert ["/moved", "/b?q=1"] * 2 * (1 + PASSES) == origin.targets()
    assert [302, 200] * 2 == [one.status for one in made.cassette.interactions]


def with_aiohttp_following(url: str) -> None:
    """Get an address, and what it redirects to."""

    async def get() -> None:
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            await answer.read()

    asyncio.run(get())


NOT_BYTES: dict[str, dict[str, Any]] = {
    "json": {"json": {"name": "pear"}},
    "json empty": {"json": {}},
    "pairs": {"data": [("name", "pear")]},
}


@pytest.mark.parametrize("given", NOT_BYTES.values(), ids=NOT_BYTES)
@pytest.mark.parametrize("swallows", [False, True], ids=["raises", "swallows"])
def test_what_aiohttp_encodes_itself_is_refused(old: Path, given: dict[str, Any], swallows: bool) -> None:
    """vcrpy doesn't keep it: the error says what to give instead, and no secret; the old pair stays."""

    async def post() -> None:
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{url}/a") as answer:
                await answer.read()
            with suppress(Exception) if swallows else nullcontext():
                await client.post(f"{url}/form?api_key=5ec7e7", **given)

    with Habit(always()).serving() as url, pytest.raises(RecordError) as failed:
        record(old, lambda: asyncio.run(post()), "live", passes=PASSES)
    assert f"POST {url}/form?api_key=REDACTED: " in str(failed.value)
    assert "give it bytes and a Content-Type" in str(failed.value)


def test_what_json_cant_hold_is_no_json_cassette(tmp_path: Path) -> None:
    """An answer that is no text: the error names the cassette and the way out; the old pair and clients are whole."""
    old = write_json_cassette(tmp_path / "a.json")
    before = contents(tmp_path)
    with Habit(always(body=b"\xff\xfe\x00")).serving() as url:
        with pytest.raises(RecordError) as failed:
            record(old, asking(url, "/a"), "live", passes=PASSES)
        assert [True, True] == [name in str(failed.value) for name in ("a.json", "a.yaml")]
    assert before == contents(tmp_path)
    assert [http.client.HTTPConnection, urllib3.connection.HTTPConnection] == UNPATCHED
    assert [old, sidecar_path(old)] == sorted(tmp_path.iterdir())


UNPATCHED = [http.client.HTTPConnection, urllib3.connection.HTTPConnection]


def write_json_cassette(path: Path) -> Path:
    """A pair whose cassette is JSON."""
    exchange = Exchange("http://old.test/")
    path.write_text(json.dumps(recording([exchange])))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sidecar_path(path).write_text(json.dumps({"cassette_sha256": digest, **timings([exchange])}))
    return path
