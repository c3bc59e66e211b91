"""One side of a block: a pytest process in that side's tree, in a process group of its own, spoken to over a socket."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from laptime import git
from laptime.child import SIDE
from laptime.gate import turns
from laptime.gate.sides.channel import Assignment, Channel, Closed, Garbled, TimedOut
from laptime.gate.sides.environment import LOAD, Environment
from laptime.gate.sides.reaper import Reaper, kill, kill_strays

BASE, HEAD = "BASE", "HEAD"
_START = f"{LOAD}sys.path[:] = filter(None, sys.path)\nfrom laptime.plugin.lockstep.side import main\nmain(sys.argv[1])"
_NOT_PASSED_ON = ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE", "COV_CORE_SOURCE", "COVERAGE_PROCESS_START")
"""With one cache for both sides, a side would load what was compiled for the other in the same place."""
_TAIL = 4000
_DOTS = re.compile(r"[.sxXFE]+( +\[ *\d+%\])?")
_MESSAGE_LIMIT_S = 30.0


class SideFailed(Exception):
    """A side can't go on. `label` is BASE or HEAD, `why` how it came, with the end of what it wrote."""

    def __init__(self, label: str, why: str) -> None:
        super().__init__(f"{label}: {why}")
        self.label, self.why = label, why


class SideDied(SideFailed):
    """Its process ended."""


class SideHung(SideFailed):
    """Nothing was heard of it for too long."""


class Side:
    """A running side. `label` is BASE or HEAD."""

    def __init__(
        self,
        label: str,
        directory: Path,
        assignment: Assignment,
        environment: Environment,
        log: Path,
        seed: int,
        reaper: Reaper,
    ) -> None:
        """Start it in `directory`; what pytest prints goes into `log`; `seed` is that of its hashes."""
        self.label = label
        self._log = log
        self._reaper = reaper
        self._ended = False
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        given = replace(assignment, fd=theirs.fileno())
        with log.open("ab") as written, theirs:
            self._process = subprocess.Popen(
                (environment.python, "-c", _START, given.dumps()),
                cwd=directory,
                env={**_variables(environment, assignment.roots, seed), SIDE: str(log)},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        reaper.watch(self._process.pid)

    def send(self, **message: Any) -> None:
        """Tell it something. Raises `SideDied`."""
        try:
            self.channel.send(**message)
        except Closed:
            raise self.died("ended") from None

    def receive(self) -> dict[str, Any]:
        """What it says, once there is something to read. Raises `SideDied`."""
        try:
            return self.channel.receive(_MESSAGE_LIMIT_S)
        except Closed:
            raise self.died("ended") from None
        except TimedOut:
            raise self.died("stopped in the middle of a word") from None
        except Garbled as error:  # a benchmark that writes to files that it did not open
            raise self.died(f"wrote {error} to the gate's own socket") from None

    @property
    def is_running(self) -> bool:
        """Whether its main process is there; children of it may hold its socket open longer."""
        return self._process.poll() is None

    def hold(self) -> None:
        """Stop all its processes: what is not on turn computes nothing."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGSTOP)

    def release(self) -> None:
        """Let them go on."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGCONT)

    def died(self, how: str) -> SideDied:
        """With how it ended, and the end of what it wrote."""
        self.release()
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1.0)
            how += f" (killed by {_signal(-code)})" if code < 0 else f" (exit code {code})"
        return SideDied(self.label, f"{self.tail()}its process {how}")

    def tail(self) -> str:
        """The end of what it wrote, as lines, without pytest's dots; nothing if it wrote nothing."""
        with suppress(OSError):
            lines = self._log.read_bytes()[-_TAIL:].decode(errors="replace").splitlines()
            text = "\n".join(line for line in lines if not _DOTS.fullmatch(line)).strip()
            return f"{text}\n" if text else ""
        return ""

    def end(self, limit_s: float = 5.0) -> None:
        """Wait for it to end, and end it with all that it started."""
        self.channel.close()
        self.release()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(limit_s)
        self.kill()

    def kill(self) -> None:
        """End it now, with all its processes."""
        if self._ended:
            return  # its number may be another's by now
        self.channel.close()
        kill(self._process.pid)
        self._process.wait()
        kill_strays(str(self._log))
        self._reaper.forget(self._process.pid)
        self._ended = True


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def _variables(environment: Environment, roots: tuple[str, ...], seed: int) -> dict[str, str]:
    kept = {name: value for name, value in git.elsewhere().items() if name not in _NOT_PASSED_ON}
    kept |= environment.variables()
    paths = [*roots, *filter(None, [None if environment.built else os.environ.get("PYTHONPATH")])]
    # the order of sets is part of a run's luck: both sides have the same, another one in each block
    hashes = os.environ.get("PYTHONHASHSEED", "random")
    hashes = str(seed) if hashes in ("", "random") else hashes
    # a benchmark that runs a gate would wait for the one that it is run by
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": hashes, turns.VARIABLE: turns.NONE}
