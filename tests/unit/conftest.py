"""What a unit test may not do: start a process, open a socket, or wait for a clock."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

FORBIDDEN = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "subprocess.Popen",
    "time.sleep",
}
"""Events of Python's audit hooks; `time.sleep` is one since Python 3.11."""

_testing = False


def _audit(event: str, arguments: object) -> None:
    if _testing and event in FORBIDDEN:
        raise RuntimeError(f"a unit test touches no process, socket or clock: {event}; it belongs in tests/integration")


sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def _unit() -> Iterator[None]:
    global _testing
    _testing = True
    yield
    _testing = False
