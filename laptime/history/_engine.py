"""Connections to a store, and what can go wrong with one in words that a person can act on."""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from laptime.history import _schema
from laptime.history._errors import HistoryError
from laptime.history._url import scrub, shown

PATIENCE_S = 60
"""How long a writer waits for others to be done."""
CONNECT_S = 10
_LEAST_BYTES = 512
_CREATING = 0x6C617074  # PostgreSQL's advisory lock while tables are made or upgraded


def engine(url: URL, *, create: bool) -> Engine:
    """What makes connections; with `create` a missing SQLite file is made. Raises `HistoryError`."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(Path(url.database or ""), create=create)
    try:
        # prepared statements don't outlive a connection here, and poolers between can't bear them
        arguments = {"connect_timeout": CONNECT_S, "prepare_threshold": None, "application_name": "laptime"}
        # one connection, kept: to make one takes longer than what is asked of it
        return create_engine(url, pool_size=1, max_overflow=1, pool_pre_ping=True, connect_args=arguments)
    except ModuleNotFoundError as error:
        raise HistoryError(f"{shown(url)}: PostgreSQL needs {error.name}: pip install 'laptime[postgres]'") from None
    except (SQLAlchemyError, TypeError, ValueError) as error:
        raise HistoryError(f"{shown(url)}: {_line(error)}") from None


def _sqlite(path: Path, *, create: bool) -> Engine:
    name = scrub(str(path))
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        size = path.stat().st_size if path.is_file() or not create else 0
    except OSError as error:
        if not create and isinstance(error, FileNotFoundError | NotADirectoryError):
            raise HistoryError(f"{name}: there is no history yet; `pytest --benchmark-only` begins one") from None
        raise HistoryError(f"{name}: can't be {'made' if create else 'opened'}: {error.strerror}") from None
    if 0 < size < _LEAST_BYTES:  # SQLite takes it for new
        raise HistoryError(f"{name}: is no SQLite database; it was left as it is: name another")
    address = f"{_address(path)}?mode={'rwc' if create else 'rw'}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, timeout=PATIENCE_S, isolation_level=None)
        connection.execute("PRAGMA case_sensitive_like=ON")  # as PostgreSQL has it
        return connection

    made = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        # at once, so that two writers wait for each other rather than fail when both turn from reading to writing
        kind = "IMMEDIATE" if connection.get_execution_options().get("laptime_writes") else "DEFERRED"
        connection.exec_driver_sql(f"BEGIN {kind}")

    return made


def _address(path: Path) -> str:
    """The URI of a file, whose name need not be text, and may begin with two slashes."""
    return f"file://{quote(os.fsencode(path.absolute()))}"


@contextmanager
def reading(engine: Engine, name: str) -> Iterator[Connection]:
    """A transaction that sees one state of the store. Raises `HistoryError`."""
    isolation = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with explained(name), engine.connect().execution_options(**isolation) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine, name: str) -> Iterator[Connection]:
    """A transaction that is done whole or not at all. Raises `HistoryError`."""
    with explained(name), engine.connect().execution_options(laptime_writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = {round(PATIENCE_S * 1000)}"))
        yield connection


@contextmanager
def explained(name: str) -> Iterator[None]:
    """What the database says, as a `HistoryError` that names the store; its own words may hold a password."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, zlib.error, OSError) as error:
        raise HistoryError(_words(name, error)) from None
    except (ValueError, LookupError, TypeError, OverflowError) as error:  # rows that laptime never wrote
        line = f"{type(error).__name__}: {_line(error)}"
        raise HistoryError(f"{name}: {_CORRUPT} ({line})") from None


def _line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in scrub(str(cause)).splitlines() if line.strip()]
    return lines[0] if lines else type(cause).__name__


_CORRUPT = "is corrupt; it was left as it is: move it away, bring back a copy, or name another"
_REMEDIES = {
    "not a database": "is no SQLite database, or is corrupt; it was left as it is: move it away, or name another",
    "malformed": _CORRUPT,
    "locked": f"was locked by another process for {PATIENCE_S} s: try again",
    "readonly": "can't be written: it is read-only",
    "unable to open": "can't be opened: is the directory there, and may you write to it?",
    "full": "can't be written: the disk is full",
    "no such table": _CORRUPT,
    "no such column": _CORRUPT,
    "decode to UTF-8": _CORRUPT,
}
"""What SQLite says, and what can be done."""


