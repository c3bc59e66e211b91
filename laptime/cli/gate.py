"""`laptime gate`: did this change make a benchmark slower?"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from laptime import project
from laptime.cli import _outputs, _store
from laptime.cli._codes import ABORT, CANNOT, OK
from laptime.cli._outputs import Outputs
from laptime.cli._terminal import Stages
from laptime.history import HistoryError, scrub

if TYPE_CHECKING:
    from laptime.gate.decision.noise import Noise
    from laptime.gate.decision.verdicts import Report
    from laptime.gate.equipment.equip import Equipment
    from laptime.gate.request import Plan, Request
    from laptime.gate.session import Session
    from laptime.history import Gate
    from laptime.report.gate_words import Told

_SELF_TEST_BLOCKS = 12


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command."""
    parser = commands.add_parser(
        "gate",
        help="decide whether a change made a benchmark slower: both revisions, now, in lockstep",
        usage="laptime gate [options] BASE [HEAD] [-- PYTEST ARGUMENTS]\n"
        "       laptime gate [options] --against TAG [HEAD] [-- PYTEST ARGUMENTS]\n"
        "       laptime gate --self-test [options]",
        description="Run the benchmarks of two revisions in lockstep, a round of one and a round of the other in turn, "
        "on the same CPU, in fresh processes block after block, until an exact test can tell. Works with every suite "
        "of pytest-benchmark. Nothing in the working tree or in .git is touched.",
        epilog="Exit code: 0 no regression; 1 regressed, missing or broken (with --strict: unresolved too); 2 it could "
        "not be measured, or pyproject.toml accepts a slowdown without need. example: laptime gate main -k parse",
    )
    parser.add_argument("base", metavar="BASE", nargs="?", help="a commit, tag, branch or HEAD~3")
    parser.add_argument("head", metavar="HEAD", nargs="?", help="default: the working tree, with what is not committed")
    parser.add_argument(
        "--against", metavar="TAG", help="in BASE's place, a tag, or the newest that HEAD contains of a pattern: 'v*'"
    )
    parser.add_argument("-k", metavar="EXPRESSION", help="choose benchmarks by name, as pytest does")
    parser.add_argument("-m", metavar="MARKERS", help="choose benchmarks by marker, as pytest does")
    parser.add_argument("--max-time", type=_duration, metavar="10m", help="stop then; what is open is unresolved")
    parser.add_argument("--margin", type=_store.share, metavar="1%", help="slower by less is not worth a word")
    parser.add_argument("--limit", type=_store.share, metavar="5%", help="unchanged is what is surely within it")
    parser.add_argument("--strict", action="store_true", help="fail on what is unresolved, too")
    parser.add_argument(
        "--complete", action="store_true", help="judge everything, rather than stop at the first certain regression"
    )
    parser.add_argument(
        "--round-limit",
        type=_duration,
        metavar="60s",
        help="what takes longer for a round, or twice as long to set up, is broken",
    )
    parser.add_argument(
        "--pin", default="auto", metavar="CPUS", help="auto: one CPU for what uses one; all: none; or 2, or 2,3"
    )
    parser.add_argument(
        "--self-test", action="store_true", help="HEAD against itself: what can be found on this machine?"
    )
    parser.add_argument(
        "--bisect", action="store_true", help="exit codes for `git bisect run`: 0 good, 1 regressed, 125 can't tell"
    )
    sides = parser.add_argument_group(
        "what the sides run in", "default: both in the environment that this command runs in"
    )
    sides.add_argument(
        "--isolate",
        action=argparse.BooleanOptionalAction,
        help="make an environment for each side, from what it depends on, with the project built in it (compiled "
        "modules, too); kept for the next time",
    )
    for side in ("base", "head"):
        sides.add_argument(
            f"--{side}-python", metavar="PYTHON", help=f"make {side.upper()}'s with this Python: a path, or 3.13"
        )
    for side in ("base", "head"):
        sides.add_argument(f"--{side}-env", metavar="DIR", help=f"the environment of {side.upper()}: one that is there")
    _outputs.add(parser)
    parser.add_argument("--no-history", action="store_true", help="don't store the result")
    _store.add_history(parser)
    parser.set_defaults(command=_gate, takes_pytest=True, decides=True)


