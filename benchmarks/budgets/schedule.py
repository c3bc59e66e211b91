"""Threads on a wait-bound workload, against the ideal: the recorded times, handed to free workers in order."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.budgets.figures import CASSETTES, Figure, progress
from laptime.cassette import Interaction, Timing, load
from laptime.replay import Latency, ReplayServer
from workloads.hn_items import HN_ITEMS, threads
from workloads.model import How

WORKERS = (2, 4, 8, 16)
S_PER_MS = 1e-3


def ideal_s(times_s: Sequence[float], workers: int) -> float:
    """The list schedule: each item in order goes to the worker that is free first."""
    free_at = [0.0] * workers
    for item_s in times_s:
        heapq.heapreplace(free_at, free_at[0] + item_s)
    return max(free_at)


def _answer_s(timing: Timing) -> float:
    """From the request to the last byte, over a connection that stands."""
    return (timing.wait_ms + (timing.chunks[-1][0] if timing.chunks else 0.0)) * S_PER_MS


def figures() -> Iterator[Figure]:
    """hn_items, full tier, a warm pool of threads, each recorded pass twice."""
    path = CASSETTES / "hn_items.yaml"
    recorded: dict[str, Interaction] = {one.target: one for one in load(path).interactions}
    assert HN_ITEMS.http is not None
    with ReplayServer() as server:
        stage = server.load(path, Latency("recorded"))
        work = HN_ITEMS.work("full", stage.url(), None)
        targets = HN_ITEMS.http.targets(work)
        for workers in WORKERS:
            ratios = []
            with threads(work, How(workers)) as run:
                run()  # connections are made
                for turn in progress(range(2 * stage.passes), f"{workers} threads"):
                    stage.begin(turn)
                    started = time.perf_counter()
                    run()
                    took_s = time.perf_counter() - started
                    times_s = [_answer_s(recorded[target].timings[turn % stage.passes]) for target in targets]
                    ratios.append(took_s / ideal_s(times_s, workers))
            ratio = median(ratios)
            yield Figure(
                f"hn_items, {workers} threads, over the ideal list schedule (median of {len(ratios)} rounds)",
                f"{ratio:.3f} × (worst {max(ratios):.3f})",
                "≤ 1.10 ×",
                ratio <= 1.10,
            )
