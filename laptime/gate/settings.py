"""What `[tool.laptime.gate]` in a project's pyproject.toml says, and what the command line says over it.

[tool.laptime.gate]
arguments = ["--tier=gate"]      # for pytest, before those of the command line
isolate = true                   # an environment for each side
install = [".[test]"]            # what pip installs into it
harness = ["benchmarks", "data"] # instead of what is found (see `Settings.harness`)
margin = "1%"
limit = "5%"
max_time = "10m"
round_limit = "60s"

[tool.laptime.gate.benchmarks."*processes*"]
margin = "2%"
limit = "10%"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import inf, isfinite
from pathlib import Path, PurePosixPath
from typing import Any

from laptime import settings
from laptime.gate.trial import Rules
from laptime.settings import SettingsError

MAX_TIME_S, ROUND_LIMIT_S = 600.0, 60.0
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_RULES = ("margin", "limit")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a gate decides.

    arguments    for pytest, before those that the command line gives
    isolate      whether an environment is made for each side
    install      what pip installs into it, from the project's root; None: see `laptime.gate.isolate.default`
    harness      paths, from the project's root, that both sides have from HEAD; None: `benchmarks`, `cassettes`, what
                 of pytest's `testpaths` is named like tests, every conftest.py, the settings files, and the files in
                 which the benchmarks are
    rules        margin and limit of what none of `named` fits
    named        pattern (``*`` and ``?`` stand for any characters) -> the rules of the benchmarks that it fits; of
                 several the last
    max_time_s   how long a run may take
    round_limit_s  how long one round may take before the benchmark counts as broken; its set-up: twice as long
    """

    arguments: tuple[str, ...] = ()
    isolate: bool = False
    install: tuple[str, ...] | None = None
    harness: tuple[str, ...] | None = None
    rules: Rules = field(default_factory=Rules)
    named: Mapping[str, Rules] = field(default_factory=dict)
    max_time_s: float = MAX_TIME_S
    round_limit_s: float = ROUND_LIMIT_S

    def of(self, benchmark: str) -> Rules:
        """By what a benchmark is judged."""
        found = self.rules
        for pattern, rules in self.named.items():
            if fnmatchcase(benchmark, pattern.replace("[", "[[]")):
                found = rules
        return found


def read(root: Path) -> Settings:
    """The settings of the project in a directory. Raises `SettingsError`."""
    path, tool = settings.table(root)
    found = tool.get("gate", {})
    place = f"{path}: tool.laptime.gate"
    if not isinstance(found, dict):
        raise SettingsError(f"{place}: expected a table")
    known = ("arguments", "benchmarks", "harness", "install", "isolate", "max_time", "round_limit", *_RULES)
    _refuse_unknown(place, found, known)
    rules = _rules(place, found, Rules())
    named = found.get("benchmarks", {})
    if not isinstance(named, dict) or not all(isinstance(one, dict) for one in named.values()):
        raise SettingsError(f'{place}.benchmarks: expected tables, as in [tool.laptime.gate.benchmarks."*slow*"]')
    for pattern, one in named.items():
        _refuse_unknown(f"{place}.benchmarks.{pattern!r}", one, _RULES)
    harness = _texts(place, "harness", found)
    outside = [name for name in harness or () if not is_inside(name)]
    if outside:
        raise SettingsError(f"{place}.harness: {outside[0]!r}: expected paths inside the project, from its root")
    return Settings(
        arguments=_texts(place, "arguments", found) or (),
        isolate=_flag(place, "isolate", found),
        install=_texts(place, "install", found) or None,
        harness=harness,
        rules=rules,
        named={pattern: _rules(f"{place}.benchmarks.{pattern!r}", one, rules) for pattern, one in named.items()},
        max_time_s=_seconds(place, "max_time", found, MAX_TIME_S),
        round_limit_s=_seconds(place, "round_limit", found, ROUND_LIMIT_S),
    )


def seconds(text: str) -> float:
    """``10m``, ``90s``, ``1.5h``, or a number of seconds. Raises `ValueError`."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not 0 < float(match[1]) < inf:
        raise ValueError(f"{text!r}: expected a time, as in 10m or 90s")
    return float(match[1]) * _UNITS[match[2]]


def share(value: object) -> float:
    """``"5%"`` or ``0.05``: a share below 1. Raises `ValueError`."""
    found = -1.0
    if isinstance(value, str) and (match := _SHARE.fullmatch(value.strip())):
        found = float(match[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        found = float(value)
    if not 0 <= found < 1:
        raise ValueError(f'{value!r}: expected a share, as in "5%" or 0.05')
    return found


def is_inside(name: str) -> bool:
    """Whether a path names something below the directory that it is meant from: BASE's is removed there."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts


def _rules(place: str, found: Mapping[str, Any], default: Rules) -> Rules:
    values = {"margin": default.margin, "limit": default.limit}
    for key in _RULES:
        if key in found:
            try:
                values[key] = share(found[key])
            except ValueError as error:
                raise SettingsError(f"{place}.{key}: {error}") from None
    if not values["margin"] < values["limit"]:
        raise SettingsError(
            f"{place}: margin {values['margin']:.1%} must lie below limit {values['limit']:.1%}: what is within the "
            "limit is unchanged, and what is surely above the margin regressed"
        )
    return Rules(**values)


def _texts(place: str, key: str, found: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = found.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise SettingsError(f'{place}.{key}: expected a list of texts, as in ["benchmarks"]')
    return tuple(value)


def _flag(place: str, key: str, found: Mapping[str, Any]) -> bool:
    value = found.get(key, False)
    if not isinstance(value, bool):
        raise SettingsError(f"{place}.{key}: expected true or false")
    return value


def _seconds(place: str, key: str, found: Mapping[str, Any], default: float) -> float:
    value = found.get(key, default)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"{value!r}: expected a time, as in 10m or 90s")
        return seconds(str(value))
    except ValueError as error:
        raise SettingsError(f"{place}.{key}: {error}") from None


def _refuse_unknown(place: str, found: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [key for key in found if key not in known]
    if unknown:
        raise SettingsError(f"{place}.{unknown[0]}: no such setting; there are {', '.join(known)}")
