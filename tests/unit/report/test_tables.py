"""Races as tables for a terminal and as Markdown: marks, intervals, a legend, and all of it on one screen."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from laptime.analysis.race import Race
from laptime.report.race import span
from laptime.report.tables import legend, markdown, overview, terminal
from laptime.report.units import duration, times
from tests.support.races import benchmark, control, race, variant

WIDTHS = (40, 50, 60, 72, 80, 100, 120, 200)
ESCAPE = "\x1b"
SCREEN = (80, 24)
"""Columns and lines of a terminal that nobody enlarged."""
MARKS = r"[>=.]? +"


def shop(void: int = 0) -> Race:
    """Waiting: a pool, one run of which is as fast by an event loop; and another algorithm. `void`: rounds of each."""
    return race(
        variant("sequential", 1.234, 0.0512, void=void),
        variant("processes-w8-forkserver-cold", 0.5678, 1.2345, void=void, parallelism=1.87, workers=8),
        variant("threads-w8-cold", 0.3456, 0.0512, void=void, workers=8),
        variant("asyncio-w8-cold", 0.3478, 0.0407, void=void, workers=8),
        variant("threads-w8-warm", 0.2345, 0.0678, void=void, workers=8),
        variant("oracle", 0.000789, 0.000789, void=void, reference=True, meaning="Another algorithm, that `knows`."),
    )


SHOP, BUSY = shop(), shop(void=8)
"""The same race: fit, and where others disturbed eight passes of twenty."""
CONTROL = race(control("sequential", 0.163), control("processes-w8-forkserver-warm", 0.111, 8.0))
OLD = race(benchmark("sequential", 1.234, 0.0512), benchmark("threads-w8-warm", 0.2345, 0.0678))
RACES = {"shop": SHOP, "busy": BUSY, "control": CONTROL, "old": OLD}


def marks(text: str) -> dict[str, str]:
    """What stands beside each variant; nothing where nothing does."""
    return {name: mark for mark, name in re.findall(r"^([>=.]?) +(\S+) +[\d.]+ [mµn]?s ", text, re.M)}


# terminal


@pytest.mark.parametrize("name", RACES)
def test_no_figure_is_ever_cut_and_no_line_wider_than_the_terminal(name):
    """In a narrow terminal there are fewer columns, and not shorter ones: a cut figure is worse than none."""
    for width in WIDTHS:
        text = terminal([RACES[name]], width=width, color=False)
        assert "…" not in text
        table = text.splitlines()
        assert width >= max(cell_len(line.rstrip()) for line in table)
        for entry in RACES[name].entries:
            for figure in (duration(entry.median_s), times(entry.speedup), span(entry.gain)):
                assert [] != [line for line in table if figure in line], text


@pytest.mark.parametrize("width", [width for width in WIDTHS if width >= 100])
def test_a_row_is_one_line(width):
    """From 100 columns on, a variant and all its figures stand beside each other, however long its name is."""
    text = terminal([SHOP], width=width, color=False)
    for entry in SHOP.entries:
        figures = (duration(entry.median_s), times(entry.speedup), span(entry.gain), duration(entry.cpu_s), "20")
        row = " +".join(map(re.escape, (*figures, f"{entry.parallelism:.2f}")))
        assert re.search(rf"^{MARKS}{entry.name} +{row}\b", text, re.M), text


def test_in_80_columns_a_row_is_one_line_with_its_interval():
    """What decides is there: median, speed-up, interval and CPU; of a name as long as the suite's are, all else too."""
    text = terminal([SHOP], width=80, color=False)
    for entry in SHOP.entries:
        row = " +".join(map(re.escape, (duration(entry.median_s), times(entry.speedup), span(entry.gain))))
        assert re.search(rf"^{MARKS}{entry.name} +{row} +{re.escape(duration(entry.cpu_s))}\b", text, re.M), text


def test_a_wide_terminal_shows_bars():
    """The longest is the slowest variant's."""
    lines = terminal([SHOP], width=120, color=False).splitlines()
    bars = {line[2:].split()[0]: line.count("█") for line in lines if "█" in line or "▏" in line}
    assert {entry.name for entry in SHOP.entries} == set(bars)
    assert "sequential" == max(bars, key=bars.__getitem__)


