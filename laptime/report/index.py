"""What gates add up to, drawn in a terminal and as JSON. Pure.

The index is written as a factor, ×1.127, as it is a product of ratios: 12.7 % slower than the first commit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from laptime.git import Commit
from laptime.index import Edge, Index
from laptime.report.console import plain, printed
from laptime.report.trend import chart, percent
from laptime.stats.intervals import Ratio

_SHORT = 10
_ANCHORS = 5
"""So many are shown, the newest."""


def terminal(fullname: str, metric: str, index: Index, notes: Sequence[str], *, width: int, color: bool) -> str:
    """The index as a chart, with a line where a new anchor begins; what it comes to, and by what."""
    points = index.points
    turns = [number for number in range(1, len(points)) if points[number].hangs_on != points[number - 1].hangs_on]

    def show(write: Callable[..., None]) -> None:
        write(Text(plain(f"{fullname}: {_count(len(points), 'commit')}, {metric}, by gates"), style="bold"))
        for line in chart([point.index.estimate for point in points], turns, _factor, width=width):
            write(Text(line))
        turned = "; │ a new anchor" if turns else ""
        write(Text(f"from {_told(points[0].commit)}, ×1.000, to {_told(points[-1].commit)}{turned}", style="dim"))
        write("")
        write(_sums(index))
        if index.most:
            write("")
            write(_largest(index.most))
        if notes:
            write("")
        for line in notes:
            write(Text(plain(line)))

    return printed(show, width=width, color=color)


def notes(index: Index, left_out: Mapping[str, int]) -> list[str]:
    """What the index does not know, in words."""
    found = []
    if index.never_gated:
        were = "was" if index.never_gated == 1 else "were"
        found.append(f"{_count(index.never_gated, 'commit')} {were} never gated: taken as no change.")
    if index.newer:
        found.append(
            f"{_count(index.newer, 'commit')} since the last {'is' if index.newer == 1 else 'are'} not gated yet."
        )
    if left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
        found.append(f"{_count(sum(left_out.values()), 'gate')} left out: {reasons}.")
    return found


def as_json(fullname: str, metric: str, index: Index, left_out: Mapping[str, int]) -> str:
    """All of it for a program."""
    points, anchors = index.points, index.anchors
    last = len(points) - 1
    anchor = _last_anchor(index)
    document = {
        "version": 1,
        "benchmark": fullname,
        "metric": metric,
        "index": [_point_json(index, number, anchors) for number in range(len(points))],
        "anchors": [
            {"tag": tag, "commit": points[number].commit.id, **_ratio_json("index", points[number].index)}
            for number, tag in anchors.items()
        ],
        "since_first": _ratio_json("ratio", index.change(last, 0)),
        "since_anchor": None if anchor is None else _ratio_json("ratio", index.change(last, anchor)),
        "most": [_edge_json(edge) for edge in index.most],
        "never_gated": index.never_gated,
        "not_gated_yet": index.newer,
        "left_out": dict(sorted(left_out.items())),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _sums(index: Index) -> Table:
    """The first commit and the anchors: what the index is there, and the change from the first and the last of them."""
    points, anchors = index.points, index.anchors
    last, anchor = len(points) - 1, _last_anchor(index)
    shown = {*list(anchors)[-_ANCHORS:], *(() if anchor is None else (anchor,))}
    table = Table(box=None, pad_edge=False)
    for heading in ("since", "commit", "index there", "change"):
        table.add_column(heading, overflow="fold", justify="left" if heading in ("since", "commit") else "right")
    rows = [("the first", 0, True), *((anchors[number], number, number == anchor) for number in sorted(shown))]
    for name, number, summed in rows:
        point = points[number]
        change = _change(index.change(last, number)) if summed else ""
        table.add_row(*map(Text, (plain(name), _short(point.commit), _factor(point.index.estimate), change)))
    return table


def _largest(edges: Sequence[Edge]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("contributed most", "when", "change", "gates"):
        left = heading in ("contributed most", "when")
        table.add_column(heading, overflow="fold", justify="left" if left else "right")
    for edge in edges:
        commits = f"{_short(edge.base)} → {_short(edge.head)}"
        table.add_row(*map(Text, (commits, _day(edge.head), _change(edge.ratio), str(edge.gates))))
    return table


def _last_anchor(index: Index) -> int | None:
    """The number of the point that the last one's product begins at, if that is an anchor."""
    number = index.points[-1].hangs_on
    return number if number in index.anchors else None


def _point_json(index: Index, number: int, anchors: Mapping[int, str]) -> dict[str, Any]:
    point = index.points[number]
    return {
        "commit": point.commit.id,
        "commit_at": None if point.commit.at is None else point.commit.at.isoformat(),
        **_ratio_json("index", point.index),
        "by": None if point.edge is None else _edge_json(point.edge),
        "since": {
            "commit": index.points[point.hangs_on].commit.id,
            "tag": anchors.get(point.hangs_on),
            **_ratio_json("ratio", index.change(number, point.hangs_on)),
        },
        "never_gated_before": point.gap,
    }


def _edge_json(edge: Edge) -> dict[str, Any]:
    return {
        "base": edge.base.id,
        "head": edge.head.id,
        **_ratio_json("ratio", edge.ratio),
        "gates": edge.gates,
        "anchor": edge.anchor,
    }


def _ratio_json(name: str, ratio: Ratio) -> dict[str, Any]:
    return {name: ratio.estimate, "interval": [ratio.low, ratio.high]}


def _factor(value: float) -> str:
    return f"×{value:.3f}" if value < 1000 else f"×{value:.3g}"


def _change(ratio: Ratio) -> str:
    return f"{percent(ratio.estimate)} [{percent(ratio.low)}, {percent(ratio.high)}]"


def _told(commit: Commit) -> str:
    return f"{_short(commit)} ({_day(commit)})"


def _short(commit: Commit) -> str:
    return (commit.id or "no commit")[:_SHORT]


def _day(commit: Commit) -> str:
    return "–" if commit.at is None else f"{commit.at:%Y-%m-%d}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
