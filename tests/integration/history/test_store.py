"""What a store promises: a run is stored once, whole or not at all; what can't be used is said and left as it is."""

from __future__ import annotations

import itertools
import json
import os
import pwd
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import event, text

from benchmarks.budgets.postgres import PASSWORD
from laptime.history import FAILED, SKIPPED, Filter, HistoryError, Result, Run, from_json, to_json
from laptime.history import _engine as engine_module
from laptime.history.store import Store
from tests.support.histories import FINGERPRINT, START, benchmark, commit, document, run
from tests.support.stores import (
    FORKED,
    HERE,
    NAMES,
    ROOT,
    at_statement,
    database_of,
    ended,
    in_processes,
    opened,
    refused,
)

OLDER = {version: ROOT / "tests" / "stores" / f"v{version}.db" for version in (1, 2, 3)}
"""Stores as those versions wrote them."""
HELD = {1: (2, 10), 2: (3, 10), 3: (1, 2)}
"""How many runs and results are in them."""
processes = partial(in_processes, __name__)


# What helps


def big(number: int = 7, benchmarks: int = 40) -> Run:
    """A run that takes a while to store."""
    values = random.Random(number)
    return run({f"test_{n}": [values.random() for _ in range(80)] for n in range(benchmarks)}, number=number)


def everything(store: Store) -> list[Run]:
    """Every run, the newest first."""
    return store.load(store.numbers())


def as_it_was(path: Path) -> dict[str, bytes]:
    """What a folder holds."""
    return {one.name: one.read_bytes() for one in path.iterdir() if one.is_file()}


# Storing and loading


def test_what_was_appended_is_loaded(store_url):
    """A run comes back equal, in every part."""
    stored = run(
        {"test_a": [0.1, 0.2, 0.3], "test_b[1]": 0.5},
        number=3,
        commit=commit("abc", 5, branch="topic", changes="d" * 64),
        failed={"test_c": "ValueError: no"},
        label="before",
        complete=False,
    )
    store = opened(store_url)
    assert store.append(stored)
    assert [stored] == everything(store)


def test_another_process_sees_the_same(store_url):
    """Nothing of a run stays in the object that stored it."""
    opened(store_url).append(big())
    assert [big()] == everything(Store(store_url, HERE))


def test_the_same_run_twice_adds_nothing(store_url):
    """The id decides: the second one says False, and the first stays as it was."""
    store, first = opened(store_url), run({"test_a": 1.0}, label="first")
    assert [True, False, False] == [
        store.append(first),
        store.append(first),
        store.append(replace(run({"test_b": 2.0}), label="second")),
    ]
    assert [first] == everything(store)
    assert ["test_a"] == store.names()


def test_any_name_is_kept(store_url):
    """Whatever pytest makes a node id of: it is found by its name, by a part of it, and no other is."""
    store = opened(store_url)
    runs = [run({name: 0.25 + number}, number=number) for number, name in enumerate(NAMES.values())]
    assert all(store.append(one) for one in runs)
    assert runs[::-1] == everything(store)
    for number, one in enumerate(runs):
        (kept,) = (result.fullname for result in one.results)
        assert [0.25 + number] == [point.wall for point in store.series(kept)]
        assert kept in store.names(kept)
        assert one.id in [entry.id for entry in store.entries(Filter(benchmark=kept))]


def test_labels_and_branches_may_be_called_anything(store_url):
    """Both come from people and from git, which take nearly every byte; each is found again."""
    runs = [
        run({"test_a": 1.0}, number=number, label=name, commit=commit("abc", branch=name))
        for number, name in enumerate(NAMES.values())
    ]
    store = opened(store_url)
    assert all(store.append(one) for one in runs)
    assert runs[::-1] == everything(store)
    for one in runs:
        assert [one.id] == [entry.id for entry in store.entries(Filter(label=one.label))]
        assert [one.id] == [entry.id for entry in store.entries(Filter(branch=one.commit.branch))]


def test_anything_can_be_asked_for(store_url):
    """What the terminal hands over need not be text: there is just nothing of that name."""
    store = opened(store_url)
    store.append(run({"test_a": 1.0}))
    for name in ("\udce9", "a\0b", "'", "%", "\\", "x" * 20_000):
        assert ([], []) == (store.series(name), store.names(name))
        for part in ("label", "branch", "benchmark", "commit", "id_prefix", "commit_prefix"):
            which = Filter(**{part: name})
            assert ([], []) == (store.entries(which), store.numbers(which))


def test_a_run_may_hold_nothing_but_failures(store_url):
    """That nothing worked is history too."""
    stored = run({}, failed={"test_a": "no", "test_b": "neither"})
    store = opened(store_url)
    store.append(stored)
    assert [stored] == everything(store)
    assert [(0, 2)] == [(entry.timed, entry.failed) for entry in store.entries()]
    assert [] == store.series("test_a")
    assert {} == store.every_series()


def test_what_was_skipped_says_why_or_not(store_url):
    """A note may be missing, and may be of any length."""
    notes = {"a": None, "b": "", "c": "why\n" * 10_000, "d": "NUL \0 and \udce9"}
    stored = replace(run({"test_z": 1.0}), results=tuple(Result(name, SKIPPED, note) for name, note in notes.items()))
    store = opened(store_url)
    store.append(stored)
    assert [stored] == everything(store)


def test_results_without_rounds_have_their_statistics(store_url):
    """`--benchmark-save` without its data keeps the median only."""
    one = benchmark("test_a", [0.1, 0.2, 0.4])
    del one["stats"]["data"]
    stored = from_json(document([one]))
    store = opened(store_url)
    store.append(stored)
    (loaded,) = everything(store)
    assert stored == loaded
    assert {} == loaded.results[0].rounds
    assert {"wall": 0.2} == loaded.results[0].values


def test_figures_are_kept_to_the_last_bit(store_url):
    """No database rounds them."""
    figures = [0.0, 5e-324, 1e-9, 0.1 + 0.2, 2.0**53 + 2, 1e300]
    stored = run({"test_all": figures, **{f"test_{figure!r}": [figure] for figure in figures}})
    store = opened(store_url)
    store.append(stored)
    (loaded,) = everything(store)
    assert [one.rounds for one in stored.results] == [one.rounds for one in loaded.results]
    assert figures == [store.series(f"test_{figure!r}")[0].wall for figure in figures]


def test_a_run_may_be_large(store_url):
    """More benchmarks than a statement takes parameters."""
    stored = run({f"test_{number}": [0.5] for number in range(3000)})
    store = opened(store_url)
    store.append(stored)
    assert [stored] == everything(store)


