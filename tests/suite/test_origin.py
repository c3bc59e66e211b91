"""What the stand-in origin promises, checked over real sockets against a real process.

Time is only ever checked from below: a busy machine may make an answer late, nothing may make it early.
"""

import asyncio
import gzip
import http.client
import json
import math
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from tests.support import HANG_LIMIT_S
from tests.support.stand_in import SCRIPT, origin

SEED = 291
SCALE = 0.05
ROUNDING_S = 0.5e-6  # of the delay that a header states in milliseconds with three decimals
ITEM = "/api/v1/items/{}".format
PAGE = "/iquote/author/291/abraham-lincoln-quotes/{}".format
ITEMS = range(1, 20)
PAGES = range(1, 14)
GAPS = {6, 11, 17}
CONTENT = [*(ITEM(n) for n in ITEMS if n not in GAPS), *map(PAGE, PAGES)]
KEYS = [
    *("id", "created_at", "created_at_i", "type", "author", "title", "url"),
    *("text", "points", "parent_id", "story_id", "children", "options"),
]


@dataclass(frozen=True, slots=True)
class Server:
    """A running origin."""

    process: subprocess.Popen[str]
    port: int

    def get(self, path: str, coding: str = "identity") -> "Answer":
        """Ask for a path on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_LIMIT_S)
        started_s = time.monotonic()
        try:
            connection.request("GET", path, headers={"Accept-Encoding": coding})
            response = connection.getresponse()
            body = response.read()
            took_s = time.monotonic() - started_s
        finally:
            connection.close()
        return Answer(response.status, dict(response.getheaders()), body, took_s)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it was on the wire, and how long it took to the last byte."""

    status: int
    headers: dict[str, str]
    body: bytes
    took_s: float

    @property
    def delay_ms(self) -> str:
        """The delay that the server says it imposed."""
        return self.headers["Server-Timing"].removeprefix("delay;dur=")


def command(*options: object) -> list[str]:
    """The command line that starts an origin."""
    return [sys.executable, str(SCRIPT), *map(str, options)]


