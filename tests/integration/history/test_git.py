"""What git says of what is checked out, in repositories of every state; nothing is written to them."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from laptime.git import (
    Commit,
    GitError,
    clone,
    complaint,
    first_parents,
    head,
    is_repository,
    left_out,
    resolve,
    submodules,
)
from tests.support.histories import git, repository

MADE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No settings of whoever runs the tests, and no repository of theirs around."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


@pytest.fixture
def project(tmp_path):
    """A repository of three commits."""
    folder = tmp_path / "project"
    return folder, repository(folder, 3)


def test_what_is_checked_out_is_told(project):
    """The commit, when it was made, and the branch."""
    folder, hashes = project
    assert Commit(hashes[-1], MADE, "main", None) == head(folder)
    assert not head(folder).dirty


def test_a_folder_within_tells_the_same(project):
    """Changes elsewhere in the repository count too."""
    folder, _ = project
    (folder / "within").mkdir()
    assert head(folder) == head(folder / "within")
    (folder / "file.txt").write_text("changed\n")
    assert head(folder).dirty
    assert head(folder) == head(folder / "within")


def test_a_detached_head_has_no_branch(project):
    """But a commit."""
    folder, hashes = project
    git(folder, "checkout", "--quiet", "--detach", hashes[1])
    assert Commit(hashes[1], MADE, None, None) == head(folder)


@pytest.mark.parametrize("name", ["topic/deeper", "ü", "100%", "heads/x", "v1"])
def test_a_branch_may_be_called_anything(project, name):
    """Its name is told as it is, though a tag has it as well."""
    folder, _ = project
    git(folder, "checkout", "--quiet", "-b", name)
    assert name == head(folder).branch
    git(folder, "tag", name)
    assert name == head(folder).branch


def test_a_branch_need_not_be_text(project):
    """Its bytes stay."""
    folder, _ = project
    git(folder, "checkout", "--quiet", "-b", os.fsdecode(b"caf\xe9"))
    assert os.fsdecode(b"caf\xe9") == head(folder).branch


def test_a_worktree_is_a_repository_of_its_own(project, tmp_path):
    """With its own branch and its own changes."""
    folder, hashes = project
    other = tmp_path / "other"
    git(folder, "worktree", "add", "--quiet", "-b", "topic", str(other), hashes[0])
    (other / "file.txt").write_text("changed\n")
    told = head(other)
    assert (hashes[0], "topic", True) == (told.id, told.branch, told.dirty)
    assert not head(folder).dirty
    assert is_repository(other)


def test_before_the_first_commit_there_is_nothing(tmp_path):
    """Though it is a repository."""
    git(tmp_path, "init", "--quiet")
    assert Commit() == head(tmp_path)
    assert is_repository(tmp_path)
    assert resolve(tmp_path, "HEAD") is None
    with pytest.raises(GitError):
        first_parents(tmp_path)


@pytest.mark.parametrize("missing", ["", "missing"])
def test_outside_of_a_repository_there_is_nothing(tmp_path, missing):
    """Nor in a folder that isn't there."""
    folder = tmp_path / missing
    assert Commit() == head(folder)
    assert not is_repository(folder)
    assert resolve(folder, "HEAD") is None
    with pytest.raises(GitError):
        first_parents(folder)


def test_without_git_there_is_nothing(project, monkeypatch, tmp_path):
    """It need not be installed."""
    folder, _ = project
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Commit() == head(folder)
    assert not is_repository(folder)
    assert resolve(folder, "HEAD") is None
    with pytest.raises(GitError, match="git can't be run"):
        first_parents(folder)


# Changes


def test_changes_have_a_digest(project):
    """Equal ones the same, others another; taken back they are gone."""
    folder, hashes = project
    file = folder / "file.txt"
    file.write_text("changed\n")
    first = head(folder)
    assert (hashes[-1], True, 64) == (first.id, first.dirty, len(first.changes))
    assert first == head(folder)
    file.write_text("changed again\n")
    second = head(folder)
    file.write_text("changed\n")
    assert second.changes != head(folder).changes == first.changes
    file.write_text("2\n")
    assert Commit(hashes[-1], MADE, "main", None) == head(folder)


def test_what_is_staged_is_changed_too(project):
    """In the same way as what is not staged."""
    folder, _ = project
    (folder / "file.txt").write_text("changed\n")
    before = head(folder)
    git(folder, "add", "file.txt")
    assert before == head(folder)