def test_runs_may_be_many(tmp_path):
    """More runs than are fetched at once; they come in the order that was asked for."""
    store = opened(str(tmp_path / "history.db"))
    runs = [run({"test_a": 1.0}, number=number) for number in range(201)]
    for one in runs:
        store.append(one)
    assert runs[::-1] == everything(store)
    assert [runs[2], runs[200], runs[0]] == store.load([store.ids()[runs[number].id] for number in (2, 200, 0)])
    assert [one.id for one in runs[::-1]] == [one.id for one in store.each(store.numbers())]
    assert 201 == len(store.entries())


def test_the_earliest_and_the_latest_time_are_kept(store_url):
    """A clock may be wrong by any number of years."""
    store = opened(store_url)
    made = [
        from_json({**document([benchmark("test_a", [1.0])], number=number), "datetime": moment})
        for number, moment in enumerate(("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"))
    ]
    for one in made:
        store.append(one)
    assert made[::-1] == everything(store)


def test_a_run_that_is_not_there_is_said(store_url):
    """Its number may be of another store."""
    with refused("12345"):
        opened(store_url).load([12345])


def test_no_runs_are_loaded_of_no_numbers(store_url):
    """Nothing is asked for, and nothing given."""
    store = opened(store_url)
    assert ([], [], {}, {}) == (store.load([]), store.entries(), store.fingerprints([]), store.inputs([]))


# Lists and filters


@pytest.fixture
def listed(store_url):
    """A store of five runs, appended in no order of time."""
    store = opened(store_url)
    runs = [
        run({"test_a": 1.0}, number=0, commit=commit("aa", 0)),
        run({"test_a": 2.0, "test_B[x]": 1.0}, number=1, commit=commit("ab", 1, branch="topic"), label="one"),
        run({"test_a": 3.0}, number=2, commit=commit("ab", 1, branch=None, changes="c" * 64), failed={"test_f": "no"}),
        run({"test_a": 4.0}, number=3),
        run({"test_a": 5.0}, number=4, commit=commit("aa", 0), label="one"),
    ]
    for number in (3, 0, 4, 1, 2):
        store.append(runs[number])
    return store, [one.id for one in runs]


def test_the_newest_run_is_first(listed):
    """The time of the run decides, not that of its storing."""
    store, ids = listed
    assert ids[::-1] == [entry.id for entry in store.entries()]
    assert [store.ids()[one] for one in ids[::-1]] == store.numbers()


def test_of_two_runs_of_one_moment_the_one_stored_last_is_first(store_url):
    """So that the order never changes."""
    store = opened(store_url)
    first, second = (replace(run({"test_a": 1.0}, number=number), at=START) for number in (1, 2))
    store.append(first)
    store.append(second)
    assert [second.id, first.id] == [entry.id for entry in store.entries()]


FILTERED = [
    (Filter(), [4, 3, 2, 1, 0]),
    (Filter(branch="main"), [4, 0]),
    (Filter(branch="topic"), [1]),
    (Filter(branch="mai"), []),
    (Filter(since=START + timedelta(minutes=2)), [4, 3, 2]),
    (Filter(since=START + timedelta(minutes=2, microseconds=1)), [4, 3]),
    (Filter(benchmark="test_B"), [1]),
    (Filter(benchmark="[x]"), [1]),
    (Filter(benchmark="test_f"), [2]),
    (Filter(benchmark="test_b"), []),
    (Filter(benchmark="test%a"), []),
    (Filter(benchmark="test.a"), []),
    (Filter(label="one"), [4, 1]),
    (Filter(label="ONE"), []),
    (Filter(label="on_"), []),
    (Filter(commit=commit("ab").id), [2, 1]),
    (Filter(commit="ab"), []),
    (Filter(commit_prefix="ab"), [2, 1]),
    (Filter(commit_prefix="a"), [4, 2, 1, 0]),
    (Filter(commit_prefix="a_"), []),
    (Filter(commit_prefix="AB"), []),
    (Filter(branch="main", label="one"), [4]),
    (Filter(benchmark=""), [4, 3, 2, 1, 0]),
]


def test_a_filter_leaves_what_it_says(listed):
    """Every condition has to hold; upper case is not lower case, and nothing is a wildcard."""
    store, ids = listed
    expected = [(which, [ids[number] for number in numbers]) for which, numbers in FILTERED]
    assert expected == [(which, [entry.id for entry in store.entries(which)]) for which, _ in FILTERED]
    by_number = {number: one for one, number in store.ids().items()}
    assert expected == [(which, [by_number[number] for number in store.numbers(which)]) for which, _ in FILTERED]


def test_a_run_is_found_by_the_beginning_of_its_id(listed):
    """As many digits as somebody likes to write."""
    store, ids = listed
    assert [ids[2]] == [entry.id for entry in store.entries(Filter(id_prefix=ids[2][:12]))]


def test_a_list_may_be_cut(listed):
    """`limit` and `skip` count from the newest."""
    store, ids = listed
    assert ids[:1:-1] == [entry.id for entry in store.entries(limit=3)]
    assert [ids[2]] == [entry.id for entry in store.entries(limit=1, skip=2)]
    assert [] == store.entries(limit=1, skip=5)
    assert [ids[1], ids[0]] == [entry.id for entry in store.entries(skip=3)]
    assert [] == store.entries(limit=0)


def test_an_entry_tells_of_its_run(listed):
    """Without loading its rounds."""
    store, ids = listed
    (entry,) = store.entries(Filter(id_prefix=ids[2]))
    assert (ids[2], START + timedelta(minutes=2), None, True) == (entry.id, entry.at, entry.label, entry.complete)
    assert commit("ab", 1, branch=None, changes="c" * 64) == entry.commit
    assert (1, 1) == (entry.timed, entry.failed)
    assert {entry.fingerprint_no: FINGERPRINT} == store.fingerprints([entry.fingerprint_no])


def test_names_are_sorted(listed):
    """All of them, or those that contain a text."""
    store, _ = listed
    assert ["test_B[x]", "test_a", "test_f"] == store.names()
    assert ["test_a"] == store.names("_a")
    assert [] == store.names("%")


def test_a_series_is_one_benchmark_from_the_oldest_run_on(listed):
    """With what tells whether two points can be compared."""
    store, ids = listed
    points = store.series("test_a")
    assert [1.0, 2.0, 3.0, 4.0, 5.0] == [point.wall for point in points]
    assert [store.ids()[one] for one in ids] == [point.run_no for point in points]
    assert [False, False, True, False, False] == [point.dirty for point in points]
    assert [commit("aa").id, None] == [points[0].commit_id, points[3].commit_id]
    assert {"timer": "perf_counter", "disable_gc": False} == store.inputs([points[0].inputs_no])[points[0].inputs_no]
    assert {"test_a": points, "test_B[x]": store.series("test_B[x]")} == store.every_series()
    assert [] == store.series("test_f")
    assert [] == store.series("missing")


