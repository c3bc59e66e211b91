"""Whether each side runs its own code: read from the files that its modules came from. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath

_TOOL = "laptime"
_INSTALLED = ("site-packages", "dist-packages")
_COMPILED = (".so", ".pyd", ".dylib")
_NOT_FOUND = re.compile(r"No module named '([\w.]+)'")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a side has loaded.

    label    BASE or HEAD
    tree     where its files are
    roots    directories of it that are imported from
    modules  name -> file
    site     where the project lies that was built for it; None where none was
    """

    label: str
    tree: PurePath
    roots: tuple[PurePath, ...]
    modules: Mapping[str, str]
    site: PurePath | None = None


def complaint(
    side: Loaded,
    other: PurePath,
    checkout: PurePath,
    harness: Sequence[PurePath],
    provided: Iterable[str],
    *,
    differs: bool = False,
) -> str | None:
    """What is wrong with what a side has loaded; None where it runs its own code.

    other     the other side's tree
    checkout  the user's working tree, which neither side may load anything from
    harness   what both sides have from HEAD
    provided  the top-level modules that the side's own tree has
    differs   whether the sides are to differ by what they run in: the files may be the same then
    """
    tops = set(provided)
    own = []
    for name, text in sorted(side.modules.items()):
        path = PurePath(text)
        top = name.partition(".")[0]
        if top == _TOOL or top.startswith("_pytest"):
            continue
        if side.site is not None and path.is_relative_to(side.site):
            own.append(path)
        elif path.is_relative_to(side.tree) and not _is_installed(path, side.tree):
            if not any(path.is_relative_to(part) for part in harness):
                own.append(path)
        elif path.is_relative_to(other):
            return f"{side.label} loads {name} from the other side: {path}"
        elif path.is_relative_to(checkout) and not _is_installed(path, checkout):
            return (
                f"{side.label} loads {name} from {path}, the working tree, rather than from its own copy of it: what "
                "is installed or put on the path there (a .pth file, an import hook, an absolute path) goes before "
                "PYTHONPATH. Uninstall it, or install it so that PYTHONPATH goes first"
            )
        elif top in tops and top not in ("conftest", "setup"):
            return (
                f"{side.label} loads {name} from {path}, although its own tree has {top!r}: both sides would run the "
                "installed one. Uninstall it, or put its directory into pytest's `pythonpath`"
            )
    if not own and not differs:
        return (
            f"{side.label} loads nothing of the code under test: all that it loads is installed, or belongs to the "
            "harness (benchmarks and settings, which both sides have from HEAD): both sides would run the same files. "
            "Move what is to be measured out of the harness, or name the harness in [tool.laptime.gate]"
        )
    return None


def _is_installed(path: PurePath, start: PurePath) -> bool:
    """A virtual environment may lie in the working tree."""
    return any(part in _INSTALLED for part in path.relative_to(start).parts)


def not_found(message: str) -> list[str]:
    """The modules that an import error did not find."""
    return sorted(set(_NOT_FOUND.findall(message)))


def wanted(message: str) -> set[str]:
    """The same, and the names that a module which was found did not have: each may be a module of its own."""
    return {*not_found(message), *(f"{module}.{name}" for name, module in _NO_NAME.findall(message))}


def lacking(message: str, ignored: Iterable[str]) -> list[str]:
    """The ignored files that would be what an import error did not find."""
    tails = {tuple(name.split(".")) for name in wanted(message)}
    return [path for path in ignored if any(_is_module(path, tail) for tail in tails)]


def compiled(ignored: Iterable[str], packages: Iterable[str]) -> list[str]:
    """The ignored compiled modules that lie beside tracked source: code may do without, and then be other code."""
    beside = set(packages)
    return [
        path
        for path in ignored
        if path.endswith(_COMPILED) and PurePosixPath(path).parent.as_posix() in beside and not _is_kept_apart(path)
    ]


def _is_kept_apart(path: str) -> bool:
    return any(part in (*_INSTALLED, "build", "dist", "node_modules") for part in PurePosixPath(path).parts)


def _is_module(path: str, tail: Sequence[str]) -> bool:
    plain = PurePosixPath(path.rstrip("/"))
    if not path.endswith((".py", "/", *_COMPILED)) or _is_kept_apart(path):
        return False
    name = plain.name.partition(".")[0]
    parts = [*plain.parts[:-1], name]
    return tuple(parts[-len(tail) :]) == tuple(tail) or (path.endswith("/") and tail[0] in parts)
