"""The workloads, without a replay between: units of work on known truth, every variant against the same answer."""

from __future__ import annotations

import http.server
import json
import math
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from laptime.cassette import load
from tests.support import ROOT
from tests.support.stand_in import origin
from workloads import controls, hn_items, primes, quotes
from workloads.catalog import ALL
from workloads.model import How, Recorded, Workload

TWO = How(workers=2, start_method="forkserver")


ITEM = {"id": 1, "title": "one"}
PAGE = '<div class="quote"> To  be &amp; <em>not</em> <br/>to be </div><div class="quote-author">Nobody</div>'


class Site(http.server.BaseHTTPRequestHandler):
    """Items 1, 3 and 4, a page of one quotation, and trouble of each kind."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        item_id = self.path.rpartition("/")[2]
        match item_id:
            case "2":
                self._answer(404, b"{}")
            case "5":
                self._answer(500, b"oops")
            case "6":
                self._answer(200, b"{not json")
            case "7":
                self.close_connection = True  # no answer at all
            case _ if "quotes" in self.path:
                self._answer(200, PAGE.encode())
            case _:
                self._answer(200, json.dumps(ITEM | {"id": int(item_id)}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def answer(workload: Workload, name: str, work: object, how: How = TWO) -> Any:
    variant = next(variant for variant in workload.variants if variant.name == name)
    with variant.open(work, how) as run:
        first = run()
        assert first == run(), "the second run in the same pool gives the same answer"
        return first


def names(workload: Workload) -> list[str]:
    """Of the variants that can run here; a cluster's are tested on one that is started once."""
    able = (variant for variant in workload.variants if variant.needs is None or variant.needs.met())
    return [variant.name for variant in able if not variant.cluster]


@pytest.mark.parametrize(
    ("number", "prime"),
    [
        *((number, False) for number in (-7, -2, 2**31, 10**12, 46_337**2)),
        *((number, True) for number in (104_729, 2**31 - 1)),
    ],
)
def test_is_prime_is_right_for_every_int(number: int, prime: bool) -> None:
    """Negative numbers are not prime; nor are squares of large primes."""
    assert prime is primes.is_prime(number)


def test_is_prime_agrees_with_the_definition() -> None:
    """A prime has no divisor but 1 and itself."""
    by_definition = [n for n in range(2000) if n > 1 and all(n % d for d in range(2, n))]
    assert by_definition == [n for n in range(2000) if primes.is_prime(n)]


@given(limit=st.integers(0, 20) | st.integers(0, 10**6), workers=st.integers(1, 16))
def test_chunks_cover_every_number_once(limit: int, workers: int) -> None:
    """The ranges handed to a pool follow each other without gap or overlap, and none is empty."""
    found = primes.chunks(primes.Numbers(limit), workers)
    assert [*(chunk.start for chunk in found), max(limit, primes.FIRST)] == [
        primes.FIRST,
        *(chunk.stop for chunk in found),
    ]
    assert [True] * len(found) == [len(chunk) == chunk.stop - chunk.start > 0 for chunk in found]


