"""Computing beside other work, for as long as that takes: in a thread, a process, or the event loop itself.

Whatever computes begins before the work and ends after it; its CPU time is counted with the work's.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from threading import Event, Thread

from workloads.controls import spin

BUFFER = bytes(2**22)
START_LIMIT_S = 30.0
SHORT_SWITCH_S = 0.0005
"""A tenth of the interval after which a thread that waits for the GIL asks the other to let go of it."""


# the units of computing


def compute() -> None:
    """Some 5 ms of pure Python, with the GIL."""
    spin(0)


def digest() -> None:
    """Some 5 ms in C, which lets go of the GIL."""
    hashlib.sha256(BUFFER).digest()


# where it computes


@contextmanager
def nothing() -> Iterator[None]:
    """Nowhere."""
    yield


@contextmanager
def thread(unit: Callable[[], None]) -> Iterator[None]:
    """In a thread of this process."""
    over = Event()

    def run() -> None:
        while not over.is_set():
            unit()

    computing = Thread(target=run, name="beside", daemon=True)
    computing.start()
    try:
        yield
    finally:
        over.set()
        computing.join()


@contextmanager
def thread_sooner(unit: Callable[[], None]) -> Iterator[None]:
    """In a thread, which is asked ten times as soon to let go of the GIL."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SHORT_SWITCH_S)
    try:
        with thread(unit):
            yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def process(unit: Callable[[], None]) -> Iterator[None]:
    """In a process of its own. Raises `RuntimeError` where it doesn't begin."""
    context = multiprocessing.get_context("forkserver")
    with ExitStack() as stack:
        begun, begins = context.Pipe(duplex=False)
        stack.enter_context(begun)
        computing = context.Process(target=_run, args=(unit, begins), name="beside", daemon=True)
        computing.start()
        stack.callback(computing.join)
        stack.callback(computing.terminate)
        begins.close()
        try:
            if not begun.poll(START_LIMIT_S):
                raise RuntimeError(f"the process that computes beside did not begin within {START_LIMIT_S:g} s")
            begun.recv()
        except EOFError:
            raise RuntimeError("the process that computes beside ended before it began") from None
        yield


def _run(unit: Callable[[], None], begins: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us, and then ends us
    parent = multiprocessing.parent_process()
    assert parent is not None
    begins.send(True)
    while parent.is_alive():  # who is killed can't end us
        unit()


async def in_the_loop() -> None:
    """In the event loop, which comes to nothing else meanwhile."""
    while True:
        compute()
        await asyncio.sleep(0)


async def to_thread() -> None:
    """By `asyncio.to_thread`, a unit at a time."""
    while True:
        await asyncio.to_thread(compute)
