"""The store that a command is about, and the arguments that several commands take."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from laptime import project
from laptime.cli._terminal import tell
from laptime.history import HistoryError, anchored, select

if TYPE_CHECKING:
    from laptime.history import Run, Selection
    from laptime.history.store import Store

_AGO = re.compile(r"(\d+)\s*([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


def add_history(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """`--history`, as pytest has it; `again` for a command under one that has it."""
    parser.add_argument(
        "--history",
        metavar="URL",
        default=argparse.SUPPRESS if again else None,
        help="the store: a file, or postgresql+psycopg://USER@HOST/DATABASE (a password is better in PGPASSWORD or "
        "~/.pgpass); default: what the project's settings say, else .benchmarks/history.db",
    )


def open_store(options: argparse.Namespace, *, create: bool = False) -> tuple[Store, Path]:
    """The store, and the project's root. Raises `HistoryError`."""
    from laptime.history.store import Store  # SQLAlchemy: a quarter of a second that `--help` doesn't need

    url, directory, root = _named(options)
    return Store(url, directory, create=create, say=say), root


def check(options: argparse.Namespace) -> None:
    """Raises `HistoryError` where the store's name is none; whether it can be opened is seen when it is."""
    url, directory, _ = _named(options)
    anchored(url, directory)


def _named(options: argparse.Namespace) -> tuple[str, Path, Path]:
    """The store's name, from where it is meant, and the project's root."""
    found = project.find(Path.cwd())
    # what is typed is from where it is typed, as pytest and every shell has it
    url, directory = (options.history, Path.cwd()) if options.history is not None else (found.history, found.root)
    return url, directory, found.root


def chosen(store: Store, name: str | None) -> tuple[Selection, list[Run]]:
    """The runs that a name stands for, loaded. Raises `HistoryError`."""
    selection = select(store, name, Path.cwd())
    return selection, store.load([entry.no for entry in selection.entries])


def since(text: str) -> datetime:
    """A moment: ``2026-11-01``, or ``36h``, ``30d``, ``2w`` ago."""
    match = _AGO.fullmatch(text)
    try:
        if match:
            return datetime.now(UTC) - timedelta(hours=int(match[1]) * _HOURS[match[2]])
        return datetime.fromisoformat(text).astimezone(UTC)  # without an offset: local time
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a date as in 2026-11-01, or 36h, 30d, 2w") from None


def share(text: str) -> float:
    """A share: ``5%``, ``0.05``."""
    number = text.removesuffix("%")
    percent = number != text
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < (100 if percent else 1):  # a 5 was meant as 5 %
        raise argparse.ArgumentTypeError(f"{text!r}: expected a share, as in 5% or 0.05")
    return value


def the_one(store: Store, names: Sequence[str], wanted: str) -> str:
    """The benchmark that is meant: by its name, what stands in its brackets, or a part. Raises `HistoryError`."""
    for fits in (
        lambda name: name == wanted,
        lambda name: name.rpartition("::")[2] == wanted,
        lambda name: name.partition("[")[2].removesuffix("]") == wanted,
        lambda name: wanted in name,
    ):
        found = [name for name in names if fits(name)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = "\n  ".join(found[:10]) + ("\n  …" if len(found) > 10 else "")
            raise HistoryError(
                f"{wanted}: {len(found)} benchmarks have that in their name; write more of it:\n  {listed}"
            )
    raise HistoryError(f"{wanted}: no such benchmark in {store.name}; `laptime history --bench TEXT` lists its runs")


def say(line: str) -> None:
    """A line on standard error."""
    tell(f"laptime: {line}")
