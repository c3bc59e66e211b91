"""A study answers a question with a line of figures: a benchmark for each point of it. Pure.

A race asks which way to run suits one piece of work; a study, how a figure changes along something: workers, sizes,
start methods. Its benchmarks are marked ``@pytest.mark.study(NAME)`` and pass `point` to `lap` as ``study=``. They run
in the tier `full`, or where ``-k``, ``-m`` or a path names the study.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

KINDS = ("scaling", "sweep", "break_even", "phases", "compare")
"""How a study's points are read.

scaling     x is a number of workers; throughput against that of one worker, with Amdahl's and Gunther's laws
sweep       x is a number; which is best, and from where to where it makes no difference
break_even  x is a number; the first line is the plain way, and another begins to gain on it somewhere
phases      x is a name, a part of one whole: parts are stacked
compare     x is a name: the lines are compared with the first one at each
"""


STUDY_PASSES = {"smoke": 2, "default": 8, "full": 10, "gate": 1}
"""How often each point is visited, in turn with the others of its test function.

From six passes on that both were in, two points have an interval; so two of eight may be void.
"""
NOT_IN_TURN = {"passes": 1}
"""For `laptime_race`: of points that can't stand open beside each other, all rounds are run in one visit."""


def point(
    name: str,
    kind: str,
    title: str,
    *,
    line: str,
    x: float | str,
    x_name: str,
    items: int = 1,
    item: str = "round",
) -> dict[str, object]:
    """Where a benchmark stands in its study.

    title  the question, as a heading
    line   the name of the line that the point is on
    x      its place on the line, and `x_name` what that is, with its unit
    items  how many of what `item` names one round does: throughput is items over seconds
    """
    assert kind in KINDS, kind
    return {
        "name": name,
        "kind": kind,
        "title": title,
        "line": line,
        "x": x,
        "x_name": x_name,
        "items": items,
        "item": item,
    }


def asked_for(name: str, expressions: Iterable[str]) -> bool:
    """Whether a ``-k`` or ``-m`` expression, or a test's name, names a study or a variant (and not to leave it out)."""
    words = (word for text in expressions for word in re.findall(r"(?<!not )\b\w+", text))
    return any(name in word for word in words)
