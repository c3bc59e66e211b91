"""How gates are listed: in the terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from laptime.git import Commit
from laptime.history import (
    GateEntry,
)
from laptime.report import gates as report
from tests.support.histories import BASE, FINGERPRINT, HEAD, MACHINE, PYTHON, START, gate


def entry(**what: Any) -> GateEntry:
    """A gate in a list."""
    made = GateEntry(
        1, gate().id, START, 754.25, BASE, HEAD, 7, 1, True, {"missing": 1, "regressed": 2, "unchanged": 30}
    )
    return replace(made, **what)


def test_a_gate_is_a_line():
    """When, base and head (a plus where there were changes), the verdicts, how long, and the exit code."""
    heading, line = report.terminal([entry()], width=200, color=False).splitlines()
    assert "gate when (UTC) base → head branch verdicts took exit code" == " ".join(heading.split())
    shown = "2026-03-01 12:00 ba5e000000 → 4ead000000+ topic 1 missing, 2 regressed, 30 unchanged 12 min 34 s 1"
    assert f"{gate().id[:10]} {shown}" == " ".join(line.split())


def test_what_there_is_not_is_said():
    """A commit, a branch, a verdict; and that a gate was cut short."""
    one = entry(base=Commit(), head=Commit(changes="x"), counts={}, complete=False, code=2)
    line = report.markdown([one]).splitlines()[2]
    assert f"| {gate().id[:10]} | 2026-03-01 12:00 | – → –+ | – | nothing, cut short | 12 min 34 s | 2 |" == line


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.25, "250 ms"),
        (59.4, "59.4 s"),
        (59.6, "1 min 00 s"),
        (754.25, "12 min 34 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (5070.0, "1 h 24 min"),
    ],
)
def test_how_long_a_gate_took_is_said_as_people_say_it(seconds, said):
    """Never 60 seconds or 60 minutes."""
    assert said == report.took(seconds)


def test_hostile_branches_stay_in_their_cells():
    """No markup, no escape sequence and no table is made of a name."""
    names = ["[red]x[/red]", "a|b", "<script>", "\x1b[31mx", "a\nb", "\u202ex", "*x*", "`x`"]
    entries = [entry(head=replace(HEAD, branch=name)) for name in names]
    text = report.terminal(entries, width=1000, color=False)
    assert len(names) + 1 == len(text.splitlines())
    assert "[red]x[/red]" in text
    assert not {"\x1b", "\u202e"} & set(text)
    lines = report.markdown(entries).splitlines()
    assert {8} == {line.replace("\\|", "").count("|") for line in lines}
    assert "<script>" not in "".join(lines)


@pytest.mark.parametrize("width", [20, 60, 80, 120])
def test_a_list_keeps_to_its_width(width):
    """Where there is room for a word at all."""
    lines = report.terminal([entry(), entry(complete=False)], width=width, color=False).splitlines()
    assert max(map(cell_len, lines)) <= width


def test_json_has_what_a_line_has_and_more():
    """Whole hashes, seconds, and what it ran on."""
    found = json.loads(report.as_json([entry()], {7: FINGERPRINT}))
    at = START.isoformat()
    base = {"commit": BASE.id, "commit_at": at, "branch": "main", "dirty": False}
    head = {
        "commit": HEAD.id,
        "commit_at": (START + timedelta(minutes=5)).isoformat(),
        "branch": "topic",
        "dirty": True,
    }
    assert found == {
        "version": 1,
        "gates": [
            {
                "id": gate().id,
                "at": at,
                "seconds": 754.25,
                "complete": True,
                "exit_code": 1,
                "base": base,
                "head": head,
                "benchmarks": {"missing": 1, "regressed": 2, "unchanged": 30},
                "machine": MACHINE,
                "interpreter": PYTHON,
            }
        ],
    }
