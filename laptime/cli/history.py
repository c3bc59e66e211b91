"""`laptime history`, `import` and `export`: runs and gates listed and merged; runs brought in, given out, thinned."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from laptime.cli import _store
from laptime.cli._codes import CANNOT, OK
from laptime.cli._terminal import color, progress, tell, width
from laptime.files import is_writable, write_whole
from laptime.history import Entry, Filter, HistoryError, Run, from_json, scrub, to_json
from laptime.report import gates, runs

if TYPE_CHECKING:
    from laptime.history.store import Store

_NUMBERED = re.compile(r"\d{4,}_(.+)")
"""How pytest-benchmark names what `--benchmark-save` saves."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The three commands."""
    listing = commands.add_parser(
        "history",
        help="list the runs or the gates that are stored; merge and thin stores",
        description="List runs, or gates, the newest first. `merge` brings in another store's, `prune` thins old "
        "rounds.",
        epilog="example: laptime history --branch main --since 30d",
    )
    _store.add_history(listing)
    listing.add_argument("--gates", action="store_true", help="what `laptime gate` said, in the place of runs")
    listing.add_argument("--branch", help="only those made on this branch (gates: of this branch's head)")
    listing.add_argument("--since", type=_store.since, metavar="WHEN", help="2026-11-01, or 36h, 30d, 2w ago")
    listing.add_argument("--bench", metavar="TEXT", help="only those with a benchmark whose name contains it")
    listing.add_argument("--limit", type=int, default=20, help="at most so many (default: 20; 0: all)")
    listing.add_argument("--format", choices=("table", "markdown", "json"), default="table")
    listing.set_defaults(command=_list)
    under = listing.add_subparsers(title="commands", metavar="{merge,prune}")

    merge = under.add_parser(
        "merge",
        help="bring in another store's runs and gates",
        description="Bring in the runs and the gates of another store; what is there already is not doubled, and the "
        "other is left as it is.",
        epilog="example: laptime history merge colleague/history.db",
    )
    _store.add_history(merge, again=True)
    merge.add_argument("other", metavar="OTHER", help="a file, or a URL")
    merge.set_defaults(command=_merge)

    prune = under.add_parser(
        "prune",
        help="thin old raw rounds to their quantiles",
        description="Keep of older runs' raw rounds the quantiles only. No run is removed, and no median changes; "
        "gates are left alone.",
        epilog="example: laptime history prune --keep 90d",
    )
    _store.add_history(prune, again=True)
    prune.add_argument(
        "--keep", required=True, metavar="HOW MANY", help="the newest 200 runs, say, or those of the last 90d, 12w"
    )
    prune.add_argument("--dry-run", action="store_true", help="say what would be done")
    prune.set_defaults(command=_prune)

    bring = commands.add_parser(
        "import",
        help="store what pytest-benchmark saved",
        description="Store runs from pytest-benchmark's JSON (3.0 and later, with and without raw data). The same file "
        "twice adds nothing. Exit code 2 where a file can't be read; the others are stored.",
        epilog="example: laptime import .benchmarks results.json",
    )
    _store.add_history(bring)
    bring.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR", help="of a directory, all its .json files")
    bring.set_defaults(command=_import)

    give = commands.add_parser(
        "export",
        help="write a run as pytest-benchmark's JSON",
        description="Write a run as JSON that `pytest-benchmark compare` and `laptime import` accept.",
        epilog="example: laptime export latest -o run.json",
    )
    _store.add_history(give)
    give.add_argument("run", metavar="RUN", help="the newest, where a commit has several")
    give.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    give.set_defaults(command=_export)


def _list(options: argparse.Namespace) -> int:
    if options.limit < 0:
        raise HistoryError(f"--limit {options.limit}: expected a number, 0 for all")
    store, _ = _store.open_store(options)
    which = Filter(branch=options.branch, since=options.since, benchmark=options.bench)
    count, every = (_list_gates if options.gates else _list_runs)(store, which, options)
    if not count:
        tell(f"laptime: {store.name}: no such {'gates' if options.gates else 'runs'}")
    elif options.limit and count == options.limit and (left := len(every(which)) - count):
        tell(f"laptime: {left} older ones are not shown (--limit 0 shows all)")
    return OK


_Listed = tuple[int, Callable[[Filter], Sequence[int]]]
"""How many were shown, and what gives the numbers of all."""


def _list_runs(store: Store, which: Filter, options: argparse.Namespace) -> _Listed:
    found = store.entries(which, limit=options.limit or None)
    known = store.fingerprints(entry.fingerprint_no for entry in found)
    formats = {
        "json": lambda: runs.as_json(found, known),
        "markdown": lambda: runs.markdown(found, known),
        "table": lambda: runs.terminal(found, known, width=width(), color=color()) if found else "",
    }
    print(formats[options.format](), end="")
    return len(found), store.numbers


