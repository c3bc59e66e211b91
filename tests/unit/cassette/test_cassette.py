"""What makes a cassette valid, and what is said of one that isn't: the file, the interaction and the field."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from laptime.cassette import CassetteError, Content, Interaction, Timing, _load, load, sidecar_path
from tests.support import (
    HANG_LIMIT_S,
    SITE,
    Exchange,
    contents,
    recording,
    timing,
    timings,
    write_cassette,
    write_pair,
)

GONE = object()
"""In place of a value: there is none."""
PAIR = (Exchange(f"{SITE}/a"), Exchange(f"{SITE}/b"))
VALID = yaml.safe_dump(recording(PAIR)).encode()


def shown(value: object) -> str:
    """A parameter in the name of a test."""
    return "GONE" if value is GONE else repr(value)[:40]


def changed(document: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """The document with the value at a dotted place replaced, or gone."""
    *way, last = (int(key) if key.isdigit() else key for key in place.split("."))
    holder: Any = document
    for key in way:
        holder = holder[key]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return document


def refusal(path: Path) -> str:
    """Why a cassette is refused. Whatever is wrong with it, nothing in its directory is touched."""
    before = contents(path.parent)
    with pytest.raises(CassetteError) as refused:
        load(path)
    assert before == contents(path.parent)
    return str(refused.value)


TEXT_OF_PYTHON_2 = '!!python/unicode "caf\\xE9"'


def as_vcrpy_writes(value: object) -> str:
    """A value in YAML, with the tags for objects, indented to stand in a cassette."""
    text = value if isinstance(value, str) else yaml.dump(value)
    return text.strip().replace("\n", "\n      ")


# A valid pair


def test_a_pair_is_loaded_as_it_was_recorded(tmp_path: Path) -> None:
    """Requests, responses, times and digest, in the units of the files."""
    passes = [timing(200.5 + number, connect=30, chunks=[(0.0, 10), (1.5, 20)]) for number in range(5)]
    first = Exchange(
        f"{SITE}/a?b=c", "POST", 404, "Not Found", {"Vary": ["Accept"], "Set-Cookie": ["a=1", "b=2"]}, b"\xff", passes
    )
    path = write_cassette(tmp_path / "pair.yaml", first, Exchange(f"{SITE}/b"))
    loaded = load(path)
    headers = (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Vary", "Accept"))
    times = tuple(Timing(30.0, -1.0, 0.0, 200.5 + number, 0.0, ((0.0, 10), (1.5, 20))) for number in range(5))
    assert (
        Interaction(
            index=0,
            method="POST",
            uri=f"{SITE}/a?b=c",
            request_headers=(("Accept", "*/*"),),
            request_body=b"",
            status=404,
            reason="Not Found",
            headers=headers,
            body=b"\xff",
            content=Content(b"\xff", b"\xff", ()),
            timings=times,
        )
        == (loaded.interactions[0])
    )
    assert [0, 1] == [interaction.index for interaction in loaded.interactions]
    assert ("stand-in", 5, path) == (loaded.origin_kind, loaded.passes, loaded.path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == loaded.sha256


def test_a_cassette_without_side_car_has_no_times(tmp_path: Path) -> None:
    """It loads: whether that will do is for the latency mode to say."""
    loaded = load(write_cassette(tmp_path / "bare.yaml", *PAIR, timed=False))
    assert (None, 0, [(), ()]) == (loaded.origin_kind, loaded.passes, [one.timings for one in loaded.interactions])


def test_loading_writes_nothing(tmp_path: Path) -> None:
    """Neither a pair nor a cassette alone is touched, nor anything beside them."""
    paths = [write_cassette(tmp_path / "pair.yaml", *PAIR), write_cassette(tmp_path / "bare.yaml", *PAIR, timed=False)]
    before = contents(tmp_path)
    assert [2, 2] == [len(load(path).interactions) for path in paths]
    assert before == contents(tmp_path)


def test_a_cassette_may_be_json(tmp_path: Path) -> None:
    """vcrpy writes either; the side-car has the same name."""
    path = tmp_path / "pair.json"
    path.write_text(json.dumps(recording(PAIR)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "pair.timings.json").write_text(json.dumps(timings(PAIR) | {"cassette_sha256": digest}))
    assert [f"GET {SITE}/a", f"GET {SITE}/b"] == [one.request for one in load(path).interactions]


@pytest.mark.parametrize(("name", "sidecar"), [("a.yaml", "a.timings.json"), ("a.b.yaml", "a.b.timings.json")])
def test_the_side_car_stands_beside_its_cassette(tmp_path: Path, name: str, sidecar: str) -> None:
    """The same name with another ending."""
    assert tmp_path / sidecar == sidecar_path(tmp_path / name)


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


@pytest.mark.parametrize("message", [None, GONE, 7], ids=["null", "missing", "a number"])
def test_a_response_may_have_no_reason(tmp_path: Path, message: object) -> None:
    """A reason that is no text is empty: HTTP allows that."""
    document = changed(recording(PAIR), "interactions.0.response.status.message", message)
    assert "" == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].reason


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("DELETE", 204)], ids=shown)
@pytest.mark.parametrize("body", [{"string": None}, None, {"string": ""}, {}], ids=shown)
def test_where_there_can_be_no_body_it_may_be_null(tmp_path: Path, method: str, status: int, body: object) -> None:
    """Some clients hand vcrpy nothing at all there."""
    document = changed(recording([Exchange(method=method, status=status)]), "interactions.0.response.body", body)
    (found,) = load(write_pair(tmp_path / "a.yaml", document, None)).interactions
    assert (b"", False, Content(b"", b"", ())) == (found.body, found.has_body, found.content)


def test_an_empty_mapping_is_an_empty_body(tmp_path: Path) -> None:
    """vcrpy writes it so for an answer to aiohttp that had none."""
    document = changed(recording(PAIR), "interactions.0.response.body", {})
    assert b"" == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].body


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


def test_a_method_is_upper_case(tmp_path: Path) -> None:
    """However it was recorded, as it stands in a request line."""
    assert (
        "GET" == load(write_cassette(tmp_path / "a.yaml", Exchange(method="get"), timed=False)).interactions[0].method
    )


@pytest.mark.parametrize(
    ("uri", "origin", "target"),
    [
        ("https://example.com", "https://example.com", "/"),
        ("https://example.com/a/b?c=d&e", "https://example.com", "/a/b?c=d&e"),
        ("http://example.com:8901/?", "http://example.com:8901", "/"),
        ("http://example.com?a=1", "http://example.com", "/?a=1"),
        ("http://example.com/a%2Fb?q=%27#part", "http://example.com", "/a%2Fb?q=%27"),
        ("http://[::1]:8901/x", "http://[::1]:8901", "/x"),
        ("http://[::1]:80/x", "http://[::1]", "/x"),
        ("https://example.com:443/x", "https://example.com", "/x"),
        ("https://example.com:80/x", "https://example.com:80", "/x"),
        ("http://Example.COM/X", "http://example.com", "/X"),
        ("http://me:secret@example.com/x", "http://example.com", "/x"),
        ("http://example.com:/x", "http://example.com", "/x"),
    ],
)
def test_an_address_is_an_origin_and_a_target(tmp_path: Path, uri: str, origin: str, target: str) -> None:
    """Scheme, host and a port of its own; path and query as in a request line, not decoded, without the fragment."""
    found = load(write_cassette(tmp_path / "a.yaml", Exchange(uri))).interactions[0]
    assert (origin, target) == (found.origin, found.target)


def test_origins_are_in_order_of_first_appearance(tmp_path: Path) -> None:
    """Each once; another port or scheme is another origin."""
    uris = ["http://b.test/1", "http://a.test/1", "http://b.test/2", "https://b.test/1", "http://b.test:81/1"]
    path = write_cassette(tmp_path / "a.yaml", *map(Exchange, uris))
    assert ("http://b.test", "http://a.test", "https://b.test", "http://b.test:81") == load(path).origins


# Files that are no cassettes

DEEP = "version: 1\ninteractions: " + "[" * 100_000
LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'ha'] * 10)}]\n" for n in range(8))


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not a cassette: expected a mapping, found nothing"),
        (b"just words\n", "not a cassette: expected a mapping, found text ('just words')"),
        (b"- 1\n", "not a cassette: expected a mapping, found a list"),
        (b"{a: [b", "doesn't parse (truncated, or not a cassette?): while parsing"),
        (VALID[: len(VALID) // 2] + b"\n  - [", "doesn't parse (truncated, or not a cassette?): while"),
        (b"\x80\x81\x82", "doesn't parse (truncated, or not a cassette?): "),
        (b"PK\x03\x04\x00", "doesn't parse (truncated, or not a cassette?): "),
        (
            b"a: !!python/object/apply:os.getcwd []",
            "doesn't parse (truncated, or not a cassette?): could not determine",
        ),
        (b"a: !!bool maybe", "doesn't parse (truncated, or not a cassette?): "),
        (b"a: !!int ''", "doesn't parse (truncated, or not a cassette?): "),
        (b"a: !!int many", "doesn't parse (truncated, or not a cassette?): "),
        (b"a: !!float ''", "doesn't parse (truncated, or not a cassette?): "),
        (b"a: !!timestamp today", "doesn't parse (truncated, or not a cassette?): "),
        (b"a: 2020-13-45", "doesn't parse (truncated, or not a cassette?): month must be in 1..12"),
        (b"? [a]\n: b", "doesn't parse (truncated, or not a cassette?): "),
        (b"{}", "version: missing; the file is truncated, or no cassette. Record it again"),
        (b"version: 2\ninteractions: []", "version: expected 1, found 2; record it again"),
        (b"version: '1'\ninteractions: []", "version: expected 1, found '1'; record it again"),
        (b"version: 1", "interactions: expected a list with entries; nothing was recorded here"),
        (b"version: 1\ninteractions: []", "interactions: expected a list with entries; nothing was recorded here"),
        (b"version: 1\ninteractions: {a: b}", "interactions: expected a list with entries; nothing was recorded here"),
        (b"version: 1\ninteractions: [null]", "interaction 0: interaction: expected a mapping, found nothing"),
        (b"version: 1\ninteractions: [hello]", "interaction 0: interaction: expected a mapping, found text ('hello')"),
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


LOADING = """
import resource, sys
from pathlib import Path
from laptime.cassette import CassetteError, load
resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
try:
    load(Path(sys.argv[1]))
