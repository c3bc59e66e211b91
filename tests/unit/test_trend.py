"""A benchmark's series from commit to commit: what is in it, how it is drawn, and where it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.history import Point
from laptime.report import trend as report
from laptime.report.trend import HEIGHT, chart
from laptime.trend import Series, all_series, change_points, every_change, grouped
from tests.support import needs_ruptures
from tests.support.histories import FINGERPRINT, LIBRARIES, PYTHON, START

NOISE = (1.0, 1.01, 0.99, 1.005, 0.995, 1.008, 0.992)


def point(number: int, wall: float | None = 1.0, **what: object) -> Point:
    """The run of commit `c<number>`, made at that minute."""
    at_us = round((START + timedelta(minutes=number)).timestamp() * 1e6)
    plain = Point(number, at_us, f"c{number:03}".ljust(40, "0"), False, 1, 1, wall, None, None)
    return plain._replace(**what)


def order(count: int) -> dict[str, int]:
    """The first parents: c0, c1 …"""
    return {f"c{number:03}".ljust(40, "0"): number for number in range(count)}


def series(
    points: Sequence[Point],
    *,
    metric: str = "wall",
    groups: Mapping[int, int] | None = None,
    places: Mapping[str, int] | None = None,
    since: datetime | None = None,
) -> list[Series]:
    """All of them."""
    return all_series("a.py::test", points, metric=metric, groups=groups or {1: 0, 2: 1}, order=places, since=since)


def stepped(count: int = 40, at: int = 20, factor: float = 1.5) -> Series:
    """One with a step."""
    values = [NOISE[number % 7] * (factor if number >= at else 1.0) for number in range(count)]
    (one,) = series([point(number, value) for number, value in enumerate(values)], places=order(count))
    return one


# what is in a series


def test_a_series_is_in_the_order_of_the_commits() -> None:
    """Whenever they were run; the runs of one commit in the order of time."""
    late = point(0, 9.0, at_us=point(50).at_us)
    (one,) = series([point(2, 3.0), point(0, 1.0), late, point(1, 2.0)], places=order(3))
    assert (1.0, 9.0, 2.0, 3.0) == one.values


def test_without_commits_a_series_is_in_the_order_of_time() -> None:
    """As outside a repository."""
    (one,) = series([point(2, 3.0), point(0, 1.0, commit_id=None), point(1, 2.0)])
    assert (1.0, 2.0, 3.0) == one.values


@pytest.mark.parametrize(
    "left_out",
    [
        {"dirty": True},
        {"commit_id": None},
        {"commit_id": "f" * 40},
        {"wall": None},
        {"wall": 0.0},
    ],
    ids=str,
)
def test_what_is_of_no_commit_or_has_no_figure_is_left_out(left_out: dict[str, object]) -> None:
    """Runs with changes, of other branches, without the metric, or too quick for the clock."""
    (one,) = series([point(0), point(1)._replace(**left_out), point(2)], places=order(3))
    assert [0, 2] == [each.run_no for each in one.points]


def test_what_is_older_is_left_out() -> None:
    """The moment itself is in."""
    (one,) = series([point(number) for number in range(4)], since=START + timedelta(minutes=2))
    assert [2, 3] == [each.run_no for each in one.points]


def test_other_metrics_are_series_of_their_own() -> None:
    """CPU seconds, bytes."""
    points = [point(0, 1.0, cpu=2.0, memory=3.0), point(1, 1.0)]
    assert [(2.0,)] == [one.values for one in series(points, metric="cpu")]
    assert [(3.0,)] == [one.values for one in series(points, metric="memory")]


def test_fingerprints_and_inputs_are_never_in_one_series() -> None:
    """That with the newest run is first."""
    points = [point(0), point(1, fingerprint_no=2), point(2, inputs_no=7), point(3)]
    assert [[0, 3], [2], [1]] == [[each.run_no for each in one.points] for one in series(points)]


def test_fingerprints_are_grouped_by_what_can_be_compared() -> None:
    """3.14 and 3.14t are not; a library that no run loaded is nothing."""
    free = replace(FINGERPRINT, interpreter={**PYTHON, "GIL": "off", "free-threaded": True})
    more = replace(FINGERPRINT, libraries={**LIBRARIES, "flask": "3"})
    assert {1: 0, 2: 1, 3: 0, 4: 1} == grouped({1: FINGERPRINT, 2: free, 3: more, 4: free})


def test_nothing_makes_no_series() -> None:
    """No points."""
    assert [] == series([])
    assert {} == grouped({})


# change points


@needs_ruptures
def test_a_change_is_of_the_first_commit_that_has_it() -> None:
    """With the runs before and after it, and how much."""
    (one,) = change_points(stepped())
    assert ("c020", "c019", 0, 40, False) == (
        str(one.after.commit_id)[:4],
        str(one.before.commit_id)[:4],
        one.start,
        one.stop,
        one.within,
    )
    assert one.ratio is not None
    assert one.ratio.low <= 1.5 <= one.ratio.high
    assert one.p <= 0.01


@needs_ruptures
def test_a_change_between_two_runs_of_one_commit_is_said_to_be_within_it() -> None:
    """It was not the code."""
    found = stepped()
    same = tuple(
        one._replace(commit_id="a" * 40) if number in (19, 20) else one for number, one in enumerate(found.points)
    )
    (one,) = change_points(replace(found, points=same))
    assert one.within
    assert "(within one commit)" in report.terminal(found, [one], "wall", [], width=200, color=False)
    nowhere = tuple(each._replace(commit_id=None) for each in found.points)
    assert not change_points(replace(found, points=nowhere))[0].within


@needs_ruptures
def test_changes_of_all_series_are_listed_newest_first() -> None:
    """And progress is told for each."""
    told: list[Series] = []
    found = every_change([stepped(at=15), stepped(at=25), stepped(factor=1.0)], told.append)
    assert ([25, 15], 3) == ([one.at for one in found], len(told))


@pytest.mark.parametrize("count", range(1, 6))
def test_a_short_series_has_no_change(count: int) -> None:
    """A segment has three runs at least."""
    assert [] == change_points(stepped(count, at=count // 2, factor=9.0))


# drawn


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=300), st.integers(1, 200), st.data())
def test_a_chart_is_as_high_and_as_wide_as_it_may_be(values: list[float], width: int, data: st.DataObject) -> None:
    """Of any series, with changes anywhere."""
    changes = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=4))
    lines = chart(values, changes, report.unit("wall"), width=width)
    gutter = lines[0].index("┤")
    assert HEIGHT == len(lines)
    assert max(map(len, lines)) <= max(width, gutter + 2 + 20)
    assert {gutter} == {line.index("┤") for line in lines}


def columns(values: Sequence[float], width: int = 80) -> list[int]:
    """The line of each column's dot."""
    lines = [line.partition("┤")[2].ljust(width) for line in chart(values, [], str, width=width)]
    marked = [[number for number, line in enumerate(lines) if line[column] in "•●"] for column in range(width)]
    return [one[0] for one in marked if one]


