"""What the scripts share: a figure beside its budget, percentiles, a progress bar, a stand-in origin."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).parents[2]
CASSETTES = ROOT / "cassettes"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; `met` is None where nothing was promised."""

    what: str
    measured: str
    budget: str = ""
    met: bool | None = None


def show(title: str, figures: Iterable[Figure]) -> None:
    """Print the figures as a table."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("figure", "measured", "budget", ""):
        table.add_column(heading, overflow="fold")
    for figure in figures:
        word = "" if figure.met is None else "met" if figure.met else "MISSED"
        table.add_row(figure.what, figure.measured, figure.budget, word)
    Console(width=None if sys.stdout.isatty() else 130).print(table, "")


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value with at least `percent` % of them at or below it."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-len(ordered) * percent // 100).__int__() - 1))]


def progress(items: Sequence[T], what: str) -> Iterable[T]:
    """The items, with a bar on standard error."""
    return track(items, description=what, console=Console(stderr=True), transient=True)


@contextmanager
def stand_in_origin(certificate: Path | None = None) -> Iterator[str]:
    """The stand-in origin in a process of its own, over TLS with a certificate; gives its URL."""
    command = [sys.executable, str(CASSETTES / "origin.py"), "--port", "0", "--until-eof"]
    command += [] if certificate is None else ["--tls", str(certificate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        line = process.stdout.readline()
        try:
            if "://" not in line:
                raise SystemExit(f"the stand-in origin did not start: {line!r}")
            yield line.split()[-1]
        finally:
            process.stdin.close()
