"""Whether there is an origin at all, before anything is asked of it."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from laptime import live
from tests.support import HANG_LIMIT_S
from tests.support.origins import Habit, Reply
from tests.support.sessions import closed_port


def test_an_origin_that_answers_is_reachable() -> None:
    """Whatever it answers."""
    with Habit(lambda asked: Reply(405 if asked.method == "HEAD" else 404)).serving() as url:
        live.probe("items", url)
        live.probe("items", f"{url}/gap")


@pytest.mark.parametrize("url", ["", "http://", "example", "gopher://127.0.0.1"])
def test_an_origin_that_cant_be_reached_is_named(url: str) -> None:
    """Where nothing listens, or no address is given: with the recording, or another server, as ways out."""
    with closed_port() as port:
        url = url or f"http://127.0.0.1:{port}"
        said = unreachable(url)
    assert f"items: {url} can't be reached: " == said[: len(f"items: {url} can't be reached: ")]
    assert [True, True] == [part in said for part in ("--http=replay", "--origin items=URL")]


def test_a_server_of_something_else_is_no_origin() -> None:
    """What answers, but not in HTTP, is out of reach too."""

    def babble() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(2**16)
            connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=babble)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        said = unreachable(url)
        thread.join(HANG_LIMIT_S)
    assert f"items: {url} can't be reached: " == said[: len(f"items: {url} can't be reached: ")]


def unreachable(url: str) -> str:
    """What is said of an origin that can't be reached."""
    with pytest.raises(live.Unreachable) as failed:
        live.probe("items", url)
    return str(failed.value)
