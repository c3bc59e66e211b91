"""Writers of one store at once, and such as stand still or are killed: what they stored is whole, and none is lost."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import time
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from laptime.history import GateResult, HistoryError
from laptime.history import _engine as engine_module
from laptime.history.store import Store
from tests.support.histories import big, gate, large_gate, run
from tests.support.stores import (
    HERE,
    at_statement,
    ended,
    every_gate,
    every_run,
    in_processes,
    is_file,
    opened,
)

processes = partial(in_processes, __name__)


# Many at once


WRITERS = 8
TURNS = 4


def open_and_append(number: str, url: str) -> list[bool]:
    """Make the store, or find it made, and append a run and a gate each turn.

    Each turn needs names and documents that nobody has stored yet and that everybody needs, in an order of one's own.
    """
    store, mine, told = opened(url), int(number), []
    for turn in range(TURNS):
        names = [f"test_{turn}_{(place * (mine + 1)) % 13}" for place in range(1, 13)]
        results = [GateResult(name, "wall", "unchanged") for name in names]
        written = gate(100 * mine + turn, results=tuple(results), host={"host": f"host {turn}"})
        if mine % 2:
            told.append(store.append_gate(written))
        told.append(store.append(run(dict.fromkeys(names, 1.0), number=100 * mine + turn)))
        if not mine % 2:
            told.append(store.append_gate(written))
    return told


def test_many_processes_make_a_store_and_append_at_once(store_url):
    """None of their runs and gates is lost or doubled: they wait for each other, and never for ever."""
    assert [[True] * 2 * TURNS] * WRITERS == processes("open_and_append", WRITERS, store_url)
    store = Store(store_url, HERE)
    numbers = [100 * writer + turn for writer in range(WRITERS) for turn in range(TURNS)]
    assert {run({"x": 1.0}, number=number).id for number in numbers} == store.ids().keys()
    assert {gate(number).id for number in numbers} == store.gate_ids().keys()
    assert [12] * len(numbers) == [len(one.results) for one in every_run(store)]
    assert [12] * len(numbers) == [len(one.results) for one in every_gate(store)]
    assert 12 * len(numbers) == sum(map(len, store.every_series().values()))


def test_names_are_stored_in_one_order_by_everybody(sqlite_url):
    """Else two writers to a server would wait for each other's rows: that of their digests, whatever the gate's is."""
    names = [f"test_{number}" for number in range(40)]
    opened(sqlite_url).append_gate(gate(results=tuple(GateResult(name, None, "new") for name in names)))
    with closing(sqlite3.connect(sqlite_url)) as connection:
        digests = [digest for (digest,) in connection.execute("SELECT sha256 FROM laptime_benchmarks ORDER BY no")]
    assert (40, sorted(digests)) == (len(digests), digests)


def append_the_same(number: str, url: str) -> list[bool]:
    """Append a run and a gate that others append too."""
    store = Store(url, HERE)
    return [store.append(big()), store.append_gate(large_gate())]


def test_many_processes_append_the_same(store_url):
    """It is stored once, and one of them is told so."""
    opened(store_url)
    told = zip(*processes("append_the_same", WRITERS, store_url), strict=True)
    assert [[False] * (WRITERS - 1) + [True]] * 2 == [sorted(answers) for answers in told]
    store = Store(store_url, HERE)
    assert ([big()], [large_gate()]) == (every_run(store), every_gate(store))


# Ends without warning


def killed_while_appending(number: str, url: str, kind: str) -> list[list[Any]]:
    """Kill appends before their first, second, … statement; how each ended, and what there was then."""
    told = []
    for statement in itertools.count():

        def append() -> None:
            store = Store(url, HERE)
            _ = store.append(big()) if kind == "run" else store.append_gate(large_gate())

        code = ended(at_statement(statement, signal.SIGKILL, append))
        store = Store(url, HERE)
        loaded: list[Any] = every_run(store) if kind == "run" else every_gate(store)
        told.append(
            [code, len(loaded), loaded[-1] in (run({"test_a": 1.0}), gate()), loaded[0] in (big(), large_gate())]
        )
        if not code:
            return told
    return told


@pytest.mark.parametrize("kind", ["run", "gate"])
def test_an_append_that_is_killed_never_was(store_url, kind):
    """Before whichever of its statements: what was there before is there, and the next append works."""
    store = opened(store_url)
    store.append(run({"test_a": 1.0}))
    store.append_gate(gate())
    ((*killed, last),) = processes("killed_while_appending", 1, store_url, kind)
    assert len(killed) > 8
    assert [[-signal.SIGKILL, 1, True, False]] * len(killed) == killed
    assert [0, 2, True, True] == last


def killed_at_any_moment(number: str, url: str) -> list[list[Any]]:
    """Kill appends after longer and longer; whether there are all runs that should be, and whole, each time."""
    began = time.perf_counter()
    Store(url, HERE).append(big(0))
    lasted = time.perf_counter() - began
    told = []
    for turn in range(1, 6):
        child = os.fork()
        if not child:
            with suppress(BaseException):
                Store(url, HERE).append(big(turn))
                os._exit(0)
            os._exit(1)
        time.sleep(lasted * 1.3 * turn / 5)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        code = ended(child)
        store = Store(url, HERE)
        there = store.ids().keys() >= {big(turn).id}
        whole = store.load(store.numbers()[:1]) == [big(turn if there else turn - 1)]
        told.append([code in (0, -signal.SIGKILL), there or bool(code), whole, there or store.append(big(turn))])
    return told


def test_a_kill_at_any_moment_leaves_a_run_whole_or_absent(sqlite_url):
    """What was stored before it stays readable, and the run can be appended again."""
    opened(sqlite_url)
    (told,) = processes("killed_at_any_moment", 1, sqlite_url)
    assert [[True] * 4] * 5 == told
    assert [big(turn) for turn in range(5, -1, -1)] == every_run(Store(sqlite_url, HERE))


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
    return [Path(f"{path}-journal").exists(), len(every_run(Store(path, HERE))), Path(path).read_bytes() == before]


def test_a_half_written_file_is_put_right_by_the_next_reader(tmp_path):
    """The journal of who was killed holds what there was."""
    path = str(tmp_path / "history.db")
    opened(path).append(run({"test_a": 1.0}))
    assert [[True, 1, True]] == processes("killed_with_pages_written", 1, path)


def killed_while_made(number: str, url: str, step: str) -> list[int]:
    """Kill those who make a store, every so many statements further on; how far the last one came."""
    statements = itertools.count(0, int(step))
    while ended(at_statement(next(statements), signal.SIGKILL, lambda: opened(url))):
        pass
    return [next(statements) - int(step)]


def test_a_store_that_was_half_made_is_made(store_url):
    """Whoever made it was killed."""
    ((reached,),) = processes("killed_while_made", 1, store_url, "1" if is_file(store_url) else "5")
    assert reached > 5
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
    told.append(len(every_run(store)))
    try:
        store.append(run({"test_b": 1.0}, number=2))
    except HistoryError as error:
        told.append(str(error))
    os.kill(child, signal.SIGKILL)
    ended(child)
    return [*told, store.append(run({"test_b": 1.0}, number=2)), len(every_run(store))]


def test_while_a_writer_stands_still_others_read(tmp_path):
    """They don't write, and say after a while that it is locked; once it is gone they write."""
    path = str(tmp_path / "history.db")
    opened(path).append(run({"test_a": 1.0}))
    ((stopped, readable, said, appended, then),) = processes("stopped_in_the_middle", 1, path)
    assert (True, 1, True, 2) == (stopped, readable, appended, then)
    assert said.startswith(f"{path}: was locked by another process")
    assert "try again" in said
