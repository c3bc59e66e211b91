"""pytest-benchmark's JSON, of every version since 3.0, into a run and back. Pure.

A session of laptime adds one key, `laptime`, which pytest-benchmark passes over: the run's id, its commit, its
fingerprint and what failed. A file without it gets an id from its content, so that the same file is the same run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from laptime.git import Commit
from laptime.history._errors import HistoryError
from laptime.history._model import DESELECTED, FAILED, SKIPPED, Fingerprint, Result, Run
from laptime.machine import Value

KEY = "laptime"
VERSION = 1
_INPUTS = (
    "tier",
    "http",
    "latency",
    "tls",
    "limits",
    "cassette_sha256",
    "lifecycle",
    "workers",
    "start_method",
    "parser",
)
_OPTIONS = ("timer", "disable_gc")
_PLACES = {"wall": ("stats", "data"), "cpu": ("extra_info", "rounds", "cpu_s")}
"""Where a document holds raw rounds."""
_COPY = ("extra_info", "rounds", "wall_s")
"""Where laptime's sessions hold the same rounds once more."""
_CPU = ("extra_info", "rounds", "cpu_median_s")
"""Where the export of thinned rounds holds their CPU time: pytest-benchmark has no statistics of it."""
DIGEST = 64
_NO_COMMIT = ("unversioned", "unknown")
_BRACKETED = ("(", "HEAD")
"""How pytest-benchmark's branch begins where there is none."""


def addition(
    run_id: str,
    commit: Commit,
    fingerprint: Fingerprint,
    host: Mapping[str, Value],
    failed: Sequence[Result],
    *,
    label: str | None = None,
    complete: bool = True,
) -> dict[str, Any]:
    """What a session adds to pytest-benchmark's JSON, under `KEY`."""
    return {
        "version": VERSION,
        "run": run_id,
        "label": label,
        "complete": complete,
        "commit": {
            "id": commit.id,
            "at": None if commit.at is None else commit.at.isoformat(),
            "branch": commit.branch,
            "changes": commit.changes,
        },
        "fingerprint": fingerprint_document(fingerprint),
        "host": dict(host),
        "not_timed": [{"fullname": one.fullname, "outcome": one.outcome, "note": one.note} for one in failed],
    }


def fingerprint_document(fingerprint: Fingerprint) -> dict[str, Any]:
    """A fingerprint as JSON."""
    return {
        "machine": dict(fingerprint.machine),
        "interpreter": dict(fingerprint.interpreter),
        "libraries": dict(fingerprint.libraries),
        "loaded": list(fingerprint.loaded),
    }


