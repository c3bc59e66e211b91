"""The server's process: how it starts, ends, dies and is missed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
import requests

from laptime.replay import Latency, ReplayDied, ReplayServer, process
from tests.support import (
    HANG_LIMIT_S,
    SITE,
    Exchange,
    Serve,
    Wire,
    bodies,
    complete,
    ended,
    is_running,
    timing,
    write_cassette,
)


def test_a_closed_server_is_gone(tmp_path: Path) -> None:
    """Its process, its ports, and the connections that were waiting for an answer."""
    path = write_cassette(tmp_path / "a.yaml", Exchange(passes=[timing(600_000)] * 5))
    with ReplayServer() as server:
        stage = server.load(path, Latency("recorded"))
        wire = Wire(stage.url())
        wire.ask("/")
    with wire:
        assert b"" == wire.rest()
    assert not psutil.pid_exists(server.pid)
    with pytest.raises(ConnectionRefusedError):
        Wire(stage.url())


def test_a_server_may_be_closed_twice() -> None:
    """The second time nothing happens."""
    server = ReplayServer()
    server.close()
    server.close()
    assert not psutil.pid_exists(server.pid)


def test_a_server_is_closed_where_the_test_fails() -> None:
    """An error in the block ends it like any other end."""
    with pytest.raises(ArithmeticError), ReplayServer() as server:
        raise ArithmeticError
    assert not psutil.pid_exists(server.pid)


def test_a_closed_server_answers_nothing(tmp_path: Path) -> None:
    """A stage that outlived its server says that it is gone."""
    with ReplayServer() as server:
        stage = server.load(write_cassette(tmp_path / "a.yaml", Exchange()), Latency("none"))
    with pytest.raises(ReplayDied, match="is gone"):
        stage.begin()


def test_a_server_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked first, then made to: here it is stopped, so that it can't hear."""
    monkeypatch.setattr(process, "STOP_LIMIT_S", 0.1)
    with ReplayServer() as server:
        os.kill(server.pid, signal.SIGSTOP)
    assert not psutil.pid_exists(server.pid)


@pytest.mark.parametrize("command", ["begin", "end"])
def test_a_server_that_was_killed_is_missed(tmp_path: Path, command: str) -> None:
    """The next command says that it is gone, and by what signal."""
    with ReplayServer() as server:
        stage = server.load(write_cassette(tmp_path / "a.yaml", Exchange()), Latency("none"))
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ReplayDied, match=r"is gone.*SIGKILL"):
            getattr(stage, command)()


def test_waiting_for_a_server_ends_when_it_does() -> None:
    """However it ends."""
    with ReplayServer() as server:
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ReplayDied, match=r"is gone.*SIGKILL"):
            server.wait()


def test_a_server_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit the error names the command."""
    with ReplayServer() as server:
        stage = server.load(write_cassette(tmp_path / "a.yaml", Exchange()), Latency("none"))
        monkeypatch.setattr(process, "ANSWER_LIMIT_S", 0.1)
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(ReplayDied, match=r"did not answer 'begin' within 0.1 s \(still running\)"):
            stage.begin()
        os.kill(server.pid, signal.SIGCONT)


def test_an_answer_that_came_too_late_is_not_taken_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that was not waited for to its end, as where somebody pressed Ctrl-C."""
    with ReplayServer() as server:
        stage = Serve(server, tmp_path)(Exchange())
        bodies(stage, "/")
        with monkeypatch.context() as impatient:
            impatient.setattr(process, "ANSWER_LIMIT_S", 0.01)
            os.kill(server.pid, signal.SIGSTOP)
            with pytest.raises(ReplayDied, match=r"did not answer 'log'"):
                stage.take_log()
            os.kill(server.pid, signal.SIGCONT)
        assert {"GET /": 1} == stage.end().requests
        stage.begin()
        assert {} == stage.end().requests


def children() -> set[int]:
    """The processes that this one started and that still run."""
    return {child.pid for child in psutil.Process().children() if is_running(child.pid)}


