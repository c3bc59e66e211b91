"""What a project may say of its gate in pyproject.toml."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.gate import settings as gate_settings
from laptime.gate.accept import Accept
from laptime.gate.decision.trial import (
    Rules,
)
from laptime.gate.settings import Settings
from laptime.settings import SettingsError


def _read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    return gate_settings.read(tmp_path)


def test_without_settings_there_are_defaults(tmp_path: Path) -> None:
    """No file, or none of ours in it."""
    assert gate_settings.read(tmp_path) == Settings()
    assert _read(tmp_path, "[tool.other]\nmargin = 7\n") == Settings()
    assert Settings().rules == Rules(0.01, 0.05)
    assert (Settings().max_time_s, Settings().round_limit_s) == (600, 60)


def test_all_settings_are_read(tmp_path: Path) -> None:
    """As the module's first lines have them."""
    found = _read(tmp_path, gate_settings.__doc__.partition("\n\n")[2])
    assert found == Settings(
        arguments=("--tier=gate",),
        isolate=True,
        install=(".[test]",),
        harness=("benchmarks", "data"),
        rules=Rules(0.01, 0.05),
        named={"*processes*": Rules(0.02, 0.1, round_limit_s=300)},
        groups={"io*": Rules(0.03, 0.05)},
        accepts=(Accept("tests/test_parse.py::test_big*", 0.12, "checks every row since #812", date(2027, 1, 31)),),
        max_time_s=600,
        round_limit_s=60,
    )


def test_of_several_patterns_the_last_wins_and_brackets_are_plain(tmp_path: Path) -> None:
    """A pattern that leaves something out has it from the table, not from another pattern."""
    found = _read(
        tmp_path,
        '[tool.laptime.gate]\nmargin = 0.03\nlimit = "30%"\n[tool.laptime.gate.benchmarks]\n'
        '"*" = {limit = "20%"}\n"*::test_x[a-?]" = {margin = "4 %"}\n',
    )
    assert found.of("f.py::test_x") == Rules(0.03, 0.2)
    assert found.of("f.py::test_x[a-1]") == Rules(0.04, 0.3)
    assert found.of("f.py::test_xa") == Rules(0.03, 0.2)


def test_a_benchmarks_own_table_goes_before_that_of_its_group(tmp_path: Path) -> None:
    """Of several groups' tables the last wins, too; a benchmark without a group is in none."""
    found = _read(
        tmp_path,
        "[tool.laptime.gate]\nround_limit = 9\n[tool.laptime.gate.benchmarks]\n"
        '"*fast*" = {margin = "2%"}\n[tool.laptime.gate.groups]\n'
        '"*" = {limit = "20%"}\n"slow" = {round_limit = "1m"}\n',
    )
    assert found.of("test_x") == found.of("test_x", None) == Rules()
    assert found.of("test_x", "any") == Rules(limit=0.2)
    assert found.of("test_x", "slow") == Rules(round_limit_s=60)
    assert found.of("test_fast", "slow") == Rules(margin=0.02)


TABLES = ("benchmarks", "groups")


def test_a_table_that_fits_nothing_is_known(tmp_path: Path) -> None:
    """It may have a typo in it."""
    found = _read(tmp_path, "".join(f'[tool.laptime.gate.{name}]\n"*a" = {{}}\nb = {{}}\n' for name in TABLES))
    assert found.idle(["data"], []) == ['benchmarks."b"', 'groups."*a"', 'groups."b"']
    assert found.idle(["data", "b"], ["b", "a"]) == []


ENTRY = {"benchmark": '"*big*"', "up_to": '"12%"', "why": '"because"', "until": '"v2.0"'}


