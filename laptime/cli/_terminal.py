"""What standard output is, and a progress bar beside it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

WIDTH = 120
"""Where standard output is no terminal."""


class Advance(Protocol):
    """Says that one more is done."""

    def __call__(self) -> object:
        """One more."""


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
