"""Sessions that store their runs, and what a store then holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from laptime.history import Run
from laptime.history.store import Store
from tests.support import here
from tests.support.sessions import Ended

QUICK = """
    def test_quick(benchmark):
        benchmark.pedantic(lambda: 1, rounds=3)
"""


def session(directory: Path, *arguments: str | Path, **settings: Any) -> Ended:
    """A session that stores its run."""
    return here.pytest(directory, *arguments, history=True, **settings)


def stored(directory: Path, url: str = ".benchmarks/history.db") -> list[Run]:
    """All runs of a store, the newest first; none where there is no store."""
    if "://" not in url and not (directory / url).exists():
        return []
    store = Store(url, directory)
    return store.load(store.numbers())
