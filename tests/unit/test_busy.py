"""What a round was kept from: the rule on made-up figures, and a process of somebody else's that really computes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from laptime import busy
from laptime.busy import Disturbance, Snapshot, Surroundings, together
from laptime.lap import Instruments, Lap, Rounds, Visits, run
from laptime.measure import Meter

HANG_LIMIT_S = 30.0
SPIN = "while True: pass"
COMPUTING_S = 0.1
linux = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux says who waited for a CPU")

# the rule


@pytest.mark.parametrize(
    ("disturbance", "wall_s", "cpu_s", "void"),
    [
        (Disturbance(0.0, 0.0, 0.0), 1.0, 1.0, False),
        (Disturbance(0.10, 0.0, 0.10), 1.0, 1.0, False),
        (Disturbance(0.11, 0.0, 0.11), 1.0, 1.0, True),
        # what others took from a CPU that stood idle cost it nothing, and it waits for itself too
        (Disturbance(0.9, 0.0, 0.0), 1.0, 1.0, False),
        (Disturbance(0.0, 0.0, 0.9), 1.0, 1.0, False),
        (Disturbance(0.9, 0.0, 0.05), 1.0, 0.05, False),
        # two CPUs that it kept busy have twice the time
        (Disturbance(0.15, 0.0, 0.15), 1.0, 1.9, False),
        (Disturbance(0.21, 0.0, 0.21), 1.0, 1.9, True),
        (Disturbance(0.15, 0.0, 0.15), 1.0, 1.02, True),
        (Disturbance(0.15, 0.0, 0.15), 1.0, 1.03, False),
        # where waiting isn't known, all that others computed counts
        (Disturbance(0.11, None, None), 1.0, 0.5, True),
        (Disturbance(0.10, None, None), 1.0, 0.5, False),
        # what is shorter than 10 ms is disturbed by anything
        (Disturbance(0.0009, 0.0, 0.0009), 0.001, 0.001, False),
        (Disturbance(0.0011, 0.0, 0.0011), 0.001, 0.001, True),
    ],
)
def test_a_round_is_void_where_it_waited_for_others_a_tenth_of_its_time(disturbance, wall_s, cpu_s, void):
    """Where it waited and they computed: the lesser of both, as a share of the CPUs that it kept busy."""
    assert void == disturbance.void(wall_s, cpu_s)


@pytest.mark.parametrize(
    ("stolen_s", "cpu_s", "void"),
    [
        (0.25, 0.5, False),
        (0.26, 0.5, True),
        (0.9, 0.75, False),
        (0.9, 0.74, True),
        (0.9, 1.0, False),
        (None, 0.0, False),
    ],
)
def test_a_round_is_void_where_the_host_took_a_quarter_of_it(stolen_s, cpu_s, void):
    """Of what it did not compute: a CPU that was noted as stolen while it computed all the time was not."""
    assert void == Disturbance(0.0, stolen_s, 0.0).void(1.0, cpu_s)


def test_rounds_that_follow_each_other_are_judged_together():
    """Sums; what isn't known of one isn't known of all."""
    known = [Disturbance(0.1, 0.2, 0.3), Disturbance(0.4, 0.5, 0.6)]
    assert Disturbance(0.5, 0.7, 0.9) == pytest.approx(together(known))
    assert known[0] == together(known[:1])
    assert (0.5, None, None) == together([*known, Disturbance(0.0, None, None)])


# two readings


def snapshot(
    others: dict[int, float],
    busy_s: float | None = None,
    stolen_s: float | None = None,
    waited_s: float | None = None,
    threads_s: float = 0.0,
    pressure_s: float | None = None,
    harness_s: float = 0.0,
) -> Snapshot:
    """A reading; what isn't said isn't known."""
    return Snapshot(others, harness_s, busy_s, stolen_s, waited_s, threads_s, pressure_s)


def between(before: Snapshot, after: Snapshot, cpu_s: float = 0.0) -> tuple[float | None, ...]:
    """What happened between two readings, to the nanosecond."""
    found = Surroundings().between(before, after, cpu_s)
    return tuple(None if value is None else round(value, 9) for value in found)


def test_what_is_not_known_is_none():
    """Off Linux there is no stealing and no waiting; what others computed is what is left of the whole."""
    assert (0.0, None, None) == between(snapshot({}), snapshot({}))
    ticks_s = 2 / os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
    before, after = snapshot({}, busy_s=10.0), snapshot({}, busy_s=12.0, harness_s=0.2)
    assert (round(2.0 - 0.5 - 0.2 - ticks_s, 9), None, None) == between(before, after, cpu_s=0.5)


def test_what_others_computed_is_what_their_clocks_say():
    """One that began meanwhile with all it has, one that ended with what only the sum of all tells."""
    before, after = snapshot({7: 1.0, 8: 5.0}), snapshot({7: 1.25, 9: 0.5})
    assert (0.75, None, None) == between(before, after)


def test_nothing_is_less_than_nothing():
    """Clocks and ticks differ by a little: no figure is below 0."""
    before = snapshot({7: 1.0}, busy_s=10.0, stolen_s=3.0, waited_s=2.0, threads_s=4.0, pressure_s=1.0)
    after = snapshot({}, busy_s=10.0, stolen_s=3.0, waited_s=1.5, threads_s=4.0, pressure_s=1.0)
    assert (0.0, 0.0, 0.0) == between(before, after, cpu_s=1.0)


def test_what_threads_waited_that_ended_is_the_pressure():
    """Where the living ones account for less than nine tenths of what was computed; else it is their own."""
    before = snapshot({}, waited_s=0.0, threads_s=0.0, pressure_s=0.0)
    ended = snapshot({}, waited_s=0.1, threads_s=0.8, pressure_s=0.5)
    lived = snapshot({}, waited_s=0.1, threads_s=0.9, pressure_s=0.5)
    assert (0.5, 0.1) == (between(before, ended, cpu_s=1.0)[2], between(before, lived, cpu_s=1.0)[2])
    unknown = ended._replace(pressure_s=None)
    assert between(before, unknown, cpu_s=1.0)[2] is None


# a process that computes beside


@pytest.fixture
def one_cpu() -> Iterator[None]:
    """This process, and all that it starts, on one CPU: whoever computes beside it takes it from it."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


