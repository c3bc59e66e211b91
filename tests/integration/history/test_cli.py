"""The history's commands as they are typed, in real repositories: what they print, and the code they end with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from laptime import cli
from laptime.history import Run
from laptime.history.store import Store
from tests.support import HANG_LIMIT_S, TESTS, needs_ruptures
from tests.support.histories import FINGERPRINT, PYTHON, benchmark, commit, document, git, repository, run

CORPUS = TESTS / "benchmark_corpus"
OLD_STORES = TESTS / "stores"
LAPTIME = (sys.executable, "-m", "laptime.cli")
PASSWORD = "zq7xv9kpw"
SECRET = f"postgresql://user:{PASSWORD}@127.0.0.1:1/base"
COMMANDS = ("history", "history merge", "history prune", "import", "export", "compare", "trend", "changes")


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def laptime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: object) -> Ran:
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as error:
            code = int(str(error.code))
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return command


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


def store(directory: Path, *runs: Run, name: str = ".benchmarks/history.db") -> Store:
    """A store with these runs."""
    made = Store(name, directory, create=True)
    for one in runs:
        made.append(one)
    return made


def five(identity: str, factor: float = 1.0, start: int = 0, name: str = "a.py::test", **what: object) -> list[Run]:
    """Five runs of a commit."""
    return [
        run({name: factor * (1 + number / 100)}, number=start + number, commit=commit(identity), **what)
        for number in range(5)
    ]


def ids(ran: Ran) -> list[str]:
    """The ids in a list as JSON."""
    return [one["id"] for one in json.loads(ran.out)["runs"]]


# history


def test_runs_are_listed_newest_first(laptime: Command, tmp_path: Path) -> None:
    """With id, time, commit, branch, how many benchmarks, label and what it ran on."""
    store(
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
    store(tmp_path, *runs)

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
    store(tmp_path, *(run({"a.py::test": 1.0}, number=number) for number in range(22)))
    ran = laptime("history")
    assert (21, "laptime: 2 older ones are not shown (--limit 0 shows all)\n") == (ran.out.count("\n"), ran.err)


def test_no_runs_are_said_on_standard_error(laptime: Command, tmp_path: Path) -> None:
    """And JSON stays JSON."""
    store(tmp_path)
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
    store(tmp_path)
    ran = laptime("history", *words)
    assert (2, "") == (ran.code, ran.out)
    assert words[0] in ran.err


# import and export


def test_every_version_s_files_are_imported_and_doubled_never(laptime: Command, tmp_path: Path) -> None:
    """A directory's, then the same again."""
    shutil.copytree(CORPUS, tmp_path / "saved")
    files = len(list(CORPUS.glob("*.json")))
    first = laptime("import", "saved")
    again = laptime("import", "saved", "saved/v3.0.0-with-data.json")
    place = tmp_path / ".benchmarks/history.db"
    assert Ran(0, f"{place}: {files} runs added, 0 there already\n", "") == first
    assert Ran(0, f"{place}: 0 runs added, {files + 1} there already\n", "") == again


def test_what_cannot_be_imported_is_named_and_the_others_are_stored(laptime: Command, tmp_path: Path) -> None:
    """Code 2, a line for each."""
    good = json.dumps(document([benchmark("a.py::test", [1.0])]))
    contents = {
        "a-good.json": good,
        "b-empty.json": "",
        "c-cut.json": good[:-30],
        "d-list.json": "[]",
        "e-other.json": '{"name": "package"}',
        "f-deep.json": "[" * 100_000,
        "g-figure.json": good.replace("1.0", "NaN"),
        "h-bytes.json": b"\xff\xfe\x00",
        "i-none.json": json.dumps(document([])),
        "j-surrogate.json": good.replace('"label": null', '"label": "\\udce9"').replace(
            "2026-03-01T12:00", "2026-03-01T13:00"
        ),
        "k-huge.json": good.replace("1.0", "1" * 5000),
        "l-version.json": good.replace('"version": 1', '"version": 99'),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "m-link.json").symlink_to("nowhere")
    ran = laptime("import", tmp_path, "absent.json")
    assert 2 == ran.code
    lines = ran.err.splitlines()
    bad = [*list(contents)[1:9], *list(contents)[10:], "m-link.json", "absent.json"]
    assert bad == [Path(line.split(": ")[1]).name for line in lines], ran.err
    assert "Traceback" not in ran.err
    assert f"1 run added, 1 there already, {len(bad)} unreadable" in ran.out


