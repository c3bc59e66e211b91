"""The race on known truths: what is equal is never named a winner, what is faster is found, and intervals hold.

Simulated with the decisions of a real race and a made clock, on recorded traces of a machine's speed
(`benchmarks.budgets.race`; there, 300 races of each kind), and once really run (`benchmarks.budgets.race_runs`).
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from benchmarks.budgets import race, race_runs
from tests.support.sessions import OK, PLAIN, PYTEST, run

NAMES = sorted(path.stem for path in race.TRACES.glob("*.json"))
OF_A_BUSY_MACHINE = "busy-1"
TRACES = [pytest.param(name, marks=() if name == OF_A_BUSY_MACHINE else pytest.mark.slow) for name in NAMES]
"""One is for every day, the others are for the slow tests."""
RACES = 25

FASTER = """
    import pytest
    from test_equal import WAYS, spin

    HARD, EASY = [60_000] * 4, [30_000] * 4

    @pytest.mark.parametrize("way", WAYS[:3], ids=str)
    def test_faster(race, way):
        items = EASY if way.workers == 3 else HARD
        race(way, spin, items, expected=[sum(range(loops)) for loops in items])
"""


def outcomes(scenario: race.Scenario) -> list[race.Outcome]:
    """So many races of a scenario, the same each time."""
    return race.Races(RACES, seed=7).of("races", scenario)


@pytest.mark.parametrize("trace", TRACES)
def test_of_twelve_equal_variants_none_is_named(trace: str) -> None:
    """On a machine whose speed wanders, no race of equals has a winner."""
    assert [] == [one for one in outcomes(race.Scenario(race.EQUAL, race.recorded(trace))) if one.named]


@pytest.mark.parametrize("trace", TRACES)
def test_a_variant_that_is_30_percent_faster_is_found(trace: str) -> None:
    """It is shown to be faster within the time of the default tier, in all but a few races."""
    shown = [one.best_low > 1 for one in outcomes(race.Scenario(race.ONE_FASTER, race.recorded(trace)))]
    assert sum(shown) >= RACES - 2


@pytest.mark.parametrize("trace", TRACES)
def test_all_intervals_of_a_race_hold_together(trace: str) -> None:
    """Where some are faster, some slower and some leave early, every interval holds in nearly all races."""
    held = [one.covered for one in outcomes(race.Scenario(race.MIXED, race.recorded(trace)))]
    assert sum(held) >= RACES - 3


@pytest.mark.slow
@pytest.mark.serial
def test_a_real_race_of_equals_has_no_winner_and_half_the_work_has_one(tmp_path: Path) -> None:
    """Twelve times the same work: take the first. Half of it: taken, or nobody where others disturbed the race."""
    (tmp_path / "test_equal.py").write_text(race_runs.EQUAL)
    (tmp_path / "test_faster.py").write_text(dedent(FASTER))
    ended = run(tmp_path, *PYTEST, "--benchmark-only", "--race-time", "5", "--no-history", *PLAIN, limit_s=180)
    assert OK == ended.code, ended.text
    equal, _, faster = ended.text.partition("\nfaster\n")
    assert "Take sequential-w" not in equal
    assert "For one run take sequential-w" not in equal
    assert "No variant is shown to gain 10 %" in equal or "NO VERDICT: " in equal
    assert "Take sequential-w3: " in faster or "NO VERDICT: " in faster
