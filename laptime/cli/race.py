"""`laptime race`: the races and studies in a file of results."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from laptime.analysis import race
from laptime.cli._codes import CANNOT, OK
from laptime.cli._terminal import color, tell, width
from laptime.report import study, study_tables, tables


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command."""
    show = commands.add_parser(
        "race",
        help="show the races and studies in a file of results",
        description="Read what `pytest --benchmark-only --benchmark-json FILE` wrote (or a file saved by "
        "`--benchmark-autosave`), and show each workload's race (who won, by how much, at what cost, and why) "
        "and what each study answers.",
        epilog="example: laptime race results.json --format markdown",
    )
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--format", choices=("table", "markdown", "overview"), default="table")
    show.set_defaults(command=_race)


def _race(options: argparse.Namespace) -> int:
    try:
        document = json.loads(options.file.read_text(encoding="utf-8"))
        races, studies = race.races(document["benchmarks"]), study.studies(document["benchmarks"])
        shown = _shown(races, studies, options.format)
    except study.StudyError as error:
        tell(f"laptime: {options.file}: {error}")
        return CANNOT
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        tell(f"laptime: {options.file}: not a file of pytest-benchmark: {error!r}")
        return CANNOT
    if not races and not studies:
        tell(f"laptime: {options.file}: holds no benchmarks of laptime's `lap` fixture")
        return CANNOT
    print(shown, end="")
    return OK


def _shown(races: Sequence[race.Race], studies: Sequence[study.Study], layout: str) -> str:
    if layout == "overview":
        return tables.overview(races)
    if layout == "markdown":
        return "\n".join(filter(None, (tables.markdown(races) if races else "", study_tables.markdown(studies))))
    wide, colored = width(), color()
    shown = tables.terminal(races, width=wide, color=colored) if races else ""
    return (shown + study_tables.terminal(studies, width=wide, color=colored)).lstrip("\n")
