"""What the functional tests share: real sessions in directories of their own, and recordings for them to play."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

import psutil

from tests.support import Exchange, timing, write_cassette

OK, FAILED, CUT_SHORT, USAGE, NOTHING_RUN = 0, 1, 2, 4, 5
"""The exit codes of pytest."""
MARK = "LAPTIME_TEST_SESSION"
"""An environment variable that every process of a session inherits, whatever becomes of its parent."""
HANG_LIMIT_S = 60.0
LEAVE_LIMIT_S = 20.0
PYTEST = (sys.executable, "-m", "pytest")
PLAIN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")
"""Without a cache that stays, and without plugins that take a third of a start."""
IN_ONE_PROCESS = ("-p", "no:xdist", "-p", "no:xdist.looponfail")
"""Without another one that takes a tenth, where it is not asked for."""
OUTER = re.compile(
    r"PYTEST_|LAPTIME_|GITHUB_|COV_|TOX_|(CI|BUILD_NUMBER|NO_COLOR|FORCE_COLOR|PY_COLORS|TERM)$|.*_proxy$", re.I
)
"""What of the environment decides how pytest behaves, and is the outer session's own affair."""
_FIGURE = r"[\d,.]+ ?(ns|µs|us|ms|s)?\b"

PRICES = {"/price/pear": "3", "/price/plum": "4"}

SHOP = """
    '''What a shop asks for its goods.'''
    import json, sys, urllib.request
    from contextlib import contextmanager

    def price(base_url, name):
        with urllib.request.urlopen(f"{base_url}/price/{name}", timeout=60) as response:
            return json.load(response)

    def price_or_none(base_url, name):
        try:
            return price(base_url, name)
        except OSError:
            return None

    @contextmanager
    def shopping(base_url, names, get=price):
        yield lambda: [get(base_url, name) for name in names]

    def is_loaded(module):
        return module in sys.modules
"""

COMMON = """
    import os, time
    from collections import Counter
    from contextlib import contextmanager
    from functools import partial
    from itertools import count
    from pathlib import Path

    import psutil, pytest
    from laptime.busy import Disturbance
    from shop import is_loaded, price_or_none, shopping

    pytestmark = pytest.mark.laptime_race(passes=2)
    Disturbance.void = lambda self, wall_s, cpu_s: False  # whatever else this machine does, no round is repeated

    HERE = Path(__file__).parent
    NAMES = ["pear", "plum"]
    ASKED = Counter(f"GET /price/{name}" for name in NAMES)
    RACE = {"group": "shop", "workload": "shop", "summary": "what things cost"}

    def prices_are_right(answer):
        assert [3, 4] == answer, f"wrong prices: {answer}"

    def is_one(answer):
        assert 1 == answer, f"not one: {answer}"

    @contextmanager
    def one():
        yield lambda: 1
"""

SHORT = """
    def test_short(replay, lap):
        stage = replay(HERE / "shop.yaml", "fixed:8ms")
        lap(partial(shopping, stage.url(), NAMES), prices_are_right, stage=stage, requests=ASKED, **RACE)
"""
"""Two passes of one round: it takes so long that a visit has no other."""


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # started in the background by a shell, which ignores Ctrl-C for it: the sessions that are interrupted must not
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended: its exit code, and all that it wrote."""

    code: int
    text: str

    def timed(self, name: str) -> bool:
        """Whether a line of a table begins with this benchmark, after a race's mark, and a figure."""
        return re.search(rf"^([>=.]? +)?{re.escape(name)} +(\([^)]*\) +)?{_FIGURE}", self.text, re.M) is not None

    def line(self, pattern: str) -> str:
        """The one line that matches."""
        found = [line for line in self.text.splitlines() if re.search(pattern, line)]
        assert len(found) == 1, f"{len(found)} lines match {pattern!r} in:\n{self.text}"
        return found[0]


