"""What a vcrpy file may hold, in all the forms that it was ever written in, and how what it may not hold is named."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import date
from pathlib import Path

import pytest
import yaml

from laptime.cassette import Content, _vcr, load
from tests.support import SITE, Exchange, recording, timings, write_pair
from tests.support.cassettes import GONE, PAIR, VALID, changed, refusal, shown

# What vcrpy and its clients write


def test_a_cassette_may_be_json(tmp_path: Path) -> None:
    """vcrpy writes either; the side-car has the same name."""
    path = tmp_path / "pair.json"
    path.write_text(json.dumps(recording(PAIR)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "pair.timings.json").write_text(json.dumps(timings(PAIR) | {"cassette_sha256": digest}))
    assert [f"GET {SITE}/a", f"GET {SITE}/b"] == [one.request for one in load(path).interactions]


@pytest.mark.parametrize(
    ("body", "loaded"),
    [
        ({"string": "caf\xe9"}, "caf\xe9".encode()),
        ({"string": b"\x00\xff"}, b"\x00\xff"),
        ({"string": ""}, b""),
        ("bare", b"bare"),
        ({"string": "text", "encoding": "utf-8"}, b"text"),
    ],
    ids=["text", "bytes", "empty", "bare", "with its encoding"],
)
def test_a_body_is_bytes(tmp_path: Path, body: object, loaded: bytes) -> None:
    """Text is UTF-8, bytes are themselves, under `string` or bare."""
    document = changed(recording(PAIR), "interactions.0.response.body", body)
    assert loaded == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].body


@pytest.mark.parametrize(
    ("body", "loaded"),
    [
        (None, b""),
        (GONE, b""),
        ("a=1", b"a=1"),
        ({"string": "a=1"}, b"a=1"),
        (b"\xff", b"\xff"),
        ([b"a", b"b"], b"ab"),
        ([], b""),
        ({"boat": "M\xf6we", "crew": [1, None]}, '{"boat": "M\xf6we", "crew": [1, null]}'.encode()),
        (["a", 1.5, True], b'["a", 1.5, true]'),
        (7, b"7"),
    ],
    ids=shown,
)
def test_a_request_may_have_a_body_or_none(tmp_path: Path, body: object, loaded: bytes) -> None:
    """None and nothing are no bytes; chunks follow each other; other values were given to aiohttp as JSON."""
    document = changed(recording(PAIR), "interactions.0.request.body", body)
    assert loaded == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].request_body


def test_a_request_body_may_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases make a small file a value of gigabytes."""
    monkeypatch.setattr(_vcr, "MAX_REQUEST_BYTES", 2**20)
    text = VALID.decode().replace("body: null", "body: *a5", 1)
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'ha'] * 10)}]\n" for n in range(6))
    path = tmp_path / "bad.yaml"
    path.write_text(laughs + text)
    assert f"{path}: interaction 0: request.body: more than 1 MiB" == refusal(path)


@pytest.mark.parametrize("message", [None, GONE, 7], ids=["null", "missing", "a number"])
def test_a_response_may_have_no_reason(tmp_path: Path, message: object) -> None:
    """A reason that is no text is empty: HTTP allows that."""
    document = changed(recording(PAIR), "interactions.0.response.status.message", message)
    assert "" == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].reason


@pytest.mark.parametrize(
    ("method", "status", "body"),
    [
        ("HEAD", 200, {"string": None}),
        ("HEAD", 200, None),
        ("HEAD", 200, {"string": ""}),
        ("HEAD", 200, {}),
        ("GET", 204, None),
        ("GET", 304, {"string": None}),
    ],
    ids=shown,
)
def test_where_there_can_be_no_body_it_may_be_null(tmp_path: Path, method: str, status: int, body: object) -> None:
    """Some clients hand vcrpy nothing at all there."""
    document = changed(recording([Exchange(method=method, status=status)]), "interactions.0.response.body", body)
    (found,) = load(write_pair(tmp_path / "a.yaml", document, None)).interactions
    assert (b"", False, Content(b"", b"", ())) == (found.body, found.has_body, found.content)


def test_headers_may_be_pairs(tmp_path: Path) -> None:
    """vcrpy writes them so for tornado, in the order in which they came; none are an empty list."""
    pairs = [["X-B", ["1", "2"]], ["X-A", ["3"]]]
    document = changed(recording(PAIR), "interactions.0.response.headers", pairs)
    document = changed(document, "interactions.1.response.headers", [])
    first, second = load(write_pair(tmp_path / "a.yaml", document, None)).interactions
    assert (("X-B", "1"), ("X-B", "2"), ("X-A", "3")) == first.headers
    assert () == second.headers


