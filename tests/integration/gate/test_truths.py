"""Gates of what is known to be slower, or the same; they need the machine to themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support import HANG_LIMIT_S
from tests.support.gates import (
    FAIL,
    PASS,
    SETTINGS,
    gate,
    gate_started,
    project,
    tried,
    verdicts,
    write,
)
from tests.support.sessions import until

pytestmark = [pytest.mark.slow, pytest.mark.serial]

TRUTHS = """
    import time

    def spin(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def work():
        spin({seconds})
"""
TRUTH_BENCHMARKS = """
    import thing

    def test_called(benchmark):
        benchmark(thing.work)

    def test_pedantic(benchmark):
        benchmark.pedantic(thing.work, setup=lambda: None, rounds=5)
"""
LENIENT = """
    [tool.laptime.gate]
    limit = "30%"
"""
"""Fewer blocks tell that nothing changed by more."""


def in_src(root: Path, head: str) -> Path:
    """A project whose package is in src and is not installed; HEAD's code is what is given."""
    code = "src/thing/__init__.py"
    base = {
        "thing/__init__.py": None,
        code: TRUTHS.format(seconds=0.010),
        "benchmarks/test_thing.py": TRUTH_BENCHMARKS,
    }
    return project(root, base, {code: head})


INTENDED = """
    [[tool.laptime.gate.accept]]
    benchmark = "*::test_pedantic"
    up_to = "90%"
    why = "five more milliseconds are worth it"
    until = "2999-12-31"
"""


def test_15_ms_instead_of_10_are_a_regression_unless_they_are_intended(tmp_path):
    """Of two that both become slower, each is shown; the one that sets up each of its rounds is accepted."""
    root = in_src(tmp_path / "project", TRUTHS.format(seconds=0.015))
    write(root, {"pyproject.toml": SETTINGS + INTENDED})
    ended = tried(lambda: gate(root, "main", "--max-time=4m", "--complete"), lambda ended: ended.text)
    assert FAIL == ended.code, ended.text
    assert {"test_called": "regressed", "test_pedantic": "accepted"} == verdicts(ended), ended.text
    assert "accepted up to 90 % until 2999-12-31: five more milliseconds are worth it" in ended.text
    assert "FAILED: 1 regressed" in ended.text


def heads_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes of a gate in which pytest runs HEAD's code, now: they write into a log of that name."""
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(OSError):
            found += [child.pid] if Path(f"/proc/{child.pid}/fd/1").readlink().name == "HEAD" else []
    return found


# runs on the same CPU while that process does, and sleeps while it waits for its turn
FOLLOW = """
import os, sys, time

process = sys.argv[1]
try:
    while True:
        os.sched_setaffinity(0, os.sched_getaffinity(int(process)))
        with open(f"/proc/{process}/stat") as status:
            runs = status.read().rpartition(")")[2].split()[0] == "R"
        if not runs:
            time.sleep(0.001)
except OSError:  # it ended
    pass
"""


COLLECTED_AND_TRIED = 2
"""Pairs of sides before the first block."""


def test_a_comment_is_no_regression_whatever_begins_to_run_beside_it(tmp_path):
    """It voids blocks, and not verdicts: four of them, at its worst, which is on one side only."""
    root = in_src(tmp_path / "project", TRUTHS.format(seconds=0.010) + "    # a comment\n")
    write(root, {"pyproject.toml": SETTINGS + LENIENT})
    followers: list[subprocess.Popen[bytes]] = []

    def disturb(process: subprocess.Popen[bytes]) -> None:
        seen: set[int] = set()

        def another() -> bool:
            return process.poll() is not None or not seen.issuperset(heads_of(process))

        for block in range(COLLECTED_AND_TRIED + 2 + 4):
            until(another, limit_s=120)
            new = set(heads_of(process)) - seen
            seen.update(new)
            if block >= COLLECTED_AND_TRIED + 2:
                followers.extend(subprocess.Popen((sys.executable, "-c", FOLLOW, str(pid))) for pid in new)

    ended = gate_started(root, "main", "--max-time=4m", "-k", "called", during=disturb, limit_s=300)
    assert [0] * 4 == [follower.wait(HANG_LIMIT_S) for follower in followers]
    assert PASS == ended.code, ended.text
    assert re.search(r"\d+ blocks, [4-9] void", ended.text), ended.text
    # where little is left of the time it may end without one
    assert verdicts(ended)["test_called"] in ("unchanged", "unresolved"), ended.text
