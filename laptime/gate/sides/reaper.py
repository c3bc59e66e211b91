"""Ends what a gate leaves when it is killed: its processes, and its directory outside the repository.

Run as ``python -m laptime.gate.sides.reaper DIRECTORY``: it reads ``+GROUP`` and ``-GROUP`` lines from its standard
input, which ends when the gate does, however it does. Then the process groups that are left are killed (a stopped one
too, which would never notice by itself), with them what left its group, and the directory is removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from laptime import child
from laptime.child import SIDE

_LIMIT_S = 10.0


class Reaper:
    """The handle on the process."""

    def __init__(self, directory: Path) -> None:
        self._process: subprocess.Popen[bytes] = child.start(
            (sys.executable, "-m", "laptime.gate.sides.reaper", str(directory))
        )

    def watch(self, group: int) -> None:
        """Kill this process group when the gate ends."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """It ended."""
        self._tell(f"-{group}")

    def close(self) -> None:
        """Have it do its work, and wait for it."""
        child.end(self._process, _LIMIT_S)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # somebody killed it: the gate tidies up by itself, unless it is killed too
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()


def kill(group: int) -> None:
    """Kill a process group, if it is there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_strays(side: str) -> None:
    """Kill what left its process group: all whose environment says that it is of a side whose name begins so.

    Where the system doesn't show environments (it is not Linux), or another user's, none is found.
    """
    wanted = f"{SIDE}={side}".encode(errors="surrogateescape")
    for place in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if any(one.startswith(wanted) for one in place.read_bytes().split(b"\0")):
                os.kill(int(place.parent.name), signal.SIGKILL)


def main() -> None:
    """Wait for the end of the standard input; then tidy up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        kill(group)
    kill_strays(sys.argv[1] + os.sep)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
