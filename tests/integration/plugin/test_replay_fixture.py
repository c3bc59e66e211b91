"""What the `replay` fixture gives a suite, and what a session does for it with processes and proxies around it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support import Exchange, write_cassette
from tests.support.here import pytest as pytest_in
from tests.support.sessions import (
    FAILED,
    OK,
    PLAIN,
    PYTEST,
    benchmarks,
    closed_port,
    run,
    write,
)
from tests.support.sessions import pytest as pytest_process
from tests.support.shop import SHORT, suite

# what stands around the session


SPAWNING = """
    import multiprocessing

    def test_workers():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert [False, True] == pool.map(is_loaded, ["_pytest", "shop"])
"""


@pytest.mark.parametrize("command", ["pytest", "py.test", "-m pytest"])
def test_however_pytest_is_started_spawned_workers_do_not_import_it(tmp_path, command):
    """The script and the module start workers alike, so that their figures can be compared."""
    script = Path(sys.executable).with_name(command)
    if command == "-m pytest":
        started = PYTEST
    elif script.exists():
        started = (script,)
    else:
        pytest.skip(f"no {command} beside {sys.executable}")
    ended = run(suite(tmp_path, test_spawn=(SPAWNING,)), *started, *PLAIN)
    assert OK == ended.code, ended.text


PROXIED = """
    import asyncio, multiprocessing, shutil, subprocess
    import aiohttp, httpx, requests
    from shop import price

    @pytest.fixture(scope="module")
    def stage(replay):
        return replay(HERE / "shop.yaml", "none")

    def test_requests(stage):
        assert 3 == requests.get(f"{stage.url()}/price/pear", timeout=60).json()

    def test_requests_by_name(stage):
        assert 3 == requests.get(f"{stage.url()}/price/pear".replace("127.0.0.1", "localhost"), timeout=60).json()

    def test_requests_over_tls(replay):
        stage = replay(HERE / "shop.yaml", "none", tls=True)
        assert 3 == requests.get(f"{stage.url()}/price/pear", timeout=60, verify=stage.ca_file).json()

    def test_httpx(stage):
        assert 3 == httpx.get(f"{stage.url()}/price/pear", timeout=60).json()

    def test_urllib(stage):
        assert 3 == price(stage.url(), "pear")

    def test_aiohttp(stage):
        async def ask():
            async with aiohttp.ClientSession(trust_env=True) as client:
                async with client.get(f"{stage.url()}/price/pear") as response:
                    return await response.text()

        assert "3" == asyncio.run(ask())

    @pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
    def test_curl(stage):
        command = ["curl", "--silent", "--show-error", "--fail", f"{stage.url()}/price/pear"]
        assert b"3" == subprocess.run(command, check=True, capture_output=True).stdout

    @pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
    def test_workers(stage, method):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert [3, 4] == pool.map(partial(price, stage.url()), NAMES)
"""


VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def test_a_proxy_does_not_take_the_requests_to_the_replay(tmp_path):
    """Not even one that is named in the environment for all addresses but another, whichever client or process asks."""
    with closed_port() as port:
        env = dict.fromkeys(VARIABLES, f"http://127.0.0.1:{port}")
        env |= dict.fromkeys(("NO_PROXY", "no_proxy"), "intranet.example")
        ended = pytest_process(suite(tmp_path, test_shop=(SHORT, PROXIED)), "--benchmark-json=out.json", env=env)
    assert OK == ended.code, ended.text
    assert ["test_short"] == list(benchmarks(tmp_path / "out.json"))


def test_the_environment_is_left_as_it_was(tmp_path):
    """Exceptions of one's own stay beside ours; where every address is one already, nothing is added."""
    tests = """
        def test_noted(replay):
            noted = [os.environ.get(name) for name in ("NO_PROXY", "no_proxy")]
            print(f"during: {noted}")
    """
    several = """
        import os, pytest

        for exempt in ((None, None), ("a.example", None), (None, "*"), ("a.example,*", "b.example,.c.example")):
            for name, value in zip(("NO_PROXY", "no_proxy"), exempt):
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            before = dict(os.environ)
            assert 0 == pytest.main(["-q", "-s", *PLAIN, "test_noted.py"])
            assert before == dict(os.environ), exempt
            os.environ.update(before)
    """
    write(suite(tmp_path, test_noted=(tests,)), several=several.replace("*PLAIN", str(PLAIN)[1:-1]))
    ended = run(tmp_path, sys.executable, "several.py")
    assert OK == ended.code, ended.text
    ours = "127.0.0.1,localhost"
    expected = [
        [ours, ours],
        [f"a.example,{ours}", ours],
        [ours, "*"],
        ["a.example,*", f"b.example,.c.example,{ours}"],
    ]
    assert [str(one) for one in expected] == re.findall(r"^during: (.*?)\.?$", ended.text, re.M)


