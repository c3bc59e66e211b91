"""Whether the time of what is accepted is over: by the day, or by what BASE contains."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from laptime import git
from laptime.gate._errors import GateError
from laptime.gate.accept import Accept
from laptime.gate.sides.trees import Revision

_VERSION = re.compile(r"(?!.*\.(?:\.|$))(?:[A-Za-z][\w.]*[-_/@])*(?:[vV]\d|\d+\.\d)[\w.+-]*")
"""What a tag that is yet to come looks like: ``v2``, ``2.0``, ``release-3.1rc1``; a hash does not."""


def check(entries: Iterable[Accept], today: date, toplevel: Path, base: Revision) -> list[str]:
    """What can't be known of the entries here, as remarks.

    `today` is that of UTC. Raises `GateError` for an entry whose time is over, or whose `until` is nothing known.
    """
    remarks = (_check(entry, today, toplevel, base) for entry in entries)
    return [remark for remark in remarks if remark]


def _check(entry: Accept, today: date, toplevel: Path, base: Revision) -> str | None:
    place = f"[[tool.laptime.gate.accept]]: {entry.benchmark!r}: until {entry.until}"
    if isinstance(entry.until, date):
        if entry.until < today:
            raise GateError(f"{place}: that day is over (today is {today}, UTC). Remove the entry")
        return None
    shallow = git.is_shallow(toplevel)
    found = git.resolve(toplevel, entry.until)
    if found is None:
        if _VERSION.fullmatch(entry.until) is None:
            fetch = "; this clone is shallow, and may lack it: `git fetch --unshallow --tags origin`" if shallow else ""
            raise GateError(
                f"{place}: neither a day, as in 2027-01-31, nor a revision that is known here, nor the name of a tag "
                f"to come, as in v2.0{fetch}"
            )
    else:
        assert base.commit.id is not None
        if git.contains(toplevel, base.commit.id, found):
            raise GateError(f"{place}: {base} contains that. Remove the entry")
    if shallow:  # neither all tags need be there, nor all of BASE's commits
        return f"{entry}: this clone is shallow, so whether {base} contains {entry.until} is not known"
    return None
