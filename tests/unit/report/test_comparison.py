"""Comparisons and lists of runs as they are printed: tables, Markdown and JSON, whatever the stored names hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.compare import COLUMNS, Answer, Question, compare
from laptime.history import Run, from_json
from laptime.report import comparison
from laptime.report.comparison import SORTS, Layout
from tests.support.histories import FINGERPRINT, MACHINE, PYTHON, benchmark, document, run
from tests.support.names import HOSTILE, cells, printable

FIVE = (0.99, 1.0, 1.01, 1.02, 0.98)
EVERY = Layout(COLUMNS)


def side(figures: Mapping[str, float], *, start: int = 0, **what: Any) -> list[Run]:
    """Five runs."""
    return [
        run({name: figure * one for name, figure in figures.items()}, number=start + number, **what)
        for number, one in enumerate(FIVE)
    ]


def every_word() -> Answer:
    """One of each: same, slower, faster, gone, new, broken, can't tell, not comparable."""
    names = {"a.py::same": 1.0, "a.py::slower": 1.0, "a.py::faster": 1.0, "a.py::zero": 1.0}
    inputs = [
        from_json(document([benchmark("a.py::other", FIVE, tier=tier)], number=90 + no)) for no, tier in enumerate("ab")
    ]
    base = [*side({**names, "a.py::gone": 1.0}), inputs[0]]
    head = side({**names, "a.py::slower": 1.5, "a.py::faster": 0.5, "a.py::zero": 0.0, "a.py::new": 1.0}, start=10)
    head = [*head, inputs[1], run({}, number=50, failed={"a.py::broken": "no [bold]"})]
    return compare(base, head, Question(fail_on=0.05))


def named(name: str) -> Answer:
    """One benchmark of such a name, group and note."""
    made = [from_json(document([benchmark(f"a.py::{name}", FIVE, group=name)], number=number)) for number in range(2)]
    broken = run({}, number=9, failed={f"b.py::{name}": name})
    return compare([made[0]], [made[1], broken], Question())


def shown(answer: Answer, layout: Layout = Layout(), *, width: int = 200, color: bool = False) -> str:  # noqa: B008
    """In a terminal."""
    return comparison.terminal(answer, "main", "topic", layout, width=width, color=color)


def parsed(answer: Answer) -> dict[str, Any]:
    """As JSON, which holds no NaN and no Infinity."""
    found: dict[str, Any] = json.loads(comparison.as_json(answer, "main", "topic"), parse_constant=pytest.fail)
    return found


# words


def test_every_word_is_in_the_table() -> None:
    """With its ratio, or a dash; what failed is named at the end."""
    text = shown(every_word())
    for word in ("same within 3.0 %", "slower", "faster", "gone: not in the", "new: not in", "can't tell"):
        assert word in text, word
    assert "broken: failed in 1 of 1 runs: no [bold]" in text
    assert "not comparable: tier a / b" in text
    assert "main (6 runs) → topic (7 runs)" in text
    assert "CPython 3.13.0, Fast CPU, 2 CPUs" in text


def test_medians_and_ratios_are_shown_with_their_intervals() -> None:
    """Across runs without a mark; within single runs with one, and a sentence that says so."""
    across = shown(compare(side({"a.py::test": 1.0}), side({"a.py::test": 1.5}, start=10), Question()))
    (line,) = [one for one in across.splitlines() if one.startswith("test")]
    assert "1.500 [1.4" in line
    assert "*" not in across
    within = shown(compare([run({"a.py::test": [1.0] * 9})], [run({"a.py::test": [1.5] * 9}, number=1)], Question()))
    (line,) = [one for one in within.splitlines() if one.startswith("test")]
    assert "1.00 s [1.00 s, 1.00 s]*" in line
    assert "1.500 [1.500, 1.500]*" in line
    assert "* too few runs for an interval across runs" in within


def test_memory_is_more_or_less_and_in_bytes() -> None:
    """Nothing is faster for taking less."""

    def several(bytes_: int, start: int) -> list[Run]:
        return [
            from_json(document([benchmark("a.py::test", FIVE, peak_pss_bytes=bytes_ + number)], number=start + number))
            for number in range(5)
        ]

    text = shown(compare(several(45_600_000, 0), several(91_200_000, 10), Question(metric="memory")))
    assert "45.6 MB" in text
    assert " more" in text
    assert "slower" not in text.partition("Intervals are")[0]


