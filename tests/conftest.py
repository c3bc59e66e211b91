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


@pytest.fixture
def database(postgres: Server) -> str:
    """The URL, with its password, of an empty PostgreSQL database of the test's own."""
    name = f"test_{uuid.uuid4().hex}"
    postgres.execute(f"CREATE DATABASE {name}")
    return postgres.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a store, of each kind."""
    return str(tmp_path / "history.db") if request.param == "sqlite" else str(request.getfixturevalue("database"))
