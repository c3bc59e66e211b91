"""What a gate writes: Markdown, JSON by its schema, JUnit, and what GitHub Actions reads."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from math import inf, nan
from pathlib import Path, PurePosixPath
from typing import Any, Self, TextIO
from xml.etree import ElementTree

import jsonschema
import pytest

from laptime.cli import main
from laptime.gate import GateError
from laptime.gate.decision.noise import Noise
from laptime.gate.decision.trial import (
    ACCEPTED,
    BROKEN,
    CERTAIN,
    CPU,
    FAILING,
    IMPROVED,
    MISSING,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    VERDICTS,
    WALL,
    Finding,
)
from laptime.gate.decision.verdicts import Cost, Report, Row
from laptime.report import gate, gate_json, gate_junit, gate_markdown, github
from laptime.report.gate_words import MARKS, Told, groups, outcome, scrubbed
from tests.support import ROOT
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

FILE = "benchmarks/test_gate.py"
SLOWER = f"{FILE}::TestSums::test_sum[a::b/c-8]"
ODD = [
    f"{FILE}::test_x[{one}]"
    for one in (
        *("]", "[", "a|b", "<b>&amp;</b>", "a`b``", "new\nline", "re\rturn", "\x1b[31m", "\x00", "\ufffe", "\udcff"),
        *("%25,:", "::error::x", "\u202e", "</details>", "*_~", "\\", '"', "'", "ü😀", "", "$x$"),
    )
]
NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
LONE = re.compile("[\ud800-\udfff]")


def _finding(name: str, verdict: str, ratio: float | None = 1.0, metric: str = WALL, **other: Any) -> Finding:
    ends = {"low": None, "high": None} if ratio is None else {"low": ratio * 0.98, "high": ratio * 1.02}
    values: dict[str, Any] = {"blocks": (0.1, 0.2), "confirmed": 2, "smallest": 0.04, **ends, **other}
    return Finding(name, metric, verdict, ratio, **values)


COSTS = (Cost(0.01, 0.009, 3, 50_000_000), Cost(0.012, 0.01, 4, 60_000_000))


def _row(name: str, verdict: str, ratio: float | None = 1.0, metric: str = WALL, **other: Any) -> Row:
    return Row(name, metric, verdict, _finding(name, verdict, ratio, metric, **other), *COSTS)


EVERY = (
    Row(f"{FILE}::test_broken", None, BROKEN, note="HEAD: Traceback\nE   ValueError: <boom> ```` | x"),
    Row(f"{FILE}::test_missing", None, MISSING, note="not in HEAD"),
    _row(SLOWER, REGRESSED, 1.203),
    _row(SLOWER, UNCHANGED, 1.001, CPU),
    Row(f"{FILE}::test_open", WALL, UNRESOLVED, _finding(f"{FILE}::test_open", UNRESOLVED, 1.03)),
    _row(f"{FILE}::test_meant", ACCEPTED, 1.1),
    _row(f"{FILE}::test_faster", IMPROVED, 0.8),
    _row(f"{FILE}::test_same", UNCHANGED),
    Row(f"{FILE}::test_new", None, NEW, note="not in BASE"),
)
"""Each verdict."""


def _told(rows: Sequence[Row] = EVERY, *, strict: bool = False, folder: str = "", **report: Any) -> Told:
    values: dict[str, Any] = {"seconds": 245.5, "blocks": 32, "void": 1, **report}
    return Told(
        scrubbed(Report("main (1a2b3c4)", "the working tree", tuple(rows), **values)),
        strict,
        lambda name: gate.command("main", None, (), [name]),
        "laptime gate main -- -k 'a and b'",
        folder,
    )


REPORTS = {
    "each verdict": _told(),
    "strict": _told(EVERY[4:], strict=True),
    "passed": _told(EVERY[5:], stopped=None, remarks=("a | remark",), skipped=(f"{FILE}::test_skipped",)),
    "ended early": _told(EVERY[2:], stopped=CERTAIN),
    "interrupted": _told(EVERY[4:], interrupted=True, looked=False, stopped="interrupted"),
    "nothing known": _told(EVERY[4:5], looked=False),
    "unfit": _told(unfit="too | many <void>"),
    "nothing": _told(()),
    "refused": _told(EVERY[4:], refused=("accept 'a | <b>' fits no benchmark",)),
    "refused and failed": _told(refused=("accept 'x' fits no benchmark",)),
    "odd names": _told([_row(name, REGRESSED, 1.2) for name in ODD] + [_row(ODD[-1], UNCHANGED, metric=CPU)]),
    "odd messages": _told([Row(f"{FILE}::test_{n}", None, BROKEN, note=f"HEAD: {one}") for n, one in enumerate(ODD)]),
    "odd numbers": _told([_row("test_a", UNRESOLVED, inf, low=nan, high=-inf, blocks=(nan, inf, 0.1), smallest=nan)]),
    "no numbers": _told([_row("test_a", UNRESOLVED, None, blocks=(), confirmed=0, smallest=None)]),
    "1,000 benchmarks": _told([_row(f"{FILE}::test_{number:04}", UNCHANGED) for number in range(1000)]),
}
every_report = pytest.mark.parametrize("told", REPORTS.values(), ids=REPORTS)
FOUND = [
    Noise(name, metric, 0.02, 1.001, (0.98, 1.02), ((120.0, None), (600.0, 0.034)))
    for name in ODD
    for metric in (WALL, CPU)
]
SETTING = ['[tool.laptime.gate.benchmarks."x"]', 'limit = "7%"']


def _schema() -> dict[str, Any]:
    out = io.StringIO()
    with redirect_stdout(out):
        assert PASS == main(["gate", "--schema"])
    schema: dict[str, Any] = json.loads(out.getvalue())
    return schema


SCHEMA = _schema()


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _read(text: str) -> dict[str, Any]:
    """A document that the schema allows, in ASCII, without what is no JSON, or no character."""
    assert text.isascii()
    document: dict[str, Any] = json.loads(text, parse_constant=_refuse)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert not LONE.search(json.dumps(document, ensure_ascii=False))
    return document


# JSON


def test_the_schema_is_a_schema_that_describes_every_field() -> None:
    """Of JSON Schema 2020-12; nothing but what it names is allowed."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert list(VERDICTS) == SCHEMA["$defs"]["verdict"]["enum"]
    objects = [one for one in _within(SCHEMA) if "properties" in one]
    assert len(objects) == 8
    for one in objects:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
        assert all(field["description"].endswith(".") for field in one["properties"].values())


