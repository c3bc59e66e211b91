"""What a gate says to GitHub Actions: annotations, as its runner reads them from the log. Pure.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Sequence

from laptime.gate.decision.trial import UNRESOLVED
from laptime.gate.decision.verdicts import CANNOT
from laptime.report.console import plain
from laptime.report.gate import labels
from laptime.report.gate_words import Told, groups, line, outcome

SUMMARY_BYTES = 1024 * 1024
"""Of one step's summary; of one that is larger nothing is shown."""
MOST = 10
"""Annotations of a kind in one step; more are not shown."""
_ERROR, _WARNING = "error", "warning"
_NAME = "laptime gate"


def annotated(told: Told) -> list[str]:
    """A line each, the worst first: errors of what fails, warnings of what is unresolved."""
    found: dict[str, list[str]] = {_ERROR: [], _WARNING: []}
    if told.code == CANNOT:
        found[_ERROR].append(_annotation(_ERROR, _NAME, [outcome(told)]))
    names = labels(row.benchmark for row in told.report.rows)
    for verdict, group in groups(told.report.rows):
        if not told.fails(verdict) and verdict != UNRESOLVED:
            continue
        kind, name = _ERROR if told.fails(verdict) else _WARNING, group[0].benchmark
        message = [name, line(verdict, group, told.report.stopped), told.alone(name)]
        found[kind].append(_annotation(kind, f"{verdict}: {names[name]}", message, told.file(name)))
    return [one for kind, all_ in found.items() for one in _some(kind, all_)]


def error(message: str) -> list[str]:
    """That it could not be measured."""
    return [_annotation(_ERROR, _NAME, f"could not be measured: {message}".splitlines())]


def _some(kind: str, found: Sequence[str]) -> Sequence[str]:
    if len(found) <= MOST:
        return found
    more = len(found) - MOST + 1
    return [*found[: MOST - 1], _annotation(kind, _NAME, [f"and {more} more: the step's summary has them all"])]


def _annotation(kind: str, title: str, message: Sequence[str], file: str | None = None) -> str:
    place = f"file={_property(file)}," if file is not None else ""
    text = "\n".join(map(plain, message))
    return f"::{kind} {place}title={_property(plain(title))}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
