"""What a gate writes, by the command: files, standard output, what GitHub Actions reads."""

from __future__ import annotations

import io
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path, PurePosixPath
from typing import Any, Self, TextIO

import pytest

from laptime.cli import main
from laptime.gate import GateError
from laptime.gate.decision.noise import Noise
from laptime.gate.decision.verdicts import Report, Row
from laptime.report import gate_json, github
from tests.support import ROOT
from tests.support.gate_outputs import junit, read
from tests.support.gates import (
    BENCHMARK,
    CANNOT,
    CODE,
    FAIL,
    GATE,
    NO_BLOCKS,
    NOBODY,
    PASS,
    QUICK,
    SETTINGS,
    commit,
    git,
    project,
    write,
)
from tests.support.sessions import run
from tests.support.verdicts import EVERY, FILE, NOISE, report_on

NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")


def _run(
    directory: Path, *arguments: str, env: Mapping[str, str] | None = None, history: str = "--no-history"
) -> tuple[int, str, str]:
    """Run the command within this process: its exit code, and both streams."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(directory), redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITHUB_ACTIONS", raising=False)
        for name, value in {**NOBODY, **(env or {})}.items():
            patch.setenv(name, value)
        code = main(["gate", history, *arguments])
    return code, out.getvalue(), err.getvalue()


def test_each_output_is_written_in_the_form_of_its_suffix(tmp_path: Path) -> None:
    """By a real gate, of a project within a repository, on GitHub; standard output stays JSON."""
    toplevel = tmp_path / "everything"
    files = {
        "pyproject.toml": SETTINGS,
        "thing/__init__.py": CODE,
        "benchmarks/test_thing.py": BENCHMARK + "\n    def test_wrong(benchmark):\n        assert benchmark(int)\n",
    }
    commit(toplevel, {f"parts/one/{name}": text for name, text in files.items()})
    write(toplevel, {"parts/one/thing/__init__.py": CODE + "    # a comment\n"})
    root, there = toplevel / "parts" / "one", tmp_path / "written"
    there.mkdir()
    words = [*GATE, "--no-history", "main", NO_BLOCKS, "--format=json"]
    words += [f"--output={there}/gate{suffix}" for suffix in (".txt", ".md", ".json", ".XML")]
    summary = tmp_path / "summary"
    summary.write_text("of an earlier step\n")
    github_ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    stdout = tmp_path / "stdout"
    ended = run(
        root, "sh", "-c", f"{shlex.join(words)} > {shlex.quote(str(stdout))}", env={**NOBODY, **QUICK, **github_}
    )
    assert FAIL == ended.code, ended.text
    written = {path.name: path.read_text() for path in there.iterdir()}
    assert {"gate.txt", "gate.md", "gate.json", "gate.XML"} == set(written)
    assert written["gate.json"] == stdout.read_text()
    found = read(written["gate.json"])
    assert FAIL == found["exit_code"]
    assert {"broken": 1, "unresolved": 1} == found["counts"]
    assert ["failure", "skipped"] == [case[0].tag for case in junit(written["gate.XML"]).iter("testcase")]
    assert "BROKEN benchmarks/test_thing.py::test_wrong" in written["gate.txt"]
    assert "\x1b" not in written["gate.txt"]
    assert written["gate.md"].startswith("## ❌ laptime gate: failed: 1 broken\n")
    assert summary.read_text() == f"of an earlier step\n\n{written['gate.md']}"
    assert "::error file=parts/one/benchmarks/test_thing.py,title=broken%3A test_wrong::" in ended.text
    assert "::warning file=parts/one/benchmarks/test_thing.py,title=unresolved%3A test_work::" in ended.text
    assert git(toplevel, "status", "--porcelain").split() == ["M", "parts/one/thing/__init__.py"]


def test_what_can_not_be_measured_is_written_over_what_an_earlier_gate_wrote(repository: Path, tmp_path: Path) -> None:
    """CI never reads what is of another run; passwords are left out."""
    outputs = [tmp_path / f"gate{suffix}" for suffix in (".txt", ".md", ".json", ".xml")]
    for path in outputs:
        path.write_text("of an earlier gate")
    base = "postgresql://me:s3cret@db/x"
    code, out, err = _run(repository, base, "--format=junit", *(f"--output={path}" for path in outputs))
    assert CANNOT == code
    table, markdown, document, xml = (path.read_text() for path in outputs)
    said = "postgresql://me:***@db/x: no such revision"
    assert table.startswith(f"laptime gate: could not be measured: {said}")
    assert markdown.startswith("## ⚠️ laptime gate: could not be measured: ")
    found = read(document)
    assert (CANNOT, "postgresql://me:***@db/x", None) == (found["exit_code"], found["base"], found["head"])
    assert found["error"].startswith(said)
    assert xml == out
    assert [said in one.attrib["message"] for one in junit(xml).iter("error")] == [True]
    assert f"laptime: {said}" in err
    assert "s3cret" not in table + markdown + document + xml + out + err


@pytest.mark.parametrize("words", [("--margin=6%", "main"), (), ("",)])
def test_bad_arguments_are_written_too(repository: Path, words: Sequence[str]) -> None:
    """Those that are found once the outputs are known."""
    code, out, err = _run(repository, *words, "--format=json")
    assert CANNOT == code
    assert read(out)["error"] == err.removeprefix("laptime: ").rstrip("\n")


def test_an_earlier_output_is_no_part_of_head(tmp_path: Path) -> None:
    """In the working tree it would differ from BASE, which has none."""
    root = write(project(tmp_path / "project", head={}), {"gate.json": "of an earlier gate"})
    _, _, err = _run(root, "main", "--output=gate.json")
    assert "there is nothing to compare" in err
    assert "there is nothing to compare" in read((root / "gate.json").read_text())["error"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output=gate"], "--output gate: expected a file whose suffix says the form: .txt (table), .md (markdown)"),
        (["--output=gate.yaml"], "expected a file whose suffix says the form"),
        (["--output="], "expected a file whose suffix says the form"),
        (["--output=directory.json"], "it is a directory: name a file in it"),
        (["--output=absent/gate.json"], "absent: make it first"),
        (["--output=README.md/gate.json"], "README.md: make it first"),
        (["--output=README.md"], "--output README.md: git tracks it"),
        (["--output=link.md"], "--output link.md: git tracks it"),
        (["--output=gate.json", "--output=./thing/../gate.json"], "it is named twice"),
        (["--output=gate.json", "--output=link.json"], "--output link.json: it is named twice"),
        (["--output=loop.json"], "loop.json: it is no ordinary file"),
        ([f"--output={'x' * 300}.json"], "File name too long"),
        (["--self-test", "--output=gate.xml"], "--self-test: it has no JUnit form"),
        (["--self-test", "--format=junit"], "--self-test: it has no JUnit form"),
    ],
)
def test_an_output_that_can_not_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, words: Sequence[str], said: str
) -> None:
    """Code 2, and no file is written."""
    root = project(tmp_path / "project", {"README.md": "tracked"})
    (root / "directory.json").mkdir()
    (root / "link.md").symlink_to("README.md")
    (root / "link.json").symlink_to("gate.json")
    (root / "loop.json").symlink_to("loop.json")
    base = [] if "--self-test" in words else ["main"]
    code, out, err = _run(root, *base, *words)
    assert CANNOT == code
    assert said in err, err
    assert "" == out
    assert "tracked" == (root / "README.md").read_text()
    assert not list(root.rglob("gate.*"))


@pytest.mark.parametrize(
    "words",
    [
        ("--output=gate.yaml", "--output=gate.json"),
        ("--output=gate.json", "--output=absent/gate.md"),
        ("--max-time=soon", "--output=gate.json"),
        ("--output=gate.json", "--no-such-option"),
        ("--self-test", "--format=junit", "--output", "gate.json"),
    ],
)
def test_what_is_refused_leaves_no_earlier_output_either(tmp_path: Path, words: Sequence[str]) -> None:
    """Who reads nothing but the file would take it for this gate's."""
    (tmp_path / "gate.json").write_text(gate_json.report(report_on(EVERY[5:])))
    with redirect_stderr(io.StringIO()) as err, chdir(tmp_path):
        try:
            code: int | str | None = main(["gate", *words])
        except SystemExit as error:  # as argparse ends
            code = error.code
    assert CANNOT == code
    assert "gate.json:" not in err.getvalue()
    assert not (tmp_path / "gate.json").exists()


