"""Every run stored, and refused where it would be compared with what it can't be compared with.

A `Run` is made of pytest-benchmark's JSON (`from_json`, `to_json`); `laptime.history.store.Store` keeps runs in SQLite
or PostgreSQL; `differences` says why two can't be compared; `select` finds the runs that a commit, a tag or `latest~2`
stands for.
"""

from laptime.history._errors import HistoryError
from laptime.history._fingerprint import (
    INPUTS,
    INTERPRETER,
    MACHINE,
    PARTS,
    Difference,
    differences,
    inputs_differences,
)
from laptime.history._json import KEY, addition, as_written, from_json, to_json
from laptime.history._model import (
    DESELECTED,
    FAILED,
    METRICS,
    PASSED,
    SKIPPED,
    Entry,
    Filter,
    Fingerprint,
    Point,
    Result,
    Run,
)
from laptime.history._names import Selection, select
from laptime.history._unsaved import unsaved
from laptime.history._url import DEFAULT, anchored, scrub, shown_text

__all__ = [
    "DEFAULT",
    "DESELECTED",
    "Difference",
    "Entry",
    "FAILED",
    "Filter",
    "Fingerprint",
    "HistoryError",
    "INPUTS",
    "INTERPRETER",
    "KEY",
    "MACHINE",
    "METRICS",
    "PARTS",
    "PASSED",
    "Point",
    "Result",
    "Run",
    "SKIPPED",
    "Selection",
    "addition",
    "anchored",
    "as_written",
    "differences",
    "from_json",
    "inputs_differences",
    "scrub",
    "select",
    "shown_text",
    "to_json",
    "unsaved",
]
