"""Recording, from a real origin, with a real client: what is kept, what is left alone, what is never written."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import http.client
import importlib.util
import io
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Thread
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

import aiohttp
import httpx
import pytest
import requests
import urllib3
import vcr

from laptime import live
from laptime.cassette import Cassette, load, sidecar_path
from laptime.record import RecordError, explained, record
from laptime.redact import FIELDS, HEADERS, Secrets, Suspect, suspects
from laptime.replay import Latency, ReplayServer
from tests.support import HANG_LIMIT_S, ROOT, Exchange, contents, recording, timings, write_cassette
from tests.support.origins import (
    DRAWN,
    PASSES,
    Asked,
    Habit,
    Reply,
    always,
    as_read,
    asking,
    sizes,
    written,
)

SCRIPT = ROOT / "cassettes" / "origin.py"
SEED = 291
SCALE = 0.05
ROUNDING_MS = 0.001
STORY, LARGE, GAP = "/api/v1/items/4", "/api/v1/items/8", "/api/v1/items/6"
TARGETS = [STORY, LARGE, GAP]


@dataclass(frozen=True, slots=True)
class Origin:
    """A running stand-in origin."""

    process: subprocess.Popen[str]
    url: str

    def stop(self) -> None:
        """End it, at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(HANG_LIMIT_S)


@contextmanager
def running() -> Iterator[Origin]:
    """An origin of its own, which ends with the block."""
    command = [sys.executable, str(SCRIPT), "--port", "0", "--scale", str(SCALE), "--until-eof"]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Origin(process, process.stdout.readline().split()[-1])
        process.stdin.close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    """An origin that nobody has visited yet."""
    with running() as started:
        yield started


# A recording of the stand-in origin


