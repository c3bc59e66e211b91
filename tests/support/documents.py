"""What the documents show: their commands, and the files of the projects that they walk through."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT, outside_pytest

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "cassettes/README.md",
    *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")),
]
WALKS = ("docs/replay.md", "docs/history.md", "docs/gate.md", "docs/race.md")
"""Their commands follow from each other, in a project of their own."""
MAIN_JOB = "pytest --benchmark-only --tier smoke"
INSTALLS = ("python3 -m venv", ".venv/bin/", "git clone")
"""Commands that make an environment: .ci/run and a person run these."""
QUIET = "-p no:cacheprovider -p no:hypothesispytest -p no:anyio -p no:randomly"
PERSON = "export GIT_AUTHOR_NAME=nobody GIT_AUTHOR_EMAIL=@ GIT_COMMITTER_NAME=nobody GIT_COMMITTER_EMAIL=@; "
LIMIT_S = 300


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(document), re.M | re.S)


def commands(document: str) -> list[str]:
    lines = "".join(blocks(document, "console")).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def shown() -> list[str]:
    """Each command once, however often it is shown, but those of the walks and those that make an environment."""
    found = (command for document in DOCUMENTS if document not in WALKS for command in commands(document))
    return [command for command in dict.fromkeys(found) if not command.startswith(INSTALLS)]


def words_of(command: str) -> list[str]:
    """A command's words: without those that set a variable, and without the sign that sends it into the background."""
    words = shlex.split(command.removesuffix("&"))
    while "=" in words[0]:
        del words[0]
    return words


def write_files(document: str, directory: Path) -> list[str]:
    """Write the files that a document shows; their names."""
    files = re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", text_of(document), re.M | re.S)
    for name, source in files:
        (directory / name).write_text(source)
    return [name for name, _ in files]


def copy_of_the_tree(directory: Path) -> Path:
    """What git has, without the tests but with what Python compiled, in a path with a space in it."""
    target = directory / "a copy"
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(".*", "*.egg-info", "tests"))
    shutil.copy(ROOT / ".gitignore", target)
    return target


def environment(directory: Path, options: str) -> dict[str, str]:
    """A person's, with this interpreter's commands first on the path; pytest gets these options besides."""
    return {
        **outside_pytest(),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": os.pathsep.join((str(directory), str(ROOT))),
        "PYTEST_ADDOPTS": options,
    }


def run(command: str, directory: Path, options: str = QUIET) -> subprocess.CompletedProcess[str]:
    """As a person would type it."""
    return subprocess.run(
        command,
        cwd=directory,
        env=environment(directory, options),
        shell=True,
        text=True,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )


def succeeds(command: str, directory: Path, options: str = QUIET) -> str:
    """What a command wrote that exits 0."""
    done = run(command, directory, options)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


def serve_until_it_says_so(command: str, directory: Path) -> None:
    """Run a server, and interrupt it once it serves: it ends as it should."""
    with subprocess.Popen(
        shlex.split(command),
        cwd=directory,
        env=environment(directory, QUIET),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        told += process.stdout.read()
    assert 0 == process.returncode, told
    assert "://127.0.0.1:" in told
