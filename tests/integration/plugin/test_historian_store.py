"""A session and its store: what it compares with, where it is, and what it costs where it takes nothing."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from laptime import project
from laptime.history import _engine
from laptime.history.store import Store
from laptime.plugin.historian import Storage, fingerprint
from tests.support import histories
from tests.support.here import laptime
from tests.support.histories import repository
from tests.support.runs import QUICK, session, stored
from tests.support.sessions import FAILED, OK, USAGE, Ended, closed_port, write

PASSWORD = "zq7xv9kpw"


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


def files_with(directory: Path, text: str) -> list[str]:
    """The files in which a text stands, but for those where the test wrote it."""
    found = (
        path for path in directory.rglob("*") if path.is_file() and path.name not in ("pyproject.toml", "pytest.ini")
    )
    return [path.name for path in found if text.encode() in path.read_bytes()]


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
    session(tmp_path, "--history", "own.db", "--benchmark-save", "one")
    session(tmp_path, "--history", "own.db", "--benchmark-compare", "nobody")
    session(tmp_path, "--no-history", "--benchmark-save", "two")
    assert ["0001_two.json"] == [path.name for path in tmp_path.glob(".benchmarks/*/*.json")]
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


def test_a_store_that_stays_locked_is_waited_for_and_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the run is beside."""
    monkeypatch.setattr(_engine, "PATIENCE_S", 0.1)
    write(tmp_path, test_quick=QUICK)
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
        ended = session(tmp_path, "-vv", "--showlocals", "--tb=long", "--debug", "--full-trace")
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


def test_a_name_that_is_no_text_is_stored_all_the_same(tmp_path: Path) -> None:
    """The terminal hands over any bytes."""
    write(tmp_path, test_quick=QUICK)
    assert OK == session(tmp_path, "--benchmark-save", "a\udce9b", "--history", "own.db").code
    assert ["a\\udce9b"] == [one.label for one in stored(tmp_path, "own.db")]


INI_FILES = {
    "pytest.ini": "[pytest]\nlaptime_history = own.db\n",
    "setup.cfg": "[tool:pytest]\nlaptime_history = own.db\n",
    "pyproject.toml": "[tool.pytest.ini_options]\nlaptime_history = 'own.db'\n",
    "pytest.toml": "[pytest]\nlaptime_history = 'own.db'\n",
}


@pytest.mark.parametrize("name", INI_FILES)
def test_a_session_stores_where_the_command_line_looks(tmp_path: Path, name: str) -> None:
    """At the root that the ini file marks, from a directory below."""
    (tmp_path / name).write_text(INI_FILES[name])
    (tmp_path / "a" / "b").mkdir(parents=True)
    deep = write(tmp_path / "a" / "b", test_quick=QUICK)
    ended = session(deep)
    assert OK == ended.code, ended.text
    found = project.find(deep)
    assert (found.root / found.history).is_file()
    assert ["own.db"] == [path.name for path in tmp_path.rglob("*.db")]
