"""The tables, the same for SQLite and PostgreSQL, and how older ones become these.

laptime_schema        one row: the version
laptime_documents     texts by their digest, each stored once: fingerprints, inputs, machine_info, hosts
laptime_benchmarks    names
laptime_runs          one row a session
laptime_results       one narrow row a benchmark and run, so that a long series is read quickly
laptime_rounds        beside it the raw rounds (float64, little-endian) and pytest-benchmark's JSON, compressed
laptime_gates         one row a gate
laptime_gate_results  one row a benchmark, metric and gate, with the log ratios of its blocks (as rounds are)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    inspect,
    text,
)

VERSION = 4
PREFIX = "laptime_"
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only

metadata = MetaData()

schema = Table("laptime_schema", metadata, Column("version", Integer, nullable=False))

documents = Table(
    "laptime_documents",
    metadata,
    Column("no", _NUMBER, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("content", LargeBinary, nullable=False),
)

benchmarks = Table(
    "laptime_benchmarks",
    metadata,
    Column("no", _NUMBER, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),  # a name may be longer than an index takes
    Column("fullname", Text, nullable=False),
)

runs = Table(
    "laptime_runs",
    metadata,
    Column("no", _NUMBER, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("at_us", BigInteger, nullable=False),
    Column("label", Text),
    Column("complete", Boolean, nullable=False),
    Column("commit_id", String(64)),
    Column("commit_at_us", BigInteger),
    Column("branch", Text),
    Column("changes", String(64)),
    Column("fingerprint_no", ForeignKey("laptime_documents.no"), nullable=False),
    Column("machine_info_no", ForeignKey("laptime_documents.no")),
    Column("document", LargeBinary, nullable=False),
    Index("laptime_runs_at", "at_us", "no"),
    Index("laptime_runs_commit", "commit_id"),
)

results = Table(
    "laptime_results",
    metadata,
    # by benchmark first: a series then lies in one place
    Column("benchmark_no", ForeignKey("laptime_benchmarks.no"), primary_key=True),
    Column("run_no", ForeignKey("laptime_runs.no"), primary_key=True),
    Column("outcome", SmallInteger, nullable=False),
    Column("inputs_no", ForeignKey("laptime_documents.no"), nullable=False),
    Column("wall", Float(53)),
    Column("cpu", Float(53)),
    Column("memory", Float(53)),
    Index("laptime_results_run", "run_no", "benchmark_no"),
    sqlite_with_rowid=False,
)

rounds = Table(
    "laptime_rounds",
    metadata,
    Column("run_no", ForeignKey("laptime_runs.no"), primary_key=True),
    Column("benchmark_no", ForeignKey("laptime_benchmarks.no"), primary_key=True),
    Column("wall", LargeBinary),
    Column("cpu", LargeBinary),
    Column("document", LargeBinary, nullable=False),
    Column("thinned", Boolean, nullable=False, server_default=text("false")),
)

gates = Table(
    "laptime_gates",
    metadata,
    Column("no", _NUMBER, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("at_us", BigInteger, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("code", SmallInteger, nullable=False),
    Column("base_commit_id", String(64)),
    Column("base_commit_at_us", BigInteger),
    Column("base_branch", Text),
    Column("base_changes", String(64)),
    Column("head_commit_id", String(64)),
    Column("head_commit_at_us", BigInteger),
    Column("head_branch", Text),
    Column("head_changes", String(64)),
    Column("fingerprint_no", ForeignKey("laptime_documents.no"), nullable=False),
    Column("host_no", ForeignKey("laptime_documents.no"), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("laptime_gates_at", "at_us", "no"),
    Index("laptime_gates_head", "head_commit_id"),
)

gate_results = Table(
    "laptime_gate_results",
    metadata,
    Column("gate_no", ForeignKey("laptime_gates.no"), primary_key=True),
    Column("place", Integer, primary_key=True),  # in the gate's own order
    Column("benchmark_no", ForeignKey("laptime_benchmarks.no"), nullable=False),
    Column("metric", SmallInteger),
    Column("verdict", SmallInteger, nullable=False),
    Column("ratio", Float(53)),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("confirmed", Integer, nullable=False),
    Column("blocks", LargeBinary, nullable=False),
    Column("note", LargeBinary),
    Index("laptime_gate_results_benchmark", "benchmark_no", "gate_no"),
)


def _add_thinned(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE laptime_rounds ADD COLUMN thinned BOOLEAN DEFAULT false NOT NULL"))


def _add_gates(connection: Connection) -> None:
    # as they are now: a version that changes these two has to write down here what they were
    metadata.create_all(connection, tables=[gates, gate_results])


def _add_accepted(connection: Connection) -> None:
    # the numbers of verdicts are in the order of their weight; "accepted" comes before "improved", which was 4
    connection.execute(text("UPDATE laptime_gate_results SET verdict = verdict + 1 WHERE verdict >= 4"))


UPGRADES: Mapping[int, Callable[[Connection], None]] = {1: _add_thinned, 2: _add_gates, 3: _add_accepted}
"""Version -> what makes it the next one.

Version 1 kept all raw rounds; version 2 knew no gates; version 3 no verdict "accepted".
"""


def tables(connection: Connection) -> set[str]:
    """The names of the tables that there are."""
    return set(inspect(connection).get_table_names())


def create(connection: Connection) -> None:
    """Make the tables, and say which version they are."""
    metadata.create_all(connection)
    connection.execute(schema.insert().values(version=VERSION))


def upgrade(connection: Connection, version: int) -> None:
    """Make the tables of an older version those of this one."""
    for older in range(version, VERSION):
        UPGRADES[older](connection)
    connection.execute(schema.update().values(version=VERSION))
