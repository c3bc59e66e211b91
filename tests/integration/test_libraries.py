"""Which libraries are installed, where another package answers in the place of the standard library."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import ROOT

BACKPORT = """
import sys
import importlib_metadata
from pathlib import Path
from laptime import libraries
names = libraries.installed(Path(sys.argv[1]))
print("broken" in names, "pytest" in names, "importlib-metadata" in libraries.loaded(names))
"""


@pytest.mark.skipif(find_spec("importlib_metadata") is None, reason="nothing has brought importlib_metadata here")
def test_what_is_half_installed_is_left_out_by_the_backport_too(tmp_path: Path) -> None:
    """It answers in the place of the standard library once dask, say, has imported it, and raises instead."""
    broken = tmp_path / "site-packages" / "broken-1.0.dist-info"
    broken.mkdir(parents=True)
    (broken / "RECORD").write_text("broken/__init__.py,,\n")
    paths = os.pathsep.join((str(ROOT), str(broken.parent)))
    command = (sys.executable, "-c", BACKPORT, str(tmp_path / "project"))
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, text=True, capture_output=True, check=False)
    assert "False True True\n" == done.stdout, done.stderr
