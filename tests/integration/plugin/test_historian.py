"""Every session that times something is stored by itself, shown by real pytest sessions."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from laptime.history.store import Store
from laptime.machine import interpreter, machine
from tests.support.here import laptime
from tests.support.here import pytest as pytest_in
from tests.support.histories import START, git, repository
from tests.support.runs import QUICK, session, stored
from tests.support.sessions import CUT_SHORT, FAILED, OK, Ended, interrupt_after, write
from tests.support.sessions import pytest as pytest_process

# what is stored

ALL_KINDS = """
    import pytest

    class Strange:
        def __repr__(self):
            return "strange\\udce9"

    @pytest.fixture
    def breaks_in_teardown():
        yield
        raise RuntimeError("in teardown")

    @pytest.fixture
    def breaks_in_setup(benchmark):
        raise RuntimeError("in setup")

    def timed(benchmark):
        benchmark.pedantic(lambda: 1, rounds=3)

    def test_right(benchmark):
        benchmark.extra_info.update({"odd": Strange(), "bytes": b"x", "number": float("nan"), 3: {4, 4}})
        timed(benchmark)

    @pytest.mark.xfail(strict=False)
    def test_passes_unexpectedly(benchmark):
        timed(benchmark)

    def test_fails_later(benchmark):
        timed(benchmark)
        raise ValueError("first line\\nsecond line")

    def test_teardown(benchmark, breaks_in_teardown):
        timed(benchmark)

    def test_setup(breaks_in_setup, benchmark):
        pass

    def test_wrong(lap):
        def check(answer):
            assert answer == 2, "wrong answer"
        from contextlib import nullcontext
        lap(lambda: nullcontext(lambda: 1), check)

    @pytest.mark.skip(reason="not today")
    def test_skipped(benchmark):
        timed(benchmark)

    def test_skips_itself(benchmark):
        timed(benchmark)
        pytest.skip("changed its mind")

    @pytest.mark.xfail(reason="known")
    def test_xfail(benchmark):
        timed(benchmark)
        assert False

    def test_without_benchmark():
        assert True
"""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended, str]:
    """A session with a benchmark of every kind, in a directory of a repository; the commit."""
    root = tmp_path_factory.mktemp("kinds")
    (commit,) = repository(root, 1)
    git(root, "checkout", "--quiet", "-b", "topic/ü")
    write(root, test_kinds=ALL_KINDS)
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "deep").mkdir()
    return root, session(root / "deep", "..", "--benchmark-json", "out.json"), commit


def test_a_session_is_stored_at_the_root_by_itself(kinds) -> None:
    """Wherever it was started; the summary says where, and under which id."""
    root, ended, _ = kinds
    (found,) = stored(root)
    assert FAILED == ended.code
    assert f"laptime: stored run {found.id[:10]} in {root / '.benchmarks/history.db'}" == ended.line("stored run")
    assert ended.timed("test_right")


def test_what_passed_is_stored_with_its_rounds(kinds) -> None:
    """And nothing else has a figure."""
    (found,) = stored(kinds[0])
    passed = {one.fullname: len(one.rounds["wall"]) for one in found.results if one.outcome == "passed"}
    assert {"test_kinds.py::test_right": 3, "test_kinds.py::test_passes_unexpectedly": 3} == passed
    assert [] == [one for one in found.results if one.outcome != "passed" and (one.values or one.rounds)]


def test_what_did_not_pass_is_stored_with_why(kinds) -> None:
    """In set-up, call and teardown; what was skipped or expected to fail is no failure."""
    (found,) = stored(kinds[0])
    told = {
        one.fullname.rpartition("::")[2]: (one.outcome, one.note) for one in found.results if one.outcome != "passed"
    }
    assert {
        "test_fails_later": ("failed", "ValueError: first line"),
        "test_teardown": ("failed", "RuntimeError: in teardown"),
        "test_setup": ("failed", "RuntimeError: in setup"),
        "test_wrong": ("failed", told["test_wrong"][1]),
        "test_skipped": ("skipped", "Skipped: not today"),
        "test_skips_itself": ("skipped", "Skipped: changed its mind"),
        "test_xfail": ("skipped", told["test_xfail"][1]),
    } == told
    assert "wrong answer" in str(told["test_wrong"][1])


def test_the_commit_and_the_branch_are_stored(kinds) -> None:
    """With its time; files that git doesn't know make no change."""
    root, _, commit = kinds
    (found,) = stored(root)
    assert (commit, START, "topic/ü", None) == (
        found.commit.id,
        found.commit.at,
        found.commit.branch,
        found.commit.changes,
    )
    assert found.complete
    assert timedelta() <= datetime.now(UTC) - found.at < timedelta(minutes=10)


