"""Where a project begins, and which history it names: as pytest finds it, for the command line, which has no pytest."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iniconfig import IniConfig, ParseError

from laptime import settings
from laptime.history import DEFAULT
from laptime.settings import SettingsError

INI_KEY = "laptime_history"
_INI_FILES = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}
_ALWAYS = ("pytest.ini", ".pytest.ini")
"""These are pytest's, whatever they hold."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project's root directory, and the URL of its history, which a relative path of is from the root."""

    root: Path
    history: str


def find(directory: Path) -> Project:
    """The project around a directory; an ini setting goes before `[tool.laptime]`. Raises `SettingsError`.

    The root is the nearest directory upwards with pytest's settings, else with a pyproject.toml, else with a setup.py,
    else the directory itself (https://docs.pytest.org/en/stable/reference/customize.html).
    """
    for place in (directory, *directory.parents):
        for found in _pytest_settings(place):
            return _project(place, found)
    marked = (
        place
        for name in ("pyproject.toml", "setup.py")
        for place in (directory, *directory.parents)
        if (place / name).is_file()
    )
    return _project(next(marked, directory), {})


def _project(root: Path, ini: dict[str, Any]) -> Project:
    return Project(root, str(ini.get(INI_KEY) or settings.read(root).history or DEFAULT))


def _pytest_settings(place: Path) -> Iterator[dict[str, Any]]:
    """pytest's settings in a directory, in the order in which pytest looks for them."""
    for name in ("pytest.toml", ".pytest.toml"):
        if (place / name).is_file():
            yield _table(_toml(place / name), "pytest") or {}
    for name in _ALWAYS:
        if (place / name).is_file():
            yield _ini(place / name, _INI_FILES[name]) or {}
    if (place / "pyproject.toml").is_file():
        tool = _table(_toml(place / "pyproject.toml"), "tool", "pytest")
        if tool is not None:
            yield _table(tool, "ini_options") or tool
    for name in ("tox.ini", "setup.cfg"):
        if (place / name).is_file():
            found = _ini(place / name, _INI_FILES[name])
            if found is not None:
                yield found


def _table(found: Any, *keys: str) -> dict[str, Any] | None:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: can't be read: {error}") from error


def _ini(path: Path, section: str) -> dict[str, str] | None:
    try:
        found = IniConfig(str(path))
    except (OSError, ValueError, ParseError) as error:
        raise SettingsError(f"{path}: can't be read: {error}") from error
    return dict(found[section].items()) if section in found else None