def test_variants_stand_with_the_fastest_first():
    """The order is the result."""
    text = terminal([SHOP], width=120, color=False)
    assert (
        [
            "oracle",
            "threads-w8-warm",
            "threads-w8-cold",
            "asyncio-w8-cold",
            "processes-w8-forkserver-cold",
            "sequential",
        ]
        == [entry.name for entry in SHOP.entries]
        == list(marks(text))
    )


def test_marks_tell_what_to_take_and_who_is_as_good():
    """`>` what is taken, for one run and with a pool kept open; `=` who is not shown to be slower; `.` no contender."""
    assert {
        "oracle": ".",
        "threads-w8-warm": ">",
        "threads-w8-cold": "=",
        "asyncio-w8-cold": ">",
        "processes-w8-forkserver-cold": "",
        "sequential": "",
    } == marks(terminal([SHOP], width=120, color=False))


@pytest.mark.parametrize("name", ["busy", "old", "control"])
def test_where_nobody_is_named_nobody_is_marked(name):
    """Neither in a race that is not fit, nor in a control; what is no contender is that all the same."""
    text = terminal([RACES[name]], width=120, color=False)
    found = marks(text)
    assert {entry.name for entry in RACES[name].entries} == set(found)
    assert {""} == {mark for entry, mark in found.items() if entry != "oracle"}
    assert "." == found.get("oracle", ".")
    assert "> take" not in text


def test_a_legend_says_what_the_marks_and_the_names_mean():
    """Those that occur: marks, what a pool costs in which row, and names that are not plain."""
    assert [
        "> take; = not shown to be slower. . not in the contest. "
        "cold: starts its pool; warm: keeps it open. oracle: another algorithm, that knows."
    ] == legend(SHOP)
    pages = variant("sequential", 1.0, parser="html.parser"), variant("session-lxml", 0.5, parser="lxml")
    assert [". not in the contest."] == [said.partition(" slower. ")[2] for said in legend(race(*pages))]
    assert [] == legend(race(benchmark("sequential", 1.0, 0.1), benchmark("threads", 0.5, 0.1)))


def test_a_variant_alone_has_no_mark_and_no_legend():
    """There is nothing to take."""
    alone = race(variant("sequential", 1.0))
    assert ({"sequential": ""}, []) == (marks(terminal([alone], width=120, color=False)), legend(alone))


def test_a_legend_stands_between_the_table_and_the_verdict():
    """Where it is looked for."""
    text = " ".join(terminal([SHOP], width=200, color=False).split())
    places = [text.index(one) for one in ("shop: what things cost", " sequential 1.2", "> take; ", "For one run take ")]
    assert sorted(places) == places


def test_each_race_has_its_title_and_its_verdict():
    """One after the other, in the order given."""
    text = terminal([SHOP, CONTROL], width=200, color=False)
    wanted = [
        "shop: what things cost\n",
        "For one run take asyncio-w8-cold: ",
        "Bound by waiting: ",
        "control: what things cost\n",
        "WARNING: processes-w8-forkserver-warm reached 1.47 ×",
    ]
    places = [text.index(one) for one in wanted]
    assert sorted(places) == places


def test_a_race_that_is_not_fit_shows_its_figures_and_says_why_it_names_nobody():
    """Others disturbed it: what was measured stands there all the same."""
    text = terminal([BUSY], width=120, color=False)
    assert "NO VERDICT: others used " in text
    assert " 48 of 120 rounds are void" in text
    for entry in BUSY.entries:
        assert duration(entry.median_s) in text
    assert not re.search(r"\bTake |\btake ", text)


def test_what_was_not_run_in_passes_has_no_interval():
    """A dash stands in its place, and the rounds are counted."""
    text = terminal([OLD], width=120, color=False)
    assert re.search(r"^ +threads-w8-warm +234 ms +5\.26 × +– +67\.8 ms +3 ", text, re.M), text


def test_a_controls_ideal_stands_beside_its_speedup():
    """So that a miss is seen."""
    assert "1.47 × of 8.00 ×" in terminal([CONTROL], width=80, color=False)


