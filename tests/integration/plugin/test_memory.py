"""What the memory sampler sees of a process tree, and what becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import psutil
import pytest

from laptime.child import HelperDied
from laptime.memory import MemorySampler, tree_pss_bytes
from tests.support import ended, is_running
from tests.support.sessions import until

needs_pss = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the proportional set size")
SIZE_BYTES = 50_000_000
NOISE_BYTES = 15_000_000
"""By how much the rest of a process may shrink or grow meanwhile."""
SAMPLES = 10


@pytest.fixture
def sampler() -> Iterator[MemorySampler]:
    """A sampler of this process."""
    with MemorySampler() as sampler:
        yield sampler


@pytest.fixture
def doomed() -> Iterator[MemorySampler]:
    """A sampler that a test is going to kill."""
    sampler = MemorySampler()
    yield sampler
    sampler.close()


def peak(sampler: MemorySampler, helpers: tuple[int, ...] = ()) -> int:
    """What a sampler finds while nothing happens."""
    sampler.start(helpers)
    let_it_look(sampler)
    found = sampler.stop()
    assert found is not None
    return found


def let_it_look(sampler: MemorySampler) -> None:
    """Wait until it has taken some samples: it waits between them, and each wait is a switch."""
    process = psutil.Process(sampler.pid)
    before = process.num_ctx_switches().voluntary
    until(lambda: process.num_ctx_switches().voluntary >= before + SAMPLES)


@contextmanager
def child(size_bytes: int) -> Iterator[int]:
    """The process id of a child that holds so much memory."""
    program = f"import sys; data = b'x' * {size_bytes}; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


# what it sees


@needs_pss
def test_it_sees_what_this_process_allocates(sampler):
    """50 MB more are 50 MB more."""
    before = peak(sampler)
    data = b"x" * SIZE_BYTES
    assert SIZE_BYTES - NOISE_BYTES <= peak(sampler) - before <= SIZE_BYTES + NOISE_BYTES
    del data


@needs_pss
def test_it_remembers_the_peak(sampler):
    """What was freed before the end had been there."""
    before = peak(sampler)
    sampler.start()
    data = b"x" * SIZE_BYTES
    let_it_look(sampler)
    del data
    let_it_look(sampler)
    assert SIZE_BYTES - NOISE_BYTES <= sampler.stop() - before


@needs_pss
def test_each_start_begins_anew(sampler):
    """An earlier peak is none of a later round's."""
    data = b"x" * SIZE_BYTES
    high = peak(sampler)
    del data
    assert SIZE_BYTES - NOISE_BYTES <= high - peak(sampler)


@needs_pss
def test_it_sees_what_a_child_allocates(sampler):
    """The whole tree counts."""
    before = peak(sampler)
    with child(SIZE_BYTES):
        assert SIZE_BYTES - NOISE_BYTES <= peak(sampler) - before


@needs_pss
def test_helpers_are_left_out(sampler):
    """The replay server's memory is none of the work's."""
    before = peak(sampler)
    with child(SIZE_BYTES) as pid:
        assert peak(sampler, (pid,)) - before <= NOISE_BYTES


@needs_pss
def test_the_sampler_leaves_itself_out(sampler):
    """What it finds is this process's own, though it is a child of it."""
    own = psutil.Process()
    both, alone = (tree_pss_bytes(own, frozenset(helpers)) for helpers in ((), (sampler.pid,)))
    found = peak(sampler)
    assert abs(found - alone) < abs(found - both)


@needs_pss
def test_a_child_that_has_ended_weighs_nothing():
    """One that nobody has waited for yet is passed over."""
    before = tree_pss_bytes(psutil.Process(), frozenset())
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        until(lambda: not is_running(process.pid))
        assert tree_pss_bytes(psutil.Process(), frozenset()) - before <= NOISE_BYTES


def test_where_there_is_no_pss_nothing_is_found():
    """Rather than another measure under its name."""
    other = SimpleNamespace(pid=1, children=lambda recursive: [], memory_full_info=lambda: SimpleNamespace(uss=9))
    assert 0 == tree_pss_bytes(other, frozenset())


@pytest.mark.skipif(sys.platform == "linux", reason="Linux tells the proportional set size")
def test_without_pss_there_is_no_peak(sampler):
    """None, and not zero, is stored then."""
    sampler.start()
    assert sampler.stop() is None


# its life


def test_it_ends_with_close():
    """Nothing is left of it, not even an exit code to be waited for."""
    sampler = MemorySampler()
    sampler.start()
    sampler.close()
    assert not psutil.pid_exists(sampler.pid)


def test_as_a_context_manager_it_ends_with_an_error_too():
    """Whatever happens inside, it is stopped."""
    with pytest.raises(KeyError), MemorySampler() as sampler:
        raise KeyError
    assert not psutil.pid_exists(sampler.pid)


@pytest.mark.parametrize("when", ["idle", "sampling"])
def test_it_ends_when_the_measured_process_is_killed(when):
    """Nobody is left to close it then."""
    start = "sampler.start()" if when == "sampling" else ""
    program = f"""
import sys
from laptime.memory import MemorySampler
sampler = MemorySampler()
{start}
print(sampler.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pid = int(process.stdout.readline())
        assert is_running(pid)
        process.kill()
    assert ended(pid)


def test_ctrl_c_is_not_for_it(sampler):
    """It stands in a process group of its own, so that a terminal's interrupt doesn't reach it."""
    assert os.getpgid(sampler.pid) != os.getpgid(0)


def test_one_that_died_cannot_start(doomed):
    """It says so, and nobody waits for its answer."""
    os.kill(doomed.pid, signal.SIGKILL)
    until(lambda: not is_running(doomed.pid))
    with pytest.raises(HelperDied, match="the memory sampler is gone"):
        doomed.start()


def test_one_that_died_while_it_sampled_cannot_stop(doomed):
    """A peak that was lost is an error, and not no peak."""
    doomed.start()
    os.kill(doomed.pid, signal.SIGKILL)
    until(lambda: not is_running(doomed.pid))
    with pytest.raises(HelperDied, match="the memory sampler is gone"):
        doomed.stop()


def test_one_that_is_silent_is_waited_for_only_so_long(doomed, monkeypatch):
    """A stopped process doesn't hang the session."""
    monkeypatch.setattr("laptime.child.ANSWER_LIMIT_S", 0.05)
    os.kill(doomed.pid, signal.SIGSTOP)
    with pytest.raises(HelperDied, match=r"the memory sampler did not answer within 0.05 s"):
        doomed.start()
    os.kill(doomed.pid, signal.SIGKILL)


def test_one_that_died_can_be_closed():
    """Twice, even: the end of a session must not fail on it."""
    sampler = MemorySampler()
    os.kill(sampler.pid, signal.SIGKILL)
    until(lambda: not is_running(sampler.pid))
    with pytest.raises(HelperDied):
        sampler.start()
    sampler.close()
    sampler.close()
    assert not psutil.pid_exists(sampler.pid)
