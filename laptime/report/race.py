"""The race: who won each workload, by how much, at what cost, and why. Pure.

The input is a benchmark as pytest-benchmark writes it to JSON, with the `extra_info` of `laptime.lap`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

NEAR = 1.10
"""Variants within 10 % of the fastest count as equally fast; the one that costs least CPU is recommended."""
WORTHWHILE = 1.10
"""A speed-up below 10 % is not worth a pool."""
CONTROL_TOLERANCE = 0.25
MOSTLY_WAITING, MOSTLY_COMPUTING = 0.25, 0.75
"""CPU seconds over wall seconds of the first variant, below and above which one thing bound the work."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One variant's figures.

    median_s     wall seconds of a round
    speedup      × against the first variant, on the recorded passes that both played
    cpu_s        CPU seconds of a round (median), child processes included
    parallelism  CPU seconds over wall seconds (median over rounds)
    elsewhere    whether processes that are not ours (a running cluster's) worked too: both are of a part only
    """

    name: str
    median_s: float
    speedup: float
    cpu_s: float
    parallelism: float
    rounds: int
    warm: bool
    reference: bool
    parser: str | None
    ideal: float | None
    elsewhere: bool = False

    @property
    def misses_ideal(self) -> bool:
        """Whether a control's speed-up is off its known ideal by more than the tolerance."""
        return self.ideal is not None and abs(self.speedup / self.ideal - 1) > CONTROL_TOLERANCE


@dataclass(frozen=True, slots=True)
class Race:
    """One workload: its variants, fastest first, and the one that the others are compared with.

    gil_on_by  what turned the GIL on, where a free-threaded build had it on nevertheless
    """

    workload: str
    summary: str
    setting: str
    base: Entry
    entries: tuple[Entry, ...]
    cpus: float
    gil_on_by: str | None = None


def races(benchmarks: Iterable[Mapping[str, Any]]) -> list[Race]:
    """Group benchmarks into races, in the order in which they were run; what isn't one of ours is left out."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for benchmark in in_order(benchmarks):
        info = benchmark.get("extra_info", {})
        if "workload" in info and "study" not in info:
            groups.setdefault(_name(benchmark), []).append(benchmark)
    return [_race(group) for group in groups.values()]


def in_order(benchmarks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """As they were run, which a store doesn't keep: the first of a race or study is what others are compared with."""
    return sorted(benchmarks, key=_position)


def _position(benchmark: Mapping[str, Any]) -> int:
    found = (benchmark.get("extra_info") or {}).get("position")
    return found if isinstance(found, int) else -1  # of before positions were stored, or of somebody else


def _race(group: Sequence[Mapping[str, Any]]) -> Race:
    first = group[0]["extra_info"]
    entries = [_entry(one, group[0]) for one in group]
    return Race(
        workload=_name(group[0]),
        summary=first.get("summary", ""),
        setting=_setting(first),
        base=entries[0],
        entries=tuple(sorted(entries, key=lambda entry: entry.median_s)),
        cpus=min(first["affinity_cpus"], first["cpu_quota"] or float("inf")),
        gil_on_by=next(filter(None, (one["extra_info"].get("gil_on_by") for one in group)), None),
    )


def _name(benchmark: Mapping[str, Any]) -> str:
    return str(benchmark["group"] or benchmark["extra_info"]["workload"])


def _setting(info: Mapping[str, Any]) -> str:
    if info.get("http") == "live":
        return "live"
    return f"replay at {info['latency']} pace" if info.get("latency") else "no HTTP"


def _entry(one: Mapping[str, Any], base: Mapping[str, Any]) -> Entry:
    info = one["extra_info"]
    walls = info["rounds"]["wall_s"]
    return Entry(
        name=str(info.get("label") or one["param"] or one["name"]),
        median_s=median(walls),
        speedup=speedup(base["extra_info"]["rounds"], info["rounds"]),
        cpu_s=median(info["rounds"]["cpu_s"]),
        parallelism=info["parallelism"],
        rounds=len(walls),
        warm=info.get("lifecycle") == "warm",
        reference=bool(info.get("reference")),
        parser=info.get("parser"),
        ideal=info.get("ideal") if base["extra_info"].get("ideal") is None else None,
        elsewhere=bool(info.get("cpu_elsewhere")),
    )


def speedup(base: Mapping[str, Sequence[Any]], other: Mapping[str, Sequence[Any]]) -> float:
    """How many times faster `other` is: medians, summed over the recorded passes that both played.

    A recorded pass differs from the next by the jitter of the origin, so only like is compared with like.
    """
    base_s, other_s = _by_pass(base), _by_pass(other)
    common = base_s.keys() & other_s.keys()
    if not common:
        return float(median(base["wall_s"]) / median(other["wall_s"]))
    return sum(median(base_s[one]) for one in common) / sum(median(other_s[one]) for one in common)


def _by_pass(rounds: Mapping[str, Sequence[Any]]) -> dict[int, list[float]]:
    by_pass: dict[int, list[float]] = {}
    for number, wall_s in zip(rounds.get("pass", ()), rounds["wall_s"], strict=False):
        by_pass.setdefault(number, []).append(wall_s)
    return by_pass


@dataclass(frozen=True, slots=True)
class Advice:
    """What bound a race's work, and which variants to take.

    computing  the share of its time for which the first variant computed
    once       for a single run: the pool, if any, is started for it
    kept       where a pool is kept open from run to run, if that gains 10 % more
    """

    computing: float
    once: Entry
    kept: Entry

    @property
    def bound(self) -> str:
        """``waiting``, ``computing``, or both."""
        if self.computing < MOSTLY_WAITING:
            return "waiting"
        return "computing" if self.computing > MOSTLY_COMPUTING else "waiting and computing"


def advise(race: Race) -> Advice:
    """Choose among the variants that do the same work: another algorithm or another parser is no variant of it."""
    runners = [entry for entry in race.entries if not entry.reference and entry.parser == race.base.parser]
    once, kept = _choice([entry for entry in runners if not entry.warm], race), _choice(runners, race)
    return Advice(
        computing=min(race.base.cpu_s / race.base.median_s, 1.0),  # the two clocks differ by a little
        once=once,
        kept=kept if kept.warm and kept.median_s * NEAR < once.median_s else once,
    )


def verdict(race: Race) -> list[str]:
    """Sentences, computed from the figures: what bound the work, and which variant to take."""
    return _lock(race) + _verdict(race)


def _lock(race: Race) -> list[str]:
    if race.gil_on_by is None:
        return []
    return [
        f"WARNING: this build can run without the GIL, and did not: {race.gil_on_by} turned it on. These are not the "
        "figures of free threads."
    ]


def _verdict(race: Race) -> list[str]:
    if is_control(race):
        return _control(race)
    advice, base = advise(race), race.base
    sentences = [
        f"Bound by {advice.bound}: {base.name} computed for {advice.computing:.0%} of its {duration(base.median_s)}."
    ]
    if len(race.entries) == 1:
        return sentences  # nobody to race against
    sentences.append(_recommended(race, advice))
    if advice.kept is not base and advice.kept.parallelism > 1 and not advice.kept.elsewhere:
        sentences.append(f"{advice.kept.name} kept {advice.kept.parallelism:.1f} of {race.cpus:g} CPUs busy.")
    return sentences + _beside(race, advice)


def is_control(race: Race) -> bool:
    """Whether the race is one whose outcome is known beforehand."""
    return any(entry.ideal is not None for entry in race.entries)


def _recommended(race: Race, advice: Advice) -> str:
    base, once, kept = race.base, advice.once, advice.kept
    if kept is base:
        return f"No variant gains 10 % on {base.name}: take {base.name}."
    if kept is once:
        beside = "; keeping a pool open gains less than 10 % more" if any(entry.warm for entry in race.entries) else ""
        return f"Take {_priced(once)}{beside}."
    return (
        f"For one run take {base.name if once is base else _priced(once)}; with a pool kept open take {_priced(kept)}."
    )


def _beside(race: Race, advice: Advice) -> list[str]:
    """What else is worth knowing: another parser, another algorithm."""
    base, kept = race.base, advice.kept
    parsers = [
        f"Another parser: {entry.name} is {times(entry.speedup)} {base.name}."
        for entry in race.entries
        if entry.parser != base.parser and entry.warm == base.warm
    ]
    algorithms = [
        f"Another algorithm does more than more cores: {entry.name} is {times(entry.speedup)} {base.name}"
        + (f" and {times(kept.median_s / entry.median_s)} {kept.name}" if kept is not base else "")
        + ", on one core."
        for entry in race.entries
        if entry.reference and entry.median_s < kept.median_s
    ]
    part = [entry.name for entry in race.entries if entry.elsewhere]
    partly = f"CPU of {', '.join(part)} is the client's alone: the cluster's workers are not counted."
    return parsers[:1] + algorithms + ([partly] if part else [])


def _choice(entries: Sequence[Entry], race: Race) -> Entry:
    """The cheapest in CPU of those that are as good as fastest; the first variant where nothing is worthwhile."""
    worthwhile = [entry for entry in entries if entry.speedup >= WORTHWHILE]
    fastest = min((entry.median_s for entry in worthwhile), default=0.0)
    near = [entry for entry in worthwhile if entry.median_s <= fastest * NEAR]
    return min(near, key=lambda entry: (entry.elsewhere, entry.cpu_s), default=race.base)


def _priced(entry: Entry) -> str:
    return f"{entry.name} ({duration(entry.median_s)}, {times(entry.speedup)}, {cpu(entry)} of CPU)"


def _control(race: Race) -> list[str]:
    off = [entry for entry in race.entries if entry.misses_ideal]
    if not off:
        return ["As it must be: each within 25 % of its ideal."]
    return [
        f"WARNING: {entry.name} reached {times(entry.speedup)}, its ideal is {times(entry.ideal or 1)}: "
        "the machine was busy or the harness is at fault; doubt the figures beside it."
        for entry in off
    ]


def cpu(entry: Entry) -> str:
    """CPU seconds of a round, ``≥`` where they are of a part."""
    return ("≥ " if entry.elsewhere else "") + duration(entry.cpu_s)


def duration(seconds: float) -> str:
    """Three digits and a unit: ``1.23 s``, ``45.6 ms``, ``789 µs``."""
    seconds = float(f"{seconds:.3g}")
    scales = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
    unit, scale = next(((unit, scale) for unit, scale in scales if abs(seconds) >= scale), ("ns", 1e-9))
    value = seconds / scale
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f} {unit}"


def times(ratio: float) -> str:
    """``7.80 ×``; below a tenth two digits: ``0.0012 ×``."""
    if 0 < ratio < 0.1:
        return f"{float(f'{ratio:.2g}'):.10f}".rstrip("0") + " ×"
    ratio = float(f"{ratio:.3g}")
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.1f} ×" if ratio < 100 else f"{ratio:.0f} ×"
