"""The commands as they are typed: what they print, where, and the code they end with."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pty
import shlex
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
from tests.support import HANG_LIMIT_S, ROOT, SITE, Exchange, Wire, ended, timing, write_cassette
from tests.support.sessions import har_problems, until

LAPTIME = (sys.executable, "-m", "laptime.cli")
SHIPPED = ROOT / "cassettes"


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command, variables = [*LAPTIME, *map(str, arguments)], {**os.environ, **environment}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False, env=variables, encoding="utf-8"
    )


# laptime


def test_help_names_the_commands() -> None:
    """And says where the benchmarks are run."""
    ran = run("--help", COLUMNS="120")
    assert (0, "") == (ran.returncode, ran.stderr)
    parts = ["usage: laptime ", "pytest --benchmark-only", "\n    check ", "\n    serve ", "\n    race "]
    assert parts == [part for part in parts if part in ran.stdout]


def test_the_list_of_commands_is_theirs() -> None:
    """A module is loaded for its commands alone, by a list; each says itself what its commands are."""
    declared = {}
    for module in cli._COMMANDS:
        commands = argparse.ArgumentParser().add_subparsers()
        importlib.import_module(f"laptime.cli.{module}").add(commands)
        declared[module] = tuple(commands.choices)
    assert declared == cli._COMMANDS


@pytest.mark.parametrize("command", ["check", "serve", "race", "gate", "history", "compare", "trend", "changes"])
def test_each_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line to copy."""
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    assert f"example: laptime {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["sing"], ["check"], ["serve"], ["race", "a.json", "b.json"], ["race", "a.json", "--format", "pdf"]],
    ids=" ".join,
)
def test_what_is_no_command_is_a_usage_error(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2, and the usage on standard error."""
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    said = capsys.readouterr()
    assert ("", "usage: laptime") == (said.out, said.err[:14])


# laptime check


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A cassette that can be played."""
    exchanges = [Exchange("http://a.test/1"), Exchange("http://b.test/1"), Exchange("http://a.test/2")]
    return write_cassette(tmp_path / "good.yaml", *exchanges)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """One that was changed after it was timed."""
    path = write_cassette(tmp_path / "bad.yaml", Exchange())
    path.write_bytes(path.read_bytes() + b"\n")
    return path


def test_a_good_cassette_is_described(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many interactions and passes, from which origins; code 0."""
    assert 0 == cli.main(["check", str(good)])
    line = f"{good}: 3 interactions, 5 timed passes from a stand-in origin; http://a.test, http://b.test\n"
    assert (line, "") == capsys.readouterr()


def test_a_cassette_without_side_car_is_good_for_less(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It can be played, but not at a pace that nobody recorded; code 0."""
    path = write_cassette(tmp_path / "bare.yaml", Exchange(), timed=False)
    assert 0 == cli.main(["check", str(path)])
    line = f"{path}: 1 interactions, no side-car: plays at a fixed latency only; {SITE}\n"
    assert (line, "") == capsys.readouterr()


def test_a_bad_cassette_is_refused(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line on standard error, which names the file and the field; code 2."""
    assert 2 == cli.main(["check", str(bad)])
    said = capsys.readouterr()
    expected = f"laptime: {bad.with_suffix('.timings.json')}: cassette_sha256: these timings belong to another bad.yaml"
    assert ("", expected, 1) == (said.out, said.err[: len(expected)], said.err.count("\n"))


def test_what_looks_like_a_secret_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error: where it stands, how it begins and what to do, but not the whole; code 0 all the same."""
    secret = "kD8s7fQz91LmXw3RtYvB6nHj"
    exchanges = [
        Exchange("http://a.test/plain", headers={"X-Thing": ["harmless words in a header"], "ETag": [secret]}),
        Exchange(f"http://a.test/1?key={secret}"),
        Exchange("http://a.test/2", headers={"X-Thing": [f"Bearer {secret}"]}),
    ]
    path = write_cassette(tmp_path / "leaky.yaml", *exchanges)
    assert 0 == cli.main(["check", str(path)])
    said = capsys.readouterr()
    assert [f"{path}: 3 interactions"] == [line.partition(",")[0] for line in said.out.splitlines()]
    advice = (
        "looks like a secret. If it is one, add its name to secret_fields or secret_headers of [tool.laptime] in "
        "pyproject.toml, and record again"
    )
    assert [
        f"laptime: warning: {path}: interaction 1: request.uri: kD8s… (24 characters) {advice}",
        f"laptime: warning: {path}: interaction 2: response.headers['X-Thing']: kD8s… (24 characters) {advice}",
    ] == said.err.splitlines()


def test_all_cassettes_are_looked_at(good: Path, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad one doesn't hide those after it, and one is enough for code 2."""
    missing = good.with_name("missing.yaml")
    assert 2 == cli.main(["check", str(bad), str(good), str(missing), str(good)])
    said = capsys.readouterr()
    assert [str(good)] * 2 == [line.partition(": ")[0] for line in said.out.splitlines()]
    assert ["bad.timings.json", "missing.yaml"] == [Path(line.split(": ")[1]).name for line in said.err.splitlines()]


def test_the_shipped_cassettes_are_good() -> None:
    """Every one in the directory, as the help text has it."""
    ran = run("check", *sorted(SHIPPED.glob("*.yaml")))
    assert (0, "") == (ran.returncode, ran.stderr)
    assert len(list(SHIPPED.glob("*.yaml"))) == ran.stdout.count(" timed passes from a ")


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("2>&-", 2), (">&-", 2)])
def test_a_stream_that_is_closed_is_no_error(good: Path, bad: Path, closed: str, code: int) -> None:
    """As some who start programs have it: what was to be said is lost, and nothing else."""
    command = shlex.join([*LAPTIME, "check", str(bad if code else good)])
    ran = subprocess.run(["sh", "-c", f"{command} {closed}"], capture_output=True, timeout=HANG_LIMIT_S, check=False)
    assert code == ran.returncode, ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_reader_that_left_makes_no_pass_of_a_failure(good: Path, bad: Path) -> None:
    """What failed is known, though nobody reads of it."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for streams in ({"stdout": writing}, {"stdout": writing, "stderr": writing}):
            words = [*LAPTIME, "check", str(good), str(bad)]
            assert 2 == subprocess.run(words, **streams, timeout=HANG_LIMIT_S, check=False).returncode
    finally:
        os.close(writing)


def test_a_reader_that_left_is_no_error(good: Path) -> None:
    """As with `laptime check … | head -0`: code 0, and not a word."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for words in (("check", str(good)), ("gate", "--schema")):
            ran = subprocess.run(
                [*LAPTIME, *words], stdout=writing, stderr=subprocess.PIPE, timeout=HANG_LIMIT_S, check=False
            )
            assert (0, b"") == (ran.returncode, ran.stderr), words
    finally:
        os.close(writing)


@pytest.mark.parametrize("streams", [">&- 2>&-", "2>&1 | true"])
def test_what_failed_is_no_success_though_nobody_can_read_it(tmp_path: Path, streams: str) -> None:
    """Neither where a stream is closed, nor where its reader left before the first word."""
    script = f'set -o pipefail; {{ sleep 0.1; exec "$@"; }} {streams}'
    for words in (("check", "nothing.yaml"), ("gate", "main", "--format=json")):
        ran = subprocess.run(
            ["bash", "-c", script, "-", *LAPTIME, *words], cwd=tmp_path, timeout=HANG_LIMIT_S, check=False
        )
        assert 2 == ran.returncode, words


# laptime serve


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cassette_is_served_until_a_signal(good: Path, number: signal.Signals) -> None:
    """A line for each origin, answers at each; then Ctrl-C or a polite kill: code 0, silence, and nothing left."""
    with serving(good) as process:
        said = lines(process, 2)
        urls = [line.split()[0] for line in said]
        assert [
            f"{url}  plays {origin} of {good} at recorded pace\n"
            for url, origin in zip(urls, ("http://a.test", "http://b.test"), strict=True)
        ] == said
        assert ["hello", "hello"] == [requests.get(f"{url}/1", timeout=HANG_LIMIT_S).text for url in urls]
        helpers = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(number)
        assert ("", "") == process.communicate(timeout=HANG_LIMIT_S)
        assert 0 == process.returncode
    assert [True] == [ended(pid) for pid in helpers]


def test_several_cassettes_are_served_at_the_pace_that_was_asked_for(good: Path, tmp_path: Path) -> None:
    """Each on ports of its own; a stated pace needs no side-car."""
    other = write_cassette(tmp_path / "other.yaml", Exchange(body="other"), timed=False)
    with serving(good, other, "--latency", "fixed:2ms") as process:
        said = lines(process, 3)
        assert [good, good, other] == [Path(line.split()[4]) for line in said]
        assert ["at fixed:2ms pace"] * 3 == [" ".join(line.split()[-3:]) for line in said]
        assert "other" == requests.get(said[2].split()[0], timeout=HANG_LIMIT_S).text


def test_the_ports_follow_the_one_that_was_asked_for(good: Path) -> None:
    """Origin after origin."""
    # below the ports that systems give to clients; one that is taken by somebody else is passed over
    for port in range(10_000 + os.getpid() % 8_000, 20_000, 2):
        with serving(good, "--port", port) as process:
            said = lines(process, 2)
        if all(said):
            break
    assert [f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"] == [line.split()[0] for line in said]


def test_a_taken_port_is_refused(good: Path) -> None:
    """Code 2, and the port in the message."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", good, "--port", port)
    assert (2, "", "laptime: ", True) == (ran.returncode, ran.stdout, ran.stderr[:9], str(port) in ran.stderr)


@pytest.mark.parametrize("port", ["65536", "70000", "-1", "http"])
def test_a_port_that_cant_be_is_refused(good: Path, port: str) -> None:
    """Code 2, and what was asked for in the message."""
    with serving(good, f"--port={port}") as process:
        assert [""] == lines(process, 1)
        _, said = process.communicate(timeout=HANG_LIMIT_S)
        assert (2, True) == (process.returncode, port in said)
        assert "Traceback" not in said


@pytest.mark.parametrize("latency", ["slow", "fixed:50", "scale:0"])
def test_a_latency_that_cant_be_is_refused(good: Path, latency: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2, and the modes that there are, before anything is started."""
    assert 2 == cli.main(["serve", str(good), "--latency", latency])
    assert ("", f"laptime: latency {latency!r}: expected recorded, scale:0.1, fixed:50ms or none\n") == (
        capsys.readouterr()
    )


def test_a_cassette_that_cant_be_played_is_not_served(bad: Path) -> None:
    """Code 2, and the same words as of `check`."""
    ran = run("serve", bad)
    assert (2, "") == (ran.returncode, ran.stdout)
    assert run("check", bad).stderr == ran.stderr


def test_a_missing_side_car_is_refused_with_both_remedies(tmp_path: Path) -> None:
    """Record the pace, or state one."""
    path = write_cassette(tmp_path / "bare.yaml", Exchange(), timed=False)
    ran = run("serve", path)
    assert (2, "") == (ran.returncode, ran.stdout)
    assert [True, True] == [part in ran.stderr for part in ("--http=record -k bare", "--latency fixed:50ms")]


def test_a_server_that_dies_is_an_error(good: Path) -> None:
    """Code 2, and the signal that ended it."""
    with serving(good) as process:
        lines(process, 2)
        (helper,) = psutil.Process(process.pid).children()
        helper.kill()
        _, said = process.communicate(timeout=HANG_LIMIT_S)
        assert (2, True) == (process.returncode, "laptime: the replay server is gone (killed by SIGKILL)" in said)


def ask(url: str, **options: Any) -> requests.Response:
    """GET, with a client that keeps no connection."""
    return requests.get(url, timeout=HANG_LIMIT_S, **options)


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    """Send a signal; what it printed from then on, and what it said on standard error."""
    process.send_signal(number)
    said = process.communicate(timeout=HANG_LIMIT_S)
    assert 0 == process.returncode, said
    return said


def test_ctrl_c_while_it_starts_is_no_error(good: Path) -> None:
    """As soon as there is something to stop: code 0, silence, and nothing left."""
    with serving(good) as process:
        until(lambda: psutil.Process(process.pid).children() or process.poll() is not None)
        helpers = [child.pid for child in psutil.Process(process.pid).children()]
        _, said = end(process)
        assert "" == said
    assert [True] == [ended(pid) for pid in helpers]


def test_what_varies_the_waits_is_said(good: Path) -> None:
    """The seed stands behind the pace, at every origin; the same seed, the same waits."""
    with serving(good, "--jitter", "7", "--latency", "scale:0.5") as process:
        assert ["at scale:0.5+jitter:7 pace"] * 2 == [" ".join(line.split()[-3:]) for line in lines(process, 2)]
        assert ("", "") == end(process)


@pytest.mark.parametrize("seed", ["7", "soon"])
def test_a_jitter_that_cant_be_is_refused(good: Path, seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2: where there are no waits to vary, and where the seed is no number."""
    arguments = ["serve", str(good), "--latency", "none", "--jitter", seed]
    if seed == "7":
        assert 2 == cli.main(arguments)
        assert ("", "laptime: jitter: there are no waits to vary with latency none\n") == capsys.readouterr()
    else:
        with pytest.raises(SystemExit, match="2"):
            cli.main(arguments)
        assert "--jitter: invalid int value: 'soon'" in capsys.readouterr().err


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
        ((), []),
        (("--limits", LIMIT), ["http://a.test", "http://b.test", SITE]),
        (("--limits", f"http://b.test={LIMIT}"), ["http://b.test"]),
        (("--limits", f"http://b.test={LIMIT}", "--limits", f"{SITE}={LIMIT}"), ["http://b.test", SITE]),
        (("--limits", LIMIT, "--limits", "http://a.test=concurrent:9"), ["http://b.test", SITE]),
        (("--limits", f"http://a.test=concurrent:9,{LIMIT}"), ["http://a.test"]),
    ],
    ids=["none", "every origin", "one origin", "one of each cassette", "all but one", "two limits"],
)
def test_each_origin_has_its_limits(
    good: Path, tmp_path: Path, arguments: Sequence[str], limited: Sequence[str]
) -> None:
    """Those for it by name, or else those for every one, in each cassette."""
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
def test_limits_that_cant_be_are_refused(good: Path, limits: str, message: str) -> None:
    """Code 2, and one line that says which there are."""
    ran = run("serve", good, "--limits", limits)
    assert (2, "", "laptime: ", 1) == (ran.returncode, ran.stdout, ran.stderr[:9], ran.stderr.count("\n"))
    assert message in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_served_is_logged_at_the_end(good: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Thousands of requests, whatever ends it: a whole file, with a page for each cassette that was asked."""
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
        out, said = end(process, number)
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
def test_a_log_that_could_not_be_written_is_refused_at_once(good: Path, name: str) -> None:
    """Code 2, before anything is served: in no directory, or where something is that is no file."""
    os.mkfifo(good.with_name("pipe"))
    place = good.parent / name
    with serving(good, "--har", place) as process:
        assert [""] == lines(process, 1)
        _, said = process.communicate(timeout=HANG_LIMIT_S)
    expected = f"laptime: --har {place}: expected a file in a directory that exists\n"
    assert (2, expected) == (process.returncode, said)


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


# laptime race


def benchmark(group: str, label: str, walls_s: Sequence[float], cpu_s: float, **info: Any) -> dict[str, Any]:
    """A benchmark as pytest-benchmark writes it, with what `lap` adds: a round in each pass of a race."""
    passes = range(len(walls_s))
    rounds = {
        "wall_s": list(walls_s),
        "cpu_s": [cpu_s] * len(walls_s),
        "pass": [number % 5 for number in passes],
        "race_pass": list(passes),
        "void": [False] * len(walls_s),
    }
    machine = {"affinity_cpus": 2, "cpu_quota": None, "race": {"passes": len(walls_s), "confidence": 0.99, "seed": 1}}
    about = {"workload": group, "summary": "twenty pages", "label": label, "http": "replay", "latency": "recorded"}
    extra = about | machine | {"rounds": rounds, "parallelism": cpu_s / walls_s[0]} | info
    return {"group": group, "name": f"test_variant[{label}]", "param": label, "extra_info": extra}


RESULTS = [
    benchmark("pages", "sequential", [2.0] * 10, 0.1, first=True, variant="sequential"),
    benchmark("pages", "threads-w8", [0.25] * 10, 0.125, first=False, variant="threads", workers=8, lifecycle="warm"),
    benchmark("primes", "sequential", [1.0, 1.0], 1.0, http=None, latency=None, summary="up to 200,000"),
    {"group": None, "name": "test_other", "param": None, "extra_info": {}},
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A file of results: two races, and a benchmark of somebody else's."""
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"version": "5.3.1", "benchmarks": RESULTS}))
    return path


def test_a_race_is_a_table(results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A title, the variants from the fastest on with their figures, and a verdict; what is no race is left out."""
    monkeypatch.setenv("COLUMNS", "120")
    assert 0 == cli.main(["race", str(results)])
    said = capsys.readouterr()
    rows = [line.split() for line in said.out.splitlines()]
    assert "pages: twenty pages" == said.out.splitlines()[0]
    threads = [">", "threads-w8", "250", "ms", "8.00", "×", "8.00", "to", "8.00", "125", "ms", "10", "0.50"]
    sequential = [">", "sequential", "2.00", "s", "1.00", "×", "–", "100", "ms", "10", "0.05"]
    assert [threads, sequential] == [rows[2][:13], rows[3][:11]]
    assert "primes: up to 200,000" in said.out.splitlines()
    sentences = " ".join(said.out.split())
    assert (
        "For one run take sequential: no other is shown to gain 10 %. With a pool kept open take threads-w8: "
        in sentences
    )
    assert "Bound by waiting: sequential computed for 5.0 % of its 2.00 s." in sentences
    assert " 10 passes, replay at recorded pace" in sentences
    assert ("", False) == (said.err, "test_other" in said.out)


def test_a_race_may_be_markdown(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for a README."""
    assert 0 == cli.main(["race", str(results), "--format", "markdown"])
    said = capsys.readouterr()
    assert [
        "**pages: twenty pages**",
        "",
        "|  | variant | median | speed-up | 95 % | CPU | passes | parallel |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
        "| > | threads-w8 | 250 ms | 8.00 × | 8.00 to 8.00 | 125 ms | 10 | 0.50 |",
        "| > | sequential | 2.00 s | 1.00 × | – | 100 ms | 10 | 0.05 |",
    ] == said.out.splitlines()[:6]
    assert ("", "**primes: up to 200,000**", False) == (
        said.err,
        said.out.splitlines()[9],
        "\x1b" in said.out,
    )


def on_a_terminal(*arguments: object, **environment: str) -> bytes:
    """What a command writes to a terminal."""
    ours, its = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    variables |= {"TERM": "xterm-256color", "COLUMNS": "120"} | environment
    with subprocess.Popen([*LAPTIME, *map(str, arguments)], stdout=its, env=variables) as process:
        os.close(its)
        written = b""
        try:
            while data := os.read(ours, 2**16):
                written += data
        except OSError:
            pass  # Linux's way to say that the other side closed it
        finally:
            os.close(ours)
    assert 0 == process.returncode
    return written


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)], ids=str
)
def test_a_terminal_gets_colours_unless_it_wants_none(
    results: Path, environment: dict[str, str], coloured: bool
) -> None:
    """`NO_COLOR`, unless empty, means none; the text is the same."""
    written = on_a_terminal("race", results, **environment)
    assert (coloured, True) == (b"\x1b[" in written, b"threads-w8" in written)