def _within(value: Any) -> list[dict[str, Any]]:
    """All objects in a document."""
    if isinstance(value, list):
        return [found for one in value for found in _within(one)]
    return [value, *_within(list(value.values()))] if isinstance(value, dict) else []


@every_report
def test_every_report_is_as_the_schema_says(told: Told) -> None:
    """Whatever its names and figures are."""
    found = _read(gate_json.report(told))
    assert found["exit_code"] == told.code
    assert len(found["rows"]) == len(told.report.rows)


def test_what_can_not_be_measured_and_a_self_test_are_as_the_schema_says() -> None:
    """And that there is nothing to compare: the other shapes."""
    assert _read(gate_json.nothing("no"))["nothing"] == "no"
    assert _read(gate_json.error("no\n\udcff", None, "x"))["error"] == "no\n\\udcff"
    assert _read(gate_json.noise([replace(FOUND[0], ratios=(0.98, nan))], []))["noise"][0]["ratios"] == [0.98, None]
    found = _read(gate_json.noise(FOUND, SETTING))
    assert found["settings"] == SETTING
    assert found["noise"][0]["smallest"] == [{"seconds": 120.0, "effect": None}, {"seconds": 600.0, "effect": 0.034}]


def test_the_json_holds_all_that_is_known() -> None:
    """Of a regression, with both sides' costs."""
    found = _read(gate_json.report(_told(remarks=("a remark",), skipped=("test_s",), refused=("x",), stopped=CERTAIN)))
    assert found["counts"] == dict.fromkeys(VERDICTS, 1)
    assert (found["remarks"], found["skipped"], found["stopped"]) == (["a remark"], ["test_s"], CERTAIN)
    assert found["refused"] == ["x"]
    assert found["rows"][2] == {
        "benchmark": SLOWER,
        "metric": WALL,
        "verdict": REGRESSED,
        "ratio": 1.203,
        "low": 1.203 * 0.98,
        "high": 1.203 * 1.02,
        "blocks": [0.1, 0.2],
        "confirmed": 2,
        "smallest": 0.04,
        "base": {"wall_s": 0.01, "cpu_s": 0.009, "waiting_s": 0.01 - 0.009, "switches": 3, "peak_bytes": 50_000_000},
        "head": {"wall_s": 0.012, "cpu_s": 0.01, "waiting_s": 0.012 - 0.01, "switches": 4, "peak_bytes": 60_000_000},
        "note": None,
    }
    assert found["rows"][0]["note"] == EVERY[0].note


