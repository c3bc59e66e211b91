"""What is no store, or none that this laptime knows, is refused in words, and left as it is."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from laptime.history import HistoryError
from laptime.history import _engine as engine_module
from laptime.history.store import Store
from tests.support.histories import big
from tests.support.stores import (
    HERE,
    database_of,
    every_run,
    files,
    opened,
    refused,
    use,
)


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
    assert [big()] == every_run(Store(str(path), HERE))


@pytest.mark.parametrize(
    "name", ["with space", "100%", "what?", "a#b", "a&mode=ro", "ü", "\udce9", "'", ":memory:", "a%20b", "x.db?mode=ro"]
)
def test_a_file_may_be_called_anything(tmp_path, name):
    """It is this file that is made, and no other."""
    assert opened(str(tmp_path / name / name)).append(big())
    assert [name] == [one.name for one in (tmp_path / name).iterdir()]
    assert [big()] == every_run(Store(name, tmp_path / name))


def test_two_slashes_are_one(tmp_path):
    """A path may begin with two."""
    assert opened(f"/{tmp_path}/history.db").append(big())
    assert [big()] == every_run(Store(str(tmp_path / "history.db"), HERE))


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
    assert {"file": b"mine"} == files(tmp_path)


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
    assert {"history.db": b""} == files(tmp_path)
    assert opened(str(path)).append(big())


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    "content",
    [b"\n", b"my letters\n", b"\0" * 5000, b"SQLite format 3\0", b"x" * 100_000, b'{"benchmarks": []}'],
)
def test_a_file_of_something_else_is_refused_and_left(tmp_path, content, create):
    """Somebody may need it; SQLite itself takes a file of a byte or so for an empty database, and writes over it."""
    path = tmp_path / "history.db"
    path.write_bytes(content)
    with refused(f"{path}: ", "left as it is"):
        use(path, create=create)
    assert {"history.db": content} == files(tmp_path)


@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_another_program_is_refused_and_left(tmp_path, create):
    """Its tables are named, so that it is known for what it is."""
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = files(tmp_path)
    with refused(f"{path}: ", "bookmarks", "left as it is", "name another"):
        use(path, create=create)
    assert before == files(tmp_path)


@pytest.mark.parametrize("create", [True, False])
def test_a_truncated_store_is_refused_and_left(stored, create):
    """As a full disk or a broken copy leaves it, wherever it ends."""
    whole = stored.read_bytes()
    for kept in (15, 16, 99, 100, 512, 1024, 4095, 4096, 4097, 8192, 20_000, -8192, -4096):
        stored.write_bytes(whole[:kept])
        with refused(f"{stored}: ", "left as it is"):
            use(stored, create=create)
        assert {"history.db": whole[:kept]} == files(stored.parent)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
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
        "DROP TABLE laptime_gate_results",
        "DROP TABLE laptime_gates",
        "ALTER TABLE laptime_gates DROP COLUMN seconds",
    ],
)
def test_what_cannot_be_read_is_said_to_be_corrupt(stored, damage):
    """A document, a number, a table: the store is named, and what can be done; it stays as it is."""
    with closing(sqlite3.connect(stored)) as connection, connection:
        connection.execute(damage)
    before = files(stored.parent)
    with refused(f"{stored}: ", "corrupt", "left as it is"):
        use(stored, create=False)
    assert before == files(stored.parent)


def test_a_store_of_a_newer_version_is_refused_and_left(store_url):
    """An older laptime would not know what it does."""
    version = 5
    store = opened(store_url)
    with engine_module.writing(store._engine, store.name) as connection:
        connection.execute(text(f"UPDATE laptime_schema SET version = {version}"))
    for create in (True, False):
        with refused(store.name, f"version {version}", "upgrade laptime"):
            Store(store_url, HERE, create=create)
    with engine_module.reading(store._engine, store.name) as connection:
        assert version == connection.execute(text("SELECT version FROM laptime_schema")).scalar_one()


@pytest.mark.parametrize("version", [0, -1])
def test_a_store_of_a_version_that_never_was_is_refused(sqlite_url, version):
    """It is none of laptime's."""
    store = opened(sqlite_url)
    with engine_module.writing(store._engine, store.name) as connection:
        connection.execute(text(f"UPDATE laptime_schema SET version = {version}"))
    with refused(store.name, str(version)):
        Store(sqlite_url, HERE, create=True)


@pytest.mark.parametrize("version", ["'two'", "NULL", "2.5", "x'02'"])
def test_a_version_that_is_no_number_is_refused(tmp_path, version):
    """SQLite keeps anything in any column."""
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE laptime_schema (version)")
        connection.execute(f"INSERT INTO laptime_schema VALUES ({version})")
    before = files(tmp_path)
    with refused(f"{path}: ", "corrupt"):
        use(path, create=True)
    assert before == files(tmp_path)


@pytest.mark.parametrize("statement", ["INSERT INTO laptime_schema VALUES (2)", "DELETE FROM laptime_schema"])
def test_a_store_has_one_version(sqlite_url, statement):
    """Of two rows, or none, nobody knows which holds."""
    store = opened(sqlite_url)
    with engine_module.writing(store._engine, store.name) as connection:
        connection.execute(text(statement))
    for create in (True, False):
        with refused(store.name, "corrupt", "laptime_schema", "rows"):
            Store(sqlite_url, HERE, create=create)