@dataclass(frozen=True, slots=True)
class Made:
    """One recording, and what was said while it was made."""

    cassette: Cassette
    url: str
    progress: list[tuple[int, int]]
    left: set[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three targets, recorded over an older pair and into a directory that was not there."""
    path = tmp_path_factory.mktemp("record") / "new" / "items.yaml"
    progress: list[tuple[int, int]] = []
    with running() as origin:
        run = asking(origin.url, *TARGETS)
        made = record(path, run, "stand-in", passes=PASSES, progress=lambda *done: progress.append(done))
    assert made.replaced is None
    return Made(made.cassette, origin.url, progress, set(contents(path.parent)))


def test_a_recording_is_a_valid_pair(made: Made) -> None:
    """It loads as what `record` returned: every request in order, every pass of each."""
    assert made.cassette == load(made.cassette.path)
    assert [f"GET {made.url}{target}" for target in TARGETS] == [one.request for one in made.cassette.interactions]
    assert ("stand-in", PASSES) == (made.cassette.origin_kind, made.cassette.passes)


def test_a_recording_is_two_files(made: Made) -> None:
    """Nothing else is left in the directory."""
    assert {"items.yaml", "items.timings.json"} == made.left


def test_a_recording_holds_what_was_answered(made: Made) -> None:
    """Statuses, and bodies as the client saw them; a 404 is an answer like any other."""
    story, large, gap = made.cassette.interactions
    assert [200, 200, 404] == [story.status, large.status, gap.status]
    assert [4, 8] == [json.loads(one.body)["id"] for one in (story, large)]
    assert {"status": 404, "error": "Not Found"} == json.loads(gap.body)


def test_chunks_add_up_to_the_bytes_on_the_wire(made: Made) -> None:
    """In each pass: the pieces of a body are those of its compressed form."""
    for interaction in made.cassette.interactions:
        length = int(dict(interaction.headers)["Content-Length"])
        assert [length] * PASSES == [sum(size for _, size in one.chunks) for one in interaction.timings]
    large = made.cassette.interactions[1]
    assert len(gzip.compress(large.body, mtime=0)) == int(dict(large.headers)["Content-Length"])


def imposed() -> ModuleType:
    """The origin's script as a module, to know which delays it imposed."""
    spec = importlib.util.spec_from_file_location("stand_in", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stand_in"] = module
    spec.loader.exec_module(module)
    return module


def test_waits_are_those_that_the_origin_imposed(made: Made) -> None:
    """No wait is shorter than the origin's delay on that very visit: the first visit recorded, the next ones timed."""
    delay_s = imposed().delay_s
    for target, interaction in zip(TARGETS, made.cassette.interactions, strict=True):
        delays_ms = [1000 * SCALE * delay_s(SEED, target, visit) for visit in range(1, PASSES + 1)]
        waits_ms = [one.wait_ms for one in interaction.timings]
        short = [wait for wait, delay in zip(waits_ms, delays_ms, strict=True) if wait + ROUNDING_MS < delay]
        assert [] == short


def test_each_pass_makes_its_own_connection(made: Made) -> None:
    """Connecting took some time in each, none of it for TLS."""
    every = [one for interaction in made.cassette.interactions for one in interaction.timings]
    assert [True] * 3 * PASSES == [one.connect_ms > 0 for one in every]
    assert {-1.0} == {one.ssl_ms for one in every}


def test_chunks_end_within_the_time_of_receiving(made: Made) -> None:
    """Their offsets are from the head, and the last is no later than the end of the body."""
    every = [one for interaction in made.cassette.interactions for one in interaction.timings]
    assert [] == [one for one in every if one.chunks[-1][0] > one.receive_ms + ROUNDING_MS]


def test_progress_is_told_request_by_request(made: Made) -> None:
    """How many were asked, and then how many were timed, of how many."""
    asked, timed = made.progress[:3], made.progress[3:]
    assert [(done, 0) for done in range(1, 4)] == asked
    assert [(done, 3 * PASSES) for done in range(1, 3 * PASSES + 1)] == timed


def test_a_side_car_says_how_it_was_made(made: Made) -> None:
    """When, with which client, and in how many passes."""
    document = json.loads(sidecar_path(made.cassette.path).read_text())
    assert (PASSES, "aiohttp", "+00:00") == (
        document["repeats"],
        document["client"].split()[0],
        document["recorded_at"][-6:],
    )


def test_a_recording_takes_the_place_of_the_old_one(origin: Origin, tmp_path: Path) -> None:
    """Both files; what was there before is part of the result."""
    path = write_cassette(tmp_path / "items.yaml", Exchange("http://old.test/"), Exchange("http://old.test/2"))
    before = load(path)
    made = record(path, asking(origin.url, STORY), "live", passes=PASSES)
    loaded = load(path)
    assert (before, loaded) == (made.replaced, made.cassette)
    assert ("live", [f"{origin.url}{STORY}"]) == (loaded.origin_kind, [one.uri for one in loaded.interactions])


# Recordings that don't come about


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A pair that was there before."""
    return write_cassette(tmp_path / "items.yaml", Exchange("http://old.test/"))


def test_an_interrupted_run_leaves_the_old_pair(origin: Origin, old: Path) -> None:
    """Ctrl-C amid the requests: byte for byte, and nothing beside it."""
    before = contents(old.parent)

    def run() -> None:
        asking(origin.url, STORY)()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(old, run, "stand-in", passes=PASSES)
    assert before == contents(old.parent)
    assert {old, sidecar_path(old)} == set(old.parent.iterdir())


def test_an_interrupted_timing_leaves_the_old_pair(origin: Origin, old: Path) -> None:
    """Ctrl-C amid the passes: byte for byte."""
    before = contents(old.parent)

    def interrupt(done: int, total: int) -> None:
        if (3, PASSES) == (done, total):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(old, asking(origin.url, STORY), "stand-in", passes=PASSES, progress=interrupt)
    assert before == contents(old.parent)


def test_an_origin_that_dies_leaves_the_old_pair(origin: Origin, old: Path) -> None:
    """The error names the recording and the origin."""
    before = contents(old.parent)

    def die(done: int, total: int) -> None:
        if (3, PASSES) == (done, total):
            origin.stop()

    with pytest.raises(RecordError) as failed, explained("items", origin.url):
        record(old, asking(origin.url, STORY), "stand-in", passes=PASSES, progress=die)
    assert f"items: {origin.url} can't be recorded: ClientConnectorError: " in str(failed.value)
    assert before == contents(old.parent)


def test_an_origin_that_was_never_there_is_named(old: Path) -> None:
    """What the run's own client raises is explained alike."""
    before, url = contents(old.parent), unused_url()
    with pytest.raises(RecordError) as failed, explained("items", url):
        record(old, asking(url, STORY), "stand-in", passes=PASSES)
    assert f"items: {url} can't be recorded: ConnectionError: " in str(failed.value)
    assert before == contents(old.parent)


def test_a_run_that_asks_for_nothing_is_no_recording(old: Path) -> None:
    """There is nothing to play, and what was there stays."""
    before = contents(old.parent)
    with pytest.raises(RecordError, match="items: nothing usable was recorded"):
        record(old, lambda: None, "stand-in", passes=PASSES)
    assert before == contents(old.parent)


def test_too_few_passes_are_refused_at_once(old: Path) -> None:
    """Before anything is asked."""
    before = contents(old.parent)
    with pytest.raises(RecordError, match="passes: expected 5 or more, found 4"):
        record(old, pytest.fail, "stand-in", passes=4)
    assert before == contents(old.parent)


# Origins with habits of their own


def test_an_origin_that_changes_its_answer_is_not_recorded(old: Path) -> None:
    """Another status in a timing pass is an error that names request and statuses, and leaves the old pair."""
    before = contents(old.parent)
    origin = Habit(lambda asked: Reply(200 if asked.visit < 3 else 503))
    with origin.serving() as url, pytest.raises(RecordError) as failed:
        record(old, asking(url, "/a"), "live", passes=PASSES)
    said = f"GET {url}/a: answered 503, when it was recorded 200; the origin doesn't answer the same twice"
    assert said == str(failed.value)[: len(said)]
    assert before == contents(old.parent)


@pytest.mark.parametrize("target", ["/a?author=O%27Hara", "/a%2Fb?q=a+b&c=%2B", "/tags/%5Bx%5D", "/caf%C3%A9"])
def test_what_is_timed_is_what_was_recorded(tmp_path: Path, target: str) -> None:
    """Every pass sends the very target that was recorded, escapes and all."""
    origin = Habit(always())
    with origin.serving() as url:
        record(tmp_path / "a.yaml", asking(url, target), "live", passes=PASSES)
    assert [target] * (1 + PASSES) == origin.targets()


def test_a_redirect_is_timed_as_it_was_recorded(tmp_path: Path) -> None:
    """Each of its steps is an interaction of its own, and none is followed in a timing pass."""
    origin = Habit(always(status=302, headers={"Location": "/b"}))
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a", allow_redirects=False), "live", passes=PASSES)
    assert [302] == [one.status for one in made.cassette.interactions]
    assert ["/a"] * (1 + PASSES) == origin.targets()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_the_handshake_is_part_of_connecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS a pass has a time for it, which is in the time of connecting too, as in HAR."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make.split(), *files], check=True, capture_output=True, timeout=HANG_LIMIT_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Habit(always()).serving(context) as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a", verify=str(certificate)), "live", passes=PASSES)
    assert [True] * PASSES == [0 < one.ssl_ms < one.connect_ms for one in made.cassette.interactions[0].timings]


