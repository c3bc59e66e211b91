"""Parse pages with lxml in threads: a parser for each page, one for each thread, or one for all of them.

lxml lets go of the GIL while it parses, but a parser is locked meanwhile, so that two threads take turns with a shared
one. BeautifulSoup makes a parser for each page, and has nothing to share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import local
from typing import Any

from lxml import etree

from workloads.quotes import Answer, Quotations

Run = Callable[[], Answer]

_worker = local()


# the unit of work


def new() -> Any:
    """A parser."""
    return etree.HTMLParser(encoding="utf-8")


def parse(parser: Any, html: bytes) -> Quotations:
    """The quotations of a page, as `workloads.quotes.parse` finds them."""
    found = [one for one in etree.fromstring(html, parser).iter("div") if "quote" in one.get("class", "").split()]
    return tuple(" ".join(" ".join(quote.itertext()).split()) for quote in found)


# the variants: one unit of work, the parser shared or not


@contextmanager
def one_each_time(pages: tuple[bytes, ...], lanes: int) -> Iterator[Run]:
    """A parser for each page."""
    with ThreadPoolExecutor(lanes) as pool:
        yield lambda: tuple(pool.map(lambda html: parse(new(), html), pages))


@contextmanager
def one_each(pages: tuple[bytes, ...], lanes: int) -> Iterator[Run]:
    """A parser for each thread."""

    def open_parser() -> None:
        _worker.parser = new()

    with ThreadPoolExecutor(lanes, initializer=open_parser) as pool:
        yield lambda: tuple(pool.map(lambda html: parse(_worker.parser, html), pages))


@contextmanager
def shared(pages: tuple[bytes, ...], lanes: int) -> Iterator[Run]:
    """One parser for all threads."""
    parser = new()
    with ThreadPoolExecutor(lanes) as pool:
        yield lambda: tuple(pool.map(lambda html: parse(parser, html), pages))
