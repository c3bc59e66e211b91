"""Whether the sides differ by what they run in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest

from laptime.gate import GateError
from laptime.gate.equipment import equip
from laptime.gate.equipment.equip import Equipment
from laptime.gate.sides.arena import Arena
from laptime.gate.sides.cpus import Pinning
from laptime.gate.sides.environment import Details, Environment, differences
from laptime.gate.sides.side import BASE, HEAD
from laptime.gate.sides.trees import Place

CPYTHON = {"implementation": "CPython", "version": "3.12.1"}


def test_what_differs_between_environments_is_listed():
    """The interpreter first."""
    base = Details(CPYTHON, {"numpy": "1", "gone": "1", "same": "1"}, {})
    head = Details({**CPYTHON, "version": "3.13.0", "free-threaded": True}, {"numpy": "2", "same": "1", "new": "3"}, {})
    assert [
        "CPython 3.12.1 → CPython 3.13.0t",
        "gone 1 → absent",
        "new absent → 3",
        "numpy 1 → 2",
    ] == differences(base, head)
    assert [] == differences(base, base)


@pytest.mark.parametrize(
    ("equipment", "made", "differs"),
    [
        (Equipment(), False, False),
        (Equipment(isolate=True), True, False),
        (Equipment(pythons=("3.12", "3.13")), True, True),
        (Equipment(pythons=("3.12", None)), True, True),
        (Equipment(environments=("a", "b")), False, True),
        (Equipment(environments=("a", None)), False, True),
        (Equipment(environments=("a", "a")), False, False),
    ],
)
def test_the_same_files_are_compared_only_where_the_sides_are_to_differ_by_more(equipment, made, differs):
    """Environments that are made from equal files are equal."""
    assert (made, differs) == (equipment.is_made, equipment.differs)


@pytest.mark.parametrize(
    ("files", "packages", "same"), [(True, {"a": "1"}, True), (True, {"a": "2"}, False), (False, {"a": "1"}, False)]
)
def test_equal_files_in_other_environments_are_not_the_same(files, packages, same):
    """A change that only raises a version in pyproject.toml, which is HEAD's on both sides, is measured."""
    arena = Arena(Place(Path("/"), PurePosixPath(), PurePosixPath()), Pinning(), (), 60)
    arena.trees = SimpleNamespace(is_same=lambda: files)
    of = Environment("python", (), details=Details(CPYTHON, {"a": "1"}, {}))
    arena.environments = {BASE: of, HEAD: replace(of, details=Details(CPYTHON, packages, {}))}
    assert same == arena.is_same()


def test_without_a_home_it_is_said_which_variable_names_a_place(monkeypatch):
    """Containers run as users that have no name."""

    def nowhere(_):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_cache_path", nowhere)
    with pytest.raises(GateError, match=r"could not determine the home directory\. XDG_CACHE_HOME names one"):
        equip._cache()
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: Path("~/.cache"))
    with pytest.raises(GateError, match="XDG_CACHE_HOME names another place"):
        equip._cache()
