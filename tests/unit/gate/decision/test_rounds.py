"""What a block says of a benchmark, from its rounds."""

from __future__ import annotations

from math import log

import pytest

from laptime.gate.decision.rounds import Measured
from laptime.gate.decision.trial import (
    CPU,
    WALL,
)
from tests.support.verdicts import (
    turns,
)


def test_a_block_is_the_median_of_its_pairs() -> None:
    """Not the ratio of two medians: a machine that changes speed changes both of a pair."""
    measured = Measured(turns([1, 10, 100]), turns([2, 20, 50]))
    assert measured.ratio(WALL) == pytest.approx(log(2))
    assert measured.ratio(CPU) == pytest.approx(log(2))
    assert measured.parallelism == pytest.approx(0.5)


def test_a_figure_that_is_zero_or_known_in_ticks_has_no_ratio() -> None:
    """CPU time only."""
    assert Measured(turns([1, 0]), turns([1, 1])).ratio(WALL) is None
    assert Measured((), ()).ratio(WALL) is None
    ticks = Measured(turns([1], ticks=0.01), turns([1]))
    assert ticks.ratio(CPU) is None
    assert ticks.ratio(WALL) == 0
