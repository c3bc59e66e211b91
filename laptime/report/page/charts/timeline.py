"""The timeline: a bar a request, a lane a worker, and the CPU work between them. Pure.

It is the picture in which sequential, threads, processes and asyncio can be seen. Kinds of time differ in height and in
outline, not by colour alone: connecting is a thin open bar, waiting a pale one, receiving a full one; below them a
lane's CPU work is filled in, as high as its share of one CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from laptime.report.page import theme
from laptime.report.page.charts import rows as drawn
from laptime.report.page.figure import Figure, count, listed, sentence, significant, slug, spec, unit
from laptime.report.units import duration

MOST_VARIANTS = 6
MOST_LANES = 16
"""Of one variant; what is left out is said."""
_LANE_PX = 36
_HEAD, _GAP = 1.15, 0.5
"""The heights of a variant's heading and of what is left free below it, in lanes."""
_HEAD_LINES = (0.4, 0.85)
_CONNECT, _WAIT, _RECEIVE = (0.44, 0.52), (0.41, 0.55), (0.37, 0.59)
"""From where to where, in its lane, each kind of time is drawn."""
_CPU_TOP, _CPU_BOTTOM = 0.61, 0.92
_NAME = 0.18
_SHADES = {"connecting": 0.0, "waiting": 0.3, "receiving": 1.0}
_KEY = 1.1
"""The height of the key above all, in lanes."""
_KEY_PX = (0, 92, 164, 246)
"""Where its entries begin: narrow enough for a phone."""
_SAMPLE_PX = 16
_IDLE_LANE = 0.66
"""The height of a lane without CPU work."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One round of one variant, as `extra_info["timeline"]` has it."""

    name: str
    family: str
    timeline: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """Wall seconds of the round."""
        return float(self.timeline["seconds"])

    @property
    def lanes(self) -> Sequence[Mapping[str, Any]]:
        """The lanes that are drawn."""
        return list(self.timeline["lanes"])[:MOST_LANES]


def timeline(workload: str, variants: Sequence[Variant]) -> Figure:
    """One round of each variant below the other, on one axis of time."""
    chosen = list(variants)
    slowest, fastest = (pick(chosen, key=lambda one: one.seconds) for pick in (max, min))
    title = (
        f"{workload}: {slowest.name} takes {duration(slowest.seconds)}, {_meanwhile(slowest)}; "
        f"{fastest.name} {duration(fastest.seconds)}, {_meanwhile(fastest)}."
        if len(chosen) > 1
        else f"{workload}: {slowest.name} takes {duration(slowest.seconds)}, {_meanwhile(slowest)}."
    )
    cut = [f"{count(_left_out(one), 'lane')} of {one.name}" for one in chosen if _left_out(one)]
    return Figure(
        name=slug("timeline", workload),
        title=title,
        subtitle="One round of each, on one axis of time; a lane is a thread, a process or a connection, a bar a "
        "request. Below a lane: its CPU work, as high as its share of one CPU."
        + (f" Not drawn: {listed(cut)}." if cut else ""),
        alt=title + " " + " ".join(_told(one) for one in chosen),
        spec=_spec(chosen),
        columns=("variant", "round", "lanes", "requests", "most at once", "waiting", "receiving", "CPU"),
        rows=[_cells(one) for one in chosen],
    )


def _left_out(one: Variant) -> int:
    return max(len(one.timeline["lanes"]) - MOST_LANES, 0) + int(one.timeline.get("lanes_left_out", 0))


def _requests(one: Variant) -> list[Mapping[str, Any]]:
    return [request for lane in one.timeline["lanes"] for request in lane.get("requests", ())]


def _end(request: Mapping[str, Any]) -> float:
    return float(request["start"] + request["connect"] + request["wait"] + request["receive"])


