"""Recordings served over TLS, by an authority of the server's own."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from laptime.replay import ReplayServer
from tests.support import HANG_LIMIT_S, Exchange, Serve, Wire, bodies
from tests.support.replays import trusting


def test_a_stage_may_be_served_over_tls(serve: Serve) -> None:
    """To clients that trust its authority, by name and by number; connecting includes the handshake."""
    stage = serve(Exchange(headers={"Set-Cookie": ["a=1; Secure"]}), tls=True)
    assert "https://127.0.0.1:" == stage.url()[:18]
    assert stage.ca_file is not None
    trust = str(stage.ca_file)
    with requests.Session() as client:
        assert ["hello", "hello"] == [client.get(stage.url(), verify=trust, timeout=HANG_LIMIT_S).text for _ in "12"]
        assert {"a": "1"} == client.cookies.get_dict()
    with httpx.Client(verify=trusting(stage), timeout=HANG_LIMIT_S) as other:
        assert "hello" == other.get(stage.url()).text
        assert "hello" == other.get(stage.url().replace("127.0.0.1", "localhost")).text
    assert [True, False, True, True] == [visit.opened_ns >= 0 for visit in stage.end(log=True).log]


def test_who_does_not_trust_the_authority_is_not_served(serve: Serve) -> None:
    """The usual certificates don't vouch for it; the server goes on."""
    stage = serve(Exchange(), tls=True)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(stage.url(), timeout=HANG_LIMIT_S)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(stage.url(), timeout=HANG_LIMIT_S)
    assert "hello" == requests.get(stage.url(), verify=str(stage.ca_file), timeout=HANG_LIMIT_S).text
    assert {"GET /": 1} == stage.end().requests


def test_a_stage_without_tls_has_no_authority(serve: Serve) -> None:
    """There is nothing to trust; one with and one without may stand side by side."""
    secure, plain = serve(Exchange(body="secure"), tls=True), serve(Exchange(body="plain"))
    assert (None, "http://") == (plain.ca_file, plain.url()[:7])
    assert ["plain"] == bodies(plain, "/")
    assert "secure" == requests.get(secure.url(), verify=str(secure.ca_file), timeout=HANG_LIMIT_S).text


def test_plain_words_on_the_tls_port_end_the_connection(serve: Serve) -> None:
    """No answer could be read; others are served."""
    stage = serve(Exchange(), tls=True)
    with Wire(stage.url()) as wire:
        wire.ask("/")
        with suppress(ConnectionResetError):
            assert b"HTTP" not in wire.rest()
    assert "hello" == requests.get(stage.url(), verify=str(stage.ca_file), timeout=HANG_LIMIT_S).text


def test_tls_on_the_plain_port_ends_the_connection(serve: Serve) -> None:
    """The client finds no handshake there; others are served."""
    stage = serve(Exchange())
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(stage.url().replace("http:", "https:"), timeout=HANG_LIMIT_S)
    assert ["hello"] == bodies(stage, "/")
    assert ["400 Bad Request: not HTTP/1.1: "] == [text[:31] for text in stage.end().refused]


def test_the_authority_ends_with_its_server(tmp_path: Path) -> None:
    """Its files, key and all, are gone; another server has another."""
    with ReplayServer() as one, ReplayServer() as other:
        stages = [Serve(server, tmp_path)(Exchange(), tls=True) for server in (one, other)]
        files = [stage.ca_file for stage in stages]
        assert all(file is not None and file.exists() for file in files)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(stages[0].url(), verify=str(files[1]), timeout=HANG_LIMIT_S)
    assert [(False, False)] * 2 == [(file.exists(), file.parent.exists()) for file in files if file is not None]


def test_a_key_is_nobody_elses(serve: Serve) -> None:
    """Its directory can be entered by its owner only."""
    stage = serve(Exchange(), tls=True)
    assert stage.ca_file is not None
    assert 0 == stage.ca_file.parent.stat().st_mode & 0o077


def test_without_trustme_tls_is_refused_with_the_remedy(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is an extra: the message says what to install, and the server goes on."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with ReplayServer() as server:
        own: Any = Serve(server, tmp_path)
        with pytest.raises(Exception, match=r"TLS needs trustme: `pip install 'laptime\[tls\]'`"):
            own(Exchange(), tls=True)
        assert ["hello"] == bodies(own(Exchange()), "/")
