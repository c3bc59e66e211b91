"""Cassettes to give to commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Exchange, write_cassette


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A cassette that can be played."""
    exchanges = [Exchange("http://a.test/1"), Exchange("http://b.test/1"), Exchange("http://a.test/2")]
    return write_cassette(tmp_path / "good.yaml", *exchanges)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """One that was changed after it was timed."""
    path = write_cassette(tmp_path / "bad.yaml", Exchange())
    path.write_bytes(path.read_bytes() + b"\n")
    return path
