"""One gate from start to end: trees, collections, a probe, blocks until all is decided, a report.

    with Session(request, listener) as session:
        report = session.run()

Whatever happens, no process, directory or server is left.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from random import Random
from typing import Any, Protocol, Self

from laptime import git, project
from laptime.gate import noise, proof, trees, verdicts
from laptime.gate._errors import GateError
from laptime.gate.canary import Canaries
from laptime.gate.channel import Assignment
from laptime.gate.cpus import AUTO, Cpus, Pinning, keep_off
from laptime.gate.imports import roots
from laptime.gate.noise import Noise
from laptime.gate.pair import Collected, Outcome, Pace, Pair
from laptime.gate.reaper import Reaper
from laptime.gate.settings import Settings
from laptime.gate.side import BASE, HEAD, Side, SideFailed
from laptime.gate.trees import Revision, Trees
from laptime.gate.trial import (
    BROKEN,
    CONFIRMATION,
    CPU,
    LOOKS,
    METRICS,
    MISSING,
    NEW,
    UNCHANGED,
    Look,
    Trial,
)
from laptime.gate.verdicts import Cost, Report, Row, Trouble
from laptime.replay import ReplayDied, ReplayServer

Set = tuple[int, ...] | None

_PROBE_PAIRS = 3
_MULTICORE = 1.15
"""From so many CPU seconds a second on, a benchmark uses more than one CPU."""
_SPARE = 1.25
"""A block may take so many times as long as expected."""
_ALWAYS = (
    "-p",
    "no:cacheprovider",
    "--benchmark-enable",
    "--no-history",
    "--continue-on-collection-errors",
    "--maxfail=0",
    "--color=no",
    "-q",
)
SAME_FILES = "the same files on both sides: nothing under test differs"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    directory  where: inside the project
    base, head names of revisions; `head` None: the working tree
    arguments  for pytest
    pin        see `laptime.gate.cpus.Pinning`
    self_test  HEAD against itself
    to_the_end judge everything, rather than stop when the first regression is certain
    looks      at how many blocks what is looked for
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be done: names by how they run, how many blocks at least and at most, and seconds."""

    base: str
    head: str
    single: tuple[str, ...]
    multi: tuple[str, ...]
    fewest: int
    most: int
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

    def say(self, line: str) -> None:
        """Something worth a line."""