def test_equal_documents_are_stored_once(store_url):
    """A machine tells the same in each of its runs."""
    store = opened(store_url)
    for number in range(5):
        store.append(run({f"test_{n}": 1.0 for n in range(4)}, number=number))
    assert 1 == len({entry.fingerprint_no for entry in store.entries()})
    assert 1 == len({point.inputs_no for points in store.every_series().values() for point in points})


# Thinning


@pytest.fixture
def thinned(store_url):
    """A store with one run, thinned, and the run as it was."""
    rounds = [value / 1000 for value in range(101)]
    random.Random(1).shuffle(rounds)
    many = benchmark("test_many", rounds)
    many["extra_info"] = {"rounds": {"cpu_s": [2 * one for one in rounds], "wall_s": rounds}}
    made = [many, benchmark("test_few", [0.1, 0.2])]
    store, stored = opened(store_url), from_json(document(made, failed={"test_f": "no"}))
    store.append(stored)
    assert 1 == store.thin(store.numbers())
    return store, stored


def test_thinning_keeps_figures_and_quantiles(thinned):
    """0, 5, 25, 50, 75, 95 and 100 per cent of the rounds; the run's figures are those of all."""
    store, stored = thinned
    (loaded,) = everything(store)
    few, many = (next(one for one in loaded.results if one.fullname == name) for name in ("test_few", "test_many"))
    before = next(one for one in stored.results if one.fullname == "test_many")
    assert before.values == many.values == {"wall": 0.05, "cpu": 0.1}
    assert (0.0, 0.005, 0.025, 0.05, 0.075, 0.095, 0.1) == many.rounds["wall"]
    assert tuple(2 * one for one in many.rounds["wall"]) == many.rounds["cpu"]
    assert many.thinned
    assert (False, {"wall": (0.1, 0.2)}) == (few.thinned, few.rounds)
    assert [0.05] == [point.wall for point in store.series("test_many")]


def test_thinning_twice_changes_nothing(thinned):
    """Quantiles of quantiles would be others."""
    store, _ = thinned
    before = everything(store)
    assert 0 == store.thin(store.numbers())
    assert before == everything(store)


def test_a_thinned_run_is_exported_with_statistics_and_without_data(thinned):
    """Quantiles would be taken for rounds; what had few rounds still has them."""
    store, stored = thinned
    exported = {one["fullname"]: one for one in to_json(everything(store)[0])["benchmarks"]}
    original = {one["fullname"]: one for one in to_json(stored)["benchmarks"]}
    many, whole = exported["test_many"], original["test_many"]
    assert {**whole["stats"], "data": None} == {**many["stats"], "data": None}
    assert "data" not in many["stats"]
    assert set() == {"cpu_s", "wall_s"} & many["extra_info"]["rounds"].keys()
    assert original["test_few"] == exported["test_few"]


def test_a_thinned_export_has_the_same_figures(thinned):
    """A store that is moved by export and import says the same."""
    store, stored = thinned
    again = from_json(json.loads(json.dumps(to_json(everything(store)[0]))))
    assert [one.values for one in stored.results] == [one.values for one in again.results]


def test_thinning_a_run_that_is_not_there_thins_nothing(store_url):
    """Another may have been quicker."""
    assert 0 == opened(store_url).thin([12345])


def test_shrinking_gives_space_back(tmp_path):
    """Of a file; its runs stay."""
    path = tmp_path / "history.db"
    store = opened(str(path))
    for number in range(10):
        store.append(replace(big(number, 20)))
    before = path.stat().st_size
    store.thin(store.numbers())
    kept = everything(store)
    store.shrink()
    assert path.stat().st_size < before
    assert kept == everything(store)


def test_shrinking_a_server_is_nothing(store_url):
    """Both kinds take the word."""
    store = opened(store_url)
    store.append(big())
    store.shrink()
    assert [big()] == everything(store)


# Many at once


def append_fifty(number: str, url: str) -> int:
    """Append fifty runs of one's own; how many were new."""
    store = Store(url, HERE)
    return sum(store.append(run({f"test_{n}": 1.0}, number=1000 * int(number) + n)) for n in range(50))


def test_eight_processes_append_at_once(store_url):
    """None of their runs is lost or doubled."""
    opened(store_url)
    assert [50] * 8 == processes("append_fifty", 8, store_url)
    store = Store(store_url, HERE)
    expected = {run({"x": 1.0}, number=1000 * n + m).id for n in range(8) for m in range(50)}
    assert expected == store.ids().keys()
    assert 400 == len(store.numbers()) == len(everything(store))
    assert [8] * 50 == [len(points) for points in store.every_series().values()]


def open_and_append(number: str, url: str) -> bool:
    """Make the store, or find it made, and append a run of one's own."""
    return opened(url).append(run({"test_a": 1.0, f"test_{number}": 1.0}, number=int(number)))


def test_eight_processes_make_the_store_at_once(store_url):
    """One makes it; to the others it is there."""
    assert [True] * 8 == processes("open_and_append", 8, store_url)
    assert 8 == len(everything(Store(store_url, HERE)))


def append_the_same(number: str, url: str) -> bool:
    """Append a run that others append too."""
    return Store(url, HERE).append(big())


def test_eight_processes_append_the_same_run(store_url):
    """It is stored once, and one of them is told so."""
    opened(store_url)
    assert [False] * 7 + [True] == sorted(processes("append_the_same", 8, store_url))
    assert [big()] == everything(Store(store_url, HERE))


# Ends without warning


def killed_before_each_statement(number: str, url: str) -> list[list[Any]]:
    """Kill appends before their first, second, … statement; how each ended, and the runs that there were then."""
    told = []
    for statement in itertools.count():
        code = ended(at_statement(statement, signal.SIGKILL, lambda: Store(url, HERE).append(big())))
        loaded = everything(Store(url, HERE))
        told.append([code, len(loaded), run({"test_a": 1.0}) in loaded, big() in loaded])
        if not code:
            return told
    return told


def test_an_append_that_is_killed_never_was(store_url):
    """Before whichever of its statements: the earlier run is there, and the next append works."""
    opened(store_url).append(run({"test_a": 1.0}))
    ((*killed, last),) = processes("killed_before_each_statement", 1, store_url)
    assert len(killed) > 10
    assert [[-signal.SIGKILL, 1, True, False]] * len(killed) == killed
    assert [0, 2, True, True] == last


def killed_at_any_moment(number: str, url: str) -> list[list[Any]]:
    """Kill appends after longer and longer; whether there are all runs that should be, and whole, each time."""
    began = time.perf_counter()
    Store(url, HERE).append(big(0))
    lasted = time.perf_counter() - began
    told = []
    for turn in range(1, 11):
        child = os.fork()
        if not child:
            with suppress(BaseException):
                Store(url, HERE).append(big(turn))
                os._exit(0)
            os._exit(1)
        time.sleep(lasted * 1.3 * turn / 10)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        code = ended(child)
        store = Store(url, HERE)
        there = store.ids().keys() >= {big(turn).id}
        whole = store.load(store.numbers()[:1]) == [big(turn if there else turn - 1)]
        told.append([code in (0, -signal.SIGKILL), there or bool(code), whole, there or store.append(big(turn))])
    return told


