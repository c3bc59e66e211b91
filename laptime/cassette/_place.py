"""Where in a file a value stands, and what was found there: for messages that can be acted on."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from laptime.cassette._model import CassetteError


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file a value stands; `fail` says so."""

    path: Path
    index: int

    def fail(self, field: str, problem: str) -> NoReturn:
        """Raise `CassetteError`."""
        raise CassetteError(f"{self.path}: interaction {self.index}: {field}: {problem}")

    def get(self, mapping: Mapping[str, Any], key: str, field: str, kind: type) -> Any:
        """The value at `key`, which must be there and of this kind; `field` is its name in the message."""
        if key not in mapping:
            self.fail(field, "missing")
        value = mapping[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fail(field, f"expected {_NAMES[kind]}, found {kind_of(value)}")
        return value


_NAMES: dict[type, str] = {dict: "a mapping", list: "a list", str: "text", int: "a whole number"}


def kind_of(value: object) -> str:
    """What a value is, and how it begins: ``text ('abc')``."""
    return "nothing" if value is None else f"{_NAMES.get(type(value), type(value).__name__)} ({_short(value)!r})"


def _short(value: object) -> str:
    # aliases make a small file a value of gigabytes: a container is never written out whole
    return str(value)[:40] if isinstance(value, str | float | bytes | bool) else brief(value)[:40]


class _Brief(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python writes out no number of more than 4,300 digits
            return "a number of thousands of digits"


brief = _Brief().repr
"""A value as `repr` writes it, or the beginning of that."""
