"""What a project says that it depends on, wherever it says it."""

from __future__ import annotations

import pytest

from laptime.gate import GateError
from laptime.gate.equipment import dependencies, isolate
from tests.support.gates import write

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