def test_a_kill_at_any_moment_leaves_a_run_whole_or_absent(store_url):
    """What was stored before it stays readable, and the run can be appended again."""
    opened(store_url)
    (told,) = processes("killed_at_any_moment", 1, store_url)
    assert [[True] * 4] * 10 == told
    assert [big(turn) for turn in range(10, -1, -1)] == everything(Store(store_url, HERE))


def killed_with_pages_written(number: str, path: str) -> list[Any]:
    """Kill an append that had to write to the file before its end, as one that is larger than the cache does."""
    connect = sqlite3.connect

    def small_cache(*words: Any, **settings: Any) -> sqlite3.Connection:
        connection = connect(*words, **settings)
        connection.execute("PRAGMA cache_size=2")
        return connection

    before = Path(path).read_bytes()
    statement = 0
    while Path(path).read_bytes() == before:
        sqlite3.connect = small_cache
        child = at_statement(statement, signal.SIGKILL, lambda: Store(path, HERE).append(big(benchmarks=500)))
        sqlite3.connect = connect
        if not ended(child):
            return ["was never killed in time"]
        statement += 1
    return [Path(f"{path}-journal").exists(), len(everything(Store(path, HERE))), Path(path).read_bytes() == before]


def test_a_half_written_file_is_put_right_by_the_next_reader(tmp_path):
    """The journal of who was killed holds what there was."""
    path = str(tmp_path / "history.db")
    opened(path).append(run({"test_a": 1.0}))
    assert [[True, 1, True]] == processes("killed_with_pages_written", 1, path)


def killed_while_made(number: str, url: str) -> list[int]:
    """Kill those who make a store; how many were, until one was not."""
    statement = itertools.count()
    while ended(at_statement(next(statement), signal.SIGKILL, lambda: opened(url))):
        pass
    return [next(statement) - 1]


def test_a_store_that_was_half_made_is_made(store_url):
    """Whoever made it was killed."""
    ((killed,),) = processes("killed_while_made", 1, store_url)
    assert killed > 5
    assert opened(store_url).append(big())


def stopped_in_the_middle(number: str, path: str) -> list[Any]:
    """What others can do while a writer stands still, and after it was killed."""
    engine_module.PATIENCE_S = 0.05
    told: list[Any] = []
    statement = 6  # of those that write
    child = at_statement(statement, signal.SIGSTOP, lambda: Store(path, HERE).append(big()))
    _, status = os.waitpid(child, os.WUNTRACED)
    told.append(os.WIFSTOPPED(status))
    store = Store(path, HERE)
    told.append(len(everything(store)))
    try:
        store.append(run({"test_b": 1.0}, number=2))
    except HistoryError as error:
        told.append(str(error))
    os.kill(child, signal.SIGKILL)
    ended(child)
    return [*told, store.append(run({"test_b": 1.0}, number=2)), len(everything(store))]


def test_while_a_writer_stands_still_others_read(tmp_path):
    """They don't write, and say after a while that it is locked; once it is gone they write."""
    path = str(tmp_path / "history.db")
    opened(path).append(run({"test_a": 1.0}))
    ((stopped, readable, said, appended, then),) = processes("stopped_in_the_middle", 1, path)
    assert (True, 1, True, 2) == (stopped, readable, appended, then)
    assert said.startswith(f"{path}: was locked by another process")
    assert "try again" in said


# What is no store


@pytest.fixture
def stored(tmp_path):
    """A file with a store of a few runs."""
    path = tmp_path / "stored" / "history.db"
    store = opened(str(path))
    for number in range(3):
        store.append(big(number, 8))
    return path


def use(path: Path | str, *, create: bool) -> None:
    """Do with a store all that can be done."""
    store = Store(str(path), HERE, create=create)
    entries = store.entries()
    store.entries(Filter(benchmark="a"))
    store.fingerprints(entry.fingerprint_no for entry in entries)
    for points in store.every_series().values():
        store.inputs({point.inputs_no for point in points})
    for one in store.names():
        store.series(one)
    for loaded in store.each(store.numbers()):
        to_json(loaded)


def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path):
    """How one is begun is said."""
    path = tmp_path / "folder" / "history.db"
    with refused(str(path), "pytest --benchmark-only"):
        use(path, create=False)
    assert [] == list(tmp_path.iterdir())


def test_a_database_without_a_store_is_not_made_one_by_reading(database, postgres):
    """How one is begun is said."""
    with refused("pytest --benchmark-only", database_of(database)):
        Store(database, HERE)
    assert [] == postgres.execute("SELECT * FROM pg_tables WHERE tablename LIKE 'laptime%'", database_of(database))


def test_folders_are_made(tmp_path):
    """With the store."""
    path = tmp_path / "a" / "b" / "history.db"
    assert opened(str(path)).append(big())
    assert [big()] == everything(Store(str(path), HERE))


@pytest.mark.parametrize(
    "name", ["with space", "100%", "what?", "a#b", "a&mode=ro", "ü", "\udce9", "'", ":memory:", "a%20b", "x.db?mode=ro"]
)
def test_a_file_may_be_called_anything(tmp_path, name):
    """It is this file that is made, and no other."""
    assert opened(str(tmp_path / name / name)).append(big())
    assert [name] == [one.name for one in (tmp_path / name).iterdir()]
    assert [big()] == everything(Store(name, tmp_path / name))


def test_two_slashes_are_one(tmp_path):
    """A path may begin with two."""
    assert opened(f"/{tmp_path}/history.db").append(big())
    assert [big()] == everything(Store(str(tmp_path / "history.db"), HERE))


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_in_its_place_is_refused(tmp_path, create):
    """And stays."""
    path = tmp_path / "history.db"
    path.mkdir()
    with refused(f"{path}: "):
        use(path, create=create)
    assert [path] == list(tmp_path.iterdir())
    assert [] == list(path.iterdir())


@pytest.mark.parametrize("create", [True, False])
def test_a_file_in_the_place_of_its_folder_is_refused(tmp_path, create):
    """And stays."""
    (tmp_path / "file").write_text("mine")
    path = tmp_path / "file" / "history.db"
    with refused(f"{path}: "):
        use(path, create=create)
    assert {"file": b"mine"} == as_it_was(tmp_path)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("name", ["x" * 300, "/".join(["x" * 200] * 30), f"{'x' * 300}/history.db"])
def test_a_name_that_is_too_long_is_refused(tmp_path, name, create):
    """The system takes none of more than 255 bytes."""
    with refused(f"{tmp_path}/x"):
        use(tmp_path / name, create=create)


