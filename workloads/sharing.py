"""The same small operations by several threads at once, on objects of their own and on shared ones.

Without a GIL it is sharing that keeps threads from scaling: a lock that all want, and, unseen, the lock that each list
and dictionary has, and the count of references to an object that all use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

KEYS = 64


@dataclass(frozen=True, slots=True)
class Shared:
    """What threads do, and what is left of it.

    work   ``work(count)`` does so many operations; the result is what of them went into no shared object
    total  how many went into one
    """

    work: Callable[[int], int]
    total: Callable[[], int]


def private() -> Shared:
    """Each thread counts in a dictionary of its own."""

    def work(count: int) -> int:
        own = dict.fromkeys(range(KEYS), 0)
        for number in range(count):
            own[number % KEYS] += 1
        return sum(own.values())

    return Shared(work, lambda: 0)


def read_only() -> Shared:
    """All read one dictionary."""
    ones = dict.fromkeys(range(KEYS), 1)

    def work(count: int) -> int:
        found = 0
        for number in range(count):
            found += ones[number % KEYS]
        return found

    return Shared(work, lambda: 0)


def one_list() -> Shared:
    """All append to one list, which has a lock of its own."""
    found: list[int] = []

    def work(count: int) -> int:
        for number in range(count):
            found.append(number)
        return 0

    return Shared(work, lambda: len(found))


def locked_dict() -> Shared:
    """All count in one dictionary, behind one lock."""
    lock, counts = Lock(), dict.fromkeys(range(KEYS), 0)

    def work(count: int) -> int:
        for number in range(count):
            with lock:
                counts[number % KEYS] += 1
        return 0

    return Shared(work, lambda: sum(counts.values()))


def locked_counter() -> Shared:
    """All raise one number, behind one lock."""
    lock, value = Lock(), 0

    def work(count: int) -> int:
        nonlocal value
        for _ in range(count):
            with lock:
                value += 1
        return 0

    return Shared(work, lambda: value)


KINDS: dict[str, Callable[[], Shared]] = {
    "private": private,
    "read-only": read_only,
    "one-list": one_list,
    "locked-dict": locked_dict,
    "locked-counter": locked_counter,
}


@contextmanager
def threads(kind: str, operations: int, workers: int) -> Iterator[Callable[[], int]]:
    """A pool of threads; a round makes the objects anew and gives the number of operations that are found in them."""

    def run() -> int:
        shared = KINDS[kind]()
        return sum(pool.map(shared.work, [operations // workers] * workers)) + shared.total()

    with ThreadPoolExecutor(workers) as pool:
        yield run
