"""Gates on one machine take turns."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from laptime.gate import turns
from laptime.gate.sides import side
from laptime.gate.sides.environment import current
from tests.support import HANG_LIMIT_S
from tests.support.gates import CANNOT, NO_BLOCKS, gate_started, project
from tests.support.sessions import until

HOLDER = """
    import sys
    from pathlib import Path
    from laptime.gate.turns import turn

    with turn(Path(sys.argv[1]), lambda told: print(told, flush=True)) as remarks:
        print("mine", *remarks, flush=True)
        sys.stdin.readline()
    print("over", flush=True)
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lock"
    monkeypatch.setenv(turns.VARIABLE, str(path))
    return path


@pytest.fixture
def holder(lock: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has its turn."""
    with started(tmp_path) as process:
        assert "mine\n" == process.stdout.readline()
        yield process
        process.kill()


def started(directory: Path) -> subprocess.Popen[str]:
    command = (sys.executable, "-c", dedent(HOLDER), str(directory))
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_second_says_whom_it_waits_for_and_then_has_its_turn(holder, lock, tmp_path):
    """And the file is gone in the end."""
    with started(tmp_path) as second:
        said = second.stdout.readline()
        assert re.fullmatch(
            rf"waiting for another gate on this machine: process {holder.pid} in {tmp_path}, .*\n", said
        )
        holder.communicate("\n", timeout=HANG_LIMIT_S)
        assert "mine\n" == second.stdout.readline()
        assert "over\n" == second.communicate("\n", timeout=HANG_LIMIT_S)[0]
    assert not lock.exists()


def test_who_is_killed_leaves_its_turn(holder, lock, tmp_path):
    """However: the file that stays hinders nobody."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(HANG_LIMIT_S)
    assert lock.exists()
    with started(tmp_path) as second:
        assert "mine\n" == second.stdout.readline()
        second.communicate("\n", timeout=HANG_LIMIT_S)


def test_one_at_a_time_however_many_wait(lock, tmp_path):
    """Each of them makes the file anew, or finds one that was removed meanwhile."""
    code = f"""
        import sys, os, time
        from pathlib import Path
        from laptime.gate.turns import turn

        inside = Path({str(tmp_path / "inside")!r})
        for _ in range(20):
            with turn(Path("."), lambda told: None):
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                time.sleep(0.002)
                inside.unlink()
    """
    processes = [subprocess.Popen((sys.executable, "-c", dedent(code)), stderr=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        _, error = process.communicate(timeout=HANG_LIMIT_S)
        assert process.returncode == 0, error.decode()


def test_interrupting_who_waits_disturbs_nobody(holder, lock, tmp_path):
    """Ctrl-C is heard."""
    with started(tmp_path) as second:
        assert second.stdout.readline().startswith("waiting")
        second.send_signal(signal.SIGINT)
        assert second.wait(HANG_LIMIT_S) != 0
    assert holder.poll() is None
    descriptor = os.open(lock, os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"{\xff\xfe", b'{"pid": 1}'])
def test_a_holder_that_has_not_said_who_it_is_is_waited_for_as_well(lock, content):
    """It was stopped between its first two steps, or is of another version."""
    lock.write_bytes(content)
    descriptor = os.open(lock, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    said = []

    def wait(told: str) -> None:
        said.append(told)
        os.close(descriptor)

    with turns.turn(Path.cwd(), wait) as remarks:
        assert [] == remarks
    assert ["waiting for another gate on this machine"] == said


def test_a_lock_that_somebody_removed_and_another_gate_made_anew_is_left_to_it(lock):
    """As programs do that tidy up /tmp; else a third gate would not find the second one."""
    with turns.turn(Path.cwd(), pytest.fail):
        lock.unlink()
        lock.write_text("another gate's")
    assert "another gate's" == lock.read_text()


NO_ROOM = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"


def test_on_a_full_disk_turns_are_taken_all_the_same(lock, tmp_path):
    """Who has it can't be told then; the system's limit of files' sizes stands in for the disk."""
    command = (sys.executable, "-c", NO_ROOM + dedent(HOLDER), str(tmp_path))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert "mine\n" == first.stdout.readline()
        with started(tmp_path) as second:
            assert "waiting for another gate on this machine\n" == second.stdout.readline()
            assert "over\n" == first.communicate("\n", timeout=HANG_LIMIT_S)[0]
            assert "mine\n" == second.stdout.readline()
            second.communicate("\n", timeout=HANG_LIMIT_S)


def test_a_file_that_holds_something_else_is_no_lock(lock):
    """The variable may name one by mistake: it is neither emptied nor removed."""
    lock.write_text("alias ll='ls -l'\n")
    with turns.turn(Path.cwd(), pytest.fail) as remarks:
        assert [f"{lock} can't be locked (it is no lock: it holds something else)"] == [
            one.partition(", so another")[0] for one in remarks
        ]
    assert "alias ll='ls -l'\n" == lock.read_text()


@pytest.mark.parametrize("what", ["a directory", "a link", "in no directory"])
def test_where_nothing_can_be_locked_that_is_remarked(lock, tmp_path, what):
    """A gate that can't know whether it is alone still measures: its canaries tell."""
    if what == "a directory":
        lock.mkdir()
    elif what == "a link":
        lock.symlink_to(tmp_path / "elsewhere")  # somebody's trap, in a directory that all may write to
    else:
        lock = lock / "lock"
        os.environ[turns.VARIABLE] = str(lock)
    with turns.turn(Path.cwd(), lambda told: None) as remarks:
        assert "can't be locked" in remarks[0]
        assert turns.VARIABLE in remarks[0]
    assert not (tmp_path / "elsewhere").exists()


def test_who_is_within_a_gate_does_not_wait_for_it(holder, lock, monkeypatch, tmp_path):
    """A benchmark may run one, and would wait for ever: each side is told to take no turns."""
    told = side._variables(current(), (), 1)
    assert turns.NONE == told[turns.VARIABLE]
    monkeypatch.setenv(turns.VARIABLE, told[turns.VARIABLE])
    with turns.turn(tmp_path, lambda told: pytest.fail(told)) as remarks:
        assert [] == remarks
    assert Path(turns.NONE).exists()
    assert lock.exists()


LOCKS = Path("/proc/locks")
"""What is locked, and after an arrow who waits for it (proc_locks(5))."""


def waits(pid: int) -> bool:
    return any(str(pid) in line.split() for line in LOCKS.read_text().splitlines() if "->" in line)


@pytest.mark.skipif(not LOCKS.exists(), reason="this system doesn't tell who waits for a lock")
def test_a_gate_waits_for_its_turn_and_does_not_lose_time_by_it(holder, lock, tmp_path):
    """The real command; what `--max-time` allows is counted from when it begins."""
    root = project(tmp_path / "project")

    def release(process: subprocess.Popen[bytes]) -> None:
        until(lambda: process.poll() is not None or waits(process.pid))
        holder.communicate("\n", timeout=HANG_LIMIT_S)

    ended = gate_started(root, "main", NO_BLOCKS, env={turns.VARIABLE: str(lock)}, during=release)
    assert CANNOT == ended.code, ended.text
    assert f"laptime: waiting for another gate on this machine: process {holder.pid} in" in ended.text
    assert "1 unresolved" in ended.text
