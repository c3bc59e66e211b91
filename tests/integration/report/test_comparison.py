"""Comparisons and lists of runs from a real store, as a terminal shows them."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from laptime import cli
from laptime.report import runs
from tests.support.histories import FINGERPRINT, MACHINE, commit, run, store_with
from tests.support.names import HOSTILE, cells, printable


def test_a_list_of_runs_shows_hostile_labels_and_branches(tmp_path: Path) -> None:
    """As they are, and they do nothing."""
    labelled = [
        run(
            {"a.py::test": 1.0},
            number=number,
            label=name,
            commit=commit("abc", branch=name),
            fingerprint=replace(FINGERPRINT, machine={**MACHINE, "cpu": name}),
        )
        for number, name in enumerate(HOSTILE.values())
    ]
    store = store_with(tmp_path, *labelled)
    entries = store.entries()
    known = store.fingerprints([entry.fingerprint_no for entry in entries])
    text = runs.terminal(entries, known, width=1000, color=False)
    assert dict.fromkeys(HOSTILE.values(), 3) == {name: text.count(printable(name)) for name in HOSTILE.values()}
    assert 1 + len(HOSTILE) == len(text.splitlines())
    assert {7} == {cells(line) for line in runs.markdown(entries, known).splitlines()}
    found = json.loads(runs.as_json(entries, known))["runs"]
    assert {(name, name, "abc".ljust(40, "0"), False, 1, 0) for name in HOSTILE.values()} == {
        tuple(row[key] for key in ("label", "branch", "commit", "dirty", "timed", "not_timed")) for row in found
    }


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("no_color", "colored"), [(None, True), ("1", False), ("", True)])
def test_colours_are_for_terminals_that_want_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_color: str | None, colored: bool
) -> None:
    """See https://no-color.org."""
    import pty

    store_with(tmp_path, run({"a.py::test": 1.0, "a.py::gone": 1.0}), run({"a.py::test": 1.0}, number=1))
    monkeypatch.chdir(tmp_path)
    for name, value in {"NO_COLOR": no_color, "FORCE_COLOR": None, "TERM": "xterm-256color", "COLUMNS": "100"}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
            monkeypatch.setattr(sys, "stdout", terminal)
            assert 1 == cli.main(["compare", "latest~1", "latest"])
            terminal.flush()
            said = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
    assert colored == ("\x1b[31m" in said)