def test_a_server_that_fails_to_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has its exit code and its own words, and nothing is left of it."""
    fail = "import sys; print('the loop is out of order', file=sys.stderr); sys.exit(3)"
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", fail))
    before = children()
    with pytest.raises(ReplayDied) as died:
        ReplayServer()
    said = "the replay server never became ready (exit code 3). Its own words:\nthe loop is out of order"
    assert said == str(died.value)
    assert before == children()


def test_a_server_that_never_starts_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit it is ended, and nothing is left of it."""
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(process, "START_LIMIT_S", 0.1)
    monkeypatch.setattr(process, "STOP_LIMIT_S", 0.1)
    before = children()
    with pytest.raises(ReplayDied) as died:
        ReplayServer()
    assert "the replay server never became ready within 0.1 s (still running). Its own words:\n(none)" == (
        str(died.value)
    )
    assert before == children()


ALONE = "server = ReplayServer(); print(server.pid, flush=True)"


FORKED = "server = ReplayServer(); child = os.fork(); print(server.pid, child, flush=True) if child else None"


@pytest.mark.parametrize("start", [ALONE, FORKED], ids=["alone", "with a forked worker"])
def test_a_server_ends_with_the_process_that_started_it(start: str) -> None:
    """Even where that is killed, and even where a forked worker of it lives on and holds the server's input."""
    program = f"import os, time\nfrom laptime.replay import ReplayServer\n{start}\ntime.sleep(600)"
    others: Sequence[int] = ()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            server, *others = map(int, parent.stdout.readline().split())
            assert is_running(server)
        finally:
            parent.kill()
        try:
            assert ended(server)
        finally:
            for other in others:
                os.kill(other, signal.SIGKILL)


def test_a_server_is_told_in_json(tmp_path: Path) -> None:
    """One line for each command and each answer; an unknown command is an answer, and the end of input is its end."""
    path = write_cassette(tmp_path / "a.yaml", Exchange())
    load_it = {"do": "load", "path": str(path), "latency": "none", "port": 0, "tls": None, "limits": {}}
    commands = [{"do": "sing"}, load_it]
    told = "".join(json.dumps(command) + "\n" for command in commands)
    ran = subprocess.run(process.COMMAND, input=told, capture_output=True, text=True, timeout=HANG_LIMIT_S, check=True)
    ready, unknown, loaded = map(json.loads, ran.stdout.splitlines())
    assert {"ready": True} == ready
    assert "no such command: 'sing'" == unknown["message"]
    assert ([SITE], 5, "none") == (list(loaded["urls"]), loaded["passes"], loaded["latency"])


def test_who_is_being_answered_when_the_server_dies_is_not_kept_waiting(tmp_path: Path) -> None:
    """Clients get an error or an end, and the one who runs it all is told."""
    half = Exchange(f"{SITE}/half", body="x" * 100, passes=[timing(0, chunks=[(0.0, 50), (600_000.0, 50)])] * 5)
    with ReplayServer() as server, ExitStack() as opened:
        stage = Serve(server, tmp_path)(Exchange(passes=[timing(600_000)] * 5), half)
        wires = [opened.enter_context(Wire(stage.url())) for _ in range(20)]
        for number, wire in enumerate(wires):
            wire.ask("/half" if number % 2 else "/")
        for wire in wires[1::2]:
            wire.until(b"x" * 50)

        def client() -> object:
            with pytest.raises(requests.ConnectionError) as failed:
                requests.get(stage.url(), timeout=HANG_LIMIT_S)
            return failed.value

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(client) for _ in range(4)]
            with Wire(stage.url()) as last:
                last.ask("/unknown")
                last.until(b"599")
            os.kill(server.pid, signal.SIGKILL)
            assert [] == [one.result() for one in asking if not isinstance(one.result(), requests.ConnectionError)]
        for wire in wires:
            with suppress(ConnectionResetError):
                assert not complete(wire.rest())
        with pytest.raises(ReplayDied, match=r"is gone.*SIGKILL"):
            stage.end()
