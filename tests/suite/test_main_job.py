"""The main job as a person runs it, truly timed; no figure decides anything, so that others may disturb it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from laptime.history import from_json
from laptime.history.store import Store
from tests.support import ROOT, outside_pytest
from tests.support.documents import LIMIT_S, MAIN_JOB, commands

FIGURES = {"wall_s", "cpu_s", "switches", "race_pass", "void", "waited_s"}


@pytest.mark.slow
def test_the_smoke_tier_is_raced_and_stored(tmp_path: Path) -> None:
    """Every benchmark is timed and stored with all its figures, round by round, and each workload has its verdict."""
    results = tmp_path / "results.json"
    assert MAIN_JOB in commands("README.md")
    command = (sys.executable, "-m", *MAIN_JOB.split(), "-p", "no:cacheprovider")
    done = subprocess.run(
        (*command, f"--benchmark-json={results}", f"--history={tmp_path / 'history.db'}"),
        cwd=ROOT,
        env=outside_pytest(),
        text=True,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    document = json.loads(results.read_text())
    stored = document["benchmarks"]
    store = Store("history.db", tmp_path)
    (run,) = store.load(store.numbers())
    assert from_json(document).results == run.results
    assert from_json(document).fingerprint == run.fingerprint
    assert f"{len(stored)}/{len(stored)}  " in done.stdout
    for one in stored:
        info, rounds = one["extra_info"], one["extra_info"]["rounds"]
        expected = FIGURES | ({"requests", "pass", "longest_s"} if info["http"] else set())
        assert expected == set(rounds), one["name"]
        assert {0, 1} == set(rounds["race_pass"]), one["name"]
        assert (2, True) == (info["race"]["passes"], info["race"]["look"])
        assert {len(one["stats"]["data"])} == {len(figures) for figures in rounds.values()}, one["name"]
        assert one["stats"]["data"] == rounds["wall_s"], one["name"]
        assert (info["workload"], "smoke") == (one["group"], info["tier"])
        assert min(rounds["cpu_s"]) >= 0
        assert info["http"] is None or "scale:0.1" == info["latency"]
        assert info["peak_pss_bytes"] or sys.platform != "linux"
    assert "primes (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, …, " in next(
        one["extra_info"]["answer"] for one in stored if one["group"] == "primes"
    )
    workloads = dict.fromkeys(one["group"] for one in stored)
    assert ["hn_items", "primes", "quotes"] == sorted(workloads)
    for workload in workloads:
        assert f"\n{workload}: " in done.stdout
    assert len(workloads) == " ".join(done.stdout.split()).count("NO VERDICT: this was a look of 2 passes")
