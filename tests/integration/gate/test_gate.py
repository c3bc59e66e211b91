"""A gate: what becomes of benchmarks, in real repositories. What it refuses is in test_bad_input.py."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import product

import pytest

from laptime.gate.decision import growth, trial
from laptime.gate.decision.canary import Canaries
from laptime.gate.decision.trial import Look
from tests.support.gates import (
    BENCHMARK,
    CANNOT,
    CODE,
    FAIL,
    NO_BLOCKS,
    PASS,
    SETTINGS,
    commit,
    detail,
    gate,
    project,
    verdicts,
    write,
)
from tests.support.sessions import Ended
from tests.support.shop import SHORT, suite

FATES = """
    import os, signal, stat, time
    from contextlib import suppress

    BASE, HEAD = {base}, {head}

    def work(count=10_000):
        return sum(range(count))

    def answer():
        return 42 if BASE else 43

    def hang():
        time.sleep(0 if BASE else 600)

    def is_far_slower():
        BASE or time.sleep(0.02)

    def exits():
        BASE or os._exit(3)

    def garbles():
        for number in () if BASE else map(int, os.listdir("/dev/fd")):
            with suppress(OSError):  # the directory's own is closed by now
                if number > 2 and stat.S_ISSOCK(os.fstat(number).st_mode):
                    os.write(number, b"garbage\\n")

    def is_killed():
        BASE or os.kill(os.getpid(), signal.SIGKILL)

    def fails_in_base():
        if BASE:
            raise ValueError("only BASE says so")
"""
FATE_BENCHMARKS = """
    import pytest, thing

    def test_wrong_answer(benchmark):
        assert benchmark(thing.answer) == 42, "the answer is wrong"

    def test_fails_in_base(benchmark):
        benchmark(thing.fails_in_base)

    def test_skipped_by_head(benchmark):
        if thing.HEAD:
            pytest.skip("not on HEAD's machine")
        benchmark(thing.work)
        assert benchmark.stats.stats.mean > 0

    @pytest.mark.skipif(thing.BASE, reason="not on BASE's machine")
    def test_skipped_by_base(benchmark):
        benchmark(thing.work)

    def test_pedantic_skipped_by_base(benchmark):
        if thing.BASE:
            pytest.skip("not on BASE's machine")
        assert benchmark.pedantic(thing.work, setup=lambda: ((3,), {}), rounds=2) == 3

    @pytest.mark.skip
    def test_skipped_by_both(benchmark):
        benchmark(thing.work)

    @pytest.mark.xfail(strict=True)
    def test_fails_as_expected(benchmark):
        assert benchmark(thing.work) == 0

    def test_calls_nothing(benchmark):
        thing.work()

    def test_calls_it_twice(benchmark):
        benchmark(thing.work)
        benchmark(thing.work)

    def test_set_up_and_arguments(benchmark):
        benchmark.pedantic(thing.work, setup=lambda: ((1,), {}), args=(1,))

    def test_set_up_and_iterations(benchmark):
        benchmark.pedantic(thing.work, setup=lambda: None, iterations=2)

    def test_fine(benchmark):
        assert benchmark(thing.work) == 49995000
        assert benchmark.stats.stats.mean > 0
"""
FATAL_BENCHMARKS = """
    import pytest, thing

    @pytest.fixture
    def slow_to_set_up():
        thing.hang()

    def test_hangs(benchmark):
        benchmark(thing.hang)

    def test_set_up_hangs(benchmark, slow_to_set_up):
        benchmark(thing.work)

    def test_exits(benchmark):
        benchmark(thing.exits)

    def test_garbles(benchmark):
        benchmark(thing.garbles)

    def test_is_killed(benchmark):
        benchmark(thing.is_killed)

    def test_far_slower(benchmark):
        benchmark(thing.is_far_slower)

    def test_fine(benchmark):
        assert benchmark(thing.work) == 49995000
"""
OLD_NAME = """
    def test_old_name(benchmark):
        benchmark(thing.work)
"""
NEW_ONES = """
    def test_new_name(benchmark):
        benchmark(thing.work)

    def test_new_and_exits(benchmark):
        benchmark(thing.exits)

    def test_new_and_wrong(benchmark):
        assert benchmark(thing.work) == 0, "wrong from the start"