@pytest.mark.parametrize(
    ("body", "loaded"),
    [
        (b"4\r\ntwo \r\n6\r\nchunks\r\n0\r\n\r\n", b"two chunks"),
        (b"0\r\n\r\n", b""),
        (b"two chunks", b"two chunks"),
        (b"4\r\ntwo \r\n6\r\nchun", b"4\r\ntwo \r\n6\r\nchun"),
        (b"4\r\ntwo \r\n", b"4\r\ntwo \r\n"),
        (b"", b""),
    ],
    ids=["framed", "framed and empty", "not framed", "cut", "without an end", "empty"],
)
def test_a_streamed_request_body_is_kept_without_its_framing(tmp_path: Path, body: bytes, loaded: bytes) -> None:
    """Up to vcrpy 4 it was kept with it; a body without stays as it is."""
    document = changed(recording(PAIR), "interactions.0.request.body", body)
    document = changed(document, "interactions.0.request.headers", {"Transfer-Encoding": ["chunked"]})
    document = changed(document, "interactions.1.request.body", body)
    first, second = load(write_pair(tmp_path / "a.yaml", document, None)).interactions
    assert (loaded, body) == (first.request_body, second.request_body)


def test_headers_may_have_bare_values_beside_an_address(tmp_path: Path) -> None:
    """vcrpy 1 to 3 wrote them so for aiohttp."""
    document = changed(recording(PAIR), "interactions.0.response.url", f"{SITE}/a")
    document = changed(document, "interactions.0.response.headers", {"Vary": "Accept"})
    assert (("Vary", "Accept"),) == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].headers


def test_headers_may_be_bytes(tmp_path: Path) -> None:
    """Some clients hand vcrpy the bytes of the wire; they are read as Latin-1, byte for byte."""
    document = changed(recording(PAIR), "interactions.0.response.headers", {"X-Place": [b"caf\xe9"]})
    assert (("X-Place", "caf\xe9"),) == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].headers


def test_an_old_answer_to_httpx_is_an_answer(tmp_path: Path) -> None:
    """Before vcrpy 6 it was written with other names, its body decoded under the headers of the compressed one."""
    old = {
        "status_code": 404,
        "http_version": "HTTP/1.1",
        "headers": {"Content-Encoding": ["gzip"], "Content-Length": ["25"]},
        "content": "no such page",
    }
    document = changed(recording(PAIR), "interactions.0.response", old)
    found = load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0]
    assert (404, "", b"no such page") == (found.status, found.reason, found.body)
    assert Content(b"no such page", None, ("gzip",)) == found.content


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("status_code", "200", "response.status.code: expected a whole number, found text ('200')"),
        ("status_code", None, "response.status.code: expected a whole number, found nothing"),
        ("headers", GONE, "response.headers: missing"),
        ("content", GONE, "response.body: expected text or bytes, found nothing"),
        ("content", 7, "response.body: expected text or bytes, found a whole number ('7')"),
    ],
    ids=shown,
)
def test_a_broken_old_answer_is_refused(tmp_path: Path, place: str, value: object, problem: str) -> None:
    """In the same words as a new one."""
    old = {"status_code": 200, "headers": {}, "content": "hello"}
    document = changed(recording(PAIR), "interactions.1.response", changed(old, place, value))
    path = write_pair(tmp_path / "bad.yaml", document, None)
    assert f"{path}: interaction 1: {problem}" == refusal(path)


TEXT_OF_PYTHON_2 = '!!python/unicode "caf\\xE9"'


def as_vcrpy_writes(value: object) -> str:
    """A value in YAML, with the tags for objects, indented to stand in a cassette."""
    text = value if isinstance(value, str) else yaml.dump(value)
    return text.strip().replace("\n", "\n      ")


@pytest.mark.parametrize(
    ("body", "loaded"),
    [
        (io.BytesIO(b"a file \xff"), b"a file \xff"),
        (iter([b"two", b" chunks"]), b"two chunks"),
        (iter([]), b""),
        ((b"two", b" chunks"), b"two chunks"),
        (TEXT_OF_PYTHON_2, b"caf\xc3\xa9"),
    ],
    ids=["a file", "an iterator", "an empty iterator", "a tuple", "text of Python 2"],
)
def test_a_request_body_may_be_what_vcrpy_pickled(tmp_path: Path, body: object, loaded: bytes) -> None:
    """Files and iterators that were sent, in the YAML that vcrpy makes of them: their content."""
    text = VALID.decode().replace("body: null", f"body: {as_vcrpy_writes(body)}", 1)
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    assert loaded == load(path).interactions[0].request_body


