"""What a store promises of gates: each is stored once, whole or not at all, beside the runs, and listed and merged."""

from __future__ import annotations

import gc
import hashlib
import itertools
import json
import math
import signal
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from rich.cells import cell_len
from sqlalchemy import text

from laptime import cli
from laptime.git import Commit
from laptime.history import (
    GATE_METRICS,
    VERDICTS,
    Filter,
    Fingerprint,
    Gate,
    GateEntry,
    GateResult,
    HistoryError,
)
from laptime.history import _engine as engine_module
from laptime.history.store import Store
from laptime.report import gates as report
from tests.support.histories import FINGERPRINT, MACHINE, PYTHON, START, commit, run
from tests.support.stores import HERE, NAMES, ROOT, at_statement, database_of, ended, in_processes, opened, refused

processes = partial(in_processes, "test_history_gates")
BASE, HEAD = commit("ba5e", 0), commit("4ead", 5, branch="topic", changes="d" * 64)
BLOCKS = (0.25, -0.5, 5e-324, 1e300, 0.1 + 0.2, -0.0)
SLOWER = GateResult("a.py::test_slow", "wall", "regressed", 1.25, 1.125, 1.5, BLOCKS, 2, "confirmed")
RESULTS = (
    SLOWER,
    GateResult("a.py::test_slow", "cpu", "unchanged", 1.0, 0.875, 1.125, (0.0, 0.125)),
    GateResult("a.py::test_gone", None, "missing", note="it is not in head"),
)


def gate(number: int = 0, **what: Any) -> Gate:
    """A gate: `number` makes its id and its time."""
    parts = {
        "id": hashlib.sha256(f"gate {number}".encode()).hexdigest()[:32],
        "at": START + timedelta(minutes=number),
        "seconds": 754.25,
        "base": BASE,
        "head": HEAD,
        "fingerprint": FINGERPRINT,
        "host": {"host": "here", "kernel": "6.1"},
        "code": 1,
        "complete": True,
        "document": {"settings": {"budget_s": 600, "metrics": ["wall", "cpu"]}, "plan": [], "void": [None, 0.5]},
        "results": RESULTS,
    }
    return Gate(**{**parts, **what})


def of(*results: GateResult, number: int = 0, **what: Any) -> Gate:
    """A gate with these results."""
    return gate(number, results=results, **what)


def everything(store: Store) -> list[Gate]:
    """Every gate, the newest first."""
    return store.load_gates(store.gate_numbers())


def large(number: int = 7) -> Gate:
    """A gate that takes a while to store."""
    blocks = tuple(0.001 * place for place in range(40))
    results = [GateResult(f"test_{n}", m, "unchanged", 1.0, 0.5, 2.0, blocks) for n in range(40) for m in GATE_METRICS]
    return of(*results, number=number)


# Storing and loading


def test_what_was_appended_is_loaded(store_url):
    """A gate comes back equal, in every part and to the last bit."""
    store = opened(store_url)
    assert store.append_gate(gate())
    assert [gate()] == everything(store)
    assert [math.copysign(1, one) for one in BLOCKS] == [
        math.copysign(1, one) for one in everything(store)[0].results[0].blocks
    ]


def test_another_process_sees_the_same(store_url):
    """Nothing of a gate stays in the object that stored it."""
    opened(store_url).append_gate(large())
    assert [large()] == everything(Store(store_url, HERE))


def test_the_same_gate_twice_adds_nothing(store_url):
    """The id decides: the second one says False, and the first stays as it was."""
    store, other = opened(store_url), replace(gate(), code=0, results=(GateResult("b.py::other", None, "new"),))
    assert [True, False, False] == [store.append_gate(one) for one in (gate(), gate(), other)]
    assert [gate()] == everything(store)