def test_requests_are_asked_one_at_a_time(tmp_path: Path) -> None:
    """Over the whole recording: no request is sent before the answer to the last one is there."""
    origin = Habit(always(), busy_s=0.005)
    with origin.serving() as url:
        record(tmp_path / "a.yaml", asking(url, "/a", "/b", "/a"), "live", passes=PASSES)
    assert ["/a", "/b", "/a"] * (1 + PASSES) == origin.targets()
    assert 1 == origin.at_once


# What a body's pieces are


def test_a_page_of_another_length_says_so_itself(tmp_path: Path) -> None:
    """`bodySize` stands in those passes only whose body was longer or shorter than the recorded one; the pair loads."""
    lengths = [5, 5, 7, 5, 0, 6]
    origin = Habit(lambda asked: Reply(body=b"x" * lengths[asked.visit]))
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a"), "live", passes=PASSES)
    (entry,) = json.loads(sidecar_path(made.cassette.path).read_text())["interactions"]
    assert [None, 7, None, 0, 6] == [one.get("bodySize") for one in entry["passes"]]
    assert lengths[1:] == sizes(load(made.cassette.path).interactions[0])


def test_a_chunked_page_of_another_length_says_so_itself(tmp_path: Path) -> None:
    """Also where no header told the length of the recorded one."""
    lengths = [5, 5, 7, 5, 4, 6]
    origin = Habit(lambda asked: Reply(pieces=[b"ab", b"x" * (lengths[asked.visit] - 2)]))
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", asking(url, "/a"), "live", passes=PASSES)
    (entry,) = json.loads(sidecar_path(made.cassette.path).read_text())["interactions"]
    assert [None, 7, None, 4, 6] == [one.get("bodySize") for one in entry["passes"]]
    assert lengths[1:] == sizes(load(made.cassette.path).interactions[0])


