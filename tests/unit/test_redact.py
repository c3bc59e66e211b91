"""What a recording leaves out because it is a secret, and what it points at because it may be one."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.redact import FIELDS, HEADERS, Secrets, looks_drawn, suspects

USUAL = Secrets()
DRAWN = "q7Hc2Vx9TfLm4Zr8Wk1Yp6"
HEX = "9f86d081884c7d659a2feaa0c55ad015"

# Headers


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "authorization", "Proxy-Authorization", "COOKIE", "set-cookie", "X-Api-Key", "Api-Key"),
        *("X-Auth-Token", "X-CSRF-Token", "Private-Token", "X-Amz-Security-Token", "Ocp-Apim-Subscription-Key"),
    ],
)
def test_a_secret_header_is_left_out(name: str) -> None:
    """In any spelling."""
    assert USUAL.header(name)


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "ETag", "User-Agent", "X-Request-Id", "Cookies", ""])
def test_other_headers_are_kept(name: str) -> None:
    """A replay is no use without them."""
    assert not USUAL.header(name)


def test_more_names_may_be_secret() -> None:
    """As a project's settings say, beside or instead of the usual ones."""
    secrets = Secrets(HEADERS | {"x-harbour"}, FIELDS | {"berth"})
    assert (True, True) == (secrets.header("X-Harbour"), secrets.header("Cookie"))
    assert ("http://a.test/?berth=REDACTED", b'{"berth": "REDACTED"}') == (
        secrets.uri("http://a.test/?berth=4"),
        secrets.body(b'{"berth": 4}'),
    )


# Addresses


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("http://a.test/?api_key=4f2a", "http://a.test/?api_key=REDACTED"),
        ("http://a.test/?page=1&API_KEY=4f2a&x=%20+y", "http://a.test/?page=1&API_KEY=REDACTED&x=%20+y"),
        ("http://a.test/?api%5Fkey=4f2a", "http://a.test/?api%5Fkey=REDACTED"),
        ("http://a.test/?token=a=b", "http://a.test/?token=REDACTED"),
        ("http://a.test/?token=", "http://a.test/?token=REDACTED"),
        ("http://a.test/?X-Amz-Signature=4f2a", "http://a.test/?X-Amz-Signature=REDACTED"),
        ("http://a.test/?token=1&token=2", "http://a.test/?token=REDACTED&token=REDACTED"),
        ("http://me:pass@a.test:81/x", "http://a.test:81/x"),
        ("http://me@a.test/", "http://a.test/"),
        (f"http://a.test/?key={DRAWN}", "http://a.test/?key=REDACTED"),
        (f"http://a.test/?sig={HEX}", "http://a.test/?sig=REDACTED"),
        (f"http://a.test/?code={DRAWN[:10]}%5F{DRAWN[10:]}", "http://a.test/?code=REDACTED"),
    ],
)
def test_a_secret_in_an_address_is_left_out(uri: str, kept: str) -> None:
    """Fields by their names, those that may be something else by their looks; a user and a password always."""
    assert kept == USUAL.uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://a.test",
        "http://a.test/token/4f2a?page=1#token=4f2a",
        "http://a.test/?q=%C3%A9t%c3%a9&&=x&token&b=",
        "http://a.test/?key=menu&code=NL&session=spring&auth=none&sort=token",
        "http://a.test/?tokens=5&max_token=7&keyword=password",
        "http://[::1]:81/?a=1",
    ],
)
def test_all_else_in_an_address_stays_as_it_is_written(uri: str) -> None:
    """To the letter."""
    assert uri == USUAL.uri(uri)


# Bodies


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"user": "me", "password": "x"}', b'{"user": "me", "password": "REDACTED"}'),
        (b'{"login": [{"Token": {"a": 1}}, 2]}', b'{"login": [{"Token": "REDACTED"}, 2]}'),
        (b'[{"jwt": null}]', b'[{"jwt": "REDACTED"}]'),
        (f'{{"key": "{DRAWN}"}}'.encode(), b'{"key": "REDACTED"}'),
        (b' \n{"password": "x"}', b'{"password": "REDACTED"}'),
        (b'\xef\xbb\xbf{"password": "x"}', b'{"password": "REDACTED"}'),
        (b'{"id": 1}\n{"password": "x"}\n', b'{"id": 1}\n{"password": "REDACTED"}'),
        (b"user=me&password=x", b"user=me&password=REDACTED"),
        (b"client%5Fsecret=a+b%20c&x=%41", b"client%5Fsecret=REDACTED&x=%41"),
        (b"password=x y&user=me", b"password=REDACTED&user=me"),
        ("user=me&password=caf\u00e9".encode(), b"user=me&password=REDACTED"),
        (b"password=x\r\n", b"password=REDACTED"),
    ],
    ids=[
        *("JSON", "nested JSON", "a list", "a drawn value", "JSON after blanks", "JSON after a mark", "lines of JSON"),
        *("a form", "an escaped form", "a form with blanks", "a form of letters", "a form and a line end"),
    ],
)
def test_a_secret_in_a_body_is_left_out(body: bytes, kept: bytes) -> None:
    """Of JSON and of forms, also of ones that are not quite well written, but that servers take."""
    assert kept == USUAL.body(body)


