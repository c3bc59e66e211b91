"""A side's process: pytest, with a plugin that tells the gate what there is, and runs what and when the gate says."""

from __future__ import annotations

import atexit
import importlib
import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from laptime.gate.sides.channel import Assignment, Channel, Closed
from laptime.lap import IdleMeter, IdleSampler, Instruments
from laptime.measure import descendants
from laptime.memory import MemorySampler
from laptime.plugin import GATE_MARK, RESOURCES
from laptime.plugin.benchmarks import benchmark_session, is_benchmark
from laptime.plugin.lockstep import fixture
from laptime.plugin.lockstep.replay import SharedReplay
from laptime.replay import ReplayDied

_CANARY_LOOPS = 80_000
"""About 4 ms of pure Python."""
_CLOCKS = (time.perf_counter, time.process_time)
"""By no name of a module: a test may have frozen those, and left it so."""
_NOTHING_RUNS = {"collectonly": "--collect-only", "setuponly": "--setup-only", "setupplan": "--setup-plan"}


def main(text: str) -> NoReturn:
    """Run pytest as the gate wants it, and end with its exit code."""
    assignment = Assignment.loads(text)
    if assignment.at_first is not None:
        os.sched_setaffinity(0, assignment.at_first)
    channel = Channel(socket.socket(fileno=assignment.fd))
    for root in reversed(assignment.roots):
        if root in sys.path:
            sys.path.remove(root)
        sys.path.insert(0, root)
    lockstep = Lockstep(channel, assignment)
    code = int(pytest.main(list(assignment.arguments), plugins=[lockstep]))
    sys.stdout.flush()
    with suppress(Closed):  # nobody waits for it
        channel.send(say="ended", code=code)
    # what was registered to be done at the end is done; taking the interpreter apart takes 0.2 s more of each block
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Lockstep:
    """The hooks, and the conversation with the gate."""

    def __init__(self, channel: Channel, assignment: Assignment) -> None:
        self._channel = channel
        self._assignment = assignment
        self._wanted = assignment.benchmarks
        self._conflicts: list[str] = []
        self._errors: list[tuple[str, str]] = []
        self._said: dict[str, tuple[str, str]] = {}

    # what there is

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """The rounds are driven from outside; the replay server is the gate's."""
        if not config.pluginmanager.hasplugin("benchmark"):
            self._conflicts.append("pytest-benchmark is not installed, or switched off (-p no:benchmark)")
            return
        config.option.maxfail = 0  # -x, too: what comes after a broken benchmark is still judged
        module: Any = importlib.import_module("pytest_benchmark.plugin")
        module.BenchmarkFixture = fixture.make(self)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Nothing else may decide when or in which order tests run."""
        config = session.config
        config.pluginmanager.unregister(name="laptime-racing")
        resources = config.stash.get(RESOURCES, None)
        if resources is None:
            self._conflicts.append("laptime's own plugin is switched off (-p no:laptime)")
        else:
            resources.start_server = lambda: SharedReplay(self._ask)
            resources.instruments = lambda: Instruments(IdleMeter(), IdleSampler(), tuple)
        self._conflicts += conflicts(config)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self._errors.append((report.nodeid, report.longreprtext))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Of benchmarks those that are wanted, in the order in which they are."""
        found = [item for item in items if is_benchmark(item)]
        if self._wanted is not None:
            order = {name: number for number, name in enumerate(self._wanted)}
            found = sorted((item for item in found if item.nodeid in order), key=lambda item: order[item.nodeid])
        items[:] = found

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Say what there is; run it when told."""
        self._channel.send(
            say="collected",
            benchmarks=[self._described(item) for item in session.items],
            errors=self._errors,
            conflicts=self._conflicts,
            testpaths=session.config.getini("testpaths"),
        )
        session.testsfailed = 0  # what could not be collected was said
        if self._wanted is None or self._conflicts:
            session.items.clear()
        else:
            self._serve({"go"})
        result = yield
        if self._wanted is not None:
            self._channel.send(say="done", modules=loaded())
            self._serve({"quit"})
            self._forget(session.config)
        return result

    def _forget(self, config: pytest.Config) -> None:
        """No table of what was timed in turns, and none of the work that goes with it."""
        timed = benchmark_session(config)
        if timed is not None:
            timed.benchmarks.clear()

    def _described(self, item: pytest.Item) -> dict[str, Any]:
        mark = item.get_closest_marker(GATE_MARK)
        multicore = mark.kwargs.get("multicore") if mark else None
        timed = item.get_closest_marker("benchmark")
        group = timed.kwargs.get("group") if timed else None
        named = None if group is None else str(group)
        return {"name": item.nodeid, "file": str(item.path), "multicore": multicore, "group": named}

    # how it goes

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The worst of set-up, call and teardown is what became of a test."""
        if report.failed or (report.skipped and report.nodeid not in self._said):
            self._said[report.nodeid] = ("failed" if report.failed else "skipped", _reason(report))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell what became of it."""
        outcome, message = self._said.pop(nodeid, ("passed", ""))
        self._channel.send(say="outcome", benchmark=nodeid, outcome=outcome, message=message)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self) -> bool:
        """pytest-timeout's clock would run while the other side is on turn; the gate has a limit of its own."""
        return True

    # the conversation

    def play(self, test: str, turn: Callable[[int, int], fixture.Timed], *, iterations: int | None) -> None:
        """See `laptime.plugin.lockstep.fixture.Turns`."""
        __tracebackhide__ = True
        self._pin(self._assignment.cpus)
        try:
            self._channel.send(say="ready", benchmark=test, iterations=iterations)
            while (told := self._channel.receive())["do"] != "end":
                asked = (told["iterations"], told["repeats"])
                if told["do"] == "memory":
                    self._channel.send(say="memory", peak=_peak(partial(turn, *asked)))
                else:
                    self._tell(turn(*asked))
        finally:
            self._pin(self._assignment.at_first)

    def _pin(self, cpus: tuple[int, ...] | None) -> None:
        """What is timed runs where both sides do; set-up and the end go on beside each other, where each began."""
        if self._assignment.cpus != self._assignment.at_first:
            pin(cpus)

    def _serve(self, until: set[str]) -> None:
        """Canary rounds, before and after the tests."""
        while (told := self._channel.receive())["do"] not in until:
            pin(None if told["cpu"] is None else (told["cpu"],))
            self._tell(canary())
        pin(self._assignment.at_first)

    def _tell(self, timed: fixture.Timed) -> None:
        self._channel.send(
            say="round", wall=timed.wall_s, cpu=timed.cpu_s, ticks=timed.in_ticks_s, switches=timed.switches
        )

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        self._channel.send(say="ask", command=dict(command))
        answer: dict[str, Any] = self._channel.receive()["answer"]
        if "died" in answer:
            raise ReplayDied(answer["died"])
        return answer