def test_what_git_does_not_track_does_not_count(project):
    """Until it is added."""
    folder, _ = project
    (folder / "new.txt").write_text("new\n")
    assert not head(folder).dirty
    git(folder, "add", "new.txt")
    assert head(folder).dirty


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.unlink(),
        lambda file: file.chmod(0o755),
        lambda file: file.write_bytes(b"\0\xff"),
        lambda file: (file.unlink(), file.symlink_to("elsewhere")),
        lambda file: file.write_bytes(b""),
    ],
)
def test_every_change_counts(project, change):
    """A file gone, one that can be run now, bytes that are no text, a link."""
    folder, _ = project
    change(folder / "file.txt")
    assert head(folder).dirty


def test_two_changes_of_bytes_differ(project):
    """Though git says of both that binary files differ."""
    folder, _ = project
    (folder / "file.txt").write_bytes(b"\0\x01")
    first = head(folder)
    (folder / "file.txt").write_bytes(b"\0\x02")
    assert first.changes != head(folder).changes


def test_submodules_are_told(project):
    """They are no files of this repository."""
    folder, hashes = project
    assert [] == submodules(folder)
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{hashes[0]},vendor/a b")
    assert ["vendor/a b"] == submodules(folder)


def test_what_a_sparse_checkout_leaves_out_is_told(project):
    """It is not removed."""
    folder, _ = project
    (folder / "kept").mkdir()
    (folder / "left").mkdir()
    for name in ("kept/a", "left/ä b"):
        (folder / name).touch()
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "two")
    assert [] == left_out(folder)
    git(folder, "sparse-checkout", "set", "kept")
    assert ["left/ä b"] == left_out(folder)


def test_a_file_that_was_only_touched_is_not_changed(project):
    """What it holds decides."""
    folder, _ = project
    os.utime(folder / "file.txt", (1, 1))
    assert not head(folder).dirty


def test_a_commit_under_way_elsewhere_is_no_obstacle(project):
    """Its lock on the index keeps nobody from reading."""
    folder, hashes = project
    (folder / ".git" / "index.lock").touch()
    (folder / "file.txt").write_text("changed\n")
    assert (hashes[-1], True) == (head(folder).id, head(folder).dirty)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("color.ui", "always"),
        ("diff.external", "false"),
        ("log.showSignature", "true"),
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.context", "0"),
        ("diff.algorithm", "patience"),
        ("core.quotePath", "false"),
        ("core.abbrev", "7"),
        ("format.pretty", "oneline"),
        ("diff.autoRefreshIndex", "true"),
    ],
)
def test_somebody_s_settings_change_nothing_that_matters(project, key, value):
    """It is the same commit, and there are changes."""
    folder, hashes = project
    (folder / "file.txt").write_text("changed\n")
    git(folder, "config", key, value)
    told = head(folder)
    assert (hashes[-1], MADE, "main", True) == (told.id, told.at, told.branch, told.dirty)


def test_changes_elsewhere_count_though_a_setting_hides_them(project):
    """`diff.relative` keeps to the folder."""
    folder, _ = project
    (folder / "within").mkdir()
    (folder / "file.txt").write_text("changed\n")
    git(folder, "config", "diff.relative", "true")
    assert head(folder).changes == head(folder / "within").changes is not None


@pytest.mark.parametrize("name", ["HEAD", "main", "show", "@"])
def test_a_file_may_be_called_as_a_commit_is(project, name):
    """It is the commit that is meant."""
    folder, hashes = project
    (folder / name).write_text("a file\n")
    assert hashes[-1] == head(folder).id
    assert hashes == first_parents(folder)
    assert hashes == first_parents(folder, "main")
    assert hashes[-1] == resolve(folder, "HEAD") == resolve(folder, "main")


# Names and their order


def test_a_name_stands_for_a_commit(project):
    """Whatever git takes, down to the commit of an annotated tag."""
    folder, hashes = project
    git(folder, "tag", "-a", "-m", "annotated", "v1", hashes[1])
    git(folder, "branch", "topic", hashes[0])
    names = {"HEAD": 2, "HEAD~1": 1, "main": 2, "v1": 1, "topic": 0, hashes[0][:7]: 0, hashes[0]: 0, "v1^": 0, "@": 2}
    assert {name: hashes[number] for name, number in names.items()} == {name: resolve(folder, name) for name in names}


