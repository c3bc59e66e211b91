"""Which benchmarks both sides have, from what each of them collects by itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from laptime.gate._errors import GateError
from laptime.gate.decision.trial import BROKEN, MISSING
from laptime.gate.decision.verdicts import Trouble, last_line
from laptime.gate.sides.pair import Collected


@dataclass(frozen=True, slots=True)
class Selection:
    """What is run.

    common   of both sides, in HEAD's order: judged
    new      of HEAD alone: run
    missing  of BASE alone
    marked   what its own mark says of a benchmark: whether it needs several CPUs
    groups   what pytest-benchmark's mark says: its group
    remarks  what is worth a note
    """

    common: tuple[str, ...]
    new: tuple[str, ...]
    missing: dict[str, Trouble]
    marked: dict[str, bool]
    groups: dict[str, str]
    remarks: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All benchmarks, of either side."""
        return (*self.common, *self.new, *self.missing)


def select(base: Collected, head: Collected) -> Selection:
    """Compare what there is. Raises `GateError` where there is nothing to judge, or lockstep is impossible."""
    conflicts = dict.fromkeys((*head.conflicts, *base.conflicts))
    if conflicts:
        raise GateError("this suite can't run in lockstep as it is set up:\n" + "\n".join(conflicts))
    there, before = [one["name"] for one in head.benchmarks], [one["name"] for one in base.benchmarks]
    if not there and not before:
        found = "\n".join(text for _, text in head.errors)
        raise GateError(
            "no benchmarks: pytest finds no test that uses the `benchmark` fixture (or `lap`)"
            + (f"\n{found}" if found else " with these settings and arguments")
        )
    common = tuple(name for name in there if name in set(before))
    if not common:
        raise GateError(
            f"nothing in common: none of BASE's {len(before)} benchmarks is among HEAD's {len(there)}"
            + "".join(
                f"\n{label}: {where} can't be collected: {text}"
                for label, found in (("BASE", base), ("HEAD", head))
                for where, text in found.errors
            )
        )
    return Selection(
        common=common,
        new=tuple(name for name in there if name not in set(before)),
        missing={name: _gone(name, head.errors) for name in before if name not in set(there)},
        marked={one["name"]: one["multicore"] for one in head.benchmarks if one["multicore"] is not None},
        groups={one["name"]: one["group"] for one in head.benchmarks if one["group"] is not None},
        remarks=(
            *(
                f"BASE's own {where} can't be collected ({last_line(text)}): what it had is not known"
                for where, text in base.errors
            ),
            *(
                f"HEAD's {where} can't be collected ({last_line(text)}): what benchmarks it has is not known"
                for where, text in head.errors
                if where not in {_file(name) for name in before}  # those are broken
            ),
        ),
    )


def _file(name: str) -> str:
    return name.partition("::")[0]


def _gone(name: str, errors: Sequence[tuple[str, str]]) -> Trouble:
    file = _file(name)
    for where, text in errors:
        if where == file:
            return Trouble(BROKEN, f"HEAD: {file} can't be collected: {text}")
    return Trouble(MISSING, "not in HEAD")
