"""`laptime import` and `laptime export`: runs come from pytest-benchmark's files, and become such files again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import TESTS
from tests.support.histories import (
    Command,
    Ran,
    benchmark,
    document,
    five,
    repository,
    run,
    store_with,
)

CORPUS = TESTS / "benchmark_corpus"


def test_every_version_s_files_are_imported_and_doubled_never(laptime: Command, tmp_path: Path) -> None:
    """A directory's, then the same again."""
    shutil.copytree(CORPUS, tmp_path / "saved")
    files = len(list(CORPUS.glob("*.json")))
    first = laptime("import", "saved")
    again = laptime("import", "saved", "saved/v3.0.0-with-data.json")
    place = tmp_path / ".benchmarks/history.db"
    assert Ran(0, f"{place}: {files} runs added, 0 there already\n", "") == first
    assert Ran(0, f"{place}: 0 runs added, {files + 1} there already\n", "") == again


def test_what_cannot_be_imported_is_named_and_the_others_are_stored(laptime: Command, tmp_path: Path) -> None:
    """Code 2, a line for each."""
    good = json.dumps(document([benchmark("a.py::test", [1.0])]))
    contents = {
        "a-good.json": good,
        "b-empty.json": "",
        "c-cut.json": good[:-30],
        "d-list.json": "[]",
        "e-other.json": '{"name": "package"}',
        "f-deep.json": "[" * 100_000,
        "g-figure.json": good.replace("1.0", "NaN"),
        "h-bytes.json": b"\xff\xfe\x00",
        "i-none.json": json.dumps(document([])),
        "j-surrogate.json": good.replace('"label": null', '"label": "\\udce9"').replace(
            "2026-03-01T12:00", "2026-03-01T13:00"
        ),
        "k-huge.json": good.replace("1.0", "1" * 5000),
        "l-version.json": good.replace('"version": 1', '"version": 99'),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "m-link.json").symlink_to("nowhere")
    ran = laptime("import", tmp_path, "absent.json")
    assert 2 == ran.code
    lines = ran.err.splitlines()
    bad = [*list(contents)[1:9], *list(contents)[10:], "m-link.json", "absent.json"]
    assert bad == [Path(line.split(": ")[1]).name for line in lines], ran.err
    assert "Traceback" not in ran.err
    assert f"1 run added, 1 there already, {len(bad)} unreadable" in ran.out


def test_a_directory_without_files_is_said(laptime: Command, tmp_path: Path) -> None:
    """Code 2; no store is made."""
    (tmp_path / "empty").mkdir()
    ran = laptime("import", "empty")
    assert Ran(2, "", "laptime: empty: no .json files there\n") == ran
    assert not (tmp_path / ".benchmarks").exists()


def test_the_name_that_a_file_was_saved_under_is_the_run_s_label(laptime: Command, tmp_path: Path) -> None:
    """As `--benchmark-save` numbers them."""
    shutil.copy(CORPUS / "v5.3.1-with-data.json", tmp_path / "0001_before the change.json")
    laptime("import", "0001_before the change.json")
    assert "before the change" == json.loads(laptime("history", "--format", "json").out)["runs"][0]["label"]
    assert 0 == laptime("export", "before the change").code


def test_an_export_is_accepted_by_pytest_benchmark_and_is_the_same_run(laptime: Command, tmp_path: Path) -> None:
    """Its own `compare` lists it; imported, it adds nothing."""
    store_with(tmp_path, run({"a.py::test_x": [1.0, 2.0, 3.0]}), run({"a.py::test_x": [2.0, 3.0, 4.0]}, number=1))
    for number, name in enumerate(("latest", "latest~1")):
        assert Ran(0, "", f"laptime: wrote run {name_of(laptime, name)} to 000{number}_x.json\n") == laptime(
            "export", name, "-o", f"000{number}_x.json"
        )
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", *map(str, sorted(tmp_path.glob("*.json")))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, 2) == (done.returncode, done.stdout.count("test_x (")), done.stdout + done.stderr
    assert "0 runs added, 2 there already" in laptime("import", *sorted(tmp_path.glob("*.json"))).out


def name_of(laptime: Command, name: str) -> str:
    """The beginning of a run's id."""
    return str(json.loads(laptime("export", name).out)["laptime"]["run"][:10])


def test_of_several_runs_the_newest_is_exported(laptime: Command, tmp_path: Path) -> None:
    """And that is said."""
    (head,) = repository(tmp_path, 1)
    runs = five(head)
    store_with(tmp_path, *runs)
    ran = laptime("export", "main")
    assert (runs[-1].id, 0) == (json.loads(ran.out)["laptime"]["run"], ran.code)
    assert f"laptime: main ({head[:10]}) has 5 runs; this is the newest\n" == ran.err


def test_an_export_to_nowhere_is_refused(laptime: Command, tmp_path: Path) -> None:
    """Before anything is read."""
    ran = laptime("export", "latest", "-o", "absent/run.json")
    assert (2, "") == (ran.code, ran.out)
    assert "--output absent/run.json: expected a file in a directory that exists" in ran.err
