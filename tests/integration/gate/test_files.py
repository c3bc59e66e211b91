"""Whose code each side of a gate runs, and of which files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.support.gates import (
    CANNOT,
    NO_BLOCKS,
    SETTINGS,
    commit,
    gate,
    gate_started,
    git,
    state,
    verdicts,
    write,
)

WITNESS = """
    import json, os
    from pathlib import Path

    import pytest, thing

    @pytest.mark.parametrize("word", ["a b", "x[y]"])
    def test_work(benchmark, word):
        benchmark(thing.work)
        root = Path(__file__).parents[1]
        files = {
            str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text()
            for path in root.rglob("*")
            if (path.is_symlink() or path.is_file()) and path.suffix != ".pyc"
        }
        seen = {"word": word, "thing": thing.__file__, "cwd": os.getcwd(), "root": str(root), "files": files}
        Path(os.environ["WITNESS"], thing.SIDE).write_text(json.dumps(seen))
"""
WORK = "\ndef work(count=10_000):\n    return sum(range(count))\n"
BASE, HEAD = "SIDE = 'base'\n" + WORK, "SIDE = 'head'\n" + WORK


def witnessed(directory: Path, place: Path, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `WITNESS` saw of each side in a gate that is run in `place`: side -> what it wrote into `directory`."""
    directory.mkdir()
    # what Python imports from at its start is the gate's to know
    run = gate if env is None else gate_started
    ended = run(place, "main", NO_BLOCKS, *arguments, env={"WITNESS": str(directory), **(env or {})})
    assert CANNOT == ended.code, ended.text
    assert {"unresolved"} == set(verdicts(ended).values()), ended.text  # there was no time for blocks
    seen = {path.name: json.loads(path.read_text()) for path in directory.iterdir()}
    assert {"base", "head"} == set(seen), ended.text
    return seen


FINDER = """
    import importlib.machinery, importlib.util, sys

    MAPPING = {{"gear": {package!r}}}

    class Finder:
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            if name in MAPPING:
                return importlib.util.spec_from_file_location(name, MAPPING[name] + "/__init__.py")

    def install():
        sys.meta_path.append(Finder)
"""


def test_each_side_runs_its_own_code_however_it_is_installed(tmp_path):
    """On the path by a .pth file, or by the finder of setuptools; a copy that is installed too is not loaded.

    A startup file stands in for an installation's: it runs at the same moment.
    """
    root, site = tmp_path / "project", tmp_path / "site-packages"
    witness = WITNESS.replace("pytest, thing", "gear, pytest, thing").replace(
        '"cwd": os.getcwd()', '"gear": [gear.SIDE, gear.__file__]'
    )
    files = {"pyproject.toml": SETTINGS, "benchmarks/test_thing.py": witness}
    code = ("lib/thing/__init__.py", "python/parts/gear/__init__.py")
    commit(root, files | dict.fromkeys(code, BASE))
    write(root, dict.fromkeys(code, HEAD))
    start = f"""
        import sys, __editable___gear_finder
        sys.path.append({str(root / "lib")!r})
        __editable___gear_finder.install()
    """
    write(
        site,
        {
            "sitecustomize.py": start,
            "__editable___gear_finder.py": FINDER.format(package=str(root / "python/parts/gear")),
            "thing/__init__.py": "raise RuntimeError('the installed one')\n",
        },
    )
    seen = witnessed(tmp_path / "witness", root, env={"PYTHONPATH": str(site)})
    for side, found in seen.items():
        assert f"{found['root']}/{code[0]}" == found["thing"]
        assert [side, f"{found['root']}/{code[1]}"] == found["gear"]
    assert seen["base"]["root"] != seen["head"]["root"]


ODD = {"data/with space": "s", "data/ünï": "u", "data/new\nline": "n"}
GONE = {"data/gone.txt": "g"}
OUTSIDE = """
    import thing

    def test_outside(benchmark):
        benchmark(thing.work)
"""


