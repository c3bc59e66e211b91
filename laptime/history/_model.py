"""The nouns of the history: a run, its results, what it was run on, and on what; a gate and what it said. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from laptime.git import Commit
from laptime.machine import Value

PASSED, FAILED, SKIPPED, DESELECTED = "passed", "failed", "skipped", "deselected"
METRICS = ("wall", "cpu", "memory")
"""Seconds of wall time and of CPU time of one round, and bytes of peak memory."""
GATE_METRICS = ("wall", "cpu")
VERDICTS = ("broken", "missing", "regressed", "unresolved", "accepted", "improved", "unchanged", "new")
"""What a gate says of a benchmark, the worst first."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What must be equal for two runs to be comparable; a part that an old file doesn't tell is not there.

    machine      see `laptime.machine.machine`
    interpreter  see `laptime.machine.interpreter`
    libraries    the version of every installed library
    loaded       the libraries that took part
    """

    machine: Mapping[str, Value] = field(default_factory=dict)
    interpreter: Mapping[str, Value] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    loaded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark of a run.

    fullname  pytest's node id
    outcome   "passed", "failed", "skipped" or "deselected" (by -k, say); only what passed has figures
    note      why it failed or was skipped
    inputs    what of the benchmark's inputs must be equal for two results to be comparable
    values    metric -> the run's figure (the median of its rounds); see `METRICS`
    rounds    metric -> the raw rounds, in order; empty where a file had none
    thinned   whether `rounds` are the quantiles (`QUANTILES`) of what there was
    document  the benchmark as pytest-benchmark writes it, without the rounds
    """

    fullname: str
    outcome: str = PASSED
    note: str | None = None
    inputs: Mapping[str, Value] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    rounds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    thinned: bool = False
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One benchmark session.

    id        32 hexadecimal digits
    at        when it was recorded
    label     the name that `--benchmark-save` gave it
    complete  False where the session was cut short
    document  what pytest-benchmark writes beside the benchmarks
    """

    id: str
    at: datetime
    commit: Commit
    fingerprint: Fingerprint
    results: tuple[Result, ...]
    label: str | None = None
    complete: bool = True
    document: Mapping[str, Any] = field(default_factory=dict)


QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""What is kept of rounds that are thinned."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A run as a list shows it; `no` is its number in this store, `timed` and `failed` count its benchmarks."""

    no: int
    id: str
    at: datetime
    label: str | None
    complete: bool
    commit: Commit
    fingerprint_no: int
    timed: int = 0
    failed: int = 0


class Point(NamedTuple):
    """One run's figures of one benchmark, in a series; `at_us` is microseconds since 1970, UTC."""

    run_no: int
    at_us: int
    commit_id: str | None
    dirty: bool
    fingerprint_no: int
    inputs_no: int
    wall: float | None
    cpu: float | None
    memory: float | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs, or which gates: all where nothing is given.

    Of a gate, `branch`, `commit` and `commit_prefix` are head's; none has a label.
    """

    branch: str | None = None
    since: datetime | None = None
    benchmark: str | None = None
    commit: str | None = None
    id_prefix: str | None = None
    commit_prefix: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate said of one benchmark by one metric.

    fullname   pytest's node id
    metric     "wall" or "cpu"; None where the verdict is of the benchmark as a whole (new, missing, broken)
    verdict    one of `VERDICTS`
    ratio      head/base, and `low` and `high`, its 95 % interval; None where there is none
    blocks     the log ratios (natural logarithm of head/base) of the blocks, in order, screening first
    confirmed  how many of the blocks, counted from the end, are confirmation
    note       why; None where there is nothing to say
    """

    fullname: str
    metric: str | None
    verdict: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    blocks: tuple[float, ...] = ()
    confirmed: int = 0
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: base and head run in lockstep.

    id           32 hexadecimal digits
    at           when it began
    seconds      how long it took
    base, head   what was run; head may have changes
    fingerprint  what both were run on
    host         see `laptime.machine.host`
    code         the exit code: 0, 1 or 2
    complete     False where it was cut short
    document     the settings, the plan, void blocks: any JSON
    """

    id: str
    at: datetime
    seconds: float
    base: Commit
    head: Commit
    fingerprint: Fingerprint
    host: Mapping[str, Value]
    code: int
    complete: bool
    document: Mapping[str, Any]
    results: tuple[GateResult, ...]


@dataclass(frozen=True, slots=True)
class GateRatio:
    """What one gate said of one benchmark by one metric (see `GateResult`), with what the gate was of."""

    gate_id: str
    at: datetime
    base: Commit
    head: Commit
    document: Mapping[str, Any]
    metric: str | None
    verdict: str
    blocks: tuple[float, ...]
    confirmed: int


@dataclass(frozen=True, slots=True)
class GateEntry:
    """A gate as a list shows it; `no` is its number in this store.

    counts  verdict -> how many benchmarks, the worst verdict first, without those that nothing has; a benchmark is
            counted once, under the worst of its metrics' verdicts
    """

    no: int
    id: str
    at: datetime
    seconds: float
    base: Commit
    head: Commit
    fingerprint_no: int
    code: int
    complete: bool
    counts: Mapping[str, int] = field(default_factory=dict)