PAUSE_S = 0.01


@pytest.mark.parametrize("client", ["requests", "httpx"])
def test_the_pieces_of_a_compressed_page_are_those_of_the_wire(tmp_path: Path, client: str) -> None:
    """Whether or not the client decoded it: in every pass they add up to the compressed body, and come when it came."""
    page = json.dumps([{"id": number, "square": number**2} for number in range(500)]).encode()
    packed = gzip.compress(page, mtime=0)
    pieces = [packed[:100], packed[100:900], packed[900:]]
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    origin = Habit(always(headers=headers, pieces=pieces, pause_s=PAUSE_S))
    run = {"requests": asking, "httpx": asking_httpx}[client]
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", run(url, "/a"), "live", passes=PASSES)
    (interaction,) = made.cassette.interactions
    assert page == interaction.content.plain
    assert [len(packed)] * PASSES == sizes(interaction)
    # from the start of connecting to the last piece: the client can't have seen it sooner than it was sent
    took_ms = [one.connect_ms + one.send_ms + one.wait_ms + one.chunks[-1][0] for one in interaction.timings]
    assert [] == [one for one in took_ms if one + 4 * ROUNDING_MS < 3 * PAUSE_S * 1000]


def asking_httpx(url: str, *targets: str) -> Callable[[], None]:
    """A run that gets these targets with httpx."""

    def run() -> None:
        with httpx.Client(timeout=HANG_LIMIT_S) as client:
            for target in targets:
                client.get(url + target)

    return run


def test_a_page_is_timed_in_the_form_in_which_it_was_recorded(tmp_path: Path) -> None:
    """A client that takes no compressed answers is timed without them too; vcrpy doesn't keep that it said so."""
    page = b"a page that repeats itself " * 100

    def answer(asked: Asked) -> Reply:
        if "gzip" not in asked.headers.get("accept-encoding", ""):
            return Reply(body=page)
        return Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(page))

    def run() -> None:
        urllib.request.urlopen(f"{url}/a", timeout=HANG_LIMIT_S).close()

    with Habit(answer).serving() as url:
        made = record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert [len(page)] * PASSES == sizes(made.cassette.interactions[0])


# Clients


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


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    """What plays the recordings."""
    with ReplayServer() as started:
        yield started


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
@pytest.mark.parametrize("client", CLIENTS)
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


@pytest.mark.parametrize("value", [b"bytes", "text", "caf\xe9".encode()], ids=str)
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
    "json list": {"json": ["pear"]},
    "json empty": {"json": {}},
    "form": {"data": {"name": "pear"}},
    "pairs": {"data": [("name", "pear")]},
}


