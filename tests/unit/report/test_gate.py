"""The table of a gate, at every width, and what is said below it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.gate.decision.noise import Noise
from laptime.gate.decision.trial import (
    BROKEN,
    CERTAIN,
    CPU,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    WALL,
)
from laptime.gate.decision.verdicts import Cost, Report, Row
from laptime.report import gate
from tests.support.verdicts import (
    COSTS,
    finding,
    judged,
)

WIDTHS = (60, 80, 120, 200)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["b/test_a.py::test_x[1]", "b/test_a.py::test_x[2]"], ["1", "2"]),
        (["b/test_a.py::test_x[1]"], ["test_x[1]"]),
        (["b/test_a.py::test_x[a::b]", "b/test_a.py::T::test_y"], ["test_x[a::b]", "test_y"]),
        (["b/test_a.py::test_x", "b/test_b.py::test_x"], ["test_a.py::test_x", "test_b.py::test_x"]),
        (["a/test_a.py::test_x", "b/test_a.py::test_x"], ["a/test_a.py::test_x", "b/test_a.py::test_x"]),
        (["b/test_a.py::test_x[]", "b/test_a.py::test_x[1]"], ["test_x[]", "test_x[1]"]),
    ],
)
def test_a_benchmark_has_the_shortest_name_that_tells_it_from_the_others(names: list[str], shown: list[str]) -> None:
    """One form for all of them, so that they read alike."""
    assert dict(zip(names, shown, strict=True)) == gate.labels(names)


ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

NASTY = "benchmarks/test_gate.py::test_x[red]\x1b[31m\r\n\u202e[/red]"

LONG = "benchmarks/test_gate.py::test_" + "long_" * 60


def _rows() -> tuple[Row, ...]:
    blocks = [0.2 + 0.001 * number for number in range(32)]
    return (
        Row(NASTY, None, BROKEN, note="HEAD: Traceback [red]\nE   ValueError: \x1b[2Jboom"),
        Row(
            "benchmarks/test_gate.py::test_hn[threads-8]", WALL, REGRESSED, finding(ratio=1.213, blocks=blocks), *COSTS
        ),
        Row("benchmarks/test_gate.py::test_hn[threads-8]", CPU, UNCHANGED, finding(ratio=0.99999), *COSTS),
        Row(LONG, WALL, UNRESOLVED, finding(ratio=0.93, verdict=UNRESOLVED), note="suspected, and not confirmed"),
        Row("test_none", WALL, UNRESOLVED, finding(ratio=None, blocks=(), smallest=None)),
        Row("test_new", None, NEW, note="not in BASE"),
    )


def _shown(rows: Sequence[Row], width: int, *, color: bool = False) -> str:
    report = Report("main (1a2b3c4)", "HEAD [bold]", tuple(rows), seconds=245, blocks=32, void=1)
    return gate.terminal(report, lambda name: f"laptime gate main -- {name}", width=width, color=color)


def _table(shown: str) -> list[str]:
    """The table's own lines."""
    lines = ESCAPE.sub("", shown).splitlines()
    return lines[1 : next(number for number, line in enumerate(lines) if not line)]


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_at_every_width_names_verdicts_and_changes_can_be_read(width: int, color: bool) -> None:
    """What there is no room for is left out whole, or told below; nothing steers the terminal but its own colours."""
    shown = _shown(_rows(), width, color=color)
    assert ("\x1b[" in shown) is color
    bare = ESCAPE.sub("", shown)
    assert not set(bare) & {"\x1b", "\r", "\u202e"}
    lines = bare.splitlines()
    assert lines[0] == "laptime gate: HEAD [bold] against main (1a2b3c4)"
    assert lines[1].split()[:4] == ["benchmark", "by", "verdict", "change"]
    for word in (REGRESSED, UNCHANGED, UNRESOLVED, BROKEN, NEW):
        assert re.search(rf"\b{word}\b", "\n".join(_table(shown))), word
    assert "+21.3 %" in bare
    assert "+0.0 %" in bare
    assert "-0.0 %" not in bare
    row = next(line for line in lines if REGRESSED in line)
    assert "test_h" in row
    name = "".join(line.split("  ")[0].strip() for line in _table(shown))
    assert "test_x[red]\\x1b[31m\\r\\n\\u202e[/red]" in name
    assert "long_" * 60 in name
    assert "not in BASE" in " ".join(bare.split())
    assert re.search(r"long_: suspected, and not confirmed$", bare, re.M)  # told below, rather than in a column
    assert "4.0 %" in "\n".join(_table(shown))
    assert "1 regressed" in lines[-2]
    assert lines[-1] == "FAILED: 1 broken, 1 regressed"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int) -> None:
    """As wide as it is, or narrower."""
    rows = [row for row in _rows() if row.verdict in (UNCHANGED, REGRESSED)]
    assert max(map(len, _table(_shown(rows, width)))) <= width


