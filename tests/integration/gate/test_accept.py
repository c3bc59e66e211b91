"""What is accepted, in real repositories: an entry excuses the change that brings it, until its time is over."""

from __future__ import annotations

from datetime import date

import pytest

from laptime.gate import GateError, until
from laptime.gate.accept import Accept
from laptime.gate.sides.trees import base_revision
from laptime.history.store import Store
from tests.support.gates import (
    CANNOT,
    CODE,
    FAIL,
    NO_BLOCKS,
    NOBODY,
    QUICK,
    SETTINGS,
    commit,
    detail,
    gate,
    git,
    project,
    refused_at_once,
    write,
)
from tests.support.here import laptime

NEVER = "2999-12-31"
"""A day that is yet to come."""
TODAY = date(2027, 1, 31)


def entry(benchmark: str, until: str) -> str:
    """As it stands in pyproject.toml."""
    return f"""
    [[tool.laptime.gate.accept]]
    benchmark = "{benchmark}"
    up_to = "12%"
    why = "checks every row"
    until = "{until}"
    """


# until when


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    """A repository of three commits, tagged v1, v2 and v3; nobody changes it."""
    root = tmp_path_factory.mktemp("tagged")
    for number in (1, 2, 3):
        commit(root, {"number": str(number)})
        git(root, "tag", f"v{number}")
    return root


def checked(root, end: date | str, base: str = "v2") -> list[str]:
    """What is said of an entry until then, at a base."""
    return until.check([Accept("test_a", 0.12, "because", end)], TODAY, root, base_revision(root, base))


def test_an_entry_holds_to_the_end_of_its_day(tagged):
    """And is refused from the next on."""
    assert [] == checked(tagged, TODAY)
    with pytest.raises(GateError, match=r"'test_a': until 2027-01-30: that day is over .*\. Remove the entry"):
        checked(tagged, date(2027, 1, 30))


@pytest.mark.parametrize("name", ["v1", "v2", "v3~1"])
def test_an_entry_ends_when_base_contains_its_revision(tagged, name):
    """By its name or as an ancestor."""
    with pytest.raises(GateError, match=rf"until {name}: v2 \(\w+\) contains that\. Remove the entry"):
        checked(tagged, name)


@pytest.mark.parametrize(
    "name", ["v3", "v4", "2.0", "V4", "4.0rc1", "release-4.0.0-beta.1", "thing/v4", "thing@4.0", "2027.02"]
)
def test_an_entry_holds_until_its_revision_is_in_base(tagged, name):
    """It is there and later, or is named as a tag is that is yet to come."""
    assert [] == checked(tagged, name)


@pytest.mark.parametrize("name", ["soon", "mian", "0123abc", "a" * 40, "--all", "v3..v2", "next week", "a\0b"])
def test_an_entry_until_nothing_that_is_known_is_refused(tagged, name):
    """With what may stand there."""
    with pytest.raises(GateError, match="neither a day, as in 2027-01-31, nor a revision that is known here"):
        checked(tagged, name)


def test_in_a_shallow_clone_that_a_revision_is_not_there_says_little(tagged, tmp_path):
    """Neither tags nor ancestors need be there: it is said; how to get what is lacking, too."""
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-tags", f"file://{tagged}", "clone")
    shallow = tmp_path / "clone"
    (remark,) = checked(shallow, "v2", "HEAD")
    assert remark.startswith("accept 'test_a': this clone is shallow, so whether HEAD")
    assert [] == checked(shallow, TODAY, "HEAD")
    with pytest.raises(GateError, match="git fetch --unshallow --tags origin"):
        checked(shallow, "topic", "HEAD")


# whose change


@pytest.mark.parametrize(
    ("end", "before", "said"), [("2020-01-01", True, "that day is over"), ("main", False, "contains that")]
)
def test_an_entry_whose_time_is_over_is_refused_at_once(repository, before, end, said):
    """Whether it counts or does not, as BASE has it already: it would stay for ever."""
    write(repository, {"pyproject.toml": SETTINGS + entry("*", end)})
    if before:
        commit(repository, {})
        write(repository, {"thing/__init__.py": CODE})
    assert f"'*': until {end}: " in (found := refused_at_once(repository, "main"))
    assert said in found
    assert "Remove the entry" in found


