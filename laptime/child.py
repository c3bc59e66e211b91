"""The harness's own processes: started so that they find laptime, and ended by closing their input."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

SIDE = "LAPTIME_GATE_SIDE"
"""In the environment of all that a side of a gate started: whose it is. What is started here ends by itself."""
ANSWER_LIMIT_S = 10.0


class HelperDied(Exception):
    """A process that samples beside the work is gone or doesn't answer."""


class Helper:
    """A process that answers each line with a line; a context manager that leaves nothing behind.

    called  what it is called where it died
    """

    called = "the helper"

    def __init__(self, command: Sequence[str], stop_limit_s: float) -> None:
        self._process = start(command)
        self._stop_limit_s = stop_limit_s

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def ask(self, line: str) -> str:
        """Send a line, and wait for the answer to it. Raises `HelperDied`."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(line.encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise HelperDied(f"{self.called} is gone") from None
        if not select.select([stdout], [], [], ANSWER_LIMIT_S)[0]:
            raise HelperDied(f"{self.called} did not answer within {ANSWER_LIMIT_S:g} s")
        answer = stdout.readline()
        if not answer:
            raise HelperDied(f"{self.called} is gone")
        return answer.decode().strip()

    def close(self) -> None:
        """End the process."""
        end(self._process, self._stop_limit_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def obey(sample: Callable[[frozenset[int]], str]) -> None:
    """Serve a `Helper` until the standard input ends: ``start PID…`` samples until a line comes, ``stop`` is answered.

    sample  given the process ids to leave out, says that it has begun, and returns the answer to ``stop`` in one line
    """
    answer = ""
    # read line by line, unbuffered: `select` must see what has not been read
    with os.fdopen(0, "rb", buffering=0) as commands:
        while words := commands.readline().split():
            if words[0] == b"start":
                answer = sample(frozenset(map(int, words[1:])))
            elif words[0] == b"stop":
                print(answer, flush=True)  # noqa: T201 (the answer to `stop`)


def start(command: Sequence[str], stderr: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """Start a process that is spoken to over its standard input and output.

    It gets a session of its own: Ctrl-C is for the one that started it, which then closes its input.
    """
    # the parent may have found laptime on a path of its own (pytest's `pythonpath`, say)
    here = str(Path(__file__).parents[1])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={name: one for name, one in os.environ.items() if name != SIDE} | {"PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes], limit_s: float) -> None:
    """Ask, by closing its input; insist after `limit_s`."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):  # it died: what it was told last is still in the buffer
                stream.close()
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
