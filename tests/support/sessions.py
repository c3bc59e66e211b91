"""Real commands in directories of their own, held to leave nothing behind; servers for them to talk to."""

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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent

import psutil

OK, FAILED, CUT_SHORT, USAGE, NOTHING_RUN = 0, 1, 2, 4, 5
"""The exit codes of pytest."""
MARK = "LAPTIME_TEST_SESSION"
"""An environment variable that every process of a session inherits, whatever becomes of its parent."""
HANG_LIMIT_S = 60.0
LEAVE_LIMIT_S = 20.0
PYTEST = (sys.executable, "-m", "pytest")
PLAIN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:randomly")
"""Without a cache that stays, without plugins that take a third of a start, and in the order that is written."""
IN_ONE_PROCESS = ("-p", "no:xdist", "-p", "no:xdist.looponfail")
"""Without another one that takes a tenth, where it is not asked for."""
OUTER = re.compile(
    r"PYTEST_|LAPTIME_|GITHUB_|COV_|TOX_|(CI|BUILD_NUMBER|NO_COLOR|FORCE_COLOR|PY_COLORS|TERM)$|.*_proxy$", re.I
)
"""What of the environment decides how pytest behaves, and is the outer session's own affair."""
_FIGURE = r"[\d,.]+ ?(ns|µs|us|ms|s)?\b"


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
