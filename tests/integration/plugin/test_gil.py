"""Which import turned the GIL back on; on a build that always has it, one that does not is played."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from laptime import gil, machine
from tests.support.sessions import benchmarks, suite, write
from tests.support.sessions import pytest as pytest_in

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


def test_an_import_within_a_benchmark_is_stored_with_it_and_told(tmp_path: Path) -> None:
    """At once, though pytest shows warnings at the end only, and there it is shown nevertheless."""
    played = """
        import warnings
        from laptime import gil, machine
        gil.FREE_THREADED, gil.is_forced = True, lambda: False
        machine.gil = lambda: "off" if not gil.now_on else "on"
        gil.now_on = False
    """
    test = f"""
        from laptime import gil

        @contextmanager
        def imports():
            import warnings
            gil.now_on = True
            warnings.warn({WARNING!r}, RuntimeWarning)
            yield lambda: 1

        def test_before(lap):
            lap(one, is_one, **RACE)

        def test_importing(lap):
            lap(imports, is_one, lifecycle="warm", **RACE)
    """
    write(suite(tmp_path, test_gil=(test,)), conftest=played)
    ended = pytest_in(tmp_path, "--benchmark-only", f"--benchmark-json={tmp_path / 'out.json'}")
    assert 0 == ended.code, ended.text
    before, importing = (one["extra_info"] for one in benchmarks(tmp_path / "out.json").values())
    assert (["off", "off"], None) == (before["gil"], before.get("gil_on_by"))
    assert (["off", "on"], "the import of greedy.core") == (importing["gil"], importing["gil_on_by"])
    assert "did not: the import of greedy.core turned it on" in " ".join(ended.text.split())
    assert "RuntimeWarning: The global interpreter lock" in ended.text