def test_results_keep_their_order(store_url):
    """That of the gate, whatever the benchmarks are called."""
    results = [GateResult(name, None, "new") for name in ("b", "c", "a", "B")]
    store = opened(store_url)
    store.append_gate(of(*results))
    assert ["b", "c", "a", "B"] == [one.fullname for one in everything(store)[0].results]


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("metric", [None, *GATE_METRICS])
def test_every_verdict_is_kept(tmp_path, verdict, metric):
    """By either metric, or of the benchmark as a whole."""
    stored = of(GateResult("a", metric, verdict))
    store = opened(str(tmp_path / "history.db"))
    store.append_gate(stored)
    assert [stored] == everything(store)
    assert [{verdict: 1}] == [entry.counts for entry in store.gates()]


def test_a_gate_may_have_no_blocks_and_no_results(store_url):
    """It was cut short before there were any; and it has no interval of one block."""
    stored = [
        of(number=0, complete=False, code=2, document={}, host={}, fingerprint=Fingerprint()),
        of(
            GateResult("a", "wall", "unresolved"),
            GateResult("b", "wall", "unresolved", 1.0, None, None, (0.0,), 1),
            number=1,
        ),
    ]
    store = opened(store_url)
    assert all(store.append_gate(one) for one in stored)
    assert stored[::-1] == everything(store)
    assert [{"unresolved": 2}, {}] == [entry.counts for entry in store.gates()]


def test_a_side_may_be_of_no_commit(store_url):
    """Outside git there is none; and a commit may be on no branch."""
    stored = gate(base=Commit(), head=Commit("f" * 64, None, None, "changed while it ran"))
    store = opened(store_url)
    store.append_gate(stored)
    assert [stored] == everything(store)
    assert [(stored.base, stored.head)] == [(entry.base, entry.head) for entry in store.gates()]


def test_times_are_kept_in_utc(store_url):
    """To the microsecond, wherever the clock stood, and by any number of years."""
    moments = [
        datetime(2026, 3, 1, 14, 30, 0, 1, timezone(timedelta(hours=2))),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ]
    store = opened(store_url)
    for number, at in enumerate(moments):
        store.append_gate(gate(number, at=at, base=Commit("a", at)))
    found = {one.id: (one.at, one.base.at) for one in everything(store)}
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
    loaded = everything(store)[::-1]
    for one, of_run, name, stored in zip(loaded, of_runs, NAMES.values(), gates, strict=True):
        kept = of_run.results[0].fullname
        assert [(kept, name)] == [(result.fullname, result.note) for result in one.results]
        assert stored.id in [entry.id for entry in store.gates(Filter(benchmark=kept))]
        assert [stored.id] == [entry.id for entry in store.gates(Filter(branch=one.head.branch))]


def test_what_json_holds_is_kept(store_url):
    """In the document: other texts, deep lists, large numbers; what is no JSON becomes text, as in a run."""
    document = {"\udce9": "a\0b", "": [[[{"x": [None, True, 2**70, 1e300, "日本"]}]]], "tuple": (1, 2), "path": HERE}
    store = opened(store_url)
    store.append_gate(gate(document=document))
    expected = {**document, "tuple": [1, 2], "path": f"UNSERIALIZABLE[{HERE!r}]"}
    assert [expected] == [one.document for one in everything(store)]


def test_a_gate_may_be_large(store_url):
    """More results than a statement takes parameters, and more blocks than anybody waits for."""
    results = [GateResult(f"test_{number}", "wall", "unchanged", 1.0) for number in range(3000)]
    stored = of(*results, replace(SLOWER, blocks=tuple(map(float, range(50_000))), confirmed=50_000))
    store = opened(store_url)
    store.append_gate(stored)
    assert [stored] == everything(store)
    assert [{"regressed": 1, "unchanged": 3000}] == [entry.counts for entry in store.gates()]


def test_gates_may_be_many(tmp_path):
    """More than are fetched at once; they come in the order that was asked for."""
    store = opened(str(tmp_path / "history.db"))
    gates = [gate(number) for number in range(201)]
    for one in gates:
        store.append_gate(one)
    assert gates[::-1] == everything(store)
    assert [gates[2], gates[200], gates[0]] == store.load_gates([store.gate_ids()[gates[n].id] for n in (2, 200, 0)])
    assert [one.id for one in gates[::-1]] == [one.id for one in store.each_gate(store.gate_numbers())]
    assert [{"missing": 1, "regressed": 1}] * 201 == [entry.counts for entry in store.gates()]


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