def _entry(**changed: str | None) -> str:
    keys = {**ENTRY, **changed}
    return "[[gate.accept]]\n" + "\n".join(f"{key} = {text}" for key, text in keys.items() if text is not None)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2027-01-31", date(2027, 1, 31)),
        ('"2027-01-31"', date(2027, 1, 31)),
        ('" v2.0 "', "v2.0"),
        ('"2027.1.31"', "2027.1.31"),
        ('"topic/faster"', "topic/faster"),
    ],
)
def test_what_is_accepted_ends_with_a_day_or_a_revision(tmp_path: Path, until: str, expected: date | str) -> None:
    """A day as TOML has it, or as a text; a tag may be named after a day."""
    text = _entry(until=until, why='"""in two\nlines"""').replace("gate.", "tool.laptime.gate.")
    assert _read(tmp_path, text).accepts == (Accept("*big*", 0.12, "in two lines", expected),)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("gate.accept = 7", "accept: expected a list of tables"),
        ("gate.accept = ['x']", "accept: expected a list of tables"),
        ("[gate.accept]", "accept: expected a list of tables"),
        (_entry() + "\n" + _entry(reason='"x"'), r"accept, entry 2: reason: no such setting; there are benchmark"),
        *((_entry(**{key: None}), f"entry 1: {key}: is missing") for key in ENTRY),
        (_entry(benchmark='""'), "entry 1: benchmark: '': expected a text"),
        (_entry(benchmark="7"), "entry 1: benchmark: 7: expected a text"),
        (_entry(why='" "'), "entry 1: why: ' ': expected a text"),
        (_entry(why="['x']"), r"entry 1: why: \['x'\]: expected a text"),
        (_entry(up_to='"12"'), "entry 1: up_to: '12': expected a share"),
        (_entry(up_to="true"), "entry 1: up_to: True: expected a share"),
        (_entry(up_to='"100%"'), "entry 1: up_to: '100%': expected a share"),
        (_entry(up_to="0"), "entry 1: up_to: 0: must be above the margin, 1 %"),
        (_entry(up_to='"1%"'), "entry 1: up_to: '1%': must be above the margin, 1 %"),
        (_entry(until="7"), "entry 1: until: '7': expected a day"),
        (_entry(until="true"), "entry 1: until: 'True': expected a day"),
        (_entry(until='""'), "entry 1: until: '': expected a day"),
        (_entry(until=f'"{"v" * 251}"'), "entry 1: until: 'v{250}': expected a day"),
        (_entry(until='"2027-02-30"'), "entry 1: until: '2027-02-30': expected a day"),
        (_entry(until='"31.1.2027"'), "entry 1: until: '31.1.2027': expected a day"),
        (_entry(until=r'"v2\u001b[31m"'), r"entry 1: until: 'v2\\x1b\[31m': expected a day"),
        (_entry(until='"2027/1/31"'), "entry 1: until: '2027/1/31': expected a day"),
        (_entry(until="2027-01-31T12:00:00Z"), "entry 1: until: '2027-01-31 12:00:00"),
        ("gate = 7", "expected a table"),
        ('gate.margni = "1%"', "margni.*no such setting"),
        ('gate.margin = "1"', r"margin: '1'.*share"),
        ("gate.margin = true", "margin: True"),
        ("gate.margin = nan", "margin: nan"),
        ("gate.limit = 1", "limit: 1"),
        ("gate.limit = -0.1", "limit: -0.1"),
        ('gate.limit = "100%"', "limit: '100%'"),
        ('gate.margin = "5%"', "must lie below"),
        ('gate.limit = "0.5%"', "must lie below"),
        ('gate.arguments = "-x"', "arguments: expected a list"),
        ("gate.harness = [7]", "harness: expected a list"),
        ('gate.harness = [""]', "harness: expected a list"),
        ('gate.max_time = "soon"', "max_time: 'soon'"),
        ('gate.max_time = "-3m"', "max_time"),
        ("gate.max_time = 0", "max_time"),
        ("gate.max_time = true", "max_time: True"),
        ("gate.max_time = inf", "max_time"),
        ('gate.round_limit = "3d"', "round_limit"),
        ("gate.benchmarks = 7", "benchmarks: expected tables"),
        ("gate.benchmarks.x = 7", "benchmarks: expected tables"),
        ('gate.benchmarks.x.max_time = "1m"', "benchmarks.'x'.max_time: no such setting"),
        ('gate.benchmarks.x.margin = "7%"', "benchmarks.'x': margin 7.0% must lie below limit 5.0%"),
        ('gate.benchmarks.x.round_limit = "soon"', "benchmarks.'x'.round_limit: 'soon': expected a time"),
        ("gate.groups = ['x']", "groups: expected tables, as in .*groups"),
        ("gate.groups.x = 7", "groups: expected tables"),
        ('gate.groups.x.max_time = "1m"', "groups.'x'.max_time: no such setting; there are margin, limit, round_limit"),
        ('gate.groups.x.limit = "0%"', "groups.'x': margin 1.0% must lie below limit 0.0%"),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(tmp_path: Path, text: str, word: str) -> None:
    """With the file, the key, and what was expected."""
    with pytest.raises(SettingsError, match=f"pyproject.toml: tool.laptime.gate.*{word}"):
        _read(tmp_path, f"[tool.laptime]\n{text}\n".replace("[gate", "[tool.laptime.gate"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90s", 90), ("10m", 600), ("10 min", 600), ("1.5h", 5400), (" 2m ", 120), ("0.5s", 0.5)],
)
def test_times(text: str, expected: float) -> None:
    """Seconds, minutes and hours."""
    assert gate_settings.seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "0m", "-1s", "m", "1d", "1e3", "inf", "nan", "1,5h", "9" * 400 + "h", "9" * 308 + "h"]
)
def test_no_times(text: str) -> None:
    """None, nothing, or endless."""
    with pytest.raises(ValueError, match="expected a time"):
        gate_settings.seconds(text)


@given(st.integers(0, 999))
def test_a_share_in_percent_is_that_share(tenths: int) -> None:
    """As text and as a number."""
    assert gate_settings.share(f"{tenths / 10}%") == pytest.approx(tenths / 1000)
    assert gate_settings.share(tenths / 1000) == tenths / 1000
