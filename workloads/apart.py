"""A piece of work in a fresh process: what ran before in this one would be counted as its memory, and leave it less."""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from threading import Thread
from typing import TypeVar, cast

A = TypeVar("A")

FILES_KEPT_BACK = 100
"""Files that a process needs beside its connections."""


def files_for(connections: int) -> int:
    """How many open files so many connections take."""
    return connections + FILES_KEPT_BACK


def lacking(connections: int) -> str | None:
    """Why a process may not open so many connections, with the remedy; None where it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= files_for(connections):
        return None
    return f"{connections} connections need {files_for(connections)} open files, {hard} are allowed: raise `ulimit -Hn`"


@contextmanager
def apart(opened: Callable[[], AbstractContextManager[Callable[[], A]]], connections: int) -> Iterator[Callable[[], A]]:
    """Enter what is picklable in a process of its own, which may open so many connections, and run it there."""
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_parent) as process:
        process.submit(_enter, opened, files_for(connections)).result()
        try:
            yield lambda: cast(A, process.submit(_run).result())
        finally:
            with suppress(BrokenProcessPool):  # who is gone has left
                process.submit(_leave).result()


# in the process

_stack = ExitStack()
_entered: Callable[[], object]


def _end_with_parent() -> None:
    """A pool's process waits for work for ever, where who started it was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, name="parent", daemon=True).start()


def _enter(opened: Callable[[], AbstractContextManager[Callable[[], object]]], files: int) -> None:
    global _entered
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    _entered = _stack.enter_context(opened())


def _run() -> object:
    return _entered()


def _leave() -> None:
    _stack.close()
