"""The recipes of docs/gate.md: a hook that refuses to push what is slower, a bisection that finds who made it so."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import sys
from pathlib import Path

import pytest

from laptime.cli import main
from tests.support import ROOT
from tests.support.gates import (
    BENCHMARK,
    GATE,
    NOBODY,
    PASS,
    PROJECT,
    QUICK,
    commit,
    git,
    project,
)
from tests.support.sessions import Ended, run

DOCS = ROOT / "docs"
GOOD, BAD, SKIP, ABORT = 0, 1, 125, 128


def program(directory: Path, text: str) -> str:
    """A PATH on which `laptime` is that script."""
    path = directory / "laptime"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return os.pathsep.join((str(directory), os.environ["PATH"]))


# a hook

ASKED = 'echo "$GIT_DIR:$*" >> "$ASKED"; test ! -e "$ASKED.slow"'


@pytest.fixture
def clone(tmp_path):
    """A clone of a bare repository with the hook, and a push from it: exit code, and what the gate was asked."""
    origin, root = tmp_path / "origin.git", tmp_path / "clone"
    commit(tmp_path / "first", {"README": "1"})
    git(tmp_path, "clone", "--quiet", "--bare", "first", str(origin))
    git(tmp_path, "clone", "--quiet", str(origin), str(root))
    shutil.copy(DOCS / "pre-push", root / ".git" / "hooks" / "pre-push")
    asked = tmp_path / "asked"
    env = {**NOBODY, "ASKED": str(asked), "PATH": program(tmp_path / "bin", ASKED)}

    def push(*what: str) -> tuple[Ended, list[str]]:
        asked.unlink(missing_ok=True)
        ended = run(root, "git", "push", "--quiet", "origin", *what, env=env)
        return ended, asked.read_text().splitlines() if asked.exists() else []

    return root, push


def test_the_hook_gates_what_is_pushed_against_what_the_remote_has(clone):
    """Each branch against its own; a new one against where it left the others; nothing else at all."""
    root, push = clone
    first = git(root, "rev-parse", "HEAD")
    second = commit(root, {"README": "2"})
    ended, asked = push("main")
    assert (0, [f":gate {first} {second} --max-time 5m"]) == (ended.code, asked), ended.text
    git(root, "switch", "--quiet", "--create", "new", first)
    third = commit(root, {"NEWS": "3"})
    assert [f":gate {first} {third} --max-time 5m"] == push("new")[1]
    git(root, "branch", "same", second)
    git(root, "tag", "v1")
    for quiet in ("same", "v1", ":same"):  # a branch where another is, a tag, a branch that is deleted
        ended, asked = push(quiet)
        assert (0, []) == (ended.code, asked), ended.text
    fourth = commit(root, {"NEWS": "4"})
    git(root, "switch", "--quiet", "main")
    fifth = commit(root, {"README": "5"})
    assert [f":gate {second} {fifth} --max-time 5m", f":gate {third} {fourth} --max-time 5m"] == sorted(
        push("main", "new")[1], key=lambda line: line.split()[1] != second
    )


def test_the_hook_refuses_what_the_gate_refuses(clone, tmp_path):
    """The remote's branch stays where it is."""
    root, push = clone
    commit(root, {"README": "2"})
    (tmp_path / "asked.slow").touch()
    ended, _ = push("main")
    assert ended.code != 0
    assert "main: not pushed, says laptime gate (exit code 1)" in ended.text
    assert git(tmp_path / "origin.git", "rev-parse", "main") != git(root, "rev-parse", "main")


def test_the_hook_gates_a_forced_push_against_where_the_histories_part(clone, tmp_path):
    """What others pushed meanwhile was never fetched; and where the remote has nothing at all, nothing is gated."""
    root, push = clone
    first = git(root, "rev-parse", "HEAD")
    git(tmp_path, "clone", "--quiet", "origin.git", "other")
    commit(tmp_path / "other", {"README": "theirs"})
    git(tmp_path / "other", "push", "--quiet", "origin", "main")
    ours = commit(root, {"README": "ours"})
    ended, asked = push("--force", "main")
    assert (0, [f":gate {first} {ours} --max-time 5m"]) == (ended.code, asked), ended.text
    git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    git(root, "remote", "set-url", "origin", str(tmp_path / "empty.git"))
    git(root, "update-ref", "-d", "refs/remotes/origin/main")
    git(root, "update-ref", "-d", "refs/remotes/origin/HEAD")
    ended, asked = push("main")
    assert (0, []) == (ended.code, asked), ended.text
    assert "main: not gated: nothing that origin has is known here to compare it with" in ended.text