def test_a_gate_that_is_not_there_is_said(store_url):
    """Its number may be of another store; of no numbers there are no gates."""
    store = opened(store_url)
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


@pytest.fixture
def two_stores(tmp_path, request):
    """A store of each kind, with one gate in it."""
    stores = [opened(str(tmp_path / "history.db")), opened(request.getfixturevalue("database"))]
    for store in stores:
        store.append_gate(gate(99))
    return stores


def test_no_gate_is_refused_before_anything_is_stored(two_stores):
    """What is wrong is said, and where; the next gate is stored."""
    wrong = [(of(SLOWER, replace(SLOWER, **{"fullname": "b", **what})), where) for what, where in NO_RESULTS.values()]
    wrong += [(gate(**what), where) for what, where in NO_GATES.values()]
    for store in two_stores:
        for one, where in wrong:
            with pytest.raises(HistoryError) as caught:
                store.append_gate(one)
            assert str(caught.value).startswith((f"{where}: ", f"not as a gate is stored: {where}: "))
        assert [gate(99)] == everything(store)
        assert store.append_gate(gate())


def test_a_document_that_holds_itself_is_refused(store_url):
    """It has no end."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    store = opened(store_url)
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


def of_metrics(**verdicts: str) -> Gate:
    """A gate with these verdicts: name -> by wall time and by CPU time, or as a whole."""
    results = []
    for name, several in verdicts.items():
        words = several.split()
        metrics = [None] if len(words) == 1 else GATE_METRICS
        results += [GateResult(name, metric, word) for metric, word in zip(metrics, words, strict=True)]
    return of(*results)


@pytest.mark.parametrize(("better", "worse"), list(itertools.pairwise(reversed(VERDICTS))))
def test_a_benchmark_is_counted_under_its_worst_verdict(tmp_path, better, worse):
    """Once, whichever metric has it."""
    store = opened(str(tmp_path / "history.db"))
    store.append_gate(of_metrics(a=f"{worse} {better}", b=f"{better} {worse}", c=better))
    assert [{worse: 2, better: 1}] == [entry.counts for entry in store.gates()]


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


def test_of_two_gates_of_one_moment_the_one_stored_last_is_first(store_url):
    """So that the order never changes."""
    store = opened(store_url)
    first, second = (gate(number, at=START) for number in (1, 2))
    store.append_gate(first)
    store.append_gate(second)
    assert [second.id, first.id] == [entry.id for entry in store.gates()]


def test_an_entry_tells_of_its_gate(store_url):
    """Without loading its blocks."""
    store = opened(store_url)
    store.append_gate(gate(code=2, complete=False))
    (entry,) = store.gates()
    assert store.gate_ids() == {gate().id: entry.no}
    assert {entry.fingerprint_no: FINGERPRINT} == store.fingerprints([entry.fingerprint_no])
    counts = {"missing": 1, "regressed": 1}
    assert entry == GateEntry(entry.no, gate().id, START, 754.25, BASE, HEAD, entry.fingerprint_no, 2, False, counts)


# Beside runs


def test_runs_and_gates_are_apart(store_url):
    """A gate is no run, and no run a gate, though both have one id, one fingerprint and one benchmark."""
    store, of_run = opened(store_url), run({"a.py::test_slow": 1.0}, commit=HEAD)
    assert [True, True] == [store.append(of_run), store.append_gate(gate(id=of_run.id))]
    assert [of_run] == store.load(store.numbers())
    assert [gate(id=of_run.id)] == everything(store)
    assert store.entries()[0].fingerprint_no == store.gates()[0].fingerprint_no
    assert [of_run.id] == [entry.id for entry in store.entries(Filter(benchmark="slow"))]


def test_benchmarks_that_only_gates_know_have_no_series(store_url):
    """They are not among the names of runs, so no other has to be written out because of them."""
    store = opened(store_url)
    store.append_gate(gate())
    store.append(run({"a.py::test_slow": 1.0}))
    assert (["a.py::test_slow"], []) == (store.names(), store.names("gone"))
    assert ["a.py::test_slow"] == list(store.every_series())


def test_thinning_leaves_gates_alone(store_url):
    """Their blocks are few."""
    store = opened(store_url)
    store.append(run({"a.py::test_slow": [0.5] * 50}))
    store.append_gate(large())
    assert 1 == store.thin([*store.numbers(), *store.gate_numbers()])
    store.shrink()
    assert [large()] == everything(store)


# Many at once


def append_twenty(number: str, url: str) -> int:
    """Append twenty gates of one's own, with a benchmark of everybody's and some of their own; how many were new."""
    store, mine = Store(url, HERE), int(number)
    return sum(
        store.append_gate(
            of(
                SLOWER,
                *(GateResult(f"test_{(n * (mine + 1)) % 13}", "wall", "unchanged") for n in range(12)),
                number=1000 * mine + turn,
                host={"host": f"host {turn}"},
            )
        )
        for turn in range(20)
    )


def test_eight_processes_append_at_once(store_url):
    """None of their gates is lost or doubled, though they need the same names and documents in other orders."""
    opened(store_url)
    assert [20] * 8 == processes("append_twenty", 8, store_url)
    store = Store(store_url, HERE)
    assert {gate(1000 * n + m).id for n in range(8) for m in range(20)} == store.gate_ids().keys()
    assert [13] * 160 == [len(one.results) for one in everything(store)]


def append_both(number: str, url: str) -> list[bool]:
    """Make the store, or find it made, and append runs and gates that share benchmarks."""
    store, mine = opened(url), int(number)
    return [
        store.append_gate(large(100 * mine + turn))
        if (mine + turn) % 2
        else store.append(run({f"test_{n}": 1.0 for n in range(40)}, number=100 * mine + turn))
        for turn in range(4)
    ]


def test_eight_processes_append_runs_and_gates_at_once(store_url):
    """They wait for each other, and never for ever."""
    assert [[True] * 4] * 8 == processes("append_both", 8, store_url)
    store = Store(store_url, HERE)
    assert (16, 16) == (len(store.numbers()), len(everything(store)))


def append_the_same(number: str, url: str) -> bool:
    """Append a gate that others append too."""
    return Store(url, HERE).append_gate(large())


def test_eight_processes_append_the_same_gate(store_url):
    """It is stored once, and one of them is told so."""
    opened(store_url)
    assert [False] * 7 + [True] == sorted(processes("append_the_same", 8, store_url))
    assert [large()] == everything(Store(store_url, HERE))


def killed_before_each_statement(number: str, url: str) -> list[list[Any]]:
    """Kill appends before their first, second, … statement; how each ended, and the gates that there were then."""
    told = []
    for statement in itertools.count():
        code = ended(at_statement(statement, signal.SIGKILL, lambda: Store(url, HERE).append_gate(large())))
        loaded = everything(Store(url, HERE))
        told.append([code, len(loaded), gate() in loaded, large() in loaded])
        if not code:
            return told
    return told


def test_an_append_that_is_killed_never_was(store_url):
    """Before whichever of its statements: the earlier gate is there, and the next append works."""
    opened(store_url).append_gate(gate())
    ((*killed, last),) = processes("killed_before_each_statement", 1, store_url)
    assert len(killed) > 8
    assert [[-signal.SIGKILL, 1, True, False]] * len(killed) == killed
    assert [0, 2, True, True] == last


# What can't be used


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE laptime_gates SET document = x'00'",
        "UPDATE laptime_gates SET at_us = 9223372036854775807",
        "UPDATE laptime_gates SET at_us = 'yesterday'",
        "UPDATE laptime_gates SET seconds = 'long'",
        "UPDATE laptime_gates SET code = 'x'",
        "UPDATE laptime_gates SET head_commit_at_us = -9223372036854775807",
        "UPDATE laptime_gates SET fingerprint_no = 9999",
        "UPDATE laptime_gates SET fingerprint_no = host_no",
        "UPDATE laptime_gates SET host_no = 9999",
        "UPDATE laptime_gates SET head_branch = CAST(x'ff' AS TEXT)",
        "UPDATE laptime_gate_results SET blocks = x'0102'",
        "UPDATE laptime_gate_results SET blocks = 'text'",
        "UPDATE laptime_gate_results SET note = x'00'",
        "UPDATE laptime_gate_results SET verdict = 9",
        "UPDATE laptime_gate_results SET verdict = -1",
        "UPDATE laptime_gate_results SET metric = 2",
        "UPDATE laptime_gate_results SET metric = -1",
        "UPDATE laptime_gate_results SET ratio = 'x'",
        "UPDATE laptime_gate_results SET confirmed = 'x'",
        "DELETE FROM laptime_documents",
        "DROP TABLE laptime_gate_results",
        "DROP TABLE laptime_gates",
        "ALTER TABLE laptime_gates DROP COLUMN seconds",
    ],
)
def test_what_cannot_be_read_is_said_to_be_corrupt(tmp_path, damage):
    """A document, a number, a table: the store is named, and what can be done; it stays as it is."""
    path = tmp_path / "history.db"
    opened(str(path)).append_gate(gate())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    before = path.read_bytes()
    store = Store(str(path), HERE)
    with refused(f"{path}: ", "corrupt", "left as it is"):
        store.fingerprints(entry.fingerprint_no for entry in store.gates(Filter(benchmark="slow")))
        everything(store)
    assert before == path.read_bytes()


def test_a_store_that_may_only_be_read_is_read(tmp_path, monkeypatch):
    """Storing a gate is refused, and says why."""
    path = tmp_path / "history.db"
    opened(str(path)).append_gate(gate())
    connect = sqlite3.connect

    def reader(*words, **settings):
        connection = connect(*words, **settings)
        connection.execute("PRAGMA query_only=ON")
        return connection

    monkeypatch.setattr(sqlite3, "connect", reader)
    store = Store(str(path), HERE)
    assert [gate()] == everything(store)
    with refused(f"{path}: can't be written: it is read-only"):
        store.append_gate(gate(1))


def test_a_server_s_table_that_is_locked_is_said_to_be(database, monkeypatch):
    """One waits for it no longer than for a file."""
    import psycopg

    store = opened(database)
    monkeypatch.setattr(engine_module, "PATIENCE_S", 1)
    with psycopg.connect(database.replace("+psycopg", "")) as holder:
        holder.execute("SET idle_in_transaction_session_timeout = '5s'")
        holder.execute("LOCK TABLE laptime_gates IN ACCESS EXCLUSIVE MODE")
        with refused(store.name, "lock"):
            store.append_gate(gate())
        holder.rollback()
    assert store.append_gate(gate())


def test_a_server_that_takes_no_more_is_said(database, postgres):
    """In the middle of an append: nothing of the gate is there, and the next append works."""
    store, name = opened(database), database_of(database)
    postgres.execute("ALTER TABLE laptime_gate_results ADD CONSTRAINT full_up CHECK (place < 1)", name)
    with refused(f"{store.name}: ", "full_up"):
        store.append_gate(gate())
    assert [] == everything(store)
    postgres.execute("ALTER TABLE laptime_gate_results DROP CONSTRAINT full_up", name)
    assert store.append_gate(gate())


# Upgrades


@pytest.mark.parametrize("version", [1, 2])
def test_an_upgraded_store_takes_gates(tmp_path, version):
    """A file that an older laptime wrote; its runs are in the list as before."""
    path = tmp_path / "history.db"
    path.write_bytes((ROOT / "tests" / "stores" / f"v{version}.db").read_bytes())
    store = Store(str(path), HERE)
    assert ([], version + 1) == (store.gates(), len(store.entries()))
    assert store.append_gate(gate())
    assert [gate()] == everything(Store(str(path), HERE))


def test_upgraded_tables_take_gates(database):
    """A server's, of version 2."""
    store = opened(database)
    with engine_module.writing(store._engine, store.name) as connection:
        connection.execute(text("DROP TABLE laptime_gate_results, laptime_gates"))
        connection.execute(text("UPDATE laptime_schema SET version = 2"))
    upgraded = Store(database, HERE)
    assert upgraded.append_gate(gate())
    assert [gate()] == everything(upgraded)


