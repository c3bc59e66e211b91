"""Races as tables for a terminal and as Markdown."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len
from test_race import benchmark, control, reference

from laptime.analysis.race import Race, races
from laptime.report.units import duration, times
from laptime.report.tables import markdown, overview, terminal

WIDTHS = (40, 50, 60, 72, 80, 100, 120, 200)
ESCAPE = "\x1b"


def race(*benchmarks) -> Race:
    """One race."""
    (found,) = races(benchmarks)
    return found


SHOP = race(
    benchmark("sequential", 1.234, 0.0512),
    benchmark("processes-w8-forkserver-cold", 0.5678, 1.2345, parallelism=1.87),
    benchmark("threads-w8-warm", 0.2345, 0.0678),
    reference("oracle", 0.000789),
)
CONTROL = race(control("sequential", 0.163), control("processes-w8-forkserver-warm", 0.111, 8.0))
RACES = {"shop": SHOP, "control": CONTROL}


# terminal


@pytest.mark.parametrize("name", RACES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_figure_is_ever_cut(name, width):
    """In a narrow terminal there are fewer columns, and not shorter ones: a cut figure is worse than none."""
    text = terminal([RACES[name]], width=width, color=False)
    assert "…" not in text
    table = text.splitlines()
    for entry in RACES[name].entries:
        for figure in (duration(entry.median_s), times(entry.speedup)):
            assert [] != [line for line in table if figure in line], text


@pytest.mark.parametrize("name", RACES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(name, width):
    """It would be broken somewhere by the terminal."""
    text = terminal([RACES[name]], width=width, color=False)
    assert width >= max(cell_len(line.rstrip()) for line in text.splitlines())


@pytest.mark.parametrize("width", [width for width in WIDTHS if width >= 80])
def test_a_row_is_one_line(width):
    """From 80 columns on, a variant and all its figures stand beside each other."""
    text = terminal([SHOP], width=width, color=False)
    for entry in SHOP.entries:
        figures = (duration(entry.median_s), times(entry.speedup), duration(entry.cpu_s), f"{entry.parallelism:.2f}")
        assert re.search(rf"^{entry.name} +{' +'.join(map(re.escape, figures))}\b", text, re.M), text


def test_a_wide_terminal_shows_bars():
    """The longest is the slowest variant's."""
    lines = terminal([SHOP], width=120, color=False).splitlines()
    bars = {line.split()[0]: line.count("█") for line in lines if "█" in line or "▏" in line}
    assert "sequential" == max(bars, key=bars.__getitem__)


def test_variants_stand_with_the_fastest_first():
    """The order is the result."""
    text = terminal([SHOP], width=120, color=False)
    places = [text.index(f"\n{entry.name} ") for entry in SHOP.entries]
    assert sorted(places) == places
    assert ["oracle", "threads-w8-warm", "processes-w8-forkserver-cold", "sequential"] == [
        entry.name for entry in SHOP.entries
    ]


def test_each_race_has_its_title_and_its_verdict():
    """One after the other, in the order given."""
    text = terminal([SHOP, CONTROL], width=200, color=False)
    wanted = [
        "shop: what things cost (replay at recorded pace)",
        "Bound by waiting: ",
        "control: what things cost (replay at recorded pace)",
        "WARNING: processes-w8-forkserver-warm reached 1.47 ×",
    ]
    places = [text.index(one) for one in wanted]
    assert sorted(places) == places


def test_a_controls_ideal_stands_beside_its_speedup():
    """So that a miss is seen."""
    assert "1.47 × of 8.00 ×" in terminal([CONTROL], width=80, color=False)


def test_without_color_there_are_no_escape_codes(monkeypatch):
    """Whatever the environment says of colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert ESCAPE not in terminal([SHOP, CONTROL], width=80, color=False)


def test_with_color_the_text_is_the_same(monkeypatch):
    """Colours add nothing that is not there without them."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    colored = terminal([SHOP, CONTROL], width=80, color=True)
    assert ESCAPE in colored
    assert terminal([SHOP, CONTROL], width=80, color=False) == re.sub(r"\x1b\[[\d;]*m", "", colored)


def test_names_are_shown_as_they_are():
    """A bracket in a test's parameters or a colon in a summary is no markup."""
    text = terminal(
        [race(benchmark("get[red]-[/x]", 1.0, 0.1, "a[b]", summary="a :warning: [c]"))], width=120, color=False
    )
    assert "a[b]: a :warning: [c] (replay at recorded pace)" in text
    assert "get[red]-[/x] " in text


def test_no_races_are_no_text():
    """There is nothing to say."""
    assert "" == terminal([], width=80, color=False)


# Markdown


@pytest.mark.parametrize("name", RACES)
def test_a_markdown_table_is_well_formed(name):
    """A heading, a rule and one row for each variant, all of as many cells, and an empty line on each side."""
    lines = markdown([RACES[name]]).splitlines()
    table = [line for line in lines if line.startswith("|")]
    first, last = lines.index(table[0]), lines.index(table[-1])
    assert 2 + len(RACES[name].entries) == len(table) == last - first + 1
    assert {7} == {line.count("|") for line in table}
    assert re.fullmatch(r"\|---\|(---:\|)+", table[1])
    assert ("", "") == (lines[first - 1], lines[last + 1])


def test_a_bar_in_a_name_does_not_end_its_cell():
    """A test's parameters may hold one."""
    rows = markdown([race(benchmark("a|b", 1.0, 0.1))]).splitlines()
    (row,) = [line for line in rows if "1.00 s" in line and line.startswith("|")]
    assert 7 == len(re.findall(r"(?<!\\)\|", row))


def test_markdown_holds_every_figure_of_the_table():
    """And the title and the verdict as on the terminal."""
    text = markdown([SHOP])
    assert text.startswith("**shop: what things cost (replay at recorded pace)**\n\n| variant | median | speed-up |")
    assert "| threads-w8-warm | 234 ms | 5.26 × | 67.8 ms | 0.29 | 3 |" in text
    assert "Bound by waiting: sequential computed for 4% of its 1.23 s. For one run take " in text


def test_markdown_ends_each_race_with_an_empty_line_between():
    """And the last with a line break alone."""
    text = markdown([SHOP, CONTROL])
    assert ".\n\n**control" in text
    assert text.endswith(".\n")
    assert not text.endswith("\n\n")


# the overview


def test_the_overview_is_a_line_for_each_race():
    """What bound it, the first variant, and what to take; a control has nothing to recommend."""
    rows = overview([SHOP, CONTROL]).splitlines()
    assert {6} == {row.count("|") for row in rows}
    assert [
        "| **shop**: what things cost | waiting (4% computing) | sequential 1.23 s "
        "| `processes-w8-forkserver-cold` 568 ms, **2.17 ×** | `threads-w8-warm` 234 ms, **5.26 ×** |"
    ] == rows[2:]


def test_a_bar_does_not_end_a_cell_of_the_overview():
    """Nor in a name, nor in a summary."""
    (row,) = overview([race(benchmark("a|b", 1.0, 0.1, summary="this|that"))]).splitlines()[2:]
    assert 6 == len(re.findall(r"(?<!\\)\|", row))
