"""The handle on the replay server's process: start it, load cassettes, begin and end rounds, stop it.

Every answer is waited for with a time limit. A server that died, or that doesn't answer, raises `ReplayDied`
with what it wrote to its standard error.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from laptime import child
from laptime.cassette import CassetteError, Interaction, load
from laptime.replay.latency import Latency, LatencyError
from laptime.replay.limits import LimitsError
from laptime.replay.tls import Authority
from laptime.replay.visit import Visit

START_LIMIT_S = 20.0
ANSWER_LIMIT_S = 30.0
STOP_LIMIT_S = 5.0
_STDERR_TAIL = 4000

COMMAND = (sys.executable, "-m", "laptime.replay.server")


_ERRORS: dict[str, type[Exception]] = {error.__name__: error for error in (CassetteError, LatencyError, LimitsError)}


class ReplayDied(Exception):
    """The replay server is gone, or doesn't answer: nothing that was being measured can be trusted."""


class Served(NamedTuple):
    """What a stage served in one round.

    requests   ``GET /path`` -> how many responses were written to the end
    unmatched  requests that were not recorded, in order of arrival
    refused    what was no request (``400 Bad Request: …``), or found no room
    log        a visit for each answer, in order of completion, where it was asked for
    """

    requests: dict[str, int]
    unmatched: list[str]
    refused: list[str]
    log: list[Visit]


class Response(NamedTuple):
    """A recorded response, its body decoded."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Stage:
    """One cassette, being served.

    passes   how many recorded passes there are to play (1 without a side-car)
    latency  the pace, as written
    origins  the URL that stands for each recorded origin
    ca_file  the certificate that a client must trust; None without TLS
    limits   of its origins, as written
    """

    path: Path
    sha256: str
    passes: int
    latency: str
    origins: Mapping[str, str]
    ca_file: Path | None
    limits: str
    _number: int
    _server: Handle

    def url(self, origin: str | None = None) -> str:
        """The base URL that stands for a recorded origin (which may be left out where there is only one).

        Raises `KeyError` with the recorded origins where this is none of them.
        """
        if origin is None and len(self.origins) == 1:
            return next(iter(self.origins.values()))
        try:
            return self.origins[origin or ""]
        except KeyError:
            raise KeyError(f"{self.path}: origin {origin!r}; recorded are: {', '.join(self.origins)}") from None

    def responses(self, method: str = "GET", origin: str | None = None) -> dict[str, Response]:
        """The recorded responses to a method by path and query, decoded; of a repeated request the first.

        `origin` may be left out where there is only one.
        """
        self.url(origin)
        return _responses(self.path, self.sha256, method, origin or next(iter(self.origins)))

    def interactions(self) -> tuple[Interaction, ...]:
        """All that was recorded, in order."""
        return _interactions(self.path, self.sha256)

    def interactions_if_there(self) -> tuple[Interaction, ...]:
        """As `interactions`; nothing where the file was changed or removed meanwhile."""
        try:
            return self.interactions()
        except CassetteError:
            return ()

    def begin(self, round_number: int = 0) -> None:
        """Start a round: count from nothing, and play recorded pass `round_number` mod `passes`."""
        if self._server.before_round is not None:
            self._server.before_round(self)
        self._server.ask(do="begin", stage=self._number, round=round_number)

    def end(self, *, log: bool = False) -> Served:
        """What was served since `begin`; with its log where that is asked for."""
        answer = self._server.ask(do="end", stage=self._number, log=log)
        return Served(
            answer["served"], answer["unmatched"], answer["refused"], [Visit(*visit) for visit in answer["log"]]
        )

    def close(self) -> None:
        """Serve it no longer: its ports are free again, and its connections end with their clients."""
        self._server.ask(do="close", stage=self._number)

    def take_log(self) -> list[Visit]:
        """The visits since the round began, or since this was last asked, in order of completion."""
        return [Visit(*visit) for visit in self._server.ask(do="log", stage=self._number)["log"]]


@lru_cache(maxsize=8)
def _interactions(path: Path, sha256: str) -> tuple[Interaction, ...]:
    """Read once for each content of a file."""
    cassette = load(path)
    if cassette.sha256 != sha256:
        raise CassetteError(f"{path}: was changed while it was being played; run again")
    return cassette.interactions


@lru_cache(maxsize=8)
def _responses(path: Path, sha256: str, method: str, origin: str) -> dict[str, Response]:
    found: dict[str, Response] = {}
    for interaction in _interactions(path, sha256):
        if (interaction.method, interaction.origin) == (method, origin):
            found.setdefault(interaction.target, Response(interaction.status, interaction.content.plain))
    return found


class Handle(ABC):
    """What a session needs of a server, wherever its process is: load cassettes, begin rounds, ask.

    before_round  called before each round begins, while what is logged of the last one is still there
    """

    def __init__(self) -> None:
        self.before_round: Callable[[Stage], object] | None = None
        self._tls: Authority | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id, where it is a child of this process."""
        return None

    def load(
        self,
        path: Path,
        latency: Latency,
        port: int = 0,
        *,
        tls: bool = False,
        limits: str | Mapping[str, str] = "",
    ) -> Stage:
        """Serve a cassette, one port per recorded origin (from `port` on, or any that are free).

        tls     over TLS; `Stage.ca_file` is what a client must trust
        limits  of each origin (``concurrent:4,rate:10:429``), or by recorded origin (``*`` is all others)

        Raises `CassetteError` where it can't be used, `LimitsError`, and `OSError` where a port is taken.
        """
        if tls and self._tls is None:
            self._tls = Authority()
        answer = self.ask(
            do="load",
            path=str(path),
            latency=str(latency),
            port=port,
            tls={"certificate": str(self._tls.certificate)} if tls and self._tls else None,
            limits={"*": limits} if isinstance(limits, str) else dict(limits),
        )
        return Stage(
            path=path,
            sha256=answer["sha256"],
            passes=answer["passes"],
            latency=answer["latency"],
            origins=answer["urls"],
            ca_file=self._tls.ca_file if tls and self._tls else None,
            limits=limits if isinstance(limits, str) else " ".join(f"{one}={text}" for one, text in limits.items()),
            _number=answer["stage"],
            _server=self,
        )

    def begin(self) -> None:
        """Start a round of every stage: count from nothing, and play the first recorded pass."""
        self.ask(do="begin", stage=None, round=0)

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send one command and return its answer."""
        answer = self.exchange(command)
        if "error" in answer:
            raise _ERRORS.get(answer["error"], OSError)(answer["message"])
        return answer

    @abstractmethod
    def exchange(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The same, where an error that the server answers is returned as it is. Raises `ReplayDied`."""

    def close(self) -> None:
        """Need it no longer."""
        if self._tls is not None:
            self._tls.close()


