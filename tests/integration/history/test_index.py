"""`laptime trend --index` in real repositories: what the gates of their commits add up to."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import pytest

from laptime.history import Gate, GateResult
from laptime.history.store import Store
from tests.support.histories import FINGERPRINT, PYTHON, START, Command, commit, gate, git, repository, run, store_with

NAME = "bench/test_parcel.py::test_deliver"
NOISE = tuple(0.004 * (place - 9.5) / 9.5 for place in range(20))
"""Of the 20 blocks of a gate: symmetric, so that its centre is what was planted."""


def gated(base: str, head: str, change: float, number: int, **what: Any) -> Gate:
    """A gate of two commits as it is stored: its time, its CPU time, and another benchmark that is broken."""
    blocks = tuple(log(1 + change) + one for one in NOISE)
    results = (
        GateResult(NAME, "wall", "unresolved", 1 + change, 0.9, 1.2, blocks, 0),
        GateResult(NAME, "cpu", "unchanged", 1.0, 0.9, 1.1, NOISE, 0),
        GateResult("bench/test_parcel.py::test_broken", None, "broken", note="it ended"),
    )
    sides = {"base": commit(base, number), "head": commit(head, number + 1)}
    return gate(number, **{**sides, "results": results, "document": {}, **what})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A repository of 13 commits, each but the first gated as it was merged, and each 1 % slower; and its hashes."""
    folder = tmp_path_factory.mktemp("merges")
    hashes = repository(folder, 13)
    # every second one on another machine, where everything else is different
    other = replace(FINGERPRINT, machine={"cpu": "Slow CPU"}, interpreter={**PYTHON, "version": "3.14.0"})
    gates = [
        gated(base, head, 0.01, number, fingerprint=other if number % 2 else FINGERPRINT)
        for number, (base, head) in enumerate(pairwise(hashes))
    ]
    store_with(folder, *gates)
    return folder, hashes


@pytest.fixture
def merges(original: tuple[Path, list[str]], tmp_path: Path) -> tuple[list[str], Store]:
    """A copy of it: its hashes and its store."""
    folder, hashes = original
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return hashes, Store(".benchmarks/history.db", tmp_path)


def trend(laptime: Command, *words: object) -> dict[str, Any]:
    """The index as JSON."""
    ran = laptime("trend", "test_deliver", "--index", "--format", "json", *words)
    assert (0, "") == (ran.code, ran.err)
    return json.loads(ran.out)


def test_twelve_merges_of_one_per_cent_are_12_7_per_cent(laptime, merges) -> None:
    """None of which was beyond the gate's margin; from two machines, found by the gates alone."""
    hashes, _ = merges
    ran = laptime("trend", "test_deliver", "--index")
    assert (0, "") == (ran.code, ran.err)
    assert "+12.7 % [+12." in ran.out
    assert f"from {hashes[0][:10]} (2026-03-01), ×1.000, to {hashes[12][:10]}" in ran.out
    found = trend(laptime)
    assert hashes == [one["commit"] for one in found["index"]]
    assert 1.01**12 == pytest.approx(found["since_first"]["ratio"])
    assert 1.0 == pytest.approx(trend(laptime, "--metric", "cpu")["since_first"]["ratio"])


def test_a_nightly_gate_against_a_tag_corrects_what_the_merges_got_wrong(laptime, merges, tmp_path) -> None:
    """A gate of one merge was 20 % off; the next night's, against the release, says what is so."""
    hashes, store = merges
    git(tmp_path, "tag", "v1.0", hashes[4])
    for number in (50, 51, 52):  # outnumbers the right one of this merge
        store.append_gate(gated(hashes[8], hashes[9], 0.2, number))
    assert 1.3 < trend(laptime)["since_first"]["ratio"]
    store.append_gate(gated(hashes[4], hashes[11], 1.01**7 - 1, 60, document={"against": "v1.0"}))
    found = trend(laptime)
    assert 1.01**12 == pytest.approx(found["since_first"]["ratio"])
    assert [("v1.0", hashes[4])] == [(one["tag"], one["commit"]) for one in found["anchors"]]
    assert hashes[8] == found["most"][0]["base"]
    assert "v1.0" in laptime("trend", "test_deliver", "--index").out


def test_the_chain_ends_at_the_revision_and_gates_begin_when_it_is_asked(laptime, merges) -> None:
    """`--rev` and `--since`, as of runs."""
    hashes, _ = merges
    assert hashes[:7] == [one["commit"] for one in trend(laptime, "--rev", "HEAD~6")["index"]]
    since = (START + timedelta(minutes=9)).isoformat()
    assert hashes[9:] == [one["commit"] for one in trend(laptime, "--since", since)["index"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "nobody: no such benchmark in"),
        (
            ("test_broken",),
            "has its wall time at two commits among the first parents of HEAD. Gate each merge: `laptime",
        ),
        (("test_of_runs",), "Gate each merge: `laptime gate HEAD~1 HEAD`"),
        (("test_deliver", "--rev", "HEAD~12"), "among the first parents of HEAD~12, 12 of other commits than"),
        (("test_deliver", "--rev", "nobody"), "--rev nobody: no commit"),
        (("test_deliver", "--metric", "memory"), "--metric memory: gates judge wall and cpu"),
        (
            ("test_deliver", "--since", "2026-11-20T10:00Z"),
            "parents of HEAD, since 2026-11-20 10:00 (UTC). Gate each merge",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_has_no_index_is_said(laptime, merges, words, said) -> None:
    """With the way to one; code 2."""
    _, store = merges
    store.append(run({"bench/test_parcel.py::test_of_runs": 1.0}))
    ran = laptime("trend", "--index", *words)
    assert (2, "") == (ran.code, ran.out)
    assert said in ran.err


def test_outside_a_repository_there_is_no_index(laptime, tmp_path: Path) -> None:
    """There are no commits to go along."""
    store_with(tmp_path, gated("a", "b", 0.01, 0))
    ran = laptime("trend", "test_deliver", "--index")
    assert 2 == ran.code
    assert "an index goes from commit to commit, and this is no git repository" in ran.err


def test_a_shallow_clone_is_told_what_it_lacks(laptime, merges, tmp_path: Path, monkeypatch) -> None:
    """Where nothing can be said, and beside what can be."""
    place = tmp_path / ".benchmarks" / "history.db"
    for depth, code in ((1, 2), (3, 0)):
        git(tmp_path, "clone", "--quiet", f"--depth={depth}", f"file://{tmp_path}", f"clone{depth}")
        monkeypatch.chdir(tmp_path / f"clone{depth}")
        ran = laptime("trend", "test_deliver", "--index", "--history", place)
        assert code == ran.code
        assert "This clone is shallow: `git fetch --unshallow`" in ran.out + ran.err
