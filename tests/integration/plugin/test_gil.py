"""A session in which an import turns the GIL back on; on a build that always has it, one that does not is played."""

from __future__ import annotations

from pathlib import Path

import pytest

from laptime import gil, machine
from tests.support.gil import WARNING, free_threaded  # noqa: F401 (a fixture)
from tests.support.here import pytest as pytest_in
from tests.support.sessions import benchmarks
from tests.support.shop import suite


@pytest.mark.usefixtures("free_threaded")
def test_an_import_within_a_benchmark_is_stored_with_it_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, though pytest shows warnings at the end only, and there it is shown nevertheless."""
    monkeypatch.setattr(gil, "now_on", False, raising=False)
    monkeypatch.setattr(machine, "gil", lambda: "on" if gil.now_on else "off")
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
    ended = pytest_in(
        suite(tmp_path, test_gil=(test,)), "--benchmark-only", f"--benchmark-json={tmp_path / 'out.json'}"
    )
    assert 0 == ended.code, ended.text
    before, importing = (one["extra_info"] for one in benchmarks(tmp_path / "out.json").values())
    assert (["off", "off"], None) == (before["gil"], before.get("gil_on_by"))
    assert (["off", "on"], "the import of greedy.core") == (importing["gil"], importing["gil_on_by"])
    assert "did not: the import of greedy.core turned it on" in " ".join(ended.text.split())
    assert "RuntimeWarning: The global interpreter lock" in ended.text
