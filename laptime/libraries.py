"""Which libraries take part in a session, and in which versions."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from inspect import getmodulename
from pathlib import Path


def installed(project: Path) -> dict[str, str]:
    """Every installed distribution and its version, by normalised name.

    Left out is what is itself measured: the project in this directory, and what is installed from a directory.
    """
    own = _project_name(project)
    found: dict[str, str | None] = {}
    for distribution, told in _whole():
        # of two, the first on the path is imported
        version = None if _from_directory(distribution) else told["Version"]
        found.setdefault(_normalised(told["Name"]), version)
    return {name: version for name, version in found.items() if version is not None and name != own}


def loaded(
    names: Mapping[str, str],
    modules: Iterable[str] | None = None,
    owners: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Those of which a module is imported now, or is among these, sorted.

    owners  top-level module -> its distributions; None: those of this process
    """
    owners = _owners() if owners is None else owners
    tops = {module.partition(".")[0] for module in (list(sys.modules) if modules is None else modules)}
    return sorted(
        {name for top in tops for owner in owners.get(top, ()) if owner if (name := _normalised(owner)) in names}
    )


def _normalised(name: str) -> str:
    return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)


def _project_name(directory: Path) -> str | None:
    try:
        document = tomllib.loads((directory / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    project = document.get("project")
    return _normalised(str(project["name"])) if isinstance(project, dict) and "name" in project else None


def _from_directory(distribution: metadata.Distribution) -> bool:
    """Whether pip noted that it came from a directory (PEP 610): its version then says nothing about its code."""
    return any("dir_info" in note for note in _origins(distribution))


def _origins(distribution: metadata.Distribution) -> Iterator[dict[str, object]]:
    try:
        note = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return
    if isinstance(note, dict):
        yield note


def _whole() -> Iterator[tuple[metadata.Distribution, metadata.PackageMetadata]]:
    """What is installed whole: an installation that was broken off leaves a folder without a name or a version.

    The backport `importlib_metadata`, where something has imported it, answers in the place of the standard library,
    and raises where that gives nothing.
    """
    for distribution in metadata.distributions():
        with suppress(FileNotFoundError):
            told = distribution.metadata
            if told and "Name" in told and "Version" in told:
                yield distribution, told


def _owners() -> dict[str, list[str]]:
    """As `metadata.packages_distributions`, which fails at what is broken off where the backport answers."""
    found: dict[str, list[str]] = {}
    for distribution, told in _whole():
        tops = set((distribution.read_text("top_level.txt") or "").split())
        if not tops:
            files = distribution.files or ()
            tops = {file.parts[0] if len(file.parts) > 1 else getmodulename(file) or "" for file in files}
        for top in tops:
            found.setdefault(top, []).append(told["Name"])
    return found