class ReplayServer(Handle):
    """The server's process; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        super().__init__()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._process = child.start(COMMAND, self._stderr)
        self._answers = b""
        self._asked = 0
        try:
            self._read(START_LIMIT_S, "never became ready")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def exchange(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Send one command and return its answer; of an error, what the server says of it."""
        stdin = self._process.stdin
        assert stdin is not None
        self._asked += 1
        try:
            stdin.write(json.dumps({**command, "number": self._asked}).encode() + b"\n")
            stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._died("is gone") from None
        while True:  # an answer to what was asked before, and not waited for to the end, may come first
            answer = self._read(ANSWER_LIMIT_S, f"did not answer {command['do']!r}")
            if answer["number"] == self._asked:
                return answer

    def wait(self, limit_s: float | None = None) -> None:
        """Wait for as long as the server lives, or until the limit. Raises `ReplayDied` when it doesn't any more."""
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return
        raise self._died("is gone")

    def close(self) -> None:
        """End the process: ask, then insist."""
        child.end(self._process, STOP_LIMIT_S)
        self._stderr.close()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, limit_s: float, complaint: str) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        give_up_at = time.monotonic() + limit_s
        while b"\n" not in self._answers:
            left_s = give_up_at - time.monotonic()
            if left_s <= 0 or not select.select([stdout], [], [], left_s)[0]:
                raise self._died(f"{complaint} within {limit_s:g} s")
            data = os.read(stdout.fileno(), 2**16)
            if not data:
                raise self._died(complaint if limit_s == START_LIMIT_S else "is gone")
            self._answers += data
        line, _, self._answers = self._answers.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self, complaint: str) -> ReplayDied:
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            how = "still running"
        else:
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        said = ""
        if not self._stderr.closed:
            self._stderr.seek(0)
            said = self._stderr.read()[-_STDERR_TAIL:].decode(errors="replace").strip()
        return ReplayDied(f"the replay server {complaint} ({how}). Its own words:\n{said or '(none)'}")