WORDS_OF_3 = ("broken", "missing", "regressed", "unresolved", "improved", "unchanged", "new")
"""The verdicts of version 3, the worst first: their places were their numbers."""


def test_the_store_of_version_3_says_what_it_said(tmp_path):
    """The verdicts are numbered anew, as "accepted" came among them; the order of their weight is kept."""
    path = tmp_path / "history.db"
    path.write_bytes((ROOT / "tests" / "stores" / "v3.db").read_bytes())
    store = Store(str(path), HERE)
    mixed, each = everything(store)
    assert [f"a.py::test_{word}" for word in WORDS_OF_3] == [one.fullname for one in each.results]
    assert list(WORDS_OF_3) == [one.verdict for one in each.results]
    assert ["unchanged", "unresolved", "missing"] == [one.verdict for one in mixed.results]
    assert [{"missing": 1, "unresolved": 1}, dict.fromkeys(WORDS_OF_3, 1)] == [one.counts for one in store.gates()]


def test_the_tables_of_version_3_say_what_they_said(database):
    """A server's; a benchmark is counted under the worst of its verdicts, as it was."""
    store = opened(database)
    store.append_gate(of_metrics(**{f"test_{word}": word for word in WORDS_OF_3}, test_both="improved unresolved"))
    with engine_module.writing(store._engine, store.name) as connection:
        connection.execute(text("UPDATE laptime_gate_results SET verdict = verdict - 1 WHERE verdict > 4"))
        connection.execute(text("UPDATE laptime_schema SET version = 3"))
    upgraded = Store(database, HERE)
    assert [*WORDS_OF_3, "improved", "unresolved"] == [one.verdict for one in everything(upgraded)[0].results]
    assert dict.fromkeys(WORDS_OF_3, 1) | {"unresolved": 2} == upgraded.gates()[0].counts


