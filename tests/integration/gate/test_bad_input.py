"""What a gate refuses: it ends with 2, says what is wrong and what to do, and runs no block."""

from __future__ import annotations

import os

import pytest

from tests.support.gates import (
    BENCHMARK,
    CODE,
    SETTINGS,
    commit,
    git,
    project,
    refused,
    refused_at_once,
    write,
)


def test_a_directory_outside_git_is_refused(tmp_path):
    """There is nothing to compare."""
    assert "no git working tree: fatal: not a git repository" in refused_at_once(tmp_path, "main")


def test_a_repository_of_somebody_else_is_refused_with_the_remedy(repository, monkeypatch):
    """As in a container: git itself says what to do."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    said = refused_at_once(repository, "main")
    assert f"dubious ownership in repository at '{repository}': `git config --global --add safe.directory" in said


def test_a_bare_repository_is_refused(tmp_path):
    """It has no files."""
    git(tmp_path, "init", "--quiet", "--bare")
    assert "must be run in a work tree" in refused_at_once(tmp_path, "main")


def test_a_repository_without_commits_is_refused(tmp_path):
    """It has no BASE."""
    git(tmp_path, "init", "--quiet")
    assert "nothing is committed here yet" in refused_at_once(tmp_path, "main")


def test_a_shallow_clone_without_base_is_told_how_to_get_it(tmp_path):
    """As actions/checkout makes it."""
    root = project(tmp_path / "project")
    git(root, "tag", "v1")
    commit(root, {})
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-tags", f"file://{root}", "clone")
    said = refused_at_once(tmp_path / "clone", "v1")
    assert "v1: no such revision in this shallow clone" in said
    assert "fetch-depth: 0" in said


@pytest.mark.parametrize("name", ["nonsense", "main..main", "^main", "main:thing", "HEAD~7", "a b", "ä"])
def test_an_unknown_revision_is_refused(repository, name):
    """Whichever side it is for; ranges and files are none."""
    assert f"{name}: no such revision" in refused_at_once(repository, name)
    assert f"{name}: no such revision" in refused_at_once(repository, "main", name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("--all", "unrecognized arguments"),
        ("-x", "unrecognized arguments"),
        ("--output=stolen", "--output stolen: expected a file whose suffix says the form"),
    ],
)
def test_a_revision_is_never_an_option_of_git(repository, name, said):
    """Nor of anything else; the gate's own `--output` is not git's."""
    assert said in refused_at_once(repository, "main", name)
    assert not list(repository.glob("**/stolen"))


@pytest.mark.parametrize("sides", [("",), ("main", ""), (" ",)])
def test_an_empty_revision_is_refused(repository, sides):
    """A variable that is not set must not mean HEAD."""
    assert "is empty: is the variable" in refused_at_once(repository, *sides)


def test_base_like_head_with_nothing_changed_is_refused(tmp_path):
    """And pointed to the self-test."""
    root = project(tmp_path / "project", head={})
    assert "there is nothing to compare. `laptime gate --self-test`" in refused_at_once(root, "main")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "BASE is missing"),
        (("--self-test", "main"), "--self-test takes no BASE"),
        (("main", "--max-time=soon"), "argument --max-time: 'soon': expected a time, as in 10m or 90s"),
        (("main", "--max-time=0"), "argument --max-time: '0': expected a time"),
        (("main", "--round-limit=-1s"), "argument --round-limit: '-1s': expected a time"),
        (("main", "--margin=x"), "argument --margin: 'x': expected a share, as in 5% or 0.05"),
        (("main", "--limit=nan"), "argument --limit: 'nan': expected a share"),
        (("main", "--margin=5%", "--limit=5%"), "--margin 5.0% must lie below --limit 5.0%"),
        (("main", "--pin=x"), "--pin x: expected auto, all, or CPUs as in 2 or 2,3"),
        (("main", "--pin="), "--pin : expected auto, all, or CPUs as in 2 or 2,3"),
        (("main", "--pin=9999"), "--pin 9999: this process may run on"),
        (("main", "--pin=-1"), "--pin -1: this process may run on"),
    ],
)
def test_bad_arguments_are_refused(repository, arguments, said):
    """By name, with what is expected."""
    assert said in refused_at_once(repository, *arguments)


def test_bad_settings_are_refused(repository):
    """With the place of the wrong one; tests/unit/gate/test_settings.py has all that may be wrong."""
    write(repository, {"pyproject.toml": SETTINGS + "\n    [tool.laptime.gate]\n    slower = 1.1\n"})
    said = refused_at_once(repository, "main")
    assert f"{repository}/pyproject.toml: tool.laptime.gate.slower: no such setting; there are arguments, " in said


def test_a_harness_that_is_not_there_is_refused(repository):
    """By name."""
    write(repository, {"pyproject.toml": SETTINGS + "\n    [tool.laptime.gate]\n    harness = ['absent']\n"})
    assert "[tool.laptime.gate] harness: 'absent' is not in the working tree" in refused(repository, "main")


@pytest.mark.parametrize("harness", [".", "../treasure", "/treasure", "benchmarks/../../treasure"])
def test_a_harness_outside_the_project_is_refused_and_not_removed(repository, tmp_path, harness):
    """BASE's is replaced by HEAD's, and what lies elsewhere must not be."""
    treasure = write(tmp_path / "treasure", {"only.txt": "copy"}) / "only.txt"
    harness = harness.replace("/treasure", str(treasure.parent)) if harness[0] == "/" else harness
    write(repository, {"pyproject.toml": SETTINGS + f"\n    [tool.laptime.gate]\n    harness = ['{harness}']\n"})
    assert f"harness: '{harness}': expected paths inside the project" in refused_at_once(repository, "main")
    assert "copy" == treasure.read_text()


def test_what_pytest_does_not_understand_is_refused(repository):
    """In its words; `--lf` asks for its cache, which the sides don't have."""
    assert "unrecognized arguments: --lf" in refused(repository, "main", "--", "--lf")