"""


def test_what_is_broken_is_named_with_its_reason_and_the_others_are_run(tmp_path):
    """Even where pytest is to stop at the first failure."""
    other = BENCHMARK.replace("test_work", "test_other")
    root = project(
        tmp_path / "project",
        {
            "pyproject.toml": SETTINGS + "    addopts = '-x --benchmark-disable --benchmark-only'\n",
            "thing/__init__.py": FATES.format(base=True, head=False),
            "benchmarks/test_thing.py": FATE_BENCHMARKS + OLD_NAME,
            "benchmarks/test_lost.py": BENCHMARK.replace("work", "lost"),
            "benchmarks/test_other.py": other,
        },
        {
            "thing/__init__.py": FATES.format(base=False, head=True),
            "benchmarks/test_thing.py": FATE_BENCHMARKS + NEW_ONES,
            "benchmarks/test_lost.py": BENCHMARK.replace("import thing", "import thing, no_such_module"),
            "benchmarks/test_other.py": other.replace("import thing", "import thing; assert thing.HEAD"),
        },
    )
    ended = gate(root, "main", NO_BLOCKS)
    broken = {
        "test_wrong_answer": "the answer is wrong",
        "test_fails_in_base": "only BASE says so",
        "test_calls_nothing": "it does not call its `benchmark` fixture",
        "test_calls_it_twice": "FixtureAlreadyUsed",
        "test_set_up_and_arguments": "Can't use `args` or `kwargs` if `setup` returns the arguments",
        "test_set_up_and_iterations": "Can't use more than 1 `iterations` with a `setup` function",
        "test_lost": "HEAD: benchmarks/test_lost.py can't be collected",
        "test_other": "BASE: can't be collected with HEAD's harness",
        "test_new_and_exits": "HEAD: its process ended (exit code 3)",
        "test_new_and_wrong": "wrong from the start",
    }
    others = {
        **dict.fromkeys(("test_old_name", "test_skipped_by_head"), "missing"),
        **dict.fromkeys(("test_new_name", "test_skipped_by_base", "test_pedantic_skipped_by_base"), "new"),
        "test_fine": "unresolved",
    }
    assert_broken(ended, broken, others)
    assert "skipped on both sides: 2 benchmarks" in ended.text
    assert ": 1 benchmark, all on one CPU" in ended.text


@pytest.mark.slow
def test_what_ends_its_process_or_hangs_is_named_and_the_others_are_run(tmp_path):
    """They are run in fresh processes; what is slower is not hung, by how much ever."""
    limits = """
    [tool.laptime.gate.benchmarks]
    "*::test_hangs" = {round_limit = "2s"}
    "*::test_set_up_hangs" = {round_limit = "1s"}
    """
    benchmarks = {"benchmarks/test_thing.py": FATAL_BENCHMARKS, "pyproject.toml": SETTINGS + limits}
    root = project(
        tmp_path / "project",
        {"thing/__init__.py": FATES.format(base=True, head=False), **benchmarks},
        {"thing/__init__.py": FATES.format(base=False, head=True)},
    )
    ended = gate(root, "main", NO_BLOCKS)
    broken = {
        "test_hangs": "HEAD: it hung: nothing was heard of it for 2 s",
        "test_set_up_hangs": "HEAD: it hung: nothing was heard of it for 2 s",
        "test_exits": "HEAD: its process ended (exit code 3)",
        "test_garbles": "HEAD: its process wrote b'garbage' to the gate's own socket",
        "test_is_killed": "HEAD: its process ended (killed by SIGKILL)",
    }
    assert_broken(ended, broken, dict.fromkeys(("test_fine", "test_far_slower"), "unresolved"))
    assert ": 2 benchmarks, all on one CPU" in ended.text


def assert_broken(ended: Ended, broken: Mapping[str, str], others: Mapping[str, str]) -> None:
    """That a gate failed and says why of each broken one; `others` have these verdicts."""
    assert FAIL == ended.code, ended.text
    assert dict.fromkeys(broken, "broken") | others == verdicts(ended), ended.text
    for name, reason in broken.items():
        assert reason in detail(ended, name), ended.text


def test_where_the_only_benchmark_dies_on_base_it_is_broken(tmp_path):
    """Which says nothing of whether BASE bears HEAD's benchmarks; what is new is run all the same."""
    root = project(
        tmp_path / "project",
        {"thing/__init__.py": FATES.format(base=False, head=True), "benchmarks/test_thing.py": EXITS + FINE},
        {"thing/__init__.py": FATES.format(base=True, head=False), "benchmarks/test_thing.py": EXITS + FINE + OLD_NAME},
    )
    ended = gate(root, "main", NO_BLOCKS, "-k", "exits or old_name")
    assert FAIL == ended.code, ended.text
    assert {"test_exits": "broken", "test_old_name": "new"} == verdicts(ended), ended.text
    assert "BASE: its process ended (exit code 3)" in detail(ended, "test_exits")


EXITS = """
    import thing

    def test_exits(benchmark):
        benchmark(thing.exits)
"""
FINE = """
    def test_fine(benchmark):
        benchmark(thing.work)
"""

