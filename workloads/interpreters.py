"""Pools of sub-interpreters (CPython ≥ 3.14): several interpreters in one process, each with a GIL of its own.

What is called in one is pickled, and imported anew there; a C extension may refuse to be. A new interpreter knows
nothing of what was added to `sys.path` since the first one started, so that the path is handed to it. A closed one
leaves memory behind in the process (CPython 3.14: 2 MB of a bare one, 10 of one that had imported requests).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import cache

from workloads.model import COLD, WARM, CannotRun, Needs, Open, Variant

NEEDS = Needs("concurrent.futures.interpreter", "CPython 3.14 or later: InterpreterPoolExecutor came with it")
_REFUSES = "does not support loading in subinterpreters"


def variant(open: Open, lifecycles: tuple[str, ...] = (COLD, WARM)) -> Variant:  # noqa: A002 (the noun of `Variant`)
    """The variant of a workload that runs on such a pool."""
    return Variant("interpreters", open, lifecycles, workers=True, leaves_memory=True, needs=NEEDS)


@contextmanager
def pool(workers: int, *modules: str, initializer: Callable[[], object] | None = None) -> Iterator[Executor]:
    """A pool of sub-interpreters; the first time, after a look whether these modules can be loaded into one.

    Raises `CannotRun` with CPython's words, which name the module, where one is or imports an extension that refuses.
    Anything else that goes wrong with an import is raised as it is.
    """
    from concurrent.futures import InterpreterPoolExecutor  # type: ignore[attr-defined, unused-ignore]

    for module in modules:
        if refusal := refused(module):
            raise CannotRun(refusal)
    # `exec`, for a function of ours could be imported only behind the path that is to be set
    code = _path_code()
    if initializer is not None:
        code += f"import {initializer.__module__} as module; module.{initializer.__name__}()\n"
    with InterpreterPoolExecutor(workers, initializer=exec, initargs=(code, {})) as started:
        yield started


@cache
def refused(module: str) -> str | None:
    """What a sub-interpreter says that can't load a module; None where it can. Asked once, for it takes 0.1 s."""
    from concurrent import interpreters  # type: ignore[attr-defined, unused-ignore]

    one = interpreters.create()
    try:
        one.exec(f"{_path_code()}import {module}")
    except interpreters.ExecutionFailed as failed:
        said = str(failed.excinfo.msg)
        if failed.excinfo.type.__name__ == "ImportError" and _REFUSES in said:
            return next(line for line in said.splitlines() if _REFUSES in line)
        raise
    finally:
        one.close()
    return None


def _path_code() -> str:
    return f"import sys; sys.path[:] = {sys.path!r}\n"
