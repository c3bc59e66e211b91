"""What a gate's sides run in: environments that are made for each, that are there, or the gate's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest

from laptime.gate import GateError
from laptime.gate.equipment import dependencies, equip, isolate
from laptime.gate.equipment.equip import Equipment
from laptime.gate.sides.arena import Arena
from laptime.gate.sides.cpus import Pinning
from laptime.gate.sides.environment import Details, Environment, differences
from laptime.gate.sides.side import BASE, HEAD
from laptime.gate.sides.trees import Place, Trees, base_revision, head_revision
from tests.support.gates import CANNOT, NO_BLOCKS, commit, gate, git, project, refused, refused_at_once, verdicts, write

CPYTHON = {"implementation": "CPython", "version": "3.12.1"}

# a project that can't run as git has it: its version and a compiled module are written when it is built

BACKEND = """
    '''Builds the wheel, as setuptools-scm and a compiler would.'''
    import base64, hashlib, subprocess, sysconfig, zipfile
    from pathlib import Path

    SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
    EXTENSION = '''
        #include <Python.h>
        static PyObject *work(PyObject *self, PyObject *count) {
            long total = 0;
            for (long i = 0; i < PyLong_AsLong(count); i++) total += i;
            return PyLong_FromLong(total);
        }
        static PyMethodDef methods[] = {{"work", work, METH_O, NULL}, {NULL}};
        static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, methods};
        PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
    '''

    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        needs = Path("needs.txt").read_text().strip()
        described = subprocess.run(("git", "describe", "--tags", "--always"), capture_output=True, text=True).stdout
        Path("fast.c").write_text(EXTENSION)
        compile = ("cc", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}", "fast.c", "-o", "fast.so")
        subprocess.run(compile, check=True)
        files = {f"thing/{path.name}": path.read_bytes() for path in Path("thing").glob("*.py")}
        files[f"thing/fast{SUFFIX}"] = Path("fast.so").read_bytes()
        files["thing/_version.py"] = f"described = {described.strip()!r}".encode()
        files["thing-1.dist-info/METADATA"] = (
            f"Metadata-Version: 2.1\\nName: thing\\nVersion: 1\\nProvides-Extra: test\\n"
            f"Requires-Dist: {needs}; extra == 'test'\\n"
        ).encode()
        files["thing-1.dist-info/WHEEL"] = b"Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: py3-none-any\\n"
        record = "".join(f"{name},,\\n" for name in files) + "thing-1.dist-info/RECORD,,\\n"
        name = "thing-1-py3-none-any.whl"
        with zipfile.ZipFile(Path(wheel_directory) / name, "w") as wheel:
            for path, content in {**files, "thing-1.dist-info/RECORD": record.encode()}.items():
                wheel.writestr(path, content)
        return name
"""
BUILT_SETTINGS = """
    [build-system]
    requires = []
    build-backend = "backend"
    backend-path = ["."]

    [project]
    name = "thing"
    version = "1"
    dynamic = ["optional-dependencies"]

    [tool.pytest.ini_options]
    testpaths = ["benchmarks"]

    [tool.laptime.gate]
    install = [".[test]", "--find-links=wheels"]
"""
BUILT = {
    "pyproject.toml": BUILT_SETTINGS,
    "backend.py": BACKEND,
    "needs.txt": "mock-cart==1",
    ".gitignore": "*.so\n_version.py\n",
    "thing/__init__.py": "from thing import fast, _version\n\nWANTS = '1'\n",
    "benchmarks/test_thing.py": """
        import cart, thing

        def test_work(benchmark):
            assert benchmark(thing.fast.work, 1000) == 499500
            assert thing.WANTS == cart.VERSION
            assert thing._version.described.startswith("v1.0"), "git tells a version where it is built"
    """,
}


def wheel(directory: Path, version: str) -> None:
    """A distribution that the project depends on."""
    name, info = f"mock_cart-{version}-py3-none-any.whl", f"mock_cart-{version}.dist-info"
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(directory / name, "w") as file:
        file.writestr("cart.py", f"VERSION = '{version}'\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: mock-cart\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "".join(f"{one},,\n" for one in ("cart.py", f"{info}/RECORD")))


def can_compile() -> bool:
    """Whether there is a C compiler, with Python's headers."""
    return shutil.which("cc") is not None and (Path(sysconfig.get_path("include")) / "Python.h").is_file()


