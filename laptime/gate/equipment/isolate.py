"""An environment of its own for each side: what its dependencies say, and the project as it is built from its files.

    isolation = Isolation(cache, install, where, run)
    environment = isolation.environment("HEAD", commit, tree, python=None)

The dependencies are installed once for each interpreter and what the revision says of them; the project is built once
for each content of its files. Both are kept in a directory of the user's, and what was not used for a month is removed.
What was built (compiled modules, files that hold a version) is put beside the source that it belongs to in the side's
own copy, so that tests import it as they do in the working tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import ZipFile

from filelock import FileLock, Timeout

from laptime import git
from laptime.gate._errors import GateError
from laptime.gate.equipment import dependencies
from laptime.gate.sides import probe
from laptime.gate.sides.environment import Environment, ask, made
from laptime.gate.sides.trees import Place
from laptime.git import Commit, GitError

_VERSION = 1
"""Of the cache: another one where what is kept changes its form."""
_UNUSED_S = 30 * 24 * 3600.0
_COMPLETE = ".complete"
_KINDS = ("tools", "built", "environments")
_PYTHON = "bin/python"
_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
_FLAGS = (
    *("-U", "--upgrade", "--pre", "--no-deps", "--no-index", "--prefer-binary", "--require-hashes", "--no-cache-dir"),
    *("--no-build-isolation", "--use-pep517", "--force-reinstall", "--ignore-requires-python", "-q", "-v"),
)
"""Options of pip that take no value, so that what follows is one of the things to install."""
_BARE = re.compile(r"-\w|--[^=]+")
"""An option without its value: not ``-rdev.txt``, nor ``--requirement=dev.txt``."""
_BUILDS = re.compile(
    r"CC|CXX|LD|\w*FLAGS|\w*(EXTENSION|CYTHON|MYPYC|SPEEDUP|PURE)\w*|"
    r"(CARGO|CMAKE|DISTUTILS|MESON|RUST|SETUPTOOLS|SKBUILD)\w*"
)
"""Environment variables that what is built depends on: compilers, backends, switches as MYTHING_NO_EXTENSIONS."""
_LOCAL = re.compile(r"(?P<path>[^\[\]]+?)(?P<extras>\[[\w\s,.-]*\])?")


class Run(Protocol):
    """Runs a command to its end, in a directory. Raises `GateError` with the end of what it wrote, if it fails."""

    def __call__(self, what: str, command: Sequence[str], directory: Path) -> None:
        """`what` is being done, for the message."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What pip is to install: packages of the repository as (directory, extras), and all the rest."""

    local: tuple[tuple[Path, str], ...]
    rest: tuple[str, ...]


