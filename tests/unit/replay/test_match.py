"""Which recorded request an arriving one is taken for, and what it is told where it is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.cassette import Content, Interaction
from laptime.replay import Latency
from laptime.replay.match import body_key, recorded_body_keys, target_key
from laptime.replay.script import Script

SITE = "http://site.test"


def recorded(target: str = "/", body: bytes = b"", method: str = "POST") -> Interaction:
    """A request that was recorded; what it was answered doesn't matter here."""
    content = Content(b"hello", b"hello", ())
    return Interaction(0, method, SITE + target, (), body, 200, "OK", (), b"hello", content, ())


def script(*interactions: Interaction, latency: str = "none") -> Script:
    """The script of these, numbered."""
    numbered = [
        Interaction(number, one.method, one.uri, (), one.request_body, 200, "OK", (), b"hello", one.content, ())
        for number, one in enumerate(interactions)
    ]
    return Script(numbered, Latency.parse(latency), {SITE: "http://127.0.0.1:8901"})


def asked(played: Script, target: str = "/", body: bytes = b"", method: str = "POST") -> int | None:
    """The number of the interaction that answers this request; None where none does."""
    scene = played.scene(method.encode(), target.encode())
    if scene is not None and scene.bodies:
        scene = played.with_body(scene, body)
    return None if scene is None else scene.next()[0].index


# Path and query


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a?b=1&c=2", "/a?c=2&b=1"),
        ("/a?b=1&b=2", "/a?b=2&b=1"),
        ("/a?q=two+words", "/a?q=two%20words"),
        ("/a?q=caf%c3%a9", "/a?q=caf%C3%A9"),
        ("/a?q=caf\u00e9", "/a?q=caf%C3%A9"),
        ("/a?q=%ff", "/a?q=%FF"),
        ("/a?q=%7Eme", "/a?q=~me"),
        ("/a?b", "/a?b="),
        ("/a?b=1&", "/a?&b=1"),
        ("/a?", "/a"),
        ("/%7Eme/caf%c3%a9", "/~me/caf\u00e9"),
        ("/a%20b", "/%61 b"),
        ("http://site.test/a?b=1", "/a?b=1"),
        ("http://site.test", "/"),
        ("http://site.test?b=1", "/?b=1"),
    ],
)
def test_one_request_may_be_written_in_several_ways(one: str, other: str) -> None:
    """The order of the query, how a character is escaped, and the form that proxies get don't matter."""
    assert target_key(one.encode()) == target_key(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a", "/b"),
        ("/a", "/A"),
        ("/a", "/a/"),
        ("/a/b", "/a%2Fb"),
        ("/a/b", "//a/b"),
        ("/a?b", "/a%3Fb"),
        ("/a?b=1", "/a"),
        ("/a?b=1", "/a?b=2"),
        ("/a?b=1", "/a?b=1&b=1"),
        ("/a?b=1&c=2", "/a?b=1%26c=2"),
        ("/a?b=1%3D", "/a?b%3D1="),
        ("/a+b", "/a%20b"),
        ("/a?q=%2B", "/a?q=+"),
        ("/a?q=caf%E9", "/a?q=caf%C3%A9"),
        ("*", "/*"),
    ],
)
def test_other_requests_are_told_apart(one: str, other: str) -> None:
    """What a server would tell apart: an escaped separator separates nothing."""
    assert target_key(one.encode()) != target_key(other.encode())


@given(st.binary(max_size=60))
def test_any_bytes_are_a_target(target: bytes) -> None:
    """Whatever a client sends, or a recording holds: it has a key, always the same."""
    assert target_key(target) == target_key(target)


@given(
    fields=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=5), random=st.randoms()
)
def test_a_query_in_any_order_is_the_same(fields: list[tuple[str, str]], random: st.DataObject) -> None:
    """Any fields, in any order, escaped as far as one likes."""

    def escaped(text: str) -> str:
        return "".join(f"%{byte:02x}" for byte in text.encode())

    shuffled = random.sample(fields, len(fields))  # type: ignore[attr-defined]
    one, other = ("/a?" + "&".join(f"{escaped(a)}={escaped(b)}" for a, b in some) for some in (fields, shuffled))
    assert target_key(one.encode()) == target_key(other.encode())


# Bodies


PARTS = '--{0}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--{0}\r\n{1}\r\n\r\n2\r\n--{0}--\r\n'