# the replay itself, as a fixture

REPLAYED = """
    import requests
    from urllib.parse import urlsplit

    def test_a_stage_stands_for_its_origins(replay):
        stage = replay(HERE / "shop.yaml", "none")
        assert {"https://shop.test": stage.url()} == dict(stage.origins)
        assert stage.url("https://shop.test") == stage.url()
        assert ("http", "127.0.0.1") == (urlsplit(stage.url()).scheme, urlsplit(stage.url()).hostname)
        with pytest.raises(KeyError, match="origin 'https://other.test'; recorded are: https://shop.test"):
            stage.url("https://other.test")

    def test_a_path_may_be_text(replay):
        assert replay(str(HERE / "shop.yaml"), "none") == replay(HERE / "shop.yaml", "none")

    def test_without_tls_there_is_nothing_to_trust(replay):
        assert replay(HERE / "shop.yaml", "none").ca_file is None

    def test_tls(replay):
        stage = replay(HERE / "shop.yaml", "none", tls=True)
        assert stage.url().startswith("https://")
        assert 3 == requests.get(f"{stage.url()}/price/pear", verify=stage.ca_file, timeout=60).json()
        assert 4 == requests.get(
            f"{stage.url()}/price/plum".replace("127.0.0.1", "localhost"), verify=stage.ca_file, timeout=60
        ).json()
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{stage.url()}/price/pear", timeout=60)
        assert stage.ca_file == replay(HERE / "shop.yaml", "fixed:1ms", tls=True).ca_file

    def test_what_was_recorded(replay):
        stage = replay(HERE / "shop.yaml", "none")
        recorded = stage.interactions()
        assert ["https://shop.test/price/pear", "https://shop.test/price/plum"] == [one.uri for one in recorded]
        assert {"/price/pear": (200, b"3"), "/price/plum": (200, b"4")} == stage.responses()
        assert {} == stage.responses("POST")

    def test_what_was_served(replay):
        stage = replay(HERE / "shop.yaml", "fixed:2ms")
        assert [] == stage.take_log()
        with requests.Session() as client:
            for name in ("plum", "pear", "fig"):
                client.get(f"{stage.url()}/price/{name}", timeout=60)
        log = stage.take_log()
        assert [] == stage.take_log()
        asked = ["GET /price/plum", "GET /price/pear", "GET /price/fig"]
        assert asked == [visit.request for visit in log]
        assert [(1, 200), (0, 200), (-1, 599)] == [(visit.interaction, visit.status) for visit in log]
        assert [True, False, False] == [visit.opened_ns >= 0 for visit in log]
        for visit in log:
            assert visit.begun_ns <= visit.read_ns <= visit.due_ns <= visit.first_ns <= visit.done_ns
        assert all(visit.due_ns - visit.read_ns >= 2_000_000 for visit in log[:2])

    @pytest.mark.parametrize("origin", [None, "https://shop.test", "*"])
    def test_limits(replay, origin):
        limits = "rate:0.01:429"
        stage = replay(HERE / "shop.yaml", "none", limits=limits if origin is None else {origin: limits})
        stage.begin()
        assert [200, 429] == [requests.get(f"{stage.url()}/price/pear", timeout=60).status_code for _ in range(2)]
        answer = requests.get(f"{stage.url()}/price/plum", timeout=60)
        assert (429, True) == (answer.status_code, 1 <= int(answer.headers["Retry-After"]) <= 100)
        assert [200, 429, 429] == [visit.status for visit in stage.take_log()]

    def test_each_way_to_play_is_a_stage_of_its_own(replay):
        path = HERE / "shop.yaml"
        ways = [{}, {"latency": "none"}, {"limits": "concurrent:1"}, {"limits": "concurrent:2"}, {"tls": True}]
        assert len(ways) == len({replay(path, **way).url() for way in ways})
        assert [replay(path, **way) for way in ways] == [replay(path, **way) for way in ways]

    def test_limits_that_cannot_be_read(replay):
        replay(HERE / "shop.yaml", limits="concurrent:0")

    def test_limits_of_another_origin(replay):
        replay(HERE / "shop.yaml", limits={"https://other.test": "concurrent:1"})

    def test_a_latency_that_cannot_be_read(replay):
        replay(HERE / "shop.yaml", "fast")
"""


