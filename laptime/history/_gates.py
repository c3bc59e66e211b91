"""Gates into rows, and rows into gates and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from laptime.history import _pack
from laptime.history._errors import HistoryError
from laptime.history._json import fingerprint_document
from laptime.history._model import GATE_METRICS, VERDICTS, Filter, Gate, GateEntry, GateRatio, GateResult
from laptime.history._read import commit, contents, fingerprint, gate_conditions, is_of
from laptime.history._schema import benchmarks, documents, gate_results, gates
from laptime.history._write import (
    chunks,
    commit_row,
    microseconds,
    moment,
    numbers_of,
    numbers_of_names,
    or_nothing,
)

_METRICS: dict[int | None, str | None] = {None: None, **dict(enumerate(GATE_METRICS))}
_VERDICTS = dict(enumerate(VERDICTS))
"""What the numbers in a row stand for; the lower a verdict's, the worse."""


def insert(connection: Connection, gate: Gate) -> bool:
    """Store a gate that is `proper`; False, and nothing is changed, where one of its id is there."""
    if connection.execute(select(gates.c.no).where(gates.c.id == gate.id)).first() is not None:
        return False
    of_fingerprint, host = _pack.named(fingerprint_document(gate.fingerprint)), _pack.named(dict(gate.host))
    texts = numbers_of(connection, documents, dict([of_fingerprint, host]), "content")
    names = numbers_of_names(connection, [one.fullname for one in gate.results])
    row = {
        "id": gate.id,
        "at_us": microseconds(gate.at),
        "seconds": gate.seconds,
        "complete": gate.complete,
        "code": gate.code,
        **commit_row(gate.base, "base_"),
        **commit_row(gate.head, "head_"),
        "fingerprint_no": texts[of_fingerprint[0]],
        "host_no": texts[host[0]],
        "document": _pack.document(dict(gate.document)),
    }
    number = connection.execute(or_nothing(connection, gates).values(row).returning(gates.c.no)).scalar_one_or_none()
    if number is None:
        return False  # PostgreSQL: another process was quicker, and has committed
    rows = [
        {"gate_no": number, "place": place, "benchmark_no": names[_pack.name_of(one.fullname)], **_row(one)}
        for place, one in enumerate(gate.results)
    ]
    if rows:
        connection.execute(gate_results.insert(), rows)
    return True


def entries(connection: Connection, which: Filter, limit: int | None = None, skip: int = 0) -> list[GateEntry]:
    """Gates, the newest first."""
    query = select(gates).where(*gate_conditions(which)).order_by(gates.c.at_us.desc(), gates.c.no.desc())
    found = connection.execute(query.limit(limit).offset(skip)).all()
    counts = _counts(connection, [row.no for row in found])
    return [_entry(row, counts.get(row.no, {})) for row in found]


def numbers(connection: Connection, which: Filter) -> list[int]:
    """The numbers of gates, the newest first."""
    query = select(gates.c.no).where(*gate_conditions(which)).order_by(gates.c.at_us.desc(), gates.c.no.desc())
    return list(connection.execute(query).scalars())


def ids(connection: Connection) -> dict[str, int]:
    """The number of every gate, by its id."""
    return {row.id: row.no for row in connection.execute(select(gates.c.id, gates.c.no))}


def load(connection: Connection, nos: Sequence[int]) -> list[Gate]:
    """Whole gates, in the order of their numbers given."""
    found: dict[int, Gate] = {}
    texts: dict[int, Any] = {}
    for some in chunks(nos):
        rows = connection.execute(select(gates).where(gates.c.no.in_(some))).all()
        query = select(benchmarks.c.fullname, gate_results).join_from(gate_results, benchmarks)
        ordered = query.where(gate_results.c.gate_no.in_(some)).order_by(gate_results.c.gate_no, gate_results.c.place)
        of_gate: dict[int, list[Row[Any]]] = {}
        for row in connection.execute(ordered):
            of_gate.setdefault(row.gate_no, []).append(row)
        wanted = {row.fingerprint_no for row in rows} | {row.host_no for row in rows}
        texts |= contents(connection, wanted - texts.keys())
        for row in rows:
            found[row.no] = _gate(row, of_gate.get(row.no, ()), texts)
    if missing := set(nos) - found.keys():
        raise HistoryError(f"there is no gate of the number {min(missing)}")
    return [found[no] for no in nos]