SHUFFLES = """
    def pytest_addoption(parser):
        parser.addoption("--seed", dest="randomly_reset_seed", default=True)
        parser.addoption("--order", dest="random_order_bucket", default="class")
"""


def test_all_that_forbids_lockstep_is_said_at_once(repository):
    """Each with its remedy; in place of the plugins that shuffle stands one with their options."""
    write(repository, {"conftest.py": SHUFFLES, "pyproject.toml": SETTINGS + "    addopts = '--setup-plan'\n"})
    said = refused(repository, "main", "--", "--collect-only", "--benchmark-skip", "--http=live")
    for complaint in (
        "pytest-randomly shuffles the tests, and seeds each side otherwise: add `-- -p no:randomly`",
        "pytest-random-order shuffles the tests: add `-- -p no:random_order`",
        "benchmarks are disabled or skipped (--benchmark-disable, --benchmark-skip)",
        "--collect-only: no benchmark would be run; leave it out",
        "--setup-plan: no benchmark would be run; leave it out",
        "--http=live: only what is replayed is the same for both sides",
    ):
        assert complaint in said


def test_several_processes_and_coverage_are_refused_wherever_they_are_asked_for(repository):
    """One round at a time is measured; what is slowed on one side is slowed on the other, and not by as much."""
    pytest.importorskip("xdist")
    pytest.importorskip("pytest_cov")
    said = refused(
        repository, "main", "--", "--cov=thing", env={"PYTEST_ADDOPTS": "-p no:randomly -n2 --dist=loadfile"}
    )
    assert "in several processes: leave -n out, or add `-- -n 0`" in said
    assert "add `-- --no-cov`" in said


def test_a_project_without_benchmarks_is_told_so(tmp_path):
    """A test alone is none."""
    root = project(tmp_path / "project", {"benchmarks/test_thing.py": "def test_work(): pass\n"})
    assert "no benchmarks: pytest finds no test that uses the `benchmark` fixture" in refused(root, "main")


