"""Studies: benchmarks read as points of lines, and the sentences that their figures bear."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.study import KINDS, point
from laptime.analysis.documents import races
from laptime.report.findings import findings
from laptime.report.study import Study, StudyError, studies
from laptime.report.study_tables import markdown, terminal

SPREAD = (0.998, 1.0, 1.002, 0.999, 1.001, 1.0, 1.0, 0.997)
"""Rounds of a steady machine, × their median."""


def benchmark(
    line: str, x: float | str, seconds: float, *, kind: str = "sweep", items: int = 1, memory: int | None = None
) -> dict[str, Any]:
    place = point("made", kind, "What is best?", line=line, x=x, x_name="sizes", items=items, item="thing")
    return {
        "name": f"test_made[{line}-{x}]",
        "fullname": f"test_made.py::test_made[{line}-{x}]",
        "group": "made",
        "extra_info": {
            "workload": "made",
            "study": place,
            "rounds": {"wall_s": [seconds * factor for factor in SPREAD], "cpu_s": [seconds] * len(SPREAD)},
            "peak_pss_bytes": memory,
        },
    }


def made(kind: str, **lines: dict[float | str, float]) -> Study:
    (found,) = studies(
        benchmark(line, x, seconds, kind=kind) for line, points in lines.items() for x, seconds in points.items()
    )
    return found


# reading


def test_points_are_grouped_into_lines_in_the_order_of_their_numbers() -> None:
    """Whatever the order in which they were run."""
    found = made("sweep", one={4: 1.0, 1: 2.0}, two={2: 3.0})
    assert {"one": [1.0, 4.0], "two": [2.0]} == {line.name: [one.x for one in line.points] for line in found.lines}
    assert (1.0, 2.0, 4.0) == found.places


def test_names_keep_the_order_in_which_they_were_run() -> None:
    """Start comes before close, whatever the alphabet says."""
    assert ("start", "close") == made("phases", fork={"start": 1.0, "close": 2.0}).places


def test_lines_are_in_the_order_in_which_they_were_run() -> None:
    """The first is what the others are compared with; a store gives them back by their names."""
    several = [benchmark("a", 1, 1.0), benchmark("b", 1, 1.0), benchmark("c", 1, 1.0)]
    for one, position in zip(several, (2, 0, 1), strict=True):
        one["extra_info"]["position"] = position
    assert ["b", "c", "a"] == [line.name for line in studies(several)[0].lines]


def test_a_point_has_its_figures_for_a_round_and_for_an_item() -> None:
    """Seconds, their interval, and throughput."""
    (found,) = studies([benchmark("one", 1, 0.5, items=10, memory=3)])
    (only,) = found.lines[0].points
    assert (0.5, 0.05, 20.0, 3) == (only.median_s, only.per_item_s, only.throughput, only.peak_pss_bytes)
    assert (0.4985, 0.501) == pytest.approx((only.low_s, only.high_s))


def test_a_point_of_a_study_is_in_no_race() -> None:
    """Though it has a workload."""
    assert [] == races([benchmark("one", 1, 0.5)])
    assert [] == studies([{"extra_info": {}}, {}])


def test_a_point_whose_rounds_the_history_thinned_has_its_median() -> None:
    """And no interval."""
    thinned = benchmark("one", 1, 0.5)
    thinned["extra_info"]["rounds"] = {"cpu_median_s": 0.25}
    thinned["stats"] = {"median": 0.5}
    (only,) = studies([thinned])[0].lines[0].points
    assert (0.5, None, 0.25, ()) == (only.median_s, only.low_s, only.cpu_s, only.rounds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "pie"}, "study.kind: expected one of scaling, sweep, break_even, phases, compare, got 'pie'"),
        ({"x": None}, "x: expected a number or a name, got None"),
        ({"x": True}, "x: expected a number or a name, got True"),
        ({"items": 0}, "at least one item"),
        ({"line": ...}, "KeyError: 'line'"),
        ({"name": ...}, "expected an object with a name"),
    ],
)
def test_a_place_that_cannot_be_read_names_the_benchmark(change: dict[str, Any], message: str) -> None:
    """A suite of somebody's own says something else than it should."""
    wrong = benchmark("one", 1, 0.5)
    place = wrong["extra_info"]["study"] | change
    wrong["extra_info"]["study"] = {key: value for key, value in place.items() if value is not ...}
    with pytest.raises(StudyError, match=r"test_made.py::test_made\[one-1\]: extra_info.study") as caught:
        studies([wrong])
    assert message in str(caught.value)


def test_two_points_at_one_place_are_refused() -> None:
    """Both are named: which of them would be drawn?"""
    with pytest.raises(StudyError, match=r"test_made\[one-1\] is there already \(one at 1\)"):
        studies([benchmark("one", 1, 0.5), benchmark("one", 1, 0.6)])


# what they answer


def test_a_scaling_study_names_the_knee_and_the_law() -> None:
    """Four workers do what eight do; two do less."""
    (said,) = findings(made("scaling", threads={1: 1.0, 2: 0.55, 3: 0.38, 4: 0.25, 8: 0.25}))
    assert said.startswith("threads: 4 sizes are enough (and no fewer): 4.00 × what 1 does. ")
    assert "By Amdahl's law" in said


def test_a_line_that_still_rises_has_no_knee() -> None:
    """And four numbers of workers bear no law."""
    (said,) = findings(made("scaling", waiting={1: 1.0, 2: 0.5, 4: 0.25, 8: 0.125}))
    assert said.startswith("waiting: gains up to 8 sizes, the most that were measured: 8.00 × what 1 does. No law: ")
    assert "needs 5" in said


