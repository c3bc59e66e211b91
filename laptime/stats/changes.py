"""When did a series of figures change? Change points, told from spikes and from drift. Pure.

A stored series has three kinds of noise: each run's own (heavy-tailed), wild runs, and the machine's drift, which is
autocorrelated and which any test that takes the runs for independent calls a change. So:

1. Logarithms are taken, and wild runs pulled in: one (or two) far from the medians of the five around it is a
   spike, and no change (a running median: Tukey, "Exploratory Data Analysis", 1977).
2. Candidates come from penalised least squares, solved exactly (PELT: Killick, Fearnhead & Eckley, "Optimal Detection
   of Changepoints With a Linear Computational Cost", JASA 107, 2012; in `ruptures`: Truong, Oudre & Vayatis, 2020).
3. The model of the series is *steps + drift + noise*, the drift a first-order autoregression (the model of Romano,
   Rigaill, Runge & Fearnhead, "Detecting Abrupt Changes in the Presence of Local Fluctuations and Autocorrelated
   Noise", JASA 117, 2022). Under each drift of a grid, from none to nearly a random walk, the candidates that are not
   worth their price in log-likelihood are dropped, the least worth first. The drift that explains the series best *with
   the steps it has left* wins: few steps and much drift, or more steps and little. What is gradual is cheaper as drift,
   what is sharp as a step.
4. How sure each step is says a permutation test: the innovations of the winning model are exchangeable where there is
   no step, so they are shuffled, and each time the best of all places for a step is looked for (Davison & Hinkley,
   "Bootstrap Methods and Their Application", 1997, ch. 4 and 8).

The prices were set by simulation: `benchmarks/budgets/changes.py` measures what comes of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

LEAST_RUNS = 3
"""A segment of fewer runs is none: it could as well be spikes."""
STEP_PRICE = 7.5
"""The log-likelihood that a step must gain: about log n for its place, and a margin, as the drift is fitted too."""
SHORT_PRICE = 40.0
"""What it must gain besides, over the runs of its shorter side: in heavy tails three wild runs look like a segment."""
DRIFT_PRICE = 4.0
"""The log-likelihood that drift must gain over none: in a short series drift mimics any step, at no loss otherwise."""
SURE = 0.01
"""The permutation test's level. The prices are stricter: what is worth them has seldom a p above this."""
PERMUTATIONS = 999
SPIKE = 3.0
"""Deviations from its neighbours' medians beyond which a run is wild. 99.7 % of normal noise is within."""
FLOOR = 1e-4
"""Noise is taken to be a hundredth of a percent at least: ties and a constant series have none to measure."""
STRETCH = 400
"""Runs that are judged together; a longer series is cut into stretches that overlap by half, as machines change too."""
CANDIDATE_PRICE, MOST_CANDIDATES = 5.0, 40
"""Candidates cost less than a step must gain, as their choice knows nothing of drift; more would be drift anyway."""
REACH = 10
"""How many runs to either side of a candidate its best place is looked for, once its neighbours are known."""
SHARES, KEEPS = (0.1, 0.25, 0.5, 0.75, 0.9), (0.5, 0.8, 0.9, 0.95, 0.98, 0.995)
"""The grid of drifts: its share of the variance, and how much of it is left a run later."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Change:
    """A step in a series.

    at       the index of the first value after it
    start    where the segment before it begins
    stop     where the segment after it ends (exclusive)
    p        how often noise and drift alone would look as much like a step (permutation test). It is given the drift
             that was chosen: nothing in it says how sure that choice was, which is what the prices are for
    """

    at: int
    start: int
    stop: int
    p: float


class NoSearch(Exception):
    """This Python can't search for change points; the message says why, and what to do."""


def changes(values: Sequence[float], *, seed: int = 0) -> list[Change]:
    """The change points of a series of positive figures, in its order. The same series gives the same answer.

    Raises `NoSearch` where the library for it is missing.
    """
    for number, value in enumerate(values):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"value {number} is {value}; a positive finite number is needed")
    logs = np.log(np.asarray(values, dtype=np.float64))
    found: dict[int, float] = {}
    for first, last, begin, end in _stretches(len(logs)):
        own = range(begin - first, end - first)
        for at, p in _judged(logs[first:last], own, np.random.default_rng([seed, first])):
            # of two stretches, each may place the same step in what it owns, a run or two apart
            if first + at - max(found, default=-LEAST_RUNS) >= LEAST_RUNS:
                found[first + at] = p
    edges = [0, *found, len(logs)]
    return [Change(at, edges[i], edges[i + 2], p) for i, (at, p) in enumerate(found.items())]


