"""A gate as a store takes it. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from laptime.git import Commit
from laptime.history._errors import HistoryError
from laptime.history._json import (
    DIGEST,
    as_written,
    fingerprint_document,
    fingerprint_in,
    id_in,
    name_in,
    object_in,
    text_in,
)
from laptime.history._model import GATE_METRICS, VERDICTS, Gate, GateResult

_CODES = (0, 1, 2)


def proper(gate: Gate) -> Gate:
    """The gate as it comes back from a store: times in UTC, names without what no database takes, plain JSON.

    Raises `HistoryError` with what is wrong and where in the gate.
    """
    try:
        return _proper(gate)
    except HistoryError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise HistoryError(f"not as a gate is stored: {type(error).__name__}: {error}") from error


def _proper(gate: Gate) -> Gate:
    if type(gate.code) is not int or gate.code not in _CODES:
        raise HistoryError(f"code: expected one of {_either(_CODES)}, got {gate.code!r}")
    document, host = as_written(gate.document), as_written(gate.host)
    json.dumps((document, host), sort_keys=True, allow_nan=False)  # which fails where it is no JSON
    results = tuple(_result(one, f"results[{place}]") for place, one in enumerate(gate.results))
    seen: set[tuple[str, str | None]] = set()
    for one in results:
        if (one.fullname, one.metric) in seen:
            raise HistoryError(f"holds {one.fullname} by {one.metric or 'no metric'} more than once")
        seen.add((one.fullname, one.metric))
    return replace(
        gate,
        id=id_in(gate.id, "id"),
        at=_moment(gate.at, "at"),
        seconds=_figure(gate.seconds, "seconds", least=0),
        base=_commit(gate.base, "base"),
        head=_commit(gate.head, "head"),
        fingerprint=fingerprint_in(fingerprint_document(gate.fingerprint), "fingerprint"),
        host=object_in(host, "host"),
        complete=bool(gate.complete),
        document=dict(document),
        results=results,
    )


def _result(result: GateResult, where: str) -> GateResult:
    if result.metric is not None and result.metric not in GATE_METRICS:
        raise HistoryError(f"{where}.metric: expected None or one of {_either(GATE_METRICS)}, got {result.metric!r}")
    if result.verdict not in VERDICTS:
        raise HistoryError(f"{where}.verdict: expected one of {_either(VERDICTS)}, got {result.verdict!r}")
    if type(result.confirmed) is not int or not 0 <= result.confirmed <= len(result.blocks):
        raise HistoryError(f"{where}.confirmed: expected 0 to {len(result.blocks)} blocks, got {result.confirmed!r}")
    if result.note is not None and not isinstance(result.note, str):
        raise HistoryError(f"{where}.note: expected a text, got {result.note!r}")
    ratio, low, high = (
        None if (value := getattr(result, name)) is None else _figure(value, f"{where}.{name}", least=0)
        for name in ("ratio", "low", "high")
    )
    return replace(
        result,
        fullname=name_in(result.fullname, f"{where}.fullname"),
        ratio=ratio,
        low=low,
        high=high,
        blocks=tuple(_figure(one, f"{where}.blocks[{place}]") for place, one in enumerate(result.blocks)),
    )


def _commit(commit: Commit, where: str) -> Commit:
    return Commit(
        text_in(commit.id, f"{where}.id", most=DIGEST),
        None if commit.at is None else _moment(commit.at, f"{where}.at"),
        text_in(commit.branch, f"{where}.branch"),
        text_in(commit.changes, f"{where}.changes", most=DIGEST),
    )


def _moment(found: Any, where: str) -> datetime:
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise HistoryError(f"{where}: expected a time with its offset, got {found!r}")
    return found.astimezone(UTC)


def _figure(value: Any, where: str, *, least: float = -math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < least:
        raise HistoryError(f"{where}: expected a figure, got {value!r}")
    return float(value)


def _either(values: tuple[object, ...]) -> str:
    return ", ".join(map(repr, values))
