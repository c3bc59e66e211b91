"""Recording as a person meets it: real sessions with --http=record, and what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from laptime.cassette import load
from laptime.plugin import recorder
from laptime.record import PASSES
from laptime.record._files import draft
from tests.support import Exchange, contents, timing, write_cassette
from tests.support.here import pytest as pytest_here
from tests.support.origins import DRAWN, Asked, Habit, Reply, always, written
from tests.support.sessions import FAILED, OK, USAGE, Ended, write

RECORDING = """
    import urllib.request
    from pathlib import Path

    import pytest

    HERE = Path(__file__).parent
    ORIGIN = "https://shop.test"

    def get(url, headers={}, data=None):
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as response:
            return response.read()

    def asking(*targets):
        return lambda url: [get(url + target) for target in targets]
"""


def suite(directory: Path, *texts: str, **modules: str) -> Path:
    """A project whose tests record."""
    return write(directory, test_record=(RECORDING, *texts), **modules)


def recording(directory: Path, origins: Mapping[str, str]) -> Ended:
    """A session that records, with something in the place of each origin."""
    return pytest_here(directory, "--http=record", *(f"--origin={name}={url}" for name, url in origins.items()))


def lines(text: str, beginning: str) -> list[str]:
    """The lines that begin so, in order."""
    return [line for line in text.splitlines() if line.startswith(beginning)]


def after(text: str, beginning: str) -> list[str]:
    """The indented lines that follow the one that begins so."""
    rest = text.partition(f"\n{beginning}")[2].splitlines()[1:]
    found = []
    for line in rest:
        if not line.startswith("  "):
            break
        found.append(line)
    return found


# What changed


SHOP = """
    @pytest.mark.laptime_record
    @pytest.mark.parametrize("name", ["whole", "broken", "untimed", "none"])
    def test_shop(record, name):
        record(name, HERE / f"{name}.yaml", ORIGIN, asking("/pear", "/plum", "/plum", "/gone"))
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A session that recorded four cassettes: what it said, from where, and what it left."""

    ended: Ended
    url: str
    directory: Path
    left: dict[str, tuple[int, bytes]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Over a pair that can be read, one that can't, a cassette without times, and nothing."""
    directory = suite(tmp_path_factory.mktemp("shop"), SHOP)
    turned_away: list[str] = []

    def answer(asked: Asked) -> Reply:
        if asked.target == "/pear" and not turned_away:
            turned_away.append(asked.target)
            return Reply(429, {"Retry-After": "0.01"})
        return Reply(body=b"what it costs")

    with Habit(answer).serving() as url:
        slow = timing(wait=3_000_000.0, chunks=[(0.0, 1)])
        old = [
            Exchange(f"{url}/pear", passes=[slow] * 5, body="what it costs"),
            Exchange(f"{url}/plum", passes=[slow] * 5, body="what it cost"),
            Exchange(f"{url}/apple", passes=[slow] * 5),
        ]
        for name in ("whole", "broken", "untimed"):
            write_cassette(directory / f"{name}.yaml", *old, timed=name != "untimed")
        (directory / "broken.yaml").write_text("version: 1\ninteractions:\n")
        ended = recording(directory, dict.fromkeys(("whole", "broken", "untimed", "none"), url))
    left = {name: one for name, one in contents(directory).items() if name.startswith(("whole", "broken", "un", "no"))}
    return Shop(ended, url, directory, left)


NAMES = ("whole", "broken", "untimed", "none")


def test_each_recording_is_told_of_and_left_as_a_pair(shop: Shop) -> None:
    """How many requests and passes, and from where; nothing else is left in the directory."""
    assert OK == shop.ended.code, shop.ended.text
    for name in NAMES:
        line = f"recorded {shop.directory}/{name}.yaml: 4 requests, {PASSES} passes each, from {shop.url}"
        assert [line] == lines(shop.ended.text, f"recorded {shop.directory}/{name}.yaml")
        assert ("stand-in", PASSES) == (
            load(shop.directory / f"{name}.yaml").origin_kind,
            load(shop.directory / f"{name}.yaml").passes,
        )
    assert {f"{name}{suffix}" for name in NAMES for suffix in (".yaml", ".timings.json")} == set(shop.left)
    assert [] == list(shop.directory.glob(".*recording*"))


