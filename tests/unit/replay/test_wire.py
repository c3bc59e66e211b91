"""The bytes of a recorded response: well framed, whatever the recording client had done to the body."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import brotli
import pytest
import zstandard

from laptime.cassette import Content, Interaction
from laptime.cassette._coding import decoded
from laptime.replay import wire
from laptime.replay.wire import Wire, refuse

TEXT = b"It was a bright cold day in April, and the clocks were striking thirteen. " * 20
SITE, SHOP = "http://site.test", "https://shop.test"
URLS = {SITE: "http://127.0.0.1:8901", SHOP: "http://127.0.0.1:8902"}
OVER_TLS = {SITE: "https://127.0.0.1:8901", SHOP: "https://127.0.0.1:8902"}


def interaction(
    body: bytes = b"hello",
    *headers: tuple[str, str],
    method: str = "GET",
    status: int = 200,
    reason: str = "OK",
    uri: str = f"{SITE}/",
    content: Content | None = None,
) -> Interaction:
    """A recorded answer; unless told otherwise its body is what went over the wire."""
    content = content or Content(body, body, ())
    return Interaction(0, method, uri, (), b"", status, reason, headers, body, content, ())


def respond(recorded: Interaction, urls: Mapping[str, str] = URLS) -> Wire:
    """The response, where the two origins are at these addresses."""
    return wire.respond(recorded, urls)


def headers_of(wire: Wire) -> list[tuple[str, str]]:
    """The header lines of a response, in order."""
    lines = wire.head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")[1:]
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


# The head


def test_a_response_is_framed_by_its_length() -> None:
    """Status line, headers as recorded, the length of the body, an empty line; then the body."""
    headers = (("Content-Type", "text/plain"), ("X-Served-By", "cache-1"))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Served-By: cache-1\r\nContent-Length: 5\r\n\r\n"
    assert Wire(200, head, b"hello") == respond(interaction(b"hello", *headers))


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (200, "OK", b"HTTP/1.1 200 OK"),
        (404, "Not Found", b"HTTP/1.1 404 Not Found"),
        (404, "Introuvable \xe9", b"HTTP/1.1 404 Introuvable \xe9"),
        (599, "", b"HTTP/1.1 599 "),
    ],
)
def test_the_status_line_is_as_recorded(status: int, reason: str, line: bytes) -> None:
    """Code and reason, even where the reason is empty."""
    assert line == respond(interaction(status=status, reason=reason)).head.split(b"\r\n")[0]


def test_repeated_headers_stay_apart_and_in_order() -> None:
    """Two cookies are two headers."""
    cookies = [("Set-Cookie", "a=1"), ("Vary", "Accept"), ("Set-Cookie", "b=2")]
    assert [*cookies, ("Content-Length", "5")] == headers_of(respond(interaction(b"hello", *cookies)))


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("caf\xe9", b"caf\xe9"),
        ("caf\xc3\xa9", b"caf\xc3\xa9"),
        ("\u65e5\u672c", "\u65e5\u672c".encode()),
    ],
    ids=["Latin-1", "UTF-8 read as Latin-1", "UTF-8 read as such"],
)
def test_headers_beyond_ascii_are_the_bytes_that_were_received(value: str, sent: bytes) -> None:
    """One client reads header bytes as Latin-1, another as UTF-8: either way they go out as they came."""
    assert b"\r\nX-Place: " + sent + b"\r\n" in respond(interaction(b"hello", ("X-Place", value))).head


@pytest.mark.parametrize(
    "header",
    [
        *(("Connection", "close"), ("Keep-Alive", "timeout=5"), ("Transfer-Encoding", "chunked")),
        *(("Content-Length", "99999"), ("transfer-encoding", "gzip, chunked"), ("CONTENT-LENGTH", "0")),
    ],
    ids=str,
)
def test_the_framing_of_the_recorded_connection_is_dropped(header: tuple[str, str]) -> None:
    """What described that connection, or the length of a body that was decoded since, is not repeated."""
    assert [("Content-Length", "5")] == headers_of(respond(interaction(b"hello", header)))


# The body


@pytest.mark.parametrize("codings", [("gzip",), ("deflate",), ("br",), ("zstd",), ("gzip", "br")], ids=", ".join)
def test_a_body_that_was_decoded_is_encoded_again(codings: tuple[str, ...]) -> None:
    """Under its recorded header the client gets what the header says, and its length."""
    header = ("Content-Encoding", ", ".join(codings))
    wire = respond(interaction(TEXT, header, ("Content-Length", "99"), content=Content(TEXT, None, codings)))
    assert TEXT == decoded(wire.body, codings)
    assert len(wire.body) < len(TEXT)
    assert [header, ("Content-Length", str(len(wire.body)))] == headers_of(wire)


@pytest.mark.parametrize("name", ["x-gzip", "GZIP", " gzip "])
def test_the_name_of_a_coding_is_sent_as_it_was(name: str) -> None:
    """In any spelling."""
    wire = respond(interaction(TEXT, ("Content-Encoding", name), content=Content(TEXT, None, ("gzip",))))
    assert ("Content-Encoding", name) == headers_of(wire)[0]
    assert TEXT == gzip.decompress(wire.body)


def test_an_empty_body_under_gzip_decodes_to_nothing() -> None:
    """A client that decodes it gets no bytes and no error."""
    wire = respond(interaction(b"", ("Content-Encoding", "gzip"), content=Content(b"", None, ("gzip",))))
    assert b"" == gzip.decompress(wire.body)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT, 1)),
        ("br", brotli.compress(TEXT)),
        ("zstd", zstandard.ZstdCompressor().compress(TEXT)),
        ("exi", b"of a coding that nobody knows"),
    ],
    ids=["gzip", "br", "zstd", "unknown"],
)
def test_a_body_kept_as_it_was_sent_is_sent_so(encoding: str, body: bytes) -> None:
    """Unchanged, under its encoding."""
    wire = respond(interaction(body, ("Content-Encoding", encoding), content=Content(TEXT, body, (encoding,))))
    assert body == wire.body
    assert [("Content-Encoding", encoding), ("Content-Length", str(len(body)))] == headers_of(wire)


def test_a_body_under_no_encoding_is_sent_as_it_is() -> None:
    """Even where it looks compressed: an archive is a body like any other."""
    archive = gzip.compress(TEXT)
    wire = respond(interaction(archive, ("Content-Type", "application/gzip")))
    assert (archive, ("Content-Length", str(len(archive)))) == (wire.body, headers_of(wire)[-1])


# Responses without a body


def test_an_answer_to_head_states_the_recorded_length_and_has_no_body() -> None:
    """The length is that of the body that a GET would get, so it is the recorded one that stands."""
    recorded = [("Content-Type", "text/html"), ("Content-Length", "51234")]
    wire = respond(interaction(b"", *recorded, method="HEAD"))
    assert (recorded, b"") == (headers_of(wire), wire.body)


def test_an_answer_to_head_may_state_no_length() -> None:
    """Where none was recorded, none is made up."""
    assert Wire(200, b"HTTP/1.1 200 OK\r\n\r\n", b"") == respond(interaction(b"", method="HEAD"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_an_answer_to_head_keeps_its_encoding(encoding: str) -> None:
    """It says how a GET's body would be encoded, though there is none."""
    recorded = [("Content-Encoding", encoding), ("Content-Length", "51234")]
    assert recorded == headers_of(respond(interaction(b"", *recorded, method="HEAD")))


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_states_no_length(status: int) -> None:
    """204 and 304 end with their head, whatever was recorded."""
    recorded = (("ETag", '"1"'), ("Content-Length", "5"), ("Transfer-Encoding", "chunked"))
    wire = respond(interaction(b"hello", *recorded, status=status))
    assert ([("ETag", '"1"')], b"") == (headers_of(wire), wire.body)


