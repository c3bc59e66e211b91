"""pytest-benchmark's fixture, its rounds driven from outside: the test is unchanged, the gate says when it runs."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from laptime.measure import Meter


class Timed:
    """What some rounds cost, summed: seconds of wall and CPU time, of the latter those known in ticks, and switches."""

    def __init__(self) -> None:
        self.wall_s, self.cpu_s, self.in_ticks_s, self.switches = 0.0, 0.0, 0.0, 0


class Turns(Protocol):
    """Who says when a round runs."""

    def play(self, test: str, turn: Callable[[int, int], Timed], *, iterations: int | None) -> None:
        """Have ``turn(iterations, repeats)`` called as often as wanted.

        iterations  that the test asks for, which may not be changed; None where the gate chooses
        """


def make(turns: Turns) -> type[Any]:
    """A class to put in the place of pytest-benchmark's."""
    module: Any = importlib.import_module("pytest_benchmark.fixture")
    pause = module.PauseInstrumentation
    meter = Meter(switches=False)
    clock = time.perf_counter  # no module's attribute: a test that freezes time replaces those

    def timed(total: Timed, runner: Callable[..., Any], loops: range | None) -> Any:
        __tracebackhide__ = True
        with pause():
            before = meter.before()
            found = runner(loops, clock)
            after = meter.after()
        duration, result = found if loops is None else (found, None)
        total.wall_s += duration
        total.cpu_s += after.cpu_s - before.cpu_s
        total.in_ticks_s += after.in_ticks_s - before.in_ticks_s
        total.switches += after.switches - before.switches
        return result

    def collected(play: Callable[[], None]) -> None:
        __tracebackhide__ = True
        # what there is by now is not looked at again: a collection before each turn then takes microseconds
        gc.collect()
        gc.freeze()
        try:
            play()
        finally:
            gc.unfreeze()

    class LockstepFixture(module.BenchmarkFixture):  # type: ignore[misc]
        """Keeps what the original offers: its modes, arguments, errors, and `stats`."""

        def _raw(self, function_to_benchmark: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            runner = self._make_runner(function_to_benchmark, args, kwargs)

            def once(total: Timed, iterations: int) -> None:
                __tracebackhide__ = True
                timed(total, runner, range(iterations))

            self._play(once, None)
            return function_to_benchmark(*args, **kwargs)

        def _play(self, once: Callable[[Timed, int], None], iterations: int | None) -> None:
            """Have rounds of ``once(total, iterations)`` run as the gate says; see `Turns.play` for `iterations`."""
            __tracebackhide__ = True
            stats = self._make_stats(1)

            def turn(iterations: int, repeats: int) -> Timed:
                __tracebackhide__ = True
                total = Timed()
                gc.collect()
                for _ in range(repeats):
                    once(total, iterations)
                stats.update(total.wall_s / iterations / repeats)
                return total

            collected(lambda: turns.play(self.fullname, turn, iterations=iterations))
            if not stats.stats.data:  # the other side left: what the test asks of its figures is to be there
                turn(iterations or 1, 1)

        def _raw_pedantic(
            self,
            target: Callable[..., Any],
            args: Any = (),
            kwargs: Any = None,
            setup: Callable[[], Any] | None = None,
            teardown: Callable[..., Any] | None = None,
            rounds: int = 1,
            warmup_rounds: int = 0,
            iterations: int = 1,
        ) -> Any:
            __tracebackhide__ = True
            _check(setup, rounds=rounds, warmup_rounds=warmup_rounds, iterations=iterations)
            kwargs = kwargs or {}
            result = None

            def once(total: Timed, iterations: int) -> None:
                __tracebackhide__ = True
                nonlocal result
                given = _arguments(setup, args, kwargs)
                loops = range(iterations) if iterations > 1 else None
                result = timed(total, self._make_runner(target, *given), loops)
                if teardown is not None:
                    teardown(*given[0], **given[1])

            for _ in range(warmup_rounds):
                once(Timed(), iterations)
            fixed = setup is not None or teardown is not None
            self._play(once, iterations if fixed else None)
            if iterations > 1 or not fixed:
                once(Timed(), 1)  # a round of several calls keeps no answer
            return result

    return LockstepFixture


def _check(setup: object, *, rounds: int, warmup_rounds: int, iterations: int) -> None:
    """What pytest-benchmark refuses is refused."""
    for name, value, least in (
        ("iterations", iterations, 1),
        ("rounds", rounds, 1),
        ("warmup_rounds", warmup_rounds, 0),
    ):
        if not isinstance(value, int) or value < least:
            raise ValueError(f"Must have positive int for `{name}`.")
    if iterations > 1 and setup:
        raise ValueError("Can't use more than 1 `iterations` with a `setup` function.")


def _arguments(setup: Callable[[], Any] | None, args: Any, kwargs: Any) -> tuple[Any, Any]:
    found = setup() if setup is not None else None
    if not found:
        return args, kwargs
    if args or kwargs:
        raise TypeError("Can't use `args` or `kwargs` if `setup` returns the arguments.")
    return found[0], found[1]
