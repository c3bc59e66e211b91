"""Pools of sub-interpreters: which variants have them, and what becomes of a library that refuses to be in one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.cases import cases
from tests.support import ROOT
from tests.support.sessions import pytest as pytest_in
from workloads import interpreters
from workloads.catalog import ALL
from workloads.model import CannotRun, Needs

needs_them = pytest.mark.skipif(sys.version_info < (3, 14), reason="CPython has sub-interpreters since 3.14")


@pytest.mark.parametrize(("module", "met"), [("json.decoder", True), ("json.no_such", False), ("no_such", False)])
def test_what_a_variant_needs_is_there_or_not(module: str, met: bool) -> None:
    """A module, of a package or alone, which is not imported for the question."""
    assert met is Needs(module, "").met()


def test_every_race_and_control_of_computing_and_waiting_has_them() -> None:
    """A number of workers, warm and cold where the others are."""
    having = {one.name: variant for one in ALL for variant in one.variants if variant.name == "interpreters"}
    assert ["hn_items", "quotes", "primes", "wait", "spin"] == list(having)
    assert all(variant.workers and variant.needs is interpreters.NEEDS for variant in having.values())


def test_they_are_collected_only_where_the_interpreter_has_them() -> None:
    """No name of a benchmark promises what can't be."""
    found = [case.id("replay") for case in cases("smoke", None, live=False) if case.variant.name == "interpreters"]
    assert (sys.version_info >= (3, 14)) == ("primes-interpreters-w2-cold" in found)
    assert (sys.version_info < (3, 14)) == (found == [])


@needs_them
def test_a_new_interpreter_finds_what_its_parent_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what was added to the path while it ran."""
    (tmp_path / "found_late.py").write_text(
        "def start():\n    global number\n    number = 7\ndef told(_): return number\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import found_late  # type: ignore[import-not-found]

    with interpreters.pool(2, "found_late", initializer=found_late.start) as pool:
        assert [7, 7, 7] == list(pool.map(found_late.told, range(3)))


def burn(limit_s: float) -> float:
    """The CPU seconds that this thread took for it, in whichever interpreter."""
    import time

    started = time.thread_time()
    while (spent_s := time.thread_time() - started) < limit_s:
        pass
    return spent_s


@needs_them
def test_what_interpreters_compute_is_in_the_cpu_of_the_process() -> None:
    """They are threads of it."""
    from laptime.measure import Meter

    meter = Meter()
    with interpreters.pool(2, "math") as pool:
        before = meter.before()
        spent_s = sum(pool.map(burn, [0.05, 0.05]))
        assert meter.after().cpu_s - before.cpu_s >= spent_s


@needs_them
def test_an_extension_that_refuses_is_named() -> None:
    """In CPython's own words, whichever module it was that needed it."""
    with (
        pytest.raises(CannotRun, match=r"^module lxml.etree does not support loading in subinterpreters$"),
        interpreters.pool(1, "lxml.html"),
    ):
        pass


@needs_them
def test_another_error_of_an_import_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a refusal excuses a variant."""
    from concurrent.interpreters import ExecutionFailed

    (tmp_path / "broken_one.py").write_text("raise ImportError('something else')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ExecutionFailed, match="something else"), interpreters.pool(1, "broken_one"):
        pass


@needs_them
def test_a_benchmark_whose_library_refuses_is_not_run_and_the_race_says_why() -> None:
    """It neither fails nor vanishes."""
    chosen = ("--tier=full", "--latency=none", "--workers=2", "-k", "quotes-interpreters and lxml and warm")
    ended = pytest_in(ROOT, "--benchmark-only", *chosen)
    assert 0 == ended.code, ended.text
    told = "quotes-interpreters-w2-lxml-warm did not run: module lxml.etree does not support loading in subinterpreters"
    assert f"laptime: {told}" in ended.text
