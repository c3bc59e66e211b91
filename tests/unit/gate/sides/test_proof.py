"""Whose code ran: read from the files that modules came from."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from laptime.gate.sides import proof

BASE_TREE, HEAD_TREE, CHECKOUT = PurePosixPath("/t/base"), PurePosixPath("/t/head"), PurePosixPath("/home/me/shop")


def _complaint(**modules: str) -> str | None:
    side = proof.Loaded("BASE", BASE_TREE, (BASE_TREE / "src",), {k.replace("__", "."): v for k, v in modules.items()})
    return proof.complaint(side, HEAD_TREE, CHECKOUT, [BASE_TREE / "benchmarks"], ["shop"])


def test_a_side_that_runs_its_own_code_is_fine() -> None:
    """Whatever is installed beside."""
    own = {"shop": "/t/base/src/shop/__init__.py"}
    assert _complaint(**own) is None
    assert _complaint(**own, requests="/home/me/shop/.venv/lib/site-packages/requests/__init__.py") is None
    assert _complaint(**own, json="/usr/lib/python3/json/__init__.py", laptime="/home/me/shop/laptime/x.py") is None


@pytest.mark.parametrize(
    ("module", "path", "word"),
    [
        ("shop", "/t/head/src/shop/__init__.py", "from the other side"),
        ("shop", "/home/me/shop/src/shop/__init__.py", "the working tree"),
        ("helpers", "/home/me/shop/helpers.py", "the working tree"),
        ("shop", "/usr/lib/site-packages/shop/__init__.py", "although its own tree has 'shop'"),
        ("shop__cart", "/usr/lib/site-packages/shop/cart.py", "although its own tree has 'shop'"),
    ],
)
def test_a_side_that_runs_other_code_is_not(module: str, path: str, word: str) -> None:
    """Beside its own."""
    found = _complaint(**{"own": "/t/base/src/own.py", module: path})
    assert found is not None
    assert word in found
    assert path in found
    assert found.startswith("BASE loads")


def test_a_side_that_runs_nothing_of_its_own_is_not() -> None:
    """The harness is the same on both sides, and so is what is installed."""
    for path in ("/t/base/benchmarks/test_x.py", "/usr/lib/site-packages/x.py", "/t/base/.venv/site-packages/x.py"):
        found = _complaint(test_x=path)
        assert found is not None
        assert "nothing of the code under test" in found


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("No module named 'shop._version'", ["src/shop/_version.py"]),
        ("cannot import name '_fast' from 'shop' (x)", ["src/shop/_fast.cpython-311.so"]),
        ("cannot import name '_fast' from partially initialized module 'shop'", ["src/shop/_fast.cpython-311.so"]),
        ("No module named 'made'", ["made/"]),
        ("No module named 'else'", []),
        ("something else", []),
    ],
)
def test_what_is_ignored_may_be_what_is_lacking(message: str, expected: list[str]) -> None:
    """A generated file, a compiled one, a directory; not what lies in build directories."""
    ignored = [
        *("src/shop/_version.py", "src/shop/_fast.cpython-311.so", "made/", "notes/_version.txt"),
        *("build/shop/_version.py", ".venv/lib/site-packages/shop/_version.py"),
    ]
    assert proof.lacking(message, ignored) == expected


def test_what_is_compiled_beside_the_source_is_seen() -> None:
    """Not what is elsewhere, nor what isn't compiled."""
    ignored = ["shop/_fast.so", "shop/_fast.c", "build/_fast.so", "other/_fast.pyd", "top.dylib"]
    assert proof.compiled(ignored, ["shop", "build", "."]) == ["shop/_fast.so", "top.dylib"]
