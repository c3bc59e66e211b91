"""What a gate writes as Markdown."""

from __future__ import annotations

import re

import pytest

from laptime.gate.decision.trial import (
    BROKEN,
    REGRESSED,
    UNCHANGED,
)
from laptime.gate.decision.verdicts import Row
from laptime.report import gate_markdown
from laptime.report.gate_words import Told
from tests.support.gate_outputs import every_report
from tests.support.verdicts import EVERY, FILE, NOISE, REPORTS, SETTING, SLOWER, report_on, row


def _unfenced(text: str) -> str:
    return re.sub(r"^(`{3,})\w+\n.*?^\1$", "", text, flags=re.M | re.S)


@every_report
def test_markdown_is_a_table_whose_rows_have_the_same_columns(told: Told) -> None:
    """No name or message breaks a cell, a row, a block of code or the fold."""
    text = gate_markdown.report(told)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\ud800-\udfff]", text)
    outside = _unfenced(text)
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) <= 1
    assert len(rows) - 2 * len(re.findall("^\\|---", outside, re.M)) == len(told.report.rows)
    assert outside.count("<details>") == outside.count("</details>")
    assert set(re.findall("<[^>]*>", outside)) <= {"<details>", "</details>", "<summary>", "</summary>"}
    assert "`" not in outside.replace("\\`", "") or "<summary>" in outside
    assert text.splitlines()[0].startswith("## ")


def test_markdown_says_first_what_matters() -> None:
    """The outcome in words; where it went of each that failed, with its command; the command for all of it."""
    text = gate_markdown.report(report_on())
    assert text.startswith("## ❌ laptime gate: failed: 1 broken, 1 missing, 1 regressed\n")
    assert "the working tree against main (1a2b3c4): 1 broken, " in text
    assert "| 🔴 | test\\_sum\\[a::b/c-8\\] | wall | regressed | +20.3 % | +17.9 % … +22.7 % |" in text
    assert f"<details><summary>🔴 regressed: {SLOWER} (wall time)</summary>\n\n```text\nwall " in text
    assert f"$ laptime gate main -- '{SLOWER}'" in text
    assert "`````text\nHEAD: Traceback\nE   ValueError: <boom> ````" in text  # a fence longer than what is in it
    assert text.endswith("To reproduce:\n\n```console\nlaptime gate main -- -k 'a and b'\n```\n")
    assert text.count("<details>") == 3
    assert "would find" in text


def test_what_is_unchanged_is_folded_where_it_is_much() -> None:
    """More than ten."""
    few, many = ([row(f"test_{n}", UNCHANGED) for n in range(count)] for count in (10, 11))
    assert "<details>" not in gate_markdown.report(report_on(few))
    text = gate_markdown.report(report_on([*EVERY[:1], *many]))
    assert "<details><summary>11 unchanged</summary>" in text
    assert text.index("broken") < text.index("11 unchanged</summary>") < text.index("test\\_10")


def test_a_message_without_end_is_cut() -> None:
    """Its beginning and its end are shown, and its command is whole."""
    name = f"{FILE}::test_x[{'long' * 300}]"
    note = "HEAD: first\n" + "x" * 100_000 + "\n" * 10_000 + "last"
    text = gate_markdown.report(report_on([Row(name, None, BROKEN, note=note)]))
    assert len(text) < 8_000
    for said in ("HEAD: first\n", "\nlast\n", " lines …\n", f"$ laptime gate main -- '{name}'"):
        assert said in text


@pytest.mark.parametrize("name", ["200 benchmarks", "odd names", "each verdict"])
def test_markdown_keeps_to_its_room(name: str) -> None:
    """Whole parts, and of a table whole rows; it says that something is left out, and always what the outcome is."""
    told = REPORTS[name]
    whole = gate_markdown.report(told)
    assert whole == gate_markdown.report(told, len(whole.encode()))
    for most in range(0, len(whole.encode()), max(1, len(whole.encode()) // 15)):
        text = gate_markdown.report(told, most)
        assert len(text.encode()) <= most
        assert _unfenced(text).count("<details>") == _unfenced(text).count("</details>")
        assert most < 300 or (text.startswith(whole.splitlines()[0]) and gate_markdown._CUT in text)


def test_a_table_without_room_keeps_its_first_rows() -> None:
    """What matters most."""
    told = report_on([row(f"{FILE}::test_{number:04}", REGRESSED, 1.2) for number in range(1000)])
    text = gate_markdown.report(told, 20_000)
    assert "test\\_0000 " in text
    assert "test\\_0999 " not in text
    assert 15_000 < len(text.encode()) <= 20_000
    assert "To reproduce:" in text


def test_an_error_and_a_self_test_in_markdown() -> None:
    """The first line is the headline; what can't be found is a dash."""
    text = gate_markdown.error("no <benchmarks>\nsecond ```\n\x1b")
    assert text == (
        "## ⚠️ laptime gate: could not be measured: no &lt;benchmarks&gt;\n\n````text\nsecond ```\n\\x1b\n````\n"
    )
    assert gate_markdown.error("") == "## ⚠️ laptime gate: could not be measured: \n"
    shown = gate_markdown.noise(NOISE, SETTING)
    assert "| benchmark | by | noise of a block | A/A | found in 2 min 00 s | found in 10 min 00 s |" in shown
    assert "| wall | 2.0 % | +0.1 % | – | 3.4 % |" in shown
    assert "```toml\n" + "\n".join(SETTING) in shown
    assert "toml" not in gate_markdown.noise([], [])
