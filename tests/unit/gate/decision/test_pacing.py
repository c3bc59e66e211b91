"""How long blocks take, how much there is time for, and benchmarks that grow. Pure."""

from __future__ import annotations

from math import log1p

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.budgets.gate_crowd_simulation import Crowd, run
from laptime.gate.decision import growth
from laptime.gate.decision.pacing import FEWEST_PAIRS, Costs, shortened
from laptime.gate.decision.rounds import Pace, Turn

MS = 0.001


def turns(*walls_ms: float) -> tuple[Turn, ...]:
    return tuple(Turn(wall * MS, wall * MS, 0.0, 0) for wall in walls_ms)


# how long


def test_a_block_costs_its_start_and_what_each_benchmark_needs():
    """Rounds of both sides, with those that warm up, and the set-up of each test."""
    costs = Costs(start_s=1.0, each_s=0.1, round_s={"a": 0.010, "b": 0.020})
    paces = [("a", Pace(1, 1, 48)), ("b", Pace(1, 1, 8))]
    assert costs.played(paces) == pytest.approx(1.05 * 2 * (0.010 * 50 + 0.020 * 10))
    assert costs.block(paces, kinds=2) == pytest.approx(2.0 + 0.2 + costs.played(paces))


def test_what_blocks_took_is_learned_apart_by_start_and_benchmark():
    """So that a confirmation of one is not taken for as long as the start of all."""
    costs = Costs(round_s=dict.fromkeys(map(str, range(12)), 0.010))
    paces = [(str(number), Pace(1, 1, 20)) for number in range(12)]
    for _ in range(30):
        costs.learn(1.5, 12 * 0.05 + costs.played(paces), paces)
    assert costs.start_s == pytest.approx(1.5, rel=0.01)
    assert costs.each_s == pytest.approx(0.05, rel=0.01)
    assert costs.block(paces[:1], 1) == pytest.approx(1.55 + costs.played(paces[:1]), rel=0.01)


@settings(max_examples=50)
@given(st.integers(1, 300), st.integers(1, 40), st.floats(1, 1000), st.floats(0.5, 20))
def test_what_there_is_time_for_fits_and_little_more_would_not(count, blocks, available_s, round_ms):
    """Or the fewest rounds of each are too much already."""
    costs = Costs(1.0, 0.01, {str(number): round_ms * MS for number in range(count)})
    paces = [(str(number), Pace(1, 1, 48)) for number in range(count)]
    share = costs.share(paces, 1, blocks, available_s)

    def takes(share: float) -> float:
        return costs.block([(name, shortened(pace, share)) for name, pace in paces], 1) * blocks

    if share == 1:
        assert takes(1.0) <= available_s
    elif share == 0:
        assert takes(0.0) > available_s or takes(0.02) > available_s
    else:
        assert takes(share) <= available_s < takes(share + 0.05)


def test_a_pace_is_shortened_by_whole_abba():
    """And never below what tells anything, nor lengthened."""
    assert [48, 24, FEWEST_PAIRS] == [shortened(Pace(3, 2, 48), share).pairs for share in (1.0, 0.49, 0.0)]
    assert Pace(3, 2, FEWEST_PAIRS - 2) == shortened(Pace(3, 2, FEWEST_PAIRS - 2), 0.5)


# growth


def test_growth_is_that_of_the_last_rounds_over_the_first():
    """Medians of a third each, so that one slow round is none."""
    assert growth.within(turns(10, 10, 99, 11, 11, 11, 20, 20, 20)) == pytest.approx(log1p(1.0))
    assert growth.within(turns(10, 10, 10, 10, 10, 10)) == 0
    assert growth.within(turns(10, 10, 20, 20, 20)) is None, "too few rounds"
    assert growth.within(turns(0, 0, 1, 1, 1, 1)) is None, "no ratio"


@pytest.mark.parametrize(
    ("base", "head", "said"),
    [
        ([0.3] * 6, [0.3] * 6, "(BASE +35%, HEAD +35% within a block)"),
        ([0.0] * 6, [0.3] * 6, "(HEAD +35% within a block)"),
        ([0.3] * 5, [0.3] * 5, None),  # five blocks can't show it
        ([0.04] * 20, [-0.3] * 20, None),  # little, and a slow start
        ([0.3, -0.3] * 6, [0.3, -0.2] * 6, None),  # the machine's
    ],
)
def test_growth_is_said_where_blocks_agree_that_it_is_more_than_5_percent(base, head, said):
    """By side."""
    found = growth.remark(base, head)
    if said is None:
        assert found is None
    else:
        assert said in found


# more benchmarks than there is time for: the judge itself, with a made clock and made blocks


@pytest.mark.parametrize("slowed", [60, 200])
def test_where_more_became_slower_than_can_be_confirmed_in_time_it_still_fails(slowed):
    """Those that are slowest are confirmed; none of the others is named, and it ends in time."""
    told = [run((2, number), Crowd(slowed, 0.10)) for number in range(2)]
    assert all(one.found for one in told)
    assert not any(one.wrong for one in told)
    assert max(one.seconds for one in told) <= 600
    soon = [run((2, number), Crowd(slowed, 0.06), max_time_s=400) for number in range(2)]
    assert all(one.found for one in soon)
    assert max(one.found for one in soon) < slowed
    assert max(one.seconds for one in soon) <= 400
