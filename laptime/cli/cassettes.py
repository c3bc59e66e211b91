"""`laptime check` and `laptime serve`: cassettes, looked at and played."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path

from laptime.cassette import CassetteError, load, suspicions
from laptime.cli._codes import CANNOT, OK
from laptime.cli._terminal import show, tell
from laptime.files import is_writable, write_whole
from laptime.har import Har
from laptime.history import scrub
from laptime.replay import Latency, LimitsError, ReplayServer, Stage

HAR_EVERY_S = 1.0
"""How often the server's log is fetched, so that it stays short there."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The two commands."""
    check = commands.add_parser(
        "check",
        help="say whether cassettes can be played",
        description="Read cassettes and their side-cars as a replay does, and say of each what it holds or what is "
        "wrong with it. Exit code 2 where one can't be played.",
        epilog="example: laptime check cassettes/*.yaml",
    )
    check.add_argument("cassettes", nargs="+", type=Path, metavar="CASSETTE")
    check.set_defaults(command=_check, decides=True)

    serve = commands.add_parser(
        "serve",
        help="play a cassette until Ctrl-C",
        description="Serve a cassette on loopback, one port for each recorded origin, and print a line for each.",
        epilog="example: laptime serve cassettes/quotes.yaml --latency scale:0.5",
    )
    serve.add_argument("cassettes", nargs="+", type=Path, metavar="CASSETTE")
    serve.add_argument("--port", type=int, default=0, help="the first port; default: any that are free")
    serve.add_argument(
        "--latency",
        default="recorded",
        metavar="MODE",
        help="recorded (the default), scale:0.1, fixed:50ms or none",
    )
    serve.add_argument(
        "--jitter",
        type=int,
        metavar="SEED",
        help="draw each wait anew from those that were recorded (around a fixed one: log-normal), the same for the "
        "same seed",
    )
    serve.add_argument(
        "--limits",
        action="append",
        default=[],
        metavar="[ORIGIN=]LIMITS",
        help="of each origin, or of this one: concurrent:4 answers so many at once, rate:10 lets so many in a second "
        "and the others wait, rate:10:429 turns them away; two with a comma between. May be given several times.",
    )
    serve.add_argument(
        "--tls",
        action="store_true",
        help="serve https, with a certificate authority made for this run; where its certificate lies is said on "
        "standard error",
    )
    serve.add_argument(
        "--har", type=Path, metavar="FILE", help="write what was served, and when, as HAR 1.2 at the end"
    )
    serve.set_defaults(command=_serve)


def _check(options: argparse.Namespace) -> int:
    code = OK
    for path in options.cassettes:
        try:
            cassette = load(path)
        except CassetteError as error:
            tell(f"laptime: {scrub(str(error))}")
            code = CANNOT
            continue
        pace = (
            f"{cassette.passes} timed passes from a {cassette.origin_kind} origin"
            if cassette.passes
            else "no side-car: plays at a fixed latency only"
        )
        show(f"{path}: {len(cassette.interactions)} interactions, {pace}; {', '.join(cassette.origins)}\n")
        for line in suspicions(cassette):
            tell(f"laptime: warning: {path}: {line}")
    return code


def _serve(options: argparse.Namespace) -> int:
    latency = Latency.parse(options.latency)
    if options.jitter is not None:
        latency = latency.with_jitter(options.jitter)
    log = None if options.har is None else options.har.resolve()
    if log is not None and not is_writable(log):
        raise OSError(f"--har {options.har}: expected a file in a directory that exists")
    cassettes = {path: load(path) for path in options.cassettes}
    limits = _limits(options.limits, {origin for cassette in cassettes.values() for origin in cassette.origins})
    interrupts = Interrupts()
    har, stages = Har(), []
    with ReplayServer() as server:
        port = options.port
        for path, cassette in cassettes.items():
            own = {origin: text for origin, text in limits.items() if origin in (*cassette.origins, "*")}
            stage = server.load(path, latency, port, tls=options.tls, limits=own)
            stages.append(stage)
            port = port and port + len(stage.origins)
            for origin, url in stage.origins.items():
                print(f"{url}  plays {origin} of {path} at {stage.latency} pace", flush=True)
        if options.tls:
            tell(f"laptime: clients must trust {stages[0].ca_file}")
        while not interrupts.came:
            with suppress(KeyboardInterrupt), interrupts.let_in():
                server.wait(None if log is None else HAR_EVERY_S)
            if log is not None:
                _collect(har, stages)
        if log is not None:
            _collect(har, stages)  # what came after the last time, before the signal
    if log is not None:
        write_whole(log, har.text())
        tell(f"laptime: wrote {len(har.entries)} requests to {options.har}")
    return OK


class Interrupts:
    """Ctrl-C and a polite kill alike: remembered, and raised only where there is nothing to do but wait."""

    def __init__(self) -> None:
        self.came = self._waiting = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._arrive)

    @contextmanager
    def let_in(self) -> Iterator[None]:
        """One that comes inside, or came before, is raised as `KeyboardInterrupt`."""
        self._waiting = True
        try:
            if self.came:
                raise KeyboardInterrupt
            yield
        finally:
            self._waiting = False

    def _arrive(self, number: int, frame: object) -> None:
        self.came = True
        if self._waiting:
            self._waiting = False
            raise KeyboardInterrupt


def _limits(texts: Sequence[str], origins: Set[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        origin, _, limits = text.rpartition("=")
        if origin and origin not in origins:
            raise LimitsError(f"--limits {text}: {origin} was not recorded; there are {', '.join(sorted(origins))}")
        found[origin or "*"] = limits
    return found


def _collect(har: Har, stages: Sequence[Stage]) -> None:
    for stage in stages:
        epoch_ns = time.time_ns() - time.monotonic_ns()
        har.add(f"{stage.path} at {stage.latency}", stage.interactions_if_there(), stage.take_log(), epoch_ns)
