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
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, NoReturn, Self

from laptime import child
from laptime.cassette import CassetteError, load
from laptime.replay import wire
from laptime.replay.latency import Latency, LatencyError

START_LIMIT_S = 20.0
ANSWER_LIMIT_S = 30.0
STOP_LIMIT_S = 5.0
_STDERR_TAIL = 4000

COMMAND = (sys.executable, "-m", "laptime.replay.server")


class ReplayDied(Exception):
    """The replay server is gone, or doesn't answer: nothing that was being measured can be trusted."""


class Served(NamedTuple):
    """What a stage served in one round.

    requests   ``GET /path`` -> how many responses were written to the end
    unmatched  requests that were not recorded, in order of arrival
    log        for each response in order of completion: request, and in `time.monotonic_ns` when it was read,
               when its head was due, when it was written, when its last byte was written
    """

    requests: dict[str, int]
    unmatched: list[str]
    log: list[tuple[str, int, int, int, int]]


class Response(NamedTuple):
    """A recorded response, its body decoded."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Stage:
    """One cassette, being served."""

    path: Path
    sha256: str
    passes: int
    latency: str
    origins: Mapping[str, str]
    _number: int
    _server: ReplayServer

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

    def responses(self) -> dict[str, Response]:
        """The recorded responses by path and query, decoded; of a repeated request the first."""
        return _responses(self.path, self.sha256)

    def begin(self, pass_number: int = 0) -> None:
        """Start a round: count from nothing, and play recorded pass `pass_number` mod `passes`."""
        self._server.ask(do="begin", stage=self._number, **{"pass": pass_number % self.passes})

    def end(self, *, log: bool = False) -> Served:
        """What was served since `begin`; with its log where that is asked for."""
        answer = self._server.ask(do="end", stage=self._number, log=log)
        return Served(answer["served"], answer["unmatched"], [tuple(entry) for entry in answer["log"]])


@lru_cache(maxsize=8)
def _responses(path: Path, sha256: str) -> dict[str, Response]:
    """Read once for each content of a file."""
    found: dict[str, Response] = {}
    for interaction in load(path).interactions:
        found.setdefault(interaction.target, Response(interaction.status, wire.plain(interaction)))
    return found


class ReplayServer:
    """The server's process; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._process = child.start(COMMAND, self._stderr)
        self._answers = b""
        try:
            self._read(START_LIMIT_S, "never became ready")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def load(self, path: Path, latency: Latency, port: int = 0) -> Stage:
        """Serve a cassette, one port per recorded origin (from `port` on, or any that are free).

        Raises `CassetteError` where it can't be used, `OSError` where a port is taken.
        """
        answer = self.ask(do="load", path=str(path), latency=str(latency), port=port)
        return Stage(
            path=path,
            sha256=answer["sha256"],
            passes=answer["passes"],
            latency=answer["latency"],
            origins={origin: f"http://127.0.0.1:{port}" for origin, port in answer["ports"].items()},
            _number=answer["stage"],
            _server=self,
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send one command and return its answer."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(command).encode() + b"\n")
            stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._died("is gone") from None
        answer = self._read(ANSWER_LIMIT_S, f"did not answer {command['do']!r}")
        if "error" in answer:
            kinds: dict[str, type[Exception]] = {"CassetteError": CassetteError, "LatencyError": LatencyError}
            raise kinds.get(answer["error"], OSError)(answer["message"])
        return answer

    def wait(self) -> NoReturn:
        """Wait for as long as the server lives. Raises `ReplayDied` when it doesn't any more."""
        self._process.wait()
        raise self._died("is gone")

    def close(self) -> None:
        """End the process: ask, then insist."""
        child.end(self._process, STOP_LIMIT_S)
        self._stderr.close()

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
