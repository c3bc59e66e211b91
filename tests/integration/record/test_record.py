"""Recording, from a real origin, with a real client: what is kept, what is left alone, and what fails."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier

import httpx
import pytest
import requests

from laptime.cassette import Cassette, load, sidecar_path
from laptime.record import RecordError, explained, record
from tests.support import HANG_LIMIT_S, Exchange, contents, write_cassette
from tests.support.origins import (
    PASSES,
    Asked,
    Habit,
    Reply,
    always,
    asking,
    sizes,
)
from tests.support.sessions import closed_port
from tests.support.stand_in import SCRIPT
from tests.support.stand_in import origin as stand_in

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


def test_waits_are_those_that_the_origin_imposed(made: Made) -> None:
    """No wait is shorter than the origin's delay on that very visit: the first visit recorded, the next ones timed."""
    delay_s = stand_in.delay_s
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


def test_a_recording_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """Both files; what was there before is part of the result."""
    path = write_cassette(tmp_path / "items.yaml", Exchange("http://old.test/"), Exchange("http://old.test/2"))
    before = load(path)
    with Habit(always()).serving() as url:
        made = record(path, asking(url, "/a"), "live", passes=PASSES)
    loaded = load(path)
    assert (before, loaded) == (made.replaced, made.cassette)
    assert ("live", [f"{url}/a"]) == (loaded.origin_kind, [one.uri for one in loaded.interactions])


# Recordings that don't come about


def test_an_interrupted_run_leaves_the_old_pair(old: Path) -> None:
    """Ctrl-C amid the requests."""
    with Habit(always()).serving() as url:

        def run() -> None:
            asking(url, "/a")()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            record(old, run, "stand-in", passes=PASSES)


def test_an_interrupted_timing_leaves_the_old_pair(old: Path) -> None:
    """Ctrl-C amid the passes."""

    def interrupt(done: int, total: int) -> None:
        if (3, PASSES) == (done, total):
            raise KeyboardInterrupt

    with Habit(always()).serving() as url, pytest.raises(KeyboardInterrupt):
        record(old, asking(url, "/a"), "stand-in", passes=PASSES, progress=interrupt)


def test_an_origin_that_dies_leaves_the_old_pair(old: Path) -> None:
    """The error names the recording and the origin."""
    with running() as origin:

        def die(done: int, total: int) -> None:
            if (3, PASSES) == (done, total):
                origin.stop()

        with pytest.raises(RecordError) as failed, explained("items", origin.url):
            record(old, asking(origin.url, STORY), "stand-in", passes=PASSES, progress=die)
    assert f"items: {origin.url} can't be recorded: ClientConnectorError: " in str(failed.value)


def test_an_origin_that_was_never_there_is_named(old: Path) -> None:
    """What the run's own client raises is explained alike."""
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(RecordError) as failed, explained("items", url):
            record(old, asking(url, STORY), "stand-in", passes=PASSES)
    assert f"items: {url} can't be recorded: ConnectionError: " in str(failed.value)


def test_a_run_that_asks_for_nothing_is_no_recording(old: Path) -> None:
    """There is nothing to play, and what was there stays."""
    with pytest.raises(RecordError, match="items: nothing usable was recorded"):
        record(old, lambda: None, "stand-in", passes=PASSES)


def test_an_answer_that_cant_be_played_is_no_recording(old: Path) -> None:
    """What is wrong with it is said of the cassette's own path."""
    cut = gzip.compress(b"a page that repeats itself " * 9)[:-9]
    with Habit(always(headers={"Content-Encoding": "gzip"}, body=cut)).serving() as url:

        def run() -> None:
            urllib.request.urlopen(f"{url}/a", timeout=HANG_LIMIT_S).close()

        with pytest.raises(RecordError) as failed:
            record(old, run, "live", passes=PASSES)
    expected = f"items: nothing usable was recorded: {old}: interaction 0: response.body: is not gzip"
    assert str(failed.value).startswith(expected)


def test_an_error_that_is_no_clients_is_left_as_it_is() -> None:
    """It is a defect of the run, to be shown with its traceback."""
    with pytest.raises(ZeroDivisionError), explained("items", "http://site.test"):
        _ = 1 / 0


def test_too_few_passes_are_refused_at_once(old: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(RecordError, match="passes: expected 5 or more, found 4"):
        record(old, pytest.fail, "stand-in", passes=4)


def test_an_origin_that_changes_its_answer_is_not_recorded(old: Path) -> None:
    """Another status in a timing pass is an error that names request and statuses, and leaves the old pair."""
    origin = Habit(lambda asked: Reply(200 if asked.visit < 3 else 503))
    with origin.serving() as url, pytest.raises(RecordError) as failed:
        record(old, asking(url, "/a"), "live", passes=PASSES)
    said = f"GET {url}/a: answered 503, when it was recorded 200; the origin doesn't answer the same twice"
    assert said == str(failed.value)[: len(said)]


def test_what_is_timed_is_what_was_recorded(tmp_path: Path) -> None:
    """Every pass sends the very targets that were recorded, escapes and all."""
    targets = ["/a?author=O%27Hara", "/a%2Fb?q=a+b&c=%2B", "/tags/%5Bx%5D", "/caf%C3%A9"]
    origin = Habit(always())
    with origin.serving() as url:
        record(tmp_path / "a.yaml", asking(url, *targets), "live", passes=PASSES)
    assert targets * (1 + PASSES) == origin.targets()


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


def test_the_process_that_records_is_as_before(tmp_path: Path) -> None:
    """No client stays patched: a request after a recording is not recorded."""
    with Habit(always()).serving() as url:
        record(tmp_path / "a.yaml", asking(url, "/a"), "stand-in", passes=PASSES)
        before = contents(tmp_path)
        asking(url, "/b")()
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