def parts(boundary: str, second: str = 'Content-Disposition: form-data; name="b"') -> bytes:
    """A multipart form of two fields."""
    return PARTS.format(boundary, second).encode()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a": 1, "b": [1, 2]}', b'{"b":[1,2],"a":1}'),
        (b'{"a": "caf\\u00e9"}', '{"a": "caf\u00e9"}'.encode()),
        (b'{"a": 1}', b'{\n  "a": 1\n}\n'),
        (b'{"a": 1}\n{"b": 2}\n', b'{"a":1}\r\n{"b":2}'),
        (b'\xef\xbb\xbf{"a": 1}', b' {"a": 1}'),
        (b"a=1&b=2", b"b=2&a=1"),
        (b"q=two words\n", b"q=two+words"),
        (b"q=two+words", b"q=two%20words"),
        (b"q=caf%C3%A9", b"q=caf%c3%a9"),
        (parts("boundary"), parts("another-boundary")),
        (b"\x00\xff", b"\x00\xff"),
        (b"", b""),
    ],
)
def test_one_body_may_be_written_in_several_ways(one: bytes, other: bytes) -> None:
    """JSON by its content, form fields in any order, a multipart form with any boundary."""
    assert body_key(one) == body_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a": 1}', b'{"a": 2}'),
        (b'{"a": 1}', b'{"a": "1"}'),
        (b'{"a": [1, 2]}', b'{"a": [2, 1]}'),
        (b'{"a": null}', b"{}"),
        (b'{"a": 1}\n{"b": 2}', b'{"b": 2}\n{"a": 1}'),
        (b'{"a": 1}\n{"b": 2}', b'[{"a": 1}, {"b": 2}]'),
        (b"{}", b"[]"),
        (b"{}", b""),
        (b"{broken", b"{ broken"),
        (b"a=1", b"a=2"),
        (b"a=1&a=1", b"a=1"),
        (b"a=1", b'{"a": "1"}'),
        (parts("x"), parts("x", 'Content-Disposition: form-data; name="c"')),
        (parts("x"), parts("x").replace(b"2\r\n", b"3\r\n")),
        (b"\x00\xff", b"\x00\xfe"),
        (b"two words", b"two  words"),
    ],
)
def test_other_bodies_are_told_apart(one: bytes, other: bytes) -> None:
    """By their content, and where that can't be read by their bytes."""
    assert body_key(one) != body_key(other)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"{\xff}", b'{"a": NaN}', b"--\r\n", b"--a\r\n"], ids=len
)
def test_a_body_that_is_hard_to_read_has_a_key(body: bytes) -> None:
    """Too deep, too many digits, no text: nothing of it is an error."""
    assert body_key(body) == body_key(body)


@given(st.binary(max_size=100) | st.sampled_from([b"{", b"[", b"--x\r\n", b"a="]).flatmap(lambda a: st.just(a)))
def test_any_bytes_are_a_body(body: bytes) -> None:
    """Each has a key, and is found by it where it was recorded."""
    assert body_key(body) in set(recorded_body_keys(body))


@pytest.mark.parametrize(
    ("mapping", "sent"),
    [
        ({"boat": "M\u00f6we", "berth": 4}, b"berth=4&boat=M%C3%B6we"),
        ({}, b"{}"),
        ([["a", "1"], ["a", "2"]], b"a=2&a=1"),
    ],
)
def test_a_mapping_that_aiohttp_was_given_may_be_sent_as_a_form(mapping: object, sent: bytes) -> None:
    """vcrpy keeps the mapping, not what was made of it: it may have been JSON or a form."""
    kept = json.dumps(mapping).encode()
    assert {body_key(sent), body_key(kept)} <= set(recorded_body_keys(kept))


def test_a_mapping_of_mappings_was_no_form() -> None:
    """It can only have been sent as JSON."""
    assert [body_key(b'{"a": {"b": 1}}')] == list(recorded_body_keys(b'{"a": {"b": 1}}'))


# Requests among those that were recorded


def test_method_path_and_query_decide() -> None:
    """Where the recorded requests differ in them; of a request that was recorded once the body doesn't matter."""
    played = script(recorded("/a", b"one", "POST"), recorded("/a", b"", "GET"), recorded("/a?b=1", b"", "GET"))
    assert [0, 1, 2] == [
        asked(played, "/a", b"another"),
        asked(played, "/a", method="GET"),
        asked(played, "/a?b=1", b"any", "GET"),
    ]
    assert [None] * 3 == [
        asked(played, "/b"),
        asked(played, "/a", method="PUT"),
        asked(played, "/a?b=2", method="GET"),
    ]


def test_a_repeated_request_goes_through_its_answers() -> None:
    """In recorded order and then from the start, however it is written each time; a new round begins anew."""
    played = script(recorded("/a?b=1&c=2"), recorded("/a?c=2&b=1"), recorded("/other"), recorded("/a?b=1&c=%32"))
    assert [0, 1, 3, 0, 1] == [asked(played, f"/a?{query}") for query in ["b=1&c=2", "c=2&b=1"] * 2 + ["b=%31&c=2"]]
    played.begin()
    assert 0 == asked(played, "/a?c=2&b=1")


