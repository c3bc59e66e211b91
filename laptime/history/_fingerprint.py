"""What keeps two runs from being compared. Pure.

The machine and the interpreter must be equal in every part, and a part that only one of them tells is different: nobody
knows. Of the libraries, those count that took part in one of the two: what is installed beside changes no figure, and
running some benchmarks only, which import less, makes no other environment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from laptime.history._model import Fingerprint
from laptime.machine import Value

MACHINE, INTERPRETER, INPUTS = PARTS = ("machine", "interpreter", "inputs")
UNKNOWN = "not known"
_SHORT = 12
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: `part` is one of `PARTS`, `what` names the thing, and both sides are told."""

    part: str
    what: str
    base: str
    head: str


def differences(base: Fingerprint, head: Fingerprint, across: Collection[str] = ()) -> list[Difference]:
    """Where two runs differ; nothing where they can be compared. The parts in `across` may differ."""
    found: list[Difference] = []
    if MACHINE not in across:
        found += _unequal(MACHINE, base.machine, head.machine)
    if INTERPRETER not in across:
        found += _unequal(INTERPRETER, base.interpreter, head.interpreter)
    if INPUTS not in across:
        took_part = {*base.loaded, *head.loaded}
        left, right = ({n: one.libraries.get(n, "absent") for n in took_part} for one in (base, head))
        found += _unequal(INPUTS, left, right)
    return found


def inputs_differences(
    base: Mapping[str, Value], head: Mapping[str, Value], across: Collection[str] = ()
) -> list[Difference]:
    """Where the inputs of two results differ: the cassette, its pace, the tier, and the like."""
    return [] if INPUTS in across else list(_unequal(INPUTS, base, head))


def _unequal(part: str, base: Mapping[str, Value], head: Mapping[str, Value]) -> Iterator[Difference]:
    for what in sorted({*base, *head}):
        left, right = base.get(what), head.get(what)
        if left != right or isinstance(left, bool) != isinstance(right, bool) or (what in base) != (what in head):
            yield Difference(part, what, _shown(left, what in base), _shown(right, what in head))


def _shown(value: Value, known: bool) -> str:
    if not known:
        return UNKNOWN
    text = "none" if value is None else str(value)
    return f"{text[:_SHORT]}…" if _DIGEST.fullmatch(text) else text
