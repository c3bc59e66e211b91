"""The studies of scaling and of pools: their names, their points, their checks, and one session of all of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import test_pool_costs as of_pools
from benchmarks import test_scaling as of_scaling
from benchmarks.cases import TIERS
from laptime.stats.scaling import LEAST_FOR_AMDAHL, LEAST_FOR_USL
from tests.support import ROOT
from tests.support.here import pytest as pytest_here
from tests.support.sessions import OK, benchmarks
from workloads.limits import CannotLimit
from workloads.tasks import Told

STUDIES = {
    "scaling": (of_scaling, "scaling"),
    "pools": (of_pools, "phases"),
    "chunks": (of_pools, "sweep"),
    "payload": (of_pools, "compare"),
    "smallest": (of_pools, "break_even"),
    "cpus": (of_pools, "compare"),
}
"""Where each is, and its kind."""


def generated(study: str, tier: str) -> dict[str, dict[str, Any]]:
    """The ids of a study's benchmarks, and the arguments of each."""
    module, _ = STUDIES[study]
    found: dict[str, dict[str, Any]] = {}

    def parametrize(names: tuple[str, ...], values: Any, ids: Any = None) -> None:
        if ids is None:  # each has its own, beside its marks
            ids, values = zip(*((one.id, one.values) for one in values), strict=True)
        for one, arguments in zip(list(ids), list(values), strict=True):
            assert one not in found, one
            found[one] = dict(zip(names, arguments, strict=True))

    function = getattr(module, f"test_{study}")
    config = SimpleNamespace(getoption=lambda name: tier)
    module.pytest_generate_tests(SimpleNamespace(function=function, config=config, parametrize=parametrize))
    return found


def lap_of(study: str, arguments: dict[str, Any], tier: str = "smoke", **fixtures: Any) -> dict[str, Any]:
    """What a benchmark hands to `lap`."""
    module, _ = STUDIES[study]
    taken: dict[str, Any] = {}
    getattr(module, f"test_{study}")(**arguments, lap=lambda **given: taken.update(given), tier=tier, **fixtures)
    return taken


# names and points


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("study", STUDIES)
def test_names_are_unique_and_readable(study, tier):
    """Words, sizes and numbers of workers, in every tier; a few of them at smoke."""
    names = generated(study, tier)
    assert [] == [name for name in names if not re.fullmatch(r"[a-z_]+[a-z]*(-[a-zA-Z0-9]+)*", name)]
    assert 2 <= len(names) <= (14 if tier == "smoke" else 110)


@pytest.mark.parametrize(
    ("study", "name"),
    [
        ("scaling", "hn_items-asyncio-24-w24"),
        ("pools", "forkserver-restarted-first-result"),
        ("chunks", "pool-light-c1024"),
        ("payload", "records-processes-100-kB"),
        ("smallest", "processes-chunked-300-loops"),
        ("cpus", "quota-1-w4"),
    ],
)
def test_names_that_the_docs_can_count_on(study, name):
    """Of the tiers default and full."""
    assert name in generated(study, "default")
    assert name in generated(study, "full")


@pytest.mark.parametrize("tier", ["default", "full"])
def test_every_curve_has_the_points_that_the_laws_need(tier):
    """Five numbers of workers for Amdahl's, eight for Gunther's, from one on; they divide the items that wait."""
    for line in of_scaling.lines(tier):
        few = tier == "default" and line.workload is of_scaling.QUOTES  # its pages take long
        assert len(set(line.workers)) >= (LEAST_FOR_AMDAHL if few else LEAST_FOR_USL)
        assert 1 == min(line.workers)
        assert line.workload.http is None or [] == [number for number in line.workers if line.items % number]


def test_the_full_tier_has_two_numbers_of_items():
    """Of what waits and of what computes: a knee may be the work's, for want of items."""
    sizes = {name: set() for name in ("hn_items", "primes")}
    for line in of_scaling.lines("full"):
        sizes.setdefault(line.workload.name, set()).add(line.items)
    assert (2, 2) == (len(sizes["hn_items"]), len(sizes["primes"]))


def test_items_that_were_recorded_are_asked_for_again():
    """As many as the line has, in turn."""
    line = of_scaling.Line(of_scaling.HN_ITEMS, "threads", 24, (1,))
    ids = Counter(of_scaling.work(line, "http://site.test").ids)
    assert (24, 19, {1, 2}) == (ids.total(), len(ids), set(ids.values()))


def test_a_study_s_name_chooses_it_alone():
    """-k looks into names of files too: one that holds several studies has none of their names in its own."""
    files = Counter(module.__name__ for module, _ in STUDIES.values())
    shared = [name for name, count in files.items() if count > 1]
    assert ["benchmarks.test_pool_costs"] == shared
    assert [] == [study for study in STUDIES if study in shared[0]]


# answers


