"""One gate from start to end: two trees, what there is to run, a first try, blocks until all is decided, a report.

    with Session(request, listener) as session:
        report = session.run()

Whatever happens, no process, directory or server is left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path, PurePath
from typing import Protocol, Self, cast

from laptime import git, machine, project
from laptime.gate import accept, growth, noise, proof, trees, turns, until, verdicts
from laptime.gate import settings as gate_settings
from laptime.gate._errors import GateError
from laptime.gate.accept import Accept
from laptime.gate.arena import Arena, Wanted
from laptime.gate.blocks import Blocks, Tried
from laptime.gate.cpus import AUTO, Cpus, Pinning, stolen
from laptime.gate.environment import Details, lacks
from laptime.gate.equip import Equipment, details, equip
from laptime.gate.noise import Noise
from laptime.gate.pair import Collected
from laptime.gate.rounds import Outcome
from laptime.gate.selection import Selection, select
from laptime.gate.settings import Settings
from laptime.gate.side import BASE, HEAD
from laptime.gate.trial import BROKEN, CONFIRMATION, CPU, LOOKS, METRICS, NEW, UNCHANGED, Look, Rules, Trial
from laptime.gate.verdicts import Cost, Report, Row, Trouble
from laptime.settings import SettingsError

_SPARE = 1.25
"""A block may take so many times as long as expected."""
_OPEN = 3
"""One in so many benchmarks is open still when most are decided, where nothing became slower."""
SAME_FILES = "the same files on both sides: nothing under test differs"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    directory  where: inside the project
    base, head names of revisions; `head` None: the working tree
    against    the tag that `base` is, where it was asked for as one
    arguments  for pytest
    pin        see `laptime.gate.cpus.Pinning`
    self_test  HEAD against itself
    to_the_end judge everything, rather than stop when the first regression is certain
    looks      at how many blocks what is looked for
    equipment  what the sides run in
    today      that of UTC
    """

    directory: Path
    base: str
    head: str | None = None
    arguments: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    pin: str = AUTO
    self_test: bool = False
    to_the_end: bool = False
    looks: tuple[Look, ...] = LOOKS
    equipment: Equipment = field(default_factory=Equipment)
    against: str | None = None
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be done: names by how they run; blocks of each, `more` of what is suspected; seconds."""

    base: str
    head: str
    single: tuple[str, ...]
    multi: tuple[str, ...]
    fewest: int
    most: int
    more: int
    likely_s: float
    at_most_s: float
    remarks: tuple[str, ...]


class Listener(Protocol):
    """Who is told how it goes."""

    def stage(self, what: str, steps: int, seconds: float | None) -> None:
        """A stage of that many steps began, of which all take about so many seconds."""

    def step(self) -> None:
        """A step is done."""

    def plan(self, plan: Plan) -> None:
        """What is going to be done."""


class Session:
    """See the module.

    begun       when, in seconds since 1970
    base, head  what is compared
    project     its root, in the working tree
    inside      the same from the repository's root
    modules     what both sides have loaded, once they have run
    accepts     the slowdowns that HEAD brings and intends
    """

    def __init__(self, request: Request, listener: Listener) -> None:
        self._request = request
        self._settings = request.settings
        self._listener = listener
        self._stack = ExitStack()
        self._troubles: dict[str, Trouble] = {}
        self._skipped: list[str] = []
        self._costs: dict[str, list[tuple[Cost, Cost]]] = {}
        self._grown: dict[str, list[tuple[float, float]]] = {}
        self._trial = Trial({})
        self._first_block_at = 0.0
        self._stolen_s: float | None = None
        self._groups: dict[str, str] = {}
        self.modules: frozenset[str] = frozenset()
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
        self._ignored = git.ignored(self._where.toplevel) if request.head is None else []
        with ExitStack() as stack:
            waiting = turns.turn(self.project, lambda told: self._listener.stage(told, 1, None))
            self._remarks += stack.enter_context(waiting)
            self.begun, self._started = time.time(), time.monotonic()
            self._measuring_since = self._started
            arguments = (*settings.arguments, *request.arguments)
            self._arena = stack.enter_context(Arena(self._where, pinning, arguments, self._round_limit_s))
            self._stack = stack.pop_all()
        self._blocks = Blocks(self._arena, self._explain, self._listener.step)
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
            judged = self._try(selection)
            if not self._request.self_test and self._arena.is_same():
                return self._with_accepted(self._same(judged), selection)
            self._trial = Trial(
                {name: rules[name] for name in judged}, self._request.looks, to_the_end=self._request.to_the_end
            )
            self._judge(self._trial)
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
        block_s = self._blocks.seconds(list(self._blocks.paces))
        return noise.of(self._trial.findings(), self._rules, block_s, self._first_block_at)

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

    # what there is, and whether it runs

    def _select(self) -> Selection:
        """What each side collects by itself; then BASE gets HEAD's harness."""
        self._listener.stage("collecting", 1, None)
        with self._arena.pair(Wanted(own=True), Cpus()) as pair:
            own, head = self._blocks.collected(pair)
        self._listener.step()
        for _, text in (*head.errors, *own.errors):
            self._explain(text)
        selection = select(own, head)
        self._troubles |= selection.missing
        self._remarks += selection.remarks
        self._groups = selection.groups
        if not self._request.arguments:  # else they may fit what was not chosen
            idle = self._settings.idle(selection.names, selection.groups.values())
            self._remarks += [f"[tool.laptime.gate.{table}] fits no benchmark" for table in idle]
        self._dress(head)
        return selection

    def _dress(self, head: Collected) -> None:
        side, settings = self._arena.trees, self._settings
        root = side.project(side.head)
        if settings.harness is None:
            files = {PurePath(one["file"]) for one in head.benchmarks}
            inside = [path.relative_to(root).as_posix() for path in sorted(files) if path.is_relative_to(root)]
            names = trees.harness_paths(root, side.project(side.base), head.testpaths, inside)
        else:
            names = settings.harness
            for name in names:
                if not (root / name).exists():
                    raise GateError(f"[tool.laptime.gate] harness: {name!r} is not in {self.head}")
        self._harness = names
        side.dress(names)
        if not self._request.equipment.is_made:
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
        said = verdicts.last_line(message)
        if self._request.equipment.is_made:
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

    def _try(self, selection: Selection) -> list[str]:
        """Run everything once; what can be judged. Raises `GateError` unless each side runs its own code."""
        self._listener.stage("trying each benchmark", len(selection.common), None)
        tried = Tried()
        try:
            self._blocks.try_all(selection.common, selection.new, selection.marked, tried)
        finally:  # interrupted, it says what is known
            for name, outcome in tried.outcomes.items():
                self._settle(name, outcome)
            for name, (kind, message) in tried.alone.items():
                if kind == "failed":
                    self._troubles[name] = Trouble(BROKEN, f"HEAD: {message}")
                elif kind == "passed":
                    self._troubles[name] = Trouble(NEW, "not in BASE")
        if any(outcome.measured for outcome in tried.outcomes.values()):
            self._prove(tried)
        return [name for name in selection.common if name not in self._troubles and name not in self._skipped]

    def _prove(self, tried: Tried) -> None:
        side = self._arena.trees
        sides = ((BASE, side.base, side.head), (HEAD, side.head, side.base))
        for (label, tree, other), modules in zip(sides, tried.modules, strict=True):
            harness = [side.project(tree) / name for name in self._harness]
            found = tuple(map(Path, self._arena.roots(label, tree)))
            loaded = proof.Loaded(label, tree, found, modules, self._arena.environments[label].products)
            provided = trees.importable(found, harness)
            differs = self._request.equipment.differs
            wrong = proof.complaint(loaded, other, self._where.toplevel, harness, provided, differs=differs)
            if wrong:
                raise GateError(wrong)
        self.modules = frozenset(name for modules in tried.modules for name in modules)

    def _settle(self, name: str, outcome: Outcome) -> None:
        """Note what forbids to judge a benchmark."""
        for _, message in filter(None, (outcome.base, outcome.head)):
            self._explain(message)
        trouble = verdicts.trouble(outcome)
        if trouble is not None:
            self._troubles[name] = trouble
        elif outcome.measured is None:
            self._skipped.append(name)

    # blocks, until all is decided

    def _judge(self, trial: Trial) -> None:
        self._first_block_at = time.monotonic() - self._measuring_since
        self._stolen_s = machine.stolen_s()
        deadline = self._measuring_since + self._settings.max_time_s
        self._listener.plan(self._plan(list(trial.wanted())))
        announced: object = None
        while names := trial.wanted():
            if (trial.confirming, trial.look) != announced:
                announced = (trial.confirming, trial.look)
                self._announce(trial, names, self._share(trial, names, deadline))
            share = self._share(trial, names, deadline)
            if time.monotonic() + self._reserve(trial, names, share) > deadline:
                if trial.confirming:
                    trial.stop("there was no time left")
                else:
                    trial.hurry()
                continue
            # memory is sampled in a round of its own, once for each that is suspected
            memory = bool(trial.confirming) and trial.left() == CONFIRMATION
            self._add(trial, names, share=share, memory=memory)
            self._listener.step()

    def _share(self, trial: Trial, names: Sequence[str], deadline: float) -> float:
        """How much of each benchmark's rounds there is time for."""
        left_s = (deadline - time.monotonic()) / _SPARE
        if trial.confirming:
            return self._blocks.share(names, trial.left(), left_s)
        left_s -= self._confirmation_s(names)
        share = self._blocks.share(names, trial.ahead(), left_s)
        trial.crowded = trial.crowded or share == 0  # the least of each, then, and what time is left for the others
        return share

    def _reserve(self, trial: Trial, names: Sequence[str], share: float) -> float:
        """Seconds that must be left to go on: a suspicion that can't be confirmed in time is worth nothing."""
        block_s = self._blocks.seconds(names, share) * _SPARE
        confirms = trial.look is not None and trial.look.suspicion > 0
        return block_s if trial.confirming or not confirms else block_s + self._confirmation_s(names)

    def _confirmation_s(self, names: Sequence[str]) -> float:
        """Of one of them."""
        return CONFIRMATION * self._blocks.seconds(names[:1])

    def _announce(self, trial: Trial, names: Sequence[str], share: float) -> None:
        count, blocks = len(names), trial.left()
        what = f"{'confirming' if trial.confirming else 'screening'} {count} benchmark{'s' if count > 1 else ''}"
        self._listener.stage(what, blocks, blocks * self._blocks.seconds(names, share))

    def _add(self, trial: Trial, names: Sequence[str], *, share: float, memory: bool) -> None:
        values: dict[str, dict[str, float]] = {}
        for name, outcome in self._blocks.run(names, share=share, memory=memory).items():
            self._settle(name, outcome)
            if name in self._troubles or outcome.measured is None:
                trial.drop(name)
            else:
                values[name] = self._ratios(trial, name, outcome)
        trial.add(values)

    def _ratios(self, trial: Trial, name: str, outcome: Outcome) -> dict[str, float]:
        measured = outcome.measured
        assert measured is not None
        found = {metric: measured.ratio(metric) for metric in METRICS}
        if found[CPU] is None and (name, CPU) not in trial.unjudged:
            ticks = any(turn.ticks for turn in (*measured.base, *measured.head))
            trial.leave_out(name, CPU, _IN_TICKS if ticks else "it takes none")
        self._costs.setdefault(name, []).append(verdicts.cost(measured, self._blocks.paces[name]))
        grown = tuple(map(growth.within, (measured.base, measured.head)))
        if None not in grown:
            self._grown.setdefault(name, []).append(cast(tuple[float, float], grown))
        judged = (metric for metric in METRICS if (name, metric) not in trial.unjudged)
        return {metric: value for metric in judged if (value := found[metric]) is not None}

    # what is said

    def _plan(self, names: Sequence[str]) -> Plan:
        looks, multicore = self._request.looks, self._blocks.multicore
        fewest, most = looks[len(looks) // 2].blocks, looks[-1].blocks
        some = names[: max(1, len(names) // _OPEN)]
        likely_s = (
            self._first_block_at + fewest * self._blocks.seconds(names) + (most - fewest) * self._blocks.seconds(some)
        )
        first_s = looks[0].blocks * self._blocks.seconds(names, share=0.0)
        least_s = self._first_block_at + first_s + self._confirmation_s(names)
        if least_s > self._settings.max_time_s:
            self._remarks.append(
                f"{self._settings.max_time_s:.0f} s are too few to know anything: {looks[0].blocks} blocks of each, "
                f"and one confirmation, take about {least_s:.0f} s (--max-time)"
            )
        return Plan(
            base=str(self.base),
            head=str(self.head),
            single=tuple(name for name in names if name not in multicore),
            multi=tuple(name for name in names if name in multicore),
            fewest=fewest,
            most=most,
            more=CONFIRMATION if any(look.suspicion > 0 for look in looks) else 0,
            likely_s=min(self._settings.max_time_s, likely_s),
            at_most_s=self._settings.max_time_s,
            remarks=tuple(self._remarks),
        )

    def _same(self, names: Iterable[str]) -> Report:
        rows = [
            *(Row(name, None, one.verdict, note=one.note) for name, one in self._troubles.items()),
            *(Row(name, None, UNCHANGED, note=SAME_FILES) for name in names),
        ]
        return replace(self._report(Trial({}), interrupted=False), rows=tuple(verdicts.ordered(rows)), looked=True)

    def _report(self, trial: Trial, *, interrupted: bool) -> Report:
        costs = {name: verdicts.typical(found) for name, found in self._costs.items()}
        canaries = self._blocks.canaries
        return Report(
            base=str(self.base),
            head=str(self.head),
            rows=verdicts.rows(trial, self._troubles, costs, self._growing()),
            seconds=time.monotonic() - self._started,
            blocks=canaries.blocks - canaries.void,
            void=canaries.void,
            stopped=trial.stopped,
            interrupted=interrupted,
            looked=trial.looked,
            remarks=(*self._remarks, *self._disturbed()),
            skipped=tuple(self._skipped),
        )

    def _growing(self) -> dict[str, str]:
        """What is to be said of benchmarks whose state grows."""
        found = {name: growth.remark(*zip(*blocks, strict=True)) for name, blocks in self._grown.items()}
        return {name: said for name, said in found.items() if said is not None}

    def _disturbed(self) -> list[str]:
        """What a virtual machine's host took while blocks ran."""
        now_s = machine.stolen_s()
        if self._stolen_s is None or now_s is None:
            return []
        blocks_s = time.monotonic() - self._measuring_since - self._first_block_at
        return stolen(now_s - self._stolen_s, of_s=blocks_s * (os.cpu_count() or 1))


_IN_TICKS = "workers of a fork server ended in it, whose CPU time is known to 10 ms only"


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
