"""The studies of ways to run past threads and processes: names, checked answers, one session."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.here import pytest as pytest_in
from tests.support.sessions import benchmarks
from tests.support.sessions import pytest as pytest_process
from workloads import loops, sharing

STUDIES = ("interpreters", "free_threading", "sharing_objects")
SMOKE = ("--tier=smoke", "--latency=none")


@cache
def collected(*arguments: str) -> tuple[str, ...]:
    """The names of the studies' benchmarks that would run."""
    ended = pytest_in(ROOT, "--collect-only", "-q", *arguments)
    return tuple(re.findall(r"::(test_(?!variant).*)$", ended.text, re.M))


def test_each_point_has_a_name_that_says_what_it_is() -> None:
    """The study, then what is varied."""
    names = collected("-k", " or ".join((*STUDIES, "dask_tasks")))
    assert len(names) == len(set(names))
    assert {
        "test_dask_tasks[dask-0.1ms]",
        "test_dask_tasks[plain-100ms]",
        "test_free_threading[spin-t16]",
        "test_interpreters_call[1MB-processes]",
        "test_interpreters_start[interpreters]",
        "test_sharing_objects[locked-dict-t4]",
    } <= set(names)


def test_none_of_them_runs_unasked() -> None:
    """The default tier keeps to its time."""
    assert () == collected("-k", "not noop")


def test_a_study_is_asked_for_by_the_name_of_its_function() -> None:
    """Which holds the study's."""
    names = collected(*SMOKE, "-k", "test_sharing_objects and private")
    assert ("test_sharing_objects[private-t1]", "test_sharing_objects[private-t2]") == names


def test_what_leaves_memory_in_the_process_runs_last() -> None:
    """It would be in the figures of the others, whatever the names of their files."""
    ended = pytest_in(ROOT, "--collect-only", "-q", "-k", "interpreters or noop or free_threading")
    files = re.findall(r"^benchmarks/(\w+)\.py::test_(?!variant.*-interpreters)", ended.text, re.M)
    assert ["test_free_threading", "test_variants", "test_interpreters"] == list(dict.fromkeys(files))


@pytest.mark.slow
def test_all_of_them_run(tmp_path: Path) -> None:
    """Each point is stored with its place, and the answer of each round was checked."""
    ended = pytest_process(
        ROOT, "--benchmark-only", *SMOKE, "-k", " or ".join(STUDIES), f"--benchmark-json={tmp_path / 'out.json'}"
    )
    assert 0 == ended.code, ended.text
    saved = [one["extra_info"] for one in benchmarks(tmp_path / "out.json").values()]
    points = [one["study"] for one in saved if "study" in one]  # a variant has the name of a study
    assert {*STUDIES} == {point["name"] for point in points}
    build = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"
    assert [1, 2] == [point["x"] for point in points if point["line"].startswith(f"spin, {build}")]
    lines = {point["line"] for point in points if point["name"] == "interpreters"}
    assert {"threads, 2 workers", "processes, 2 workers"} <= lines
    assert (sys.version_info >= (3, 14)) == ("interpreters, 2 workers" in lines)


def test_an_operation_that_is_lost_fails_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure of work that was not done is kept nowhere."""
    monkeypatch.setitem(sharing.KINDS, "private", lambda: sharing.Shared(lambda count: count - 1, lambda: 0))
    chosen = ("--benchmark-only", *SMOKE, "-k", "sharing_objects and private and t2")
    ended = pytest_in(ROOT, *chosen, f"--benchmark-json={tmp_path / 'out.json'}")
    assert 1 == ended.code
    assert "19998 of 20000 operations are found in the objects" in ended.text
    assert {} == benchmarks(tmp_path / "out.json")


@pytest.mark.parametrize("kind", sharing.KINDS)
def test_nothing_is_lost_by_sharing(kind: str) -> None:
    """Every operation is found, in each round anew."""
    with sharing.threads(kind, 4000, workers=4) as work:
        assert [4000, 4000] == [work(), work()]


def test_a_loop_does_what_it_is_told() -> None:
    """So that a task that was not done is seen."""
    assert [0, 1, 1000] == [loops.loop(count) for count in (0, 1, 1000)]
    assert loops.loops_per_ms() > 0
