"""What makes a cassette valid, and what is said of one that isn't: the file, the interaction and the field."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from laptime.cassette import CassetteError, Interaction, Timing, _load, load, sidecar_path
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


@pytest.mark.parametrize(("body", "loaded"), [(None, b""), (GONE, b""), ("a=1", b"a=1"), (b"\xff", b"\xff")], ids=shown)
def test_a_request_may_have_a_body_or_none(tmp_path: Path, body: object, loaded: bytes) -> None:
    """None and nothing are no bytes."""
    document = changed(recording(PAIR), "interactions.0.request.body", body)
    assert loaded == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].request_body


@pytest.mark.parametrize("message", [None, GONE, 7], ids=["null", "missing", "a number"])
def test_a_response_may_have_no_reason(tmp_path: Path, message: object) -> None:
    """A reason that is no text is empty: HTTP allows that."""
    document = changed(recording(PAIR), "interactions.0.response.status.message", message)
    assert "" == load(write_pair(tmp_path / "a.yaml", document, None)).interactions[0].reason


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
        ("http://[::1]:80/x", "http://[::1]:80", "/x"),
    ],
)
def test_an_address_is_an_origin_and_a_target(tmp_path: Path, uri: str, origin: str, target: str) -> None:
    """Scheme, host and port; path and query as in a request line, not decoded, without the fragment."""
    found = load(write_cassette(tmp_path / "a.yaml", Exchange(uri))).interactions[0]
    assert (origin, target) == (found.origin, found.target)


def test_origins_are_in_order_of_first_appearance(tmp_path: Path) -> None:
    """Each once; another port or scheme is another origin."""
    uris = ["http://b.test/1", "http://a.test/1", "http://b.test/2", "https://b.test/1", "http://b.test:81/1"]
    path = write_cassette(tmp_path / "a.yaml", *map(Exchange, uris))
    assert ("http://b.test", "http://a.test", "https://b.test", "http://b.test:81") == load(path).origins


# Files that are no cassettes

VALID = yaml.safe_dump(recording(PAIR)).encode()
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
        (b"{}", "version: expected 1, found None; record it again"),
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
        ("request.body", 7, "request.body: expected text or bytes, found a whole number ('7')"),
        ("response", GONE, "response: missing"),
        ("response", "hello", "response: expected a mapping, found text ('hello')"),
        ("response.status", 200, "response.status: expected a mapping, found a whole number ('200')"),
        ("response.status.code", GONE, "response.status.code: missing"),
        ("response.status.code", "200", "response.status.code: expected a whole number, found text ('200')"),
        ("response.status.code", True, "response.status.code: expected a whole number, found bool ('True')"),
        ("response.status.code", 200.0, "response.status.code: expected a whole number, found float ('200.0')"),
        ("response.status.code", 99, "response.status.code: expected 100 to 999, found 99"),
        ("response.status.code", 1000, "response.status.code: expected 100 to 999, found 1000"),
        ("response.status.code", -200, "response.status.code: expected 100 to 999, found -200"),
        ("response.status.message", "OK\r\nSet-Cookie: a=1", "response.status.message: holds a line break or a null"),
        ("response.body", GONE, "response.body: expected text or bytes, found nothing"),
        ("response.body", None, "response.body: expected text or bytes, found nothing"),
        ("response.body", {"string": None}, "response.body: expected text or bytes, found nothing"),
        ("response.body", {"text": "a"}, "response.body: expected text or bytes, found a mapping"),
        ("response.body", {"string": 7}, "response.body: expected text or bytes, found a whole number ('7')"),
        ("response.headers", GONE, "response.headers: missing"),
        ("response.headers", [], "response.headers: expected a mapping, found a list ('[]')"),
        ("response.headers", {"Vary": "a"}, "response.headers['Vary']: expected a list of values, found text ('a')"),
        ("response.headers", {"Age": [7]}, "response.headers['Age']: expected text, found a whole number ('7')"),
        ("response.headers", {7: ["a"]}, "response.headers[7]: expected a list of values, found a list"),
        ("response.headers", {"A": ["b\r\nC: d"]}, "response.headers['A']: holds a line break or a null"),
        ("response.headers", {"A": ["b\nC: d"]}, "response.headers['A']: holds a line break or a null"),
        ("response.headers", {"A\r\nB": ["c"]}, "response.headers['A\\r\\nB']: holds a line break or a null"),
        ("response.headers", {"A": ["b\0"]}, "response.headers['A']: holds a line break or a null"),
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


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("", "doesn't parse (truncated?): Expecting value"),
        ('{"version": 1, "interactions": [', "doesn't parse (truncated?): Expecting value"),
        ('{"version": NaN}', "doesn't parse (truncated?): NaN is not a time"),
        ('{"version": Infinity}', "doesn't parse (truncated?): Infinity is not a time"),
        ('{"version": -Infinity}', "doesn't parse (truncated?): -Infinity is not a time"),
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
        (
            "interactions.1.passes.4",
            GONE,
            "passes: expected the same number, 5 or more, for each interaction; found [4, 5]",
        ),
        (
            "interactions.1.passes",
            [],
            "passes: expected the same number, 5 or more, for each interaction; found [0, 5]",
        ),
        (
            "interactions.1.passes",
            [timing()] * 6,
            "passes: expected the same number, 5 or more, for each interaction; ",
        ),
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
    problem = "expected the same number, 5 or more, for each interaction; found [4]"
    assert f"{sidecar_path(path)}: passes: {problem}" == refusal(path)


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
        ("NaN", "doesn't parse (truncated?): NaN is not a time"),
        ("Infinity", "doesn't parse (truncated?): Infinity is not a time"),
        ("-Infinity", "doesn't parse (truncated?): -Infinity is not a time"),
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
        ([[0.0, 1], [2.0, 1], [1.5, 1]], "offsets must not go back, found 1.5 after 2.0"),
    ],
    ids=shown,
)
def test_chunks_that_cant_have_been_are_refused(tmp_path: Path, chunks: object, problem: str) -> None:
    """Each is an offset and a number of bytes, and none comes before the one before it."""
    document = changed(timings(PAIR), "interactions.1.passes.3.chunks", chunks)
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    assert f"{sidecar_path(path)}: interaction 1: passes[3].chunks: {problem}" == refusal(path)


def test_a_pass_must_be_a_mapping(tmp_path: Path) -> None:
    """The message names which one isn't."""
    document = changed(timings(PAIR), "interactions.1.passes.3", [1, 2])
    path = write_pair(tmp_path / "a.yaml", recording(PAIR), document)
    assert f"{sidecar_path(path)}: interaction 1: passes[3]: expected a mapping, found a list ('[1, 2]')" == (
        refusal(path)
    )