def test_a_directory_without_files_is_said(laptime: Command, tmp_path: Path) -> None:
    """Code 2; no store is made."""
    (tmp_path / "empty").mkdir()
    ran = laptime("import", "empty")
    assert Ran(2, "", "laptime: empty: no .json files there\n") == ran
    assert not (tmp_path / ".benchmarks").exists()


def test_the_name_that_a_file_was_saved_under_is_the_run_s_label(laptime: Command, tmp_path: Path) -> None:
    """As `--benchmark-save` numbers them."""
    shutil.copy(CORPUS / "v5.3.1-with-data.json", tmp_path / "0001_before the change.json")
    laptime("import", "0001_before the change.json")
    assert "before the change" == json.loads(laptime("history", "--format", "json").out)["runs"][0]["label"]
    assert 0 == laptime("export", "before the change").code


def test_an_export_is_accepted_by_pytest_benchmark_and_is_the_same_run(laptime: Command, tmp_path: Path) -> None:
    """Its own `compare` lists it; imported, it adds nothing."""
    store(tmp_path, run({"a.py::test_x": [1.0, 2.0, 3.0]}), run({"a.py::test_x": [2.0, 3.0, 4.0]}, number=1))
    for number, name in enumerate(("latest", "latest~1")):
        assert Ran(0, "", f"laptime: wrote run {name_of(laptime, name)} to 000{number}_x.json\n") == laptime(
            "export", name, "-o", f"000{number}_x.json"
        )
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", *map(str, sorted(tmp_path.glob("*.json")))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, 2) == (done.returncode, done.stdout.count("test_x (")), done.stdout + done.stderr
    assert "0 runs added, 2 there already" in laptime("import", *sorted(tmp_path.glob("*.json"))).out


def name_of(laptime: Command, name: str) -> str:
    """The beginning of a run's id."""
    return str(json.loads(laptime("export", name).out)["laptime"]["run"][:10])


def test_of_several_runs_the_newest_is_exported(laptime: Command, tmp_path: Path) -> None:
    """And that is said."""
    (head,) = repository(tmp_path, 1)
    runs = five(head)
    store(tmp_path, *runs)
    ran = laptime("export", "main")
    assert (runs[-1].id, 0) == (json.loads(ran.out)["laptime"]["run"], ran.code)
    assert f"laptime: main ({head[:10]}) has 5 runs; this is the newest\n" == ran.err


def test_an_export_to_nowhere_is_refused(laptime: Command, tmp_path: Path) -> None:
    """Before anything is read."""
    ran = laptime("export", "latest", "-o", "absent/run.json")
    assert (2, "") == (ran.code, ran.out)
    assert "--output absent/run.json: expected a file in a directory that exists" in ran.err


# merge and prune


def test_stores_are_merged_without_doubling(laptime: Command, tmp_path: Path) -> None:
    """Twice adds nothing; with itself neither; the other is left as it is, byte for byte."""
    both, mine, theirs = (run({"a.py::test": 1.0}, number=number) for number in range(3))
    own = store(tmp_path, both, mine)
    store(tmp_path, both, theirs, name="other.db")
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


@pytest.mark.parametrize(("version", "runs"), [(1, "2 runs"), (2, "3 runs"), (3, "1 run")])
def test_an_older_store_is_merged(laptime: Command, tmp_path: Path, version: int, runs: str) -> None:
    """It has to be upgraded for that, which is said, and where the copy is."""
    shutil.copy(OLD_STORES / f"v{version}.db", tmp_path / "old.db")
    ran = laptime("history", "merge", "old.db")
    assert (0, True) == (ran.code, f": {runs}" in ran.out)
    assert f"old.db: upgraded from version {version} to 4; as it was: {tmp_path}/old.db.v{version}" in ran.err


def test_the_store_may_be_named_after_the_command_too(laptime: Command, tmp_path: Path) -> None:
    """`history merge --history URL` as `history --history URL merge`."""
    store(tmp_path, run({"a.py::test": 1.0}), name="theirs.db")
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
    store(tmp_path, *runs)
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
    store(tmp_path, run({"a.py::test": [1.0] * 30}))
    ran = laptime("history", "prune", f"--keep={keep}")
    assert ran.code in (0, 2)
    assert "Traceback" not in ran.err
    assert [False] == pruned(tmp_path)
    assert (2 == ran.code) == (ran.err != "")


# compare


def test_a_slower_commit_fails_where_it_is_asked_to(laptime: Command, tmp_path: Path) -> None:
    """0, 1 and 2 as DESIGN says; without a head it is what is checked out."""
    base, head = repository(tmp_path, 2)
    store(tmp_path, *five(base), *five(head, 1.5, 10))
    told = laptime("compare", "HEAD~1")
    assert (0, "") == (told.code, told.err)
    assert "slower" in told.out
    assert 0 == laptime("compare", "HEAD~1", "--fail-on", "60%").code
    failed = laptime("compare", "HEAD~1", "HEAD", "--fail-on", "5%")
    assert 1 == failed.code
    assert "FAILED: 1 benchmark gone, broken, or more than 5 % slower: test." in failed.out
    assert 0 == laptime("compare", "HEAD", "HEAD~1", "--fail-on", "5%").code
    assert 0 == laptime("compare", "HEAD", "HEAD", "--fail-on", "5%").code


def test_too_few_runs_end_with_2_and_name_the_way(laptime: Command, tmp_path: Path) -> None:
    """`laptime gate`."""
    base, head = repository(tmp_path, 2)
    store(tmp_path, *five(base), *five(head, 1.5, 10)[:4])
    ran = laptime("compare", "HEAD~1", "--fail-on", "5%")
    assert 2 == ran.code
    assert "laptime gate" in ran.out


def test_other_interpreters_are_refused_side_by_side(laptime: Command, tmp_path: Path) -> None:
    """Until they are allowed; JSON is told too."""
    base, head = repository(tmp_path, 2)
    free = replace(FINGERPRINT, interpreter={**PYTHON, "GIL": "off", "free-threaded": True})
    store(tmp_path, *five(base), *five(head, 1.5, 10, fingerprint=free))
    ran = laptime("compare", "HEAD~1")
    assert (2, "") == (ran.code, ran.out)
    lines = ran.err.splitlines()
    assert lines[0].endswith("can't be compared: they differ in interpreter")
    assert [["GIL", "on", "off"], ["free-threaded", "False", "True"]] == [line.split() for line in lines[2:4]]
    assert "laptime: to compare them all the same: --across interpreter" == lines[4]
    as_json = laptime("compare", "HEAD~1", "--format", "json")
    assert (2, 2) == (as_json.code, json.loads(as_json.out)["exit_code"])
    assert 0 == laptime("compare", "HEAD~1", "--across", "interpreter").code


@pytest.mark.parametrize("share", ["5", "1", "nan", "inf", "-5%", "", "%", "5%%", "1e9%", "five"])
def test_a_share_that_is_none_is_refused(laptime: Command, tmp_path: Path, share: str) -> None:
    """`--fail-on 5` is not 500 %: it would pass nearly everything."""
    ran = laptime("compare", "HEAD", f"--fail-on={share}")
    assert (2, "") == (ran.code, ran.out)
    assert "expected a share" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("--confidence", "1"),
        ("--confidence", "0.2"),
        ("--metric", "money"),
        ("--across", "everything"),
        ("--columns", "min,bogus"),
        ("--group-by", "bogus"),
        ("--sort", "bogus"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_asked_is_a_usage_error(laptime: Command, words: Sequence[str]) -> None:
    """Code 2."""
    ran = laptime("compare", "HEAD", *words)
    assert (2, "", "usage: laptime compare") == (ran.code, ran.out, ran.err[:22])


def test_a_name_no_benchmark_has_passes_nothing(laptime: Command, tmp_path: Path) -> None:
    """Nor does a metric nobody measured, or a baseline that is not there."""
    base, head = repository(tmp_path, 2)
    store(tmp_path, *five(base), *five(head, start=10))
    for words in (("--bench", "typo"), ("--metric", "cpu"), ("--baseline", "typo")):
        ran = laptime("compare", "HEAD~1", "--fail-on", "5%", *words)
        assert (2, "", 1) == (ran.code, ran.out, ran.err.count("\n"))


# names of runs


def test_runs_are_named_as_git_names_commits(laptime: Command, tmp_path: Path) -> None:
    """Commit, tag, branch and HEAD~1 are the same runs; latest~2, an id and a label one run."""
    first, second = repository(tmp_path, 2)
    git(tmp_path, "tag", "v1", first)
    git(tmp_path, "tag", "-a", "v1-annotated", "-m", "x", first)
    git(tmp_path, "branch", "old", first)
    runs = [*five(first), *five(second, start=10)]
    runs[2] = replace(runs[2], label="by hand")
    store(tmp_path, *runs)
    for name in (first, first[:7], "v1", "v1-annotated", "old", "HEAD~1", "HEAD^", "main~1", "@~1"):
        ran = laptime("compare", name, "--format", "json")
        assert (0, 5) == (ran.code, json.loads(ran.out)["comparisons"][0]["base_runs"]), name
    for name, number in {
        "latest": 9,
        "latest~2": 7,
        "latest^": 8,
        runs[3].id: 3,
        runs[3].id[:9]: 3,
        "by hand": 2,
    }.items():
        assert runs[number].id == json.loads(laptime("export", name).out)["laptime"]["run"], name
    assert 0 == laptime("compare", "HEAD~1").code


@pytest.mark.parametrize("name", ["nobody", "latest~99", "HEAD~99", "0123abcd", "", "--", "a b", "%s{0}"])
def test_an_unknown_name_is_said(laptime: Command, tmp_path: Path, name: str) -> None:
    """Code 2 and a sentence."""
    repository(tmp_path, 1)
    store(tmp_path, run({"a.py::test": 1.0}))
    ran = laptime("export", name)
    assert (2, "") == (ran.code, ran.out)
    assert "Traceback" not in ran.err
    assert ran.err != ""


def test_what_is_checked_out_is_named_by_nothing(laptime: Command, tmp_path: Path) -> None:
    """With its changes: runs of the clean commit are others."""
    base, head = repository(tmp_path, 2)
    store(tmp_path, *five(base), *five(head, start=10))
    (tmp_path / "file.txt").write_text("changed\n")
    ran = laptime("compare", base)
    assert 2 == ran.code
    assert f"{head[:10]} with your changes: no runs of it in" in ran.err


def test_outside_a_repository_runs_are_named_by_latest_and_id(laptime: Command, tmp_path: Path) -> None:
    """And what git would have to know is said to need it."""
    runs = [run({"a.py::test": 1.0}, number=number) for number in range(2)]
    store(tmp_path, *runs)
    assert 0 == laptime("compare", "latest~1", "latest").code
    ran = laptime("compare", "main", "latest")
    assert (2, True) == (ran.code, "(this is no git repository)" in ran.err)
    ran = laptime("compare", "latest")
    assert (2, True) == (ran.code, "nothing is checked out here" in ran.err)


# trend and changes


def merged(directory: Path) -> tuple[list[str], str]:
    """A repository of 24 commits on main, a branch merged after the twelfth; main's commits and the branch's one."""
    repository(directory, 12)
    git(directory, "checkout", "--quiet", "-b", "topic")
    git(directory, "commit", "--quiet", "--allow-empty", "-m", "aside")
    aside = git(directory, "rev-parse", "HEAD")
    git(directory, "checkout", "--quiet", "main")
    git(directory, "merge", "--quiet", "--no-ff", "-m", "merge", "topic")
    for number in range(11):
        git(directory, "commit", "--quiet", "--allow-empty", "-m", f"later {number}")
    return git(directory, "rev-list", "--first-parent", "--reverse", "HEAD").split(), aside


def stepped(directory: Path) -> tuple[list[str], str]:
    """Such a repository, and a store in which the thirteenth commit is half slower, stored in another order."""
    hashes, aside = merged(directory)
    noise = [1.0, 1.01, 0.99, 1.005, 0.995, 1.008]
    runs = [
        run(
            {"a.py::test[x]": noise[place % 6] * (1.5 if place >= 12 else 1.0), "a.py::test[y]": 1.0},
            number=(place * 7) % 24,
            commit=commit(one),
        )
        for place, one in enumerate(hashes)
    ]
    runs.append(run({"a.py::test[x]": 99.0}, number=50, commit=commit(aside)))
    runs.append(run({"a.py::test[x]": 99.0}, number=51, commit=commit(hashes[3], changes="dirty")))
    store(directory, *runs)
    return hashes, aside


@needs_ruptures
def test_a_trend_follows_the_first_parents(laptime: Command, tmp_path: Path) -> None:
    """In their order, whenever they ran; the merged branch's runs and those with changes are left out."""
    hashes, _ = stepped(tmp_path)
    found = json.loads(laptime("trend", "x", "--format", "json").out)
    assert ("a.py::test[x]", hashes) == (found["benchmark"], [one["commit"] for one in found["runs"]])
    assert [(hashes[12], hashes[11], False)] == [
        (one["commit"], one["previous_commit"], one["within_one_commit"]) for one in found["changes"]
    ]
    assert hashes[:5] == [
        one["commit"] for one in json.loads(laptime("trend", "x", "--rev", "HEAD~19", "--format", "json").out)["runs"]
    ]
    drawn = laptime("trend", "test[x]")
    assert (0, "") == (drawn.code, drawn.err)
    assert hashes[12][:10] in drawn.out


@needs_ruptures
def test_changes_are_of_every_series(laptime: Command, tmp_path: Path) -> None:
    """The commit, the size and how sure; `--since` and `--bench` choose among them."""
    hashes, _ = stepped(tmp_path)
    ran = laptime("changes")
    assert 0 == ran.code
    assert "1 change in 2 series of 48 runs" in ran.out
    assert hashes[12][:10] in ran.out
    assert "1 change in 1 series of 24 runs" in laptime("changes", "--bench", "[x]").out
    assert "0 changes in 1 series of 24 runs" in laptime("changes", "--bench", "[y]").out
    assert "0 changes in 2 series of 48 runs" in laptime("changes", "--since", "2026-03-02").out
    assert 1 == len(json.loads(laptime("changes", "--format", "json").out)["changes"])
    assert "| a.py" not in laptime("changes", "--format", "markdown").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trend", "nobody"), "nobody: no such benchmark in"),
        (("trend", "test"), "test: 2 benchmarks have that in their name; write more of it:"),
        (("trend", "x", "--rev", "nobody"), "--rev nobody: no commit, tag or branch that git knows"),
        (("trend", "x", "--rev", "--all"), "--rev"),
        (("trend", "x", "--metric", "cpu"), "has figures of the metric cpu"),
        (("trend", "x", "--since", "1h"), "none of its"),
        (("changes", "--rev", "nobody"), "--rev nobody: no commit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_has_no_trend_is_said(laptime: Command, tmp_path: Path, words: Sequence[str], said: str) -> None:
    """Code 2."""
    (head,) = repository(tmp_path, 1)
    store(tmp_path, run({"a.py::test[x]": 1.0, "a.py::test[y]": 1.0}, commit=commit(head)))
    ran = laptime(*words)
    assert (2, "") == (ran.code, ran.out)
    assert said in ran.err


def test_outside_a_repository_a_trend_is_in_the_order_of_time(laptime: Command, tmp_path: Path) -> None:
    """And that is said."""
    store(tmp_path, *(run({"a.py::test": 1.0 + number}, number=number) for number in (2, 0, 1)))
    ran = laptime("trend", "test", "--format", "json")
    assert [1.0, 2.0, 3.0] == [one["value"] for one in json.loads(ran.out)["runs"]]
    assert "this is no git repository" in ran.err


# every command


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(laptime: Command, command: str) -> None:
    """A line to copy."""
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


@pytest.mark.parametrize(
    "words",
    [
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
    ],
    ids=lambda words: " ".join(words).replace(SECRET, "URL"),
)
def test_a_password_is_never_printed(laptime: Command, tmp_path: Path, words: Sequence[str]) -> None:
    """Wherever a URL with one is typed, in its place or not."""
    repository(tmp_path, 1)
    store(tmp_path, *(run({"a.py::test": 1.0}, number=number) for number in range(2)))
    ran = laptime(*words)
    assert PASSWORD not in ran.out + ran.err
    assert 2 == ran.code


def test_the_project_is_found_from_below(laptime: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its store is at the root; a store that is typed is from where it is typed."""
    (tmp_path / "pyproject.toml").write_text('[tool.laptime]\nhistory = "own.db"\n')
    store(tmp_path, run({"a.py::test": 1.0}), name="own.db")
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "deeper")
    assert 1 == len(ids(laptime("history", "--format", "json")))
    assert 1 == len(ids(laptime("history", "--history", "../../own.db", "--format", "json")))
    assert 2 == laptime("history", "--history", "own.db").code


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """`laptime history | head -1`: code 0 and no traceback."""
    store(tmp_path, *(run({"a.py::test": 1.0}, number=number) for number in range(300)))
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
    store(tmp_path, *five(base), *five(head, 1.5, 10))
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
    """Code 2."""

    def interrupted(*arguments: object, **settings: object) -> None:
        signal.raise_signal(signal.SIGINT)

    store(tmp_path, run({"a.py::test": 1.0}))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(Store, "entries", interrupted)
        assert Ran(2, "", "laptime: interrupted\n") == laptime("history")
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_command_itself(tmp_path: Path) -> None:
    """In a process of its own, where standard output may know ASCII only."""
    store(tmp_path, run({"a.py::test": 1.0}, label="ü → 漢"))
    ran = really(tmp_path, "history", PYTHONIOENCODING="utf-8")
    assert (0, "") == (ran.code, ran.err)
    assert "ü → 漢" in ran.out
    poor = really(tmp_path, "history", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert "Traceback" not in poor.err


def test_a_server_s_store_takes_every_command(laptime: Command, tmp_path: Path, database: str) -> None:
    """As a file does."""
    base, head = repository(tmp_path, 2)
    store(tmp_path, *five(base), *five(head, 1.5, 10))
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