@pytest.mark.parametrize("create", [True, False])
def test_a_loop_of_links_is_refused(tmp_path, create):
    """It leads nowhere."""
    path = tmp_path / "history.db"
    path.symlink_to(path)
    with refused(f"{path}: "):
        use(path, create=create)
    assert path.is_symlink()


def test_an_empty_file_is_no_history_yet(tmp_path):
    """As whoever was killed at once leaves behind: reading leaves it so, and a session makes a store of it."""
    path = tmp_path / "history.db"
    path.touch()
    with refused(str(path), "pytest --benchmark-only"):
        use(path, create=False)
    assert {"history.db": b""} == as_it_was(tmp_path)
    assert opened(str(path)).append(big())


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    "content",
    [b"my letters\n", b"\0" * 5000, b"SQLite format 3\0", b"x" * 100_000, b'{"benchmarks": []}'],
)
def test_a_file_of_something_else_is_refused_and_left(tmp_path, content, create):
    """Somebody may need it."""
    path = tmp_path / "history.db"
    path.write_bytes(content)
    with refused(f"{path}: ", "left as it is"):
        use(path, create=create)
    assert {"history.db": content} == as_it_was(tmp_path)


@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_another_program_is_refused_and_left(tmp_path, create):
    """Its tables are named, so that it is known for what it is."""
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = as_it_was(tmp_path)
    with refused(f"{path}: ", "bookmarks", "left as it is", "name another"):
        use(path, create=create)
    assert before == as_it_was(tmp_path)


@pytest.mark.parametrize("kept", [15, 16, 99, 100, 512, 1024, 4095, 4096, 4097, 8192, 20_000, -8192, -4096])
@pytest.mark.parametrize("create", [True, False])
def test_a_truncated_store_is_refused_and_left(stored, kept, create):
    """As a full disk or a broken copy leaves it."""
    content = stored.read_bytes()[:kept]
    stored.write_bytes(content)
    with refused(f"{stored}: ", "left as it is"):
        use(stored, create=create)
    assert {"history.db": content} == as_it_was(stored.parent)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_store_is_refused_or_read(stored, seed):
    """Whatever bytes are changed: an error names the store, reading changes nothing, and nothing else goes wrong."""
    values, content = random.Random(seed), stored.read_bytes()
    for _ in range(25):
        damaged = bytearray(content)
        for _ in range(values.choice((1, 1, 3, 50))):
            place = values.choice((values.randrange(len(content)), values.randrange(4096)))
            damaged[place] = values.choice((damaged[place] ^ 1 << values.randrange(8), 0, 255, values.randrange(256)))
        stored.write_bytes(damaged)
        said = f"{stored}: "
        try:
            use(stored, create=False)
        except HistoryError as error:
            said = str(error)
        assert said.startswith(f"{stored}: ")
        if not Path(f"{stored}-journal").exists():
            assert damaged == stored.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE laptime_runs SET document = x'00'",
        "UPDATE laptime_runs SET document = x''",
        "UPDATE laptime_runs SET document = substr(document, 1, 20)",
        "UPDATE laptime_rounds SET wall = x'0102'",
        "UPDATE laptime_rounds SET wall = 'text'",
        "UPDATE laptime_rounds SET document = x'789c030000000001'",
        "UPDATE laptime_results SET outcome = 9",
        "UPDATE laptime_results SET outcome = 1",
        "UPDATE laptime_results SET outcome = 'x'",
        "UPDATE laptime_results SET inputs_no = 9999",
        "UPDATE laptime_runs SET at_us = 9223372036854775807",
        "UPDATE laptime_runs SET at_us = 'yesterday'",
        "UPDATE laptime_runs SET commit_at_us = -9223372036854775807",
        "UPDATE laptime_runs SET fingerprint_no = 9999",
        "UPDATE laptime_runs SET fingerprint_no = machine_info_no",
        "UPDATE laptime_runs SET machine_info_no = 9999",
        "UPDATE laptime_runs SET label = CAST(x'ff' AS TEXT)",
        "UPDATE laptime_documents SET content = x'789c8b5600000118005b'",
        "DELETE FROM laptime_documents",
        "DROP TABLE laptime_rounds",
        "ALTER TABLE laptime_runs DROP COLUMN label",
    ],
)
def test_what_cannot_be_read_is_said_to_be_corrupt(stored, damage):
    """A document, a number, a table: the store is named, and what can be done."""
    with closing(sqlite3.connect(stored)) as connection, connection:
        connection.execute(damage)
    with refused(f"{stored}: ", "corrupt", "left as it is"):
        use(stored, create=False)


@pytest.mark.parametrize("version", [5, 2**31 - 1])
def test_a_store_of_a_newer_version_is_refused_and_left(store_url, version):
    """An older laptime would not know what it does."""
    store = opened(store_url)
    with engine_module.writing(store._engine, store.name) as connection:
        connection.execute(text(f"UPDATE laptime_schema SET version = {version}"))
    for create in (True, False):
        with refused(store.name, f"version {version}", "upgrade laptime"):
            Store(store_url, HERE, create=create)
    with engine_module.reading(store._engine, store.name) as connection:
        assert version == connection.execute(text("SELECT version FROM laptime_schema")).scalar_one()


@pytest.mark.parametrize("version", [0, -1])
def test_a_store_of_a_version_that_never_was_is_refused(store_url, version):
    """It is none of laptime's."""
    store = opened(store_url)
    with engine_module.writing(store._engine, store.name) as connection:
        connection.execute(text(f"UPDATE laptime_schema SET version = {version}"))
    with refused(store.name, str(version)):
        Store(store_url, HERE, create=True)


@pytest.mark.parametrize("version", ["'two'", "NULL", "2.5", "x'02'"])
def test_a_version_that_is_no_number_is_refused(tmp_path, version):
    """SQLite keeps anything in any column."""
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE laptime_schema (version)")
        connection.execute(f"INSERT INTO laptime_schema VALUES ({version})")
    before = as_it_was(tmp_path)
    with refused(f"{path}: ", "corrupt"):
        use(path, create=True)
    assert before == as_it_was(tmp_path)


@pytest.mark.parametrize("statement", ["INSERT INTO laptime_schema VALUES (2)", "DELETE FROM laptime_schema"])
def test_a_store_has_one_version(store_url, statement):
    """Of two rows, or none, nobody knows which holds."""
    store = opened(store_url)
    with engine_module.writing(store._engine, store.name) as connection:
        connection.execute(text(statement))
    for create in (True, False):
        with refused(store.name, "corrupt", "laptime_schema", "rows"):
            Store(store_url, HERE, create=create)


# What can't be used now