@pytest.mark.parametrize(
    ("study", "arguments", "wrong"),
    [
        ("pools", {"line": "threads", "step": "start"}, 1),
        ("pools", {"line": "threads", "step": "first result"}, 0),
        ("pools", {"line": "threads", "step": "map"}, 9),
        ("pools", {"line": "threads", "step": "close"}, 2),
        ("chunks", {"line": "executor-light", "chunk": 64}, [True] * 2000),
        ("payload", {"line": "bytes-threads", "size": "100-B"}, [b"other"] * 5),
        ("payload", {"line": "records-pickle", "size": "1-kB"}, None),
        ("smallest", {"line": "plain", "loops": 300, "loop_ms": 0.001}, [1] * 8),
        ("smallest", {"line": "threads", "loops": 300, "loop_ms": 0.001}, []),
        ("cpus", {"allowed": "all", "workers": 1, "usable_cpus": 2, "quota_group": None}, [Told(0, 1, "")] * 4),
    ],
)
def test_the_right_answer_passes_and_a_wrong_one_fails(study, arguments, wrong):
    """The work itself, done once as the round would do it."""
    taken = lap_of(study, arguments)
    with taken["open"]() as run:
        taken["check"](run())
    with pytest.raises(AssertionError, match="wrong answer"):
        taken["check"](wrong)


@pytest.mark.parametrize(
    ("allowed", "wrong", "message"),
    [
        ("all", Told(1, 2, ""), "another total"),
        ("affinity-1", Told(of_pools.pools.spun(10_000), 2, ""), "a worker isn't pinned"),
        ("quota-1", Told(of_pools.pools.spun(10_000), 1, "1:cpu:/\n"), "a worker isn't limited"),
    ],
)
def test_a_worker_that_is_not_limited_as_it_is_said_fails(allowed, wrong, message, monkeypatch):
    """Each task's answer tells what its worker could use."""

    monkeypatch.setattr(of_pools.limits, "usable", lambda: [3, 5])
    group = {"quota_group": lambda: Path("/groups/laptime-1")}
    taken = lap_of("cpus", {"allowed": allowed, "workers": 2}, usable_cpus=2, **group)
    taken["check"]([Told(of_pools.pools.spun(10_000), 1, "1:cpu:/laptime-1\n")] * 4)
    with pytest.raises(AssertionError, match=message):
        taken["check"]([wrong] * 4)


def skipped(call: Callable[[], object]) -> str:
    """Why a benchmark is skipped."""
    with pytest.raises(pytest.skip.Exception) as why:
        call()
    return str(why.value)


def test_what_this_machine_cannot_do_is_skipped_with_the_reason(monkeypatch):
    """One CPU, no control group, no such start method; a live site is left alone."""

    def cannot() -> None:
        raise CannotLimit("no control groups are mounted")

    monkeypatch.setattr(of_pools.multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    quota, fork = {"allowed": "quota-1", "workers": 2}, {"line": "fork", "step": "start"}
    line = of_scaling.Line(of_scaling.HN_ITEMS, "threads", 24, (1,))
    live = {"site_for": None, "laptime_options": SimpleNamespace(http="live")}
    assert "no control groups are mounted" == skipped(lambda: lap_of("cpus", quota, usable_cpus=2, quota_group=cannot))
    assert "there is nothing to take away: 1 CPU is usable" == skipped(
        lambda: lap_of("cpus", quota, usable_cpus=1, quota_group=cannot)
    )
    assert "this system has no start method fork" == skipped(lambda: lap_of("pools", fork))
    asked = skipped(lambda: lap_of("scaling", {"line": line, "workers": 1}, **live))
    assert asked.startswith("a live site would be asked hundreds of times")


def test_repeated_items_must_be_the_same_each_time():
    """Of an item that was asked for twice, another answer is no right one."""
    from workloads.hn_items import Outcome, collect

    same, other = Outcome(1, {"id": 1, "title": "one"}, None), Outcome(1, {"id": 1, "title": "two"}, None)
    again = Outcome(1, {"id": 1, "title": "one"}, None)
    missing = Outcome(2, None, "HTTP 404")
    assert ({1: same.item}, {"HTTP 404": 2}) == collect([missing, same, again, missing])
    assert {"another answer": 1} == collect([other, same]).errors


# one session


def test_each_study_that_needs_no_process_runs(tmp_path):
    """A point of each is timed, and stored under its study; all of them are run in test_documented_commands.py."""
    out = tmp_path / "out.json"
    settings = ("--tier=smoke", "--latency=none", "--benchmark-only", f"--benchmark-json={out}")
    points = {
        "test_scaling[hn_items-threads-2-w2]": "scaling-hn_items",
        "test_scaling[primes-threads-1990-w1]": "scaling-primes",
        "test_pools[threads-map]": "pools",
        "test_payload[bytes-threads-100-B]": "payload",
        "test_smallest[threads-300-loops]": "smallest",
    }
    ended = pytest_here(ROOT, "-p", "no:randomly", *settings, "-k", " or ".join(points))
    assert OK == ended.code, ended.text
    stored = {name: benchmark["extra_info"] for name, benchmark in benchmarks(out).items()}
    assert points == {name: info["study"]["name"] for name, info in stored.items()}
    assert "fresh" == stored["test_pools[threads-map]"]["lifecycle"]
    waiting = stored["test_scaling[hn_items-threads-2-w2]"]
    assert ("none", {2}) == (waiting["latency"], set(waiting["rounds"]["requests"]))