@pytest.mark.serial  # pip makes three environments: twenty seconds of all the machine has
@pytest.mark.skipif(not can_compile(), reason="there is no C compiler, or Python's headers are not installed")
def test_each_side_has_its_own_dependencies_and_what_is_built_of_it(tmp_path):
    """Without, git's files alone can't run. What was made is used again, by this gate and as an environment."""
    root = tmp_path / "project"
    for version in ("1", "2"):
        wheel(root / "wheels", version)
    commit(root, BUILT)
    git(root, "tag", "v1.0")
    write(root, {"needs.txt": "mock-cart==2", "thing/__init__.py": "from thing import fast, _version\n\nWANTS = '2'\n"})
    # pip compiles all that it installs, which takes longer than to install it; who imports it compiles what is imported
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PIP_NO_COMPILE": "1"}

    ended = gate(root, "main", NO_BLOCKS, "--isolate", env=cache, limit_s=180)
    assert CANNOT == ended.code, ended.text
    assert {"test_work": "unresolved"} == verdicts(ended), ended.text
    assert "note: the sides' environments differ: mock-cart 1 → 2\n" in ended.text, ended.text
    changed = ["needs.txt", "thing/__init__.py"]
    assert changed == git(root, "diff", "--name-only").split(), "the working tree is as it was"
    assert "" == git(root, "ls-files", "--others", "--exclude-standard")

    # the same code in two environments that are there; nothing of it is installed in them
    plain = project(
        tmp_path / "plain",
        {"benchmarks/test_thing.py": "import cart\n\ndef test_cart(benchmark):\n    benchmark(cart.VERSION.upper)\n"},
        {},
    )
    made = {}
    for path in (tmp_path / "cache").glob("laptime/*/environments/*/lib/*/site-packages/cart.py"):
        made[path.read_text().split("'")[1]] = str(path.parents[3])
    assert {"1", "2"} == set(made)
    ended = gate(plain, "HEAD", NO_BLOCKS, f"--base-env={made['1']}", f"--head-env={made['2']}")
    assert {"test_cart": "unresolved"} == verdicts(ended), ended.text
    assert "note: the sides' environments differ: mock-cart 1 → 2\n" in ended.text, ended.text

    # what a test needs beside: installed here, but not said to be needed
    write(root, {"benchmarks/test_thing.py": "import aiohttp\n"})
    said = refused(root, "main", "--isolate", env=cache, limit_s=180)
    assert "aiohttp: installed here, and not in the environment that was made" in said, said
    assert 'install = [".[test]"]' in said


def test_what_can_not_be_built_or_installed_is_said_with_its_reason(tmp_path):
    """By what pip wrote."""
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    root = project(
        tmp_path / "project",
        {
            "pyproject.toml": BUILT_SETTINGS,
            "backend.py": "def build_wheel(directory, *rest):\n    raise SystemExit('no such luck')\n",
        },
    )
    said = refused(root, "main", "--isolate", env=cache)
    assert "BASE: the project can't be built: `" in said, said
    assert "no such luck" in said
    (tmp_path / "file").touch()
    said = refused(root, "main", "--isolate", env={"XDG_CACHE_HOME": str(tmp_path / "file")})
    assert "BASE: its environment can't be kept in" in said, said
    assert "XDG_CACHE_HOME names another place" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--base-env=none",), "--base-env none: no environment: there is no bin/python in it"),
        (("--head-env=python",), "can't be used (it is Python 2.7)"),
        (("--head-env=missing",), "can't be used"),
        (("--base-python=3.99",), "--base-python 3.99: no such Python"),
        (("--isolate", "--head-env=none"), "which?"),
    ],
)
def test_what_can_not_be_run_in_is_refused(tmp_path, arguments, said):
    """Before any benchmark is run."""
    root = project(tmp_path / "project")
    (root / "none").mkdir()
    (root / "python").write_text("#!/bin/sh\necho 'it is Python 2.7' >&2; exit 1\n")
    (root / "python").chmod(0o755)
    assert said in refused_at_once(root, "main", *arguments)


