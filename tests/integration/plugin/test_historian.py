"""Every session that times something is stored by itself, shown by real pytest sessions."""

from __future__ import annotations

import io
import json
import math
import shlex
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, closing, redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from laptime.cli import main
from laptime.history import Run
from laptime.history.store import Store
from laptime.machine import interpreter, machine
from laptime.plugin.historian import Storage, fingerprint
from tests.support import histories
from tests.support.histories import START, git, repository
from tests.support.sessions import CUT_SHORT, FAILED, OK, PLAIN, USAGE, Ended, closed_port, interrupt_after, run, write
from tests.support.sessions import pytest as pytest_in

PASSWORD = "zq7xv9kpw"
QUICK = """
    def test_quick(benchmark):
        benchmark.pedantic(lambda: 1, rounds=3)
"""
CLOCK = """
    import os
    from itertools import count

    STEP, TICKS = float(os.environ.get("STEP", 1)), count()

    def tick():
        return next(TICKS) * STEP
"""
TIER = """
    import os

    def test_quick(benchmark):
        benchmark.extra_info["tier"] = os.environ.get("TIER", "smoke")
        benchmark.pedantic(lambda: 1, rounds=3)
"""
UNTIMED = """
    import pytest

    def test_quick(benchmark):
        with pytest.raises(ZeroDivisionError):
            benchmark.pedantic(lambda: 1 / 0, rounds=3)

    def test_other(benchmark):
        benchmark.pedantic(lambda: 1, rounds=3)
"""


def session(directory: Path, *arguments: str | Path, **settings: Any) -> Ended:
    """A session that stores its run."""
    return pytest_in(directory, *arguments, history=True, **settings)


def stored(directory: Path, url: str = ".benchmarks/history.db") -> list[Run]:
    """All runs of a store, the newest first; none where there is no store."""
    if "://" not in url and not (directory / url).exists():
        return []
    store = Store(url, directory)
    return store.load(store.numbers())


def laptime(directory: Path, *arguments: str | Path) -> Ended:
    """Run a command, within this process: of its start other tests tell."""
    said = io.StringIO()
    with chdir(directory), redirect_stdout(said), redirect_stderr(said), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "120")
        code = main([str(word) for word in arguments])
    return Ended(code, said.getvalue())


def files_with(directory: Path, text: str) -> list[str]:
    """The files in which a text stands, but for those where the test wrote it."""
    found = (
        path for path in directory.rglob("*") if path.is_file() and path.name not in ("pyproject.toml", "pytest.ini")
    )
    return [path.name for path in found if text.encode() in path.read_bytes()]


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
    ended = session(tmp_path, during=interrupt_after(tmp_path / "started"))
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


# pytest-benchmark's own files and flags


