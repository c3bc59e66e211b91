"""The arrows of CONTRIBUTING.md: who may import whom, read from the source itself."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT

CLOCKS_FILES_SOCKETS = {"time", "datetime", "os", "pathlib", "shutil", "socket", "subprocess", "tempfile", "asyncio"}
PROCESSES = {"multiprocessing", "signal", "select", "selectors", "threading", "concurrent", "psutil", "io"}

# (files, what they must not import)
FORBIDDEN = {
    "laptime/**/*.py": {"workloads", "benchmarks", "tests", "conftest", "requests", "bs4"},
    "workloads/*.py": {"laptime", "pytest", "pytest_benchmark", "vcr", "benchmarks", "tests"},
    "benchmarks/*.py": {"laptime", "vcr", "tests"},
    "benchmarks/budgets/*.py": {"pytest", "tests"},
    "cassettes/*.py": {"laptime", "workloads", "benchmarks", "tests"},
    "conftest.py": {"laptime", "vcr", "tests"},
    "laptime/analysis/*.py": CLOCKS_FILES_SOCKETS
    | PROCESSES
    | {"pytest", "laptime.report", "laptime.plugin", "laptime.cli", "laptime.lap", "laptime.history", "laptime.busy"},
    "laptime/passes.py": CLOCKS_FILES_SOCKETS | PROCESSES | {"pytest", "laptime"},
    "laptime/busy.py": {"pytest", "laptime.lap", "laptime.plugin", "laptime.cli", "laptime.report", "laptime.replay"},
    "laptime/ways.py": {"pytest", "laptime"},
    "laptime/report/*.py": CLOCKS_FILES_SOCKETS - {"datetime"}
    | {"laptime.plugin", "laptime.history.store", "laptime.replay", "laptime.lap", "laptime.record"},
    "laptime/report/page/**/*.py": CLOCKS_FILES_SOCKETS - {"datetime"}
    | {"laptime.plugin", "laptime.history.store", "laptime.replay", "laptime.lap", "laptime.record", "laptime.cli"},
    # one module draws, and what is said doesn't depend on how
    "laptime/report/page/[!d]*.py": {"vl_convert"},
    "laptime/report/page/charts/*.py": {"vl_convert", "laptime.report.page.html", "laptime.report.page.content"},
    "laptime/plan.py": CLOCKS_FILES_SOCKETS,
    "laptime/timeline.py": CLOCKS_FILES_SOCKETS | {"laptime.watch", "laptime.lap"},
    "laptime/watch.py": {"pytest", "laptime.replay", "laptime.lap", "laptime.plugin", "laptime.timeline"},
    "laptime/har.py": CLOCKS_FILES_SOCKETS - {"datetime"},
    "laptime/redact.py": CLOCKS_FILES_SOCKETS | {"laptime"},
    "laptime/guard.py": {"laptime", "pathlib", "tempfile", "json", "asyncio", "uvloop"},
    "laptime/files.py": {"laptime"},
    "laptime/gil.py": CLOCKS_FILES_SOCKETS | {"laptime.replay", "laptime.lap", "laptime.plugin", "laptime.cli"},
    "laptime/settings.py": {"pytest", "laptime.plugin", "laptime.cli", "laptime.replay", "laptime.record"},
    "laptime/replay/limits.py": CLOCKS_FILES_SOCKETS,
    "laptime/replay/match.py": CLOCKS_FILES_SOCKETS,
    "laptime/replay/visit.py": CLOCKS_FILES_SOCKETS,
    "laptime/replay/wire.py": CLOCKS_FILES_SOCKETS,
    "laptime/replay/latency.py": CLOCKS_FILES_SOCKETS,
    "laptime/replay/script.py": CLOCKS_FILES_SOCKETS,
    "laptime/cassette/*.py": {"laptime.replay", "laptime.lap", "laptime.plugin", "laptime.cli", "laptime.record"},
    "laptime/cassette/_[!lv]*.py": {"yaml", "os", "shutil", "socket", "subprocess", "tempfile"},
    "laptime/m*.py": {"laptime.replay", "laptime.lap", "laptime.plugin", "laptime.cli", "laptime.cassette"},
    "laptime/replay/*.py": {"pytest", "laptime.lap", "laptime.plugin", "laptime.cli", "laptime.report"},
    "laptime/record/*.py": {"pytest", "laptime.lap", "laptime.plugin", "laptime.cli", "laptime.replay"},
    "laptime/record/_patience.py": CLOCKS_FILES_SOCKETS - {"datetime"},
    "laptime/lap.py": {"pytest", "pytest_benchmark", "laptime.plugin", "laptime.cli", "laptime.report"},
    "laptime/cli/*.py": {"pytest", "pytest_benchmark", "laptime.plugin", "laptime.lap", "sqlalchemy"},
    "laptime/project.py": {"pytest", "pytest_benchmark", "laptime.plugin", "laptime.cli"},
    "laptime/git.py": {"laptime"},
    "laptime/libraries.py": {"laptime"},
    "laptime/stats/*.py": {
        *(CLOCKS_FILES_SOCKETS | PROCESSES),
        *("pytest", "laptime.history", "laptime.gate", "laptime.plugin", "laptime.cli", "laptime.report"),
    },
    "laptime/compare.py": CLOCKS_FILES_SOCKETS | {"laptime.plugin", "laptime.cli", "laptime.report", "sqlalchemy"},
    "laptime/index.py": CLOCKS_FILES_SOCKETS - {"datetime"}
    | {"laptime.plugin", "laptime.cli", "laptime.report", "laptime.gate", "sqlalchemy"},
    "laptime/trend.py": CLOCKS_FILES_SOCKETS - {"datetime"} | {"laptime.plugin", "laptime.cli", "laptime.report"},
    "laptime/history/*.py": {
        *("pytest", "pytest_benchmark", "laptime.plugin", "laptime.cli", "laptime.report", "laptime.gate"),
        *("laptime.replay", "laptime.record", "laptime.lap", "laptime.compare", "laptime.trend", "laptime.stats"),
    },
    "laptime/history/_[fjmnp]*.py": {"sqlalchemy", "sqlite3", "socket"},
    "laptime/history/_[fjmp]*.py": CLOCKS_FILES_SOCKETS - {"datetime"},
    "laptime/gate/decision/*.py": {
        *(CLOCKS_FILES_SOCKETS | PROCESSES | {"pytest", "laptime.gate.sides", "laptime.gate.equipment"}),
        *("laptime.gate.session", "laptime.gate.settings", "laptime.report", "laptime.replay"),
    },
    "laptime/gate/pattern.py": CLOCKS_FILES_SOCKETS | PROCESSES | {"laptime"},
    "laptime/gate/sides/*.py": {"laptime.gate.equipment", "laptime.gate.session", "laptime.gate.settings"},
    "laptime/gate/equipment/*.py": {"laptime.gate.session", "laptime.gate.settings", "laptime.replay"},
    "laptime/gate/accept.py": (CLOCKS_FILES_SOCKETS | PROCESSES) - {"datetime"}
    | {"pytest", "laptime.plugin", "laptime.cli", "laptime.report", "laptime.replay", "laptime.history", "laptime.git"},
    # paths of modules are compared there, and none is opened
    "laptime/gate/sides/proof.py": (CLOCKS_FILES_SOCKETS | PROCESSES | {"pytest", "pathlib.Path"}) - {"pathlib"},
    "laptime/gate/**/*.py": {
        *("pytest", "pytest_benchmark", "laptime.plugin", "laptime.cli", "laptime.report", "workloads"),
        *("laptime.record", "laptime.lap"),
    },
    # arena alone has a server
    "laptime/gate/*.py": {"laptime.replay"},
    "laptime/gate/sides/[!a]*.py": {"laptime.replay"},
    # record alone stores
    "laptime/gate/[!r]*.py": {"laptime.history"},
    "laptime/gate/re[!c]*.py": {"laptime.history"},
    "laptime/gate/*/*.py": {"laptime.history"},
    "laptime/resources.py": {"pytest", "pytest_benchmark", "laptime.plugin", "laptime.cli", "laptime.report"},
    "laptime/plugin/*.py": {"pytest_benchmark", "laptime.cli", "socket", "subprocess", "json", "sqlalchemy"},
}


@cache  # several rules read the same files
def _imports(path: Path) -> tuple[str, ...]:
    modules: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its arrow"
            assert node.module is not None
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(modules)


def _names(module: str) -> set[str]:
    """`a.b.c` -> a, a.b, a.b.c."""
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts) + 1)}


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_import_runs_against_the_arrows(pattern: str) -> None:
    """No module imports what lies above it."""
    paths = sorted(ROOT.glob(pattern))
    assert paths, f"no file matches {pattern}: the rule checks nothing"
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in paths
        for module in _imports(path)
        if _names(module) & FORBIDDEN[pattern]
    ]
    assert [] == wrong


def test_laptime_stands_on_its_own() -> None:
    """The wheel holds laptime and nothing of the suite."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert ["laptime"] == project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_the_reader_of_imports_sees_them_all(tmp_path: Path) -> None:
    """An import inside a function, or of a name from a package, does not hide."""
    source = tmp_path / "module.py"
    source.write_text("def f():\n    import a.b\n    from c import d\n")
    assert ("a.b", "c", "c.d") == _imports(source)