def conflicts(config: pytest.Config) -> list[str]:
    """What of a session's settings can't be in lockstep, each with its remedy."""
    option = config.getoption
    found = []
    if option("numprocesses", None) or option("tx", None) or option("dist", "no") not in (None, "no"):
        found.append("pytest-xdist runs the tests in several processes: leave -n out, or add `-- -n 0`")
    if any(option(f"randomly_{what}", False) for what in ("reorganize", "reset_seed")):
        found.append("pytest-randomly shuffles the tests, and seeds each side otherwise: add `-- -p no:randomly`")
    if option("random_order_enabled", False) or not all(
        str(option(f"random_order_{what}", "default:")).startswith("default:") for what in ("bucket", "seed")
    ):
        found.append("pytest-random-order shuffles the tests: add `-- -p no:random_order`")
    if config.pluginmanager.hasplugin("_cov") and not option("no_cov", False):
        found.append("pytest-cov measures what runs, and slows it: add `-- --no-cov`")
    session = benchmark_session(config)
    if session is not None and (session.disabled or session.skip):
        found.append(
            "benchmarks are disabled or skipped (--benchmark-disable, --benchmark-skip): nothing would be timed"
        )
    for name, flag in _NOTHING_RUNS.items():
        if option(name, False):
            found.append(f"{flag}: no benchmark would be run; leave it out")
    if option("http", "replay") != "replay":
        found.append(f"--http={option('http')}: only what is replayed is the same for both sides")
    return found


def loaded() -> dict[str, str]:
    """Every module that came from a file, and which."""
    found = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            found[name] = str(Path(path).resolve())
    return found


def pin(cpus: tuple[int, ...] | None) -> None:
    """Have all threads of this process and its descendants run on these CPUs, and with them all that they start."""
    if cpus is not None:
        for pid in (os.getpid(), *descendants(os.getpid())):
            with suppress(FileNotFoundError, ProcessLookupError):
                for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (done before and after each benchmark)
                    with suppress(ProcessLookupError):
                        os.sched_setaffinity(int(task), cpus)


def canary() -> fixture.Timed:
    """Work that is the same on both sides for certain."""
    timed = fixture.Timed()
    clock, cpu_clock = _CLOCKS
    started, started_cpu = clock(), cpu_clock()
    total = 0
    for number in range(_CANARY_LOOPS):
        total += number
    timed.cpu_s = cpu_clock() - started_cpu
    timed.wall_s = clock() - started
    return timed


def _peak(turn: Callable[[], object]) -> int | None:
    with MemorySampler() as sampler:
        sampler.start()
        turn()
        return sampler.stop()


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return report.longreprtext.strip()
