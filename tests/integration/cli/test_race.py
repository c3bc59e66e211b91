"""`laptime race`: the table of a file of results, and files that are none."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from laptime import cli
from tests.support.here import laptime as laptime_here

LAPTIME = (sys.executable, "-m", "laptime.cli")


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
    """`--format markdown` prints the race as a table for a README."""
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
    ran = laptime_here(results.parent, "race", results, env={"TERM": "xterm-256color"})
    assert (0, True, False) == (ran.code, "threads-w8" in ran.text, "\x1b" in ran.text)


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
    """Bytes that are no text end with exit code 2."""
    (tmp_path / "wrong.json").write_bytes(b"\xff\xfe\x00")
    assert 2 == cli.main(["race", str(tmp_path / "wrong.json")])
    assert "wrong.json: not a file of pytest-benchmark" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cant_be_read_is_named(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 2, and the message names the file."""
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