# As they are listed


def entry(**what: Any) -> GateEntry:
    """A gate in a list."""
    made = GateEntry(
        1, gate().id, START, 754.25, BASE, HEAD, 7, 1, True, {"missing": 1, "regressed": 2, "unchanged": 30}
    )
    return replace(made, **what)


def test_a_gate_is_a_line():
    """When, base and head (a plus where there were changes), the verdicts, how long, and the exit code."""
    heading, line = report.terminal([entry()], width=200, color=False).splitlines()
    assert "gate when (UTC) base → head branch verdicts took exit code" == " ".join(heading.split())
    shown = "2026-03-01 12:00 ba5e000000 → 4ead000000+ topic 1 missing, 2 regressed, 30 unchanged 12 min 34 s 1"
    assert f"{gate().id[:10]} {shown}" == " ".join(line.split())


def test_what_there_is_not_is_said():
    """A commit, a branch, a verdict; and that a gate was cut short."""
    one = entry(base=Commit(), head=Commit(changes="x"), counts={}, complete=False, code=2)
    line = report.markdown([one]).splitlines()[2]
    assert f"| {gate().id[:10]} | 2026-03-01 12:00 | – → –+ | – | nothing, cut short | 12 min 34 s | 2 |" == line


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.25, "250 ms"),
        (59.4, "59.4 s"),
        (59.6, "1 min 00 s"),
        (754.25, "12 min 34 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (5070.0, "1 h 24 min"),
    ],
)
def test_how_long_a_gate_took_is_said_as_people_say_it(seconds, said):
    """Never 60 seconds or 60 minutes."""
    assert said == report.took(seconds)


