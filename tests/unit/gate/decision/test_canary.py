"""When a block is void, when a machine is not fit to measure on, and what its host took of it."""

from __future__ import annotations

import re

import pytest

from laptime.gate.decision.canary import LEAST, MOST, Canaries
from laptime.gate.sides.cpus import stolen


def test_a_block_is_void_by_any_of_its_canaries() -> None:
    """Before or after the block, in either direction."""
    for values in ((0.2, 0.0), (0.0, 0.2), (0.0, -0.2)):
        canaries = Canaries()
        assert canaries.is_void(*values)
        assert (canaries.blocks, canaries.void) == (1, 1)
    canaries = Canaries()
    assert not canaries.is_void(LEAST, -LEAST)
    assert (canaries.blocks, canaries.void) == (1, 0)


def test_the_limit_follows_what_canaries_are_like_here() -> None:
    """From eight on; a few wild ones among them don't raise it, and it stays between what matters and what is wild."""
    canaries = Canaries()
    for _ in range(4):
        canaries.is_void(0.03, -0.03)
    assert canaries.limit() == pytest.approx(4 * 1.4826 * 0.03)
    for _ in range(3):
        canaries.is_void(5.0)
    assert canaries.limit() == pytest.approx(4 * 1.4826 * 0.03)
    quiet = Canaries()
    for _ in range(20):
        quiet.is_void(0.0, 0.0)
    assert quiet.limit() == LEAST
    wild = Canaries()
    for _ in range(20):
        wild.is_void(5.0)
    assert wild.limit() == MOST
    assert wild.void == wild.blocks


@pytest.mark.parametrize(
    ("void", "good", "too_many"), [(0, 0, False), (15, 0, False), (16, 0, True), (16, 16, False), (16, 15, True)]
)
def test_a_machine_is_unfit_when_too_many_blocks_are_void(void: int, good: int, too_many: bool) -> None:
    """More than fifteen, and more than half."""
    canaries = Canaries()
    for _ in range(good):
        canaries.is_void(0.0)
    for _ in range(void):
        canaries.is_void(9.0)
    assert canaries.are_too_many is too_many


@pytest.mark.parametrize(
    ("taken_s", "of_s", "said"),
    [
        (0.0, 100.0, None),
        (4.9, 100.0, None),
        (5.0, 100.0, "5%"),
        (29.0, 100.0, "29%"),
        (0.0, 0.0, None),
        (1.0, 0.0, None),
    ],
)
def test_what_the_host_took_is_said_from_a_twentieth_on(taken_s: float, of_s: float, said: str | None) -> None:
    """Of the time of all CPUs; of no time nothing is said."""
    expected = [] if said is None else [said]
    assert expected == re.findall(r"took (\d+%) of its CPU time", "\n".join(stolen(taken_s, of_s=of_s)))