def test_help_touches_no_output(tmp_path: Path) -> None:
    """A file of that name stays as it is: `--help` starts no gate."""
    (tmp_path / "gate.json").write_text("of an earlier gate")
    with pytest.raises(SystemExit), redirect_stdout(io.StringIO()), chdir(tmp_path):
        main(["gate", "--output=gate.json", "--help"])
    assert "of an earlier gate" == (tmp_path / "gate.json").read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_in_a_directory_that_is_closed_is_refused(repository: Path, tmp_path: Path) -> None:
    """It is named, before anything is measured."""
    (tmp_path / "closed").mkdir(mode=0o500)
    _, _, err = _run(repository, "main", f"--output={tmp_path / 'closed' / 'gate.json'}")
    assert "closed/gate.json: can't be written: Permission denied; name another place" in err


def test_an_unknown_form_is_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, with what there is."""
    with pytest.raises(SystemExit), chdir(repository):
        main(["gate", "main", "--format=yaml"])
    assert "--format: invalid choice: 'yaml'" in capsys.readouterr().err


class _Gate:
    """In place of a session: what it finds is made up."""

    inside = PurePosixPath("parts/one")
    found: Report | BaseException
    heard: Sequence[Noise] = NOISE

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self) -> Report:
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found

    def noise(self) -> Sequence[Noise]:
        return self.heard


def _made_up(monkeypatch: pytest.MonkeyPatch, found: Report | BaseException, heard: Sequence[Noise] = NOISE) -> None:
    monkeypatch.setattr("laptime.gate.session.Session", type("", (_Gate,), {"found": found, "heard": heard}))


@pytest.mark.parametrize("strict", [False, True])
def test_the_exit_code_and_the_outputs_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    """Under `--strict` too; the command to do it again has all that was chosen."""
    _made_up(monkeypatch, report_on(EVERY[4:]).report)
    words = ["main", "v1", "-k", "a and b", *(["--strict"] if strict else [])]
    words += [f"--output={tmp_path / name}" for name in ("gate.md", "gate.txt")]
    code, out, _ = _run(tmp_path, *words, "--format=json", "--", "-x")
    assert code == read(out)["exit_code"] == (FAIL if strict else PASS)
    text = (tmp_path / "gate.md").read_text()
    assert ("failed: 1 unresolved" if strict else "passed: no regression found, 1 unresolved") in text
    assert "\nlaptime gate main v1 -- -k 'a and b' -x\n" in text
    assert ("FAILED: 1 unresolved\n" in (tmp_path / "gate.txt").read_text()) == strict


def test_the_commands_judge_as_this_gate_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its margin, limits and CPUs; without them, what was within a wide margin would be a regression."""
    _made_up(monkeypatch, report_on().report)
    given = ["--margin=2.5%", "--limit", "0.07", "--round-limit=1.5m", "--pin", "0,1", "--strict"]
    _, out, _ = _run(tmp_path, "main", *given, "--format=markdown")
    asked = "laptime gate --margin=2.5% --limit=7% --round-limit=90s --pin=0,1 main"
    assert f"\n{asked}\n" in out
    assert f"\n$ {asked} -- {FILE}::test_broken\n" in out
    _, again, _ = _run(tmp_path, *shlex.split(asked)[2:], "--format=markdown")
    assert f"\n{asked}\n" in again