@contextmanager
def burner() -> Iterator[int]:
    """A process that computes on and is no descendant of this one: its parent has ended; gives its id."""
    shell = f'"{sys.executable}" -S -E -c "{SPIN}" >/dev/null 2>&1 & echo $!'
    pid = int(subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, check=True).stdout)
    try:
        until_it_computes(pid)
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)


@contextmanager
def child() -> Iterator[int]:
    """The same as a child of this one."""
    with subprocess.Popen([sys.executable, "-S", "-E", "-c", SPIN]) as process:
        try:
            until_it_computes(process.pid)
            yield process.pid
        finally:
            process.kill()


def until_it_computes(pid: int) -> None:
    """Wait until a process has computed something."""
    process, give_up_at = psutil.Process(pid), time.monotonic() + HANG_LIMIT_S
    while process.cpu_times().user < 0.02:
        assert time.monotonic() < give_up_at, "it does not compute"
        time.sleep(0.005)


def compute(seconds: float = COMPUTING_S) -> None:
    """Compute until this process has used so many seconds of CPU."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def disturbance(surroundings: Surroundings, computed_beside_s: float = 0.0) -> Disturbance:
    """What happened while this process computed."""
    before, began = surroundings.snapshot(), time.process_time()
    compute()
    cpu_s = time.process_time() - began
    return surroundings.between(before, surroundings.snapshot(), cpu_s + computed_beside_s)


@linux
@pytest.mark.usefixtures("one_cpu")
def test_who_computes_beside_is_seen_and_waited_for():
    """On the same CPU: each has about half of it, so a round that computes waits for as long as it computes."""
    with burner() as pid:
        assert pid not in {process.pid for process in psutil.Process().children(recursive=True)}
        seen = disturbance(Surroundings())
    assert seen.others_s > COMPUTING_S / 4
    assert seen.waited_s is not None
    assert seen.waited_s > COMPUTING_S / 4
    assert seen.void(2 * COMPUTING_S, COMPUTING_S)


@linux
@pytest.mark.usefixtures("one_cpu")
def test_who_is_of_the_rounds_own_tree_is_no_other():
    """A child that computes is the work, and this process is too; a process whose parent ended is not."""
    surroundings = Surroundings()
    with child() as pid:
        first = surroundings.snapshot()
        assert (False, False) == (pid in first.others, os.getpid() in first.others)
    with burner() as pid:
        assert pid in surroundings.snapshot().others


@linux
@pytest.mark.usefixtures("one_cpu")
def test_helpers_are_neither_others_nor_the_rounds():
    """What the harness's own processes compute is told apart, and what their threads wait is not the round's."""
    with child() as pid:
        helped, alone = Surroundings(lambda: (pid,)), Surroundings()
        before = helped.snapshot()
        compute()
        after, with_it = helped.snapshot(), alone.snapshot()
    assert (False, 0.0) == (pid in after.others, with_it.harness_s)
    assert after.harness_s - before.harness_s > COMPUTING_S / 4
    assert with_it.threads_s - after.threads_s > COMPUTING_S / 4


@linux
def test_what_the_system_does_not_tell_is_none(monkeypatch):
    """A kernel without pressure, a container that hides /proc/stat: the rest stands."""
    monkeypatch.setattr(busy, "_PRESSURE", Path("/nowhere/pressure"))
    monkeypatch.setattr(busy, "_STAT", Path("/nowhere/stat"))
    now = Surroundings().snapshot()
    assert (None, None) == (now.pressure_s, now.busy_s)
    assert now.waited_s is not None


def test_off_linux_the_sum_of_all_is_read(monkeypatch):
    """No other's clock, no waiting and no stealing are known there."""
    monkeypatch.setattr(busy, "_LINUX", False)
    before = Surroundings().snapshot()
    assert ({}, None, None, None) == (before.others, before.waited_s, before.stolen_s, before.pressure_s)
    assert before.busy_s is not None
    compute(0.05)
    found = Surroundings().between(before, Surroundings().snapshot(), 0.05)
    assert (None, None, True) == (found.waited_s, found.stolen_s, found.others_s >= 0)


