"""Which runs a name stands for, as git would resolve it: a commit, a tag, ``HEAD~3``, ``latest~2``, a run's id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from laptime import git
from laptime.history._errors import HistoryError
from laptime.history._model import Entry, Filter

LATEST = "latest"
_LATEST = re.compile(r"latest(?:~([0-9]{0,9})|(\^*))")
_HEX = re.compile(r"[0-9a-f]{4,64}")
_SHORT = 10


class Entries(Protocol):
    """What is needed of a store."""

    name: str

    def entries(self, which: Filter | None = None, *, limit: int | None = None, skip: int = 0) -> list[Entry]:
        """Runs, the newest first."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The runs that a name stands for, the newest first; `title` says what they are."""

    name: str
    title: str
    entries: tuple[Entry, ...]


def select(store: Entries, name: str | None, directory: Path) -> Selection:
    """Find the runs. None stands for what is checked out, with its changes.

    A commit stands for all of its runs that were made without other changes; an id, `latest` and a label for one run.
    Raises `HistoryError` where there is none, or more than one thing has the name.
    """
    if name is None:
        return _checked_out(store, directory)
    if match := _LATEST.fullmatch(name):
        return _latest(store, name, match)
    commit = git.resolve(directory, name)
    by_id = store.entries(Filter(id_prefix=name)) if _HEX.fullmatch(name) else []
    if commit is None and not by_id and _HEX.fullmatch(name):
        commit = _stored_commit(store, name)  # of a clone that is shallow, or elsewhere
    if commit is not None and by_id:
        raise HistoryError(
            f"{name}: is both the commit {commit[:_SHORT]} and the run {by_id[0].id[:_SHORT]}: write more of it"
        )
    if by_id:
        if len({one.id for one in by_id}) > 1:
            raise HistoryError(f"{name}: {len(by_id)} runs begin so ({_ids(by_id)}): write more of it")
        return Selection(name, f"run {by_id[0].id[:_SHORT]}", tuple(by_id))
    if commit is not None:
        return _of_commit(store, name, commit)
    if labelled := store.entries(Filter(label=name)):
        return Selection(name, f"run {labelled[0].id[:_SHORT]} ({name})", (labelled[0],))
    known = " (this is no git repository)" if not git.is_repository(directory) else ""
    raise HistoryError(
        f"{name}: no commit, tag or branch that git knows{known}, no run and no label in {store.name}; "
        "`laptime history` lists runs"
    )


def _latest(store: Entries, name: str, match: re.Match[str]) -> Selection:
    back = int(match[1] or 1) if match[1] is not None else len(match[2] or "")
    found = store.entries(limit=1, skip=back)
    if not found:
        raise HistoryError(f"{name}: {store.name} holds no {'runs' if not back else f'{back + 1} runs'}")
    return Selection(name, f"run {found[0].id[:_SHORT]}", (found[0],))


def _checked_out(store: Entries, directory: Path) -> Selection:
    head = git.head(directory)
    if head.id is None:
        why = git.complaint(directory) or "no git repository, or no commit yet"
        raise HistoryError(f"nothing is checked out here ({why}): name the run, as in `latest`")
    title = f"{head.id[:_SHORT]}" + (" with your changes" if head.dirty else "")
    found = [entry for entry in store.entries(Filter(commit=head.id)) if entry.commit.changes == head.changes]
    if not found:
        raise HistoryError(f"{title}: no runs of it in {store.name}; `pytest --benchmark-only` makes one")
    return Selection("HEAD", title, tuple(found))


def _of_commit(store: Entries, name: str, commit: str) -> Selection:
    every = store.entries(Filter(commit=commit))
    clean = tuple(entry for entry in every if not entry.commit.dirty)
    title = commit[:_SHORT] if commit.startswith(name) else f"{name} ({commit[:_SHORT]})"
    if not clean:
        but = f", but {len(every)} with changes that were not committed ({_ids(every)})" if every else ""
        raise HistoryError(
            f"{title}: no runs of it in {store.name}{but}; check it out and run `pytest --benchmark-only`"
        )
    return Selection(name, title, clean)


def _stored_commit(store: Entries, prefix: str) -> str | None:
    found = {entry.commit.id for entry in store.entries(Filter(commit_prefix=prefix)) if entry.commit.id}
    if len(found) > 1:
        raise HistoryError(f"{prefix}: {len(found)} commits begin so: write more of it")
    return found.pop() if found else None


def _ids(entries: list[Entry], most: int = 3) -> str:
    return ", ".join(entry.id[:_SHORT] for entry in entries[:most]) + (", …" if len(entries) > most else "")