def test_an_output_that_can_not_be_written_in_the_end_is_no_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed stays failed; the other outputs are written."""

    class Vanishing(_Gate):
        def run(self) -> Report:
            (tmp_path / "there").rmdir()
            return super().run()

    words = ["main", f"--output={tmp_path / 'there' / 'gate.md'}", f"--output={tmp_path / 'gate.json'}"]
    for rows, expected in ((EVERY, FAIL), (EVERY[5:], CANNOT)):
        (tmp_path / "there").mkdir()
        monkeypatch.setattr("laptime.gate.session.Session", type("", (Vanishing,), {"found": report_on(rows).report}))
        code, out, err = _run(tmp_path, *words)
        assert code == expected
        assert "there/gate.md: can't be written: " in err
        assert "1 improved" in out
        read((tmp_path / "gate.json").read_text())


@pytest.mark.parametrize(("words", "expected"), [((), CANNOT), (("--bisect",), 128)])
def test_a_defect_of_this_program_is_no_regression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str], expected: int
) -> None:
    """Python would end with 1, which says that something became slower; all of it is shown."""

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("laptime.gate.session.Session", broken)
    code, _, err = _run(tmp_path, "main", *words)
    assert expected == code
    assert "Traceback (most recent call last)" in err
    assert "RuntimeError: a defect" in err


def test_a_history_that_is_none_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether one can be opened is seen when it is, and makes no verdict worse."""
    _made_up(monkeypatch, report_on().report)
    code, out, err = _run(tmp_path, "main", history="--history=mysql://me@db.test/base")
    assert (CANNOT, "") == (code, out)
    assert "no such kind of history: expected a file" in err