def as_written(document: Any) -> Any:
    """What a file of this document would hold: what JSON doesn't know becomes text, as pytest-benchmark does it."""
    if isinstance(document, Mapping):
        return {key if isinstance(key, str) else str(key): as_written(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [as_written(value) for value in document]
    # `str` and the like may be subclassed; what is stored is plain
    for kind in (bool, str, int, float):
        if isinstance(document, kind):
            return kind(document)
    return None if document is None else f"UNSERIALIZABLE[{document!r}]"


def from_json(document: Any) -> Run:
    """The run that a document holds. Raises `HistoryError` with what is wrong and where in the document."""
    try:
        return _run(document)
    except HistoryError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise HistoryError(f"not as pytest-benchmark writes it: {type(error).__name__}: {error}") from error


def to_json(run: Run) -> dict[str, Any]:
    """The document that a run was made of: `from_json` gives an equal run again."""
    passed = [_with_rounds(result) for result in run.results if result.document]
    document = {**run.document, "benchmarks": passed}
    added = addition(
        run.id,
        run.commit,
        run.fingerprint,
        document.get(KEY, {}).get("host", {}),
        [result for result in run.results if not result.document],
        label=run.label,
        complete=run.complete,
    )
    return {**document, KEY: {**document.get(KEY, {}), **added}}


def inputs_of(benchmark: Mapping[str, Any]) -> dict[str, Value]:
    """What of a benchmark, as pytest-benchmark writes it, must be equal for two results of it to be comparable."""
    return dict(_inputs(benchmark))


def _run(document: Any) -> Run:
    if not isinstance(document, dict) or not isinstance(document.get("benchmarks"), list):
        raise HistoryError("no file of pytest-benchmark: expected an object with a list `benchmarks`")
    added = document.get(KEY) or {}
    if added.get("version", VERSION) != VERSION:
        raise HistoryError(f"{KEY}.version is {added['version']!r}; this laptime reads {VERSION}: upgrade it")
    results = [_result(one, f"benchmarks[{number}]") for number, one in enumerate(document["benchmarks"])]
    results += [
        Result(
            name_in(one["fullname"], f"{KEY}.not_timed"),
            _outcome(one["outcome"]),
            None if one["note"] is None else str(one["note"]),
        )
        for one in added.get("not_timed", ())
    ]
    names = [result.fullname for result in results]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    if twice:
        raise HistoryError(f"holds {min(twice)} more than once")
    if not results:
        raise HistoryError("holds no benchmarks")
    rest = {key: value for key, value in document.items() if key not in ("benchmarks", KEY)}
    if added.get("host"):
        object_in(added["host"], f"{KEY}.host")
        rest[KEY] = {"host": added["host"]}
    return Run(
        id=_id(added, document),
        at=_moment(document.get("datetime"), "datetime"),
        label=text_in(added.get("label"), f"{KEY}.label"),
        complete=bool(added.get("complete", True)),
        commit=_own_commit(added["commit"]) if "commit" in added else _commit(document.get("commit_info") or {}),
        fingerprint=fingerprint_in(added["fingerprint"], f"{KEY}.fingerprint")
        if "fingerprint" in added
        else _fingerprint(document),
        results=tuple(sorted(results, key=lambda result: result.fullname)),
        document=rest,
    )


def _id(added: Mapping[str, Any], document: Any) -> str:
    text = json.dumps(document, sort_keys=True)  # which fails where it is no JSON, and could not be stored
    if "run" in added:
        return id_in(added["run"], f"{KEY}.run")
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def id_in(found: Any, where: str) -> str:
    """32 hexadecimal digits. Raises `HistoryError`."""
    if not (isinstance(found, str) and len(found) == 32 and set(found) <= set("0123456789abcdef")):
        raise HistoryError(f"{where}: expected 32 hexadecimal digits, got {found!r}")
    return str(found)


def _moment(text: Any, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise HistoryError(f"{where}: expected a time as in 2026-01-02T03:04:05, got {text!r}") from None
    # before 5.0 there was no offset, and the time was UTC
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _own_commit(found: Mapping[str, Any]) -> Commit:
    at = found.get("at")
    return Commit(
        text_in(found.get("id"), f"{KEY}.commit.id", most=DIGEST),
        None if at is None else _moment(at, f"{KEY}.commit.at"),
        text_in(found.get("branch"), f"{KEY}.commit.branch"),
        text_in(found.get("changes"), f"{KEY}.commit.changes", most=DIGEST),
    )


def _commit(info: Mapping[str, Any]) -> Commit:
    identity, branch, at = info.get("id"), info.get("branch"), info.get("time")
    if not identity or identity in _NO_COMMIT:
        return Commit()
    return Commit(
        id=text_in(str(identity), "commit_info.id", most=DIGEST),
        at=None if at is None else _moment(at, "commit_info.time"),
        branch=None if not branch or str(branch).startswith(_BRACKETED) else text_in(str(branch), "commit_info.branch"),
        changes="unknown" if info.get("dirty") else None,
    )


def fingerprint_in(found: Mapping[str, Any], where: str) -> Fingerprint:
    """A fingerprint that laptime wrote. Raises `HistoryError`."""
    machine, interpreter, libraries = (
        object_in(found[part], f"{where}.{part}") for part in ("machine", "interpreter", "libraries")
    )
    if not all(isinstance(version, str) for version in libraries.values()):
        raise HistoryError(f"{where}.libraries: expected versions as texts")
    loaded = found["loaded"]
    if not isinstance(loaded, list) or not all(isinstance(name, str) for name in loaded):
        raise HistoryError(f"{where}.loaded: expected a list of names")
    return Fingerprint(machine, interpreter, libraries, tuple(loaded))


def object_in(found: Any, where: str) -> dict[str, Any]:
    """An object of plain values. Raises `HistoryError`."""
    if not isinstance(found, dict) or not all(
        value is None or isinstance(value, str | int | float | bool) for value in found.values()
    ):
        raise HistoryError(f"{where}: expected an object of texts and figures")
    return dict(found)


def _outcome(found: Any) -> str:
    if found not in (FAILED, SKIPPED, DESELECTED):
        raise HistoryError(f"{KEY}.not_timed: expected {FAILED!r}, {SKIPPED!r} or {DESELECTED!r}, got {found!r}")
    return str(found)


def _fingerprint(document: Mapping[str, Any]) -> Fingerprint:
    """What the file of another suite, or of an older version, tells."""
    info = document.get("machine_info") or {}
    cpu = info.get("cpu") or {}
    brand = next((cpu[key] for key in ("brand_raw", "brand") if cpu.get(key) not in (None, "", "unknown")), None)
    machine = {
        "cpu": brand or info.get("processor") or None,
        "architecture": info.get("machine"),
        "OS": info.get("system"),
    }
    interpreter = {
        "implementation": info.get("python_implementation"),
        "version": info.get("python_implementation_version") or info.get("python_version"),
        "compiler": info.get("python_compiler"),
    }
    libraries = {"pytest-benchmark": document["version"]} if isinstance(document.get("version"), str) else {}
    return Fingerprint(
        {key: str(value) for key, value in machine.items() if value is not None},
        {key: str(value) for key, value in interpreter.items() if value is not None},
        libraries,
        tuple(libraries),
    )


def _result(benchmark: Any, where: str) -> Result:
    if not isinstance(benchmark, dict) or not isinstance(benchmark.get("stats"), dict):
        raise HistoryError(f"{where}: expected an object with `stats`")
    name = name_in(benchmark.get("fullname"), f"{where}.fullname")
    data = benchmark["stats"].get("data")
    if data is not None and (not isinstance(data, list) or not all(type(one) in (int, float) for one in data)):
        raise HistoryError(f"{where}.stats.data: expected a list of figures")
    rounds = {metric: found for metric, place in _PLACES.items() if (found := _numbers(benchmark, place))}
    wall = _seconds(
        median(rounds["wall"]) if "wall" in rounds else benchmark["stats"].get("median"), f"{where}.stats.median"
    )
    for metric, figures in rounds.items():
        for figure in figures:
            _seconds(figure, f"{where}.{'.'.join(_PLACES[metric])}")
    info = benchmark.get("extra_info") or {}
    values = {"wall": wall}
    if "cpu" in rounds:
        values["cpu"] = _seconds(median(rounds["cpu"]), f"{where}.extra_info.rounds.cpu_s")
    elif (found := _at(benchmark, _CPU)) is not None:
        values["cpu"] = _seconds(found, f"{where}.{'.'.join(_CPU)}")
    if isinstance(info, dict) and isinstance(info.get("peak_pss_bytes"), int | float):
        values["memory"] = _seconds(info["peak_pss_bytes"], f"{where}.extra_info.peak_pss_bytes")
    return Result(
        fullname=name,
        inputs=inputs_of(benchmark),
        values=values,
        rounds=rounds,
        document=_without_rounds(benchmark, rounds),
    )


def name_in(name: Any, where: str) -> str:
    """A benchmark's name, as it is stored. Raises `HistoryError`."""
    if not isinstance(name, str) or not name:
        raise HistoryError(f"{where}: expected a name, got {name!r}")
    return storable(name.replace("::()::", "::"))  # how pytest before 4 wrote a class


def text_in(text: Any, where: str, *, most: int | None = None) -> str | None:
    """A text of a column, which may be missing, as it is stored. Raises `HistoryError`."""
    if text is None:
        return None
    if not isinstance(text, str) or (most is not None and len(text) > most):
        raise HistoryError(f"{where}: expected a text{f' of up to {most} characters' if most else ''}, got {text!r}")
    return storable(text)


def storable(text: str) -> str:
    """Without what no database takes as text: NUL, and the halves of surrogate pairs, undecodable bytes."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _seconds(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise HistoryError(f"{where}: expected a figure, got {value!r}")
    return float(value)


def _inputs(benchmark: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    info = benchmark.get("extra_info")
    info = info if isinstance(info, dict) else {}
    for source, keys in ((info, (*_INPUTS, "answer")), (benchmark.get("options") or {}, _OPTIONS)):
        for key in keys:
            value = source.get(key)
            if value is not None:
                yield key, value if isinstance(value, str | int | float | bool) else json.dumps(value, sort_keys=True)


def _at(document: Any, place: Sequence[str]) -> Any:
    for key in place:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _numbers(document: Any, place: Sequence[str]) -> tuple[float, ...]:
    document = _at(document, place)
    if not isinstance(document, list) or not all(type(one) in (int, float) for one in document):
        return ()
    return tuple(map(float, document))


def _without_rounds(benchmark: Mapping[str, Any], rounds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    document = dict(benchmark)
    for metric in rounds:
        _take(document, _PLACES[metric])
    if "wall" in rounds and _numbers(benchmark, _COPY) == rounds["wall"]:
        _take(document, _COPY)
        document[_COPIED] = True
    return document


_COPIED = "laptime_rounds_copied"


def _with_rounds(result: Result) -> dict[str, Any]:
    document = dict(result.document)
    copied = document.pop(_COPIED, False)
    if result.thinned:
        # its statistics stand; quantiles under the name of rounds would be counted as rounds
        if "cpu" in result.values:
            _put(document, _CPU, result.values["cpu"])
        return document
    for metric, rounds in result.rounds.items():
        _put(document, _PLACES[metric], list(rounds))
    if copied:
        _put(document, _COPY, list(result.rounds["wall"]))
    return document


def _take(document: dict[str, Any], place: Sequence[str]) -> None:
    """Remove what stands there, from copies of the objects on the way."""
    *way, last = place
    for key in way:
        document[key] = document = dict(document[key])
    del document[last]


def _put(document: dict[str, Any], place: Sequence[str], value: object) -> None:
    *way, last = place
    for key in way:
        document[key] = document = dict(document.get(key, {}))
    document[last] = value