def test_a_series_of_one_value_is_one_dot_in_the_middle() -> None:
    """And so are equal ones."""
    assert columns([3.0])[0] in (HEIGHT // 2 - 1, HEIGHT // 2)
    assert 1 == len(set(columns([3.0] * 9)))
    assert 9 == len(columns([3.0] * 9))


def test_the_slower_the_higher() -> None:
    """From the lowest line to the highest."""
    assert [HEIGHT - 1, 0] == columns([1.0, 2.0])


def test_a_little_noise_is_drawn_flat() -> None:
    """0.1 % is no mountain: the axis spans 5 % at least."""
    assert 1 >= max(columns([1.0, 1.001, 0.9995])) - min(columns([1.0, 1.001, 0.9995]))


def test_many_runs_share_columns() -> None:
    """As their median, and so that none stands alone."""
    lines = chart([1.0] * 1000, [], str, width=60)
    assert {"●"} == set(
        "".join(lines).replace(" ", "").replace("┤", "").translate(str.maketrans("", "", "0123456789."))
    )


def test_a_change_is_a_line_through_the_chart() -> None:
    """But where the dot is."""
    lines = chart([1.0, 1.0, 2.0, 2.0], [2], str, width=80)
    assert [HEIGHT - 1, 1] == [sum(sign in line for line in lines) for sign in "│"] + [
        sum(line.partition("┤")[2][2:3] == "•" for line in lines)
    ]


@pytest.mark.parametrize("width", [1, 20, 40, 80, 300])
@needs_ruptures
def test_a_trend_is_drawn_in_any_terminal(width: int) -> None:
    """With the commit of each change, or its beginning."""
    found = stepped()
    text = report.terminal(found, change_points(found), "wall", ["a note"], width=width, color=False)
    assert "\x1b" not in text
    if width >= 80:
        assert "c020000000" in text
        assert "a note" in text


def test_no_change_is_said() -> None:
    """In a word."""
    assert "\nno change\n" in report.terminal(stepped(factor=1.0), [], "wall", [], width=80, color=False)


HOSTILE = "a.py::test[red]\x1b[31m\n|<b>`x`\U0001f600{0}%s"


@needs_ruptures
def test_hostile_names_are_shown_as_they_are() -> None:
    """No markup, no escape, no new line, no cell."""
    found = replace(stepped(), fullname=HOSTILE)
    shown = report.terminal(found, change_points(found), "wall", [HOSTILE], width=200, color=False)
    assert "\x1b" not in shown
    assert "a.py::test[red]\\x1b[31m\\n|<b>`x`\U0001f600{0}%s: 40 runs" in shown
    (line,) = [one for one in report.changes_markdown(change_points(found), "wall", "x").splitlines() if "test" in one]
    assert "\\|&lt;b&gt;\\`x\\`" in line
    assert "\x1b" not in line
    assert HOSTILE == json.loads(report.trend_json(found, change_points(found), "wall"))["benchmark"]


@needs_ruptures
def test_a_trend_as_json_has_its_documented_keys() -> None:
    """Times with their offset; no NaN."""
    found = stepped()
    document = json.loads(report.trend_json(found, change_points(found), "memory"), parse_constant=pytest.fail)
    assert (1, "a.py::test", "memory", "B", 40) == (
        *(document[key] for key in ("version", "benchmark", "metric", "unit")),
        len(document["runs"]),
    )
    assert {"commit": "c000".ljust(40, "0"), "at": START.isoformat(), "value": 1.0} == document["runs"][0]
    (change,) = document["changes"]
    assert {"benchmark", "commit", "previous_commit", "within_one_commit", "at", "ratio", "interval", "p"} == set(
        change
    )
    assert change["interval"][0] <= change["ratio"] <= change["interval"][1]
    assert datetime(2026, 3, 1, 12, 20, tzinfo=UTC) == datetime.fromisoformat(change["at"])


@needs_ruptures
def test_a_change_of_too_few_runs_has_no_interval() -> None:
    """Three runs a side: its size is told all the same."""
    change = replace(change_points(stepped())[0], ratio=None)
    assert "+50.0 %" in report.changes_terminal([change], "wall", "one", width=200, color=False)
    document = json.loads(report.changes_json([change], "wall", [change.series]))
    assert (None, None) == (document["changes"][0]["ratio"], document["changes"][0]["interval"])


@needs_ruptures
def test_change_points_of_memory_are_in_bytes() -> None:
    """And of time in seconds."""
    found = change_points(stepped())
    assert " B" in report.changes_terminal(found, "memory", "", width=200, color=False)
    assert "1.00 s" in report.changes_terminal(found, "wall", "", width=200, color=False)
