"""Make the README's table, the pictures, and the figures in docs/questions.md again, from the runs stored here.

    python docs/results/remake.py              write them
    python docs/results/remake.py --check      exit code 1 where the texts aren't what the runs say
    python docs/results/remake.py --store FILE…  first take these results of `--benchmark-json` for the stored runs

A stored run is pytest-benchmark's JSON without what it holds twice and without the host's name. Where several hold the
same benchmark, its figures in a document are those of the last file.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from laptime.analysis.documents import races
from laptime.report import study, tables
from laptime.report.console import escaped
from laptime.report.findings import findings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PICTURES = ROOT / "docs" / "pictures"
RACE, STUDIES, NEWER = "race-cpython-3.11.json", "studies-cpython-3.11.json", "studies-cpython-3.14.json"
DRAWN = {(RACE, STUDIES): "", (NEWER,): "cpython-3.14-"}
"""Runs that are drawn together, and how the names of their pictures begin."""
_FIGURES = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- figures end -->)", re.S)
_RESULTS = re.compile(r"(<!-- results -->\n).*?(<!-- results end -->)", re.S)


def stored() -> list[Path]:
    """The stored runs, in the order of their names."""
    return sorted(HERE.glob("*.json"))


def take(source: Path) -> None:
    """Store a file of results."""
    document = json.loads(source.read_text(encoding="utf-8"))
    document["machine_info"].pop("node", None)
    document.get("laptime", {}).pop("host", None)
    for benchmark in document["benchmarks"]:
        if benchmark["stats"].get("data") == benchmark["extra_info"].get("rounds", {}).get("wall_s"):
            benchmark["stats"].pop("data", None)
    (HERE / source.name).write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")


def texts() -> dict[Path, str]:
    """Each document as the stored runs have it."""
    overview = tables.overview(races(_benchmarks(HERE / RACE)))
    points = {one["fullname"]: one for path in stored() for one in _benchmarks(path)}
    said: dict[str, list[str]] = {}
    for found in study.studies(points.values()):
        # `scaling-primes` is a part of `scaling`
        name, _, part = found.name.partition("-")
        said.setdefault(name, []).extend(f"{part} {one}".lstrip() for one in findings(found))
    readme, questions = ROOT / "README.md", ROOT / "docs" / "questions.md"

    def figures(match: re.Match[str]) -> str:
        sentences = "".join(f"- {escaped(sentence)}\n" for sentence in said.get(match[2], ["not measured yet"]))
        return f"{match[1]}\n{sentences}\n{match[3]}"

    return {
        readme: _RESULTS.sub(lambda match: f"{match[1]}{overview}{match[2]}", readme.read_text(encoding="utf-8")),
        questions: _FIGURES.sub(figures, questions.read_text(encoding="utf-8")),
    }


def _benchmarks(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    return found


def pictures() -> None:
    """Draw the charts that documents show."""
    shown = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "docs" / "questions.md"))
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.svg"):
        old.unlink()
    with tempfile.TemporaryDirectory() as made:
        for number, (runs, prefix) in enumerate(DRAWN.items()):
            target = Path(made) / str(number)
            command = (sys.executable, "-m", "laptime.cli", "report", *(str(HERE / run) for run in runs))
            subprocess.run((*command, "--format", "svg", "-o", str(target)), check=True, stdout=sys.stderr)
            for chart in sorted((target / "charts").glob("*.svg")):
                if f"pictures/{prefix}{chart.name})" in shown:
                    shutil.copy(chart, PICTURES / f"{prefix}{chart.name}")


def main() -> int:
    """Exit code 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--store", type=Path, nargs="+", default=[], metavar="FILE")
    options = parser.parse_args()
    for source in options.store:
        take(source)
    differ = False
    for path, text in texts().items():
        before = path.read_text(encoding="utf-8")
        if options.check:
            lines = difflib.unified_diff(before.splitlines(), text.splitlines(), path.name, "the stored runs", n=0)
            for line in lines:
                differ = True
                print(line)
        else:
            path.write_text(text, encoding="utf-8")
    if not options.check:
        pictures()
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
