"""What the tests of comparisons share: sides of a comparison, and their one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from laptime.compare import Answer, Question, Row
from laptime.history import Run, from_json
from tests.support.histories import FINGERPRINT, MACHINE, PYTHON, document, run

FIVE = (0.99, 1.0, 1.01, 1.02, 0.98)
THREADED = replace(FINGERPRINT, interpreter={**PYTHON, "version": "3.14.0"})
FREE = replace(FINGERPRINT, interpreter={**PYTHON, "version": "3.14.0", "GIL": "off", "free-threaded": True})
OTHER_MACHINE = replace(FINGERPRINT, machine={**MACHINE, "cpu": "Slow CPU"})
GATE = Question(fail_on=0.05)


def side(
    factor: float = 1.0, name: str = "a.py::test", *, start: int = 0, figures: Sequence[float] = FIVE, **what: Any
):
    """Runs of one benchmark, a figure each."""
    return [run({name: factor * one}, number=start + number, **what) for number, one in enumerate(figures)]


def made(*benchmarks: Mapping[str, Any], **what: Any) -> Run:
    """A run of benchmarks as they are written."""
    return from_json(document(benchmarks, **what))


def only(answer: Answer) -> Row:
    """The one row."""
    (row,) = answer.rows
    return row