def test_an_empty_body_has_length_zero() -> None:
    """Unlike 204, an empty 200 must say so, or a client waits for more."""
    assert Wire(200, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"") == respond(interaction(b""))


# Addresses

HERE, THERE = URLS[SITE], URLS[SHOP]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (f"{SITE}/new?page=2#top", f"{HERE}/new?page=2#top"),
        (f"{SHOP}/cart", f"{THERE}/cart"),
        (f"{SITE}", f"{HERE}"),
        (f"{SITE}?page=2", f"{HERE}?page=2"),
        ("HTTP://Site.Test/new", f"{HERE}/new"),
        ("http://site.test:80/new", f"{HERE}/new"),
        ("https://shop.test:443/cart", f"{THERE}/cart"),
        ("//site.test/new", f"{HERE}/new"),
        ("http://me:secret@site.test/new", f"{HERE}/new"),
        (f"{SITE}/login?next={SHOP}/cart", f"{HERE}/login?next={SHOP}/cart"),
    ],
)
def test_an_address_of_a_recorded_origin_becomes_the_replays(value: str, sent: str) -> None:
    """Path, query and fragment stay, so a client that follows it asks for what was recorded."""
    assert ("Location", sent) == headers_of(respond(interaction(b"", ("Location", value))))[0]


@pytest.mark.parametrize("name", ["location", "Content-Location", "Access-Control-Allow-Origin"])
def test_it_does_so_in_every_header_that_holds_one(name: str) -> None:
    """In capitals or not."""
    assert (name, f"{THERE}/cart") == headers_of(respond(interaction(b"", (name, f"{SHOP}/cart"))))[0]


@pytest.mark.parametrize(
    "value",
    [
        *("/new", "new", "", "*", "null", "?page=2", "mailto:me@site.test", "http:/site.test/", "http:///site.test"),
        *("http://other.test/new", "https://site.test/new", "http://site.test:8080/new", "http://shop.test/cart"),
        *("http://site.test.other.test/", "http://notsite.test/", "http://site.test:port/", "http://[site.test/"),
    ],
)
def test_any_other_address_stays(value: str) -> None:
    """A path, an origin that was not recorded (another scheme or port is another), and what is no address."""
    assert ("Location", value) == headers_of(respond(interaction(b"", ("Location", value))))[0]