def run(
    directory: Path,
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    during: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
    limit_s: float = HANG_LIMIT_S,
) -> Ended:
    """Run a command in a directory; fail where it, or a process that it started, doesn't end, or temporary files stay.

    during  called with the process while it runs
    """
    mark = uuid.uuid4().hex
    inherited = {name: value for name, value in os.environ.items() if not OUTER.match(name)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as temporary:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=directory,
            env={**inherited, "COLUMNS": "120", "TMPDIR": temporary, **(env or {}), MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            during(process)
            code = process.wait(limit_s)
        finally:
            process.kill()
            process.wait()
            stayed = left_behind(mark)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if code >= 0:  # who is killed can't clean up
            stayed += [path.name for path in Path(temporary).iterdir() if not path.name.startswith("pytest-of-")]
    assert [] == stayed, f"left behind by:\n{text}"
    return Ended(code, text)


def pytest(directory: Path, *arguments: str | Path, history: bool = False, **settings) -> Ended:
    """Run ``python -m pytest`` in a directory, plainly, in a process of its own; `here.pytest` needs none.

    history  store the run; else ``--no-history``, as storing takes half a second
    """
    return run(directory, *PYTEST, *plainly(arguments, history=history), **settings)


def plainly(arguments: Sequence[str | Path], *, history: bool) -> tuple[str | Path, ...]:
    """A pytest's arguments, with those that leave out what the session doesn't need."""
    left_out = (*PLAIN, *(() if "-n" in arguments else IN_ONE_PROCESS))
    return (*left_out, *(() if history else ("--no-history",)), *arguments)


def interrupt_after(started: Path, number: int = signal.SIGINT) -> Callable[[subprocess.Popen[bytes]], None]:
    """For `run`'s `during`: send a signal to the command once it has made the file `started`."""

    def interrupt(process: subprocess.Popen[bytes]) -> None:
        until(lambda: started.exists() or process.poll() is not None)
        process.send_signal(number)

    return interrupt


def until(condition: Callable[[], object], limit_s: float = HANG_LIMIT_S) -> None:
    """Wait for something to become true; a limit only hangs reach."""
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.01)


def left_behind(mark: str) -> list[str]:
    """The command lines of the session's processes that are still there when all had time to go; none stays."""
    give_up_at = time.monotonic() + LEAVE_LIMIT_S
    while (found := list(_marked(mark))) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    commands = []
    for process in found:
        try:
            commands.append(" ".join(process.cmdline()))
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return commands


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # ended meanwhile, or another user's


def write(directory: Path, **files: str | tuple[str, ...]) -> Path:
    """Write Python modules, named without their suffix, each of one text or more."""
    for name, texts in files.items():
        parts = (texts,) if isinstance(texts, str) else texts
        (directory / f"{name}.py").write_text("\n".join(map(dedent, parts)))
    return directory


def benchmarks(path: Path) -> dict[str, dict]:
    """What a file of pytest-benchmark holds, by name; nothing where it was never written."""
    if not path.exists():
        return {}
    return {benchmark["name"]: benchmark for benchmark in json.loads(path.read_text())["benchmarks"]}


def suite(directory: Path, **tests: tuple[str, ...]) -> Path:
    """A package, its recording, and files of tests."""
    passes = [timing(wait=2.0)] * 5
    exchanges = (Exchange(f"https://shop.test{path}", body=price, passes=passes) for path, price in PRICES.items())
    write_cassette(directory / "shop.yaml", *exchanges)
    (directory / "shop").mkdir()
    write(directory / "shop", __init__=SHOP)
    return write(directory, **{name: (COMMON, *parts) for name, parts in tests.items()})


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of loopback where nothing listens, and nothing else will."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def live_site(bodies: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that stands in for a live site: its URL, and the requests it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append(f"{self.command} {self.path}")
            found = self.path in bodies
            body = bodies.get(self.path, "").encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 (the name is the standard library's)

        def log_message(self, format, *args):  # noqa: A002 (as above)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


_NUMBER = (int, float)
_HAR = {
    "log": {"version": str, "creator": dict, "pages": list, "entries": list},
    "creator": {"name": str, "version": str},
    "page": {"startedDateTime": str, "id": str, "title": str, "pageTimings": dict},
    "entry": {
        "startedDateTime": str,
        "time": _NUMBER,
        "request": dict,
        "response": dict,
        "cache": dict,
        "timings": dict,
    },
    "request": {
        "method": str,
        "url": str,
        "httpVersion": str,
        "cookies": list,
        "headers": list,
        "queryString": list,
        "headersSize": int,
        "bodySize": int,
    },
    "response": {
        "status": int,
        "statusText": str,
        "httpVersion": str,
        "cookies": list,
        "headers": list,
        "content": dict,
        "redirectURL": str,
        "headersSize": int,
        "bodySize": int,
    },
    "content": {"size": int, "mimeType": str},
    "postData": {"mimeType": str, "text": str},
    "pair": {"name": str, "value": str},
    "timings": {"send": _NUMBER, "wait": _NUMBER, "receive": _NUMBER},
}
"""The fields that HAR 1.2 requires, and their types (of posted data: where it is text)."""
_PHASES = {"blocked", "dns", "connect", "send", "wait", "receive", "ssl"}


def har_problems(document: Any) -> list[str]:
    """What of a log isn't as HAR 1.2 says (http://www.softwareishard.com/blog/har-12-spec/); nothing where all is."""
    return list(_har_problems(document))


def _har_problems(document: Any) -> Iterator[str]:
    log = document["log"]
    yield from _lacks("log", log)
    yield from _lacks("creator", log["creator"])
    if log["version"] != "1.2":
        yield f"version: {log['version']!r}"
    for page in log["pages"]:
        yield from _lacks("page", page)
        yield from _no_moment(page["startedDateTime"])
    ids = [page["id"] for page in log["pages"]]
    if len(ids) != len(set(ids)):
        yield f"pages: several of one id: {ids}"
    for number, entry in enumerate(log["entries"]):
        for problem in _entry_problems(entry, ids):
            yield f"entries[{number}]: {problem}"


def _entry_problems(entry: Any, ids: list[str]) -> Iterator[str]:
    request, response, timings = entry["request"], entry["response"], entry["timings"]
    for kind in ("entry", "request", "response", "timings"):
        yield from _lacks(kind, entry if kind == "entry" else entry[kind])
    yield from _lacks("content", response["content"])
    yield from _no_moment(entry["startedDateTime"])
    if entry["pageref"] not in ids:
        yield f"pageref: no page {entry['pageref']!r}"
    if not all(isinstance(entry.get(name, ""), str) for name in ("serverIPAddress", "connection")):
        yield "serverIPAddress, connection: no text"
    if "postData" in request:
        yield from _lacks("postData", request["postData"])
        if request["postData"].get("params"):
            yield "postData: both params and text"
    for pair in (*request["headers"], *request["queryString"], *response["headers"]):
        yield from _lacks("pair", pair)
    sizes = [request["headersSize"], request["bodySize"], response["headersSize"], response["bodySize"]]
    if min(sizes) < -1 or response["content"]["size"] < 0:
        yield f"sizes: {sizes}, content {response['content']['size']}"
    phases = {name: value for name, value in timings.items() if not name.startswith("_")}
    if set(phases) - _PHASES:
        yield f"timings: no phases: {set(phases) - _PHASES}"
    needed = _HAR["timings"].keys()
    if not all(value >= 0 or (value == -1 and name not in needed) for name, value in phases.items()):
        yield f"timings: negative: {phases}"
    spent = sum(value for name, value in phases.items() if value >= 0 and name != "ssl")  # `connect` includes `ssl`
    if abs(entry["time"] - spent) > 0.0011:
        yield f"time: {entry['time']}, and the sum of the timings is {spent}"


def _lacks(kind: str, value: Any) -> Iterator[str]:
    for name, wanted in _HAR[kind].items():
        found = value.get(name)
        if not isinstance(found, wanted) or isinstance(found, bool):
            yield f"{kind}.{name}: {found!r}"


def _no_moment(text: str) -> Iterator[str]:
    try:
        if datetime.fromisoformat(text).tzinfo is None:
            yield f"startedDateTime: no zone: {text}"
    except ValueError as error:
        yield f"startedDateTime: {error}"