def test_what_changed_is_told(shop: Shop) -> None:
    """Requests, answers and waits, below the line of the recording that replaced a pair that could be read."""
    found = after(shop.ended.text, f"recorded {shop.directory}/whole.yaml")
    fixed = [re.sub(r"→ [\d,.]+ ms", "→ … ms", line) for line in found]
    assert [
        f"  added: GET {shop.url}/plum (no. 2)",
        f"  added: GET {shop.url}/gone",
        f"  gone: GET {shop.url}/apple",
        f"  body changed: GET {shop.url}/plum: 12 → 13 bytes",
        f"  wait changed: GET {shop.url}/pear: 3,000,000.0 → … ms (median)",
        f"  wait changed: GET {shop.url}/plum: 3,000,000.0 → … ms (median)",
        "  all waits of a pass: 9,000,000 → … ms (median)",
    ] == fixed


def test_without_times_only_answers_can_have_changed(shop: Shop) -> None:
    """Where the old cassette had no side-car."""
    found = after(shop.ended.text, f"recorded {shop.directory}/untimed.yaml")
    assert ["added", "added", "gone", "body changed"] == [line.strip().partition(":")[0] for line in found]


@pytest.mark.parametrize("name", ["broken", "none"])
def test_where_nothing_could_be_read_nothing_changed(shop: Shop, name: str) -> None:
    """A broken pair is replaced, and a new one made, without such lines."""
    assert [] == after(shop.ended.text, f"recorded {shop.directory}/{name}.yaml")


def test_an_origin_that_asks_for_patience_is_told_of(shop: Shop) -> None:
    """With the name of the cassette that waits for it."""
    (line,) = [line for line in shop.ended.text.splitlines() if "the origin asks to wait" in line]
    assert "whole: the origin asks to wait 0.01 s (Retry-After); then everything is asked again" == line


def test_a_short_recording_says_nothing_of_its_progress(shop: Shop) -> None:
    """Where lines can't be written over, one comes each ten seconds only."""
    assert [] == [line for line in shop.ended.text.splitlines() if re.search(r": (asked|timed) \d", line)]


# Secrets


SECRETS = """
    HEADERS = {"Authorization": "Bearer 5ec7e7-a", "X-Shop": "5ec7e7-b", "X-Kept": "kept"}
    SUSPECT = "%(drawn)s"

    def visit(url, secret="5ec7e7-c"):
        query = f"name=pear&api_key={secret}&pin={secret}"
        body = f'{{"user": {{"password": "{secret}", "card": "{secret}"}}}}'.encode()
        return [get(f"{url}/a?{query}", HEADERS), get(f"{url}/b", HEADERS, body), get(f"{url}/c/{SUSPECT}", HEADERS)]

    @pytest.mark.laptime_record
    def test_shop(record):
        record("shop", HERE / "shop.yaml", ORIGIN, visit)

    def test_replay(replay):
        url = replay(HERE / "shop.yaml", "none").url()
        assert [b"welcome"] * 3 == visit(url) == visit(url, "another")
"""
PROJECT = """
[tool.laptime]
secret_headers = ["x-shop", "X-Session"]
secret_fields = ["PIN", "card"]
"""


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended, list[Asked]]:
    """A project with secrets of its own, recorded; an origin that hands out more of them."""
    directory = suite(tmp_path_factory.mktemp("secret"), SECRETS % {"drawn": DRAWN})
    (directory / "pyproject.toml").write_text(PROJECT)
    headers = {
        "Set-Cookie": "id=5ec7e7-d",
        "X-Session": "5ec7e7-e",
        "X-Ticket": f"ticket {DRAWN}",
        "ETag": f'"{DRAWN}"',
        "X-Id": "123e4567-e89b-12d3-a456-426614174000",
        "X-Number": "1234567890123456789012345",
        "X-Words": "pneumonoultramicroscopicsilicovolcanoconiosis, in 2026",
        "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
    }

    def answer(asked: Asked) -> Reply:
        if asked.method == "HEAD":
            return Reply()
        known = [asked.headers.get("authorization"), asked.headers.get("x-shop")] == ["Bearer 5ec7e7-a", "5ec7e7-b"]
        fields = 2 * (not asked.target.startswith("/c/"))
        if not known or asked.whole.count("5ec7e7-c") < fields:
            return Reply(401, body=b"who are you?")
        return Reply(headers=headers if asked.target.startswith("/a") else {}, body=b"welcome")

    origin = Habit(answer)
    with origin.serving() as url:
        ended = recording(directory, {"shop": url})
    return directory, ended, origin.asked


