"""Races, read from benchmarks as pytest-benchmark writes them to JSON, with the `extra_info` of `laptime.lap`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import exp, inf, log
from statistics import fmean, median
from typing import Any

from laptime.analysis.race import LOST, NO_HTTP, Entry, Race, Taken
from laptime.stats.paired import CONFIDENCE, Gain, Passes


def races(benchmarks: Iterable[Mapping[str, Any]], *, running: bool = False) -> list[Race]:
    """Group benchmarks into races, in the order in which they were run; what isn't one of ours is left out.

    running  while the race goes on, what others disturbed decides nothing; where it is over, and most was disturbed, it
             is shown all the same
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for benchmark in in_order(benchmarks):
        info = benchmark.get("extra_info", {})
        if "workload" in info and "study" not in info:
            groups.setdefault(_name(benchmark), []).append(benchmark)
    return [_race(group, running) for group in groups.values()]


def in_order(benchmarks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """As they were collected, which a store doesn't keep: the first of a study is what others are compared with."""
    return sorted(benchmarks, key=_position)


def _position(benchmark: Mapping[str, Any]) -> int:
    position = (benchmark.get("extra_info") or {}).get("position")
    return position if isinstance(position, int) else -1  # of before positions were stored, or of somebody else


def _race(group: Sequence[Mapping[str, Any]], running: bool) -> Race:
    first = next((one for one in group if one["extra_info"].get("first")), group[0])
    taken = _taken(group)
    with_void = taken.too_many_void and not running
    seconds = {_key(one): _by_race_pass(one["extra_info"]["rounds"], with_void=with_void) for one in group}
    # passes that are not of one race are not the same moments
    seeds = {_raced(one).get("seed") for one in group}
    in_passes = len(seeds) == 1 and all(one["extra_info"]["rounds"].get("race_pass") for one in group)
    paired = Passes(seconds, _kinds(group)) if len(group) > 1 and in_passes else None
    confidences = {_key(one): _raced(one).get("confidence", CONFIDENCE) for one in group}
    passes = {name: sum(one is not None for one in several) for name, several in seconds.items()}
    entries = [_entry(one, first, paired, confidences, passes[_key(one)]) for one in group]
    base = entries[group.index(first)]
    return Race(
        workload=_name(first),
        summary=first["extra_info"].get("summary", ""),
        setting=_setting(first["extra_info"]),
        base=base,
        entries=tuple(
            sorted(
                entries, key=lambda entry: (1 / entry.gain.estimate * base.median_s) if entry.gain else entry.median_s
            )
        ),
        cpus=min(first["extra_info"]["affinity_cpus"], first["extra_info"]["cpu_quota"] or inf),
        first_ran=base.first is not False,
        look=any(_raced(one).get("look") for one in group),
        taken=taken,
        waits_told=not any(None in one["extra_info"]["rounds"].get("waited_s", ()) for one in group),
        canary=next((tuple((a, b) for a, b in found) for one in group if (found := _raced(one).get("canary"))), ()),
        gil=all("on" in one["extra_info"].get("gil", ["on"]) for one in group),
        gil_on_by=next(filter(None, (one["extra_info"].get("gil_on_by") for one in group)), None),
        paired=paired,
        confidences=confidences,
    )


def _key(benchmark: Mapping[str, Any]) -> str:
    return str(benchmark.get("fullname") or benchmark.get("name"))


def _raced(benchmark: Mapping[str, Any]) -> Mapping[str, Any]:
    found = benchmark["extra_info"].get("race")
    return found if isinstance(found, Mapping) else {}


def _name(benchmark: Mapping[str, Any]) -> str:
    return str(benchmark["group"] or benchmark["extra_info"]["workload"])


def _setting(info: Mapping[str, Any]) -> str:
    if info.get("http") == "live":
        return "live"
    return f"replay at {info['latency']} pace" if info.get("latency") else NO_HTTP


def _taken(group: Sequence[Mapping[str, Any]]) -> Taken:
    tried = [one["extra_info"].get("tried") or {} for one in group]
    wall_s = sum(one.get("wall_s", 0.0) for one in tried) or inf
    stolen_s = [one.get("stolen_s", 0.0) for one in tried]
    return Taken(
        sum(one.get("others_s", 0.0) for one in tried) / wall_s,
        None if None in stolen_s else sum(stolen_s) / wall_s,
        sum(one.get("rounds", 0) for one in tried),
        sum(one.get("void", 0) for one in tried),
    )


def _entry(
    one: Mapping[str, Any],
    first: Mapping[str, Any],
    paired: Passes | None,
    confidences: Mapping[str, float],
    passes: int,
) -> Entry:
    info = one["extra_info"]
    rounds, tried = info["rounds"], info.get("tried") or {}
    walls = rounds["wall_s"]
    waited = [seconds for seconds in rounds.get("waited_s", ()) if seconds is not None]
    gain = None
    if paired is not None and one is not first:
        gain = paired.gain(_key(first), _key(one), max(confidences[_key(first)], confidences[_key(one)]))
        gain = gain if gain.passes else None
    elif one is first:
        gain = Gain(1.0, 1.0, 1.0, 0)
    return Entry(
        name=str(info.get("label") or one["param"] or one["name"]),
        fullname=_key(one),
        variant=str(info.get("variant") or ""),
        meaning=str(info.get("meaning") or ""),
        median_s=median(walls),
        gain=gain,
        speedup=gain.estimate if gain else speedup(first["extra_info"]["rounds"], rounds),
        cpu_s=median(rounds["cpu_s"]),
        parallelism=info["parallelism"],
        rounds=len(walls),
        passes=passes,
        tried=tried.get("rounds", len(walls)),
        void=tried.get("void", 0),
        waited_s=sum(waited) / len(waited) if waited and len(waited) == len(walls) else None,
        longest_share=_longest_share(rounds),
        workers=info.get("workers"),
        processes=info.get("start_method") is not None,
        warm=info.get("lifecycle") == "warm",
        reference=bool(info.get("reference")),
        parser=info.get("parser"),
        ideal=info.get("ideal") if first["extra_info"].get("ideal") is None else None,
        lost=_raced(one).get("left") == LOST,
        first=info.get("first"),
        elsewhere=bool(info.get("cpu_elsewhere")),
    )


def _longest_share(rounds: Mapping[str, Any]) -> float | None:
    """Over the rounds on average as gains are: by their logarithms."""
    longest, walls = rounds.get("longest_s") or (), rounds["wall_s"]
    if not longest or len(longest) != len(walls) or min(longest) <= 0:
        return None
    return exp(fmean(log(longest_s / wall_s) for longest_s, wall_s in zip(longest, walls, strict=True)))


def _by_race_pass(rounds: Mapping[str, Any], *, with_void: bool = False) -> list[float | None]:
    """Seconds of each pass of the race: the median of its rounds; None where there were none that others let pass."""
    numbers = rounds.get("race_pass") or ()
    void = rounds.get("void") or [False] * len(numbers)
    if len(numbers) != len(rounds["wall_s"]):
        return []  # thinned by the history: which round was in which pass is gone
    found: dict[int, list[float]] = {}
    for number, wall_s, is_void in zip(numbers, rounds["wall_s"], void, strict=False):
        if (with_void or not is_void) and wall_s > 0:
            found.setdefault(number, []).append(wall_s)
    return [median(found[number]) if number in found else None for number in range(max(found, default=-1) + 1)]


def _kinds(group: Sequence[Mapping[str, Any]]) -> list[object] | None:
    """Which recording each pass played; None where there is none."""
    found: dict[int, object] = {}
    for one in group:
        rounds = one["extra_info"]["rounds"]
        found |= dict(zip(rounds.get("race_pass") or (), rounds.get("pass") or (), strict=False))
    return [found.get(number) for number in range(max(found) + 1)] if found else None


def speedup(base: Mapping[str, Sequence[Any]], other: Mapping[str, Sequence[Any]]) -> float:
    """How many times as fast `other` is, where it was not run in passes: medians, summed over the recorded passes that
    both played.

    A recorded pass differs from the next by the jitter of the origin, so only like is compared with like.
    """
    base_s, other_s = _by_recorded_pass(base), _by_recorded_pass(other)
    common = base_s.keys() & other_s.keys()
    if not common:
        return float(median(base["wall_s"]) / median(other["wall_s"]))
    return sum(median(base_s[one]) for one in common) / sum(median(other_s[one]) for one in common)


def _by_recorded_pass(rounds: Mapping[str, Sequence[Any]]) -> dict[int, list[float]]:
    by_pass: dict[int, list[float]] = {}
    for number, wall_s in zip(rounds.get("pass", ()), rounds["wall_s"], strict=False):
        by_pass.setdefault(number, []).append(wall_s)
    return by_pass
