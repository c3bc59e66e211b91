"""What a gate found, for a page: the summary of a step, or a comment on a pull request. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from laptime.gate.decision.noise import Noise
from laptime.gate.decision.trial import UNCHANGED, UNRESOLVED
from laptime.gate.decision.verdicts import CANNOT, FAIL, PASS, Row
from laptime.report.console import escaped, plain
from laptime.report.gate import between, clock, details, labels, percent, remark, would_find
from laptime.report.gate_words import MARKS, Told, groups, notes, outcome

_ICONS = {PASS: "✅", FAIL: "❌", CANNOT: "⚠️"}
_HEADINGS = ("", "benchmark", "by", "verdict", "change", "95 % interval", "would find", "")
_MOST_SHOWN = 10
"""More that are unchanged are folded."""
_MOST_LINES, _MOST_SIGNS = 60, 500
"""Of a message, and of each of its lines: the rest is in the other forms."""
_CUT = "*There is no room for the rest: the other forms, and the log, have all of it.*"


def report(told: Told, most: int | None = None) -> str:
    """All of it, or as much as `most` bytes hold: whole parts, and of a table whole rows. Empty where nothing fits."""
    found = told.report
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts().items()) or "nothing was judged"
    void = f", {found.void} void" if found.void else ""
    blocks = f"{found.blocks} block{'' if found.blocks == 1 else 's'}{void}"
    start = [
        _title(told.code, outcome(told)),
        f"{escaped(found.head)} against {escaped(found.base)}: {counts} · {blocks}, {clock(found.seconds)}",
        "\n".join(f"- {escaped(note)}" for note in notes(found)),
    ]
    end = ["To reproduce:\n\n" + _fenced([told.again], "console")]
    names = labels(row.benchmark for row in found.rows)
    known = groups(found.rows)
    quiet = [group for verdict, group in known if verdict == UNCHANGED]
    folded = quiet if len(quiet) > _MOST_SHOWN else []
    shown = [group for verdict, group in known if not (folded and verdict == UNCHANGED)]
    failing = [(verdict, group) for verdict, group in known if details(group, told.alone)]
    long = [
        *([_table(shown, names, found.stopped)] if shown else []),
        *(_detail(verdict, group, told) for verdict, group in failing),
        *([_folded(f"{len(folded)} unchanged", _table(folded, names, found.stopped))] if folded else []),
    ]
    return _fitting([part for part in start if part], long, end, most)


def error(message: str, most: int | None = None) -> str:
    """That it could not be measured."""
    lines = message.splitlines() or [""]
    start = [_title(CANNOT, f"could not be measured: {lines[0]}")]
    return _fitting(start, [_fenced(_shortened(lines[1:]))] if lines[1:] else [], [], most)


def nothing(message: str, most: int | None = None) -> str:
    """That there was nothing to compare, which is no failure."""
    return _fitting([_title(PASS, message)], [], [], most)


def noise(found: Sequence[Noise], settings: Sequence[str], most: int | None = None) -> str:
    """A self-test; `settings`: lines for pyproject.toml."""
    times = [f"found in {clock(seconds)}" for seconds, _ in found[0].smallest] if found else []
    names = labels(one.benchmark for one in found)
    table = [
        _row(["benchmark", "by", "noise of a block", "A/A", *times]),
        "|---|---" + "|---:" * (len(times) + 2) + "|",
    ]
    for one in found:
        effects = ["–" if effect is None else f"{effect * 100:.1f} %" for _, effect in one.smallest]
        cells = [names[one.benchmark], one.metric, f"{one.deviation * 100:.1f} %", percent(one.ratio), *effects]
        table.append(_row(map(escaped, cells)))
    end = ["For pyproject.toml:\n\n" + _fenced(settings, "toml")] if settings else []
    return _fitting(["## laptime gate: how noisy it is here"], ["\n".join(table)], end, most)


def _title(code: int, text: str) -> str:
    return f"## {_ICONS[code]} laptime gate: {escaped(text)}"


def _table(shown: Sequence[Sequence[Row]], names: dict[str, str], stopped: str | None) -> str:
    rows = [(row, number == 0) for group in shown for number, row in enumerate(group)]
    lines = [_cells(row, names[row.benchmark] if first else "", stopped) for row, first in rows]
    kept = [number for number, heading in enumerate(_HEADINGS) if number < 6 or any(one[number] for one in lines)]
    return "\n".join(
        [
            _row(_HEADINGS[number] for number in kept),
            "|---" * 4 + "|---:" * 2 + "|---" * (len(kept) - 6) + "|",
            *(_row(escaped(line[number]) for number in kept) for line in lines),
        ]
    )


def _cells(row: Row, name: str, stopped: str | None) -> list[str]:
    finding = row.finding
    return [
        MARKS[row.verdict].icon,
        name,
        row.metric or "",
        row.verdict,
        "–" if finding is None else percent(finding.ratio),
        "–" if finding is None else between(finding),
        would_find(finding) if finding is not None and row.verdict == UNRESOLVED else "",
        _short(remark(row, stopped)),
    ]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _detail(verdict: str, group: Sequence[Row], told: Told) -> str:
    """Where it went, or what was said, and the command."""
    _, _, *lines = details(group, told.alone)
    *said, command = (line.removeprefix("  ") for line in lines)
    by = " and ".join(row.metric for row in group if row.metric and row.verdict == verdict)
    title = f"{MARKS[verdict].icon} {verdict}: {group[0].benchmark}" + (f" ({by} time)" if by else "")
    return _folded(title, _fenced([*_shortened(said), "", f"$ {command}"] if said else [f"$ {command}"]))


def _folded(title: str, text: str) -> str:
    # the empty lines let what is between be read as Markdown
    return f"<details><summary>{html.escape(plain(title))}</summary>\n\n{text}\n\n</details>"


def _fenced(lines: Sequence[str], language: str = "text") -> str:
    """As it is, whatever it holds."""
    text = "\n".join(map(plain, lines))
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}{language}\n{text}\n{fence}"


def _shortened(lines: Sequence[str]) -> list[str]:
    """Of what is very long the beginning and the end."""
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} lines …", *lines[-half:]]
    return list(map(_short, lines))


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SIGNS else text[:_MOST_SIGNS] + "…"


def _fitting(start: Sequence[str], long: Sequence[str], end: Sequence[str], most: int | None) -> str:
    """The parts below each other; where they don't fit, start and end, and what fits of the long ones."""
    whole = _joined([*start, *long, *end])
    if most is None or _size(whole) <= most:
        return whole
    kept: list[str] = []
    for part in long:
        room = most - _size(_joined([*start, *kept, "", _CUT, *end]))
        if _size(part) <= room:
            kept.append(part)
            continue
        if part.startswith("|"):
            kept += _rows_within(part, room)
        break
    for parts in ([*start, *kept, _CUT, *end], [*start[:1], _CUT]):
        if _size(text := _joined(parts)) <= most:
            return text
    return ""


def _rows_within(table: str, room: int) -> list[str]:
    lines, used = table.split("\n"), 0
    count = 0
    for line in lines:
        used += _size(line) + 1
        if used > room:
            break
        count += 1
    return ["\n".join(lines[:count])] if count > 2 else []  # a heading alone says nothing


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _size(text: str) -> int:
    return len(text.encode())
