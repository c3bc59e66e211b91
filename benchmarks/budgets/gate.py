"""The gate on this suite's own tier for it: blocks really run and drawn again, whole runs, and pytest-benchmark's gate.

`blocks`: banks of blocks of BASE against a commit that changes a comment, and against slowdowns of 5 and 10 % really
put into the code; whole runs are then drawn from the banks, block by block, with replacement. `runs`: the command
itself. `others`: `--benchmark-compare-fail` on the same benchmarks, the same code each time.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import median, stdev

from scipy.stats import beta

from benchmarks.budgets import planted
from benchmarks.budgets.figures import ROOT, Figure, progress
from laptime.gate import settings
from laptime.gate.decision.trial import IMPROVED, REGRESSED, Finding, Look, Rules, Trial
from laptime.gate.request import Plan, Request
from laptime.gate.session import Session

BLOCKS, BANK_LIMIT_S = 20, 1800.0
DRAWN = 2000
RUNS = 10
SLOWDOWNS = (0.05, 0.10)
OTHERS = ("mean:5%", "min:5%")
PROCESSES = "processes"
KINDS = (("one process", False), ("pools of processes", True))
"""One process: sequential, threads and asyncio."""

Bank = Mapping[str, Sequence[Mapping[str, float]]]
"""Benchmark -> the blocks in order, each a log ratio by metric."""


def blocks() -> Iterator[Figure]:
    """Executed blocks, and whole runs drawn from them."""
    with planted.clone() as repository:
        planted.comment(repository)
        same = _bank(repository)
        planted.undo(repository)
        slowed = {}
        for share in SLOWDOWNS:
            planted.slow(repository, share)
            slowed[share] = _bank(repository)
            planted.undo(repository)
    yield from _noise(same)
    yield from _false_alarms(same)
    for share, bank in slowed.items():
        yield from _effects(bank, share)
        yield from _found(same, bank, share)


def _bank(repository: Path) -> Bank:
    wanted = settings.read(repository)
    request = Request(
        directory=repository,
        base="HEAD~1",
        head="HEAD",
        settings=replace(wanted, max_time_s=BANK_LIMIT_S),
        looks=(Look(BLOCKS, alpha=0.0, suspicion=0.0),),
        to_the_end=True,
    )
    with Session(request, _Quiet()) as session:
        findings = session.run().rows
    found: dict[str, list[dict[str, float]]] = {}
    for finding in (row.finding for row in findings if row.finding is not None):
        rows = found.setdefault(_name(finding), [{} for _ in finding.blocks])
        for row, value in zip(rows, finding.blocks, strict=True):
            row[finding.metric] = value
    return found


def _name(finding: Finding) -> str:
    return finding.benchmark.partition("[")[2].removesuffix("]")


def _noise(bank: Bank) -> Iterator[Figure]:
    """The standard deviation of a block, of each kind of benchmark."""
    for kind, chosen in KINDS:
        for metric in ("wall", "cpu"):
            deviations = [
                stdev(values)
                for name, rows in bank.items()
                if (PROCESSES in name) == chosen
                and len(values := [row[metric] for row in rows if metric in row]) >= BLOCKS // 2
            ]
            if deviations:
                told = f"{min(deviations):.1%} … {max(deviations):.1%}, median {median(deviations):.1%}"
                yield Figure(f"SD of a block, same code, {kind}, {metric}", told)


def _false_alarms(bank: Bank) -> Iterator[Figure]:
    """Sides of an A/A block are exchangeable: each drawn block is turned around as a whole by chance."""
    random = Random(1)
    regressed = improved = 0
    for _ in progress(range(DRAWN), "whole runs drawn, same code"):
        trial = _drawn(random, bank, bank, {}, to_the_end=True)
        verdicts = [one.verdict for one in trial.findings()]
        regressed += REGRESSED in verdicts
        improved += IMPROVED in verdicts
    bound = upper(regressed, DRAWN)
    yield Figure(
        f"{DRAWN} whole runs drawn from {BLOCKS} blocks of the same code: one says regressed",
        f"{regressed / DRAWN:.2%} (95 % bound {bound:.2%}); improved {improved / DRAWN:.2%}",
        "≤ 1 %",
        bound <= 0.01,
    )


def _effects(bank: Bank, share: float) -> Iterator[Figure]:
    for slowed in (True, False):
        values = {
            name: median(row["wall"] for row in rows)
            for name, rows in bank.items()
            if slowed == (not any(word in name for word in planted.NOT_SLOWED))
        }
        told = ", ".join(f"{name} {value:+.1%}" for name, value in sorted(values.items()))
        yield Figure(f"measured where {share:.0%} was {'put in' if slowed else 'not put in'}", told)


def _found(same: Bank, bank: Bank, share: float) -> Iterator[Figure]:
    """One benchmark is slower, the others are not: its blocks come from one bank, theirs from the other."""
    random = Random(2)
    for kind, chosen in KINDS:
        names = [
            name
            for name in bank
            if (PROCESSES in name) == chosen and not any(word in name for word in planted.NOT_SLOWED)
        ]
        found, count, taken = 0, 0, []
        for _ in progress(range(DRAWN // 4), f"{share:.0%} slower, {kind}"):
            name = random.choice(names)
            trial = _drawn(random, same, bank, {name: True}, to_the_end=False)
            found += any(one.benchmark == name and one.verdict == REGRESSED for one in trial.findings())
            count += 1
            taken.append(max(len(one.blocks) for one in trial.findings() if one.benchmark == name))
        least = lower(found, count)
        promised = (share, chosen) in ((0.05, False), (0.10, True))
        yield Figure(
            f"{share:.0%} slower, {kind}: found in runs drawn",
            f"{found / count:.1%} of {count} (95 % bound {least:.1%}), after {median(taken):.0f} blocks",
            "≥ 95 %" if promised else "",
            found / count >= 0.95 if promised else None,
        )


def _drawn(random: Random, same: Bank, slow: Bank, slowed: Mapping[str, bool], *, to_the_end: bool) -> Trial:
    """A whole run: in each block all benchmarks come from the same real block, as they did."""
    rules = {name: Rules() for name in same}
    trial = Trial(rules, to_the_end=to_the_end)
    while names := trial.wanted():
        at, sign = random.random(), random.choice((1, -1))
        block = {}
        for name in names:
            bank = slow if name in slowed else same
            row = bank[name][int(at * len(bank[name]))]
            turned = 1 if name in slowed else sign
            block[name] = {metric: turned * value for metric, value in row.items()}
        trial.add(block)
    return trial


def runs() -> Iterator[Figure]:
    """The command itself, from start to exit code."""
    with planted.clone() as repository:
        planted.comment(repository)
        ended = [_gate(repository) for _ in progress(range(RUNS), "whole gates, same code")]
        alarms = sum(code == 1 for code, _, _ in ended)
        seconds = [spent for _, spent, _ in ended]
        yield Figure(
            f"{RUNS} whole gates of a comment: say regressed",
            f"{alarms} (95 % bound {upper(alarms, RUNS):.0%}); exit codes {[code for code, _, _ in ended]}",
            "0",
            alarms == 0,
        )
        unclear = [said.get("unresolved", 0) for _, _, said in ended]
        yield Figure("of 12 benchmarks unresolved", f"median {median(unclear):.0f}, most {max(unclear)}")
        yield Figure(
            "time of one, 12 benchmarks",
            f"median {median(seconds):.0f} s, longest {max(seconds):.0f} s",
            "≤ 600 s",
            max(seconds) <= 600,
        )
        for modules in (planted.MODULES[:1], planted.MODULES):
            planted.undo(repository)
            planted.slow(repository, 0.20, modules)
            code, spent, said = _gate(repository)
            yield Figure(
                f"20 % put into {', '.join(modules)}: exit code {code}, {said.get('regressed', 0)} regressed",
                f"{spent:.0f} s",
                "≤ 180 s",
                code == 1 and spent <= 180,
            )


def _gate(repository: Path) -> tuple[int, float, dict[str, int]]:
    """Exit code, seconds, and how many benchmarks got each verdict."""
    command = [sys.executable, "-m", "laptime.cli", "gate", "HEAD~1", "HEAD", "--no-history"]
    started = time.monotonic()
    ended = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    spent = time.monotonic() - started
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (regressed|unresolved|unchanged)", ended.stdout)}
    return ended.returncode, spent, counts


def others() -> Iterator[Figure]:
    """pytest-benchmark's own gate on the same benchmarks: each run against the one before it, the same code."""
    with tempfile.TemporaryDirectory() as storage:
        command = [
            *(sys.executable, "-m", "pytest", "--benchmark-only", "--tier=gate", "--no-history", "-q"),
            *(f"--benchmark-storage={storage}", "--benchmark-autosave", "-p", "no:cacheprovider"),
        ]
        _run(command)
        for expression in OTHERS:
            compared = [*command, "--benchmark-compare", f"--benchmark-compare-fail={expression}"]
            failed = sum(_run(compared) != 0 for _ in progress(range(RUNS), expression))
            yield Figure(
                f"--benchmark-compare-fail={expression}, same code, {RUNS} runs: fails",
                f"{failed / RUNS:.0%} (95 % between {lower(failed, RUNS):.0%} and {upper(failed, RUNS):.0%})",
            )


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode


def upper(hits: int, tries: int) -> float:
    """The exact upper bound of a share, 95 % one-sided (Clopper & Pearson 1934)."""
    return 1.0 if hits == tries else float(beta.ppf(0.95, hits + 1, tries - hits))


def lower(hits: int, tries: int) -> float:
    """The exact lower bound."""
    return 0.0 if hits == 0 else float(beta.ppf(0.05, hits, tries - hits + 1))


class _Quiet:
    """Says little; see `laptime.gate.request.Listener`."""

    def stage(self, what: str, steps: int, seconds: float | None) -> None:
        about = "" if seconds is None else f", about {seconds:.0f} s"
        print(f"  {what}{about}", file=sys.stderr)

    def step(self) -> None:
        pass

    def plan(self, plan: Plan) -> None:
        pass

    def say(self, line: str) -> None:
        print(f"  {line}", file=sys.stderr)