def test_a_projects_own_secrets_are_not_written(tmp_path: Path, secret: tuple[Path, Ended, list[Asked]]) -> None:
    """Those that [tool.laptime] names, beside the built-in ones; the origin got them each time."""
    directory, ended, asked = secret
    assert OK == ended.code, ended.text
    for suffix in (".yaml", ".timings.json"):
        (tmp_path / f"shop{suffix}").write_bytes((directory / f"shop{suffix}").read_bytes())
    text = written(tmp_path)
    assert "5ec7e7" not in text
    assert "name=pear&api_key=REDACTED&pin=REDACTED" in text
    assert "X-Kept" in text
    assert [200] * 3 == [one.status for one in load(directory / "shop.yaml").interactions]
    assert 1 + 3 * (1 + PASSES) == len(asked)
    assert "5ec7e7" not in ended.text


def test_a_recording_without_its_secrets_is_played(secret: tuple[Path, Ended, list[Asked]]) -> None:
    """To a request with the real secret, and to one with another."""
    directory, _, _ = secret
    ended = pytest_here(directory)
    assert OK == ended.code, ended.text
    assert "1 passed, 1 deselected" in ended.text


def test_what_still_looks_like_a_secret_is_told(secret: tuple[Path, Ended, list[Asked]]) -> None:
    """Where it stands, how it begins, and what to do; not the whole, and neither digests nor ids, words and dates."""
    directory, ended, _ = secret
    hint = f"{DRAWN[:4]}… ({len(DRAWN)} characters) looks like a secret."
    found = lines(ended.text, "  warning: ")
    assert [
        f"  warning: interaction 0: response.headers['X-Ticket']: {hint}",
        f"  warning: interaction 2: request.uri: {hint}",
    ] == [line.partition(" If it is one")[0] for line in found]
    assert [True] * 2 == ["secret_fields or secret_headers of [tool.laptime] in pyproject.toml" in one for one in found]
    assert DRAWN not in "\n".join(found)
    assert [f"recorded {directory}/shop.yaml"] == [line.partition(": ")[0] for line in lines(ended.text, "recorded ")]


def test_a_session_with_such_settings_does_not_begin(tmp_path: Path) -> None:
    """A usage error, before anything is asked."""
    (tmp_path / "pyproject.toml").write_text("[tool.laptime]\nsecret_header = ['x-shop']")
    origin = Habit(always())
    with origin.serving() as url:
        ended = recording(suite(tmp_path, SHOP), {"whole": url})
    assert (USAGE, [], True) == (ended.code, origin.asked, "no such setting" in ended.text)


# Failures


FAILURES = """
    import asyncio

    def cut_requests(url):
        import requests
        requests.get(url + "/cut", timeout=60)

    def cut_httpx(url):
        import httpx
        httpx.get(url + "/cut", timeout=60)

    def cut_urllib3(url):
        import urllib3
        urllib3.PoolManager().request("GET", url + "/cut", timeout=60, retries=False)

    def cut_urllib3_retried(url):
        import urllib3
        urllib3.PoolManager().request("GET", url + "/cut", timeout=60, retries=1)

    def cut_aiohttp(url):
        import aiohttp

        async def get():
            async with aiohttp.ClientSession() as client, client.get(url + "/cut") as response:
                await response.read()

        asyncio.run(get())

    def cut_urllib(url):
        get(url + "/cut")

    def cut_later(url):
        get(url + "/cut_later")

    def away(url):
        get(url + "/away")

    def away_later(url):
        get(url + "/away_later")

    def tomorrow(url):
        get(url + "/tomorrow")

    def tomorrow_later(url):
        get(url + "/tomorrow_later")

    def changes(url):
        get(url + "/changes")

    def nothing(url):
        pass

    def busy(url):
        get(url + "/a")

    def unencoded(url):
        import aiohttp

        async def post():
            async with aiohttp.ClientSession() as client:
                await client.post(url + "/a", json={"name": "pear"})

        asyncio.run(post())

    def binary(url):
        get(url + "/binary")

    RUNS = [
        cut_requests, cut_httpx, cut_urllib3, cut_urllib3_retried, cut_aiohttp, cut_urllib, cut_later, away, away_later,
        tomorrow, tomorrow_later, changes, nothing, busy, unencoded, binary,
    ]

    @pytest.mark.laptime_record
    @pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
    def test_it(record, run):
        suffix = "json" if run is binary else "yaml"
        record(run.__name__, HERE / f"{run.__name__}.{suffix}", ORIGIN, run)
"""
REASONS = {
    "cut_requests": "ConnectionError",
    "cut_httpx": "RemoteProtocolError",
    "cut_urllib3": "ProtocolError",
    "cut_urllib3_retried": "MaxRetryError",
    "cut_aiohttp": "ServerDisconnectedError",
    "cut_urllib": "RemoteDisconnected",
    "cut_later": "ServerDisconnectedError",
    "away": "in each of 5 tries",
    "away_later": "in each of 5 tries",
    "tomorrow": "come back in 86,400 s",
    "tomorrow_later": "come back in 86,400 s",
    "changes": "answered 500, when it was recorded 200",
    "nothing": "nothing usable was recorded",
    "busy": "is being recorded by another process",
    "unencoded": "give it bytes and a Content-Type",
    "binary": "binary.yaml",
}


