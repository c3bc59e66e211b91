"""How one recording differs from the one that it replaces. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from laptime.cassette._model import Cassette, Interaction

_MOST = 10
"""Lines shown of each kind."""

Pairs = Sequence[tuple[str, Interaction, Interaction]]


def changes(old: Cassette, new: Cassette) -> list[str]:
    """Requests added and gone, answers and waits changed, a line each; a request asked again counts for itself.

    A wait changed where the passes of one recording are all longer than those of the other. Another origin, where each
    has one, is said, and makes no other request.
    """
    moved = len(old.origins) == len(new.origins) == 1 and old.origins != new.origins
    before, after = _numbered(old, moved), _numbered(new, moved)
    pairs = [(name, before[name], after[name]) for name in after if name in before]
    lines = [
        *([f"origin changed: {old.origins[0]} → {new.origins[0]}"] if moved else []),
        *_some("added", [name for name in after if name not in before]),
        *_some("gone", [name for name in before if name not in after]),
        *_some("status changed", list(_status(pairs))),
        *_some("body changed", list(_bodies(pairs))),
    ]
    if old.passes and new.passes:
        lines += _some("wait changed", list(_waits(pairs)))
        lines.append(f"all waits of a pass: {_total_ms(old):,.0f} → {_total_ms(new):,.0f} ms (median)")
    return lines


def _numbered(cassette: Cassette, moved: bool) -> dict[str, Interaction]:
    seen: Counter[str] = Counter()
    found: dict[str, Interaction] = {}
    for interaction in cassette.interactions:
        name = f"{interaction.method} {interaction.target}" if moved else interaction.request
        seen[name] += 1
        found[name + (f" (no. {seen[name]})" if seen[name] > 1 else "")] = interaction
    return found


def _some(what: str, names: Sequence[str]) -> Iterator[str]:
    yield from (f"{what}: {name}" for name in names[:_MOST])
    if len(names) > _MOST:
        yield f"{what}: and {len(names) - _MOST} more"


def _status(pairs: Pairs) -> Iterator[str]:
    for name, old, new in pairs:
        if old.status != new.status:
            yield f"{name}: {old.status} → {new.status}"


def _bodies(pairs: Pairs) -> Iterator[str]:
    for name, old, new in pairs:
        if old.content.plain != new.content.plain:
            yield f"{name}: {len(old.content.plain):,} → {len(new.content.plain):,} bytes"


def _waits(pairs: Pairs) -> Iterator[str]:
    for name, old, new in pairs:
        low, high = sorted((_waits_ms(old), _waits_ms(new)), key=median)
        if max(low) < min(high):
            yield f"{name}: {median(_waits_ms(old)):,.1f} → {median(_waits_ms(new)):,.1f} ms (median)"


def _waits_ms(interaction: Interaction) -> list[float]:
    return [timing.wait_ms for timing in interaction.timings]


def _total_ms(cassette: Cassette) -> float:
    passes = zip(*(_waits_ms(interaction) for interaction in cassette.interactions), strict=True)
    return median(map(sum, passes))
