"""What each side runs in: the gate's own environment, one that is there, or one that is made for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from laptime.gate._errors import GateError
from laptime.gate.equipment import dependencies
from laptime.gate.sides.arena import Arena
from laptime.gate.sides.environment import Details, Environment, differences, existing
from laptime.gate.sides.side import BASE, HEAD
from laptime.gate.sides.trees import Place, Revision

Stage = Callable[[str, int, float | None], None]


@dataclass(frozen=True, slots=True)
class Equipment:
    """What is asked for.

    isolate       make an environment for each side
    pythons       of BASE and HEAD: a Python to make it with; None: that of the gate
    environments  of BASE and HEAD: one that is there; None: the gate's own
    """

    isolate: bool = False
    pythons: tuple[str | None, str | None] = (None, None)
    environments: tuple[str | None, str | None] = (None, None)

    def __post_init__(self) -> None:
        """Raises `GateError` where two things are asked for at once."""
        if any(self.environments) and self.is_made:
            raise GateError(
                "--base-env and --head-env take environments that are there, --isolate, --base-python and "
                "--head-python make them: which?"
            )

    @property
    def is_made(self) -> bool:
        """Whether environments are made."""
        return self.isolate or any(self.pythons)

    @property
    def differs(self) -> bool:
        """Whether the sides are to differ by more than their files: then the same files are worth comparing."""
        return self.pythons[0] != self.pythons[1] or self.environments[0] != self.environments[1]


def equip(
    wanted: Equipment,
    install: tuple[str, ...] | None,
    where: Place,
    arena: Arena,
    revisions: tuple[Revision, Revision],
    stage: Stage,
) -> list[str]:
    """Give both sides what they run in; what is to be said of it. Raises `GateError`."""
    trees = arena.trees
    own = {BASE: trees.own, HEAD: trees.head}
    if wanted.is_made:
        made = _made(wanted, install, where, arena, dict(zip(own, revisions, strict=True)), own, stage)
        arena.environments = made
        _lay_over(arena)
    elif any(wanted.environments):
        for label, option, name in zip(own, ("--base-env", "--head-env"), wanted.environments, strict=True):
            if name is not None:
                arena.environments[label] = existing(option, name, trees.project(own[label]))
    said = [dependencies.declared(trees.project(tree)) for tree in own.values()]
    return _remarks(
        wanted,
        arena,
        dependencies.differences(*said),
        [name for name in dependencies.LOCKS if name in said[1]],
        install,
    )


def details(environment: Environment, project: Path) -> Details:
    """Of any environment, the gate's own too."""
    return environment.details or Details.here(project)


def _made(
    wanted: Equipment,
    install: tuple[str, ...] | None,
    where: Place,
    arena: Arena,
    revisions: dict[str, Revision],
    own: dict[str, Path],
    stage: Stage,
) -> dict[str, Environment]:
    from laptime.gate.equipment.isolate import Isolation

    isolation = Isolation(_cache(), install, where, arena.execute, arena.trees.root)
    found = {}
    options = ("--base-python", "--head-python")
    for (label, tree), option, name in zip(own.items(), options, wanted.pythons, strict=True):
        stage(f"making {label}'s environment", 1, None)
        python = sys.executable if name is None else isolation.interpreter(option, name)
        found[label] = isolation.environment(label, revisions[label].commit, tree, python)
    return found


def _cache() -> Path:
    """The user's, for laptime. Raises `GateError`."""
    import platformdirs

    try:
        found = platformdirs.user_cache_path("laptime")
    except RuntimeError as error:  # a container's user that has no name, and no HOME
        raise GateError(
            f"there is no directory to keep the sides' environments in: {error}. XDG_CACHE_HOME names one"
        ) from error
    if not found.is_absolute():
        raise GateError(f"{found}: the sides' environments can't be kept there. XDG_CACHE_HOME names another place")
    return found


def _lay_over(arena: Arena) -> None:
    """What was built goes beside its source; of BASE into both of its trees."""
    from laptime.gate.equipment.isolate import overlay

    trees = arena.trees
    for label, tree in ((BASE, trees.own), (BASE, trees.base), (HEAD, trees.head)):
        site = arena.environments[label].products
        if site is not None:
            overlay(site, [Path(root) for root in arena.roots(label, tree) if Path(root) != site])


def _remarks(
    wanted: Equipment, arena: Arena, declared: list[str], locks: list[str], install: tuple[str, ...] | None
) -> list[str]:
    """What of the environments a reader of the figures must know."""
    project = arena.trees.project(arena.trees.head)
    if not wanted.is_made and not any(wanted.environments):
        if declared:
            return [
                f"the dependencies of BASE and HEAD differ ({', '.join(declared)}), and both sides run with what is "
                "installed here; --isolate gives each its own"
            ]
        return []
    found = differences(*(details(arena.environments[label], project) for label in (BASE, HEAD)))
    remarks = [f"the sides' environments differ: {', '.join(found)}"] if found else []
    if wanted.is_made and locks and not install:
        remarks.append(
            f"pip can't read {locks[0]}, so it was not used: export it, and name the file in [tool.laptime.gate] "
            'install = [".", "-r", "requirements.txt"]'
        )
    return remarks