def test_the_interval_and_the_blocks_are_shown_where_there_is_room() -> None:
    """The blocks go first."""
    found = {width: _shown(_rows()[1:3], width) for width in (60, 80, 200)}
    assert "95 % interval" not in found[60]
    assert "+18.9 % … +23.7 %" in found[80]
    assert "blocks" in found[200].splitlines()[1]
    assert "█" in found[200]


def test_what_is_unresolved_tells_what_could_be_found_and_why_it_is_open() -> None:
    """In columns where there is room; that the run was ended is said once, below."""
    stop = "there was no time left"
    open_ = finding(ratio=0.93, verdict=UNRESOLVED)
    rows = [
        Row("test_a", WALL, UNRESOLVED, open_, note=stop),
        Row("test_b", WALL, UNRESOLVED, open_, note=f"looks slower, and was not confirmed: {stop}"),
        Row("test_c", WALL, UNCHANGED, finding()),
    ]
    shown = gate.terminal(Report("main", "HEAD", tuple(rows), stopped=stop), lambda name: name, width=120, color=False)
    head, *lines = _table(shown)
    assert "would find" in head
    assert [line.split()[0] for line in lines if "4.0 %" in line] == ["test_a", "test_b"]
    assert [line.split()[0] for line in lines if line.rstrip().endswith("looks slower, and was not confirmed")] == [
        "test_b"
    ]
    assert shown.count(stop) == 1
    assert "would find" not in _shown(rows[2:], 120)


def test_a_colour_is_the_verdicts() -> None:
    """Red for what fails."""
    shown = _shown(_rows(), 120, color=True)
    assert re.search(r"\x1b\[1;31mregressed", shown)
    assert re.search(r"\x1b\[33munresolved", shown)


def test_two_hundred_rows_are_two_hundred_lines() -> None:
    """Each benchmark on its own, where there is little room and where there is much."""
    rows = [Row(f"test_{number:03}", WALL, UNCHANGED, finding()) for number in range(200)]
    for width in (60, 200):
        assert len(_table(_shown(rows, width))) == 201


def test_a_benchmarks_name_stands_once() -> None:
    """Beside its first metric."""
    table = _table(_shown(_rows()[1:3], 200))
    assert sum("test_hn" in line for line in table) == 1
    assert table[2].split()[0] == CPU


def test_what_is_missing_is_a_dash() -> None:
    """Neither a ratio nor an interval nor blocks."""
    table = _table(_shown(_rows()[4:5], 200))
    assert table[1].split() == ["test_none", WALL, UNRESOLVED, "–", "–"]
    assert gate.percent(None) == "–"
    assert gate.between(finding(ratio=None)) == "–"


def test_no_rows_are_no_table() -> None:
    """But a sum."""
    shown = gate.terminal(Report("main", "HEAD", ()), lambda name: name, width=80, color=False)
    assert "benchmark" not in shown.splitlines()[1]
    assert "nothing was judged" in shown
    assert "CAN'T TELL" in shown


