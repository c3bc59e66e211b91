"""Where sides run: their trees, the CPUs, the one replay server, and what ends all of it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Self

from laptime import git
from laptime.gate._errors import GateError
from laptime.gate.sides.channel import Assignment
from laptime.gate.sides.cpus import Cpus, Pinning, keep_off
from laptime.gate.sides.environment import current
from laptime.gate.sides.imports import roots
from laptime.gate.sides.pair import Pair
from laptime.gate.sides.reaper import Reaper, kill
from laptime.gate.sides.side import BASE, HEAD, Side
from laptime.gate.sides.trees import Place, Trees
from laptime.replay import ReplayDied, ReplayServer

_TAIL = 2000
_ALWAYS = (
    *("-p", "no:cacheprovider", "--benchmark-enable", "--no-history", "--continue-on-collection-errors"),
    *("--maxfail=0", "--color=no", "-q"),
)
"""A side leaves nothing, and runs to its end."""
_ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
"""Environment variables by which pip installs elsewhere than in the environment that is made."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pair is to run; None: only say what there is.

    base, head  node ids, in order
    own         BASE with the harness that it had itself
    """

    base: tuple[str, ...] | None = None
    head: tuple[str, ...] | None = None
    own: bool = False


class Arena:
    """A context manager that leaves no process, directory or server behind."""

    def __init__(
        self, where: Place, pinning: Pinning, arguments: Sequence[str], limit_s: Callable[[str], float]
    ) -> None:
        """`arguments` are for pytest; `limit_s` of a benchmark is how long a round of it may take."""
        self._where = where
        self._pinning = pinning
        self._arguments = tuple(arguments)
        self._limit_s = limit_s
        self._random = Random()
        self._stack = ExitStack()
        self._server: ReplayServer | None = None
        here = current()
        self.environments = {BASE: here, HEAD: here}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if hasattr(os, "sched_setaffinity"):
                stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
            root = Path(tempfile.mkdtemp(prefix="laptime-gate-")).resolve()
            stack.callback(shutil.rmtree, root, ignore_errors=True)  # where the reaper was killed, or is too slow
            self._reaper = Reaper(root)
            stack.callback(self._reaper.close)
            self._log = root / "log"
            self._log.mkdir()
            self.trees = Trees(root, self._where)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def cpus(self, *, multicore: bool) -> Cpus:
        """The CPUs of the next block."""
        return self._pinning.choose(self._random, multicore=multicore)

    def toss(self) -> None:
        """Have the sides change places, or not, by chance; none may be running."""
        self.trees.place(base_first=self._random.random() < 0.5)

    @contextmanager
    def pair(self, wanted: Wanted, cpus: Cpus) -> Iterator[Pair]:
        """Both sides, started; they are ended however this is left."""
        trees = self.trees
        seed = self._random.randrange(2**32)
        keep_off(cpus, [os.getpid(), *([self._server.pid] if self._server else [])])
        order = [(BASE, trees.own if wanted.own else trees.base, wanted.base), (HEAD, trees.head, wanted.head)]
        self._random.shuffle(order)
        with ExitStack() as stack:
            sides: dict[str, Side] = {}
            for (label, tree, names), at_first in zip(order, cpus.starts, strict=True):
                environment = self.environments[label]
                assignment = self._assignment(label, tree, names, cpus, at_first)
                log = self._log / label
                log.write_bytes(b"")
                sides[label] = Side(label, trees.called(tree), assignment, environment, log, seed, self._reaper)
                stack.callback(sides[label].kill)
            begins = order[0][0] == BASE
            yield Pair(sides[BASE], sides[HEAD], self._ask, self._limit_s, base_begins=begins)

    def is_same(self) -> bool:
        """Whether nothing differs: neither the sides' files nor what they run in."""
        base, head = (self.environments[label] for label in (BASE, HEAD))
        return self.trees.is_same() and (base.python, base.details) == (head.python, head.details)

    def execute(self, what: str, command: Sequence[str], directory: Path) -> None:
        """Run a command to its end. Raises `GateError`, with the end of what it wrote, where it fails."""
        log = self._log / "command"
        kept = {
            name: value
            for name, value in git.elsewhere().items()
            if not name.startswith("PYTHON") and name not in _ELSEWHERE
        }
        kept["PIP_USER"] = "0"  # whatever the variable, or pip's settings, say
        with log.open("wb") as written:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=kept,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._reaper.watch(process.pid)
        try:
            code = process.wait()
        finally:
            kill(process.pid)
            process.wait()
            self._reaper.forget(process.pid)
        if code:
            said = log.read_text(errors="replace").strip()[-_TAIL:]
            raise GateError(f"{what}: `{shlex.join(command)}` ended with exit code {code}:\n{said}")

    def roots(self, label: str, tree: Path) -> tuple[str, ...]:
        """Directories from which a side's code is imported before all others."""
        environment = self.environments[label]
        built = (str(environment.products),) if environment.products is not None else ()
        return (*roots(self._where, tree, environment.paths), *built)

    def _assignment(
        self,
        label: str,
        tree: Path,
        names: tuple[str, ...] | None,
        cpus: Cpus,
        at_first: tuple[int, ...] | None,
    ) -> Assignment:
        wanted = (self._inside(tree, one) for one in self._arguments)
        plugin = () if self.environments[label].plugin else ("-p", "laptime.plugin")
        return Assignment(
            fd=-1,
            cpus=cpus.sides,
            at_first=at_first,
            arguments=(*plugin, *_ALWAYS, f"--rootdir={self.trees.project(tree)}", *wanted),
            roots=self.roots(label, tree),
            benchmarks=names,
        )

    def _inside(self, tree: Path, argument: str) -> str:
        """A path into the working tree is meant in each side's own."""
        option, sign, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
        name, colons, rest = value.partition("::")
        path = Path(name)
        if path.is_absolute():
            for meant in (Path(os.path.normpath(path)), path.resolve()):  # it may be reached through a link
                if meant.is_relative_to(self._where.toplevel):
                    return f"{option}{sign}{tree / meant.relative_to(self._where.toplevel)}{colons}{rest}"
        return argument

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        if self._server is None:
            self._server = self._stack.enter_context(ReplayServer())
        try:
            return self._server.exchange(command)
        except ReplayDied as error:
            raise GateError(str(error)) from error
