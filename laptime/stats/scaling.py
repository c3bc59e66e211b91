"""How does throughput grow with the number of workers? Amdahl's law, Gunther's, and the knee. Pure.

Both laws say what one item costs in seconds of all workers together, N/X(N), where N workers do X(N) items a second:

    N / X(N) = (1 + σ (N - 1) + κ N (N - 1)) / γ

γ is the throughput of one worker, σ the share of the work that only one can do at a time (contention), κ what each
pair of workers costs (coherency). With κ = 0 it is Amdahl's law ("Validity of the single processor approach to
achieving large scale computing capabilities", AFIPS 1967); with κ, Gunther's Universal Scalability Law ("Guerrilla
Capacity Planning", 2007, ch. 4 to 6).

So written the laws are linear in 1/γ, σ/γ and κ/γ, and are fitted so: by least squares of relative deviations,
reweighted until they stand (quasi-likelihood with a constant coefficient of variation: McCullagh & Nelder, "Generalized
Linear Models", 1989, ch. 9). γ is fitted too: measuring everything against one worker takes that one figure for exact.

The intervals of σ and κ, ratios of coefficients, are Fieller's ("Some problems in interval estimation", JRSS B 16,
1954), with Student's t. What of them the law doesn't allow (below 0; for σ above 1) is cut off, which leaves their
coverage as it is. Where nothing is left, the law is refused: there is no fit, and the reason in words.

What this assumes:

- One point is one observation, its median round. Rounds of a point share their moment and their pool, so they tell
  nothing of how far a point is off the curve; what tells is how far all points are.
- Points are off independently of each other, by about the same percentage. So no point should be measured long
  before the others.
- The law holds. Where it doesn't (more workers than CPUs: throughput rises, then stops at once) the points are far
  off the curve (`scatter`), and the intervals wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from laptime.stats.intervals import CONFIDENCE
from laptime.stats.points import Point, compared, ordered

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.floating]

LEAST_FOR_AMDAHL, LEAST_FOR_USL = 5, 8
"""Different numbers of workers: three degrees of freedom are left for Amdahl's two parameters, five for Gunther's."""
TOLERANCE = 0.05
"""So much less throughput than the best is no loss: no run tells 5 % from nothing on a shared machine."""
FLOOR = 1e-4
"""Figures are taken to be off by a hundredth of a percent at least: exact ones would leave no room for rounding."""
PASSES = 20
"""The weights stand after three or four; they are found anew so often at most."""
SETTLED = 1e-12


@dataclass(frozen=True, slots=True)
class Estimate:
    """A parameter, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NoFit:
    """Why there is no fit, in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Amdahl:
    """Amdahl's law, fitted.

    gamma    items a second of one worker
    serial   the share of the work that is not done in parallel, 0 to 1
    scatter  the points' relative standard deviation from the curve
    fewest   the fewest workers that were measured, and `most` the most
    """

    gamma: Estimate
    serial: Estimate
    scatter: float
    fewest: int
    most: int

    def throughput(self, workers: float) -> float:
        """Items a second. Raises `ValueError` outside of what was measured."""
        _inside(workers, self.fewest, self.most)
        return _throughput(workers, self.gamma.value, self.serial.value, 0.0)


@dataclass(frozen=True, slots=True)
class Usl:
    """Gunther's Universal Scalability Law, fitted.

    gamma    items a second of one worker
    sigma    contention: the share of the work that only one worker can do at a time, 0 to 1
    kappa    coherency: what each pair of workers costs, 0 or more
    scatter  the points' relative standard deviation from the curve
    fewest   the fewest workers that were measured, and `most` the most
    """

    gamma: Estimate
    sigma: Estimate
    kappa: Estimate
    scatter: float
    fewest: int
    most: int

    def throughput(self, workers: float) -> float:
        """Items a second. Raises `ValueError` outside of what was measured."""
        _inside(workers, self.fewest, self.most)
        return _throughput(workers, self.gamma.value, self.sigma.value, self.kappa.value)

    @property
    def peak(self) -> float | None:
        """The number of workers beyond which throughput falls.

        None where it isn't inside of what was measured, or where there may be none: κ's interval begins at 0.
        """
        if self.kappa.low <= 0:
            return None
        workers = sqrt((1 - self.sigma.value) / self.kappa.value)
        return workers if self.fewest < workers < self.most else None


@dataclass(frozen=True, slots=True)
class Knee:
    """The fewest workers with which nothing is lost: their throughput is within 5 % of the best that was measured.

    workers  by the medians
    low      the fewest of which a greater loss isn't shown
    high     the fewest of which it is shown that the loss isn't greater
    best     the workers with the best throughput
    most     the most that were measured
    """

    workers: int
    low: int
    high: int
    best: int
    most: int

    @property
    def at_edge(self) -> bool:
        """Whether more workers than were measured may gain still: then it is no knee but the end of the line."""
        return self.workers == self.most


def amdahl(points: Sequence[Point]) -> Amdahl | NoFit:
    """Fit Amdahl's law to throughput against workers; no fit from fewer than five numbers of them.

    `Point.x` is the number of workers. Raises `ValueError` where it is none, or twice the same.
    """
    found = _fit(points, "Amdahl's law", LEAST_FOR_AMDAHL, 2)
    if isinstance(found, NoFit):
        return found
    gamma, serial = found.estimates
    return Amdahl(gamma, serial, found.scatter, found.fewest, found.most)


def usl(points: Sequence[Point]) -> Usl | NoFit:
    """Fit the Universal Scalability Law, as `amdahl` does its own; no fit from fewer than eight numbers of workers."""
    found = _fit(points, "the Universal Scalability Law", LEAST_FOR_USL, 3)
    if isinstance(found, NoFit):
        return found
    gamma, sigma, kappa = found.estimates
    return Usl(gamma, sigma, kappa, found.scatter, found.fewest, found.most)


def knee(points: Sequence[Point], tolerance: float = TOLERANCE) -> Knee | None:
    """The knee, from the measured points alone, or None where there are fewer than two. Raises as `amdahl` does.

    It is defined by what it is asked for: how few workers do as well. Kneedle (Satopää et al., "Finding a 'Kneedle' in
    a Haystack", 2011), which looks for the sharpest bend, scales both axes to what was measured: each number of workers
    that is measured besides moves its knee, and it has no interval. Each comparison with the best is at 95 %, and the
    best is taken as it came out: of several that are equal it is the luckiest, so the knee is rather too high.
    """
    line = _line(points)
    if len(line) < 2:
        return None
    best = max(line, key=lambda point: point.throughput)
    limit = 1 / (1 - tolerance)
    against = [(int(point.x), compared(best, point)) for point in line]
    return Knee(
        workers=next(workers for workers, times in against if times.estimate <= limit),
        low=next(workers for workers, times in against if times.low <= limit),
        high=next(workers for workers, times in against if times.high <= limit),
        best=int(best.x),
        most=int(line[-1].x),
    )


def _line(points: Sequence[Point]) -> list[Point]:
    for point in points:
        if point.x < 1 or point.x != int(point.x):
            raise ValueError(f"{point.x:g} is no number of workers")
    return ordered(points)


def _inside(workers: float, fewest: int, most: int) -> None:
    if not fewest <= workers <= most:
        raise ValueError(
            f"{workers:g} workers: from {fewest} to {most} were measured, and the law is not drawn further"
        )


def _throughput(workers: float, gamma: float, sigma: float, kappa: float) -> float:
    return gamma * workers / (1 + sigma * (workers - 1) + kappa * workers * (workers - 1))


@dataclass(frozen=True, slots=True)
class _Fit:
    """γ, σ and, where it was asked for, κ."""

    estimates: tuple[Estimate, ...]
    scatter: float
    fewest: int
    most: int


def _fit(points: Sequence[Point], law: str, least: int, parameters: int) -> _Fit | NoFit:
    line = _line(points)
    if len(line) < least:
        return NoFit(f"{law} needs {least} numbers of workers at least; {len(line) or 'none'} measured")

    import numpy as np
    from scipy.special import stdtrit  # a tenth of what scipy.stats takes to import

    workers = np.array([point.x for point in line])
    cost = workers * np.array([point.item_s for point in line])
    columns = np.column_stack([np.ones_like(workers), workers - 1, workers * (workers - 1)])[:, :parameters]
    allowed, curve = _bounded(columns, cost)
    relative = columns / curve[:, None]
    free, *_ = np.linalg.lstsq(relative, cost / curve)
    freedom = len(line) - parameters
    rest = cost / curve - relative @ free
    noise = max(sqrt(float(rest @ rest) / freedom), FLOOR)
    reach = noise * float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
    roots = np.linalg.inv(np.linalg.qr(relative, mode="r"))  # of the normal equations' matrix it may not exist
    spread = reach**2 * (roots @ roots.T)  # the squares of the half widths
    if free[0] <= 0 or free[0] ** 2 <= spread[0, 0] or allowed[0] <= 0:
        return NoFit(f"the points are {noise:.0%} off {law}: too far to say what one worker does")

    half = sqrt(spread[0, 0])
    estimates = [_around(1 / float(allowed[0]), 1 / float(free[0] + half), 1 / float(free[0] - half))]
    bounds = (("σ", 1.0), ("κ", None))
    for number, (name, most) in zip(range(1, parameters), bounds, strict=False):
        low, high = _fieller(free, spread, number)
        if high < 0 or (most is not None and low > most):
            return NoFit(_refusal(law, name, float(free[number] / free[0]), low, high))
        within = (max(low, 0.0), high if most is None else min(high, most))
        estimates.append(_around(float(allowed[number] / allowed[0]), *within))
    off = cost / curve - 1
    return _Fit(tuple(estimates), sqrt(float(off @ off) / freedom), int(line[0].x), int(line[-1].x))


def _around(value: float, low: float, high: float) -> Estimate:
    # the fit within bounds is a little elsewhere than the free one, which the interval is of
    return Estimate(value, min(low, value), max(high, value))


def _bounded(columns: Array, cost: Array) -> tuple[Array, Array]:
    """The coefficients that the law allows and that are nearest, and the costs that they give."""
    import numpy as np
    from scipy.optimize import nnls

    # a + b (N - 1) is (a - b) + b N: so 0 <= b <= a, which is 0 <= σ <= 1, is that neither is negative
    shifted = columns.copy()
    shifted[:, 1] += 1
    curve = cost
    for _ in range(PASSES):
        found, _rest = nnls(shifted / curve[:, None], cost / curve)
        before, curve = curve, np.maximum(shifted @ found, cost / 100)  # a cost of 0 would be infinitely far off
        if np.abs(curve / before - 1).max() < SETTLED:
            break
    return np.concatenate([[found[0] + found[1]], found[1:]]), curve


def _fieller(coefficients: Array, spread: Array, number: int) -> tuple[float, float]:
    """The interval of a coefficient's ratio to the first, whose own interval must not hold 0.

    All ratios r are in it for which (b - r a)² is no greater than the square of its half width.
    """
    a, b = float(coefficients[0]), float(coefficients[number])
    squared = a * a - float(spread[0, 0])
    middle = a * b - float(spread[0, number])
    rest = b * b - float(spread[number, number])
    root = sqrt(max(middle * middle - squared * rest, 0.0))
    return (middle - root) / squared, (middle + root) / squared


def _refusal(law: str, name: str, value: float, low: float, high: float) -> str:
    if name == "κ":
        what, bound = "throughput levels off and rises again", "below 0"
    elif high < 0:
        what, bound = "throughput grows by more than the workers, or turns down too sharply after it grew", "below 0"
    else:
        what, bound = "several workers do less than one", "above 1"
    return f"{what}: {law} has no {name} {bound}, and it would be {value:.2g} ({low:.2g} to {high:.2g})"