@pytest.mark.parametrize(
    "name",
    [
        *("accessToken", "clientSecret", "refresh-token", "SessionToken", "secretKey", "xsrfToken", "API_Key"),
        *("user[password]", "user[login][password]", "tokens[][access_token]"),
    ],
)
def test_a_secret_name_may_be_written_in_other_ways(name: str) -> None:
    """As JavaScript writes them, and within brackets as Rails and PHP do."""
    assert f"http://a.test/?{name}=REDACTED" == USUAL.uri(f"http://a.test/?{name}=4f2a")
    assert f"a=1&{name}=REDACTED".encode() == USUAL.body(f"a=1&{name}=4f2a".encode())
    assert {name: "REDACTED", "a": 1} == json.loads(USUAL.body(json.dumps({name: "4f2a", "a": 1}).encode()))


@pytest.mark.parametrize(
    ("value", "is_left_out"),
    [
        (DRAWN, True),
        ("AIzaSyB-7q3_Xk2Lm9Rt-4Vb8Nz3Pw6-Yc1Qd5E", True),
        ("kP9/xT2vQ8+ZmR4/wL7bN1cS5dF3gH6j/8=", True),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", True),
        ("name", False),
        ("20260102030405", False),
        ("a-word-of-many-parts", False),
    ],
    ids=["drawn", "with dashes", "base64", "hexadecimal", "a word", "a number", "words"],
)
def test_an_ambiguous_field_is_a_secret_if_its_value_looks_drawn(value: str, is_left_out: bool) -> None:
    """In queries, forms and JSON alike; a word or a number is kept."""
    kept = ["REDACTED" if is_left_out else value] * 3
    for name in ("key", "code", "auth", "session", "sid", "sig", "hmac", "credential", "KEY"):
        query, body = urlencode({name: value}), json.dumps({name: value})
        ((_, in_address),) = parse_qsl(urlsplit(USUAL.uri(f"http://a.test/?{query}")).query)
        ((_, in_form),) = parse_qsl(USUAL.body(query.encode()).decode())
        assert kept == [in_address, in_form, json.loads(USUAL.body(body.encode()))[name]]


PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="user"\r\n\r\nme\r\n'
    b'--x\r\nContent-Disposition: form-data; name="password"\r\nContent-Type: text/plain\r\n\r\none\r\ntwo\r\n'
    b'--x\r\ncontent-length: 3\r\ncontent-disposition: form-data; filename="f"; NAME="token"\r\n\r\n\x00\xff\r\n'
    b"--x--\r\n"
)


def test_a_secret_in_a_multipart_form_is_left_out() -> None:
    """The whole of its part's value, and nothing of its head."""
    told = PARTS.replace(b"one\r\ntwo", b"REDACTED").replace(b"\x00\xff", b"REDACTED")
    assert told == USUAL.body(PARTS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain text, with a password: 4f2a",
        b"\x00\xff=\x01",
        b'{"a": 1, "a": 2, "b":"caf\\u00e9"  }',
        b'{"broken',
        b"[" * 100_000,
        b"a=%ff&b",
        PARTS.replace(b"password", b"greeting").replace(b"token", b"photo"),
    ],
    ids=["none", "text", "bytes", "JSON", "no JSON", "deep JSON", "a form", "a multipart form"],
)
def test_a_body_without_secrets_stays_as_it_is(body: bytes) -> None:
    """To the byte: it is not written anew."""
    assert body == USUAL.body(body)


@given(st.binary(max_size=200) | st.from_regex(rb"\A(\{|--|[a-z]*=).{0,80}\Z"))
def test_leaving_out_twice_leaves_out_no_more(body: bytes) -> None:
    """Whatever the body: what a recording holds is left alone when it is looked at again."""
    assert USUAL.body(body) == USUAL.body(USUAL.body(body))


NAMES = st.sampled_from(["user", "page", "password", "Token", "api_key", "q"])
SECRET = "s3cr3t"


@given(fields=st.lists(st.tuples(NAMES, st.text(st.characters(codec="utf-8"), max_size=8)), min_size=1, max_size=6))
def test_no_secret_stays_whatever_stands_beside_it(fields: list[tuple[str, str]]) -> None:
    """In an address and in JSON: the secret ones are left out, the others are what they were."""
    secret = {"password", "Token", "api_key"}
    query = "&".join(f"{name}={''.join(f'%{byte:02X}' for byte in value.encode())}" for name, value in fields)
    left = parse_qsl(urlsplit(USUAL.uri(f"http://a.test/?{query}")).query, keep_blank_values=True)
    expected = [(name, "REDACTED" if name in secret else value) for name, value in fields]
    assert expected == left
    document = [{name: value} for name, value in fields]
    assert [dict([pair]) for pair in expected] == json.loads(USUAL.body(json.dumps(document).encode()))