def test_an_environment_that_lacks_what_a_side_needs_is_refused_with_the_remedy(tmp_path):
    """It isn't taken from the gate's own."""
    root = project(tmp_path / "project")
    (tmp_path / "bare/bin").mkdir(parents=True)
    (tmp_path / "bare/bin/python").symlink_to(sys.executable)
    (tmp_path / "bare/pyvenv.cfg").write_text(
        f"home = {Path(sys.executable).resolve().parent}\ninclude-system-site-packages = false\n"
    )
    said = refused_at_once(root, "main", f"--base-env={tmp_path / 'bare'}")
    assert "it lacks pytest, pytest-benchmark, psutil" in said, said
    assert "-m pip install pytest pytest-benchmark psutil" in said


def test_dependencies_that_differ_are_noticed(tmp_path):
    """Where nothing is isolated, both sides have those that are installed."""
    root = project(
        tmp_path / "project",
        {"requirements.txt": "six==1.16.0\n"},
        {"requirements.txt": "six==1.17.0\n", "thing/new.py": ""},
    )
    said = " ".join(gate(root, "main", NO_BLOCKS).text.split())
    assert "the dependencies of BASE and HEAD differ (requirements.txt), and both sides run with what is" in said, said
    assert "--isolate gives each its own" in said


# pure parts

DECLARED = {
    "pyproject.toml": '[project]\nname = "a"\ndependencies = ["b"]\n[project.optional-dependencies]\nt = ["c"]\n',
    "setup.cfg": "[options]\ninstall_requires =\n    b\n[options.extras_require]\nt = c\n",
    "setup.py": "",
    "uv.lock": "",
    "pylock.toml": "",
    "dev-requirements.txt": "b\n",
    "requirements/test.txt": "c\n",
}


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("pyproject.toml", DECLARED["pyproject.toml"].replace('"b"', '"b>1"'), "pyproject.toml: project.dependencies"),
        ("pyproject.toml", DECLARED["pyproject.toml"].replace('"c"', '"d"'), "pyproject.toml: project.optional-dep"),
        ("pyproject.toml", DECLARED["pyproject.toml"] + '[build-system]\nrequires = ["x"]\n', "pyproject.toml: build-"),
        ("pyproject.toml", "no = toml = ", "pyproject.toml"),
        (
            "setup.cfg",
            "[options]\ninstall_requires =\n    b>1\n[options.extras_require]\nt = c\n",
            "setup.cfg: options.",
        ),
        ("setup.cfg", "[options]\ninstall_requires =\n    b\n", "setup.cfg: options.extras_require"),
        ("setup.cfg", "no ini", "setup.cfg"),
        ("setup.py", "setup(install_requires=['b'])\n", "setup.py"),
        ("uv.lock", "b\n", "uv.lock"),
        ("pylock.toml", "b\n", "pylock.toml"),
        ("pylock.dev.toml", "b\n", "pylock.dev.toml"),
        ("constraints.txt", "b\n", "constraints.txt"),
        ("dev-requirements.txt", "b>1\n", "dev-requirements.txt"),
        ("requirements/test.txt", "d\n", "requirements/test.txt"),
    ],
)
def test_whatever_says_a_dependency_is_compared(tmp_path, name, text, where):
    """And named."""
    before = dependencies.declared(write(tmp_path, DECLARED))
    after = dependencies.declared(write(tmp_path, {name: text}))
    found = dependencies.differences(before, after)
    assert found, "nothing differs"
    assert any(one.startswith(where) for one in found), found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", DECLARED["pyproject.toml"].replace('"a"', '"other"') + "[tool.ruff]\nx = 1\n"),
        ("setup.cfg", DECLARED["setup.cfg"] + "[flake8]\nx = 1\n"),
        ("README.md", "b\n"),
        ("thing.py", "import b\n"),
    ],
)
def test_what_says_no_dependency_is_not(tmp_path, name, text):
    """A new line length calls for no environment."""
    before = dependencies.declared(write(tmp_path, DECLARED))
    assert before == dependencies.declared(write(tmp_path, {name: text}))


