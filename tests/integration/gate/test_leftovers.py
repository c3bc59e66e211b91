"""What a gate leaves of itself, however it ends: nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import HANG_LIMIT_S, outside_pytest
from tests.support.gates import (
    BENCHMARK,
    CANNOT,
    FAIL,
    GATE,
    NO_BLOCKS,
    NOBODY,
    QUICK,
    commit,
    gate_started,
    git,
    processes_in,
    project,
    state,
    verdicts,
)
from tests.support.sessions import until

WAITS = """
    import os, time
    from pathlib import Path

    import pytest, thing

    def test_broken(benchmark):
        assert benchmark(thing.work) == 0, "a known failure"

    def test_waits(benchmark):
        benchmark(thing.work)
        started = Path(os.environ["STARTED"])
        started.touch()
        time.sleep(600)
"""


@pytest.fixture
def waiting(tmp_path) -> tuple[Path, dict[str, str], Path]:
    """A project with a benchmark that does not end, its environment, and the file that it makes."""
    root = project(tmp_path / "project", {"benchmarks/test_thing.py": WAITS})
    (tmp_path / "temporary").mkdir()
    started = tmp_path / "started"
    return root, {"STARTED": str(started), "TMPDIR": str(tmp_path / "temporary")}, started


@pytest.mark.parametrize(
    ("number", "times"), [pytest.param(signal.SIGINT, 2, marks=pytest.mark.slow), (signal.SIGTERM, 1)]
)
def test_an_interrupted_gate_says_what_it_knows_and_leaves_nothing(waiting, tmp_path, number, times):
    """In the middle of a round, while one side stands still; in its outputs too."""
    root, env, started = waiting
    before = state(root)

    def interrupt(process: subprocess.Popen[bytes]) -> None:
        until(lambda: started.exists() or process.poll() is not None)
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.1)

    written = tmp_path / "gate.json"
    ended = gate_started(root, "main", NO_BLOCKS, f"--output={written}", env=env, during=interrupt)
    assert "Traceback" not in ended.text
    assert "interrupted" in ended.text
    if times == 1:
        found = json.loads(written.read_text())
        assert (FAIL, True) == (found["exit_code"], found["interrupted"])
        assert FAIL == ended.code, ended.text
        assert {"test_broken": "broken"} == verdicts(ended), ended.text
    assert ended.code in (FAIL, CANNOT, -number), ended.text  # who is hit again at the very end dies of it
    assert [] == list(Path(env["TMPDIR"]).iterdir())
    assert before == state(root)


def test_a_killed_gate_leaves_nothing(waiting, tmp_path):
    """Neither processes, of which one stands still, nor files, nor what an earlier gate wrote."""
    root, env, started = waiting
    before = state(root)
    temporary = Path(env["TMPDIR"])
    written = tmp_path / "gate.json"
    written.write_text("of an earlier gate")

    def kill(process: subprocess.Popen[bytes]) -> None:
        until(lambda: started.exists() or process.poll() is not None)
        assert processes_in(temporary)
        process.kill()

    ended = gate_started(root, "main", NO_BLOCKS, f"--output={written}", env=env, during=kill)
    assert -signal.SIGKILL == ended.code, ended.text
    assert not written.exists()
    until(lambda: not processes_in(temporary) and not list(temporary.iterdir()))
    assert before == state(root)


LITTLE_ROOM = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize("head", [(), ("main",)], ids=["working tree", "commit"])
def test_without_room_for_the_files_nothing_is_measured_and_nothing_left(tmp_path, head):
    """The system's limit of files' sizes stands in for a full disk; it is the same error to whom it meets."""
    root = project(tmp_path / "project", {"large": "x" * 200_000})
    git(root, "tag", "v1")
    commit(root, {})
    ended = subprocess.run(
        (sys.executable, "-c", LITTLE_ROOM, *GATE[1:], "v1", *head),
        cwd=root,
        env={**outside_pytest(), **NOBODY, **QUICK, "TMPDIR": str(tmp_path)},
        text=True,
        capture_output=True,
        timeout=HANG_LIMIT_S,
        check=False,
    )
    assert CANNOT == ended.returncode, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "can't be written to" in ended.stderr
    assert ["project"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.slow
def test_two_gates_at_once_are_no_trouble_though_nobody_reads_one(tmp_path):
    """Each has files and processes of its own; a reader that left (`| head -1`) makes no pass of a failure."""
    root = project(tmp_path / "project", {"benchmarks/test_thing.py": BENCHMARK + "        assert False\n"})
    before = state(root)
    other = []

    def another(_: subprocess.Popen[bytes]) -> None:  # of which nobody reads a word
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb") as closed:  # noqa: PTH123 (a descriptor)
            other.append(
                subprocess.run(
                    (*GATE, "--no-history", "main", NO_BLOCKS),
                    cwd=root,
                    env={**outside_pytest(), **NOBODY, **QUICK},
                    stdout=closed,
                    stderr=closed,
                    timeout=HANG_LIMIT_S,
                    check=False,
                )
            )

    ended = gate_started(root, "main", NO_BLOCKS, during=another)
    assert {"test_work": "broken"} == verdicts(ended), ended.text
    assert [FAIL, FAIL] == [ended.code, other[0].returncode], ended.text
    assert before == state(root)
