"""What the tests of the gate's trial share: benchmarks that are slower by so much, and trials fed with their blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log1p

from laptime.gate.decision.trial import CPU, LOOKS, WALL, Finding, Look, Rules, Trial

FIRST, SECOND, THIRD = (look.blocks for look in LOOKS)
Give = Callable[[str, int], Mapping[str, float]]
"""(benchmark, number of its block, screening or not) -> metric -> log ratio."""


def ripple(number: int) -> float:
    """Small, of both signs, no two alike."""
    return (1 if number % 2 == 0 else -1) * (0.001 + 0.00001 * number)


def same(effect: float = 0.0, noise: float = 1.0) -> Give:
    """A benchmark whose wall and CPU time are both slower by so much."""
    return lambda _, number: dict.fromkeys((WALL, CPU), log1p(effect) + noise * ripple(number))


class Play:
    """A trial that is fed; `count` is how many blocks each benchmark has had."""

    def __init__(self, trial: Trial, gives: Mapping[str, Give]) -> None:
        self.trial, self.gives = trial, gives
        self.count = dict.fromkeys(gives, 0)
        self.rounds = 0

    def step(self) -> tuple[str, ...]:
        """One block of what is wanted."""
        names = self.trial.wanted()
        self.trial.add({name: self.gives[name](name, self.count[name]) for name in names})
        for name in names:
            self.count[name] += 1
        self.rounds += bool(names)
        assert self.rounds < 1000, "never ends"
        return names

    def until(self, done: Callable[[], object]) -> Play:
        """Blocks until that is so, or the end."""
        while not done() and self.step():
            pass
        return self

    def to_the_end(self) -> dict[tuple[str, str], Finding]:
        """All blocks; (benchmark, metric) -> what was found."""
        self.until(lambda: False)
        return self.found()

    def found(self) -> dict[tuple[str, str], Finding]:
        """(benchmark, metric) -> what was found."""
        return {(one.benchmark, one.metric): one for one in self.trial.findings()}

    def words(self) -> dict[tuple[str, str], str]:
        """(benchmark, metric) -> the verdict."""
        return {key: one.verdict for key, one in self.found().items()}


def play(gives: Mapping[str, Give], *, to_the_end: bool = False, looks: Sequence[Look] = LOOKS, **rules: Rules) -> Play:
    """A trial of benchmarks that give such blocks."""
    return Play(Trial({name: rules.get(name, Rules()) for name in gives}, looks, to_the_end=to_the_end), gives)


def wild(_: str, number: int) -> dict[str, float]:
    """No effect in such noise that nothing settles, and nothing is suspected."""
    value = (-1) ** number * (0.2 + 0.001 * number)
    return {WALL: value, CPU: value}