@pytest.mark.parametrize(
    ("install", "local", "rest"),
    [
        ([".[test]"], [(".", "[test]")], ()),
        (["-e .", "-r requirements.txt"], [(".", "")], ("-r", "requirements.txt")),
        (["./core[a, b]", "packages/plugins"], [("core", "[a, b]"), ("packages/plugins", "")], ()),
        (["core"], [], ("core",)),  # as pip has it: a distribution
        (["six", "-c", "plugins"], [], ("six", "-c", "plugins")),
        (["--group", "test", "--index-strategy=x", "."], [(".", "")], ("--group", "test", "--index-strategy=x")),
        (["--pre", ".[test]", "-U", "./core"], [(".", "[test]"), ("core", "")], ("--pre", "-U")),  # they take no value
        (["-rdev.txt", "."], [(".", "")], ("-rdev.txt",)),
    ],
)
def test_what_is_installed_is_parted_into_what_is_built_and_what_is_for_pip(tmp_path, install, local, rest):
    """A directory of the project is built, in whatever way it is named; an option's value is none."""
    write(tmp_path, {"core/pyproject.toml": "", "packages/plugins/pyproject.toml": ""})
    found = isolate.parsed("HEAD", tmp_path, tmp_path, [word.replace("[a, b]", "'[a, b]'") for word in install])
    assert isolate.Wanted(tuple((Path(tmp_path / path), extras) for path, extras in local), rest) == found


@pytest.mark.parametrize("word", ["./core", "../outside", "/"])
def test_a_directory_that_a_side_lacks_is_named(tmp_path, word):
    """Whose side it is, too; what lies outside of the repository is on neither."""
    (tmp_path / "outside").mkdir()
    with pytest.raises(GateError, match=rf"install: '{word}.*': BASE's files have no such directory"):
        isolate.parsed("BASE", tmp_path / "tree", write(tmp_path / "tree", {"x": ""}), [f"{word}[test]"])


@pytest.mark.parametrize(
    ("files", "install"),
    [
        ({"pyproject.toml": '[project]\nname = "a"\ndependencies = []\n'}, (".",)),
        ({"pyproject.toml": '[build-system]\nrequires = ["x"]\n', "requirements.txt": ""}, (".",)),
        ({"setup.py": ""}, (".",)),
        ({"pyproject.toml": "[tool.ruff]\n", "requirements.txt": "b\n"}, ("-r", "requirements.txt")),
    ],
)
def test_without_settings_the_project_is_installed_or_what_it_requires(tmp_path, files, install):
    """As a person would who has just cloned it."""
    assert install == isolate.default("HEAD", write(tmp_path, files))


def test_where_there_is_nothing_to_install_it_is_said_what_to_write(tmp_path):
    """Rather than to make an environment of nothing."""
    with pytest.raises(GateError, match="HEAD has nothing to install"):
        isolate.default("HEAD", tmp_path)


@pytest.mark.parametrize("words", [("-r", "reqs/dev.txt"), ("-rreqs/dev.txt",), ("--requirement=reqs/dev.txt",)])
def test_what_requirements_files_name_in_turn_is_of_what_is_installed(tmp_path, words):
    """Else a version that is raised there would be compared with itself; a circle of them ends."""
    write(
        tmp_path,
        {
            "reqs/dev.txt": "-r common.txt\nsix\n--constraint=../pins.txt  # so and so\n-r absent.txt\n",
            "reqs/common.txt": "-r dev.txt\n",
            "pins.txt": "six==1\n",
        },
    )
    (tmp_path / "made.whl").write_bytes(b"\xff")
    found = dependencies.requirements(tmp_path, (*words, "made.whl", "six"))
    assert ["reqs/dev.txt", "made.whl", "reqs/common.txt", "pins.txt"] == [
        path.relative_to(tmp_path).as_posix() for path in found
    ]


@pytest.mark.parametrize(
    "line", ["-e .", "--editable=.[test]", "-e core", ".", "./core", ".[test]  # this", "../other"]
)
def test_a_requirements_file_that_installs_the_project_is_refused_with_the_remedy(tmp_path, line):
    """pip would build it in the side's own files, of BASE in one of two copies, and only the first time."""
    file = write(tmp_path, {"dev.txt": f"six\n{line}\n"}) / "dev.txt"
    with pytest.raises(GateError, match=r'BASE: dev.txt installs a directory .* install = \["\.", "-r '):
        isolate._refuse_local("BASE", tmp_path, [file])


