"""Where a project begins and which history it names: the command line finds what pytest finds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import _pytest.config.findpaths as pytest_s
import pytest

from laptime import project
from laptime.history import DEFAULT
from laptime.project import Project
from laptime.settings import SettingsError

INI = "[pytest]\nlaptime_history = own.db\n"
KINDS = {
    "pytest.ini": INI,
    ".pytest.ini": INI,
    "tox.ini": INI,
    "setup.cfg": "[tool:pytest]\nlaptime_history = own.db\n",
    "pyproject.toml": "[tool.pytest.ini_options]\nlaptime_history = 'own.db'\n",
    "pytest.toml": "[pytest]\nlaptime_history = 'own.db'\n",
    ".pytest.toml": "[pytest]\nlaptime_history = 'own.db'\n",
}
TREES: Mapping[str, Mapping[str, str]] = {
    "nothing": {},
    "an ini file above": {"pytest.ini": INI},
    "an empty ini file above": {"pytest.ini": ""},
    "an ini file without its section": {"a/pytest.ini": "", "pytest.ini": INI},
    "the nearer ini file": {"a/b/tox.ini": INI.replace("own", "near"), "pytest.ini": INI},
    "a tox.ini of something else": {"a/tox.ini": "[tox]\n", "setup.cfg": KINDS["setup.cfg"]},
    "a setup.cfg with pytest's old section": {"a/setup.cfg": "[metadata]\nname = x\n", "tox.ini": INI},
    "pyproject without pytest below an ini file": {"a/pyproject.toml": "[project]\nname = 'x'\n", "pytest.ini": INI},
    "pyproject without pytest": {"a/pyproject.toml": "[tool.laptime]\nhistory = 'mine.db'\n"},
    "setup.py": {"a/setup.py": "", "setup.py": ""},
    "setup.py below pyproject": {"a/setup.py": "", "pyproject.toml": ""},
    "pyproject with a history of ours": {
        "pyproject.toml": "[tool.laptime]\nhistory = 'mine.db'\n[tool.pytest.ini_options]\nxfail_strict = true\n"
    },
    "ini goes before ours": {
        "pyproject.toml": "[tool.laptime]\nhistory = 'mine.db'\n[tool.pytest.ini_options]\nlaptime_history = 'own.db'\n"
    },
    "an empty ini setting": {"pytest.ini": "[pytest]\nlaptime_history =\n"},
    "pytest.ini beside pyproject": {"pytest.ini": "[pytest]\n", "pyproject.toml": KINDS["pyproject.toml"]},
    "pytest.toml beside pytest.ini": {"pytest.toml": KINDS["pytest.toml"], "pytest.ini": "[pytest]\n"},
    "tox.ini beside setup.cfg": {"tox.ini": "[pytest]\n", "setup.cfg": KINDS["setup.cfg"]},
    "pytest's own table": {"pyproject.toml": "[tool.pytest]\nlaptime_history = 'own.db'\n"},
    "a table of pytest's that is empty": {"a/pyproject.toml": "[tool.pytest.ini_options]\n", "pytest.ini": INI},
    "an empty tool": {"a/pyproject.toml": "[tool]\n", "pytest.ini": INI},
    "a section with a comment": {"pytest.ini": "# a comment\n[pytest]\nlaptime_history = own.db  \n"},
    "a value with an equals sign": {"pytest.ini": "[pytest]\nlaptime_history = a=b.db\n"},
    "a conftest with ini files above": {"a/conftest.py": "", "pytest.ini": INI},
}


def made(root: Path, files: Mapping[str, str]) -> Path:
    """A directory three deep, and these files; the deepest."""
    deep = root / "a" / "b" / "c"
    deep.mkdir(parents=True)
    for name, text in files.items():
        (root / name).write_text(text)
    return deep


def of_pytest(directory: Path) -> tuple[Path, str]:
    """The root that pytest finds, and what it says of our setting there."""
    found = pytest_s.determine_setup(
        inifile=None, override_ini=None, args=[str(directory)], rootdir_cmd_arg=None, invocation_dir=directory
    )
    value = found[2].get(project.INI_KEY, "")
    return found[0], str(getattr(value, "value", value))


@pytest.mark.parametrize("files", TREES.values(), ids=TREES)
def test_the_root_and_the_setting_are_pytest_s(tmp_path: Path, files: Mapping[str, str]) -> None:
    """From the deepest directory, compared with pytest's own function."""
    deep = made(tmp_path, files)
    root, setting = of_pytest(deep)
    found = project.find(deep)
    if not files:
        assert (deep, DEFAULT) == (found.root, found.history)
        return
    assert root == found.root
    assert setting == (found.history if found.history not in (DEFAULT, "mine.db") else "")


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_ini_file_names_the_history(tmp_path: Path, name: str) -> None:
    """From the directory itself and from below."""
    deep = made(tmp_path, {name: KINDS[name]})
    assert Project(tmp_path, "own.db") == project.find(tmp_path) == project.find(deep)
    assert (tmp_path, "own.db") == of_pytest(deep)


def test_our_own_setting_is_read_at_the_root(tmp_path: Path) -> None:
    """An ini setting goes before it; an empty one does not."""
    deep = made(tmp_path, TREES["pyproject with a history of ours"])
    assert Project(tmp_path, "mine.db") == project.find(deep)
    (tmp_path / "pytest.ini").write_text(INI)
    assert Project(tmp_path, "own.db") == project.find(deep)
    (tmp_path / "pytest.ini").write_text("[pytest]\nlaptime_history =\n")
    assert Project(tmp_path, "mine.db") == project.find(deep)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pyproject.toml", b"[tool"),
        ("pyproject.toml", b"\xff"),
        ("pytest.toml", b"]"),
        ("pytest.ini", b"no section\n"),
        ("pytest.ini", b"[pytest]\na = 1\na = 2\n"),
        ("tox.ini", b"\xff\xfe"),
        ("pyproject.toml", b"[tool.laptime]\nhistory = 3\n"),
        ("pyproject.toml", b"[tool.laptime]\nhistory = ''\n"),
    ],
    ids=str,
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """A project whose settings are unknown has no history."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match=str(tmp_path / name)):
        project.find(tmp_path)


@pytest.mark.parametrize(
    "content", ["tool = 3\n", "[tool]\npytest = 3\n", "[tool.pytest]\nini_options = 3\n", "[tool.pytest]\n"]
)
def test_tables_that_are_none_say_nothing(tmp_path: Path, content: str) -> None:
    """They are somebody's mistake; the file marks the root all the same."""
    (tmp_path / "pyproject.toml").write_text(content)
    assert Project(tmp_path, DEFAULT) == project.find(tmp_path)
