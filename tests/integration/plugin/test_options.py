"""What the command line and the project's settings ask of a session: pace, recording, live sites."""

from __future__ import annotations

import socket
import threading

import pytest

from laptime.cassette import load
from tests.support.here import pytest as pytest_in
from tests.support.sessions import (
    FAILED,
    HANG_LIMIT_S,
    OK,
    USAGE,
    benchmarks,
    closed_port,
    live_site,
)
from tests.support.shop import PRICES, QUICK, SHORT, suite

# options


@pytest.mark.parametrize(
    ("arguments", "played"),
    [((), "fixed:5ms"), (("--latency=fixed:1ms", "--jitter=7"), "fixed:1ms+jitter:7")],
)
def test_latency_on_the_command_line_goes_before_the_suites(tmp_path, arguments, played):
    """What the test asks for holds only where nothing was said."""
    tests = f"""
        def test_latency(replay):
            assert "{played}" == replay(HERE / "shop.yaml", "fixed:5ms").latency
    """
    ended = pytest_in(suite(tmp_path, test_latency=(tests,)), *arguments)
    assert OK == ended.code, ended.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--latency=fast",), "latency 'fast': expected recorded, scale:0.1, fixed:50ms or none"),
        (("--origin=shop",), "--origin 'shop': expected NAME=URL, as in hn_items=http://127.0.0.1:8901"),
        (("--http=alive",), "'replay', 'live', 'record'"),
        (("--jitter=soon",), "--jitter: invalid int value: 'soon'"),
        (("--latency=none", "--jitter=7"), "jitter: there are no waits to vary with latency none"),
    ],
    ids=["latency", "origin", "http", "jitter", "jitter without waits"],
)
def test_an_option_that_cannot_be_read_is_a_usage_error(tmp_path, arguments, message):
    """It is named with what was expected, and nothing runs."""
    ended = pytest_in(suite(tmp_path, test_quick=(QUICK,)), *arguments)
    assert USAGE == ended.code
    assert message in ended.text
    assert "collected" not in ended.text


def test_what_varies_the_waits_is_stored_with_the_figures(tmp_path):
    """The seed stands behind the pace; what is played at latency none fails rather than not vary."""
    tests = """
        def test_varied(replay, lap):
            stage = replay(HERE / "shop.yaml", "scale:0.5")
            lap(partial(shopping, stage.url(), NAMES), prices_are_right, stage=stage, requests=ASKED, **RACE)

        def test_without_waits(replay):
            replay(HERE / "shop.yaml", "none")
    """
    ended = pytest_in(suite(tmp_path, test_varied=(tests,)), "--jitter=7", "--benchmark-json=out.json")
    assert "1 failed, 1 passed" in ended.text
    assert "jitter: there are no waits to vary with latency none" in ended.text
    assert "scale:0.5+jitter:7" == benchmarks(tmp_path / "out.json")["test_varied"]["extra_info"]["latency"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('secret_feilds = ["parcel"]', "secret_feilds: no such setting; there are history, secret_fields"),
        ('secret_headers = "parcel"', 'secret_headers: expected a list of names, as in ["x-session"]'),
    ],
    ids=["unknown key", "wrong type"],
)
def test_a_setting_that_cannot_be_read_is_a_usage_error(tmp_path, text, message):
    """The file and the key are named with what was expected, and nothing runs."""
    suite(tmp_path, test_quick=(QUICK,))
    (tmp_path / "pyproject.toml").write_text(f"[tool.laptime]\n{text}\n")
    ended = pytest_in(tmp_path)
    assert USAGE == ended.code
    assert f"{tmp_path}/pyproject.toml: tool.laptime.{message}" in ended.text
    assert "collected" not in ended.text


def test_a_recording_leaves_out_what_the_project_says(tmp_path):
    """Beside what is left out anyway; tables below are another part's affair."""
    tests = """
        from urllib.request import Request, urlopen

        @pytest.mark.laptime_record
        def test_record(record):
            def run(url):
                headers = {"X-Shop-Session": "of-4711", "Authorization": "of-4712", "X-Plain": "of-4713"}
                urlopen(Request(f"{url}/price/pear?parcel=4714&token=4715&page=4716", headers=headers)).close()

            record("shop", HERE / "secret.yaml", "https://shop.test", run)
    """
    suite(tmp_path, test_record=(tests,))
    (tmp_path / "pyproject.toml").write_text(
        '[tool.laptime]\nsecret_headers = ["x-shop-session"]\nsecret_fields = ["parcel"]\n'
        "[tool.laptime.gate]\nslower = 1.1\n"
    )
    with live_site({"/price/pear?parcel=4714&token=4715&page=4716": "3"}) as (url, _):
        ended = pytest_in(tmp_path, "--http=record", f"--origin=shop={url}")
    assert OK == ended.code, ended.text
    written = (tmp_path / "secret.yaml").read_text() + (tmp_path / "secret.timings.json").read_text()
    secrets = ["4711", "4712", "4713", "4714", "4715", "4716"]
    assert ["4713", "4716"] == [secret for secret in secrets if secret in written]