def test_other_lines_of_a_requirements_file_are_for_pip(tmp_path):
    """Files, and what it fetches."""
    lines = "-e git+https://example.com/a.git#egg=a\n-r ./more.txt\n./a.whl\nb @ https://example.com/b.whl\n# .\n-i x\n"
    file = write(tmp_path, {"dev.txt": lines, "a.whl": ""}) / "dev.txt"
    assert [] == dependencies.local(file, tmp_path)


def test_what_is_built_depends_on_the_variables_that_a_build_reads():
    """Else a build without extensions would be taken for one with them."""
    said = {"CC": "gcc", "CFLAGS": "-O0", "THING_NO_EXTENSIONS": "1", "SETUPTOOLS_SCM_PRETEND_VERSION": "1"}
    assert said == isolate.building(said | {"HOME": "/", "GITHUB_RUN_ID": "7", "LD_LIBRARY_PATH": "/"})


def test_pip_installs_where_it_is_told_whatever_the_variables_say(tmp_path, monkeypatch):
    """Some images have PIP_USER or PIP_TARGET set: what was installed elsewhere would be lacking, for good."""
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER"):
        monkeypatch.setenv(name, "yes")
    with Arena(Place(tmp_path, PurePosixPath(), PurePosixPath()), Pinning(), (), 60) as arena:
        arena.execute("what", ("sh", "-c", "env > said"), tmp_path)
    said = [line for line in (tmp_path / "said").read_text().splitlines() if line.startswith("PIP_")]
    assert "PIP_USER=0" in said
    assert not any(line.startswith(("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")) for line in said)


def test_laptimes_plugin_is_loaded_after_it_was_imported_also_where_warnings_are_errors(tmp_path):
    """As in an environment that was made for a side: laptime is not installed there, and pytest gets it by ``-p``."""
    write(tmp_path, {"test_it.py": "def test_it(): pass\n"})
    run = (
        "import sys, laptime.plugin, pytest\n"
        "sys.exit(pytest.main(['-W', 'error', '-p', 'laptime.plugin', '-p', 'benchmark', '-p', 'no:cacheprovider']))"
    )
    done = subprocess.run(
        (sys.executable, "-c", run),
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_what_a_sparse_checkout_leaves_out_is_on_heads_side_too(tmp_path):
    """It is not removed; what is removed is."""
    root = project(tmp_path / "project", {"left/data": "x", "gone": "x"}, {})
    git(root, "sparse-checkout", "set", "thing")
    (root / "gone").unlink()
    made = Trees(write(tmp_path / "work", {"log/x": ""}), Place(root.resolve(), PurePosixPath(), PurePosixPath()))
    made.fill(base_revision(root, "main"), head_revision(root, None))
    assert "x" == (made.head / "left/data").read_text()
    assert (made.base / "gone").exists()
    assert not (made.head / "gone").exists()
    assert not (root / "left").exists()
    assert {"a", "b", "c", "log"} <= {path.name for path in (tmp_path / "work").iterdir()} <= {*"abc", "log", "index"}


def test_without_a_home_it_is_said_which_variable_names_a_place(monkeypatch):
    """Containers run as users that have no name."""

    def nowhere(_):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_cache_path", nowhere)
    with pytest.raises(GateError, match=r"could not determine the home directory\. XDG_CACHE_HOME names one"):
        equip._cache()
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: Path("~/.cache"))
    with pytest.raises(GateError, match="XDG_CACHE_HOME names another place"):
        equip._cache()


def test_what_was_built_goes_beside_its_source_and_over_nothing(tmp_path):
    """A package that has no source in the tree stays where it is, and is found there."""
    site = write(
        tmp_path / "site",
        {
            "thing/fast.so": "built",
            "thing/__init__.py": "built",
            "thing/data/made.json": "built",
            "thing/__pycache__/x.pyc": "built",
            "single.py": "built",
            "elsewhere/__init__.py": "built",
        },
    )
    root = write(tmp_path / "tree", {"src/thing/__init__.py": "source", "single.py": "source", "elsewhere.py": ""})
    assert 2 == isolate.overlay(site, [root / "src", root])
    found = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}
    assert {
        "src/thing/__init__.py": "source",
        "src/thing/fast.so": "built",
        "src/thing/data/made.json": "built",
        "single.py": "source",
        "elsewhere.py": "",
    } == found


