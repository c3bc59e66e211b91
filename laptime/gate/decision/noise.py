"""What a self-test tells: how noisy each benchmark is, what that lets a gate find, and settings to match. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp
from statistics import stdev

from laptime.gate.decision.trial import CONFIRMATION, LOOKS, Finding, Rules, smallest

TIMES_S = (120.0, 300.0, 600.0)


@dataclass(frozen=True, slots=True)
class Noise:
    """One benchmark by one metric, HEAD against itself.

    deviation  the standard deviation of a block's log ratio
    ratio      the estimate of what is 1 for certain
    ratios     of the blocks
    smallest   (seconds, the effect that a run of so long finds 95 times in 100; None where nothing can be found)
    """

    benchmark: str
    metric: str
    deviation: float
    ratio: float
    ratios: tuple[float, ...]
    smallest: tuple[tuple[float, float | None], ...]


def of(findings: Sequence[Finding], rules: Callable[[str], Rules], block_s: float, before_s: float) -> list[Noise]:
    """`block_s`: how long a block of all benchmarks takes; `before_s`: what goes before the first."""
    return [
        Noise(
            benchmark=one.benchmark,
            metric=one.metric,
            deviation=stdev(one.blocks),
            ratio=one.ratio or 1.0,
            ratios=tuple(map(exp, one.blocks)),
            smallest=tuple((time, _found(one, rules(one.benchmark), time, block_s, before_s)) for time in TIMES_S),
        )
        for one in findings
        if len(one.blocks) >= 3
    ]


def _found(one: Finding, rules: Rules, seconds: float, block_s: float, before_s: float) -> float | None:
    """What is found in that time: a suspicion must arise in the screening that there is time for."""
    # one nominee's confirmation takes a small part of a block of all
    blocks = int((seconds - before_s) / block_s - CONFIRMATION / 4)
    if blocks < LOOKS[0].blocks:
        return None
    # where the time is over, the last look comes earlier; it only has to be suspicious
    screened = smallest(one.blocks, rules.margin, min(blocks, LOOKS[-1].blocks), LOOKS[-1].suspicion)
    confirmed = smallest(one.blocks, rules.margin)
    return None if screened is None or confirmed is None else max(screened, confirmed)


def settings(found: Sequence[Noise], default: Rules) -> list[str]:
    """Lines for pyproject.toml, where the defaults ask more than this machine can tell."""
    needed: dict[str, float] = {}
    for one in found:
        effect = one.smallest[-1][1]
        wanted = 1.0 if effect is None else effect
        if wanted > default.limit:
            needed[one.benchmark] = max(wanted, needed.get(one.benchmark, 0.0))
    lines = []
    for name, effect in needed.items():
        limit = min(99, ceil(effect * 100))
        lines += [
            f"[tool.laptime.gate.benchmarks.{_quoted(name)}]",
            f'limit = "{limit}%"  # the smallest change that is found here',
        ]
    return lines


def _quoted(text: str) -> str:
    """As a basic string of TOML, whose escapes are JSON's, and which doesn't take DEL as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
