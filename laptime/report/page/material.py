"""What a page is made of, and which benchmark comes from which run. Pure.

Runs of one fingerprint can be in one chart; those of another machine or interpreter get sections of their own. Of runs
that fit, a benchmark is the newest run's that has it, if what it was given (tier, pace, recording) is what the newest
of its group was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from laptime.analysis.documents import in_order
from laptime.compare import fingerprint_groups
from laptime.history import PASSED, Fingerprint, Gate, Run, to_json
from laptime.report.console import plain
from laptime.report.page.figure import cleaned
from laptime.trend import ChangePoint, Series

Benchmark = Mapping[str, Any]
"""As pytest-benchmark writes it to JSON."""
FEWEST_RUNS = 5
"""Of a shorter series nothing can be said."""
THINNED = "laptime_thinned"
"""Set in a benchmark whose rounds are the quantiles of what there was."""
_GIVEN = ("tier", "http", "latency", "cassette_sha256", "tls", "limits")
_WORKLOAD, _STUDY, _PLAIN = "workload", "study", "plain"


@dataclass(frozen=True, slots=True)
class Material:
    """All that goes into a page.

    runs     what is reported, the newest first
    trends   series of its benchmarks of `FEWEST_RUNS` runs or more, with their changes
    gates    the newest first
    asked    the words that the command was given
    version  laptime's
    notes    what couldn't be had, in sentences
    """

    runs: Sequence[Run]
    trends: Sequence[tuple[Series, Sequence[ChangePoint]]] = ()
    gates: Sequence[Gate] = ()
    asked: Sequence[str] = ()
    version: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Benchmarks that are shown together, and the run of each, the newest first.

    kind  "workload", "study" or "plain": what reads them
    """

    kind: str
    name: str
    benchmarks: Sequence[tuple[Benchmark, Run]]

    @property
    def documents(self) -> list[Benchmark]:
        """The benchmarks alone."""
        return [benchmark for benchmark, _ in self.benchmarks]

    @property
    def runs(self) -> list[Run]:
        """The runs that they come from, the newest first."""
        found: list[Run] = []
        for _, run in self.benchmarks:
            if run not in found:
                found.append(run)
        return sorted(found, key=lambda run: run.at, reverse=True)


@dataclass(frozen=True, slots=True)
class Place:
    """What was measured on one machine with one interpreter: fingerprints that can be compared."""

    fingerprint: Fingerprint
    runs: Sequence[Run]
    groups: Sequence[Group]


def places(runs: Sequence[Run]) -> list[Place]:
    """Runs by fingerprint; the one with the newest run first."""
    ordered = sorted(runs, key=lambda run: run.at, reverse=True)
    return [Place(some[0].fingerprint, some, _groups(some)) for some in fingerprint_groups(ordered)]


def _groups(runs: Sequence[Run]) -> list[Group]:
    """The newest run that has a group says what it is given; of older ones, what is given the same is added."""
    found: dict[tuple[str, str], dict[str, tuple[Benchmark, Run]]] = {}
    given: dict[tuple[str, str], tuple[Run, list[list[Any]]]] = {}
    for run in runs:
        for benchmark in benchmarks(run):
            key = _key(benchmark)
            inputs = [benchmark["extra_info"].get(one) for one in _GIVEN]
            newest, known = given.setdefault(key, (run, []))
            if newest is run:
                known.append(inputs)  # a study may give its lines different things
            if inputs in known:
                found.setdefault(key, {}).setdefault(benchmark["fullname"], (benchmark, run))
    return [Group(kind, name, list(members.values())) for (kind, name), members in found.items()]


def _key(benchmark: Benchmark) -> tuple[str, str]:
    info = benchmark["extra_info"]
    if isinstance(info.get("study"), Mapping):
        return _STUDY, str(info["study"].get("name"))
    if _is_lap(benchmark):
        return _WORKLOAD, str(benchmark.get("group") or info["workload"])
    return _PLAIN, str(benchmark.get("group") or "")


def _is_lap(benchmark: Benchmark) -> bool:
    """Whether it has all that a race is read from: anybody may write a `workload` into an extra_info of his own."""
    info = benchmark["extra_info"]
    rounds = info.get("rounds")
    return (
        "workload" in info
        and isinstance(rounds, Mapping)
        and all(_figures(rounds.get(key)) for key in ("wall_s", "cpu_s"))
        and all(isinstance(info.get(key), int | float) for key in ("parallelism", "affinity_cpus"))
        and isinstance(info.get("cpu_quota"), int | float | None)
    )


def _figures(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(type(one) in (int, float) and one >= 0 for one in found)


def benchmarks(run: Run) -> list[Benchmark]:
    """A run's benchmarks that passed; of rounds that were thinned their quantiles, marked by `THINNED`.

    In the order in which they were run; where that isn't known, since the run is older, what is called sequential comes
    first: a race's first variant is the one that the others are compared with.
    """
    found: list[dict[str, Any]] = []
    documents = {one["fullname"]: one for one in cleaned(to_json(run)["benchmarks"])}
    for result in run.results:
        document = documents.get(plain(result.fullname))
        if result.outcome != PASSED or document is None:
            continue
        info = document.get("extra_info")
        document["extra_info"] = info if isinstance(info, dict) else {}
        if result.thinned:
            _put_quantiles(document, result.rounds)
        found.append(document)
    return in_order(sorted(found, key=lambda one: one["extra_info"].get("variant") != "sequential"))


def _put_quantiles(document: dict[str, Any], rounds: Mapping[str, Sequence[float]]) -> None:
    document[THINNED] = True
    info = document["extra_info"]
    if isinstance(info.get("rounds"), dict) and "study" not in info:
        # of which pass a quantile is, is not known
        known = {key: value for key, value in info["rounds"].items() if key not in ("pass", "race_pass", "void")}
        info["rounds"] = {**known, **{f"{metric}_s": list(figures) for metric, figures in rounds.items()}}
