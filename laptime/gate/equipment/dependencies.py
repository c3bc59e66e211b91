"""What a project says that it depends on: read from the files that say so, to compare two revisions of it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
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


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
