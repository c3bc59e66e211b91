"""Commands run in this process, as a new one would run them: a tenth of the time that a process takes.

What a command changes of this process is changed back, and the modules that it imported are forgotten where they are
the tests' own. Some things need a process, by `sessions.run`: signals, the guard, workers that import the main module,
a fork server (it ends with its process), a suite that changes laptime (but for `Disturbance.void`), and what an
interpreter does at its end.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import sysconfig
import tempfile
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest as pytest_itself  # noqa: PT013 (`pytest` is what this offers)

from laptime import cli
from laptime.busy import Disturbance
from tests.support import ROOT
from tests.support.sessions import MARK, OUTER, Ended, left_behind, plainly

LASTING = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    *(str(ROOT / name) for name in ("laptime", "tests", "workloads")),
)
"""Where the modules lie that all sessions share."""


def pytest(
    directory: Path, *arguments: str | Path, history: bool = False, env: Mapping[str, str] | None = None
) -> Ended:
    """Run pytest in a directory, plainly; the same as `sessions.pytest`, but here."""
    words = ["-p", "no:faulthandler", *map(str, plainly(arguments, history=history))]  # it is the outer session's
    return _run(directory, lambda: _pytest_in_directory(words), env)


def laptime(directory: Path, *arguments: object, env: Mapping[str, str] | None = None) -> Ended:
    """Run the command ``laptime`` in a directory."""
    return _run(directory, lambda: cli.main([str(word) for word in arguments]), env)


def _pytest_in_directory(words: list[str]) -> int:
    sys.path.insert(0, str(Path.cwd()))  # as `python -m pytest` does
    return int(pytest_itself.main(words))


def _run(directory: Path, command: Callable[[], int], env: Mapping[str, str] | None) -> Ended:
    mark = uuid.uuid4().hex
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as temporary:
        variables = {"COLUMNS": "120", "TMPDIR": temporary, **(env or {}), MARK: mark}
        try:
            with _state_kept(), _heap_frozen(), _written_to(output.fileno()), _warnings_written():
                for name in filter(OUTER.match, list(os.environ)):
                    del os.environ[name]
                os.environ.update(variables)
                tempfile.tempdir = None  # it is looked up anew
                os.chdir(directory)
                importlib.invalidate_caches()
                try:
                    code = command()
                except SystemExit as error:
                    code = int(str(error.code))
                except Exception:  # noqa: BLE001 (an interpreter does the same with what nobody caught)
                    traceback.print_exc()
                    code = 1
        finally:
            processes = left_behind(mark)
            output.seek(0)
            text = output.read().decode(errors="replace")
        files = [path.name for path in Path(temporary).iterdir() if not path.name.startswith("pytest-of-")]
    assert [] == processes + files, f"left behind by:\n{text}"
    return Ended(code, text)


@contextmanager
def _state_kept() -> Iterator[None]:
    cwd, environment, path, modules = Path.cwd(), dict(os.environ), list(sys.path), set(sys.modules)
    temporary, void = tempfile.tempdir, Disturbance.void
    try:
        yield
    finally:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        tempfile.tempdir = temporary
        Disturbance.void = void  # type: ignore[method-assign]
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and not file.startswith(LASTING):
                del sys.modules[name]


@contextmanager
def _heap_frozen() -> Iterator[None]:
    """A race collects before its rounds: in what the outer session holds, that would take longer than the round."""
    unfreeze = gc.unfreeze
    gc.freeze()
    gc.unfreeze = lambda: None
    try:
        yield
    finally:
        gc.unfreeze = unfreeze
        gc.unfreeze()


@contextmanager
def _written_to(file: int) -> Iterator[None]:
    """Standard output and standard error are one file: Python's own, and what processes started here have."""
    streams, kept = (sys.stdout, sys.stderr), [(number, os.dup(number)) for number in (1, 2)]
    for number, _ in kept:
        os.dup2(file, number)
    try:
        with os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace", buffering=1) as writer:
            sys.stdout = sys.stderr = writer
            yield
    finally:
        sys.stdout, sys.stderr = streams
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)


@contextmanager
def _warnings_written() -> Iterator[None]:
    """Warnings that the command doesn't catch are shown, rather than noted by the outer session."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        yield


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))
