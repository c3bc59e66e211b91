"""A name stands for the runs that git, or the store, knows by it; what stands for nothing or too much is refused."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from laptime.history import HistoryError, select
from laptime.history.store import Store
from tests.support.histories import commit, git, repository, run


def stored(number: int, identity: str | None = None, **what) -> object:
    """A run of a commit; its number makes its id and its time."""
    known = commit(identity, branch=what.pop("branch", "main"), changes=what.pop("changes", None)) if identity else None
    return run({"test_a": 1.0}, number=number, commit=known, **what)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A repository of five commits with tags and branches: its folder, and the hashes, the oldest commit first."""
    folder = tmp_path_factory.mktemp("original") / "project"
    hashes = repository(folder, 5)
    git(folder, "tag", "v1", hashes[2])
    git(folder, "tag", "-a", "-m", "annotated", "v2", hashes[3])
    git(folder, "branch", "topic", hashes[1])
    git(folder, "tag", "topic/deeper", hashes[0])
    return folder, hashes


@pytest.fixture(scope="module")
def history(original):
    """A store with a run of each of the five commits, and a second one of the last; their ids. Nobody changes it."""
    folder, hashes = original
    store = Store("../history.db", folder, create=True)
    runs = [stored(number, commit) for number, commit in enumerate([*hashes, hashes[-1]])]
    for one in runs:
        store.append(one)
    return store, folder, hashes, [one.id for one in runs]


@pytest.fixture
def project(original, tmp_path):
    """A copy of the repository."""
    folder, hashes = original
    return shutil.copytree(folder, tmp_path / "project", symlinks=True), hashes


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(str(tmp_path / "history.db"), tmp_path, create=True)


def found(store: Store, name: str | None, folder: Path) -> list[str]:
    """The ids that a name stands for."""
    return [entry.id for entry in select(store, name, folder).entries]


NAMED = {
    "HEAD": [5, 4],
    "@": [5, 4],
    "main": [5, 4],
    "HEAD~3": [1],
    "HEAD^^": [2],
    "main~4": [0],
    "v1": [2],
    "v2": [3],
    "refs/tags/v2": [3],
    "topic": [1],
    "topic/deeper": [0],
    "latest": [5],
    "latest~": [4],
    "latest~0": [5],
    "latest~2": [3],
    "latest^": [4],
    "latest^^": [3],
    None: [5, 4],
}
"""Name -> the places of its runs."""


def test_a_name_is_what_git_takes_it_for(history):
    """All runs of a commit, the newest first; `latest` counts runs, not commits."""
    store, folder, _, ids = history
    expected = {name: [ids[number] for number in numbers] for name, numbers in NAMED.items()}
    assert expected == {name: found(store, name, folder) for name in NAMED}


def test_a_hash_may_be_short(history):
    """As git prints it, or in capitals."""
    store, folder, hashes, ids = history
    for length in (7, 12, 40):
        assert [ids[1]] == found(store, hashes[1][:length], folder)
        assert [ids[1]] == found(store, hashes[1][:length].upper(), folder)


def test_a_merge_s_second_parent_is_found(history, project):
    """And whatever else git can say."""
    store, _, _, ids = history
    folder, hashes = project
    git(folder, "checkout", "--quiet", "-b", "side", hashes[3])
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "beside")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "merge", "--quiet", "--no-ff", "-m", "both", "side")
    assert [ids[3]] == found(store, "HEAD^2~1", folder)


def test_a_run_is_found_by_the_beginning_of_its_id(history):
    """In a repository or outside of one."""
    store, folder, _, ids = history
    for length in (4, 10, 32):
        assert [ids[4]] == found(store, ids[4][:length], folder)
        assert [ids[4]] == found(store, ids[4][:length], folder.parent)


def test_a_label_stands_for_its_newest_run(store, project):
    """Runs may share one."""
    folder, hashes = project
    for number in (2, 3, 1):
        store.append(stored(number, hashes[0], label="before"))
    assert [stored(3).id] == found(store, "before", folder)


