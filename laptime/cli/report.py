"""`laptime report`: what was measured as one page, and its charts as files."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from laptime import git, trend
from laptime.cli import _store
from laptime.cli._codes import OK
from laptime.cli._terminal import progress
from laptime.history import PASSED, HistoryError, Run, from_json

if TYPE_CHECKING:
    from laptime.history import Gate
    from laptime.history.store import Store
    from laptime.report.page.content import Page
    from laptime.trend import ChangePoint, Series

    Trends = list[tuple[Series, list[ChangePoint]]]

FORMATS = ("html", "svg", "png")
PAGE, CHARTS = "index.html", "charts"
MOST_GATES = 20
_GENERATOR = b'<meta name="generator" content="laptime'
_HEAD_BYTES = 4096
_LATEST = "latest"
_NEEDED = {"altair": "altair", "vl_convert": "vl-convert-python"}
"""Modules, and what installs each: the extra `report`."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command."""
    parser = commands.add_parser(
        "report",
        help="write a page that shows it all, and its charts",
        description="Write one HTML page that asks nothing of the network, and its charts as SVG and PNG: each "
        "workload's race with every round, speed-up and efficiency, timelines, scaling, pool costs, trends with their "
        "changes, gates, and what it was measured on. Of several runs, the newest that has a benchmark is shown.",
        epilog="example: laptime report latest -o report. Needs laptime's extra `report`: "
        f"`pip install {' '.join(_NEEDED.values())}`.",
    )
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="a commit, tag, branch, HEAD~3, latest~2, a run's id, its label, or a file of pytest-benchmark's JSON "
        "(default: latest)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("report"), metavar="DIR", help="where to write (default: report)"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        action="append",
        help="write this only; may be given several times (default: all three)",
    )
    parser.add_argument("--rev", default="HEAD", help="the commit whose first parents trends follow (default: HEAD)")
    _store.add_history(parser)
    parser.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        installed = " ".join(_NEEDED[name] for name in missing)
        raise HistoryError(
            f"{' and '.join(missing)}: not installed; `pip install {installed}` (laptime's extra `report`)"
        )
    _check_target(options.output)
    formats = options.format or FORMATS
    from laptime.report.page import content
    from laptime.report.page.material import FEWEST_RUNS, Material

    store, runs, notes = _runs(options)
    if not any(result.outcome == PASSED for run in runs for result in run.results):
        raise HistoryError("nothing to report: no benchmark of these runs has figures")
    found: Trends = []
    gates: list[Gate] = []
    if store is not None:
        found = _trends(store, runs, options.rev)
        if not found:
            notes.append(
                f"No trends: no benchmark has {FEWEST_RUNS} runs of one machine and the same inputs at commits among "
                f"the first parents of {options.rev}."
            )
        gates = store.load_gates(store.gate_numbers()[:MOST_GATES])
    material = Material(runs, found, gates, _asked(options), version("laptime"), notes)
    try:
        page = content.page(material)
        with _whole(options.output) as directory:
            _write(page, directory, formats)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        names = ", ".join(options.runs or [_LATEST])
        raise HistoryError(f"{names}: not as laptime and pytest-benchmark write it: {error!r}") from error
    size = sum(file.stat().st_size for file in options.output.rglob("*") if file.is_file())
    shown = options.output / PAGE if "html" in formats else options.output / CHARTS
    print(f"{shown}: {len(page.figures)} charts, {size / 1e6:.1f} MB in all")
    return OK


def _asked(options: argparse.Namespace) -> list[str]:
    names = [Path(name).name if Path(name).is_file() else name for name in options.runs]
    return [*(names or [_LATEST]), "-o", options.output.name]


def _runs(options: argparse.Namespace) -> tuple[Store | None, list[Run], list[str]]:
    """The store, if there is one; the runs that are asked for, the newest first; what could not be had."""
    names = options.runs or [_LATEST]
    files = [Path(name) for name in names if Path(name).is_file()]
    others = [name for name in names if not Path(name).is_file()]
    notes: list[str] = []
    store: Store | None = None
    try:
        store, _ = _store.open_store(options)
    except HistoryError:
        if others or options.history is not None:
            raise
        notes.append("There is no history here: no trends and no gates.")
    found = {run.id: run for run in map(_read, files)}
    for name in others:
        assert store is not None
        found |= {run.id: run for run in _store.chosen(store, name)[1]}
    return store, sorted(found.values(), key=lambda run: run.at, reverse=True), notes


