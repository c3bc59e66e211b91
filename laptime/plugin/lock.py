"""Keeps the warnings that name what turned the GIL back on, where a build can do without it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from laptime import gil


class Lock:
    """Hooks that read what pytest catches; pytest shows it after a test only, so that one's own is read as it runs."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Of plugins, of the collection, and of tests that have ended."""
        self._note(warning_message)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Of what is done here; they are warned of again afterwards."""
        if not gil.FREE_THREADED:
            yield
            return
        with warnings.catch_warnings(record=True) as seen:
            yield
        for one in seen:
            self._note(one)
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)

    def culprit(self) -> str | None:
        """See `laptime.gil.turned_on_by`."""
        return gil.turned_on_by(self._texts)

    def _note(self, warning: warnings.WarningMessage) -> None:
        if gil.module_in(str(warning.message)):
            self._texts.append(str(warning.message))
