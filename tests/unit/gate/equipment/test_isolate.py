"""What is built and installed for a side, and what is kept of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from laptime.gate import GateError
from laptime.gate.equipment import isolate
from tests.support.gates import write


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


def test_what_is_built_depends_on_the_variables_that_a_build_reads():
    """Else a build without extensions would be taken for one with them."""
    said = {"CC": "gcc", "CFLAGS": "-O0", "THING_NO_EXTENSIONS": "1", "SETUPTOOLS_SCM_PRETEND_VERSION": "1"}
    assert said == isolate.building(said | {"HOME": "/", "GITHUB_RUN_ID": "7", "LD_LIBRARY_PATH": "/"})


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
