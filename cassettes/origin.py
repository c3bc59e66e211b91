"""A stand-in origin: a loopback web server whose content belongs to nobody.

The shipped recordings are made from this server, so they can be published, and made again from a seed. It has
the shape of two public services, a JSON API of comment trees and an HTML site of quotations, with bodies of
realistic size and delays of realistic spread:

    python cassettes/origin.py --port 8901 &
    curl --compressed http://127.0.0.1:8901/api/v1/items/1
    curl --compressed http://127.0.0.1:8901/iquote/author/291/abraham-lincoln-quotes/1

Every body and every delay is a function of (seed, path, number of earlier visits to that path), never of the
order in which different paths are asked. `Server-Timing` states the delay imposed before the first byte.
Items 1 to 19 exist, except three that answer 404; so do pages 1 to 13.
"""

import argparse
import asyncio
import gzip
import hashlib
import json
import math
import os
import random
import signal
import socket
import ssl
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from itertools import accumulate, count, islice
from threading import Thread
from typing import Any

from aiohttp import web

ITEM_PATH = "/api/v1/items/{}"
PAGE_PATH = "/iquote/author/291/abraham-lincoln-quotes/{}"

# What exists, and how much of it. Discussions are heavy-tailed; 6, 11 and 17 are gaps on purpose.
COMMENTS_BY_ITEM = {1: 22, 2: 0, 3: 3, 4: 9, 5: 1, 7: 0, 8: 165, 9: 5, 10: 41}
COMMENTS_BY_ITEM |= {12: 0, 13: 2, 14: 75, 15: 0, 16: 13, 18: 1, 19: 28}
QUOTATIONS_BY_PAGE = dict.fromkeys(range(1, 13), 25) | {13: 17}

DEFAULT_SEED = 291
MEDIAN_DELAY_S = 0.090
SPREAD_SIGMA = 0.35  # between paths
JITTER_SIGMA = 0.25  # between visits to one path
BASE_DELAY_RANGE_S = (0.040, 0.300)
CHUNK_GAP_RANGE_S = (0.002, 0.008)

STREAM_ABOVE_BYTES = 8192
CHUNK_BYTES = 4096
GZIP_FROM_BYTES = 200  # below this, gzip's own overhead eats the gain

FIRST_STORY_S = 1_600_000_000  # since the Unix epoch
ITEM_KEYS = "id created_at created_at_i type author title url text points parent_id story_id children options"

CLAUSE = """
the every another one's nobody's its some each our this
quiet narrow wooden early distant patient hollow copper gentle crooked plain northern idle woven
harbour lantern meadow bridge kettle orchard ladder window river garden carriage compass quarry mill
follows borrows measures repairs outlasts remembers gathers surrounds carries mirrors paints visits
the a any one another no
bright faded heavy modest curious amber broken steady foreign painted silver rainy folded spare
path letter barrel fence market shadow needle basket valley pocket cellar island ribbon platform
"""
CLAUSE_SLOTS = [line.split() for line in CLAUSE.strip().splitlines()]
JOINS = ("and", "&", "—", "but", "because", "unless", "while", "until")
API_ENTITIES = str.maketrans({"&": "&amp;", "'": "&#x27;", "/": "&#x2F;"})
PAGE_ENTITIES = str.maketrans({"&": "&amp;", "\u2019": "&rsquo;", "—": "&#8212;"})

# Tags stand between blanks, so that the text does not depend on how a parser joins its text nodes.
INLINE = (*["{}"] * 5, "<em>{}</em>", '<a href="/tag/7">{}</a>', '<a href="/tag/9"><em>{}</em></a>')
BLANKS = (*[" "] * 5, "\n      ", "&nbsp;", " <br/>\n      ", " <!-- wrap --> ")


def draws(*key: object) -> random.Random:
    """An independent stream of random numbers for every key, the same in every process."""
    return random.Random(" ".join(map(str, key)))


def base_delay_s(seed: int, path: str) -> float:
    """How long a path typically takes: some are slow on every visit."""
    low_s, high_s = BASE_DELAY_RANGE_S
    drawn_s = draws(seed, "base", path).lognormvariate(math.log(MEDIAN_DELAY_S), SPREAD_SIGMA)
    return min(max(drawn_s, low_s), high_s)