def test_what_a_clusters_workers_compute_is_told_to_be_a_part():
    """Wherever CPU stands: in the table, and in a sentence."""
    far = variant("dask-w8-cold-cluster", 0.25, 0.01, cpu_elsewhere=True, workers=8, meaning="A dask cluster.")
    text = terminal([race(variant("sequential", 1.0, 0.02), far)], width=120, color=False)
    assert re.search(r"^> +dask-w8-cold-cluster +2\d\d ms .* ≥ 10\.0 ms +20 +≥ 0\.04 ", text, re.M), text
    said = " ".join(text.split())
    assert "CPU of dask-w8-cold-cluster is the client's alone: the cluster's workers are not counted." in said


def test_without_color_there_are_no_escape_codes(monkeypatch):
    """Whatever the environment says of colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert ESCAPE not in terminal([*RACES.values()], width=80, color=False)


def test_with_color_the_text_is_the_same(monkeypatch):
    """Colours add nothing that is not there without them."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    colored = terminal([*RACES.values()], width=80, color=True)
    assert ESCAPE in colored
    assert terminal([*RACES.values()], width=80, color=False) == re.sub(r"\x1b\[[\d;]*m", "", colored)


def test_names_are_shown_as_they_are():
    """A bracket in a test's parameters or a colon in a summary is no markup."""
    text = terminal(
        [race(benchmark("get[red]-[/x]", 1.0, 0.1, "a[b]", summary="a :warning: [c]"))], width=120, color=False
    )
    assert "a[b]: a :warning: [c]\n" in text
    assert "get[red]-[/x] " in text


def test_no_races_are_no_text():
    """There is nothing to say."""
    assert "" == terminal([], width=80, color=False)


# one screen


def primes(*, void: int = 0, equals: int = 1) -> Race:
    """Thirteen variants of work that computes, as the suite names them: the longest names, and a reference.

    equals  how many of the warm pools take about as long as the best
    """
    pools = (
        "processes-w2-forkserver-warm",
        "processes-w8-forkserver-warm",
        "pool-map-w2-forkserver-warm",
        "pool-map-w8-forkserver-warm",
        "processes-w4-forkserver-warm",
    )
    cold = {
        "processes-w2-fork-cold": 0.088,
        "processes-w2-spawn-cold": 0.161,
        "processes-w2-forkserver-cold": 0.121,
        "pool-map-w2-forkserver-cold": 0.134,
    }
    meaning = {
        "pool-map": "multiprocessing.Pool().map, a number at a time.",
        "sieve": "Another algorithm, in numpy.",
    }
    seconds = {"sequential": 0.1352, "threads-w8-cold": 0.1371, "threads-w8-warm": 0.1364, **cold}
    seconds |= {name: 0.0724 + 0.0002 * place for place, name in enumerate(pools[:equals])}
    seconds |= {name: 0.091 + 0.003 * place for place, name in enumerate(pools[equals:])}
    seconds["sieve"] = 0.001234
    made = []
    for label, wall_s in seconds.items():
        kind = re.split(r"-w\d|$", label)[0]
        workers = int(found[1]) if (found := re.search(r"-w(\d)", label)) else None
        about = {"variant": kind, "meaning": meaning.get(kind), "workers": workers, "reference": kind == "sieve"}
        about |= {"start_method": "forkserver" if kind in ("processes", "pool-map") else None}
        about |= {"workload": "primes", "summary": "primes by trial division: computing"}
        cpu_s = min(wall_s, 0.1349) if kind in ("sequential", "threads", "sieve") else 0.137
        taken = {"others_s": 0.6 * wall_s * 20, "stolen_s": 0.0} if void else None
        one = variant(label, wall_s, cpu_s, void=void, latency=None, waited_s=0.004, tried=taken, **about)
        made.append({**one, "group": "primes"})
    return race(*made)


SCREENFULS = {
    "one is taken": primes(),
    "several are as fast": primes(equals=4),
    "several, and void rounds": primes(equals=4, void=1),
    "others disturbed it": primes(void=8),
}


@pytest.mark.parametrize("name", SCREENFULS)
def test_a_race_of_thirteen_variants_fits_on_a_screen(name):
    """Title, table, legend and verdict: 80 columns and 24 lines, whatever came out."""
    columns, lines = SCREEN
    found = SCREENFULS[name]
    assert 13 == len(found.entries)
    assert ("disturbed" in name) == bool(found.unfit)
    text = terminal([found], width=columns, color=False).strip("\n").splitlines()
    assert columns >= max(cell_len(line.rstrip()) for line in text)
    assert lines >= len(text), "\n".join(text)