def _at_once(one: Variant) -> int:
    """The most requests that were under way at one moment."""
    steps = sorted(
        step for request in _requests(one) for step in ((request["start"], 1), (_end(request), -1))
    )  # an end comes before a beginning of the same moment
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def _meanwhile(one: Variant) -> str:
    """``8 requests at once, 0.31 CPUs busy``."""
    busy = f"{_cpu_s(one) / max(one.seconds, 1e-9):.2f} CPUs busy"
    return f"{count(at_once, 'request')} at once, {busy}" if (at_once := _at_once(one)) else busy


def _cpu_s(one: Variant) -> float:
    bins = one.timeline.get("cpu_total") or [each for lane in one.timeline["lanes"] for each in lane.get("cpu", ())]
    return float(sum(share for _, share in bins) * one.timeline["bin_s"])


def _told(one: Variant) -> str:
    lanes = count(len(one.timeline["lanes"]), "lane")
    return f"{one.name}: {duration(one.seconds)}, {lanes}, {_meanwhile(one)}."


def _cells(one: Variant) -> tuple[str, ...]:
    requests = _requests(one)
    return (
        one.name,
        duration(one.seconds),
        str(len(one.timeline["lanes"])),
        str(len(requests)),
        str(_at_once(one)),
        duration(sum(request["wait"] for request in requests)),
        duration(sum(request["receive"] for request in requests)),
        duration(_cpu_s(one)),
    )


@dataclass(slots=True)
class _Drawn:
    heads: list[dict[str, Any]]
    names: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    cpu: list[dict[str, Any]]
    grounds: list[dict[str, Any]]
    height: float = 0.0


def _spec(chosen: Sequence[Variant]) -> dict[str, Any]:
    scale, named = unit(max(one.seconds for one in chosen))
    all_of = _Drawn([], [], [], [], [], height=_KEY)
    for one in chosen:
        _add(all_of, one, scale)
    height = all_of.height
    x = drawn.x("x", f"time since the round began ({named})", zero=True, nice=False)

    def bars(some: Sequence[Mapping[str, Any]]) -> alt.Chart:
        return alt.Chart(drawn.data(some)).encode(x=x, x2=alt.X2("x2"), y=drawn.y("y", height), y2=alt.Y2("y2"))

    layers = [
        bars(all_of.grounds).mark_rect(color=theme.token("grid"), opacity=0.45),
        bars(all_of.requests)
        .mark_rect(strokeWidth=1, clip=True)
        .encode(
            fill=drawn.colored(alt.Fill),
            stroke=drawn.colored(alt.Stroke),
            fillOpacity=alt.FillOpacity("shade", type="quantitative", scale=None, legend=None),
            tooltip=alt.Tooltip("told", type="nominal"),
        ),
        bars(all_of.cpu)
        .mark_rect(clip=True)
        .encode(fill=drawn.fixed(alt.FillValue, theme.token("ink")), tooltip=alt.Tooltip("told", type="nominal")),
        alt.Chart(drawn.data(all_of.names))
        .mark_text(align="left", baseline="middle", fontSize=11, color=theme.token("muted"))
        .encode(x=drawn.fixed(alt.XValue, 0), y=drawn.y("y", height), text=alt.Text("name", type="nominal")),
        *drawn.names(all_of.heads, height),
        *_key(height),
    ]
    return spec(layers, height=round(height * _LANE_PX))


def _key(height: float) -> Iterator[alt.Chart]:
    """What the marks stand for, drawn as they are."""
    kinds = {
        "connecting": _CONNECT,
        "waiting": _WAIT,
        "receiving": _RECEIVE,
        "CPU work": (_CPU_TOP - 0.3, _CPU_BOTTOM - 0.3),
    }
    for (kind, (top, bottom)), at in zip(kinds.items(), _KEY_PX, strict=True):
        color = theme.token("ink" if kind == "CPU work" else "base")
        sample = alt.Chart(drawn.data([{"y": top, "y2": bottom, "middle": (_WAIT[0] + _WAIT[1]) / 2}]))
        yield sample.mark_rect(fill=color, stroke=color, strokeWidth=1, fillOpacity=_SHADES.get(kind, 1.0)).encode(
            x=drawn.fixed(alt.XValue, at),
            x2=drawn.fixed(alt.X2Value, at + _SAMPLE_PX),
            y=drawn.y("y", height),
            y2=alt.Y2("y2"),
        )
        yield sample.mark_text(align="left", color=theme.token("muted"), text=kind).encode(
            x=drawn.fixed(alt.XValue, at + _SAMPLE_PX + 5), y=drawn.y("middle", height)
        )


