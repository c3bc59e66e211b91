"""Scrape pages of quotations: each is waited for, then parsed with BeautifulSoup, so waiting and CPU are mixed."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, cast

import requests
from bs4 import BeautifulSoup

from workloads import cluster, http
from workloads import interpreters as subinterpreters
from workloads.model import COLD, WARM, How, Http, Recorded, Variant, Workload, digest

if TYPE_CHECKING:
    import aiohttp

ORIGIN = "https://www.successories.com"
PAGES = {"smoke": range(1, 3), "default": range(1, 6), "full": range(1, 14), "gate": range(1, 2)}
PARSERS = ("html.parser", "lxml")
PARSER_MODULES = {"html.parser": (), "lxml": ("lxml.etree",)}
"""What BeautifulSoup imports for each, and does without where it can't."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The work: which pages, from where, read by which parser."""

    base_url: str
    numbers: tuple[int, ...]
    parser: str


Quotations = tuple[str, ...]
Answer = tuple[Quotations, ...]
"""The quotations of each page, in the order of the pages."""

Run = Callable[[], Answer]


# the unit of work


def path(number: int) -> str:
    """Where a page is found."""
    return f"/iquote/author/291/abraham-lincoln-quotes/{number}"


def parse(parser: str, html: bytes) -> Quotations:
    """The quotations of a page: the text of each ``div.quote``, white space folded."""
    soup = BeautifulSoup(html, parser)
    return tuple(" ".join(quote.get_text(" ", strip=True).split()) for quote in soup.select("div.quote"))


def fetch(get: Callable[[str], requests.Response], work: Pages, number: int) -> Quotations:
    """Get and parse one page. Raises `requests.RequestException` where it can't be had."""
    response = get(work.base_url + path(number))
    response.raise_for_status()
    return parse(work.parser, response.content)


# the variants: one unit of work, run in different ways


@contextmanager
def sequential(work: Pages, how: How) -> Iterator[Run]:
    """One after the other, each over a new connection."""
    yield lambda: tuple(fetch(http.get_once, work, number) for number in work.numbers)


@contextmanager
def session(work: Pages, how: How) -> Iterator[Run]:
    """Sequential, over one connection."""
    with http.session():
        yield lambda: tuple(fetch(http.get_kept, work, number) for number in work.numbers)


@contextmanager
def threads(work: Pages, how: How) -> Iterator[Run]:
    """A pool of threads, a session in each."""
    with ThreadPoolExecutor(how.workers, initializer=http.open_session) as pool:
        yield lambda: tuple(pool.map(partial(fetch, http.get_kept, work), work.numbers))


@contextmanager
def thread_per_item(work: Pages, how: How) -> Iterator[Run]:
    """A thread for each page, results in a Manager's dict."""

    def store(results: dict[int, Quotations], number: int) -> None:
        results[number] = fetch(http.get_once, work, number)

    with multiprocessing.get_context(how.start_method).Manager() as manager:
        results = cast("dict[int, Quotations]", manager.dict())

        def run() -> Answer:
            started = [Thread(target=store, args=(results, number)) for number in work.numbers]
            for thread in started:
                thread.start()
            for thread in started:
                thread.join()
            return tuple(results[number] for number in work.numbers)

        yield run


@contextmanager
def processes(work: Pages, how: How) -> Iterator[Run]:
    """A pool of processes, a session in each; they parse at the same time."""
    context = multiprocessing.get_context(how.start_method)
    with ProcessPoolExecutor(how.workers, mp_context=context, initializer=http.open_session) as pool:
        yield lambda: tuple(pool.map(partial(fetch, http.get_kept, work), work.numbers, chunksize=1))


@contextmanager
def interpreters(work: Pages, how: How) -> Iterator[Run]:
    """A pool of sub-interpreters, a session in each; they parse at the same time."""
    modules = (__name__, *PARSER_MODULES[work.parser])
    with subinterpreters.pool(how.workers, *modules, initializer=http.open_interpreter_session) as pool:
        yield lambda: tuple(pool.map(partial(fetch, http.get_in_interpreter, work), work.numbers))


@contextmanager
def dask(work: Pages, how: How) -> Iterator[Run]:
    """A dask cluster, a session in each worker; they parse at the same time."""
    with cluster.mapping(how) as over:
        yield lambda: tuple(over(partial(fetch, http.get_kept_or_open, work), work.numbers))


@contextmanager
def event_loop(work: Pages, how: How) -> Iterator[Run]:
    """asyncio in one thread; it waits for all pages at once and parses them one at a time."""

    async def fetch_one(client: aiohttp.ClientSession, number: int) -> Quotations:
        async with client.get(work.base_url + path(number), raise_for_status=True) as response:
            return parse(work.parser, await response.read())

    async def fetch_all(client: aiohttp.ClientSession) -> Answer:
        return tuple(await asyncio.gather(*(fetch_one(client, number) for number in work.numbers)))

    with http.event_loop(how.workers) as run:
        yield lambda: cast(Answer, run(fetch_all))


def expected(work: Pages, recorded: Mapping[str, Recorded]) -> Answer:
    """What the recorded pages hold, read by the first parser, whichever the work takes."""
    return tuple(parse(PARSERS[0], recorded[path(number)].body) for number in work.numbers)


def describe(answer: Answer) -> str:
    """How many of each, and a digest."""
    return f"{sum(map(len, answer))} quotations on {len(answer)} pages, digest {digest(answer)}"


QUOTES = Workload(
    name="quotes",
    summary="pages scraped with BeautifulSoup: waiting and computing",
    work=lambda tier, base_url, parser: Pages(base_url, tuple(PAGES[tier]), parser or PARSERS[0]),
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
        cassette="quotes",
        origin=ORIGIN,
        targets=lambda work: tuple(path(number) for number in work.numbers),
        outline=lambda answer: tuple(map(len, answer)),
    ),
    parsers=PARSERS,
)
