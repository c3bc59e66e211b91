"""What the tests of the gate share: small repositories, and the real command run in them."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

import psutil
import pytest

from laptime.cli import main
from laptime.git import is_repository
from tests.support import here
from tests.support.histories import git
from tests.support.sessions import IN_ONE_PROCESS, PLAIN, Ended, run

PASS, FAIL, CANNOT = 0, 1, 2
GATE = (sys.executable, "-m", "laptime.cli", "gate")
NO_BLOCKS = "--max-time=0.1s"
"""All is collected and tried once, which takes longer; the time is over before the first block."""
ADDED = (*PLAIN[2:], *IN_ONE_PROCESS, "-p", "no:pytest_cov")
QUICK = {"PYTEST_ADDOPTS": " ".join(ADDED), "COLUMNS": "200"}
"""Plugins are left out that take half of a side's start, or that a gate refuses; no name is broken into lines."""
NOBODY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    # tests that run beside this one don't wait for it: it is no figure that they look at
    "LAPTIME_GATE_LOCK": str(Path(tempfile.gettempdir()) / f"laptime-gate-{os.getpid()}.lock"),
}
VERDICTS = ("regressed", "accepted", "improved", "unchanged", "unresolved", "new", "missing", "broken")

SETTINGS = """
    [project]
    name = "thing"
    version = "1"
    requires-python = ">=3.11"

    [tool.pytest.ini_options]
    testpaths = ["benchmarks"]
"""
CODE = """
    def work(count=10_000):
        return sum(range(count))
"""
BENCHMARK = """
    import thing

    def test_work(benchmark):
        assert benchmark(thing.work) == 49995000
"""
PROJECT = {"pyproject.toml": SETTINGS, "thing/__init__.py": CODE, "benchmarks/test_thing.py": BENCHMARK}


def write(root: Path, files: Mapping[str, str | None]) -> Path:
    """Write files, by their paths from the root; None removes one."""
    for name, text in files.items():
        path = root / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
    return root


def commit(root: Path, files: Mapping[str, str | None], message: str = "a change") -> str:
    """Write files and commit all that there is; the hash."""
    if not (root.is_dir() and is_repository(root)):
        root.mkdir(parents=True, exist_ok=True)
        git(root, "init", "--quiet", "--initial-branch=main")
    write(root, files)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


def project(root: Path, base: Mapping[str, str | None] | None = None, head: Mapping[str, str] | None = None) -> Path:
    """A repository: BASE is committed as `main`, HEAD is what lies in the working tree.

    base  what its first commit has besides, or instead of, `PROJECT`; None as a text: not at all
    head  what is changed after; by default a comment
    """
    files = {name: text for name, text in {**PROJECT, **(base or {})}.items() if text is not None}
    commit(root, files)
    write(root, {"thing/__init__.py": CODE + "    # a comment\n"} if head is None else head)
    return root


def gate(directory: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run the command within this process, and its sides in theirs; fails where one or a temporary file stays."""
    return _plain(here.laptime(directory, "gate", "--no-history", *arguments, env={**NOBODY, **QUICK, **(env or {})}))


def gate_started(directory: Path, *arguments: str, env: Mapping[str, str] | None = None, **settings: Any) -> Ended:
    """The same in a process of its own, for what is done to it meanwhile; `settings` are those of `run`."""
    return _plain(run(directory, *GATE, "--no-history", *arguments, env={**NOBODY, **QUICK, **(env or {})}, **settings))


def _plain(ended: Ended) -> Ended:
    assert "Traceback (most recent call last)" not in ended.text.partition("laptime gate: ")[0], ended.text
    return ended


def refused(directory: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What a gate says that can't measure and ends before it tried; on one line."""
    ended = gate(directory, *arguments, env=env)
    assert CANNOT == ended.code, ended.text
    assert "blocks" not in ended.text, f"blocks were run:\n{ended.text}"
    return " ".join(ended.text.split())


def refused_at_once(directory: Path, *arguments: str) -> str:
    """The same, of what is refused before any process is started: within this one, which costs little."""
    out = io.StringIO()
    with chdir(directory), redirect_stderr(out), pytest.MonkeyPatch.context() as patch:
        for name, value in NOBODY.items():
            patch.setenv(name, value)
        patch.delenv("GITHUB_ACTIONS", raising=False)
        try:
            code = main(["gate", "--no-history", *arguments])
        except SystemExit as error:  # as argparse ends
            code = error.code
    assert CANNOT == code, out.getvalue()
    return " ".join(out.getvalue().split())


UNFIT = "This machine is not fit to measure on now"
TRIES = 3
T = TypeVar("T")


def tried(run: Callable[[], T], text: Callable[[T], str]) -> T:
    """What `run` gives, again while the gate says that the machine is not fit."""
    for _ in range(TRIES - 1):
        found = run()
        if UNFIT not in text(found):
            return found
    return run()


def verdicts(ended: Ended) -> dict[str, str]:
    """What the table says of each benchmark: name -> verdict of wall time, or as a whole."""
    found = {}
    for line in ended.text.splitlines():
        match = re.match(rf"(\S.*?) {{2,}}(?:wall +)?({'|'.join(VERDICTS)})\b", line)
        if match:
            found[match[1]] = match[2]
    return found


def detail(ended: Ended, benchmark: str) -> str:
    """What is said below the table of a benchmark that failed."""
    lines = ended.text.splitlines()
    start = next(number for number, line in enumerate(lines) if re.match(rf"[A-Z]+ \S*{re.escape(benchmark)}\b", line))
    end = next(number for number in range(start, len(lines)) if lines[number].startswith("  laptime gate "))
    return "\n".join(lines[start:end])


def everything(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and directory of a working tree, with .git: mode, when it was last written, and what it holds."""
    return {
        str(path.relative_to(root)): (
            (found := path.lstat()).st_mode,
            0 if "sharedindex" in path.name else found.st_mtime_ns,  # git touches it whenever it reads it
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )
        for path in sorted(root.rglob("*"))
    }


def state(root: Path) -> dict[str, object]:
    """What of a repository a gate may not touch; git itself is asked last, as it refreshes the index."""
    return {
        "files": everything(root),
        "worktrees": git(root, "worktree", "list"),
        "references": git(root, "for-each-ref"),
        "status": git(root, "--no-optional-locks", "status", "--porcelain=v2", "--ignored"),
    }


def processes_in(directory: Path) -> list[str]:
    """The command lines of what runs in a directory, or names it."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            if Path(process.cwd()).is_relative_to(directory) or str(directory) in words:
                found.append(words)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, FileNotFoundError):
            continue
    return found
