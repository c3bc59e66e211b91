"""The annotations of a gate on GitHub."""

from __future__ import annotations

import re

from laptime.gate.decision.trial import (
    FAILING,
    REGRESSED,
)
from laptime.report import github
from laptime.report.gate_words import Told
from tests.support.gate_outputs import every_report
from tests.support.gates import (
    PASS,
)
from tests.support.verdicts import FILE, SLOWER, report_on, row

ANNOTATION = re.compile(r"::(error|warning) (?:file=([^,:]*),)?title=([^,:]*)::([^\r\n]*)")


def annotations(told: Told) -> list[tuple[str, ...]]:
    found = []
    for line in github.annotated(told):
        match = ANNOTATION.fullmatch(line)
        assert match, line
        found.append(match.groups())
    return found


@every_report
def test_annotations_are_one_line_each_and_ten_of_a_kind(told: Told) -> None:
    """However odd the names are, and however many."""
    found = annotations(told)
    kinds = [one[0] for one in found]
    assert max(kinds.count("error"), kinds.count("warning")) <= github.MOST
    assert kinds == sorted(kinds)
    assert bool("error" in kinds) is (told.code != PASS)


def test_what_fails_is_an_error_and_what_is_open_a_warning() -> None:
    """At the benchmark's file; escaped as the runner reads it."""
    errors, open_ = annotations(report_on(folder="parts/one/"))[:3], annotations(report_on())[3:]
    assert errors[2][:3] == ("error", f"parts/one/{FILE}", "regressed%3A test_sum[a%3A%3Ab/c-8]")
    assert errors[2][3].startswith(f"{SLOWER}%0Awall time +20.3 %25 (95 %25 interval ")
    assert [one[0] for one in errors] == ["error"] * len(FAILING)
    assert [(kind, file) for kind, file, *_ in open_] == [("warning", FILE)]
    assert [one[0] for one in annotations(report_on(strict=True))] == ["error"] * 4


def test_the_tenth_annotation_counts_the_rest() -> None:
    """The summary has them."""
    found = annotations(report_on([row(f"{FILE}::test_{n}", REGRESSED, 1.2) for n in range(30)]))
    assert len(found) == 10
    assert found[-1][3] == "and 21 more: the step's summary has them all"
