"""The history's commands, of gates: they are listed in the place of runs, merged, and never pruned."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from laptime.history import GateResult
from laptime.history.store import Store
from laptime.report import gates as report
from tests.support.histories import Command, Ran, commit, gate, large_gate, of, run, store_with
from tests.support.stores import every_gate


def test_gates_are_listed_in_the_place_of_runs(laptime: Command, tmp_path: Path) -> None:
    """Newest first, in each format; without the option there are runs."""
    store = store_with(tmp_path, gate(), gate(1), run({"a.py::test_slow": 1.0}))
    ran = laptime("history", "--gates")
    assert (0, "") == (ran.code, ran.err)
    assert [gate(1).id[:10], gate().id[:10]] == [row.split()[0] for row in ran.out.splitlines()[1:]]
    assert "ba5e000000 → 4ead000000+  topic   1 missing, 1 regressed  12 min 34 s" in ran.out
    assert laptime("history", "--gates", "--format", "markdown") == Ran(0, report.markdown(store.gates()), "")
    known = store.fingerprints(entry.fingerprint_no for entry in store.gates())
    assert laptime("history", "--gates", "--format", "json") == Ran(0, report.as_json(store.gates(), known), "")
    assert run({"x": 1.0}).id[:10] == laptime("history").out.splitlines()[1].split()[0]


def test_a_list_of_gates_is_filtered(laptime: Command, tmp_path: Path) -> None:
    """By the options that runs have; the branch is head's."""
    recent = gate(2, at=datetime.now(UTC) - timedelta(hours=5), head=commit("aa"), base=commit("ab", branch="topic"))
    gates = [gate(), of(GateResult("b.py::other", None, "new"), number=1, head=commit("aa")), recent]
    store_with(tmp_path, *gates)

    def listed(*words: str) -> list[int]:
        found = json.loads(laptime("history", "--gates", "--format", "json", *words).out)["gates"]
        return [[one.id for one in gates].index(one["id"]) for one in found]

    assert [2, 1, 0] == listed()
    assert [0] == listed("--branch", "topic")
    assert [2] == listed("--since", "1d")
    assert [1] == listed("--bench", "b.py")
    assert [2, 1] == listed("--limit", "2")
    assert [2, 1, 0] == listed("--limit", "0")
    assert [2] == listed("--branch", "main", "--bench", "slow", "--limit", "1")


def test_a_list_of_gates_that_is_cut_or_empty_says_so(laptime: Command, tmp_path: Path) -> None:
    """On standard error; JSON stays JSON."""
    store = store_with(tmp_path)
    place = tmp_path / ".benchmarks/history.db"
    assert Ran(0, "", f"laptime: {place}: no such gates\n") == laptime("history", "--gates")
    assert {"version": 1, "gates": []} == json.loads(laptime("history", "--gates", "--format", "json").out)
    for number in range(22):
        store.append_gate(gate(number))
    ran = laptime("history", "--gates")
    assert (0, 21) == (ran.code, ran.out.count("\n"))
    assert "laptime: 2 older ones are not shown (--limit 0 shows all)\n" == ran.err


def test_gates_are_merged_without_doubling(laptime: Command, tmp_path: Path) -> None:
    """Twice adds nothing; the other is left as it is, byte for byte; what it says of runs is as ever."""
    own = store_with(tmp_path, gate(0), gate(1))
    store_with(tmp_path, gate(0), gate(2), gate(3), run({"a.py::test_slow": 1.0}), name="other.db")
    place, other = tmp_path / ".benchmarks/history.db", tmp_path / "other.db"
    before = other.read_bytes()
    said = f"{place}: 1 run added from {other}, 0 there already\n{place}: 2 gates added from {other}, 1 there already\n"
    assert Ran(0, said, "") == laptime("history", "merge", "other.db")
    assert "0 gates added from" in laptime("history", "merge", "other.db").out
    assert [gate(number) for number in (3, 2, 1, 0)] == every_gate(own)
    assert before == other.read_bytes()


def test_gates_go_from_a_file_to_a_server_and_back(laptime: Command, tmp_path: Path, database: str) -> None:
    """Unchanged."""
    store_with(tmp_path, gate(0), large_gate(), name="one.db")
    assert 0 == laptime("history", "--history", database, "merge", "one.db").code
    assert 0 == laptime("history", "--history", "two.db", "merge", database).code
    assert [large_gate(), gate(0)] == every_gate(Store("two.db", tmp_path))


def test_pruning_leaves_gates_alone(laptime: Command, tmp_path: Path) -> None:
    """However few runs are kept."""
    store = store_with(tmp_path, large_gate(), run({"a.py::test_slow": [0.5] * 50}))
    ran = laptime("history", "prune", "--keep", "0")
    assert (0, True) == (ran.code, "thinned 1 benchmarks in 1 run" in ran.out)
    assert [large_gate()] == every_gate(store)


def test_a_store_that_is_not_there_is_not_made(laptime: Command, tmp_path: Path) -> None:
    """Listing its gates says how one begins."""
    ran = laptime("history", "--gates")
    assert (2, "", []) == (ran.code, ran.out, list(tmp_path.iterdir()))
    assert "there is no history yet" in ran.err
