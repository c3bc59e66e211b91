"""`laptime serve`: what it plays, where, at which pace, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from laptime import cli
from tests.support import HANG_LIMIT_S, SITE, Exchange, Wire, ended, timing, write_cassette
from tests.support.har import har_problems
from tests.support.sessions import until

LAPTIME = (sys.executable, "-m", "laptime.cli")


@contextmanager
def serving(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A `laptime serve` that is ended with the block, if it wasn't in it."""
    command = [*LAPTIME, "serve", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The first lines that it prints."""
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def ask(url: str, **options: Any) -> requests.Response:
    """GET, with a client that keeps no connection."""
    return requests.get(url, timeout=HANG_LIMIT_S, **options)


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    """Send a signal; what it printed from then on, and what it said on standard error."""
    process.send_signal(number)
    said = process.communicate(timeout=HANG_LIMIT_S)
    assert 0 == process.returncode, said
    return said


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Why nothing is served, in a line: code 2, and nothing on standard output."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert 2 == cli.main(["serve", *map(str, arguments)])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    said = capsys.readouterr()
    assert ("", "laptime: ", 1) == (said.out, said.err[:9], said.err.count("\n"))
    return said.err.removeprefix("laptime: ").rstrip("\n")


def test_a_cassette_is_served_until_ctrl_c(good: Path) -> None:
    """A line for each origin, answers at each; then code 0, silence, and nothing left."""
    with serving(good) as process:
        said = lines(process, 2)
        urls = [line.split()[0] for line in said]
        assert [
            f"{url}  plays {origin} of {good} at recorded pace\n"
            for url, origin in zip(urls, ("http://a.test", "http://b.test"), strict=True)
        ] == said
        assert ["hello", "hello"] == [ask(f"{url}/1").text for url in urls]
        helpers = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        assert ("", "") == end(process)
    assert [True] == [ended(pid) for pid in helpers]


def test_several_cassettes_are_served_at_the_pace_that_was_asked_for(good: Path, tmp_path: Path) -> None:
    """Each on ports of its own; a stated pace needs no side-car, and the seed of what varies it stands behind it."""
    other = write_cassette(tmp_path / "other.yaml", Exchange(body="other"), timed=False)
    with serving(good, other, "--latency", "fixed:2ms", "--jitter", "7") as process:
        said = lines(process, 3)
        assert [good, good, other] == [Path(line.split()[4]) for line in said]
        assert ["at fixed:2ms+jitter:7 pace"] * 3 == [" ".join(line.split()[-3:]) for line in said]
        assert "other" == ask(said[2].split()[0]).text
        assert ("", "") == end(process)


def test_the_ports_follow_the_one_that_was_asked_for(good: Path) -> None:
    """Each origin has the port after that of the origin before it."""
    # below the ports that systems give to clients; one that is taken by somebody else is passed over
    for port in range(10_000 + os.getpid() % 8_000, 20_000, 2):
        with serving(good, "--port", port) as process:
            said = lines(process, 2)
        if all(said):
            break
    assert [f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"] == [line.split()[0] for line in said]


def test_a_taken_port_is_refused(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in refusal(capsys, good, "--port", port)


@pytest.mark.parametrize("port", ["65536", "-1"])
def test_a_port_that_cant_be_is_refused(good: Path, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names what was asked for."""
    assert port in refusal(capsys, good, f"--port={port}")


@pytest.mark.parametrize("latency", ["slow", "fixed:50", "scale:0"])
def test_a_latency_that_cant_be_is_refused(good: Path, latency: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the modes that there are."""
    said = refusal(capsys, good, "--latency", latency)
    assert f"latency {latency!r}: expected recorded, scale:0.1, fixed:50ms or none" == said


def test_without_waits_there_is_nothing_to_vary(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A seed would say that there is."""
    said = refusal(capsys, good, "--latency", "none", "--jitter", "7")
    assert "jitter: there are no waits to vary with latency none" == said


@pytest.mark.parametrize("option", ["--jitter=soon", "--port=http"])
def test_what_is_no_number_is_a_usage_error(option: str, good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2, and the usage on standard error."""
    name, _, value = option.partition("=")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["serve", str(good), option])
    assert f"{name}: invalid int value: '{value}'" in capsys.readouterr().err


def test_a_cassette_that_cant_be_played_is_not_served(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the same words as of `check`."""
    said = refusal(capsys, bad)
    assert 2 == cli.main(["check", str(bad)])
    assert f"laptime: {said}\n" == capsys.readouterr().err


def test_a_missing_side_car_is_refused_with_both_remedies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Record the pace, or state one."""
    said = refusal(capsys, write_cassette(tmp_path / "bare.yaml", Exchange(), timed=False))
    assert [True, True] == [part in said for part in ("--http=record -k bare", "--latency fixed:50ms")]


def test_a_server_that_dies_is_an_error(good: Path) -> None:
    """Code 2, and the signal that ended it."""
    with serving(good) as process:
        lines(process, 2)
        (helper,) = psutil.Process(process.pid).children()
        helper.kill()
        _, said = process.communicate(timeout=HANG_LIMIT_S)
        assert (2, True) == (process.returncode, "laptime: the replay server is gone (killed by SIGKILL)" in said)


def test_ctrl_c_while_it_starts_is_no_error(good: Path) -> None:
    """As soon as there is something to stop: code 0, silence, and nothing left."""
    with serving(good) as process:
        until(lambda: psutil.Process(process.pid).children() or process.poll() is not None)
        helpers = [child.pid for child in psutil.Process(process.pid).children()]
        _, said = end(process)
        assert "" == said
    assert [True] == [ended(pid) for pid in helpers]


def test_tls_is_served_to_who_trusts_it(good: Path) -> None:
    """Where the authority's certificate lies is said on standard error, once; it is gone with the server."""
    with serving(good, "--tls") as process:
        urls = [line.split()[0] for line in lines(process, 2)]
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("laptime: clients must trust ")
        trusted = said.removeprefix("laptime: clients must trust ").strip()
        assert ["https://127.0.0.1"] * 2 == [url.rpartition(":")[0] for url in urls]
        places = [*urls, *(url.replace("127.0.0.1", "localhost") for url in urls)]
        assert ["hello"] * 4 == [ask(f"{url}/1", verify=trusted).text for url in places]
        with pytest.raises(requests.exceptions.SSLError):
            ask(f"{urls[0]}/1")
        assert ("", "") == end(process)
    assert not Path(trusted).exists()


LIMIT = "rate:0.01:429"


@pytest.mark.parametrize(
    ("arguments", "limited"),
    [
        (("--limits", LIMIT, "--limits", "http://a.test=concurrent:9"), ["http://b.test", SITE]),
        (("--limits", f"http://b.test=concurrent:9,{LIMIT}", "--limits", f"{SITE}={LIMIT}"), ["http://b.test", SITE]),
        (("--limits", f"http://a.test={LIMIT}"), ["http://a.test"]),
    ],
    ids=["all but one", "one of each cassette", "one of one"],
)
def test_each_origin_has_its_limits(
    good: Path, tmp_path: Path, arguments: Sequence[str], limited: Sequence[str]
) -> None:
    """Those for it by name, or else those for every one, in each cassette, or else none."""
    other = write_cassette(tmp_path / "other.yaml", Exchange(f"{SITE}/1"))
    with serving(good, other, "--latency", "none", *arguments) as process:
        urls = {line.split()[2]: line.split()[0] for line in lines(process, 3)}
        statuses = {origin: [ask(f"{url}/1").status_code for _ in range(2)] for origin, url in urls.items()}
        assert {origin: [200, 429 if origin in limited else 200] for origin in urls} == statuses
        assert ("", "") == end(process)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("http://c.test=concurrent:4", "http://c.test was not recorded; there are http://a.test, http://b.test"),
        ("http://a.test/=concurrent:4", "http://a.test/ was not recorded; there are http://a.test, http://b.test"),
        ("concurrent:0", "limits 'concurrent:0': expected concurrent:4, rate:10 or rate:10:429"),
        ("http://a.test=often", "limits 'often': expected concurrent:4, rate:10 or rate:10:429"),
    ],
)
def test_limits_that_cant_be_are_refused(
    good: Path, limits: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says which origins were recorded, or how limits are written."""
    assert message in refusal(capsys, good, "--limits", limits)


def test_what_was_served_is_logged_at_the_end(good: Path, tmp_path: Path) -> None:
    """Thousands of requests, at a polite kill: a whole file, with a page for each cassette that was asked."""
    other = write_cassette(tmp_path / "other.yaml", Exchange(f"{SITE}/1"))
    log, count = tmp_path / "out.har", 3000
    with serving(good, other, "--latency", "none", "--har", log) as process:
        urls = [line.split()[0] for line in lines(process, 3)]
        with Wire(urls[0]) as wire:
            for _ in range(count // 50):
                wire.ask(*["/1"] * 50)
                wire.until(b"hello", 50)
                wire.data = b""
        assert 599 == ask(f"{urls[1]}/unknown").status_code
        assert not log.exists()
        out, said = end(process, signal.SIGTERM)
    assert ("", f"laptime: wrote {count + 1} requests to {log}\n") == (out, said)
    document = json.loads(log.read_text(encoding="utf-8"))
    assert [] == har_problems(document)
    assert [f"{good} at none"] == [page["title"] for page in document["log"]["pages"]]
    asked = [(entry["request"]["url"], entry["response"]["status"]) for entry in document["log"]["entries"]]
    assert {("http://a.test/1", 200): count, ("http://b.test/unknown", 599): 1} == {
        one: asked.count(one) for one in set(asked)
    }
    assert [log] == list(tmp_path.glob("*out.har*"))


def test_an_impatient_end_leaves_a_whole_log(good: Path, tmp_path: Path) -> None:
    """Ctrl-C is pressed again while the log is being written: it is, and no traceback is shown."""
    log = tmp_path / "out.har"
    with serving(good, "--latency", "none", "--har", log) as process:
        url = lines(process, 2)[0].split()[0]
        with Wire(url) as wire:
            for _ in range(40):
                wire.ask(*["/1"] * 50)
                wire.until(b"hello", 50)
                wire.data = b""
        while not log.exists() and process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.002)
        out, said = process.communicate(timeout=HANG_LIMIT_S)
    assert (0, "", f"laptime: wrote 2000 requests to {log}\n") == (process.returncode, out, said)
    assert 2000 == len(json.loads(log.read_text(encoding="utf-8"))["log"]["entries"])


def test_a_signal_amid_an_answer_is_logged_too(good: Path, tmp_path: Path) -> None:
    """What was not served to its end is left out of the log, and what was is in it."""
    slow = write_cassette(tmp_path / "slow.yaml", Exchange(passes=[timing(wait=600_000.0)] * 5))
    log = tmp_path / "out.har"
    with serving(good, slow, "--har", log) as process:
        urls = [line.split()[0] for line in lines(process, 3)]
        with Wire(urls[2]) as waiting:
            waiting.ask("/")
            assert "hello" == ask(f"{urls[0]}/1").text
            out, said = end(process)
    assert ("", f"laptime: wrote 1 requests to {log}\n") == (out, said)


@pytest.mark.parametrize("name", ["missing/out.har", ".", "good.yaml/out.har", "pipe"])
def test_a_log_that_could_not_be_written_is_refused_at_once(
    good: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is served: in no directory, or where something is that is no file."""
    os.mkfifo(good.with_name("pipe"))
    place = good.parent / name
    assert f"--har {place}: expected a file in a directory that exists" == refusal(capsys, good, "--har", place)


def test_a_log_that_cant_be_written_at_the_end_is_an_error(good: Path, tmp_path: Path) -> None:
    """Its directory was removed meanwhile: code 2, and its name."""
    place = tmp_path / "logs"
    place.mkdir()
    with serving(good, "--latency", "none", "--har", place / "out.har") as process:
        lines(process, 2)
        place.rmdir()
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=HANG_LIMIT_S)
    assert (2, "", "laptime: ", True) == (process.returncode, out, said[:9], str(place) in said)
    assert "Traceback" not in said
