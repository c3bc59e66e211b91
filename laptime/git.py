"""What git says: what is checked out, what a name stands for, the order of commits. No file or reference is touched."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
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
_LOCAL = re.compile(
    "GIT_(ALTERNATE_OBJECT_DIRECTORIES|OBJECT_DIRECTORY|DIR|WORK_TREE|IMPLICIT_WORK_TREE|GRAFT_FILE|INDEX_FILE|"
    "REPLACE_REF_BASE|PREFIX|SHALLOW_FILE|COMMON_DIR|QUARANTINE_PATH|NAMESPACE)"
)
"""What says where the repository is, as git tells its hooks: of ``git rev-parse --local-env-vars`` all but settings."""
_HASH = re.compile(r"[0-9a-f]{40,64}")
_DISTANCE = re.compile(r"-\d+-g[0-9a-f]+$")


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
        # it would write the index where a file was only touched, optional locks or not
        changes = _run(directory, "-c", "diff.autoRefreshIndex=false", "diff", *_PLAIN, "HEAD", "--")
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


def tags(directory: Path) -> dict[str, str]:
    """Every tag of a commit -> the commit's full hash. Raises `GitError`."""
    form = "%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname:strip=2)"
    found: dict[str, str] = {}
    for line in filter(None, _git(directory, "for-each-ref", f"--format={form}", "refs/tags").split("\n")):
        *objects, name = line.split(" ")
        kinds = dict(zip(objects[::2], objects[1::2], strict=True))
        # a tag of a tag is seen through by newer git only
        commit = kinds.get("commit") or (resolve(directory, f"refs/tags/{name}") if "tag" in objects[2] else None)
        if commit is not None:
            found[name] = commit
    return found


def describe(directory: Path, commit_id: str, pattern: str, without: Iterable[str] = ()) -> str | None:
    """The newest tag that fits a pattern and that a commit contains, as `git describe` chooses it; None if none."""
    excluded = (f"--exclude={name}" for name in without)
    try:
        found = _git(directory, "describe", "--tags", "--abbrev=0", f"--match={pattern}", *excluded, commit_id)
    except GitError:
        return None
    return _renamed(directory, found)


def _renamed(directory: Path, described: str) -> str:
    """The tag that `git describe` means: one that was renamed (`git tag NEW OLD`) it calls OLD, with a distance."""
    listed = _git(directory, "for-each-ref", "--format=%(refname:strip=2) %(tag)", "refs/tags").split("\n")
    firsts = {name: first for name, _, first in (line.partition(" ") for line in listed)}
    if described in firsts:
        return described
    first = _DISTANCE.sub("", described)
    return next((name for name, one in firsts.items() if one == first), described)


def toplevel(directory: Path) -> Path:
    """The root of the working tree around a directory. Raises `GitError`."""
    return Path(_git(directory, "rev-parse", "--show-toplevel"))


def commit(directory: Path, name: str) -> Commit | None:
    """The commit that a name stands for; None where it stands for none."""
    found = resolve(directory, name)
    if found is None:
        return None
    at = _git(directory, "show", "--no-patch", "--no-show-signature", "--format=%ct", found, "--")
    return Commit(id=found, at=datetime.fromtimestamp(int(at.split()[-1]), UTC))


def is_shallow(directory: Path) -> bool:
    """Whether commits beyond some depth were left out when it was cloned. Raises `GitError`."""
    return _git(directory, "rev-parse", "--is-shallow-repository") == "true"


def contains(directory: Path, commit_id: str, other_id: str) -> bool:
    """Whether another commit is an ancestor of a commit, or is that commit. Raises `GitError`."""
    return not _git(directory, "rev-list", "--max-count=1", other_id, f"^{commit_id}", "--")


def files(toplevel: Path) -> list[str]:
    """What the working tree holds and git does not ignore, tracked or not, as paths from its root. Raises `GitError`.

    A tracked file that was removed is among them; of a submodule, its directory.
    """
    return _names(toplevel, "--cached", "--others", "--exclude-standard")


def ignored(toplevel: Path) -> list[str]:
    """What the working tree holds and git ignores; of a directory that is ignored as a whole its name, with a slash."""
    return _names(toplevel, "--others", "--ignored", "--exclude-standard", "--directory")


def submodules(toplevel: Path) -> list[str]:
    """The directories that stand for submodules. Raises `GitError`."""
    return [name.partition("\t")[2] for name in _names(toplevel, "--stage") if name.startswith("160000 ")]


def left_out(toplevel: Path) -> list[str]:
    """The tracked files that a sparse checkout leaves out of the working tree. Raises `GitError`."""
    return [name[2:] for name in _names(toplevel, "-t") if name.startswith("S ")]


def tracked(toplevel: Path, commit_id: str) -> list[str]:
    """The files of a commit, as paths from the root. Raises `GitError`."""
    listed = _run(toplevel, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit_id)
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def is_tracked(path: Path) -> bool:
    """Whether git has a file, in its index; not where there is no repository."""
    try:
        return bool(_run(path.parent, "--literal-pathspecs", "ls-files", "-z", "--cached", "--", path.name))
    except GitError:
        return False


def check_out(toplevel: Path, commit_id: str, into: Path, index: Path) -> None:
    """Write a commit's files into an empty directory, as a checkout would, by an index of its own. Raises `GitError`.

    Unlike `git archive`, which leaves out what .gitattributes says (`export-ignore`); unlike `git worktree`, which
    writes into the repository.
    """
    environment = {"GIT_INDEX_FILE": str(index)}
    quiet = ("-c", "core.splitIndex=false", "-c", "core.fsmonitor=false")
    _run(toplevel, *quiet, "read-tree", commit_id, environment=environment)
    _run(toplevel, *quiet, "checkout-index", "--all", "--force", f"--prefix={into}/", environment=environment)


def elsewhere() -> dict[str, str]:
    """The environment for what has to do with other repositories: without what says where this one is."""
    return {name: value for name, value in os.environ.items() if not _LOCAL.fullmatch(name)}


def clone(toplevel: Path, commit_id: str, into: Path) -> None:
    """Make a repository that borrows this one's objects, at a commit, without its files. Raises `GitError`."""
    start = elsewhere()  # of a hook's, the two commands would be done to the repository that it is of
    _run(
        toplevel, "clone", "--quiet", "--shared", "--no-checkout", "--template=", str(toplevel), str(into), start=start
    )
    _run(into, "update-ref", "--no-deref", "HEAD", commit_id, start=start)
    _run(into, "read-tree", commit_id, start=start)


def _names(toplevel: Path, *which: str) -> list[str]:
    listed = _run(toplevel, "ls-files", "-z", *which)
    return sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})


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


def _run(
    directory: Path, *words: str, environment: Mapping[str, str] | None = None, start: Mapping[str, str] | None = None
) -> bytes:
    """`environment` is added to that of `start`, or of this process."""
    # no lock for refreshing the index: a commit may be under way elsewhere
    environment = {
        **(os.environ if start is None else start),
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
        **(environment or {}),
    }
    try:
        done = subprocess.run(
            ("git", *words), cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except (OSError, ValueError) as error:  # a NUL is in no name
        raise GitError(f"git can't be run: {error}") from error
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip() or f"git {words[0]} failed")
    return done.stdout
