"""One benchmark's figures from commit to commit, and where they changed. Pure.

Only runs of one fingerprint and with the same inputs are in one series, and only those of commits as they are: a run
with changes that were not committed is of no commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from laptime.history import Fingerprint, Point, differences
from laptime.stats import intervals
from laptime.stats.changes import changes
from laptime.stats.intervals import Ratio

Key = tuple[int, int]
"""The fingerprint's group, and the number of the inputs."""


@dataclass(frozen=True, slots=True)
class Series:
    """One benchmark's figures, in the order of the commits.

    key  what all of its runs have in common
    """

    fullname: str
    key: Key
    points: tuple[Point, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A step in a series.

    at      the index of the first run after it
    start   the index of the first run since the change before it
    stop    the index after the last run until the next change
    ratio   after/before; None where the runs are too few for an interval
    p       how often noise and drift alone would look as much like a step
    """

    series: Series
    at: int
    start: int
    stop: int
    ratio: Ratio | None
    p: float

    @property
    def before(self) -> Point:
        """The last run before it."""
        return self.series.points[self.at - 1]

    @property
    def after(self) -> Point:
        """The first run after it."""
        return self.series.points[self.at]

    @property
    def within(self) -> bool:
        """Whether the runs next to it are of one commit: then it was not the code."""
        return self.before.commit_id is not None and self.before.commit_id == self.after.commit_id


def all_series(
    fullname: str,
    points: Iterable[Point],
    *,
    metric: str,
    groups: Mapping[int, int],
    order: Mapping[str, int] | None,
    since: datetime | None = None,
) -> list[Series]:
    """The series of a benchmark, that with the newest run first.

    groups  the group of each fingerprint (`grouped`)
    order   the place of each commit; runs of others are left out. None: runs are taken in the order of time
    """
    since_us = None if since is None else int(since.timestamp() * 1e6)
    found: dict[Key, list[tuple[int, int, Point, float]]] = {}
    for point in points:
        value = {"wall": point.wall, "cpu": point.cpu, "memory": point.memory}[metric]
        if value is None or value <= 0 or point.dirty or (since_us is not None and point.at_us < since_us):
            continue
        place = 0 if order is None else order.get(point.commit_id or "")
        if place is not None:
            key = (groups[point.fingerprint_no], point.inputs_no)
            found.setdefault(key, []).append((place, point.at_us, point, value))
    made = []
    for key, several in found.items():
        several.sort(key=lambda one: one[:2])
        made.append(Series(fullname, key, tuple(one[2] for one in several), tuple(one[3] for one in several)))
    return sorted(made, key=lambda one: max(point.at_us for point in one.points), reverse=True)


def grouped(fingerprints: Mapping[int, Fingerprint]) -> dict[int, int]:
    """The group of each fingerprint: those of one group can all be compared with each other."""
    members: list[list[int]] = []
    found: dict[int, int] = {}
    for no, one in fingerprints.items():
        fitting = (
            number
            for number, group in enumerate(members)
            if not any(differences(fingerprints[other], one) for other in group)
        )
        number = next(fitting, len(members))
        if number == len(members):
            members.append([])
        members[number].append(no)
        found[no] = number
    return found


def change_points(series: Series) -> list[ChangePoint]:
    """Where a series changed."""
    found = changes(series.values)
    return [
        ChangePoint(
            series,
            one.at,
            one.start,
            one.stop,
            intervals.ratio(series.values[one.start : one.at], series.values[one.at : one.stop]),
            one.p,
        )
        for one in found
    ]


def every_change(several: Sequence[Series], progress: Callable[[Series], object]) -> list[ChangePoint]:
    """All change points of all series, the newest first."""
    found = []
    for one in several:
        found += change_points(one)
        progress(one)
    return sorted(found, key=lambda change: change.after.at_us, reverse=True)
