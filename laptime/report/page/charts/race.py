"""A race: a row a variant, the fastest first, and every round of it as a dot. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from laptime.analysis.race import Entry, Race, is_control
from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.figure import (
    MOST_DOTS,
    Figure,
    count,
    counts,
    dots,
    jitter,
    listed,
    significant,
    slug,
    spec,
    unit,
)
from laptime.report.race import cpu, span
from laptime.report.units import duration, times

_JITTER = 0.13
"""Of a row's height, up and down."""
_TAKEN = "►"


@dataclass(frozen=True, slots=True)
class Rounds:
    """What a race's entry doesn't tell of its benchmark.

    wall_s   seconds of each round
    family   see `theme.family`
    workers  None where there are none
    thinned  whether `wall_s` are the quantiles of what there was
    """

    wall_s: tuple[float, ...]
    family: str
    workers: int | None
    thinned: bool = False


Measured = Sequence[tuple[Entry, Rounds]]
"""A race's entries with their rounds, the fastest first."""


def race(found: Race, measured: Measured) -> Figure:
    """Every variant's rounds, and their median."""
    scale, named = unit(max(max(rounds.wall_s) for _, rounds in measured))
    taken = _taken(found)
    return Figure(
        name=slug("race", found.workload),
        title=_title(found),
        subtitle=_subtitle(found, measured),
        alt=f"{_title(found)} " + " ".join(_told(entry) for entry, _ in measured[:12]),
        spec=_race_spec(found, measured, taken, scale, named),
        columns=("variant", "median", "speed-up", "95 % interval", "CPU", "CPUs busy", "passes"),
        rows=[_cells(entry, rounds) for entry, rounds in measured],
        small=True,
    )


def _title(found: Race) -> str:
    base, fastest = found.base, found.entries[0]
    if is_control(found):
        off = [entry.name for entry in found.entries if entry.misses_ideal]
        return f"Off its known ideal: {listed(off)}." if off else "Each is within 25 % of its known ideal."
    if len(found.entries) == 1:
        return f"{base.name} takes {duration(base.median_s)}."
    if found.unfit:
        return f"No verdict: the fastest was {fastest.name}, {duration(fastest.median_s)}."
    best = found.kept.take
    if best is base:
        if fastest is base:
            return f"{base.name} is the fastest: {duration(base.median_s)}."
        return f"{base.name} ({duration(base.median_s)}) stands: nothing that does the same work is shown to gain 10 %."
    return f"{best.name} takes {duration(best.median_s)} where {base.name} takes {duration(base.median_s)}."


def _taken(found: Race) -> set[str]:
    """What is recommended."""
    if is_control(found) or len(found.entries) == 1 or found.unfit:
        return set()
    return {found.once.take.name, found.kept.take.name}


def _subtitle(found: Race, measured: Measured) -> str:
    numbers = counts([entry.rounds for entry, _ in measured], "round")
    taken = f" {_TAKEN} bold: recommended." if _taken(found) else ""
    said = f"A dot is a round ({numbers} a variant), the bar ends at their median; dashed: {found.base.name}.{taken}"
    if found.paired is not None:
        said += " Line: the 95 % interval of the gain; all of them hold together."
    if any(len(rounds.wall_s) > MOST_DOTS for _, rounds in measured):
        said += f" Of more than {MOST_DOTS} rounds, {MOST_DOTS} quantiles are drawn."
    if any(rounds.thinned for _, rounds in measured):
        said += " Rounds that the history has thinned are drawn as their quantiles."
    return said


def _told(entry: Entry) -> str:
    return f"{entry.name}: {duration(entry.median_s)}, {times(entry.speedup)}."


def _cells(entry: Entry, rounds: Rounds) -> tuple[str, ...]:
    speedup = times(entry.speedup) + (f" (ideal {times(entry.ideal)})" if entry.ideal is not None else "")
    return (
        entry.name,
        duration(entry.median_s),
        speedup,
        span(entry.gain),
        cpu(entry),
        f"{entry.parallelism:.2f}",
        f"{entry.passes or entry.rounds}{' (thinned)' if rounds.thinned else ''}",
    )


def _in_brackets(entry: Entry) -> str:
    interval = span(entry.gain)
    return "" if interval == "–" else f" ({interval})"


