"""Drives one benchmark: an untimed first round, then pytest-benchmark's timed ones, each checked.

The first round proves the answer, warms what is to be warm, samples memory and tells how many rounds there
is time for. pytest-benchmark's `pedantic` times the rest; what is read and checked beside them is done in
its `setup` and `teardown`, outside the timed span. A round whose answer is wrong, or whose requests are not
exactly those that the work asks for, raises, and then no timing of the benchmark is saved.

In a race the test is visited once in each pass. `Visits` is what lasts from one visit to the next: what is warm, and
the figures of the rounds so far.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from laptime import machine
from laptime.busy import Disturbance, Snapshot, Surroundings, together
from laptime.measure import Meter, Reading, standing
from laptime.memory import MemorySampler
from laptime.passes import RECORDED_PASSES
from laptime.replay import Served, Stage
from laptime.timeline import Seen, timeline
from laptime.watch import Watcher

WARM, FRESH = "warm", "fresh"
SETTLING_S, SETTLED_SHARE, SETTLE_LIMIT_S = 0.02, 0.1, 3.0
"""What is warm has settled once its processes compute for under 10 % of 20 ms; where one computes on, it never does."""
VISIT_S, VISIT_MOST = 0.03, 10
"""Short work runs several rounds in a visit, as many as fit into so many seconds: one alone is too easily disturbed."""


NO_REQUESTS: Mapping[str, int] = {}


class WrongRequests(AssertionError):
    """The requests served in a round are not those that the work asks for."""


class Benchmark(Protocol):
    """What is used of pytest-benchmark's fixture."""

    disabled: bool
    has_error: bool
    extra_info: dict[str, Any]
    group: str | None
    stats: Any

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], None],
        teardown: Callable[[], None],
        rounds: int,
        iterations: int,
    ) -> object:
        """Time `target` in `rounds` rounds."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """How many timed rounds: as many as fit into `seconds`, between `least` and `most`."""

    least: int = 3
    most: int = 20
    seconds: float = 1.0

    def fit(self, round_s: float) -> int:
        """For rounds that take `round_s` seconds each."""
        return max(self.least, min(self.most, int(self.seconds / max(round_s, 1e-9))))


IN_A_VISIT, ONE = Rounds(1, VISIT_MOST, VISIT_S), Rounds(1, 1, 0.0)


@dataclass(frozen=True, slots=True)
class Lap:
    """One benchmark.

    open        enters what the work needs (a pool, a session) and gives the work itself: a call without
                arguments that returns the answer
    check       raises `AssertionError` with what is wrong about an answer
    lifecycle   "warm": opened once, outside the timing; "fresh": for each round anew, outside the timing too, so that a
                round can time what is done but once to what is opened (a pool's start, its end); else opening and
                closing are timed with the work
    stage       the replay it talks to, if any
    requests    ``GET /path`` -> how many of them one run of the work sends; None where any number will do
    info        what to store beside the timings

    In a race, what is warm stays open from pass to pass: what `open` uses must live as long.
    """

    open: Callable[[], AbstractContextManager[Callable[[], object]]]
    check: Callable[[Any], None]
    lifecycle: str | None = None
    stage: Stage | None = None
    requests: Mapping[str, int] | None = field(default_factory=lambda: NO_REQUESTS)
    info: Mapping[str, object] = field(default_factory=dict)


class IdleMeter:
    """Reads nothing: somebody else does."""

    def before(self) -> Reading:
        """Nothing."""
        return Reading(0.0, 0)

    after = children = before


class IdleSampler:
    """Samples nothing."""

    def start(self, helpers: tuple[int, ...]) -> None:
        """Begin to do nothing."""

    def stop(self) -> int | None:
        """No peak."""
        return None


@dataclass(frozen=True, slots=True)
class Instruments:
    """What measures beside the timer; the last two are None where they have nothing to do."""

    meter: Meter | IdleMeter
    memory: MemorySampler | IdleSampler
    helpers: Callable[[], tuple[int, ...]]
    watcher: Watcher | None = None
    surroundings: Surroundings | None = None


class Visits:
    """What lasts of one benchmark of a race from one pass to the next.

    number  of the pass that is on; recorded passes are played in turn, `RECORDED_PASSES` of them
    again   whether the rounds of this pass were void, and are repeated
    rounds  how many rounds of the visits before this one count
    """

    def __init__(self) -> None:
        self.number = 0
        self.again = False
        self.rounds = 0
        self.round_s = 0.0
        self.peak_pss_bytes: int | None = None
        self.gil: list[str] = []
        self.timed: _Round | None = None
        self._open = ExitStack()

    @property
    def void(self) -> bool:
        """Whether the last round was void: others kept it from computing."""
        return self.timed is not None and bool(self.timed.void) and self.timed.void[-1]

    def stay_open(self, lap: Lap) -> Callable[[], object]:
        """Open what is warm, until `close`."""
        return self._open.enter_context(lap.open())

    def close(self) -> None:
        """Close what was opened warm, and forget the rounds; a benchmark that goes on would begin anew."""
        self.timed = None
        self._open.close()


def run(benchmark: Benchmark, lap: Lap, rounds: Rounds, instruments: Instruments, visits: Visits | None = None) -> None:
    """Run and time one benchmark; with benchmarks disabled, run it once and check its answer.

    rounds  how many; of a race, in one pass
    visits  where it is one of a race: what lasts from pass to pass
    """
    alone = visits is None
    visits = visits or Visits()
    try:
        with ExitStack() as stack:
            if alone:
                stack.callback(visits.close)
            if benchmark.disabled:
                first = _Round(lap, _work(lap, visits), instruments, stack)
                first.prepare()
                benchmark.pedantic(first, setup=_nothing, teardown=_nothing, rounds=1, iterations=1)
                first.judge()
                return
            if visits.timed is None:
                # of a race, what other benchmarks keep open is not this one's
                others = () if alone else standing(os.getpid())
                visits.timed = _begin(visits, lap, instruments, stack, others)
                if alone:
                    visits.timed.surroundings = None
            timed = visits.timed
            count = rounds.fit(visits.round_s)
            if visits.again:
                timed.forget(count)
            visits.rounds = len(timed.cpu_s)
            if lap.lifecycle != WARM:  # what it opens may be of this visit
                timed.work = _work(lap, visits)
            timed.visit(lap, stack, None if alone else visits.number)
            benchmark.pedantic(timed, setup=timed.prepare, teardown=timed.judge, rounds=count, iterations=1)
            timed.keep(visits.rounds + count)
            timed.judge_visit(count)
            # a study asks how figures change, not how a round goes
            if instruments.watcher is not None and "study" not in lap.info and visits.number == 0:
                watched = _Round(lap, timed.work, Instruments(IdleMeter(), IdleSampler(), tuple), stack)
                timed.timeline = _watched(watched, lap.stage, instruments.watcher, instruments.helpers())
    except BaseException as error:
        # Ctrl-C too: rounds cut short are no result (pytest-benchmark itself looks at `Exception` only)
        benchmark.has_error = True
        if lap.stage is not None and isinstance(error, Exception):
            # a server that died, or a request that it does not know, is the news: not what that led the work to raise
            served = lap.stage.end()
            if (served.unmatched or served.refused) and not isinstance(error, AssertionError):
                raise WrongRequests("; ".join(_not_answered(served))) from error
        raise
    visits.gil = [visits.gil[0], machine.gil()]
    _describe(benchmark, lap, visits, timed)


def _begin(visits: Visits, lap: Lap, instruments: Instruments, stack: ExitStack, others: tuple[int, ...]) -> _Round:
    """Run the untimed first round, its memory without these processes; returns what is to be timed."""
    visits.gil = [machine.gil()]
    work = _work(lap, visits)
    first = _Round(lap, work, instruments, stack)
    visits.round_s, visits.peak_pss_bytes = _first_round(first, instruments, others)
    if lap.lifecycle == WARM:
        _settle(instruments.meter)
    return _Round(lap, work, instruments, stack)


def _describe(benchmark: Benchmark, lap: Lap, visits: Visits, timed: _Round) -> None:
    """Put what is stored beside the timings into `extra_info`."""
    walls = list(benchmark.stats.stats.data)
    benchmark.extra_info.update(
        lap.info,
        lifecycle=lap.lifecycle,
        gil=visits.gil,
        affinity_cpus=machine.affinity_cpus(),
        cpu_quota=machine.cpu_quota(),
        rounds={"wall_s": walls, **timed.figures()},
        parallelism=median(cpu / wall for cpu, wall in zip(timed.cpu_s, walls, strict=False)),
        peak_pss_bytes=visits.peak_pss_bytes,
    )
    if timed.surroundings is not None:
        benchmark.extra_info["tried"] = timed.tried
    if timed.timeline is not None:
        benchmark.extra_info["timeline"] = timed.timeline
    if lap.stage is not None:
        stage = lap.stage
        benchmark.extra_info.update(
            cassette_sha256=stage.sha256, latency=stage.latency, tls=stage.ca_file is not None, limits=stage.limits
        )


def _nothing() -> None:
    return None


def _work(lap: Lap, visits: Visits) -> Callable[[], object] | None:
    """What each round calls; None where that is only there once it is opened for the round."""
    if lap.lifecycle == FRESH:
        return None
    if lap.lifecycle == WARM:
        return visits.stay_open(lap)

    def opened_anew() -> object:
        with lap.open() as work:
            return work()

    return opened_anew


def _first_round(first: _Round, instruments: Instruments, others: tuple[int, ...]) -> tuple[float, int | None]:
    """Seconds taken, with the opening and closing that each round needs, and peak memory without these processes."""
    instruments.memory.start((*instruments.helpers(), *others))
    try:
        opening = time.perf_counter()
        first.prepare()
        started = time.perf_counter()
        first()
        ended = time.perf_counter()
    finally:
        peak_pss_bytes = instruments.memory.stop()
    closing = time.perf_counter()
    first.judge()
    around_s = started - opening + time.perf_counter() - closing if first.fresh else 0.0
    return ended - started + around_s, peak_pss_bytes


def _settle(meter: Meter | IdleMeter) -> None:
    """Wait until the processes of what is warm are warm.

    An executor starts a worker for each item that finds none idle, and the first ones may have done all items before
    the last ones have imported anything: with 24 workers on two CPUs that went on for the first three timed rounds.
    """
    give_up_at = time.monotonic() + SETTLE_LIMIT_S
    before_s, now_s = -SETTLING_S, meter.children().cpu_s
    while now_s - before_s > SETTLED_SHARE * SETTLING_S and time.monotonic() < give_up_at:
        time.sleep(SETTLING_S)
        before_s, now_s = now_s, meter.children().cpu_s


def _watched(one: _Round, stage: Stage | None, watcher: Watcher, helpers: tuple[int, ...]) -> dict[str, Any]:
    """One more round, of the first recorded pass, as `laptime.timeline.timeline` draws it."""
    one.prepare()
    watcher.start(helpers)
    began_ns = time.monotonic_ns()
    try:
        one()
        ended_ns = time.monotonic_ns()
    finally:
        seen = watcher.stop()
    visits = [] if stage is None else stage.take_log()
    one.judge()
    return timeline(Seen(began_ns, ended_ns, os.getpid(), visits, *seen))


class _Round:
    """The work, called; and before and after each call, what is measured and checked beside it.

    void   for each round that counts, whether others kept it from computing
    tried  all rounds of a race, those repeated too: how many, how many void, and in seconds what they took, and what
           others, the host and waiting for a CPU took from them
    """

    def __init__(self, lap: Lap, work: Callable[[], object] | None, instruments: Instruments, stack: ExitStack) -> None:
        self.fresh = work is None
        self.work = work
        self.surroundings = instruments.surroundings
        self.timeline: dict[str, Any] | None = None
        self._lap = lap
        self._meter = instruments.meter
        self._opened = stack.enter_context(ExitStack())  # what a round opened and didn't come to close
        self._pass: int | None = None
        self._number = 0
        self._answer: object = None
        self._snapshot: Snapshot | None = None
        self._disturbances: list[Disturbance] = []
        self._span_s = 0.0
        self.cpu_s: list[float] = []
        self.switches: list[int] = []
        self.requests: list[int] = []
        self.passes: list[int] = []
        self.race_passes: list[int] = []
        self.longest_s: list[float] = []
        self.waited_s: list[float | None] = []
        self.void: list[bool] = []
        self.tried: dict[str, Any] = {"rounds": 0, "void": 0, "wall_s": 0.0, "others_s": 0.0, "stolen_s": 0.0}

    def visit(self, lap: Lap, stack: ExitStack, number: int | None) -> None:
        """Make ready for the rounds of a pass of a race; where there is none, for all rounds."""
        self._lap, self._pass = lap, number
        self._opened = stack.enter_context(ExitStack())
        self._disturbances, self._span_s = [], 0.0

    def __call__(self) -> None:
        if self.work is None:  # --benchmark-cprofile-loops calls the work again, and prepares nothing
            self._open()
        assert self.work is not None
        self._answer = self.work()

    def _open(self) -> None:
        self.work = self._opened.enter_context(self._lap.open())

    def prepare(self) -> None:
        if self.fresh:
            self._open()
        if self._pass is not None:
            self._number = self._pass
            gc.collect()  # what the benchmarks before it left is not collected in its time
        stage = self._lap.stage
        if stage is not None:
            number = self._number if self._pass is None else self._number % RECORDED_PASSES
            stage.begin(number)
            self.passes.append(number % stage.passes)
        self.race_passes.append(self._number)
        self._number += 1
        if self.surroundings is not None:
            self._snapshot = self.surroundings.snapshot()
        self._before: Reading = self._meter.before()

    def judge(self) -> None:
        after = self._meter.after()
        # a child's child that ended had its CPU time to the nanosecond, and has it in ticks now; its switches are not
        # told any more: less than nothing is nothing
        cpu_s = max(0.0, after.cpu_s - self._before.cpu_s)
        self.cpu_s.append(cpu_s)
        self.switches.append(max(0, after.switches - self._before.switches))
        if self.surroundings is not None and self._snapshot is not None:
            snapshot = self.surroundings.snapshot()
            span_s = snapshot.at_s - self._snapshot.at_s
            self._note(self.surroundings.between(self._snapshot, snapshot, cpu_s), span_s)
        stage = self._lap.stage
        if stage is not None:
            served = stage.end() if self._pass is None else stage.end(log=True)
            self.requests.append(sum(served.requests.values()))
            if self._pass is not None:
                # when it was due, not when it was noted as done: that may be after the client has it
                waits_ns = [visit.due_ns - visit.read_ns for visit in served.log]
                self.longest_s.append(max(waits_ns, default=0) / 1e9)
            check_requests(served, self._lap.requests)
        if self.fresh:
            self.work = None
            self._opened.close()
        answer, self._answer = self._answer, None
        self._lap.check(answer)

    def _note(self, disturbance: Disturbance, span_s: float) -> None:
        self._span_s += span_s
        self._disturbances.append(disturbance)
        self.waited_s.append(disturbance.waited_s)
        self.tried["rounds"] += 1
        self.tried["wall_s"] += span_s
        self.tried["others_s"] += disturbance.others_s
        if disturbance.stolen_s is None:
            self.tried["stolen_s"] = None  # of one round not known, of all not known
        elif self.tried["stolen_s"] is not None:
            self.tried["stolen_s"] += disturbance.stolen_s

    def judge_visit(self, rounds: int) -> None:
        """Say of the last rounds whether they are void: as a whole, since others come and go more slowly."""
        if not self._disturbances:
            return
        void = together(self._disturbances).void(self._span_s, sum(self.cpu_s[-rounds:]))
        self.void += [void] * rounds
        self.tried["void"] += rounds * void

    def forget(self, rounds: int) -> None:
        """Drop the last rounds: they were void, and are repeated."""
        self.keep(len(self.cpu_s) - rounds)

    def keep(self, rounds: int) -> None:
        """Drop what comes after so many rounds: --benchmark-cprofile runs the work once again."""
        figures: tuple[list[Any], ...] = (self.cpu_s, self.switches, self.requests, self.passes, self.race_passes)
        for several in (*figures, self.longest_s, self.waited_s, self.void):
            del several[rounds:]

    def figures(self) -> dict[str, Any]:
        """What each round cost, by the names under which it is stored: a figure for each round."""
        figures: dict[str, Any] = {"cpu_s": self.cpu_s, "switches": self.switches}
        if self._lap.stage is not None:
            figures |= {"requests": self.requests, "pass": self.passes}
        if self._pass is not None:
            figures |= {"race_pass": self.race_passes}
            if self._lap.stage is not None:
                figures |= {"longest_s": self.longest_s}
        if self.void:
            figures |= {"void": self.void, "waited_s": self.waited_s}
        return {name: list(values) for name, values in figures.items()}


def check_requests(served: Served, expected: Mapping[str, int] | None) -> None:
    """Raise `WrongRequests` where a round's requests differ from those expected; None expects nothing in particular."""
    problems = _not_answered(served)
    if expected is None:
        if problems:
            raise WrongRequests("; ".join(problems))
        return
    names = sorted({*served.requests, *expected})
    surplus = {name: served.requests.get(name, 0) - expected.get(name, 0) for name in names}
    missing = -sum(count for count in surplus.values() if count < 0)
    extra = sum(count for count in surplus.values() if count > 0)
    if missing:
        problems.append(f"{missing} went missing ({_some(surplus, -1)})")
    if extra:
        problems.append(f"{extra} came more often than asked ({_some(surplus, +1)})")
    if problems:
        raise WrongRequests(
            f"the replay served {sum(served.requests.values())} of {sum(expected.values())} expected requests: "
            + "; ".join(problems)
        )


def _not_answered(served: Served) -> list[str]:
    found = {"not in the cassette": served.unmatched, "refused": served.refused}
    return [f"{what}: {', '.join(dict.fromkeys(notes))}" for what, notes in found.items() if notes]


def _some(surplus: Mapping[str, int], sign: int, most: int = 3) -> str:
    names = [name for name, count in surplus.items() if count * sign > 0]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