except CassetteError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DEEP, "doesn't parse (truncated, or not a cassette?): "),
        (LAUGHS + "version: *a7", "version: expected 1, found "),
        (LAUGHS + "version: 1\ninteractions: [*a7]", "interaction 0: interaction: expected a mapping, found a list"),
    ],
    ids=["deep nesting", "a version of a billion laughs", "an interaction of a billion laughs"],
)
def test_a_bomb_is_refused_and_brings_nothing_down(tmp_path: Path, text: str, problem: str) -> None:
    """Neither the stack nor the memory of the process that loads it overflows (hence a process of its own)."""
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    command = [sys.executable, "-c", LOADING, str(path)]
    loading = subprocess.run(command, capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False)
    assert (0, "") == (loading.returncode, loading.stderr)
    expected = f"{path}: {problem}"
    assert expected == loading.stdout[: len(expected)]


def test_a_cassette_that_is_missing_can_be_recorded(tmp_path: Path) -> None:
    """The message has the command that makes it."""
    path = tmp_path / "quotes.yaml"
    assert f"{path}: no such cassette. Record it with `pytest --http=record -k quotes`." == refusal(path)


def test_a_directory_is_no_cassette(tmp_path: Path) -> None:
    """It can't be read, and that is said."""
    (tmp_path / "dir.yaml").mkdir()
    assert f"{tmp_path / 'dir.yaml'}: can't be read: Is a directory" == refusal(tmp_path / "dir.yaml")


