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
round_limit = "5m"

[tool.laptime.gate.groups."io*"] # of pytest-benchmark's groups; the same keys
margin = "3%"

[[tool.laptime.gate.accept]]     # a slowdown that is intended (see `laptime.gate.accept.Accept`)
benchmark = "tests/test_parse.py::test_big*"
up_to = "12%"
why = "checks every row since #812"
until = "2027-01-31"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import inf, isfinite
from pathlib import Path
from typing import Any

from laptime import settings
from laptime.gate.accept import Accept
from laptime.gate.decision.trial import Rules
from laptime.gate.pattern import fits
from laptime.gate.sides.trees import is_inside
from laptime.settings import SettingsError

MAX_TIME_S, ROUND_LIMIT_S = 600.0, 60.0
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_RULES = ("margin", "limit")
_OWN = (*_RULES, "round_limit")
_ACCEPT = ("benchmark", "up_to", "why", "until")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST_NAME = 250
_NEARLY_DAY = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a gate decides.

    arguments    for pytest, before those that the command line gives
    isolate      whether an environment is made for each side
    install      what pip installs into it, from the project's root; None: see `laptime.gate.equipment.isolate.default`
    harness      paths, from the project's root, that both sides have from HEAD; None: `benchmarks`, `cassettes`, what
                 of pytest's `testpaths` is named like tests, every conftest.py, the settings files, the files in
                 which the benchmarks are, and the directories called tests, bench or perf that those lie in
    rules        margin and limit of what neither `named` nor `groups` fits
    named        pattern (``*`` and ``?`` stand for any characters) -> the rules of the benchmarks that it fits; of
                 several the last
    groups       pattern -> the rules of the benchmarks whose group it fits, where none of `named` fits them
    accepts      the slowdowns that are intended
    max_time_s   how long a run may take
    round_limit_s  how long one round may take before the benchmark counts as broken; its set-up: twice as long
    """

    arguments: tuple[str, ...] = ()
    isolate: bool = False
    install: tuple[str, ...] | None = None
    harness: tuple[str, ...] | None = None
    rules: Rules = field(default_factory=Rules)
    named: Mapping[str, Rules] = field(default_factory=dict)
    groups: Mapping[str, Rules] = field(default_factory=dict)
    accepts: tuple[Accept, ...] = ()
    max_time_s: float = MAX_TIME_S
    round_limit_s: float = ROUND_LIMIT_S

    def of(self, benchmark: str, group: str | None = None) -> Rules:
        """By what a benchmark is judged; `group` is pytest-benchmark's."""
        named = [rules for pattern, rules in self.named.items() if fits(pattern, benchmark)]
        groups = [rules for pattern, rules in self.groups.items() if group is not None and fits(pattern, group)]
        return [self.rules, *groups, *named][-1]

    def idle(self, benchmarks: Iterable[str], groups: Iterable[str]) -> list[str]:
        """The tables that fit none of these, as ``benchmarks."*slow*"``."""
        found = []
        for name, patterns, there in (("benchmarks", self.named, benchmarks), ("groups", self.groups, groups)):
            names = set(there)
            found += [f'{name}."{one}"' for one in patterns if not any(fits(one, each) for each in names)]
        return found


def read(root: Path) -> Settings:
    """The settings of the project in a directory. Raises `SettingsError`."""
    path, tool = settings.table(root)
    found = tool.get("gate", {})
    place = f"{path}: tool.laptime.gate"
    if not isinstance(found, dict):
        raise SettingsError(f"{place}: expected a table")
    known = ("arguments", "accept", "benchmarks", "groups", "harness", "install", "isolate", "max_time", "round_limit")
    _refuse_unknown(place, found, (*known, *_RULES))
    rules = _rules(place, found, Rules())
    named, groups = (_tables(place, name, found, rules) for name in ("benchmarks", "groups"))
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
        named=named,
        groups=groups,
        accepts=_accepts(place, found, min(one.margin for one in (rules, *named.values(), *groups.values()))),
        max_time_s=_seconds(place, "max_time", found, MAX_TIME_S),
        round_limit_s=_seconds(place, "round_limit", found, ROUND_LIMIT_S),
    )