def delay_s(seed: int, path: str, visit: int) -> float:
    """Seconds from the arrival of a request to the first byte of its answer; visits count from 0."""
    return base_delay_s(seed, path) * draws(seed, "jitter", path, visit).lognormvariate(0.0, JITTER_SIGMA)


def schedule_s(seed: int, path: str, visit: int, chunks: int) -> tuple[float, ...]:
    """When each chunk of an answer leaves, in seconds after the request arrived."""
    rng = draws(seed, "gaps", path, visit)
    gaps_s = (rng.uniform(*CHUNK_GAP_RANGE_S) for _ in range(chunks - 1))
    return tuple(accumulate(gaps_s, initial=delay_s(seed, path, visit)))


def sentence(rng: random.Random) -> list[str]:
    """The words of a sentence that is grammatical and means nothing."""
    words = [rng.choice(slot) for slot in CLAUSE_SLOTS]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        words += [rng.choice(JOINS), *(rng.choice(slot) for slot in CLAUSE_SLOTS)]
    return [words[0].capitalize(), *words[1:-1], words[-1] + "."]


def prose(rng: random.Random, most_sentences: int) -> str:
    """A few sentences, single-spaced."""
    return " ".join(word for _ in range(rng.randint(1, most_sentences)) for word in sentence(rng))


