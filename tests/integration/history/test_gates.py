"""What a store promises of gates: each is stored once and whole, beside the runs, and found, listed and counted."""

from __future__ import annotations

import gc
import itertools
import math
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from laptime.git import Commit
from laptime.history import (
    GATE_METRICS,
    VERDICTS,
    Filter,
    Fingerprint,
    GateEntry,
    GateRatio,
    GateResult,
    HistoryError,
)
from laptime.history.store import Store
from tests.support.histories import (
    BASE,
    BLOCKS,
    FINGERPRINT,
    HEAD,
    SLOWER,
    START,
    commit,
    gate,
    large_gate,
    of,
    of_metrics,
    run,
)
from tests.support.stores import (
    HERE,
    NAMES,
    every_gate,
    opened,
    refused,
)

# Storing and loading


def test_what_was_appended_is_loaded(store_url):
    """A gate comes back equal, in every part and to the last bit."""
    store = opened(store_url)
    assert store.append_gate(gate())
    assert [gate()] == every_gate(store) == every_gate(Store(store_url, HERE))
    assert [math.copysign(1, one) for one in BLOCKS] == [
        math.copysign(1, one) for one in every_gate(store)[0].results[0].blocks
    ]


def test_the_same_gate_twice_adds_nothing(store_url):
    """The id decides: the second one says False, and the first stays as it was."""
    store, other = opened(store_url), replace(gate(), code=0, results=(GateResult("b.py::other", None, "new"),))
    assert [True, False, False] == [store.append_gate(one) for one in (gate(), gate(), other)]
    assert [gate()] == every_gate(store)


def test_results_keep_their_order(sqlite_url):
    """That of the gate, whatever the benchmarks are called."""
    results = [GateResult(name, None, "new") for name in ("b", "c", "a", "B")]
    store = opened(sqlite_url)
    store.append_gate(of(*results))
    assert ["b", "c", "a", "B"] == [one.fullname for one in every_gate(store)[0].results]


def test_every_verdict_is_kept(sqlite_url):
    """By either metric, or of the benchmark as a whole."""
    stored = of(*(GateResult(f"{v} by {m}", m, v) for v in VERDICTS for m in (None, *GATE_METRICS)))
    store = opened(sqlite_url)
    store.append_gate(stored)
    assert [stored] == every_gate(store)
    assert [dict.fromkeys(VERDICTS, 3)] == [entry.counts for entry in store.gates()]


def test_a_gate_may_have_no_blocks_and_no_results(sqlite_url):
    """It was cut short before there were any; and it has no interval of one block."""
    stored = [
        of(number=0, complete=False, code=2, document={}, host={}, fingerprint=Fingerprint()),
        of(
            GateResult("a", "wall", "unresolved"),
            GateResult("b", "wall", "unresolved", 1.0, None, None, (0.0,), 1),
            number=1,
        ),
    ]
    store = opened(sqlite_url)
    assert all(store.append_gate(one) for one in stored)
    assert stored[::-1] == every_gate(store)
    assert [{"unresolved": 2}, {}] == [entry.counts for entry in store.gates()]


def test_a_side_may_be_of_no_commit(sqlite_url):
    """Outside git there is none; and a commit may be on no branch."""
    stored = gate(base=Commit(), head=Commit("f" * 64, None, None, "changed while it ran"))
    store = opened(sqlite_url)
    store.append_gate(stored)
    assert [stored] == every_gate(store)
    assert [(stored.base, stored.head)] == [(entry.base, entry.head) for entry in store.gates()]


def test_times_are_kept_in_utc(sqlite_url):
    """To the microsecond, wherever the clock stood, and by any number of years."""
    moments = [
        datetime(2026, 3, 1, 14, 30, 0, 1, timezone(timedelta(hours=2))),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ]
    store = opened(sqlite_url)
    for number, at in enumerate(moments):
        store.append_gate(gate(number, at=at, base=Commit("a", at)))
    found = {one.id: (one.at, one.base.at) for one in every_gate(store)}
    assert [(at, at) for at in moments] == [found[gate(number).id] for number in range(3)]
    assert {UTC} == {moment.tzinfo for pair in found.values() for moment in pair}