def test_saved_files_stay_where_no_store_is_named(tmp_path: Path) -> None:
    """They are the same run, whose label is their name; uncommitted changes are stored as such."""
    (commit,) = repository(tmp_path, 1)
    (tmp_path / "file.txt").write_text("changed\n")
    write(tmp_path, test_quick=QUICK)
    ended = session(tmp_path, "--benchmark-save", "first")
    (saved,) = tmp_path.glob(".benchmarks/*/0001_first.json")
    (found,) = stored(tmp_path)
    assert ("first", commit, True) == (found.label, found.commit.id, found.commit.dirty)
    assert found.id == json.loads(saved.read_text())["laptime"]["run"]
    assert "Saved benchmark data in:" in ended.text
    assert "0 runs added, 1 there already" in laptime(tmp_path, "import", ".benchmarks").text
    assert "Comparing against benchmarks from: " in session(tmp_path, "--benchmark-compare", "0001").text


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that names its store, with one run in it that took a second a round, labelled `first`."""
    root = tmp_path_factory.mktemp("named")
    repository(root, 1)
    write(root, test_quick=TIER, clock=CLOCK)
    (root / "pytest.ini").write_text(
        "[pytest]\nlaptime_history = own.db\npythonpath = .\naddopts = --benchmark-timer=clock.tick\n"
    )
    assert OK == session(root, "--benchmark-save", "first").code
    return root


def copied(named: Path, tmp_path: Path) -> Path:
    """The same for one test alone."""
    for path in named.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_name_labels_the_run_in_a_store_that_was_named(named: Path) -> None:
    """No file is written."""
    assert ["first"] == [one.label for one in stored(named, "own.db")]
    assert not (named / ".benchmarks").exists()


def test_a_named_run_is_compared_with_and_passes(named: Path, tmp_path: Path) -> None:
    """The table has both; the new one is stored as well, with the name that --benchmark-autosave makes."""
    root = copied(named, tmp_path)
    ended = session(root, "--benchmark-compare=first", "--benchmark-compare-fail=mean:10%", "--benchmark-autosave")
    newest, first = stored(root, "own.db")
    assert OK == ended.code, ended.text
    assert ended.timed("test_quick")
    assert f"Comparing against benchmarks from: {first.id[:10]}" in ended.text
    assert "(NOW)" in ended.text
    assert newest.label is not None
    assert newest.label.startswith("unversioned_")
    assert not (root / ".benchmarks").exists()


def test_what_became_slower_fails_and_is_stored(named: Path, tmp_path: Path) -> None:
    """Against the newest run; pytest-benchmark's word and ours are both there."""
    root = copied(named, tmp_path)
    ended = session(root, "--benchmark-compare", "--benchmark-compare-fail=mean:10%", env={"STEP": "2"})
    assert FAILED == ended.code
    assert "Performance has regressed" in ended.text
    assert 2 == len(stored(root, "own.db"))
    assert "laptime: stored run" in ended.text


def test_other_inputs_are_not_compared_and_pass_no_check(named: Path, tmp_path: Path) -> None:
    """The message says what differs, and the check fails closed."""
    root = copied(named, tmp_path)
    ended = session(root, "--benchmark-compare", "--benchmark-compare-fail=mean:10%", env={"TIER": "full"})
    assert FAILED == ended.code
    assert "test_quick is not compared, its inputs differ: tier smoke, now full" in ended.text.replace("\n", " ")
    assert "(NOW)" not in ended.text


def test_what_expects_its_function_to_fail_is_compared_with_nothing(named: Path, tmp_path: Path) -> None:
    """It passes without a figure, and so does the session."""
    root = copied(named, tmp_path)
    write(root, test_quick=UNTIMED)
    ended = session(root, "--benchmark-compare", "--benchmark-compare-fail=mean:10%")
    assert OK == ended.code, ended.text
    assert "2 passed" in ended.text
    newest, _ = stored(root, "own.db")
    assert ["test_other"] == [one.fullname.rpartition("::")[2] for one in newest.results]


def test_another_machine_is_refused(named: Path, tmp_path: Path) -> None:
    """A usage error that says what differs; without a name the newest run that fits is found."""
    root = copied(named, tmp_path)
    store = Store("own.db", root)
    (first,) = store.load(store.numbers())
    other = replace(first.fingerprint, machine={**first.fingerprint.machine, "cpu": "Other CPU"})
    store.append(replace(first, id="f" * 32, at=first.at + timedelta(hours=1), label="elsewhere", fingerprint=other))
    ended = session(root, "--benchmark-compare=elsewhere", "--benchmark-compare-fail=mean:10%")
    assert USAGE == ended.code
    assert "run ffffffffff can't be compared with this session: cpu Other CPU, now " in ended.text
    config = SimpleNamespace(rootpath=root)
    ((found, _),) = Storage(config, str(root / "own.db")).load()  # type: ignore[arg-type]
    assert first.id[:10] == found


