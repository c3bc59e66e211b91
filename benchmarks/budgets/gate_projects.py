"""The gate on projects built like known ones: a comment, and 10 % really put into one function of each."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.budgets.figures import Figure, progress
from benchmarks.budgets.projects import ALL, CROWD, Project

SLOWDOWN = 0.10
MAX_TIME = "10m"
_VERDICTS = ("regressed", "improved", "unchanged", "unresolved", "new", "missing", "broken")
_ROW = re.compile(rf"^(\S.*?) {{2,}}(?:(?:wall|cpu) +)?({'|'.join(_VERDICTS)})\b", re.M)


@dataclass(frozen=True, slots=True)
class Gated:
    """What the command said: exit code, seconds, and the verdict of each benchmark that its table names."""

    code: int
    seconds: float
    verdicts: dict[str, str]
    counts: dict[str, int]

    def __str__(self) -> str:
        told = ", ".join(f"{number} {word}" for word, number in self.counts.items()) or "no verdict"
        return f"exit code {self.code}: {told}; {self.seconds:.0f} s"


def figures(projects: Sequence[Project] = ALL, max_time: str = MAX_TIME) -> Iterator[Figure]:
    """Each project, gated twice by the command itself."""
    for project in progress(projects, "projects, each gated twice"):
        about = f"{project.name} ({project.shape}), {project.benchmarks} benchmarks"
        with tempfile.TemporaryDirectory(prefix="laptime-project-") as directory:
            root = Path(directory).resolve() / "project"
            root.mkdir()
            project.write(root)
            _git(root, "init", "--quiet")
            _commit(root, "base")
            project.comment(root)
            same = _gate(root, project, max_time)
            yield Figure(f"{about}: a comment", str(same), "none regressed", same.code == 0)
            _git(root, "checkout", "--quiet", ".")
            project.slow(root, SLOWDOWN)
            slower = _gate(root, project, max_time)
            yield Figure(f"{SLOWDOWN:.0%} in {project.slowed}", str(slower), "found", found(slower, project))


def crowd() -> Iterator[Figure]:
    """200 benchmarks in the time of any gate."""
    yield from figures([CROWD])


def found(gated: Gated, project: Project) -> bool:
    """Whether it regressed, and nothing did that was not slowed."""
    regressed = [name for name, verdict in gated.verdicts.items() if verdict == "regressed"]
    return gated.code == 1 and bool(regressed) and all(project.found_in in name for name in regressed)


def _gate(root: Path, project: Project, max_time: str) -> Gated:
    options = ("--no-history", f"--max-time={max_time}")
    command = [sys.executable, "-m", "laptime.cli", "gate", "HEAD", *options, *project.arguments]
    started = time.monotonic()
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    spent = time.monotonic() - started
    if ended.returncode not in (0, 1):
        print(ended.stdout + ended.stderr, file=sys.stderr)
    verdicts = dict(_ROW.findall(ended.stdout))
    summed = {word: int(number) for number, word in re.findall(rf"(\d+) ({'|'.join(_VERDICTS)})\b", ended.stdout)}
    return Gated(ended.returncode, spent, verdicts, summed or dict(Counter(verdicts.values())))


def _commit(root: Path, message: str) -> None:
    _git(root, "add", "--all")
    identity = ("-c", "user.name=laptime", "-c", "user.email=laptime@localhost")
    _git(root, *identity, "commit", "--quiet", "--message", message)


def _git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True)