# What is no cassette


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"just words\n", "not a cassette: expected a mapping, found text ('just words')"),
        (VALID[: len(VALID) // 2] + b"\n  - [", "doesn't parse (truncated, or not a cassette?): while"),
        (b"a: !!bool maybe", "doesn't parse (truncated, or not a cassette?): "),
        (b"a: !!float ''", "doesn't parse (truncated, or not a cassette?): "),
        (b"a: !!timestamp today", "doesn't parse (truncated, or not a cassette?): "),
        (b"a: 2020-13-45", "doesn't parse (truncated, or not a cassette?): month must be in 1..12"),
        (b"? [a]\n: b", "doesn't parse (truncated, or not a cassette?): "),
        (b"{}", "version: missing; the file is truncated, or no cassette. Record it again"),
        (b"version: '1'\ninteractions: []", "version: expected 1, found '1'; record it again"),
        (b"version: 1", "interactions: expected a list with entries; nothing was recorded here"),
        (b"version: 1\ninteractions: {a: b}", "interactions: expected a list with entries; nothing was recorded here"),
        (b"version: 1\ninteractions: [null]", "interaction 0: interaction: expected a mapping, found nothing"),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
def test_what_is_no_cassette_is_refused(tmp_path: Path, raw: bytes, problem: str) -> None:
    """Anything but a mapping of version 1 with a list of interactions; the message begins with the file."""
    path = tmp_path / "bad.yaml"
    path.write_bytes(raw)
    expected = f"{path}: {problem}"
    assert expected == refusal(path)[: len(expected)]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "doesn't parse (truncated, or not a cassette?): Expecting value"),
        (b'{"version": 1, "interac', "doesn't parse (truncated, or not a cassette?): Unterminated string"),
        (b'"\xff"', "doesn't parse (truncated, or not a cassette?): 'utf-8' codec"),
        (b"[" * 100_000, "doesn't parse (truncated, or not a cassette?): maximum recursion depth"),
        (b"[]", "not a cassette: expected a mapping, found a list"),
    ],
    ids=["empty", "truncated", "not UTF-8", "deep", "a list"],
)
def test_json_that_is_no_cassette_is_refused_alike(tmp_path: Path, raw: bytes, problem: str) -> None:
    """The other format of vcrpy's is read with the same care."""
    path = tmp_path / "bad.json"
    path.write_bytes(raw)
    expected = f"{path}: {problem}"
    assert expected == refusal(path)[: len(expected)]


def test_a_hostile_tag_runs_nothing(tmp_path: Path) -> None:
    """A tag that would call a function is refused, and the function not called."""
    path = tmp_path / "hostile.yaml"
    path.write_text(f'a: !!python/object/apply:os.mkdir ["{tmp_path / "made"}"]')
    assert "python/object/apply:os.mkdir" in refusal(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("place", "text", "instead"),
    [
        ("version: ", "version: 1", "version: HUGE"),
        ("interaction 0: response.status.code: ", "code: 200", "code: HUGE"),
        ("interaction 0: request.method: ", "method: GET", "method: HUGE"),
        ("interaction 0: request.body: ", "body: null", "body: HUGE"),
        ("interaction 0: response.headers['a']: ", "headers: {}", "headers: {a: [HUGE]}"),
        ("interaction 0: response.headers[", "headers: {}", "headers: {? HUGE : a}"),
    ],
)
def test_a_number_of_thousands_of_digits_is_only_wrong(tmp_path: Path, place: str, text: str, instead: str) -> None:
    """Python would not write it out; the message does without."""
    path = tmp_path / "bad.yaml"
    path.write_text(VALID.decode().replace(text, instead.replace("HUGE", "0x" + "f" * 5000), 1))
    assert f"{path}: {place}" == refusal(path)[: len(f"{path}: {place}")]


