"""Races as tables: for a terminal, by Rich, and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from laptime.analysis.race import Contest, Entry, Race, is_control
from laptime.report.console import printed
from laptime.report.race import cpu, is_doubt, span, verdict
from laptime.report.units import duration, percent, times

BAR_WIDTH = 16
_EIGHTHS = " ▏▎▍▌▋▊▉"
TAKEN, EQUAL, BESIDE = ">", "=", "."
"""Beside what is to be taken, what is not shown to be slower than the best, and what is out of the contest."""


def terminal(races: Sequence[Race], *, width: int, color: bool) -> str:
    """Every race as a table, what its names mean, and its verdict last."""

    def show(write: Callable[..., None]) -> None:
        for race in races:
            write()
            write(_title(race), style="bold")
            write(_widest_fit(race, width))
            for line in legend(race):
                write(Text(line, style="dim"))
            for sentence in verdict(race):
                write(Text(sentence, style="bold yellow" if is_doubt(sentence) else ""))

    return printed(show, width=width, color=color)


def markdown(races: Sequence[Race]) -> str:
    """The same for a README."""
    blocks = []
    for race in races:
        rows = [f"| {' | '.join(_HEADINGS)} |", "|---|---|" + "---:|" * (len(_HEADINGS) - 2)]
        rows += [_row(_cells(race, entry)) for entry in race.entries]
        said = [*legend(race), *verdict(race)]
        blocks.append("\n".join([f"**{_title(race)}**", "", *rows, "", " ".join(said)]))
    return "\n\n".join(blocks) + "\n"


def overview(races: Sequence[Race]) -> str:
    """One line for each race, controls left out, as Markdown: what bound it, and what to take."""
    rows = [
        "| work | bound by | first variant | for one run take | with a pool kept open take |",
        "|---|---|---:|---|---|",
    ]
    for race in races:
        if not is_control(race):
            computing = f"{race.shares.bound} ({percent(race.shares.computing)} computing)"
            cells = [f"**{race.workload}**: {race.summary}", computing]
            cells.append(f"{race.base.name} {duration(race.base.median_s)}")
            if race.unfit:
                cells += ["no verdict", "no verdict"]
            else:
                kept = "the same" if race.kept is race.once else _taken(race, race.kept)
                cells += [_taken(race, race.once), kept]
            rows.append(_row(cells))
    return "\n".join(rows) + "\n"


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _taken(race: Race, contest: Contest) -> str:
    entry = contest.take
    gain = f", **{times(entry.speedup)}** ({span(entry.gain)})" if entry is not race.base else ""
    equal = [f"`{other.name}`" for other in contest.equals if other is not entry] if contest.worthwhile else []
    equals = f"; as fast: {', '.join(equal)}" if equal else ""
    return f"`{entry.name}` {duration(entry.median_s)}{gain}{equals}"


def legend(race: Race) -> list[str]:
    """What the signs and the less usual names of a race mean, in a line or two."""
    alone = len(race.entries) < 2
    said = [] if race.unfit or alone or is_control(race) else [f"{TAKEN} take; {EQUAL} not shown to be slower."]
    if race.left_out and not is_control(race):
        said.append(f"{BESIDE} not in the contest.")
    if any(entry.warm for entry in race.entries):
        said.append("cold: starts its pool; warm: keeps it open.")
    meanings = {entry.variant: entry.meaning for entry in race.entries if entry.meaning}
    said += [f"{name}: {meaning[:1].lower()}{meaning[1:]}".replace("`", "") for name, meaning in meanings.items()]
    return [" ".join(said)] if said else []


_HEADINGS = ("", "variant", "median", "speed-up", "95 %", "CPU", "passes", "parallel")
_LEFT = ("", "variant", "time")
_FEWEST = 5
_ANY = 1000


def _title(race: Race) -> str:
    return f"{race.workload}: {race.summary}" if race.summary else race.workload


def _mark(race: Race, entry: Entry) -> str:
    if is_control(race) or len(race.entries) < 2:
        return ""
    if entry in race.left_out:
        return BESIDE
    if race.unfit:
        return ""
    if entry in (race.once.take, race.kept.take):
        return TAKEN
    return EQUAL if entry in (*race.once.equals, *race.overall.equals) else ""


def _cells(race: Race, entry: Entry) -> tuple[str, ...]:
    speedup = times(entry.speedup) + (f" of {times(entry.ideal)}" if entry.ideal is not None else "")
    return (
        _mark(race, entry),
        entry.name,
        duration(entry.median_s),
        speedup,
        span(entry.gain),
        cpu(entry),
        str(entry.rounds if race.paired is None else entry.passes),
        f"{'≥ ' if entry.elsewhere else ''}{entry.parallelism:.2f}",
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
        table.add_column(heading, justify="left" if heading in _LEFT else "right", no_wrap=number != 1, overflow="fold")
    slowest_s = max(entry.median_s for entry in race.entries)
    for entry in race.entries:
        style = "dim" if entry.reference else "yellow" if entry.misses_ideal else ""
        table.add_row(*(*_cells(race, entry), _bar(entry.median_s / slowest_s))[:columns], style=style)
    return table


def _bar(share: float) -> str:
    eighths = max(1, round(share * BAR_WIDTH * 8))
    full, part = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[part] if part else "")
