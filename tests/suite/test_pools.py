"""The work of the studies of pools, without a benchmark: its answers, the steps of a pool's life, and its end."""

from __future__ import annotations

import multiprocessing
import pickle
import threading

import pytest

from workloads import pools, tasks
from workloads.model import How
from workloads.primes import is_prime

FORK, FORKSERVER = How(2, "fork"), How(2, "forkserver")
KINDS = [
    pytest.param(pools.THREADS, How(2), id="threads"),
    pytest.param(pools.PROCESSES, FORK, id="processes"),
    pytest.param(pools.POOL, FORK, id="pool"),
]


def workers() -> int:
    """Threads and processes of this one, besides itself."""
    return threading.active_count() + len(multiprocessing.active_children()) - 1


# what is asked and answered


@pytest.mark.parametrize("numbers", [range(2, 500), range(1_000_003, 1_000_503), range(10**10, 10**10 + 60)])
def test_crossing_out_multiples_agrees_with_trial_division(numbers):
    """From anywhere on: the expected answer is found another way, and is right."""
    assert [is_prime(number) for number in numbers] == pools.primality(numbers)


def test_spinning_has_a_known_answer():
    """The sum of all numbers below."""
    assert [sum(range(loops)) for loops in (0, 1, 2, 999)] == [pools.spun(loops) for loops in (0, 1, 2, 999)]
    assert pools.spun(999) == tasks.spin(999)


@pytest.mark.parametrize("size", [100, 1_000, 10_000, 1_000_000])
def test_what_is_sent_has_the_size_it_is_said_to_have(size):
    """Bytes exactly; records, pickled, within a fifth from 1 kB on, and one record at least."""
    assert size == len(pools.data(size))
    assert 0.8 * size <= len(pickle.dumps(pools.objects(max(size, 1_000)))) * size / max(size, 1_000) <= 1.2 * size
    assert 1 == len(pools.objects(1))


@pytest.mark.parametrize(("kind", "how"), KINDS)
def test_chunks_of_any_size_find_the_same_primes(kind, how):
    """One at a time, or all at once."""
    numbers = range(2, 60)
    for chunk in (1, 7, 100):
        with pools.testing(kind, how, numbers, chunk) as run:
            assert pools.primality(numbers) == run()


@pytest.mark.parametrize(("kind", "how"), [pytest.param(None, How(1), id="plain"), *KINDS[:2]])
def test_tasks_and_payloads_come_back(kind, how):
    """From a plain loop, from threads and from processes."""
    with pools.spinning(kind, how, 100, 5, 2) as run:
        assert [4950] * 5 == run()
    with pools.exchanging(kind, how, {"a": [b"bytes"]}, 3) as run:
        assert [{"a": [b"bytes"]}] * 3 == run()


# a pool's life


@pytest.mark.parametrize(("kind", "how"), KINDS)
def test_a_pool_s_life_is_taken_step_by_step(kind, how):
    """Two workers begin, answer, do the tasks, and are gone."""
    before = workers()
    with pools.life(kind, how, 5) as steps:
        assert dict(zip(pools.STEPS, (2, 1, 5, 0), strict=True)) == {name: step() for name, step in steps.items()}
    assert before == workers()


@pytest.mark.parametrize("name", pools.STEPS)
def test_of_each_step_the_others_are_done_before_and_after_it(name):
    """What is given is that step alone; when it is left, no worker is."""
    before = workers()
    with pools.step(name, pools.THREADS, How(2), 5) as run:
        standing = workers() - before
        assert {"start": 2, "first result": 1, "map": 5, "close": 0}[name] == run()
    assert (0 if name == "start" else 2) == standing
    assert before == workers()


@pytest.mark.parametrize("name", pools.STEPS)
@pytest.mark.parametrize(("kind", "how"), KINDS[:2])
def test_a_pool_whose_step_was_cut_short_is_closed(kind, how, name):
    """An error in a round leaves no worker behind, not even one that waits at its gate."""
    before = workers()
    with pytest.raises(ZeroDivisionError), pools.step(name, kind, how, 5):
        raise ZeroDivisionError
    assert before == workers()


def test_a_worker_that_never_begins_is_an_error(monkeypatch):
    """And no wait for ever."""
    monkeypatch.setattr(pools, "START_LIMIT_S", 0.01)
    monkeypatch.setattr(pools, "begin", lambda born, gate: None)
    with (
        pytest.raises(TimeoutError, match=r"threads, .*: a worker didn't begin within 0.01 s"),
        pools.step("start", pools.THREADS, How(2), 5) as run,
    ):
        run()


def test_a_fork_server_can_be_ended_and_starts_again():
    """With `restart` each pool pays for it; the answers are the same."""
    pids = set()
    for _ in range(2):
        with pools.step("first result", pools.PROCESSES, FORKSERVER, 1, restart=True) as run:
            assert 1 == run()
            pids.add(multiprocessing.forkserver._forkserver._forkserver_pid)
    assert 2 == len(pids - {None})
    pools.stop_fork_server()
    pools.stop_fork_server()  # of none there is nothing to end