def comment_text(rng: random.Random) -> str:
    """Paragraphs of prose and perhaps a link, as the HTML fragment that such an API puts in its JSON."""
    paragraphs = [prose(rng, 3).translate(API_ENTITIES) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.4:
        url = f"https://example.com/{rng.randrange(16**10):010x}".translate(API_ENTITIES)
        paragraphs.append(f'<a href="{url}" rel="nofollow">{url}</a>')
    return "<p>".join(paragraphs)


def entry(rng: random.Random, entry_id: int, at_s: int, **particulars: Any) -> dict[str, Any]:
    """A story or a comment, without replies; what its kind does not use is null."""
    at = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    common = {"id": entry_id, "created_at": at, "created_at_i": at_s, "children": [], "options": []}
    author = {"author": f"user-{rng.randrange(16**4):04x}"}
    return dict.fromkeys(ITEM_KEYS.split()) | common | author | particulars


def item(seed: int, item_id: int) -> dict[str, Any]:
    """A story and its tree of comments, each a reply to any of the earlier ones."""
    rng = draws(seed, "item", item_id)
    at_s = FIRST_STORY_S + item_id * 86_400
    story = {"type": "story", "story_id": item_id, "points": rng.randint(1, 400)}
    story |= {"title": " ".join(sentence(rng)[:7]), "url": f"https://example.com/stories/{item_id}"}
    tree = [entry(rng, item_id, at_s, **story)]
    for number in range(1, COMMENTS_BY_ITEM[item_id] + 1):
        parent = rng.choice(tree)
        at_s += rng.randint(20, 900)
        comment = {"type": "comment", "story_id": item_id, "parent_id": parent["id"]}
        tree.append(entry(rng, item_id * 1000 + number, at_s, text=comment_text(rng), **comment))
        parent["children"].append(tree[-1])
    return tree[0]


def quotations(seed: int, page: int) -> tuple[str, ...]:
    """What a parser should find on a page: the text of every `div.quote`, single-spaced."""
    rng = draws(seed, "quotations", page)
    return tuple(prose(rng, 4).replace("'", "\u2019") for _ in range(QUOTATIONS_BY_PAGE.get(page, 0)))


def marked_up(rng: random.Random, text: str) -> str:
    """The text as HTML is in the wild: entities, inline tags, stray blanks, comments."""
    words = iter(text.translate(PAGE_ENTITIES).split())
    pieces = []
    while run := list(islice(words, rng.randint(1, 5))):
        pieces.append(rng.choice(INLINE).format(" ".join(run)) + rng.choice(BLANKS))
    return "".join(pieces)


def card_html(rng: random.Random, card: str, text: str) -> str:
    """A quotation and its furniture, with decoys: only `div.quote` holds the text."""
    names = rng.choice(("quote", "quote", "quote", "quote featured", "short quote"))
    shares = "\n".join(
        f'      <li><a class="btn btn-{way}" rel="nofollow" title="Share by {way}" href="https://example.com'
        f'/share/{way}?q={card}&amp;token={rng.randrange(16**32):032x}">&nbsp;{way.title()}</a></li>'
        for way in ("mail", "post", "print", "link")
    )
    return f"""
  <article class="card" id="q{card}" data-votes="{rng.randint(0, 999)}">
    <div class="{names}">
      {marked_up(rng, text)}
    </div>
    <div class="quote-author">&#8212;&nbsp;<a href="/iquote/author/291">The Stand-in</a></div>
    <!-- <div class="quote">no quotation, but a trap for regular expressions</div> -->
    <ul class="share">\n{shares}\n    </ul>
  </article>"""


def menu_html(rng: random.Random, name: str, links: int) -> str:
    """A list of links, which is most of what a page is made of."""
    lines = (
        f'    <li><a href="/{name}/{rng.randrange(16**8):08x}">{" ".join(sentence(rng)[:5])}</a></li>\n'
        for _ in range(links)
    )
    return f'<ul class="menu menu-{name}">\n{"".join(lines)}  </ul>'


def page_html(seed: int, page: int) -> str:
    """A page of quotations, in a layout that all pages share."""
    layout, own = draws(seed, "layout"), draws(seed, "page", page)
    css = "\n".join(f".c{n} {{ margin: {layout.random():.4f}em; order: {n} }}" for n in range(90))
    settings = json.dumps({f"option{n}": layout.random() for n in range(60)}, indent=1)
    pager = " ".join(f'<a class="page" href="{PAGE_PATH.format(n)}">{n}</a>' for n in QUOTATIONS_BY_PAGE)
    cards = (card_html(own, f"{page:02d}{n:02d}", text) for n, text in enumerate(quotations(seed, page)))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Stand-in quotations &amp; sayings, page {page}</title>
<style>\n{css}\n</style>
<script>var settings = {settings}; window.ready = settings.option1 < 2 && settings.option2 > -1;</script>
</head>
<body>
<header>\n  {menu_html(layout, "topics", 24)}\n</header>
<div class="quotes">{"".join(cards)}\n</div>
<p class="pager">{pager}</p>
<aside>\n  {menu_html(own, "related", own.randint(30, 150))}\n</aside>
<footer>\n  {menu_html(layout, "about", 40)}\n  <p>Nobody said any of this.</p>\n</footer>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Resource:
    """What a path answers, compressed ahead of time if that pays."""

    status: int
    media_type: str
    plain: bytes
    zipped: bytes | None

    def on_wire(self, gzip_allowed: bool) -> tuple[dict[str, str], bytes]:
        """The headers and the body to send."""
        headers = {"Server": "stand-in", "Vary": "Accept-Encoding"}
        headers["Content-Type"] = f"{self.media_type}; charset=utf-8"
        headers["Cache-Control"] = "public, max-age=300" if self.status == 200 else "no-store"
        headers["ETag"] = f'W/"{hashlib.sha256(self.plain).hexdigest()[:16]}"'
        if not gzip_allowed or self.zipped is None:
            return headers | {"Content-Length": str(len(self.plain))}, self.plain
        return headers | {"Content-Length": str(len(self.zipped)), "Content-Encoding": "gzip"}, self.zipped


def resource(status: int, content: str | dict[str, Any]) -> Resource:
    """A page if the content is text, else an answer of the API."""
    if isinstance(content, str):
        media_type, text = "text/html", content
    else:
        media_type, text = "application/json", json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    plain = text.encode()
    zipped = gzip.compress(plain, mtime=0) if len(plain) >= GZIP_FROM_BYTES else None
    return Resource(status, media_type, plain, zipped)


def site(seed: int) -> dict[str, Resource]:
    """Everything there is, by path."""
    items = {ITEM_PATH.format(n): resource(200, item(seed, n)) for n in COMMENTS_BY_ITEM}
    pages = {PAGE_PATH.format(n): resource(200, page_html(seed, n)) for n in QUOTATIONS_BY_PAGE}
    return items | pages


def missing(path: str) -> Resource:
    """The answer at any other path."""
    if path.startswith("/api/"):
        return resource(404, {"status": 404, "error": "Not Found"})
    return resource(404, "<!DOCTYPE html><title>Not Found</title><h1>Not Found</h1>\n")


def allows_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header gives gzip, by name or by `*`, a weight above zero."""
    codings = (part.partition(";q=") for part in accept_encoding.lower().replace(" ", "").split(","))
    weights = {coding: weight or "1" for coding, _, weight in codings}
    return weights.get("gzip", weights.get("*", "0")).strip("0.") != ""


def chunks_of(body: bytes) -> list[bytes]:
    """A large body in pieces, so that receiving it takes a client more than one wake-up."""
    size = CHUNK_BYTES if len(body) > STREAM_ABOVE_BYTES else STREAM_ABOVE_BYTES
    return [body[at : at + size] for at in range(0, len(body), size)]


async def sleep_until(deadline_s: float) -> None:
    """Sleep to a time of the loop's clock, and never less: a lone timer may fire one tick early."""
    loop = asyncio.get_running_loop()
    while (left_s := deadline_s - loop.time()) > 0:
        await asyncio.sleep(left_s)


class Origin:
    """Answers every request at the pace of its path, and counts the visits to each path."""

    def __init__(self, seed: int, scale: float) -> None:
        self._seed, self._scale = seed, scale
        self._site = site(seed)
        self._visits: defaultdict[str, count[int]] = defaultdict(count)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a GET; concurrent requests wait side by side."""
        arrived_s = asyncio.get_running_loop().time()
        path = request.path
        found = self._site.get(path) or missing(path)
        headers, body = found.on_wire(allows_gzip(request.headers.get("Accept-Encoding", "")))
        chunks = chunks_of(body)
        at_s = schedule_s(self._seed, path, next(self._visits[path]), len(chunks))
        due_s = [arrived_s + self._scale * after_s for after_s in at_s]
        headers["Server-Timing"] = f"delay;dur={1000 * self._scale * at_s[0]:.3f}"
        response = web.StreamResponse(status=found.status, headers=headers)
        await sleep_until(due_s[0])
        with suppress(ConnectionResetError):  # a client may hang up whenever it likes
            await response.prepare(request)
            for chunk, chunk_due_s in zip(chunks, due_s, strict=True):
                await sleep_until(chunk_due_s)
                await response.write(chunk)
        return response


def stop_at_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Wait in a thread for standard input to close; a bare read, as one in `sys.stdin` would block exit."""
    while os.read(0, 4096):
        pass
    with suppress(RuntimeError):  # the loop may be closed already
        loop.call_soon_threadsafe(stop.set)


async def run(listener: socket.socket, options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if options.until_eof:
        Thread(target=stop_at_eof, args=(loop, stop), daemon=True).start()
    app = web.Application()
    app.router.add_get("/{path:.*}", Origin(options.seed, options.scale).answer, allow_head=False)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=options.tls).start()
    scheme = "https" if options.tls else "http"
    print(f"stand-in origin on {scheme}://{options.host}:{listener.getsockname()[1]}", flush=True)
    await stop.wait()
    await runner.cleanup()


def loopback(text: str) -> str:
    """A host this server may listen on: it imitates, so it must not be reachable from elsewhere."""
    if not IPv4Address(text).is_loopback:
        raise ValueError(text)
    return text


def certified(text: str) -> ssl.SSLContext:
    """A server's TLS context with the certificate and the key of a file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(text)
    except OSError as error:  # ssl's own errors are among these
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    return context


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--host", type=loopback, default="127.0.0.1", help="loopback address (%(default)s)")
    parser.add_argument("--port", type=int, default=8901, help="0 takes any free one (%(default)s)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="decides content and delays (%(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="times every delay (%(default)s)")
    parser.add_argument(
        "--tls", type=certified, metavar="FILE", help="serve https, with this certificate and key (PEM)"
    )
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input closes")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; the exit status is 0 after a stop, 2 if there was no start."""
    options = parsed(argv)
    try:
        listener = socket.create_server((options.host, options.port))
    except (OSError, OverflowError) as error:
        advice = "choose another --port, or --port 0 for any free one"
        print(f"origin: cannot listen on port {options.port} ({error}); {advice}", file=sys.stderr)
        return 2
    asyncio.run(run(listener, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