def test_chunks_cost_about_the_same() -> None:
    """No chunk costs more than twice the average, measured in trial divisions."""

    def divisions(number: int) -> int:
        if number % 2 == 0:
            return 1
        return next((d // 2 for d in range(3, math.isqrt(number) + 1, 2) if number % d == 0), math.isqrt(number) // 2)

    costs = [sum(map(divisions, chunk)) for chunk in primes.chunks(primes.Numbers(200_000), 2)]
    assert max(costs) < 2 * sum(costs) / len(costs)


@pytest.mark.parametrize("name", names(primes.PRIMES))
def test_every_variant_finds_the_same_primes(name: str) -> None:
    """All variants, the sieve too, agree with the expected answer, found by crossing out; also where there are none."""
    for work in map(primes.Numbers, (0, 10, 11, 12, 20_000)):
        assert primes.expected(work, {}) == answer(primes.PRIMES, name, work, How(2, "fork")), work


def test_a_result_of_primes_is_shown_by_its_ends() -> None:
    """The first and the last ten, and how many there are."""
    shown = primes.describe(primes.expected(primes.Numbers(1000), {}))
    assert (
        "164 primes (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, …, 937, 941, 947, 953, 967, 971, 977, 983, 991, 997)"
        in shown
    )


@pytest.mark.parametrize("name", names(hn_items.HN_ITEMS))
def test_items_that_are_not_there_are_left_out_and_counted_by_kind(name: str, site: str) -> None:
    """A 404, a server error, and a body that is no JSON each have their kind; the others are found."""
    work = hn_items.Items(site, (1, 2, 3, 4, 5, 6))
    found, errors = answer(hn_items.HN_ITEMS, name, work)
    assert {1: ITEM, 3: ITEM | {"id": 3}, 4: ITEM | {"id": 4}} == found
    assert {"HTTP 404": 1, "HTTP 500": 1, "not JSON": 1} == errors


@pytest.mark.parametrize("name", names(hn_items.HN_ITEMS))
def test_a_request_that_fails_is_counted_too(name: str, site: str) -> None:
    """A connection that is closed without an answer leaves the item out, and is counted under one kind."""
    found, errors = answer(hn_items.HN_ITEMS, name, hn_items.Items(site, (1, 7)))
    assert {1: ITEM} == found
    assert 1 == sum(errors.values())
    assert not any(kind.startswith("HTTP") for kind in errors)


def test_the_expected_items_come_from_the_recording() -> None:
    """Recorded 404s are expected to be counted, recorded items to be found."""
    recorded = {hn_items.path(1): Recorded(200, b'{"id": 1}'), hn_items.path(2): Recorded(404, b"")}
    assert ({1: {"id": 1}}, {"HTTP 404": 1}) == hn_items.expected(hn_items.Items("", (1, 2)), recorded)


@pytest.mark.parametrize("parser", quotes.PARSERS)
def test_a_quotation_is_the_text_of_its_block(parser: str) -> None:
    """Tags are gone, entities decoded, white space folded, and the author's line is not part of it."""
    assert ("To be & not to be",) == quotes.parse(parser, PAGE.encode())


def test_both_parsers_read_what_the_stand_in_wrote() -> None:
    """On each of the 13 recorded pages, both parsers give the stand-in's own list of quotations."""
    recorded = {one.target: one.body for one in load(ROOT / "cassettes" / "quotes.yaml").interactions}
    for page in range(1, 14):
        expected = tuple(origin.quotations(origin.DEFAULT_SEED, page))
        for parser in quotes.PARSERS:
            assert expected == quotes.parse(parser, recorded[quotes.path(page)]), (page, parser)


@pytest.mark.parametrize("name", names(quotes.QUOTES))
def test_every_variant_reads_the_same_quotations(name: str, site: str) -> None:
    """All variants give each page's quotations, in the order of the pages."""
    work = quotes.Pages(site, (1, 3, 4), "html.parser")
    assert (("To be & not to be",),) * 3 == answer(quotes.QUOTES, name, work)


def test_a_page_that_is_not_there_is_an_error(site: str) -> None:
    """Unlike an item, a page must be had."""
    with pytest.raises(requests.HTTPError):
        quotes.fetch(lambda url: requests.get(f"{site}/2", timeout=10), quotes.Pages("", (), "lxml"), 1)


@pytest.mark.parametrize("workload", [controls.WAIT, controls.SPIN, controls.NOOP], ids=lambda one: one.name)
def test_every_variant_of_a_control_does_every_item(workload: Workload) -> None:
    """The answer counts the items done."""
    work = controls.Task(workload.work("smoke", "", None).unit, 4)
    assert {4} == {answer(workload, name, work) for name in names(workload)}


@pytest.mark.parametrize(
    ("ideal", "variant", "workers", "cpus", "expected"),
    [
        (controls.ideal_wait, "threads", 2, 2, 2.0),
        (controls.ideal_wait, "asyncio", 8, 2, 8.0),
        (controls.ideal_wait, "threads", 5, 2, 4.0),
        (controls.ideal_wait, "threads", 99, 1, 16.0),
        (controls.ideal_spin, "processes", 8, 2, 2.0),
        (controls.ideal_spin, "processes", 2, 8, 2.0),
        (controls.ideal_spin, "processes", 8, 0.5, 1.0),
        (controls.ideal_same, "sequential-again", 1, 2, 1.0),
    ],
)
def test_the_ideal_speed_up_of_a_control_is_known(ideal, variant, workers, cpus, expected) -> None:
    """Waits overlap with every worker, computing with every core, in whole turns of 16 items."""
    assert expected == ideal(controls.Task(controls.wait, 16), variant, workers, cpus)


@pytest.mark.parametrize("workload", ALL, ids=lambda one: one.name)
def test_a_workload_is_complete(workload: Workload) -> None:
    """Names are unique, inputs exist for each tier, and every path of an HTTP workload is in its cassette, once."""
    assert len(workload.variants) == len({variant.name for variant in workload.variants})
    works = [workload.work(tier, "http://127.0.0.1:1", None) for tier in ("smoke", "default", "full")]
    assert None not in works
    if workload.http is not None:
        cassette = load(ROOT / "cassettes" / f"{workload.http.cassette}.yaml")
        recorded = Counter(one.target for one in cassette.interactions)
        for work in works:
            assert [1] * len(workload.http.targets(work)) == [recorded[one] for one in workload.http.targets(work)]