def test_three_runs_too_few_are_not_infinitely_uncertain() -> None:
    """An estimate, and null for the interval."""
    answer = compare([run({"a.py::test": 1.0})], side({"a.py::test": 2.0}, start=10), Question())
    assert "inf" not in shown(answer)
    assert {"estimate": pytest.approx(2.0), "interval": None} == parsed(answer)["comparisons"][0]["benchmarks"][0][
        "ratio"
    ]


def test_columns_are_those_of_pytest_benchmark() -> None:
    """Both sides of each; a dash where there is no such figure."""
    text = shown(every_word(), EVERY, width=400)
    assert all(f"{column} base" in text and f"{column} head" in text for column in COLUMNS)


@pytest.mark.parametrize("value", [None, "text", float("nan"), float("inf"), [1], {"a": 1}, True, 10**400])
def test_statistics_of_another_s_file_are_shown_whatever_they_are(value: object) -> None:
    """An imported file is not ours."""
    written = benchmark("a.py::test", FIVE)
    for column in ("min", "stddev", "ops", "outliers", "rounds"):
        written["stats"][column] = value
    answer = compare([from_json(document([written]))], [from_json(document([written], number=1))], Question())
    assert "test" in shown(answer, EVERY, width=400)
    assert "test" in comparison.markdown(answer, "a", "b", EVERY)
    assert {"median", "interval", "runs", "within_one_run", "stats"} == set(
        parsed(answer)["comparisons"][0]["benchmarks"][0]["base"]
    )


@pytest.mark.parametrize("sort", SORTS)
def test_rows_are_sorted(sort: str) -> None:
    """By name, ratio or figure; what has none comes last."""
    lines = shown(every_word(), Layout(sort=sort)).splitlines()
    names = [
        line.split()[0] for line in lines if line.split() and line.split()[0] in {"same", "slower", "faster", "gone"}
    ]
    wanted = {
        "name": ["faster", "gone", "same", "slower"],
        "fullname": ["faster", "gone", "same", "slower"],
        "ratio": ["slower", "same", "faster", "gone"],
        "head": ["faster", "same", "slower", "gone"],
    }
    assert wanted.get(sort, sorted(names)) == (names if sort in wanted else sorted(names))


@pytest.mark.parametrize("width", [1, 10, 40, 80, 1000])
def test_any_terminal_is_wide_enough(width: int) -> None:
    """Nothing is cut away with dots: what doesn't fit goes on in the next line."""
    text = shown(every_word(), EVERY, width=width)
    assert "\x1b" not in text
    if width >= 40:
        assert max(map(len, text.splitlines())) <= width


# names


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_shown_and_does_nothing_in_a_terminal(name: str) -> None:
    """Every sign of it is there, and those that steer are written out."""
    text = shown(named(name), width=1000, color=True)
    assert text.count(printable(name)) >= 3
    assert not {"\x07", "\x9b", "\r", "\t", "\u202e", "\u2066"} & set(text)
    assert "\x1b]" not in text


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_text_in_markdown(name: str) -> None:
    """It makes no cell, no line, no HTML, no link and no emphasis."""
    text = comparison.markdown(named(name), name, name, EVERY)
    assert "\x1b" not in text
    assert "<" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {5 + 2 * len(COLUMNS)} == {cells(line) for line in table}, table
    bare = text.replace("\\\\", "").replace("\\[", "").replace("\\]", "").replace("\\`", "").replace("\\*", "")
    assert "](" not in bare
    assert "`" not in bare


def test_hostile_names_are_themselves_in_json() -> None:
    """Not a sign of them is lost."""
    for name in HOSTILE.values():
        found = parsed(named(name))["comparisons"][0]["benchmarks"]
        assert sorted([f"a.py::{name}", f"b.py::{name}"]) == sorted(one["fullname"] for one in found)


def test_a_very_long_name_is_whole() -> None:
    """In a narrow terminal it goes on."""
    name = "x" * 5000
    assert 5000 <= shown(named(name), width=80).count("x")
    assert name in comparison.markdown(named(name), "a", "b", Layout())


