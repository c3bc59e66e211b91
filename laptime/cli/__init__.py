"""The command line: arguments in, text and an exit code out."""

from __future__ import annotations

import argparse
import io
import re
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from itertools import chain
from typing import NoReturn

from laptime.cli._codes import ABORT, CANNOT, OK, SKIP
from laptime.cli._terminal import lead_nowhere, open_closed, tell
from laptime.history import scrub

_COMMANDS = {
    "cassettes": ("check", "serve"),
    "race": ("race",),
    "gate": ("gate",),
    "history": ("history", "import", "export"),
    "compare": ("compare",),
    "trend": ("trend", "changes"),
    "report": ("report",),
}
"""Module of this package -> its commands, as `laptime --help` lists them."""
_BISECT = re.compile("--bi(s(e(ct?)?)?)?")
"""As argparse takes it: any beginning that no other option has."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code: 0, 1 where something failed, 2 where it could not be done.

    With ``--bisect``, 125 and 128 stand for 2, and 128 for an error that was not foreseen: `git bisect run` would take
    2 and 1 for a bad commit.
    """
    open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name, or a µ, that the terminal's encoding lacks
    ours, theirs = _parted(sys.argv[1:] if arguments is None else arguments)
    bisects = any(_BISECT.fullmatch(word) for word in ours)
    parser = _parser(ours)
    try:
        options = parser.parse_args(ours)
    except SystemExit as error:
        if error.code and ours[:1] == ["gate"]:
            import_module("laptime.cli._outputs").remove(ours[1:])
        if bisects and error.code:  # what is asked for is wrong at every commit
            raise SystemExit(ABORT) from None
        raise
    if theirs and not getattr(options, "takes_pytest", False):
        options = parser.parse_args(arguments)
    options.pytest = theirs
    cannot = SKIP if bisects else CANNOT
    code: int | None = None
    try:
        code = options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        lead_nowhere(sys.stdout)
        if code is None and not getattr(options, "decides", False):
            code = OK  # the reader left (`| head`): not our error, and no traceback
        elif code is None:  # what decides bears a reader that left: it is somebody else, and this is no pass
            tell("laptime: there is no result: a process that it spoke to is gone (broken pipe)")
            code = cannot
    except KeyboardInterrupt:
        tell("laptime: interrupted")
        return ABORT if bisects else CANNOT
    except _foreseen() as error:
        tell(f"laptime: {scrub(str(error))}")
        return cannot
    except Exception:  # noqa: BLE001 (a defect of ours, shown whole: Python's own 1 would mean that something failed)
        tell(scrub(traceback.format_exc()))
        return ABORT if bisects else CANNOT
    return code


def _foreseen() -> tuple[type[Exception], ...]:
    """What a command may raise that is no fault of this program; asked for only where something was raised."""
    from laptime.cassette import CassetteError
    from laptime.compare import CompareError
    from laptime.gate import GateError
    from laptime.git import GitError
    from laptime.history import HistoryError
    from laptime.replay import LatencyError, LimitsError, ReplayDied, TlsError
    from laptime.settings import SettingsError
    from laptime.stats.changes import NoSearch

    return (
        *(CassetteError, CompareError, GateError, GitError, HistoryError, LatencyError, LimitsError),
        *(NoSearch, OSError, ReplayDied, SettingsError, TlsError),
    )


def _parted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is for the command, and what after ``--`` is for pytest."""
    words = list(arguments)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments, without the passwords in them."""

    def error(self, message: str) -> NoReturn:
        super().error(scrub(message))


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Of all commands, or of the one that is asked for: the others' modules load NumPy and Rich, 0.2 s of them."""
    parser = _Parser(
        prog="laptime",
        description="Measure concurrent Python over recorded HTTP. The benchmarks themselves run under pytest: "
        "`pytest --benchmark-only`, which stores each run.",
        epilog="RUN is a commit, a tag, a branch or HEAD~3 (all runs of that commit), latest or latest~2 (one run), a "
        "run's id, or the name that --benchmark-save gave it.",
    )
    commands = parser.add_subparsers(
        title="commands",
        required=True,
        parser_class=_Parser,
        metavar=f"{{{','.join(chain(*_COMMANDS.values()))}}}",
    )
    asked = [module for module, names in _COMMANDS.items() if arguments and arguments[0] in names]
    for module in asked or _COMMANDS:
        import_module(f"laptime.cli.{module}").add(commands)
    return parser