GOOD = json.loads(gate_json.report(_told()))
ERROR = json.loads(gate_json.error("x", "main", None))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {**GOOD, "more": 1},
        {**GOOD, "version": 2},
        {**GOOD, "exit_code": 3},
        {**GOOD, "error": "x"},
        {**GOOD, "seconds": None},
        {**GOOD, "counts": {"slower": 1}},
        {**GOOD, "rows": [{**GOOD["rows"][0], "verdict": "slower"}]},
        {**GOOD, "rows": [{**GOOD["rows"][0], "metric": "memory"}]},
        {**GOOD, "rows": [{**GOOD["rows"][0], "more": 1}]},
        {**GOOD, "rows": [{**GOOD["rows"][2], "base": {"wall_s": 1}}]},
        {name: value for name, value in GOOD.items() if name != "rows"},
        {**ERROR, "exit_code": 0},
        {**ERROR, "error": None},
        {**ERROR, "more": 1},
    ],
)
def test_the_schema_refuses_what_is_wrong(wrong: Mapping[str, Any]) -> None:
    """What is not named, what is lacking, and what is something else."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(wrong)


# the words


def test_every_verdict_has_its_mark() -> None:
    """An icon of its own, and a meaning."""
    assert set(VERDICTS) == set(MARKS)
    assert len({mark.icon for mark in MARKS.values()}) == len(VERDICTS)
    assert all(mark.means for mark in MARKS.values())


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("each verdict", FAIL, "failed: 1 broken, 1 missing, 1 regressed"),
        ("strict", FAIL, "failed: 1 unresolved"),
        ("passed", PASS, "passed: no regression"),
        ("interrupted", CANNOT, "could not be measured: interrupted"),
        ("nothing known", CANNOT, "could not be measured: there was too little time for anything to be known; "),
        ("unfit", CANNOT, "could not be measured: too | many <void>"),
        ("nothing", CANNOT, "could not be measured: nothing was judged"),
        ("refused", CANNOT, "refused: accept 'a | <b>' fits no benchmark: remove it"),
        ("refused and failed", FAIL, "failed: 1 broken, 1 missing, 1 regressed"),
    ],
)
def test_the_outcome_in_words_is_that_of_the_exit_code(name: str, code: int, said: str) -> None:
    """What can't be measured never reads like a pass."""
    assert REPORTS[name].code == code
    assert outcome(REPORTS[name]).startswith(said)


def test_what_is_open_is_said_with_a_pass() -> None:
    """It is no clean bill."""
    assert outcome(_told(EVERY[4:])) == "passed: no regression found, 1 unresolved"


def test_passwords_are_left_out_of_messages() -> None:
    """What is written is published."""
    secret = "postgresql://me:s3cret@db/x"
    told = _told([Row("test_a", None, BROKEN, note=f"HEAD: {secret}")], remarks=(secret,), unfit=secret, stopped=secret)
    forms = gate_json.report, gate_markdown.report, gate_junit.report, github.annotated
    for text in (str(form(told)) for form in forms):
        assert "s3cret" not in text
        assert "me:***@db" in text


# Markdown


def _unfenced(text: str) -> str:
    return re.sub(r"^(`{3,})\w+\n.*?^\1$", "", text, flags=re.M | re.S)


