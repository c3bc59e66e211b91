"""In a test that uses the `replay` fixture nothing but loopback may be reached; what tries to makes it fail."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from laptime import guard
from laptime.options import REPLAY, Options


class Escapes:
    """Hooks that hold the guard up around such tests, and fail them for what it refused."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._notes = ""
        self._up = False
        self._seen = 0

    def up(self) -> None:
        """From now until the end of the test. Called by `replay` too, for tests that ask for it late."""
        if self._up or self._options.http != REPLAY:
            return
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="laptime-")
            self._notes = str(Path(self._directory.name) / "refused")
        self._up = True
        self._seen = len(guard.noted(self._notes))
        guard.up(self._notes)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Up from the first set-up to the last teardown."""
        if "replay" in getattr(item, "fixturenames", ()):
            self.up()
        try:
            return (yield)
        finally:
            guard.down()
            self._up = False

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> None:
        """From then on it is handed out, alone or as a part of another fixture, without its function being called."""
        if fixturedef.argname == "replay":
            handed_out = type(fixturedef).execute

            def execute(request: Any) -> object:
                self.up()
                return handed_out(fixturedef, request)

            fixturedef.execute = execute  # type: ignore[method-assign]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """A fixture may try as well."""
        with self._told():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Whatever became of the attempt: counted as an error, swallowed, or raised."""
        with self._told():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """As above."""
        with self._told():
            return (yield)

    def pytest_unconfigure(self) -> None:
        """Remove the notes."""
        if self._directory is not None:
            self._directory.cleanup()

    @contextmanager
    def _told(self) -> Generator[None, None, None]:
        try:
            yield
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
            if tried := self._tried():
                pytest.fail(f"{tried} It led to {type(error).__name__}: {error}", pytrace=False)
            raise
        if tried := self._tried():
            pytest.fail(tried, pytrace=False)

    def _tried(self) -> str:
        """What was refused since this was last asked, as a message; nothing where nothing was."""
        refused = guard.noted(self._notes)[self._seen :] if self._up else []
        self._seen += len(refused)
        if not refused:
            return ""
        several = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        return (
            f"in replay mode nothing but loopback may be reached, and this was tried: {refused[0]}{several}. "
            "Take the URL from the `replay` fixture's `.url()`, or ask the live site with --http=live."
        )
