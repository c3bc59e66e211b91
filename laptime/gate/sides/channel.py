"""What the gate and its sides say to each other, JSON in lines over a socket; and what a side is started with."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import asdict, dataclass
from typing import Any, Self

_PIECE = 2**16
_SHOWN = 100


class Closed(Exception):
    """The other end is gone."""


class TimedOut(Exception):
    """Nothing came in time."""


class Garbled(Exception):
    """What came is no message: somebody else wrote there."""


class Channel:
    """One end."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._received = b""

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    @property
    def has_line(self) -> bool:
        """Whether a message is there without waiting."""
        return b"\n" in self._received

    def send(self, **message: Any) -> None:
        """Raises `Closed`."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Closed(str(error)) from error

    def receive(self, limit_s: float | None = None) -> dict[str, Any]:
        """The next message. Raises `Closed`, `Garbled`, and `TimedOut` after `limit_s`."""
        give_up_at = None if limit_s is None else time.monotonic() + limit_s
        while not self.has_line:
            left_s = None if give_up_at is None else give_up_at - time.monotonic()
            if left_s is not None and left_s <= 0:
                raise TimedOut
            self._socket.settimeout(left_s)
            try:
                data = self._socket.recv(_PIECE)
            except TimeoutError:
                raise TimedOut from None
            except OSError as error:
                raise Closed(str(error)) from error
            finally:
                self._socket.settimeout(None)
            if not data:
                raise Closed("it is gone")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return _message(line)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _message(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Garbled(repr(line[:_SHOWN]))
    return found


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a side is started with.

    fd         its end of the channel
    cpus       that its tests run on; None: as it is
    at_first   the CPUs until the tests begin: both sides start at the same time, and need not wait for each other
    arguments  for pytest
    roots      directories from which its code is imported, before all others
    benchmarks what to run, by node id, in this order; None: only say what there is
    """

    fd: int
    cpus: tuple[int, ...] | None
    at_first: tuple[int, ...] | None
    arguments: tuple[str, ...]
    roots: tuple[str, ...]
    benchmarks: tuple[str, ...] | None

    def dumps(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Self:
        """What `dumps` wrote."""
        found: dict[str, Any] = json.loads(text)
        given: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in found.items()}
        return cls(**given)