@every_report
def test_markdown_is_a_table_whose_rows_have_the_same_columns(told: Told) -> None:
    """No name or message breaks a cell, a row, a block of code or the fold."""
    text = gate_markdown.report(told)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\ud800-\udfff]", text)
    outside = _unfenced(text)
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) <= 1
    assert len(rows) - 2 * len(re.findall("^\\|---", outside, re.M)) == len(told.report.rows)
    assert outside.count("<details>") == outside.count("</details>")
    assert set(re.findall("<[^>]*>", outside)) <= {"<details>", "</details>", "<summary>", "</summary>"}
    assert "`" not in outside.replace("\\`", "") or "<summary>" in outside
    assert text.splitlines()[0].startswith("## ")


def test_markdown_says_first_what_matters() -> None:
    """The outcome in words; where it went of each that failed, with its command; the command for all of it."""
    text = gate_markdown.report(_told())
    assert text.startswith("## ❌ laptime gate: failed: 1 broken, 1 missing, 1 regressed\n")
    assert "the working tree against main (1a2b3c4): 1 broken, " in text
    assert "| 🔴 | test\\_sum\\[a::b/c-8\\] | wall | regressed | +20.3 % | +17.9 % … +22.7 % |" in text
    assert f"<details><summary>🔴 regressed: {SLOWER} (wall time)</summary>\n\n```text\nwall " in text
    assert f"$ laptime gate main -- '{SLOWER}'" in text
    assert "`````text\nHEAD: Traceback\nE   ValueError: <boom> ````" in text  # a fence longer than what is in it
    assert text.endswith("To reproduce:\n\n```console\nlaptime gate main -- -k 'a and b'\n```\n")
    assert text.count("<details>") == 3
    assert "would find" in text


def test_what_is_unchanged_is_folded_where_it_is_much() -> None:
    """More than ten."""
    few, many = ([_row(f"test_{n}", UNCHANGED) for n in range(count)] for count in (10, 11))
    assert "<details>" not in gate_markdown.report(_told(few))
    text = gate_markdown.report(_told([*EVERY[:1], *many]))
    assert "<details><summary>11 unchanged</summary>" in text
    assert text.index("broken") < text.index("11 unchanged</summary>") < text.index("test\\_10")


def test_a_message_without_end_is_cut() -> None:
    """Its beginning and its end are shown, and its command is whole."""
    name = f"{FILE}::test_x[{'long' * 300}]"
    note = "HEAD: first\n" + "x" * 100_000 + "\n" * 10_000 + "last"
    text = gate_markdown.report(_told([Row(name, None, BROKEN, note=note)]))
    assert len(text) < 8_000
    for said in ("HEAD: first\n", "\nlast\n", " lines …\n", f"$ laptime gate main -- '{name}'"):
        assert said in text


