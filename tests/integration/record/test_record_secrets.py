"""Secrets reach the origin in the run and in each pass, and no file; the replay takes any value for them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

import aiohttp
import httpx
import pytest
import requests

from laptime.record import record
from laptime.replay import Latency, ReplayServer
from tests.support import HANG_LIMIT_S
from tests.support.origins import (
    DRAWN,
    PASSES,
    Asked,
    Habit,
    Reply,
    always,
    as_read,
    written,
)

NAMES = ("pear", "plum")
SECRET = "s3cr3t+/=&%20 ñ"
HEADER_SECRET = "s3cr3t-5ec7e7"
BINARY = bytes(range(256))


def as_form(fields: Mapping[str, str]) -> bytes:
    """Fields as a form sends them."""
    return urlencode(fields).encode()


def post(url: str, body: bytes, kind: str) -> str:
    """Post a body of this kind; the result is the answer."""
    return requests.post(url, data=body, headers={"Content-Type": kind}, timeout=HANG_LIMIT_S).text


def get(url: str, **given: Any) -> str:
    """Get an address; the result is the answer."""
    return requests.get(url, timeout=HANG_LIMIT_S, **given).text


def get_httpx(url: str) -> str:
    """Get an address with httpx; the result is the answer."""
    return httpx.get(url, timeout=HANG_LIMIT_S).text


def get_aiohttp(url: str) -> str:
    """Get an address with aiohttp; the result is the answer."""

    async def ask() -> str:
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return await answer.text()

    return asyncio.run(ask())


def post_urlencoded(url: str, body: bytes) -> str:
    """Post a form."""
    return post(url, body, "application/x-www-form-urlencoded")


def post_json(url: str, value: object, before: str = "") -> str:
    """Post a value as JSON."""
    return post(url, before.encode() + json.dumps(value).encode(), "application/json")


def post_parts(url: str, fields: Mapping[str, str], **files: bytes) -> str:
    """Post a multipart form."""
    parts = {name: (None, value) for name, value in fields.items()}
    return requests.post(url, files={**parts, **files}, timeout=HANG_LIMIT_S).text  # type: ignore[arg-type]


def with_user(url: str, secret: str) -> str:
    """The address, with a user and a password."""
    return url.replace("://", f"://jo:{quote(secret, safe='')}@")


Ask = Callable[[str, str, str], str]
"""Ask a server, with a secret, for the name of a fruit; the result is its answer."""


FIELD_WAYS: dict[str, Ask] = {
    "query": lambda url, secret, name: get(f"{url}/a?" + urlencode({"access_token": secret}) + f"&name={name}"),
    "query, escaped": lambda url, secret, name: get(f"{url}/a?name={name}&api%5Fkey={quote(secret, safe='')}"),
    "form": lambda url, secret, name: post_urlencoded(f"{url}/a", as_form({"name": name, "password": secret})),
    "form, only": lambda url, secret, name: post_urlencoded(f"{url}/{name}", as_form({"client_secret": secret})),
    "json": lambda url, secret, name: post_json(
        f"{url}/a", {"variables": [{"name": name}, {"user": {"Password": secret, "age": 3}}]}
    ),
    "json lines": lambda url, secret, name: post_json(f"{url}/a", {"name": name, "token": secret}, '{"index": {}}\n'),
    "parts, with a file": lambda url, secret, name: post_parts(
        f"{url}/a", {"password": secret, "name": name}, file=BINARY
    ),
}


def refusing(needle: str) -> Callable[[Asked], Reply]:
    """Answers 401 to a request that lacks a text, and else the name that is asked for."""

    def answer(asked: Asked) -> Reply:
        if needle not in asked.whole and needle not in as_read(asked.body):
            return Reply(401, body=b"who are you?")
        return Reply(body=next(name for name in NAMES if name in asked.whole).encode())

    return answer


def spellings(secret: str) -> list[str]:
    """How a secret may be written."""
    basic = base64.b64encode(f"jo:{secret}".encode()).decode()
    escaped = (quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
    return [secret, basic, *escaped, base64.b64encode(secret.encode()).decode().rstrip("=")]


@pytest.mark.parametrize("ask", FIELD_WAYS.values(), ids=FIELD_WAYS)
def test_a_secret_field_is_sent_and_not_written(tmp_path: Path, server: ReplayServer, ask: Ask) -> None:
    """The origin gets it in the run and in each pass; the files hold a placeholder, for which any value is taken."""
    path, origin = tmp_path / "a.yaml", Habit(refusing(SECRET))
    with origin.serving() as url:
        made = record(path, lambda: [ask(url, SECRET, name) for name in NAMES], "live", passes=PASSES)
    assert [200, 200] == [one.status for one in made.cassette.interactions]
    assert 2 * (1 + PASSES) == len(origin.asked)
    text = written(tmp_path)
    assert [] == [one for one in spellings(SECRET) if one in text]
    assert "REDACTED" in text
    stage = server.load(path, Latency.parse("recorded"))
    for secret in (SECRET, "another", DRAWN):
        assert list(NAMES) == [ask(stage.url(), secret, name) for name in NAMES]
    assert list(reversed(NAMES)) == [ask(stage.url(), SECRET, name) for name in reversed(NAMES)]


HEADER_WAYS: dict[str, tuple[str, Ask]] = {
    "header": (HEADER_SECRET, lambda url, secret, name: get(f"{url}/{name}", headers={"X-API-Key": secret})),
    "header, small": (HEADER_SECRET, lambda url, secret, name: get(f"{url}/{name}", headers={"authorization": secret})),
    "basic": (SECRET, lambda url, secret, name: get(f"{url}/{name}", auth=("jo", secret.encode()))),
    "user in requests' URL": (SECRET, lambda url, secret, name: get(f"{with_user(url, secret)}/{name}")),
    "user in httpx's URL": (SECRET, lambda url, secret, name: get_httpx(f"{with_user(url, secret)}/{name}")),
    "user in aiohttp's URL": (SECRET, lambda url, secret, name: get_aiohttp(f"{with_user(url, secret)}/{name}")),
}


@pytest.mark.parametrize("way", HEADER_WAYS)
def test_a_secret_header_is_sent_and_not_written(tmp_path: Path, server: ReplayServer, way: str) -> None:
    """Nor is a user in the address; the origin gets it in the run and in each pass, and the replay needs none."""
    secret, ask = HEADER_WAYS[way]
    path, sent = tmp_path / "a.yaml", secret if secret == HEADER_SECRET else "Basic "
    origin = Habit(refusing(sent))
    with origin.serving() as url:
        made = record(path, lambda: [ask(url, secret, name) for name in NAMES], "live", passes=PASSES)
    assert [200, 200] == [one.status for one in made.cassette.interactions]
    assert 1 == len({(one.headers.get("authorization"), one.headers.get("x-api-key")) for one in origin.asked})
    text = written(tmp_path)
    assert [] == [one for one in (*spellings(secret), "jo:", "jo@") if one in text]
    assert {url} == {one.origin for one in made.cassette.interactions}
    stage = server.load(path, Latency.parse("recorded"))
    assert list(NAMES) * 2 == [ask(stage.url(), one, name) for one in (secret, "another") for name in NAMES]


def test_cookies_are_not_written(tmp_path: Path) -> None:
    """Those that an origin sets reach the client and go back to the origin; other headers of the answers are kept."""
    origin = Habit(always(headers={"Set-Cookie": "token=5ec7e7-e", "X-Kept": "kept"}))
    cookies: list[str | None] = []

    def run() -> None:
        with requests.Session() as client:
            cookies.append(client.get(f"{url}/a", timeout=HANG_LIMIT_S).cookies.get("token"))
            client.get(f"{url}/b", timeout=HANG_LIMIT_S)

    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert ["5ec7e7-e"] == cookies
    assert [None, "token=5ec7e7-e"] * (1 + PASSES) == [one.headers.get("cookie") for one in origin.asked]
    text = written(tmp_path).lower()
    assert [] == [part for part in ("5ec7e7", "set-cookie", "cookie:") if part in text]
    assert ("X-Kept", "kept") in made.cassette.interactions[0].headers


@pytest.mark.parametrize("base", ["", "URL"], ids=["relative", "absolute"])
def test_a_secret_in_an_address_that_is_passed_on_is_not_written(
    tmp_path: Path, server: ReplayServer, base: str
) -> None:
    """In a redirect, a Referer, or a Link to the next page: fields of those addresses are secrets as well."""

    def answer(asked: Asked) -> Reply:
        if asked.target == "/login":
            start = base.replace("URL", url)
            link = f'<{start}/page?token=5ec7e7&page=2>; rel="next", <{start}/page?page=9&token=5ec7e7>; rel="last"'
            refresh = f"5; url={start}/home?access_token=5ec7e7"
            headers = {"Location": f"{start}/home?lang=en&access_token=5ec7e7", "Link": link, "Refresh": refresh}
            return Reply(302, headers)
        return Reply(body=b"home" if "5ec7e7" in asked.target else b"who are you?")

    def ask(url: str) -> str:
        return get(f"{url}/login", headers={"Referer": f"{url}/start?session_id=5ec7e7"})

    answers: list[str] = []
    with Habit(answer).serving() as url:
        made = record(tmp_path / "a.yaml", lambda: answers.append(ask(url)), "live", passes=PASSES)
    assert ["home"] == answers
    assert [302, 200] == [one.status for one in made.cassette.interactions]
    assert "5ec7e7" not in written(tmp_path)
    headers = dict(made.cassette.interactions[0].headers)
    assert [True] * 3 == [
        "lang=en" in headers["Location"],
        "&page=2>" in headers["Link"],
        "?page=9&" in headers["Link"],
    ]
    assert "home" == ask(server.load(tmp_path / "a.yaml", Latency.parse("recorded")).url())


def test_an_ambiguous_field_is_a_secret_if_its_value_looks_drawn(tmp_path: Path, server: ReplayServer) -> None:
    """In queries, forms and JSON alike; a word or a number is kept, and the replay takes any value for one left out."""

    def run(url: str, value: str) -> list[str]:
        return [
            get(f"{url}/query?" + urlencode({"key": value})),
            post_urlencoded(f"{url}/form", as_form({"KEY": value, "name": "pear"})),
            post_json(f"{url}/json", {"session": value}),
        ]

    plain = ["name", "20260102030405", "a-word-of-many-parts"]
    origin = Habit(lambda asked: Reply(body=str(asked.times).encode()))
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", lambda: run(url, DRAWN), "live", passes=PASSES).cassette
        assert [True] * 3 * (1 + PASSES) == [DRAWN in one.whole for one in origin.asked]
        kept = record(tmp_path / "b.yaml", lambda: [run(url, one) for one in plain], "live", passes=PASSES).cassette
    texts = [unquote_plus(f"{one.target} {one.request_body.decode()}") for one in made.interactions]
    assert [(True, False)] * 3 == [("REDACTED" in one, DRAWN in one) for one in texts]
    texts = [unquote_plus(f"{one.target} {one.request_body.decode()}") for one in kept.interactions]
    assert [True] * 9 == [plain[number // 3] in one for number, one in enumerate(texts)]
    stage = server.load(tmp_path / "a.yaml", Latency.parse("recorded"))
    for value in (DRAWN, "anything"):
        assert ["0", "0", "0"] == run(stage.url(), value)


def test_what_holds_no_secret_is_written_as_it_was_sent(tmp_path: Path) -> None:
    """Byte for byte: JSON with its spaces, a form, a text, an address with its escapes."""
    bodies = [b'{ "name" :\t"pear" }', b"name=pear&size=%33", b"a text, with = signs\n", b"[1,2", BINARY]

    def run() -> None:
        for number, body in enumerate(bodies):
            post(f"{url}/{number}?q=%2B&r=a+b&&empty=", body, "text/plain")

    with Habit(always()).serving() as url:
        made = record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert bodies == [one.request_body for one in made.cassette.interactions]
    assert {"q=%2B&r=a+b&&empty="} == {one.uri.partition("?")[2] for one in made.cassette.interactions}
