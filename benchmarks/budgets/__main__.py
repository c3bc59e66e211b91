"""``python -m benchmarks.budgets [NAME…]``."""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.budgets import (
    changes,
    costs,
    fidelity,
    gate,
    gate_crowd_simulation,
    gate_projects,
    gate_simulation,
    history,
    pools,
    primes,
    race,
    race_runs,
    replay,
    report,
    schedule,
)
from benchmarks.budgets.figures import show

SCRIPTS = {
    "replay": ("The replay server", replay.figures),
    "schedule": ("Threads against the ideal", schedule.figures),
    "primes": ("Processes against the ceiling", primes.figures),
    "fidelity": ("Live against replay", fidelity.figures),
    "tls": ("Live against replay, over TLS", fidelity.over_tls),
    "costs": ("What the harness costs a client", costs.figures),
    "history": ("The history at 10,000 runs", history.figures),
    "report": ("The report of 500 runs", report.figures),
    "gate": ("The gate: executed blocks, and runs drawn from them", gate.blocks),
    "gate-runs": ("The gate: whole runs", gate.runs),
    "gate-projects": ("The gate: projects built like known ones", gate_projects.figures),
    "gate-crowd": ("The gate: 200 benchmarks in 10 minutes", gate_projects.crowd),
    "gate-others": ("pytest-benchmark's own gate", gate.others),
    "gate-simulation": ("The gate, simulated", gate_simulation.figures),
    "gate-crowd-simulation": ("The gate: 200 benchmarks, simulated", gate_crowd_simulation.figures),
    "pools": ("Pools kept, and opened anew", pools.figures),
    "race": ("Races, simulated", race.figures),
    "race-runs": ("Races of the default tier, really run", race_runs.default),
    "race-equal": ("Races of equals, really run", race_runs.equal),
    "race-burner": ("Races beside a burner", race_runs.burner),
    "changes": ("Change points: false and found", changes.figures),
}


def main() -> int:
    """Measure, and print each figure beside its budget; exit code 1 where one is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.budgets",
        description="Measure what the project promises and print each figure beside its budget. Exit code 1 where one "
        "is missed. All of them take about three and a half hours; let the machine do nothing else meanwhile.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(SCRIPTS)}; default: all")
    names = parser.parse_args().names or list(SCRIPTS)
    if unknown := set(names) - SCRIPTS.keys():
        parser.error(f"no such script: {', '.join(sorted(unknown))}; there are {', '.join(SCRIPTS)}")
    missed = False
    for name in names:
        title, figures = SCRIPTS[name]
        started = time.monotonic()
        found = list(figures())
        missed |= any(figure.met is False for figure in found)
        show(f"{title} ({time.monotonic() - started:.0f} s)", found)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