@pytest.mark.parametrize("name", ["1,000 benchmarks", "odd names", "each verdict"])
def test_markdown_keeps_to_its_room(name: str) -> None:
    """Whole parts, and of a table whole rows; it says that something is left out, and always what the outcome is."""
    told = REPORTS[name]
    whole = gate_markdown.report(told)
    assert whole == gate_markdown.report(told, len(whole.encode()))
    for most in range(0, len(whole.encode()), max(1, len(whole.encode()) // 15)):
        text = gate_markdown.report(told, most)
        assert len(text.encode()) <= most
        assert _unfenced(text).count("<details>") == _unfenced(text).count("</details>")
        assert most < 300 or (text.startswith(whole.splitlines()[0]) and gate_markdown._CUT in text)


def test_a_table_without_room_keeps_its_first_rows() -> None:
    """What matters most."""
    told = _told([_row(f"{FILE}::test_{number:04}", REGRESSED, 1.2) for number in range(1000)])
    text = gate_markdown.report(told, 20_000)
    assert "test\\_0000 " in text
    assert "test\\_0999 " not in text
    assert 15_000 < len(text.encode()) <= 20_000
    assert "To reproduce:" in text


def test_an_error_and_a_self_test_in_markdown() -> None:
    """The first line is the headline; what can't be found is a dash."""
    text = gate_markdown.error("no <benchmarks>\nsecond ```\n\x1b")
    assert text == (
        "## ⚠️ laptime gate: could not be measured: no &lt;benchmarks&gt;\n\n````text\nsecond ```\n\\x1b\n````\n"
    )
    assert gate_markdown.error("") == "## ⚠️ laptime gate: could not be measured: \n"
    shown = gate_markdown.noise(FOUND, SETTING)
    assert "| benchmark | by | noise of a block | A/A | found in 2 min 00 s | found in 10 min 00 s |" in shown
    assert "| wall | 2.0 % | +0.1 % | – | 3.4 % |" in shown
    assert "```toml\n" + "\n".join(SETTING) in shown
    assert "toml" not in gate_markdown.noise([], [])


# JUnit


def _suite(text: str) -> ElementTree.Element:
    """The one suite, whose counts are those of its cases, in ASCII."""
    assert text.isascii()
    root = ElementTree.fromstring(text)
    (suite,) = root.findall("testsuite")
    cases = suite.findall("testcase")
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        count = sum(case.find(kind) is not None for case in cases)
        assert suite.attrib[name] == root.attrib[name] == str(count)
    assert suite.attrib["tests"] == str(len(cases))
    return suite


@every_report
def test_junit_has_a_case_for_each_benchmark(told: Told) -> None:
    """It fails where the gate does, and where nothing is known it has an error."""
    suite = _suite(gate_junit.report(told))
    cases = suite.findall("testcase")
    failing = [verdict for verdict, _ in groups(told.report.rows) if told.fails(verdict)]
    assert [one.attrib["type"] for one in suite.iter("failure")] == failing
    assert len(list(suite.iter("error"))) == (told.code == CANNOT)
    assert len(cases) == len(groups(told.report.rows)) + len(told.report.skipped) + (told.code == CANNOT)
    assert all(case.attrib["classname"] and case.attrib["name"] for case in cases)


def test_a_case_is_named_as_pytest_names_it() -> None:
    """By its directories, file and class; the file is that from the repository's root, the time that of HEAD's call."""
    suite = _suite(gate_junit.report(_told(folder="parts/one/")))
    case = suite.findall("testcase")[2]
    assert case.attrib == {
        "classname": "benchmarks.test_gate.TestSums",
        "name": "test_sum[a::b/c-8]",
        "file": f"parts/one/{FILE}",
        "time": "0.012000000",
    }
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "regressed: wall time +20.3 % (95 % interval +17.9 % … +22.7 %)"
    assert failure.text is not None
    assert re.search(r"wall +10\.0 ms → 12\.0 ms", failure.text)


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_open_is_skipped_or_under_strict_a_failure(strict: bool) -> None:
    """With what could be found."""
    suite = _suite(gate_junit.report(_told(EVERY[4:5], strict=strict)))
    (said,) = suite.iter("failure" if strict else "skipped")
    assert said.attrib["type"] == UNRESOLVED
    assert said.attrib["message"].endswith("would find 4.0 %")


def test_junit_knows_what_was_compared() -> None:
    """As properties; and what both sides skip."""
    suite = _suite(gate_junit.report(REPORTS["passed"]))
    found = [(one.attrib["name"], one.attrib["value"]) for one in suite.iter("property")]
    assert found == [
        ("base", "main (1a2b3c4)"),
        ("head", "the working tree"),
        ("exit_code", "0"),
        ("outcome", "passed: no regression"),
        ("remark", "skipped on both sides: 1 benchmark"),
        ("remark", "a | remark"),
    ]
    assert [one.attrib["message"] for one in suite.iter("skipped")] == ["skipped on both sides"]


def test_an_error_in_junit() -> None:
    """One case, with the whole message."""
    (said,) = _suite(gate_junit.error("no\x00\nsecond <>")).iter("error")
    assert (said.attrib["message"], said.text) == ("no\\x00", "no\\x00\nsecond <>")


# GitHub

ANNOTATION = re.compile(r"::(error|warning) (?:file=([^,:]*),)?title=([^,:]*)::([^\r\n]*)")


def _annotations(told: Told) -> list[tuple[str, ...]]:
    found = []
    for line in github.annotated(told):
        match = ANNOTATION.fullmatch(line)
        assert match, line
        found.append(match.groups())
    return found


@every_report
def test_annotations_are_one_line_each_and_ten_of_a_kind(told: Told) -> None:
    """However odd the names are, and however many."""
    found = _annotations(told)
    kinds = [one[0] for one in found]
    assert max(kinds.count("error"), kinds.count("warning")) <= github.MOST
    assert kinds == sorted(kinds)
    assert bool("error" in kinds) is (told.code != PASS)


def test_what_fails_is_an_error_and_what_is_open_a_warning() -> None:
    """At the benchmark's file; escaped as the runner reads it."""
    errors, open_ = _annotations(_told(folder="parts/one/"))[:3], _annotations(_told())[3:]
    assert errors[2][:3] == ("error", f"parts/one/{FILE}", "regressed%3A test_sum[a%3A%3Ab/c-8]")
    assert errors[2][3].startswith(f"{SLOWER}%0Awall time +20.3 %25 (95 %25 interval ")
    assert [one[0] for one in errors] == ["error"] * len(FAILING)
    assert [(kind, file) for kind, file, *_ in open_] == [("warning", FILE)]
    assert [one[0] for one in _annotations(_told(strict=True))] == ["error"] * 4


def test_the_tenth_annotation_counts_the_rest() -> None:
    """The summary has them."""
    found = _annotations(_told([_row(f"{FILE}::test_{n}", REGRESSED, 1.2) for n in range(30)]))
    assert len(found) == 10
    assert found[-1][3] == "and 21 more: the step's summary has them all"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a/test_a.py::test", "one/a/test_a.py"),
        ("../test_a.py::test", "test_a.py"),
        ("../../test_a.py::test", None),
        ("/tmp/test_a.py::test", None),
        ("test_a", None),
    ],
)
def test_a_file_outside_the_repository_is_not_named(name: str, file: str | None) -> None:
    """GitHub has no such file."""
    assert _told(folder="one/").file(name) == file


