"""Where the studies run, and where their answers are shown."""

from __future__ import annotations

import json

import pytest

from benchmarks.study import KINDS, asked_for
from laptime.cli import main
from laptime.report import study
from tests.support.here import pytest as pytest_here
from tests.support.sessions import OK
from tests.support.shop import suite


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        ("chunks", True),
        ("chunks and w2", True),
        ("test_chunks", True),
        ("primes", False),
        ("", False),
        ("chunk", False),
    ],
)
def test_a_study_is_asked_for_by_its_name(expression: str, asked: bool) -> None:
    """-k may name more than the study, but not less."""
    assert asked is asked_for("chunks", [expression])


STUDY = """
    import pytest

    @pytest.mark.parametrize("size", [1, 2, 4])
    def test_sizes(size, lap):
        place = {"name": "sizes", "kind": "sweep", "title": "How large?", "line": "one", "x": size, "x_name": "sizes",
                 "items": 1, "item": "thing"}
        lap(one, is_one, rounds=(6, 6, 0.0), study=place)

    def test_odd(lap):
        lap(one, is_one, rounds=(2, 2, 0.0), study={"name": "odd"})
"""


def test_a_session_shows_its_studies_and_so_does_the_command(tmp_path, capsys) -> None:
    """Beneath pytest-benchmark's tables; of a study that can't be read, what is wrong with it."""
    suite(tmp_path, test_study=(STUDY,))
    ended = pytest_here(tmp_path, "-k", "sizes", "--benchmark-json=out.json")
    assert OK == ended.code, ended.text
    assert "\nsizes: How large?" in ended.text
    ended.line("^one: best at [124] sizes ")
    assert 0 == main(["race", str(tmp_path / "out.json")])
    assert "sizes: How large?" in capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    first = min(document["benchmarks"], key=lambda benchmark: benchmark["extra_info"]["position"])
    first["extra_info"]["study"]["kind"] = "pie"
    (tmp_path / "odd.json").write_text(json.dumps(document))
    assert 2 == main(["race", str(tmp_path / "odd.json")])
    assert f"{tmp_path / 'odd.json'}: {first['fullname']}: extra_info.study.kind" in capsys.readouterr().err


def test_a_study_that_cannot_be_read_costs_no_result(tmp_path) -> None:
    """The session says so, and its figures stand."""
    ended = pytest_here(suite(tmp_path, test_study=(STUDY,)), "-k", "odd")
    assert OK == ended.code, ended.text
    assert "laptime: test_study.py::test_odd: extra_info.study.kind: expected one of" in ended.text
    assert study.KINDS == KINDS