def test_a_regression_says_where_the_time_went_and_how_to_run_it_alone() -> None:
    """Wall, CPU, waiting, switches and memory, of one call."""
    shown = _shown(_rows()[1:3], 120)
    assert "REGRESSED benchmarks/test_gate.py::test_hn[threads-8] (wall time)" in shown
    assert re.search(r"wall +10\.0 ms → 12\.0 ms  \(\+20\.0 %\)", shown)
    assert re.search(r"peak memory *\S+ \S+ → ", shown)
    assert "  laptime gate main -- benchmarks/test_gate.py::test_hn[threads-8]" in shown
    assert "waiting     0" in "\n".join(gate.where_it_went(Cost(1, 2, 0), Cost(1, 2, 0)))
    assert "peak" not in "\n".join(gate.where_it_went(Cost(1, 2, 0), Cost(1, 2, 0, 5)))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1.0, "+0.0 %"), (0.99999, "+0.0 %"), (1.052, "+5.2 %"), (0.5, "-50.0 %"), (1.9994, "+99.9 %"), (3.0, "+200 %")],
)
def test_a_change_in_percent(ratio: float, expected: str) -> None:
    """One decimal, where it says something."""
    assert gate.percent(ratio) == expected


def test_bars_are_as_high_as_their_blocks() -> None:
    """Half high is no change; the noise of a quiet benchmark isn't blown up; only the latest are shown."""
    assert gate.sparkline([]) == ""
    assert gate.sparkline([-1.0, 0.0, 1.0]) == "▁▅█"
    assert gate.sparkline([-0.001, 0.001]) in ("▄▅", "▅▅", "▄▄")
    assert gate.sparkline([9.0, *[0.0] * 20]) == "▅" * 20


@given(st.lists(st.floats(-20, 20), max_size=60))
def test_there_is_a_bar_for_any_block(blocks: list[float]) -> None:
    """And the larger is never lower."""
    bars = gate.sparkline(blocks)
    assert len(bars) == min(len(blocks), 20)
    shown = sorted(zip(blocks[-20:], bars, strict=True))
    assert [bar for _, bar in shown] == sorted(bars)


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (245, "4 min 05 s")])
def test_a_clock(seconds: float, expected: str) -> None:
    """Rounded before it is divided."""
    assert gate.clock(seconds) == expected


def test_the_command_for_one_benchmark_is_quoted() -> None:
    """For a shell."""
    assert gate.command("main", None, (), ["a.py::test_x[1 2]"]) == "laptime gate main -- 'a.py::test_x[1 2]'"
    assert gate.command("main", "feature", (), ["a.py::test"]) == "laptime gate main feature -- a.py::test"
    assert gate.command("main", None, ["--isolate"], ()) == "laptime gate --isolate main"


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_self_tests_table_at_every_width(width: int, color: bool) -> None:
    """Its names are never markup, what can't be found is a dash."""
    smallest_ = ((120.0, None), (300.0, 0.061), (600.0, 0.034))
    found = [Noise(NASTY, metric, 0.02, 1.001, tuple([0.98, 1.02] * 6), smallest_) for metric in (WALL, CPU)]
    shown = gate.noise(found, width=width, color=color)
    bare = ESCAPE.sub("", shown)
    assert not set(bare) & {"\x1b", "\r", "\u202e"}
    assert ("blocks" in bare) is (width >= 120)
    assert {WALL, CPU} <= set(bare.split())
    if width >= 80:
        line = next(line for line in bare.splitlines() if WALL in line)
        assert ["2.0", "%", "+0.1", "%", "–", "6.1", "%", "3.4", "%"] == line.partition(WALL)[2].split()[:9]
    assert ESCAPE.sub("", gate.noise([], width=width, color=color)).split()[:2] == ["benchmark", "by"]


TOO_LITTLE = "there was too little time for anything to be known"


@pytest.mark.parametrize(
    ("report", "line"),
    [
        ({"stopped": CERTAIN}, f"ended early, since {CERTAIN}; --complete judges the others to the end"),
        ({"stopped": "of time"}, "ended early, since of time; --max-time gives it more"),
        ({"stopped": "interrupted", "interrupted": True}, "interrupted: this is what was known by then"),
        ({"unfit": "too many are void"}, "CAN'T TELL: too many are void"),
        ({"looked": False}, f"CAN'T TELL: {TOO_LITTLE}; give it more by --max-time"),
        ({"skipped": ("a", "b")}, "skipped on both sides: 2 benchmarks"),
        ({"remarks": ("a remark",)}, "note: a remark"),
    ],
)
def test_what_a_reader_must_know_beside_the_verdicts_is_said_below(report: dict[str, Any], line: str) -> None:
    """And what to do."""
    shown = gate.terminal(judged(UNRESOLVED, **report), lambda name: name, width=80, color=False)
    assert line in shown.splitlines()