def test_bodies_decide_where_nothing_else_differs() -> None:
    """Each has its own answers, in their own order, whatever came in between; a new round begins them all anew."""
    one, other = b'{"query": "one"}', b'{"query": "other"}'
    played = script(*(recorded("/graphql", body) for body in (one, other, one, other, other)))
    assert [1, 0, 3, 4, 2, 1, 0] == [
        asked(played, "/graphql", body) for body in (other, one, other, other, one, other, one)
    ]
    played.begin()
    assert [1, 0] == [asked(played, "/graphql", body) for body in (other, b'{ "query": "one" }')]


def test_a_body_that_was_not_recorded_is_no_request_that_was() -> None:
    """Where bodies decide, one that equals none has no answer."""
    played = script(recorded("/a", b"one"), recorded("/a", b"other"))
    assert [None, None, 1] == [asked(played, "/a", body) for body in (b"third", b"", b"other")]


def test_the_same_body_each_time_decides_nothing() -> None:
    """All recorded ones are equal, so any will do."""
    played = script(recorded("/a", b'{"a": 1}'), recorded("/a", b'{"a":1}'))
    assert [0, 1, 0] == [asked(played, "/a", body) for body in (b"", b"another", b'{"a": 1}')]


def test_a_form_that_was_kept_as_a_mapping_is_found_by_its_fields() -> None:
    """As aiohttp sends it, and as JSON."""
    played = script(recorded("/a", b'{"boat": "Robbe"}'), recorded("/a", b'{"boat": "Heron"}'))
    assert [1, 0, 1] == [asked(played, "/a", body) for body in (b"boat=Heron", b"boat=Robbe", b'{"boat":"Heron"}')]


def first_waits(played: Script, *requests: tuple[str, bytes]) -> list[int]:
    """How long each of these requests waits that comes for the first time in the first round."""
    waits = []
    for target, body in requests:
        scene = played.scene(b"POST", target.encode())
        assert scene is not None
        scene = played.with_body(scene, body) if scene.bodies else scene
        assert scene is not None
        part, occurrence = scene.next()
        waits.append(part.take(0, occurrence).wait_ns)
    return waits


def test_with_jitter_requests_that_differ_draw_apart() -> None:
    """Also where they differ in their bodies only: or else all queries of a page would be slow together."""
    requests = [*((f"/items/{n}", b"") for n in range(20)), *(("/graphql", b"%d" % n) for n in range(20))]
    recordings = [recorded(*request) for request in requests]
    waits = first_waits(script(*recordings, latency="fixed:50ms+jitter:7"), *requests)
    assert [20, 20] == [len(set(waits[:20])), len(set(waits[20:]))]
    again = script(*recordings, latency="fixed:50ms+jitter:7")
    assert waits[::-1] == first_waits(again, *requests[::-1])


def test_with_jitter_the_same_path_of_two_origins_draws_apart() -> None:
    """They are two requests."""
    content = Content(b"hello", b"hello", ())
    waits = []
    for site in ("http://one.test", "http://other.test"):
        own = [Interaction(n, "POST", f"{site}/{n}", (), b"", 200, "OK", (), b"hello", content, ()) for n in range(20)]
        played = Script(own, Latency.parse("fixed:50ms+jitter:7"), {site: "http://127.0.0.1:8901"})
        waits.append(first_waits(played, *((f"/{n}", b"") for n in range(20))))
    assert 0 == sum(one == other for one, other in zip(*waits, strict=True))


# What was left out as a secret


@pytest.mark.parametrize("sent", ["REDACTED", "4f2a", "caf%C3%A9", ""])
def test_a_secret_in_a_query_may_be_any(sent: str) -> None:
    """What was recorded as REDACTED matches whatever is sent, wherever in the query; the other fields still decide."""
    played = script(recorded("/a?page=1&api_key=REDACTED"), recorded("/a?page=2&api_key=REDACTED"))
    assert [1, 0, None] == [asked(played, f"/a?api_key={sent}&page={page}") for page in (2, 1, 3)]


def test_a_field_that_only_this_recording_leaves_out_may_be_any() -> None:
    """The names are those in the cassette, not only the usual ones."""
    played = script(recorded("/a?Ticket=REDACTED&page=1"), recorded("/a?Ticket=REDACTED&page=2"))
    assert [1, 0] == [asked(played, f"/a?Ticket=4711&page={page}") for page in (2, 1)]


def test_a_secret_that_was_recorded_decides() -> None:
    """A recording that kept it, as vcrpy's own do, plays as it was made."""
    played = script(recorded("/a?token=one"), recorded("/a?token=other"))
    assert [1, 0, None] == [asked(played, f"/a?token={token}") for token in ("other", "one", "third")]


