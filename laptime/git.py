"""What git says: what is checked out, what a name stands for, the order of commits. No file or reference is touched."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_PLAIN = (
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-relative",
    "--submodule=diff",
    "--binary",
)
_HASH = re.compile(r"[0-9a-f]{40,64}")


class GitError(RuntimeError):
    """git can't be run, or refuses; the message is git's own."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What was measured.

    id       the full hash; None outside git, and before the first commit
    at       when it was committed
    branch   None where none is checked out
    changes  a digest of the changes to tracked files that were not committed; None where there were none
    """

    id: str | None = None
    at: datetime | None = None
    branch: str | None = None
    changes: str | None = None

    @property
    def dirty(self) -> bool:
        """Whether it is not what the commit holds."""
        return self.changes is not None


def head(directory: Path) -> Commit:
    """What is checked out around a directory; all None where that is no git repository, or git is missing."""
    try:
        found = _git(directory, "show", "--no-patch", "--no-show-signature", "--format=%H %ct", "HEAD", "--").split()
        changes = _run(directory, "diff", *_PLAIN, "HEAD", "--")
    except GitError:
        return Commit()
    try:
        branch: str | None = _git(directory, "symbolic-ref", "--quiet", "HEAD").removeprefix("refs/heads/")
    except GitError:
        branch = None
    return Commit(
        id=found[0],
        at=datetime.fromtimestamp(int(found[1]), UTC),
        branch=branch,
        changes=hashlib.sha256(changes).hexdigest() if changes else None,
    )


def resolve(directory: Path, name: str) -> str | None:
    """The full hash of the commit that a name stands for (a branch, a tag, ``HEAD~3``, a short hash); None if none."""
    try:
        found = _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except GitError:
        return None
    return found if _HASH.fullmatch(found) else None  # ^HEAD is verified too


def first_parents(directory: Path, name: str = "HEAD") -> list[str]:
    """A commit and its first parents, the oldest first. Raises `GitError`."""
    return _git(directory, "rev-list", "--first-parent", "--reverse", "--end-of-options", name, "--").split()


def complaint(directory: Path) -> str | None:
    """What git says of a directory that it will not work in; None where it works, or this is no repository."""
    try:
        _git(directory, "rev-parse", "--git-dir")
    except GitError as error:
        return None if "not a git repository" in str(error) else str(error).splitlines()[0]
    return None


def is_repository(directory: Path) -> bool:
    """Whether git knows the directory."""
    try:
        return bool(_git(directory, "rev-parse", "--git-dir"))
    except GitError:
        return False


def _git(directory: Path, *words: str) -> str:
    return _run(directory, *words).decode(errors="surrogateescape").strip()


def _run(directory: Path, *words: str) -> bytes:
    # no lock for refreshing the index: a commit may be under way elsewhere
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ("git", *words), cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except (OSError, ValueError) as error:  # a NUL is in no name
        raise GitError(f"git can't be run: {error}") from error
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip() or f"git {words[0]} failed")
    return done.stdout
