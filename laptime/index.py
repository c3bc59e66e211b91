"""What many gates add up to: the product of their ratios from commit to commit. Pure.

    edges, left_out = gated(store.gate_ratios(name), "wall", chain, tags)
    index = added_up(edges, chain)

A gate's ratio is of two sides on one machine in one hour, so a product of them depends on no machine, and gates of all
machines take part. It starts at 1 at the first commit. Errors add up too: where BASE was a tag, head's index is the
tag's times that one ratio, which replaces the product over all the commits between (an anchor).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, sqrt
from statistics import NormalDist

from laptime.git import Commit
from laptime.history import GateRatio
from laptime.stats import signed_rank
from laptime.stats.intervals import CONFIDENCE, Ratio

ELSEWHERE = "of other commits than the first parents"
CHANGED = "with changes that were not committed"
ENVIRONMENTS = "of different environments"
UNKNOWN = "without an interval"
_NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_MOST_BLOCKS = 400
"""Of one edge, the newest: more take seconds, and tell the same."""
_MOST_LOG = 700.0
"""Beyond, e to that power is no float."""
_LISTED = 3


@dataclass(frozen=True, slots=True)
class Edge:
    """What the gates of one pair of commits say together.

    start, stop  the places of base and head on the chain
    base, head   these commits
    log          the natural logarithm of head/base
    error        its standard error
    gates        how many there were
    anchor       the name of the tag that base is; None where it is none
    """

    start: int
    stop: int
    base: Commit
    head: Commit
    log: float
    error: float
    gates: int
    anchor: str | None = None

    @property
    def ratio(self) -> Ratio:
        """head/base with its 95 % interval."""
        return _ratio(self.log, self.error**2)


@dataclass(frozen=True, slots=True)
class Point:
    """The index at one commit.

    place     of the commit on the chain
    log       the natural logarithm of the index
    variance  of it, since the first commit: that of the edges that led here
    edge      the last of them; None at the first commit, and after a gap, where no change is assumed
    gap       how many commits just before, or this one, no gate covers
    hangs_on  the number of the point (see `Index.points`) that the product began at: the last anchor, or the first
    """

    place: int
    commit: Commit
    log: float
    variance: float
    edge: Edge | None
    gap: int
    hangs_on: int

    @property
    def index(self) -> Ratio:
        """It, with its 95 % interval: 1.05 is 5 % slower than the first commit."""
        return _ratio(self.log, self.variance)


@dataclass(frozen=True, slots=True)
class Index:
    """One benchmark's index.

    points       in the order of the commits
    never_gated  how many commits between the first and the last no gate covers
    newer        how many commits are newer than the last
    most         the edges that contributed most, the largest first; one that spans others is not among them
    """

    points: tuple[Point, ...]
    never_gated: int
    newer: int
    most: tuple[Edge, ...]

    @property
    def anchors(self) -> dict[int, str]:
        """The numbers of the points that others are anchored at -> the tag's name."""
        named = ((point.hangs_on, point.edge) for point in self.points)
        return dict(sorted((number, edge.anchor) for number, edge in named if edge and edge.anchor))

    def change(self, number: int, since: int) -> Ratio:
        """How a point compares with an earlier one that its product went through."""
        point, earlier = self.points[number], self.points[since]
        return _ratio(point.log - earlier.log, point.variance - earlier.variance)


def gated(
    ratios: Iterable[GateRatio],
    metric: str,
    chain: Sequence[str],
    tags: Mapping[str, str],
    since: datetime | None = None,
) -> tuple[list[Edge], Counter[str]]:
    """The edges along a chain of commits, and how many gates were left out, by why.

    chain  hashes, the oldest first
    tags   the name of each tag -> its commit
    since  only gates since then
    """
    places = {commit: place for place, commit in enumerate(chain)}
    left_out: Counter[str] = Counter()
    pairs: dict[tuple[int, int], list[GateRatio]] = {}
    for one in sorted(ratios, key=lambda one: one.at):
        if not _tells(one, metric) or (since is not None and one.at < since):
            continue
        start, stop = places.get(one.base.id or ""), places.get(one.head.id or "")
        if one.base.dirty or one.head.dirty:
            left_out[CHANGED] += 1
        elif one.document.get("environments"):
            left_out[ENVIRONMENTS] += 1
        elif start is None or stop is None or start >= stop:
            left_out[ELSEWHERE] += 1
        else:
            pairs.setdefault((start, stop), []).append(one)
    names = _names(tags)
    found = []
    for (start, stop), several in sorted(pairs.items()):
        pooled = _pooled(several)
        if pooled is None:
            left_out[UNKNOWN] += len(several)
            continue
        base, head = several[-1].base, several[-1].head
        asked = (name for one in several if isinstance(name := one.document.get("against"), str))
        anchor = names.get(chain[start]) or next(asked, None)
        found.append(Edge(start, stop, base, head, *pooled, len(several), anchor))
    return found, left_out