def test_a_field_is_left_out_only_where_it_was() -> None:
    """A name whose value was drawn in one request and is a word in another still tells the others apart."""
    played = script(
        recorded("/maps?key=REDACTED"),
        recorded("/words?key=tea&api_key=REDACTED"),
        recorded("/words?key=rum&api_key=REDACTED"),
    )
    words = [asked(played, f"/words?key={word}&api_key=4f2a") for word in ("rum", "tea", "gin")]
    assert [0, 2, 1, None] == [asked(played, "/maps?key=4f2a"), *words]


def test_a_field_of_a_body_is_left_out_only_where_it_was() -> None:
    """As in queries."""
    kept = recorded("/a", b"key=tea&password=REDACTED"), recorded("/a", b"key=rum&password=REDACTED")
    played = script(recorded("/b", b"key=REDACTED"), recorded("/b", b"key=REDACTED&more=1"), *kept)
    assert [3, 2, None, 0, 1] == [
        *(asked(played, "/a", f"password=4f2a&key={word}".encode()) for word in ("rum", "tea", "gin")),
        *(asked(played, "/b", body) for body in (b"key=4f2a", b"more=1&key=4f2a")),
    ]


@pytest.mark.parametrize(
    ("one", "other", "sent"),
    [
        (
            b'{"user": "one", "password": "REDACTED"}',
            b'{"user": "other", "password": "REDACTED"}',
            b'{"password": {"was": "4f2a"}, "user": "other"}',
        ),
        (
            b'{"login": [{"user": "one", "Token": "REDACTED"}]}',
            b'{"login": [{"user": "other", "Token": "REDACTED"}]}',
            b'{"login": [{"user": "other", "Token": "4f2a"}]}',
        ),
        (b"user=one&password=REDACTED", b"user=other&password=REDACTED", b"password=caf%C3%A9&user=other"),
        (
            parts("x").replace(b'"a"\r\n\r\n1', b'"token"\r\n\r\nREDACTED'),
            parts("x").replace(b'"a"\r\n\r\n1', b'"token"\r\n\r\nREDACTED').replace(b"\r\n2\r\n", b"\r\n3\r\n"),
            parts("y").replace(b'"a"\r\n\r\n1', b'"token"\r\n\r\n4f2a').replace(b"\r\n2\r\n", b"\r\n3\r\n"),
        ),
    ],
    ids=["JSON", "nested JSON", "form", "multipart form"],
)
def test_a_secret_in_a_body_may_be_any(one: bytes, other: bytes, sent: bytes) -> None:
    """In JSON, a form or a multipart form; the rest of the body still decides."""
    played = script(recorded("/login", one), recorded("/login", other))
    assert [1, 0, 1] == [asked(played, "/login", body) for body in (sent, one, other)]
    assert asked(played, "/login", sent.replace(b"other", b"third").replace(b"\r\n3\r\n", b"\r\n4\r\n")) is None


def test_a_secret_that_vcrpy_removed_may_be_any() -> None:
    """Its filters take the whole field out: one of a usual name may come nevertheless."""
    played = script(recorded("/a?page=1"), recorded("/a?page=2"), recorded("/b", b"a=1"), recorded("/b", b"a=2"))
    assert [1, 3] == [asked(played, "/a?page=2&api_key=4f2a"), asked(played, "/b", b"password=4f2a&a=2")]


# What was not recorded


def said(played: Script, target: str, body: bytes = b"", method: str = "POST") -> list[str]:
    """The lines that a request gets which was not recorded."""
    scene = played.scene(method.encode(), target.encode())
    answer = played.unmatched(method.encode(), target.encode(), scene)
    assert (599, len(answer.body)) == (answer.status, int(answer.head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
    return answer.body.decode().splitlines()


def test_the_nearest_recorded_requests_are_named() -> None:
    """At most three, the nearest first."""
    played = script(*(recorded(f"/items/{number}", method="GET") for number in range(200)), recorded("/about"))
    lines = said(played, "/items/12x", method="GET")
    assert ["laptime replay: not recorded: GET /items/12x", "nearest recorded:", "  GET /items/12"] == lines[:3]
    assert 5 == len(lines)


def test_a_body_that_was_not_recorded_is_named_as_that() -> None:
    """With how many others were."""
    played = script(recorded("/a", b'{"b": "1"}'), recorded("/a", b'{"b": "2"}'), recorded("/a", b'{"b": "2"}'))
    assert ["laptime replay: not recorded: POST /a", "with this body; it was recorded with 2 others"] == (
        said(played, "/a", b"{}")
    )


@pytest.mark.parametrize("target", ["/caf\u00e9?q=\u20ac", "/" + "x" * 200_000], ids=["letters", "long"])
def test_any_request_is_told_that_it_was_not_recorded(target: str) -> None:
    """Whatever letters it has, and however long it is."""
    assert "laptime replay: not recorded: POST /" == said(script(recorded("/a")), target)[0][:36]
