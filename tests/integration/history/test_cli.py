"""What the history's commands list, merge and prune, and the code they end with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from laptime.history.store import Store
from tests.support import HANG_LIMIT_S
from tests.support.histories import (
    Command,
    Ran,
    commit,
    five,
    ids,
    repository,
    run,
    store_with,
)
from tests.support.stores import OLDER

LAPTIME = (sys.executable, "-m", "laptime.cli")
PASSWORD = "zq7xv9kpw"
SECRET = f"postgresql://user:{PASSWORD}@127.0.0.1:1/base"
COMMANDS = ("history", "history merge", "history prune", "import", "export", "compare", "trend", "changes")


def really(directory: Path, *words: object, **environment: str) -> Ran:
    """Run the real command, in a process of its own."""
    variables = {**os.environ, **environment}
    done = subprocess.run(
        [*LAPTIME, *map(str, words)],
        cwd=directory,
        env=variables,
        capture_output=True,
        text=True,
        timeout=HANG_LIMIT_S,
        check=False,
        encoding="utf-8",
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_runs_are_listed_newest_first(laptime: Command, tmp_path: Path) -> None:
    """With id, time, commit, branch, how many benchmarks, label and what it ran on."""
    store_with(
        tmp_path,
        run({"a.py::test": 1.0}, commit=commit("abc", branch="topic"), label="mine"),
        run(
            {"a.py::test": 1.0},
            number=90,
            commit=commit("def", changes="x"),
            failed={"a.py::bad": "no"},
            complete=False,
        ),
    )
    ran = laptime("history")
    lines = ran.out.splitlines()
    assert (0, "", 3) == (ran.code, ran.err, len(lines))
    assert "2026-03-01 13:30 def0000000+ main 1, 1 not timed, cut short" in " ".join(lines[1].split())
    assert lines[2].split()[1:] == "2026-03-01 12:00 abc0000000 topic 1 mine CPython 3.13.0, Fast CPU, 2 CPUs".split()


def test_a_list_is_filtered(laptime: Command, tmp_path: Path) -> None:
    """By branch, time, benchmark and count, and by all of them."""
    recent = replace(run({"b.py::other": 1.0}, number=2), at=datetime.now(UTC) - timedelta(hours=5))
    runs = [
        run({"a.py::test": 1.0}, commit=commit("abc", branch="topic")),
        run({"a.py::test": 1.0}, number=1, commit=commit("abc")),
        recent,
    ]
    store_with(tmp_path, *runs)

    def listed(*words: str) -> list[int]:
        found = ids(laptime("history", "--format", "json", *words))
        return [[one.id for one in runs].index(one) for one in found]

    assert [2, 1, 0] == listed()
    assert [0] == listed("--branch", "topic")
    assert [2] == listed("--since", "1d")
    assert [] == listed("--since", "4h")
    assert [2, 1] == listed("--since", "2026-03-01T12:00:30+00:00")
    assert [1, 0] == listed("--bench", "a.py::")
    assert [2, 1] == listed("--limit", "2")
    assert [2, 1, 0] == listed("--limit", "0")
    assert [1] == listed("--branch", "main", "--bench", "test", "--since", "2026-01-01", "--limit", "1")
    assert [] == listed("--bench", "%")


def test_a_list_that_is_cut_says_so(laptime: Command, tmp_path: Path) -> None:
    """Twenty by default."""
    store_with(tmp_path, *(run({"a.py::test": 1.0}, number=number) for number in range(22)))
    ran = laptime("history")
    assert (21, "laptime: 2 older ones are not shown (--limit 0 shows all)\n") == (ran.out.count("\n"), ran.err)


def test_no_runs_are_said_on_standard_error(laptime: Command, tmp_path: Path) -> None:
    """And JSON stays JSON."""
    store_with(tmp_path)
    ran = laptime("history", "--format", "json")
    assert (0, []) == (ran.code, ids(ran))
    assert "no such runs" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("--limit", "-1"),
        ("--limit", "x"),
        ("--since", "yesterday"),
        ("--since", "9999999999999d"),
        ("--format", "pdf"),
    ],
    ids=" ".join,
)
def test_wrong_filters_are_usage_errors(laptime: Command, tmp_path: Path, words: Sequence[str]) -> None:
    """Code 2 and a sentence."""
    store_with(tmp_path)
    ran = laptime("history", *words)
    assert (2, "") == (ran.code, ran.out)
    assert words[0] in ran.err


def test_stores_are_merged_without_doubling(laptime: Command, tmp_path: Path) -> None:
    """Twice adds nothing; with itself neither; the other is left as it is, byte for byte."""
    both, mine, theirs = (run({"a.py::test": 1.0}, number=number) for number in range(3))
    own = store_with(tmp_path, both, mine)
    store_with(tmp_path, both, theirs, name="other.db")
    before = (tmp_path / "other.db").read_bytes()
    place = tmp_path / ".benchmarks/history.db"
    assert (
        f"{place}: 1 run added from {tmp_path / 'other.db'}, 1 there already\n"
        == laptime("history", "merge", "other.db").out
    )
    assert "0 runs added from" in laptime("history", "merge", "other.db").out
    assert Ran(0, f"{place}: 0 runs added from {place}, 3 there already\n", "") == laptime("history", "merge", place)
    assert [theirs, mine, both] == own.load(own.numbers())
    assert before == (tmp_path / "other.db").read_bytes()


def test_a_store_that_is_not_there_is_not_merged(laptime: Command, tmp_path: Path) -> None:
    """Nothing is made, neither theirs nor ours."""
    ran = laptime("history", "merge", "absent.db")
    assert 2 == ran.code
    assert "absent.db: there is no history yet" in ran.err
    assert [] == list(tmp_path.iterdir())


def test_an_older_store_is_merged(laptime: Command, tmp_path: Path) -> None:
    """It has to be upgraded for that, which is said, and where the copy is."""
    shutil.copy(OLDER[1], tmp_path / "old.db")
    ran = laptime("history", "merge", "old.db")
    assert (0, True) == (ran.code, ": 2 runs added" in ran.out)
    assert f"old.db: upgraded from version 1 to 4; as it was: {tmp_path}/old.db.v1" in ran.err


def test_the_store_may_be_named_after_the_command_too(laptime: Command, tmp_path: Path) -> None:
    """`history merge --history URL` as `history --history URL merge`."""
    store_with(tmp_path, run({"a.py::test": 1.0}), name="theirs.db")
    assert 0 == laptime("history", "--history", "one.db", "merge", "theirs.db").code
    assert 0 == laptime("history", "merge", "--history", "two.db", "theirs.db").code
    assert ["one.db", "theirs.db", "two.db"] == sorted(path.name for path in tmp_path.iterdir())


def pruned(directory: Path) -> list[bool]:
    """Whether the rounds of each run are quantiles, the newest run first."""
    found = Store(".benchmarks/history.db", directory)
    return [one.results[0].thinned for one in found.load(found.numbers())]


@pytest.mark.parametrize(
    ("keep", "wanted"),
    [
        ("2", [False, False, True, True]),
        ("0", [True] * 4),
        ("9", [False] * 4),
        ("3d", [False, False, True, True]),
        ("1w", [False, False, False, True]),
    ],
)
def test_old_rounds_are_thinned(laptime: Command, tmp_path: Path, keep: str, wanted: list[bool]) -> None:
    """By number or by time; no run goes, and no median changes. A dry run changes nothing."""
    now = datetime.now(UTC)
    rounds = [float(number) for number in range(1, 31)]
    runs = [
        replace(run({"a.py::test": rounds}, number=number), at=(now - timedelta(days=days)).replace(microsecond=0))
        for number, days in enumerate((0, 2, 5, 20))
    ]
    store_with(tmp_path, *runs)
    place, count = tmp_path / ".benchmarks/history.db", sum(wanted)
    plural = "" if count == 1 else "s"
    dry = laptime("history", "prune", "--keep", keep, "--dry-run")
    assert f"{place}: the raw rounds of {count} run{plural} would be thinned to their quantiles\n" == dry.out
    assert [False] * 4 == pruned(tmp_path)
    ran = laptime("history", "prune", "--keep", keep)
    assert Ran(0, f"{place}: thinned {count} benchmarks in {count} run{plural}\n", "") == ran
    assert wanted == pruned(tmp_path)
    assert {15.5} == {one.results[0].values["wall"] for one in Store(str(place), tmp_path).load([1, 2, 3, 4])}


@pytest.mark.parametrize("keep", ["", "-1", "3", "30", "x", "3m", "1.5d", "99999999999999d", "9999999w", "²"])
def test_what_is_no_age_thins_nothing(laptime: Command, tmp_path: Path, keep: str) -> None:
    """A sentence at most, and never a traceback."""
    store_with(tmp_path, run({"a.py::test": [1.0] * 30}))
    ran = laptime("history", "prune", f"--keep={keep}")
    assert ran.code in (0, 2)
    assert "Traceback" not in ran.err
    assert [False] == pruned(tmp_path)
    assert (2 == ran.code) == (ran.err != "")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(laptime: Command, command: str) -> None:
    """The help shows a command line to copy."""
    ran = laptime(*command.split(), "--help")
    assert 0 == ran.code
    assert f"example: laptime {command} " in ran.out


@pytest.mark.parametrize(
    "words",
    [
        ("history",),
        ("history", "prune", "--keep", "1"),
        ("export", "latest"),
        ("compare", "latest", "latest"),
        ("trend", "x"),
        ("changes",),
    ],
    ids=" ".join,
)
def test_a_store_that_is_not_there_is_not_made(laptime: Command, tmp_path: Path, words: Sequence[str]) -> None:
    """What only reads says how one begins."""
    ran = laptime(*words)
    assert (2, "") == (ran.code, ran.out)
    assert "there is no history yet; `pytest --benchmark-only` begins one" in ran.err
    assert [] == list(tmp_path.iterdir())


TYPED = (
    ("history", "--history", SECRET),
    ("history", "merge", SECRET),
    ("history", SECRET),
    ("history", "--limit", SECRET),
    ("history", "--since", SECRET),
    ("history", "prune", "--keep", SECRET),
    ("import", SECRET),
    ("import", SECRET, "--history", SECRET),
    ("export", SECRET),
    ("export", "latest", "-o", SECRET),
    ("export", "latest", SECRET),
    ("compare", SECRET, "latest"),
    ("compare", "latest", SECRET),
    ("compare", "latest", "latest", SECRET),
    ("compare", "latest", "--fail-on", SECRET),
    ("compare", "latest", "latest", "--bench", SECRET),
    ("compare", "latest", "latest", "--baseline", SECRET),
    ("trend", SECRET),
    ("trend", "test", "--rev", SECRET),
    ("changes", SECRET),
    ("check", SECRET),
    ("race", SECRET),
    (SECRET,),
)
"""Commands with a URL in its place, or where none is expected."""


def test_a_password_is_never_printed(laptime: Command, tmp_path: Path) -> None:
    """Wherever a URL with one is typed."""
    repository(tmp_path, 1)
    store_with(tmp_path, *(run({"a.py::test": 1.0}, number=number) for number in range(2)))
    for words in TYPED:
        ran = laptime(*words)
        assert 2 == ran.code, words
        assert PASSWORD not in ran.out + ran.err, words


def test_the_project_is_found_from_below(laptime: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its store is at the root; a store that is typed is from where it is typed."""
    (tmp_path / "pyproject.toml").write_text('[tool.laptime]\nhistory = "own.db"\n')
    store_with(tmp_path, run({"a.py::test": 1.0}), name="own.db")
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "deeper")
    assert 1 == len(ids(laptime("history", "--format", "json")))
    assert 1 == len(ids(laptime("history", "--history", "../../own.db", "--format", "json")))
    assert 2 == laptime("history", "--history", "own.db").code


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """`laptime history | head -1`: code 0 and no traceback."""
    store_with(tmp_path, *(run({"a.py::test": 1.0}, number=number) for number in range(300)))
    words = [*LAPTIME, "history", "--limit", "0", "--format", "json"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
        assert (0, "") == (process.wait(HANG_LIMIT_S), said)


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_leaves_makes_no_pass_of_what_is_slower(tmp_path: Path, buffered: str) -> None:
    """`laptime compare HEAD~1 --fail-on 5% 2>&1 | head -1`: code 1 where the whole table is read."""
    base, head = repository(tmp_path, 2)
    store_with(tmp_path, *five(base), *five(head, 1.5, 10))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for words, code in ((["HEAD~1", "--fail-on", "5%"], 1), (["HEAD~1", "--fail-on", "60%"], 0)):
            ran = subprocess.run(
                [*LAPTIME, "compare", *words],
                cwd=tmp_path,
                env={**os.environ, "PYTHONUNBUFFERED": buffered},
                stdout=writing,
                stderr=writing,
                timeout=HANG_LIMIT_S,
                check=False,
            )
            assert code == ran.returncode
    finally:
        os.close(writing)


def test_ctrl_c_ends_a_command_with_a_word(laptime: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 2, and standard error says that it was interrupted."""

    def interrupted(*arguments: object, **settings: object) -> None:
        signal.raise_signal(signal.SIGINT)

    store_with(tmp_path, run({"a.py::test": 1.0}))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(Store, "entries", interrupted)
        assert Ran(2, "", "laptime: interrupted\n") == laptime("history")
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_command_itself(tmp_path: Path) -> None:
    """In a process of its own, where standard output may know ASCII only."""
    store_with(tmp_path, run({"a.py::test": 1.0}, label="ü → 漢"))
    ran = really(tmp_path, "history", PYTHONIOENCODING="utf-8")
    assert (0, "") == (ran.code, ran.err)
    assert "ü → 漢" in ran.out
    poor = really(tmp_path, "history", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert "Traceback" not in poor.err


def test_a_server_s_store_takes_every_command(laptime: Command, tmp_path: Path, database: str) -> None:
    """As a file does."""
    base, head = repository(tmp_path, 2)
    store_with(tmp_path, *five(base), *five(head, 1.5, 10))
    assert 0 == laptime("history", "--history", database, "merge", ".benchmarks/history.db").code
    assert 10 == len(ids(laptime("history", "--history", database, "--format", "json")))
    for words, code in {
        ("compare", "HEAD~1", "--fail-on", "5%"): 1,
        ("trend", "test"): 0,
        ("changes",): 0,
        ("export", "latest", "-o", "run.json"): 0,
        ("import", "run.json"): 0,
    }.items():
        assert code == laptime(*words, "--history", database).code, words
    assert 0 == laptime("history", "--history", database, "prune", "--keep", "0").code
