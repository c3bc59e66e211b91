"""Every run and every gate stored, and runs refused where they would be compared with what they can't be compared with.

A `Run` is made of pytest-benchmark's JSON (`from_json`, `to_json`); `laptime.history.store.Store` keeps runs in SQLite
or PostgreSQL; `differences` says why two can't be compared; `select` finds the runs that a commit, a tag or `latest~2`
stands for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from laptime.history._errors import HistoryError
from laptime.history._url import DEFAULT, anchored, scrub, shown_text

if TYPE_CHECKING:
    from laptime.history._fingerprint import (
        INPUTS,
        INTERPRETER,
        MACHINE,
        PARTS,
        Difference,
        differences,
        inputs_differences,
    )
    from laptime.history._json import KEY, addition, as_written, from_json, inputs_of, to_json
    from laptime.history._model import (
        DESELECTED,
        FAILED,
        GATE_METRICS,
        METRICS,
        PASSED,
        SKIPPED,
        VERDICTS,
        Entry,
        Filter,
        Fingerprint,
        Gate,
        GateEntry,
        GateRatio,
        GateResult,
        Point,
        Result,
        Run,
    )
    from laptime.history._names import Selection, select
    from laptime.history._unsaved import unsaved

__all__ = [
    "DEFAULT",
    "DESELECTED",
    "Difference",
    "Entry",
    "FAILED",
    "Filter",
    "Fingerprint",
    "GATE_METRICS",
    "Gate",
    "GateEntry",
    "GateRatio",
    "GateResult",
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
    "VERDICTS",
    "addition",
    "anchored",
    "as_written",
    "differences",
    "from_json",
    "inputs_differences",
    "inputs_of",
    "scrub",
    "select",
    "shown_text",
    "to_json",
    "unsaved",
]

_LATER = ("_model", "_fingerprint", "_json", "_names", "_unsaved")
"""Modules that are loaded where the first of what they hold is needed.

The nouns, each with its fields, take 0.03 s to make: every session of pytest has laptime, and few store a run.
"""


def __getattr__(name: str) -> object:
    if name in __all__:
        for part in _LATER:
            module = import_module(f"{__name__}.{part}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
