"""What `[tool.laptime]` in a project's pyproject.toml says, read once into one frozen object."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from laptime.redact import FIELDS, HEADERS, Secrets

_LISTS = ("secret_fields", "secret_headers")
_HISTORY = "history"


class SettingsError(ValueError):
    """The settings can't be used; the message names the file, the key and what is expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project wants.

    secrets  what a recording leaves out; the lists of `[tool.laptime]` are added to the built-in ones
    history  the store's URL; None where none is named
    """

    secrets: Secrets = field(default_factory=Secrets)
    history: str | None = None


def read(directory: Path) -> Settings:
    """The settings of the project in a directory; the defaults where there are none. Raises `SettingsError`."""
    path, found = table(directory)
    # a list under a name with a typo would let the secrets through; tables belong to other parts
    unknown = [key for key, value in found.items() if key not in (*_LISTS, _HISTORY) and not isinstance(value, dict)]
    if unknown:
        raise SettingsError(
            f"{path}: tool.laptime.{unknown[0]}: no such setting; there are {', '.join((_HISTORY, *_LISTS))}"
        )
    history = found.get(_HISTORY)
    if history is not None and not (isinstance(history, str) and history):
        raise SettingsError(f"{path}: tool.laptime.{_HISTORY}: expected a file or a URL, in quotes")
    fields, headers = (_names(path, key, found.get(key, [])) for key in _LISTS)
    return Settings(Secrets(headers=HEADERS | headers, fields=FIELDS | fields), history)


def table(directory: Path) -> tuple[Path, dict[str, Any]]:
    """The pyproject.toml of a directory, and what stands under `[tool.laptime]` in it. Raises `SettingsError`."""
    path = directory / "pyproject.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return path, {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: can't be read: {error}") from error
    tool = document.get("tool")
    found = tool.get("laptime", {}) if isinstance(tool, dict) else {}
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: tool.laptime: expected a table")
    return path, found


def _names(path: Path, key: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise SettingsError(f'{path}: tool.laptime.{key}: expected a list of names, as in ["x-session"]')
    return frozenset(name.casefold() for name in value)
