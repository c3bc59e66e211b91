"""Fixtures of many tests, and how thoroughly property-based tests search (``--hypothesis-profile thorough``).

pytest reads this file for benchmarks too, where an option's value looks like a path (``--tier smoke``): there
Hypothesis need not be installed.
"""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from benchmarks.budgets.postgres import Server

# the tests start hundreds of processes: where none may keep what it compiled, each compiles laptime and pytest anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

EMPTIED = """
    DO $$
    DECLARE
        one record;
    BEGIN
        PERFORM pg_terminate_backend(pid)
            FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
        FOR one IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|public$)' LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', one.nspname);
        END LOOP;
        FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('DROP TABLE IF EXISTS public.%I CASCADE', one.tablename);
        END LOOP;
    END $$
"""
"""Makes a PostgreSQL database as if it were new: nobody is connected, and it holds no table and no schema."""

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import settings

    settings.register_profile("default", deadline=None)
    settings.register_profile("thorough", deadline=None, max_examples=3000)
    settings.load_profile("default")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server; the tests that need it are skipped where none can be started."""
    from benchmarks.budgets.postgres import NoPostgres, server

    with ExitStack() as stack:
        try:
            started = stack.enter_context(server())
        except NoPostgres as error:
            if os.environ.get("LAPTIME_TESTS_NEED_POSTGRES"):  # as in CI
                raise
            pytest.skip(f"no PostgreSQL server: {error}")
        yield started


@pytest.fixture(scope="session")
def kept_database(postgres: Server) -> str:
    """The name of a database: to make one takes longer than most tests, so that all of a worker have the same."""
    name = f"test_{uuid.uuid4().hex}"
    postgres.execute(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def database(postgres: Server, kept_database: str) -> Iterator[str]:
    """The URL, with its password, of an empty PostgreSQL database that no other test uses meanwhile."""
    yield postgres.url(kept_database)
    postgres.execute(EMPTIED, kept_database)
    postgres.execute(f"ALTER DATABASE {kept_database} RESET ALL")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a store, of each kind."""
    return str(tmp_path / "history.db") if request.param == "sqlite" else str(request.getfixturevalue("database"))
