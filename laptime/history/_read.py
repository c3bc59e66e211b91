"""Rows into runs, lists and series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, case, exists, false, func, select

from laptime.git import Commit
from laptime.history import _pack
from laptime.history._errors import HistoryError
from laptime.history._model import FAILED, PASSED, SKIPPED, Entry, Filter, Fingerprint, Point, Result, Run
from laptime.history._schema import benchmarks, documents, gate_results, gates, results, rounds, runs
from laptime.history._write import MACHINE_INFO, OUTCOMES, chunks, microseconds, moment
from laptime.machine import Value


def conditions(which: Filter) -> list[ColumnElement[bool]]:
    """A filter as SQL."""
    found = _matching(which, runs, runs.c.commit_id, runs.c.branch)
    if which.label is not None:
        found.append(runs.c.label == which.label)
    if which.benchmark is not None:
        found.append(runs.c.no.in_(select(results.c.run_no).join(benchmarks).where(_contains(which.benchmark))))
    return found if _answerable(which) else [false()]


def gate_conditions(which: Filter) -> list[ColumnElement[bool]]:
    """The same for gates."""
    found = _matching(which, gates, gates.c.head_commit_id, gates.c.head_branch)
    if which.benchmark is not None:
        named = select(gate_results.c.gate_no).join(benchmarks).where(_contains(which.benchmark))
        found.append(gates.c.no.in_(named))
    return found if _answerable(which) and which.label is None else [false()]


def _matching(
    which: Filter, table: Table, commit_id: ColumnElement[Any], branch: ColumnElement[Any]
) -> list[ColumnElement[bool]]:
    """What of a filter runs and gates share."""
    found: list[ColumnElement[bool]] = []
    if which.branch is not None:
        found.append(branch == which.branch)
    if which.since is not None:
        found.append(table.c.at_us >= microseconds(which.since))
    if which.commit is not None:
        found.append(commit_id == which.commit)
    if which.id_prefix is not None:
        found.append(table.c.id.startswith(which.id_prefix, autoescape=True))
    if which.commit_prefix is not None:
        found.append(commit_id.startswith(which.commit_prefix, autoescape=True))
    return found


def _answerable(which: Filter) -> bool:
    texts = (which.branch, which.commit, which.id_prefix, which.commit_prefix, which.label, which.benchmark)
    return all(one is None or _storable(one) for one in texts)


def entries(connection: Connection, which: Filter, limit: int | None = None, skip: int = 0) -> list[Entry]:
    """Runs, the newest first."""
    query = select(runs).where(*conditions(which)).order_by(runs.c.at_us.desc(), runs.c.no.desc())
    found = connection.execute(query.limit(limit).offset(skip)).all()
    counts = {}
    for some in chunks([row.no for row in found]):
        timed, not_timed = (
            func.sum(case((results.c.outcome.in_([OUTCOMES.index(one) for one in outcomes]), 1), else_=0))
            for outcomes in ((PASSED,), (FAILED, SKIPPED))
        )
        counted = select(results.c.run_no, timed.label("timed"), not_timed.label("not_timed"))
        for row in connection.execute(counted.where(results.c.run_no.in_(some)).group_by(results.c.run_no)):
            counts[row.run_no] = (int(row.timed), int(row.not_timed))
    return [_entry(row, *counts.get(row.no, (0, 0))) for row in found]


def numbers(connection: Connection, which: Filter) -> list[int]:
    """The numbers of runs, the newest first."""
    query = select(runs.c.no).where(*conditions(which)).order_by(runs.c.at_us.desc(), runs.c.no.desc())
    return list(connection.execute(query).scalars())


def count(connection: Connection) -> int:
    """How many runs there are."""
    return int(connection.execute(select(func.count()).select_from(runs)).scalar_one())


def names(connection: Connection, part: str | None = None) -> list[str]:
    """The benchmarks of runs whose name contains a text, sorted."""
    if part is not None and not _storable(part):
        return []
    query = select(benchmarks.c.fullname).where(exists().where(results.c.benchmark_no == benchmarks.c.no))
    return sorted(connection.execute(query if part is None else query.where(_contains(part))).scalars())


def gate_names(connection: Connection, part: str | None = None) -> list[str]:
    """The same of gates."""
    if part is not None and not _storable(part):
        return []
    query = select(benchmarks.c.fullname).where(exists().where(gate_results.c.benchmark_no == benchmarks.c.no))
    return sorted(connection.execute(query if part is None else query.where(_contains(part))).scalars())


def load(connection: Connection, nos: Sequence[int]) -> list[Run]:
    """Whole runs, in the order of their numbers given."""
    found: dict[int, Run] = {}
    texts: dict[int, Any] = {}
    for some in chunks(nos):
        rows = connection.execute(select(runs).where(runs.c.no.in_(some))).all()
        parts = select(
            benchmarks.c.fullname, results, rounds.c.wall.label("wall_rounds"), rounds.c.cpu.label("cpu_rounds")
        )
        query = (
            parts.add_columns(rounds.c.document, rounds.c.thinned)
            .join_from(results, benchmarks)
            .join(rounds, (rounds.c.run_no == results.c.run_no) & (rounds.c.benchmark_no == results.c.benchmark_no))
            .where(results.c.run_no.in_(some))
        )
        of_run: dict[int, list[Row[Any]]] = {}
        for row in connection.execute(query):
            of_run.setdefault(row.run_no, []).append(row)
        wanted = {row.inputs_no for several in of_run.values() for row in several}
        wanted |= {row.fingerprint_no for row in rows} | {row.machine_info_no for row in rows} - {None}
        texts |= contents(connection, wanted - texts.keys())
        for row in rows:
            found[row.no] = _run(row, of_run.get(row.no, ()), texts)
    if missing := set(nos) - found.keys():
        raise HistoryError(f"there is no run of the number {min(missing)}")
    return [found[no] for no in nos]


def contents(connection: Connection, nos: Iterable[int]) -> dict[int, Any]:
    """Documents by number."""
    found = {}
    for some in chunks(sorted(nos)):
        for row in connection.execute(select(documents.c.no, documents.c.content).where(documents.c.no.in_(some))):
            found[row.no] = _pack.loaded(row.content)
    return found


def fingerprint(document: Any) -> Fingerprint:
    """A fingerprint from its document."""
    return Fingerprint(document["machine"], document["interpreter"], document["libraries"], tuple(document["loaded"]))


def ids(connection: Connection) -> dict[str, int]:
    """The number of every run, by its id."""
    return {row.id: row.no for row in connection.execute(select(runs.c.id, runs.c.no))}


def series(connection: Connection, fullname: str) -> list[Point]:
    """Every run's figures of one benchmark, the oldest run first; what failed is left out."""
    if not _storable(fullname):
        return []
    query = _points().where(results.c.benchmark_no == _number_of(fullname)).order_by(runs.c.at_us, runs.c.no)
    return [Point._make(row) for row in connection.execute(query).all()]  # at once: by rows it takes twice as long


