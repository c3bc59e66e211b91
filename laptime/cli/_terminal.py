"""What standard output and standard error are, and a progress bar beside them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

WIDTH = 120
"""Where standard output is no terminal."""


class Advance(Protocol):
    """Says that one more is done."""

    def __call__(self) -> object:
        """One more."""


def open_closed() -> None:
    """Lead streams that are closed nowhere: what is opened next would take their place, and be written into."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 (for as long as we run)


def lead_nowhere(stream: TextIO) -> None:
    """What is still to be written into a stream that takes no more is lost, without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(line: str) -> None:
    """A line on standard error; where it takes none, since its reader left or its disk is full, the work goes on."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        lead_nowhere(sys.stderr)


def show(text: str) -> None:
    """Text on standard output; where its reader left (`| head`), the work goes on: what it ends with is known then."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        lead_nowhere(sys.stdout)


def color() -> bool:
    """Whether to write colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def width() -> int:
    """The columns there are."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


@contextmanager
def progress(what: str, count: int) -> Iterator[Advance]:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=count)
        yield lambda: bar.advance(task)


class Stages:
    """What is done now and how long it still takes: a bar where standard error is a terminal, else a line a stage."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._tty = sys.stderr.isatty()
        self._bar: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR"))),
            transient=True,
            disable=not self._tty,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, what: str, steps: int, seconds: float | None) -> None:
        """The next stage, of that many steps."""
        if not self._tty:
            about = "" if seconds is None else f", about {seconds:.0f} s"
            count = f", {steps} blocks" if steps > 1 and seconds is not None else ""
            tell(f"laptime: {what}{count}{about}")
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(what, total=steps)

    def advance(self) -> None:
        """One step is done."""
        if self._task is not None:
            self._bar.advance(self._task)

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._tty:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            tell(line)
