"""Whoever checks, serves or replays a cassette leaves it as it is: only recordings write."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from laptime.cassette import CassetteError, load
from tests.support import HANG_LIMIT_S, PASSES, Exchange, contents, timing, write_cassette
from tests.support.cassettes import carry
from tests.support.here import laptime as laptime_here
from tests.support.here import pytest as pytest_here
from tests.support.sessions import PLAIN, PYTEST, Ended, until, write
from tests.support.sessions import run as run_in

OK = 0


OLD = (Exchange("http://site.test/old", body="old", passes=[timing(wait=float(wait)) for wait in range(PASSES)]),)


SUITE = """
    from collections import Counter
    from contextlib import contextmanager
    from pathlib import Path
    from urllib.request import urlopen

    HERE = Path(__file__).parent

    @contextmanager
    def asking(url):
        yield lambda: [urlopen(url + "/old", timeout=60).read()]

    def is_right(answer):
        assert [b"old"] == answer

    def test_old(replay, lap):
        stage = replay(HERE / "items.yaml")
        lap(lambda: asking(stage.url()), is_right, stage=stage, requests=Counter(["GET /old"]), rounds=(2, 2, 0.0))
"""


LAPTIME = (sys.executable, "-m", "laptime.cli")


def check(directory: Path, before: Sequence[str]) -> Ended:
    """Check the cassette."""
    return run_in(directory, *before, *LAPTIME, "check", directory / "items.yaml")


def serve_and_ask(directory: Path, before: Sequence[str]) -> Ended:
    """Serve the cassette until it was asked for, and end that."""

    def ask(process: subprocess.Popen[bytes]) -> None:
        pid = process.pid
        until(lambda: process.poll() is not None or list(listening(pid)))
        for port in listening(pid):
            assert "old" == requests.get(f"http://127.0.0.1:{port}/old", timeout=HANG_LIMIT_S).text
        process.send_signal(signal.SIGINT)

    return run_in(directory, *before, *LAPTIME, "serve", directory / "items.yaml", during=ask)


def listening(pid: int) -> Iterator[int]:
    """The ports at which a process, or one that it started, listens."""
    with suppress(psutil.NoSuchProcess):
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            for connection in process.net_connections():
                if connection.status == psutil.CONN_LISTEN:
                    yield connection.laddr.port


def replay(directory: Path, before: Sequence[str]) -> Ended:
    """Run a suite that plays the cassette."""
    return run_in(directory, *before, *PYTEST, *PLAIN, "--no-history")


def test_who_checks_serves_or_replays_writes_nothing(tmp_path: Path) -> None:
    """Where it could."""
    write_cassette(tmp_path / "items.yaml", *OLD)
    write(tmp_path, test_items=SUITE)
    held = contents(tmp_path)
    for ended in (
        laptime_here(tmp_path, "check", "items.yaml"),
        serve_and_ask(tmp_path, []),
        pytest_here(tmp_path),
    ):
        assert OK == ended.code, ended.text
        assert held == {name: one for name, one in contents(tmp_path).items() if "__pycache__" not in name}


@pytest.mark.parametrize("use", [check, serve_and_ask, replay])
def test_a_cassette_is_of_use_where_nobody_may_write(use: Callable[[Path, Sequence[str]], Ended]) -> None:
    """Neither into the files nor beside them."""
    before: list[str] = []
    if os.geteuid() == 0:  # root may write everywhere
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to be one that may not")
        before = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    with tempfile.TemporaryDirectory(prefix="laptime-test-") as name:
        directory = Path(name)
        write_cassette(directory / "items.yaml", *OLD)
        write(directory, test_items=SUITE)
        for path in directory.iterdir():
            path.chmod(0o444)
        directory.chmod(0o555)
        times = times_of(directory)
        ended = use(directory, before)
        directory.chmod(0o755)
        assert OK == ended.code, ended.text
        assert times == times_of(directory)


def times_of(directory: Path) -> list[tuple[str, int, int]]:
    """A directory and its files: their inodes, and when they were written."""
    found = [directory, *sorted(directory.iterdir())]
    return [(path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in found]


def test_looking_at_a_broken_pair_does_not_mend_it(tmp_path: Path) -> None:
    """Nor one that a killed recording left: loading it, and being told that it is broken, changes nothing."""
    path = tmp_path / "items.yaml"
    leave_replacing(path)
    (tmp_path / ".items.recording").mkdir()
    (tmp_path / ".items.recording" / "items.yaml").write_text("left behind")
    broken = write_cassette(tmp_path / "broken.yaml", *OLD)
    broken.write_bytes(broken.read_bytes() + b"\n")
    before, times = contents(tmp_path), times_of(tmp_path)
    ended = laptime_here(tmp_path, "check", path, broken)
    assert (2, True) == (ended.code, f"{path}: 1 interactions, {PASSES} timed passes" in ended.text)
    with pytest.raises(CassetteError, match=r"these timings belong to another broken\.yaml"):
        load(broken)
    assert (before, times) == (contents(tmp_path), times_of(tmp_path))


def leave_pair(path: Path) -> None:
    """An old pair."""
    write_cassette(path, *OLD)


def leave_replacing(path: Path) -> None:
    """An old pair that an earlier recording was about to replace when it was killed."""
    leave_pair(path)
    carry(path)
