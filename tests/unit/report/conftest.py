"""The terminal that tables are drawn for."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with colours, whatever the tests themselves are started from: to a dumb one rich writes none."""
    monkeypatch.setenv("TERM", "xterm-256color")
