"""Fixtures of stores and of the history's commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from laptime import cli
from laptime.history import _engine, _write
from laptime.history import store as history_store
from tests.support.histories import Command, Ran, big, gate, store_with


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests, and no repository of theirs around."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


@pytest.fixture
def laptime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: object) -> Ran:
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as error:
            code = int(str(error.code))
        return Ran(code, *capsys.readouterr())

    return command


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A place for a store, where the kind of database does not matter."""
    return str(tmp_path / "history.db")


@pytest.fixture(scope="session")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a file with a store of a few runs and a gate holds."""
    folder = tmp_path_factory.mktemp("content")
    store_with(folder, *(big(number, 8) for number in range(3)), gate(), name="history.db")
    return (folder / "history.db").read_bytes()


@pytest.fixture
def stored(tmp_path: Path, content: bytes) -> Path:
    """Such a file, alone in its folder."""
    path = tmp_path / "stored" / "history.db"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long."""
    monkeypatch.setattr(_engine, "PATIENCE_S", 0.05)


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more than a statement asks for is ten rows, rather than two hundred."""
    monkeypatch.setattr(_write, "_AT_ONCE", 10)
    monkeypatch.setattr(history_store, "_LOADED_AT_ONCE", 5)
