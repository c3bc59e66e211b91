"""The two sides' trees: directories outside the repository, that change places between blocks.

with Trees.made(directory, "main", None, settings) as trees:
    trees.dress(harness)        # BASE gets HEAD's benchmarks and settings
    trees.place(base_first=True)
    trees.base, trees.head      # the projects' roots
"""

from __future__ import annotations

import filecmp
import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from laptime import git
from laptime.gate._errors import GateError
from laptime.git import Commit, GitError

SETTINGS_FILES = ("pyproject.toml", "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg")
_CONFTEST = "conftest.py"
_LEFT_BEHIND = ".benchmarks/"
_ALWAYS = ("benchmarks", "cassettes")
_SUITE = re.compile(r"tests?|bench|benchmarks?|perf")
_TESTS = re.compile(r"(^|/)(tests?|testing|bench\w*|perf\w*)(/|$)")


@dataclass(frozen=True, slots=True)
class Revision:
    """What a side is made from.

    name    as it was asked for; None for the working tree
    commit  with its changes, where it is the working tree
    """

    name: str | None
    commit: Commit

    def __str__(self) -> str:
        assert self.commit.id is not None
        short = self.commit.id[:10]
        if self.name is None:
            return f"the working tree ({short}{', with changes' if self.commit.dirty else ''})"
        return short if self.commit.id.startswith(self.name) else f"{self.name} ({short})"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a project is: the root of its repository, and its own root and where it was called, from there."""

    toplevel: Path
    project: PurePosixPath
    called: PurePosixPath


def place(directory: Path, project_root: Path) -> Place:
    """Where the project of a directory is. Raises `GateError`."""
    try:
        toplevel = git.toplevel(directory).resolve()
    except GitError as error:
        said, *more = str(error).splitlines()
        remedy = "".join(f": `{line.strip()}`" for line in more if line.strip().startswith("git "))
        raise GateError(
            f"{directory}: a gate compares two revisions, and this is no git working tree: {said}{remedy}"
        ) from None
    directory, root = directory.resolve(), project_root.resolve()
    if not root.is_relative_to(toplevel):
        root = toplevel
    return Place(toplevel, _relative(root, toplevel), _relative(directory, toplevel))


def _relative(path: Path, start: Path) -> PurePosixPath:
    return PurePosixPath(path.relative_to(start).as_posix())


def base_revision(toplevel: Path, name: str) -> Revision:
    """The revision to compare with. Raises `GateError` with the remedy where there is none of that name."""
    found = _commit(toplevel, name)
    if found is not None:
        return Revision(name, found)
    if git.is_shallow(toplevel):
        raise GateError(
            f"{name}: no such revision in this shallow clone. Fetch it: `git fetch --unshallow origin`, or, with "
            "actions/checkout, `fetch-depth: 0`"
        )
    raise GateError(f"{name}: no such revision; `git branch --all` and `git tag` list those that have a name")


def head_revision(toplevel: Path, name: str | None) -> Revision:
    """The revision to judge; the working tree where none is named. Raises `GateError`."""
    if name is not None:
        return base_revision(toplevel, name)
    commit = git.head(toplevel)
    if commit.id is None:
        raise GateError(f"{toplevel}: nothing is committed here yet, so there is nothing to compare with")
    return Revision(None, commit)


def _commit(toplevel: Path, name: str) -> Commit | None:
    try:
        return git.commit(toplevel, name)
    except GitError as error:
        raise GateError(f"{name}: {error}") from error


def untracked(toplevel: Path, head: Revision) -> list[str]:
    """What the working tree has, and its commit has not."""
    assert head.commit.id is not None
    return sorted(set(files(toplevel)) - set(git.tracked(toplevel, head.commit.id)))


def parted(toplevel: Path, base: Revision, head: Revision) -> list[str]:
    """A remark where BASE has commits that HEAD lacks; a shallow clone can't tell. Raises `GitError`."""
    assert base.commit.id is not None
    assert head.commit.id is not None
    if git.is_shallow(toplevel) or git.contains(toplevel, head.commit.id, base.commit.id):
        return []
    names = shlex.join((base.name or "HEAD", head.name or "HEAD"))
    return [
        f"{base} has commits that {head} lacks: what they made faster, or added, counts against it. "
        f"`git merge-base {names}` tells where the two parted: that is the BASE of what was changed here alone"
    ]


def importable(roots: Iterable[Path], harness: Sequence[Path]) -> set[str]:
    """The top-level packages and modules in some directories, less the harness."""
    return {
        path.stem
        for root in roots
        for path in root.iterdir()
        if path not in harness and (path.suffix == ".py" or (path / "__init__.py").is_file())
    }


