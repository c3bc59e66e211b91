"""What the meter counts: the CPU seconds and switches of this process and all its descendants, on CPU clocks."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread
from types import SimpleNamespace

import psutil
import pytest

from laptime.measure import Meter, Reading, descendants

LINUX = sys.platform == "linux"
BURN_S = 0.05
TICKS_S = 0.02
"""A fork server tells the user and the system time of its ended workers in ticks of 10 ms each."""
SPARE_S = 0.5
"""What may be spent beside the burning: by pools, pipes and interpreters that start."""
LONG = 4
"""So many times longer a child burns where its start is measured with it, lest that be taken for the burning."""
NAPS = 10

# children run source text with `exec`, so that none of them needs to import pytest first
BURN = f"""
import time
end = time.process_time() + {BURN_S}
while time.process_time() < end: pass
"""
NAP = f"""
import time
for _ in range({NAPS}): time.sleep(0.02)
"""
NAP_IN_A_THREAD = f"""
import threading, time
def nap():
    for _ in range({NAPS}): time.sleep(0.02)
    napped.set()
    threading.Event().wait()
napped = threading.Event()
threading.Thread(target=nap, daemon=True).start()
napped.wait()
"""


def burn(clock: Callable[[], float] = time.process_time, seconds: float = BURN_S) -> None:
    """Compute until a clock has moved on."""
    end = clock() + seconds
    while clock() < end:
        pass


def cost(work: Callable[[], object], meter: Meter | None = None) -> Reading:
    """What a meter says that some work cost."""
    meter = meter or Meter()
    before = meter.before()
    work()
    after = meter.after()
    return Reading(after.cpu_s - before.cpu_s, after.switches - before.switches)


def alone(pid: int) -> Meter:
    """A meter of this process and one child: what others do, and when theirs end, is no affair of the test's."""
    return Meter(lambda: set(descendants(os.getpid())) - {pid, *descendants(pid)})


@contextmanager
def child() -> Iterator[Callable[[str], int]]:
    """A living child process: a call that has it run some source text, and gives its process id."""
    program = "while True:\n exec(eval(input()), {})\n print(flush=True)"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

        def run(source: str) -> int:
            process.stdin.write(f"{source!r}\n".encode())
            process.stdin.flush()
            assert b"\n" == process.stdout.readline()
            return process.pid

        run("")
        try:
            yield run
        finally:
            process.kill()


# CPU


def test_the_main_thread_counts():
    """What this process computes is its cost."""
    assert BURN_S <= cost(burn).cpu_s <= BURN_S + SPARE_S


def test_waiting_costs_next_to_nothing():
    """Wall time is not CPU time."""
    assert cost(lambda: time.sleep(2 * BURN_S)).cpu_s < BURN_S


def test_every_thread_counts():
    """Two threads that burn the same cost twice as much."""

    def work():
        threads = [Thread(target=burn, args=(time.thread_time,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert 2 * BURN_S <= cost(work).cpu_s <= 2 * BURN_S + SPARE_S


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_worker_that_lives_on_counts(method):
    """A warm pool's workers are not reaped after a round, and yet they cost, however they were started."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        pool.submit(exec, "").result()  # it starts outside the measurement
        assert BURN_S <= cost(lambda: pool.submit(exec, BURN).result()).cpu_s <= BURN_S + SPARE_S


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_that_came_and_went_counts(method):
    """A cold pool's workers start and end in the round."""

    def work():
        worker = multiprocessing.get_context(method).Process(target=exec, args=(BURN * LONG,))
        worker.start()
        worker.join()
        assert 0 == worker.exitcode

    assert LONG * BURN_S <= cost(work).cpu_s <= LONG * BURN_S + SPARE_S


@pytest.mark.skipif(not LINUX, reason="only /proc tells what a fork server's ended workers cost")
def test_a_fork_servers_cold_worker_counts():
    """It is no child of this process, and ends with the fork server: its own ticks are read there."""
    context = multiprocessing.get_context("forkserver")

    def work(source: str) -> None:
        worker = context.Process(target=exec, args=(source,))
        worker.start()
        worker.join()
        assert 0 == worker.exitcode

    work("")  # starts the fork server outside the measurement
    assert LONG * BURN_S - TICKS_S <= cost(lambda: work(BURN * LONG)).cpu_s <= LONG * BURN_S + SPARE_S


def test_grandchildren_count():
    """The whole tree is measured."""
    source = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN * LONG!r}])"
    with child() as run:
        assert LONG * BURN_S - TICKS_S <= cost(lambda: run(source)).cpu_s <= LONG * BURN_S + SPARE_S


