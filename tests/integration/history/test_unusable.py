"""What can't be used now (it is locked, full, not to be read, not there) is said in words that show no password."""

from __future__ import annotations

import itertools
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import event

from benchmarks.budgets.postgres import PASSWORD
from laptime.history import HistoryError
from laptime.history import _engine as engine_module
from laptime.history.store import Store
from tests.support.histories import big, run
from tests.support.stores import (
    FORKED,
    HERE,
    OLDER,
    ROOT,
    database_of,
    every_run,
    files,
    in_processes,
    opened,
    refused,
    use,
)

processes = partial(in_processes, __name__)


# A file


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
    monkeypatch.setattr(engine_module, "PATIENCE_S", 0.2)
    with psycopg.connect(database.replace("+psycopg", "")) as holder:
        holder.execute(
            "SET idle_in_transaction_session_timeout = '60s'"
        )  # lest a writer that is patient waits for ever
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
        lambda: len(every_run(Store(path, HERE))),
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
    before = files(public)
    ((count, said),) = processes("without_rights", 1, str(path))
    assert 1 == count
    assert f"{path}: can't be written: it is read-only" in said
    assert before == files(public)


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


def test_an_older_store_that_may_only_be_read_is_refused(public):
    """It can't be upgraded; it stays."""
    path = public / "history.db"
    shutil.copy(OLDER[1], path)
    path.chmod(0o444)
    ((said, _),) = processes("without_rights", 1, str(path))
    assert said.startswith(f"{path}: can't be ")
    assert {"history.db": OLDER[1].read_bytes()} == files(public)


def test_a_store_that_may_not_grow_keeps_what_it_has(stored, monkeypatch):
    """The disk is full: what is stored stays readable, and writing goes on once there is space."""
    connect = sqlite3.connect

    def limited(*words, **settings):
        connection = connect(*words, **settings)
        connection.execute("PRAGMA max_page_count=1")  # SQLite takes the number of pages that there are
        return connection

    store, before = Store(str(stored), HERE), every_run(Store(str(stored), HERE))
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", limited)
        with refused(f"{stored}: ", "the disk is full"):
            store.append(big(9, 500))
        assert before == every_run(store)
    assert store.append(big(9, 500))


def fill(number: str, path: str) -> list[Any]:
    """Append until the disk is full; what is said then, and what is readable."""
    store = opened(path)
    for turn in itertools.count():
        try:
            store.append(big(turn, 40))
        except HistoryError as error:
            return [str(error), turn, every_run(Store(path, HERE)) == [big(n, 40) for n in range(turn - 1, -1, -1)]]
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
        assert [big()] == every_run(store)
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
    assert [] == every_run(store)
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