def test_a_pipe_gets_no_colours(results: Path) -> None:
    """Whatever the terminal is."""
    ran = run("race", results, TERM="xterm-256color", FORCE_COLOR="")
    assert (0, "", False) == (ran.returncode, ran.stderr, "\x1b" in ran.stdout)


WRONG: dict[str, Any] = {**RESULTS[0], "extra_info": {**RESULTS[0]["extra_info"], "parallelism": None}}
NO_TIME = benchmark("pages", "threads-w8", [1.0], 0.1, rounds={"wall_s": [0.0], "cpu_s": [0.1], "pass": [0]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        '{"benchmarks": [',
        "[]",
        "7",
        "null",
        "{}",
        '{"benchmarks": 7}',
        '{"benchmarks": null}',
        '{"benchmarks": "none"}',
        '{"benchmarks": [7]}',
        '{"benchmarks": [{"extra_info": null}]}',
        '{"benchmarks": [{"extra_info": {"workload": "pages"}}]}',
        '{"benchmarks": [{"group": "pages", "extra_info": {"workload": "pages", "rounds": 7}}]}',
        json.dumps({"benchmarks": [WRONG]}),
        json.dumps({"benchmarks": [NO_TIME]}),
        "[" * 100_000,
    ],
    ids=lambda text: text[:60],
)
def test_what_is_no_file_of_results_is_refused(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2, and one line that names the file."""
    path = tmp_path / "wrong.json"
    path.write_text(text)
    assert 2 == cli.main(["race", str(path)])
    said = capsys.readouterr()
    expected = f"laptime: {path}: not a file of pytest-benchmark: "
    assert ("", expected, 1) == (said.out, said.err[: len(expected)], said.err.count("\n"))


def test_bytes_are_no_file_of_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2 too."""
    (tmp_path / "wrong.json").write_bytes(b"\xff\xfe\x00")
    assert 2 == cli.main(["race", str(tmp_path / "wrong.json")])
    assert "wrong.json: not a file of pytest-benchmark" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cant_be_read_is_named(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2."""
    assert 2 == cli.main(["race", str(tmp_path / name)])
    said = capsys.readouterr()
    assert ("", "laptime: ", True) == (said.out, said.err[:9], str(tmp_path / name) in said.err)


@pytest.mark.parametrize("benchmarks", [[], RESULTS[3:]], ids=["none", "others"])
def test_results_without_a_race_are_refused(
    tmp_path: Path, benchmarks: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Code 2: an empty table would look like a result."""
    path = tmp_path / "others.json"
    path.write_text(json.dumps({"benchmarks": benchmarks}))
    assert 2 == cli.main(["race", str(path)])
    said = f"laptime: {path}: holds no benchmarks of laptime's `lap` or `race` fixture\n"
    assert ("", said) == capsys.readouterr()