def _duration(text: str) -> float:
    from laptime.gate.settings import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _gate(options: argparse.Namespace) -> int:
    if options.schema:
        _outputs.print_schema()
        return OK
    with _terminated():
        return _gated(options, Outputs.of(options))


def _gated(options: argparse.Namespace, outputs: Outputs) -> int:
    from laptime.gate.decision import noise
    from laptime.gate.record import record
    from laptime.gate.session import Session

    with outputs.errors():
        nothing = None if options.against is None else _find_tag(options)
    if nothing is not None:
        _store.say(nothing)
        return OK if outputs.nothing(nothing) else CANNOT
    with outputs.errors():
        request = _request(options)
        if not (options.no_history or options.self_test):
            _store.check(options)
        with Stages() as stages, Session(request, _Voice(stages)) as session:
            report = session.run()
        found = _noise(session) if request.self_test else []
    if request.self_test:
        return OK if outputs.noise(found, noise.settings(found, request.settings.rules)) else CANNOT
    code = report.code(strict=options.strict)
    complete = outputs.report(_told(session, request, report, options))
    if not options.no_history:
        _keep(options, record(session, request, report, code))
    if options.bisect:
        return report.bisect_code() if complete else ABORT
    return code if complete else code or CANNOT


def _told(session: Session, request: Request, report: Report, options: argparse.Namespace) -> Told:
    from laptime.report import gate
    from laptime.report.gate_words import Told, scrubbed

    again = partial(gate.command, request.base, request.head, [*_rules(options), *_sides(request.equipment)])
    folder = session.inside.as_posix()
    return Told(
        scrubbed(report),
        options.strict,
        alone=lambda name: again([name]),
        again=again(request.arguments),
        folder="" if folder == "." else f"{folder}/",
    )


def _find_tag(options: argparse.Namespace) -> str | None:
    """Put the tag into BASE's place; what to say where HEAD has nothing since: no nightly job is to fail."""
    from laptime.gate import GateError, tags

    if options.self_test:
        raise GateError("--self-test takes no --against: it runs HEAD against itself")
    if options.head is not None:
        raise GateError(
            f"--against {options.against} stands in BASE's place: BASE ({options.base}) is one too many; with "
            "--against the one revision is HEAD"
        )
    _refuse_empty((options.against, "--against"), (options.base, "HEAD"))
    here, head = Path.cwd(), options.base
    tag = tags.chosen(here, project.find(here).root, options.against, head)
    if tag is None:
        return f"{head or 'HEAD'} has nothing since {options.against}: there is nothing to compare"
    options.against, options.base, options.head = tag, tags.name_of(here, tag), head
    return None


def _refuse_empty(*revisions: tuple[str | None, str]) -> None:
    from laptime.gate import GateError

    for given, name in revisions:
        if given is not None and not given.strip():
            raise GateError(
                f"{name} is empty: is the variable that is to name it set, or did `git merge-base` find nothing?"
            )


def _keep(options: argparse.Namespace, gate: Gate) -> None:
    """Store what was said; a verdict that can't be stored is a verdict all the same."""
    try:
        store, root = _store.open_store(options, create=True)
        store.append_gate(gate)
    except HistoryError as error:
        _store.say(f"the result was not stored: {scrub(str(error))}")
        return
    name = Path(store.name)
    shown = name.relative_to(root) if name.is_relative_to(root) else name
    _store.say(f"stored as {gate.id[:10]} in {shown}: `laptime history --gates` lists what was said before")


def _noise(session: Session) -> list[Noise]:
    from laptime.gate import GateError

    found = session.noise()
    if not found:
        raise GateError("no benchmark could be measured often enough")
    return found


