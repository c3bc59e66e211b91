"""The commands in the documents, run: each of them exits 0. What takes the whole suite is run once for all of them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks import test_clients, test_sharing, test_starving
from tests.suite.test_studies_cpu import STUDIES as OF_POOLS
from tests.suite.test_studies_cpu import generated
from tests.suite.test_studies_http import STUDIES as THAT_FETCH
from tests.support import ROOT
from tests.support.documents import (
    QUIET,
    blocks,
    commands,
    copy_of_the_tree,
    serve_until_it_says_so,
    shown,
    succeeds,
)
from tests.support.here import pytest as pytest_here
from tests.support.sessions import OK, Ended, benchmarks
from tests.support.sessions import pytest as pytest_apart
from workloads import clients

pytestmark = pytest.mark.slow

QUICKLY = f"--tier smoke --latency none {QUIET}"
UNSTORED = f"{QUICKLY} --no-history"
CHOOSING = [
    words[-1]
    for words in map(shlex.split, shown())
    if words[:-1] == ["pytest", "--benchmark-only", "-k"] and words[-1] != "titles"  # the example's, which has a test
]
"""The expressions of those commands that do nothing but choose benchmarks."""
ON_A_CLUSTER = [expression for expression in CHOOSING if "dask" in expression]
"""Those that name dask add its variants to every race: test_dask_clusters.py runs them."""
README = [command for command in commands("README.md") if command.startswith(("pytest", "laptime"))]


@cache
def names(expression: str) -> frozenset[str]:
    """What ``-k`` would run."""
    ended = pytest_here(ROOT, "--tier=smoke", "--collect-only", "-q", "-k", expression)
    return frozenset(re.findall(r"::(test_.*)$", ended.text, re.M))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, dict[str, Any]]]:
    """One session of all that the documents choose, and what it stored."""
    out = tmp_path_factory.mktemp("everything") / "out.json"
    chosen = " or ".join(f"({expression})" for expression in CHOOSING if expression not in ON_A_CLUSTER)
    settings = ("-v", "--tier=smoke", "--latency=none", "--benchmark-only", f"--benchmark-json={out}")
    ended = pytest_apart(ROOT, "-p", "no:randomly", *settings, "-k", chosen, limit_s=300)
    assert OK == ended.code, ended.text
    return ended, benchmarks(out)


@pytest.fixture(scope="module")
def stored(everything: tuple[Ended, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    return everything[1]


# what takes the whole suite


def test_there_is_something_to_choose() -> None:
    """A study for each question, and more."""
    assert {*OF_POOLS, *THAT_FETCH} <= {*CHOOSING}
    assert ["primes-dask-w2-warm", "dask_tasks"] == ON_A_CLUSTER


@pytest.mark.parametrize("expression", [one for one in CHOOSING if one not in ON_A_CLUSTER])
def test_what_a_command_chooses_succeeds(expression: str, everything: tuple[Ended, dict[str, Any]]) -> None:
    """Alone it would choose something, and all of that passed, but for what can't run here."""
    ended, stored = everything
    skipped = {line.split("::")[1].split(" SKIPPED")[0] for line in ended.text.splitlines() if " SKIPPED" in line}
    assert names(expression)
    assert names(expression) <= {*stored, *skipped}


def test_the_points_of_pools_and_scaling_are_stored_where_they_belong(stored: dict[str, dict[str, Any]]) -> None:
    """None is there twice."""
    wanted = {f"test_{study}[{name}]" for study in OF_POOLS for name in generated(study, "smoke")}
    of_them = {name: benchmark["extra_info"] for name, benchmark in stored.items() if name in wanted}
    # what this machine can't limit is skipped
    assert {name for name in wanted if "quota" not in name} <= of_them.keys()
    points = [info["study"] for info in of_them.values()]
    kinds = {name: kind for name, (_, kind) in OF_POOLS.items() if name != "scaling"}
    kinds |= {f"scaling-{workload}": "scaling" for workload in ("hn_items", "primes")}
    assert kinds == {point["name"]: point["kind"] for point in points}
    assert len(points) == len({(point["name"], point["line"], point["x"]) for point in points})
    assert {"fresh"} == {info["lifecycle"] for name, info in of_them.items() if name.startswith("test_pools")}
    waiting = [info for name, info in of_them.items() if name.startswith("test_scaling[hn_items")]
    assert {"none"} == {info["latency"] for info in waiting}
    assert {2} == {sent for info in waiting for sent in info["rounds"]["requests"]}


