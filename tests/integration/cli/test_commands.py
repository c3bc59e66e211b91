"""`laptime` itself: its help, usage errors, and streams that are closed or that nobody reads."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from laptime import cli
from tests.support import HANG_LIMIT_S

LAPTIME = (sys.executable, "-m", "laptime.cli")


def test_help_names_the_commands() -> None:
    """And says where the benchmarks are run."""
    ran = subprocess.run(
        [*LAPTIME, "--help"], capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False, encoding="utf-8"
    )
    assert (0, "") == (ran.returncode, ran.stderr)
    parts = [
        "usage: laptime ",
        "pytest --benchmark-only",
        *(f"\n    {command} " for command in ("check", "serve", "race")),
    ]
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
    """The help shows a command line to copy."""
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


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("<&- >&- 2>&-", 0), ("2>&-", 2)])
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