def failing(asked: Asked) -> Reply:
    """What the origin of the failures answers."""
    refusals = {"away": Reply(429, {"Retry-After": "0.01"}), "tomorrow": Reply(503, {"Retry-After": "86400"})}
    name = asked.target.strip("/").rpartition("/")[2]
    match name.removesuffix("_later"):
        case "cut" if name == "cut" or asked.times > 2:
            return Reply(0)
        case ("away" | "tomorrow") as kind if name == kind or asked.times > 2:
            return refusals[kind]
        case "changes" if asked.times > 2:
            return Reply(500)
        case "binary":
            return Reply(body=b"\xff\xfe\x00")
    return Reply()


@dataclass(frozen=True, slots=True)
class Failures:
    """A session in which every recording failed: what it said, and the directory before and after."""

    ended: Ended
    url: str
    sections: dict[str, str]
    before: dict[str, tuple[int, bytes]]
    after: dict[str, tuple[int, bytes]]


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Failures:
    """Each over an old pair."""
    directory = tmp_path_factory.mktemp("failures")
    pairs = directory / "pairs"
    pairs.mkdir()
    suite(directory, FAILURES.replace("HERE / f", "HERE / 'pairs' / f"))
    for name in REASONS:
        write_cassette(pairs / f"{name}.yaml", Exchange())
    before = contents(pairs)
    with Habit(failing).serving() as url, draft(pairs / "busy.yaml"):
        ended = recording(directory, {name: f"{url}/{name}" for name in REASONS})
    parts = re.split(r"^_{3,} test_it\[(\w+)\] _{3,}$", ended.text.partition("\n====")[2], flags=re.M)
    sections = {name: text.partition("\n====")[0] for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    return Failures(ended, url, sections, before, contents(pairs))


def test_a_recording_that_fails_leaves_the_old_pair(failures: Failures) -> None:
    """Whatever the reason, byte for byte, and nothing beside it."""
    assert FAILED == failures.ended.code, failures.ended.text
    assert f"{len(REASONS)} failed" in failures.ended.text
    assert failures.before == failures.after


@pytest.mark.parametrize("name", REASONS)
def test_a_recording_that_fails_says_why(failures: Failures, name: str) -> None:
    """The cassette, the origin and the reason, without a traceback, or the path of a file that is gone again."""
    said = failures.sections[name].strip()
    assert [f"{name}: ", True, True] == [
        said[: len(name) + 2],
        f"{failures.url}/{name}" in said,
        REASONS[name] in said,
    ], said
    assert [] == [part for part in ("Traceback", "site-packages", "record.py:", ".recording") if part in said]


# Progress

PROGRESS = """
    @pytest.mark.laptime_record
    def test_shop(record):
        record("shop", HERE / "shop.yaml", ORIGIN, asking("/a", "/b", "/c"))
"""


def test_without_a_terminal_progress_is_told_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In lines that stay, ten seconds apart at least: of every third step, by a clock that goes 4 s a request."""
    origin = Habit(always())
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: 4.0 * len(origin.asked)))
    with origin.serving() as url:
        ended = recording(suite(tmp_path, PROGRESS), {"shop": url})
    assert OK == ended.code, ended.text
    asked = [f"shop: asked {number} requests" for number in range(1, 4)]
    timed = [f"shop: timed {number} of {3 * PASSES} requests" for number in range(1, 3 * PASSES + 1)]
    told = [line for line in ended.text.splitlines() if re.match(r"shop: (asked|timed) ", line)]
    assert [*asked, *timed][2::3] == told
    assert "\r" not in ended.text
