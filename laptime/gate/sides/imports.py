"""Where a side's code is imported from: its own copy of each directory that the working tree is imported from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from laptime.gate.sides.trees import Place


def roots(where: Place, tree: Path, paths: Iterable[Path]) -> tuple[str, ...]:
    """Directories of a side, to go before all others: the project's root, its ``src``, and what is installed editably.

    `paths`: what the side's Python imports from by itself (`laptime.gate.sides.probe.imported_from`)
    """
    project = tree / where.project
    found = [path for path in (project / "src", project) if path.is_dir()]
    for path in paths:
        if path.is_relative_to(where.toplevel) and "site-packages" not in path.parts:
            ours = tree / path.relative_to(where.toplevel)
            if ours.is_dir() and ours not in found:
                found.append(ours)
    return tuple(map(str, found))
