"""The server that a module's tests play their cassettes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from laptime.replay import ReplayServer
from tests.support import Serve


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    """The server that most tests play their cassettes on, each on a stage of its own."""
    with ReplayServer() as started:
        yield started


@pytest.fixture
def serve(server: ReplayServer, tmp_path: Path) -> Serve:
    """Serve a cassette made of these exchanges."""
    return Serve(server, tmp_path)