def test_the_fingerprint_is_of_the_session(kinds) -> None:
    """Machine, interpreter, and the libraries that it loaded."""
    (found,) = stored(kinds[0])
    assert (machine(), interpreter()) == (found.fingerprint.machine, found.fingerprint.interpreter)
    assert "pytest-benchmark" in found.fingerprint.loaded
    assert set(found.fingerprint.loaded) <= set(found.fingerprint.libraries)


def test_extra_info_that_is_no_json_is_stored_as_text(kinds) -> None:
    """As pytest-benchmark's own files have it."""
    (found,) = stored(kinds[0])
    right = next(one for one in found.results if one.fullname.endswith("::test_right"))
    info = right.document["extra_info"]
    assert ("UNSERIALIZABLE[strange\udce9]", "UNSERIALIZABLE[b'x']", "UNSERIALIZABLE[{4}]") == (
        info["odd"],
        info["bytes"],
        info["3"],
    )
    assert math.isnan(info["number"])


def test_a_file_of_the_session_is_the_same_run(kinds) -> None:
    """Imported, it adds nothing."""
    root, _, _ = kinds
    ended = laptime(root, "import", "deep/out.json")
    assert (0, 1) == (ended.code, len(stored(root)))
    assert "0 runs added, 1 there already" in ended.text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--benchmark-disable",),
        ("-n", "2"),
        ("--benchmark-skip",),
        ("--collect-only",),
        ("-k", "plain"),
        ("--no-history",),
        ("-p", "no:benchmark", "-k", "plain"),
    ],
    ids=" ".join,
)
def test_where_nothing_is_timed_nothing_is_stored(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """No file, and not a word; the session is as it would be."""
    write(tmp_path, test_quick=(QUICK, "def test_plain():\n    pass"))
    arguments = arguments[1:] if arguments[0] == "--no-history" else arguments
    ended = (pytest_in if not arguments else session)(tmp_path, *arguments)
    assert OK == ended.code, ended.text
    assert [] == list(tmp_path.rglob("history.db"))
    assert "laptime: " not in ended.text


def test_a_session_that_is_interrupted_stores_what_ended(tmp_path: Path) -> None:
    """As cut short; what ran then is not in it."""
    hangs = """
    def test_hangs(benchmark):
        import pathlib, time
        pathlib.Path("started").touch()
        benchmark.pedantic(lambda: time.sleep(60), rounds=3)
    """
    write(tmp_path, test_quick=(QUICK, hangs))
    ended = pytest_process(tmp_path, history=True, during=interrupt_after(tmp_path / "started"))
    (found,) = stored(tmp_path)
    assert (CUT_SHORT, False) == (ended.code, found.complete)
    assert ["test_quick.py::test_quick"] == [one.fullname for one in found.results]
    assert "laptime: stored run" in ended.text


def test_a_session_that_stops_at_the_first_failure_is_cut_short(tmp_path: Path) -> None:
    """What came after is not gone; a file of the session says so too."""
    write(
        tmp_path, test_quick=(QUICK, "def test_bad(benchmark):\n    assert False\ndef test_after(benchmark):\n    pass")
    )
    assert FAILED == session(tmp_path, "-x", "--benchmark-json", "out.json").code
    (found,) = stored(tmp_path)
    assert (["failed", "passed"], False) == ([one.outcome for one in found.results], found.complete)
    assert json.loads((tmp_path / "out.json").read_text())["laptime"]["complete"] is False


def test_a_benchmark_that_is_asked_for_while_a_test_runs_is_stored(tmp_path: Path) -> None:
    """Also where no test names the fixture, and where the test then fails."""
    asks = """
    def test_asks(request):
        request.getfixturevalue("benchmark").pedantic(lambda: 1, rounds=3)

    def test_fails(request):
        test_asks(request)
        raise ValueError("no")
    """
    write(tmp_path, test_asks=asks)
    assert FAILED == session(tmp_path).code
    (found,) = stored(tmp_path)
    assert [("test_asks.py::test_asks", "passed"), ("test_asks.py::test_fails", "failed")] == [
        (one.fullname, one.outcome) for one in found.results
    ]


def test_a_commit_during_the_run_makes_it_of_no_commit(tmp_path: Path) -> None:
    """It began as one and ended as another: it counts as changed."""
    (commit,) = repository(tmp_path, 1)
    moves = """
    import subprocess
    def test_moves(benchmark):
        benchmark.pedantic(lambda: 1, rounds=3)
        person = ["-c", "user.name=nobody", "-c", "user.email=nobody"]
        subprocess.run(["git", *person, "commit", "--quiet", "--allow-empty", "-m", "more"], check=True)
    """
    write(tmp_path, test_moves=moves)
    assert OK == session(tmp_path).code
    (found,) = stored(tmp_path)
    assert (commit, True, "changed while it ran") == (found.commit.id, found.commit.dirty, found.commit.changes)


HOOKS = """
    def pytest_benchmark_generate_machine_info(config):
        return {"node": "secret-free", "rack": {"unit": 7}}

    def pytest_benchmark_update_json(config, benchmarks, output_json):
        output_json["suite"] = {"answer": 42}
"""


def test_hooks_of_a_suite_shape_what_is_stored(tmp_path: Path) -> None:
    """As they shape what pytest-benchmark writes."""
    odd = """
    def test_odd(benchmark):
        benchmark.extra_info[(1, 2)] = {2: 3}
        benchmark.pedantic(lambda: 1, rounds=3)
    """
    write(tmp_path, test_quick=odd, conftest=HOOKS)
    assert OK == session(tmp_path).code
    (found,) = stored(tmp_path)
    assert {"(1, 2)": {"2": 3}} == found.results[0].document["extra_info"]
    assert ({"node": "secret-free", "rack": {"unit": 7}}, {"answer": 42}) == (
        found.document["machine_info"],
        found.document["suite"],
    )


@pytest.mark.parametrize(
    "body",
    ["raise RuntimeError('out of order')", "output_json['self'] = output_json", "output_json['benchmarks'].clear()"],
)
def test_a_hook_that_breaks_costs_no_table(tmp_path: Path, body: str) -> None:
    """The session would not have called it: its exit code is its own, and what went wrong is said."""
    hook = f"def pytest_benchmark_update_json(config, benchmarks, output_json):\n    {body}"
    write(tmp_path, test_quick=QUICK, conftest=hook)
    ended = session(tmp_path)
    assert OK == ended.code, ended.text
    assert ended.timed("test_quick")
    assert "laptime: the run was not stored: " in ended.text
    assert "laptime import" not in ended.text
    assert "Traceback" not in ended.text


def test_two_sessions_at_once_are_both_stored(tmp_path: Path) -> None:
    """Also where neither found a store."""
    write(tmp_path, test_quick=QUICK)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda word: pytest_process(tmp_path, word, history=True), ("-v", "-q")))
    assert [OK, OK] == [one.code for one in both], both
    assert 2 == len(stored(tmp_path))


def test_what_was_deselected_is_stored_as_such(tmp_path: Path) -> None:
    """So that a later comparison knows that it is not gone; it does not count among what was not timed."""
    write(
        tmp_path,
        test_two="""
            def test_near(benchmark):
                benchmark.pedantic(int, rounds=5)

            def test_far(benchmark):
                benchmark.pedantic(int, rounds=5)
        """,
    )
    assert OK == session(tmp_path, "-k", "near").code
    (found,) = stored(tmp_path)
    assert {"test_two.py::test_near": "passed", "test_two.py::test_far": "deselected"} == {
        one.fullname: one.outcome for one in found.results
    }
    (entry,) = Store(".benchmarks/history.db", tmp_path).entries()
    assert (1, 0) == (entry.timed, entry.failed)
