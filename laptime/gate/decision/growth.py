"""Whether a benchmark's rounds take longer and longer: then its state grows with each call, and there is no one time
that a call takes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p
from statistics import median

from laptime.gate.decision.rounds import Turn
from laptime.stats import signed_rank

_PARTS = 3
LEAST_ROUNDS = 6
LEAST = 0.05
"""So much longer are the last rounds of a block, at least."""
_LEVEL = 1 / 64
"""What six blocks can show."""


def within(turns: Sequence[Turn]) -> float | None:
    """How much longer a block's last rounds take than its first, as a log ratio of medians; None where it has few."""
    if len(turns) < LEAST_ROUNDS:
        return None
    part = len(turns) // _PARTS
    first, last = (median(turn.wall for turn in some) for some in (turns[:part], turns[-part:]))
    return log(last / first) if first > 0 and last > 0 else None


def grown(blocks: Sequence[float]) -> float | None:
    """By what share it grows within a block; None where the blocks don't agree, beyond chance, that it does."""
    if signed_rank.p_above(blocks, log1p(LEAST)) > _LEVEL:
        return None
    return exp(signed_rank.centre(blocks)) - 1


def remark(base: Sequence[float], head: Sequence[float]) -> str | None:
    """What is to be said of a benchmark, by its sides' blocks."""
    found = [
        (label, share) for label, blocks in (("BASE", base), ("HEAD", head)) if (share := grown(blocks)) is not None
    ]
    if not found:
        return None
    sides = ", ".join(f"{label} {share:+.0%}" for label, share in found)
    return f"each call takes longer than the one before ({sides} within a block): its state grows, reset it in a setup"