def test_hostile_branches_stay_in_their_cells():
    """No markup, no escape sequence and no table is made of a name."""
    names = ["[red]x[/red]", "a|b", "<script>", "\x1b[31mx", "a\nb", "\u202ex", "*x*", "`x`"]
    entries = [entry(head=replace(HEAD, branch=name)) for name in names]
    text = report.terminal(entries, width=1000, color=False)
    assert len(names) + 1 == len(text.splitlines())
    assert "[red]x[/red]" in text
    assert not {"\x1b", "\u202e"} & set(text)
    lines = report.markdown(entries).splitlines()
    assert {8} == {line.replace("\\|", "").count("|") for line in lines}
    assert "<script>" not in "".join(lines)


@pytest.mark.parametrize("width", [20, 60, 80, 120])
def test_a_list_keeps_to_its_width(width):
    """Where there is room for a word at all."""
    lines = report.terminal([entry(), entry(complete=False)], width=width, color=False).splitlines()
    assert max(map(cell_len, lines)) <= width


def test_json_has_what_a_line_has_and_more():
    """Whole hashes, seconds, and what it ran on."""
    found = json.loads(report.as_json([entry()], {7: FINGERPRINT}))
    at = START.isoformat()
    base = {"commit": BASE.id, "commit_at": at, "branch": "main", "dirty": False}
    head = {
        "commit": HEAD.id,
        "commit_at": (START + timedelta(minutes=5)).isoformat(),
        "branch": "topic",
        "dirty": True,
    }
    assert found == {
        "version": 1,
        "gates": [
            {
                "id": gate().id,
                "at": at,
                "seconds": 754.25,
                "complete": True,
                "exit_code": 1,
                "base": base,
                "head": head,
                "benchmarks": {"missing": 1, "regressed": 2, "unchanged": 30},
                "machine": MACHINE,
                "interpreter": PYTHON,
            }
        ],
    }


