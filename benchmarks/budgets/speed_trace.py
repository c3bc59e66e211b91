"""Records how fast this machine is, from moment to moment: the same fixed piece of work, again and again.

``python -m benchmarks.budgets.speed_trace docs/speed-traces/quiet-2.json --only wall`` records what the simulated races
(`python -m benchmarks.budgets race`) run on beside the traces that are there. Under Ctrl-C what there is is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from laptime.files import is_writable, write_whole

LARGEST = 12_000
"""The piece of work finds the primes up to there: 3 to 10 ms."""
BETWEEN_S = 0.05
SECONDS = 150.0
WALL, CPU = "wall", "cpu"
INTERRUPTED = 130

Row = tuple[float, ...]


def piece() -> int:
    """How many primes there are up to `LARGEST`, by trial division."""
    primes: list[int] = []
    for number in range(2, LARGEST + 1):
        for prime in primes:
            if prime * prime > number:
                primes.append(number)
                break
            if number % prime == 0:
                break
        else:
            primes.append(number)
    return len(primes)


def record(rows: list[Row], seconds: float) -> None:
    """Append rows of [seconds since the start, wall seconds, CPU seconds] of the piece, until `seconds` are over."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"The speed of this machine, {seconds:g} s", total=seconds)
        began = time.perf_counter()
        while (since_s := time.perf_counter() - began) < seconds:
            wall, cpu = time.perf_counter(), time.process_time()
            piece()
            wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
            rows.append((round(since_s, 4), round(wall_s, 6), round(cpu_s, 6)))
            progress.update(task, completed=since_s)
            time.sleep(BETWEEN_S)


def text(rows: Sequence[Row], only: str | None = None) -> str:
    """The rows as JSON, one a line; `only`: without the other one of the two clocks."""
    columns = {None: (0, 1, 2), WALL: (0, 1), CPU: (0, 2)}[only]
    lines = [json.dumps([row[column] for column in columns], separators=(",", ":")) for row in rows]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def read(path: Path) -> list[tuple[float, float]]:
    """The moment of each row and what the piece took, by the last clock that is in it; both in seconds."""
    return [(row[0], row[-1]) for row in json.loads(path.read_text(encoding="utf-8"))]


def main() -> int:
    """Record a trace into a file; exit code 130 where Ctrl-C ended it early."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets.speed_trace", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="the JSON to write")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="default: %(default)g")
    parser.add_argument("--only", choices=(WALL, CPU), help="leave the other clock out: on a busy machine, keep cpu")
    parser.add_argument("--force", action="store_true", help="replace FILE where it exists")
    options = parser.parse_args()
    path: Path = options.file
    if not options.seconds > 0:
        parser.error(f"--seconds {options.seconds:g}: expected a number above 0")
    if not is_writable(path):
        parser.error(f"{path}: no file can be written there; its directory has to exist")
    if path.exists() and not options.force:
        parser.error(f"{path} exists; --force replaces it")
    rows: list[Row] = []
    code = 0
    try:
        record(rows, options.seconds)
    except KeyboardInterrupt:
        code = INTERRUPTED
        if not rows:
            print(f"Stopped before the first row: nothing is written to {path}.", file=sys.stderr)
            return code
    write_whole(path, text(rows, options.only))
    print(f"{path}: {len(rows)} rows, {rows[-1][0]:.0f} s", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
