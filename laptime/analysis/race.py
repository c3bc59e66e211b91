"""The race: which way to run a piece of work is fastest, which are equally fast, and whether that can be told. Pure.

A race was run in passes: in each, every variant was timed once, in an order drawn anew. Speed-ups are compared within
passes, and all intervals of a race hold together (`laptime.stats.paired`). `laptime.analysis.documents` reads races
from what pytest-benchmark writes.

A variant is taken only where the lower end of its gain over the first variant is above `WORTHWHILE`. Nobody is named
where the race was not fit: too few passes, a machine that was busy, a canary that came out at two speeds, or a winner
that can't be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import NamedTuple

from laptime.passes import BESIDE_PASSES, LEAST_PASSES
from laptime.stats.paired import Gain, Passes

WORTHWHILE = 1.10
"""A speed-up below 10 % is not worth a pool."""
NEAR = 1.10
"""Of variants that are equally fast, one is taken for its CPU time where its estimate is within 10 % of the best."""
CHEAPER = 0.95
"""CPU seconds that differ by less than 5 % decide nothing."""
ENOUGH_PASSES = 8
"""Fewer tell too little of how much a variant's figures vary."""
PRECISE = 0.05
"""The half width of an interval at which a race has told enough."""
MOSTLY_WAITING, MOSTLY_COMPUTING = 0.25, 0.75
"""CPU seconds over wall seconds of the first variant, below and above which one thing bound the work."""
MOST_VOID = 0.25
"""Of a race's rounds that others may disturb."""
CANARY_CONFIDENCE = 0.99
CANARY_TOLERANCE = 0.02
"""The two canaries of a pass do the same: an interval of their ratio that lies farther than this from 1 is a fault."""
SAME_WORK = 0.75
"""A client that keeps its connections computes and waits less than the first variant, hardly below three quarters."""
LATE = 1.05
"""The longest wait is taken from rounds of the first variant, in which it may have been answered a little late."""
CONTROL_TOLERANCE = 0.25
NO_HTTP = "no HTTP"
LOST = "lost"
"""Why a benchmark left its race before its end, as `through` says and its `extra_info` keeps."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One variant's figures.

    variant      its name without workers, start method and the like
    meaning      what it does, where the name doesn't say
    median_s     wall seconds of a round
    gain         over the first variant, with its interval; None where it wasn't run in passes
    speedup      the same without an interval: medians, on the recorded passes that both played, where there is no gain
    cpu_s        CPU seconds of a round (median), child processes included
    parallelism  CPU seconds over wall seconds (median over rounds)
    passes       of the race in which it was timed without being disturbed
    tried, void  rounds that were run, and those of them that others disturbed
    waited_s     what its threads waited for a CPU, in a round (mean); None where the system doesn't tell
    longest_share  of a round, the longest time until an answer was due; None without a replay
    lost         whether it left the race since it was shown to be too slow for any contest
    first        whether the others are compared with it; None where the suite doesn't say
    elsewhere    whether processes that are not ours (a running cluster's) worked too: CPU figures are of a part only
    """

    name: str
    fullname: str
    variant: str
    meaning: str
    median_s: float
    gain: Gain | None
    speedup: float
    cpu_s: float
    parallelism: float
    rounds: int
    passes: int
    tried: int
    void: int
    waited_s: float | None
    longest_share: float | None
    workers: int | None
    processes: bool
    warm: bool
    reference: bool
    parser: str | None
    ideal: float | None
    lost: bool
    first: bool | None
    elsewhere: bool = False

    @property
    def misses_ideal(self) -> bool:
        """Whether a control's speed-up is off its known ideal by more than the tolerance."""
        return self.ideal is not None and abs(self.speedup / self.ideal - 1) > CONTROL_TOLERANCE


class Shares(NamedTuple):
    """Of the first variant's wall time: computing, waiting for what it asked for, and waiting for a CPU."""

    computing: float
    waiting: float
    cpu_wait: float | None

    @property
    def bound(self) -> str:
        """``waiting``, ``computing``, or both: of the time for which it had, or needed, no CPU that others had."""
        computing = self.computing / max(self.computing + self.waiting, 1e-9)
        if computing < MOSTLY_WAITING:
            return "waiting"
        return "computing" if computing > MOSTLY_COMPUTING else "waiting and computing"


class Taken(NamedTuple):
    """What others took while a race's rounds ran, in CPUs; and how many rounds were tried, and void.

    others  other processes
    stolen  the host of a virtual machine; None where the system doesn't tell
    """

    others: float
    stolen: float | None
    tried: int
    void: int

    @property
    def too_many_void(self) -> bool:
        """Whether more than `MOST_VOID` of the rounds were disturbed."""
        return self.void > MOST_VOID * self.tried


_NOTHING_TAKEN = Taken(0.0, 0.0, 0, 0)


