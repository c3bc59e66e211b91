"""Along a setting's values, which is best, and which do about as well? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from laptime.stats.points import Point, compared, ordered
from laptime.stats.scaling import TOLERANCE


@dataclass(frozen=True, slots=True)
class Best:
    """Where a line is at its best, and from where to where that makes no difference that was shown.

    x      with the shortest median round for each item
    low    from here ...
    high   ... to here no point is shown to take over 5 % longer
    first  the smallest x that was measured, and `last` the greatest: where `low` or `high` is one of them, it may go on
    """

    x: float
    low: float
    high: float
    first: float
    last: float


def best(points: Sequence[Point], tolerance: float = TOLERANCE) -> Best | None:
    """The best of a line's points; None where there are fewer than two. Raises `ValueError` for two points of one x.

    "Shown" is each point's own 95 % interval against the best one (`laptime.stats.points.compared`).
    """
    line = ordered(points)
    if len(line) < 2:
        return None
    at = min(range(len(line)), key=lambda number: line[number].item_s)
    middle = line[at]

    def edge(neighbours: Iterable[Point]) -> float:
        x = middle.x
        for point in neighbours:
            if compared(middle, point).low > 1 + tolerance:
                break
            x = point.x
        return x

    return Best(middle.x, edge(reversed(line[:at])), edge(line[at + 1 :]), line[0].x, line[-1].x)
