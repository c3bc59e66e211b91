"""A store of an older version is upgraded once, whole or not at all, and a copy of it kept."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from laptime.history import FAILED
from laptime.history import _engine as engine_module
from laptime.history.store import Store
from tests.support.histories import big, gate, of_metrics
from tests.support.stores import (
    HERE,
    OLDER,
    at_statement,
    database_of,
    ended,
    every_gate,
    every_run,
    files,
    in_processes,
    opened,
    refused,
)

processes = partial(in_processes, __name__)
HELD = {1: (2, 10), 2: (3, 10), 3: (1, 2)}
"""How many runs and results are in the stores of those versions."""
oldest = pytest.mark.parametrize("version", [1], ids=["the oldest"])
"""It takes every step there is."""


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
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names}


def test_an_older_store_is_upgraded_and_a_copy_kept(older, version):
    """Its runs are there as they were, and the copy is the store of before, which is said."""
    said: list[str] = []
    store = Store(str(older), HERE, say=said.append)
    copy, before = older.with_name(f"history.db.v{version}"), rows(OLDER[version])
    assert [f"{older}: upgraded from version {version} to 4; as it was: {copy}"] == said
    assert before == rows(copy)
    assert [version, 4] == [before["laptime_schema"][0][0], rows(older)["laptime_schema"][0][0]]
    loaded = every_run(store)
    assert HELD[version] == (len(loaded), sum(len(one.results) for one in loaded))
    assert [row[1] for row in sorted(before["laptime_runs"], key=lambda row: -row[2])] == [one.id for one in loaded]
    assert (True, True) == (store.append(big()), store.append_gate(gate(99)))
    assert gate(99) in every_gate(Store(str(older), HERE, say=said.append))
    assert (1, {"history.db", copy.name}) == (len(said), files(older.parent).keys())  # it was not upgraded again


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
    loaded = every_run(Store("history.db", tmp_path))
    assert [5, 5] == [len(one.results) for one in loaded]
    assert not any(result.thinned for one in loaded for result in one.results)


def test_the_store_of_version_2_keeps_what_was_thinned(tmp_path):
    """And labels, changes, what failed, and that a session was cut short."""
    shutil.copy(OLDER[2], tmp_path / "history.db")
    cut, dirty, thinned = every_run(Store("history.db", tmp_path))
    assert [False, False, True] == [any(result.thinned for result in one.results) for one in (cut, dirty, thinned)]
    assert ("before", 7) == (thinned.label, len(thinned.results[0].rounds["wall"]))
    assert [True, 40] == [dirty.commit.dirty, len(dirty.results[0].rounds["wall"])]
    assert [(FAILED, "ValueError: torn"), False] == [(cut.results[-1].outcome, cut.results[-1].note), cut.complete]


@oldest
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


@oldest
def test_an_older_store_is_upgraded_once(older, version):
    """Though several open it at once."""
    told = processes("upgrade", 4, str(older))
    assert [1, 4] == [sum(map(len, told)), len(told)]
    assert {"history.db", f"history.db.v{version}"} == files(older.parent).keys()
    assert rows(OLDER[version]) == rows(older.with_name(f"history.db.v{version}"))
    assert HELD[version][0] == len(every_run(Store(str(older), HERE)))


def killed_while_upgrading(number: str, path: str, version: str) -> list[list[Any]]:
    """Kill upgrades before their first, second, … statement; how each ended, and what there was after the next."""
    told = []
    for statement in itertools.count():
        for one in Path(path).parent.iterdir():
            one.unlink()
        shutil.copy(OLDER[int(version)], path)
        code = ended(at_statement(statement, signal.SIGKILL, lambda: Store(path, HERE)))
        runs = len(every_run(Store(path, HERE)))
        copies = [rows(one) == rows(OLDER[int(version)]) for one in Path(path).parent.glob("*.v*")]
        told.append([code, runs, bool(copies), all(copies)])
        if not code:
            return told
    return told


@oldest
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
    runs = len(every_run(Store(path, HERE)))
    return [code, copies, runs, sorted(files(Path(path).parent)), rows(Path(f"{path}.v{version}")) == before]


@oldest
def test_half_a_copy_is_none(older, version):
    """What has the name of a copy is whole, though an upgrade was killed while it was made."""
    names = ["history.db", f"history.db.v{version}"]
    expected = [-signal.SIGKILL, [], HELD[version][0], names, True]
    assert [expected] == processes("killed_while_copying", 1, str(older), str(version))


@oldest
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
    assert {"history.db": OLDER[version].read_bytes()} == files(older.parent)


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
    assert [big()] == every_run(store)
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
    assert store.append_gate(gate())
    assert [gate()] == every_gate(store)


@oldest
def test_older_tables_are_upgraded_once(older_tables, postgres):
    """Though several open them at once."""
    told = processes("upgrade", 4, older_tables)
    assert [1, 4] == [sum(map(len, told)), len(told)]
    name = database_of(older_tables)
    assert [(1,)] == postgres.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'laptime%'", name)


def killed_while_upgrading_tables(number: str, url: str) -> list[int]:
    """Kill upgrades, every four statements further on, until one is not; how far the last one came."""
    statements = itertools.count(0, 4)
    while ended(at_statement(next(statements), signal.SIGKILL, lambda: Store(url, HERE))):
        pass
    return [next(statements) - 4]


@oldest
def test_an_upgrade_of_tables_that_is_killed_is_made_by_the_next(older_tables, postgres):
    """Nothing stays of those that were."""
    ((reached,),) = processes("killed_while_upgrading_tables", 1, older_tables)
    assert reached > 12
    assert [big()] == every_run(Store(older_tables, HERE))
    name = database_of(older_tables)
    assert [(1,)] == postgres.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'laptime%'", name)


WORDS_OF_3 = ("broken", "missing", "regressed", "unresolved", "improved", "unchanged", "new")
"""The verdicts of version 3, the worst first: their places were their numbers."""


def test_the_store_of_version_3_says_what_it_said(tmp_path):
    """The verdicts are numbered anew, as "accepted" came among them; the order of their weight is kept."""
    path = tmp_path / "history.db"
    shutil.copy(OLDER[3], path)
    store = Store(str(path), HERE)
    mixed, each = every_gate(store)
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
    assert [*WORDS_OF_3, "improved", "unresolved"] == [one.verdict for one in every_gate(upgraded)[0].results]
    assert dict.fromkeys(WORDS_OF_3, 1) | {"unresolved": 2} == upgraded.gates()[0].counts
