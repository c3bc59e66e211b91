"""Drives one benchmark: an untimed first round, then pytest-benchmark's timed ones, each checked.

The first round proves the answer, warms what is to be warm, samples memory and tells how many rounds there
is time for. pytest-benchmark's `pedantic` times the rest; what is read and checked beside them is done in
its `setup` and `teardown`, outside the timed span. A round whose answer is wrong, or whose requests are not
exactly those that the work asks for, raises, and then no timing of the benchmark is saved.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from laptime import machine
from laptime.measure import Meter, Reading
from laptime.memory import MemorySampler
from laptime.replay import Served, Stage
from laptime.timeline import Seen, timeline
from laptime.watch import Watcher

WARM, FRESH = "warm", "fresh"
SETTLING_S, SETTLED_SHARE, SETTLE_LIMIT_S = 0.02, 0.1, 3.0
"""What is warm has settled once its processes compute for under 10 % of 20 ms; where one computes on, it never does."""


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
    requests    ``GET /path`` -> how many of them one run of the work sends
    info        what to store beside the timings
    """

    open: Callable[[], AbstractContextManager[Callable[[], object]]]
    check: Callable[[Any], None]
    lifecycle: str | None = None
    stage: Stage | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
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
    """What measures beside the timer; `watcher` is None where no round is to be watched."""

    meter: Meter | IdleMeter
    memory: MemorySampler | IdleSampler
    helpers: Callable[[], tuple[int, ...]]
    watcher: Watcher | None = None


def run(benchmark: Benchmark, lap: Lap, rounds: Rounds, instruments: Instruments) -> None:
    """Run and time one benchmark; with benchmarks disabled, run it once and check its answer."""
    gil = [machine.gil()]
    try:
        with ExitStack() as stack:
            work = _work(lap, stack)
            first = _Round(lap, work, instruments.meter, stack)
            if benchmark.disabled:
                first.prepare()
                benchmark.pedantic(first, setup=_nothing, teardown=_nothing, rounds=1, iterations=1)
                first.judge()
                return
            round_s, peak_pss_bytes = _first_round(first, instruments)
            if lap.lifecycle == WARM:
                _settle(instruments.meter)
            timed = _Round(lap, work, instruments.meter, stack)
            benchmark.pedantic(
                timed, setup=timed.prepare, teardown=timed.judge, rounds=rounds.fit(round_s), iterations=1
            )
            # a study asks how figures change, not how a round goes
            if instruments.watcher is not None and "study" not in lap.info:
                watched = _Round(lap, work, IdleMeter(), stack)
                benchmark.extra_info["timeline"] = _watched(
                    watched, lap.stage, instruments.watcher, instruments.helpers()
                )
    except BaseException as error:
        # Ctrl-C too: rounds cut short are no result (pytest-benchmark itself looks at `Exception` only)
        benchmark.has_error = True
        if lap.stage is not None and isinstance(error, Exception):
            # a server that died, or a request that it does not know, is the news: not what that led the work to raise
            served = lap.stage.end()
            if (served.unmatched or served.refused) and not isinstance(error, AssertionError):
                raise WrongRequests("; ".join(_not_answered(served))) from error
        raise
    gil.append(machine.gil())
    walls = list(benchmark.stats.stats.data)
    benchmark.extra_info.update(
        lap.info,
        lifecycle=lap.lifecycle,
        gil=gil,
        affinity_cpus=machine.affinity_cpus(),
        cpu_quota=machine.cpu_quota(),
        rounds={"wall_s": walls, **timed.figures(len(walls))},
        parallelism=median(cpu / wall for cpu, wall in zip(timed.cpu_s, walls, strict=False)),
        peak_pss_bytes=peak_pss_bytes,
    )
    if lap.stage is not None:
        stage = lap.stage
        benchmark.extra_info.update(
            cassette_sha256=stage.sha256, latency=stage.latency, tls=stage.ca_file is not None, limits=stage.limits
        )


def _nothing() -> None:
    return None


def _work(lap: Lap, stack: ExitStack) -> Callable[[], object] | None:
    """What each round calls; None where that is only there once it is opened for the round."""
    if lap.lifecycle == FRESH:
        return None
    if lap.lifecycle == WARM:
        return stack.enter_context(lap.open())

    def opened_anew() -> object:
        with lap.open() as work:
            return work()

    return opened_anew


def _first_round(first: _Round, instruments: Instruments) -> tuple[float, int | None]:
    """Seconds taken, with the opening and closing that each round needs, and peak memory."""
    instruments.memory.start(instruments.helpers())
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
    """The work, called; and before and after each call, what is measured and checked beside it."""

    def __init__(self, lap: Lap, work: Callable[[], object] | None, meter: Meter | IdleMeter, stack: ExitStack) -> None:
        self.fresh = work is None
        self._lap = lap
        self._work = work
        self._meter = meter
        self._opened = stack.enter_context(ExitStack())  # what a round opened and didn't come to close
        self._number = 0
        self._answer: object = None
        self.cpu_s: list[float] = []
        self.switches: list[int] = []
        self.requests: list[int] = []
        self.passes: list[int] = []

    def __call__(self) -> None:
        if self._work is None:  # --benchmark-cprofile-loops calls the work again, and prepares nothing
            self._open()
        assert self._work is not None
        self._answer = self._work()

    def _open(self) -> None:
        self._work = self._opened.enter_context(self._lap.open())

    def prepare(self) -> None:
        if self.fresh:
            self._open()
        stage = self._lap.stage
        if stage is not None:
            stage.begin(self._number)
            self.passes.append(self._number % stage.passes)
        self._number += 1
        self._before: Reading = self._meter.before()

    def judge(self) -> None:
        after = self._meter.after()
        # a worker that ended had its CPU time to the nanosecond, and has it in ticks now: less than nothing is nothing
        self.cpu_s.append(max(0.0, after.cpu_s - self._before.cpu_s))
        self.switches.append(after.switches - self._before.switches)
        stage = self._lap.stage
        if stage is not None:
            served = stage.end()
            self.requests.append(sum(served.requests.values()))
            check_requests(served, self._lap.requests)
        if self.fresh:
            self._work = None
            self._opened.close()
        answer, self._answer = self._answer, None
        self._lap.check(answer)

    def figures(self, rounds: int) -> dict[str, list[float] | list[int]]:
        # no more than were timed: --benchmark-cprofile runs the work once again
        figures: dict[str, list[float] | list[int]] = {"cpu_s": self.cpu_s[:rounds], "switches": self.switches[:rounds]}
        if self._lap.stage is not None:
            figures |= {"requests": self.requests[:rounds], "pass": self.passes[:rounds]}
        return figures


def check_requests(served: Served, expected: Mapping[str, int]) -> None:
    """Raise `WrongRequests` where a round's requests differ from those expected."""
    problems = _not_answered(served)
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