@contextmanager
def _of_no_use(kind: str) -> Iterator[TextIO]:
    """A stream that takes nothing: its reader left, or its disk is full."""
    reading, writing = os.pipe()
    os.close(reading)
    if kind == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), writing)
    with open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123 (a descriptor)
        yield stream


of_no_use = pytest.mark.parametrize("kind", ["left", pytest.param("full", marks=NEEDS_FULL)])


@of_no_use
@pytest.mark.parametrize(("rows", "expected"), [(EVERY, FAIL), (EVERY[5:], PASS)])
def test_a_verdict_does_not_depend_on_who_reads_how_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows: Sequence[Row], expected: int
) -> None:
    """What is said on standard error is lost, and nothing else: `laptime gate main 2> >(head -1)`."""

    class Talking(_Gate):
        def __init__(self, _: object, listener: Any) -> None:
            listener.stage("screening", 1, None)
            listener.say("a note")

    monkeypatch.setattr("laptime.gate.session.Session", type("", (Talking,), {"found": report_on(rows).report}))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    out = io.StringIO()
    with chdir(tmp_path), redirect_stdout(out), _of_no_use(kind) as stream, redirect_stderr(stream):
        assert expected == main(["gate", "--no-history", "main", "--output=gate.json"])
    assert "1 improved" in out.getvalue()
    assert expected == read((tmp_path / "gate.json").read_text())["exit_code"]


@pytest.mark.parametrize(
    ("kind", "rows", "expected"),
    [
        ("left", EVERY, FAIL),
        ("left", EVERY[5:], PASS),
        pytest.param("full", EVERY, FAIL, marks=NEEDS_FULL),
        pytest.param("full", EVERY[5:], CANNOT, marks=NEEDS_FULL),
    ],
)
def test_standard_output_that_takes_nothing_makes_no_pass_of_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows: Sequence[Row], expected: int
) -> None:
    """A reader that left had enough; on a full disk a result is lost, which is said, and the files are written."""
    _made_up(monkeypatch, report_on(rows).report)
    err = io.StringIO()
    with chdir(tmp_path), redirect_stderr(err), _of_no_use(kind) as stream, redirect_stdout(stream):
        assert expected == main(["gate", "--no-history", "main", "--output=gate.json"])
    assert ("standard output can't be written: [Errno 28] No space left on device" in err.getvalue()) == (
        kind == "full"
    )
    read((tmp_path / "gate.json").read_text())


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (KeyboardInterrupt(), "interrupted before anything was known"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (GateError("several\nlines"), "several\nlines"),
    ],
)
def test_whatever_ends_a_gate_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: BaseException, said: str
) -> None:
    """Ctrl-C before a benchmark was tried, a full disk, and what the gate itself refuses."""
    _made_up(monkeypatch, found)
    code, out, _ = _run(tmp_path, "main", "--format=json", f"--output={tmp_path / 'gate.txt'}")
    assert CANNOT == code
    assert read(out)["error"] == said
    assert (tmp_path / "gate.txt").read_text() == f"laptime gate: could not be measured: {said}\n"