@contextmanager
def running() -> Iterator[Server]:
    """An origin that ends with the block: when its standard input does, silently and with status 0."""
    line, pipe = command("--port", 0, "--scale", SCALE, "--until-eof"), subprocess.PIPE
    with subprocess.Popen(line, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        address = process.stdout.readline().rstrip().rpartition(":")
        assert address[0] == "stand-in origin on http://127.0.0.1"
        yield Server(process, int(address[2]))
        assert ("", "") == process.communicate(timeout=HANG_LIMIT_S)
        assert 0 == process.returncode


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The origin most tests talk to; they must not care how often a path was visited before."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def site() -> dict[str, Any]:
    """Everything the origin holds, by path."""
    held: dict[str, Any] = origin.site(SEED)
    return held


def entries(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An item and all comments below it."""
    yield item
    for child in item["children"]:
        yield from entries(child)


def single_spaced(text: str) -> str:
    """The text with every run of blanks made one space."""
    return " ".join(text.split())


def quotes(html: bytes, parser: str) -> list[Tag]:
    """The quotation blocks of a page."""
    return BeautifulSoup(html, parser).select("div.quote")


# Content


def test_the_site_is_sixteen_items_and_thirteen_pages(site: dict[str, Any]) -> None:
    """Nothing exists but the items and pages that the APIs promise."""
    assert set(CONTENT) == set(site)


@pytest.mark.parametrize("number", [6, 11, 17, 0, 20, "x"])
def test_a_gap_among_the_items_is_a_small_json_404(server: Server, number: object) -> None:
    """An item that does not exist answers 404 in JSON, uncompressed as it is tiny."""
    answer = server.get(ITEM(number), "gzip")
    assert (404, {"status": 404, "error": "Not Found"}) == (answer.status, json.loads(answer.body))
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("path", [PAGE(0), PAGE(14), PAGE(""), "/"])
def test_any_other_path_is_an_html_404(server: Server, path: str) -> None:
    """A page that does not exist answers 404 in HTML."""
    answer = server.get(path)
    assert (404, "text/html; charset=utf-8") == (answer.status, answer.headers["Content-Type"])


@pytest.mark.parametrize("seed", [SEED, 1])
def test_sizes_of_items_are_heavy_tailed(seed: int) -> None:
    """Under any seed the largest item is about 100 KB, half are under 5 KB and several under 1 KB."""
    sizes = sorted(len(found.plain) for path, found in origin.site(seed).items() if path.startswith("/api/"))
    assert 90_000 <= sizes[-1] <= 110_000
    assert statistics.median(sizes) < 5_000
    assert sizes[3] < 1_000
    assert sizes[0] > 200


def test_pages_are_thirty_to_eighty_kilobytes(site: dict[str, Any]) -> None:
    """Every page has the bulk of a page of a real site."""
    sizes = [len(site[PAGE(number)].plain) for number in PAGES]
    assert 30_000 <= min(sizes) <= max(sizes) <= 80_000


def test_an_item_is_a_tree_of_entries_of_one_shape(server: Server) -> None:
    """Story and comments have the same keys in the same order, and every comment names its parent."""
    story = json.loads(server.get(ITEM(8)).body)
    for entry in entries(story):
        assert KEYS == list(entry)
        assert [entry["id"]] * len(entry["children"]) == [child["parent_id"] for child in entry["children"]]
    assert ("story", 8, None) == (story["type"], story["id"], story["text"])
    assert len({entry["id"] for entry in entries(story)}) == len(list(entries(story)))


def test_content_is_synthetic_at_sight(site: dict[str, Any]) -> None:
    """Authors are numbered users, links lead to example.com, and texts hold the markup such an API has."""
    found = [entry for n in ITEMS if n not in GAPS for entry in entries(json.loads(site[ITEM(n)].plain))]
    assert {"user-"} == {entry["author"][:5] for entry in found}
    assert {"https://example.com/"} == {entry["url"][:20] for entry in found if entry["url"]}
    texts = "".join(entry["text"] or "" for entry in found)
    assert [True] * 4 == [mark in texts for mark in ("<p>", "&#x27;", "&amp;", "&#x2F;")]


@pytest.mark.parametrize("number", [1, 7, 13])
def test_a_page_holds_exactly_its_quotations(site: dict[str, Any], number: int) -> None:
    """Both parsers find the quotations that were generated, and agree to the last blank."""
    truth = list(origin.quotations(SEED, number))
    blocks, others = (quotes(site[PAGE(number)].plain, parser) for parser in ("html.parser", "lxml"))
    assert truth == [single_spaced(block.get_text()) for block in blocks]
    stripped = [block.get_text(" ", strip=True) for block in blocks]
    assert truth == [single_spaced(text) for text in stripped]
    assert stripped == [other.get_text(" ", strip=True) for other in others]


def test_a_page_has_25_quotations_and_the_last_one_17() -> None:
    """All pages but the last are full, and there is nothing after the last."""
    assert [25] * 12 + [17] + [0] == [len(origin.quotations(SEED, number)) for number in range(1, 15)]


def test_quotations_are_all_different() -> None:
    """No two quotations of the whole site are the same."""
    every = [text for number in PAGES for text in origin.quotations(SEED, number)]
    assert 12 * 25 + 17 == len(set(every))


def test_a_page_sets_the_usual_traps(site: dict[str, Any]) -> None:
    """A page has look-alike classes, extra classes, nested tags, entities and a commented-out quotation."""
    html = site[PAGE(1)].plain.decode()
    traps = ['class="quotes"', 'class="quote-author"', 'class="quote featured"', '<a href="/tag/9"><em>']
    traps += ["&rsquo;", "&#8212;", "&amp;", "&nbsp;", "<br/>", '<!-- <div class="quote">', "&& "]
    assert traps == [trap for trap in traps if trap in html]
    assert not BeautifulSoup(html, "lxml").select("div.quote .quote-author")


# Transport


def test_two_servers_answer_alike_in_any_order(server: Server) -> None:
    """Bodies and validators do not depend on the process nor on the order of the requests."""
    with running() as other:
        here = {path: server.get(path, "gzip") for path in CONTENT}
        there = {path: other.get(path, "gzip") for path in reversed(CONTENT)}
    assert [(a.body, a.headers["ETag"]) for a in here.values()] == [
        (there[path].body, there[path].headers["ETag"]) for path in CONTENT
    ]


def test_another_seed_is_another_site(site: dict[str, Any]) -> None:
    """Every item and page changes with the seed."""
    other = origin.site(SEED + 1)
    assert [] == [path for path in CONTENT if site[path].plain == other[path].plain]


@pytest.mark.parametrize("path", [ITEM(2), ITEM(8), PAGE(3)])
def test_gzip_is_the_same_body_in_fewer_bytes(server: Server, path: str) -> None:
    """A client that accepts gzip gets the identity body compressed, and is told so."""
    plain, zipped = server.get(path), server.get(path, "deflate, gzip")
    assert plain.body == gzip.decompress(zipped.body)
    assert len(zipped.body) < len(plain.body)
    assert ("gzip", None) == (zipped.headers.get("Content-Encoding"), plain.headers.get("Content-Encoding"))
    assert str(len(zipped.body)) == zipped.headers["Content-Length"]


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        *(("gzip", True), ("GZIP;q=0.5", True), ("br, *", True), ("*;q=0, gzip", True)),
        *(("", False), ("br", False), ("gzip; q=0", False), ("gzip;q=0.0, *", False), ("x-gzip-like", False)),
    ],
)
def test_gzip_is_sent_only_to_clients_that_allow_it(header: str, allowed: bool) -> None:
    """Accept-Encoding decides: a name or a star, unless its weight is zero."""
    assert allowed is origin.allows_gzip(header)


def test_headers_are_those_of_a_real_service(server: Server) -> None:
    """An answer says what it is, how long it keeps, what it depends on and who sent it."""
    headers = server.get(ITEM(1)).headers
    assert ("stand-in", "Accept-Encoding") == (headers["Server"], headers["Vary"])
    assert "application/json; charset=utf-8" == headers["Content-Type"]
    assert {"Cache-Control", "ETag", "Date"} <= set(headers)


# Delays


def test_the_median_over_paths_is_ninety_milliseconds() -> None:
    """Half of many paths are slower than 90 ms on their first visit, within sampling error."""
    first_s = [origin.delay_s(SEED, ITEM(number), 0) for number in range(2000)]
    assert statistics.median(first_s) == pytest.approx(0.090, rel=0.05)


def test_paths_differ_by_their_base_delay() -> None:
    """Base delays are log-normal with sigma 0.35, cut at 40 and 300 ms."""
    base_s = [origin.base_delay_s(SEED, ITEM(number)) for number in range(2000)]
    assert statistics.stdev(map(math.log, base_s)) == pytest.approx(0.35, rel=0.05)
    assert 0.040 == min(base_s)
    assert max(base_s) <= 0.300


def test_visits_to_a_path_differ_by_jitter() -> None:
    """Delays of one path are log-normal around its base with the stated sigma."""
    logs = [math.log(origin.delay_s(SEED, PAGE(1), visit)) for visit in range(2000)]
    assert origin.JITTER_SIGMA == 0.25 == pytest.approx(statistics.stdev(logs), rel=0.05)
    assert statistics.mean(logs) == pytest.approx(math.log(origin.base_delay_s(SEED, PAGE(1))), abs=0.02)


def test_a_large_body_leaves_in_pieces() -> None:
    """Above 8 KB a body is cut into chunks that follow the first by 2 to 8 ms each."""
    assert [1, 1, 3, 5] == [len(origin.chunks_of(bytes(size))) for size in (1, 8192, 8193, 20_000)]
    at_s = origin.schedule_s(SEED, ITEM(8), 0, 50)
    gaps_s = [later - sooner for sooner, later in pairwise(at_s)]
    assert origin.delay_s(SEED, ITEM(8), 0) == at_s[0]
    assert 0.002 <= min(gaps_s) < max(gaps_s) <= 0.008


def test_each_path_counts_its_own_visits(server: Server) -> None:
    """A path's delays follow each other in the same order whatever other paths are asked in between."""
    imposed_ms = [server.get(path).delay_ms for path in ("/a", "/b", "/a", "/c", "/a", "/b")]
    visits = [("/a", 0), ("/b", 0), ("/a", 1), ("/c", 0), ("/a", 2), ("/b", 1)]
    assert [f"{1000 * SCALE * origin.delay_s(SEED, *visit):.3f}" for visit in visits] == imposed_ms


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_an_answer_is_never_early(server: Server, coding: str) -> None:
    """The last byte arrives no sooner than the delay plus the shortest gaps between the chunks."""
    for path in CONTENT:
        answer = server.get(path, coding)
        gaps = len(origin.chunks_of(answer.body)) - 1
        assert float(answer.delay_ms) / 1000 + SCALE * 0.002 * gaps <= answer.took_s + ROUNDING_S


def test_a_sleep_never_ends_before_its_deadline() -> None:
    """A sleep to a deadline ends at or after it by the clock of the event loop, to the last tick."""

    async def overslept_s(sleeps: int) -> list[float]:
        loop, overslept = asyncio.get_running_loop(), []
        for number in range(sleeps):
            deadline_s = loop.time() + 0.00003 * number
            await origin.sleep_until(deadline_s)
            overslept.append(loop.time() - deadline_s)
        return overslept

    assert 0 <= min(asyncio.run(overslept_s(50)))


# Process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(number: signal.Signals) -> None:
    """A signal ends it with status 0 and not a word, as the end of its standard input does."""
    with running() as told:
        told.process.send_signal(number)
        assert 0 == told.process.wait(timeout=HANG_LIMIT_S)


def test_a_client_that_hangs_up_is_forgotten(server: Server) -> None:
    """A connection closed before its answer leaves the server well, and silent until its end."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"GET {ITEM(8)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert 200 == server.get(ITEM(8)).status


def test_a_taken_port_is_refused_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use ends it at once with status 2 and one line that says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert 2 == origin.main(["--port", str(port)])
    said = capsys.readouterr()
    assert ("", 1) == (said.out, said.err.count("\n"))
    assert [True, True] == [part in said.err for part in (str(port), "choose another --port")]


def test_it_listens_on_loopback_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A host that others could reach is refused as a usage error."""
    with pytest.raises(SystemExit, match="2"):
        origin.main(["--host", "0.0.0.0"])
    assert "--host" in capsys.readouterr().err


def test_help_shows_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The help text has a command to copy."""
    with pytest.raises(SystemExit, match="0"):
        origin.main(["--help"])
    assert "python cassettes/origin.py --port 8901" in capsys.readouterr().out
