"""What a project says that it depends on: read from the files that say so, to compare two revisions of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path
from typing import Any

_PYPROJECT = "pyproject.toml"
_TABLES = (
    ("project", "dependencies"),
    ("project", "optional-dependencies"),
    ("project", "requires-python"),
    ("project", "dynamic"),
    ("build-system",),
    ("dependency-groups",),
    ("tool", "poetry", "dependencies"),
    ("tool", "poetry", "group"),
    ("tool", "pdm", "dev-dependencies"),
    ("tool", "uv", "sources"),
    ("tool", "hatch", "envs"),
)
_SETUP = (("options", "install_requires"), ("options", "setup_requires"), ("options", "python_requires"))
LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "conda-lock.yml")
"""Locks that pip can't read."""
_WHOLE = re.compile(
    r"(pylock(\.[\w-]+)?\.toml|[\w.-]*(requirements|constraints)[\w.-]*\.(txt|in|lock)|requirements/[\w.-]+\.(txt|in)|"
    r"setup\.py|Pipfile|environment\.ya?ml)"
)
_NAMES_A_FILE = re.compile(r"(?:-r|-c|--requirement|--constraint)[\s=]*(?P<path>[^\s#]+)")
_LOCAL = re.compile(r"(?:-e|--editable)[\s=]*(?!(?:git|hg|svn|bzr)\+)[^\s#]+|\.[^\s#]*")


def declared(project: Path) -> dict[str, str]:
    """What says it -> a digest of what it says: a whole file, or a part as in ``pyproject.toml: project.dependencies``.

    A file that can't be read as what it should be counts as a whole.
    """
    found = _of_pyproject(project / _PYPROJECT) | _of_setup(project / "setup.cfg")
    for path in sorted((*project.iterdir(), *(project / "requirements").glob("*"))):
        name = path.relative_to(project).as_posix()
        if (name in LOCKS or _WHOLE.fullmatch(name)) and path.is_file():
            found[name] = _digest(path.read_bytes())
    return found


def requirements(project: Path, words: Iterable[str]) -> list[Path]:
    """The files that pip is given, and those that requirements files among them name in turn, each once.

    `words` are arguments for pip, in the project's root.
    """
    found: list[Path] = []
    left = [project / _file(word) for word in words]
    while left:
        path = Path(os.path.normpath(left.pop(0)))
        if path.is_file() and path not in found:
            found.append(path)
            left += [path.parent / match["path"] for match in map(_NAMES_A_FILE.match, _lines(path)) if match]
    return found


def local(path: Path, project: Path) -> list[str]:
    """The lines of a requirements file that are for a directory, as `-e .` is: pip would install it from there."""
    found = [(line, _LOCAL.match(line)) for line in _lines(path)]
    return [line for line, match in found if match and not (project / match[0]).is_file()]


def differences(base: Mapping[str, str], head: Mapping[str, str]) -> list[str]:
    """Where two revisions say something else. Pure."""
    return sorted(name for name in {*base, *head} if base.get(name) != head.get(name))


def _of_pyproject(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {_PYPROJECT: _digest(_bytes(path))}
    found = {}
    for keys in _TABLES:
        value: Any = document
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            said = json.dumps(value, sort_keys=True, default=str)
            found[f"{_PYPROJECT}: {'.'.join(keys)}"] = _digest(said.encode())
    return found


def _of_setup(path: Path) -> dict[str, str]:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, ConfigError):
        return {path.name: _digest(_bytes(path))}
    found = {
        f"{path.name}: {section}.{key}": parser.get(section, key)
        for section, key in _SETUP
        if parser.has_option(section, key)
    }
    if parser.has_section("options.extras_require"):
        found[f"{path.name}: options.extras_require"] = repr(sorted(parser.items("options.extras_require")))
    return {name: _digest(text.encode()) for name, text in found.items()}


def _file(word: str) -> str:
    """What an argument names, if that is a file: ``dev.txt``, ``-rdev.txt``, ``--requirement=dev.txt``."""
    match = _NAMES_A_FILE.fullmatch(word)
    return match["path"] if match else word


def _lines(path: Path) -> list[str]:
    """Of a requirements file; none of what is no text: wheels may be named, too."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except ValueError:
        return []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