def test_a_label_may_look_like_anything(store, original):
    """It is no option, and no expression either, where git makes nothing of it."""
    labels = ("--help", "-1", "-", "--", "-x y", "a b", "ü", "%", "x" * 5000, "'", "HEAD:", "a..b", "^")
    for number, label in enumerate(labels):
        store.append(stored(number, label=label))
    store.append(stored(99))
    assert {label: [stored(number).id] for number, label in enumerate(labels)} == {
        label: found(store, label, original[0]) for label in labels
    }


def complaint(store: Store, name: str | None, folder: Path) -> str:
    """What is said of a name that is refused."""
    with pytest.raises(HistoryError) as caught:
        select(store, name, folder)
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        *("--help", "-1", "--all", "-h", "--", "", "missing", "HEAD~99", "deadbeef", "latest~x"),
        # a range, a tree, a file, what isn't text: none of them is a run
        *("\udce9", "a\0b", "HEAD..main", "^HEAD", "main^{tree}", "HEAD:file.txt", "@{1000}", ":", "~"),
    ],
)
def test_what_stands_for_nothing_is_refused(history, name):
    """Whether it looks like an option or not; the store is named, and where to look."""
    store, folder, _, _ = history
    assert (
        f"{name}: no commit, tag or branch that git knows, no run and no label in {store.name}; "
        "`laptime history` lists runs"
    ) == complaint(store, name, folder)


def test_more_runs_back_than_there_are_is_refused(history):
    """However many."""
    store, folder, _, _ = history
    for name, count in {"latest~6": "7 runs", "latest^^^^^^": "7 runs", "latest~999999999": "1000000000 runs"}.items():
        assert f"{name}: {store.name} holds no {count}" == complaint(store, name, folder)
    for name in ("latest~99999999999999999999", f"latest~{'9' * 5000}"):
        assert f"{name}: no commit, tag or branch" in complaint(store, name, folder)


def test_an_empty_store_has_no_runs(store, original):
    """It is named; what makes one is said where that is plain."""
    folder, hashes = original
    short = {name: hashes[place][:10] for name, place in (("HEAD", 4), ("v1", 2))}
    assert f"latest: {store.name} holds no runs" == complaint(store, "latest", folder)
    assert f"{short['HEAD']}: no runs of it in {store.name}; `pytest --benchmark-only` makes one" == complaint(
        store, None, folder
    )
    for name, digits in short.items():
        assert (
            f"{name} ({digits}): no runs of it in {store.name}; check it out and run `pytest --benchmark-only`"
        ) == complaint(store, name, folder)


# Changes that were not committed


def test_a_commit_is_its_runs_without_changes(store, project):
    """With changes it was another program."""
    folder, hashes = project
    for number, changes in enumerate((None, "d" * 64, None, "unknown")):
        store.append(stored(number, hashes[-1], changes=changes))
    assert [stored(2).id, stored(0).id] == found(store, "HEAD", folder)
    assert [stored(2).id, stored(0).id] == found(store, None, folder)


def test_that_there_are_runs_with_changes_only_is_said(store, project):
    """By their ids, with which they can be named."""
    folder, hashes = project
    dirty = stored(1, hashes[-1], changes="d" * 64)
    store.append(dirty)
    assert f", but 1 with changes that were not committed ({dirty.id[:10]}); check" in complaint(store, "HEAD", folder)
    assert [dirty.id] == found(store, dirty.id, folder)
    assert [dirty.id] == found(store, "latest", folder)


def test_no_name_is_what_is_checked_out_with_its_changes(store, project):
    """Those that are there now, and no others."""
    from laptime import git as own

    folder, hashes = project
    (folder / "file.txt").write_text("changed\n")
    store.append(stored(1, hashes[-1]))
    store.append(stored(2, hashes[-1], changes="d" * 64))
    said = complaint(store, None, folder)
    assert "with your changes" in said
    assert "pytest --benchmark-only" in said
    store.append(replace(stored(3), commit=own.head(folder)))
    chosen = select(store, None, folder)
    assert [stored(3).id] == [entry.id for entry in chosen.entries]
    assert "with your changes" in chosen.title