def test_runs_to_compare_with_are_named_as_everywhere(tmp_path: Path) -> None:
    """A commit, HEAD, latest~1, an id, a label; what is unknown is refused."""
    commit, head = repository(tmp_path, 2)
    store = Store("own.db", tmp_path, create=True)
    here = fingerprint(tmp_path)
    ids = []
    for number, identity in enumerate((commit, head)):
        made = histories.run(
            {"a.py::test": 1.0},
            number=number,
            label=f"label {number}",
            fingerprint=here,
            commit=histories.commit(identity),
        )
        store.append(made)
        ids.append(made.id[:10])
    storage = Storage(SimpleNamespace(rootpath=tmp_path), str(tmp_path / "own.db"))  # type: ignore[arg-type]
    for name, number in {
        commit: 0,
        commit[:8]: 0,
        "HEAD~1": 0,
        "latest~1": 0,
        "label 0": 0,
        ids[0]: 0,
        "main": 1,
        "latest": 1,
    }.items():
        ((found, document),) = storage.load(name)
        assert ids[number] == found, name
        assert ["a.py::test"] == [one["fullname"] for one in document["benchmarks"]]
    with pytest.raises(pytest.UsageError, match="nobody: no commit, tag or branch"):
        list(storage.load("nobody"))


def test_an_empty_store_passes_no_check(tmp_path: Path) -> None:
    """There is nothing to compare with: pytest-benchmark refuses, and the run is stored for the next time."""
    write(tmp_path, test_quick=QUICK)
    ended = session(tmp_path, "--history", "own.db", "--benchmark-compare", "--benchmark-compare-fail=mean:10%")
    assert OK != ended.code
    assert "--benchmark-compare-fail requires valid --benchmark-compare" in ended.text
    assert 1 == len(stored(tmp_path, "own.db"))


def test_a_second_session_of_the_process_has_its_own_storage(tmp_path: Path) -> None:
    """The store in the place of pytest-benchmark's files is of one session, also where that one is refused."""
    write(tmp_path, test_quick=QUICK)
    code = f"""
import pytest
plain = [*{PLAIN!r}, {str(tmp_path)!r}]
print(pytest.main([*plain, "--history", "own.db", "--benchmark-save", "one"]))
print(pytest.main([*plain, "--history", "own.db", "--benchmark-compare", "nobody"]))
print(pytest.main([*plain, "--no-history", "--benchmark-save", "two"]))
"""
    ended = run(tmp_path, sys.executable, "-c", code)
    assert ["0001_two.json"] == [path.name for path in tmp_path.glob(".benchmarks/*/*.json")], ended.text
    assert ["one"] == [one.label for one in stored(tmp_path, "own.db")]


# what goes wrong


def kept(ended: Ended) -> Path:
    """The file that the summary says is to be imported."""
    command = ended.line("laptime: it is kept: ").partition("kept: ")[2]
    program, verb, path = shlex.split(command)
    assert ("laptime", "import") == (program, verb)
    return Path(path)


def corrupt(directory: Path) -> None:
    """A file that is no database."""
    (directory / ".benchmarks").mkdir()
    (directory / ".benchmarks/history.db").write_text("not a database " * 100)


def foreign(directory: Path) -> None:
    """A database of something else."""
    (directory / ".benchmarks").mkdir()
    with closing(sqlite3.connect(directory / ".benchmarks/history.db")) as made:
        made.execute("CREATE TABLE songs (name TEXT)")


def in_the_way(directory: Path) -> None:
    """A file in the place of the folder: neither the store nor the file beside can be written there."""
    (directory / ".benchmarks").write_text("mine")


@pytest.mark.parametrize("breaks", [corrupt, foreign, in_the_way])
def test_a_store_that_takes_nothing_costs_no_table_and_no_run(tmp_path: Path, breaks) -> None:
    """The exit code is the session's, the store is left as it is, and the command that is printed brings the run in."""
    root = tmp_path / "with space"
    root.mkdir()
    breaks(root)
    write(root, test_quick=QUICK)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    ended = session(root, env={"TMPDIR": str(tmp_path)})
    assert OK == ended.code, ended.text
    assert ended.timed("test_quick")
    assert "laptime: the run was not stored: " in ended.text
    assert before == {path: path.read_bytes() for path in before}
    path = kept(ended)
    imported = laptime(tmp_path, "import", "--history", "new.db", path)
    assert (0, 1) == (imported.code, len(stored(tmp_path, "new.db"))), imported.text