def test_a_side_car_that_cant_be_read_is_refused(tmp_path: Path) -> None:
    """It isn't as if there were none."""
    path = write_cassette(tmp_path / "a.yaml", *PAIR, timed=False)
    sidecar_path(path).mkdir()
    assert f"{sidecar_path(path)}: can't be read: Is a directory" == refusal(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is looked at first: the message has both sizes, and what to do."""
    path = tmp_path / "large.yaml"
    path.write_bytes(b"\xff" * (3 * 2**20))  # it would not parse
    monkeypatch.setattr(_load, "MAX_FILE_BYTES", 2 * 2**20)
    assert f"{path}: 3 MiB; a cassette is at most 2 MiB. Record fewer requests in one file." == refusal(path)


def test_a_side_car_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is that of any file."""
    path = write_cassette(tmp_path / "a.yaml", *PAIR)
    sidecar_path(path).write_bytes(b" " * (3 * 2**20))
    monkeypatch.setattr(_load, "MAX_FILE_BYTES", 2 * 2**20)
    assert f"{sidecar_path(path)}: 3 MiB" in refusal(path)


# Interactions


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("request", GONE, "request: missing"),
        ("request", [], "request: expected a mapping, found a list ('[]')"),
        ("request.uri", GONE, "request.uri: missing"),
        ("request.uri", 7, "request.uri: expected text, found a whole number ('7')"),
        ("request.uri", "", "request.uri: expected an http or https address, found ''"),
        ("request.uri", "/a", "request.uri: expected an http or https address, found '/a'"),
        ("request.uri", "ftp://a/b", "request.uri: expected an http or https address, found 'ftp://a/b'"),
        ("request.uri", "http:///a", "request.uri: expected an http or https address, found 'http:///a'"),
        ("request.uri", "http://[a/b", "request.uri: Invalid IPv6 URL: 'http://[a/b'"),
        ("request.uri", "http://a/\r\nb", "request.uri: "),
        ("request.method", GONE, "request.method: missing"),
        ("request.method", None, "request.method: expected text, found nothing"),
        ("request.body", date(2026, 1, 2), "request.body: expected text or bytes, found date"),
        ("request.body", {"a": b"\xff"}, "request.body: can't be read: Object of type bytes is not JSON serializable"),
        ("response", GONE, "response: missing"),
        ("response", "hello", "response: expected a mapping, found text ('hello')"),
        ("response.status", 200, "response.status: expected a mapping, found a whole number ('200')"),
        ("response.status.code", GONE, "response.status.code: missing"),
        ("response.status.code", "200", "response.status.code: expected a whole number, found text ('200')"),
        ("response.status.code", True, "response.status.code: expected a whole number, found bool ('True')"),
        ("response.status.code", 200.0, "response.status.code: expected a whole number, found float ('200.0')"),
        ("response.status.code", 100, "response.status.code: expected 200 to 999, found 100"),
        ("response.status.code", 199, "response.status.code: expected 200 to 999, found 199"),
        ("response.status.code", 99, "response.status.code: expected 200 to 999, found 99"),
        ("response.status.code", 1000, "response.status.code: expected 200 to 999, found 1000"),
        ("response.status.code", -200, "response.status.code: expected 200 to 999, found -200"),
        ("response.status.message", "OK\r\nSet-Cookie: a=1", "response.status.message: holds a line break or a null"),
        ("response.body", GONE, "response.body: missing"),
        ("response.body", None, "response.body: expected text or bytes, found nothing"),
        ("response.body", {"string": None}, "response.body: expected text or bytes, found nothing"),
        ("response.body", {"text": "a"}, "response.body: expected text or bytes, found nothing"),
        ("response.body", {"string": 7}, "response.body: expected text or bytes, found a whole number ('7')"),
        ("response.headers", GONE, "response.headers: missing"),
        ("response.headers", None, "response.headers: expected a mapping, found nothing"),
        ("response.headers", ["a"], "response.headers: expected a mapping, found a list ("),
        ("response.headers", [["a"]], "response.headers: expected a mapping, found a list ("),
        ("response.headers", [["a", "b"]], "response.headers['a']: expected a list of values, found text ('b')"),
        ("request.headers", "none", "request.headers: expected a mapping, found text ('none')"),
        ("request.headers", {"A": ["b\nC: d"]}, "request.headers['A']: holds a line break or a null"),
        ("response.headers", {"Vary": "a"}, "response.headers['Vary']: expected a list of values, found text ('a')"),
        ("response.headers", {"Age": [7]}, "response.headers['Age']: expected text, found a whole number ('7')"),
        ("response.headers", {7: ["a"]}, "response.headers[7]: expected a list of values, found a list"),
        ("response.headers", {"A": ["b\r\nC: d"]}, "response.headers['A']: holds a line break or a null"),
        ("response.headers", {"A": ["b\nC: d"]}, "response.headers['A']: holds a line break or a null"),
        ("response.headers", {"A\r\nB": ["c"]}, "response.headers['A\\r\\nB']: holds a line break or a null"),
        ("response.headers", {"A": ["b\0"]}, "response.headers['A']: holds a line break or a null"),
        ("response.headers", {"A B": ["c"]}, "response.headers['A B']: not a name that a header can have"),
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


# Side-cars

WHOLE = timing(chunks=[(0.0, 5)])
"""A pass over the five bytes of an answer."""


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("", "doesn't parse (truncated?): Expecting value"),
        ('{"version": 1, "interactions": [', "doesn't parse (truncated?): Expecting value"),
        ('{"version": NaN}', "version: expected a side-car of version 1"),
        ("[" * 100_000, "doesn't parse (truncated?): maximum recursion depth"),
        ("[]", "version: expected a side-car of version 1"),
        ("{}", "version: expected a side-car of version 1"),
        ('{"version": 2}', "version: expected a side-car of version 1"),
        ('{"version": "1"}', "version: expected a side-car of version 1"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_side_car_is_refused(tmp_path: Path, raw: str, problem: str) -> None:
    """A cassette isn't played as if it had no times, where there is a file that should hold them."""
    path = write_cassette(tmp_path / "a.yaml", *PAIR)
    sidecar_path(path).write_text(raw)
    expected = f"{sidecar_path(path)}: {problem}"
    assert expected == refusal(path)[: len(expected)]


def test_a_side_car_of_another_cassette_is_stale(tmp_path: Path) -> None:
    """A cassette changed by one byte since no longer goes with its times; the remedy records both."""
    path = write_cassette(tmp_path / "quotes.yaml", *PAIR)
    path.write_bytes(path.read_bytes() + b"\n")
    problem = "these timings belong to another quotes.yaml, which was changed since"
    remedy = "Record both again with `pytest --http=record -k quotes`."
    assert f"{sidecar_path(path)}: cassette_sha256: {problem}. {remedy}" == refusal(path)


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("cassette_sha256", None, "cassette_sha256: these timings belong to another a.yaml"),
        ("origin", GONE, "origin: expected 'live' or 'stand-in', found None"),
        ("origin", "made up", "origin: expected 'live' or 'stand-in', found 'made up'"),
        ("interactions", GONE, "interactions: expected 2, as in a.yaml; found nothing"),
        ("interactions", {}, "interactions: expected 2, as in a.yaml; found a mapping"),
        ("interactions.1", GONE, "interactions: expected 2, as in a.yaml; found 1"),
        ("interactions", [{}] * 3, "interactions: expected 2, as in a.yaml; found 3"),
        ("interactions.1", None, "interaction 1: interaction: expected a mapping, found nothing"),
        ("interactions.1.request", GONE, f"interaction 1: request: expected 'GET {SITE}/b', found None"),
        (
            "interactions.1.request",
            f"GET {SITE}/a",
            f"interaction 1: request: expected 'GET {SITE}/b', found 'GET {SITE}/a'",
        ),
        ("interactions.1.passes", GONE, "interaction 1: passes: missing"),
        ("interactions.1.passes", 7, "interaction 1: passes: expected a list, found a whole number ('7')"),
        ("interactions.1.passes.4", GONE, "interaction 1: passes: expected 5, as in interaction 0; found 4"),
        ("interactions.1.passes", [], "interaction 1: passes: expected 5, as in interaction 0; found 0"),
        ("interactions.1.passes", [WHOLE] * 6, "interaction 1: passes: expected 5, as in interaction 0; found 6"),
        ("interactions.0.passes", [WHOLE] * 6, "interaction 1: passes: expected 6, as in interaction 0; found 5"),
        ("repeats", 6, "repeats: says a whole number ('6'), and there are 5 passes"),
        ("repeats", "5", "repeats: says text ('5'), and there are 5 passes"),
        ("repeats", None, "repeats: says nothing, and there are 5 passes"),
    ],
    ids=shown,
)
def test_a_side_car_that_does_not_fit_is_refused(tmp_path: Path, place: str, value: object, problem: str) -> None:
    """It must name its cassette's digest, and each of its requests in order, with as many passes for each."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), changed(timings(PAIR), place, value))
    expected = f"{sidecar_path(path)}: {problem}"
    assert expected == refusal(path)[: len(expected)]


def test_four_passes_are_too_few(tmp_path: Path) -> None:
    """They would not show how much a site varies."""
    path = write_cassette(tmp_path / "a.yaml", Exchange(passes=[timing()] * 4))
    assert f"{sidecar_path(path)}: interaction 0: passes: expected 5 or more; found 4" == refusal(path)


TIMES = "expected 0 to 3,600,000 ms, found "


@pytest.mark.parametrize("part", ["connect", "ssl", "send", "wait", "receive"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "expected milliseconds, found nothing"),
        ("1.5", "expected milliseconds, found text ('1.5')"),
        (True, "expected milliseconds, found bool ('True')"),
        ([1], "expected milliseconds, found a list ('[1]')"),
        (-0.001, TIMES + "-0.001"),
        (-2, TIMES + "-2"),
        (3_600_000.1, TIMES + "3600000.1"),
        (1e300, TIMES + "1e+300"),
        (10**400, TIMES),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_time_that_cant_have_been_is_refused(tmp_path: Path, part: str, value: object, problem: str) -> None:
    """Not a number, below nothing, or over an hour: the message names the pass and the part of it."""
    document = changed(timings(PAIR), f"interactions.1.passes.3.{part}", value)
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    expected = f"{sidecar_path(path)}: interaction 1: passes[3].{part}: {problem}"
    assert expected == refusal(path)[: len(expected)]


@pytest.mark.parametrize("part", ["send", "wait", "receive"])
def test_only_connecting_may_not_apply(tmp_path: Path, part: str) -> None:
    """-1 says so of `connect` and `ssl`; of the others it is a time below nothing."""
    document = changed(timings(PAIR), f"interactions.1.passes.3.{part}", -1)
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    assert f"{sidecar_path(path)}: interaction 1: passes[3].{part}: {TIMES}-1" == refusal(path)


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("NaN", f"interaction 1: passes[3].wait: {TIMES}nan"),
        ("Infinity", f"interaction 1: passes[3].wait: {TIMES}inf"),
        ("-Infinity", f"interaction 1: passes[3].wait: {TIMES}-inf"),
        ("1e999", f"interaction 1: passes[3].wait: {TIMES}inf"),
    ],
)
def test_a_time_that_is_no_number_is_refused(tmp_path: Path, number: str, problem: str) -> None:
    """Python's JSON lets them pass; the last is a number to JSON, but none here."""
    path = write_pair(
        tmp_path / "a.yaml", recording(PAIR), changed(timings(PAIR), "interactions.1.passes.3.wait", 77.5)
    )
    sidecar = sidecar_path(path)
    sidecar.write_text(sidecar.read_text().replace("77.5", number))
    expected = f"{sidecar}: {problem}"
    assert expected == refusal(path)[: len(expected)]


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        (GONE, "missing"),
        ({}, "expected a list, found a mapping ('{}')"),
        ([7], "expected [offset_ms, bytes], found a whole number ('7')"),
        ([[1.0]], "expected [offset_ms, bytes], found a list ('[1.0]')"),
        ([[1.0, 2, 3]], "expected [offset_ms, bytes], found a list ('[1.0, 2, 3]')"),
        ([["0", 1]], "expected milliseconds, found text ('0')"),
        ([[True, 1]], "expected milliseconds, found bool ('True')"),
        ([[-1, 1]], TIMES + "-1"),
        ([[0.0, 1.5]], "expected a number of bytes, found float ('1.5')"),
        ([[0.0, True]], "expected a number of bytes, found bool ('True')"),
        ([[0.0, -1]], "expected a number of bytes, found a whole number ('-1')"),
        ([[0.0, 9 * 10**4299]] * 2, "expected a number of bytes, found a whole number ('900"),
        ([[0.0, 1], [2.0, 1], [1.5, 1]], "offsets must not go back, found 1.5 after 2.0"),
    ],
    ids=shown,
)
def test_chunks_that_cant_have_been_are_refused(tmp_path: Path, chunks: object, problem: str) -> None:
    """Each is an offset and a number of bytes, and none comes before the one before it."""
    document = changed(timings(PAIR), "interactions.1.passes.3.chunks", chunks)
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    expected = f"{sidecar_path(path)}: interaction 1: passes[3].chunks: {problem}"
    assert expected == refusal(path)[: len(expected)]