def test_any_name_is_kept(store_url):
    """Whatever pytest makes a node id of is found as it is of a run; branches and notes may hold the same."""
    store = opened(store_url)
    of_runs = [run({name: 1.0}, number=number) for number, name in enumerate(NAMES.values())]
    gates = [
        of(GateResult(name, "wall", "unchanged", note=name), number=number, head=replace(HEAD, branch=name))
        for number, name in enumerate(NAMES.values())
    ]
    assert all(store.append(one) for one in of_runs)
    assert all(store.append_gate(one) for one in gates)
    loaded = every_gate(store)[::-1]
    for one, of_run, name, stored in zip(loaded, of_runs, NAMES.values(), gates, strict=True):
        kept = of_run.results[0].fullname
        assert [(kept, name)] == [(result.fullname, result.note) for result in one.results]
        assert stored.id in [entry.id for entry in store.gates(Filter(benchmark=kept))]
        assert [stored.id] == [entry.id for entry in store.gates(Filter(branch=one.head.branch))]


def test_what_json_holds_is_kept(sqlite_url):
    """In the document: other texts, deep lists, large numbers; what is no JSON becomes text, as in a run."""
    document = {"\udce9": "a\0b", "": [[[{"x": [None, True, 2**70, 1e300, "日本"]}]]], "tuple": (1, 2), "path": HERE}
    store = opened(sqlite_url)
    store.append_gate(gate(document=document))
    expected = {**document, "tuple": [1, 2], "path": f"UNSERIALIZABLE[{HERE!r}]"}
    assert [expected] == [one.document for one in every_gate(store)]


def test_a_gate_may_be_large(sqlite_url):
    """More results than a statement takes parameters, and more blocks than anybody waits for."""
    results = [GateResult(f"test_{number}", "wall", "unchanged", 1.0) for number in range(1000)]
    stored = of(*results, replace(SLOWER, blocks=tuple(map(float, range(50_000))), confirmed=50_000))
    store = opened(sqlite_url)
    store.append_gate(stored)
    assert [stored] == every_gate(store)
    assert [{"regressed": 1, "unchanged": 1000}] == [entry.counts for entry in store.gates()]


def test_gates_may_be_many(sqlite_url, few_at_once):
    """More than are fetched at once; they come in the order that was asked for."""
    store = opened(sqlite_url)
    gates = [gate(number) for number in range(21)]
    for one in gates:
        store.append_gate(one)
    assert gates[::-1] == every_gate(store)
    assert [gates[2], gates[20], gates[0]] == store.load_gates([store.gate_ids()[gates[n].id] for n in (2, 20, 0)])
    assert [one.id for one in gates[::-1]] == [one.id for one in store.each_gate(store.gate_numbers())]
    assert [{"missing": 1, "regressed": 1}] * 21 == [entry.counts for entry in store.gates()]


def test_blocks_are_stored_as_rounds_are(tmp_path):
    """float64, little-endian; fingerprints and hosts once, however many gates have them."""
    path = tmp_path / "history.db"
    store = opened(str(path))
    for number in range(3):
        store.append_gate(gate(number))
    with closing(sqlite3.connect(path)) as connection:
        (packed,) = connection.execute(
            "SELECT blocks FROM laptime_gate_results WHERE gate_no = 1 AND place = 0"
        ).fetchone()
        assert [(2,)] == connection.execute("SELECT count(*) FROM laptime_documents").fetchall()
    assert struct.pack(f"<{len(BLOCKS)}d", *BLOCKS) == packed


def test_a_gate_that_is_not_there_is_said(sqlite_url):
    """Its number may be of another store; of no numbers there are no gates."""
    store = opened(sqlite_url)
    with refused("no gate of the number 12345"):
        store.load_gates([12345])
    assert ([], [], {}) == (store.load_gates([]), store.gates(), store.gate_ids())


# What is refused