@pytest.fixture
def impatient(monkeypatch):
    """Nobody waits long."""
    monkeypatch.setattr(engine_module, "PATIENCE_S", 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_locked_is_said_to_be(stored):
    """By another process, which may take long."""
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN EXCLUSIVE'); print(flush=True)"
    child = subprocess.Popen(
        (sys.executable, "-c", f"{program}; sys.stdin.read()", stored), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        child.stdout.readline()
        for create in (True, False):
            with refused(f"{stored}: ", "locked", "try again"):
                use(stored, create=create)
        child.stdin.close()
    use(stored, create=False)


def test_a_server_s_table_that_is_locked_is_said_to_be(database, monkeypatch):
    """One waits for it no longer than for a file."""
    import psycopg

    store = opened(database)
    monkeypatch.setattr(engine_module, "PATIENCE_S", 1)
    with psycopg.connect(database.replace("+psycopg", "")) as holder:
        holder.execute("SET idle_in_transaction_session_timeout = '5s'")  # lest a writer that is patient waits for ever
        holder.execute("LOCK TABLE laptime_runs IN ACCESS EXCLUSIVE MODE")
        with refused(store.name, "lock"):
            store.append(big())
        holder.rollback()
    assert store.append(big())


@pytest.fixture
def public():
    """A folder that every user may enter: pytest's own are for one."""
    with tempfile.TemporaryDirectory(prefix="laptime-store-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def without_rights(number: str, path: str) -> list[Any]:
    """Read and write as somebody who may only read."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(pwd.getpwnam("nobody").pw_gid)
        os.setuid(pwd.getpwnam("nobody").pw_uid)
    told: list[Any] = []
    for work in (
        lambda: len(everything(Store(path, HERE))),
        lambda: opened(path).append(big(9, 3)),
    ):
        try:
            told.append(work())
        except HistoryError as error:
            told.append(str(error))
    return told


@pytest.mark.parametrize("folder", [0o755, 0o555])
def test_a_store_that_may_only_be_read_is_read(public, folder):
    """Writing is refused, and says why."""
    path = public / "history.db"
    opened(str(path)).append(big())
    path.chmod(0o444)
    public.chmod(folder)
    before = as_it_was(public)
    ((count, said),) = processes("without_rights", 1, str(path))
    assert 1 == count
    assert f"{path}: can't be written: it is read-only" in said
    assert before == as_it_was(public)


def test_in_a_folder_that_may_only_be_read_none_is_made(public):
    """Nor is a folder within it."""
    public.chmod(0o555)
    for path in (public / "history.db", public / "deeper" / "history.db"):
        ((_, said),) = processes("without_rights", 1, str(path))
        assert said.startswith(f"{path}: can't be ")
    assert [] == list(public.iterdir())


def test_a_store_in_a_folder_that_may_not_be_entered_is_refused(public):
    """Nobody knows whether there is one."""
    path = public / "closed" / "history.db"
    opened(str(path)).append(big())
    path.parent.chmod(0o000)
    try:
        (told,) = processes("without_rights", 1, str(path))
    finally:
        path.parent.chmod(0o755)
    assert [True, True] == [said.startswith(f"{path}: ") for said in told]


def test_an_older_store_that_may_only_be_read_is_refused(public, version):
    """It can't be upgraded; it stays."""
    path = public / "history.db"
    shutil.copy(OLDER[version], path)
    path.chmod(0o444)
    ((said, _),) = processes("without_rights", 1, str(path))
    assert said.startswith(f"{path}: can't be ")
    assert {"history.db": OLDER[version].read_bytes()} == as_it_was(public)


def test_a_store_that_may_not_grow_keeps_what_it_has(stored, monkeypatch):
    """The disk is full: what is stored stays readable, and writing goes on once there is space."""
    connect = sqlite3.connect

    def limited(*words, **settings):
        connection = connect(*words, **settings)
        connection.execute("PRAGMA max_page_count=1")  # SQLite takes the number of pages that there are
        return connection

    store, before = Store(str(stored), HERE), everything(Store(str(stored), HERE))
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", limited)
        with refused(f"{stored}: ", "the disk is full"):
            store.append(big(9, 500))
        assert before == everything(store)
    assert store.append(big(9, 500))


def fill(number: str, path: str) -> list[Any]:
    """Append until the disk is full; what is said then, and what is readable."""
    store = opened(path)
    for turn in itertools.count():
        try:
            store.append(big(turn, 40))
        except HistoryError as error:
            return [str(error), turn, everything(Store(path, HERE)) == [big(n, 40) for n in range(turn - 1, -1, -1)]]
    return []


def test_a_disk_that_is_full_is_said_to_be(tmp_path):
    """A real one, of half a megabyte: what was stored before is readable."""
    command = 'mount -t tmpfs -o size=512k tmpfs "$0" && exec "$@"'  # in a name space of its own: gone with the process
    within = ("unshare", "--mount", "sh", "-c", command, tmp_path)
    try:
        possible = subprocess.run((*within, "true"), capture_output=True, check=False).returncode == 0
    except OSError:
        possible = False
    if not possible:
        pytest.skip("file systems can't be mounted here")
    path = str(tmp_path / "history.db")
    done = subprocess.run(
        (*within, sys.executable, "-c", FORKED, __name__, "fill", "1", path),
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    said, count, readable = json.loads(done.stdout)
    assert said.startswith(f"{path}: can't be written: the disk is full")
    assert count > 1
    assert readable
    assert [] == list(tmp_path.iterdir())


# A server that can't be used


def test_a_server_that_is_not_there_is_said(tmp_path):
    """With its URL, but for the password."""
    url = f"postgresql://laptime:{quote(PASSWORD, safe='')}@/history?host={tmp_path}"
    for create in (True, False):
        with refused("postgresql+psycopg://laptime:***@/history", "No such file or directory"):
            Store(url, HERE, create=create)


def test_a_port_where_nobody_listens_is_said():
    """With its URL, but for the password."""
    with refused("postgresql+psycopg://laptime:***@127.0.0.1:1/history", "refused"):
        Store(f"postgresql://laptime:{quote(PASSWORD, safe='')}@127.0.0.1:1/history", HERE)


def test_a_host_that_does_not_exist_is_said():
    """With its URL, but for the password."""
    with refused("postgresql+psycopg://laptime:***@host.invalid/history: "):
        Store(f"postgresql://laptime:{quote(PASSWORD, safe='')}@host.invalid/history", HERE)


def test_a_wrong_password_is_said_and_not_shown(postgres):
    """Neither in the URL nor in its options."""
    wrong = f"not {PASSWORD}"
    with refused("postgresql+psycopg://laptime:***@/postgres", "password authentication failed"):
        Store(postgres.url(password=wrong), HERE)
    with refused("postgresql+psycopg://laptime@/postgres", "password authentication failed"):
        Store(
            f"postgresql://laptime@/postgres?host={postgres.directory}&password={quote(wrong, safe='')}",
            HERE,
        )


def test_a_password_may_be_an_option(database):
    """It is used, and not shown."""
    url = database.replace(f":{quote(PASSWORD, safe='')}@", "@") + f"&password={quote(PASSWORD, safe='')}"
    store = opened(url)
    assert store.append(big())
    assert "password" not in store.name


@pytest.mark.parametrize("name", ["missing", "full", "locked", "readonly", "malformed"])
def test_a_database_that_does_not_exist_is_said(postgres, name):
    """Its name is not taken for what happened to it."""
    with refused(f"postgresql+psycopg://laptime:***@/{name}", f'database "{name}" does not exist'):
        Store(postgres.url(name), HERE, create=True)
    with pytest.raises(HistoryError) as caught:
        Store(postgres.url(name), HERE)
    misled = ("disk", "another process", "can't be written", "corrupt")
    assert [] == [word for word in misled if word in str(caught.value)]


@pytest.mark.parametrize("options", ["port=x", "sslmode=perhaps", "nonsense=1", "host=a&host=b&port=1&port=2&port=3"])
def test_options_that_mean_nothing_are_refused(options):
    """In the driver's words, without the password."""
    with refused("postgresql+psycopg://laptime:***@"):
        Store(f"postgresql://laptime:{quote(PASSWORD, safe='')}@/history?{options}", HERE)


def test_a_server_without_rights_to_make_tables_is_said(database, postgres):
    """As a reader's account has them."""
    name = database_of(database)
    opened(database).append(big())
    reader = f"reader_{name}"
    postgres.execute(f"CREATE ROLE {reader} LOGIN PASSWORD '{PASSWORD}'", name)
    try:
        postgres.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}", name)
        store = Store(database.replace("laptime:", f"{reader}:"), HERE)
        assert [big()] == everything(store)
        with refused(store.name, "permission denied"):
            store.append(run({"test_a": 1.0}))
    finally:
        postgres.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}", name)


def test_a_session_that_the_server_ends_leaves_nothing(database, postgres):
    """In the middle of an append: it is said, the run is absent, and the next append works."""
    store = opened(database)
    name = database_of(database)

    def end(connection, cursor, statement, *_):
        if "INSERT INTO laptime_rounds" in statement:
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                f"WHERE datname = '{name}' AND application_name = 'laptime'"
            )

    event.listen(store._engine, "before_cursor_execute", end)
    with refused(f"{store.name}: "):
        store.append(big())
    event.remove(store._engine, "before_cursor_execute", end)
    assert [] == everything(store)
    assert store.append(big())


def test_a_server_that_was_stopped_is_said():
    """What was stored stays with it."""
    from benchmarks.budgets.postgres import NoPostgres, server

    try:
        with server() as started:
            store = opened(started.url())
            store.append(big())
    except NoPostgres as error:
        pytest.skip(f"no PostgreSQL server: {error}")
    for work in (store.entries, lambda: store.append(big(8)), lambda: store.thin([1]), store.ids):
        with refused(f"{store.name}: "):
            work()


def test_a_server_needs_its_driver(monkeypatch):
    """What to install is said."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with refused("postgresql+psycopg://laptime:***@/history", "pip install 'laptime[postgres]'"):
        Store(f"postgresql://laptime:{quote(PASSWORD, safe='')}@/history", HERE)


# Older stores


@pytest.fixture(params=OLDER)
def version(request):
    """Which."""
    return request.param


@pytest.fixture
def older(tmp_path, version):
    """A store of an older version."""
    path = tmp_path / "history.db"
    shutil.copy(OLDER[version], path)
    return path


def rows(path: Path) -> dict[str, list[tuple]]:
    """What a file holds, table by table, without asking laptime."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return (
            {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names if True}
            if ("laptime_schema" not in names)
            else {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names}
        )