CHUNKED = "interactions.1.passes.3.chunks"


def with_chunks(sizes: list[int], size: object = GONE) -> dict[str, Any]:
    """The side-car with a pass whose chunks are of these sizes, and that states a size of the body or none."""
    document = changed(timings(PAIR), CHUNKED, [[0.5 * number, size] for number, size in enumerate(sizes)])
    return changed(document, "interactions.1.passes.3.bodySize", size)


@pytest.mark.parametrize("sizes", [[5], [2, 3], [0, 5, 0]], ids=str)
def test_chunks_add_up_to_the_body(tmp_path: Path, sizes: list[int]) -> None:
    """However it was cut."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), with_chunks(sizes))
    assert tuple(sizes) == tuple(size for _, size in load(path).interactions[1].timings[3].chunks)


@pytest.mark.parametrize(("sizes", "total"), [([], "0"), ([4], "4"), ([5, 1], "6"), ([5000], "5,000")], ids=str)
def test_chunks_that_add_up_to_another_body_are_refused(tmp_path: Path, sizes: list[int], total: str) -> None:
    """A side-car that was cut or mended by hand would play the body at a pace that never was."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), with_chunks(sizes))
    problem = f"interaction 1: passes[3].chunks: sizes add up to {total} bytes, of a body of 5"
    assert f"{sidecar_path(path)}: {problem}" == refusal(path)