NO_RESULTS = {
    "metric memory": ({"metric": "memory"}, "results[1].metric"),
    "metric WALL": ({"metric": "WALL"}, "results[1].metric"),
    "no text as metric": ({"metric": 0}, "results[1].metric"),
    "verdict slower": ({"verdict": "slower"}, "results[1].verdict"),
    "no verdict": ({"verdict": None}, "results[1].verdict"),
    "ratio NaN": ({"ratio": math.nan}, "results[1].ratio"),
    "ratio below 0": ({"ratio": -1.0}, "results[1].ratio"),
    "ratio a text": ({"ratio": "1.0"}, "results[1].ratio"),
    "low inf": ({"low": -math.inf}, "results[1].low"),
    "high inf": ({"high": math.inf}, "results[1].high"),
    "block NaN": ({"blocks": (0.0, math.nan)}, "results[1].blocks[1]"),
    "block inf": ({"blocks": (math.inf, 0.0)}, "results[1].blocks[0]"),
    "block -inf": ({"blocks": (0.0, 0.0, -math.inf)}, "results[1].blocks[2]"),
    "block a truth": ({"blocks": (True, 0.0)}, "results[1].blocks[0]"),
    "block a text": ({"blocks": ("0",), "confirmed": 0}, "results[1].blocks[0]"),
    "block beyond floats": ({"blocks": (0, 10**400)}, "OverflowError"),
    "blocks missing": ({"blocks": None}, "TypeError"),
    "confirmed beyond": ({"confirmed": 7}, "results[1].confirmed"),
    "confirmed below": ({"confirmed": -1}, "results[1].confirmed"),
    "confirmed broken": ({"confirmed": 0.5}, "results[1].confirmed"),
    "no name": ({"fullname": ""}, "results[1].fullname"),
    "name of bytes": ({"fullname": b"a"}, "results[1].fullname"),
    "note of bytes": ({"note": b"a"}, "results[1].note"),
}

NO_GATES = {
    "id of 31 digits": ({"id": "a" * 31}, "id"),
    "id in capitals": ({"id": "A" * 32}, "id"),
    "no id": ({"id": None}, "id"),
    "time without offset": ({"at": START.replace(tzinfo=None)}, "at"),
    "time before all in UTC": ({"at": datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))}, "OverflowError"),
    "time a text": ({"at": "2026-03-01"}, "at"),
    "seconds NaN": ({"seconds": math.nan}, "seconds"),
    "seconds inf": ({"seconds": math.inf}, "seconds"),
    "seconds below 0": ({"seconds": -1.0}, "seconds"),
    "code 3": ({"code": 3}, "code"),
    "code a truth": ({"code": True}, "code"),
    "commit too long": ({"base": replace(BASE, id="a" * 65)}, "base.id"),
    "commit's time without offset": ({"head": replace(HEAD, at=START.replace(tzinfo=None))}, "head.at"),
    "branch no text": ({"head": replace(HEAD, branch=1)}, "head.branch"),
    "changes too long": ({"head": replace(HEAD, changes="a" * 65)}, "head.changes"),
    "no commit": ({"base": None}, "AttributeError"),
    "host not plain": ({"host": {"host": ["here"]}}, "host"),
    "machine not plain": ({"fingerprint": replace(FINGERPRINT, machine={"cpu": {}})}, "fingerprint.machine"),
    "versions no texts": ({"fingerprint": replace(FINGERPRINT, libraries={"x": 1})}, "fingerprint.libraries"),
    "document NaN": ({"document": {"plan": [math.nan]}}, "ValueError"),
    "document inf": ({"document": {"plan": {"power": math.inf}}}, "ValueError"),
    "document no object": ({"document": [1]}, "TypeError"),
}


def test_no_gate_is_refused_before_anything_is_stored(sqlite_url):
    """What is wrong is said, and where; the next gate is stored."""
    store = opened(sqlite_url)
    store.append_gate(gate(99))
    wrong = [(of(SLOWER, replace(SLOWER, **{"fullname": "b", **what})), where) for what, where in NO_RESULTS.values()]
    wrong += [(gate(**what), where) for what, where in NO_GATES.values()]
    for one, where in wrong:
        with pytest.raises(HistoryError) as caught:
            store.append_gate(one)
        assert str(caught.value).startswith((f"{where}: ", f"not as a gate is stored: {where}: "))
    assert [gate(99)] == every_gate(store)
    assert store.append_gate(gate())


