"""Studies as tables and sentences: for a terminal, by Rich, and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from laptime.report.console import escaped, plain, printed
from laptime.report.findings import findings, number
from laptime.report.study import Line, Point, Study
from laptime.report.units import duration, times

_ANY = 1000
NOTHING = "–"


def terminal(several: Sequence[Study], *, width: int, color: bool) -> str:
    """Every study as a table and what it answers."""

    def show(write: Callable[..., None]) -> None:
        for study in several:
            write()
            write(plain(f"{study.name}: {study.title}"), style="bold")
            write(_fitting(study, width))
            for sentence in findings(study):
                write(plain(sentence))

    return printed(show, width=width, color=color)


def markdown(several: Sequence[Study]) -> str:
    """The same for a document."""
    blocks = []
    for study in several:
        headings, rows = _wide(study)
        table = [_row(headings), "|---|" + "---:|" * (len(headings) - 1), *map(_row, rows)]
        said = [escaped(sentence) for sentence in findings(study)]
        blocks.append("\n".join([f"**{escaped(study.name)}: {escaped(study.title)}**", "", *table, "", " ".join(said)]))
    return "".join(f"{block}\n" for block in blocks)


def figure(study: Study, line: Line, point: Point) -> str:
    """What a point says in its kind of study: seconds, and where something is to be compared, how many times faster."""
    took = duration(point.per_item_s)
    if study.kind in ("phases", "sweep", "break_even"):
        return took
    base = line.points[0] if study.kind == "scaling" else study.lines[0].at(point.x) or point
    return took if base is point else f"{took} {times(base.per_item_s / point.per_item_s)}"


def _wide(study: Study) -> tuple[list[str], list[list[str]]]:
    """A row for each place and a column for each line; of phases, which add up, the other way round."""
    if study.kind == "phases":
        return _across(study)
    return [study.x_name, *(line.name for line in study.lines)], [
        [number(x), *(figure(study, line, one) if (one := line.at(x)) else NOTHING for line in study.lines)]
        for x in study.places
    ]


def _across(study: Study) -> tuple[list[str], list[list[str]]]:
    """A row for each line and a column for each place; phases are added up."""
    headings, rows = [study.x_name, *map(number, study.places)], []
    for line in study.lines:
        rows.append([line.name, *(figure(study, line, one) if (one := line.at(x)) else NOTHING for x in study.places)])
        if study.kind == "phases":
            rows[-1].append(duration(sum(one.median_s for one in line.points)))
    return [*headings, "all"] if study.kind == "phases" else headings, rows


def _long(study: Study) -> tuple[list[str], list[list[str]]]:
    """A row for each point: where the terminal is too narrow for a column for each line."""
    return ["", study.x_name, f"per {study.item}"], [
        [line.name, number(point.x), figure(study, line, point)] for line in study.lines for point in line.points
    ]


def _fitting(study: Study, width: int) -> Table:
    console = Console(width=_ANY, markup=False, emoji=False)
    *layouts, last = (_table(*layout(study)) for layout in (_wide, _across, _long))
    fitting = (table for table in layouts if Measurement.get(console, console.options, table).maximum <= width)
    return next(fitting, last)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(plain(heading), justify="right" if table.columns else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(plain, row))
    return table


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"
