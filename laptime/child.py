"""The harness's own processes: started so that they find laptime, and ended by closing their input."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

SIDE = "LAPTIME_GATE_SIDE"
"""In the environment of all that a side of a gate started: whose it is. What is started here ends by itself."""


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
