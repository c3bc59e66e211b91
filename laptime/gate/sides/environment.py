"""What a side's Python is, and what is installed for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from laptime.gate._errors import GateError
from laptime.gate.sides import probe
from laptime.machine import Value

_LEAST = (3, 11)
_LAPTIME = Path(__file__).parents[2]
LOAD = (
    "import sys, importlib.util as u\n"
    "if sys.version_info < {least!r}: sys.exit('it is Python %d.%d' % sys.version_info[:2])\n"
    "s = u.spec_from_file_location('laptime', {file!r}, submodule_search_locations=[{here!r}])\n"
    "m = sys.modules['laptime'] = u.module_from_spec(s); s.loader.exec_module(m)\n"
).format(least=_LEAST, file=str(_LAPTIME / "__init__.py"), here=str(_LAPTIME))
"""laptime comes from where the gate itself runs, whatever another Python, or a side's tree, holds under that name; and
nothing else does."""
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Details:
    """What is stored of an environment, and what two are compared by.

    interpreter  see `laptime.machine.interpreter`
    packages     what is installed, less the project itself: name -> version
    owners       top-level module -> the distributions that it comes from
    """

    interpreter: Mapping[str, Value]
    packages: Mapping[str, str]
    owners: Mapping[str, Sequence[str]]

    @classmethod
    def here(cls, project: Path) -> Self:
        """Those of this process."""
        return cls(**probe.details(project))

    def python(self) -> str:
        """``CPython 3.12.1``."""
        free = "t" if self.interpreter.get("free-threaded") else ""
        return f"{self.interpreter['implementation']} {self.interpreter['version']}{free}"


@dataclass(frozen=True, slots=True)
class Environment:
    """What a side runs in.

    python    the executable
    paths     the directories that it imports from by itself
    prefix    of an environment that is not the gate's own: its programs go first; None: all is as it is here
    plugin    whether its pytest finds laptime's plugin by itself
    built     whether it was made for this side: then nothing of the gate's own environment may be seen in it
    products  where the project that was built for this side lies; None where none was
    details   None: those of the gate's own process
    """

    python: str
    paths: tuple[Path, ...]
    prefix: Path | None = None
    plugin: bool = True
    built: bool = False
    products: Path | None = None
    details: Details | None = None

    def variables(self) -> dict[str, str]:
        """What it adds to a process's environment: what activating it would."""
        if self.prefix is None:
            return {}
        programs = str(Path(self.python).parent)
        return {
            "PATH": os.pathsep.join([programs, *filter(None, [os.environ.get("PATH")])]),
            "VIRTUAL_ENV": str(self.prefix),
        }


def current() -> Environment:
    """The one that the gate itself runs in."""
    return Environment(sys.executable, tuple(probe.imported_from()))


def existing(option: str, wanted: str, project: Path) -> Environment:
    """One that is there: a virtual environment's directory, or its python. Raises `GateError`."""
    path = Path(wanted).expanduser()
    if path.is_dir():
        names = ("bin/python", "bin/python3")
        found_there = [path / name for name in names if (path / name).exists()]
        if not found_there:
            raise GateError(f"{option} {wanted}: no environment: there is no bin/python in it")
    else:
        found_there = [path]
    # not resolved: a virtual environment's python is a link, and is one by where it lies
    found = ask(option, str(Path(os.path.abspath(found_there[0]))), project)  # noqa: PTH100
    if found["lacking"]:
        lacking = " ".join(found["lacking"])
        raise GateError(
            f"{option} {wanted}: it lacks {', '.join(found['lacking'])}, which each side needs: "
            f"`{found['python']} -m pip install {lacking}`"
        )
    return made(found)


def made(found: Mapping[str, Any], products: Path | None = None, *, built: bool = False) -> Environment:
    """From what `ask` said."""
    return Environment(
        python=found["python"],
        paths=tuple(map(Path, found["paths"])),
        prefix=Path(found["prefix"]),
        plugin=found["plugin"],
        built=built,
        products=products,
        details=Details(**found["details"]),
    )


def ask(option: str, python: str, project: Path) -> dict[str, Any]:
    """What a Python says of itself; see `laptime.gate.sides.probe.found`. Raises `GateError`."""
    code = f"{LOAD}from laptime.gate.sides.probe import main; main()"
    try:
        done = subprocess.run(
            (python, "-c", code, str(project)),
            cwd=os.path.sep,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
        if done.returncode == 0:
            said: dict[str, Any] = json.loads(done.stdout)
            return said
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        why = lines[-1] if "Traceback" in done.stderr else lines[0]
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        why = str(error)
    least = ".".join(map(str, _LEAST))
    raise GateError(f"{option} {python}: can't be used ({why}); expected a CPython from {least} on")


def lacks(modules: Iterable[str]) -> list[str]:
    """The distributions of this process that modules, which were not found in another environment, come from."""
    owners = metadata.packages_distributions()
    return sorted({owner for module in modules for owner in owners.get(module.partition(".")[0], ())})


def differences(base: Details, head: Details) -> list[str]:
    """What is not the same in two environments: ``numpy 1.26.4 → 2.0.0``. Pure."""
    found = [f"{base.python()} → {head.python()}"] if base.interpreter != head.interpreter else []
    for name in sorted({*base.packages, *head.packages}):
        before, after = base.packages.get(name), head.packages.get(name)
        if before != after:
            found.append(f"{name} {before or 'absent'} → {after or 'absent'}")
    return found
