"""Bad pairs of files are refused before anything is timed, the same by `laptime check` and by a replay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from laptime.cassette import CassetteError
from laptime.cli import main
from laptime.replay import Latency, ReplayServer
from tests.support import ROOT, contents
from tests.support.refused import CASES, NAME, refusal, table

SMALL = [name for name in CASES if "1 GB" not in name]


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server


@pytest.mark.parametrize("name", SMALL)
def test_a_bad_pair_is_refused(
    server: ReplayServer, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same message from each, exit code 2, and no file is touched."""
    message = refusal(CASES[name], tmp_path)
    before = contents(tmp_path)
    assert 2 == main(["check", str(tmp_path / NAME)])
    assert f"laptime: {message}\n" == capsys.readouterr().err.replace(f"{tmp_path}/", "")
    with pytest.raises(CassetteError) as refused:
        server.load(tmp_path / NAME, Latency.parse("fixed:5ms"))
    assert message == str(refused.value).replace(f"{tmp_path}/", "")
    assert before == contents(tmp_path)


@pytest.mark.parametrize("name", sorted(set(CASES) - set(SMALL)))
def test_a_huge_file_is_refused_unread(name: str, tmp_path: Path) -> None:
    """A gigabyte is not read to find out that it is too much."""
    assert "1,024 MiB; a cassette is at most 256 MiB" in refusal(CASES[name], tmp_path)


def test_the_documented_refusals_are_those() -> None:
    """The table in docs/refused.md is what `python -m tests.support.refused` prints."""
    assert table() in (ROOT / "docs" / "refused.md").read_text(encoding="utf-8")


def test_at_least_thirty_kinds_are_tried() -> None:
    """No two of them alike."""
    assert 30 <= len(set(table().splitlines()))