@pytest.mark.parametrize(
    ("uri", "value", "sent"),
    [
        (f"{SITE}/", "//shop.test/cart", "//shop.test/cart"),
        (f"{SHOP}/", "//shop.test/cart", f"{THERE}/cart"),
        (f"{SHOP}/", "//site.test/new", "//site.test/new"),
    ],
)
def test_an_address_without_a_scheme_has_that_of_its_page(uri: str, value: str, sent: str) -> None:
    """That of the recorded page, not of the replay."""
    assert ("Location", sent) == headers_of(respond(interaction(b"", ("Location", value), uri=uri)))[0]


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        (
            "Link",
            f'<{SITE}/items?page=2>; rel="next", <{SHOP}/>; rel=help, <http://other.test/>; rel=license',
            f'<{HERE}/items?page=2>; rel="next", <{THERE}/>; rel=help, <http://other.test/>; rel=license',
        ),
        ("Link", "<//site.test/style.css>; rel=preload", f"<{HERE}/style.css>; rel=preload"),
        ("Link", f"<{SITE}/a>,<{SITE}/b>", f"<{HERE}/a>,<{HERE}/b>"),
        ("Refresh", f"0; url={SHOP}/cart", f"0; url={THERE}/cart"),
        ("Refresh", f"5;URL='{SITE}/new'", f"5;URL='{HERE}/new'"),
        (
            "Content-Security-Policy",
            f"default-src 'self' {SHOP} https://*.test; report-uri {SITE}/csp",
            f"default-src 'self' {THERE} https://*.test; report-uri {HERE}/csp",
        ),
        ("Content-Security-Policy", f"img-src {SITE};connect-src {SHOP}", f"img-src {HERE};connect-src {THERE}"),
        ("Content-Security-Policy", "img-src https://shop.test:*", "img-src https://shop.test:*"),
    ],
)
def test_each_address_of_several_is_looked_at(name: str, value: str, sent: str) -> None:
    """In headers that hold lists of them."""
    assert (name, sent) == headers_of(respond(interaction(b"hello", (name, value))))[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Link", "<%s/items?after=http://site.test/items/7,http://site.test/items/8>; rel=next"),
        ("Refresh", "5; url=%s/items?url=http://site.test/items/7"),
        ("Content-Security-Policy", "report-uri %s/csp?of=http://site.test/"),
    ],
)
def test_an_address_in_the_query_of_another_stays(name: str, value: str) -> None:
    """It is part of what was recorded: a client that follows the outer one asks for it."""
    assert (name, value % HERE) == headers_of(respond(interaction(b"hello", (name, value % SITE))))[0]


@pytest.mark.parametrize("name", ["Referer", "X-Upstream", "Server", "ETag"])
def test_addresses_in_other_headers_stay(name: str) -> None:
    """They are what the site said."""
    assert (name, f"{SITE}/") == headers_of(respond(interaction(b"hello", (name, f"{SITE}/"))))[0]


# Cookies


@pytest.mark.parametrize(
    ("urls", "cookie", "sent"),
    [
        (URLS, "a=1", "a=1"),
        (URLS, "a=1; Domain=site.test; Path=/x; HttpOnly", "a=1; Path=/x; HttpOnly"),
        (URLS, "a=1;domain=.site.test", "a=1"),
        (URLS, "a=1; Secure; SameSite=Lax", "a=1; SameSite=Lax"),
        (URLS, "a=1; Path=/; secure", "a=1; Path=/"),
        (URLS, "domain=secure; Max-Age=60", "domain=secure; Max-Age=60"),
        (OVER_TLS, "a=1; Domain=site.test; Secure; Path=/", "a=1; Secure; Path=/"),
    ],
    ids=["plain", "a domain", "small letters", "secure", "secure at the end", "so named", "secure over TLS"],
)
def test_a_cookie_is_set_for_the_replay(urls: Mapping[str, str], cookie: str, sent: str) -> None:
    """No client would send back one of another domain, nor over plain HTTP one that is to be sent over TLS only."""
    assert ("Set-Cookie", sent) == headers_of(respond(interaction(b"hello", ("Set-Cookie", cookie)), urls))[0]


# Refusals


def test_a_refusal_is_a_text_for_people() -> None:
    """An answer of the replay's own is plain text in UTF-8, framed like any other."""
    head = b"HTTP/1.1 599 Not Recorded\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\n"
    assert Wire(599, head, "é\n".encode()) == refuse(599, "Not Recorded", "é\n")


def test_a_refusal_may_end_the_connection() -> None:
    """And says so."""
    assert ("Connection", "close") in headers_of(refuse(400, "Bad Request", "no", close=True))