def added_up(edges: Iterable[Edge], chain: Sequence[str]) -> Index:
    """The index along the chain; without edges there are no points."""
    into: dict[int, list[Edge]] = {}
    commits: dict[int, Commit] = {}
    for edge in edges:
        into.setdefault(edge.stop, []).append(edge)
        commits |= {edge.start: edge.base, edge.stop: edge.head}
    every = [edge for several in into.values() for edge in several]
    covered = _covered(every, len(chain))
    points: list[Point] = []
    numbers: dict[int, int] = {}
    for place in sorted(commits):
        number, before = len(points), points[-1] if points else None
        gap = 0 if before is None else covered[before.place + 1 : place + 1].count(False)
        if place in into:
            # a ratio to a tag before a product, and the shorter way before the longer one
            edge = max(into[place], key=lambda one: (one.anchor is not None, one.start))
            base = numbers[edge.start]
            hangs_on = base if edge.anchor else points[base].hangs_on
            log, variance = points[base].log + edge.log, points[base].variance + edge.error**2
            point = Point(place, commits[place], log, variance, edge, gap, hangs_on)
        elif before is None:
            point = Point(place, commits[place], 0.0, 0.0, None, 0, 0)
        else:
            point = Point(place, commits[place], before.log, before.variance, None, gap, before.hangs_on)
        points.append(point)
        numbers[place] = number
    newer = len(chain) - 1 - points[-1].place if points else 0
    return Index(tuple(points), sum(point.gap for point in points), newer, _most(every))


def _tells(one: GateRatio, metric: str) -> bool:
    return (one.metric == metric and bool(one.blocks)) or _is_same(one)


def _is_same(one: GateRatio) -> bool:
    """Whether both sides had the same files, and nothing was measured: their ratio is 1."""
    return one.metric is None and one.verdict == "unchanged"


def _pooled(several: Sequence[GateRatio]) -> tuple[float, float] | None:
    """The logarithm and its standard error; None where the blocks are too few for an interval."""
    if any(map(_is_same, several)):
        return 0.0, 0.0
    judged = [block for one in several for block in one.blocks[-one.confirmed :]]  # all, where none is confirmation
    blocks = [max(-_MOST_LOG, min(block, _MOST_LOG)) for block in judged[-_MOST_BLOCKS:]]
    interval = signed_rank.interval(blocks)
    if interval is None:
        return None
    return signed_rank.centre(blocks), (interval.high - interval.low) / 2 / _NORMAL


def _names(tags: Mapping[str, str]) -> dict[str, str]:
    """Commit -> its tags."""
    found: dict[str, list[str]] = {}
    for name, commit in sorted(tags.items()):
        found.setdefault(commit, []).append(name)
    return {commit: ", ".join(names) for commit, names in found.items()}


def _covered(edges: Iterable[Edge], count: int) -> list[bool]:
    """Of each commit on the chain, whether any gate covers what it changed."""
    steps = [0] * (count + 1)
    for edge in edges:
        steps[edge.start + 1] += 1
        steps[edge.stop + 1] -= 1
    depth, found = 0, []
    for step in steps[:count]:
        depth += step
        found.append(depth > 0)
    return found


def _most(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Those with the largest changes, where no others tell which part of them it was."""
    narrow, latest = [], -1
    for edge in sorted(edges, key=lambda one: (one.stop, -one.start)):
        if edge.start > latest:
            narrow.append(edge)
            latest = edge.start
    return tuple(sorted((one for one in narrow if one.log), key=lambda one: -abs(one.log))[:_LISTED])


def _ratio(log: float, variance: float) -> Ratio:
    reach = _NORMAL * sqrt(variance)
    return Ratio(_exp(log), _exp(log - reach), _exp(log + reach))


def _exp(value: float) -> float:
    return exp(max(-_MOST_LOG, min(value, _MOST_LOG)))