def test_an_older_store_is_upgraded_and_a_copy_kept(older, version):
    """Its runs are there as they were, and the copy is the store of before, which is said."""
    said: list[str] = []
    store = Store(str(older), HERE, say=said.append)
    copy, before = older.with_name(f"history.db.v{version}"), rows(OLDER[version])
    assert [f"{older}: upgraded from version {version} to 4; as it was: {copy}"] == said
    assert before == rows(copy)
    assert [version, 4] == [before["laptime_schema"][0][0], rows(older)["laptime_schema"][0][0]]
    loaded = everything(store)
    assert HELD[version] == (len(loaded), sum(len(one.results) for one in loaded))
    assert [row[1] for row in sorted(before["laptime_runs"], key=lambda row: -row[2])] == [one.id for one in loaded]
    assert store.append(big())


def test_an_upgrade_has_the_tables_that_a_new_store_has(older, tmp_path):
    """With the same columns and indexes, in whatever order they came."""
    new = tmp_path / "new.db"
    opened(str(new))
    Store(str(older), HERE)

    def made(path: Path) -> dict[str, list[tuple]]:
        query = (
            """SELECT name, type, "notnull", pk FROM pragma_table_info(:of) UNION ALL """
            "SELECT name, '', seqno, 0 FROM pragma_index_info(:of)"
        )
        with closing(sqlite3.connect(path)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
            return {name: sorted(connection.execute(query, {"of": name})) for name in names}

    assert "laptime_gates" in made(older)
    assert made(new) == made(older)


def test_the_store_of_version_1_held_all_rounds(tmp_path):
    """Nothing had been thinned."""
    shutil.copy(OLDER[1], tmp_path / "history.db")
    loaded = everything(Store("history.db", tmp_path))
    assert [5, 5] == [len(one.results) for one in loaded]
    assert not any(result.thinned for one in loaded for result in one.results)


def test_the_store_of_version_2_keeps_what_was_thinned(tmp_path):
    """And labels, changes, what failed, and that a session was cut short."""
    shutil.copy(OLDER[2], tmp_path / "history.db")
    cut, dirty, thinned = everything(Store("history.db", tmp_path))
    assert [False, False, True] == [any(result.thinned for result in one.results) for one in (cut, dirty, thinned)]
    assert ("before", 7) == (thinned.label, len(thinned.results[0].rounds["wall"]))
    assert [True, 40] == [dirty.commit.dirty, len(dirty.results[0].rounds["wall"])]
    assert [(FAILED, "ValueError: torn"), False] == [(cut.results[-1].outcome, cut.results[-1].note), cut.complete]


def test_an_upgraded_store_is_not_upgraded_again(older, version):
    """It is opened as any other."""
    Store(str(older), HERE)
    said: list[str] = []
    Store(str(older), HERE, say=said.append)
    assert [] == said
    assert {"history.db", f"history.db.v{version}"} == as_it_was(older.parent).keys()


def test_a_copy_never_takes_the_place_of_a_file(older, version):
    """It gets another name."""
    other = older.with_name(f"history.db.v{version}")
    other.write_text("mine")
    said: list[str] = []
    Store(str(older), HERE, say=said.append)
    assert "mine" == other.read_text()
    assert rows(OLDER[version]) == rows(older.with_name(f"history.db.v{version}.2"))
    assert said[0].endswith(f"history.db.v{version}.2")


def upgrade(number: str, url: str) -> list[str]:
    """Open an older store; what is said."""
    said: list[str] = []
    Store(url, HERE, say=said.append)
    return said


def test_an_older_store_is_upgraded_once(older, version):
    """Though eight open it at once."""
    told = processes("upgrade", 8, str(older))
    assert [1, 8] == [sum(map(len, told)), len(told)]
    assert {"history.db", f"history.db.v{version}"} == as_it_was(older.parent).keys()
    assert rows(OLDER[version]) == rows(older.with_name(f"history.db.v{version}"))
    assert HELD[version][0] == len(everything(Store(str(older), HERE)))


def killed_while_upgrading(number: str, path: str, version: str) -> list[list[Any]]:
    """Kill upgrades before their first, second, … statement; how each ended, and what there was after the next."""
    told = []
    for statement in itertools.count():
        for one in Path(path).parent.iterdir():
            one.unlink()
        shutil.copy(OLDER[int(version)], path)
        code = ended(at_statement(statement, signal.SIGKILL, lambda: Store(path, HERE)))
        runs = len(everything(Store(path, HERE)))
        copies = [rows(one) == rows(OLDER[int(version)]) for one in Path(path).parent.glob("*.v*")]
        told.append([code, runs, bool(copies), all(copies)])
        if not code:
            return told
    return told


def test_an_upgrade_that_is_killed_is_made_by_the_next(older, version):
    """Whenever it was; there is a copy, and every copy is whole."""
    ((*killed, last),) = processes("killed_while_upgrading", 1, str(older), str(version))
    assert len(killed) > 5
    assert [[-signal.SIGKILL, HELD[version][0], True, True]] * len(killed) == killed
    assert [0, HELD[version][0], True, True] == last


def killed_while_copying(number: str, path: str, version: str) -> list[Any]:
    """Kill an upgrade in the middle of its copy; what there is with the copy's name, and after the next."""
    connect = sqlite3.connect

    class Slow(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **_: Any) -> None:
            super().backup(target, pages=1, progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))

    child = os.fork()
    if not child:
        sqlite3.connect = lambda *words, **settings: connect(*words, **{"factory": Slow, **settings})
        Store(path, HERE)
        os._exit(0)
    code, before = ended(child), rows(OLDER[int(version)])
    copies = [one.name for one in Path(path).parent.glob("*.v?") if rows(one) != before]
    runs = len(everything(Store(path, HERE)))
    return [code, copies, runs, sorted(as_it_was(Path(path).parent)), rows(Path(f"{path}.v{version}")) == before]


