"""Recordings in a process of their own: ended by a signal, watched at a terminal, or made by a worker of xdist."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from laptime.cassette import load, sidecar_path
from laptime.record import PASSES
from tests.support import Exchange, contents, write_cassette
from tests.support.here import pytest as pytest_here
from tests.support.origins import Asked, Habit, Reply, always
from tests.support.sessions import CUT_SHORT, OK, PLAIN, PYTEST, interrupt_after, run, until, write
from tests.support.sessions import pytest as pytest_in

TARGETS = ("/a", "/b", "/c")
STEPS = [f"shop: asked {number} requests" for number in range(1, 4)] + [
    f"shop: timed {number} of {3 * PASSES} requests" for number in range(1, 3 * PASSES + 1)
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A test that records three requests."""
    suite = """
        import urllib.request
        from pathlib import Path

        import pytest

        def ask(url):
            for target in ("/a", "/b", "/c"):
                urllib.request.urlopen(url + target, timeout=60).close()

        @pytest.mark.laptime_record
        def test_shop(record):
            record("shop", Path(__file__).parent / "pairs" / "shop.yaml", "https://shop.test", ask)
    """
    (tmp_path / "pairs").mkdir()
    return write(tmp_path, test_record=suite)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_session_that_is_ended_leaves_the_old_pair(project: Path, number: signal.Signals) -> None:
    """By Ctrl-C, with nothing beside it, or by a kill, after which the next session records, and tidies up."""
    pairs, started = project / "pairs", project / "started"
    path = write_cassette(pairs / "shop.yaml", Exchange())
    before, old = contents(pairs), load(path)

    def answer(asked: Asked) -> Reply:
        if asked.visit == len(TARGETS) + 1:  # while it times
            started.touch()
            until(lambda: not started.exists())
        return Reply()

    def during(process: subprocess.Popen[bytes]) -> None:
        interrupt_after(started, number)(process)
        if number == signal.SIGKILL:
            until(lambda: process.poll() is not None)

    with Habit(answer).serving() as url:
        ended = pytest_in(project, "--http=record", f"--origin=shop={url}", during=during)
        started.unlink()
        left = {name: one for name, one in contents(pairs).items() if not name.startswith(".")}
        assert (before, old) == (left, load(path)), ended.text
        if number == signal.SIGKILL:
            assert -number == ended.code
            assert OK == pytest_here(project, "--http=record", f"--origin=shop={url}").code
            assert [f"{url}{target}" for target in TARGETS] == [one.uri for one in load(path).interactions]
        else:
            assert CUT_SHORT == ended.code
    assert {path, sidecar_path(path)} == set(pairs.iterdir())


def test_on_a_terminal_progress_is_written_over(project: Path) -> None:
    """Each step in the place of the one before, and at the end the line of the recording in the place of the last."""
    on_a_terminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    with Habit(always()).serving() as url:
        command = [*PYTEST, *PLAIN, "--no-history", "--http=record", f"--origin=shop={url}"]
        environment = {"TERM": "xterm-256color", "COLUMNS": "120", "NO_COLOR": "1"}
        ended = run(project, sys.executable, "-c", on_a_terminal, *command, env=environment)
    assert OK == ended.code, ended.text
    written_over = [part.strip() for part in ended.text.replace("\r\n", "\n").split("\r")]
    assert STEPS == [part for part in written_over if re.match(r"shop: (asked|timed) ", part)]
    assert written_over[-1].startswith(f"recorded {project}/pairs/shop.yaml: 3 requests")


def test_progress_goes_nowhere_in_a_quiet_worker(project: Path) -> None:
    """Under xdist there is no terminal to write to; the recording is made all the same."""
    with Habit(always()).serving() as url:
        ended = pytest_in(project, "--http=record", f"--origin=shop={url}", "-n", "1")
    assert OK == ended.code, ended.text
    loaded = load(project / "pairs" / "shop.yaml")
    assert [f"{url}{target}" for target in TARGETS] == [one.uri for one in loaded.interactions]
