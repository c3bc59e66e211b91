"""What the figures were measured on: how much can run at once, and what must be equal for figures to be comparable."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
_CPU_INFO = Path("/proc/cpuinfo")
_STAT = Path("/proc/stat")
_STEAL = 8
"""Its place among the figures of all CPUs, after their name (proc_stat(5))."""
_SPEED_FLAGS = (
    "--enable-optimizations",
    "--with-lto",
    "--enable-bolt",
    "--enable-experimental-jit",
    "--with-tail-call",
)
"""What a Python may be configured with that changes its speed."""

Value = str | int | float | bool | None


def affinity_cpus() -> int:
    """The CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def stolen_s() -> float | None:
    """CPU seconds that a host has taken from this virtual machine, of all its CPUs; None where it isn't told."""
    try:
        ticks = int(_STAT.read_text().partition("\n")[0].split()[_STEAL])
    except (OSError, ValueError, IndexError):
        return None
    return ticks / os.sysconf("SC_CLK_TCK")


def gil() -> str:
    """Whether the global interpreter lock is ``on`` or ``off`` now (an import may turn it on)."""
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    return "on" if enabled() else "off"


def machine() -> dict[str, Value]:
    """What of the machine must be equal for two runs to be comparable."""
    return {
        "cpu": cpu_model(),
        "usable CPUs": affinity_cpus(),
        "CPU quota": cpu_quota(),
        "architecture": platform.machine(),
        "OS": _system(),
        "libc": " ".join(filter(None, platform.libc_ver())) or None,
    }


def interpreter() -> dict[str, Value]:
    """What of the interpreter must be equal for two runs to be comparable."""
    configured = (sysconfig.get_config_var("CONFIG_ARGS") or "").replace("'", " ").split()
    jit = getattr(sys, "_jit", None)
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "GIL": gil(),
        "free-threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "debug": bool(sysconfig.get_config_var("Py_DEBUG")),
        "JIT": bool(jit is not None and jit.is_enabled()),
        "compiler": platform.python_compiler(),
        "configured": " ".join(sorted(word for word in configured if word.startswith(_SPEED_FLAGS))),
    }


def host() -> dict[str, Value]:
    """What is stored of the machine beside, and not compared."""
    return {"host": platform.node(), "kernel": platform.release()}


def cpu_model() -> str:
    """The CPU's name as the system gives it; the architecture's where it gives none."""
    if sys.platform == "darwin":
        command = ("sysctl", "-n", "machdep.cpu.brand_string")
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            return platform.machine()
        return done.stdout.strip() or platform.machine()
    try:
        lines = _CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    arm = [found[key] for key in ("CPU implementer", "CPU part", "CPU variant") if key in found]
    return found.get("model name") or " ".join(["ARM", *arm] if arm else []) or platform.machine()


def _system() -> str:
    """``Linux debian 12``, ``Darwin 24.1.0``."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return f"{platform.system()} {platform.release()}"
    return " ".join(filter(None, (platform.system(), release.get("ID"), release.get("VERSION_ID"))))