def test_half_a_copy_is_none(older, version):
    """What has the name of a copy is whole, though an upgrade was killed while it was made."""
    names = ["history.db", f"history.db.v{version}"]
    expected = [-signal.SIGKILL, [], HELD[version][0], names, True]
    assert [expected] == processes("killed_while_copying", 1, str(older), str(version))


def test_an_upgrade_without_space_for_the_copy_is_refused(older, version, monkeypatch):
    """Without one nothing is touched, and half a copy is not kept."""
    connect = sqlite3.connect

    def limited(place, *words, **settings):
        connection = connect(place, *words, **settings)
        if not settings.get("uri"):
            connection.execute("PRAGMA max_page_count=2")
        return connection

    monkeypatch.setattr(sqlite3, "connect", limited)
    with refused(f"{older}: ", "the disk is full"):
        Store(str(older), HERE)
    assert {"history.db": OLDER[version].read_bytes()} == as_it_was(older.parent)


@pytest.fixture
def older_tables(database, version):
    """A database with a store of an older version, and the run in it."""
    store = opened(database)
    store.append(big())
    with engine_module.writing(store._engine, store.name) as connection:
        if version < 3:
            connection.execute(text("DROP TABLE laptime_gate_results, laptime_gates"))
        if version == 1:
            connection.execute(text("ALTER TABLE laptime_rounds DROP COLUMN thinned"))
        connection.execute(text(f"UPDATE laptime_schema SET version = {version}"))
    return database


def test_older_tables_are_upgraded_and_copies_kept(older_tables, version, postgres):
    """In a schema beside, which is said."""
    said: list[str] = []
    store = Store(older_tables, HERE, say=said.append)
    assert [big()] == everything(store)
    (line,) = said
    place = line.rpartition(" ")[2]
    assert line.startswith(f"{store.name}: upgraded from version {version} to 4")
    name = database_of(older_tables)
    for table in ("documents", "benchmarks", "runs", "results", "rounds"):
        now, then = (
            postgres.execute(f"SELECT count(*) FROM {schema}.laptime_{table}", name)[0][0]
            for schema in ("public", place)
        )
        assert now == then > 0
    assert [(version,)] == postgres.execute(f"SELECT version FROM {place}.laptime_schema", name)
    assert [(4,)] == postgres.execute("SELECT version FROM laptime_schema", name)


def test_older_tables_are_upgraded_once(older_tables, postgres):
    """Though eight open them at once."""
    told = processes("upgrade", 8, older_tables)
    assert [1, 8] == [sum(map(len, told)), len(told)]
    name = database_of(older_tables)
    assert [(1,)] == postgres.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'laptime%'", name)


def killed_while_upgrading_tables(number: str, url: str) -> list[int]:
    """Kill upgrades before their first, second, … statement until one is not; how many were."""
    statement = itertools.count()
    while ended(at_statement(next(statement), signal.SIGKILL, lambda: Store(url, HERE))):
        pass
    return [next(statement) - 1]


def test_an_upgrade_of_tables_that_is_killed_is_made_by_the_next(older_tables, postgres):
    """Nothing stays of those that were."""
    ((killed,),) = processes("killed_while_upgrading_tables", 1, older_tables)
    assert killed > 5
    assert [big()] == everything(Store(older_tables, HERE))
    name = database_of(older_tables)
    assert [(1,)] == postgres.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'laptime%'", name)


def test_what_failed_is_stored_as_such(store_url):
    """An outcome that isn't one of three is no run's."""
    made = document([benchmark("test_a", [1.0])], failed={"test_f": "no"})
    store = opened(store_url)
    store.append(from_json(made))
    (loaded,) = everything(store)
    assert {"test_a": "passed", "test_f": FAILED} == {one.fullname: one.outcome for one in loaded.results}


@pytest.mark.parametrize("content", [b"\n", b"x" * 100, b"SQLite format 3\0"])
def test_a_file_too_short_for_a_database_is_left_as_it_is(tmp_path, content):
    """SQLite takes one byte for an empty database, and would write over it."""
    path = tmp_path / "history.db"
    path.write_bytes(content)
    with pytest.raises(HistoryError, match="is no SQLite database; it was left as it is"):
        Store(str(path), tmp_path, create=True)
    assert content == path.read_bytes()