KINDS = """
    import multiprocessing, threading, time
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    import pytest, thing

    @pytest.fixture(scope="session")
    def store():
        made = {}
        yield made
        made.clear()

    @pytest.fixture
    def background():
        over = threading.Event()
        thread = threading.Thread(target=over.wait)
        thread.start()
        yield
        over.set()
        thread.join()

    @pytest.mark.benchmark(group="sums", min_rounds=3)
    class TestSums:
        @pytest.mark.parametrize("count", [10, 1000], ids=["few of them", "a::b[c]"])
        def test_sum(self, benchmark, store, count):
            store[count] = benchmark(thing.work, count)
            assert store[count] == sum(range(count))

    def test_pedantic(benchmark):
        seen = []
        given = ((100,), {})
        found = benchmark.pedantic(
            lambda count: seen.append(count) or thing.work(count),
            setup=lambda: given, teardown=lambda count: seen.remove(count), rounds=2, warmup_rounds=1,
        )
        assert found == 4950
        assert seen == []

    def test_pedantic_iterations(benchmark):
        assert benchmark.pedantic(thing.work, args=(100,), iterations=7, rounds=2) == 4950

    def test_what_is_asked_of_it_after(benchmark):
        benchmark.extra_info["count"] = 3
        benchmark(thing.work)
        assert benchmark.stats.stats.max >= benchmark.stats.stats.min > 0
        assert benchmark.enabled and not benchmark.disabled

    def test_in_frozen_time(benchmark, monkeypatch):
        monkeypatch.setattr(time, "perf_counter", lambda: 5.0)
        benchmark(thing.work)

    def test_a_thread_in_the_background(benchmark, background):
        benchmark(thing.work)

    def test_a_thread_pool(benchmark):
        with ThreadPoolExecutor(2) as pool:
            assert list(benchmark(lambda: list(pool.map(thing.work, [10, 20])))) == [45, 190]

    @pytest.mark.parametrize("method", ["fork", "forkserver"])
    @pytest.mark.laptime_gate(multicore=False)
    def test_a_pool_of_processes(benchmark, method):
        def pooled():
            with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
                return list(pool.map(thing.work, [10, 20]))
        assert benchmark.pedantic(pooled, rounds=1) == [45, 190]
"""
WOVEN = """
    def test_woven(benchmark):
        pytest.importorskip("aspectlib")
        benchmark.weave(thing.work)
        assert thing.work(10) == 45
"""


def test_whatever_pytest_benchmark_offers_is_measured_as_it_is(tmp_path):
    """And what this plugin offers: all answers are right, nothing is broken."""
    root = tmp_path / "project"
    root.mkdir()
    suite(root, test_shop=(SHORT,))
    commit(
        root,
        {
            "pyproject.toml": SETTINGS.replace('["benchmarks"]', '["benchmarks", "test_shop.py"]'),
            "thing/__init__.py": CODE,
            "benchmarks/test_kinds.py": KINDS + WOVEN,
        },
    )
    write(root, {"thing/__init__.py": CODE + "    # a comment\n"})
    ended = gate(root, "main", NO_BLOCKS)
    assert CANNOT == ended.code, ended.text
    assert {"unresolved"} == set(verdicts(ended).values()), ended.text  # there was no time for blocks
    skipped = 1 if "skipped on both sides: 1 benchmark" in ended.text else 0  # where aspectlib is absent
    assert f": {12 - skipped} benchmarks" in ended.text


ONE_AND_SEVERAL = """
    import pytest, thing

    def test_work(benchmark):
        benchmark(thing.work)

    @pytest.mark.laptime_gate(multicore=True)
    def test_on_several(benchmark):
        benchmark(thing.work)

    def test_grows(benchmark):
        kept = [0] * 20_000
        benchmark(lambda: kept.extend(range(20_000)) or sum(kept))
"""


def test_a_block_of_each_kind_is_run_and_told(tmp_path, monkeypatch):
    """On one CPU, and on several: each benchmark's figures of both sides, though one block tells no verdict.

    Of a benchmark of which each call takes longer than the one before, that is said.
    """
    monkeypatch.setattr(growth, "_LEVEL", 0.5)  # as one block can tell
    monkeypatch.setattr(trial, "LOOKS", (Look(1, alpha=0.0, suspicion=0.0),))
    monkeypatch.setattr(Canaries, "is_void", lambda *_: False)  # whatever else this machine does
    root = project(tmp_path / "project", {"benchmarks/test_thing.py": ONE_AND_SEVERAL})
    written = tmp_path / "gate.json"
    ended = gate(root, "main", "--max-time=1h", f"--output={written}")
    assert PASS == ended.code, ended.text
    assert ": 3 benchmarks, 2 on one CPU, 1 on several" in ended.text
    rows = {(row["benchmark"], row["metric"]): row for row in json.loads(written.read_text())["rows"]}
    names = (f"benchmarks/test_thing.py::{name}" for name in ("test_work", "test_on_several", "test_grows"))
    assert set(product(names, ("wall", "cpu"))) == rows.keys()
    for row in rows.values():
        assert "unresolved" == row["verdict"]
        assert 1 == len(row["blocks"])
        assert row["base"]["wall_s"] > 0 < row["head"]["wall_s"]
    assert re.search(r"^test_grows .* each call takes longer than the one before \(BASE \+\d", ended.text, re.M)
