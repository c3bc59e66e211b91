"""`laptime trend` and `laptime changes`: figures from commit to commit, and where they changed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from laptime import git, index, trend
from laptime.cli import _store
from laptime.cli._codes import OK
from laptime.cli._terminal import color, progress, tell, width
from laptime.history import GATE_METRICS, METRICS, HistoryError
from laptime.report import index as shown_index
from laptime.report import trend as shown

_WHEN = "2026-11-01, or 36h, 30d, 2w ago"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The two commands."""
    one = commands.add_parser(
        "trend",
        help="draw one benchmark from commit to commit",
        description="Draw a benchmark's figures over the first parents of a commit, runs of one fingerprint (the "
        "newest run's), and where they changed. With --index: what the gates of these commits add up to, on whatever "
        "machines they were.",
        epilog="example: laptime trend primes-processes-w2-forkserver-warm --metric cpu; laptime trend parse --index",
    )
    one.add_argument("bench", metavar="BENCH", help="its name, or a part that no other has")
    _add_common(one)
    one.add_argument("--index", action="store_true", help="the product of the gates' ratios, in the place of runs")
    one.add_argument("--since", type=_store.since, metavar="WHEN", help=f"runs (gates) since then only: {_WHEN}")
    one.add_argument("--format", choices=("table", "json"), default="table")
    one.set_defaults(command=_trend)

    every = commands.add_parser(
        "changes",
        help="list where any benchmark changed",
        description="List the change points of every series: the first commit that has it, the change with its "
        "interval, and how sure it is. A spike is no change, and neither is drift.",
        epilog="example: laptime changes --since 30d",
    )
    _add_common(every)
    every.add_argument("--since", type=_store.since, metavar="WHEN", help=f"changes since then only: {_WHEN}")
    every.add_argument("--bench", metavar="TEXT", help="only benchmarks whose name contains it")
    every.add_argument("--format", choices=("table", "markdown", "json"), default="table")
    every.set_defaults(command=_changes)


def _add_common(parser: argparse.ArgumentParser) -> None:
    _store.add_history(parser)
    parser.add_argument("--rev", default="HEAD", help="the commit whose first parents are followed (default: HEAD)")
    parser.add_argument("--metric", choices=METRICS, default="wall")


def _trend(options: argparse.Namespace) -> int:
    if options.index:
        return _index(options)
    store, _ = _store.open_store(options)
    name = _store.the_one(store, store.names(), options.bench)
    points = store.series(name)
    groups = trend.grouped(store.fingerprints(point.fingerprint_no for point in points))
    order = _order(options.rev)
    found = trend.all_series(name, points, metric=options.metric, groups=groups, order=order, since=options.since)
    if not found:
        raise HistoryError(
            f"{name}: none of its {len(points)} runs is of a commit among the first parents of {options.rev}, without "
            f"other changes, and has figures of the metric {options.metric}"
        )
    series, *others = found
    changes = trend.change_points(series)
    if options.format == "json":
        print(shown.trend_json(series, changes, options.metric), end="")
        return OK
    left_out = sum(len(other.values) for other in others)
    notes = [f"{left_out} runs of {len(others)} other fingerprints or inputs left out."] if others else []
    print(shown.terminal(series, changes, options.metric, notes, width=width(), color=color()), end="")
    return OK


def _index(options: argparse.Namespace) -> int:
    here = Path.cwd()
    if options.metric not in GATE_METRICS:
        raise HistoryError(f"--metric {options.metric}: gates judge {' and '.join(GATE_METRICS)}")
    if not git.is_repository(here):
        raise HistoryError(f"{here}: an index goes from commit to commit, and this is no git repository")
    store, _ = _store.open_store(options)
    name = _store.the_one(store, sorted({*store.gate_names(), *store.names()}), options.bench)
    chain = git.first_parents(here, _commit(here, options.rev))
    ratios = store.gate_ratios(name)
    edges, left_out = index.gated(ratios, options.metric, chain, git.tags(here), options.since)
    shallow = (
        " This clone is shallow: `git fetch --unshallow` brings the older commits." if git.is_shallow(here) else ""
    )
    if not edges:
        why = "".join(f", {count} {reason}" for reason, count in left_out.items())
        since = "" if options.since is None else f", since {options.since:%Y-%m-%d %H:%M} (UTC)"
        raise HistoryError(
            f"{name}: no gate that is stored in {store.name} has its {options.metric} time at two commits among the "
            f"first parents of {options.rev}{since}{why}. Gate each merge: `laptime gate HEAD~1 HEAD`.{shallow}"
        )
    found = index.added_up(edges, chain)
    if options.format == "json":
        print(shown_index.as_json(name, options.metric, found, left_out), end="")
    else:
        notes = [*shown_index.notes(found, left_out), *([shallow.strip()] if shallow else [])]
        print(shown_index.terminal(name, options.metric, found, notes, width=width(), color=color()), end="")
    return OK


def _changes(options: argparse.Namespace) -> int:
    store, _ = _store.open_store(options)
    wanted = set(store.names(options.bench))
    every = {name: points for name, points in store.every_series().items() if name in wanted}
    groups = trend.grouped(store.fingerprints({point.fingerprint_no for points in every.values() for point in points}))
    order = _order(options.rev)
    series = [
        one
        for name, points in every.items()
        for one in trend.all_series(name, points, metric=options.metric, groups=groups, order=order)
    ]
    with progress("looking for changes", len(series)) as advance:
        found = trend.every_change(series, lambda one: advance())
    if options.since is not None:
        found = [one for one in found if one.after.at_us >= options.since.timestamp() * 1e6]
    summary = (
        f"{len(found)} change{'' if len(found) == 1 else 's'} in {len(series)} series of "
        f"{sum(len(one.values) for one in series)} runs"
    )
    if options.format == "json":
        print(shown.changes_json(found, options.metric, series), end="")
    elif options.format == "markdown":
        print(shown.changes_markdown(found, options.metric, summary), end="")
    else:
        print(shown.changes_terminal(found, options.metric, summary, width=width(), color=color()), end="")
    return OK


def _order(rev: str) -> Mapping[str, int] | None:
    """The place of each commit; None, and a word about it, where there is no git."""
    here = Path.cwd()
    if not git.is_repository(here):
        tell("laptime: this is no git repository: runs are taken in the order of time")
        return None
    return {one: place for place, one in enumerate(git.first_parents(here, _commit(here, rev)))}


def _commit(here: Path, rev: str) -> str:
    commit = git.resolve(here, rev)
    if commit is None:
        raise HistoryError(f"--rev {rev}: no commit, tag or branch that git knows")
    return commit
