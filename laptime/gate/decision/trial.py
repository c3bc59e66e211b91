"""Which blocks are run, and what is concluded of them. Pure: no clock, no file, no process.

*Screening* looks at what all benchmarks' blocks say, at numbers of blocks that are fixed beforehand, and nominates
what might be slower (or faster). *Confirmation* runs fresh blocks of the nominees only, and convicts by an exact test
against the margin; nothing that led to the nomination takes part in it, so looking several times costs no error. Each
look's confirmation has its own share of the probability of one false alarm in the whole run (`Look.alpha`, 1 %
together); within it, Holm's procedure shares it out among the nominees. What is accepted of a benchmark takes the place
of its margin there: that it is slower than the margin is shown by the same test, and fails nothing.

    trial = Trial({"test_a": Rules(), "test_b": Rules(margin=0.02)})
    while names := trial.wanted():
        trial.add(measured(names))
    trial.findings()
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log1p
from statistics import stdev
from typing import NamedTuple

from laptime.stats import signed_rank

WALL, CPU = "wall", "cpu"
METRICS = (WALL, CPU)

REGRESSED, IMPROVED, UNCHANGED, UNRESOLVED = "regressed", "improved", "unchanged", "unresolved"
ACCEPTED = "accepted"
NEW, MISSING, BROKEN = "new", "missing", "broken"
VERDICTS = (BROKEN, MISSING, REGRESSED, UNRESOLVED, ACCEPTED, IMPROVED, UNCHANGED, NEW)
"""The worst first."""
CERTAIN = "a regression was certain"
"""Why a trial stopped that had said what it was asked."""
FAILING = frozenset({BROKEN, MISSING, REGRESSED})


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the screening blocks.

    blocks     how many there are by then
    alpha      the probability that its confirmation convicts one or more that are no slower than the margin
    suspicion  nominated is what has a p-value of at most this
    least      and an effect of at least this, of what is slower; what is faster waits for a look where it is 0
    most       so many benchmarks at most, the slowest; the others wait for the next look. One regression is enough to
               fail, and what slows them all is certain sooner by a few. No limit where all are to be judged
    """

    blocks: int
    alpha: float
    suspicion: float
    least: float = 0.0
    most: int | None = None


LOOKS = (Look(6, 0.002, 1 / 64, least=0.10, most=1), Look(12, 0.003, 0.05), Look(20, 0.005, 0.15))
"""In simulated runs of 12 benchmarks (benchmarks/budgets/gate_simulation.py), with normal, heavy-tailed and wild noise,
0.25–0.48 % say regressed where all are 1 % slower, and none of 40,000 where nothing is. 5 % are found in 98.6 % or more
at a deviation of 3.6 %, 10 % in 99.9 % at 5 %. Without an effect half of the runs end after 20 blocks."""
CONFIRMATION = 20
"""Blocks: where all of them agree, that is significant at `Look.alpha` under Holm for hundreds of nominees. 16 would
find 5 % in 93 % of the runs only, where one block in 50 is wild."""
_CONFIDENCE, _SETTLED = 0.95, 0.99


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a benchmark is judged, as shares: 0.01 is 1 %.

    margin         slower by less is not worth a word: only what is significantly above it is regressed
    limit          unchanged is what lies within it with its whole interval
    accepted       above the margin, but not significantly above this, is accepted; None where nothing is
    round_limit_s  how long one round may take before the benchmark is broken; None: as long as any other's
    """

    margin: float = 0.01
    limit: float = 0.05
    accepted: float | None = None
    round_limit_s: float | None = None

    def least(self) -> float:
        """What a change must exceed to be worth a word."""
        return self.margin

    def bound(self) -> float:
        """What a slowdown must exceed to fail."""
        return self.margin if self.accepted is None else self.accepted


class Hypothesis(NamedTuple):
    """That a benchmark is slower (or faster) by a metric than its margin allows."""

    benchmark: str
    metric: str
    slower: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What is concluded of a benchmark by one metric.

    ratio, low, high  head/base: the Hodges–Lehmann estimate and its 95 % interval; None where too few blocks are there
    blocks            all its log ratios, screening first
    confirmed         how many of them, from the end, are the last confirmation; the estimate is then of them alone
    smallest          the effect that a confirmation would find here 95 times in 100; None where too little is known
    note              what was left open, and why
    """

    benchmark: str
    metric: str
    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    blocks: tuple[float, ...]
    confirmed: int
    smallest: float | None
    note: str | None = None


