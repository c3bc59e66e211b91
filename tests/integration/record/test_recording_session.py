"""Recording as a person meets it: real sessions with --http=record, and what they say."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from laptime import settings
from laptime.cassette import load, sidecar_path
from laptime.record import PASSES
from laptime.record._files import draft
from laptime.redact import FIELDS, HEADERS
from laptime.settings import SettingsError
from tests.support import Exchange, contents, timing, write_cassette
from tests.support.origins import DRAWN, Asked, Habit, Reply, always, written
from tests.support.sessions import PLAIN, PYTEST, Ended, interrupt_after, run, until, write
from tests.support.sessions import pytest as pytest_in

OK, FAILED, CUT_SHORT, USAGE = 0, 1, 2, 4

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


def recording(directory: Path, origins: Mapping[str, str], *arguments: str, **options: object) -> Ended:
    """A session that records, with something in the place of each origin."""
    stand_ins = [f"--origin={name}={url}" for name, url in origins.items()]
    return pytest_in(directory, "--http=record", *stand_ins, *arguments, **options)


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
    ended = pytest_in(directory)
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.laptime]\nsecret_header = ['x-shop']", "tool.laptime.secret_header: no such setting"),
        ("[tool.laptime]\nsecret_headers = 'x-shop'", "tool.laptime.secret_headers: expected a list of names"),
        ("[tool.laptime]\nsecret_fields = ['pin', 3]", "tool.laptime.secret_fields: expected a list of names"),
        ("[tool.laptime]\nsecret_fields = ['']", "tool.laptime.secret_fields: expected a list of names"),
        ("tool.laptime = 3", "tool.laptime: expected a table"),
        ("[tool.laptime", "can't be read"),
    ],
)
def test_settings_that_cant_be_used_are_named(tmp_path: Path, text: str, message: str) -> None:
    """With the file, the key and what is expected: a typo would let secrets through."""
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as failed:
        settings.read(tmp_path)
    assert (f"{path}: ", True) == (str(failed.value)[: len(str(path)) + 2], message in str(failed.value))


@pytest.mark.parametrize("text", [None, "", "[tool.other]\nx = 1", "[tool.laptime]", "[tool.laptime.budgets]\nx = 1"])
def test_without_settings_the_built_in_names_count(tmp_path: Path, text: str | None) -> None:
    """Also where the table is empty, or holds other parts' tables only."""
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert (HEADERS, FIELDS) == (settings.read(tmp_path).secrets.headers, settings.read(tmp_path).secrets.fields)


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


# Interrupts


SLOW = """
    def slowly(url):
        for target in ("/a", "/b"):
            get(url + target)
            Path("asked").touch()

    @pytest.mark.laptime_record
    def test_shop(record):
        record("shop", HERE / "pairs" / "shop.yaml", ORIGIN, slowly)
"""


ASKING, TIMING = 2, 5


@pytest.mark.parametrize(
    ("number", "visit"),
    [(signal.SIGINT, ASKING), (signal.SIGINT, TIMING), (signal.SIGTERM, ASKING), (signal.SIGKILL, TIMING)],
    ids=["SIGINT while it asks", "SIGINT while it times", "SIGTERM while it asks", "SIGKILL while it times"],
)
def test_a_session_that_is_ended_leaves_the_old_pair(tmp_path: Path, number: signal.Signals, visit: int) -> None:
    """By Ctrl-C, with nothing beside it, or by a kill, after which the next session records, and tidies up."""
    pairs, started = tmp_path / "pairs", tmp_path / "started"
    pairs.mkdir()
    path = write_cassette(pairs / "shop.yaml", Exchange())
    before, old = contents(pairs), load(path)
    suite(tmp_path, SLOW)

    def answer(asked: Asked) -> Reply:
        if asked.visit == visit:
            started.touch()
            until(lambda: not started.exists())
        return Reply()

    interrupt = interrupt_after(started, number)

    def during(process: object) -> None:
        interrupt(process)  # type: ignore[arg-type]
        if number == signal.SIGINT:
            return
        until(lambda: process.poll() is not None)  # type: ignore[attr-defined]

    with Habit(answer).serving() as url:
        ended = recording(tmp_path, {"shop": url}, during=during)
        started.unlink()
        assert (CUT_SHORT if number == signal.SIGINT else -number) == ended.code, ended.text
        left = {name: one for name, one in contents(pairs).items() if not name.startswith(".")}
        assert (before, old) == (left, load(path))
        if number == signal.SIGINT:
            assert {path, sidecar_path(path)} == set(pairs.iterdir())
        if number != signal.SIGKILL:
            return
        assert OK == recording(tmp_path, {"shop": url}).code
    assert {path, sidecar_path(path)} == set(pairs.iterdir())
    assert [f"{url}/a", f"{url}/b"] == [one.uri for one in load(path).interactions]


