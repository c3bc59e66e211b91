"""The shapes that projects have: in each of them either side runs its own code, and HEAD's benchmarks.

A benchmark that BASE's code has skipped, and HEAD's has not, is `new`: so this verdict says here that BASE ran BASE's
code and HEAD ran HEAD's. All else is measured, and unresolved, as there is no time for blocks.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from benchmarks.budgets import gate_projects, projects
from tests.support.gates import CANNOT, NO_BLOCKS, commit, gate, gate_started, project, refused, verdicts, write
from tests.support.sessions import Ended

BASE, HEAD = 'SIDE = "base"\n', 'SIDE = "head"\n'
WORK = """

def work(count=1000):
    return sum(range(count))
"""


def told(ended: Ended) -> dict[str, str]:
    """The verdicts, where the gate found nothing amiss."""
    assert CANNOT == ended.code, ended.text
    return verdicts(ended)


# several projects in one repository, really installed

HATCHLING = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"

    [project]
    name = "{name}"
    version = "1"
"""
SETUPTOOLS = HATCHLING.replace("hatchling.build", "setuptools.build_meta").replace("hatchling", "setuptools")
PYTEST = """
    [tool.pytest.ini_options]
    python_files = ["bench_*.py"]
    testpaths = ["perf"]
"""
BENCH = """
    import pytest
    from {module} import SIDE, work

    def test_{name}(benchmark):
        if SIDE == "base":
            pytest.skip("only HEAD is measured")
        benchmark(work)

    def test_{name}_on_both(benchmark):
        assert benchmark(work) == 499500
"""
IMPORTS_ITS_SIBLING = """
    import beta, helper

    def test_sibling(benchmark):
        assert helper.NUMBER == 2, "HEAD's helper is on both sides"
        if beta.SIDE == "base":
            pytest.skip("only HEAD is measured")
        benchmark(beta.work)
"""
MONOREPO = {
    "pytest.ini": "[pytest]\npython_files = bench_*.py\naddopts = --strict-markers\n",
    # a .pth file of hatchling's, src
    "alpha/pyproject.toml": HATCHLING.format(name="alpha") + PYTEST,
    "alpha/perf/helper.py": "NUMBER = 1\n",
    "alpha/perf/bench_alpha.py": BENCH.format(module="alpha", name="alpha") + IMPORTS_ITS_SIBLING,
    # setuptools' finder, flat
    "beta/pyproject.toml": SETUPTOOLS.format(name="beta") + '\n    [tool.setuptools]\n    packages = ["beta"]\n',
    "beta/bench/bench_beta.py": BENCH.format(module="beta", name="beta"),
    # setuptools' finder, a namespace, and the benchmarks inside the package
    "gamma/pyproject.toml": SETUPTOOLS.format(name="gamma")
    + '\n    [tool.setuptools]\n    packages = ["acme.gamma"]\n    package-dir = {"acme.gamma" = "lib/acme/gamma"}\n',
    "gamma/lib/acme/gamma/tests/bench_gamma.py": BENCH.format(module="acme.gamma", name="gamma"),
    # the finder of `editables`
    "delta/pyproject.toml": HATCHLING.format(name="delta")
    + '\n    [tool.hatch.build]\n    dev-mode-exact = true\n    only-include = ["python/delta"]\n'
    + '    sources = ["python"]\n',
    "delta/bench_delta.py": BENCH.format(module="delta", name="delta"),
}
CODE = ("alpha/src/alpha/__init__.py", "beta/beta/__init__.py", "gamma/lib/acme/gamma/__init__.py")
MODULES = (*CODE, "delta/python/delta/__init__.py")