def test_nothing_in_common_is_refused(tmp_path):
    """All benchmarks renamed; though one side has said so, and ended, long before the other."""
    repository = project(tmp_path / "project", {"thing/__init__.py": "    import time\n    time.sleep(1)\n" + CODE})
    write(repository, {"benchmarks/test_thing.py": BENCHMARK.replace("test_work", "test_other")})
    assert "nothing in common: none of BASE's 1 benchmarks is among HEAD's 1" in refused(repository, "main")


def test_a_head_that_can_not_be_imported_is_refused_with_its_error(repository):
    """Nothing of it can be measured."""
    write(repository, {"thing/__init__.py": "raise RuntimeError('no such machine')\n"})
    said = refused(repository, "main")
    assert "HEAD: benchmarks/test_thing.py can't be collected" in said
    assert "RuntimeError: no such machine" in said


def test_a_head_whose_conftest_can_not_be_imported_is_refused_with_its_error(repository):
    """pytest itself gives up."""
    write(repository, {"conftest.py": "raise RuntimeError('no such machine')\n"})
    assert "pytest can't collect the benchmarks of HEAD: " in (said := refused(repository, "main"))
    assert "RuntimeError: no such machine" in said


def test_a_base_that_can_not_be_imported_with_heads_benchmarks_is_refused(repository):
    """They use what it did not have."""
    write(
        repository,
        {
            "thing/__init__.py": CODE + "\n    def faster(): pass\n",
            "benchmarks/test_thing.py": BENCHMARK.replace("import thing", "import thing\n    from thing import faster"),
        },
    )
    said = refused(repository, "main")
    assert "can't be measured with HEAD's benchmarks" in said
    assert "cannot import name 'faster' from 'thing'" in said


def test_code_that_comes_from_the_working_tree_is_refused(tmp_path):
    """By an absolute path; both sides would run it."""
    root = project(tmp_path / "project")
    absolute = f"import sys\n    sys.path.insert(0, {str(root / 'lib')!r})\n    import gear, thing"
    write(root, {"benchmarks/test_thing.py": BENCHMARK.replace("import thing", absolute), "lib/gear.py": ""})
    said = refused(root, "main")
    assert str(root / "lib") in said
    assert "the working tree, rather than from its own copy" in said


def test_a_module_of_a_submodule_is_named(tmp_path):
    """Neither side has it."""
    root = tmp_path / "project"
    commit(root / "vendor", {"gear.py": ""})
    project(root, {"thing/__init__.py": "    from vendor import gear\n" + CODE})
    assert "vendor/gear.py is of a submodule, and these take part on neither side" in refused(root, "main")


def test_a_generated_module_that_git_ignores_is_named(tmp_path):
    """Neither side has it."""
    root = project(
        tmp_path / "project",
        {".gitignore": "_version.py\n", "thing/__init__.py": "    from thing._version import version\n" + CODE},
    )
    write(root, {"thing/_version.py": "version = '1'\n", "README": "changed"})
    assert "your working tree has thing/_version.py, which git ignores" in refused(root, "main")


def test_a_compiled_module_that_git_ignores_is_named(tmp_path):
    """Without it the sides would run the pure Python that stands in for it."""
    fallback = """
        try:
            from thing._speed import work
        except ImportError:
            def work(count=10_000):
                return sum(range(count))
    """
    root = project(tmp_path / "project", {".gitignore": "*.so\n", "thing/__init__.py": fallback})
    write(root, {"thing/_speed.cpython-311-x86_64-linux-gnu.so": "", "README": "changed"})
    said = refused(root, "main")
    assert "thing/_speed.cpython-311-x86_64-linux-gnu.so: git ignores what was built there" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_for_temporary_files_that_can_not_be_written_is_refused(repository, tmp_path):
    """It is named."""
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "Permission denied" in refused(repository, "main", env={"TMPDIR": str(tmp_path / "closed")})
