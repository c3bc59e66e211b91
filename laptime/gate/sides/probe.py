"""What a Python has: run inside it, since only it knows. What is imported here is there in every Python."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from laptime import libraries, machine

NEEDED = {"pytest": "pytest", "pytest_benchmark": "pytest-benchmark", "psutil": "psutil"}
"""What a side's process imports, and what it is called when it is installed."""


def main() -> None:
    """Print all of it as JSON; the project's root is the only argument."""
    json.dump(found(Path(sys.argv[1])), sys.stdout)


def found(project: Path) -> dict[str, Any]:
    """See the fields of `laptime.gate.sides.environment.Environment` and `Details`."""
    return {
        "python": sys.executable,
        "prefix": sys.prefix,
        "base": f"{sys.base_prefix} {sys.version}",
        "paths": [str(path) for path in imported_from()],
        "plugin": any(one.value == "laptime.plugin" for one in metadata.entry_points(group="pytest11")),
        "lacking": [name for module, name in NEEDED.items() if find_spec(module) is None],
        "details": details(project),
    }


def details(project: Path) -> dict[str, Any]:
    """What is stored, and what two environments are compared by."""
    return {
        "interpreter": machine.interpreter(),
        "packages": libraries.installed(project),
        "owners": {top: sorted(set(names)) for top, names in metadata.packages_distributions().items()},
    }


def imported_from() -> list[Path]:
    """The directories that modules are imported from, those of editable installations too.

    An editable installation puts directories on `sys.path`, or into a finder of its own (setuptools' ``__editable__``
    modules, with a MAPPING of names to paths; that of ``editables``, as hatchling uses it, with each ``__init__.py``).
    """
    return list(dict.fromkeys((*_paths(), *_mapped())))


def _paths() -> Iterator[Path]:
    for text in (*sys.path, *os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        if text and Path(text).is_absolute() and Path(text).is_dir():
            yield Path(text).resolve()


def _mapped() -> Iterator[Path]:
    """The directories that would have to be on the path, of what finders find without: ``a.b`` lies two below its."""
    for name, module in list(sys.modules.items()):
        mapping: Any = getattr(module, "MAPPING", None) if name.startswith("__editable__") else None
        if isinstance(mapping, Mapping):
            for found, path in mapping.items():
                yield _above(Path(str(path)), str(found).count(".") + 1)
    finder: Any = getattr(sys.modules.get("editables.redirector"), "RedirectingFinder", None)
    for path in (getattr(finder, "_redirections", None) or {}).values():
        yield _above(Path(str(path)), 2)


def _above(path: Path, levels: int) -> Path:
    return Path(path.resolve(), *[".."] * levels).resolve()
