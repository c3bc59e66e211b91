"""Made-up results of gates: rounds, findings, rows, reports, and every report that can be odd in some way."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan
from typing import Any

from laptime.gate.decision.noise import Noise
from laptime.gate.decision.rounds import Turn
from laptime.gate.decision.trial import (
    ACCEPTED,
    BROKEN,
    CERTAIN,
    CPU,
    IMPROVED,
    MISSING,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    WALL,
    Finding,
)
from laptime.gate.decision.verdicts import Cost, Report, Row
from laptime.report import gate
from laptime.report.gate_words import Told, scrubbed

FILE = "benchmarks/test_gate.py"
SLOWER = f"{FILE}::TestSums::test_sum[a::b/c-8]"
ODD = [
    f"{FILE}::test_x[{text}]"
    for text in (
        *("]", "[", "a|b", "<b>&amp;</b>", "a`b``", "new\nline", "re\rturn", "\x1b[31m", "\x00", "\ufffe", "\udcff"),
        *("%25,:", "::error::x", "\u202e", "</details>", "*_~", "\\", '"', "'", "ü😀", "", "$x$"),
    )
]
COSTS = (Cost(0.01, 0.009, 3, 50_000_000), Cost(0.012, 0.01, 4, 60_000_000))


def turns(walls: Sequence[float], ticks: float = 0.0) -> tuple[Turn, ...]:
    """Rounds that take so long, and half of it on the CPU."""
    return tuple(Turn(wall, wall / 2, ticks, 3) for wall in walls)


def finding(
    name: str = "test_a", verdict: str = UNCHANGED, ratio: float | None = 1.0, metric: str = WALL, **other: Any
) -> Finding:
    """With an interval of 2 % to either side; `other` are its other fields."""
    ends = {"low": None, "high": None} if ratio is None else {"low": ratio * 0.98, "high": ratio * 1.02}
    values: dict[str, Any] = {"blocks": (0.1, 0.2), "confirmed": 2, "smallest": 0.04, **ends, **other}
    return Finding(name, metric, verdict, ratio, **values)


def row(name: str, verdict: str, ratio: float | None = 1.0, metric: str = WALL, **other: Any) -> Row:
    """Of a finding, with both sides' costs."""
    return Row(name, metric, verdict, finding(name, verdict, ratio, metric, **other), *COSTS)


def judged(*verdicts: str, **report: Any) -> Report:
    """A report on a benchmark of each verdict; `report` are its other fields."""
    rows = tuple(Row(f"test_{number}", WALL, verdict) for number, verdict in enumerate(verdicts))
    return Report("main", "HEAD", rows, **{"looked": True, **report})


EVERY = (
    Row(f"{FILE}::test_broken", None, BROKEN, note="HEAD: Traceback\nE   ValueError: <boom> ```` | x"),
    Row(f"{FILE}::test_missing", None, MISSING, note="not in HEAD"),
    row(SLOWER, REGRESSED, 1.203),
    row(SLOWER, UNCHANGED, 1.001, CPU),
    Row(f"{FILE}::test_open", WALL, UNRESOLVED, finding(f"{FILE}::test_open", UNRESOLVED, 1.03)),
    row(f"{FILE}::test_meant", ACCEPTED, 1.1),
    row(f"{FILE}::test_faster", IMPROVED, 0.8),
    row(f"{FILE}::test_same", UNCHANGED),
    Row(f"{FILE}::test_new", None, NEW, note="not in BASE"),
)
"""Each verdict."""


def report_on(rows: Sequence[Row] = EVERY, *, strict: bool = False, folder: str = "", **report: Any) -> Told:
    """What is written of a report on these rows."""
    values: dict[str, Any] = {"seconds": 245.5, "blocks": 32, "void": 1, **report}
    return Told(
        scrubbed(Report("main (1a2b3c4)", "the working tree", tuple(rows), **values)),
        strict,
        lambda name: gate.command("main", None, (), [name]),
        "laptime gate main -- -k 'a and b'",
        folder,
    )


REPORTS = {
    "each verdict": report_on(),
    "strict": report_on(EVERY[4:], strict=True),
    "passed": report_on(EVERY[5:], stopped=None, remarks=("a | remark",), skipped=(f"{FILE}::test_skipped",)),
    "ended early": report_on(EVERY[2:], stopped=CERTAIN),
    "interrupted": report_on(EVERY[4:], interrupted=True, looked=False, stopped="interrupted"),
    "nothing known": report_on(EVERY[4:5], looked=False),
    "unfit": report_on(unfit="too | many <void>"),
    "nothing": report_on(()),
    "refused": report_on(EVERY[4:], refused=("accept 'a | <b>' fits no benchmark",)),
    "refused and failed": report_on(refused=("accept 'x' fits no benchmark",)),
    "odd names": report_on([row(name, REGRESSED, 1.2) for name in ODD] + [row(ODD[-1], UNCHANGED, metric=CPU)]),
    "odd messages": report_on(
        [Row(f"{FILE}::test_{n}", None, BROKEN, note=f"HEAD: {text}") for n, text in enumerate(ODD)]
    ),
    "odd numbers": report_on(
        [row("test_a", UNRESOLVED, inf, low=nan, high=-inf, blocks=(nan, inf, 0.1), smallest=nan)]
    ),
    "no numbers": report_on([row("test_a", UNRESOLVED, None, blocks=(), confirmed=0, smallest=None)]),
    "200 benchmarks": report_on([row(f"{FILE}::test_{number:04}", UNCHANGED) for number in range(200)]),
}
NOISE = [
    Noise(name, metric, 0.02, 1.001, (0.98, 1.02), ((120.0, None), (600.0, 0.034)))
    for name in ODD
    for metric in (WALL, CPU)
]
"""Of a self-test."""
SETTING = ['[tool.laptime.gate.benchmarks."x"]', 'limit = "7%"']