class Isolation:
    """Builds and keeps environments."""

    def __init__(self, cache: Path, install: Sequence[str] | None, where: Place, run: Run, work: Path) -> None:
        """`install`: for pip, in the project's root; None: what is there. `work`: a directory for what is not kept."""
        self._cache = cache / f"gate-{_VERSION}"
        self._install = install
        self._where = where
        self._run = run
        self._work = work

    def interpreter(self, option: str, wanted: str) -> str:
        """The executable that is meant by a path, a name, or a version as in 3.12. Raises `GateError`."""
        import virtualenv

        words = ("--python", wanted, *self._words, str(self._work / "no-environment"))
        try:
            found: str = virtualenv.session_via_cli(list(words), setup_logging=False).interpreter.executable
        except (RuntimeError, SystemExit, OSError) as error:
            raise GateError(
                f"{option} {wanted}: no such Python ({error}): expected its path, or a name or version that PATH has"
            ) from error
        return found

    @property
    def _words(self) -> tuple[str, ...]:
        """For virtualenv."""
        return ("--app-data", str(self._cache / "virtualenv"), "--no-periodic-update", "--no-setuptools")

    def environment(self, label: str, commit: Commit, tree: Path, python: str) -> Environment:
        """Of the side whose own files are in `tree`, for the Python of this executable. Raises `GateError`."""
        try:
            return self._environment(label, commit, tree, python)
        except OSError as error:
            raise GateError(
                f"{label}: its environment can't be kept in {self._cache}: {error}. XDG_CACHE_HOME names another place"
            ) from error

    def _environment(self, label: str, commit: Commit, tree: Path, python: str) -> Environment:
        project = tree / self._where.project
        wanted = parsed(label, tree, project, default(label, project) if self._install is None else self._install)
        identity = _key(ask(f"{label}'s Python", python, project)["base"])
        tools = self._tools(identity, python)
        built = self._built(label, commit, tree, wanted, identity, tools) if wanted.local else None
        found = self._installed(label, project, wanted, identity, python, tools, built)
        self._prune()
        return made(
            ask(f"{label}'s Python", str(_python(found)), project), built / "site" if built else None, built=True
        )

    def _tools(self, identity: str, python: str) -> Path:
        """A Python with pip alone, to build with."""
        place = self._cache / "tools" / identity
        with self._kept(place, _PYTHON) as is_there:
            if not is_there:
                self._make(place, python)
        return _python(place)

    def _built(self, label: str, commit: Commit, tree: Path, wanted: Wanted, identity: str, tools: Path) -> Path:
        """What is built of the repository's own packages, as it would be installed."""
        project = tree / self._where.project
        directories = [path.relative_to(tree).as_posix() for path, _ in wanted.local]
        said = (contents(tree), directories, building(os.environ))
        place = self._cache / "built" / _key(identity, commit.id, *said)
        with self._kept(place, "site", *(f"wheels/{number}/*.whl" for number in range(len(directories)))) as is_there:
            if not is_there:
                source = self._work / f"source-{label}"
                self._source(label, commit, tree, source)
                inside, what = source / project.relative_to(tree), f"{label}: the project can't be built"
                for number, directory in enumerate(directories):
                    words = ("wheel", "--no-deps", f"--wheel-dir={place / 'wheels' / str(number)}")
                    self._run(what, (str(tools), *_PIP, *words, str(source / directory)), inside)
                wheels = map(str, (place / "wheels").glob("*/*.whl"))
                words = ("install", "--no-deps", f"--target={place / 'site'}")
                self._run(what, (str(tools), *_PIP, *words, *wheels), inside)
                shutil.rmtree(source)
        return place

    def _source(self, label: str, commit: Commit, tree: Path, source: Path) -> None:
        """The side's files, in a clone: what builds it may ask git for its version."""
        assert commit.id is not None
        try:
            git.clone(self._where.toplevel, commit.id, source)
        except GitError as error:
            raise GateError(f"{label}: {commit.id[:10]} can't be cloned to build it: {error}") from error
        shutil.copytree(tree, source, symlinks=True, dirs_exist_ok=True)

    def _installed(
        self, label: str, project: Path, wanted: Wanted, identity: str, python: str, tools: Path, built: Path | None
    ) -> Path:
        """An environment with all that the project needs, and not the project itself."""
        wheels = [next((built / "wheels" / str(number)).glob("*.whl")) for number in range(len(wanted.local)) if built]
        extras = [extra for _, extra in wanted.local]
        said = (dependencies.declared(project), *map(_requires, wheels), extras, wanted.rest, sorted(probe.NEEDED))
        files = dependencies.requirements(project, wanted.rest)
        _refuse_local(label, project, files)
        named = {os.path.relpath(path, project): _digest(path) for path in files}
        place = self._cache / "environments" / _key(identity, said, named)
        with self._kept(place, _PYTHON) as is_there:
            if not is_there:
                self._make(place, python, "--no-pip")
                # that of the tools is compiled, which takes pip as long as to install all of this
                pip = (str(tools), *_PIP, f"--python={_python(place)}")
                what = f"{label}: what it needs can't be installed"
                own = [f"{wheel}{extra}" for wheel, extra in zip(wheels, extras, strict=True)]
                self._run(what, (*pip, "install", *probe.NEEDED.values(), *wanted.rest, *own), project)
                if wheels:
                    names = [wheel.name.partition("-")[0] for wheel in wheels]
                    self._run(what, (*pip, "uninstall", "--yes", *names), project)
        return place

    def _make(self, place: Path, python: str, *options: str) -> None:
        import virtualenv

        place.parent.mkdir(parents=True, exist_ok=True)
        words = ("--python", python, *self._words, *options, str(place))
        try:
            virtualenv.cli_run(list(words), setup_logging=False)
        except (RuntimeError, SystemExit) as error:
            raise GateError(f"{python}: no environment can be made for it: {error}") from error

    @contextmanager
    def _kept(self, place: Path, *parts: str) -> Iterator[bool]:
        """Whether something is there, whole; if not it is made here, by one process at a time.

        `parts`: patterns that must be there, too: interpreters are removed, and what cleans caches takes single files
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            done = place / _COMPLETE
            if done.exists() and all(any(one.exists() for one in place.glob(part)) for part in parts):
                os.utime(done)
                yield True
                return
            shutil.rmtree(place, ignore_errors=True)  # somebody was killed while making it
            yield False
            done.touch()

    def _prune(self) -> None:
        """Remove what was not used for a month, and what somebody was killed over that long ago."""
        for place in (path for kind in _KINDS for path in (self._cache / kind).glob("*") if path.is_dir()):
            done = place / _COMPLETE
            with suppress(FileNotFoundError, Timeout):
                if (done if done.exists() else place).stat().st_mtime < time.time() - _UNUSED_S:
                    with FileLock(f"{place}.lock", timeout=0):
                        shutil.rmtree(place)


def default(label: str, project: Path) -> tuple[str, ...]:
    """What to install where the settings don't say: the project, or what its requirements.txt names."""
    if (project / "setup.py").is_file() or any(
        name.startswith(("pyproject.toml: project", "pyproject.toml: build-system", "pyproject.toml: tool.poetry"))
        for name in dependencies.declared(project)
    ):
        return (".",)
    if (project / "requirements.txt").is_file():
        return ("-r", "requirements.txt")
    raise GateError(
        f"--isolate: {label} has nothing to install in its root: no pyproject.toml with a [project], no setup.py and "
        'no requirements.txt. Say what it needs: [tool.laptime.gate] install = ["-r tests/requirements.txt"]'
    )