@given(st.text(max_size=30))
def test_any_text_is_one_line_of_markdown(text: str) -> None:
    """Without a control character."""
    found = comparison.escaped(text)
    assert 1 >= len(found.splitlines())
    assert found.isprintable()
    assert not {"<", ">"} & set(found)


# JSON


def test_json_has_its_documented_keys() -> None:
    """All of them, always."""
    document = parsed(every_word())
    assert {
        "version", "base", "head", "metric", "unit", "baseline", "across", "confidence", "fail_on", "exit_code",
        "comparisons", "refused", "left_out_runs", "notes",
    } <= set(document)  # fmt: skip
    assert (1, "main", "topic", "wall", "s", 0.05, 2) == tuple(
        document[key] for key in ("version", "base", "head", "metric", "unit", "fail_on", "exit_code")
    )
    (one,) = document["comparisons"]
    assert {"fingerprint", "differences", "base_runs", "head_runs", "benchmarks"} == set(one)
    for row in one["benchmarks"]:
        assert {
            "fullname", "name", "group", "word", "note", "same_within", "within_single_runs", "base", "head", "ratio",
            "refused",
        } == set(row)  # fmt: skip
    words = {row["name"]: row["word"] for row in one["benchmarks"]}
    assert {
        "same": "same", "slower": "slower", "faster": "faster", "zero": "can't tell", "gone": "gone", "new": "new",
        "broken": "broken", "other": "not comparable",
    } == words  # fmt: skip


def test_json_tells_what_was_refused() -> None:
    """Without a comparison, and code 2."""
    other = replace(FINGERPRINT, machine={**MACHINE, "cpu": "Slow CPU"})
    document = parsed(
        compare(side({"a.py::test": 1.0}), side({"a.py::test": 1.0}, start=9, fingerprint=other), Question())
    )
    assert ([], 2, [{"part": "machine", "what": "cpu", "base": "Fast CPU", "head": "Slow CPU"}]) == (
        document["comparisons"],
        document["exit_code"],
        document["refused"],
    )


# notes


def test_notes_say_what_chance_does() -> None:
    """Of 20 benchmarks one is called slower or faster."""
    names = {f"a.py::test_{number}": 1.0 for number in range(20)}
    (note,) = [
        one for one in comparison.notes(compare(side(names), side(names, start=10), Question())) if "chance" in one
    ]
    assert "Intervals are 95%: of 20 equal benchmarks about 1.0 would be called slower or faster by chance." == note


def test_what_differs_is_told_side_by_side() -> None:
    """In columns as wide as their texts; and how to compare all the same."""
    free = replace(FINGERPRINT, interpreter={**PYTHON, "version": "3.14.0rc1+long"}, machine={**MACHINE, "cpu": "x"})
    answer = compare(side({"a.py::test": 1.0}), side({"a.py::test": 1.0}, start=9, fingerprint=free), Question())
    lines = comparison.refusal(answer.refused, "main", "topic")
    assert "main and topic can't be compared: they differ in interpreter and machine" == lines[0]
    column = lines[1].index("topic")
    assert ["x", "3.14.0rc1+long"] == [line[column:] for line in lines[2:4]]
    assert "to compare them all the same: --across interpreter --across machine" == lines[4]


def test_a_side_without_runs_is_said() -> None:
    """Rather than nothing."""
    assert ["a and b can't be compared: one of them has no runs"] == comparison.refusal([], "a", "b")


def test_in_a_narrow_terminal_the_intervals_of_the_sides_give_way() -> None:
    """To names and words: at 80 columns both are there, and the ratio with its interval."""
    made = [run({f"t.py::test_of_a_long_name[{'x' * 20}]": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]}, number=n) for n in range(2)]
    answer = compare(made[:1], made[1:], Question())
    wide, narrow = (
        comparison.terminal(answer, "base", "head", Layout(), width=width, color=False) for width in (200, 80)
    )
    assert "1.25 s [1.00 s, 1.50 s]*" in wide
    assert "1.25 s [" not in narrow
    assert "1.000 [" in narrow
    assert "can't tell" in narrow
    assert "test_of" in narrow