def every_series(connection: Connection) -> dict[str, list[Point]]:
    """The same for all benchmarks."""
    query = _points(benchmarks.c.fullname).join(benchmarks, benchmarks.c.no == results.c.benchmark_no)
    found: dict[str, list[Point]] = {}
    for row in connection.execute(query.order_by(benchmarks.c.fullname, runs.c.at_us, runs.c.no)).all():
        found.setdefault(row.fullname, []).append(Point._make(row[: len(Point._fields)]))
    return found


def _points(*more: ColumnElement[Any]) -> Select[Any]:
    """Rows that begin as `Point` does."""
    of_run = (runs.c.at_us, runs.c.commit_id, runs.c.changes.is_not(None).label("dirty"), runs.c.fingerprint_no)
    figures = (results.c.inputs_no, results.c.wall, results.c.cpu, results.c.memory)
    return select(results.c.run_no, *of_run, *figures, *more).join_from(results, runs).where(results.c.outcome == 0)


def _number_of(fullname: str) -> Any:
    return select(benchmarks.c.no).where(benchmarks.c.sha256 == _pack.name_of(fullname)).scalar_subquery()


def is_of(benchmark_no: ColumnElement[Any], fullname: str) -> ColumnElement[bool]:
    """Whether a row is of the benchmark of that name."""
    return benchmark_no == _number_of(fullname) if _storable(fullname) else false()


def _storable(text: str) -> bool:
    """Whether a database takes it as text: no name that is stored holds anything else (see `_json`)."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _contains(part: str) -> ColumnElement[bool]:
    return benchmarks.c.fullname.contains(part, autoescape=True)


def commit(row: Row[Any], side: str = "") -> Commit:
    """A commit from its columns; `side` is what their names begin with."""
    identity, at_us, branch, changes = (
        row._mapping[f"{side}{column}"] for column in ("commit_id", "commit_at_us", "branch", "changes")
    )
    return Commit(identity, None if at_us is None else moment(at_us), branch, changes)


def _entry(row: Row[Any], timed: int, failed: int) -> Entry:
    return Entry(
        row.no,
        row.id,
        moment(row.at_us),
        row.label,
        bool(row.complete),
        commit(row),
        row.fingerprint_no,
        timed,
        failed,
    )


def _run(row: Row[Any], rows: Iterable[Row[Any]], texts: dict[int, Any]) -> Run:
    document = _pack.loaded(row.document)
    if row.machine_info_no is not None:
        document[MACHINE_INFO] = texts[row.machine_info_no]
    return Run(
        id=row.id,
        at=moment(row.at_us),
        commit=commit(row),
        fingerprint=fingerprint(texts[row.fingerprint_no]),
        results=tuple(sorted((_result(one, texts[one.inputs_no]) for one in rows), key=lambda one: one.fullname)),
        label=row.label,
        complete=bool(row.complete),
        document=document,
    )


def _result(row: Row[Any], inputs: dict[str, Value]) -> Result:
    document = _pack.loaded(row.document)
    outcome = OUTCOMES[row.outcome]
    figures = {"wall": row.wall, "cpu": row.cpu, "memory": row.memory}
    packed = {"wall": row.wall_rounds, "cpu": row.cpu_rounds}
    return Result(
        fullname=row.fullname,
        outcome=outcome,
        note=None if row.outcome == 0 else document["note"],
        inputs=inputs,
        values={metric: value for metric, value in figures.items() if value is not None},
        rounds={metric: _pack.unpacked(content) for metric, content in packed.items() if content is not None},
        thinned=bool(row.thinned),
        document=document if row.outcome == 0 else {},
    )
