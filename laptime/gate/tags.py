"""Which tag `--against` means."""

from __future__ import annotations

from pathlib import Path

from laptime import git
from laptime.gate._errors import GateError
from laptime.gate.sides import trees

_PATTERN_SIGNS = "*?["
"""No tag has one in its name."""
_FETCH = "Fetch all: `git fetch --tags --unshallow origin`, or, with actions/checkout, `fetch-depth: 0`"


def chosen(directory: Path, project_root: Path, wanted: str, head: str | None) -> str | None:
    """The tag that is `wanted`, or of those that fit the pattern the newest that HEAD contains.

    None where HEAD is that tag's commit and nothing was changed. Of a pattern, tags on HEAD itself are passed over, so
    that on the day of a release all since the one before is compared. `head` None: the working tree. Raises `GateError`
    with the remedy.
    """
    toplevel = trees.place(directory, project_root).toplevel
    revision = trees.head_revision(toplevel, head)
    known = git.tags(toplevel)
    found = _fitting(toplevel, wanted, revision, known) if set(wanted) & set(_PATTERN_SIGNS) else wanted
    if found is None:
        return None
    if found not in known:
        raise GateError(_unknown(toplevel, found))
    return found if known[found] != revision.commit.id or _is_changed(toplevel, revision) else None


def name_of(directory: Path, tag: str) -> str:
    """What git takes for a tag and for nothing else: a tag may be called as something else is."""
    return tag if git.resolve(directory, tag) == git.resolve(directory, f"refs/tags/{tag}") else f"tags/{tag}"


def _fitting(toplevel: Path, pattern: str, head: trees.Revision, known: dict[str, str]) -> str | None:
    commit = head.commit.id
    assert commit is not None
    found = git.describe(toplevel, commit, pattern)
    if found is None:
        raise GateError(_none_fits(toplevel, pattern, head))
    if known.get(found) != commit or _is_changed(toplevel, head):
        return found
    here = [name for name, tagged in known.items() if tagged == commit]
    earlier = git.describe(toplevel, commit, pattern, without=here)
    if earlier is None and git.is_shallow(toplevel):
        raise GateError(
            f"--against {pattern}: {head} is {found} itself, and this shallow clone has no earlier one. {_FETCH}"
        )
    return earlier


def _is_changed(toplevel: Path, head: trees.Revision) -> bool:
    return head.name is None and (head.commit.dirty or bool(trees.untracked(toplevel, head)))


def _unknown(toplevel: Path, name: str) -> str:
    if git.resolve(toplevel, name) is not None:
        return f"--against {name}: no tag, but another revision: `laptime gate {name}` compares with those"
    if git.is_shallow(toplevel):
        return f"--against {name}: no such tag in this shallow clone. {_FETCH}"
    return f"--against {name}: no such tag; `git tag` lists those that are here, `git fetch --tags` brings the others"


def _none_fits(toplevel: Path, pattern: str, head: trees.Revision) -> str:
    said = f"--against {pattern}: no tag that {head} contains fits it"
    if git.is_shallow(toplevel):
        return f"{said}, in this shallow clone. {_FETCH}"
    return f"{said}; `git tag --merged` lists those that it contains, `git fetch --tags` brings what is missing"
