"""`laptime race`: the race in a file of results."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from laptime.cli._codes import CANNOT, OK
from laptime.cli._terminal import color, tell, width
from laptime.report import race, tables


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command."""
    show = commands.add_parser(
        "race",
        help="show the race in a file of results",
        description="Read what `pytest --benchmark-only --benchmark-json FILE` wrote (or a file saved by "
        "`--benchmark-autosave`), and show each workload's race: who won, by how much, at what cost, and why.",
        epilog="example: laptime race results.json --format markdown",
    )
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--format", choices=("table", "markdown", "overview"), default="table")
    show.set_defaults(command=_race)


def _race(options: argparse.Namespace) -> int:
    try:
        document = json.loads(options.file.read_text(encoding="utf-8"))
        found = race.races(document["benchmarks"])
        shown = _shown(found, options.format)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        tell(f"laptime: {options.file}: not a file of pytest-benchmark: {error!r}")
        return CANNOT
    if not found:
        tell(f"laptime: {options.file}: holds no benchmarks of laptime's `lap` fixture")
        return CANNOT
    print(shown, end="")
    return OK


_MARKDOWN = {"markdown": tables.markdown, "overview": tables.overview}


def _shown(found: Sequence[race.Race], layout: str) -> str:
    if layout in _MARKDOWN:
        return _MARKDOWN[layout](found)
    return tables.terminal(found, width=width(), color=color()).lstrip("\n")
