"""Fetch items of the Hacker News API: small JSON documents, nearly all of it waiting.

An item that isn't there (404), or whose request fails, is left out of the answer and counted by kind.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import requests

from workloads import cluster, http
from workloads import interpreters as subinterpreters
from workloads.model import COLD, WARM, How, Http, Recorded, Variant, Workload, digest

if TYPE_CHECKING:
    import aiohttp

ORIGIN = "https://hn.algolia.com"
IDS = {"smoke": range(1, 7), "default": range(1, 9), "full": range(1, 20), "gate": range(2, 5)}

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Items:
    """The work: which items, from where."""

    base_url: str
    ids: tuple[int, ...]


class Outcome(NamedTuple):
    """What became of one item: the item, or the kind of error."""

    item_id: int
    item: Item | None
    error: str | None


class Answer(NamedTuple):
    """The items found, by id, and how many were left out, by kind of error."""

    found: dict[int, Item]
    errors: dict[str, int]


Run = Callable[[], Answer]


# the unit of work


def path(item_id: int) -> str:
    """Where an item is found."""
    return f"/api/v1/items/{item_id}"


def read(item_id: int, status: int, body: bytes) -> Outcome:
    """What a response says of an item."""
    if status != 200:
        return Outcome(item_id, None, f"HTTP {status}")
    try:
        return Outcome(item_id, json.loads(body), None)
    except ValueError:
        return Outcome(item_id, None, "not JSON")


def fetch(get: Callable[[str], requests.Response], base_url: str, item_id: int) -> Outcome:
    """Get one item."""
    try:
        response = get(base_url + path(item_id))
    except requests.RequestException as error:
        return Outcome(item_id, None, type(error).__name__)
    return read(item_id, response.status_code, response.content)


def collect(outcomes: Iterable[Outcome]) -> Answer:
    """Sort the outcomes by id; the order in which they came doesn't matter.

    An item that was asked for several times must have been the same each time.
    """
    ordered = sorted(outcomes, key=attrgetter("item_id"))
    found = {item_id: item for item_id, item, _ in ordered if item is not None}
    errors = Counter(error for _, _, error in ordered if error is not None)
    for item_id, item, _ in ordered:
        if item is not None and item is not found[item_id] and item != found[item_id]:
            errors["another answer"] += 1
    return Answer(found, dict(errors))


# the variants: one unit of work, run in different ways


@contextmanager
def sequential(work: Items, how: How) -> Iterator[Run]:
    """One after the other, each over a new connection."""
    yield lambda: collect(fetch(http.get_once, work.base_url, item_id) for item_id in work.ids)


@contextmanager
def session(work: Items, how: How) -> Iterator[Run]:
    """Sequential, over one connection."""
    with http.session():
        yield lambda: collect(fetch(http.get_kept, work.base_url, item_id) for item_id in work.ids)


@contextmanager
def threads(work: Items, how: How) -> Iterator[Run]:
    """A pool of threads, a session in each."""
    with ThreadPoolExecutor(how.workers, initializer=http.open_session) as pool:
        yield lambda: collect(pool.map(partial(fetch, http.get_kept, work.base_url), work.ids))


@contextmanager
def thread_per_item(work: Items, how: How) -> Iterator[Run]:
    """A thread for each item, results in a Manager's dict."""

    def store(results: dict[int, Outcome], item_id: int) -> None:
        results[item_id] = fetch(http.get_once, work.base_url, item_id)

    with multiprocessing.get_context(how.start_method).Manager() as manager:
        results = cast("dict[int, Outcome]", manager.dict())

        def run() -> Answer:
            started = [Thread(target=store, args=(results, item_id)) for item_id in work.ids]
            for thread in started:
                thread.start()
            for thread in started:
                thread.join()
            return collect(results.values())

        yield run


@contextmanager
def processes(work: Items, how: How) -> Iterator[Run]:
    """A pool of processes, a session in each; an item at a time, for each is a long wait."""
    context = multiprocessing.get_context(how.start_method)
    with ProcessPoolExecutor(how.workers, mp_context=context, initializer=http.open_session) as pool:
        yield lambda: collect(pool.map(partial(fetch, http.get_kept, work.base_url), work.ids, chunksize=1))


@contextmanager
def interpreters(work: Items, how: How) -> Iterator[Run]:
    """A pool of sub-interpreters, a session in each."""
    with subinterpreters.pool(how.workers, __name__, initializer=http.open_interpreter_session) as pool:
        yield lambda: collect(pool.map(partial(fetch, http.get_in_interpreter, work.base_url), work.ids))


@contextmanager
def dask(work: Items, how: How) -> Iterator[Run]:
    """A dask cluster, a session in each worker."""
    with cluster.mapping(how) as over:
        yield lambda: collect(over(partial(fetch, http.get_kept_or_open, work.base_url), work.ids))


@contextmanager
def event_loop(work: Items, how: How) -> Iterator[Run]:
    """asyncio in one thread, with at most as many connections as there would be workers."""
    import aiohttp  # here, so that the spawned workers of `processes` don't pay for it

    async def fetch_one(client: aiohttp.ClientSession, item_id: int) -> Outcome:
        try:
            async with client.get(work.base_url + path(item_id)) as response:
                return read(item_id, response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            return Outcome(item_id, None, type(error).__name__)

    async def fetch_all(client: aiohttp.ClientSession) -> Answer:
        return collect(await asyncio.gather(*(fetch_one(client, item_id) for item_id in work.ids)))

    with http.event_loop(how.workers) as run:
        yield lambda: cast(Answer, run(fetch_all))


def expected(work: Items, recorded: Mapping[str, Recorded]) -> Answer:
    """What the recorded responses hold."""
    responses = [(item_id, recorded[path(item_id)]) for item_id in work.ids]
    found = {item_id: json.loads(one.body) for item_id, one in responses if one.status == 200}
    return Answer(found, dict(Counter(f"HTTP {one.status}" for _, one in responses if one.status != 200)))


def describe(answer: Answer) -> str:
    """How many of each, and a digest."""
    return f"{len(answer.found)} items, errors {answer.errors or 'none'}, digest {digest(answer.found)}"


HN_ITEMS = Workload(
    name="hn_items",
    summary="JSON items from an API: waiting",
    work=lambda tier, base_url, parser: Items(base_url, tuple(IDS[tier])),
    variants=(
        Variant("sequential", sequential),
        Variant("session", session),
        Variant("threads", threads, lifecycles=(COLD, WARM), workers=True),
        Variant("thread-per-item", thread_per_item, start_methods=True),
        Variant("processes", processes, lifecycles=(COLD, WARM), workers=True, start_methods=True),
        subinterpreters.variant(interpreters),
        Variant("dask", dask, lifecycles=(COLD, WARM), workers=True, cluster=True, needs=cluster.NEEDS),
        Variant("asyncio", event_loop, lifecycles=(COLD, WARM), workers=True),
    ),
    expected=expected,
    describe=describe,
    http=Http(
        cassette="hn_items",
        origin=ORIGIN,
        targets=lambda work: tuple(path(item_id) for item_id in work.ids),
        outline=lambda answer: (sorted(answer.found), answer.errors),
    ),
)
