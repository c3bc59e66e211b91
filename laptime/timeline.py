"""One round drawn as lanes: which worker connected, waited, received and computed, and when. Pure.

The replay knows when each request came and was answered, and on which connection; the kernel, how much CPU each thread
had had at a moment; the client, on which thread a connection was used (`laptime.watch`). All by one clock, that of
`time.monotonic_ns`. A lane is a thread of the measured process, another process, or, where neither can be told (many
connections of one event loop), a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any

from laptime.replay.visit import Visit

BIN_S = 0.005
"""The kernel notes the CPU time of a running thread at its ticks, of 1 to 4 ms."""
MOST_BINS = 240
IDLE_SHARE = 0.01
"""A thread without requests that computed for less than this share of the round has no lane."""
MOST_LANES = 64
"""More can't be told apart in a picture; the rest is counted."""
_NS_PER_S = 1e9
_DIGITS = 6

Task = tuple[int, int]
"""A process id and a thread id."""
Samples = Sequence[tuple[int, int]]
"""When (ns), and how many ns of CPU a thread had had by then; the first one is the state before the round."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one round; times are those of `time.monotonic_ns`.

    process  the id of the measured process, whose main thread has the same
    senders  port of the client -> the thread of the measured process that sent a request from it
    owners   port of the client -> the process that it belongs to
    cpu      what each thread of the process tree computed
    """

    began_ns: int
    ended_ns: int
    process: int
    visits: Sequence[Visit]
    senders: Mapping[int, int]
    owners: Mapping[int, int]
    cpu: Mapping[Task, Samples]


def timeline(seen: Seen) -> dict[str, Any]:
    """The round as JSON, all times in seconds from its beginning.

    ``{"seconds", "bin_s", "lanes": [{"name", "requests": [{"name", "start", "connect", "wait", "receive", "status"}],
    "cpu": [[start, share of one CPU], …]}], "lanes_left_out", "cpu_total": [[start, CPUs], …]}``; bins without CPU are
    left out, and lanes beyond `MOST_LANES`.
    """
    seconds = (seen.ended_ns - seen.began_ns) / _NS_PER_S
    bin_s = max(BIN_S, seconds / MOST_BINS)
    count = max(1, ceil(seconds / bin_s))
    by_task = {task: _binned(samples, seen.began_ns, bin_s, count) for task, samples in seen.cpu.items()}
    requests: dict[Any, list[Visit]] = {}
    for visit in sorted(seen.visits, key=_started_ns):
        requests.setdefault(_lane_of(visit, seen), []).append(visit)
    computed: dict[Any, list[float]] = {}
    for (process, thread), bins in by_task.items():
        lane = ("thread", thread) if process == seen.process else ("process", process)
        known = computed.setdefault(lane, [0.0] * count)
        computed[lane] = [one + other for one, other in zip(known, bins, strict=True)]
    lanes = {
        lane
        for lane in {*requests, *computed}
        if lane in requests or sum(computed[lane]) * bin_s >= IDLE_SHARE * seconds
    }
    ordered = sorted(lanes, key=lambda lane: _order(lane, requests.get(lane, ()), computed.get(lane, ()), seen))
    names = _names(ordered, seen.process)
    total = [sum(bins) for bins in zip(*by_task.values(), strict=True)]
    return {
        "seconds": round(seconds, _DIGITS),
        "bin_s": round(bin_s, _DIGITS),
        "lanes": [
            {
                "name": names[lane],
                "requests": [_request(visit, seen.began_ns) for visit in requests.get(lane, ())],
                "cpu": _listed(computed.get(lane, ()), bin_s),
            }
            for lane in ordered[:MOST_LANES]
        ],
        "lanes_left_out": max(0, len(ordered) - MOST_LANES),
        "cpu_total": _listed(total, bin_s),
    }


def _lane_of(visit: Visit, seen: Seen) -> tuple[str, int]:
    if visit.port in seen.senders:
        return "thread", seen.senders[visit.port]
    owner = seen.owners.get(visit.port, seen.process)
    return ("connection", visit.connection) if owner == seen.process else ("process", owner)


def _order(
    lane: tuple[str, int], visits: Sequence[Visit], bins: Sequence[float], seen: Seen
) -> tuple[bool, bool, float, int]:
    """The main thread first, then in the order of the first request, then of the first computing."""
    if visits:
        first = (_started_ns(visits[0]) - seen.began_ns) / _NS_PER_S
    else:
        first = next((number for number, share in enumerate(bins) if share > 0), len(bins))
    return lane != ("thread", seen.process), not visits, first, lane[1]


def _names(lanes: Iterable[tuple[str, int]], process: int) -> dict[tuple[str, int], str]:
    counts: dict[str, int] = {}
    names = {}
    for lane in lanes:
        kind = lane[0]
        if lane == ("thread", process):
            names[lane] = "main thread"
        else:
            counts[kind] = counts.get(kind, 0) + 1
            names[lane] = f"{kind} {counts[kind]}"
    return names


def _started_ns(visit: Visit) -> int:
    return visit.begun_ns if visit.opened_ns < 0 else visit.opened_ns


def _request(visit: Visit, began_ns: int) -> dict[str, Any]:
    started_ns = _started_ns(visit)
    return {
        "name": visit.request,
        "start": _s(started_ns - began_ns),
        "connect": _s(visit.begun_ns - started_ns),
        "wait": _s(visit.first_ns - visit.begun_ns),
        "receive": _s(visit.done_ns - visit.first_ns),
        "status": visit.status,
    }


def _s(ns: int) -> float:
    return round(ns / _NS_PER_S, _DIGITS)


def _binned(samples: Samples, began_ns: int, bin_s: float, count: int) -> list[float]:
    """The share of one CPU that a thread had in each bin, its CPU time taken to grow evenly between two samples."""
    shares = [0.0] * count
    for (from_ns, before_ns), (to_ns, after_ns) in pairwise(samples):
        if after_ns <= before_ns or to_ns <= from_ns:
            continue
        rate = (after_ns - before_ns) / (to_ns - from_ns)
        start_s, stop_s = (from_ns - began_ns) / _NS_PER_S, (to_ns - began_ns) / _NS_PER_S
        for number in range(max(0, int(start_s / bin_s)), min(count, int(stop_s / bin_s) + 1)):
            overlap_s = min(stop_s, (number + 1) * bin_s) - max(start_s, number * bin_s)
            shares[number] += rate * max(0.0, overlap_s) / bin_s
    for number in range(count - 1, 0, -1):
        # more than one CPU can't be one thread's: it was noted late, and had been computed before
        late = max(0.0, shares[number] - 1.0)
        shares[number] -= late
        shares[number - 1] += late
    shares[0] = min(shares[0], 1.0)
    return shares


def _listed(bins: Sequence[float], bin_s: float) -> list[list[float]]:
    return [[round(number * bin_s, 4), round(share, 3)] for number, share in enumerate(bins) if share >= 0.0005]