def ratios(connection: Connection, fullname: str) -> list[GateRatio]:
    """What every gate said of one benchmark, the oldest gate first."""
    c = gate_results.c
    query = select(gates, c.metric, c.verdict, c.blocks, c.confirmed).join_from(gate_results, gates)
    ordered = query.where(is_of(c.benchmark_no, fullname)).order_by(gates.c.at_us, gates.c.no, c.place)
    return [
        GateRatio(
            gate_id=row.id,
            at=moment(row.at_us),
            base=commit(row, "base_"),
            head=commit(row, "head_"),
            document=_pack.loaded(row.document),
            metric=_METRICS[row.metric],
            verdict=_VERDICTS[row.verdict],
            blocks=_pack.unpacked(row.blocks),
            confirmed=int(row.confirmed),
        )
        for row in connection.execute(ordered)
    ]


def _counts(connection: Connection, nos: Sequence[int]) -> dict[int, dict[str, int]]:
    """By gate: how many benchmarks have which verdict as their worst."""
    found: dict[int, dict[str, int]] = {}
    c = gate_results.c
    for some in chunks(nos):
        of_gates = select(c.gate_no, func.min(c.verdict).label("worst")).where(c.gate_no.in_(some))
        each = of_gates.group_by(c.gate_no, c.benchmark_no).subquery()
        query = select(each.c.gate_no, each.c.worst, func.count().label("number"))
        for row in connection.execute(query.group_by(each.c.gate_no, each.c.worst).order_by(each.c.worst)):
            found.setdefault(row.gate_no, {})[_VERDICTS[row.worst]] = row.number
    return found


def _row(result: GateResult) -> dict[str, Any]:
    return {
        "metric": None if result.metric is None else GATE_METRICS.index(result.metric),
        "verdict": VERDICTS.index(result.verdict),
        "ratio": result.ratio,
        "low": result.low,
        "high": result.high,
        "confirmed": result.confirmed,
        "blocks": _pack.floats(result.blocks),
        "note": None if result.note is None else _pack.document(result.note),
    }


def _entry(row: Row[Any], counts: dict[str, int]) -> GateEntry:
    return GateEntry(no=row.no, fingerprint_no=row.fingerprint_no, counts=counts, **_shared(row))


def _gate(row: Row[Any], rows: Iterable[Row[Any]], texts: dict[int, Any]) -> Gate:
    return Gate(
        fingerprint=fingerprint(texts[row.fingerprint_no]),
        host=texts[row.host_no],
        document=_pack.loaded(row.document),
        results=tuple(map(_result, rows)),
        **_shared(row),
    )


def _shared(row: Row[Any]) -> dict[str, Any]:
    """What a gate and its entry both tell."""
    return {
        "id": row.id,
        "at": moment(row.at_us),
        "seconds": float(row.seconds),
        "base": commit(row, "base_"),
        "head": commit(row, "head_"),
        "code": int(row.code),
        "complete": bool(row.complete),
    }


def _result(row: Row[Any]) -> GateResult:
    ratio, low, high = (None if value is None else float(value) for value in (row.ratio, row.low, row.high))
    return GateResult(
        fullname=row.fullname,
        metric=_METRICS[row.metric],
        verdict=_VERDICTS[row.verdict],
        ratio=ratio,
        low=low,
        high=high,
        blocks=_pack.unpacked(row.blocks),
        confirmed=int(row.confirmed),
        note=None if row.note is None else _pack.loaded(row.note),
    )
