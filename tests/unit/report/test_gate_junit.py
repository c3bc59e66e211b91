"""What a gate writes as JUnit."""

from __future__ import annotations

import re

import pytest

from laptime.gate.decision.trial import (
    UNRESOLVED,
)
from laptime.report import gate_junit
from laptime.report.gate_words import Told, groups
from tests.support.gate_outputs import every_report, junit
from tests.support.gates import (
    CANNOT,
)
from tests.support.verdicts import EVERY, FILE, REPORTS, report_on


@every_report
def test_junit_has_a_case_for_each_benchmark(told: Told) -> None:
    """It fails where the gate does, and where nothing is known it has an error."""
    suite = junit(gate_junit.report(told))
    cases = suite.findall("testcase")
    failing = [verdict for verdict, _ in groups(told.report.rows) if told.fails(verdict)]
    assert [one.attrib["type"] for one in suite.iter("failure")] == failing
    assert len(list(suite.iter("error"))) == (told.code == CANNOT)
    assert len(cases) == len(groups(told.report.rows)) + len(told.report.skipped) + (told.code == CANNOT)
    assert all(case.attrib["classname"] and case.attrib["name"] for case in cases)


def test_a_case_is_named_as_pytest_names_it() -> None:
    """By its directories, file and class; the file is that from the repository's root, the time that of HEAD's call."""
    suite = junit(gate_junit.report(report_on(folder="parts/one/")))
    case = suite.findall("testcase")[2]
    assert case.attrib == {
        "classname": "benchmarks.test_gate.TestSums",
        "name": "test_sum[a::b/c-8]",
        "file": f"parts/one/{FILE}",
        "time": "0.012000000",
    }
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "regressed: wall time +20.3 % (95 % interval +17.9 % … +22.7 %)"
    assert failure.text is not None
    assert re.search(r"wall +10\.0 ms → 12\.0 ms", failure.text)


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_open_is_skipped_or_under_strict_a_failure(strict: bool) -> None:
    """With what could be found."""
    suite = junit(gate_junit.report(report_on(EVERY[4:5], strict=strict)))
    (said,) = suite.iter("failure" if strict else "skipped")
    assert said.attrib["type"] == UNRESOLVED
    assert said.attrib["message"].endswith("would find 4.0 %")


def test_junit_knows_what_was_compared() -> None:
    """As properties; and what both sides skip."""
    suite = junit(gate_junit.report(REPORTS["passed"]))
    found = [(one.attrib["name"], one.attrib["value"]) for one in suite.iter("property")]
    assert found == [
        ("base", "main (1a2b3c4)"),
        ("head", "the working tree"),
        ("exit_code", "0"),
        ("outcome", "passed: no regression"),
        ("remark", "skipped on both sides: 1 benchmark"),
        ("remark", "a | remark"),
    ]
    assert [one.attrib["message"] for one in suite.iter("skipped")] == ["skipped on both sides"]


def test_an_error_in_junit() -> None:
    """One case, with the whole message."""
    (said,) = junit(gate_junit.error("no\x00\nsecond <>")).iter("error")
    assert (said.attrib["message"], said.text) == ("no\\x00", "no\\x00\nsecond <>")