@dataclass(slots=True)
class _Stage:
    """A confirmation that is under way; `blocks` are counted apart, as a block may lack a metric."""

    look: Look
    nominees: tuple[Hypothesis, ...]
    blocks: dict[str, int] = field(default_factory=dict)
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)


class Trial:
    """All benchmarks of one gate, from the first block to the verdicts."""

    def __init__(self, rules: Mapping[str, Rules], looks: Sequence[Look] = LOOKS, *, to_the_end: bool = False) -> None:
        """`to_the_end`: judge all, rather than stop where the first regression is certain."""
        self._rules = dict(rules)
        self._looks = list(looks)
        self._fewest = looks[0].blocks if looks else 0
        self._to_the_end = to_the_end
        self._screened: dict[str, dict[str, list[float]]] = {name: {} for name in rules}
        self._blocks = dict.fromkeys(rules, 0)
        self._active = set(rules)
        self._stage: _Stage | None = None
        self._confirmed: dict[tuple[str, str], list[float]] = {}
        self._all_confirmed: dict[tuple[str, str], list[float]] = {}
        self._convicted: set[Hypothesis] = set()
        self._excused: set[Hypothesis] = set()
        self._unjudged: dict[tuple[str, str], str] = {}
        self._left_open: dict[Hypothesis, str | None] = {}
        self._looked = False
        self.crowded = False
        """Whether there are more benchmarks than there is time for: then what its 95 % interval clears is let go at
        the next look, so that the others get more blocks."""
        self.stopped: str | None = None
        """Why it ended before all was judged; None where it did not."""

    # what is to be run

    @property
    def confirming(self) -> tuple[Hypothesis, ...]:
        """What is being confirmed; empty while screening."""
        return self._stage.nominees if self._stage else ()

    @property
    def look(self) -> Look | None:
        """The look that the blocks run now are for; None at the end."""
        return self._looks[0] if self._looks else None

    @property
    def looked(self) -> bool:
        """Whether any look was reached: before, nothing is known of any benchmark."""
        return self._looked

    def left(self) -> int:
        """How many more blocks the present stage needs at most."""
        return max((self._goal() - self._count(name) for name in self.wanted()), default=0)

    def ahead(self) -> int:
        """How many more blocks of what is run now are wished for: while that is all, those for the second look, too."""
        if self._stage or len(self._looks) < 2 or self._looks[0].blocks > self._fewest:
            return self.left()
        return self.left() + self._looks[1].blocks - self._looks[0].blocks

    def wanted(self) -> tuple[str, ...]:
        """The benchmarks that need another block now; empty at the end."""
        while True:
            goal = self._goal()
            found = tuple([name for name in self._due() if self._count(name) < goal])
            if found or not (self._looks or self._stage):
                return found
            self._conclude()

    def _due(self) -> list[str]:
        if self._stage:
            chosen = {nominee.benchmark for nominee in self._stage.nominees}
            return [name for name in self._rules if name in chosen]
        return [name for name in self._rules if name in self._active] if self._looks else []

    def _goal(self) -> int:
        if self._stage:
            return CONFIRMATION
        return self._looks[0].blocks if self._looks else 0

    def _count(self, name: str) -> int:
        return self._stage.blocks.get(name, 0) if self._stage else self._blocks[name]

    # what was measured

    def add(self, block: Mapping[str, Mapping[str, float]]) -> None:
        """One block: benchmark -> metric -> the median of its paired log ratios (head/base)."""
        for name, values in block.items():
            blocks = self._stage.blocks if self._stage else self._blocks
            blocks[name] = blocks.get(name, 0) + 1
            lists = self._stage.values.setdefault(name, {}) if self._stage else self._screened[name]
            for metric, value in values.items():
                if (name, metric) in self._unjudged:
                    continue
                lists.setdefault(metric, []).append(value)

    def suspected(self) -> list[str]:
        """The benchmarks that are being confirmed, those first that exceed by most what they may."""
        return self._slowest(self.confirming)

    def narrow(self, names: Collection[str], why: str) -> None:
        """Of the benchmarks that are being confirmed, confirm these alone; the others are left open.

        To be called before the first block of a confirmation: which they are may not depend on what it finds.
        """
        if self._stage:
            self._left_open |= {one: why for one in self._stage.nominees if one.benchmark not in names}
            self._stage.nominees = tuple(one for one in self._stage.nominees if one.benchmark in names)

    def drop(self, name: str) -> None:
        """Judge a benchmark no more, because it is broken."""
        self._rules.pop(name, None)
        self._active.discard(name)
        if self._stage:
            kept = tuple(one for one in self._stage.nominees if one.benchmark != name)
            self._stage.nominees = kept

    def leave_out(self, name: str, metric: str, why: str) -> None:
        """Don't judge a benchmark by this metric."""
        self._unjudged[name, metric] = why
        self._screened.get(name, {}).pop(metric, None)
        if self._stage:
            self._stage.nominees = tuple(one for one in self._stage.nominees if one[:2] != (name, metric))

    def hurry(self) -> None:
        """Let the blocks that are there be all that screening gets: the last look, now.

        What has fewer than the first look asks for is not looked at.
        """
        if self._stage is None and self._looks:
            self._looks = [replace(self._looks[-1], blocks=0)]
            self.stopped = "there was no time for more blocks"

    def stop(self, why: str) -> None:
        """End here; what is open stays unresolved.

        A confirmation that is under way is decided by the blocks that it has, of which a clock fixed the number, and
        not what they say; what isn't convicted by them is left open.
        """
        self._looks = []
        if self._stage:
            nominees = self._stage.nominees
            self._confirm(self._stage)
            self._left_open |= {one: why for one in nominees if one not in self._convicted}
        self.stopped = why

    # looks and confirmations

    def _conclude(self) -> None:
        if self._stage is None:
            self._screen(self._looks[0])
        else:
            self._confirm(self._stage)

    def _screen(self, look: Look) -> None:
        names = [name for name in self._rules if name in self._active and self._blocks[name] >= self._fewest]
        self._looked = self._looked or bool(names)
        nominees = [one for name in names for one in self._suspects(name, look) if one not in self._convicted]
        if look.most is not None and not self._to_the_end:
            slowest = self._slowest(nominees)[: look.most]
            nominees = [one for one in nominees if one.benchmark in slowest]
        if nominees:
            self._stage = _Stage(look, tuple(nominees))
            return
        self._next_look()

    def _slowest(self, nominees: Sequence[Hypothesis]) -> list[str]:
        """Their benchmarks, those first that exceed by most what they may."""
        excess: dict[str, float] = {}
        for one in nominees:
            bound = log1p(self._rules[one.benchmark].bound())
            found = signed_rank.centre(self._screened[one.benchmark][one.metric]) - bound
            excess[one.benchmark] = max(found, excess.get(one.benchmark, found))
        return sorted(excess, key=lambda name: -excess[name])

    def _suspects(self, name: str, look: Look) -> Iterable[Hypothesis]:
        margin = log1p(self._rules[name].margin)
        for metric, values in self._screened[name].items():
            for slower in (True, False) if not look.least else (True,):
                directed = values if slower else [-value for value in values]
                if signed_rank.p_above(directed, margin) > look.suspicion:
                    continue
                if not look.least or signed_rank.centre(directed) >= log1p(look.least):
                    yield Hypothesis(name, metric, slower)

    def _confirm(self, stage: _Stage) -> None:
        slower = [one for one in stage.nominees if one.slower]
        faster = [one for one in stage.nominees if not one.slower]
        intended = [one for one in slower if self._rules[one.benchmark].accepted is not None]
        # families of their own: what is faster, or slower by no more than is accepted, fails nothing
        regressed = self._rejected(stage, slower, Rules.bound)
        shown = self._rejected(stage, intended, Rules.least)
        self._convicted |= regressed | shown | self._rejected(stage, faster, Rules.least)
        self._excused |= shown - regressed
        for one in stage.nominees:
            key = (one.benchmark, one.metric)
            fresh = self._fresh(stage, one)
            if not fresh:
                self._left_open[one] = None
                continue
            self._confirmed[key] = fresh
            self._all_confirmed.setdefault(key, []).extend(fresh)
        self._stage = None
        if any(one.slower for one in self._convicted - self._excused) and not self._to_the_end:
            if self._looks[1:]:
                self.stopped = CERTAIN
            self._looks = []
            return
        self._next_look()

    def _rejected(self, stage: _Stage, family: Sequence[Hypothesis], than: Callable[[Rules], float]) -> set[Hypothesis]:
        """Those of a family whose change is above a bound of their rules, in the fresh blocks."""
        if not family:
            return set()
        p_values = {
            one: signed_rank.p_above(self._directed(stage, one), log1p(than(self._rules[one.benchmark])))
            for one in family
        }
        return signed_rank.holm(p_values, stage.look.alpha)

    def _directed(self, stage: _Stage, one: Hypothesis) -> list[float]:
        values = self._fresh(stage, one)
        return values if one.slower else [-value for value in values]

    @staticmethod
    def _fresh(stage: _Stage, one: Hypothesis) -> list[float]:
        return stage.values.get(one.benchmark, {}).get(one.metric, [])

    def _next_look(self) -> None:
        self._looks = self._looks[1:]
        for name in list(self._active):
            if self._blocks[name] and all(self._is_settled(name, metric) for metric in self._screened[name]):
                self._active.discard(name)

    def _is_settled(self, name: str, metric: str) -> bool:
        """Whether more blocks would say nothing else: a narrower interval is asked for, since it is looked at often."""
        if any(one[:2] == (name, metric) for one in self._convicted):
            return True
        return self._within(name, self._screened[name][metric], _CONFIDENCE if self.crowded else _SETTLED)

    def _within(self, name: str, values: Sequence[float], confidence: float) -> bool:
        found = signed_rank.interval(values, confidence)
        limit = log1p(self._rules[name].limit)
        return found is not None and -limit < found.low and found.high < limit

    # what follows

    def findings(self) -> list[Finding]:
        """By benchmark and metric, in the order of the benchmarks; what is broken is left out.

        A benchmark of which nothing is known is unresolved by its wall time, rather than not mentioned.
        """
        return [
            self._finding(name, metric)
            for name in self._rules
            for metric in METRICS
            if metric in (self._screened[name] or {WALL})
        ]

    @property
    def convicted(self) -> frozenset[Hypothesis]:
        """What is certain by now."""
        return frozenset(self._convicted)

    @property
    def unjudged(self) -> Mapping[tuple[str, str], str]:
        """(benchmark, metric) -> why it is not judged."""
        return self._unjudged

    def _finding(self, name: str, metric: str) -> Finding:
        key = (name, metric)
        screened, confirmed = self._screened[name].get(metric, []), self._confirmed.get(key, [])
        judged = confirmed or screened
        found = signed_rank.interval(judged, _CONFIDENCE)
        verdict, note = self._verdict(name, metric, judged)
        return Finding(
            benchmark=name,
            metric=metric,
            verdict=verdict,
            ratio=exp(signed_rank.centre(judged)) if judged else None,
            low=None if found is None else exp(found.low),
            high=None if found is None else exp(found.high),
            blocks=(*screened, *self._all_confirmed.get(key, ())),
            confirmed=len(confirmed),
            smallest=smallest(screened, self._rules[name].margin),
            note=note,
        )

    def _verdict(self, name: str, metric: str, judged: Sequence[float]) -> tuple[str, str | None]:
        slower = Hypothesis(name, metric, slower=True)
        if slower in self._convicted:
            return ACCEPTED if slower in self._excused else REGRESSED, None
        if Hypothesis(name, metric, slower=False) in self._convicted:
            return IMPROVED, None
        for one, why in self._left_open.items():
            if one[:2] == (name, metric):
                return UNRESOLVED, f"suspected, and not confirmed: {why or self.stopped or 'the run ended'}"
        if self._within(name, judged, _CONFIDENCE):
            return UNCHANGED, None
        if name not in self._active:
            return UNRESOLVED, None
        if self.stopped and signed_rank.p_above(judged, log1p(self._rules[name].margin)) <= LOOKS[0].suspicion:
            return UNRESOLVED, f"looks slower, and was not confirmed: {self.stopped}"
        return UNRESOLVED, self.stopped


def smallest(
    values: Sequence[float], margin: float, blocks: int = CONFIRMATION, alpha: float = LOOKS[-1].alpha
) -> float | None:
    """The effect, as a share, that so many blocks as noisy as these would find 95 times in 100; None below 3 values.

    alpha  the p-value that is asked for; without, that of the last look's confirmation of one alone
    """
    if len(values) < 3:
        return None
    found = signed_rank.detectable(stdev(values), blocks, alpha)
    return exp(log1p(margin) + found) - 1 if found < 3 else None
