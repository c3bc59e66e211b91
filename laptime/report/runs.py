"""A list of runs as a table, Markdown and JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from laptime.git import Commit
from laptime.history import Entry, Fingerprint
from laptime.report.console import escaped, fingerprint_line, plain, printed

_SHORT = 10
_HEADINGS = ("run", "when (UTC)", "commit", "branch", "benchmarks", "label", "on")


def terminal(entries: Sequence[Entry], known: Mapping[int, Fingerprint], *, width: int, color: bool) -> str:
    """A line a run."""

    def show(write: Callable[..., None]) -> None:
        table = Table(box=None, pad_edge=False)
        for number, heading in enumerate(_HEADINGS):
            table.add_column(heading, overflow="fold", no_wrap=number < 3)
        for entry in entries:
            table.add_row(*(Text(plain(cell)) for cell in _cells(entry, known)))
        write(table)

    return printed(show, width=width, color=color)


def markdown(entries: Sequence[Entry], known: Mapping[int, Fingerprint]) -> str:
    """The same for a page."""
    rows = [f"| {' | '.join(map(escaped, _cells(entry, known)))} |" for entry in entries]
    return "\n".join([f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|", *rows]) + "\n"


def as_json(entries: Sequence[Entry], known: Mapping[int, Fingerprint]) -> str:
    """The same for a program."""
    document = {"version": 1, "runs": [_json(entry, known) for entry in entries]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def short(commit: Commit) -> str:
    """``8f14e45fce``, with a plus where there were changes."""
    return (commit.id or "–")[:_SHORT] + ("+" if commit.dirty else "")


def _cells(entry: Entry, known: Mapping[int, Fingerprint]) -> tuple[str, ...]:
    counted = f"{entry.timed}" + (f", {entry.failed} not timed" if entry.failed else "")
    counted += "" if entry.complete else ", cut short"
    return (
        entry.id[:_SHORT],
        f"{entry.at:%Y-%m-%d %H:%M}",
        short(entry.commit),
        entry.commit.branch or "–",
        counted,
        entry.label or "",
        fingerprint_line(known[entry.fingerprint_no]),
    )


def _json(entry: Entry, known: Mapping[int, Fingerprint]) -> dict[str, Any]:
    fingerprint = known[entry.fingerprint_no]
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "label": entry.label,
        "complete": entry.complete,
        "commit": entry.commit.id,
        "commit_at": None if entry.commit.at is None else entry.commit.at.isoformat(),
        "branch": entry.commit.branch,
        "dirty": entry.commit.dirty,
        "timed": entry.timed,
        "not_timed": entry.failed,
        "machine": dict(fingerprint.machine),
        "interpreter": dict(fingerprint.interpreter),
    }
