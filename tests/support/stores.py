"""What the tests of stores share: stores to open, errors to expect, and processes that are killed in the middle."""

from __future__ import annotations

import atexit
import importlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, event

from benchmarks.budgets.postgres import PASSWORD
from laptime.history import Filter, Gate, HistoryError, Run, to_json
from laptime.history.store import Store
from tests.support import HANG_LIMIT_S, ROOT

HERE = Path("/")
"""Where relative names would be: no test has one."""
FORKED = "import sys; from tests.support import stores; stores.forked(*sys.argv[1:])"
STARTER = "from tests.support import stores; stores.start()"
OLDER = {version: ROOT / "tests" / "stores" / f"v{version}.db" for version in (1, 2, 3)}
"""Stores as those versions wrote them."""
WRITTEN = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
NAMES = {
    "unicode": "tests/test_ü.py::test_日本[🦆]",
    "right to left": "test_x[עברית]",
    "nul": "test_x[a\0b]",
    "half a surrogate pair": "test_x[\udce9]",
    "newline": "test_x[\n]",
    "long": "n" * 10_000,
    "quotes": "test_x['\"`]",
    "wildcards": "test_x[100%_]",
    "sql": "'; DROP TABLE laptime_runs; --",
    "parameters": "test_x[:name ? %s %(name)s {name}]",
    "backslash": "test_x[\\x00 \\ /]",
    "space": " ",
}


def opened(url: str) -> Store:
    """The store, made where there is none."""
    return Store(url, HERE, create=True)


def every_run(store: Store) -> list[Run]:
    """Every run, the newest first."""
    return store.load(store.numbers())


def every_gate(store: Store) -> list[Gate]:
    """Every gate, the newest first."""
    return store.load_gates(store.gate_numbers())


def use(place: Path | str, *, create: bool) -> None:
    """Do with a store all that can be done."""
    store = Store(str(place), HERE, create=create)
    entries = store.entries()
    store.entries(Filter(benchmark="a"))
    store.fingerprints(entry.fingerprint_no for entry in [*entries, *store.gates(Filter(benchmark="slow"))])
    for points in store.every_series().values():
        store.inputs({point.inputs_no for point in points})
    for name in store.names():
        store.series(name)
    for run in store.each(store.numbers()):
        to_json(run)
    every_gate(store)


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def is_file(url: str) -> bool:
    """Whether a store is a file: to start again takes a tenth of the time that a server's takes."""
    return "://" not in url


def database_of(url: str) -> str:
    """The name of the database in a URL of `benchmarks.budgets.postgres`."""
    return url.rpartition("@/")[2].partition("?")[0]


def chained(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was caused by, and what was being handled."""
    while error is not None:
        yield error
        if error.__cause__ is not None and error.__cause__ is not error.__context__:
            yield from chained(error.__cause__)
        error = error.__context__


@contextmanager
def refused(*words: str) -> Iterator[None]:
    """What is done here raises a `HistoryError` with these words, and no password anywhere."""
    with pytest.raises(HistoryError) as caught:
        yield
    assert [] == [word for word in words if word not in str(caught.value)], str(caught.value)
    told = [text for one in chained(caught.value) for text in (str(one), repr(one))]
    told += traceback.format_exception(caught.value)
    for secret in (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD), "w%rd", "w%25rd"):
        assert [] == [line for line in told if secret in line]


def in_processes(module: str, work: str, count: int, *arguments: str) -> list[Any]:
    """Run a function of a module of tests in so many processes, which begin it at one moment; what they give."""
    with tempfile.TemporaryDirectory() as directory:
        output, errors = Path(directory, "output"), Path(directory, "errors")
        code = _starter().started(str(output), str(errors), module, work, str(count), *arguments)
        assert (0, "") == (code, errors.read_text())
        return [json.loads(line) for line in output.read_text().splitlines()]


class Starter:
    """A process that has imported everything and done nothing else, of which others are forked: a start takes 0.7 s.

    It ends with the process that made it.
    """

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        command = (sys.executable, "-c", STARTER)
        # without buffers: `select` doesn't see what lies in one
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, bufsize=0)
        atexit.register(self.close)

    def started(self, *words: str) -> int:
        """Start one, which calls `forked`; its exit code. Its first two words are the files for what it writes."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        group = int(self._said())
        try:
            return int(self._said(2 * HANG_LIMIT_S))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _said(self, limit_s: float = HANG_LIMIT_S) -> bytes:
        assert self._process.stdout is not None
        found, _, _ = select.select([self._process.stdout], [], [], limit_s)
        if not found:
            self.close()
            raise TimeoutError("it did not end")
        return self._process.stdout.readline()

    @property
    def is_there(self) -> bool:
        """Whether it can be asked for another process."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it."""
        self._process.kill()
        with self._process:  # waits, and closes the pipes
            pass


_starters: list[Starter] = []


def _starter() -> Starter:
    """The one of this process."""
    if not (_starters and _starters[-1].is_there):
        _starters.append(Starter())
    return _starters[-1]


def start() -> None:
    """The other side of `Starter`."""
    for module in (
        "sqlalchemy.dialects.sqlite",
        "sqlalchemy.dialects.postgresql",
        "psycopg",
        "tests.support.histories",
    ):
        with suppress(ImportError):
            importlib.import_module(module)
    for line in sys.stdin:
        output, errors, *words = json.loads(line)
        child = os.fork()
        if not child:
            os.setsid()
            for number, flags, path in ((0, os.O_RDONLY, os.devnull), (1, WRITTEN, output), (2, WRITTEN, errors)):
                os.dup2(os.open(path, flags, 0o600), number)
            try:
                forked(*words)
            except SystemExit as error:
                os._exit(int(str(error)))
            except BaseException:  # noqa: BLE001
                os.write(2, traceback.format_exc().encode())
            os._exit(1)
        os.write(1, f"{child}\n".encode())
        os.write(1, f"{ended(child)}\n".encode())


def forked(module: str, work: str, count: str, *arguments: str) -> None:
    """The other side of `in_processes`: forks before there are threads, and once everything is imported."""
    function = getattr(importlib.import_module(module), work)
    waiting, go = os.pipe()
    children = []
    for number in range(int(count)):
        child = os.fork()
        if not child:
            os.close(go)
            os.read(waiting, 1)  # comes back when nobody can write any more
            status = 1
            try:
                os.write(1, json.dumps(function(number, *arguments)).encode() + b"\n")
                status = 0
            except BaseException:  # noqa: BLE001
                os.write(2, traceback.format_exc().encode())
            os._exit(status)
        children.append(child)
    os.close(go)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(map(abs, ended)))


def at_statement(number: int, signal_number: int, work: Any) -> int:
    """Start a process that sends itself a signal before its n-th statement; how it ended, or what stopped it.

    The commit counts as a statement.
    """
    child = os.fork()
    if not child:
        status = 1
        try:
            counter = itertools.count()

            def count(*_: Any) -> None:
                if next(counter) == number:
                    os.kill(os.getpid(), signal_number)

            event.listen(Engine, "before_cursor_execute", count)
            event.listen(Engine, "commit", count)
            work()
            status = 0
        except BaseException:  # noqa: BLE001
            os.write(2, traceback.format_exc().encode())
        os._exit(status)
    return child


def ended(child: int) -> int:
    """How a process ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