def accepts(root: Path) -> tuple[Accept, ...]:
    """What the project in a directory accepts, whatever else its settings say. Raises `SettingsError`."""
    path, tool = settings.table(root)
    gate = tool.get("gate")
    return _accepts(f"{path}: tool.laptime.gate", gate if isinstance(gate, dict) else {}, 0.0)


def accepts_before(root: Path) -> list[Accept]:
    """The same of an older revision, by the entries that can be read: no other can equal one that can.

    Raises `SettingsError` where its pyproject.toml is no TOML.
    """
    _, tool = settings.table(root)
    gate = tool.get("gate")
    entries = gate.get("accept") if isinstance(gate, dict) else None
    found = []
    for entry in entries if isinstance(entries, list) else ():
        with suppress(SettingsError):
            found.append(_accept("", entry))
    return found


def seconds(text: str) -> float:
    """``10m``, ``90s``, ``1.5h``, or a number of seconds. Raises `ValueError`."""
    match = _DURATION.fullmatch(text.strip())
    found = 0.0 if match is None else float(match[1]) * _UNITS[match[2]]
    if not 0 < found < inf:
        raise ValueError(f"{text!r}: expected a time, as in 10m or 90s")
    return found


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


def _tables(place: str, name: str, found: Mapping[str, Any], default: Rules) -> dict[str, Rules]:
    tables = found.get(name, {})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise SettingsError(f'{place}.{name}: expected tables, as in [tool.laptime.gate.{name}."*slow*"]')
    rules = {}
    for pattern, one in tables.items():
        where = f"{place}.{name}.{pattern!r}"
        _refuse_unknown(where, one, _OWN)
        limit_s = _seconds(where, "round_limit", one, ROUND_LIMIT_S) if "round_limit" in one else None
        rules[pattern] = replace(_rules(where, one, default), round_limit_s=limit_s)
    return rules


def _accepts(place: str, found: Mapping[str, Any], least: float) -> tuple[Accept, ...]:
    """`least`: the smallest margin that anything has."""
    entries = found.get("accept", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise SettingsError(f"{place}.accept: expected a list of tables, each under [[tool.laptime.gate.accept]]")
    made = []
    for number, one in enumerate(entries, 1):
        where = f"{place}.accept, entry {number}"
        accept = _accept(where, one)
        if accept.up_to <= least:
            raise SettingsError(
                f"{where}: up_to: {one['up_to']!r}: must be above the margin, {least * 100:g} %: a slowdown within it "
                "needs no entry"
            )
        made.append(accept)
    return tuple(made)


def _accept(where: str, entry: object) -> Accept:
    """Raises `SettingsError`."""
    if not isinstance(entry, dict):
        raise SettingsError(f"{where}: expected a table")
    _refuse_unknown(where, entry, _ACCEPT, ": ")
    missing = [key for key in _ACCEPT if key not in entry]
    if missing:
        raise SettingsError(f"{where}: {missing[0]}: is missing; each entry has {', '.join(_ACCEPT)}")
    for key in ("benchmark", "why"):
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise SettingsError(f"{where}: {key}: {entry[key]!r}: expected a text that isn't empty")
    try:
        up_to = share(entry["up_to"])
    except ValueError as error:
        raise SettingsError(f"{where}: up_to: {error}") from None
    return Accept(entry["benchmark"], up_to, " ".join(entry["why"].split()), _until(where, entry["until"]))


def _until(where: str, value: object) -> date | str:
    """A day, or the name of a revision, which is not looked up here. Raises `SettingsError`."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if _DAY.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text)
    elif 0 < len(text) <= _LONGEST_NAME and text.isprintable() and not _NEARLY_DAY.fullmatch(text):
        return text
    raise SettingsError(
        f"{where}: until: {str(value)[:_LONGEST_NAME]!r}: expected a day, as in 2027-01-31, or the name of a revision, "
        "as in v2.0"
    )


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


def _refuse_unknown(place: str, found: Mapping[str, Any], known: tuple[str, ...], sign: str = ".") -> None:
    unknown = [key for key in found if key not in known]
    if unknown:
        raise SettingsError(f"{place}{sign}{unknown[0]}: no such setting; there are {', '.join(known)}")
