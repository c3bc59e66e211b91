"""`laptime check`: what it says of cassettes, good and bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from laptime import cli
from tests.support import ROOT, SITE, Exchange, write_cassette


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


def test_the_shipped_cassettes_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    """Every one in the directory, as the help text has it."""
    paths = sorted((ROOT / "cassettes").glob("*.yaml"))
    assert 0 == cli.main(["check", *map(str, paths)])
    said = capsys.readouterr()
    assert ("", len(paths)) == (said.err, said.out.count(" timed passes from a "))