# The commands


@pytest.fixture
def laptime(tmp_path, monkeypatch, capsys):
    """Run a command in this process, in a directory of its own: its code, what it printed, and its errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> tuple[int, str, str]:
        try:
            code = cli.main(words)
        except SystemExit as error:
            code = int(str(error.code))
        return code, *capsys.readouterr()

    return command


def store_with(place: str, directory, *gates: Gate) -> Store:
    """A store with these gates."""
    store = Store(place, directory, create=True)
    for one in gates:
        store.append_gate(one)
    return store


def test_gates_are_listed_in_the_place_of_runs(laptime, tmp_path):
    """Newest first, in each format; without the option there are runs."""
    store = store_with(".benchmarks/history.db", tmp_path, gate(), gate(1))
    store.append(run({"a.py::test_slow": 1.0}))
    code, table, errors = laptime("history", "--gates")
    assert (0, "", [gate(1).id[:10], gate().id[:10]]) == (
        code,
        errors,
        [row.split()[0] for row in table.splitlines()[1:]],
    )
    assert "ba5e000000 → 4ead000000+  topic   1 missing, 1 regressed  12 min 34 s" in table
    assert laptime("history", "--gates", "--format", "markdown") == (0, report.markdown(store.gates()), "")
    known = store.fingerprints(one.fingerprint_no for one in store.gates())
    assert laptime("history", "--gates", "--format", "json") == (0, report.as_json(store.gates(), known), "")
    assert run({"x": 1.0}).id[:10] == laptime("history")[1].splitlines()[1].split()[0]


def test_a_list_of_gates_is_filtered(laptime, tmp_path):
    """By the options that runs have; the branch is head's."""
    recent = gate(2, at=datetime.now(UTC) - timedelta(hours=5), head=commit("aa"), base=commit("ab", branch="topic"))
    gates = [gate(), of(GateResult("b.py::other", None, "new"), number=1, head=commit("aa")), recent]
    store_with(".benchmarks/history.db", tmp_path, *gates)

    def listed(*words: str) -> list[int]:
        found = json.loads(laptime("history", "--gates", "--format", "json", *words)[1])["gates"]
        return [[one.id for one in gates].index(one["id"]) for one in found]

    assert [2, 1, 0] == listed()
    assert [0] == listed("--branch", "topic")
    assert [2] == listed("--since", "1d")
    assert [1] == listed("--bench", "b.py")
    assert [2, 1] == listed("--limit", "2")
    assert [2, 1, 0] == listed("--limit", "0")
    assert [2] == listed("--branch", "main", "--bench", "slow", "--limit", "1")


