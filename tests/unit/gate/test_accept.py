"""What is accepted: which benchmarks it excuses, whether it is needed, and how it is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from laptime.gate import GateError, accept
from laptime.gate import settings as gate_settings
from laptime.gate.accept import Accept
from laptime.gate.decision.trial import (
    ACCEPTED,
    BROKEN,
    CPU,
    IMPROVED,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    WALL,
    Rules,
)
from laptime.gate.decision.verdicts import Report, Row
from laptime.report import gate
from tests.support.verdicts import (
    finding,
    judged,
)

DAY = date(2027, 1, 31)

BIG = Accept("*big*", 0.12, "checks every row", DAY)


def test_an_entry_that_can_not_be_read_is_none_of_base(tmp_path: Path) -> None:
    """Another laptime wrote it; it equals none that can be read, and the others count."""
    good = """
        [[tool.laptime.gate.accept]]
        benchmark = "*big*"
        up_to = "12%"
        why = "because"
        until = "v2.0"
    """
    (tmp_path / "pyproject.toml").write_text(f"{good}\n[[tool.laptime.gate.accept]]\nwhy = 7\n", encoding="utf-8")
    assert gate_settings.accepts_before(tmp_path) == [Accept("*big*", 0.12, "because", "v2.0")]
    for text in ("", "[tool.laptime]\ngate = 7", "[tool.laptime.gate]\naccept = 7\nmargni = 7"):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        assert gate_settings.accepts_before(tmp_path) == []
    assert gate_settings.accepts_before(tmp_path / "absent") == []


def test_what_is_accepted_is_a_rule_of_the_benchmarks_that_it_fits() -> None:
    """And of no other; brackets are plain."""
    names = ["t.py::test_big[1]", "t.py::test_small"]
    accepted = accept.by_benchmark(names, [BIG, Accept("*small[1]", 0.2, "x", DAY)])
    assert accepted == {names[0]: BIG}
    assert accept.rules(dict.fromkeys(names, Rules(0.02)), accepted) == {
        names[0]: Rules(0.02, accepted=0.12),
        names[1]: Rules(0.02),
    }


def test_two_entries_for_one_benchmark_are_refused() -> None:
    """Which of them is meant?"""
    with pytest.raises(GateError, match=r"'\*big\*' and 'test_\*' both fit test_big: .* an up_to for both slowdowns"):
        accept.by_benchmark(["test_big"], [BIG, Accept("test_*", 0.2, "x", DAY)])


def test_what_is_accepted_must_be_above_the_benchmarks_own_margin() -> None:
    """Which may be larger than that of others."""
    with pytest.raises(GateError, match=r"up_to 12 % is not above the margin of test_big, 12 %"):
        accept.rules({"test_big": Rules(0.12, 0.2)}, {"test_big": BIG})


def _concluded(*rows: Row, chosen: bool = False, names: Sequence[str] = ("test_big", "test_small")) -> Report:
    return accept.concluded(Report("main", "HEAD", rows, looked=True), [BIG], names, chosen=chosen)


def _judged(verdict: str, metric: str | None = WALL, name: str = "test_big", note: str | None = None) -> Row:
    found = finding(name, verdict, metric=metric) if metric else None
    return Row(name, metric, verdict, found, note=note)


def test_what_is_accepted_is_said_beside_it() -> None:
    """By how much, until when and why; of what is beyond it, that it is."""
    report = _concluded(
        _judged(ACCEPTED, note="cpu is not judged"), _judged(REGRESSED, CPU), _judged(REGRESSED, name="test_small")
    )
    assert [row.note for row in report.rows] == [
        "accepted up to 12 % until 2027-01-31: checks every row; cpu is not judged",
        "beyond what is accepted, 12 % until 2027-01-31",
        None,
    ]
    assert (report.refused, report.remarks) == ((), ())


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(UNCHANGED, WALL), (UNCHANGED, CPU)], "refused"),
        ([(UNCHANGED, WALL), (IMPROVED, CPU)], "refused"),
        ([(UNCHANGED, WALL), (ACCEPTED, CPU)], None),
        ([(IMPROVED, WALL), (REGRESSED, CPU)], None),
        ([(UNCHANGED, WALL), (UNRESOLVED, CPU)], "remark"),
        ([(UNRESOLVED, WALL), (ACCEPTED, CPU)], None),
        ([(UNCHANGED, None)], "remark"),  # both sides hold the same files, and nothing was measured
        ([(BROKEN, None)], "remark"),
        ([(NEW, None)], "remark"),
        ([], "remark"),  # skipped, or interrupted
    ],
)
def test_what_is_accepted_must_be_needed(rows: list[tuple[str, str | None]], expected: str | None) -> None:
    """It is refused where all that it fits was judged and is no slower; where that isn't known, it is a remark."""
    report = _concluded(*(_judged(*one) for one in rows), _judged(REGRESSED, name="test_small"))
    assert report.refused == (
        ("accept '*big*' is not needed: nothing that it fits became slower",) if expected == "refused" else ()
    )
    assert report.remarks == (
        ("accept '*big*': whether it is needed is not known by now",) if expected == "remark" else ()
    )


def test_what_is_slower_within_the_limit_may_need_what_is_accepted() -> None:
    """To be told to remove it now, and that it is regressed the next time, helps nobody."""
    slower = Row("test_big", WALL, UNCHANGED, finding("test_big", ratio=1.03))
    assert _concluded(slower).refused == ()
    assert _concluded(slower).remarks == ("accept '*big*': whether it is needed is not known by now",)


def test_what_fits_no_benchmark_is_refused_unless_some_were_chosen() -> None:
    """With -k, it may fit one that was not."""
    assert _concluded(names=["test_small"]).refused == ("accept '*big*' fits no benchmark",)
    report = _concluded(names=["test_small"], chosen=True)
    assert report.refused == ()
    assert report.remarks == ("accept '*big*' fits none of the benchmarks that were chosen",)


def test_the_report_ends_with_what_is_refused() -> None:
    """Beside what failed; that it was accepted is shown in the table."""
    report = _concluded(_judged(ACCEPTED), _judged(UNCHANGED, CPU), _judged(REGRESSED, name="test_small"))
    report = accept.concluded(report, [Accept("gone", 0.2, "x", "v2")], ["test_big"], chosen=False)
    shown = gate.terminal(report, lambda name: name, width=200, color=False)
    assert re.search(r"test_big +wall +accepted .* accepted up to 12 % until 2027-01-31: checks every row", shown)
    assert "1 regressed, 1 accepted · " in shown
    assert shown.splitlines()[-2:] == ["FAILED: 1 regressed", "REFUSED: accept 'gone' fits no benchmark: remove it"]
    alone = gate.terminal(judged(UNCHANGED, refused=("x",)), lambda name: name, width=80, color=False)
    assert "CAN'T TELL" not in alone
