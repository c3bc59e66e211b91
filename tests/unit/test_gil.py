"""Which import turned the GIL back on; on a build that always has it, one that does not is played."""

from __future__ import annotations

import sys
import types

import pytest

from laptime import gil, machine
from tests.support.gil import WARNING, free_threaded  # noqa: F401 (a fixture)


def test_the_warning_names_the_module() -> None:
    """And other warnings name none."""
    assert "greedy.core" == gil.module_in(WARNING)
    assert gil.module_in("module 'greedy.core' is deprecated") is None


def test_a_build_that_always_has_the_gil_has_no_culprit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was warned of."""
    monkeypatch.setattr(gil, "FREE_THREADED", False)
    assert gil.turned_on_by([WARNING]) is None


@pytest.mark.usefixtures("free_threaded")
def test_where_the_gil_is_off_there_is_no_culprit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was warned of was overruled, then."""
    monkeypatch.setattr(machine, "gil", lambda: "off")
    assert gil.turned_on_by([WARNING]) is None


@pytest.mark.usefixtures("free_threaded")
def test_the_culprit_is_the_first_that_was_warned_of() -> None:
    """The later ones found it on."""
    assert "the import of greedy.core" == gil.turned_on_by(["other", WARNING, WARNING.replace("greedy", "late")])


@pytest.mark.usefixtures("free_threaded")
def test_a_warning_that_was_shown_before_anybody_listened_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each module keeps what it warned of, so as not to do so again."""
    importer = types.ModuleType("importer")
    importer.__warningregistry__ = {"version": 1, (WARNING, RuntimeWarning, 7): True}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "importer", importer)
    assert "the import of greedy.core" == gil.turned_on_by([])


@pytest.mark.usefixtures("free_threaded")
def test_a_culprit_that_nobody_named_is_not_guessed() -> None:
    """It is said that one was not seen."""
    assert gil.UNNAMED == gil.turned_on_by([])


@pytest.mark.usefixtures("free_threaded")
def test_who_asked_for_the_gil_is_the_culprit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option goes before all imports."""
    monkeypatch.setattr(gil, "is_forced", lambda: True)
    assert gil.FORCED == gil.turned_on_by([WARNING])