@pytest.mark.parametrize(("stated", "sizes"), [(8, [8]), (8, [3, 5]), (0, [])], ids=str)
def test_a_pass_may_have_had_a_body_of_its_own(tmp_path: Path, stated: int, sizes: list[int]) -> None:
    """It says so itself, as pages change from visit to visit; then that is what its chunks add up to."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), with_chunks(sizes, stated))
    assert sum(sizes) == sum(size for _, size in load(path).interactions[1].timings[3].chunks)


@pytest.mark.parametrize(("stated", "sizes"), [(8, [5]), (5, [8]), ("5", [5]), (-1, []), (None, [8])], ids=str)
def test_a_size_of_its_own_binds_too(tmp_path: Path, stated: object, sizes: list[int]) -> None:
    """Where a pass states one, it is a number, and no other."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), with_chunks(sizes, stated))
    place = f"{sidecar_path(path)}: interaction 1: passes[3]."
    assert place == refusal(path)[: len(place)]


@pytest.mark.parametrize(
    ("exchange", "size"),
    [
        (Exchange(headers={"Content-Length": ["3"], "Content-Encoding": ["gzip"]}, body="decoded"), 3),
        (Exchange(headers={"content-length": [" 7 "]}, body="hello"), 7),
        (Exchange(headers={"Content-Encoding": ["gzip"]}, body=gzip.compress(b"hello", mtime=0)), 25),
        (Exchange(headers={"Content-Length": ["many"]}, body="hello"), 5),
        (Exchange(method="HEAD", headers={"Content-Length": ["51234"]}, body=""), 0),
        (Exchange(status=304, headers={"Content-Length": ["51234"]}, body=""), 0),
        (Exchange(headers={"Transfer-Encoding": ["chunked"], "Content-Encoding": ["gzip"]}, body="decoded"), None),
    ],
    ids=["stated", "stated otherwise", "as sent", "no number", "head", "not modified", "chunked and decoded"],
)
def test_the_bytes_of_the_wire_are_what_chunks_are_held_against(
    tmp_path: Path, exchange: Exchange, size: int | None
) -> None:
    """The stated length, else the body where that is what was sent; where nobody knows, any sum will do."""
    assert size == load(write_cassette(tmp_path / "a.yaml", exchange)).interactions[0].wire_bytes
    for total in (0, 3, 5, 7, 25, 51234):
        document = timings([exchange])
        for one in document["interactions"][0]["passes"]:
            del one["bodySize"]
            one["chunks"] = [[0.0, total]]
        path = write_pair(tmp_path / "a.yaml", recording([exchange]), document)
        assert ("" if size in (None, total) else "sizes add up to") in (said := refusal_of(path))
        assert bool(said) == (size not in (None, total))