@dataclass(frozen=True, slots=True)
class Contest:
    """Who is fastest among the variants that do the same work.

    equals      those that are not shown to be slower than any, the fastest first
    within      by how much one of the equals may be slower than the best at most, as a share; 0 where there is but one
    take        the equal to run: the first variant where no gain is shown, else the cheapest in CPU of those near the
                best
    worthwhile  whether the lower end of the best's gain over the first variant is above `WORTHWHILE`
    """

    equals: tuple[Entry, ...]
    within: float
    take: Entry
    worthwhile: bool


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a race names nobody.

    kind  "look": it was asked for fewer passes than a verdict needs; "passes": others left too few; "unpaired": it was
          not run in passes; "first": the first variant was not run; "busy": others disturbed too many rounds; "canary":
          the same work came out at two speeds (`gain`); "impossible": `entry` gained more than `bound` allows
    limit  what that is bound by: "computing", "workers" or "longest wait"
    """

    kind: str
    entry: Entry | None = None
    bound: float = 0.0
    limit: str = ""
    gain: Gain | None = None


@dataclass(frozen=True)
class Race:
    """One workload: its variants, fastest first, and the one that the others are compared with.

    base        the first variant; where that was not run, the first that was
    first_ran   whether it was
    canary      seconds of the two canaries in each pass; empty where there were none
    waits_told  whether of every round it is known how long it waited for a CPU
    gil_on_by   what turned the GIL on, where a free-threaded build had it on nevertheless
    """

    workload: str
    summary: str
    setting: str
    base: Entry
    entries: tuple[Entry, ...]
    cpus: float
    first_ran: bool = True
    look: bool = False
    taken: Taken = _NOTHING_TAKEN
    waits_told: bool = True
    canary: tuple[tuple[float, float], ...] = ()
    gil: bool = True
    gil_on_by: str | None = None
    paired: Passes | None = None
    confidences: Mapping[str, float] = field(default_factory=dict)

    def gain(self, over: Entry, entry: Entry) -> Gain:
        """How many times as fast one entry is as another; without an interval where they were not run in passes."""
        if over is entry:
            return Gain(1.0, 1.0, 1.0, over.passes)
        if self.paired is not None:
            # one that left the race early did so at a look with a confidence of its own
            confidence = max(self.confidences[over.fullname], self.confidences[entry.fullname])
            gain = self.paired.gain(over.fullname, entry.fullname, confidence)
            if gain.passes:
                return gain
        return Gain(over.median_s / entry.median_s, 0.0, inf, 0)

    @property
    def shares(self) -> Shares:
        """What the first variant's time went into."""
        base = self.base
        computing = min(base.cpu_s / base.median_s, 1.0)  # the two clocks differ by a little
        cpu_wait = None if base.waited_s is None else min(base.waited_s / base.median_s, 1.0 - computing)
        return Shares(computing, max(0.0, 1.0 - computing - (cpu_wait or 0.0)), cpu_wait)

    @property
    def runners(self) -> tuple[Entry, ...]:
        """The variants that do the same work: another algorithm or another parser is no variant of it."""
        return tuple(entry for entry in self.entries if not entry.reference and entry.parser == self.base.parser)

    @cached_property
    def once(self) -> Contest:
        """For a single run: a pool, if there is one, is started for it."""
        return _contest(self, [entry for entry in self.runners if not entry.warm])

    @cached_property
    def overall(self) -> Contest:
        """The contest of all variants that do the same work, warm ones included."""
        return _contest(self, self.runners)

    @cached_property
    def kept(self) -> Contest:
        """Where a pool is kept open from run to run; the same as `once` where that gains nothing worthwhile."""
        contest = self.overall
        if contest.take.warm:
            more = self.gain(self.once.take, contest.take)
            if more.low > 1 and more.estimate > WORTHWHILE:
                return contest
        return self.once

    @property
    def half_width(self) -> float:
        """The widest interval of those that the verdict rests on: of the gains over the first variant.

        Of the equals of both contests; where there the first variant is alone, of what comes next to it.
        """
        entries = {entry.fullname: entry for contest in (self.once, self.kept) for entry in contest.equals}
        if set(entries) == {self.base.fullname}:
            entries |= {entry.fullname: entry for entry in self.runners[:2]}
        return max(
            (self.gain(self.base, entry).half_width for entry in entries.values() if entry is not self.base),
            default=0.0,
        )

    @property
    def left_out(self) -> tuple[Entry, ...]:
        """What was run beside the contest."""
        return tuple(entry for entry in self.entries if entry not in self.runners)

    @cached_property
    def unfit(self) -> tuple[Unfit, ...]:
        """Why nobody is named; empty where the race is fit."""
        return tuple(_unfit(self))

    def equal_to_best(self, entry: Entry) -> bool:
        """Whether it is not shown to be slower than the best of those that do the same work."""
        return any(entry is equal for equal in self.overall.equals)