# More than one thing


def test_a_beginning_of_two_ids_is_refused(store, project):
    """Both are told."""
    first = replace(stored(1), id="abcd" + "0" * 28)
    second = replace(stored(2), id="abcd" + "1" * 28)
    store.append(first)
    store.append(second)
    said = complaint(store, "abcd", project[0])
    assert "2 runs begin so" in said
    assert "abcd000000" in said
    assert [second.id] == found(store, "abcd1", project[0])


def test_a_beginning_of_a_run_and_of_a_commit_is_refused(store, project):
    """More of it decides."""
    folder, hashes = project
    store.append(stored(1, hashes[0]))
    store.append(replace(stored(2), id=(hashes[0][:8] + "0" * 24)))
    assert "write more of it" in complaint(store, hashes[0][:8], folder)
    assert [stored(1).id] == found(store, hashes[0], folder)


def test_a_beginning_of_two_stored_commits_is_refused(store, tmp_path):
    """Where git knows neither."""
    for number in (1, 2):
        store.append(stored(number, f"abcd{number}"))
    assert "2 commits begin so" in complaint(store, "abcd", tmp_path)


# Where git knows little


def test_without_a_repository_a_stored_commit_has_its_hash(store, tmp_path):
    """Whole or in part: the store knows it."""
    store.append(stored(1, "abcd"))
    assert [stored(1).id] == found(store, "abcd", tmp_path)
    assert [stored(1).id] == found(store, "abcd".ljust(40, "0"), tmp_path)
    assert [stored(1).id] == found(store, "latest", tmp_path)


def test_without_a_repository_names_are_refused(store, tmp_path):
    """And it is said why."""
    store.append(stored(1, "abcd"))
    assert "this is no git repository" in complaint(store, "main", tmp_path)
    assert "no git repository" in complaint(store, None, tmp_path)


def test_before_the_first_commit_nothing_is_checked_out(store, tmp_path):
    """Runs are named by what they are."""
    git(tmp_path, "init", "--quiet")
    store.append(stored(1))
    assert "no commit yet" in complaint(store, None, tmp_path)
    assert [stored(1).id] == found(store, "latest", tmp_path)


def test_in_a_shallow_clone_older_commits_are_found_by_hash(history, tmp_path):
    """git has them no more, the store has."""
    store, folder, hashes, ids = history
    clone = tmp_path / "clone"
    subprocess.run(("git", "clone", "--quiet", "--depth=1", folder.as_uri(), clone), check=True, capture_output=True)
    assert [ids[5], ids[4]] == found(store, None, clone)
    assert [ids[1]] == found(store, hashes[1], clone)
    assert [ids[1]] == found(store, hashes[1][:8], clone)
    with pytest.raises(HistoryError):
        select(store, "HEAD~3", clone)


def test_in_a_detached_head_what_is_checked_out_is_found(history, project):
    """There is a commit, if no branch."""
    store, _, _, ids = history
    folder, hashes = project
    git(folder, "checkout", "--quiet", "--detach", hashes[2])
    assert [ids[2]] == found(store, None, folder)
    assert [ids[0]] == found(store, "HEAD~2", folder)


def test_a_title_says_what_was_found(history):
    """The name and the commit, or the run."""
    store, folder, hashes, ids = history
    assert f"main ({hashes[4][:10]})" == select(store, "main", folder).title
    assert hashes[1][:10] == select(store, hashes[1][:8], folder).title
    assert f"run {ids[5][:10]}" == select(store, "latest", folder).title
    assert ("HEAD", hashes[4][:10]) == (select(store, None, folder).name, select(store, None, folder).title)