def test_a_self_test_has_its_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table, Markdown and JSON; on GitHub its summary too."""
    _made_up(monkeypatch, report_on().report)
    outputs = [tmp_path / f"gate{suffix}" for suffix in (".txt", ".md", ".json")]
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "COLUMNS": "120"}
    code, out, err = _run(tmp_path, "--self-test", *(f"--output={path}" for path in outputs), env=env)
    assert PASS == code
    table, markdown, document = (path.read_text() for path in outputs)
    assert "noise of a block" in table
    assert out == table
    assert len(read(document)["noise"]) == len(NOISE)
    assert markdown == (tmp_path / "summary").read_text()
    assert "::" not in err


def test_that_there_is_nothing_since_the_tag_is_written_and_no_failure(tmp_path: Path) -> None:
    """A nightly job reads its report every night."""
    root = project(tmp_path / "project", head={})
    git(root, "tag", "v1")
    outputs = [tmp_path / f"gate{suffix}" for suffix in (".txt", ".md", ".xml")]
    words = ["--against", "v1", "--format=json", *(f"--output={path}" for path in outputs)]
    code, out, err = _run(root, *words, "HEAD")
    assert PASS == code, err
    said = read(out)["nothing"]
    assert said == "HEAD has nothing since v1: there is nothing to compare"
    table, markdown, xml = (path.read_text() for path in outputs)
    assert (table, markdown) == (f"laptime gate: {said}\n", f"## ✅ laptime gate: {said}\n")
    assert [one.attrib["message"] for one in junit(xml).iter("skipped")] == [said]
    code, out, _ = _run(root, "--against", "v2", "--format=json", "HEAD")
    assert (CANNOT, "v2", "HEAD") == (code, *(read(out)[side] for side in ("base", "head")))


def test_a_self_test_without_a_result_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As what can't be measured."""
    _made_up(monkeypatch, report_on().report, heard=())
    code, out, err = _run(tmp_path, "--self-test", "--format=json")
    assert CANNOT == code
    assert read(out)["error"] == "no benchmark could be measured often enough"
    assert "laptime: no benchmark could be measured often enough" in err


@pytest.mark.parametrize("place", ["", "absent/summary", "directory"])
def test_a_summary_that_can_not_be_written_changes_nothing(repository: Path, tmp_path: Path, place: str) -> None:
    """It is a note; without a name there is none."""
    (tmp_path / "directory").mkdir()
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / place) if place else ""}
    code, out, err = _run(repository, "nonsense", env=env)
    assert (CANNOT, "") == (code, out)
    assert "::error title=laptime gate::could not be measured: nonsense: no such revision" in err
    assert ("laptime: the step's summary was not written: " in err) is bool(place)


def test_a_summary_that_is_full_is_left_as_it_is(repository: Path, tmp_path: Path) -> None:
    """GitHub shows nothing of one that is larger."""
    summary = tmp_path / "summary"
    summary.write_text("x" * (github.SUMMARY_BYTES - 50))
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    _, _, err = _run(repository, "nonsense", env=env)
    assert "the step's summary is full" in err
    assert github.SUMMARY_BYTES - 50 == summary.stat().st_size


def test_the_examples_of_outputs_are_commands_that_are_understood(tmp_path: Path) -> None:
    """Those for CI in docs/gate.md, up to the look for the revision, which isn't there."""
    _, _, section = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8").partition("\n## Outputs\n")
    found = re.findall(
        r"""laptime (gate "\$\(git merge-base origin/main HEAD\)"[^'\n]*)""", section.partition("\n## ")[0]
    )
    assert len(found) >= 3
    root = project(tmp_path / "project")
    for command in found:
        code, _, err = _run(root, *shlex.split(command)[1:])
        assert CANNOT == code
        assert "git merge-base origin/main HEAD): no such revision" in err  # what the shell would put there
