"""What a gate's sides run in: environments that are made for each, that are there, or the gate's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from laptime.gate.sides.arena import Arena
from laptime.gate.sides.cpus import Pinning
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


@pytest.mark.slow
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

    ended = gate(root, "main", NO_BLOCKS, "--isolate", env=cache)
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
    said = refused(root, "main", "--isolate", env=cache)
    assert "aiohttp: installed here, and not in the environment that was made" in said, said
    assert 'install = [".[test]"]' in said


def test_what_can_not_be_built_or_installed_is_said_with_its_reason(tmp_path):
    """The refusal quotes what pip wrote, or names the folder that can not be made."""
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
