"""Whole trials, of random figures: each ends with a word for all, is wrong seldom, and finds what it promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laptime.gate.decision.trial import (
    CONFIRMATION,
    CPU,
    IMPROVED,
    REGRESSED,
    UNCHANGED,
    WALL,
    Hypothesis,
    smallest,
)
from tests.support.trials import SECOND, THIRD, play, same


@given(st.permutations(["a", "b", "c", "d"]))
@settings(max_examples=10)
def test_names_come_in_their_own_order(names: list[str]) -> None:
    """What is wanted, confirmed and found is in the order of the benchmarks; the verdicts don't depend on it."""
    effects = {"a": 0.0, "b": 0.06, "c": -0.06, "d": 0.0}
    run = play({name: same(effects[name]) for name in names}, to_the_end=True)
    assert run.trial.wanted() == tuple(names)
    run.until(lambda: run.count["b"] == SECOND)
    assert run.trial.wanted() == tuple(name for name in names if name in "bc")
    run.to_the_end()
    assert list(dict.fromkeys(name for name, _ in run.words())) == names
    verdicts = {"a": UNCHANGED, "b": REGRESSED, "c": IMPROVED, "d": UNCHANGED}
    assert {name: verdict for (name, _), verdict in run.words().items()} == verdicts


@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_any_run_ends_with_a_word_for_every_benchmark(seed: int, to_the_end: bool, ends: int) -> None:
    """Random noise, effects, gaps, drops and a random end; what is convicted is said, and nobody is forgotten."""
    random = np.random.default_rng(seed)
    names = [f"n{number}" for number in range(random.integers(1, 5))]
    effects = {name: float(random.choice([0.0, 0.01, 0.05, 0.2, -0.2])) for name in names}
    noise = float(random.choice([0.001, 0.03, 0.2]))

    def give(name: str, _: int) -> Mapping[str, float]:
        values = {metric: effects[name] + noise * float(random.standard_t(4)) for metric in (WALL, CPU)}
        return values if random.random() < 0.95 else {}

    run = play(dict.fromkeys(names, give), to_the_end=to_the_end)
    dropped = set()
    while run.step():
        if random.random() < 0.01:
            name = str(random.choice(names))
            run.trial.drop(name)
            dropped.add(name)
        if run.rounds >= ends:
            if run.trial.confirming:
                run.trial.stop("over")
            else:
                run.trial.hurry()
    assert run.rounds <= THIRD + 3 * CONFIRMATION
    found = run.trial.findings()
    assert {one.benchmark for one in found} == set(names) - dropped
    said = {Hypothesis(one.benchmark, one.metric, slower=True) for one in found if one.verdict == REGRESSED}
    assert said == {one for one in run.trial.convicted if one.slower and one.benchmark not in dropped}
    assert all(one.low is None or one.low <= (one.ratio or 0) <= (one.high or 0) for one in found)


def test_the_smallest_effect_is_known_from_three_blocks_on() -> None:
    """It grows with the noise, and holds the margin; where it is beyond all sense, there is none."""
    assert smallest([0.1, 0.2], 0.01) is None
    quiet, loud = smallest([0.01, -0.01, 0.0], 0.01), smallest([0.05, -0.05, 0.0], 0.01)
    assert quiet is not None
    assert loud is not None
    assert 0.01 < quiet < 0.03 < loud < 0.08
    assert smallest([5.0, -5.0, 0.0], 0.01) is None
    assert smallest([0.01, -0.01, 0.0], 0.01, blocks=7) is None
    assert smallest([0.01, -0.01, 0.0], 0.02) == pytest.approx((1 + quiet) * 1.02 / 1.01 - 1)


def test_whole_runs_are_wrong_seldom_and_find_what_they_promise() -> None:
    """A few hundred runs at the margin, and of 5 % at the largest noise; benchmarks/budgets has 100,000 of each."""
    random = np.random.default_rng(3)

    def told(effects: Sequence[float], deviation: float) -> frozenset[str]:
        def give(name: str, _: int) -> Mapping[str, float]:
            wall, other = random.standard_normal(2)
            effect = log1p(effects[int(name)])
            return {WALL: effect + deviation * wall, CPU: effect + deviation * (0.8 * wall + 0.6 * other)}

        run = play({str(number): give for number in range(len(effects))})
        run.until(lambda: False)
        return frozenset(one.benchmark for one in run.trial.convicted if one.slower)

    false = sum(bool(told([0.01] * 4, 0.03)) for _ in range(300))
    found = sum("0" in told([0.05, 0.0, 0.0, 0.0], 0.036) for _ in range(200))
    assert false <= 8  # at 1 %, more come once in 500,000 such tests of tests, and 3 are expected
    assert found >= 180