@pytest.mark.parametrize(
    "name",
    [
        *("", "missing", "--help", "-1", "--all", "--", "HEAD..main", "^HEAD", "HEAD^{tree}", "HEAD:file.txt"),
        *("HEAD~9", "\udce9", "a\0b", "0" * 40, "a b", "HEAD\nHEAD", "HEAD^@", "HEAD^!", "@{-1}"),
    ],
)
def test_what_is_no_commit_stands_for_none(project, name):
    """Options, ranges, trees, files, and what isn't there."""
    assert resolve(project[0], name) is None


def test_first_parents_leave_out_what_was_merged(project):
    """The history of a branch, the oldest commit first."""
    folder, hashes = project
    git(folder, "checkout", "--quiet", "-b", "side", hashes[1])
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "beside")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "merge", "--quiet", "--no-ff", "-m", "both", "side")
    merged = git(folder, "rev-parse", "HEAD")
    assert [*hashes, merged] == first_parents(folder)
    assert hashes[:2] == first_parents(folder, "side")[:2]
    assert hashes[:1] == first_parents(folder, hashes[0])


@pytest.mark.parametrize("name", ["missing", "--all", "-1", ""])
def test_the_parents_of_nothing_are_refused(project, name):
    """In git's own words."""
    with pytest.raises(GitError) as caught:
        first_parents(project[0], name)
    assert str(caught.value)


def test_a_submodule_s_changes_count(project, tmp_path):
    """What it has checked out is part of what is measured."""
    folder, _ = project
    repository(tmp_path / "inner", 2)
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "inner"), "inner")
    git(folder, "commit", "--quiet", "-m", "with a submodule")
    assert not head(folder).dirty
    (folder / "inner" / "file.txt").write_text("changed\n")
    first = head(folder)
    (folder / "inner" / "file.txt").write_text("changed again\n")
    assert first.dirty
    assert first.changes != head(folder).changes


def test_the_digest_is_of_the_difference(project):
    """So that it is the same on every machine."""
    folder, _ = project
    (folder / "file.txt").write_text("changed\n")
    difference = git(folder, "diff", "--binary", "HEAD") + "\n"
    assert hashlib.sha256(difference.encode()).hexdigest() == head(folder).changes


def test_nothing_is_written(project):
    """Not to the repository, and not to the folder."""
    folder, _ = project
    (folder / "file.txt").write_text("changed\n")

    def held() -> dict[Path, tuple[int, bytes]]:
        return {one: (one.stat().st_mtime_ns, one.read_bytes()) for one in folder.rglob("*") if one.is_file()}

    before = held()
    head(folder)
    resolve(folder, "HEAD~1")
    first_parents(folder)
    is_repository(folder)
    assert before == held()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_a_repository_of_somebody_else_is_complained_of(tmp_path):
    """git will not look into it, and says why: a run of it is of no commit."""
    repository(tmp_path / "theirs", 1)
    os.chown(tmp_path / "theirs", 65534, 65534)
    assert "dubious ownership" in (complaint(tmp_path / "theirs") or "")
    assert Commit() == head(tmp_path / "theirs")


def test_nothing_is_complained_of_elsewhere(tmp_path):
    """A directory outside of git is no fault, and neither is a repository that works."""
    repository(tmp_path / "ours", 1)
    assert complaint(tmp_path) is None
    assert complaint(tmp_path / "ours") is None


def test_a_clone_is_at_its_commit_and_borrows_what_it_knows(project, tmp_path):
    """Tags as well: what is built there may ask git for its version."""
    folder, hashes = project
    git(folder, "tag", "v1", hashes[0])
    clone(folder, hashes[1], tmp_path / "clone")
    assert Commit(hashes[1], MADE, None, head(tmp_path / "clone").changes) == head(tmp_path / "clone")
    assert [".git"] == [path.name for path in (tmp_path / "clone").iterdir()]
    assert git(tmp_path / "clone", "describe", "--tags").startswith("v1-1-")


def test_a_clone_made_by_a_hook_leaves_its_repository_as_it_is(project, tmp_path, monkeypatch):
    """git tells a hook by its environment where the repository is, and whoever works on another would work on that."""
    folder, hashes = project
    before = {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    for name, value in {"GIT_DIR": ".git", "GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index"}.items():
        monkeypatch.setenv(name, value if name == "GIT_WORK_TREE" else str(folder / value))
    clone(folder, hashes[0], tmp_path / "clone")
    assert before == {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name)
    assert hashes[0] == head(tmp_path / "clone").id
    assert hashes[-1] == head(folder).id
