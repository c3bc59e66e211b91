"""This repository's own suite, through its command line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from laptime.cassette import load
from tests.support import HANG_LIMIT_S, ROOT
from tests.support.here import pytest as pytest_here
from tests.support.sessions import FAILED, NOTHING_RUN, OK, USAGE, Ended, benchmarks, closed_port
from tests.support.sessions import pytest as pytest_apart

IN_ORDER = ("-p", "no:randomly")
HTTP_WORKLOADS = ("hn_items", "quotes")
ID = r"(hn_items|quotes|primes|wait|spin|noop)(-[a-z]+)+(-w\d+)?(-[a-z]+)*"

NAMES = {
    "smoke": [
        "hn_items-sequential",
        "hn_items-processes-w2-forkserver-cold",
        "quotes-threads-w2-html-warm",
        "primes-pool-map-w2-forkserver-warm",
    ],
    "default": [
        "hn_items-threads-w8-warm",
        "hn_items-processes-w2-forkserver-cold",
        "quotes-sequential-lxml",
        "quotes-thread-per-item-forkserver-html",
        "primes-sieve",
        "primes-processes-w2-spawn-cold",
        "primes-processes-w8-forkserver-warm",
    ],
    "full": [
        "hn_items-threads-w4-cold",
        "quotes-processes-w8-forkserver-lxml-cold",
        "primes-pool-map-w8-forkserver-warm",
        "primes-processes-w2-fork-warm",
        "wait-asyncio-w8-warm",
        "noop-sequential-again",
    ],
}
CONTROLS = ("wait", "spin", "noop")


def names_in(ended: Ended) -> tuple[str, ...]:
    """The benchmarks that a session collected."""
    assert OK == ended.code, ended.text
    return tuple(re.findall(r"::test_variant\[(.*)\]$", ended.text, re.M))


@cache
def collected(*arguments: str) -> tuple[str, ...]:
    """The names of the benchmarks that would run."""
    return names_in(pytest_here(ROOT, *IN_ORDER, "--collect-only", "-q", *arguments))


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The URL of a running stand-in for the live sites."""
    command = (sys.executable, ROOT / "cassettes" / "origin.py", "--port", "0", "--scale", "0.02", "--until-eof")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[-1]
        process.stdin.close()
        assert OK == process.wait(HANG_LIMIT_S)


# names


@pytest.mark.parametrize("tier", NAMES)
def test_names_are_unique_and_readable(tier):
    """Workload, variant, workers, start method, parser, lifecycle, as far as there are any."""
    names = collected("--tier", tier)
    assert sorted(set(names)) == sorted(names)
    assert [] == [name for name in names if not re.fullmatch(ID, name)]
    assert [] == [name for name in NAMES[tier] if name not in names]


def test_names_are_the_same_in_every_session():
    """Results can be compared by name: neither their set nor their order hangs on chance."""
    apart = pytest_apart(ROOT, *IN_ORDER, "--collect-only", "-q", env={"PYTHONHASHSEED": "1"})
    assert collected("--tier", "default") == names_in(apart)


def test_the_default_tier_is_called_default():
    """Without --tier that is the one."""
    assert collected("--tier", "default") == collected()


def test_every_race_begins_with_the_sequential_variant():
    """The first of a group is what the others are compared with."""
    firsts: dict[str, str] = {}
    for name in collected("--tier", "full"):
        firsts.setdefault(name.partition("-")[0], name)
    assert {
        "hn_items": "hn_items-sequential",
        "quotes": "quotes-sequential-html",
        "primes": "primes-sequential",
        "wait": "wait-sequential",
        "spin": "spin-sequential",
        "noop": "noop-sequential",
    } == firsts


@pytest.mark.parametrize("tier", ["smoke", "default"])
def test_controls_are_run_where_they_are_asked_for(tier):
    """What their outcome must be is known: without a name, in the full tier only."""
    assert [] == [name for name in collected("--tier", tier) if name.startswith(CONTROLS)]
    named = collected("--tier", tier, "-k", " or ".join(CONTROLS))
    assert {*CONTROLS} == {name.partition("-")[0] for name in named}
    assert {f"{control}-sequential" for control in CONTROLS} <= {*named}


def test_what_starts_quickly_is_raced_with_the_most_workers():
    """Threads and event loops with fewer would but lengthen the default race; the full one has them all."""
    quick = {tier: set() for tier in ("default", "full")}
    for tier, workers in quick.items():
        for name in collected("--tier", tier):
            if found := re.match(r"(?:hn_items|quotes|primes)-(?:threads|asyncio)-w(\d+)-", name):
                workers.add(int(found[1]))
    assert {"default": {8}, "full": {2, 4, 8}} == quick


def test_workers_changes_the_pools_only():
    """--workers 3 puts three workers into every pool, and leaves what has none."""
    names = collected("--tier", "smoke", "--workers", "3")
    pools = {name for name in names if re.search(r"-w\d", name)}
    others = {name for name in collected("--tier", "smoke") if not re.search(r"-w\d", name)}
    assert {"3"} == {re.search(r"-w(\d+)", name)[1] for name in pools}
    assert "hn_items-threads-w3-warm" in pools
    assert others == set(names) - pools


