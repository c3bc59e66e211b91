"""Where a side's code is imported from: its own copy of each directory that the working tree is imported from."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from laptime.gate.trees import Place


def roots(where: Place, tree: Path) -> tuple[str, ...]:
    """Directories of a side, to go before all others: the project's root, its ``src``, and what is installed editably.

    An editable installation puts directories of the working tree on `sys.path`, or into a finder of its own
    (setuptools' ``__editable__`` modules, with a MAPPING of names to paths).
    """
    project = tree / where.project
    found = [path for path in (project / "src", project) if path.is_dir()]
    for path in (*_paths(), *_mapped()):
        if path.is_relative_to(where.toplevel) and "site-packages" not in path.parts:
            ours = tree / path.relative_to(where.toplevel)
            if ours.is_dir() and ours not in found:
                found.append(ours)
    return tuple(map(str, found))


def _paths() -> Iterator[Path]:
    for text in (*sys.path, *os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        if text and Path(text).is_absolute() and Path(text).is_dir():
            yield Path(text).resolve()


def _mapped() -> Iterator[Path]:
    for name, module in list(sys.modules.items()):
        mapping: Any = getattr(module, "MAPPING", None) if name.startswith("__editable__") else None
        if isinstance(mapping, Mapping):
            for path in mapping.values():
                yield Path(str(path)).resolve().parent
