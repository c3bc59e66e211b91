"""What the figures were measured on, as far as it decides how much can run at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def affinity_cpus() -> int:
    """The CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def cpu_quota() -> float | None:
    """The control group's limit in CPUs (cgroup v2, ``cpu.max``); None where there is none."""
    try:
        quota, period = _CPU_MAX.read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def usable_cpus() -> float:
    """How many CPUs' worth of work can be done at once: the lesser of affinity and quota."""
    return min(affinity_cpus(), cpu_quota() or float("inf"))


def gil() -> str:
    """Whether the global interpreter lock is ``on`` or ``off`` now (an import may turn it on)."""
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    return "on" if enabled() else "off"