def _words(name: str, error: BaseException) -> str:
    line, cause = _line(error), getattr(error, "orig", None) or error
    remedy = None
    if isinstance(cause, sqlite3.Error):
        remedy = next((words for sign, words in _REMEDIES.items() if sign in line), None)
    elif isinstance(cause, zlib.error):
        remedy = _CORRUPT
    elif "lock timeout" in line:
        remedy = _REMEDIES["locked"]
    return f"{name}: {line}" if remedy is None else f"{name}: {remedy} ({line})"


def shrink(engine: Engine, name: str) -> None:
    """Give unused space back, where the store is a file; a server does so by itself."""
    if engine.dialect.name == "sqlite":
        with explained(name), engine.connect() as connection:
            connection.connection.driver_connection.execute("VACUUM")  # type: ignore[union-attr]


def prepare(engine: Engine, url: URL, *, create: bool, say: Callable[[str], object]) -> None:
    """Check that the store is one, make it where there is none, upgrade it where it is older.

    Raises `HistoryError` where it is none, or newer, or there is none and `create` is False.
    """
    name = shown(url)
    with reading(engine, name) as connection:
        version = _version(connection, name)
    if version == _schema.VERSION:
        return
    if version is None and not create:
        raise HistoryError(f"{name}: there is no history yet; `pytest --benchmark-only` begins one")
    with writing(engine, name) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_CREATING})"))
        version = _version(connection, name)  # another process may have been quicker
        if version is None:
            _schema.create(connection)
        elif version < _schema.VERSION:
            kept = _backup(connection, url, version)
            _schema.upgrade(connection, version)
            say(f"{name}: upgraded from version {version} to {_schema.VERSION}; as it was: {kept}")


def _version(connection: Connection, name: str) -> int | None:
    """The version of the tables; None where there are none."""
    if not inspect(connection).has_table("laptime_schema"):
        others = _schema.tables(connection)
        if connection.dialect.name == "sqlite" and others:
            raise HistoryError(
                f"{name}: is an SQLite database of something else (it holds {', '.join(sorted(others)[:3])}); it was "
                "left as it is: name another"
            )
        return None
    found = list(connection.execute(select(_schema.schema.c.version)).scalars())
    if len(found) != 1:
        raise HistoryError(f"{name}: is corrupt: laptime_schema holds {len(found)} rows, expected 1")
    if not isinstance(found[0], int) or found[0] < 1:
        raise HistoryError(f"{name}: is corrupt: laptime_schema holds the version {found[0]!r}; it was left as it is")
    if found[0] > _schema.VERSION:
        raise HistoryError(
            f"{name}: is of version {found[0]}, and this laptime knows {_schema.VERSION}: upgrade laptime; it was left "
            "as it is"
        )
    return int(found[0])


def _backup(connection: Connection, url: URL, version: int) -> str:
    """A copy of the store as it is; what it is called."""
    if connection.dialect.name == "sqlite":
        path = Path(url.database or "")
        copies = (path.with_name(f"{path.name}.v{version}{more}") for more in ("", *(f".{n}" for n in range(2, 1000))))
        copy = next(copy for copy in copies if not copy.exists())
        part = copy.with_name(f"{copy.name}.part")  # what has the copy's name is whole
        _remove(part)  # of one who was killed: the write lock is held here
        try:
            # this transaction has written nothing: what others read is what is copied
            with (
                closing(sqlite3.connect(f"{_address(path)}?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(part)) as target,
            ):
                source.backup(target)
            part.rename(copy)
        except BaseException:
            _remove(part)
            raise
        return str(copy)
    place = f"laptime_v{version}_{_moment(connection)}"
    connection.execute(text(f"CREATE SCHEMA {place}"))
    for table in sorted(name for name in _schema.tables(connection) if name.startswith(_schema.PREFIX)):
        connection.execute(text(f"CREATE TABLE {place}.{table} AS TABLE {table}"))
    return f"the tables of the schema {place}"


def _remove(copy: Path) -> None:
    for path in (copy, copy.with_name(f"{copy.name}-journal")):
        path.unlink(missing_ok=True)


def _moment(connection: Connection) -> str:
    found: Any = connection.execute(text("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')")).scalar_one()
    return str(found)