REFUSED = {
    "test_limits_that_cannot_be_read": "limits 'concurrent:0': expected concurrent:4, rate:10 or rate:10:429",
    "test_limits_of_another_origin": "limits: https://other.test was not recorded in",
    "test_a_latency_that_cannot_be_read": "latency 'fast': expected recorded, scale:0.1, fixed:50ms or none",
}


def test_a_suite_can_play_and_look_at_a_recording(tmp_path):
    """Over TLS, within limits, its answers and what was served of them; what can't be played fails its test shortly."""
    ended = pytest_in(suite(tmp_path, test_replayed=(REPLAYED,)), "-rA", env={"COLUMNS": "300"})
    assert FAILED == ended.code
    failed = dict(re.findall(r"^FAILED test_replayed\.py::(\w+) - Failed: (.*)$", ended.text, re.M))
    assert REFUSED.keys() == failed.keys(), ended.text
    assert [True] * 3 == [failed[name].startswith(said) for name, said in REFUSED.items()]
    assert f"{len(REFUSED)} failed, 10 passed" in ended.text
    assert "Traceback" not in ended.text


IN_TURN = """
    @pytest.fixture(scope="module")
    def shared(replay):
        return replay(HERE / "turns.yaml", "none")

    @pytest.fixture
    def dynamic(request):
        return request.getfixturevalue("shared")

    @pytest.mark.parametrize("number", range(2))
    def test_first(replay, number):
        stage = replay(HERE / "turns.yaml", "none")
        assert [1, 2, 3] == [price_or_none(stage.url(), "pear") for _ in range(3)]
        assert 3 == len(stage.take_log())

    @pytest.mark.parametrize("number", range(2))
    def test_cut_short(shared, number):
        assert 1 == price_or_none(shared.url(), "pear")
        assert None is price_or_none(shared.url(), "fig")
        assert 2 == len(shared.take_log())

    def test_by_request(dynamic):
        assert 1 == price_or_none(dynamic.url(), "pear")
        assert 1 == len(dynamic.take_log())

    def test_timed(lap, shared):
        lap(partial(shopping, shared.url(), ["pear"]), is_one, stage=shared, requests={"GET /price/pear": 1}, **RACE)
"""


@pytest.mark.parametrize("arguments", [(), ("--har=out.har",)], ids=["plain", "logged"])
def test_a_test_meets_a_replay_as_if_it_were_the_first(tmp_path, arguments):
    """What others asked for before it is neither in its log, nor has it used up an answer."""
    suite(tmp_path, test_turns=(IN_TURN.replace("is_one", "lambda answer: is_one(*answer)"),))
    exchanges = [Exchange("https://shop.test/price/pear", body=str(price)) for price in (1, 2, 3)]
    write_cassette(tmp_path / "turns.yaml", *exchanges, timed=False)
    ended = pytest_in(tmp_path, *arguments)
    assert OK == ended.code, ended.text


def test_tls_says_what_it_needs(tmp_path, monkeypatch):
    """Where trustme isn't installed."""
    monkeypatch.setitem(sys.modules, "trustme", None)  # as good as not installed
    tests = """
        def test_tls(replay):
            replay(HERE / "shop.yaml", "none", tls=True)
    """
    ended = pytest_in(suite(tmp_path, test_tls=(tests,)))
    assert FAILED == ended.code
    assert "TLS needs trustme: `pip install 'laptime[tls]'`" in ended.text