def _interval(found: Race, entry: Entry, scale: float) -> dict[str, float]:
    """Where the variant's time would be at either end of its gain's interval; its median where there is none."""
    gain = entry.gain
    known = gain is not None and gain.passes and gain.low > 0
    ends = (entry.speedup / gain.high, entry.speedup / gain.low) if gain is not None and known else (1.0, 1.0)
    low, high = (significant(entry.median_s * end * scale) for end in ends)
    return {"fast": low, "slow": high}


def _race_spec(found: Race, measured: Measured, taken: Collection[str], scale: float, named: str) -> dict[str, Any]:
    height = len(measured)
    rows = [
        {
            "y": number + drawn.TEXT,
            "row": number + drawn.MARKS,
            "name": f"{_TAKEN} {entry.name}" if entry.name in taken else entry.name,
            "figure": f"{duration(entry.median_s)}  {times(entry.speedup)}{_in_brackets(entry)}",
            "bold": entry.name in taken,
            "median": significant(entry.median_s * scale),
            **_interval(found, entry, scale),
            "family": rounds.family,
            "zero": 0,
        }
        for number, (entry, rounds) in enumerate(measured)
    ]
    points = [
        {
            "row": significant(number + drawn.MARKS + _JITTER * jitter(place)),
            "t": significant(wall_s * scale),
            "family": rounds.family,
            "round": f"{entry.name}: {duration(wall_s)}",
        }
        for number, (entry, rounds) in enumerate(measured)
        for place, wall_s in enumerate(dots(rounds.wall_s))
    ]
    x = drawn.x("median", f"wall time of a round ({named})", zero=True, nice=True)
    medians = alt.Chart(drawn.data(rows)).encode(y=drawn.y("row", height), color=drawn.colored())
    base = alt.Chart(drawn.data([{"median": significant(found.base.median_s * scale)}])).encode(x=x)
    layers = [
        base.mark_rule(strokeDash=[4, 4], color=theme.token("axis")),
        medians.mark_bar(height=5, opacity=0.35).encode(x=x, x2=alt.X2("zero")),
        medians.mark_tick(thickness=3, size=18).encode(x=x),
        medians.mark_rule(strokeWidth=2).encode(x=drawn.x("fast", "", zero=True), x2=alt.X2("slow")),
        alt.Chart(drawn.data(points))
        .mark_circle(size=26, opacity=0.65)
        .encode(
            x=drawn.x("t", "", zero=True),
            y=drawn.y("row", height),
            color=drawn.colored(),
            tooltip=alt.Tooltip("round", type="nominal"),
        ),
        *drawn.names(rows, height),
    ]
    return spec(layers, height=height * drawn.HEIGHT)


def speedup(found: Race, measured: Measured) -> Figure | None:
    """Speed-up against workers: how much of what so many could do is reached; None where nothing has workers."""
    pooled = [(entry, rounds) for entry, rounds in measured if rounds.workers]
    if not pooled:
        return None
    best = max(pooled, key=lambda one: one[0].speedup)
    most = max(pooled, key=_efficiency)
    title = f"The most is {times(best[0].speedup)} ({best[0].name}, {best[1].workers} workers)"
    title += f"; each worker gives most in {most[0].name}: {_efficiency(most):.0%} of one."
    return Figure(
        name=slug("speedup", found.workload),
        title=title,
        subtitle=f"Dot: speed-up against {found.base.name}, of medians. Open diamond: as many as there are workers. "
        f"Percent: the one over the other, the efficiency. {count(int(found.cpus), 'CPU')} for computing.",
        alt=title + " " + " ".join(f"{one[0].name}: {_of_workers(one)}." for one in pooled[:12]),
        spec=_speedup_spec(found, sorted(pooled, key=lambda one: -one[0].speedup)),
        columns=("variant", "workers", "speed-up", "efficiency"),
        rows=[
            (entry.name, str(rounds.workers), times(entry.speedup), f"{_efficiency((entry, rounds)):.0%}")
            for entry, rounds in pooled
        ],
        small=True,
    )


def _efficiency(one: tuple[Entry, Rounds]) -> float:
    return one[0].speedup / (one[1].workers or 1)


def _of_workers(one: tuple[Entry, Rounds]) -> str:
    return f"{times(one[0].speedup)} of {one[1].workers}: {_efficiency(one):.0%}"


