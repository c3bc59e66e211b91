"""What a round was kept from, by a process of somebody else's that really computes."""

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

from laptime.busy import Disturbance, Surroundings
from laptime.lap import Instruments, Lap, Rounds, Visits, run
from laptime.measure import Meter
from tests.support import HANG_LIMIT_S

SPIN = "while True: pass"
COMPUTING_S = 0.1
linux = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux says who waited for a CPU")


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