# Markdown


@pytest.mark.parametrize("name", RACES)
def test_a_markdown_table_is_well_formed(name):
    """A heading, a rule and one row for each variant, all of as many cells, and an empty line on each side."""
    lines = markdown([RACES[name]]).splitlines()
    table = [line for line in lines if line.startswith("|")]
    first, last = lines.index(table[0]), lines.index(table[-1])
    assert 2 + len(RACES[name].entries) == len(table) == last - first + 1
    assert {9} == {line.count("|") for line in table}
    assert re.fullmatch(r"\|---\|---\|(---:\|)+", table[1])
    assert ("", "") == (lines[first - 1], lines[last + 1])


def test_a_bar_in_a_name_does_not_end_its_cell():
    """A test's parameters may hold one."""
    rows = markdown([race(benchmark("a|b", 1.0, 0.1))]).splitlines()
    (row,) = [line for line in rows if "1.00 s" in line and line.startswith("|")]
    assert 9 == len(re.findall(r"(?<!\\)\|", row))


def test_markdown_holds_every_figure_of_the_table():
    """And the title, the marks, the legend and the verdict as on the terminal."""
    text = markdown([SHOP])
    heading = "|  | variant | median | speed-up | 95 % | CPU | passes | parallel |"
    assert text.startswith(f"**shop: what things cost**\n\n{heading}\n")
    entry = next(entry for entry in SHOP.entries if entry.name == "threads-w8-warm")
    figures = f"{duration(entry.median_s)} | {times(entry.speedup)} | {span(entry.gain)} | 67.8 ms | 20 | "
    assert f"| > | threads-w8-warm | {figures}" in text
    assert "| . | oracle | " in text
    assert re.search(r"^> take; .* For one run take .* Bound by waiting: sequential computed for ", text, re.M)


def test_markdown_of_a_race_that_is_not_fit_says_so():
    """Its table is whole, and nobody is marked."""
    text = markdown([BUSY])
    assert 0 == text.count("| > |") + text.count("| = |")
    assert "NO VERDICT: others used " in text


def test_markdown_ends_each_race_with_an_empty_line_between():
    """And the last with a line break alone."""
    text = markdown([SHOP, CONTROL])
    assert ".\n\n**control" in text
    assert text.endswith(".\n")
    assert not text.endswith("\n\n")


# the overview


def test_the_overview_is_a_line_for_each_race():
    """What bound it, the first variant, and what to take with its interval; a control has nothing to recommend."""
    rows = overview([SHOP, CONTROL]).splitlines()
    assert {6} == {row.count("|") for row in rows}
    (row,) = rows[2:]
    once, kept = SHOP.once.take, SHOP.kept.take
    assert ("asyncio-w8-cold", "threads-w8-warm") == (once.name, kept.name)
    assert (
        "| **shop**: what things cost | waiting (4.1 % computing) | sequential 1.24 s "
        f"| `asyncio-w8-cold` {duration(once.median_s)}, **{times(once.speedup)}** ({span(once.gain)}); "
        "as fast: `threads-w8-cold` "
        f"| `threads-w8-warm` {duration(kept.median_s)}, **{times(kept.speedup)}** ({span(kept.gain)}) |"
    ) == row


def test_the_overview_of_a_race_that_is_not_fit_names_nobody():
    """Neither for one run nor with a pool kept open."""
    (row,) = overview([BUSY]).splitlines()[2:]
    assert row.endswith(" | no verdict | no verdict |")


def test_the_overview_says_once_what_is_the_same_with_a_pool():
    """Where keeping one open gains nothing worthwhile; and the first variant has no gain over itself."""
    same = race(variant("sequential", 1.0), variant("threads-w2-cold", 1.01), variant("threads-w2-warm", 1.0))
    (row,) = overview([same]).splitlines()[2:]
    assert re.search(r"\| `sequential` \d+(\.\d+)? m?s \| the same \|$", row), row


def test_a_bar_does_not_end_a_cell_of_the_overview():
    """Nor in a name, nor in a summary."""
    (row,) = overview([race(benchmark("a|b", 1.0, 0.1, summary="this|that"))]).splitlines()[2:]
    assert 6 == len(re.findall(r"(?<!\\)\|", row))