def _read(file: Path) -> Run:
    try:
        return from_json(json.loads(file.read_text(encoding="utf-8")))
    except (HistoryError, ValueError, RecursionError) as error:
        raise HistoryError(f"{file}: {error}") from error


def _trends(store: Store, runs: Sequence[Run], rev: str) -> Trends:
    """The series of the reported benchmarks, of the newest one's fingerprint and inputs, with their changes."""
    from laptime.report.page.material import FEWEST_RUNS

    wanted = {result.fullname for run in runs for result in run.results if result.outcome == PASSED}
    every = {name: points for name, points in store.every_series().items() if name in wanted}
    every = {name: points for name, points in every.items() if len(points) >= FEWEST_RUNS}
    groups = trend.grouped(store.fingerprints({point.fingerprint_no for some in every.values() for point in some}))
    order = _order(rev)
    series = []
    for name, points in every.items():
        found = trend.all_series(name, points, metric="wall", groups=groups, order=order)
        series += [one for one in found[:1] if len(one.values) >= FEWEST_RUNS]
    changes: Trends = []
    with progress("looking for changes", len(series)) as advance:
        for one in series:
            changes.append((one, trend.change_points(one)))
            advance()
    return changes


def _order(rev: str) -> dict[str, int] | None:
    """The place of each commit; None, where git can't say: runs are taken in the order of time."""
    here = Path.cwd()
    commit = git.resolve(here, rev) if git.is_repository(here) else None
    if commit is None:
        if rev != "HEAD":
            raise HistoryError(f"--rev {rev}: no commit, tag or branch that git knows")
        return None
    return {one: place for place, one in enumerate(git.first_parents(here, commit))}


def _write(page: Page, directory: Path, formats: Sequence[str]) -> None:
    from laptime.report.page import draw, html

    drawn = [figure for figure in page.figures if {"svg", "png"} & {*formats}]
    with progress("drawing", len(drawn) + 1) as advance:
        if "html" in formats:
            text = html.document(page, draw.library())
            (directory / PAGE).write_text(text, encoding="utf-8", newline="\n")
        advance()
        if drawn:
            (directory / CHARTS).mkdir()
        for figure in drawn:
            svg = draw.svg(figure)
            if "svg" in formats:
                (directory / CHARTS / f"{figure.name}.svg").write_text(svg, encoding="utf-8", newline="\n")
            if "png" in formats:
                (directory / CHARTS / f"{figure.name}.png").write_bytes(draw.png(svg))
            advance()


def _check_target(target: Path) -> None:
    """What is there must be a report, or nothing. Raises `HistoryError`."""
    if not target.parent.is_dir():
        raise HistoryError(f"{target}: there is no directory {target.parent}")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise HistoryError(f"{target}: is no directory: a report is one; name another with -o")
    if Path.cwd().resolve().is_relative_to(target.resolve()):
        raise HistoryError(f"{target}: is where you are, and a report takes the place of a directory; use another -o")
    if target.is_dir() and any(target.iterdir()) and not _is_report(target):
        raise HistoryError(f"{target}: holds something that is no report of laptime, and is left alone; use another -o")


def _is_report(directory: Path) -> bool:
    if {one.name for one in directory.iterdir()} == {CHARTS}:
        return {one.suffix for one in (directory / CHARTS).iterdir()} <= {".svg", ".png"}
    try:
        with (directory / PAGE).open("rb") as file:
            return _GENERATOR in file.read(_HEAD_BYTES)
    except OSError:
        return False


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A directory to write into, which takes the target's place at the end: cut short, the old report stays."""
    draft, old = (target.with_name(f".{target.name}.{word}-{os.getpid()}") for word in ("new", "old"))
    draft.mkdir()
    try:
        yield draft
        if target.exists():
            target.rename(old)
        draft.rename(target)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)  # it ended between the two
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
