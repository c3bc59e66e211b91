"""One gate from start to end: two trees, what there is to run, a first try, blocks until all is decided, a report.

    with Session(request, listener) as session:
        report = session.run()

Whatever happens, no process, directory or server is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from laptime import git, project
from laptime.gate import accept, turns, until
from laptime.gate import settings as gate_settings
from laptime.gate._errors import GateError
from laptime.gate.accept import Accept
from laptime.gate.decision import noise, verdicts
from laptime.gate.decision.noise import Noise
from laptime.gate.decision.trial import UNCHANGED, Rules, Trial
from laptime.gate.decision.verdicts import Report, Row
from laptime.gate.equipment.equip import details, equip
from laptime.gate.judge import Judge
from laptime.gate.request import Listener, Request
from laptime.gate.selection import Selection
from laptime.gate.sides import trees
from laptime.gate.sides.arena import Arena
from laptime.gate.sides.cpus import Pinning
from laptime.gate.sides.environment import Details
from laptime.gate.sides.side import BASE, HEAD
from laptime.gate.tryout import Tryout
from laptime.settings import SettingsError

SAME_FILES = "the same files on both sides: nothing under test differs"


class Session:
    """See the module.

    begun       when, in seconds since 1970
    base, head  what is compared
    project     its root, in the working tree
    inside      the same from the repository's root
    accepts     the slowdowns that HEAD brings and intends
    """

    def __init__(self, request: Request, listener: Listener) -> None:
        self._request = request
        self._settings = request.settings
        self._listener = listener
        self._stack = ExitStack()
        self._trial = Trial({})
        self._judge: Judge | None = None
        self._groups: dict[str, str] = {}
        self.accepts: tuple[Accept, ...] = ()

    def __enter__(self) -> Self:
        request, settings = self._request, self._settings
        pinning = Pinning(request.pin)
        self._remarks = pinning.remarks()
        self._where = trees.place(request.directory, project.find(request.directory).root)
        self.inside = self._where.project
        self.project = self._where.toplevel / self.inside
        self._choose_revisions()
        if request.head is None:  # those of a HEAD that is named are known once its files are there
            self._check_until(settings.accepts)
        ignored = git.ignored(self._where.toplevel) if request.head is None else []
        with ExitStack() as stack:
            waiting = turns.turn(self.project, lambda told: self._listener.stage(told, 1, None))
            self._remarks += stack.enter_context(waiting)
            self.begun, self._started = time.time(), time.monotonic()
            self._measuring_since = self._started
            arguments = (*settings.arguments, *request.arguments)
            self._arena = stack.enter_context(Arena(self._where, pinning, arguments, self._round_limit_s))
            self._stack = stack.pop_all()
        self._tryout = Tryout(self._where, self._arena, request.equipment, ignored, self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _choose_revisions(self) -> None:
        request, toplevel = self._request, self._where.toplevel
        self.head = trees.head_revision(toplevel, request.head)
        self.base = self.head if request.self_test else trees.base_revision(toplevel, request.base)
        same = self.base.commit.id == self.head.commit.id and not self.head.commit.dirty
        meant = request.self_test or request.equipment.differs
        if same and not meant and (request.head is not None or not trees.untracked(toplevel, self.head)):
            raise GateError(
                f"{self.base} and {self.head} are the same: there is nothing to compare. "
                "`laptime gate --self-test` measures how noisy this machine is"
            )
        self._remarks += trees.parted(toplevel, self.base, self.head)

    def run(self) -> Report:
        """All of it. Raises `GateError` where nothing can be decided; Ctrl-C ends it with what is known."""
        self._listener.stage("writing both sides' files", 1, None)
        self._arena.trees.fill(self.base, self.head)
        self._listener.step()
        self.accepts = self._intended()
        revisions = (self.base, self.head)
        equipment, install = self._request.equipment, self._settings.install
        self._remarks += equip(equipment, install, self._where, self._arena, revisions, self._listener.stage)
        self._measuring_since = time.monotonic()  # what is installed once is not of each run's time
        selection = self._select()
        accepted = accept.by_benchmark(selection.common, self.accepts)
        rules = accept.rules({name: self._rules(name) for name in selection.common}, accepted)
        interrupted = False
        try:
            judged = self._tryout.run(selection)
            if not self._request.self_test and self._arena.is_same():
                return self._with_accepted(self._same(judged), selection)
            chosen = {name: rules[name] for name in judged}
            self._trial = Trial(chosen, self._request.looks, to_the_end=self._request.to_the_end)
            self._judge = self._ready()
            self._judge.run(self._trial, self._listener)
        except KeyboardInterrupt:
            interrupted = True
            self._trial.stop("interrupted")
        return self._with_accepted(self._report(self._trial, interrupted=interrupted), selection)

    @property
    def environments(self) -> tuple[Details, Details]:
        """What both sides run in."""
        base, head = (self._arena.environments[label] for label in (BASE, HEAD))
        found = details(head, self.project)
        return (found if base == head else details(base, self.project)), found

    def noise(self) -> list[Noise]:
        """After a self-test: how noisy each benchmark is here."""
        if self._judge is None:
            return []
        blocks = self._tryout.blocks
        block_s = blocks.seconds(list(blocks.paces))
        return noise.of(self._trial.findings(), self._rules, block_s, self._judge.first_block_at)

    def _select(self) -> Selection:
        """What there is, and with it the harness."""
        selection, head = self._tryout.select()
        self._remarks += selection.remarks
        self._groups = selection.groups
        if not self._request.arguments:  # else they may fit what was not chosen
            idle = self._settings.idle(selection.names, selection.groups.values())
            self._remarks += [f"[tool.laptime.gate.{table}] fits no benchmark" for table in idle]
        self._tryout.dress(head, self._settings.harness, self.head)
        return selection

    def _ready(self) -> Judge:
        """All that is known before the first block, and said."""
        tryout, request = self._tryout, self._request
        judge = Judge(tryout.blocks, tryout.settle, self._measuring_since, self._settings.max_time_s)
        sides = (str(self.base), str(self.head))
        self._listener.plan(judge.plan(list(self._trial.wanted()), request.looks, sides, self._remarks))
        return judge

    @property
    def modules(self) -> frozenset[str]:
        """What both sides have loaded, once they have run."""
        return self._tryout.modules

    # by what it is judged

    def _rules(self, name: str) -> Rules:
        return self._settings.of(name, self._groups.get(name))

    def _round_limit_s(self, name: str) -> float:
        return self._rules(name).round_limit_s or self._settings.round_limit_s

    def _intended(self) -> tuple[Accept, ...]:
        """The entries that count: HEAD has them and BASE has not, as each excuses the change that brings it.

        Raises `GateError`.
        """
        if self._request.self_test:
            return ()
        side = self._arena.trees
        entries: Sequence[Accept] = self._settings.accepts
        if self._request.head is not None:  # of which the working tree's settings say nothing
            entries = self._accepts_in(side.head, self.head, gate_settings.accepts)
            self._check_until(entries)
        before = self._accepts_in(side.own, self.base, gate_settings.accepts_before) if entries else ()
        return tuple(one for one in entries if one not in before)

    def _check_until(self, entries: Iterable[Accept]) -> None:
        """Raises `GateError` where the time of one is over, or is none."""
        if not self._request.self_test:
            self._remarks += until.check(entries, self._request.today, self._where.toplevel, self.base)

    def _accepts_in(
        self, tree: Path, revision: trees.Revision, read: Callable[[Path], Sequence[Accept]]
    ) -> Sequence[Accept]:
        try:
            return read(self._arena.trees.project(tree))
        except SettingsError as error:
            raise GateError(f"the settings of {revision}, in a copy: {error}") from error

    def _with_accepted(self, report: Report, selection: Selection) -> Report:
        return accept.concluded(report, self.accepts, selection.names, chosen=bool(self._request.arguments))

    # what is said

    def _same(self, names: Iterable[str]) -> Report:
        rows = [
            *(Row(name, None, one.verdict, note=one.note) for name, one in self._tryout.troubles.items()),
            *(Row(name, None, UNCHANGED, note=SAME_FILES) for name in names),
        ]
        return replace(self._report(Trial({}), interrupted=False), rows=tuple(verdicts.ordered(rows)), looked=True)

    def _report(self, trial: Trial, *, interrupted: bool) -> Report:
        judge, canaries = self._judge, self._tryout.blocks.canaries
        costs, growing, disturbed = (judge.costs(), judge.growing(), judge.disturbed()) if judge else ({}, {}, [])
        return Report(
            base=str(self.base),
            head=str(self.head),
            rows=verdicts.rows(trial, self._tryout.troubles, costs, growing),
            seconds=time.monotonic() - self._started,
            blocks=canaries.blocks - canaries.void,
            void=canaries.void,
            stopped=trial.stopped,
            interrupted=interrupted,
            looked=trial.looked,
            remarks=(*self._remarks, *disturbed),
            skipped=tuple(self._tryout.skipped),
        )
