"""What benchmarks there are, and whether they can be judged: collected, and tried once, each side with its own code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from laptime import git
from laptime.gate._errors import GateError
from laptime.gate.blocks import Blocks, Tried
from laptime.gate.decision import verdicts
from laptime.gate.decision.rounds import Outcome
from laptime.gate.decision.trial import BROKEN, NEW
from laptime.gate.decision.verdicts import Trouble
from laptime.gate.equipment.equip import Equipment
from laptime.gate.request import Listener
from laptime.gate.selection import Selection, select
from laptime.gate.sides import proof, trees
from laptime.gate.sides.arena import Arena, Wanted
from laptime.gate.sides.cpus import Cpus
from laptime.gate.sides.environment import lacks
from laptime.gate.sides.pair import Collected
from laptime.gate.sides.side import BASE, HEAD
from laptime.gate.sides.trees import Place, Revision


class Tryout:
    """See the module.

    blocks    what it was tried with, and what it is measured with
    troubles  benchmarks that can't be judged
    skipped   benchmarks that both sides skip
    modules   what both sides have loaded, once they have run
    """

    def __init__(self, where: Place, arena: Arena, equipment: Equipment, ignored: Sequence[str], listener: Listener):
        """`ignored`: what the working tree, if that is HEAD, has and git ignores."""
        self._where = where
        self._arena = arena
        self._equipment = equipment
        self._ignored = ignored
        self._listener = listener
        self._harness: tuple[str, ...] = ()
        self.blocks = Blocks(arena, self._explain, listener.step)
        self.troubles: dict[str, Trouble] = {}
        self.skipped: list[str] = []
        self.modules: frozenset[str] = frozenset()

    def select(self) -> tuple[Selection, Collected]:
        """What each side collects by itself, and what HEAD found. Raises `GateError` where nothing can be judged."""
        self._listener.stage("collecting", 1, None)
        with self._arena.pair(Wanted(own=True), Cpus()) as pair:
            own, head = self.blocks.collected(pair)
        self._listener.step()
        for _, text in (*head.errors, *own.errors):
            self._explain(text)
        selection = select(own, head)
        self.troubles |= selection.missing
        return selection, head

    def dress(self, head: Collected, harness: tuple[str, ...] | None, revision: Revision) -> None:
        """Give BASE HEAD's harness: what is named, or what is found. Raises `GateError`."""
        side = self._arena.trees
        root = side.project(side.head)
        if harness is None:
            files = {PurePath(one["file"]) for one in head.benchmarks}
            inside = [path.relative_to(root).as_posix() for path in sorted(files) if path.is_relative_to(root)]
            names = trees.harness_paths(root, side.project(side.base), head.testpaths, inside)
        else:
            names = harness
            for name in names:
                if not (root / name).exists():
                    raise GateError(f"[tool.laptime.gate] harness: {name!r} is not in {revision}")
        self._harness = names
        side.dress(names)
        if not self._equipment.is_made:
            self._refuse_products()

    def _refuse_products(self) -> None:
        """What was built beside the code under test would silently be lacking."""
        harness = [PurePath(self._where.project) / name for name in self._harness]
        sources = (PurePath(name) for name in git.files(self._where.toplevel) if name.endswith(".py"))
        packages = {
            path.parent.as_posix() for path in sources if not any(path.is_relative_to(part) for part in harness)
        }
        products = proof.compiled(self._ignored, packages)
        if products:
            raise GateError(
                f"{_some(products)}: git ignores what was built there, so neither side has it, and would run other "
                "code than you do. Have each side build its own (--isolate), or remove it"
            )

    def _explain(self, message: str) -> None:
        """What was built and is ignored by git, or what is installed here, may be all that is lacking. Raises then."""
        if not proof.wanted(message):  # as of each benchmark that passes, in each block: to look takes git's time
            return
        said = verdicts.last_line(message)
        if self._equipment.is_made:
            lacking = lacks(proof.not_found(message))
            if lacking:
                raise GateError(
                    f"{said}: {_some(lacking)}: installed here, and not in the environment that was made. Name what "
                    'the tests need in [tool.laptime.gate] install, as in install = [".[test]"]'
                )
            return
        found = proof.lacking(message, self._ignored)
        if found:
            raise GateError(
                f"{said}: your working tree has {_some(found)}, which git ignores, so neither side has it. Have each "
                "side build its own (--isolate), or have it tracked, or written when the tests are collected"
            )
        apart = proof.lacking(message, self._of_submodules())
        if apart:
            raise GateError(
                f"{said}: {_some(apart)} is of a submodule, and these take part on neither side. Install it where "
                "laptime is, for both"
            )

    def _of_submodules(self) -> list[str]:
        """The files that the working tree has in submodules."""
        toplevel = self._where.toplevel
        places = [place for place in git.submodules(toplevel) if (toplevel / place).is_dir()]
        return [f"{place}/{name}" for place in places for name in git.files(toplevel / place)]

    def run(self, selection: Selection) -> list[str]:
        """Run everything once; what can be judged. Raises `GateError` unless each side runs its own code."""
        self._listener.stage("trying each benchmark", len(selection.common), None)
        tried = Tried()
        try:
            self.blocks.try_all(selection.common, selection.new, selection.marked, tried)
        finally:  # interrupted, it says what is known
            for name, outcome in tried.outcomes.items():
                self.settle(name, outcome)
            for name, (kind, message) in tried.alone.items():
                if kind == "failed":
                    self.troubles[name] = Trouble(BROKEN, f"HEAD: {message}")
                elif kind == "passed":
                    self.troubles[name] = Trouble(NEW, "not in BASE")
        if any(outcome.measured for outcome in tried.outcomes.values()):
            self._prove(tried)
        return [name for name in selection.common if name not in self.troubles and name not in self.skipped]

    def _prove(self, tried: Tried) -> None:
        side = self._arena.trees
        sides = ((BASE, side.base, side.head), (HEAD, side.head, side.base))
        for (label, tree, other), modules in zip(sides, tried.modules, strict=True):
            harness = [side.project(tree) / name for name in self._harness]
            found = tuple(map(Path, self._arena.roots(label, tree)))
            loaded = proof.Loaded(label, tree, found, modules, self._arena.environments[label].products)
            provided = trees.importable(found, harness)
            differs = self._equipment.differs
            wrong = proof.complaint(loaded, other, self._where.toplevel, harness, provided, differs=differs)
            if wrong:
                raise GateError(wrong)
        self.modules = frozenset(name for modules in tried.modules for name in modules)

    def settle(self, name: str, outcome: Outcome) -> bool:
        """Note what forbids to judge a benchmark; whether nothing does."""
        for _, message in filter(None, (outcome.base, outcome.head)):
            self._explain(message)
        trouble = verdicts.trouble(outcome)
        if trouble is not None:
            self.troubles[name] = trouble
        elif outcome.measured is None:
            self.skipped.append(name)
        return outcome.measured is not None and trouble is None


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
