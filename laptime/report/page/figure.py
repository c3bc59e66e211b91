"""The nouns of the page: a figure with its finding, its data and its chart; a section of figures. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from laptime.report.console import plain
from laptime.report.page import theme

Rows = Sequence[Sequence[str]]

MOST_DOTS = 30
"""So many rounds of one variant are drawn as they are; of more, so many quantiles."""
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart and what stands around it.

    name      of its files, without an ending
    title     what it shows, as a sentence
    subtitle  what is drawn, and of how many rounds
    alt       the finding with its figures, for who doesn't see the chart
    spec      Vega-Lite, as wide as its container, colours as tokens (`theme.token`)
    columns   headings of `rows`, the figures behind the chart
    small     whether several stand beside each other
    """

    name: str
    title: str
    subtitle: str
    alt: str
    spec: Mapping[str, Any]
    columns: Sequence[str]
    rows: Rows
    small: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """What needs no chart; `folded`: shown where it is asked for."""

    title: str
    columns: Sequence[str]
    rows: Rows
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """Figures of one thing: a workload, a study.

    sentences  what they say, before them
    besides    what else there is to say, after them
    commands   what measures it again
    notes      where it is from
    """

    title: str
    sentences: Sequence[str]
    figures: Sequence[Figure]
    commands: Sequence[str] = ()
    notes: Sequence[str] = ()
    tables: Sequence[Table] = ()
    besides: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the page and what is under it.

    anchor   what the navigation leads to
    columns  how many cards may stand beside each other
    """

    anchor: str
    title: str
    lead: Sequence[str]
    cards: Sequence[Card]
    columns: int = 3


def spec(layers: Sequence[alt.Chart], *, height: int) -> dict[str, Any]:
    """Charts of Altair's, one over the other, as Vega-Lite as wide as its container.

    Nothing is validated, and `alt.layer` isn't asked, which copies all data: both together would take most of a
    report's time. A test validates a chart of each kind.
    """
    datasets: dict[str, Any] = {}
    made = []
    for layer in layers:
        if not layer.data.values:
            continue  # of nothing Vega has no extent, and says so in the console
        one = layer.to_dict(validate=False)
        datasets |= one["datasets"]
        made.append({key: one[key] for key in one if key not in ("$schema", "config", "datasets")})
    chart = {"layer": made, "datasets": datasets, "width": "container", "height": height}
    return {**cleaned(chart), "autosize": {"type": "fit-x", "contains": "padding"}, "config": theme.config()}


def slug(*parts: str) -> str:
    """A file's name: ``race-hn_items``."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")[:LONGEST_NAME].rstrip("-") or "chart"


def distinct(name: str, taken: Collection[str]) -> str:
    """The name, or ``name-2`` and so on where it is taken, on file systems, too, to which A and a are one."""
    lower = {one.lower() for one in taken}
    candidate, number = name, 2
    while candidate.lower() in lower:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def dots(rounds: Sequence[float], most: int = MOST_DOTS) -> list[float]:
    """The rounds, or as many quantiles of them, ends included."""
    if len(rounds) <= most:
        return list(rounds)
    ordered = sorted(rounds)
    return [ordered[round(place * (len(ordered) - 1) / (most - 1))] for place in range(most)]


def jitter(number: int) -> float:
    """Where in its row the n-th dot stands, -1 to 1: the same each time (van der Corput's sequence in base 2)."""
    place, share = 0.0, 0.5
    number += 1
    while number:
        number, bit = divmod(number, 2)
        place += bit * share
        share /= 2
    return 2 * place - 1


def unit(largest_s: float) -> tuple[float, str]:
    """By what seconds are multiplied on an axis that goes so far, and what they are then."""
    for scale, name in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if largest_s * scale >= 2:
            return scale, name
    return 1e9, "ns"


def significant(value: float, digits: int = 5) -> float:
    """Fewer digits than a float has: nobody sees the others, and they take most of a page's bytes."""
    return float(f"{value:.{digits}g}")


def sentence(text: str) -> str:
    """A text that begins as a sentence does."""
    return text[:1].upper() + text[1:]


def listed(words: Iterable[str], most: int = 4) -> str:
    """``a, b and c``; of many the first ones."""
    found = list(words)
    if len(found) > most:
        return ", ".join(found[:most]) + f" and {len(found) - most} more"
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def count(number: int, what: str) -> str:
    """``1 round``, ``3 rounds``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def counts(numbers: Sequence[int], what: str) -> str:
    """``3 rounds``, ``3 to 10 rounds``."""
    low, high = min(numbers), max(numbers)
    return count(high, what) if low == high else f"{low} to {count(high, what)}"


def cleaned(document: Any) -> Any:
    """A document whose texts can be shown: halves of surrogate pairs, and what turns a text around, are written out."""
    if isinstance(document, str):
        return document if document.isprintable() else plain(document)
    if isinstance(document, Mapping):
        return {cleaned(key): cleaned(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [cleaned(one) for one in document]
    return document