def test_a_list_of_gates_that_is_cut_or_empty_says_so(laptime, tmp_path):
    """On standard error; JSON stays JSON."""
    place = str(tmp_path / ".benchmarks/history.db")
    store = store_with(place, tmp_path)
    assert (0, "", f"laptime: {place}: no such gates\n") == laptime("history", "--gates")
    assert {"version": 1, "gates": []} == json.loads(laptime("history", "--gates", "--format", "json")[1])
    for number in range(22):
        store.append_gate(gate(number))
    code, table, errors = laptime("history", "--gates")
    assert (0, 21, "laptime: 2 older ones are not shown (--limit 0 shows all)\n") == (code, table.count("\n"), errors)


def test_gates_are_merged_without_doubling(laptime, tmp_path):
    """Twice adds nothing; the other is left as it is, byte for byte; what it says of runs is as ever."""
    own = store_with(".benchmarks/history.db", tmp_path, gate(0), gate(1))
    theirs = store_with("other.db", tmp_path, gate(0), gate(2), gate(3))
    theirs.append(run({"a.py::test_slow": 1.0}))
    before, place, other = (
        (tmp_path / "other.db").read_bytes(),
        tmp_path / ".benchmarks/history.db",
        tmp_path / "other.db",
    )
    said = f"{place}: 1 run added from {other}, 0 there already\n{place}: 2 gates added from {other}, 1 there already\n"
    assert (0, said, "") == laptime("history", "merge", "other.db")
    assert "0 gates added from" in laptime("history", "merge", "other.db")[1]
    assert [gate(number) for number in (3, 2, 1, 0)] == everything(own)
    assert before == other.read_bytes()


def test_a_store_without_gates_brings_none(laptime, tmp_path):
    """And nothing is said of any."""
    store_with("other.db", tmp_path).append(run({"a.py::test_slow": 1.0}))
    code, said, _ = laptime("history", "merge", "other.db")
    assert (0, f"{tmp_path}/.benchmarks/history.db: 1 run added from {tmp_path}/other.db, 0 there already\n") == (
        code,
        said,
    )


def test_gates_go_from_a_file_to_a_server_and_back(laptime, tmp_path, database):
    """Unchanged."""
    store_with("one.db", tmp_path, gate(0), large())
    assert 0 == laptime("history", "--history", database, "merge", "one.db")[0]
    assert 0 == laptime("history", "--history", "two.db", "merge", database)[0]
    assert [large(), gate(0)] == everything(Store("two.db", tmp_path))


def test_pruning_leaves_gates_alone(laptime, tmp_path):
    """However few runs are kept."""
    store = store_with(".benchmarks/history.db", tmp_path, large())
    store.append(run({"a.py::test_slow": [0.5] * 50}))
    code, said, _ = laptime("history", "prune", "--keep", "0")
    assert (0, True) == (code, "thinned 1 benchmarks in 1 run" in said)
    assert [large()] == everything(store)


def test_a_store_that_is_not_there_is_not_made(laptime, tmp_path):
    """Listing its gates says how one begins."""
    code, said, errors = laptime("history", "--gates")
    assert (2, "", []) == (code, said, list(tmp_path.iterdir()))
    assert "there is no history yet" in errors