def _add(all_of: _Drawn, one: Variant, scale: float) -> None:
    head = {"y": all_of.height + _HEAD_LINES[0], "name": one.name, "figure": duration(one.seconds), "bold": True}
    all_of.heads.append(head)
    all_of.names.append({"y": all_of.height + _HEAD_LINES[1], "name": sentence(_meanwhile(one))})
    all_of.height += _HEAD
    for lane in one.lanes:
        top = all_of.height
        all_of.names.append({"y": top + _NAME, "name": str(lane["name"])})
        if lane.get("cpu"):
            all_of.grounds.append(_box(0, one.seconds, scale, top + _CPU_BOTTOM, top + _CPU_BOTTOM + 0.03))
        all_of.requests += _request_boxes(lane.get("requests", ()), one.family, scale, top)
        all_of.cpu += _cpu_boxes(lane.get("cpu", ()), one.timeline["bin_s"], scale, top)
        all_of.height += 1 if lane.get("cpu") else _IDLE_LANE
    if not any(lane.get("cpu") for lane in one.lanes) and one.timeline.get("cpu_total"):
        top = all_of.height - 0.35
        all_of.names.append({"y": top + 0.5, "name": "CPU, all of it"})
        all_of.cpu += _cpu_boxes(one.timeline["cpu_total"], one.timeline["bin_s"], scale, top + 0.3)
        all_of.height += 1
    all_of.height += _GAP


def _box(start: float, end: float, scale: float, top: float, bottom: float) -> dict[str, Any]:
    figures = {"x": start * scale, "x2": end * scale, "y": top, "y2": bottom}
    return {key: significant(value) for key, value in figures.items()}


def _request_boxes(
    requests: Sequence[Mapping[str, Any]], family: str, scale: float, top: float
) -> Iterator[dict[str, Any]]:
    for request in requests:
        told = f"{request['name']}: connect {duration(request['connect'])}, wait {duration(request['wait'])}, "
        told += f"receive {duration(request['receive'])}, status {request['status']}"
        start = request["start"]
        for kind, seconds, (above, below) in (
            ("connecting", request["connect"], _CONNECT),
            ("waiting", request["wait"], _WAIT),
            ("receiving", request["receive"], _RECEIVE),
        ):
            if seconds > 0:
                box = _box(start, start + seconds, scale, top + above, top + below)
                yield {**box, "shade": _SHADES[kind], "family": family, "told": told}
                start += seconds


def _cpu_boxes(bins: Sequence[Sequence[float]], bin_s: float, scale: float, top: float) -> Iterator[dict[str, Any]]:
    for start, end, share in _merged(bins, bin_s):
        height = (_CPU_BOTTOM - _CPU_TOP) * min(share, 1.0)
        box = _box(start, end, scale, top + _CPU_BOTTOM - height, top + _CPU_BOTTOM)
        yield {**box, "told": f"CPU work: {share:.0%} of one CPU for {duration(end - start)}"}


def _merged(bins: Sequence[Sequence[float]], bin_s: float) -> Iterator[tuple[float, float, float]]:
    """Neighbouring bins of nearly one share as one: fewer marks, no seams between them."""
    start = end = share = 0.0
    for begin, value in bins:
        value = round(value, 1)
        if value == share and abs(begin - end) < bin_s / 10:
            end = begin + bin_s
            continue
        if share > 0:
            yield start, end, share
        start, end, share = begin, begin + bin_s, value
    if share > 0:
        yield start, end, share
