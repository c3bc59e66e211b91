"""A list of gates as a table, Markdown and JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from laptime.git import Commit
from laptime.history import Fingerprint, GateEntry
from laptime.report.console import escaped, plain, printed
from laptime.report.runs import short
from laptime.report.units import duration

_SHORT = 10
_HEADINGS = ("gate", "when (UTC)", "base → head", "branch", "verdicts", "took", "exit code")
_FOLDED = ("branch", "verdicts")
_MINUTE_S, _HOUR_S = 60, 3600


def terminal(entries: Sequence[GateEntry], *, width: int, color: bool) -> str:
    """A line a gate."""

    def show(write: Callable[..., None]) -> None:
        table = Table(box=None, pad_edge=False)
        for heading in _HEADINGS:
            table.add_column(heading, overflow="fold", no_wrap=heading not in _FOLDED)
        for entry in entries:
            table.add_row(*(Text(plain(cell)) for cell in _cells(entry)))
        write(table)

    return printed(show, width=width, color=color)


def markdown(entries: Sequence[GateEntry]) -> str:
    """The same for a page."""
    rows = [f"| {' | '.join(map(escaped, _cells(entry)))} |" for entry in entries]
    return "\n".join([f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|", *rows]) + "\n"


def as_json(entries: Sequence[GateEntry], known: Mapping[int, Fingerprint]) -> str:
    """The same for a program."""
    document = {"version": 1, "gates": [_json(entry, known[entry.fingerprint_no]) for entry in entries]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def took(seconds: float) -> str:
    """``45.6 s``, ``12 min 34 s``, ``1 h 05 min``."""
    whole = round(seconds)
    if whole < _MINUTE_S:
        return duration(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S:02} s"
    minutes = round(seconds / _MINUTE_S)
    return f"{minutes // 60} h {minutes % 60:02} min"


def _cells(entry: GateEntry) -> tuple[str, ...]:
    verdicts = [f"{count} {verdict}" for verdict, count in entry.counts.items()]
    return (
        entry.id[:_SHORT],
        f"{entry.at:%Y-%m-%d %H:%M}",
        f"{short(entry.base)} → {short(entry.head)}",
        entry.head.branch or "–",
        ", ".join([*(verdicts or ["nothing"]), *([] if entry.complete else ["cut short"])]),
        took(entry.seconds),
        str(entry.code),
    )


def _json(entry: GateEntry, fingerprint: Fingerprint) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "seconds": entry.seconds,
        "complete": entry.complete,
        "exit_code": entry.code,
        "base": _commit_json(entry.base),
        "head": _commit_json(entry.head),
        "benchmarks": dict(entry.counts),
        "machine": dict(fingerprint.machine),
        "interpreter": dict(fingerprint.interpreter),
    }


def _commit_json(commit: Commit) -> dict[str, Any]:
    return {
        "commit": commit.id,
        "commit_at": None if commit.at is None else commit.at.isoformat(),
        "branch": commit.branch,
        "dirty": commit.dirty,
    }
