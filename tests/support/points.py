"""What the tests of scaling, sweeps and crossings share: points whose truth is known, exact and noisy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from laptime.stats.points import Point

FIVE = (1, 2, 4, 8, 16)
EIGHT = (1, 2, 3, 4, 6, 8, 12, 16)
TEN = (*EIGHT, 24, 32)
ROUNDS = 7


def cost(workers: float, sigma: float, kappa: float) -> float:
    """Seconds that so many workers take for what one does in a second, times the workers."""
    return 1 + sigma * (workers - 1) + kappa * workers * (workers - 1)


def law(
    workers: Sequence[int], sigma: float = 0.0, kappa: float = 0.0, gamma: float = 50.0, items: int = 100
) -> list[Point]:
    """Points that are exactly on the curve."""
    return [Point(n, items, (items * cost(n, sigma, kappa) / gamma / n,) * ROUNDS) for n in workers]


def noisy(points: Sequence[Point], noise: float, random: np.random.Generator) -> list[Point]:
    """Each point off by its own factor, and its rounds about it."""
    return [
        Point(one.x, one.items, tuple(one.seconds * np.exp(random.normal(0, noise) + random.normal(0, noise, ROUNDS))))
        for one in points
    ]


def rates(*throughputs: float, workers: Sequence[int] = EIGHT) -> list[Point]:
    """Points with these items a second."""
    return [Point(n, 10, (10 / rate,) * ROUNDS) for n, rate in zip(workers, throughputs, strict=True)]


def line(**seconds: Sequence[float]) -> list[Point]:
    """``x1=(2.0, 2.1)``: a point at 1 of one item, and its rounds."""
    return [Point(float(name[1:]), 1, tuple(rounds)) for name, rounds in seconds.items()]
