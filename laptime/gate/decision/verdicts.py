"""What a gate says in the end, and the exit code that follows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from laptime.gate.decision.rounds import Measured, Outcome, Pace
from laptime.gate.decision.trial import (
    ACCEPTED,
    BROKEN,
    CPU,
    FAILING,
    IMPROVED,
    MISSING,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    VERDICTS,
    WALL,
    Finding,
    Trial,
)

PASS, FAIL, CANNOT = 0, 1, 2
SKIP, ABORT = 125, 128
_NOT_RUN = ("failed", "did not run")


@dataclass(frozen=True, slots=True)
class Cost:
    """One call on one side, median of all rounds: seconds, context switches, and peak memory in bytes if sampled."""

    wall_s: float
    cpu_s: float
    switches: float
    peak: int | None = None

    @property
    def waiting_s(self) -> float:
        """Wall time in which nothing was computed; 0 where several CPUs were at work."""
        return max(0.0, self.wall_s - self.cpu_s)


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark by one metric (None: as a whole). `finding` only where it was judged; `note`: why, or what else."""

    benchmark: str
    metric: str | None
    verdict: str
    finding: Finding | None = None
    base: Cost | None = None
    head: Cost | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it.

    base, head  what was compared, in words
    blocks      that count, and `void` those that don't
    unfit       why nothing that was measured counts; None where it does
    stopped     why it ended before everything was judged; None where it did not
    looked      whether anything could be known of any benchmark
    skipped     benchmarks that both sides skip
    refused     what is accepted and is not needed: there is nothing that it excuses
    """

    base: str
    head: str
    rows: tuple[Row, ...]
    seconds: float = 0.0
    blocks: int = 0
    void: int = 0
    unfit: str | None = None
    stopped: str | None = None
    interrupted: bool = False
    looked: bool = True
    remarks: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Verdict -> how many benchmarks, each counted under the worst that was said of it; the worst verdict first."""
        worst: dict[str, str] = {}
        for row in self.rows:
            worst[row.benchmark] = min(row.verdict, worst.get(row.benchmark, row.verdict), key=VERDICTS.index)
        found = list(worst.values())
        return {verdict: found.count(verdict) for verdict in VERDICTS if verdict in found}

    def code(self, *, strict: bool = False) -> int:
        """The exit code: 2 where it could not be measured, 1 where something regressed, is missing or broken.

        And 2 where all is well, but something is accepted that is not needed.
        """
        counts = self.counts()
        if self.unfit:
            return CANNOT
        if FAILING & set(counts):
            return FAIL
        if self.interrupted or self.refused or not self.looked or not counts:
            return CANNOT
        return FAIL if strict and UNRESOLVED in counts else PASS

    @property
    def is_refused(self) -> bool:
        """Whether it would pass but for what is accepted without need."""
        return bool(self.refused) and replace(self, refused=()).code() == PASS

    def bisect_code(self) -> int:
        """What `git bisect run` is to be told: 0 good, 1 regressed, 125 can't tell, 128 end the search.

        A benchmark that is missing or broken there says nothing of its speed, and neither does one that is unresolved.
        What is accepted is good, needed or not.
        """
        counts = self.counts()
        if self.interrupted:
            return ABORT
        if REGRESSED in counts and not self.unfit:
            return FAIL
        clear = counts.keys() <= {ACCEPTED, IMPROVED, UNCHANGED, NEW}
        return PASS if clear and replace(self, refused=()).code() == PASS else SKIP


@dataclass(frozen=True, slots=True)
class Trouble:
    """A benchmark that can't be judged: its verdict, and why."""

    verdict: str
    note: str


def rows(
    trial: Trial,
    troubles: Mapping[str, Trouble],
    costs: Mapping[str, tuple[Cost, Cost]],
    growing: Mapping[str, str] | None = None,
) -> tuple[Row, ...]:
    """The rows of a report, those that matter most first; `growing`: what is to be said of benchmarks that grow."""
    found = [Row(name, None, trouble.verdict, note=trouble.note) for name, trouble in troubles.items()]
    for finding in trial.findings():
        if finding.benchmark not in troubles:
            base, head = costs.get(finding.benchmark, (None, None))
            row = Row(finding.benchmark, finding.metric, finding.verdict, finding, base, head, finding.note)
            found.append(row)
    said = [(name, f"{metric} is not judged: {why}") for (name, metric), why in trial.unjudged.items()]
    for name, text in (*said, *(growing or {}).items()):
        for place, row in enumerate(found):
            if row.benchmark == name and row.metric:  # the first is that of wall time
                found[place] = replace(row, note=f"{row.note}; {text}" if row.note else text)
                break
    return tuple(ordered(found))


def ordered(rows: Iterable[Row]) -> list[Row]:
    """By what matters: the benchmark with the worst verdict first, of those with one verdict the largest change."""
    rows = list(rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.benchmark, []).append(row)
    metrics = (None, WALL, CPU)
    by_weight = sorted(groups.values(), key=_weight)
    return [row for group in by_weight for row in sorted(group, key=lambda row: metrics.index(row.metric))]


def _weight(group: Sequence[Row]) -> tuple[int, float]:
    worst = min(VERDICTS.index(row.verdict) for row in group)
    said = [row for row in group if VERDICTS.index(row.verdict) == worst]
    change = max(abs((row.finding.ratio if row.finding and row.finding.ratio else 1.0) - 1) for row in said)
    return worst, -change


def cost(measured: Measured, pace: Pace) -> tuple[Cost, Cost]:
    """What one call cost on each side in one block."""
    calls = pace.iterations * pace.repeats

    def one(side: str) -> Cost:
        turns = getattr(measured, side)
        return Cost(
            wall_s=median(turn.wall for turn in turns) / calls,
            cpu_s=median(turn.cpu for turn in turns) / calls,
            switches=median(turn.switches for turn in turns) / calls,
            peak=getattr(measured, f"{side}_peak"),
        )

    return one("base"), one("head")


def typical(costs: Sequence[tuple[Cost, Cost]]) -> tuple[Cost, Cost]:
    """Of several blocks' costs, side by side, the medians; of memory, which is sampled rarely, the largest."""

    def one(side: int) -> Cost:
        found = [pair[side] for pair in costs]
        return Cost(
            wall_s=median(each.wall_s for each in found),
            cpu_s=median(each.cpu_s for each in found),
            switches=median(each.switches for each in found),
            peak=max((each.peak for each in found if each.peak is not None), default=None),
        )

    return one(0), one(1)


def trouble(outcome: Outcome) -> Trouble | None:
    """What forbids to judge a benchmark; None where nothing does, or both sides skip it."""
    base, head = outcome.base or _NOT_RUN, outcome.head or _NOT_RUN
    for label, (kind, message) in (("BASE", base), ("HEAD", head)):
        if kind == "failed":
            return Trouble(BROKEN, f"{label}: {message}")
    if base[0] == head[0] == "skipped":
        return None
    if head[0] == "skipped":
        return Trouble(MISSING, f"HEAD skips it: {last_line(head[1])}")
    if base[0] == "skipped":
        return Trouble(NEW, f"BASE skips it: {last_line(base[1])}")
    if outcome.measured is None:
        return Trouble(BROKEN, "it does not call its `benchmark` fixture, so there is nothing to time")
    return None


def last_line(text: str) -> str:
    """Of a traceback what went wrong: the first line that pytest marks with an E, or else the last."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    marked = [line for line in lines if line.lstrip().startswith(("E   ", "E  "))]
    chosen = (marked[:1] or lines[-1:] or ["no reason given"])[0].strip()
    return chosen.removeprefix("E  ").strip()
