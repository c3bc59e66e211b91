"""The peak memory of a process tree, sampled by a process of its own.

Memory is what the tree occupies for itself: PSS counts a page shared by n processes as 1/n page in each, so
that forked workers are not counted with all that they share. A thread of the measured process could not sample: it
would wait for the GIL and be copied by fork. Run as ``python -m laptime.memory PID``; `MemorySampler` does.
"""

from __future__ import annotations

import os
import select
import sys

import psutil

from laptime import child

SAMPLE_INTERVAL_S = 0.005
STOP_LIMIT_S = 5.0


class MemorySampler(child.Helper):
    """A handle on the sampling process; a context manager that leaves nothing behind."""

    called = "the memory sampler"

    def __init__(self) -> None:
        super().__init__((sys.executable, "-m", "laptime.memory", str(os.getpid())), STOP_LIMIT_S)

    def start(self, helpers: tuple[int, ...] = ()) -> None:
        """Begin to sample the tree, `helpers` (process ids) left out. Returns once the first sample is taken."""
        self.ask("start " + " ".join(map(str, (self.pid, *helpers))))

    def stop(self) -> int | None:
        """End sampling. The peak PSS in bytes; None where the system has no PSS."""
        return int(self.ask("stop")) or None


def tree_pss_bytes(root: psutil.Process, helpers: frozenset[int]) -> int:
    """PSS of a process and its descendants; 0 where the system has no PSS."""
    total = 0
    for process in (root, *root.children(recursive=True)):
        if process.pid not in helpers:
            try:
                total += getattr(process.memory_full_info(), "pss", 0)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # ended between the listing and here (a zombie denies access)
    return total


def _sample(root: psutil.Process, helpers: frozenset[int]) -> int:
    peak, first = 0, True
    while first or not select.select([sys.stdin], [], [], SAMPLE_INTERVAL_S)[0]:
        try:
            peak = max(peak, tree_pss_bytes(root, helpers))
        except psutil.NoSuchProcess:
            break  # what was measured is gone
        if first:
            print("sampling", flush=True)  # noqa: T201 (the answer to `start`)
            first = False
    return peak


def main() -> None:
    """Sample when told to."""
    root = psutil.Process(int(sys.argv[1]))
    child.obey(lambda helpers: str(_sample(root, helpers)))


if __name__ == "__main__":
    main()