class Session:
    """See the module. `begun` is when, in seconds since 1970."""

    def __init__(self, request: Request, listener: Listener, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._request = request
        self._settings = request.settings
        self._listener = listener
        self._clock = clock
        self._stack = ExitStack()
        self._random = Random()
        self._pinning = Pinning(request.pin)
        self._canaries = Canaries()
        self._paces: dict[str, Pace] = {}
        self._multicore: set[str] = set()
        self._costs: dict[str, list[tuple[Cost, Cost]]] = {}
        self._troubles: dict[str, Trouble] = {}
        self._skipped: list[str] = []
        self._remarks: list[str] = list(self._pinning.remarks())
        self._block_s: dict[str, float] = {}
        self._pair_s = 3.0
        self._before_s = 0.0
        self._trial = Trial({})
        self._server: ReplayServer | None = None
        self.modules: frozenset[str] = frozenset()
        """What both sides have loaded, once they have run."""

    def __enter__(self) -> Self:
        self.begun = time.time()
        self._started = self._clock()
        affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        if affinity is not None:
            self._stack.callback(os.sched_setaffinity, 0, affinity)
        try:
            self._prepare()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _prepare(self) -> None:
        request = self._request
        directory = request.directory
        self._where = trees.place(directory, project.find(directory).root)
        toplevel = self._where.toplevel
        self.head = trees.head_revision(toplevel, request.head)
        self.base = self.head if request.self_test else trees.base_revision(toplevel, request.base)
        if not request.self_test and self.base.commit.id == self.head.commit.id and not self.head.commit.dirty:
            untracked = [] if request.head else self._untracked()
            if not untracked:
                raise GateError(
                    f"{self.base} and {self.head} are the same: there is nothing to compare. "
                    "`laptime gate --self-test` measures how noisy this machine is"
                )
        root = Path(tempfile.mkdtemp(prefix="laptime-gate-")).resolve()
        self._reaper = Reaper(root)
        self._stack.callback(self._reaper.close)
        self._log = root / "log"
        self._log.mkdir()
        self._trees = Trees(root, self._where)
        self._listener.stage("writing both sides' files", 1, None)
        self._trees.fill(self.base, self.head)
        self._listener.step()
        self._ignored = git.ignored(toplevel) if request.head is None else []

    @property
    def project(self) -> Path:
        """The project's root, in the working tree."""
        return self._where.toplevel / self._where.project

    def _untracked(self) -> list[str]:
        toplevel = self._where.toplevel
        assert self.head.commit.id is not None
        return sorted(set(trees.files(toplevel)) - set(git.tracked(toplevel, self.head.commit.id)))

    # the parts, in order

    def run(self) -> Report:
        """All of it. Raises `GateError` where nothing can be decided; Ctrl-C ends it with what is known."""
        common, new = self._select()
        trial = Trial({})
        interrupted = False
        try:
            self._probe(common, new)
            judged = [name for name in common if name not in self._troubles and name not in self._skipped]
            trial = Trial(
                {name: self._settings.of(name) for name in judged},
                self._request.looks,
                to_the_end=self._request.to_the_end,
            )
            self._trial, self._before_s = trial, self._clock() - self._started
            if self._trees.is_same() and not self._request.self_test:
                return self._same(judged)
            self._judge(trial)
        except KeyboardInterrupt:
            interrupted = True
            trial.stop("interrupted")
        return self._report(trial, interrupted=interrupted)

    def _select(self) -> tuple[list[str], list[str]]:
        """The benchmarks of both sides, and those of HEAD alone; what is missing is noted."""
        self._listener.stage("collecting", 1, None)
        with self._pair(None, None, Cpus(), own=True) as pair:
            own, head = self._collected(pair)
        self._listener.step()
        self._refuse(head, own)
        if not head.benchmarks and not own.benchmarks:
            found = "\n".join(text for _, text in head.errors)
            raise GateError(
                "no benchmarks: pytest finds no test that uses the `benchmark` fixture (or `lap`)"
                + (f"\n{found}" if found else " with these settings and arguments")
            )
        there, before = [one["name"] for one in head.benchmarks], [one["name"] for one in own.benchmarks]
        self._multicore = {one["name"] for one in head.benchmarks if one["multicore"]}
        self._single = {one["name"] for one in head.benchmarks if one["multicore"] is False}
        common = [name for name in there if name in set(before)]
        for name in before:
            if name not in set(there):
                self._troubles[name] = _gone(name, head.errors)
        for where, text in own.errors:
            self._remarks.append(f"BASE's own {where} can't be collected ({_last(text)}): what it had is not known")
        if not common:
            raise GateError(
                f"nothing in common: none of the {len(before)} benchmarks of {self.base} is among the {len(there)} of "
                f"{self.head}"
            )
        self._dress(head)
        return common, [name for name in there if name not in set(before)]

    def _refuse(self, *found: Collected) -> None:
        conflicts = dict.fromkeys(conflict for one in found for conflict in one.conflicts)
        if conflicts:
            raise GateError("this suite can't run in lockstep as it is set up:\n" + "\n".join(conflicts))

    def _dress(self, head: Collected) -> None:
        """Give BASE the harness of HEAD."""
        where, settings = self._trees, self._settings
        root = where.project(where.head)
        files = {PurePath(one["file"]) for one in head.benchmarks}
        inside = [path.relative_to(root).as_posix() for path in sorted(files) if path.is_relative_to(root)]
        if settings.harness is not None:
            absent = [name for name in settings.harness if not (root / name).exists()]
            if absent:
                raise GateError(f"[tool.laptime.gate] harness: {absent[0]!r} is not in {self.head}")
            names: tuple[str, ...] = settings.harness
        else:
            names = trees.harness_paths(root, where.project(where.base), head.testpaths, inside)
        self._harness = names
        where.dress(names)
        directories = {
            PurePath(name).parent.as_posix()
            for name in git.files(self._where.toplevel)
            if name.endswith(".py") and not self._is_harness(PurePath(name))
        }
        products = proof.compiled(self._ignored, directories)
        if products:
            raise GateError(
                f"{_some(products)}: git ignores what was built there, so neither side has it, and would run other "
                "code than you do. Remove it, or measure where the code runs without it"
            )

    def _is_harness(self, path: PurePath) -> bool:
        return any(path.is_relative_to(PurePath(self._where.project) / name) for name in self._harness)

    def _probe(self, common: Sequence[str], new: Sequence[str]) -> None:
        """Run everything once: what is broken, how long rounds take, what uses several CPUs; and whose code runs."""
        self._listener.stage("trying each benchmark", len(common), None)
        cpus = self._pinning.choose(self._random, multicore=True)
        started = self._clock()
        outcomes = self._block(common, cpus, multicore=None, alone=new)
        for name in common:
            self._settle(name, outcomes[name])
            measured = outcomes[name].measured
            if measured is not None and name not in self._single and measured.parallelism > _MULTICORE:
                self._multicore.add(name)
        played = sum(self._round_s(name) * 2 * _PROBE_PAIRS for name in common)
        self._pair_s = max(1.0, min(self._pair_s, self._clock() - started - played))

    def _round_s(self, name: str) -> float:
        return self._block_s.get(name, 0.0)

    def _settle(self, name: str, outcome: Outcome) -> None:
        """Note what forbids to judge a benchmark."""
        base, head = outcome.base or ("failed", "did not run"), outcome.head or ("failed", "did not run")
        for label, (kind, message) in ((BASE, base), (HEAD, head)):
            if kind == "failed":
                self._explain(message)
                self._troubles[name] = Trouble(BROKEN, f"{label}: {message}")
                return
        if base[0] == head[0] == "skipped":
            self._skipped.append(name)
        elif head[0] == "skipped":
            self._troubles[name] = Trouble(MISSING, f"HEAD skips it: {_last(head[1])}")
        elif base[0] == "skipped":
            self._troubles[name] = Trouble(NEW, f"BASE skips it: {_last(base[1])}")
        elif outcome.measured is None:
            self._troubles[name] = Trouble(
                BROKEN, "it does not call its `benchmark` fixture, so there is nothing to time"
            )

    def _explain(self, message: str) -> None:
        """What was built and is ignored by git may be all that is lacking."""
        found = proof.lacking(message, self._ignored)
        if found:
            raise GateError(
                f"{_last(message)}: your working tree has {_some(found)}, which git ignores, so neither side has it. "
                "Have it tracked, or written when the tests are collected"
            )

    def _judge(self, trial: Trial) -> None:
        """Blocks, until all is decided or the time is over."""
        plan = self._plan(list(trial.wanted()))
        self._listener.plan(plan)
        deadline = self._started + self._settings.max_time_s
        stage: object = None
        while names := trial.wanted():
            confirming = trial.confirming
            if (confirming, trial.look) != stage:
                stage = (confirming, trial.look)
                self._announce(trial, names)
            reserve = self._seconds(names) * _SPARE
            if not confirming:  # a suspicion that can't be confirmed in time is worth nothing
                reserve += CONFIRMATION * self._seconds(names[:1])
            if self._clock() + reserve > deadline:
                if confirming:
                    trial.stop("there was no time left")
                else:
                    trial.hurry()
                continue
            first = confirming and trial.left() == CONFIRMATION
            self._add_block(trial, names, memory=bool(first))
            self._listener.step()

    def _announce(self, trial: Trial, names: Sequence[str]) -> None:
        count = len(names)
        blocks = trial.left()
        what = f"confirming {count}" if trial.confirming else f"screening {count}"
        self._listener.stage(f"{what} benchmark{'s' if count > 1 else ''}", blocks, blocks * self._seconds(names))

    def _add_block(self, trial: Trial, names: Sequence[str], *, memory: bool) -> None:
        """One block of each kind; what its canary voids is not added, and so is asked for again."""
        for multicore in (False, True):
            chosen = [name for name in names if (name in self._multicore) == multicore]
            if not chosen:
                continue
            cpus = self._pinning.choose(self._random, multicore=multicore)
            started = self._clock()
            outcomes = self._block(chosen, cpus, multicore=multicore, memory=memory)
            if outcomes is None:
                continue
            values: dict[str, dict[str, float]] = {}
            for name, outcome in outcomes.items():
                self._settle(name, outcome)
                if name in self._troubles or outcome.measured is None:
                    trial.drop(name)
                else:
                    values[name] = self._ratios(trial, name, outcome)
            trial.add(values)
            spent = self._clock() - started - sum(self._round_s(name) * self._pairs(name) * 2 for name in chosen)
            self._pair_s += 0.3 * (max(0.5, spent) - self._pair_s)

    def _ratios(self, trial: Trial, name: str, outcome: Outcome) -> dict[str, float]:
        measured = outcome.measured
        assert measured is not None
        found = {metric: measured.ratio(metric) for metric in METRICS}
        if found[CPU] is None and (name, CPU) not in trial.unjudged:
            ticks = any(turn.ticks for turn in (*measured.base, *measured.head))
            why = (
                "a fork server's workers ended in it, and their CPU time is known to 10 ms only"
                if ticks
                else "it takes none"
            )
            trial.leave_out(name, CPU, why)
        self._costs.setdefault(name, []).append(verdicts.cost(measured, self._paces[name]))
        return {
            metric: value
            for metric, value in found.items()
            if value is not None and (name, metric) not in trial.unjudged
        }

    # one block

    def _block(
        self,
        names: Sequence[str],
        cpus: Cpus,
        *,
        multicore: bool | None,
        memory: bool = False,
        alone: Sequence[str] = (),
    ) -> Any:
        """The outcome of each; None where the canary voids it. `multicore` None: the probe, which has no canary.

        A benchmark that ends its process, or hangs, is broken; the others are run in fresh processes.
        """
        outcomes: dict[str, Outcome] = {}
        left = list(names)
        self._trees.place(base_first=self._random.random() < 0.5)
        values: list[float] = []
        while True:
            with self._pair(tuple(left), (*left, *alone), cpus) as pair:
                base, head = self._collected(pair)
                self._absent(left, base, head, outcomes)
                left = [name for name in left if name not in outcomes]
                values += self._canary(pair, multicore)
                pair.begin()
                hit = self._play(pair, left, outcomes, probing=multicore is None, memory=memory)
                if hit is None:
                    if multicore is None:
                        self._run_alone(pair, alone)
                        self._prove(*pair.done())
                    else:
                        pair.done()
                        values += self._canary(pair, multicore)
                    pair.quit()
            left = [name for name in left if name not in outcomes]
            if hit is None or not left:
                break
        if multicore is not None and values and self._canaries.is_void(*values, multicore=multicore):
            if self._canaries.are_too_many:
                raise GateError(
                    f"{self._canaries.void} of {self._canaries.blocks} blocks are void: work that is the same on both "
                    "sides was not. This machine is not fit to measure on now; run again when less else runs on it"
                )
            return None
        return outcomes

    def _canary(self, pair: Pair, multicore: bool | None) -> list[float]:
        return [] if multicore is None else [pair.canary()]

    def _play(
        self, pair: Pair, names: Sequence[str], outcomes: dict[str, Outcome], *, probing: bool, memory: bool
    ) -> str | None:
        """Each benchmark in turn; the name of the one that ended its process or hung, None where none did."""
        for name in names:
            try:
                outcome, pace = pair.run(
                    name, self._paces.get(name), pairs=_PROBE_PAIRS if probing else None, memory=memory
                )
            except SideFailed as error:
                told, passed = ("failed", error.why), ("passed", "")
                outcomes[name] = (
                    Outcome(base=told, head=passed) if error.label == BASE else Outcome(base=passed, head=told)
                )
                return name
            outcomes[name] = outcome
            if outcome.measured is not None:
                self._paces.setdefault(name, pace)
                turns = outcome.measured.base + outcome.measured.head
                self._block_s[name] = sum(turn.wall for turn in turns) / len(turns)
            if probing:
                self._listener.step()
        return None

    def _run_alone(self, pair: Pair, names: Sequence[str]) -> None:
        """What HEAD alone has is run, and not judged."""
        for name in names:
            outcome = pair.alone(name)
            if outcome[0] == "failed":
                self._troubles[name] = Trouble(BROKEN, f"HEAD: {outcome[1]}")
            elif outcome[0] == "passed":
                self._troubles[name] = Trouble(NEW, "not in BASE")

    def _absent(self, names: Sequence[str], base: Collected, head: Collected, outcomes: dict[str, Outcome]) -> None:
        """What a side can't collect any more: BASE's code may not bear HEAD's harness."""
        for label, found in ((BASE, base), (HEAD, head)):
            there = {one["name"] for one in found.benchmarks}
            for name in names:
                if name in there or name in outcomes:
                    continue
                file = name.partition("::")[0]
                text = next((text for where, text in found.errors if where == file), None)
                text = text or "\n".join(text for _, text in found.errors) or "it is not collected with HEAD's harness"
                self._explain(text)
                told = ("failed", f"can't be collected with HEAD's harness: {text}")
                passed = ("passed", "")
                outcomes[name] = Outcome(base=told, head=passed) if label == BASE else Outcome(base=passed, head=told)
        failed = [one.base for one in outcomes.values() if one.base is not None and one.base[0] == "failed"]
        if names and len(failed) == len(names):
            raise GateError(f"{self.base} can't be measured with HEAD's benchmarks: {failed[0][1]}")

    @contextmanager
    def _pair(
        self, base: tuple[str, ...] | None, head: tuple[str, ...] | None, cpus: Cpus, *, own: bool = False
    ) -> Iterator[Pair]:
        """Both sides, started; `own`: BASE with its own harness. They are ended however it is left."""
        seed = self._random.randrange(2**32)
        keep_off(cpus, [os.getpid(), *([self._server.pid] if self._server else [])])
        with ExitStack() as stack:
            wanted = [(BASE, self._trees.own if own else self._trees.base, base), (HEAD, self._trees.head, head)]
            self._random.shuffle(wanted)
            sides: dict[str, Side] = {}
            for (label, tree, names), at_first in zip(wanted, cpus.starts, strict=True):
                sides[label] = self._side(label, tree, names, (cpus.sides, at_first), seed)
                stack.callback(sides[label].kill)
            begins = wanted[0][0] == BASE
            yield Pair(sides[BASE], sides[HEAD], self._ask, self._settings.round_limit_s, base_begins=begins)

    def _side(self, label: str, tree: Path, names: tuple[str, ...] | None, cpus: tuple[Set, Set], seed: int) -> Side:
        where = self._trees
        arguments = (*_ALWAYS, f"--rootdir={where.project(tree)}", *self._settings.arguments, *self._request.arguments)
        assignment = Assignment(
            fd=-1,
            cpus=cpus[0],
            at_first=cpus[1],
            arguments=tuple(self._inside(tree, one) for one in arguments),
            roots=roots(self._where, tree),
            benchmarks=names,
        )
        log = self._log / label
        log.write_bytes(b"")
        return Side(label, where.called(tree), assignment, log, seed, self._reaper)

    def _inside(self, tree: Path, argument: str) -> str:
        """A path into the working tree is meant in each side's own."""
        path = Path(argument.partition("::")[0])
        if path.is_absolute() and path.is_relative_to(self._where.toplevel):
            return str(tree) + argument.removeprefix(str(self._where.toplevel))
        return argument

    def _collected(self, pair: Pair) -> tuple[Collected, Collected]:
        try:
            return pair.collected()
        except SideFailed as error:
            self._explain(str(error))
            raise GateError(f"pytest can't collect the benchmarks: {error}") from error

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        if self._server is None:
            self._server = self._stack.enter_context(ReplayServer())
        try:
            return self._server.exchange(command)
        except ReplayDied as error:
            raise GateError(str(error)) from error

    def _prove(self, base: Mapping[str, str], head: Mapping[str, str]) -> None:
        """Raise `GateError` unless each side runs its own code."""
        where = self._trees
        for label, tree, other, modules in (
            (BASE, where.base, where.head, base),
            (HEAD, where.head, where.base, head),
        ):
            harness = [where.project(tree) / name for name in self._harness]
            found = [PurePath(root) for root in roots(self._where, tree)]
            side = proof.Loaded(label, tree, tuple(found), modules)
            provided = _top_level(found, harness)
            wrong = proof.complaint(side, other, self._where.toplevel, harness, provided)
            if wrong:
                raise GateError(wrong)
        self.modules = frozenset((*base, *head))

    # how long, and what came of it

    def _pairs(self, name: str) -> int:
        return self._paces[name].pairs if name in self._paces else 0

    def _seconds(self, names: Sequence[str]) -> float:
        """A block of these."""
        kinds = len({name in self._multicore for name in names})
        return kinds * self._pair_s + sum(self._round_s(name) * self._pairs(name) * 2.1 for name in names)

    def _plan(self, names: Sequence[str]) -> Plan:
        looks = self._request.looks
        fewest, most = looks[len(looks) // 2].blocks, looks[-1].blocks
        block_s = self._seconds(names)
        spent = self._clock() - self._started
        return Plan(
            base=str(self.base),
            head=str(self.head),
            single=tuple(name for name in names if name not in self._multicore),
            multi=tuple(name for name in names if name in self._multicore),
            fewest=fewest,
            most=most,
            likely_s=min(self._settings.max_time_s, spent + fewest * block_s),
            at_most_s=self._settings.max_time_s,
            remarks=tuple(self._remarks),
        )

    def noise(self) -> list[Noise]:
        """After a self-test: how noisy each benchmark is here."""
        return noise.of(self._trial.findings(), self._settings.of, self._seconds(list(self._paces)), self._before_s)

    def _same(self, names: Iterable[str]) -> Report:
        troubles = [Row(name, None, one.verdict, note=one.note) for name, one in self._troubles.items()]
        rows = [Row(name, None, UNCHANGED, note=SAME_FILES) for name in names]
        return replace(
            self._report(Trial({}), interrupted=False), rows=tuple(verdicts.ordered([*troubles, *rows])), looked=True
        )

    def _report(self, trial: Trial, *, interrupted: bool) -> Report:
        costs = {name: verdicts.typical(found) for name, found in self._costs.items()}
        found = verdicts.rows(trial, self._troubles, costs)
        return Report(
            base=str(self.base),
            head=str(self.head),
            rows=found,
            seconds=self._clock() - self._started,
            blocks=self._canaries.blocks - self._canaries.void,
            void=self._canaries.void,
            stopped=trial.stopped,
            interrupted=interrupted,
            looked=trial.looked,
            remarks=tuple(self._remarks),
            skipped=tuple(self._skipped),
        )


def _gone(name: str, errors: Sequence[tuple[str, str]]) -> Trouble:
    file = name.partition("::")[0]
    for where, text in errors:
        if where == file:
            return Trouble(BROKEN, f"HEAD: {file} can't be collected: {text}")
    return Trouble(MISSING, "not in HEAD")


def _top_level(found: Sequence[PurePath], harness: Sequence[PurePath]) -> set[str]:
    """What can be imported from these directories, packages and modules, less the harness."""
    names = set()
    for root in map(Path, found):
        for path in root.iterdir() if root.is_dir() else ():
            if path not in harness and (path.suffix == ".py" or (path / "__init__.py").is_file()):
                names.add(path.stem)
    return names


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("E").strip() if lines else "no reason given"


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


__all__ = ["Listener", "Plan", "Request", "Revision", "Session"]