@pytest.mark.parametrize("given", NOT_BYTES.values(), ids=NOT_BYTES)
@pytest.mark.parametrize("swallows", [False, True], ids=["raises", "swallows"])
def test_what_aiohttp_encodes_itself_is_refused(old: Path, given: dict[str, Any], swallows: bool) -> None:
    """vcrpy doesn't keep it: the error says what to give instead, and no secret; the old pair stays."""
    before = contents(old.parent)

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
    assert before == contents(old.parent)


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


# Secrets

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
    return post(url, body, FORM["Content-Type"])


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
    "query": lambda url, secret, name: get(f"{url}/a?name={name}&" + urlencode({"api_key": secret})),
    "query, first": lambda url, secret, name: get(f"{url}/a?" + urlencode({"access_token": secret}) + f"&name={name}"),
    "query, capitals": lambda url, secret, name: get(f"{url}/a?name={name}&" + urlencode({"API_KEY": secret})),
    "query, escaped": lambda url, secret, name: get(f"{url}/a?name={name}&api%5Fkey={quote(secret, safe='')}"),
    "query, signed": lambda url, secret, name: get(f"{url}/{name}?" + urlencode({"X-Amz-Signature": secret})),
    "form": lambda url, secret, name: post_urlencoded(f"{url}/a", as_form({"name": name, "password": secret})),
    "form, only": lambda url, secret, name: post_urlencoded(f"{url}/{name}", as_form({"client_secret": secret})),
    "json": lambda url, secret, name: post_json(f"{url}/a", {"name": name, "token": secret}),
    "json, nested": lambda url, secret, name: post_json(
        f"{url}/a", {"variables": [{"name": name}, {"user": {"Password": secret, "age": 3}}]}
    ),
    "json, a list": lambda url, secret, name: post_json(f"{url}/a", [name, {"secret": secret}]),
    "json, all below": lambda url, secret, name: post_json(f"{url}/a", {"name": name, "token": {"value": [secret]}}),
    "json, after a space": lambda url, secret, name: post_json(f"{url}/a", {"name": name, "token": secret}, "\n  "),
    "json lines": lambda url, secret, name: post_json(f"{url}/a", {"name": name, "token": secret}, '{"index": {}}\n'),
    "parts": lambda url, secret, name: post_parts(f"{url}/a", {"name": name, "password": secret}),
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


