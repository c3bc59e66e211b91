"""`laptime gate --against TAG`: which tag a nightly run is compared with, what is refused, and what is stored of it."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from laptime.cli import main
from laptime.gate import GateError, tags
from laptime.git import resolve
from laptime.git import tags as every_tag
from tests.support.gates import NO_BLOCKS, NOBODY, PASS, PROJECT, QUICK, commit, git, refused_at_once
from tests.support.here import laptime
from tests.support.histories import repository


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No settings of whoever runs the tests, and no repository of theirs around."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def _released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    hashes = repository(folder, 6)
    git(folder, "tag", "v1.0", hashes[0])
    git(folder, "tag", "--annotate", "-m", "the second", "v1.1", hashes[2])
    git(folder, "tag", "other", hashes[3])
    return folder


@pytest.fixture
def released(_released, tmp_path):
    """Six commits: v1.0, nothing, v1.1 (with a message), other, nothing, and what is checked out."""
    return shutil.copytree(_released, tmp_path / "project")


def chosen(folder, wanted, head="HEAD"):
    """The tag, within the repository."""
    return tags.chosen(folder, folder, wanted, head)


def refusal(folder, wanted, head="HEAD"):
    """What is said instead of one."""
    with pytest.raises(GateError) as caught:
        chosen(folder, wanted, head)
    return str(caught.value)


# which tag


def test_a_tag_is_taken_by_its_name(released):
    """Whether HEAD contains it or not."""
    assert "v1.0" == chosen(released, "v1.0")
    assert "v1.1" == chosen(released, "v1.1", "HEAD~4")


def test_of_a_pattern_the_newest_that_head_contains_is_taken(released):
    """A tag that doesn't fit, or that is newer than HEAD, is passed over."""
    assert "v1.1" == chosen(released, "v*")
    assert "v1.0" == chosen(released, "v*", "HEAD~4")
    assert "other" == chosen(released, "*")
    assert "v1.0" == chosen(released, "v?.[0]")


def test_a_tag_that_was_renamed_is_called_by_its_name(released):
    """`git describe` calls an annotated one by its first name for ever, even where another has that now."""
    git(released, "tag", "release-1.1", "v1.1")
    git(released, "tag", "--delete", "v1.1")
    assert "release-1.1" == chosen(released, "release*")
    assert "release-1.1" == chosen(released, "[rv]*")
    git(released, "tag", "v1.1", "HEAD~5")
    assert "release-1.1" == chosen(released, "release*")
    git(released, "tag", "release-1.2")
    assert "release-1.1" == chosen(released, "release*")
    assert chosen(released, "release*", "HEAD~3") is None


def test_a_tag_of_another_branch_is_not_the_newest(released):
    """HEAD doesn't contain it, though it is younger."""
    git(released, "checkout", "--quiet", "-b", "maintained", "HEAD~4")
    git(released, "commit", "--quiet", "--allow-empty", "-m", "aside")
    git(released, "tag", "v1.0.1")
    assert "v1.1" == chosen(released, "v*", "main")


def test_on_the_day_of_a_release_all_since_the_one_before_is_compared(released):
    """The nightly job would have nothing to compare otherwise; a second tag on the same commit changes nothing."""
    git(released, "tag", "v1.2")
    git(released, "tag", "v1.2-final")
    assert "v1.1" == chosen(released, "v*")


def test_a_tagged_commit_with_changes_is_compared_with_its_own_tag(released):
    """In the working tree there is something since it, tracked or not yet."""
    git(released, "tag", "v1.2")
    assert "v1.1" == chosen(released, "v*", None)
    (released / "new.py").write_text("new = True\n")
    assert ("v1.2", "v1.2") == (chosen(released, "v*", None), chosen(released, "v1.2", None))
    (released / "new.py").unlink()
    (released / "file.txt").write_text("changed\n")
    assert "v1.2" == chosen(released, "v*", None)


def test_nothing_since_a_tag_fails_no_nightly_job(released, monkeypatch, capsys):
    """Neither since the tag that was named, nor since the first release: that is said, and the code is 0."""
    monkeypatch.chdir(released)
    git(released, "tag", "v1.2")
    for words in (("--against", "v1.2"), ("--against", "v*", "v1.0")):
        assert PASS == main(["gate", "--no-history", *words])
        said = capsys.readouterr()
        head = words[2] if len(words) > 2 else "HEAD"
        assert ("", f"laptime: {head} has nothing since {words[1]}: there is nothing to compare\n") == (
            said.out,
            said.err,
        )