def test_settings_of_either_revision_that_can_not_be_read_are_named(tmp_path):
    """BASE's may hold the entry; those of a HEAD that is named are not the working tree's."""
    root = project(tmp_path / "project", {"pyproject.toml": "[torn"})
    write(root, {"pyproject.toml": SETTINGS + entry("*", NEVER)})
    assert "the settings of main (" in (said := refused_at_once(root, "main"))
    assert "can't be read: " in said
    good = commit(root, {})
    git(root, "tag", "torn", commit(root, {"pyproject.toml": SETTINGS + entry("*", NEVER).replace("up_to", "upto")}))
    git(root, "checkout", "--quiet", good)
    said = refused_at_once(root, "HEAD", "torn")
    assert "the settings of torn (" in said
    assert "tool.laptime.gate.accept, entry 1: upto: no such setting" in said


WORKS = """
    import time, pytest, thing

    def test_work(benchmark):
        benchmark(thing.work)

    @pytest.mark.benchmark(group="slow ones")
    def test_slow(benchmark):
        benchmark(time.sleep, 600)
"""
TABLES = """
    [tool.laptime.gate.groups."slow*"]
    round_limit = "2s"

    [tool.laptime.gate.benchmarks."*gone*"]
    margin = "2%"
"""


def test_an_entry_that_fits_nothing_is_refused_and_a_table_is_a_remark(tmp_path):
    """Of a HEAD that is named, by its own settings for what is accepted; and a group's time limit is its own."""
    root = tmp_path / "project"
    files = {"thing/__init__.py": CODE, "benchmarks/test_thing.py": WORKS, "pyproject.toml": SETTINGS + TABLES}
    commit(root, files)
    git(root, "checkout", "--quiet", "-b", "topic")
    more = entry("*::test_gone", NEVER) + entry("*::test_work", "v1.0")
    commit(root, {"thing/__init__.py": CODE + "    # a comment\n", "pyproject.toml": SETTINGS + TABLES + more})
    git(root, "checkout", "--quiet", "main")
    ended = gate(root, "main", "topic", NO_BLOCKS)
    assert FAIL == ended.code, ended.text
    assert "BASE: it hung: nothing was heard of it for 2 s" in detail(ended, "test_slow").replace("HEAD", "BASE")
    assert 'note: [tool.laptime.gate.benchmarks."*gone*"] fits no benchmark' in ended.text
    assert "note: accept '*::test_work': whether it is needed is not known by now" in ended.text
    assert "REFUSED: accept '*::test_gone' fits no benchmark: remove it" == ended.text.splitlines()[-1]


def test_an_entry_that_base_has_already_does_nothing(tmp_path):
    """It has excused what it came with; that it fits nothing any more is no complaint. What -k leaves out is none."""
    settings = SETTINGS + TABLES + entry("*::test_gone", NEVER) + entry("*", NEVER) + entry("*::test_work", NEVER)
    root = project(tmp_path / "project", {"pyproject.toml": settings})
    write(root, {"pyproject.toml": settings + entry("*::test_other", NEVER)})
    ended = gate(root, "main", NO_BLOCKS, "-k", "work")
    assert CANNOT == ended.code, ended.text
    assert "REFUSED" not in ended.text
    assert "fits no benchmark" not in ended.text
    (said,) = [line for line in ended.text.splitlines() if "accept" in line]
    assert "note: accept '*::test_other' fits none of the benchmarks that were chosen" == said


def test_where_nothing_under_test_differs_an_entry_may_come_before_its_change(tmp_path):
    """Nothing was measured, so nothing is known of it; but it must fit something. Entries that count are stored."""
    root = project(tmp_path / "project", head={})
    write(root, {"pyproject.toml": SETTINGS + entry("*::test_work", NEVER) + entry("*::test_gone", NEVER)})
    ended = laptime(root, "gate", "main", env={**NOBODY, **QUICK})
    assert CANNOT == ended.code, ended.text
    assert "note: accept '*::test_work': whether it is needed is not known by now" in ended.text
    assert "REFUSED: accept '*::test_gone' fits no benchmark: remove it" in ended.text.splitlines()
    assert 1 == ended.text.count("REFUSED")
    store = Store(".benchmarks/history.db", root)
    (stored,) = store.load_gates(store.gate_numbers())
    work = {"benchmark": "*::test_work", "up_to": 0.12, "why": "checks every row", "until": NEVER}
    assert [work, {**work, "benchmark": "*::test_gone"}] == stored.document["accepted"]
    assert ["accept '*::test_gone' fits no benchmark"] == stored.document["refused"]
