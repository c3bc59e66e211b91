"""A gate as the history keeps it."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from laptime import libraries, machine
from laptime.gate.decision.trial import CERTAIN
from laptime.gate.decision.verdicts import Report, Row
from laptime.gate.request import Request
from laptime.gate.session import Session
from laptime.gate.sides.environment import Details
from laptime.history import Fingerprint, Gate, GateResult


def record(session: Session, request: Request, report: Report, code: int) -> Gate:
    """What the history stores of a session that ended; `code` is its exit code."""
    base, head = session.environments
    loaded = tuple(libraries.loaded(head.packages, session.modules, head.owners))
    differing = {"base": _environment(base), "head": _environment(head)} if request.equipment.differs else None
    return Gate(
        id=uuid.uuid4().hex,
        at=datetime.fromtimestamp(session.begun, UTC),
        seconds=report.seconds,
        base=session.base.commit,
        head=session.head.commit,
        fingerprint=Fingerprint(machine.machine(), head.interpreter, head.packages, loaded),
        host=machine.host(),
        code=code,
        complete=not report.interrupted and report.stopped in (None, CERTAIN),
        document={
            "base": request.base,
            "head": request.head,
            "arguments": [*request.settings.arguments, *request.arguments],
            "pin": request.pin,
            "rules": asdict(request.settings.rules),
            "named_rules": {name: asdict(rules) for name, rules in request.settings.named.items()},
            "group_rules": {name: asdict(rules) for name, rules in request.settings.groups.items()},
            "accepted": [{**asdict(one), "until": str(one.until)} for one in session.accepts],
            "max_time_s": request.settings.max_time_s,
            "blocks": report.blocks,
            "void": report.void,
            "stopped": report.stopped,
            "remarks": list(report.remarks),
            "skipped": list(report.skipped),
            "refused": list(report.refused),
            "isolated": request.equipment.is_made,
            **({"environments": differing} if differing else {}),
            **({} if request.against is None else {"against": request.against}),
        },
        results=tuple(map(_result, report.rows)),
    )


def _environment(found: Details) -> dict[str, Any]:
    return {"interpreter": dict(found.interpreter), "packages": dict(found.packages)}


def _result(row: Row) -> GateResult:
    finding = row.finding
    if finding is None:
        return GateResult(row.benchmark, row.metric, row.verdict, note=row.note)
    return GateResult(
        row.benchmark,
        row.metric,
        row.verdict,
        ratio=_finite(finding.ratio),
        low=_finite(finding.low),
        high=_finite(finding.high),
        blocks=finding.blocks,
        confirmed=finding.confirmed,
        note=row.note,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
