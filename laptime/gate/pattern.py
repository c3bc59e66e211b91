"""Patterns in the settings, which stand for names of benchmarks or of groups. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase


def fits(pattern: str, name: str) -> bool:
    """Whether a name is what a pattern stands for; ``*`` and ``?`` are any characters, brackets are themselves."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))