def parsed(label: str, tree: Path, project: Path, install: Sequence[str]) -> Wanted:
    """Parted into what is built of the repository, and what is for pip as it is. Raises `GateError`."""
    local: list[tuple[Path, str]] = []
    rest: list[str] = []
    takes_value = False
    for word in [word for item in install for word in shlex.split(item)]:
        match = _LOCAL.fullmatch(word)
        path = Path(os.path.normpath(project / match["path"] if match else project))
        if not takes_value and word in ("-e", "--editable"):
            continue  # what is built takes part as it is installed
        if not takes_value and match and (word.startswith(".") or ("/" in match["path"] and path.is_dir())):
            if not path.is_dir() or not path.is_relative_to(tree):
                raise GateError(f"[tool.laptime.gate] install: {word!r}: {label}'s files have no such directory")
            local.append((path, match["extras"] or ""))
        else:
            rest.append(word)
        takes_value = not takes_value and bool(_BARE.fullmatch(word)) and word not in _FLAGS
    return Wanted(tuple(local), tuple(rest))


def building(variables: Mapping[str, str]) -> dict[str, str]:
    """Of environment variables those that what is built depends on. Pure."""
    return {name: value for name, value in sorted(variables.items()) if _BUILDS.fullmatch(name)}


def _refuse_local(label: str, project: Path, files: Sequence[Path]) -> None:
    """A requirements file with the project itself: pip would build it in the side's own files, and leave it there."""
    for path in files:
        lines = dependencies.local(path, project)
        if lines:
            name = os.path.relpath(path, project)
            raise GateError(
                f"{label}: {name} installs a directory ({lines[0]!r}), which each side is to build by itself: name it, "
                'and a file with the rest, in [tool.laptime.gate], as in install = [".", "-r tests/requirements.txt"]'
            )


def overlay(site: Path, roots: Sequence[Path]) -> int:
    """Put what was built beside the source that it belongs to, where that is lacking it; how many files it was."""
    count = 0
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site)
        root = next((root for root in roots if (root / name.parts[0]).exists()), None)
        if root is None or path.is_dir() or "__pycache__" in name.parts or (root / name).exists():
            continue
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, root / name)
        count += 1
    return count


def contents(tree: Path) -> str:
    """A digest of all files of a tree, by their names."""
    digest = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        if path.is_symlink():
            digest.update(f"{path.relative_to(tree)}\0{path.readlink()}\0".encode(errors="surrogateescape"))
        elif path.is_file():
            digest.update(f"{path.relative_to(tree)}\0{_digest(path)}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _requires(wheel: Path) -> list[str]:
    """What a wheel says that it needs: some say so only when they are built."""
    with ZipFile(wheel) as file:
        name = next(name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        lines = file.read(name).decode(errors="replace").splitlines()
    return sorted(line for line in lines if line.startswith(("Requires-Dist:", "Requires-Python:")))


def _python(place: Path) -> Path:
    return place / _PYTHON


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:20]