def test_a_store_that_stays_locked_is_waited_for_and_left(tmp_path: Path) -> None:
    """Then the run is beside."""
    write(tmp_path, test_quick=QUICK, conftest="import laptime.history._engine as engine\nengine.PATIENCE_S = 0.1")
    Store(".benchmarks/history.db", tmp_path, create=True)
    with closing(sqlite3.connect(tmp_path / ".benchmarks/history.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = session(tmp_path)
    assert OK == ended.code
    assert "was locked by another process" in ended.text
    assert 0 == laptime(tmp_path, "import", kept(ended)).code
    assert 1 == len(stored(tmp_path))


def test_an_unreachable_server_costs_no_table_and_tells_no_password(tmp_path: Path) -> None:
    """Neither in the output, however much is asked for, nor in any file that is left."""
    write(
        tmp_path, test_quick=(QUICK, "def test_bad(benchmark, request):\n    config = request.config\n    assert False")
    )
    with closed_port() as port:
        (tmp_path / "pytest.ini").write_text(
            f"[pytest]\nlaptime_history = postgresql://user:{PASSWORD}@127.0.0.1:{port}/base\n"
        )
        # what --debug says on standard error would else come between two buffers of standard output
        unbuffered = {"PYTHONUNBUFFERED": "1"}
        ended = session(tmp_path, "-vv", "--showlocals", "--tb=long", "--debug", "--full-trace", env=unbuffered)
    assert FAILED == ended.code
    assert ended.timed("test_quick")
    assert f"postgresql+psycopg://user:***@127.0.0.1:{port}/base" in ended.text
    assert PASSWORD not in ended.text
    assert [] == files_with(tmp_path, PASSWORD)
    assert 0 == laptime(tmp_path, "import", "--history", "new.db", kept(ended)).code


def test_the_password_of_a_server_that_is_compared_with_is_not_told(tmp_path: Path) -> None:
    """The session ends before it begins: a usage error without a traceback."""
    write(tmp_path, test_quick=QUICK)
    with closed_port() as port:
        url = f"postgresql://user:{PASSWORD}@127.0.0.1:{port}/base"
        ended = session(tmp_path, "--history", url, "--benchmark-compare", "--showlocals", "--tb=long")
    assert USAGE == ended.code
    assert PASSWORD not in ended.text
    assert "Traceback" not in ended.text


def test_runs_go_to_a_server_and_come_back(tmp_path: Path, database: str) -> None:
    """Labelled, listed and compared with; the password is told nowhere."""
    write(tmp_path, test_quick=TIER, clock=CLOCK)
    (tmp_path / "pyproject.toml").write_text(
        f"[tool.laptime]\nhistory = {json.dumps(database)}\n[tool.pytest.ini_options]\npythonpath = ['.']\n"
        "addopts = '--benchmark-timer=clock.tick'\n"
    )
    first = session(tmp_path, "--benchmark-save", "first", "-vv")
    second = session(tmp_path, "--benchmark-compare=first", "--benchmark-compare-fail=mean:10%", env={"STEP": "2"})
    listed = laptime(tmp_path, "history")
    assert (OK, FAILED, 0) == (first.code, second.code, listed.code)
    assert [None, "first"] == [one.label for one in stored(tmp_path, database)]
    assert "Performance has regressed" in second.text
    assert stored(tmp_path, database)[0].id[:10] in listed.text
    password = urlsplit(database).password
    assert password
    assert password not in first.text + second.text + listed.text
    assert [] == files_with(tmp_path, password)


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


def test_a_name_that_is_no_text_is_stored_all_the_same(tmp_path: Path) -> None:
    """The terminal hands over any bytes."""
    write(tmp_path, test_quick=QUICK)
    assert OK == session(tmp_path, "--benchmark-save", "a\udce9b", "--history", "own.db").code
    assert ["a\\udce9b"] == [one.label for one in stored(tmp_path, "own.db")]


def test_two_sessions_at_once_are_both_stored(tmp_path: Path) -> None:
    """Also where neither found a store."""
    write(tmp_path, test_quick=QUICK)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda word: session(tmp_path, word), ("-v", "-q")))
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
