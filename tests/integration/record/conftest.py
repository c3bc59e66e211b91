"""What the tests of recording share: none of them hangs, and a pair that was there before."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from laptime.cassette import sidecar_path
from laptime.replay import ReplayServer
from tests.support import HANG_LIMIT_S, Exchange, contents, write_cassette
from tests.support.nursery import Nursery
from tests.support.nursery import nursery as running_nursery


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """Fail rather than hang: a recording waits for what an origin says."""

    def give_up(number: int, frame: object) -> None:
        raise AssertionError(f"not done within {HANG_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(int(HANG_LIMIT_S))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """A pair that was there before and, as the recording of it fails, stays as it was, byte for byte, and alone."""
    path = write_cassette(tmp_path / "items.yaml", Exchange("http://old.test/"))
    before = contents(tmp_path)
    yield path
    assert before == contents(tmp_path)
    assert {path, sidecar_path(path)} == set(tmp_path.iterdir())


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    """What plays the recordings."""
    with ReplayServer() as started:
        yield started


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """What forks processes that record."""
    with running_nursery() as started:
        yield started
