"""A clone of this project, with slowdowns of a known size really put into the code under test."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.budgets.figures import ROOT

MODULES = ("primes", "hn_items", "quotes")
NOT_SLOWED = ("asyncio", "sieve")
"""What `slow` leaves as it is: what is said of these is said of no change."""
_SLEEP_S = 6e-5
"""What a sleep takes beside its time."""

_PRIMES = (
    "    return [number for number in numbers if is_prime(number)]\n",
    "    found = [number for number in numbers if is_prime(number)]\n"
    "    for residue in range({residues}):\n"
    "        for number in numbers[residue::101]:\n"
    "            is_prime(number)\n"
    "    return found\n",
)
"""So many 101ths of the numbers once more: the same work in every variant, also in other processes."""
_FETCH = (
    "def fetch(get",
    "def fetch(*arguments):\n"
    "    import time\n"
    "    started = time.perf_counter()\n"
    "    found = fetch_at_once(*arguments)\n"
    "    time.sleep(max(0.0, (time.perf_counter() - started) * {share} - {sleep_s}))\n"
    "    return found\n\n\n"
    "def fetch_at_once(get",
)
"""Each request waits for that share of what it took, in the thread or process that sent it."""


@contextmanager
def clone() -> Iterator[Path]:
    """What is committed here, in a repository of its own."""
    with tempfile.TemporaryDirectory(prefix="laptime-planted-") as directory:
        path = Path(directory) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(path)], check=True)
        yield path


def comment(repository: Path) -> None:
    """Commit a change that changes nothing, in every module under test."""
    for path in sorted((repository / "workloads").glob("*.py")):
        path.write_text(path.read_text(encoding="utf-8") + "\n# nothing\n", encoding="utf-8")
    _commit(repository, "a comment")


def slow(repository: Path, share: float, modules: Sequence[str] = MODULES) -> None:
    """Commit a slowdown of `share` (0.05 is 5 %) of fetching and of the search for primes, or of one of them."""
    for name in modules:
        old, new = _PRIMES if name == "primes" else _FETCH
        new = new.format(residues=round(101 * share), share=share, sleep_s=_SLEEP_S)
        _replace(repository / "workloads" / f"{name}.py", old, new)
    _commit(repository, f"{share:.0%} slower")


def undo(repository: Path) -> None:
    """Go back to the commit before the last."""
    subprocess.run(["git", "reset", "--quiet", "--hard", "HEAD~1"], cwd=repository, check=True)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{path}: the place to slow down is not there once: {old!r}")
    path.write_text(text.replace(old, new), encoding="utf-8")


def _commit(repository: Path, message: str) -> None:
    identity = ("-c", "user.name=laptime", "-c", "user.email=laptime@localhost")
    subprocess.run(["git", *identity, "commit", "--quiet", "--all", "--message", message], cwd=repository, check=True)
