"""The study "scaling": how throughput grows with the number of workers.

Waits are fixed, not as recorded: of many waits that jitter the slowest ends a round, and is the slower the more there
are. That is no contention, and would be taken for it. The numbers of items are multiples of the numbers of workers, so
that no round ends with idle workers, which would be taken for it too. Fewer items were recorded: they are asked for
again, and must come out the same each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice

import pytest

from benchmarks.cases import DEFAULT_START_METHOD
from benchmarks.study import point
from workloads.hn_items import HN_ITEMS, IDS, Items
from workloads.model import WARM, How, Workload
from workloads.primes import FIRST, PRIMES, Numbers
from workloads.quotes import PAGES, QUOTES, Pages

LATENCY = "fixed:20ms"
ROUNDS = {"smoke": (1, 1, 0.0), "default": (4, 8, 0.3), "full": (6, 12, 0.7), "gate": (3, 8, 0.3)}
FEWEST, FEW, MANY = (1, 2, 3, 4, 6, 12), (1, 2, 3, 4, 6, 8, 12, 24), (1, 2, 3, 4, 6, 8, 12, 16, 24, 48)
"""Numbers of workers that divide 12, 24 and 48; from eight on Gunther's law is fitted too."""
COMPUTING = (1, 2, 3, 4, 6, 8, 12, 16)
MOST_PROCESSES = 24
"""More of them need more memory than a small machine has."""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: a workload and a variant, on so many items, with these numbers of workers."""

    workload: Workload
    variant: str
    items: int
    workers: tuple[int, ...]


def lines(tier: str) -> Iterator[Line]:
    """The curves of a tier."""
    if tier == "smoke":
        sizes, pages, limits, computing = {2: (1, 2)}, None, (2_000,), (1, 2)
    elif tier == "full":
        sizes, pages, limits, computing = {24: FEW, 48: MANY}, (24, FEW), (200_000, 400_000), COMPUTING
    else:
        sizes, pages, limits, computing = {24: FEW}, (12, FEWEST), (200_000,), COMPUTING
    for items, workers in sizes.items():
        processes = tuple(number for number in workers if number <= MOST_PROCESSES)
        yield Line(HN_ITEMS, "threads", items, workers)
        yield Line(HN_ITEMS, "asyncio", items, workers)
        yield Line(HN_ITEMS, "processes", items, processes)
    if pages:
        yield Line(QUOTES, "threads", *pages)
        yield Line(QUOTES, "processes", *pages)
    for limit in limits:
        yield Line(PRIMES, "threads", limit - FIRST, computing)
        yield Line(PRIMES, "processes", limit - FIRST, computing)


def pytest_generate_tests(metafunc):
    """A benchmark for each point: each curve from its fewest workers to its most, which are visited in turn."""
    found = []
    for line in lines(metafunc.config.getoption("tier")):
        name = f"{line.workload.name}-{line.variant}-{line.items}"
        turn = pytest.mark.benchmark(group=f"scaling {name}")
        found += [pytest.param(line, number, marks=turn, id=f"{name}-w{number}") for number in line.workers]
    metafunc.parametrize(("line", "workers"), found)


def work(line: Line, base_url: str) -> Items | Pages | Numbers:
    """The input: as many items as the line has, those that were recorded again and again."""
    if line.workload is HN_ITEMS:
        return Items(base_url, tuple(islice(cycle(IDS["full"]), line.items)))
    if line.workload is QUOTES:
        return Pages(base_url, tuple(islice(cycle(PAGES["full"]), line.items)), "lxml")
    return Numbers(FIRST + line.items)


ITEM = {"hn_items": "item", "quotes": "page", "primes": "number"}


@pytest.mark.study("scaling")
def test_scaling(line, workers, lap, tier, site_for, laptime_options):
    """The same work with more and more workers."""
    workload = line.workload
    if workload.http is not None and laptime_options.http == "live":
        pytest.skip("a live site would be asked hundreds of times: this study plays the recording")
    site = site_for(workload, LATENCY)
    inputs = work(line, site.base_url)
    variant = next(one for one in workload.variants if one.name == line.variant)
    method = DEFAULT_START_METHOD if variant.start_methods else None
    item = ITEM[workload.name]
    lap(
        open=partial(variant.open, inputs, How(workers, method)),
        check=site.check(inputs),
        lifecycle=WARM,
        stage=site.stage,
        requests=Counter(f"GET {target}" for target in workload.http.targets(inputs)) if workload.http else None,
        rounds=ROUNDS[tier],
        group="scaling",
        study=point(
            f"scaling-{workload.name}",
            "scaling",
            f"How many workers for {workload.name}?",
            line=f"{line.variant}, {line.items:,} {item}s",
            x=workers,
            x_name="workers",
            items=line.items,
            item=item,
        ),
        workload=workload.name,
        variant=line.variant,
        workers=workers,
        start_method=method,
        tier=tier,
        http="replay" if site.stage else None,
    )