def _stretches(count: int) -> Iterator[tuple[int, int, int, int]]:
    """Where each stretch starts and stops, and the part of it that it is to decide on: not its ends."""
    starts = [*range(0, count - STRETCH, STRETCH // 2), max(count - STRETCH, 0)]
    cuts = [0, *(start + STRETCH // 4 for start in starts[1:]), count]
    for start, (begin, end) in zip(starts, pairwise(cuts), strict=True):
        yield start, min(start + STRETCH, count), begin, end


def _judged(logs: Array, own: range, random: np.random.Generator) -> list[tuple[int, float]]:
    """A stretch's steps in the part it is to decide on, and the permutation test's p of each."""
    if len(logs) < 2 * LEAST_RUNS:
        return []
    logs = _without_spikes(logs)
    candidates = _candidates(logs)
    if not candidates:
        return []
    places, drift = _chosen(logs, candidates)
    if not places:
        return []
    ones_and_steps = np.tri(len(logs))  # column 0 is constant, column k is a step at k
    white = _whitened(np.column_stack([logs, ones_and_steps]), [drift])[0][0]
    series, steps = white[:, 0], white[:, 1:]
    for _ in range(2):  # the second time with better neighbours
        for number, at in enumerate(places):
            near = [place for place in _between(places, number, len(logs)) if abs(place - at) <= REACH]
            rest, directions = _rest(series, steps, places, number, near)
            places[number] = near[int(np.abs(directions.T @ rest).argmax())]
    judged = [(at, _p(series, steps, places, number, random)) for number, at in enumerate(places) if at in own]
    return [(at, p) for at, p in judged if p <= SURE]


def _without_spikes(logs: Array) -> Array:
    """Each value pulled in to within `SPIKE` deviations of what the medians of all fives around it span.

    A step of at least three runs outlives that; one wild run, or two, do not. Beside a step, the median of the five of
    which the value is the middle would not do: with a spike among them it may be of the other side.
    """
    of_five = np.lib.stride_tricks.sliding_window_view
    medians = of_five(np.pad(np.median(of_five(logs, 5), axis=1), 4, mode="edge"), 5)
    reach = SPIKE * _noise(logs)
    return np.clip(logs, medians.min(axis=1) - reach, medians.max(axis=1) + reach)


def _noise(logs: Array) -> float:
    """The deviation of one value, from the differences of neighbours, so that no step is in it."""
    differences = np.diff(logs)
    deviation = 1.4826 * float(np.median(np.abs(differences - np.median(differences))))  # as of a normal distribution
    return max((deviation or float(np.std(differences))) / math.sqrt(2), FLOOR)


def _candidates(logs: Array) -> list[int]:
    try:
        import ruptures  # type: ignore[import-untyped, unused-ignore]  # a second
    except ModuleNotFoundError as error:
        raise NoSearch(
            "change points are searched for with ruptures, which is not installed: it has no release for Python 3.14. "
            "An environment with Python 3.13 or older reads the same history"
        ) from error

    # float noise at a great level is no step
    search = ruptures.KernelCPD(kernel="linear", min_size=LEAST_RUNS).fit((logs - logs.mean()).reshape(-1, 1))
    price = 2 * _noise(logs) ** 2 * CANDIDATE_PRICE
    while len(ends := search.predict(pen=price)) > MOST_CANDIDATES + 1:
        price *= 1.5
    return [int(end) for end in ends[:-1]]


def _chosen(logs: Array, candidates: list[int]) -> tuple[list[int], tuple[float, float]]:
    """The candidates that are steps, and the drift (share, keep) that explains the series best with them."""
    drifts = [(0.0, 0.0)] + [(share, keep) for keep in KEEPS for share in SHARES]
    columns = np.column_stack([logs, np.tri(len(logs))[:, [0, *candidates]]])
    best, chosen = -math.inf, ([0], drifts[0])
    for drift, white, half_log_det in zip(drifts, *_whitened(columns, drifts), strict=True):
        likelihood, places = _worth_it(white[:, 0], white[:, 1:], candidates)
        likelihood -= float(half_log_det) + (DRIFT_PRICE if drift[0] else 0.0)
        if likelihood > best:
            best, chosen = likelihood, (places, drift)
    return chosen


def _worth_it(series: Array, steps: Array, candidates: list[int]) -> tuple[float, list[int]]:
    """The candidates that are worth their price under one drift, and the log-likelihood less the prices."""
    count, places = len(series), list(candidates)
    inverse = np.linalg.inv(steps.T @ steps)
    heights = inverse @ (steps.T @ series)
    left = float(((series - steps @ heights) ** 2).sum()) + count * FLOOR**2
    while places:
        lengths = np.diff([0, *places, count])
        prices = STEP_PRICE + SHORT_PRICE / np.minimum(lengths[:-1], lengths[1:])
        explained = heights[1:] ** 2 / np.diag(inverse)[1:]
        gains = count / 2 * np.log1p(explained / left)
        worst = int((gains - prices).argmin())
        if gains[worst] >= prices[worst]:
            return -count / 2 * math.log(left) - float(prices.sum()), places
        # the least squares without it, from those with it
        left += float(explained[worst])
        column = inverse[:, worst + 1]
        heights = np.delete(heights - column * heights[worst + 1] / column[worst + 1], worst + 1)
        inverse = inverse - np.outer(column, column) / column[worst + 1]
        inverse = np.delete(np.delete(inverse, worst + 1, axis=0), worst + 1, axis=1)
        del places[worst]
    return -count / 2 * math.log(left), places


def _whitened(columns: Array, drifts: Sequence[tuple[float, float]]) -> tuple[Array, Array]:
    """The columns as they would be without each drift's correlation, and half the logarithm of its determinant.

    They are divided into what was foreseeable and what was not by a Kalman filter, for all drifts at once.
    """
    share, keep = np.array(drifts).T
    spread, foreseen = share, np.zeros((len(drifts), columns.shape[1]))
    white, half_log_det = np.empty((len(drifts), *columns.shape)), np.zeros(len(drifts))
    for number, row in enumerate(columns):
        variance = spread + 1 - share
        surprise = row - foreseen
        white[:, number] = surprise / np.sqrt(variance)[:, None]
        half_log_det += np.log(variance) / 2
        taken = spread / variance
        foreseen = keep[:, None] * (foreseen + taken[:, None] * surprise)
        spread = keep**2 * spread * (1 - taken) + share * (1 - keep**2)
    return white, half_log_det


def _between(places: list[int], number: int, count: int) -> range:
    """Where a step may be, given its neighbours."""
    edges = [0, *places, count]
    return range(edges[number] + LEAST_RUNS, edges[number + 2] - LEAST_RUNS + 1)


def _rest(series: Array, steps: Array, places: list[int], number: int, where: Sequence[int]) -> tuple[Array, Array]:
    """What the other steps leave of the (whitened) series, and of steps elsewhere, these made of length one."""
    others, _ = np.linalg.qr(steps[:, [0, *places[:number], *places[number + 1 :]]])
    directions = steps[:, where] - others @ (others.T @ steps[:, where])
    return series - others @ (others.T @ series), directions / np.linalg.norm(directions, axis=0)


def _p(series: Array, steps: Array, places: list[int], number: int, random: np.random.Generator) -> float:
    """How often shuffled innovations have a place for a step as good as this one's."""
    where = _between(places, number, len(series))
    rest, directions = _rest(series, steps, places, number, where)
    height = float(directions[:, places[number] - where.start] @ rest)
    innovations = rest - height * directions[:, places[number] - where.start]
    shuffled = random.permuted(np.tile(innovations, (PERMUTATIONS, 1)), axis=1)
    found = np.abs(shuffled @ directions).max(axis=1)
    return (int((found >= abs(height)).sum()) + 1) / (PERMUTATIONS + 1)
