"""What the tests of races share: made-up benchmarks, as pytest-benchmark writes them and `laptime.lap` adds to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from laptime.analysis.documents import races
from laptime.analysis.race import Race

PASSES = 20
"""Of each variant, where nothing else is said."""
WOBBLE = (0.010, -0.004, 0.006, -0.010, 0.002, -0.008, 0.004)
"""By what share a round is off, pass by pass: each variant begins elsewhere, so no two keep step."""


def benchmark(
    name: str, wall_s: float, cpu_s: float, group: str | None = "shop", param: str | None = None, **info: Any
) -> Mapping[str, Any]:
    """A benchmark of three equal rounds that were not run in passes."""
    common = {"workload": "shop", "summary": "what things cost", "label": name, "latency": "recorded"}
    machine = {"affinity_cpus": 2, "cpu_quota": None, "lifecycle": name.rpartition("-")[2]}
    rounds = {"wall_s": [wall_s] * 3, "cpu_s": [cpu_s] * 3}
    figures = {"rounds": rounds, "parallelism": cpu_s / wall_s}
    return {"group": group, "name": name, "param": param, "extra_info": {**common, **machine, **figures, **info}}


def control(name: str, wall_s: float, ideal: float | None = None, group: str = "control") -> Mapping[str, Any]:
    """A benchmark whose speed-up is known beforehand."""
    return benchmark(name, wall_s, wall_s / 10, group, **({"ideal": ideal} if ideal else {}))


def walls(seconds: float, passes: int = PASSES, wobble: float = 1.0, begin: int = 0) -> list[float]:
    """A round in each pass, none equal to the next."""
    return [seconds * (1 + wobble * WOBBLE[(begin + 3 * number) % len(WOBBLE)]) for number in range(passes)]


def variant(
    label: str,
    seconds: float | Sequence[float],
    cpu_s: float = 0.1,
    *,
    passes: int = PASSES,
    wobble: float = 1.0,
    void: int = 0,
    seed: int = 1,
    waited_s: float | None = 0.0,
    rounds: Mapping[str, Any] | None = None,
    raced: Mapping[str, Any] | None = None,
    tried: Mapping[str, Any] | None = None,
    **info: Any,
) -> dict[str, Any]:
    """A benchmark of a race: a round in each pass, of which the last `void` were disturbed."""
    begin = len(label) + sum(map(ord, label))
    wall_s = walls(seconds, passes, wobble, begin) if isinstance(seconds, float) else list(seconds)
    count = len(wall_s)
    figures = {
        "wall_s": wall_s,
        "cpu_s": [cpu_s] * count,
        "switches": [1] * count,
        "race_pass": list(range(count)),
        "void": [number >= count - void for number in range(count)],
        "waited_s": [waited_s] * count,
    }
    counts = {"rounds": count, "void": void, "wall_s": sum(wall_s), "others_s": 0.0, "stolen_s": 0.0}
    extra = {
        "workload": "shop",
        "summary": "what things cost",
        "label": label,
        "variant": label.partition("-")[0],
        "first": label == "sequential",
        "lifecycle": "warm" if label.endswith("warm") else "cold",
        "gil": ["on", "on"],
        "affinity_cpus": 2,
        "cpu_quota": None,
        "latency": "recorded",
        "rounds": {**figures, **(rounds or {})},
        "parallelism": cpu_s / wall_s[0],
        "tried": {**counts, **(tried or {})},
        "race": {"passes": count, "confidence": 0.99, "look": False, "seed": seed, **(raced or {})},
    }
    name = f"test_shop[{label}]"
    return {
        "group": "shop",
        "name": name,
        "fullname": f"test_shop.py::{name}",
        "param": label,
        "extra_info": {**extra, **info},
    }


def race(*benchmarks: Mapping[str, Any]) -> Race:
    """The one race of these."""
    (found,) = races(benchmarks)
    return found


SEQUENTIAL = variant("sequential", 1.0, 0.1)
COLD = variant("threads-w8-cold", 0.50, 0.1)
WARM = variant("threads-w8-warm", 0.30, 0.1)