def _request(options: argparse.Namespace) -> Request:
    from laptime.gate import settings
    from laptime.gate._errors import GateError
    from laptime.gate.decision.trial import LOOKS, Look, Rules
    from laptime.gate.request import Request

    if options.self_test == (options.base is not None):
        raise GateError(
            "--self-test takes no BASE: it runs HEAD against itself"
            if options.self_test
            else "BASE is missing: which revision is it to be compared with? as in `laptime gate main`"
        )
    _refuse_empty((options.base, "BASE"), (options.head, "HEAD"))
    found = settings.read(project.find(Path.cwd()).root)
    margin = found.rules.margin if options.margin is None else options.margin
    limit = found.rules.limit if options.limit is None else options.limit
    if not margin < limit:
        raise GateError(f"--margin {margin:.1%} must lie below --limit {limit:.1%}")
    found = replace(
        found,
        rules=Rules(margin, limit),
        max_time_s=options.max_time or found.max_time_s,
        round_limit_s=options.round_limit or found.round_limit_s,
    )
    chosen = [
        word for flag in ("k", "m") if (value := getattr(options, flag)) is not None for word in (f"-{flag}", value)
    ]
    return Request(
        directory=Path.cwd(),
        base=options.base or "HEAD",
        head=options.head,
        against=options.against,
        arguments=(*chosen, *options.pytest),
        settings=found,
        pin=options.pin,
        self_test=options.self_test,
        to_the_end=options.complete or options.self_test,
        equipment=_equipment(options, found.isolate),
        looks=(Look(_SELF_TEST_BLOCKS, alpha=0.0, suspicion=0.0),) if options.self_test else LOOKS,
    )


def _equipment(options: argparse.Namespace, isolate: bool) -> Equipment:
    from laptime.gate.equipment.equip import Equipment

    environments = (options.base_env, options.head_env)
    asked = isolate and not any(environments) if options.isolate is None else options.isolate
    return Equipment(asked, (options.base_python, options.head_python), environments)


def _rules(options: argparse.Namespace) -> list[str]:
    """The options by which a benchmark is judged, where they were given: others may say otherwise of it."""
    from laptime.gate.sides.cpus import AUTO

    shares = [(name, getattr(options, name)) for name in ("margin", "limit")]
    given = [f"--{name}={value * 100:.10g}%" for name, value in shares if value is not None]
    given += [] if options.round_limit is None else [f"--round-limit={options.round_limit:.10g}s"]
    return [*given, *([] if options.pin == AUTO else [f"--pin={options.pin}"])]


def _sides(equipment: Equipment) -> list[str]:
    """The options that ask for what the sides run in."""
    pythons = zip(("--base-python", "--head-python"), equipment.pythons, strict=True)
    environments = zip(("--base-env", "--head-env"), equipment.environments, strict=True)
    given = [f"{option}={value}" for option, value in (*pythons, *environments) if value is not None]
    return ["--isolate", *given] if equipment.isolate else given


class _Voice:
    """Says on standard error how it goes; see `laptime.gate.request.Listener`."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def stage(self, what: str, steps: int, seconds: float | None) -> None:
        self._stages.begin(what, steps, seconds)

    def step(self) -> None:
        self._stages.advance()

    def say(self, line: str) -> None:
        self._stages.say(f"laptime: {line}")

    def plan(self, plan: Plan) -> None:
        from laptime.report.gate import clock

        count = len(plan.single) + len(plan.multi)
        kinds = f"{len(plan.single)} on one CPU, {len(plan.multi)} on several" if plan.multi else "all on one CPU"
        other = "itself" if plan.base == plan.head else plan.base
        self.say(f"{plan.head} against {other}: {count} benchmark{'' if count == 1 else 's'}, {kinds}")
        blocks = f"{plan.fewest} to {plan.most} blocks" if plan.fewest < plan.most else f"{plan.most} blocks"
        more = f", and {plan.more} more of what is suspected" if plan.more else ""
        self.say(f"{blocks} of each{more}: about {clock(plan.likely_s)}, at most {clock(plan.at_most_s)}")
        for remark in plan.remarks:
            self.say(f"note: {remark}")


@contextmanager
def _terminated() -> Iterator[None]:
    """Being terminated is like Ctrl-C: what is known is printed, and nothing is left."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