def test_a_document_that_holds_itself_is_refused(sqlite_url):
    """It has no end."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    store = opened(sqlite_url)
    # what other tests left must not be collected at the bottom: no finalizer can run there, and pytest counts that
    gc.collect()
    gc.disable()
    try:
        with refused("RecursionError"):
            store.append_gate(gate(document=endless))
    finally:
        gc.enable()


@pytest.mark.parametrize("name", ["a.py::test_slow", "a\0b"])
def test_a_benchmark_has_one_verdict_by_each_metric(tmp_path, name):
    """Nobody knew which of two holds; names that are stored alike are one."""
    first = replace(SLOWER, fullname=name.replace("\0", "\\x00"))
    with refused("more than once", "by wall"):
        opened(str(tmp_path / "history.db")).append_gate(of(first, replace(SLOWER, fullname=name)))


# Lists and filters


def test_a_benchmark_is_counted_under_its_worst_verdict(sqlite_url):
    """Once, whichever metric has it."""
    store = opened(sqlite_url)
    pairs = list(itertools.pairwise(reversed(VERDICTS)))
    for number, (better, worse) in enumerate(pairs):
        written = of_metrics(a=f"{worse} {better}", b=f"{better} {worse}", c=better)
        store.append_gate(replace(written, id=gate(number).id, at=gate(number).at))
    assert [{worse: 2, better: 1} for better, worse in pairs[::-1]] == [entry.counts for entry in store.gates()]


def test_the_worst_verdicts_are_counted_first(store_url):
    """So that whoever reads a line sees them first."""
    order = ["broken", "missing", "regressed", "unresolved", "accepted", "improved", "unchanged", "new"]
    store = opened(store_url)
    store.append_gate(of_metrics(**{f"test_{word}": word for word in reversed(order)}, other="new"))
    assert [(word, 1) for word in order[:-1]] + [("new", 2)] == list(store.gates()[0].counts.items())


@pytest.fixture
def listed(store_url):
    """A store of five gates and a run, appended in no order of time."""
    store = opened(store_url)
    other = GateResult("test_B[x]", None, "new")
    gates = [
        gate(0, head=commit("aa")),
        of(SLOWER, other, number=1, head=commit("ab", branch="topic")),
        gate(2, head=commit("ab", branch=None, changes="c" * 64)),
        gate(3, head=Commit(), base=commit("ac", branch="topic")),
        gate(4, head=commit("aa")),
    ]
    store.append(run({"test_run": 1.0}, commit=commit("aa")))
    for number in (3, 0, 4, 1, 2):
        store.append_gate(gates[number])
    return store, [one.id for one in gates]


FILTERED = [
    (Filter(), [4, 3, 2, 1, 0]),
    (Filter(branch="main"), [4, 0]),
    (Filter(branch="topic"), [1]),  # base's doesn't count
    (Filter(branch="mai"), []),
    (Filter(since=START + timedelta(minutes=2)), [4, 3, 2]),
    (Filter(since=START + timedelta(minutes=2, microseconds=1)), [4, 3]),
    (Filter(benchmark="test_B"), [1]),
    (Filter(benchmark="[x]"), [1]),
    (Filter(benchmark="test_b"), []),
    (Filter(benchmark="test%slow"), []),
    (Filter(benchmark="test_run"), []),  # no gate was of it
    (Filter(benchmark=""), [4, 3, 2, 1, 0]),
    (Filter(commit=commit("ab").id), [2, 1]),
    (Filter(commit=commit("ac").id), []),
    (Filter(commit="ab"), []),
    (Filter(commit_prefix="ab"), [2, 1]),
    (Filter(commit_prefix="a_"), []),
    (Filter(id_prefix=gate(2).id[:12]), [2]),
    (Filter(branch="main", since=START + timedelta(minutes=1)), [4]),
    (Filter(label="one"), []),  # no gate has one
]


def test_a_filter_leaves_what_it_says(listed):
    """Every condition has to hold of head; upper case is not lower case, and nothing is a wildcard."""
    store, ids = listed
    expected = [(which, [ids[number] for number in numbers]) for which, numbers in FILTERED]
    assert expected == [(which, [entry.id for entry in store.gates(which)]) for which, _ in FILTERED]
    by_number = {number: one for one, number in store.gate_ids().items()}
    assert expected == [(which, [by_number[number] for number in store.gate_numbers(which)]) for which, _ in FILTERED]


def test_anything_can_be_asked_for(listed):
    """What the terminal hands over need not be text: there is just nothing of that name."""
    store, _ = listed
    for name in ("\udce9", "a\0b", "'", "\\", "x" * 20_000):
        for part in ("label", "branch", "benchmark", "commit", "id_prefix", "commit_prefix"):
            which = Filter(**{part: name})
            assert ([], []) == (store.gates(which), store.gate_numbers(which))


def test_a_list_may_be_cut(listed):
    """`limit` and `skip` count from the newest."""
    store, ids = listed
    assert ids[:1:-1] == [entry.id for entry in store.gates(limit=3)]
    assert [ids[2]] == [entry.id for entry in store.gates(limit=1, skip=2)]
    assert [ids[1], ids[0]] == [entry.id for entry in store.gates(skip=3)]
    assert ([], []) == (store.gates(limit=0), store.gates(limit=1, skip=5))


def test_of_two_gates_of_one_moment_the_one_stored_last_is_first(sqlite_url):
    """So that the order never changes."""
    store = opened(sqlite_url)
    first, second = (gate(number, at=START) for number in (1, 2))
    store.append_gate(first)
    store.append_gate(second)
    assert [second.id, first.id] == [entry.id for entry in store.gates()]


def test_an_entry_tells_of_its_gate(sqlite_url):
    """Without loading its blocks."""
    store = opened(sqlite_url)
    store.append_gate(gate(code=2, complete=False))
    (entry,) = store.gates()
    assert store.gate_ids() == {gate().id: entry.no}
    assert {entry.fingerprint_no: FINGERPRINT} == store.fingerprints([entry.fingerprint_no])
    counts = {"missing": 1, "regressed": 1}
    assert entry == GateEntry(entry.no, gate().id, START, 754.25, BASE, HEAD, entry.fingerprint_no, 2, False, counts)


# Beside runs


def test_runs_and_gates_are_apart(sqlite_url):
    """A gate is no run, and no run a gate, though both have one id, one fingerprint and one benchmark."""
    store, of_run = opened(sqlite_url), run({"a.py::test_slow": 1.0}, commit=HEAD)
    assert [True, True] == [store.append(of_run), store.append_gate(gate(id=of_run.id))]
    assert [of_run] == store.load(store.numbers())
    assert [gate(id=of_run.id)] == every_gate(store)
    assert store.entries()[0].fingerprint_no == store.gates()[0].fingerprint_no
    assert [of_run.id] == [entry.id for entry in store.entries(Filter(benchmark="slow"))]


def test_benchmarks_that_only_gates_know_have_no_series(sqlite_url):
    """They are not among the names of runs, so no other has to be written out because of them."""
    store = opened(sqlite_url)
    store.append_gate(gate())
    store.append(run({"a.py::test_slow": 1.0}))
    assert (["a.py::test_slow"], []) == (store.names(), store.names("gone"))
    assert ["a.py::test_slow"] == list(store.every_series())


def test_thinning_leaves_gates_alone(sqlite_url):
    """Their blocks are few."""
    store = opened(sqlite_url)
    store.append(run({"a.py::test_slow": [0.5] * 50}))
    store.append_gate(large_gate())
    assert 1 == store.thin([*store.numbers(), *store.gate_numbers()])
    store.shrink()
    assert [large_gate()] == every_gate(store)


def test_what_every_gate_said_of_a_benchmark_is_told(sqlite_url):
    """By each metric, the oldest gate first; of no other benchmark; the parts as they were stored."""
    store = opened(sqlite_url)
    gates = [gate(2, document={"against": "v1"}), gate(1)]
    for stored in gates:
        store.append_gate(stored)
    ratios = store.gate_ratios(SLOWER.fullname)
    assert [(gates[1].id, "wall"), (gates[1].id, "cpu"), (gates[0].id, "wall"), (gates[0].id, "cpu")] == [
        (ratio.gate_id, ratio.metric) for ratio in ratios
    ]
    expected = GateRatio(
        gates[0].id, gates[0].at, BASE, HEAD, {"against": "v1"}, "wall", "regressed", SLOWER.blocks, SLOWER.confirmed
    )
    assert expected == ratios[2]
    (missing,) = (ratio for ratio in store.gate_ratios("a.py::test_gone") if ratio.gate_id == gates[0].id)
    assert (None, "missing", ()) == (missing.metric, missing.verdict, missing.blocks)
    assert [] == store.gate_ratios("test_slow")


def test_benchmarks_that_only_gates_know_have_names(store_url):
    """As those of runs have, and apart from them; no name is asked of the database that it does not take."""
    store = opened(store_url)
    store.append(run({"run.py::test": 1.0}))
    store.append_gate(gate())
    assert [[], ["a.py::test_gone", "a.py::test_slow"]] == [store.gate_names("run.py"), store.gate_names()]
    assert ["a.py::test_gone"] == store.gate_names("gone")
    assert ["run.py::test"] == store.names()
    for name in NAMES.values():
        assert ([], []) == (store.gate_names(f"{name}?"), store.gate_ratios(name))