@pytest.mark.slow
def test_the_hook_and_a_real_gate(tmp_path):
    """A wrong answer is not pushed; what changes no code under test is. Neither takes a block."""
    origin, root = tmp_path / "origin.git", tmp_path / "project"
    settings = PROJECT["pyproject.toml"] + '\n    [tool.laptime.gate]\n    max_time = "0.1s"\n'
    project(root, {"pyproject.toml": settings}, {})
    git(tmp_path, "clone", "--quiet", "--bare", "project", str(origin))
    git(root, "remote", "add", "origin", str(origin))
    git(root, "fetch", "--quiet", "origin")
    hook = (DOCS / "pre-push").read_text().replace(" --max-time 5m", " --no-history")
    (root / ".git" / "hooks" / "pre-push").write_text(hook)
    (root / ".git" / "hooks" / "pre-push").chmod(0o755)
    command = program(tmp_path / "bin", f'exec {shlex.join(GATE[:-1])} "$@"')
    env = {**NOBODY, **QUICK, "PATH": command}
    commit(root, {"benchmarks/test_thing.py": BENCHMARK + "    # a comment\n"})
    accepted = run(root, "git", "push", "origin", "main", env=env)
    assert accepted.code == 0, accepted.text
    assert "1 unchanged" in accepted.text
    commit(root, {"thing/__init__.py": "def work():\n    return 0\n"})
    refused = run(root, "git", "push", "origin", "main", env=env)
    assert refused.code != 0, refused.text
    assert "1 broken" in refused.text
    assert git(origin, "rev-parse", "main") == git(root, "rev-parse", "main~1")


# a bisection


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("gate", "main", "--bisect"), SKIP),  # no repository
        (("gate", "main", "--bise"), SKIP),  # argparse takes the beginning of an option for the whole
        (("gate", "main", "--bi", "--max-time=soon"), ABORT),
        (("gate", "main", "--bisect", "--no-such-option"), ABORT),
        (("gate", "main", "--bisect", "--max-time=soon"), ABORT),
        (("gate", "main"), 2),
    ],
)
def test_an_error_is_no_bad_commit(tmp_path, monkeypatch, capsys, arguments, code):
    """`git bisect run` takes 2 for bad; a mistyped option is wrong at every commit."""
    monkeypatch.chdir(tmp_path)
    try:
        found = main(arguments)
    except SystemExit as error:
        found = error.code
    assert code == found
    assert "laptime" in capsys.readouterr().err


BROKEN_PROGRAM = """
import sys
import laptime.cli
import laptime.cli.gate
laptime.cli.gate._gated = lambda *_: 1 / 0
sys.exit(laptime.cli.main(sys.argv[1:]))
"""


def test_an_error_of_the_program_itself_is_no_bad_commit(tmp_path):
    """A traceback ends with 1, which would be one: the search ends instead, and the traceback is shown."""
    ended = run(tmp_path, sys.executable, "-c", BROKEN_PROGRAM, "gate", "main", "--bisect")
    assert ABORT == ended.code, ended.text
    assert "ZeroDivisionError" in ended.text


JUDGE = """
import sys
from pathlib import Path, PurePosixPath

import laptime.cli
from laptime.gate import session
from laptime.gate.decision.verdicts import Report, Row


class Session:
    inside = PurePosixPath()

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self):
        return Report("v1.0", "the working tree", (Row("test_work", "wall", Path("verdict").read_text()),))


session.Session = Session
sys.exit(laptime.cli.main(sys.argv[1:]))
"""
"""The command, where what it would measure stands in a file."""


def test_a_bisection_finds_who_made_it_slower(tmp_path):
    """By the command in docs/gate.md; a commit where the benchmark is broken says nothing of its speed."""
    root = tmp_path / "project"
    commit(root, {"verdict": "unchanged"})
    git(root, "tag", "v1.0")
    for verdict in ("unchanged", "broken", "unresolved", "unchanged"):
        commit(root, {"verdict": verdict}, verdict)
    guilty = commit(root, {"verdict": "regressed"}, "slower")
    commit(root, {}, "a comment")
    shown = (DOCS / "gate.md").read_text(encoding="utf-8")
    start, command = re.findall(r"^git (bisect start .*|bisect run .*-k) ?\w*$", shown, re.M)
    words = shlex.join((sys.executable, "-c", JUDGE))
    env = {**NOBODY, "PATH": program(tmp_path / "bin", f'exec {words} "$@" --no-history')}
    git(root, *start.split())
    ended = run(root, "git", *command.split(), "work", env=env)
    assert ended.code == PASS, ended.text
    assert f"{guilty} is the first bad commit" in ended.text, ended.text


def test_the_recipes_are_what_is_shown():
    """The hook is named where it is explained, and can be run."""
    assert "[docs/pre-push](pre-push)" in (DOCS / "gate.md").read_text(encoding="utf-8")
    assert os.access(DOCS / "pre-push", os.X_OK)
