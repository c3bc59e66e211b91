"""What a gate found, for a program, as gate.schema.json beside this says. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

from laptime.gate.decision.noise import Noise
from laptime.gate.decision.verdicts import CANNOT, PASS, Cost, Row
from laptime.report.gate_words import Told

VERSION = 1


def report(told: Told) -> str:
    """All of it."""
    found = told.report
    return _written(
        {
            "version": VERSION,
            "exit_code": told.code,
            "strict": told.strict,
            "base": found.base,
            "head": found.head,
            "seconds": found.seconds,
            "blocks": found.blocks,
            "void": found.void,
            "looked": found.looked,
            "interrupted": found.interrupted,
            "stopped": found.stopped,
            "unfit": found.unfit,
            "remarks": list(found.remarks),
            "skipped": list(found.skipped),
            "refused": list(found.refused),
            "counts": found.counts(),
            "rows": [_row(row) for row in found.rows],
        }
    )


def error(message: str, base: str | None, head: str | None) -> str:
    """That it could not be measured; `base` and `head` as they were asked for."""
    return _written({"version": VERSION, "exit_code": CANNOT, "error": message, "base": base, "head": head})


def nothing(message: str) -> str:
    """That there was nothing to compare, which is no failure."""
    return _written({"version": VERSION, "exit_code": PASS, "nothing": message})


def noise(found: Sequence[Noise], settings: Sequence[str]) -> str:
    """A self-test; `settings`: lines for pyproject.toml."""
    return _written(
        {
            "version": VERSION,
            "exit_code": PASS,
            "noise": [
                {
                    "benchmark": one.benchmark,
                    "metric": one.metric,
                    "deviation": one.deviation,
                    "ratio": one.ratio,
                    "ratios": list(one.ratios),
                    "smallest": [{"seconds": seconds, "effect": effect} for seconds, effect in one.smallest],
                }
                for one in found
            ],
            "settings": list(settings),
        }
    )


def _row(row: Row) -> dict[str, Any]:
    finding = row.finding
    return {
        "benchmark": row.benchmark,
        "metric": row.metric,
        "verdict": row.verdict,
        "ratio": finding and finding.ratio,
        "low": finding and finding.low,
        "high": finding and finding.high,
        "blocks": list(finding.blocks) if finding else [],
        "confirmed": finding.confirmed if finding else 0,
        "smallest": finding and finding.smallest,
        "base": _cost(row.base),
        "head": _cost(row.head),
        "note": row.note,
    }


def _cost(cost: Cost | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    return {
        "wall_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
        "waiting_s": cost.waiting_s,
        "switches": cost.switches,
        "peak_bytes": cost.peak,
    }


def _written(document: dict[str, Any]) -> str:
    # in ASCII, so that it is the same, and valid, whatever the encoding of standard output
    return json.dumps(_proper(document), indent=2, allow_nan=False) + "\n"


def _proper(value: Any) -> Any:
    """What every reader of JSON takes: no number that isn't one, and no half of a character."""
    match value:
        case dict():
            return {key: _proper(one) for key, one in value.items()}
        case list():
            return [_proper(one) for one in value]
        case float():
            return value if isfinite(value) else None
        case str():
            return value.encode(errors="backslashreplace").decode()
        case _:
            return value
