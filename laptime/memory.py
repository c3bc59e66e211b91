"""The peak memory of a process tree, sampled by a process of its own.

Memory is what the tree occupies for itself: PSS counts a page shared by n processes as 1/n page in each, so
that forked workers are not counted with all that they share. A thread of the measured process could not sample: it
would wait for the GIL and be copied by fork. Run as ``python -m laptime.memory PID``; `MemorySampler` does.
"""

from __future__ import annotations

import os
import select
import sys
from types import TracebackType
from typing import Self

import psutil

from laptime import child

SAMPLE_INTERVAL_S = 0.005
ANSWER_LIMIT_S = 10.0
STOP_LIMIT_S = 5.0


class SamplerDied(Exception):
    """The memory sampler is gone or doesn't answer."""


class MemorySampler:
    """A handle on the sampling process; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        self._process = child.start((sys.executable, "-m", "laptime.memory", str(os.getpid())))

    @property
    def pid(self) -> int:
        """The sampling process's id."""
        return self._process.pid

    def start(self, helpers: tuple[int, ...] = ()) -> None:
        """Begin to sample the tree, `helpers` (process ids) left out. Returns once the first sample is taken."""
        self._tell("start " + " ".join(map(str, (self.pid, *helpers))))
        self._answer()

    def stop(self) -> int | None:
        """End sampling. The peak PSS in bytes; None where the system has no PSS."""
        self._tell("stop")
        peak = int(self._answer())
        return peak or None

    def close(self) -> None:
        """End the process."""
        child.end(self._process, STOP_LIMIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SamplerDied("the memory sampler is gone") from None

    def _answer(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], ANSWER_LIMIT_S)[0]:
            raise SamplerDied(f"the memory sampler did not answer within {ANSWER_LIMIT_S:g} s")
        line = stdout.readline()
        if not line:
            raise SamplerDied("the memory sampler is gone")
        return line.decode().strip()


def tree_pss_bytes(root: psutil.Process, helpers: frozenset[int]) -> int:
    """PSS of a process and its descendants; 0 where the system has no PSS."""
    total = 0
    for process in (root, *root.children(recursive=True)):
        if process.pid not in helpers:
            try:
                total += getattr(process.memory_full_info(), "pss", 0)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # ended between the listing and here (a zombie denies access)
    return total


def _sample(root: psutil.Process, helpers: frozenset[int]) -> int:
    peak, first = 0, True
    while first or not select.select([sys.stdin], [], [], SAMPLE_INTERVAL_S)[0]:
        try:
            peak = max(peak, tree_pss_bytes(root, helpers))
        except psutil.NoSuchProcess:
            break  # what was measured is gone
        if first:
            print("sampling", flush=True)  # noqa: T201 (the answer to `start`)
            first = False
    return peak


def main() -> None:
    """Obey `start` and `stop` until the standard input ends."""
    root = psutil.Process(int(sys.argv[1]))
    # read line by line, unbuffered: `select` must see what has not been read
    with os.fdopen(0, "rb", buffering=0) as commands:
        while words := commands.readline().split():
            if words[0] == b"start":
                peak = _sample(root, frozenset(map(int, words[1:])))
            elif words[0] == b"stop":
                print(peak, flush=True)  # noqa: T201 (the answer to `stop`)


if __name__ == "__main__":
    main()
