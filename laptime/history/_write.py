"""Runs into rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select

from laptime.git import Commit
from laptime.history import _pack
from laptime.history._json import fingerprint_document
from laptime.history._model import DESELECTED, FAILED, PASSED, QUANTILES, SKIPPED, Run
from laptime.history._schema import benchmarks, documents, results, rounds, runs

OUTCOMES = (PASSED, FAILED, SKIPPED, DESELECTED)
"""The numbers that stand for them in a row."""
MACHINE_INFO = "machine_info"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 200
"""How many rows a statement asks for."""
_T = TypeVar("_T")


def insert(connection: Connection, run: Run) -> bool:
    """Store a run; False, and nothing is changed, where one of its id is there."""
    if connection.execute(select(runs.c.no).where(runs.c.id == run.id)).first() is not None:
        return False
    fingerprint = _pack.named(fingerprint_document(run.fingerprint))
    inputs = [_pack.named(dict(result.inputs)) for result in run.results]
    machine_info = _pack.named(run.document[MACHINE_INFO]) if MACHINE_INFO in run.document else None
    named = dict([fingerprint, *inputs, *([machine_info] if machine_info else [])])
    numbers = numbers_of(connection, documents, named, "content")
    names = numbers_of_names(connection, [one.fullname for one in run.results])
    row = {
        "id": run.id,
        "at_us": microseconds(run.at),
        "label": run.label,
        "complete": run.complete,
        **commit_row(run.commit),
        "fingerprint_no": numbers[fingerprint[0]],
        "machine_info_no": numbers[machine_info[0]] if machine_info else None,
        "document": _pack.document({key: value for key, value in run.document.items() if key != MACHINE_INFO}),
    }
    # not rowcount: it is -1 where SQLAlchemy asks for the new key, whether a row was added or not
    number = connection.execute(or_nothing(connection, runs).values(row).returning(runs.c.no)).scalar_one_or_none()
    if number is None:
        return False  # PostgreSQL: another process was quicker, and has committed
    narrow, wide = [], []
    for result, (sha256, _) in zip(run.results, inputs, strict=True):
        key = {"run_no": number, "benchmark_no": names[_pack.name_of(result.fullname)]}
        values = {metric: result.values.get(metric) for metric in ("wall", "cpu", "memory")}
        narrow.append({**key, "outcome": OUTCOMES.index(result.outcome), "inputs_no": numbers[sha256], **values})
        packed = {m: _pack.floats(result.rounds[m]) if m in result.rounds else None for m in ("wall", "cpu")}
        beside = result.document or {"note": result.note}
        wide.append({**key, **packed, "thinned": result.thinned, "document": _pack.document(beside)})
    connection.execute(results.insert(), narrow)
    connection.execute(rounds.insert(), wide)
    return True


def thin(connection: Connection, no: int) -> int:
    """Put quantiles in the place of a run's raw rounds; how many benchmarks had more."""
    query = select(rounds).where(rounds.c.run_no == no, rounds.c.thinned.is_(False), rounds.c.wall.is_not(None))
    found = [row for row in connection.execute(query) if len(_pack.unpacked(row.wall)) > len(QUANTILES)]
    for row in found:
        packed = {m: None if row._mapping[m] is None else _quantiles(row._mapping[m]) for m in ("wall", "cpu")}
        which = (rounds.c.run_no == no) & (rounds.c.benchmark_no == row.benchmark_no)
        connection.execute(rounds.update().where(which).values(**packed, thinned=True))
    return len(found)


def _quantiles(content: bytes) -> bytes:
    ordered = sorted(_pack.unpacked(content))
    return _pack.floats([ordered[round(share * (len(ordered) - 1))] for share in QUANTILES])


def commit_row(commit: Commit, side: str = "") -> dict[str, Any]:
    """The columns of a commit; `side` is what their names begin with."""
    return {
        f"{side}commit_id": commit.id,
        f"{side}commit_at_us": None if commit.at is None else microseconds(commit.at),
        f"{side}branch": commit.branch,
        f"{side}changes": commit.changes,
    }


def microseconds(moment: datetime) -> int:
    """Since 1970, in UTC; exact."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """The time again."""
    return _EPOCH + timedelta(microseconds=microseconds)


def numbers_of_names(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """The numbers of benchmarks by the digests of their names; what is not there yet is stored."""
    return numbers_of(connection, benchmarks, {_pack.name_of(name): name for name in names}, "fullname")


def numbers_of(connection: Connection, table: Table, wanted: Mapping[str, object], column: str) -> dict[str, int]:
    """The numbers of contents by their digests; what is not there yet is stored."""
    found: dict[str, int] = {}
    digests = sorted(wanted)  # in one order everywhere: two writers would wait for each other's rows for ever
    for some in chunks(digests):
        query = select(table.c.sha256, table.c.no).where(table.c.sha256.in_(some))
        found |= {row.sha256: row.no for row in connection.execute(query)}
    new = [digest for digest in digests if digest not in found]
    for some in chunks(new):
        rows = [{"sha256": digest, column: wanted[digest]} for digest in some]
        connection.execute(or_nothing(connection, table), rows)
        query = select(table.c.sha256, table.c.no).where(table.c.sha256.in_(some))
        found |= {row.sha256: row.no for row in connection.execute(query)}
    return found


def chunks(values: Sequence[_T]) -> list[Sequence[_T]]:
    """The same in portions that a statement takes."""
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]


def or_nothing(connection: Connection, table: Table) -> Any:
    """An insert that passes over what is there already."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert

        return insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(table).on_conflict_do_nothing()
