"""The command line: arguments in, text and an exit code out."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from laptime.cassette import CassetteError, load
from laptime.replay import Latency, LatencyError, ReplayDied, ReplayServer
from laptime.report import race, tables

OK, CANNOT = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code: 0, or 2 where it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader left (`| head`): not our error, and no traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (CassetteError, LatencyError, ReplayDied, OSError) as error:
        print(f"laptime: {error}", file=sys.stderr)
        return CANNOT
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="laptime",
        description="Measure concurrent Python over recorded HTTP. The benchmarks themselves run under pytest: "
        "`pytest --benchmark-only`.",
    )
    commands = parser.add_subparsers(title="commands", required=True)

    check = commands.add_parser(
        "check",
        help="say whether cassettes can be played",
        description="Read cassettes and their side-cars as a replay does, and say of each what it holds or what is "
        "wrong with it. Exit code 2 where one can't be played.",
        epilog="example: laptime check cassettes/*.yaml",
    )
    check.add_argument("cassettes", nargs="+", type=Path, metavar="CASSETTE")
    check.set_defaults(command=_check)

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
    serve.set_defaults(command=_serve)

    show = commands.add_parser(
        "race",
        help="show the race in a file of results",
        description="Read what `pytest --benchmark-only --benchmark-json FILE` wrote (or a file saved by "
        "`--benchmark-autosave`), and show each workload's race: who won, by how much, at what cost, and why.",
        epilog="example: laptime race results.json --format markdown",
    )
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--format", choices=("table", "markdown", "overview"), default="table")
    show.set_defaults(command=_race)
    return parser


def _check(options: argparse.Namespace) -> int:
    code = OK
    for path in options.cassettes:
        try:
            cassette = load(path)
        except CassetteError as error:
            print(f"laptime: {error}", file=sys.stderr)
            code = CANNOT
            continue
        pace = (
            f"{cassette.passes} timed passes from a {cassette.origin_kind} origin"
            if cassette.passes
            else "no side-car: plays at a fixed latency only"
        )
        print(f"{path}: {len(cassette.interactions)} interactions, {pace}; {', '.join(cassette.origins)}")
    return code


def _serve(options: argparse.Namespace) -> int:
    latency = Latency.parse(options.latency)
    # ended by Ctrl-C or a polite kill alike
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ReplayServer() as server:
        try:
            port = options.port
            for path in options.cassettes:
                stage = server.load(path, latency, port)
                port = port and port + len(stage.origins)
                for origin, url in stage.origins.items():
                    print(f"{url}  plays {origin} of {path} at {stage.latency} pace", flush=True)
            server.wait()
        except KeyboardInterrupt:
            return OK
    return OK


def _race(options: argparse.Namespace) -> int:
    try:
        document = json.loads(options.file.read_text(encoding="utf-8"))
        found = race.races(document["benchmarks"])
        shown = _shown(found, options.format)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        print(f"laptime: {options.file}: not a file of pytest-benchmark: {error!r}", file=sys.stderr)
        return CANNOT
    if not found:
        print(f"laptime: {options.file}: holds no benchmarks of laptime's `lap` fixture", file=sys.stderr)
        return CANNOT
    print(shown, end="")
    return OK


_MARKDOWN = {"markdown": tables.markdown, "overview": tables.overview}


def _shown(found: Sequence[race.Race], layout: str) -> str:
    if layout in _MARKDOWN:
        return _MARKDOWN[layout](found)
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((120, 24)).columns
    return tables.terminal(found, width=width, color=color).lstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