# Interactions


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("request", [], "request: expected a mapping, found a list ('[]')"),
        ("request.uri", 7, "request.uri: expected text, found a whole number ('7')"),
        ("request.uri", "", "request.uri: expected an http or https address, found ''"),
        ("request.uri", "/a", "request.uri: expected an http or https address, found '/a'"),
        ("request.uri", "http:///a", "request.uri: expected an http or https address, found 'http:///a'"),
        ("request.uri", "http://[a/b", "request.uri: Invalid IPv6 URL: 'http://[a/b'"),
        ("request.uri", "http://a/\r\nb", "request.uri: "),
        ("request.method", GONE, "request.method: missing"),
        ("request.method", None, "request.method: expected text, found nothing"),
        ("request.body", date(2026, 1, 2), "request.body: expected text or bytes, found date"),
        ("request.body", {"a": b"\xff"}, "request.body: can't be read: Object of type bytes is not JSON serializable"),
        ("response", "hello", "response: expected a mapping, found text ('hello')"),
        ("response.status", 200, "response.status: expected a mapping, found a whole number ('200')"),
        ("response.status.code", GONE, "response.status.code: missing"),
        ("response.status.code", True, "response.status.code: expected a whole number, found bool ('True')"),
        ("response.status.code", 200.0, "response.status.code: expected a whole number, found float ('200.0')"),
        ("response.status.code", 199, "response.status.code: expected 200 to 999, found 199"),
        ("response.status.code", 1000, "response.status.code: expected 200 to 999, found 1000"),
        ("response.status.code", -200, "response.status.code: expected 200 to 999, found -200"),
        ("response.status.message", "OK\r\nSet-Cookie: a=1", "response.status.message: holds a line break or a null"),
        ("response.body", {"text": "a"}, "response.body: expected text or bytes, found nothing"),
        ("response.body", {"string": 7}, "response.body: expected text or bytes, found a whole number ('7')"),
        ("response.headers", None, "response.headers: expected a mapping, found nothing"),
        ("response.headers", ["a"], "response.headers: expected a mapping, found a list ("),
        ("response.headers", [["a"]], "response.headers: expected a mapping, found a list ("),
        ("response.headers", [["a", "b"]], "response.headers['a']: expected a list of values, found text ('b')"),
        ("request.headers", "none", "request.headers: expected a mapping, found text ('none')"),
        ("request.headers", {"A": ["b\nC: d"]}, "request.headers['A']: holds a line break or a null"),
        ("response.headers", {7: ["a"]}, "response.headers[7]: expected a list of values, found a list"),
        ("response.headers", {"A": ["b\nC: d"]}, "response.headers['A']: holds a line break or a null"),
        ("response.headers", {"A\r\nB": ["c"]}, "response.headers['A\\r\\nB']: holds a line break or a null"),
        ("response.headers", {"A": ["b\0"]}, "response.headers['A']: holds a line break or a null"),
        ("response.headers", {"A:": ["c"]}, "response.headers['A:']: not a name that a header can have"),
        ("response.headers", {"": ["c"]}, "response.headers['']: not a name that a header can have"),
    ],
    ids=shown,
)
def test_an_interaction_that_cant_be_played_is_refused(tmp_path: Path, place: str, value: object, problem: str) -> None:
    """The message names the file, the interaction, the field, what it should be and what it is."""
    document = changed(recording(PAIR), f"interactions.1.{place}", value)
    path = write_pair(tmp_path / "bad.yaml", document, timings(PAIR))
    expected = f"{path}: interaction 1: {problem}"
    assert expected == refusal(path)[: len(expected)]


HALF = f"{SITE}/\ud800"


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        ("request.uri", HALF, "request.uri"),
        ("request.method", HALF, "request.method"),
        ("request.body", HALF, "request.body"),
        ("response.status.message", HALF, "response.status.message"),
        ("response.headers", {"A": [HALF]}, "response.headers['A']"),
        ("response.body", HALF, "response.body"),
    ],
    ids=lambda value: value if isinstance(value, str) and value != HALF else "",
)
def test_half_a_character_is_refused(tmp_path: Path, place: str, value: object, field: str) -> None:
    """JSON can hold one half of a surrogate pair, which no wire can."""
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(changed(recording(PAIR), f"interactions.1.{place}", value)))
    assert f"{path}: interaction 1: {field}: undecodable: surrogates not allowed" == refusal(path)


def test_the_first_of_several_faults_is_named(tmp_path: Path) -> None:
    """Interactions are looked at in order."""
    document = changed(recording(PAIR), "interactions.1.request.uri", 7)
    document = changed(document, "interactions.0.response.status.code", 7)
    assert "interaction 0: response.status.code" in refusal(write_pair(tmp_path / "bad.yaml", document, None))