# the command


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


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project with a change that is not committed."""
    return project(tmp_path / "project")


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
    found = _read(written["gate.json"])
    assert FAIL == found["exit_code"]
    assert {"broken": 1, "unresolved": 1} == found["counts"]
    assert ["failure", "skipped"] == [case[0].tag for case in _suite(written["gate.XML"]).iter("testcase")]
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
    table, markdown, document, junit = (path.read_text() for path in outputs)
    said = "postgresql://me:***@db/x: no such revision"
    assert table.startswith(f"laptime gate: could not be measured: {said}")
    assert markdown.startswith("## ⚠️ laptime gate: could not be measured: ")
    found = _read(document)
    assert (CANNOT, "postgresql://me:***@db/x", None) == (found["exit_code"], found["base"], found["head"])
    assert found["error"].startswith(said)
    assert junit == out
    assert [said in one.attrib["message"] for one in _suite(junit).iter("error")] == [True]
    assert f"laptime: {said}" in err
    assert "s3cret" not in table + markdown + document + junit + out + err


@pytest.mark.parametrize("words", [("--margin=6%", "main"), (), ("",)])
def test_bad_arguments_are_written_too(repository: Path, words: Sequence[str]) -> None:
    """Those that are found once the outputs are known."""
    code, out, err = _run(repository, *words, "--format=json")
    assert CANNOT == code
    assert _read(out)["error"] == err.removeprefix("laptime: ").rstrip("\n")


def test_an_earlier_output_is_no_part_of_head(tmp_path: Path) -> None:
    """In the working tree it would differ from BASE, which has none."""
    root = write(project(tmp_path / "project", head={}), {"gate.json": "of an earlier gate"})
    _, _, err = _run(root, "main", "--output=gate.json")
    assert "there is nothing to compare" in err
    assert "there is nothing to compare" in _read((root / "gate.json").read_text())["error"]


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
    """And nothing is written."""
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
    (tmp_path / "gate.json").write_text(gate_json.report(_told(EVERY[5:])))
    with redirect_stderr(io.StringIO()) as err, chdir(tmp_path):
        try:
            code: int | str | None = main(["gate", *words])
        except SystemExit as error:  # as argparse ends
            code = error.code
    assert CANNOT == code
    assert "gate.json:" not in err.getvalue()
    assert not (tmp_path / "gate.json").exists()


def test_help_touches_no_output(tmp_path: Path) -> None:
    """It is no gate."""
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
    heard: Sequence[Noise] = FOUND

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


def _made_up(monkeypatch: pytest.MonkeyPatch, found: Report | BaseException, heard: Sequence[Noise] = FOUND) -> None:
    monkeypatch.setattr("laptime.gate.session.Session", type("", (_Gate,), {"found": found, "heard": heard}))


@pytest.mark.parametrize("strict", [False, True])
def test_the_exit_code_and_the_outputs_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    """Under `--strict` too; the command to do it again has all that was chosen."""
    _made_up(monkeypatch, _told(EVERY[4:]).report)
    words = ["main", "v1", "-k", "a and b", *(["--strict"] if strict else [])]
    words += [f"--output={tmp_path / name}" for name in ("gate.md", "gate.txt")]
    code, out, _ = _run(tmp_path, *words, "--format=json", "--", "-x")
    assert code == _read(out)["exit_code"] == (FAIL if strict else PASS)
    text = (tmp_path / "gate.md").read_text()
    assert ("failed: 1 unresolved" if strict else "passed: no regression found, 1 unresolved") in text
    assert "\nlaptime gate main v1 -- -k 'a and b' -x\n" in text
    assert ("FAILED: 1 unresolved\n" in (tmp_path / "gate.txt").read_text()) == strict


def test_the_commands_judge_as_this_gate_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its margin, limits and CPUs; without them, what was within a wide margin would be a regression."""
    _made_up(monkeypatch, _told().report)
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
        monkeypatch.setattr("laptime.gate.session.Session", type("", (Vanishing,), {"found": _told(rows).report}))
        code, out, err = _run(tmp_path, *words)
        assert code == expected
        assert "there/gate.md: can't be written: " in err
        assert "1 improved" in out
        _read((tmp_path / "gate.json").read_text())


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
    _made_up(monkeypatch, _told().report)
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

    monkeypatch.setattr("laptime.gate.session.Session", type("", (Talking,), {"found": _told(rows).report}))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    out = io.StringIO()
    with chdir(tmp_path), redirect_stdout(out), _of_no_use(kind) as stream, redirect_stderr(stream):
        assert expected == main(["gate", "--no-history", "main", "--output=gate.json"])
    assert "1 improved" in out.getvalue()
    assert expected == _read((tmp_path / "gate.json").read_text())["exit_code"]


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
    _made_up(monkeypatch, _told(rows).report)
    err = io.StringIO()
    with chdir(tmp_path), redirect_stderr(err), _of_no_use(kind) as stream, redirect_stdout(stream):
        assert expected == main(["gate", "--no-history", "main", "--output=gate.json"])
    assert ("standard output can't be written: [Errno 28] No space left on device" in err.getvalue()) == (
        kind == "full"
    )
    _read((tmp_path / "gate.json").read_text())


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
    assert _read(out)["error"] == said
    assert (tmp_path / "gate.txt").read_text() == f"laptime gate: could not be measured: {said}\n"


