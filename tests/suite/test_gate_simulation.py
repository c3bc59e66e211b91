"""The simulation of whole gates in benchmarks/budgets: it is what it says it simulates."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.budgets import gate_simulation
from laptime.gate.decision.trial import CONFIRMATION
from tests.support.trials import FIRST


def test_the_simulation_in_the_budgets_plays_whole_runs() -> None:
    """The same seed is the same run; each kind of noise has the deviation that is said, but for wild blocks."""
    scenario = gate_simulation.Scenario("t4", slower={"single_0": 0.2})
    first, again = (gate_simulation.run(np.random.default_rng(7), scenario, words=True) for _ in range(2))
    assert first == again
    assert first.regressed == {"single_0"}
    assert first.blocks == FIRST + CONFIRMATION
    assert sum(first.said.values()) == len(gate_simulation.NAMES)
    hurried = gate_simulation.Scenario("normal", hurried=True)
    assert gate_simulation.run(np.random.default_rng(8), hurried).regressed == frozenset()
    for name, noise in gate_simulation.NOISES.items():
        made = noise(np.random.default_rng(9), (50_000, 1, 2))
        assert abs(float(np.median(made))) < 0.03, name
        if name != "outliers":
            assert made.std(axis=0) == pytest.approx(1, abs=0.05), name