def test_the_points_that_fetch_are_stored_where_they_belong(stored: dict[str, dict[str, Any]]) -> None:
    """Names are unique and say where a point stands; lines meet at the same places; every answer was right."""
    of_them = {
        name: benchmark["extra_info"]
        for name, benchmark in stored.items()
        if re.match(r"test_(clients|in_flight|sharing_session|sharing_parser|starving)\[", name)
    }
    assert [
        *(f"test_clients[n{number}-{client}]" for number in (1, 8) for client in clients.CLIENTS),
        *(f"test_in_flight[{way}-n{number}]" for number in (4, 32) for way in ("asyncio", "threads")),
        *(f"test_sharing_session[w{w}-{how}]" for w in (8, 32) for how in ("each", "thread", "shared", "shared-wide")),
        *(f"test_sharing_parser[{how}]" for how in ("each", "thread", "shared")),
        *(f"test_starving[threads-{what}]" for what in test_starving.BESIDE),
        *(f"test_starving[asyncio-{what}]" for what in (*test_starving.BESIDE, *test_starving.WITHIN)),
    ] == list(of_them)
    found: dict[str, dict[str, list[Any]]] = {}
    for info in of_them.values():
        point = info["study"]
        found.setdefault(point["name"], {}).setdefault(point["line"], []).append(point["x"])
        if "requests" in info["rounds"]:
            assert {point["items"]} == set(info["rounds"]["requests"])
        if point["name"] == "in_flight":
            assert 0 < max(info["most_at_once"]) <= point["x"]
    assert {"asyncio (aiohttp)": [4, 32], "threads (requests)": [4, 32]} == found["in_flight"]
    assert {line: ["1 at a time", "8 in flight"] for line in test_clients.LINES.values()} == found["clients"]
    everywhere = ["a Session, 8 threads", "a Session, 32 threads", "an lxml parser, 2 threads"]
    assert {"one for each", "one in each thread", "one for all", test_sharing.WIDE} == found["sharing"].keys()
    assert [everywhere] * 3 == [found["sharing"][line] for line in list(found["sharing"])[:3]]
    assert ["8 threads", "asyncio, 8 at once"] == found["starving"]["nothing"]
    assert ["asyncio, 8 at once"] == found["starving"]["the event loop itself"]


# one after the other, in a copy


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree: what is stored there stays there."""
    return copy_of_the_tree(tmp_path_factory.mktemp("copy"))


def test_the_readmes_commands_work(copy: Path) -> None:
    """In their order, with what the earlier ones stored; gates have a test of their own, as has the main job."""
    alone = {f"pytest --benchmark-only -k {shlex.quote(expression)}" for expression in CHOOSING}
    found = [command for command in README if command not in alone and not command.startswith("laptime gate")]
    assert 12 == len(found)
    for command in found:
        if command.startswith("laptime serve"):
            serve_until_it_says_so(command, copy)
        elif "--tier" not in command:
            succeeds(command, copy, QUICKLY)
    assert "noop" in (copy / "results.json").read_text()
    assert (copy / "report").is_dir()


@contextmanager
def stand_in(directory: Path) -> Iterator[str]:
    command = (sys.executable, "cassettes/origin.py", "--port", "0", "--scale", "0.02", "--until-eof")
    with subprocess.Popen(command, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        assert process.stdin is not None
        process.stdin.close()


def test_the_example_workload_is_complete(copy: Path) -> None:
    """The module in CONTRIBUTING.md, put where it says, records its cassette and is raced, in 20 to 30 lines."""
    (source,) = blocks("CONTRIBUTING.md", "python")
    assert 20 <= len([line for line in source.splitlines() if line.strip()]) <= 30
    (copy / "workloads" / "titles.py").write_text(source)
    catalog = copy / "workloads" / "catalog.py"
    text = catalog.read_text().replace("SPIN, NOOP)", "SPIN, NOOP, TITLES)")
    catalog.write_text(
        text.replace("from workloads.quotes", "from workloads.titles import TITLES\nfrom workloads.quotes")
    )
    with stand_in(copy) as origin:
        succeeds(f"pytest --http=record -k titles --origin titles={origin}", copy, UNSTORED)
    raced = succeeds("pytest --benchmark-only -k titles", copy, UNSTORED)
    assert "titles-threads-w2-warm" in raced
    assert "titles: five titles" in raced