def refusal_of(path: Path) -> str:
    """Why a cassette is refused; nothing where it isn't."""
    try:
        load(path)
    except CassetteError as error:
        return str(error)
    return ""


# A side-car that was written before its cassette


def pair_of(path: Path, *exchanges: Exchange) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a cassette, and its side-car."""
    write_cassette(path, *exchanges)
    return path.read_bytes(), json.loads(sidecar_path(path).read_text())


OLD = Exchange(f"{SITE}/a", passes=[timing(111)] * 5)
NEW = (Exchange(f"{SITE}/b", passes=[timing(222)] * 6), Exchange(f"{SITE}/c", passes=[timing(222)] * 6))


def test_a_recording_that_was_killed_leaves_the_old_pair_or_the_new_one(tmp_path: Path) -> None:
    """The side-car is put in place first, with the one that it replaces in it: both cassettes find their times."""
    path = tmp_path / "a.yaml"
    old_raw, old = pair_of(path, OLD)
    new_raw, new = pair_of(path, *NEW)
    sidecar_path(path).write_text(json.dumps(new | {"replaces": old}))
    path.write_bytes(old_raw)
    assert [[111.0] * 5] == [[one.wait_ms for one in found.timings] for found in load(path).interactions]
    path.write_bytes(new_raw)
    assert [[222.0] * 6] * 2 == [[one.wait_ms for one in found.timings] for found in load(path).interactions]


def test_a_first_timing_that_was_killed_leaves_the_cassette_without_times(tmp_path: Path) -> None:
    """Where the cassette that was to be replaced had no side-car, it still has none."""
    path = tmp_path / "a.yaml"
    old_raw, _ = pair_of(path, OLD)
    _, new = pair_of(path, *NEW)
    replaces = {"cassette_sha256": hashlib.sha256(old_raw).hexdigest()}
    sidecar_path(path).write_text(json.dumps(new | {"replaces": replaces}))
    path.write_bytes(old_raw)
    loaded = load(path)
    assert (None, 0, [()]) == (loaded.origin_kind, loaded.passes, [one.timings for one in loaded.interactions])


def test_a_cassette_recorded_again_unchanged_has_its_new_times(tmp_path: Path) -> None:
    """A deterministic origin gives the same bytes: of two side-cars that belong to it the newer one counts."""
    path = tmp_path / "a.yaml"
    _, old = pair_of(path, OLD)
    _, new = pair_of(path, Exchange(f"{SITE}/a", passes=[timing(222)] * 6))
    assert old["cassette_sha256"] == new["cassette_sha256"]
    sidecar_path(path).write_text(json.dumps(new | {"replaces": old}))
    assert [222.0] * 6 == [one.wait_ms for one in load(path).interactions[0].timings]


@pytest.mark.parametrize(
    "replaces", [None, [], "old", {}, {"cassette_sha256": None}, {"cassette_sha256": "0"}], ids=str
)
def test_a_third_cassette_finds_no_times_in_either(tmp_path: Path, replaces: object) -> None:
    """What replaces what is of no use to a cassette that is neither; nor is a broken note of it."""
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), timings(PAIR) | {"replaces": replaces})
    assert 5 == load(path).passes
    path.write_bytes(path.read_bytes() + b"\n")
    assert "cassette_sha256: these timings belong to another a.yaml" in refusal(path)


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("version", 2, "version: expected a side-car of version 1"),
        ("origin", "made up", "origin: expected 'live' or 'stand-in', found 'made up'"),
        ("interactions", {}, "interactions: expected 1, as in a.yaml; found a mapping"),
        ("interactions.0.passes.0.wait", "long", "interaction 0: passes[0].wait: expected milliseconds, found text"),
    ],
    ids=shown,
)
def test_a_replaced_side_car_is_held_to_the_same(tmp_path: Path, place: str, value: object, problem: str) -> None:
    """It was a side-car, and is used as one."""
    path = tmp_path / "a.yaml"
    _, new = pair_of(path, *NEW)
    old_raw, old = pair_of(path, OLD)
    sidecar_path(path).write_text(json.dumps(new | {"replaces": changed(old, place, value)}))
    assert old_raw == path.read_bytes()
    assert f"{sidecar_path(path)}: {problem}" in refusal(path)


def test_a_pass_must_be_a_mapping(tmp_path: Path) -> None:
    """The message names which one isn't."""
    document = changed(timings(PAIR), "interactions.1.passes.3", [1, 2])
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    assert f"{sidecar_path(path)}: interaction 1: passes[3]: expected a mapping, found a list ('[1, 2]')" == (
        refusal(path)
    )
