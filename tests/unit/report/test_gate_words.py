"""What is the same in all that a gate writes: its verdicts and its outcome in words."""

from __future__ import annotations

import pytest

from laptime.gate.decision.trial import (
    BROKEN,
    VERDICTS,
)
from laptime.gate.decision.verdicts import Row
from laptime.report import gate_json, gate_junit, gate_markdown, github
from laptime.report.gate_words import MARKS, outcome
from tests.support.gates import (
    CANNOT,
    FAIL,
    PASS,
)
from tests.support.verdicts import EVERY, REPORTS, report_on


def test_every_verdict_has_its_mark() -> None:
    """An icon of its own, and a meaning."""
    assert set(VERDICTS) == set(MARKS)
    assert len({mark.icon for mark in MARKS.values()}) == len(VERDICTS)
    assert all(mark.means for mark in MARKS.values())


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("each verdict", FAIL, "failed: 1 broken, 1 missing, 1 regressed"),
        ("strict", FAIL, "failed: 1 unresolved"),
        ("passed", PASS, "passed: no regression"),
        ("interrupted", CANNOT, "could not be measured: interrupted"),
        ("nothing known", CANNOT, "could not be measured: there was too little time for anything to be known; "),
        ("unfit", CANNOT, "could not be measured: too | many <void>"),
        ("nothing", CANNOT, "could not be measured: nothing was judged"),
        ("refused", CANNOT, "refused: accept 'a | <b>' fits no benchmark: remove it"),
        ("refused and failed", FAIL, "failed: 1 broken, 1 missing, 1 regressed"),
    ],
)
def test_the_outcome_in_words_is_that_of_the_exit_code(name: str, code: int, said: str) -> None:
    """What can't be measured never reads like a pass."""
    assert REPORTS[name].code == code
    assert outcome(REPORTS[name]).startswith(said)


def test_what_is_open_is_said_with_a_pass() -> None:
    """It is no clean bill."""
    assert outcome(report_on(EVERY[4:])) == "passed: no regression found, 1 unresolved"


def test_passwords_are_left_out_of_messages() -> None:
    """What is written is published."""
    secret = "postgresql://me:s3cret@db/x"
    told = report_on(
        [Row("test_a", None, BROKEN, note=f"HEAD: {secret}")], remarks=(secret,), unfit=secret, stopped=secret
    )
    forms = gate_json.report, gate_markdown.report, gate_junit.report, github.annotated
    for text in (str(form(told)) for form in forms):
        assert "s3cret" not in text
        assert "me:***@db" in text


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a/test_a.py::test", "one/a/test_a.py"),
        ("../test_a.py::test", "test_a.py"),
        ("../../test_a.py::test", None),
        ("/tmp/test_a.py::test", None),
        ("test_a", None),
    ],
)
def test_a_file_outside_the_repository_is_not_named(name: str, file: str | None) -> None:
    """GitHub has no such file."""
    assert report_on(folder="one/").file(name) == file
