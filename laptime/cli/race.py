"""`laptime race`: the races and studies in a file of results, or of a stored run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from laptime.analysis import documents
from laptime.analysis.race import Race
from laptime.cli import _store
from laptime.cli._codes import CANNOT, OK
from laptime.cli._terminal import color, show, tell, width
from laptime.report import race_json, study, study_tables, tables


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command."""
    parser = commands.add_parser(
        "race",
        help="show the races and studies of a file of results, or of a stored run",
        description="Read what `pytest --benchmark-only --benchmark-json FILE` wrote (or a file saved by "
        "`--benchmark-autosave`), or a run of the history, and show each workload's race (what to take, by how much it "
        "gains, at what cost, and why nobody is named where nobody can be) and what each study answers.",
        epilog="example: laptime race latest --format json",
    )
    parser.add_argument(
        "source", metavar="FILE|RUN", nargs="?", help="a file, or a run: latest~1, a commit, a run's id"
    )
    _store.add_history(parser)
    parser.add_argument("--format", choices=("table", "markdown", "overview", "json"), default="table")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of --format json")
    parser.set_defaults(command=_race)


def _race(options: argparse.Namespace) -> int:
    if options.schema:
        show(files("laptime.report").joinpath("race.schema.json").read_text(encoding="utf-8"))
        return OK
    source = options.source or "latest"
    try:
        path = Path(source)
        stored = not (path.exists() or path.suffix == ".json")
        benchmarks = _stored(options, source) if stored else _in_file(path)
        races, studies = documents.races(benchmarks), study.studies(benchmarks)
        text = _text(races, studies, options.format)
    except study.StudyError as error:
        tell(f"laptime: {source}: {error}")
        return CANNOT
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        tell(f"laptime: {source}: not a file of pytest-benchmark: {error!r}")
        return CANNOT
    if not races and not studies:
        tell(f"laptime: {source}: holds no benchmarks of laptime's `lap` or `race` fixture")
        return CANNOT
    show(text)
    return OK


def _in_file(path: Path) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    return found


def _stored(options: argparse.Namespace, name: str) -> list[Mapping[str, Any]]:
    """Those of the newest run that a name stands for. Raises `HistoryError`."""
    from laptime.report.page.material import benchmarks

    store, _ = _store.open_store(options)
    _, runs = _store.chosen(store, name)
    return benchmarks(max(runs, key=lambda run: run.at))


def _text(races: Sequence[Race], studies: Sequence[study.Study], layout: str) -> str:
    if layout == "json":
        return race_json.as_json(races) + "\n"
    if layout == "overview":
        return tables.overview(races)
    if layout == "markdown":
        return "\n".join(filter(None, (tables.markdown(races) if races else "", study_tables.markdown(studies))))
    wide, colored = width(), color()
    text = tables.terminal(races, width=wide, color=colored) if races else ""
    return (text + study_tables.terminal(studies, width=wide, color=colored)).lstrip("\n")
