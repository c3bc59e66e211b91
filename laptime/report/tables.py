"""Races as tables: for a terminal, by Rich, and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from laptime.report.race import Entry, Race, duration, times, verdict

BAR_WIDTH = 16
_EIGHTHS = " ▏▎▍▌▋▊▉"


def terminal(races: Sequence[Race], *, width: int, color: bool) -> str:
    """Every race as a table and its verdict."""
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        legacy_windows=False,
    )
    for race in races:
        console.print()
        console.print(_table(race))
        for sentence in verdict(race):
            console.print(Text(sentence, style="bold yellow" if sentence.startswith("WARNING") else ""))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def markdown(races: Sequence[Race]) -> str:
    """The same for a README."""
    blocks = []
    for race in races:
        rows = [f"| {' | '.join(_HEADINGS)} |", "|---|" + "---:|" * (len(_HEADINGS) - 1)]
        rows += [f"| {' | '.join(_cells(entry))} |" for entry in race.entries]
        blocks.append("\n".join([f"**{_title(race)}**", "", *rows, "", " ".join(verdict(race))]))
    return "\n\n".join(blocks) + "\n"


_HEADINGS = ("variant", "median", "speed-up", "CPU", "parallel", "rounds")


def _title(race: Race) -> str:
    return f"{race.workload}: {race.summary} ({race.setting})"


def _cells(entry: Entry) -> tuple[str, ...]:
    speedup = times(entry.speedup) + (f" of {times(entry.ideal)}" if entry.ideal is not None else "")
    return (
        entry.name,
        duration(entry.median_s),
        speedup,
        duration(entry.cpu_s),
        f"{entry.parallelism:.2f}",
        str(entry.rounds),
    )


def _table(race: Race) -> Table:
    table = Table(title=_title(race), title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(_HEADINGS[0], no_wrap=True)
    for heading in _HEADINGS[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("time", no_wrap=True)
    slowest_s = max(entry.median_s for entry in race.entries)
    for entry in race.entries:
        style = "dim" if entry.reference else "yellow" if entry.misses_ideal else ""
        table.add_row(*_cells(entry), _bar(entry.median_s / slowest_s), style=style)
    return table


def _bar(share: float) -> str:
    eighths = max(1, round(share * BAR_WIDTH * 8))
    full, part = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[part] if part else "")
