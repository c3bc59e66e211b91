"""What is installed where this tree is not: the tests themselves run on the tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from tests.support import ROOT


def test_the_wheel_holds_the_whole_package_and_nothing_else(tmp_path: Path) -> None:
    """Every file of laptime/, its templates, schemas and py.typed too; no workload, benchmark or test."""
    subprocess.run(
        (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path),
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.iterdir()
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "laptime").rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name} == names
    assert {"laptime/py.typed", "laptime/report/gate.schema.json"} <= names