def test_a_self_test_has_its_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table, Markdown and JSON; on GitHub its summary too."""
    _made_up(monkeypatch, _told().report)
    outputs = [tmp_path / f"gate{suffix}" for suffix in (".txt", ".md", ".json")]
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "COLUMNS": "120"}
    code, out, err = _run(tmp_path, "--self-test", *(f"--output={path}" for path in outputs), env=env)
    assert PASS == code
    table, markdown, document = (path.read_text() for path in outputs)
    assert "noise of a block" in table
    assert out == table
    assert len(_read(document)["noise"]) == len(FOUND)
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
    said = _read(out)["nothing"]
    assert said == "HEAD has nothing since v1: there is nothing to compare"
    table, markdown, junit = (path.read_text() for path in outputs)
    assert (table, markdown) == (f"laptime gate: {said}\n", f"## ✅ laptime gate: {said}\n")
    assert [one.attrib["message"] for one in _suite(junit).iter("skipped")] == [said]
    code, out, _ = _run(root, "--against", "v2", "--format=json", "HEAD")
    assert (CANNOT, "v2", "HEAD") == (code, *(_read(out)[side] for side in ("base", "head")))


def test_a_self_test_without_a_result_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As what can't be measured."""
    _made_up(monkeypatch, _told().report, heard=())
    code, out, err = _run(tmp_path, "--self-test", "--format=json")
    assert CANNOT == code
    assert _read(out)["error"] == "no benchmark could be measured often enough"
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