def test_what_differs_between_environments_is_listed():
    """The interpreter first."""
    base = Details(CPYTHON, {"numpy": "1", "gone": "1", "same": "1"}, {})
    head = Details({**CPYTHON, "version": "3.13.0", "free-threaded": True}, {"numpy": "2", "same": "1", "new": "3"}, {})
    assert [
        "CPython 3.12.1 → CPython 3.13.0t",
        "gone 1 → absent",
        "new absent → 3",
        "numpy 1 → 2",
    ] == differences(base, head)
    assert [] == differences(base, base)


@pytest.mark.parametrize(
    ("equipment", "made", "differs"),
    [
        (Equipment(), False, False),
        (Equipment(isolate=True), True, False),
        (Equipment(pythons=("3.12", "3.13")), True, True),
        (Equipment(pythons=("3.12", None)), True, True),
        (Equipment(environments=("a", "b")), False, True),
        (Equipment(environments=("a", None)), False, True),
        (Equipment(environments=("a", "a")), False, False),
    ],
)
def test_the_same_files_are_compared_only_where_the_sides_are_to_differ_by_more(equipment, made, differs):
    """Environments that are made from equal files are equal."""
    assert (made, differs) == (equipment.is_made, equipment.differs)


def test_what_is_unused_for_a_month_or_half_made_is_removed(tmp_path):
    """By the next gate that makes one; what is in use is kept."""
    kept = isolate.Isolation(tmp_path, None, None, None, tmp_path)
    old, new, half = (kept._cache / "environments" / name for name in ("old", "new", "half"))
    write(kept._cache, dict.fromkeys(("environments/old/.complete", "environments/new/.complete"), ""))
    write(half, {"file": "half"})
    killed = write(kept._cache / "built" / "killed", {"file": "half"})
    others = write(kept._cache / "virtualenv" / "wheel", {"x": ""})  # virtualenv's own
    for path in (old / ".complete", killed, others):
        os.utime(path, (0, 0))
    kept._prune()
    assert [False, True, True, False, True] == [path.exists() for path in (old, new, half, killed, others)]
    with kept._kept(half) as is_there:
        assert not is_there
        assert not half.exists()
        half.mkdir()
    with kept._kept(half) as is_there:
        assert is_there


@pytest.mark.parametrize(("pattern", "lost"), [("bin/python", "bin/python"), ("wheels/0/*.whl", "wheels/0/a.whl")])
def test_what_has_lost_a_part_is_made_anew(tmp_path, pattern, lost):
    """An interpreter was removed, or something cleaned the cache."""
    kept = isolate.Isolation(tmp_path, None, None, None, tmp_path)
    place = write(kept._cache / "environments" / "x", {".complete": "", lost: ""})
    with kept._kept(place, pattern) as is_there:
        assert is_there
    (place / lost).unlink()
    (place / lost).symlink_to(tmp_path / "removed")
    with kept._kept(place, pattern) as is_there:
        assert not is_there
        assert not place.exists()
        place.mkdir()


def test_a_build_that_fails_is_made_anew_the_next_time(tmp_path):
    """It isn't taken for whole."""
    kept = isolate.Isolation(tmp_path, None, None, None, tmp_path)
    place = kept._cache / "built" / "x"

    def fail():
        with kept._kept(place):
            place.mkdir()
            raise GateError("pip failed")

    with pytest.raises(GateError):
        fail()
    with kept._kept(place) as is_there:
        assert not is_there
        place.mkdir()


@pytest.mark.parametrize(
    ("files", "packages", "same"), [(True, {"a": "1"}, True), (True, {"a": "2"}, False), (False, {"a": "1"}, False)]
)
def test_equal_files_in_other_environments_are_not_the_same(files, packages, same):
    """A change that only raises a version in pyproject.toml, which is HEAD's on both sides, is measured."""
    arena = Arena(Place(Path("/"), PurePosixPath(), PurePosixPath()), Pinning(), (), 60)
    arena.trees = SimpleNamespace(is_same=lambda: files)
    of = Environment("python", (), details=Details(CPYTHON, {"a": "1"}, {}))
    arena.environments = {BASE: of, HEAD: replace(of, details=Details(CPYTHON, packages, {}))}
    assert same == arena.is_same()