HEADERS_WITH_SECRETS = [
    "Authorization",
    "authorization",
    "Proxy-Authorization",
    "Cookie",
    "X-API-Key",
    "Api-Key",
    "X-Auth-Token",
    "X-CSRF-Token",
    "Private-Token",
    "X-Amz-Security-Token",
]
HEADER_WAYS: dict[str, tuple[str, Ask]] = {
    **{
        header: (HEADER_SECRET, lambda url, secret, name, header=header: get(f"{url}/{name}", headers={header: secret}))
        for header in HEADERS_WITH_SECRETS
    },
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
    assert 1 == len({tuple(one.headers.get(name) for name in SENT) for one in origin.asked})
    text = written(tmp_path)
    assert [] == [one for one in (*spellings(secret), "jo:", "jo@") if one in text]
    assert {url} == {one.origin for one in made.cassette.interactions}
    stage = server.load(path, Latency.parse("recorded"))
    assert list(NAMES) * 2 == [ask(stage.url(), one, name) for one in (secret, "another") for name in NAMES]


SENT = tuple({name.lower() for name in HEADERS_WITH_SECRETS})


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


AMBIGUOUS = dict.fromkeys(("key", "code", "auth", "session", "sid", "sig", "hmac", "credential", "KEY"), DRAWN)


@pytest.mark.parametrize(
    ("field", "drawn"),
    [
        *AMBIGUOUS.items(),
        ("key", "AIzaSyB-7q3_Xk2Lm9Rt-4Vb8Nz3Pw6-Yc1Qd5E"),
        ("sig", "kP9/xT2vQ8+ZmR4/wL7bN1cS5dF3gH6j/8="),
        ("hmac", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
    ],
    ids=[*AMBIGUOUS, "key with dashes", "sig in base64", "hmac in hex"],
)
def test_an_ambiguous_field_is_a_secret_if_its_value_looks_drawn(
    tmp_path: Path, server: ReplayServer, field: str, drawn: str
) -> None:
    """In queries, forms and JSON alike; a word or a number is kept, and the replay takes any value for one left out."""

    def run(url: str, value: str) -> list[str]:
        return [
            get(f"{url}/query?" + urlencode({field: value})),
            post_urlencoded(f"{url}/form", as_form({field: value, "name": "pear"})),
            post_json(f"{url}/json", {field: value}),
        ]

    plain = ["name", "20260102030405", "a-word-of-many-parts"]
    origin = Habit(lambda asked: Reply(body=str(asked.times).encode()))
    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", lambda: run(url, drawn), "live", passes=PASSES).cassette
        assert [True] * 3 * (1 + PASSES) == [drawn in one.whole for one in origin.asked]
        kept = record(tmp_path / "b.yaml", lambda: [run(url, one) for one in plain], "live", passes=PASSES).cassette
    texts = [unquote_plus(f"{one.target} {one.request_body.decode()}") for one in made.interactions]
    assert [(True, False)] * 3 == [("REDACTED" in one, drawn in one) for one in texts]
    texts = [unquote_plus(f"{one.target} {one.request_body.decode()}") for one in kept.interactions]
    assert [True] * 9 == [plain[number // 3] in one for number, one in enumerate(texts)]
    stage = server.load(tmp_path / "a.yaml", Latency.parse("recorded"))
    for value in (drawn, "anything"):
        assert ["0", "0", "0"] == run(stage.url(), value)


def test_names_that_a_project_adds_are_secrets_too(tmp_path: Path) -> None:
    """Beside the built-in ones, in any case of letters."""
    secrets = Secrets(headers=HEADERS | {"x-shop"}, fields=FIELDS | {"pin"})
    origin = Habit(refusing("5ec7e7"))

    def run() -> None:
        get(f"{url}/pear", headers={"X-Shop": "5ec7e7-a", "Authorization": "5ec7e7-b", "X-Kept": "kept"})
        post_json(f"{url}/plum", {"PIN": "5ec7e7-c", "token": "5ec7e7-d", "size": 4})

    with origin.serving() as url:
        made = record(tmp_path / "a.yaml", run, "live", passes=PASSES, secrets=secrets)
    assert [200, 200] == [one.status for one in made.cassette.interactions]
    assert "5ec7e7" not in written(tmp_path)
    assert {"PIN": "REDACTED", "token": "REDACTED", "size": 4} == json.loads(made.cassette.interactions[1].request_body)
    assert ("X-Kept", "kept") in made.cassette.interactions[0].request_headers


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


def in_one_header(value: str) -> list[Suspect]:
    """What looks like a secret in a header of an answer."""
    return list(suspects("http://site.test/", [], [("X-Thing", value)]))


@pytest.mark.parametrize(
    "token",
    [
        DRAWN,
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "AKIAIOSFODNN7EXAMPLE1234",
        "9f86d081884c7d659a2feaa0c55ad015",
        "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "id=1; token=q7Xk2Lm9Rt4Vb8Nz3Pw6Yc1==",
    ],
)
def test_what_looks_drawn_is_suspect(token: str) -> None:
    """Its header, its beginning and its length are told, and not the whole."""
    (found,) = in_one_header(token)
    assert "response.headers['X-Thing']" == found.field
    assert (True, False) == (found.hint[:4] in token, token in found.hint)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "123e4567-e89b-12d3-a456-426614174000",
        "12345678901234567890123456789012",
        "2026-01-02T03:04:05.678901+00:00",
        "20260102T030405Z",
        "Mon, 02 Jan 2026 03:04:05 GMT",
        "pneumonoultramicroscopicsilicovolcanoconiosis",
        "DonaudampfschifffahrtsgesellschaftskapitaenXXIV",
        "max-age=31536000; includeSubDomains; preload",
        "application/vnd.github.v3+json; charset=utf-8",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
        "aaaaaaaaaaaaaaaaaaaa1111111111111111",
        "cache-fra-eddf8230045-FRA, 1.1 varnish",
    ],
)
def test_what_people_and_programs_write_is_not_suspect(value: str) -> None:
    """Words, dates, numbers, ids in groups, and names of types and programs."""
    assert [] == in_one_header(value)


@pytest.mark.parametrize("name", ["ETag", "If-None-Match", "X-Request-Id", "Traceparent", "CF-Ray", "Content-MD5"])
def test_digests_and_numbers_of_requests_are_not_suspect(name: str) -> None:
    """They look drawn, and are no secrets."""
    assert [] == list(suspects("http://site.test/", [(name, DRAWN)], [(name.lower(), f'"{DRAWN}"')]))


def test_each_place_is_suspect_once() -> None:
    """The address, with its path and what is escaped in it, and each header of the request and of the response."""
    uri = f"http://site.test/hook/{DRAWN}?a=%71{DRAWN[1:]}&b={DRAWN}"
    found = suspects(uri, [("X-A", f"{DRAWN} {DRAWN}"), ("Accept", "*/*")], [("X-B", DRAWN), ("ETag", DRAWN)])
    assert ["request.uri", "request.headers['X-A']", "response.headers['X-B']"] == [one.field for one in found]


# Whether there is an origin at all


def unused_url() -> str:
    """A URL at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_origin_that_answers_is_reachable(origin: Origin) -> None:
    """Whatever it answers: the stand-in has no HEAD, and says so with 405."""
    assert 405 == requests.head(origin.url, timeout=HANG_LIMIT_S).status_code
    live.probe("items", origin.url)
    live.probe("items", origin.url + GAP)


@pytest.mark.parametrize("url", ["", "http://", "example", "gopher://127.0.0.1"])
def test_an_origin_that_cant_be_reached_is_named(url: str) -> None:
    """Where nothing listens, or no address is given: with the recording, or another server, as ways out."""
    url = url or unused_url()
    said = unreachable(url)
    assert f"items: {url} can't be reached: " == said[: len(f"items: {url} can't be reached: ")]
    assert [True, True] == [part in said for part in ("--http=replay", "--origin items=URL")]


def test_a_server_of_something_else_is_no_origin() -> None:
    """What answers, but not in HTTP, is out of reach too."""

    def babble() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(2**16)
            connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=babble)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        said = unreachable(url)
        thread.join(HANG_LIMIT_S)
    assert f"items: {url} can't be reached: " == said[: len(f"items: {url} can't be reached: ")]


def unreachable(url: str) -> str:
    """What is said of an origin that can't be reached."""
    with pytest.raises(live.Unreachable) as failed:
        live.probe("items", url)
    return str(failed.value)


def test_the_process_that_records_is_as_before(origin: Origin, tmp_path: Path) -> None:
    """No client stays patched: a request after a recording is not recorded."""
    record(tmp_path / "a.yaml", asking(origin.url, STORY), "stand-in", passes=PASSES)
    before = contents(tmp_path)
    asking(origin.url, GAP)()
    assert before == contents(tmp_path)


def test_a_run_of_several_threads_is_refused(tmp_path: Path) -> None:
    """vcrpy loses requests of threads without a word."""
    with Habit(lambda asked: Reply()).serving() as url, ThreadPoolExecutor(2) as pool:

        def run() -> None:
            # one waits for the other, so that both threads take part
            both = Barrier(2)
            list(pool.map(lambda target: (both.wait(), requests.get(url + target, timeout=60)), ("/a", "/b")))

        with pytest.raises(RecordError, match="several threads"):
            record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert [] == list(tmp_path.iterdir())


def test_a_run_that_is_a_coroutine_function_is_refused(tmp_path: Path) -> None:
    """Calling it runs nothing."""

    async def run() -> None: ...

    with pytest.raises(RecordError, match="`async def` is not run by calling it"):
        record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert [] == list(tmp_path.iterdir())