class Trees:
    """The directories ``a`` and ``b``, one of which is BASE's, and ``c``, which is BASE's with BASE's own harness.

    base, head, own  the roots of the repository in them, now
    """

    def __init__(self, root: Path, where: Place) -> None:
        self.root = root
        self._where = where
        self.base, self.head, self.own = root / "a", root / "b", root / "c"
        for tree in (self.base, self.head, self.own):
            tree.mkdir()

    def fill(self, base: Revision, head: Revision) -> None:
        """Write both sides' files. Raises `GateError`, and `OSError` where there is no room for them."""
        self._fill(self.head, head)
        self._fill(self.base, base)
        shutil.copytree(self.base, self.own, symlinks=True, dirs_exist_ok=True)
        for tree in (self.base, self.head, self.own):  # where the gate was called may be new, or hold no file
            self.called(tree).mkdir(parents=True, exist_ok=True)

    def _fill(self, tree: Path, revision: Revision) -> None:
        toplevel = self._where.toplevel
        try:
            if revision.name is None:
                copy(toplevel, tree, files(toplevel))
                self._complete(tree, revision)
            else:
                assert revision.commit.id is not None
                git.check_out(toplevel, revision.commit.id, tree, self.root / "index")
        except (GitError, OSError) as error:
            raise GateError(
                f"{revision}: can't be written to {tree}: {error}. TMPDIR names another place for temporary files"
            ) from error

    def _complete(self, tree: Path, revision: Revision) -> None:
        """What a sparse checkout leaves out of the working tree is no more removed than what it shows."""
        names = git.left_out(self._where.toplevel)
        if names:
            assert revision.commit.id is not None
            whole = self.root / "whole"
            whole.mkdir()
            git.check_out(self._where.toplevel, revision.commit.id, whole, self.root / "index")
            copy(whole, tree, [name for name in names if not os.path.lexists(tree / name)])
            shutil.rmtree(whole)

    def project(self, tree: Path) -> Path:
        """A side's project."""
        return tree / self._where.project

    def called(self, tree: Path) -> Path:
        """Where in a side the gate was called."""
        return tree / self._where.called

    def dress(self, harness: Iterable[str]) -> None:
        """Give BASE the harness of HEAD: paths from the project's root; what HEAD does not have is removed."""
        for path in harness:
            theirs, ours = self.project(self.head) / path, self.project(self.base) / path
            if not ours.parent.resolve().is_relative_to(self.base):
                continue  # behind a link that leads out of the tree: both sides see the same, and it is not ours
            _remove(ours)
            if theirs.is_dir() and not theirs.is_symlink():
                shutil.copytree(theirs, ours, symlinks=True)
            elif theirs.exists() or theirs.is_symlink():
                ours.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(theirs, ours, follow_symlinks=False)

    def place(self, *, base_first: bool) -> None:
        """Put BASE into ``a`` or ``b``, and HEAD into the other; no process may be at work in them."""
        first, second = self.root / "a", self.root / "b"
        if (self.base == first) != base_first:
            aside = self.root / "x"
            first.rename(aside)
            second.rename(first)
            aside.rename(second)
        self.base, self.head = (first, second) if base_first else (second, first)

    def is_same(self) -> bool:
        """Whether both sides hold the same files."""
        return _contents(self.base) == _contents(self.head) and all(
            filecmp.cmp(self.base / path, self.head / path, shallow=False)
            for path in _contents(self.base)
            if not (self.base / path).is_symlink()
        )


def is_inside(name: str) -> bool:
    """Whether a path names something below the directory that it is meant from: BASE's is removed there."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts


def harness_paths(head: Path, base: Path, testpaths: Sequence[str], benchmark_files: Iterable[str]) -> tuple[str, ...]:
    """What belongs to the harness where the settings name nothing: see `laptime.gate.settings.Settings.harness`."""
    conftests = {
        path.relative_to(side).as_posix()
        for side in (head, base)
        for path in side.rglob(_CONFTEST)
        if ".git" not in path.parts
    }
    # a package may be named in testpaths too, for the tests inside it: it is not the harness
    tests = {name.rstrip("/") for name in testpaths if _TESTS.search(name) and is_inside(name)}
    found = [PurePosixPath(name) for name in benchmark_files]
    suites = {_suite(file).as_posix() for file in found}
    # of several projects called from above, each has its own
    above = {place / name for file in found for place in file.parents for name in SETTINGS_FILES}
    settings = {*SETTINGS_FILES, *(path.as_posix() for path in above)}
    return tuple(sorted({*_ALWAYS, *tests, *settings, *conftests, *suites, *map(str, found)}))


def _suite(file: PurePosixPath) -> PurePosixPath:
    """The outermost directory around a benchmark that is called like a suite: its helpers and data are there."""
    return next((place for place in reversed(file.parents) if _SUITE.fullmatch(place.name)), file)


def files(toplevel: Path) -> list[str]:
    """What of the working tree takes part: all but what git ignores, and what benchmarks leave behind."""
    return [name for name in git.files(toplevel) if not name.startswith(_LEFT_BEHIND)]


def copy(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy files and links; what was removed, and the directories that stand for submodules, are left out."""
    for name in names:
        path = source / name
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / name, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _contents(tree: Path) -> dict[str, str | None]:
    """Path -> where it points to, if it is a link."""
    found: dict[str, str | None] = {}
    for directory, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*names, *(one for one in folders if (Path(directory) / one).is_symlink())):
            path = Path(directory) / name
            found[path.relative_to(tree).as_posix()] = str(path.readlink()) if path.is_symlink() else None
    return found