def losers(race: Race) -> frozenset[str]:
    """Full names of the variants that are shown to be too slow for any contest: they need no more passes."""
    lost = []
    for entry in race.entries:
        if entry is race.base or entry in race.left_out:
            continue
        contests = [race.runners] if entry.warm else [race.runners, [one for one in race.runners if not one.warm]]
        bests = [min(contest, key=lambda one: _pace(race, one)) for contest in contests]
        if all(race.gain(entry, best).low > NEAR for best in bests):
            lost.append(entry.fullname)
    return frozenset(lost)


def through(race: Race, passes: int) -> dict[str, str]:
    """Who needs no more passes after so many, by full name, and why.

    `LOST`: it is shown to be too slow for any contest; "beside": it is out of the contest; "precise": all are through,
    since the intervals that the verdict rests on are narrow enough.
    """
    names: dict[str, str] = {}
    if passes >= LEAST_PASSES and race.half_width <= PRECISE:
        names |= dict.fromkeys((entry.fullname for entry in race.entries), "precise")
    if passes >= BESIDE_PASSES:
        names |= dict.fromkeys((entry.fullname for entry in race.left_out), "beside")
    return names | dict.fromkeys(losers(race), LOST)


# deciding


def _pace(race: Race, entry: Entry) -> float:
    return 1 / race.gain(race.base, entry).estimate


def _contest(race: Race, entries: Sequence[Entry]) -> Contest:
    """The base takes part in each: that nothing gains on it is an outcome."""
    contenders = {entry.fullname: entry for entry in (race.base, *entries) if not entry.lost}
    ordered = sorted(contenders.values(), key=lambda one: _pace(race, one))
    best = ordered[0]
    equals = tuple(entry for entry in ordered if all(race.gain(entry, other).low <= 1 for other in ordered))
    within = max((race.gain(entry, best).high - 1 for entry in equals if entry is not best), default=0.0)
    worthwhile = race.gain(race.base, best).low > WORTHWHILE
    if not worthwhile:
        return Contest(equals, within, race.base, worthwhile=False)
    near = [
        entry
        for entry in equals
        if race.gain(race.base, entry).low > WORTHWHILE and race.gain(entry, best).estimate <= NEAR
    ]
    cheapest = min(near, key=lambda entry: (entry.elsewhere, entry.cpu_s), default=best)
    take = cheapest if cheapest.cpu_s < CHEAPER * best.cpu_s or best.elsewhere else best
    return Contest(equals, within, take, worthwhile=True)


def _unfit(race: Race) -> Iterable[Unfit]:
    if not race.first_ran:
        yield Unfit("first")
    if len(race.entries) < 2:
        return
    if race.paired is None:
        yield Unfit("unpaired")
        return
    if race.taken.too_many_void:
        yield Unfit("busy")
    contenders = {entry.fullname: entry for contest in (race.once, race.kept) for entry in (*contest.equals, race.base)}
    fewest = min(contenders.values(), key=lambda entry: entry.passes)
    if race.look:
        yield Unfit("look")
    elif fewest.passes < ENOUGH_PASSES and not race.taken.too_many_void:
        yield Unfit("passes", fewest)
    if (canary := _canary(race)) is not None:
        yield Unfit("canary", gain=canary)
    for entry in contenders.values():
        limit, bound = min(_bounds(race, entry).items(), key=lambda item: item[1])
        if race.gain(race.base, entry).low > bound:
            yield Unfit("impossible", entry, bound, limit)


def _canary(race: Race) -> Gain | None:
    """The ratio of the two canaries where they came out at two speeds."""
    if len(race.canary) < ENOUGH_PASSES:
        return None
    one, other = zip(*race.canary, strict=True)
    gain = Passes({"one": one, "other": other}).gain("one", "other", CANARY_CONFIDENCE)
    return gain if gain.low > 1 + CANARY_TOLERANCE or gain.high < 1 / (1 + CANARY_TOLERANCE) else None


def _bounds(race: Race, entry: Entry) -> dict[str, float]:
    """The most that an entry can gain on the first variant, by what bounds it.

    What the first variant computes has to be computed, on the CPUs that the entry uses; what it waits for has to be
    waited for, as much at once as there are workers, and the longest wait as a whole.
    """
    if entry.elsewhere:
        return {"computing": inf}
    shares, longest = race.shares, race.base.longest_share
    # under a GIL one thread's worth of bytecode, and what C code computes without it
    workers = (entry.workers or race.cpus) if entry.processes or not race.gil else 1.0
    cpus = min(race.cpus, max(workers, entry.parallelism))
    slack = 1.0 if shares.computing > MOSTLY_COMPUTING else SAME_WORK
    bounds = {"computing": cpus / max(slack * shares.computing, 1e-9)}
    if entry.workers and longest is not None:
        bounds["workers"] = entry.workers / max(SAME_WORK * shares.waiting, 1e-9)
    if longest:
        bounds["longest wait"] = LATE / longest
    return bounds


def is_control(race: Race) -> bool:
    """Whether the race is one whose outcome is known beforehand."""
    return any(entry.ideal is not None for entry in race.entries)
