"""`laptime compare`: two sides' stored runs, side by side."""

from __future__ import annotations

import argparse

from laptime import compare
from laptime.cli import _store
from laptime.cli._codes import CANNOT
from laptime.cli._terminal import color, show, tell, width
from laptime.history import METRICS, PARTS
from laptime.report import comparison
from laptime.report.comparison import SORTS, Layout
from laptime.stats.intervals import CONFIDENCE


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command."""
    parser = commands.add_parser(
        "compare",
        help="compare two commits' runs, or two runs",
        description="Compare what is stored of two commits, or two runs. A run is the independent unit: with 4 runs or "
        "more on each side the ratio has an interval across runs; within single runs nothing is decided. Runs of "
        "another machine, interpreter or inputs are not compared.",
        epilog="Exit code 1 where a benchmark is gone or broken, or slower than --fail-on allows; 2 where it could not "
        "be compared. example: laptime compare main",
    )
    parser.add_argument("base", metavar="BASE", help="RUN: a commit, tag, branch, HEAD~3, latest~2 or a run's id")
    parser.add_argument("head", metavar="HEAD", nargs="?", help="RUN; default: what is checked out, with its changes")
    _store.add_history(parser)
    parser.add_argument("--metric", choices=METRICS, default="wall")
    parser.add_argument(
        "--fail-on", type=_store.share, metavar="5%", help="fail where the whole interval is slower by more than this"
    )
    parser.add_argument(
        "--same",
        type=_store.share,
        metavar="5%",
        default=compare.SAME,
        help="call same what is within this (default: 5%%)",
    )
    parser.add_argument("--confidence", type=_confidence, default=CONFIDENCE, help="of intervals (default: 0.95)")
    parser.add_argument(
        "--across", action="append", choices=PARTS, default=[], help="let this part of the fingerprint differ"
    )
    parser.add_argument(
        "--baseline", metavar="VARIANT", help="ratios to this variant of the same run and group: sequential, say"
    )
    parser.add_argument("--bench", metavar="TEXT", help="only benchmarks whose name contains it")
    parser.add_argument(
        "--group-by",
        type=_grouping,
        default="group",
        metavar="LABEL",
        help="group, name, func, fullname, fullfunc, param, param:NAME",
    )
    parser.add_argument("--sort", choices=SORTS, default="name")
    parser.add_argument(
        "--columns", type=_columns, default=(), metavar="LABELS", help=f"beside ours, of: {', '.join(compare.COLUMNS)}"
    )
    parser.add_argument("--format", choices=("table", "markdown", "json"), default="table")
    parser.set_defaults(command=_compare, decides=True)


def _compare(options: argparse.Namespace) -> int:
    question = compare.Question(
        metric=options.metric,
        across=tuple(options.across),
        baseline=options.baseline,
        same=options.same,
        fail_on=options.fail_on,
        confidence=options.confidence,
        only=options.bench,
        group_by=options.group_by,
    )
    store, _ = _store.open_store(options)
    base, base_runs = _store.chosen(store, options.base)
    head, head_runs = _store.chosen(store, options.head)
    answer = compare.compare(base_runs, head_runs, question)
    if options.format == "json":
        show(comparison.as_json(answer, base.title, head.title))
    if not answer.comparisons:
        for line in comparison.refusal(answer.refused, base.title, head.title):
            tell(f"laptime: {line}" if not line.startswith(" ") else line)
        return CANNOT
    layout = Layout(options.columns, options.sort)
    if options.format == "markdown":
        show(comparison.markdown(answer, base.title, head.title, layout))
    elif options.format == "table":
        show(comparison.terminal(answer, base.title, head.title, layout, width=width(), color=color()))
    return answer.code


def _confidence(text: str) -> float:
    value = _store.share(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a confidence from 0.5 to below 1, as in 0.99 or 99%")
    return value


def _columns(text: str) -> tuple[str, ...]:
    columns = tuple(text.split(","))
    unknown = [column for column in columns if column not in compare.COLUMNS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: there are {', '.join(compare.COLUMNS)}")
    return columns


def _grouping(text: str) -> str:
    unknown = [one for one in text.split(",") if one not in compare.GROUPINGS and not one.startswith("param:")]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: there are {', '.join(compare.GROUPINGS)}, param:NAME")
    return text
