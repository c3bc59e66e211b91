"""The commands that compare, `laptime compare`, `trend` and `changes`, in real repositories."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import needs_ruptures
from tests.support.histories import (
    FINGERPRINT,
    PYTHON,
    Command,
    commit,
    five,
    git,
    repository,
    run,
    store_with,
)


def test_a_slower_commit_fails_where_it_is_asked_to(laptime: Command, tmp_path: Path) -> None:
    """0, 1 and 2 as DESIGN says; without a head it is what is checked out."""
    base, head = repository(tmp_path, 2)
    store_with(tmp_path, *five(base), *five(head, 1.5, 10))
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
    store_with(tmp_path, *five(base), *five(head, 1.5, 10)[:4])
    ran = laptime("compare", "HEAD~1", "--fail-on", "5%")
    assert 2 == ran.code
    assert "laptime gate" in ran.out


def test_other_interpreters_are_refused_side_by_side(laptime: Command, tmp_path: Path) -> None:
    """Until they are allowed; JSON is told too."""
    base, head = repository(tmp_path, 2)
    free = replace(FINGERPRINT, interpreter={**PYTHON, "GIL": "off", "free-threaded": True})
    store_with(tmp_path, *five(base), *five(head, 1.5, 10, fingerprint=free))
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
    """The exit code is 2, and nothing is printed as a result."""
    ran = laptime("compare", "HEAD", *words)
    assert (2, "", "usage: laptime compare") == (ran.code, ran.out, ran.err[:22])


def test_a_name_no_benchmark_has_passes_nothing(laptime: Command, tmp_path: Path) -> None:
    """Nor does a metric nobody measured, or a baseline that is not there."""
    base, head = repository(tmp_path, 2)
    store_with(tmp_path, *five(base), *five(head, start=10))
    for words in (("--bench", "typo"), ("--metric", "cpu"), ("--baseline", "typo")):
        ran = laptime("compare", "HEAD~1", "--fail-on", "5%", *words)
        assert (2, "", 1) == (ran.code, ran.out, ran.err.count("\n"))


def test_runs_are_named_as_git_names_commits(laptime: Command, tmp_path: Path) -> None:
    """Commit, tag, branch and HEAD~1 are the same runs; latest~2, an id and a label one run."""
    first, second = repository(tmp_path, 2)
    git(tmp_path, "tag", "v1", first)
    git(tmp_path, "tag", "-a", "v1-annotated", "-m", "x", first)
    git(tmp_path, "branch", "old", first)
    runs = [*five(first), *five(second, start=10)]
    runs[2] = replace(runs[2], label="by hand")
    store_with(tmp_path, *runs)
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


def test_an_unknown_name_is_said(laptime: Command, tmp_path: Path) -> None:
    """Code 2 and a sentence."""
    repository(tmp_path, 1)
    store_with(tmp_path, run({"a.py::test": 1.0}))
    for name in ("nobody", "latest~99", "HEAD~99", "0123abcd", "", "a b", "%s{0}"):
        ran = laptime("export", name)
        assert (2, "") == (ran.code, ran.out), name
        assert ran.err.startswith(f"laptime: {name}: "), name
    assert (2, "") == (laptime("export", "--").code, laptime("export", "--").out)


def test_what_is_checked_out_is_named_by_nothing(laptime: Command, tmp_path: Path) -> None:
    """With its changes: runs of the clean commit are others."""
    base, head = repository(tmp_path, 2)
    store_with(tmp_path, *five(base), *five(head, start=10))
    (tmp_path / "file.txt").write_text("changed\n")
    ran = laptime("compare", base)
    assert 2 == ran.code
    assert f"{head[:10]} with your changes: no runs of it in" in ran.err


def test_outside_a_repository_runs_are_named_by_latest_and_id(laptime: Command, tmp_path: Path) -> None:
    """And what git would have to know is said to need it."""
    runs = [run({"a.py::test": 1.0}, number=number) for number in range(2)]
    store_with(tmp_path, *runs)
    assert 0 == laptime("compare", "latest~1", "latest").code
    ran = laptime("compare", "main", "latest")
    assert (2, True) == (ran.code, "(this is no git repository)" in ran.err)
    ran = laptime("compare", "latest")
    assert (2, True) == (ran.code, "nothing is checked out here" in ran.err)


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
    store_with(directory, *runs)
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
    """The exit code is 2, and nothing is printed as a result."""
    (head,) = repository(tmp_path, 1)
    store_with(tmp_path, run({"a.py::test[x]": 1.0, "a.py::test[y]": 1.0}, commit=commit(head)))
    ran = laptime(*words)
    assert (2, "") == (ran.code, ran.out)
    assert said in ran.err


def test_outside_a_repository_a_trend_is_in_the_order_of_time(laptime: Command, tmp_path: Path) -> None:
    """And that is said."""
    store_with(tmp_path, *(run({"a.py::test": 1.0 + number}, number=number) for number in (2, 0, 1)))
    ran = laptime("trend", "test", "--format", "json")
    assert [1.0, 2.0, 3.0] == [one["value"] for one in json.loads(ran.out)["runs"]]
    assert "this is no git repository" in ran.err
