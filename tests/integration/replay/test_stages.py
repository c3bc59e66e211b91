"""What is put on stage, at which addresses, and what can't be."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
import requests

from laptime.cassette import CassetteError
from laptime.replay import Latency, LatencyError, ReplayServer
from tests.support import HANG_LIMIT_S, SITE, Exchange, Serve, Wire, bodies, contents, write_cassette


def test_each_origin_has_its_port(serve: Serve) -> None:
    """The same path is another request at another origin."""
    hosts = ["http://a.test", "https://a.test", "http://b.test:8080"]
    stage = serve(*(Exchange(f"{host}/page", body=host) for host in hosts))
    assert hosts == list(stage.origins)
    assert 3 == len({stage.url(host) for host in hosts})
    assert [[host] for host in hosts] == [bodies(stage, "/page", origin=host) for host in hosts]
    assert {"GET /page": 3} == stage.end().requests


def test_a_stage_is_on_loopback(serve: Serve) -> None:
    """Nobody else on the network can ask."""
    assert "http://127.0.0.1:" == serve(Exchange()).url()[:17]


def test_a_client_that_follows_a_redirect_stays_here(serve: Serve) -> None:
    """From one recorded origin to another, with their own ports; nothing but loopback is asked."""
    moved = {"Location": ["https://b.test:443/new?page=2"]}
    back = {"Location": ["//a.test:8080/home"], "Set-Cookie": ["seen=1; Domain=b.test; Path=/; Secure"]}
    stage = serve(
        Exchange("http://a.test:8080/old", status=302, reason="Found", headers=moved, body=""),
        Exchange("https://b.test/new?page=2", status=307, headers={"Location": ["http://a.test:8080/home"]}, body="on"),
        Exchange("http://a.test:8080/home", body="home"),
        Exchange("http://a.test:8080/back", status=303, headers=back, body=""),
    )
    here = [f"{stage.url('http://a.test:8080')}/old", f"{stage.url('https://b.test')}/new?page=2"]
    home = f"{stage.url('http://a.test:8080')}/home"
    with requests.Session() as client:
        answer = client.get(here[0], timeout=HANG_LIMIT_S)
        assert ("home", here, home) == (answer.text, [one.url for one in answer.history], answer.url)
        assert home == client.get(f"{stage.url('http://a.test:8080')}/back", timeout=HANG_LIMIT_S).url
    assert "home" == httpx.get(here[0], follow_redirects=True, timeout=HANG_LIMIT_S).text
    assert [] == stage.end().unmatched


def test_a_cookie_comes_back(serve: Serve) -> None:
    """Though it was set for another host, and to be sent over TLS only."""
    cookies = ["sid=4f2a; Domain=.site.test; Path=/; Secure; HttpOnly", "tide=low; Path=/tide"]
    stage = serve(Exchange(f"{SITE}/login", headers={"Set-Cookie": cookies}), Exchange(f"{SITE}/page"))
    with requests.Session() as client:
        client.get(f"{stage.url()}/login", timeout=HANG_LIMIT_S)
        assert "sid=4f2a" == client.get(f"{stage.url()}/page", timeout=HANG_LIMIT_S).request.headers["Cookie"]
    with httpx.Client(timeout=HANG_LIMIT_S) as other:
        other.get(f"{stage.url()}/login")
        assert "sid=4f2a" == other.get(f"{stage.url()}/page").request.headers["Cookie"]


def test_a_closed_stage_is_served_no_longer(serve: Serve) -> None:
    """Its ports are free, the other stages of the server go on."""
    closed, other = serve(Exchange()), serve(Exchange(body="other"))
    closed.close()
    with pytest.raises(ConnectionRefusedError):
        Wire(closed.url())
    assert ["other"] == bodies(other, "/")


@pytest.mark.parametrize("origin", [None, "http://c.test", "a.test", "http://a.test/"])
def test_an_origin_that_was_not_recorded_has_no_url(serve: Serve, origin: str | None) -> None:
    """The error lists those that were; which one is meant must be said where there are two."""
    stage = serve(Exchange("http://a.test/"), Exchange("http://b.test/"))
    with pytest.raises(KeyError) as refused:
        stage.url(origin)
    assert f"{stage.path}: origin {origin!r}; recorded are: http://a.test, http://b.test" == refused.value.args[0]


def test_an_only_origin_need_not_be_named(serve: Serve) -> None:
    """But it may be; another name is an error even so."""
    stage = serve(Exchange(f"{SITE}/a"))
    assert stage.url() == stage.url(SITE)
    with pytest.raises(KeyError, match=r"recorded are: http://site.test"):
        stage.url("http://other.test")


@pytest.fixture
def neighbours() -> tuple[socket.socket, socket.socket]:
    """Two listening sockets whose ports follow each other; a test closes those whose port it needs."""
    # below the ports that systems give to clients, and seldom the same in two processes
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with ExitStack() as opened:
            try:
                pair = [opened.enter_context(socket.create_server(("127.0.0.1", port + number))) for number in (0, 1)]
            except OSError:
                continue
            opened.pop_all()
            return pair[0], pair[1]
    pytest.fail("no two free ports in a row")


TWO_ORIGINS = (Exchange("http://a.test/"), Exchange("http://b.test/"))


def test_ports_may_be_chosen(
    server: ReplayServer, tmp_path: Path, neighbours: tuple[socket.socket, socket.socket]
) -> None:
    """The first origin gets the port that was named, the next one the next."""
    path, port = write_cassette(tmp_path / "two.yaml", *TWO_ORIGINS), neighbours[0].getsockname()[1]
    for taken in neighbours:
        taken.close()
    stage = server.load(path, Latency.parse("none"), port)
    assert {
        "http://a.test": f"http://127.0.0.1:{port}",
        "http://b.test": f"http://127.0.0.1:{port + 1}",
    } == stage.origins


def test_a_taken_port_is_an_error(
    server: ReplayServer, tmp_path: Path, neighbours: tuple[socket.socket, socket.socket]
) -> None:
    """It names the port; the origins before it don't keep theirs, and the server goes on."""
    path, port = write_cassette(tmp_path / "two.yaml", *TWO_ORIGINS), neighbours[0].getsockname()[1]
    neighbours[0].close()
    with closing(neighbours[1]), pytest.raises(OSError, match=str(port + 1)):
        server.load(path, Latency.parse("none"), port)
    stage = server.load(path, Latency.parse("none"), port)
    assert f"http://127.0.0.1:{port}" == stage.url("http://a.test")


