"""Races as tables: for a terminal, by Rich, and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from laptime.report.console import printed
from laptime.report.race import Entry, Race, advise, cpu, duration, is_control, times, verdict

BAR_WIDTH = 16
_EIGHTHS = " ▏▎▍▌▋▊▉"


def terminal(races: Sequence[Race], *, width: int, color: bool) -> str:
    """Every race as a table and its verdict."""

    def show(write: Callable[..., None]) -> None:
        for race in races:
            write()
            write(_title(race), style="bold")
            write(_widest_fit(race, width))
            for sentence in verdict(race):
                write(Text(sentence, style="bold yellow" if sentence.startswith("WARNING") else ""))

    return printed(show, width=width, color=color)


def markdown(races: Sequence[Race]) -> str:
    """The same for a README."""
    blocks = []
    for race in races:
        rows = [f"| {' | '.join(_HEADINGS)} |", "|---|" + "---:|" * (len(_HEADINGS) - 1)]
        rows += [_row(_cells(entry)) for entry in race.entries]
        blocks.append("\n".join([f"**{_title(race)}**", "", *rows, "", " ".join(verdict(race))]))
    return "\n\n".join(blocks) + "\n"


def overview(races: Sequence[Race]) -> str:
    """One line for each race, controls left out, as Markdown: what bound it, and what to take."""
    rows = [
        "| work | bound by | first variant | for one run take | with a pool kept open take |",
        "|---|---|---:|---|---|",
    ]
    for race in races:
        if not is_control(race):
            advice = advise(race)
            cells = (
                f"**{race.workload}**: {race.summary}",
                f"{advice.bound} ({advice.computing:.0%} computing)",
                f"{race.base.name} {duration(race.base.median_s)}",
                _taken(advice.once),
                "the same" if advice.kept is advice.once else _taken(advice.kept),
            )
            rows.append(_row(cells))
    return "\n".join(rows) + "\n"


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _taken(entry: Entry) -> str:
    return f"`{entry.name}` {duration(entry.median_s)}, **{times(entry.speedup)}**"


_HEADINGS = ("variant", "median", "speed-up", "CPU", "parallel", "rounds")
_LEFT = ("variant", "time")
_FEWEST = 3
_ANY = 1000


def _title(race: Race) -> str:
    return f"{race.workload}: {race.summary} ({race.setting})"


def _cells(entry: Entry) -> tuple[str, ...]:
    speedup = times(entry.speedup) + (f" of {times(entry.ideal)}" if entry.ideal is not None else "")
    return (
        entry.name,
        duration(entry.median_s),
        speedup,
        cpu(entry),
        f"{'≥ ' if entry.elsewhere else ''}{entry.parallelism:.2f}",
        str(entry.rounds),
    )


def _widest_fit(race: Race, width: int) -> Table:
    """The table with as many columns as the terminal has room for: a cut figure is worse than none."""
    console = Console(width=_ANY, markup=False, emoji=False)
    tables = [_table(race, columns) for columns in range(len(_HEADINGS) + 1, _FEWEST - 1, -1)]
    fitting = (table for table in tables if Measurement.get(console, console.options, table).maximum <= width)
    return next(fitting, tables[-1])


def _table(race: Race, columns: int) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate((*_HEADINGS, "time")[:columns]):
        table.add_column(heading, justify="left" if heading in _LEFT else "right", no_wrap=number > 0, overflow="fold")
    slowest_s = max(entry.median_s for entry in race.entries)
    for entry in race.entries:
        style = "dim" if entry.reference else "yellow" if entry.misses_ideal else ""
        table.add_row(*(*_cells(entry), _bar(entry.median_s / slowest_s))[:columns], style=style)
    return table


def _bar(share: float) -> str:
    eighths = max(1, round(share * BAR_WIDTH * 8))
    full, part = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[part] if part else "")
