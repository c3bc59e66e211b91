"""Which libraries are installed, and which of them take part."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from laptime import libraries
from tests.support import ROOT


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Nothing but what the test installs; a function that installs."""
    place = tmp_path / "site-packages"
    place.mkdir()
    monkeypatch.setattr(sys, "path", [str(place)])

    def install(
        name: str, version: str = "1.0", *, files: str = "", origin: object = None, place: Path = place
    ) -> Path:
        folder = place / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        for file in files.split():  # from 3.13 on what is not there is not listed
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).touch()
        (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files.split()))
        if origin is not None:
            (folder / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))
        return folder

    return install


def test_every_library_has_its_version(environment, tmp_path):
    """By the name that is the same however it is written."""
    environment("requests", "2.34.2")
    environment("Zope.Interface", "7.0")
    environment("A__b--C", "1")
    assert {"requests": "2.34.2", "zope-interface": "7.0", "a-b-c": "1"} == libraries.installed(tmp_path)


def test_nothing_may_be_installed(environment, tmp_path):
    """Then there is nothing."""
    assert {} == libraries.installed(tmp_path)


@pytest.mark.parametrize("name", ["my-project", "My_Project", "my.project"])
def test_what_is_measured_is_no_library(environment, tmp_path, name):
    """The project of this folder, however its name is written."""
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    environment("my-project", "3.0")
    environment("requests", "2.0")
    assert {"requests": "2.0"} == libraries.installed(tmp_path)


@pytest.mark.parametrize("editable", [True, False])
def test_what_comes_from_a_folder_is_no_library(environment, tmp_path, editable):
    """Its version says nothing of its code."""
    environment("mine", origin={"url": "file:///mine", "dir_info": {"editable": True} if editable else {}})
    assert {} == libraries.installed(tmp_path)


@pytest.mark.parametrize(
    "origin",
    [
        {"url": "https://a.test/x.whl", "archive_info": {}},
        {"url": "https://a.test/x.git", "vcs_info": {"vcs": "git", "commit_id": "a"}},
        "no JSON",
        "[]",
        "",
        "null",
    ],
)
def test_what_comes_from_elsewhere_is_a_library(environment, tmp_path, origin):
    """And a note that can't be read says nothing."""
    environment("requests", "2.0", origin=origin)
    assert {"requests": "2.0"} == libraries.installed(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "no TOML [", "[tool.x]\n", 'project = "x"\n', "[project]\nversion = '1'\n", "[project]\nname = 3\n"]
)
def test_a_project_without_a_name_leaves_out_nothing(environment, tmp_path, content):
    """Whatever its file holds."""
    (tmp_path / "pyproject.toml").write_text(content)
    environment("requests", "2.0")
    assert {"requests": "2.0"} == libraries.installed(tmp_path)


def test_a_project_file_need_not_be_text(environment, tmp_path):
    """Or may be a folder."""
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    environment("requests", "2.0")
    assert {"requests": "2.0"} == libraries.installed(tmp_path)
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").mkdir()
    assert {"requests": "2.0"} == libraries.installed(tmp_path)


def test_of_two_versions_the_one_that_is_imported_counts(environment, tmp_path, monkeypatch):
    """The first on the path, as in an environment that sees the system's libraries behind its own."""
    behind = tmp_path / "system"
    environment("requests", "2.0")
    environment("requests", "1.0", place=behind)
    monkeypatch.setattr(sys, "path", [*sys.path, str(behind)])
    assert {"requests": "2.0"} == libraries.installed(tmp_path)


def test_what_hides_a_library_hides_it(environment, tmp_path, monkeypatch):
    """A folder's code is imported, so the library of that name behind takes no part."""
    behind = tmp_path / "system"
    environment("requests", "2.0", origin={"url": "file:///mine", "dir_info": {"editable": True}})
    environment("requests", "1.0", place=behind)
    monkeypatch.setattr(sys, "path", [*sys.path, str(behind)])
    assert {} == libraries.installed(tmp_path)


@pytest.mark.parametrize("content", [None, "", "Metadata-Version: 2.1\n", "Name: broken\n", "Version: 1\n"])
def test_what_is_half_installed_is_left_out(environment, tmp_path, content):
    """An installation that was broken off leaves a folder without a name or a version."""
    folder = environment("broken", files="broken/__init__.py")
    if content is None:
        (folder / "METADATA").unlink()
    else:
        (folder / "METADATA").write_text(content)
    environment("requests", "2.0", files="requests/__init__.py")
    assert {"requests": "2.0"} == libraries.installed(tmp_path)
    assert [] == [name for name in libraries.loaded({"requests": "2.0"}) if name != "requests"]


def test_a_library_takes_part_once_a_module_of_it_is_imported(environment, tmp_path, monkeypatch):
    """By whatever name it is imported, and however deep in it; sorted."""
    environment("PyYAML", files="yaml/__init__.py yaml/loader.py")
    environment("beautifulsoup4", files="bs4/__init__.py")
    environment("absent-from-memory", files="absent_from_memory.py")
    for name in ("yaml.loader", "bs4"):
        monkeypatch.setitem(sys.modules, name, sys)
    names = libraries.installed(tmp_path)
    assert ["beautifulsoup4", "pyyaml"] == libraries.loaded(names)


def test_what_is_no_library_takes_no_part(environment, monkeypatch):
    """Only those that were asked for."""
    environment("requests", files="requests/__init__.py")
    monkeypatch.setitem(sys.modules, "requests", sys)
    assert [] == libraries.loaded({})
    assert ["requests"] == libraries.loaded({"requests": "1.0"})


def test_libraries_may_share_a_name_space(environment, tmp_path, monkeypatch):
    """Nobody can tell which of them: both take part."""
    environment("google-a", files="google/a.py")
    environment("google-b", files="google/b.py")
    monkeypatch.setitem(sys.modules, "google.a", sys)
    assert ["google-a", "google-b"] == libraries.loaded(libraries.installed(tmp_path))


def test_this_environment_is_told():
    """pytest takes part in its own tests; laptime is what is measured."""
    names = libraries.installed(ROOT)
    assert metadata.version("pytest") == names["pytest"]
    assert "laptime" not in names
    assert {"pytest"} <= set(libraries.loaded(names)) <= names.keys()
    assert all(isinstance(version, str) and version for version in names.values())
