"""What starting laptime loads: modules are loaded where they are first needed, 0.2 s of every start."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("loaded", "left"),
    [
        # pytest loads the plugin in every session of an environment that has laptime
        (
            "laptime.plugin",
            "laptime.lap laptime.passes laptime.replay laptime.cassette laptime.history._model "
            "laptime.plugin.historian yaml rich numpy sqlalchemy psutil http.client",
        ),
        # the commands of scripts: what each of the others needs is not theirs
        ("laptime.cli", "laptime.gate laptime.replay yaml rich numpy sqlalchemy psutil"),
        (
            "laptime.cli.report",
            "altair vl_convert laptime.report.page laptime.gate laptime.replay yaml rich sqlalchemy",
        ),
        ("laptime.cli.history", "laptime.gate laptime.replay yaml numpy sqlalchemy psutil"),
        ("laptime.cli.gate", "laptime.replay yaml rich numpy sqlalchemy psutil"),
        # a side of a gate starts for each block, and its environment needs to have no more than is loaded there
        ("laptime.plugin.lockstep.side", "yaml brotli zstandard rich numpy sqlalchemy"),
        ("laptime.replay.server", "rich numpy sqlalchemy psutil"),
        ("laptime.stats.changes", "ruptures scipy"),
        # a worker of any variant imports these
        ("workloads.catalog", "distributed dask numpy pytest"),
    ],
)
def test_what_is_not_needed_is_not_loaded(loaded: str, left: str) -> None:
    """Whatever else is imported later."""
    code = f"import sys, {loaded}; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout.split()
    assert loaded in modules
    assert [] == [module for module in left.split() if module in modules]