def test_a_helper_is_left_out():
    """The replay server's work is no cost of what is measured."""
    with child() as run:
        pid = run("")
        assert cost(lambda: run(BURN * LONG), Meter(helpers=lambda: [pid])).cpu_s < LONG * BURN_S / 2
        assert LONG * BURN_S <= cost(lambda: run(BURN * LONG), Meter()).cpu_s


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="needs waitid, to see that a child ended and not reap it")
def test_totals_never_go_back_when_a_child_ends():
    """Its share moves from the living to the reaped: alive, ended, reaped, the totals only grow."""
    others = descendants(os.getpid())
    meter = Meter(lambda: [pid for other in others for pid in (other, *descendants(other))])
    readings = [meter.after()]
    program = BURN + "import sys\nprint(flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        readings.append(meter.after())
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        readings.append(meter.after())
    readings.append(meter.after())
    assert sorted(reading.cpu_s for reading in readings) == [reading.cpu_s for reading in readings]
    assert sorted(reading.switches for reading in readings) == [reading.switches for reading in readings]


def test_a_child_that_ends_while_it_is_looked_at_is_passed_over(monkeypatch):
    """Between the listing and the reading it may be gone; then what is left is read."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        gone = psutil.Process(process.pid)
    with child() as run:
        living = psutil.Process(run(""))
        monkeypatch.setattr(psutil.Process, "children", lambda self, recursive: [gone, living])
        assert BURN_S <= cost(lambda: run(BURN)).cpu_s <= BURN_S + SPARE_S


# switches


def test_a_wait_is_a_switch():
    """Every wait gives the CPU away once."""
    assert NAPS <= cost(lambda: exec(NAP)).switches


def test_a_childs_waits_count():
    """Those of a living child too."""
    with child() as run:
        assert NAPS <= cost(lambda: run(NAP), alone(run(""))).switches


@pytest.mark.skipif(not LINUX, reason="elsewhere psutil tells them for the process as a whole")
def test_the_waits_of_a_childs_threads_count():
    """/proc tells them of each thread apart."""
    with child() as run:
        assert NAPS <= cost(lambda: run(NAP_IN_A_THREAD), alone(run(""))).switches


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_thread_that_ends_while_it_is_looked_at_takes_no_other_with_it(monkeypatch):
    """The switches of the child's other threads, and its CPU time, are still counted."""
    listed = os.scandir
    with child() as run:
        pid = run("")
        ended = SimpleNamespace(path=f"/proc/{pid}/task/0")
        monkeypatch.setattr(os, "scandir", lambda path: [ended, *listed(path)])
        assert NAPS <= cost(lambda: run(NAP), alone(pid)).switches


def test_reaped_childrens_waits_count():
    """As soon as they are reaped, they are in the totals of this process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_nvcsw
    switches = cost(lambda: subprocess.run([sys.executable, "-c", NAP], check=True)).switches
    assert NAPS <= resource.getrusage(resource.RUSAGE_CHILDREN).ru_nvcsw - before
    assert NAPS <= switches


# reading


def test_a_reading_leaves_nothing_open():
    """It is taken twice a round."""
    with child() as run:
        run("")
        meter = Meter()
        meter.before()
        gc.collect()
        before = psutil.Process().num_fds()
        for _ in range(20):
            meter.after()
        assert before == psutil.Process().num_fds()
