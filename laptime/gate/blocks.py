"""Blocks: what is wanted, once, on a fresh pair of sides; and the first try, which finds out how it all runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from laptime.gate._errors import GateError
from laptime.gate.decision.canary import Canaries
from laptime.gate.decision.pacing import Costs, shortened
from laptime.gate.decision.rounds import Outcome, Pace
from laptime.gate.sides.arena import Arena, Wanted
from laptime.gate.sides.cpus import Cpus
from laptime.gate.sides.pair import Collected, Pair
from laptime.gate.sides.side import BASE, HEAD, SideFailed

_TRIED_PAIRS = 3
_MULTICORE = 1.15
"""From so many CPU seconds a second on, a benchmark uses several CPUs; reading the clocks counts a little itself."""
_OPTIONS_OF = {"--benchmark-enable": "benchmark", "--no-history": "laptime"}
"""Of what a side's pytest is given: option -> the plugin that it is of."""

Outcomes = dict[str, Outcome]


@dataclass(slots=True)
class Tried:
    """What the first try told: what became of each, of those that HEAD alone has too, and each side's modules."""

    outcomes: Outcomes = field(default_factory=dict)
    alone: dict[str, tuple[str, str]] = field(default_factory=dict)
    modules: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})


class Blocks:
    """Runs blocks, and knows how long they take.

    paces      benchmark -> how its rounds are run
    multicore  those that run on several CPUs
    """

    def __init__(self, arena: Arena, explain: Callable[[str], None], step: Callable[[], object]) -> None:
        """`explain` may raise a better error for the message of a failure; `step`: one benchmark was tried."""
        self._arena = arena
        self._explain = explain
        self._step = step
        self._costs = Costs()
        self.canaries = Canaries()
        self.paces: dict[str, Pace] = {}
        self.multicore: set[str] = set()

    # the first try

    def try_all(self, names: Sequence[str], alone: Sequence[str], marked: Mapping[str, bool], found: Tried) -> None:
        """Run everything once, on all CPUs; what is `found` grows meanwhile. Raises `GateError` if nothing can run."""
        cpus = self._arena.cpus(multicore=True)
        outcomes, ended = found.outcomes, found.alone
        self._arena.toss()
        while True:
            started = time.monotonic()
            left = [name for name in names if name not in outcomes]
            new = [name for name in alone if name not in ended]
            with self._pair(Wanted(tuple(left), (*left, *new)), cpus) as pair:
                if self._lack(pair, left, outcomes):
                    continue
                pair.begin()
                self._costs.start_s = time.monotonic() - started
                if self._play(pair, left, outcomes, pairs=_TRIED_PAIRS) is None and self._run_alone(pair, new, ended):
                    found.modules = pair.done()
                    pair.quit()
                    break
        for name, outcome in outcomes.items():
            if marked.get(name, outcome.measured is not None and outcome.measured.parallelism > _MULTICORE):
                self.multicore.add(name)

    def _run_alone(self, pair: Pair, names: Sequence[str], ended: dict[str, tuple[str, str]]) -> bool:
        """What HEAD alone has is run, one round; False where one ended its process or hung."""
        for name in names:
            try:
                ended[name] = pair.alone(name)
            except SideFailed as error:
                ended[name] = ("failed", error.why)
                return False
        return True

    # blocks

    def run(self, names: Sequence[str], *, share: float = 1.0, memory: bool) -> Outcomes:
        """A block of each kind. What its canary voids is left out. Raises `GateError` where too many are void.

        share  of each benchmark's rounds
        """
        found: Outcomes = {}
        for multicore in (False, True):
            chosen = [name for name in names if (name in self.multicore) == multicore]
            if chosen:
                found |= self._block(chosen, share, multicore=multicore, memory=memory)
        return found

    def _block(self, names: Sequence[str], share: float, *, multicore: bool, memory: bool) -> Outcomes:
        """A benchmark that ends its process, or hangs, is broken; the others are run in fresh processes."""
        cpus = self._arena.cpus(multicore=multicore)
        outcomes: Outcomes = {}
        canaries: list[float] = []
        self._arena.toss()
        started, rest_s = time.monotonic(), 0.0
        while left := [name for name in names if name not in outcomes]:
            with self._pair(Wanted(tuple(left), tuple(left)), cpus) as pair:
                if self._lack(pair, left, outcomes):
                    continue
                canaries.append(pair.canary(cpus.canary))
                pair.begin()
                begun = time.monotonic()
                ended = self._play(pair, left, outcomes, share=share, memory=memory)
                rest_s += time.monotonic() - begun
                if ended is None:
                    pair.done()
                    canaries.append(pair.canary(cpus.canary))
                    pair.quit()
        self._costs.learn(time.monotonic() - started - rest_s, rest_s, self._paces(names, share))
        if not self.canaries.is_void(*canaries):
            return outcomes
        if self.canaries.are_too_many:
            raise GateError(
                f"{self.canaries.void} of {self.canaries.blocks} blocks are void: work that is the same on both sides "
                "was not. This machine is not fit to measure on now; run again when less else runs on it"
            )
        return {}

    @contextmanager
    def _pair(self, wanted: Wanted, cpus: Cpus) -> Iterator[Pair]:
        try:
            with self._arena.pair(wanted, cpus) as pair:
                yield pair
        except SideFailed as error:
            raise GateError(f"a side failed while no benchmark was at work: {error}") from error

    def _lack(self, pair: Pair, names: Sequence[str], outcomes: Outcomes) -> bool:
        """Whether a side lacks any, of which it is noted why: BASE's code may not bear HEAD's harness.

        The other side has them, and would run them: such a pair is of no use. Raises `GateError` where BASE has none.
        """
        lacking: Outcomes = {}
        for label, found in zip((BASE, HEAD), self.collected(pair), strict=True):
            there = {one["name"] for one in found.benchmarks}
            for name in names:
                if name not in there and name not in lacking:
                    text = _why_absent(name, found)
                    self._explain(text)
                    lacking[name] = _failed(label, f"can't be collected with HEAD's harness: {text}")
        failed = [one.base[1] for one in lacking.values() if one.base is not None and one.base[0] == "failed"]
        if names and not outcomes and len(failed) == len(names):
            raise GateError(f"BASE can't be measured with HEAD's benchmarks: {failed[0]}")
        outcomes |= lacking
        return bool(lacking)

    def collected(self, pair: Pair) -> tuple[Collected, Collected]:
        """What both sides found. Raises `GateError`."""
        try:
            return pair.collected()
        except SideFailed as error:
            self._explain(str(error))
            raise GateError(f"pytest can't collect the benchmarks of {error}{_remedy(str(error))}") from error

    def _play(
        self,
        pair: Pair,
        names: Sequence[str],
        outcomes: Outcomes,
        *,
        share: float = 1.0,
        pairs: int | None = None,
        memory: bool = False,
    ) -> str | None:
        """Each benchmark in turn; the one that ended its process or hung, None where none did."""
        for name in names:
            try:
                known = self.paces.get(name)
                wanted = None if known is None else shortened(known, share)
                outcome, pace = pair.run(name, wanted, pairs=pairs, memory=memory)
            except SideFailed as error:
                outcomes[name] = _failed(error.label, error.why)
                return name
            outcomes[name] = outcome
            if outcome.measured is not None:
                self.paces.setdefault(name, pace)
                turns = outcome.measured.base + outcome.measured.head
                self._costs.round_s[name] = sum(turn.wall for turn in turns) / len(turns)
            if pairs is not None:
                self._step()
        return None

    # how long it takes

    def seconds(self, names: Sequence[str], share: float = 1.0) -> float:
        """How long a block of these takes, by what was seen so far."""
        return self._costs.block(self._paces(names, share), self._kinds(names))

    def share(self, names: Sequence[str], blocks: int, available_s: float) -> float:
        """How much of each benchmark's rounds there is time for; see `laptime.gate.decision.pacing.Costs.share`."""
        return self._costs.share(self._paces(names), self._kinds(names), blocks, available_s)

    def _kinds(self, names: Sequence[str]) -> int:
        return len({name in self.multicore for name in names})

    def _paces(self, names: Sequence[str], share: float = 1.0) -> list[tuple[str, Pace]]:
        return [(name, shortened(self.paces[name], share)) for name in names if name in self.paces]


def _failed(label: str, why: str) -> Outcome:
    told, passed = ("failed", why), ("passed", "")
    return Outcome(base=told, head=passed) if label == BASE else Outcome(base=passed, head=told)


def _remedy(said: str) -> str:
    """Where pytest does not know an option that the gate gives it: a plugin that is switched off there."""
    off = [plugin for option, plugin in _OPTIONS_OF.items() if re.search(rf"unrecognized arguments:.*{option}", said)]
    if not off:
        return ""
    return (
        f"\n{' and '.join(off)} can't be switched off (`-p no:…`, PYTEST_DISABLE_PLUGIN_AUTOLOAD): "
        f"add `-- {' '.join(f'-p {plugin}' for plugin in off)}`"
    )


def _why_absent(name: str, found: Collected) -> str:
    file = name.partition("::")[0]
    text = next((text for where, text in found.errors if where == file), None)
    return text or "\n".join(text for _, text in found.errors) or "it is not collected with HEAD's harness"