@pytest.mark.parametrize("port", [70_000, -1])
def test_a_port_that_cant_be_is_an_error(server: ReplayServer, tmp_path: Path, port: int) -> None:
    """And the server goes on."""
    path = write_cassette(tmp_path / "one.yaml", Exchange())
    with pytest.raises(OSError, match=str(port)):
        server.load(path, Latency.parse("none"), port)
    assert ["hello"] == bodies(server.load(path, Latency.parse("none")), "/")


# Cassettes that can't be played


def test_a_cassette_without_side_car_is_refused_at_its_recorded_pace(serve: Serve) -> None:
    """It has none: the error names both ways out."""
    with pytest.raises(CassetteError) as refused:
        serve(Exchange(), timed=False)
    said = str(refused.value)
    parts = ["cassette0.yaml: no side-car", "pytest --http=record -k cassette0", "--latency fixed:50ms"]
    assert parts == [part for part in parts if part in said]


@pytest.mark.parametrize("latency", ["fixed:5ms", "none"])
def test_a_cassette_without_side_car_plays_at_a_stated_pace(serve: Serve, latency: str) -> None:
    """In every round the same."""
    stage = serve(Exchange(), timed=False, latency=latency)
    assert 1 == stage.passes
    for number in range(3):
        stage.begin(number)
        assert ["hello"] == bodies(stage, "/")


def test_a_broken_cassette_is_refused_and_left_alone(server: ReplayServer, tmp_path: Path) -> None:
    """With the same words as by `load`; the server goes on."""
    path = write_cassette(tmp_path / "stale.yaml", Exchange())
    path.write_bytes(path.read_bytes() + b"\n")
    before = contents(tmp_path)
    with pytest.raises(CassetteError, match=r"cassette_sha256: these timings belong to another stale.yaml"):
        server.load(path, Latency.parse("recorded"))
    assert before == contents(tmp_path)
    assert ["hello"] == bodies(server.load(write_cassette(tmp_path / "good.yaml", Exchange()), Latency("none")), "/")


def test_a_latency_that_cant_be_is_refused(server: ReplayServer, tmp_path: Path) -> None:
    """By the server too, should one get so far."""
    with pytest.raises(LatencyError, match=r"expected recorded, scale:0.1"):
        server.load(write_cassette(tmp_path / "a.yaml", Exchange()), Latency("backwards"))
