"""The walks of the documents: every command, one after the other, in a project made of the files that are shown."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support import HANG_LIMIT_S
from tests.support.documents import (
    PERSON,
    QUIET,
    blocks,
    commands,
    copy_of_the_tree,
    run,
    serve_until_it_says_so,
    succeeds,
    text_of,
    write_files,
)
from tests.support.gates import QUICK, tried
from tests.support.sessions import until

pytestmark = pytest.mark.slow

STORIES = "version: 1\ninteractions:\n" + "".join(
    f"- request: {{method: GET, uri: 'https://stories.example/stories/{number}', body: null, headers: {{}}}}\n"
    f"  response: {{status: {{code: 200, message: OK}}, headers: {{}}, body: {{string: story {number}}}}}\n"
    for number in range(8)
)


def answers(port: int) -> bool:
    """Whether something listens."""
    try:
        socket.create_connection(("127.0.0.1", port), HANG_LIMIT_S).close()
    except ConnectionRefusedError:
        return False
    return True


def test_the_five_minutes_work(tmp_path: Path) -> None:
    """Those of docs/replay.md."""
    assert ["shop.py", "test_shop.py"] == write_files("docs/replay.md", tmp_path)
    made, first, *others = commands("docs/replay.md")
    succeeds(made, tmp_path)
    assert first.startswith("python -m http.server 8080 ")
    assert first.endswith(" &")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, *shlex.split(first.replace("8080", port))[1:-1]], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: answers(int(port)))
        for command in others:
            if command.startswith("laptime serve"):
                serve_until_it_says_so(command, tmp_path)
            else:
                told = succeeds(command.replace("8080", port), tmp_path)
                assert "2 passed" in told or command != "pytest --benchmark-only"
    finally:
        server.terminate()
        server.wait()
    assert {"cassettes", "served.har", "shop.py", "site", "test_shop.py"} == {
        path.name for path in tmp_path.iterdir() if not path.name.startswith(("__", "."))
    }


def test_the_readmes_own_suite_works(tmp_path: Path) -> None:
    """The race in README.md, in a project that has nothing to do with this one, ends with its table and a verdict."""
    (source,) = blocks("README.md", "python")
    assert 1 == source.count("* 4_000")
    (tmp_path / "test_compress.py").write_text(source.replace("* 4_000", "* 400"))  # a race has ten passes
    raced = succeeds(f"pytest --benchmark-only --race-time 1 {QUIET}", tmp_path, options="")
    assert "5 passed" in raced
    assert_ended_with_a_race(raced, "compress")


def test_the_tutorial_of_a_race_works(tmp_path: Path) -> None:
    """Each file of docs/race.md, in an empty directory, is a race that ends with its table and a verdict."""
    assert ["test_compress.py", "test_stories.py"] == write_files("docs/race.md", tmp_path)
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "cassettes" / "stories.yaml").write_text(STORIES)
    for name, slow, quick in (("compress", "k=200_000", "k=20_000"), ("stories", "fixed:20ms", "fixed:2ms")):
        path = tmp_path / f"test_{name}.py"  # a race has ten passes: as many of smaller work take a third of the time
        assert 1 == path.read_text().count(slow)
        path.write_text(path.read_text().replace(slow, quick))
    assert ["pytest --benchmark-only", "pytest --benchmark-only -k stories"] == commands("docs/race.md")
    raced = succeeds("pytest --benchmark-only --race-time 1", tmp_path)
    assert "10 passed" in raced
    for race in ("compress", "stories"):
        assert_ended_with_a_race(raced, race)


def assert_ended_with_a_race(text: str, name: str) -> None:
    """Whatever the machine was doing: a verdict, or the reason why there is none."""
    _, title, race = text.partition(f"\n{name}\n")
    assert title, text
    table, _, verdict = race.partition("cold: ")
    assert "sequential" in table
    assert re.search(r"^(Take|For one run take|No variant is shown|NO VERDICT)", verdict, re.M), text


def test_the_walk_through_the_history_works(tmp_path: Path) -> None:
    """That of docs/history.md: what becomes ten times as slow is found slower however busy the machine is."""
    assert ["parcel.py", "test_parcel.py"] == write_files("docs/history.md", tmp_path)
    said = {command: succeeds(PERSON + command, tmp_path) for command in commands("docs/history.md")}
    assert re.search(r"\(5 runs\) → \w{10} \(5 runs\)", said["laptime compare HEAD~1"])
    assert re.search(r"^test_deliver .* slower *$", said["laptime compare HEAD~1"], re.M)
    assert "slower, says exit code 1" in next(text for command, text in said.items() if "--fail-on" in command)
    assert "0 runs added, 1 there already" in said["laptime import run.json"]


def gated(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """A gate, and again while it says that the machine is not fit."""
    return tried(partial(run, command, directory, QUICK["PYTEST_ADDOPTS"]), lambda done: done.stderr)


@pytest.mark.serial
def test_the_walk_through_the_gate_works(tmp_path: Path) -> None:
    """That of docs/gate.md; each group of commands ends with the exit code that is shown for it.

    With a wider limit than a gate has by itself, which takes half as many blocks.
    """
    write_files("docs/gate.md", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.laptime.gate]\nlimit = "30%"\n')
    groups = re.findall(r"^(?:<!-- exit: (\d) -->\n)?```console\n(.*?)^```$", text_of("docs/gate.md"), re.M | re.S)
    assert ["", "1", "0"] == [code for code, _ in groups]
    said = []
    for code, block in groups:
        for command in (line.removeprefix("$ ") for line in block.splitlines()):
            done = gated(PERSON + command, tmp_path)
            expected = int(code or 0) if command.startswith("laptime gate") else 0
            assert expected == done.returncode, done.stdout + done.stderr
            said.append(done.stdout)
    slower, same, listed = said[2], said[4], said[5]
    assert re.search(r"^test_deliver  wall  regressed  \+\d", slower, re.M)
    assert "laptime gate HEAD -- test_parcel.py::test_deliver" in slower
    assert "1 unchanged" in same
    assert "1 regressed" in listed
    assert "1 unchanged" in listed


def test_the_readmes_gates_run(tmp_path: Path) -> None:
    """On this suite, as far as they get in a moment: too little to know anything, which they say, with exit code 2."""
    copy = copy_of_the_tree(tmp_path)
    for command in ("git init --quiet", "git add .", "git commit --quiet -m one"):
        succeeds(PERSON + command, copy)
    succeeds(PERSON + "echo '# end' >> workloads/primes.py && git commit --quiet --all -m two", copy)
    gates = [command for command in commands("README.md") if command.startswith("laptime gate")]
    assert ["--max-time 3m", "--max-time 40s"] == [re.search(r"--max-time \w+", command)[0] for command in gates]
    for command in gates:
        ended = gated(re.sub(r"--max-time \w+", "--max-time 0.1s", command), copy)
        assert 2 == ended.returncode, ended.stdout + ended.stderr
        assert "1 benchmark, all on one CPU" in ended.stderr, ended.stderr
        assert "0 s are too few to know anything" in ended.stderr, ended.stderr