def test_a_number_of_workers_given_twice_counts_once():
    """--workers 2,2 measures nothing twice under two names."""
    assert collected("--tier", "smoke") == collected("--tier", "smoke", "--workers", "2,2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--workers", "0"), "'0': expected numbers from 1 to 256, as in 2,8"),
        (("--workers", "2,many"), "'2,many': expected numbers from 1 to 256, as in 2,8"),
        (("--tier", "nonsense"), "invalid choice: 'nonsense' (choose from"),
        (("--dask", "127.0.0.1:8786"), "'127.0.0.1:8786': expected a scheduler's address, as in tcp://127.0.0.1:8786"),
        (("--dask", "tcp://:0/x"), "'tcp://:0/x': expected a scheduler's address"),
        # a mistyped name would leave the live site to be asked
        (
            ("--http=live", "--origin=hn_item=http://[::1]:1"),
            "'hn_item' is none of the recordings: hn_items, quotes",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_a_usage_error(arguments, message):
    """It is named with what was expected, and nothing runs."""
    ended = pytest_here(ROOT, *arguments)
    assert USAGE == ended.code
    assert message in ended.text


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="sub-interpreters can run here")
def test_a_variant_that_can_not_run_here_says_so_where_it_is_asked_for():
    """Not only that no tests ran; and where it isn't asked for, it is passed over in silence."""
    asked = pytest_here(ROOT, "-k", "primes-interpreters", "--collect-only", "-q")
    told = "the variant 'interpreters' does not run here: it needs CPython 3.14 or later"
    assert NOTHING_RUN == asked.code
    assert told in asked.text
    assert told not in pytest_here(ROOT, "-k", "noop and not interpreters", "--collect-only", "-q").text


# answers


def test_a_session_without_timing_says_how_many_answers_are_right():
    """With benchmarks disabled and no waiting."""
    chosen = ("--tier", "smoke", "-k", "sequential")
    ended = pytest_here(ROOT, "--benchmark-disable", "--latency=none", *chosen)
    assert OK == ended.code, ended.text
    right = len(collected(*chosen))
    assert f"laptime: nothing was timed (benchmarks are disabled); {right} answers are right" in ended.text


@pytest.mark.slow
def test_every_variant_answers_rightly(tmp_path):
    """In parallel too."""
    settings = ("--tier=smoke", "--latency=none", "-n", "2")
    ended = pytest_apart(ROOT, "--benchmark-disable", *settings, f"--benchmark-storage=file://{tmp_path}")
    assert OK == ended.code, ended.text
    right = len(collected("--tier", "smoke"))
    assert f"laptime: nothing was timed (benchmarks are disabled); {right} answers are right" in ended.text


# live


def test_a_live_site_that_is_not_there_fails_once_for_each_workload():
    """The message names the site and the way out; the workload's other benchmarks are skipped."""
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}"
        origins = [f"--origin={name}={url}" for name in HTTP_WORKLOADS]
        ended = pytest_here(ROOT, "--http=live", "--tier=smoke", "-k", " or ".join(HTTP_WORKLOADS), *origins)
    tried = [name for name in collected("--tier", "smoke") if name.startswith(HTTP_WORKLOADS)]
    assert FAILED == ended.code
    assert re.search(rf"= {len(tried) - 2} skipped, \d+ deselected, 2 errors", ended.text)
    for name in HTTP_WORKLOADS:
        assert f"{name}: {url} can't be reached: " in ended.text
        assert "Play the recording instead with `--http=replay`" in ended.text
        assert f"`--origin {name}=URL`" in ended.text


def test_live_figures_stand_under_names_of_their_own(tmp_path, origin):
    """What was measured live is never taken for what was replayed."""
    chosen = ("-k", "hn_items-sequential or hn_items-threads")
    arguments = (f"--origin=hn_items={origin}", f"--benchmark-json={tmp_path / 'out.json'}")
    ended = pytest_here(ROOT, "--http=live", "--benchmark-only", *chosen, *arguments)
    assert OK == ended.code, ended.text
    names = [name for name in collected() if re.match("hn_items-(sequential|threads-)", name)]
    saved = benchmarks(tmp_path / "out.json")
    assert sorted(f"test_variant[{name}-live]" for name in names) == sorted(saved)
    assert {("live", "hn_items (live)")} == {(one["extra_info"]["http"], one["group"]) for one in saved.values()}
    assert "\nhn_items (live): JSON items from an API: waiting\n" in ended.text
    assert {(3, True)} == {
        (one["extra_info"]["race"]["passes"], one["extra_info"]["race"]["look"]) for one in saved.values()
    }


# recording


def test_a_recording_made_anew_can_be_played(tmp_path, origin):
    """--http=record -k NAME replaces one pair of files, and nothing else."""
    copy = tmp_path / "copy"
    for name in ("benchmarks", "cassettes", "workloads"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    before = {path.name: path.read_bytes() for path in (copy / "cassettes").iterdir() if path.is_file()}
    recorded = pytest_apart(copy, "--http=record", f"--origin=hn_items={origin}", "-k", "hn_items")
    assert OK == recorded.code, recorded.text
    assert "1 passed" in recorded.text
    after = {path.name: path.read_bytes() for path in (copy / "cassettes").iterdir() if path.is_file()}
    changed = {name for name in after if before.get(name) != after[name]}
    assert {"hn_items.yaml", "hn_items.timings.json"} == changed
    made = load(copy / "cassettes" / "hn_items.yaml")
    assert ("stand-in", (origin,), 19) == (made.origin_kind, made.origins, len(made.interactions))
    played = pytest_apart(copy, "--benchmark-disable", "--tier=full", "--latency=none", "-k", "hn_items-sequential")
    assert OK == played.code, played.text
