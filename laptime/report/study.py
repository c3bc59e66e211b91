"""Studies: lines of figures, and what they answer. Pure.

The input is a benchmark as pytest-benchmark writes it to JSON, with `extra_info["study"]` to say where it stands:
``{"name", "kind", "title", "line", "x", "x_name", "items", "item"}``. The kinds, and how each is read:

scaling     x is a number of workers; throughput against that of one worker
sweep       x is a number; which is best, and from where to where it makes no difference
break_even  x is a number; the first line is the plain way, and another begins to gain on it somewhere
phases      x is a name, a part of one whole
compare     x is a name; the lines are compared with the first one at each
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from laptime.analysis.documents import in_order
from laptime.stats import intervals
from laptime.stats import points as stats

KINDS = ("scaling", "sweep", "break_even", "phases", "compare")


class StudyError(ValueError):
    """A benchmark says that it is a point of a study, and not where it stands in it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One benchmark of a study.

    x               a number, or a name where the kind of study has names
    median_s        wall seconds of a round; `low_s` and `high_s` are the 95 % interval of the median, None where the
                    rounds are too few for one
    items           how many items a round does
    cpu_s           CPU seconds of a round (median), child processes included
    peak_pss_bytes  peak memory of the process tree; None where the system doesn't tell
    rounds          wall seconds, in order; empty where the history has thinned them
    passes          in which pass each round was, where all points were visited in passes; else empty
    """

    x: float | str
    median_s: float
    low_s: float | None
    high_s: float | None
    items: int
    cpu_s: float
    peak_pss_bytes: int | None
    rounds: tuple[float, ...]
    fullname: str
    passes: tuple[int, ...] = ()

    def measured(self) -> stats.Point:
        """As `laptime.stats` takes it; where rounds are thinned, its median. Where `x` is a name it is 0 there."""
        x = 0.0 if isinstance(self.x, str) else self.x
        return stats.Point(x, self.items, self.rounds or (self.median_s,), self.passes)

    @property
    def per_item_s(self) -> float:
        """Seconds of a round over its items."""
        return self.median_s / self.items

    @property
    def throughput(self) -> float:
        """Items per second."""
        return self.items / self.median_s


@dataclass(frozen=True, slots=True)
class Line:
    """Points that differ in x only, in the order of x (of numbers; names keep the order in which they were run)."""

    name: str
    points: tuple[Point, ...]

    def at(self, x: float | str) -> Point | None:
        """The point there."""
        return next((point for point in self.points if point.x == x), None)

    def measured(self) -> list[stats.Point]:
        """The points as `laptime.stats` takes them, without those whose x is a name."""
        return [point.measured() for point in self.points if not isinstance(point.x, str)]


@dataclass(frozen=True, slots=True)
class Study:
    """All points of one name.

    item    what a round does `Point.items` of, in the singular
    places  every x of any line, in order
    """

    name: str
    kind: str
    title: str
    x_name: str
    item: str
    lines: tuple[Line, ...]

    @property
    def places(self) -> tuple[float | str, ...]:
        """Every x of any line, in order."""
        found = dict.fromkeys(point.x for line in self.lines for point in line.points)
        numbers = sorted(x for x in found if not isinstance(x, str))
        return (*numbers, *(x for x in found if isinstance(x, str)))


def studies(benchmarks: Iterable[Mapping[str, Any]]) -> list[Study]:
    """Group benchmarks into studies, in the order in which they were run; what is no point of one is left out.

    Raises `StudyError` where a benchmark's place can't be read, or two have the same.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for benchmark in in_order(benchmarks):
        place = (benchmark.get("extra_info") or {}).get("study")
        if place is not None:
            if not isinstance(place, Mapping) or "name" not in place:
                raise StudyError(f"{benchmark.get('fullname')}: extra_info.study: expected an object with a name")
            groups.setdefault(str(place["name"]), []).append(benchmark)
    return [_study(name, group) for name, group in groups.items()]


def _study(name: str, group: Sequence[Mapping[str, Any]]) -> Study:
    first = group[0]["extra_info"]["study"]
    if first.get("kind") not in KINDS:
        raise StudyError(f"{_where(group[0])}.kind: expected one of {', '.join(KINDS)}, got {first.get('kind')!r}")
    lines: dict[str, dict[float | str, Point]] = {}
    for benchmark in group:
        line, made = _point(benchmark)
        points = lines.setdefault(line, {})
        if made.x in points:
            raise StudyError(f"{_where(benchmark)}: {points[made.x].fullname} is there already ({line} at {made.x})")
        points[made.x] = made
    return Study(
        name,
        str(first["kind"]),
        str(first.get("title", name)),
        str(first.get("x_name", "")),
        str(first.get("item", "round")),
        tuple(Line(line, _ordered(points.values())) for line, points in lines.items()),
    )


def _ordered(points: Iterable[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=lambda point: 0.0 if isinstance(point.x, str) else point.x))


def _point(benchmark: Mapping[str, Any]) -> tuple[str, Point]:
    info = benchmark["extra_info"]
    place = info["study"]
    try:
        rounds = info["rounds"]
        walls, passes = _rounds(rounds)
        x, items = place["x"], int(place["items"])
        if isinstance(x, bool) or not isinstance(x, int | float | str):
            raise TypeError(f"x: expected a number or a name, got {x!r}")
        middle = median(walls) if walls else float(benchmark["stats"]["median"])
        if min((middle, *walls)) <= 0 or items < 1:
            raise ValueError("expected rounds of more than 0 s, and at least one item in each")
        interval = intervals.of_median(walls)
        return str(place["line"]), Point(
            x=x,
            median_s=middle,
            low_s=interval.low if interval else None,
            high_s=interval.high if interval else None,
            items=items,
            cpu_s=float(median(rounds["cpu_s"]) if "cpu_s" in rounds else rounds["cpu_median_s"]),
            peak_pss_bytes=info.get("peak_pss_bytes"),
            rounds=walls,
            fullname=str(benchmark.get("fullname") or benchmark.get("name")),
            passes=passes,
        )
    except (LookupError, TypeError, ValueError) as error:
        raise StudyError(f"{_where(benchmark)}: {type(error).__name__}: {error}") from error


def _rounds(rounds: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Wall seconds and passes of the rounds; without those that others disturbed, where any are left."""
    walls = [float(wall_s) for wall_s in rounds.get("wall_s") or ()]
    numbers, void = rounds.get("race_pass") or (), rounds.get("void") or [False] * len(walls)
    if not len(numbers) == len(void) == len(walls):
        return tuple(walls), ()
    kept = [(wall_s, int(number)) for wall_s, number, gone in zip(walls, numbers, void, strict=True) if not gone]
    return tuple(wall_s for wall_s, _ in kept) or tuple(walls), tuple(number for _, number in kept) or tuple(numbers)


def _where(benchmark: Mapping[str, Any]) -> str:
    return f"{benchmark.get('fullname') or benchmark.get('name')}: extra_info.study"
