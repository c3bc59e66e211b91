"""What a study answers, in sentences computed from its figures. Pure.

Nothing here decides anything about figures: `laptime.stats` does, and these are its words.
"""

from __future__ import annotations

from collections.abc import Iterator

from laptime.analysis.race import MOSTLY_COMPUTING
from laptime.report.study import Line, Point, Study
from laptime.report.units import duration, times
from laptime.stats.break_even import Crossing, crossing
from laptime.stats.points import compared
from laptime.stats.scaling import Amdahl, NoFit, Usl, amdahl, knee, usl
from laptime.stats.sweep import best

MEMORY_GROWS = 1.1
"""Peak memory that differs by less along a line is not worth a sentence."""
_MB = 1e6


def findings(study: Study) -> list[str]:
    """A sentence or two for each line."""
    return list(_SAYS[study.kind](study))


def law(line: Line) -> Amdahl | Usl | NoFit:
    """The law that can be fitted: Gunther's to eight numbers of workers and more, else Amdahl's; or why none can."""
    points = line.measured()
    gunther = usl(points)
    return gunther if isinstance(gunther, Usl) else amdahl(points)


def number(x: float | str) -> str:
    """``1,024``, ``0.05``, or the name."""
    if isinstance(x, str):
        return x
    return f"{x:,.0f}" if x == int(x) else f"{x:,.6g}"


def _scaling(study: Study) -> Iterator[str]:
    for line in study.lines:
        found = knee(line.measured())
        if found is None:
            yield f"{line.name}: measured with one number of {study.x_name} only."
            continue
        first, at = line.points[0], line.at(found.workers)
        assert at is not None  # the knee is one of the points
        gain = f"{times(first.per_item_s / at.per_item_s)} what {number(first.x)} does"
        if found.workers == first.x:
            said = f"{line.name}: more {study.x_name} than {number(first.x)} gain nothing"
        elif found.low == first.x:
            said = f"{line.name}: that more {study.x_name} than {number(first.x)} gain anything is not shown"
        elif found.at_edge:
            said = f"{line.name}: gains up to {found.workers} {study.x_name}, the most that were measured: {gain}"
        else:
            span = _span(found.low, found.high)
            said = f"{line.name}: {found.workers} {study.x_name} are enough ({span}): {gain}"
        yield f"{said}. {_law(line)}"


def _law(line: Line) -> str:
    fitted = law(line)
    if isinstance(fitted, NoFit):
        return f"No law: {fitted.reason}."
    if isinstance(fitted, Amdahl):
        serial = fitted.serial
        return f"By Amdahl's law {serial.value:.1%} of it is serial ({serial.low:.1%} to {serial.high:.1%})."
    sigma, kappa = fitted.sigma, fitted.kappa
    peak = f"; the most at {fitted.peak:.0f}" if fitted.peak is not None else ""
    return (
        f"By the Universal Scalability Law contention is {sigma.value:.1%} ({sigma.low:.1%} to {sigma.high:.1%}) and "
        f"coherency {kappa.value:.2%} ({kappa.low:.2%} to {kappa.high:.2%}){peak}."
    )


def _sweep(study: Study) -> Iterator[str]:
    for line in study.lines:
        found = best(line.measured())
        if found is None:
            yield f"{line.name}: measured at one {study.x_name} only."
            continue
        at = line.at(found.x)
        assert at is not None  # the best is one of the points
        beyond = "" if found.first < found.low and found.high < found.last else ", as far as it was measured"
        span = f"from {number(found.low)} to {number(found.high)} nothing is lost{beyond}"
        alike = span if found.low < found.high else "no other does as well"
        took = f"{duration(at.per_item_s)} per {study.item}, {number(float(f'{at.throughput:.3g}'))} a second"
        yield f"{line.name}: best at {number(found.x)} {study.x_name} ({took}); {alike}."
        yield from _memory(line)


def _memory(line: Line) -> Iterator[str]:
    known = [(point.x, point.peak_pss_bytes) for point in line.points if point.peak_pss_bytes]
    if known and known[-1][1] >= MEMORY_GROWS * known[0][1]:
        (first, little), (last, much) = known[0], known[-1]
        yield f"{line.name}: memory {little / _MB:,.0f} MB at {number(first)}, {much / _MB:,.0f} MB at {number(last)}."


def _break_even(study: Study) -> Iterator[str]:
    plain, *others = study.lines
    for line in others:
        found = crossing(plain.measured(), line.measured())
        if isinstance(found, Crossing):
            low = "less" if found.low is None else f"{found.low:.3g}"
            span = f"{low} to {found.high:.3g}"
            yield f"{line.name}: pays from {found.x:.3g} {study.x_name} on ({span}), against {plain.name}."
        else:
            yield f"{line.name}, against {plain.name}: {found.reason}."


def _phases(study: Study) -> Iterator[str]:
    for line in study.lines:
        parts = ", ".join(f"{number(point.x)} {duration(point.median_s)}" for point in line.points)
        yield f"{line.name}: {parts}; {duration(sum(point.median_s for point in line.points))} in all."


def _compare(study: Study) -> Iterator[str]:
    base, *others = study.lines
    for x in study.places:
        first = base.at(x)
        found = [(line.name, one) for line in others if (one := line.at(x))]
        if first and found:
            against = "; ".join(f"{name} {duration(one.per_item_s)}, {_times(first, one)}" for name, one in found)
            yield f"{number(x)}: {base.name} {duration(first.per_item_s)} per {study.item}; {against}."
            if first.cpu_s < MOSTLY_COMPUTING * first.median_s:
                every = [(base.name, first), *found]
                spent = "; ".join(f"{name} {duration(one.cpu_s / one.items)}" for name, one in every)
                yield f"CPU per {study.item}: {spent}."


def _times(base: Point, other: Point) -> str:
    """How many times as fast, with the interval; where that holds 1, that no difference is shown."""
    found = compared(other.measured(), base.measured())
    gain = times(found.estimate)
    if found.low <= 0:
        return f"{gain} (too few undisturbed rounds for an interval)"
    span = f"{times(found.low)} to {times(found.high)}".replace(" ×", "")
    return f"{gain} ({span}{', no difference shown' if found.low <= 1 <= found.high else ''})"


def _span(low: int, high: int) -> str:
    return f"from {low} to {high}, to 95 %" if low < high else "and no fewer"


_SAYS = {
    "scaling": _scaling,
    "sweep": _sweep,
    "break_even": _break_even,
    "phases": _phases,
    "compare": _compare,
}
