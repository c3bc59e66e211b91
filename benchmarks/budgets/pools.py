"""A pool that is kept open from pass to pass of a race, idle while others are on turn, against one opened in each pass.

Both have done the work before they are timed. They are run in passes, in an order drawn anew.
"""

from __future__ import annotations

import gc
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from benchmarks.budgets.figures import CASSETTES, Figure, progress
from laptime.replay import Latency, ReplayServer
from laptime.stats.paired import Passes
from workloads.hn_items import HN_ITEMS
from workloads.model import How, Workload
from workloads.primes import PRIMES

PASSES = 30
UNTIMED = 2
"""Rounds until a new pool's workers have imported what they need."""
POOLS = (
    (PRIMES, "processes", How(2, "forkserver")),
    (PRIMES, "processes", How(8, "forkserver")),
    (HN_ITEMS, "processes", How(8, "forkserver")),
    (HN_ITEMS, "threads", How(8)),
)

Open = Callable[[], AbstractContextManager[Callable[[], Any]]]


def figures() -> Iterator[Figure]:
    """How many times as fast the kept one is."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with ReplayServer() as server, ExitStack() as stack:
        stage = server.load(CASSETTES / "hn_items.yaml", Latency("recorded"))
        opens = {
            f"{one.name}, {name}, {how.workers} workers": _open(one, name, how, stage.url()) for one, name, how in POOLS
        }
        kept = {name: stack.enter_context(opened()) for name, opened in opens.items()}
        turns = [(name, lifetime) for name in opens for lifetime in ("kept", "anew")]
        for number in progress(range(PASSES), "pools, kept and opened anew"):
            random.shuffle(turns)
            for name, lifetime in turns:
                with ExitStack() as opened_anew:
                    run = kept[name] if lifetime == "kept" else opened_anew.enter_context(opens[name]())
                    if lifetime == "anew" or number == 0:
                        for _ in range(UNTIMED):
                            stage.begin(number % stage.passes)
                            run()
                    gc.collect()
                    stage.begin(number % stage.passes)
                    started = time.perf_counter()
                    run()
                    seconds[name, lifetime].append(time.perf_counter() - started)
    for name in opens:
        gain = Passes({lifetime: seconds[name, lifetime] for lifetime in ("kept", "anew")}).gain("anew", "kept")
        yield Figure(
            f"{name}: kept, times as fast as opened anew", f"{gain.estimate:.3f} ({gain.low:.3f} to {gain.high:.3f})"
        )


def _open(workload: Workload, name: str, how: How, base_url: str) -> Open:
    variant = next(one for one in workload.variants if one.name == name)
    return partial(variant.open, workload.work("default", base_url, None), how)
