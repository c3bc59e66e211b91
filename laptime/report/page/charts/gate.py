"""What a gate said: the ratio of each benchmark with its interval. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from laptime.history import Gate, GateResult
from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.charts.trend import short
from laptime.report.page.figure import Figure, count, listed, significant, slug, spec
from laptime.report.runs import short as short_commit
from laptime.report.trend import percent

_BAD, _GOOD = ("regressed", "broken", "missing"), ("improved",)
_SHAPES = ("triangle-right", "triangle-left", "circle")
_LOUD = ("bad", "good", "base")


def gate(one: Gate) -> Figure | None:
    """The ratios of a gate that were measured; None where none was."""
    measured = [
        result
        for result in one.results
        if result.ratio is not None and result.low is not None and result.high is not None
    ]
    if not measured:
        return None
    worst = [f"{short(result.fullname)} {result.verdict}" for result in one.results if result.verdict in _BAD]
    title = f"{short_commit(one.base)} → {short_commit(one.head)}: " + (
        listed(dict.fromkeys(worst)) + "." if worst else f"nothing of {count(_benchmarks(one), 'benchmark')} regressed."
    )
    return Figure(
        name=slug("gate", one.id[:10]),
        title=title,
        subtitle="Change of head against base, run in lockstep; line: its 95 % interval over blocks. ► regressed, "
        "◄ improved, dot: neither.",
        alt=f"{title} " + " ".join(_told(result) for result in measured),
        spec=_spec(measured),
        columns=("benchmark", "metric", "verdict", "change", "95 % interval", "blocks", "note"),
        rows=[_cells(result) for result in one.results],
    )


def _told(result: GateResult) -> str:
    assert result.ratio is not None
    return f"{short(result.fullname)}: {percent(result.ratio)}, {result.verdict}."


def _benchmarks(one: Gate) -> int:
    return len({result.fullname for result in one.results})


def _cells(result: GateResult) -> tuple[str, ...]:
    ratio = result.ratio is not None and result.low is not None and result.high is not None
    return (
        short(result.fullname),
        result.metric or "–",
        result.verdict,
        percent(result.ratio) if result.ratio is not None else "–",
        f"{percent(result.low)} – {percent(result.high)}" if ratio and result.low and result.high else "–",
        str(len(result.blocks)),
        result.note or "",
    )


def _spec(measured: Sequence[GateResult]) -> dict[str, Any]:
    height = len(measured)
    rows = []
    for number, result in enumerate(measured):
        assert result.ratio is not None
        assert result.low is not None
        assert result.high is not None
        kind = 0 if result.verdict in _BAD else 1 if result.verdict in _GOOD else 2
        rows.append(
            {
                "y": number + drawn.TEXT,
                "row": number + drawn.MARKS,
                "name": f"{short(result.fullname)}{f' ({result.metric})' if result.metric else ''}",
                "figure": f"{result.verdict} {percent(result.ratio)}",
                "bold": kind < 2,
                "change": significant(result.ratio - 1),
                "low": significant(result.low - 1),
                "high": significant(result.high - 1),
                "kind": _LOUD[kind],
            }
        )
    x = drawn.x("change", "change of head against base", shape="+.0%", zero=True)
    domain = list(_LOUD)
    color = alt.Color("kind:N", legend=None, scale=alt.Scale(domain=domain, range=[theme.token(one) for one in domain]))
    shape = alt.Shape("kind:N", legend=None, scale=alt.Scale(domain=domain, range=list(_SHAPES)))
    marks = alt.Chart(drawn.data(rows)).encode(y=drawn.y("row", height), color=color)
    layers = [
        alt.Chart(drawn.data([{"change": 0}])).mark_rule(color=theme.token("axis")).encode(x=x),
        marks.mark_rule(strokeWidth=3, opacity=0.5).encode(x=drawn.x("low", "", zero=True), x2=alt.X2("high")),
        marks.mark_point(filled=True, size=90, opacity=1).encode(x=x, shape=shape),
        *drawn.names(rows, height),
    ]
    return spec(layers, height=height * drawn.HEIGHT)
