"""Recording, from a real origin, with a real client: what is kept, what is left alone, what is never written."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
import requests

from laptime import live
from laptime.cassette import Cassette, load, sidecar_path
from laptime.record import RecordError, explained, record
from tests.support import HANG_LIMIT_S, Exchange, contents, write_cassette

SCRIPT = Path(__file__).parents[1] / "cassettes" / "origin.py"
SEED = 291
SCALE = 0.05
ROUNDING_MS = 0.001
PASSES = 5
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


def asking(url: str, *targets: str, **options: object) -> Callable[[], None]:
    """A run that gets these targets with requests, one after the other, in one session."""

    def run() -> None:
        with requests.Session() as client:
            for target in targets:
                client.get(url + target, timeout=HANG_LIMIT_S, **options)  # type: ignore[arg-type]

    return run


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
        cassette = record(path, run, "stand-in", passes=PASSES, progress=lambda *done: progress.append(done))
    return Made(cassette, origin.url, progress, set(contents(path.parent)))


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
    """How many were timed, of how many."""
    assert [(done, 3 * PASSES) for done in range(1, 3 * PASSES + 1)] == made.progress


def test_a_side_car_says_how_it_was_made(made: Made) -> None:
    """When, with which client, and in how many passes."""
    document = json.loads(sidecar_path(made.cassette.path).read_text())
    assert (PASSES, "aiohttp", "+00:00") == (
        document["repeats"],
        document["client"].split()[0],
        document["recorded_at"][-6:],
    )


def test_a_recording_takes_the_place_of_the_old_one(origin: Origin, tmp_path: Path) -> None:
    """Both files."""
    path = write_cassette(tmp_path / "items.yaml", Exchange("http://old.test/"), Exchange("http://old.test/2"))
    record(path, asking(origin.url, STORY), "live", passes=PASSES)
    loaded = load(path)
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
        if 3 == done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(old, asking(origin.url, STORY), "stand-in", passes=PASSES, progress=interrupt)
    assert before == contents(old.parent)


def test_an_origin_that_dies_leaves_the_old_pair(origin: Origin, old: Path) -> None:
    """The error names the recording and the origin."""
    before = contents(old.parent)

    def die(done: int, total: int) -> None:
        if 3 == done:
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


@dataclass(slots=True)
class Habit:
    """A small origin in this process: `answer` decides on status and headers by the number of the visit."""

    answer: Callable[[int], tuple[int, dict[str, str]]]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @contextmanager
    def serving(self, context: ssl.SSLContext | None = None) -> Iterator[str]:
        """Its URL, as long as it is there."""
        habit = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, headers = habit.answer(len(habit.asked))
                habit.asked.append((self.path, dict(self.headers)))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": "5"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            if context is not None:
                server.socket = context.wrap_socket(server.socket, server_side=True)
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            try:
                yield f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()


SECRETS = {
    "Authorization": "Bearer 5ec7e7-a",
    "Cookie": "session=5ec7e7-b",
    "Proxy-Authorization": "Basic 5ec7e7-c",
    "X-API-Key": "5ec7e7-d",
}


def test_secrets_are_never_written(tmp_path: Path) -> None:
    """What authorizes a client, and the cookies that it gets, are in neither file; the client itself has them."""
    origin = Habit(lambda visit: (200, {"Set-Cookie": "token=5ec7e7-e", "X-Kept": "kept"}))
    cookies: list[str | None] = []

    def run() -> None:
        cookies.append(requests.get(f"{url}/a", headers=SECRETS, timeout=HANG_LIMIT_S).cookies.get("token"))

    with origin.serving() as url:
        cassette = record(tmp_path / "a.yaml", run, "live", passes=PASSES)
    assert ["5ec7e7-e"] == cookies
    assert set(SECRETS.values()) <= set(origin.asked[0][1].values())
    written = b"".join(held for _, held in contents(tmp_path).values())
    assert b"kept" in written
    names = [name.lower().encode() for name in (*SECRETS, "Set-Cookie")]
    assert [] == [part for part in (b"5ec7e7", *names) if part in written.lower()]
    assert ("X-Kept", "kept") in cassette.interactions[0].headers


def test_an_origin_that_changes_its_answer_is_not_recorded(old: Path) -> None:
    """Another status in a timing pass is an error that names request and statuses, and leaves the old pair."""
    before = contents(old.parent)
    origin = Habit(lambda visit: (200 if visit < 3 else 503, {}))
    with origin.serving() as url, pytest.raises(RecordError) as failed:
        record(old, asking(url, "/a"), "live", passes=PASSES)
    said = f"GET {url}/a: answered 503, when it was recorded 200; the origin doesn't answer the same twice"
    assert said == str(failed.value)[: len(said)]
    assert before == contents(old.parent)


@pytest.mark.parametrize("target", ["/a?author=O%27Hara", "/a%2Fb?q=a+b&c=%2B", "/tags/%5Bx%5D", "/caf%C3%A9"])
def test_what_is_timed_is_what_was_recorded(tmp_path: Path, target: str) -> None:
    """Every pass sends the very target that was recorded, escapes and all."""
    origin = Habit(lambda visit: (200, {}))
    with origin.serving() as url:
        record(tmp_path / "a.yaml", asking(url, target), "live", passes=PASSES)
    assert [target] * (1 + PASSES) == [asked for asked, _ in origin.asked]


def test_a_redirect_is_timed_as_it_was_recorded(tmp_path: Path) -> None:
    """Each of its steps is an interaction of its own, and none is followed in a timing pass."""
    origin = Habit(lambda visit: (302, {"Location": "/b"}))
    with origin.serving() as url:
        cassette = record(tmp_path / "a.yaml", asking(url, "/a", allow_redirects=False), "live", passes=PASSES)
    assert [302] == [one.status for one in cassette.interactions]
    assert ["/a"] * (1 + PASSES) == [target for target, _ in origin.asked]


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
    with Habit(lambda visit: (200, {})).serving(context) as url:
        cassette = record(tmp_path / "a.yaml", asking(url, "/a", verify=str(certificate)), "live", passes=PASSES)
    assert [True] * PASSES == [0 < one.ssl_ms < one.connect_ms for one in cassette.interactions[0].timings]


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