# Progress


TARGETS = ("/a", "/b", "/c")
PROGRESS = """
    @pytest.mark.laptime_record
    def test_shop(record):
        record("shop", HERE / "shop.yaml", ORIGIN, asking("/a", "/b", "/c"))
"""
STEPS = [f"shop: asked {number} requests" for number in (1, 2, 3)] + [
    f"shop: timed {number} of {3 * PASSES} requests" for number in range(1, 3 * PASSES + 1)
]
ON_A_TERMINAL = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"


def test_on_a_terminal_progress_is_written_over(tmp_path: Path) -> None:
    """Each step in the place of the one before, and at the end the line of the recording in the place of the last."""
    suite(tmp_path, PROGRESS)
    command = [*PYTEST, *PLAIN, "--http=record"]
    with Habit(always()).serving() as url:
        wrapped = [sys.executable, "-c", ON_A_TERMINAL, *command, f"--origin=shop={url}"]
        ended = run(tmp_path, *wrapped, env={"TERM": "xterm-256color", "COLUMNS": "120", "NO_COLOR": "1"})
    assert OK == ended.code, ended.text
    written_over = [part.strip() for part in ended.text.replace("\r\n", "\n").split("\r")]
    assert STEPS == [part for part in written_over if re.match(r"shop: (asked|timed) ", part)]
    assert [True] == [part.startswith(f"recorded {tmp_path}/shop.yaml: 3 requests") for part in written_over[-1:]]


EVERY = """
    import time
    from pathlib import Path
    from laptime.plugin import narrator, recorder

    recorder.PLAIN_EVERY_S = {every}
    say = narrator.Narrator.say
    read = [time.monotonic()]

    class Clock:
        # what the recorder itself has read: this process may be stopped between that and the line
        @staticmethod
        def monotonic():
            read.append(time.monotonic())
            return read[-1]

    recorder.time = Clock

    def timed(self, line, *, over=False):
        if not over:
            with Path("said").open("a") as file:
                print(read[-1], line, file=file)
        say(self, line, over=over)

    narrator.Narrator.say = timed
"""


@pytest.mark.parametrize("every", [0.0, 0.1])
def test_without_a_terminal_progress_is_told_now_and_then(tmp_path: Path, every: float) -> None:
    """In lines that stay, and that are as far apart as they are meant to be; each is said of one step."""
    suite(tmp_path, PROGRESS, conftest=EVERY.format(every=every))
    with Habit(always(), busy_s=0.015).serving() as url:
        ended = recording(tmp_path, {"shop": url})
    assert OK == ended.code, ended.text
    told = [line for line in ended.text.splitlines() if re.match(r"shop: (asked|timed) ", line)]
    said = [line.split(" ", 1) for line in (tmp_path / "said").read_text().splitlines()]
    times_s = [float(at) for at, line in said if line.rstrip() in told]
    assert told == [line.rstrip() for _, line in said if line.startswith("shop: ")]
    assert [] == [one for one in told if one not in STEPS]
    assert [] == [gap for gap in map(float.__sub__, times_s[1:], times_s) if gap < every]
    assert (STEPS if every == 0.0 else told) == told != []
    assert "\r" not in ended.text


def test_progress_goes_nowhere_in_a_quiet_worker(tmp_path: Path) -> None:
    """Under xdist there is no terminal to write to; the recording is made all the same."""
    suite(tmp_path, PROGRESS)
    with Habit(always()).serving() as url:
        ended = recording(tmp_path, {"shop": url}, "-n", "1")
    assert OK == ended.code, ended.text
    assert [f"{url}{target}" for target in TARGETS] == [one.uri for one in load(tmp_path / "shop.yaml").interactions]