# a visit of a race under such a process


class NoMemory:
    """In the place of the memory sampler."""

    def start(self, helpers: tuple[int, ...]) -> None:
        """Begin to do nothing."""

    def stop(self) -> int | None:
        """No peak."""
        return None


@pytest.fixture
def bench(benchmark, monkeypatch):
    """pytest-benchmark's fixture, enabled under xdist too; what it times is no result of this session."""
    monkeypatch.setattr(benchmark, "disabled", False)
    monkeypatch.setattr(benchmark, "_add_stats", [].append)
    yield benchmark
    benchmark.skipped = True


@contextmanager
def computing() -> Iterator[object]:
    """The work."""
    yield lambda: compute(0.05)


def visited(bench, visits: Visits | None) -> dict:
    """What is stored of one visit; without `visits`, of a benchmark that is in no race."""
    instruments = Instruments(Meter(), NoMemory(), tuple, None, Surroundings())
    run(bench, Lap(computing, lambda answer: None), Rounds(1, 1, 0.0), instruments, visits)
    return bench.extra_info


@linux
@pytest.mark.usefixtures("one_cpu")
def test_a_visit_that_others_kept_from_computing_is_void(bench):
    """It says so of itself, so that it is repeated, and the figures say so of each round, and what was taken."""
    visits = Visits()
    with burner():
        info = visited(bench, visits)
    assert visits.void
    assert [True] == info["rounds"]["void"]
    assert [0] == info["rounds"]["race_pass"]
    assert info["rounds"]["waited_s"][0] > 0.01
    assert (1, 1) == (info["tried"]["rounds"], info["tried"]["void"])
    assert info["tried"]["others_s"] > 0.01
    assert info["tried"]["wall_s"] > info["rounds"]["cpu_s"][0]


@linux
@pytest.mark.usefixtures("one_cpu")
def test_a_repeated_visit_takes_the_place_of_the_void_one(bench):
    """Its rounds are dropped; that they were tried is kept."""
    visits = Visits()
    with burner():
        visited(bench, visits)
        visits.again = True
        bench._mode = None  # as a new fixture would be
        info = visited(bench, visits)
    rounds = info["rounds"]
    assert (1, 1, 1, [0]) == (len(rounds["cpu_s"]), len(rounds["void"]), len(rounds["waited_s"]), rounds["race_pass"])
    assert 0 == visits.rounds
    assert (2, 2) == (info["tried"]["rounds"], info["tried"]["void"])


@linux
@pytest.mark.usefixtures("one_cpu")
def test_a_benchmark_that_is_in_no_race_is_never_void(bench):
    """Nobody would repeat it: nothing is said of it, and no time is spent on looking around."""
    with burner():
        info = visited(bench, None)
    assert not {"void", "waited_s", "race_pass"} & set(info["rounds"])
    assert "tried" not in info
