"""Files that vcrpy 1 to 9 wrote through requests, urllib3, httpx, aiohttp and tornado (tests/corpus) are played."""

from __future__ import annotations

import base64
import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from laptime.cassette import CassetteError, load
from laptime.replay import Latency, ReplayServer
from tests.support import TESTS

CORPUS = TESTS / "corpus"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))
REFUSED = {
    # a FormData object: vcrpy 9 refuses to load it, too
    "vcrpy-4.4.0-aiohttp-form.yaml": "aiohttp.formdata.FormData",
}
LOSSY = "/binary"
"""Up to vcrpy 5 only those bytes of httpx's answers were kept that were UTF-8."""
SENT = {("vcrpy-4.4.0-aiohttp-objects.yaml", 0): b"grey heron"}
"""vcrpy had read the file before aiohttp could send it: the origin received nothing, and the cassette holds it."""
FILES = sorted(set(EXPECTED) - set(REFUSED))


def decoded(body: bytes, headers: list[tuple[str, str]]) -> bytes:
    """As a client that knows all codings decodes it."""
    received = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return httpx.Response(200, headers=received, content=body).content


def test_every_file_is_expected_to_be_something() -> None:
    """No file of the corpus is left out."""
    assert sorted(EXPECTED) == sorted(path.name for path in CORPUS.glob("vcrpy-*"))


@pytest.mark.parametrize("name", FILES)
def test_a_client_gets_what_the_recording_client_got(server: ReplayServer, name: str) -> None:
    """Status, body and redirect of each request, sent again as the origin received it, in the recorded order."""
    stage = server.load(CORPUS / name, Latency.parse("none"))
    url = urlsplit(stage.url())
    assert url.port is not None
    client = HTTPConnection("127.0.0.1", url.port, timeout=60)
    for index, expected in enumerate(EXPECTED[name]):
        sent = SENT.get((name, index)) or base64.b64decode(expected["request_body"] or "")
        client.request(expected["method"], expected["target"], body=sent or None)
        answer = client.getresponse()
        body = decoded(answer.read(), answer.getheaders())
        assert (expected["target"], expected["status"]) == (expected["target"], answer.status)
        if not (expected["target"] == LOSSY and "httpx" in name and name < "vcrpy-6"):
            assert base64.b64decode(expected["body"]) == body, expected["target"]
        location = expected["location"]
        assert (location and stage.url() + urlsplit(location).path) == answer.getheader("Location")
    client.close()
    assert ([], []) == (stage.end().unmatched, stage.end().refused)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_holds_objects_of_a_program_is_refused(name: str) -> None:
    """Nothing is made of a tag that names one."""
    with pytest.raises(CassetteError, match=REFUSED[name]):
        load(CORPUS / name)
