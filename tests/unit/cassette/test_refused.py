"""Bad pairs of files are refused with the words that docs/refused.md shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.refused import CASES, row

DOCUMENTED = [
    line for line in (ROOT / "docs" / "refused.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")
]


@pytest.mark.parametrize("name", CASES)
def test_a_bad_pair_is_refused_as_documented(name: str, tmp_path: Path) -> None:
    """With the file, the interaction and the field; a file of a gigabyte is not read for that."""
    assert row(name, tmp_path) in DOCUMENTED


def test_what_is_documented_is_tried() -> None:
    """All of it, in its order: the table is what `python -m tests.support.refused` prints."""
    assert ["file", *CASES] == [line.split(" | ")[0].removeprefix("| ") for line in DOCUMENTED]