@dataclass(frozen=True, slots=True)
class Gated:
    """A repository with all that git knows; what the sides saw of it, and its own state before and after the gate."""

    root: Path
    outside: Path
    seen: dict[str, Any]
    before: dict[str, object]
    after: dict[str, object]


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Gated:
    """One gate against a tag: with a submodule, links, odd names, and changes that are staged, ignored, not tracked."""
    directory = tmp_path_factory.mktemp("gated")
    root, submodule, outside = (directory / name for name in ("project", "submodule", "outside"))
    commit(submodule, {"inside.py": ""})
    write(outside, {"test_outside.py": OUTSIDE})
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "core.fsmonitor", "false")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(submodule), "sub")
    (root / "linked").symlink_to(outside)
    (root / "data").mkdir()
    (root / "data" / "link").symlink_to("with space")
    files = {
        "pyproject.toml": SETTINGS.replace('["benchmarks"]', '["benchmarks", "linked", "../../outside_tests"]'),
        "benchmarks/test_thing.py": WITNESS,
        "thing/__init__.py": BASE,
        ".gitattributes": "benchmarks export-ignore\ndata export-ignore\n",
        ".gitignore": "ignored*\n",
    }
    commit(root, {**files, **ODD, **GONE})
    git(root, "branch", "--quiet", "--move", "topic")
    git(root, "tag", "main")
    write(root, {"thing/__init__.py": HEAD, "data/gone.txt": None})
    write(root, {"data/staged": "1", "data/untracked": "1", "ignored.txt": "1"})
    git(root, "add", "data/staged")
    git(root, "update-index", "--split-index")
    os.utime(root / "pyproject.toml", (1, 1))  # git would refresh what it noted of it
    before = state(root)
    seen = witnessed(directory / "witness", root, "--", "--benchmark-autosave")
    return Gated(root, outside, seen, before, state(root))


def test_each_side_has_the_files_that_git_would_have(gated):
    """Whatever they are called, and of the working tree also what was not committed; nothing of a submodule."""
    base, head = (
        {
            name: text
            for name, text in gated.seen[side]["files"].items()
            if name.startswith(("data", "ign", "sub", "benchm"))
        }
        for side in ("base", "head")
    )
    benchmarks = {"benchmarks/test_thing.py": dedent(WITNESS)}
    assert {**ODD, **GONE, **benchmarks, "data/link": "with space"} == base
    assert base | {"data/staged": "1", "data/untracked": "1"} == {**head, **GONE}


def test_nothing_in_the_repository_is_touched(gated):
    """No file, no time of one, no reference, no work tree; not even the index is refreshed. Nor what links lead to."""
    assert gated.before == gated.after
    assert ["test_outside.py"] == [path.name for path in gated.outside.glob("*.py")]


def test_a_project_within_a_repository_is_gated_from_wherever_it_is_called(tmp_path):
    """By absolute paths through a link, and node ids with spaces and brackets; BASE need not have the directory."""
    toplevel = tmp_path / "everything"
    root = toplevel / "parts" / "one"
    commit(toplevel, {"README": "of all", "pyproject.toml": "[tool.ruff]\n"})
    root.mkdir(parents=True)
    commit(root, {"pyproject.toml": SETTINGS, "benchmarks/test_thing.py": WITNESS, "thing/__init__.py": BASE})
    write(root, {"thing/__init__.py": HEAD})
    (tmp_path / "link").symlink_to(root)
    (root / "benchmarks" / "new").mkdir()
    node = f"{tmp_path / 'link'}/benchmarks/test_thing.py::test_work[a b]"
    for found in witnessed(tmp_path / "witness", root / "benchmarks" / "new", "--", node).values():
        assert found["word"] == "a b"
        assert found["root"].endswith("/parts/one")
        assert found["cwd"] == f"{found['root']}/benchmarks/new"
        assert found["thing"] == f"{found['root']}/thing/__init__.py"
