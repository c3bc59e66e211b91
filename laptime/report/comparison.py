"""Comparisons as tables, Markdown and JSON. Pure.

Names come from stored data: they are put into `Text`, escaped in Markdown, and never into a format.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from laptime.compare import (
    BROKEN,
    CANT_TELL,
    FASTER,
    GONE,
    LEAST_RUNS,
    NEW,
    REFUSED,
    SAME_WITHIN,
    SLOWER,
    Answer,
    Comparison,
    Figure,
    Row,
)
from laptime.history import Difference
from laptime.report.console import escaped, fingerprint_line, plain, printed
from laptime.report.units import duration, times
from laptime.stats.intervals import Interval, Ratio

SORTS = ("name", "fullname", "ratio", "base", "head")
_STYLES = {SLOWER: "red", FASTER: "green", GONE: "red", BROKEN: "red", REFUSED: "yellow", NEW: "cyan"}
_MORE = {SLOWER: "more", FASTER: "less"}
_WITHIN_MARK = "*"
_LEAST_TEXT = 14
_GAP = 2
_TIMES = {"wall", "cpu"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a comparison is shown: pytest-benchmark's columns beside ours, and the order of the rows."""

    columns: tuple[str, ...] = ()
    sort: str = "name"


def terminal(answer: Answer, base: str, head: str, layout: Layout, *, width: int, color: bool) -> str:
    """All comparisons, what is to be known of them, and what failed."""

    def show(write: Callable[..., None]) -> None:
        for one in answer.comparisons:
            title = f"{base} ({_runs(one.base_runs)}) → {head} ({_runs(one.head_runs)})"
            write(Text(plain(title), style="bold"))
            write(Text(plain(_of(one)), style="dim"))
            for group, rows in _groups(one, layout):
                write("")
                if group:
                    write(Text(plain(group), style="bold"))
                write(_widest_fit(rows, answer, layout, width))
            write("")
        for line in notes(answer):
            write(Text(plain(line)))

    return printed(show, width=width, color=color)


def markdown(answer: Answer, base: str, head: str, layout: Layout) -> str:
    """The same for a page or a pull request."""
    blocks = []
    for one in answer.comparisons:
        title = f"{base} ({_runs(one.base_runs)}) → {head} ({_runs(one.head_runs)})"
        blocks.append(f"**{escaped(title)}**\n\n{escaped(_of(one))}")
        for group, rows in _groups(one, layout):
            headings = _headings(layout)
            lines = [f"| {' | '.join(headings)} |", "|---|" + "---:|" * (len(headings) - 2) + "---|"]
            lines += [f"| {' | '.join(map(escaped, _cells(row, answer, layout)))} |" for row in rows]
            blocks.append((f"**{escaped(group)}**\n\n" if group else "") + "\n".join(lines))
    return "\n\n".join([*blocks, *(f"{escaped(line)}" for line in notes(answer))]) + "\n"


