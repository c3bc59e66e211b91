"""A build of Python that can do without the GIL, played where there is none, and its warning."""

from __future__ import annotations

import pytest

from laptime import gil, machine

WARNING = (
    "The global interpreter lock (GIL) has been enabled to load module 'greedy.core', which has not declared that it "
    "can run safely without the GIL."
)
"""As CPython words it."""


@pytest.fixture
def free_threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that can do without the GIL, and has it on."""
    monkeypatch.setattr(gil, "FREE_THREADED", True)
    monkeypatch.setattr(gil, "is_forced", lambda: False)
    monkeypatch.setattr(machine, "gil", lambda: "on")