RECORDING = """
    @pytest.mark.laptime_record
    def test_record(record):
        def run(url):
            with shopping(url, NAMES) as work:
                work()

        record("shop", HERE / "shop.yaml", "https://shop.test", run)
"""


def test_recordings_are_made_only_when_asked_for(tmp_path):
    """Without --http=record the tests that record are deselected, and the benchmarks run."""
    suite(tmp_path, test_quick=(QUICK,), test_record=(RECORDING,))
    before = (tmp_path / "shop.yaml").read_bytes()
    ended = pytest_in(tmp_path)
    assert OK == ended.code
    assert "1 passed, 1 deselected" in ended.text
    assert before == (tmp_path / "shop.yaml").read_bytes()


def test_recording_times_nothing(tmp_path):
    """With --http=record only the tests that record run; what they record can be played."""
    suite(tmp_path, test_shop=(SHORT,), test_record=(RECORDING,))
    with live_site(PRICES) as (url, _):
        ended = pytest_in(tmp_path, "--http=record", f"--origin=shop={url}", "--benchmark-json=out.json")
    assert OK == ended.code, ended.text
    assert "1 passed, 1 deselected" in ended.text
    assert {} == benchmarks(tmp_path / "out.json")
    made = load(tmp_path / "shop.yaml")
    assert ("stand-in", (url,)) == (made.origin_kind, made.origins)
    assert f"recorded {tmp_path}/shop.yaml: 2 requests, {made.passes} passes each, from {url}" in ended.text
    assert OK == pytest_in(tmp_path).code


LIVE = """
    @pytest.mark.laptime_race(passes=1)
    @pytest.mark.parametrize("number", range(3))
    def test_live(lap, live_origin, number):
        url = live_origin("shop", "https://shop.test")
        lap(partial(shopping, url, NAMES), prices_are_right, rounds=(1, 1, 0.0))
"""


def test_a_live_site_is_asked_once_whether_it_is_there(tmp_path):
    """A HEAD before the first benchmark, and none before the others."""
    suite(tmp_path, test_live=(LIVE,))
    with live_site(PRICES) as (url, asked):
        ended = pytest_in(tmp_path, "--http=live", f"--origin=shop={url}/")
    assert OK == ended.code, ended.text
    assert 3 * 2 * 2 == sum(request.startswith("GET") for request in asked)
    assert 1 == sum(request.startswith("HEAD") for request in asked)


@pytest.mark.parametrize("mark", ["passes=3", "seconds=0.01"])
def test_a_live_site_is_asked_for_no_more_than_three_rounds(tmp_path, mark):
    """Of each benchmark, and one that is not timed: however short they are, and though nothing was said of passes."""
    suite(tmp_path, test_live=(LIVE.replace("passes=1", mark),))
    with live_site(PRICES) as (url, asked):
        ended = pytest_in(tmp_path, "--http=live", f"--origin=shop={url}/")
    assert OK == ended.code, ended.text
    assert 3 * 2 * (1 + 3) >= sum(request.startswith("GET") for request in asked)


def test_a_live_site_that_is_not_there_fails_once(tmp_path):
    """The first benchmark names the site and the way out, the others are skipped."""
    suite(tmp_path, test_live=(LIVE,))
    with closed_port() as port:
        ended = pytest_in(tmp_path, "--http=live", f"--origin=shop=http://127.0.0.1:{port}")
    assert FAILED == ended.code
    assert "1 failed, 2 skipped" in ended.text
    assert f"shop: http://127.0.0.1:{port} can't be reached: " in ended.text
    assert "--origin shop=URL" in ended.text


def test_a_live_site_that_speaks_no_http_fails_once(tmp_path):
    """Whatever answers in another tongue is no site either."""
    suite(tmp_path, test_live=(LIVE,))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def mumble():
            listener.settimeout(HANG_LIMIT_S)
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=mumble)
        thread.start()
        ended = pytest_in(tmp_path, "--http=live", f"--origin=shop=http://127.0.0.1:{port}")
        thread.join()
    assert FAILED == ended.code
    assert "1 failed, 2 skipped" in ended.text
    assert f"shop: http://127.0.0.1:{port} can't be reached: " in ended.text
