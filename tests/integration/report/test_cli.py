"""`laptime report` as it is typed: what it writes and where, what it leaves alone, and the code it ends with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed: no altair")
pytest.importorskip("vl_convert", reason="the extra `report` is not installed: no vl-convert-python")

from laptime import cli
from laptime.history import FAILED, Result, Run, to_json
from laptime.history.store import Store
from laptime.report.page import content, draw
from laptime.report.page.figure import Figure
from laptime.report.page.material import Material
from tests.support import reports as support
from tests.support.histories import FINGERPRINT, START, Command, Ran, commit, document, store_with
from tests.support.pages import LIBRARY, of


@pytest.fixture
def laptime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, in a directory of its own; the library is bundled in no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(draw, "library", lambda: LIBRARY)

    def command(*words: object) -> Ran:
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as error:
            code = int(str(error.code))
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return command


def written(directory: Path) -> list[str]:
    """The files of a report."""
    return sorted(str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file())


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A file of results with two variants."""
    made = of(*support.race("shop")[:2])
    file = tmp_path / "results.json"
    file.write_text(json.dumps(to_json(made)))
    return file


def test_a_report_is_a_page_and_its_charts(laptime: Command, results: Path) -> None:
    """In the directory that was asked for; where and how much is printed."""
    ran = laptime("report", results.name, "-o", "out")
    assert (0, "") == (ran.code, ran.err)
    assert re.fullmatch(r"out/index.html: 3 charts, \d\.\d MB in all\n", ran.out)
    names = ["overview", "race-shop", "speedup-shop"]
    charts = [f"charts/{name}.{kind}" for name in names for kind in ("png", "svg")]
    assert [*charts, "index.html"] == written(Path("out"))
    assert "There is no history here" in Path("out/index.html").read_text()


def test_only_what_is_asked_for_is_written(laptime: Command, results: Path) -> None:
    """`--format` may be given several times; a report of charts alone can be written over, too."""
    assert 0 == laptime("report", results, "-o", "out", "--format", "svg").code
    assert {".svg"} == {Path(name).suffix for name in written(Path("out"))}
    assert 0 == laptime("report", results, "-o", "out", "--format", "html").code
    assert ["index.html"] == written(Path("out"))


def test_latest_is_reported_where_nothing_is_named(laptime: Command, tmp_path: Path) -> None:
    """With the trends of its benchmarks, where the history has five runs of them, and the gates."""
    runs = [of(*support.race("shop")[:2], number=number) for number in range(5)]
    store_with(tmp_path, *runs, support.gate())
    ran = laptime("report", "--format", "html")
    assert (0, "") == (ran.code, ran.err)
    page_of_it = Path("report/index.html").read_text()
    assert runs[-1].id[:10] in page_of_it
    assert "No change in 2 benchmarks; " in page_of_it
    assert "chart-gate-0000000000" in page_of_it


def test_what_is_no_report_is_left_alone(laptime: Command, results: Path) -> None:
    """A directory of somebody's, a file, a place that isn't there."""
    other = Path("mine")
    other.mkdir()
    (other / "index.html").write_text("<title>precious</title>")
    ran = laptime("report", results, "-o", "mine")
    assert (2, "precious") == (ran.code, (other / "index.html").read_text()[7:15])
    assert "holds something that is no report of laptime" in ran.err
    assert 2 == laptime("report", results, "-o", results).code
    assert "is where you are" in laptime("report", results, "-o", ".").err
    assert 2 == laptime("report", results, "-o", "nowhere/out").code
    empty = Path("empty")
    empty.mkdir()
    assert 0 == laptime("report", results, "-o", "empty", "--format", "html").code


def test_a_report_that_is_cut_short_leaves_the_old_one(
    laptime: Command,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And nothing beside it."""
    assert 0 == laptime("report", results, "-o", "out").code
    before = {name: (Path("out") / name).read_bytes() for name in written(Path("out"))}

    def interrupted(figure: Figure) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(draw, "svg", interrupted)
    assert 2 == laptime("report", results, "-o", "out").code
    assert before == {name: (Path("out") / name).read_bytes() for name in written(Path("out"))}
    assert ["out", "results.json"] == sorted(one.name for one in Path().iterdir())


def test_a_report_is_written_over_whole(laptime: Command, results: Path) -> None:
    """Charts of benchmarks that are gone are gone."""
    assert 0 == laptime("report", results, "-o", "out", "--format", "html").code
    (Path("out") / "left.txt").write_text("over")
    assert 0 == laptime("report", results, "-o", "out", "--format", "html").code
    assert ["index.html"] == written(Path("out"))


@pytest.mark.parametrize(
    ("content_of_it", "said"),
    [
        ("{", "Expecting property name"),
        ("[]", "expected an object with a list"),
        ('{"benchmarks": []}', "holds no benchmarks"),
    ],
    ids=["cut", "list", "empty"],
)
def test_a_file_that_is_no_file_of_results_is_refused(
    laptime: Command,
    content_of_it: str,
    said: str,
) -> None:
    """With its name and what is wrong, and nothing is written."""
    Path("bad.json").write_text(content_of_it)
    ran = laptime("report", "bad.json")
    assert 2 == ran.code
    assert "bad.json: " in ran.err
    assert said in ran.err
    assert not Path("report").exists()


@pytest.mark.parametrize("start", [None, float("nan")], ids=["missing", "no number"])
def test_figures_that_are_none_are_refused(laptime: Command, start: float | None) -> None:
    """Of a file that was changed by hand, say; the message names it, and nothing is written."""
    made = support.watched(support.race("shop")[:2])
    broken = {"name": "GET /", "start": start, "connect": 0.0, "wait": 0.1, "receive": 0.1, "status": 200}
    lane = {"name": "main thread", "requests": [broken], "cpu": []}
    made[0]["extra_info"]["timeline"] = {**support.timeline(1, 1), "lanes": [lane]}
    Path("changed.json").write_text(json.dumps(document(made)))
    ran = laptime("report", "changed.json")
    assert (2, True) == (ran.code, ran.err.startswith("laptime: changed.json: not as laptime and pytest-benchmark"))
    assert ["changed.json"] == [one.name for one in Path().iterdir()]


def test_a_run_that_isnt_there_is_refused(laptime: Command, tmp_path: Path) -> None:
    """As `laptime compare` refuses it; and so is one in which nothing passed."""
    assert "there is no history yet" in laptime("report").err
    failed = Run("f" * 32, START, commit("a"), FINGERPRINT, (Result("t.py::x", FAILED, "no"),))
    store_with(tmp_path, failed)
    assert "nothing to report" in laptime("report", "latest").err
    ran = laptime("report", "latest~7")
    assert (2, True) == (ran.code, "latest~7" in ran.err)


def test_without_altair_it_says_what_to_install(
    laptime: Command,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In place of a traceback."""
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    ran = laptime("report", results)
    remedy = "`pip install altair vl-convert-python` (laptime's extra `report`)"
    assert (2, f"laptime: altair and vl_convert: not installed; {remedy}\n") == (ran.code, ran.err)


def test_a_store_keeps_what_is_drawn(laptime: Command, tmp_path: Path) -> None:
    """A run comes out of the store as it went in: its page is the same as that of its file."""
    made = of(*support.watched(support.race("shop")), *support.studies()[-6:])
    store_with(tmp_path, made)
    (kept,) = Store(".benchmarks/history.db", tmp_path).load([1])
    direct, stored = (content.page(Material([one])) for one in (made, kept))
    assert [figure.spec for figure in direct.figures] == [figure.spec for figure in stored.figures]