# What looks like a secret

RANDOM = random.Random(4711)
TOKENS = [
    *("".join(RANDOM.choices(string.ascii_letters + string.digits, k=40)) for _ in range(50)),
    *(RANDOM.randbytes(24).hex() for _ in range(50)),
    *(base64.b64encode(RANDOM.randbytes(30)).decode().replace("/", "x") for _ in range(50)),
    *("ghp_" + "".join(RANDOM.choices(string.ascii_letters + string.digits, k=36)) for _ in range(20)),
    *("AKIA" + "".join(RANDOM.choices(string.ascii_uppercase + string.digits, k=16)) for _ in range(20)),
]
WORDS = [
    *("application/json", "text/html; charset=utf-8", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
    *("Mon, 02 Jan 2026 03:04:05 GMT", "max-age=31536000, must-revalidate", "en-GB,en;q=0.9,de;q=0.8"),
    *("20260102030405123456789", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1", "the_quick_brown_fox_jumps_over_the_lazy_dog"),
    *("InternationalizationAndLocalization", "python-requests/2.34.2", "1.2.3.4", "127.0.0.1:8901", "REDACTED", ""),
    *("strict-transport-security-include-subdomains", "0000000000000000000000000000000000000001"),
    *("DonaudampfschifffahrtsgesellschaftskapitaenXXIV", "cache-fra-eddf8230045-FRA, 1.1 varnish"),
    *("123e4567-e89b-12d3-a456-426614174000", "12345678901234567890123456789012", "20260102T030405Z"),
    *("camelCaseNameOfSomethingVeryLong", "SCREAMING_SNAKE_CASE_CONSTANT_NAME", "2026-01-02T03:04:05.678901+00:00"),
]


@pytest.mark.parametrize(
    "token",
    [
        *TOKENS[::40],
        *("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "AKIAIOSFODNN7EXAMPLE1234", HEX),
        "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        f"id=1; token={DRAWN}==",
    ],
)
def test_a_header_that_holds_a_drawn_token_is_suspect(token: str) -> None:
    """Of letters and digits, hexadecimal, or base64; its beginning and its length are told, and not the whole."""
    (found,) = suspects("http://a.test/", [], [("X-Thing", token)])
    assert "response.headers['X-Thing']" == found.field
    assert (True, False) == (found.hint[:4] in token, token in found.hint)


def test_hardly_any_drawn_token_is_missed() -> None:
    """Of two hundred: some few can't be told from words."""
    assert [token for token in TOKENS if not looks_drawn(token)][4:] == []


@pytest.mark.parametrize("text", WORDS)
def test_words_names_and_numbers_do_not_look_drawn(text: str) -> None:
    """However long they are: false alarms teach people not to look."""
    assert not looks_drawn(text)
    assert [] == list(suspects("http://a.test/", [], [("X-Thing", text)]))


def test_a_suspect_is_named_by_its_place_and_its_beginning() -> None:
    """Not by the whole of it: the message may end up in a log."""
    found = list(
        suspects(f"http://a.test/x/{DRAWN}?page=1", [("X-Thing", f"Bearer {HEX}")], [("X-A", "plain"), ("X-Id", DRAWN)])
    )
    assert [
        ("request.uri", "q7Hc… (22 characters)"),
        ("request.headers['X-Thing']", "9f86… (32 characters)"),
        ("response.headers['X-Id']", "q7Hc… (22 characters)"),
    ] == [tuple(one) for one in found]


def test_each_place_is_named_once() -> None:
    """With the first of what it holds."""
    (found,) = suspects(f"http://a.test/{DRAWN}/{HEX}", [], [])
    assert "q7Hc… (22 characters)" == found.hint


@pytest.mark.parametrize(
    "name", ["ETag", "If-None-Match", "x-request-id", "Traceparent", "CF-Ray", "Content-MD5", "Digest"]
)
def test_digests_and_numbers_of_requests_are_no_suspects(name: str) -> None:
    """Their headers hold nothing else."""
    assert [] == list(suspects("http://a.test/", [(name, DRAWN)], [(name.lower(), f'"{HEX}"')]))


def test_what_was_left_out_is_no_suspect() -> None:
    """Nor is what addresses usually hold: numbers, names and identifiers that are no keys to anything."""
    uri = USUAL.uri(f"http://me:{DRAWN}@a.test/items/{uuid.UUID(int=7**40)}?api_key={DRAWN}&page=12345678901234567890")
    assert [] == list(suspects(uri, [("Accept", "*/*")], [("Content-MD5", hashlib.md5(b"").hexdigest())]))
