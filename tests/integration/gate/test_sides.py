"""What a gate is protected from: benchmarks that write to its sockets, leave their process group, freeze time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from laptime import child
from laptime.gate.sides import trees
from laptime.gate.sides.channel import Channel, Garbled
from laptime.gate.sides.reaper import Reaper, kill_strays
from laptime.plugin.lockstep.side import canary
from tests.support import HANG_LIMIT_S
from tests.support.gates import commit, git
from tests.support.sessions import until

# the conversation


@pytest.mark.parametrize("line", [b"garbage", b"", b"\xff", b"[1]", b"7", b'{"say": "ro'])
def test_what_is_no_message_is_told_from_one(line):
    """A benchmark may write to any file that is open: that is no error of this program."""
    ours, theirs = socket.socketpair()
    with theirs, closing(Channel(ours)) as channel:
        theirs.sendall(line + b"\n")
        with pytest.raises(Garbled):
            channel.receive(HANG_LIMIT_S)


# what left its process group

SLEEPS = (sys.executable, "-c", "print(flush=True); import time; time.sleep(600)")


@pytest.fixture
def stray(tmp_path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that a benchmark of HEAD started in a session of its own."""
    marked = {**os.environ, child.SIDE: str(tmp_path / "gate" / "log" / "HEAD")}
    with subprocess.Popen(SLEEPS, env=marked, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline()
        yield process
        process.kill()


needs_environments = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="none are shown here")


@needs_environments
def test_what_left_its_process_group_ends_with_its_side(stray, tmp_path):
    """Where it is known by its environment, and not with another side."""
    kill_strays(str(tmp_path / "gate" / "log" / "BASE"))
    kill_strays(str(tmp_path / "another" / "log" / "HEAD"))
    time.sleep(0.05)
    assert stray.poll() is None
    kill_strays(str(tmp_path / "gate" / "log" / "HEAD"))
    assert stray.wait(HANG_LIMIT_S) != 0


@needs_environments
def test_what_left_its_process_group_ends_with_a_gate_that_was_killed(stray, tmp_path):
    """The reaper finds it, of whichever side it is."""
    (tmp_path / "gate").mkdir()
    Reaper(tmp_path / "gate").close()
    until(lambda: stray.poll() is not None)
    assert not (tmp_path / "gate").exists()


@needs_environments
def test_what_ends_by_itself_is_nobodys_stray(tmp_path, monkeypatch):
    """A gate within a benchmark has a reaper, which must outlive it."""
    monkeypatch.setenv(child.SIDE, str(tmp_path))
    process = child.start(SLEEPS)
    try:
        assert process.stdout.readline()
        kill_strays(str(tmp_path))
        time.sleep(0.05)
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


# clocks


def test_a_test_that_leaves_time_frozen_freezes_no_canary(monkeypatch):
    """Its rounds would take no time at all."""
    for name in ("perf_counter", "process_time", "monotonic", "time"):
        monkeypatch.setattr(time, name, lambda: 5.0)
    assert canary().wall_s > 0


# revisions


def test_commits_that_head_lacks_are_remarked(tmp_path):
    """What they made faster looks like a slowdown of HEAD; a shallow clone can't know of them."""
    root = tmp_path / "project"
    commit(root, {"a": "1"})
    git(root, "branch", "lags-behind")
    commit(root, {"a": "2"})

    def said(base: str, head: str | None, where: Path = root) -> list[str]:
        return trees.parted(where, trees.base_revision(where, base), trees.head_revision(where, head))

    assert [] == said("lags-behind", None)
    assert [] == said("main", "main")
    assert [] == said("main", None)
    (remark,) = said("main", "lags-behind")
    assert "has commits that lags-behind" in remark
    assert "`git merge-base main lags-behind`" in remark
    git(root, "switch", "--quiet", "lags-behind")
    (remark,) = said("main", None)
    assert "`git merge-base main HEAD`" in remark
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{root}", "clone")
    assert [] == said("origin/main", None, tmp_path / "clone")