def _list_gates(store: Store, which: Filter, options: argparse.Namespace) -> _Listed:
    found = store.gates(which, limit=options.limit or None)
    formats = {
        "json": lambda: gates.as_json(found, store.fingerprints(entry.fingerprint_no for entry in found)),
        "markdown": lambda: gates.markdown(found),
        "table": lambda: gates.terminal(found, width=width(), color=color()) if found else "",
    }
    print(formats[options.format](), end="")
    return len(found), store.gate_numbers


def _merge(options: argparse.Namespace) -> int:
    from laptime.history.store import Store

    other = Store(options.other, Path.cwd(), say=_store.say)
    store, _ = _store.open_store(options, create=True)
    their_runs, their_gates = other.ids(), other.gate_ids()
    new_runs, new_gates = _new(their_runs, store.ids()), _new(their_gates, store.gate_ids())
    runs_added = gates_added = 0
    with progress("merging", len(new_runs) + len(new_gates)) as advance:
        for run in other.each(new_runs):
            runs_added += store.append(run)
            advance()
        for gate in other.each_gate(new_gates):
            gates_added += store.append_gate(gate)
            advance()
    print(f"{store.name}: {_count(runs_added)} added from {other.name}, {len(their_runs) - runs_added} there already")
    if their_gates:
        there = len(their_gates) - gates_added
        print(f"{store.name}: {_count(gates_added, 'gate')} added from {other.name}, {there} there already")
    return OK


def _new(theirs: Mapping[str, int], ours: Mapping[str, int]) -> list[int]:
    return sorted(no for identity, no in theirs.items() if identity not in ours)


def _prune(options: argparse.Namespace) -> int:
    store, _ = _store.open_store(options)
    old = _older(options.keep, store.entries())
    if options.dry_run:
        print(f"{store.name}: the raw rounds of {_count(len(old))} would be thinned to their quantiles")
        return OK
    thinned = 0
    with progress("thinning", len(old)) as advance:
        for entry in old:
            thinned += store.thin([entry.no])
            advance()
    store.shrink()
    print(f"{store.name}: thinned {thinned} benchmarks in {_count(len(old))}")
    return OK


def _older(keep: str, entries: Sequence[Entry]) -> list[Entry]:
    if keep.isdecimal():
        return list(entries[int(keep) :])
    match = re.fullmatch(r"(\d+)([dw])", keep)
    if not match:
        raise HistoryError(f"--keep {keep}: expected a number of runs as in 200, or a time as in 90d or 12w")
    try:
        oldest = datetime.now(UTC) - timedelta(days=int(match[1]) * (7 if match[2] == "w" else 1))
    except OverflowError:
        return []
    return [entry for entry in entries if entry.at < oldest]


def _import(options: argparse.Namespace) -> int:
    files = list(_files(options.paths))
    if not files:
        raise HistoryError(f"{', '.join(map(str, options.paths))}: no .json files there")
    store, _ = _store.open_store(options, create=True)
    added = there = failed = 0
    with progress("importing", len(files)) as advance:
        for path in files:
            advance()
            try:
                run = _read(path)
            except (HistoryError, OSError) as error:
                _store.say(scrub(f"{path}: {getattr(error, 'strerror', None) or error}"))
                failed += 1
                continue
            new = store.append(run)
            added, there = added + new, there + (not new)
    print(f"{store.name}: {_count(added)} added, {there} there already" + (f", {failed} unreadable" if failed else ""))
    return CANNOT if failed else OK


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.json"))
        else:
            yield path


def _read(path: Path) -> Run:
    """The run in a file; what `--benchmark-save` named it is its label."""
    text = path.read_bytes()
    if not text.strip():
        raise HistoryError("is empty: pytest-benchmark before 5.3 left such a file where nothing was measured")
    try:
        run = from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"no JSON, or cut short: {error}") from None
    named = _NUMBERED.fullmatch(path.stem)
    return replace(run, label=named[1]) if run.label is None and named else run


def _export(options: argparse.Namespace) -> int:
    if options.output is not None and not is_writable(options.output.resolve()):
        raise HistoryError(f"--output {options.output}: expected a file in a directory that exists")
    store, _ = _store.open_store(options)
    selection, found = _store.chosen(store, options.run)
    if len(found) > 1:
        tell(f"laptime: {selection.title} has {len(found)} runs; this is the newest")
    text = json.dumps(to_json(found[0]), indent=4) + "\n"
    if options.output is None:
        print(text, end="")
    else:
        write_whole(options.output.resolve(), text)
        tell(f"laptime: wrote run {found[0].id[:10]} to {options.output}")
    return OK


def _count(number: int, what: str = "run") -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
