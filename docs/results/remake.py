"""Make the README's table, the pictures, and the figures in docs/questions.md again, from the runs stored here.

    python docs/results/remake.py              write them
    python docs/results/remake.py --check      exit code 1 where the texts aren't what the runs say
    python docs/results/remake.py --store FILE…  first take these results of `--benchmark-json` for the stored runs

A stored run is pytest-benchmark's JSON without what it holds twice and without the host's name. Where two runs hold a
study, the later file's is shown.
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

from laptime.report import race, study, tables
from laptime.report.console import escaped
from laptime.report.findings import findings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PICTURES = ROOT / "docs" / "pictures"
SHOWN = ("overview", "timeline-quotes", "scaling")
"""The charts that documents show, by the beginning of their names."""
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
    benchmarks: list[dict[str, Any]] = []
    for path in stored():
        benchmarks += json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    overview = tables.overview(race.races(one for one in benchmarks if "study" not in one["extra_info"]))
    said = {found.name: findings(found) for found in study.studies(_newest(benchmarks))}
    readme, questions = ROOT / "README.md", ROOT / "docs" / "questions.md"

    def figures(match: re.Match[str]) -> str:
        sentences = "".join(f"- {escaped(sentence)}\n" for sentence in said.get(match[2], ["not measured yet"]))
        return f"{match[1]}\n{sentences}\n{match[3]}"

    return {
        readme: _RESULTS.sub(lambda match: f"{match[1]}{overview}{match[2]}", readme.read_text(encoding="utf-8")),
        questions: _FIGURES.sub(figures, questions.read_text(encoding="utf-8")),
    }


def _newest(benchmarks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of several figures of one benchmark, the last."""
    return list({one["fullname"]: one for one in benchmarks}.values())


def pictures() -> None:
    """Draw the charts that documents show."""
    with tempfile.TemporaryDirectory() as made:
        command = (sys.executable, "-m", "laptime.cli", "report", *map(str, stored()), "-o", f"{made}/report")
        subprocess.run(command, check=True, stdout=sys.stderr)
        PICTURES.mkdir(exist_ok=True)
        for old in PICTURES.glob("*.svg"):
            old.unlink()
        for chart in sorted((Path(made) / "report" / "charts").glob("*.svg")):
            if chart.name.startswith(SHOWN):
                shutil.copy(chart, PICTURES / chart.name)


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