def test_a_line_that_gains_nothing_says_so() -> None:
    """Threads that compute under the GIL."""
    (said,) = findings(made("scaling", gil={1: 1.0, 2: 1.0, 4: 1.01}))
    assert said.startswith("gil: more sizes than 1 gain nothing.")


def test_a_gain_within_the_noise_is_not_told_for_one() -> None:
    """The medians differ by a tenth, and the rounds by more."""
    several = [benchmark("gil", x, seconds, kind="scaling") for x, seconds in ((1, 1.1), (2, 1.0), (4, 1.1))]
    for one in several:
        walls = one["extra_info"]["rounds"]["wall_s"]
        one["extra_info"]["rounds"]["wall_s"] = [wall * (0.8, 1.0, 1.2, 1.0)[at % 4] for at, wall in enumerate(walls)]
    (said,) = findings(*studies(several))
    assert said.startswith("gil: that more sizes than 1 gain anything is not shown.")


def test_a_sweep_names_the_best_and_what_is_as_good() -> None:
    """To within 5 %."""
    (said,) = findings(made("sweep", fork={1: 3.0, 16: 1.0, 64: 1.01, 1024: 2.0}))
    assert "fork: best at 16 sizes (1.00 s per thing, 1 a second); from 16 to 64 nothing is lost." == said


def test_a_sweep_tells_how_memory_grows() -> None:
    """Where it does, by half or more."""
    (found,) = studies([benchmark("one", 10, 1.0, memory=50_000_000), benchmark("one", 1000, 1.0, memory=450_000_000)])
    assert "one: memory 50 MB at 10, 450 MB at 1,000." in findings(found)


def test_break_even_names_the_size_from_which_another_way_pays() -> None:
    """By interpolation between two sizes; or that none pays."""
    plain = {1: 1.0, 10: 10.0, 100: 100.0}
    found = made(
        "break_even", loop=plain, pool={1: 10.0, 10: 10.0 * 10**0.5, 100: 10.0}, slow=dict.fromkeys(plain, 200.0)
    )
    pool, slow = findings(found)
    assert pool.startswith("pool: pays from 21.5 sizes on (21.5 to ")
    assert "slow, against loop: no gain up to 100, the greatest that was measured." == slow


def test_of_work_that_waits_a_comparison_tells_the_cpu_time_too() -> None:
    """Equally long waits may cost unequally much."""
    one, other = (
        benchmark("one", "8", 1.0, kind="compare", items=10),
        benchmark("other", "8", 1.0, kind="compare", items=10),
    )
    for each, cpu_s in ((one, 0.2), (other, 0.1)):
        each["extra_info"]["rounds"]["cpu_s"] = [cpu_s] * len(SPREAD)
    assert "CPU per thing: one 20.0 ms; other 10.0 ms." == findings(*studies([one, other]))[1]


def test_phases_are_added_up() -> None:
    """And each is told."""
    (said,) = findings(made("phases", spawn={"start": 0.3, "close": 0.1}))
    assert "spawn: start 300 ms, close 100 ms; 400 ms in all." == said


def test_a_comparison_is_with_the_first_line_at_each_place() -> None:
    """Over 1 is faster, with its interval; where the first line wasn't measured there is nothing to compare with."""
    lines = {
        "nothing": {"threads": 0.1, "loop": 0.2},
        "a busy thread": {"threads": 0.4, "alone": 1.0},
        "a process": {"loop": 0.1},
    }
    assert [
        "threads: nothing 100 ms per thing; a busy thread 400 ms, 0.25 × (0.25 to 0.25).",
        "loop: nothing 200 ms per thing; a process 100 ms, 2.00 × (2.00 to 2.00).",
    ] == findings(made("compare", **lines))


def test_a_difference_that_its_interval_does_not_show_is_not_claimed() -> None:
    """It holds 1: which of both is faster isn't known."""
    (said,) = findings(made("compare", one={"here": 0.1}, other={"here": 0.1}))
    assert "here: one 100 ms per thing; other 100 ms, 1.00 × (1.00 to 1.00, no difference shown)." == said


@pytest.mark.parametrize(("void", "told"), [(2, "0.50 to 0.50"), (6, "too few undisturbed rounds for an interval")])
def test_a_figure_without_an_interval_says_why(void: int, told: str) -> None:
    """Of eight passes two may be void; of two that are left there is none."""
    several = [benchmark("one", "here", 0.1, kind="compare"), benchmark("other", "here", 0.2, kind="compare")]
    for one in several:
        passes = range(len(SPREAD))
        one["extra_info"]["rounds"] |= {"race_pass": list(passes), "void": [number < void for number in passes]}
    (found,) = studies(several)
    (said,) = findings(found)
    assert f"other 200 ms, 0.50 × ({told})." in said


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_shown_at_every_width(kind: str) -> None:
    """No figure is cut where the terminal is narrow; a name that holds markup or control characters steers nothing."""
    points = {1: 1.0, 2: 0.6} if kind in ("scaling", "sweep", "break_even") else {"a": 1.0, "b": 0.6}
    found = made(kind, **{f"[red]line {number}\x1b[2J": points for number in range(9)})
    for width in (50, 200):
        text = terminal([found], width=width, color=False)
        assert "…" not in text
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) <= width
        assert 9 <= text.count("600 ms")
    assert r"\[red\]line 3" in markdown([found])


@pytest.mark.parametrize("kind", KINDS)
def test_one_point_alone_is_shown(kind: str) -> None:
    """A study of which -k left one benchmark."""
    x: float | str = 1 if kind in ("scaling", "sweep", "break_even") else "a"
    found = made(kind, one={x: 1.0})
    assert "1.00 s" in terminal([found], width=80, color=False)
    assert "1.00 s" in markdown([found])
