"""What is run in each tier: which variants, with how many workers, which start methods, which parsers. Pure."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from workloads.catalog import ALL
from workloads.model import COLD, WARM, How, Variant, Workload

TIERS = ("smoke", "default", "full", "gate")
DEFAULT_START_METHOD = "forkserver"
"""Safe with threads, and quicker to start a worker than spawn; what CPython 3.14 uses on Linux."""
START_METHOD_WORKERS = 2
"""All start methods are compared at this number of workers only."""
LIVE_MOST_WORKERS = 8
_SHORT = {"html.parser": "html"}


@dataclass(frozen=True, slots=True)
class Tier:
    """How much is run.

    latency        how fast the cassettes are played
    workers        numbers of workers
    passes         how many each race has; None: until its intervals are narrow, or its time is over
    seconds        for which a race goes on at most, once it has the passes that a verdict needs
    start_methods  the workloads with which all of them are compared
    parsers        whether the other parsers are run with the variants beside the first
    sparing        no more of each kind than tells something: what starts quickly (threads, asyncio) with the most
                   workers only; of what starts slowly (processes, interpreters, clusters) a cold pool with the
                   fewest, and a warm one however it was started
    only           the names of all that is run; where there are none, everything
    """

    latency: str
    workers: tuple[int, ...]
    passes: int | None
    seconds: float
    start_methods: tuple[str, ...]
    parsers: bool
    sparing: bool
    only: frozenset[str] = frozenset()


GATE = frozenset(
    (
        *("hn_items-session", "hn_items-threads-w2-warm", "hn_items-threads-w8-warm", "hn_items-asyncio-w8-warm"),
        *("hn_items-processes-w2-forkserver-warm", "quotes-session-lxml", "quotes-threads-w2-lxml-warm"),
        *("quotes-processes-w2-forkserver-lxml-warm", "primes-sequential", "primes-threads-w2-warm"),
        *("primes-processes-w2-forkserver-warm", "primes-sieve"),
    )
)
"""What a gate judges: each kind of work in each way to run it, with rounds of 5 to 20 ms."""

SETTINGS = {
    "smoke": Tier("scale:0.1", (2,), 2, 10.0, start_methods=(), parsers=False, sparing=True),
    "default": Tier("recorded", (2, 8), None, 24.0, start_methods=("primes",), parsers=False, sparing=True),
    "full": Tier(
        "recorded", (2, 4, 8), None, 180.0, start_methods=("hn_items", "quotes", "primes"), parsers=True, sparing=False
    ),
    "gate": Tier("scale:0.05", (2, 8), 2, 10.0, start_methods=(), parsers=True, sparing=False, only=GATE),
}
LIVE_PASSES = 3
"""A live site is asked no more often than it takes to look: there is no verdict."""


@dataclass(frozen=True, slots=True)
class Case:
    """One benchmark."""

    workload: Workload
    variant: Variant
    how: How
    lifecycle: str | None
    parser: str | None

    @property
    def label(self) -> str:
        """``threads-w8-warm``: the variant and what it was given, the workload left out."""
        parts = [self.variant.name]
        if self.variant.workers:
            parts.append(f"w{self.how.workers}")
        parts += filter(None, (self.how.start_method, _SHORT.get(self.parser, self.parser), self.lifecycle))
        if self.how.scheduler:
            parts.append("cluster")
        return "-".join(parts)

    @property
    def first(self) -> bool:
        """Whether the others of its workload are compared with it."""
        return self.variant is self.workload.variants[0] and self.parser in (None, *self.workload.parsers[:1])

    def id(self, http: str) -> str:
        """The name under which it is stored; a live figure never stands under the name of a replayed one."""
        live = http == "live" and self.workload.http is not None
        return f"{self.workload.name}-{self.label}" + ("-live" if live else "")


def cases(
    tier: str,
    workers: tuple[int, ...] | None,
    *,
    live: bool,
    asked_for: Callable[[str], bool] = lambda name: False,
    scheduler: str | None = None,
) -> Iterator[Case]:
    """The benchmarks of a tier, each workload's in the order of its variants.

    workers    in place of the tier's
    asked_for  whether a variant or a workload was asked for by its name: a variant on a cluster, and a control, else
               run in the tier `full` only
    scheduler  of the cluster for such variants; None: each starts one of its own
    """
    settings = SETTINGS[tier]
    for workload in ALL:
        if workload.ideal and tier != "full" and not asked_for(workload.name):
            continue
        numbers = workers or settings.workers
        if live and workload.http is not None:
            numbers = tuple(dict.fromkeys(min(number, LIVE_MOST_WORKERS) for number in numbers))
        for variant in workload.variants:
            if (variant.needs and not variant.needs.met()) or (
                variant.cluster and not (scheduler or tier == "full" or asked_for(variant.name))
            ):
                continue
            for one in _ways(workload, variant, numbers, settings):
                how = replace(one, scheduler=scheduler) if variant.cluster else one
                for lifecycle in variant.lifecycles or (None,):
                    if settings.sparing and _spared(variant, how, lifecycle, numbers):
                        continue
                    for parser in _parsers(workload, variant, settings):
                        case = Case(workload, variant, how, lifecycle, parser)
                        if not settings.only or case.id("replay") in settings.only:
                            yield case


def absent(asked_for: Callable[[str], bool]) -> dict[str, str]:
    """Variants that were asked for by their names and can't run here -> what they need."""
    found = {variant.name: variant.needs for workload in ALL for variant in workload.variants if variant.needs}
    return {name: needs.what for name, needs in found.items() if not needs.met() and asked_for(name)}


def _spared(variant: Variant, how: How, lifecycle: str | None, workers: tuple[int, ...]) -> bool:
    slow = variant.start_methods or variant.cluster or variant.leaves_memory
    if variant.workers and not slow and how.workers != max(workers):
        return True
    if lifecycle == COLD:
        return how.workers != (min(workers) if slow else max(workers))
    return lifecycle == WARM and how.start_method not in (None, DEFAULT_START_METHOD)


def _ways(workload: Workload, variant: Variant, workers: tuple[int, ...], settings: Tier) -> Iterator[How]:
    compared = workload.name in settings.start_methods and variant.name == "processes"
    for number in workers if variant.workers else (1,):
        for method in _start_methods(variant, compared and number == START_METHOD_WORKERS):
            yield How(number, method)


def _start_methods(variant: Variant, compared: bool) -> tuple[str | None, ...]:
    if not variant.start_methods:
        return (None,)
    return tuple(multiprocessing.get_all_start_methods()) if compared else (DEFAULT_START_METHOD,)


def _parsers(workload: Workload, variant: Variant, settings: Tier) -> tuple[str | None, ...]:
    if not workload.parsers:
        return (None,)
    every = settings.parsers or variant is workload.variants[0]
    return workload.parsers if every else workload.parsers[:1]