def test_a_tag_may_be_called_as_something_else_is(released):
    """Then it is written so that git takes the tag."""
    git(released, "update-ref", "refs/tags/HEAD", "v1.0")
    assert "tags/HEAD" == tags.name_of(released, "HEAD")
    assert resolve(released, "v1.0") == resolve(released, tags.name_of(released, "HEAD"))
    git(released, "branch", "v1.1", "main")
    assert resolve(released, "HEAD~3") == resolve(released, tags.name_of(released, "v1.1"))


def test_every_tag_of_a_commit_is_known(released):
    """One with a message, one of a tag, one that isn't ASCII; none of a file."""
    git(released, "tag", "--annotate", "-m", "again", "of-a-tag", "v1.1")
    git(released, "tag", "ü/日本", "v1.0")
    git(released, "tag", "of-a-file", "HEAD:file.txt")
    first, second, other = (resolve(released, name) for name in ("HEAD~5", "HEAD~3", "HEAD~2"))
    expected = {"v1.0": first, "v1.1": second, "other": other, "of-a-tag": second, "ü/日本": first}
    assert expected == every_tag(released)


# what is refused


def test_what_is_no_tag_is_sent_to_base(released):
    """A branch, a hash, and what counts from a tag."""
    for name in ("main", "HEAD~1", "v1.1~1"):
        assert f"--against {name}: no tag, but another revision: `laptime gate {name}`" in refusal(released, name)


def test_an_unknown_tag_is_refused_with_the_way_to_it(released):
    """It may lie on the server only."""
    said = refusal(released, "v9")
    assert "--against v9: no such tag; `git tag` lists those that are here, `git fetch --tags`" in said


def test_a_pattern_that_no_tag_fits_is_refused(released):
    """Also where those that fit are not in HEAD."""
    assert "--against release-*: no tag that HEAD (" in refusal(released, "release-*")
    assert "`git fetch --tags` brings what is missing" in refusal(released, "v1.1*", "HEAD~5")


@pytest.mark.parametrize("wanted", ["v1.1", "v*"])
def test_a_shallow_clone_is_told_how_to_get_its_tags(released, tmp_path, wanted):
    """As actions/checkout makes it."""
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-tags", f"file://{released}", "clone")
    said = refusal(tmp_path / "clone", wanted)
    assert "in this shallow clone. Fetch all: `git fetch --tags --unshallow origin`" in said
    assert "`fetch-depth: 0`" in said


def test_a_shallow_clone_of_a_release_does_not_pass_for_the_first(released, tmp_path):
    """Its own tag was fetched, and those before it were not: that is no reason to end with 0."""
    git(released, "tag", "v1.2")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{released}", "clone")
    assert "is v1.2 itself, and this shallow clone has no earlier one" in refusal(tmp_path / "clone", "v*")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--against", "v1.0", "main", "HEAD"), "--against v1.0 stands in BASE's place: BASE (main) is one too many"),
        (("--against", "v1.0", "--self-test"), "--self-test takes no --against"),
        (("--against", ""), "--against is empty: is the variable"),
        (("--against", "v1.0", " "), "HEAD is empty: is the variable"),
        (("--against", "v1.0", "nonsense"), "nonsense: no such revision"),
    ],
    ids=" ".join,
)
def test_what_contradicts_itself_is_refused(released, arguments, said):
    """By name, before anything is run."""
    assert said in refused_at_once(released, *arguments)


def test_outside_git_there_are_no_tags(tmp_path):
    """As without the option."""
    assert "no git working tree" in refused_at_once(tmp_path, "--against", "v*")


# a real one


def test_a_nightly_gate_is_stored_with_its_tag_and_anchors_the_index(tmp_path):
    """Nothing but a commit since the tag: both sides' files are the same, which is a ratio of 1."""
    root = tmp_path / "project"
    tagged = commit(root, PROJECT)
    git(root, "tag", "v1")
    head = commit(root, {}, "nothing")
    ended = laptime(root, "gate", "--against", "v*", NO_BLOCKS, "HEAD", env={**NOBODY, **QUICK})
    assert PASS == ended.code, ended.text
    assert f"HEAD ({head[:10]}) against v1 ({tagged[:10]})" in ended.text
    shown = laptime(root, "trend", "test_work", "--index", "--format=json", env=NOBODY)
    found = json.loads(shown.text)
    assert [("v1", tagged)] == [(one["tag"], one["commit"]) for one in found["anchors"]]
    assert [(tagged, 1.0), (head, 1.0)] == [(one["commit"], one["index"]) for one in found["index"]]
