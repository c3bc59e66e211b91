"""What turned the global interpreter lock back on, on a build that can do without it.

There an extension module that does not say that it can do without the lock turns it on for the whole process, for good.
CPython names the module once, in a warning; nothing else does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator

from laptime import machine

FREE_THREADED = "free-threading" in sys.version  # `sysconfig` knows too, and takes 5 ms of each session for it
FORCED = "-X gil=1 or PYTHON_GIL=1"
UNNAMED = "an import whose warning was not seen"
_WARNING = re.compile(r"global interpreter lock \(GIL\) has been enabled to load module '([^']+)'")


def module_in(warning: str) -> str | None:
    """The module that a warning blames; None where it is another warning."""
    found = _WARNING.search(warning)
    return found[1] if found else None


def turned_on_by(warnings: Iterable[str]) -> str | None:
    """The culprit, as these warnings or those that Python has counted name it; None where there is none.

    That is: where the lock is off, and where the build always has it.
    """
    if not FREE_THREADED or machine.gil() == "off":
        return None
    if is_forced():
        return FORCED
    named = (module_in(text) for text in (*warnings, *_counted()))
    return next((f"the import of {module}" for module in named if module), UNNAMED)


def is_forced() -> bool:
    """Whether a free-threaded build was told to have it: a flag of the interpreter that is not set else."""
    return getattr(sys.flags, "gil", None) == 1


def _counted() -> Iterator[str]:
    """The texts of warnings that were shown once and will not be again, as each module that caused one keeps them."""
    for module in list(sys.modules.values()):
        registry = getattr(module, "__warningregistry__", None)
        if isinstance(registry, dict):
            yield from (str(key[0]) for key in list(registry) if isinstance(key, tuple) and key)
