"""What the watcher sees of real threads and processes that talk to a real server."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from laptime.child import HelperDied
from laptime.watch import LISTING_INTERVAL_S, SAMPLE_INTERVAL_S, Watcher
from tests.support.here import pytest as pytest_in
from tests.support.sessions import OK, benchmarks, until
from tests.support.shop import SHORT, suite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are sampled through Linux's /proc")
COMPUTED_NS = 60_000_000

CLIENT = """
import http.client, sys
client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
client.request("GET", "/")
client.getresponse().read()
print(client.sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


class Hello(BaseHTTPRequestHandler):
    """Says hello, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    with Watcher() as started:
        yield started


def compute(cpu_ns: int = COMPUTED_NS) -> None:
    until_ns = time.thread_time_ns() + cpu_ns
    while time.thread_time_ns() < until_ns:
        pass


def let_it_look(watcher: Watcher) -> None:
    """Wait until it has listed the threads anew: it waits between two samples, and each wait is a switch."""
    process = psutil.Process(watcher.pid)
    samples = 2 * LISTING_INTERVAL_S / SAMPLE_INTERVAL_S
    before = process.num_ctx_switches().voluntary
    until(lambda: process.num_ctx_switches().voluntary >= before + samples)


def get(port: int) -> tuple[int, int]:
    """The client's port, and the thread that asked."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    client.request("GET", "/")
    ours = client.sock.getsockname()[1]
    client.getresponse().read()
    client.close()
    return ours, threading.get_native_id()


def test_each_thread_is_known_by_what_it_sends(watcher: Watcher, port: int) -> None:
    """By the port of its connection, though that is closed by the end."""
    watcher.start()
    with ThreadPoolExecutor(2) as pool:
        asked = list(pool.map(get, [port, port]))
    asked.append(get(port))
    assert dict(asked) == watcher.stop().senders


def test_nothing_is_noted_between_two_rounds(watcher: Watcher, port: int) -> None:
    """A round knows only its own requests."""
    watcher.start()
    watcher.stop()
    get(port)
    watcher.start()
    assert {} == watcher.stop().senders


def test_the_process_of_a_connection_is_known(watcher: Watcher, port: int) -> None:
    """A child's connection that stands is that child's, also where it was opened before."""
    command = (sys.executable, "-c", CLIENT, str(port))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        theirs = int(client.stdout.readline())
        watcher.start()
        owners = watcher.stop().owners
        client.communicate()
    assert client.pid == owners[theirs]


def test_what_each_thread_computed_is_seen(watcher: Watcher) -> None:
    """Of a thread that was there, and of one that came."""
    watcher.start()
    compute()
    newcomer: list[int] = []
    computed, seen = threading.Event(), threading.Event()

    def work() -> None:
        newcomer.append(threading.get_native_id())
        compute()
        computed.set()
        seen.wait()

    thread = threading.Thread(target=work)
    thread.start()
    computed.wait()
    let_it_look(watcher)
    cpu = watcher.stop().cpu
    seen.set()
    thread.join()
    for tid in (threading.get_native_id(), newcomer[0]):
        samples = cpu[os.getpid(), tid]
        assert pytest.approx(COMPUTED_NS, rel=0.2) == samples[-1][1] - samples[0][1]
        assert samples == sorted(samples)


def test_helpers_are_left_out(watcher: Watcher) -> None:
    """The watcher itself, and what it is told."""
    program = "import time\nwhile time.process_time() < 0.1: pass\nprint(flush=True); input()"
    with subprocess.Popen((sys.executable, "-c", program), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as helper:
        watcher.start((helper.pid,))
        assert helper.stdout is not None
        helper.stdout.readline()
        processes = {pid for pid, _ in watcher.stop().cpu}
        helper.communicate(b"\n")
    assert not {watcher.pid, helper.pid} & processes


def test_a_watcher_that_was_killed_is_said_to_be_gone() -> None:
    """In place of waiting for its answer."""
    with Watcher() as watcher:
        os.kill(watcher.pid, signal.SIGKILL)
        with pytest.raises(HelperDied, match="the watcher is gone"):
            watcher.start()


def test_a_session_watches_one_more_round_where_that_is_asked_for(tmp_path) -> None:
    """It is no round of the timing, and holds each request of the work in the lane of the thread that sent it."""
    suite(tmp_path, test_short=(SHORT,))
    ended = pytest_in(tmp_path, "--timelines", "--benchmark-json=out.json")
    assert OK == ended.code, ended.text
    info = benchmarks(tmp_path / "out.json")["test_short"]["extra_info"]
    assert 2 == len(info["rounds"]["wall_s"])
    (lane,) = [lane for lane in info["timeline"]["lanes"] if lane["requests"]]
    assert ("main thread", ["GET /price/pear", "GET /price/plum"]) == (
        lane["name"],
        [request["name"] for request in lane["requests"]],
    )
    first, second = lane["requests"]
    assert min(first["wait"], second["wait"]) >= 0.008
    assert second["start"] >= first["start"] + first["connect"] + first["wait"] + first["receive"]
    assert info["timeline"]["seconds"] >= second["start"] + second["wait"]