@pytest.fixture
def site(tmp_path):
    """A directory of installed packages, and a function that installs into it what is developed somewhere."""
    # none is imported here: setuptools takes the place of modules; an older one needs another package for a wheel
    for builder, least in (("pip", 21), ("hatchling", 1), ("editables", 0), ("setuptools", 71)):
        try:
            found = int(version(builder).partition(".")[0])
        except PackageNotFoundError:
            pytest.skip(f"{builder} is not installed")
        if found < least:
            pytest.skip(f"{builder} is older than {least}")
    directory = tmp_path / "installed"
    write(directory, {"sitecustomize.py": f"import site\nsite.addsitedir({str(directory)!r})\n"})

    def install(*projects: Path) -> dict[str, str]:
        plain = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
        command = [sys.executable, "-m", "pip", "install", *plain, "--target", str(directory)]
        for path in projects:
            command += ["-e", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {"PYTHONPATH": str(directory)}

    return install


@pytest.mark.slow
def test_several_packages_of_one_repository_are_gated_from_its_root_and_from_one_of_them(tmp_path, site):
    """Installed as their build backends do it; one imports another; each has settings of its own."""
    root = tmp_path / "all"
    commit(root, MONOREPO | dict.fromkeys(MODULES, BASE + WORK))
    env = site(*(root / name for name in ("alpha", "beta", "gamma", "delta")))
    write(root, {**dict.fromkeys(MODULES, HEAD + WORK), "alpha/perf/helper.py": "NUMBER = 2\n"})
    of_alpha = {"test_alpha": "new", "test_alpha_on_both": "unresolved", "test_sibling": "new"}
    of_all = {f"test_{name}": "new" for name in ("beta", "gamma", "delta")}
    of_all |= {f"test_{name}_on_both": "unresolved" for name in ("beta", "gamma", "delta")}
    assert of_alpha | of_all == told(gate_started(root, "main", NO_BLOCKS, env=env))
    assert of_alpha == told(gate_started(root / "alpha", "main", NO_BLOCKS, env=env))


# what pytest can be told, and where

LEVELS = {
    "conftest.py": "import pytest\n\n@pytest.fixture\ndef amount():\n    return 1\n",
    "tests/conftest.py": """
        import pytest

        @pytest.fixture
        def amount(amount):
            return amount + 10
    """,
    "tests/unit/conftest.py": """
        import pytest

        @pytest.fixture
        def amount(amount):
            return amount + 100

        @pytest.fixture
        def doubled(request):
            return 2 * request.param
    """,
}
CLASSES = """
    import pytest, thing

    def test_levels(benchmark, amount):
        assert amount == 111
        if thing.SIDE == "base":
            pytest.skip("only HEAD is measured")
        benchmark(thing.work, amount)

    @pytest.mark.parametrize("count", [10, 20], ids=["few", "a [b]::c / d"])
    @pytest.mark.quick
    class TestSums:
        def setup_method(self):
            self.extra = 1

        def test_sum(self, benchmark, count):
            assert benchmark(thing.work, count + self.extra) == sum(range(count + 1))

    class TestMoreSums(TestSums):
        def setup_method(self):
            self.extra = 2

        def test_sum(self, benchmark, count):
            assert benchmark(thing.work, count + self.extra) == sum(range(count + 2))

        def test_inherits(self, benchmark, count):
            benchmark.pedantic(thing.work, args=(count,), rounds=3, iterations=2)

    @pytest.mark.quick
    @pytest.mark.parametrize("doubled", [3], indirect=True, ids=["dreißig-三"])
    def test_indirect(benchmark, doubled):
        assert benchmark(thing.work, doubled) == 15
"""


@pytest.mark.slow
def test_classes_parameters_fixtures_of_several_levels_and_settings_in_setup_cfg(tmp_path):
    """In a directory below the repository's root, with code in src that is installed nowhere."""
    root = tmp_path / "everything"
    settings = """
        [tool:pytest]
        addopts = --strict-markers --strict-config
        testpaths = tests
        markers =
            quick: runs at once
    """
    files = {**LEVELS, "setup.cfg": settings, "tests/unit/test_sums.py": CLASSES, "src/thing/__init__.py": BASE + WORK}
    commit(root, {"README": "of all", **{f"python/{name}": text for name, text in files.items()}})
    write(root, {"python/src/thing/__init__.py": HEAD + WORK})
    told_of = told(gate(root / "python", "main", NO_BLOCKS))
    found = {name.removeprefix("test_sums.py::"): verdict for name, verdict in told_of.items()}
    assert "new" == found.pop("test_levels", None), found
    assert {"unresolved"} == set(found.values())
    assert 7 == len(found), found
    assert {"TestSums::test_sum[few]", "TestSums::test_sum[a [b]::c / d]"} <= found.keys(), found


PLUGIN = """
    import pytest

    @pytest.fixture
    def from_plugin():
        return 7
"""
INSIDE = """
    import pytest
    from thing import SIDE
    from thing.parts import work

    def test_inside(benchmark, from_plugin):
        if SIDE == "base":
            pytest.skip("only HEAD is measured")
        assert benchmark(work, from_plugin) == 21
"""
DOCUMENTED = BASE + WORK.replace("    return", '    """>>> work(3)\n    3\n    """\n    return')


@pytest.mark.slow
def test_benchmarks_beside_the_code_with_doctests_imported_by_importlib_and_settings_in_tox_ini(tmp_path):
    """The code in the package is each side's own, though `testpaths` names the package; so is pytest's plugin in it."""
    settings = """
        [pytest]
        addopts = --doctest-modules --import-mode=importlib -p thing.plugin
        testpaths = thing
        python_files = bench_*.py
        pythonpath = .
    """
    parts = WORK + f"\nSIDE = {'base'!r}\n"
    bench = (
        INSIDE + '\n    def test_parts(benchmark):\n        from thing.parts import SIDE\n        if SIDE == "base":\n'
    )
    bench += '            pytest.skip("only HEAD is measured")\n        benchmark(work)\n'
    bench += "\n    def test_both(benchmark):\n        benchmark(work)\n"
    root = tmp_path / "project"
    base = {
        "tox.ini": settings,
        "thing/__init__.py": DOCUMENTED,
        "thing/parts.py": parts,
        "thing/plugin.py": PLUGIN,
        "thing/tests/__init__.py": "",
        "thing/tests/bench_inside.py": bench,
    }
    commit(root, base)
    write(
        root,
        {"thing/__init__.py": DOCUMENTED.replace("base", "head"), "thing/parts.py": parts.replace("base", "head")},
    )
    expected = {"test_inside": "new", "test_parts": "new", "test_both": "unresolved"}
    assert expected == told(gate(root, "main", NO_BLOCKS))


def test_a_package_that_moved_into_src_is_gated_against_what_it_was(tmp_path):
    """Either side is imported from where it has its code."""
    root = tmp_path / "project"
    commit(
        root,
        {
            "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["tests"]\naddopts = "-ra --strict-markers"\n',
            "tests/test_thing.py": BENCH.format(module="thing", name="thing"),
            "thing/__init__.py": BASE + WORK,
        },
    )
    write(root, {"thing/__init__.py": None, "src/thing/__init__.py": HEAD + WORK})
    expected = {"test_thing": "new", "test_thing_on_both": "unresolved"}
    assert expected == told(gate(root, "main", NO_BLOCKS))


# what is the harness


def test_a_suite_without_code_is_refused_though_it_has_helpers(tmp_path):
    """They are in its directory: HEAD's on both sides, and no code under test."""
    root = project(
        tmp_path / "project",
        {
            "pyproject.toml": "[project]\nname = 'thing'\nversion = '1'\n",
            "benchmarks/test_thing.py": None,
            "bench/helper.py": "def work():\n    return sum(range(1000))\n",
            "bench/test_thing.py": "import helper\n\ndef test_work(benchmark):\n    benchmark(helper.work)\n",
        },
    )
    said = refused(root, "main")
    assert "loads nothing of the code under test" in said
    assert "Move what is to be measured out of the harness" in said


# projects built like known ones


@pytest.mark.slow
@pytest.mark.parametrize("imitated", projects.ALL, ids=lambda imitated: imitated.name)
def test_a_project_built_like_a_known_one_is_gated_as_it_is(tmp_path, imitated):
    """All that its arguments choose is run on both sides, of which HEAD's has the slowdown that the script plants."""
    root = tmp_path / "project"
    commit(root, {})
    imitated.write(root)
    commit(root, {})
    imitated.slow(root, 0.1)
    found = told(gate(root, "main", NO_BLOCKS, *imitated.arguments))
    assert ["unresolved"] * imitated.benchmarks == list(found.values())
    assert 0 < len([name for name in found if imitated.found_in in name]) < imitated.benchmarks


@pytest.mark.parametrize(
    ("code", "verdicts", "is_found"),
    [
        (1, {"test_loads[a]": "regressed", "test_dumps[a]": "unresolved"}, True),
        (1, {"test_loads[a]": "regressed", "test_dumps[a]": "regressed"}, False),
        (1, {"test_loads[a]": "broken"}, False),
        (0, {"test_loads[a]": "unchanged"}, False),
    ],
)
def test_a_planted_slowdown_is_found_where_it_is_and_nowhere_else(code, verdicts, is_found):
    """What the script counts."""
    assert is_found == gate_projects.found(gate_projects.Gated(code, 1.0, verdicts, {}), projects.CODEC)