def as_json(answer: Answer, base: str, head: str) -> str:
    """The same for a program; intervals are null where there are none."""
    question = answer.question
    document = {
        "version": 1,
        "base": base,
        "head": head,
        "metric": question.metric,
        "unit": "× baseline" if question.baseline else "s" if question.metric in _TIMES else "B",
        "baseline": question.baseline,
        "across": list(question.across),
        "confidence": question.confidence,
        "fail_on": question.fail_on,
        "exit_code": answer.code,
        "comparisons": [_comparison_json(one) for one in answer.comparisons],
        "refused": [_difference_json(one) for one in answer.refused],
        "left_out_runs": answer.left_out,
        "notes": notes(answer),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def refusal(refused: Sequence[Difference], base: str, head: str) -> list[str]:
    """Why two sides can't be compared, side by side."""
    if not refused:
        return [f"{base} and {head} can't be compared: one of them has no runs"]
    parts = sorted({one.part for one in refused})
    wide = max(len(one.what) for one in refused)
    room = max(len(base), *(len(one.base) for one in refused))
    lines = [f"{base} and {head} can't be compared: they differ in {' and '.join(parts)}"]
    lines.append(f"  {'':{wide}}  {base:{room}}  {head}")
    lines += [f"  {one.what:{wide}}  {one.base:{room}}  {one.head}" for one in refused]
    lines.append("to compare them all the same: " + " ".join(f"--across {part}" for part in parts))
    return lines


def notes(answer: Answer) -> list[str]:
    """Sentences: how to read it, and what failed."""
    rows = answer.rows
    compared = [row for row in rows if row.ratio is not None and not row.within]
    found = []
    if answer.left_out:
        found.append(f"{_runs(answer.left_out)} with another fingerprint left out.")
    if any(row.within for row in rows):
        found.append(
            f"{_WITHIN_MARK} too few runs for an interval across runs (4 a side are enough): what is shown is within "
            "single runs, which can't see that the machine is another the next time."
        )
    if compared:
        chance = (1 - answer.question.confidence) * len(compared)
        found.append(
            f"Intervals are {answer.question.confidence:.0%}: of {len(compared)} equal benchmarks about {chance:.1f} "
            "would be called slower or faster by chance."
        )
    refused = [row for row in rows if row.word == REFUSED]
    if refused:
        found.append(
            f"{_benchmarks(len(refused))} not compared: their inputs differ "
            "(--across inputs compares them all the same)."
        )
    limit = answer.question.fail_on
    if answer.unseen:
        found.append(f"{len(answer.unseen)} of the base's benchmarks are in those runs only: {_names(answer.unseen)}.")
    if answer.too_few:
        found.append(
            f"FAILED (2): --fail-on decides from {LEAST_RUNS} runs a side, and {_benchmarks(len(answer.too_few))} "
            f"({_some(answer.too_few)}) have fewer. `laptime gate` measures both sides now, and decides."
        )
    elif answer.undecided:
        found.append("FAILED (2): not all of the base's benchmarks could be compared.")
    elif answer.failing:
        why = "gone or broken" if limit is None else f"gone, broken, or more than {limit * 100:.3g} % slower"
        found.append(f"FAILED: {_benchmarks(len(answer.failing))} {why}: {_some(answer.failing)}.")
    return found


def _groups(one: Comparison, layout: Layout) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in one.rows:
        groups.setdefault(row.group, []).append(row)
    return [(group, sorted(rows, key=lambda row: _order(row, layout.sort))) for group, rows in groups.items()]


def _order(row: Row, sort: str) -> tuple[Any, ...]:
    if sort == "ratio":
        return (row.ratio is None, -row.ratio.estimate if row.ratio else 0.0, row.name)
    if sort in ("base", "head"):
        figure = row.base if sort == "base" else row.head
        return (figure is None, figure.value if figure else 0.0, row.name)
    return (row.fullname if sort == "fullname" else row.name,)


def _headings(layout: Layout) -> list[str]:
    more = [f"{column} {side}" for column in layout.columns for side in ("base", "head")]
    return ["benchmark", "base", "head", *more, "ratio", ""]


def _widest_fit(rows: Sequence[Row], answer: Answer, layout: Layout, width: int) -> Table:
    """With the intervals of both sides where there is room for them: a name or a word that is cut is worse."""
    figures = zip(*(_cells(row, answer, layout)[1:-1] for row in rows), strict=True)
    needed = sum(max(map(len, column)) + _GAP for column in figures) + 2 * _LEAST_TEXT
    return _table(rows, answer, layout, brief=needed > width)


def _table(rows: Sequence[Row], answer: Answer, layout: Layout, *, brief: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    headings = _headings(layout)
    for number, heading in enumerate(headings):
        last = number == len(headings) - 1
        justify: Literal["left", "right"] = "left" if last or number == 0 else "right"
        text = last or number == 0  # these two share what the figures leave
        table.add_column(
            heading, justify=justify, overflow="fold", no_wrap=not text, min_width=_LEAST_TEXT if text else None
        )
    for row in rows:
        style = _STYLES.get(row.word, "")
        cells = [Text(plain(cell)) for cell in _cells(row, answer, layout, brief=brief)]
        cells[-1].stylize(style)
        table.add_row(*cells)
    return table


def _cells(row: Row, answer: Answer, layout: Layout, *, brief: bool = False) -> list[str]:
    more = [_stat(figure, column) for column in layout.columns for figure in (row.base, row.head)]
    sides = [_figure(figure, answer).partition(" [" if brief else "\n")[0] for figure in (row.base, row.head)]
    return [row.name, *sides, *more, _ratio(row), _word(row, answer)]


def _figure(figure: Figure | None, answer: Answer) -> str:
    if figure is None:
        return "–"
    show = _unit(answer)
    interval = figure.interval
    mark = _WITHIN_MARK if figure.within else ""
    return show(figure.value) + ("" if interval is None else f" {_between(interval, show)}{mark}")


def _between(interval: Interval, show: Callable[[float], str]) -> str:
    return f"[{show(interval.low)}, {show(interval.high)}]"


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return "–"
    mark = _WITHIN_MARK if row.within else ""
    if math.isinf(row.ratio.high):
        return f"{row.ratio.estimate:.3f}{mark}"
    return f"{row.ratio.estimate:.3f} [{row.ratio.low:.3f}, {row.ratio.high:.3f}]{mark}"


def _word(row: Row, answer: Answer) -> str:
    timed = answer.question.metric in _TIMES
    word = row.word if timed else _MORE.get(row.word, row.word)
    if row.word == SAME_WITHIN and row.bound is not None:
        word = f"same within {row.bound * 100:.1f} %"
    if row.word == CANT_TELL:
        return "can't tell from these runs" + (f": {row.note}" if row.note else "")
    return f"{word}: {row.note}" if row.note else word


def _stat(figure: Figure | None, column: str) -> str:
    if figure is None or column not in figure.stats:
        return "–"
    value = figure.stats[column]
    if isinstance(value, str) or column in ("rounds", "iterations"):
        return str(value)
    return f"{value:.4g}/s" if column == "ops" else duration(value)


def _unit(answer: Answer) -> Callable[[float], str]:
    if answer.question.baseline is not None:
        return times
    return duration if answer.question.metric in _TIMES else size


def size(count: float) -> str:
    """Three digits and a unit: ``45.6 MB``."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} B"


def _of(one: Comparison) -> str:
    """What both were run on."""
    if not one.differences:
        return fingerprint_line(one.base)
    return "across: " + "; ".join(f"{each.what} {each.base} → {each.head}" for each in one.differences)


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _benchmarks(count: int) -> str:
    return f"{count} benchmark{'' if count == 1 else 's'}"


def _some(rows: Sequence[Row], most: int = 3) -> str:
    return _names([row.name for row in rows], most)


def _names(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _comparison_json(one: Comparison) -> dict[str, Any]:
    return {
        "fingerprint": {
            side: {"machine": dict(found.machine), "interpreter": dict(found.interpreter)}
            for side, found in (("base", one.base), ("head", one.head))
        },
        "differences": [_difference_json(each) for each in one.differences],
        "base_runs": one.base_runs,
        "head_runs": one.head_runs,
        "benchmarks": [_row_json(row) for row in one.rows],
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "fullname": row.fullname,
        "name": row.name,
        "group": row.group or None,
        "word": row.word,
        "note": row.note or None,
        "same_within": row.bound,
        "within_single_runs": row.within,
        "base": _figure_json(row.base),
        "head": _figure_json(row.head),
        "ratio": _ratio_json(row.ratio),
        "refused": [_difference_json(one) for one in row.refused],
    }


def _figure_json(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    interval = None if figure.interval is None else [figure.interval.low, figure.interval.high]
    return {
        "median": figure.value,
        "interval": interval,
        "runs": figure.runs,
        "within_one_run": figure.within,
        "stats": {
            key: value if not isinstance(value, float) or math.isfinite(value) else None
            for key, value in figure.stats.items()
        },
    }


def _ratio_json(ratio: Ratio | None) -> dict[str, Any] | None:
    if ratio is None:
        return None
    return {"estimate": ratio.estimate, "interval": None if math.isinf(ratio.high) else [ratio.low, ratio.high]}


def _difference_json(one: Difference) -> dict[str, str]:
    return {"part": one.part, "what": one.what, "base": one.base, "head": one.head}