def _speedup_spec(found: Race, pooled: Measured) -> dict[str, Any]:
    height = len(pooled)
    rows = [
        {
            "y": number + drawn.TEXT,
            "row": number + drawn.MARKS,
            "name": entry.name,
            "figure": _of_workers((entry, rounds)),
            "bold": False,
            "speedup": significant(entry.speedup),
            "workers": rounds.workers,
            "family": rounds.family,
            "one": 1,
        }
        for number, (entry, rounds) in enumerate(pooled)
    ]
    x = drawn.x("speedup", f"times as fast as {found.base.name}", zero=True)
    marks = alt.Chart(drawn.data(rows)).encode(y=drawn.y("row", height))
    layers = [
        alt.Chart(drawn.data([{"one": 1}]))
        .mark_rule(strokeDash=[4, 4], color=theme.token("axis"))
        .encode(x=drawn.x("one", "", zero=True)),
        marks.mark_rule(color=theme.token("grid"), strokeWidth=2).encode(x=x, x2=alt.X2("workers")),
        marks.mark_point(shape="diamond", size=70, filled=False, strokeWidth=1.5, color=theme.token("muted")).encode(
            x=drawn.x("workers", "", zero=True)
        ),
        marks.mark_circle(size=80, opacity=1).encode(x=x, color=drawn.colored()),
        *drawn.names(rows, height),
    ]
    return spec(layers, height=height * drawn.HEIGHT)


def overview(measured: Sequence[tuple[Race, Measured]]) -> Figure | None:
    """All races in one picture: the first variant of each, and the best of each family against it."""
    shown = [(race, best) for race, entries in measured if (best := _best_of_families(race, entries))]
    if not shown:
        return None
    rows: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    place = 0.0
    for race, best in shown:
        heads.append({"y": place + 0.5, "name": f"{race.workload}: {race.summary}"})
        place += 0.9
        for entry, rounds in best:
            rows.append(
                {
                    "y": place + drawn.TEXT,
                    "row": place + drawn.MARKS,
                    "name": entry.name,
                    "figure": f"{duration(entry.median_s)}  {times(entry.speedup)}",
                    "bold": entry is best[0][0],
                    "share": significant(entry.median_s / race.base.median_s),
                    "family": rounds.family,
                    "zero": 0,
                }
            )
            place += 1
        place += 0.35
    x = drawn.x("share", "wall time, as a share of the first variant's", shape="%", zero=True, domainMax=1, clamp=True)
    bars = alt.Chart(drawn.data(rows)).encode(y=drawn.y("row", place), color=drawn.colored())
    layers = [
        bars.mark_bar(height=9).encode(x=x, x2=alt.X2("zero")),
        drawn.headings(heads, place),
        *drawn.names(rows, place),
    ]
    said = [_outcome(race, best[0][0]) for race, best in shown]
    return Figure(
        name="overview",
        title="; ".join(said) + ".",
        subtitle="The best of each way to run, against the first variant of its work; medians of "
        + counts([entry.rounds for _, best in shown for entry, _ in best], "round")
        + ". Bars longer than the first variant's are cut off.",
        alt="; ".join(said) + ".",
        spec=spec(layers, height=round(place * drawn.HEIGHT)),
        columns=("work", "variant", "median", "speed-up"),
        rows=[
            (race.workload, entry.name, duration(entry.median_s), times(entry.speedup))
            for race, best in shown
            for entry, _ in best
        ],
    )


def _outcome(race: Race, best: Entry) -> str:
    if best is race.base:
        return f"{race.workload}: nothing is faster than {best.name}"
    return f"{race.workload}: {best.name} is {times(best.speedup)} {race.base.name}"


def _best_of_families(race: Race, measured: Measured) -> list[tuple[Entry, Rounds]]:
    """Of each family the fastest that does the same work, the fastest first; nothing where there is one family only."""
    best: dict[str, tuple[Entry, Rounds]] = {}
    for entry, rounds in measured:
        same_work = not entry.reference and entry.parser == race.base.parser
        if same_work and rounds.family not in ("base", "other"):
            best.setdefault(rounds.family, (entry, rounds))
    base = [(entry, rounds) for entry, rounds in measured if entry is race.base]
    return sorted([*base, *best.values()], key=lambda one: one[0].median_s) if best else []
