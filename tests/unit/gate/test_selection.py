"""What there is to judge, from what each side collects."""

from __future__ import annotations

from laptime.gate.decision.trial import (
    BROKEN,
)
from laptime.gate.selection import select
from laptime.gate.sides.pair import Collected


def test_a_benchmarks_group_is_that_of_heads_mark() -> None:
    """Both sides run HEAD's benchmarks."""

    def side(**groups: str | None) -> Collected:
        return Collected([{"name": name, "multicore": None, "group": group} for name, group in groups.items()])

    found = select(side(a="old", b="old", gone="old"), side(a="new", b=None, c="new"))
    assert found.groups == {"a": "new", "c": "new"}
    assert found.names == ("a", "b", "c", "gone")


def test_a_file_that_head_can_not_have_collected_is_broken_or_remarked() -> None:
    """Broken is what BASE has in it; of a new file, or one that was as bad before, nothing is known, which is said."""
    there: list[dict[str, object]] = [
        {"name": f"{file}::test", "multicore": None, "group": None} for file in ("a.py", "b.py")
    ]
    errors = [(file, f"E   SyntaxError: in {file}") for file in ("b.py", "new.py", "bad.py")]
    found = select(Collected(there, errors[2:]), Collected(there[:1], errors))
    assert ["b.py::test"] == [name for name, trouble in found.missing.items() if trouble.verdict == BROKEN]
    assert list(found.remarks) == [
        "BASE's own bad.py can't be collected (SyntaxError: in bad.py): what it had is not known",
        "HEAD's new.py can't be collected (SyntaxError: in new.py): what benchmarks it has is not known",
        "HEAD's bad.py can't be collected (SyntaxError: in bad.py): what benchmarks it has is not known",
    ]
