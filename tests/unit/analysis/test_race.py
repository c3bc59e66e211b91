"""Races as they are read from what pytest-benchmark writes, of old files too; controls; and figures as texts.

Whom a race takes, and why it names nobody, is in `test_race_verdict`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from laptime.analysis.documents import races, speedup
from laptime.analysis.race import is_control
from laptime.report.race import verdict
from laptime.report.units import duration, percent, times


def benchmark(
    name: str, wall_s: float, cpu_s: float, group: str | None = "shop", param: str | None = None, **info: Any
) -> Mapping[str, Any]:
    """A benchmark of three equal rounds that were not run in passes."""
    common = {"workload": "shop", "summary": "what things cost", "label": name, "latency": "recorded"}
    machine = {"affinity_cpus": 2, "cpu_quota": None, "lifecycle": name.rpartition("-")[2]}
    rounds = {"wall_s": [wall_s] * 3, "cpu_s": [cpu_s] * 3}
    figures = {"rounds": rounds, "parallelism": cpu_s / wall_s}
    return {"group": group, "name": name, "param": param, "extra_info": {**common, **machine, **figures, **info}}


def sentences(*benchmarks: Mapping[str, Any]) -> list[str]:
    """The verdict on one race."""
    (race,) = races(benchmarks)
    return verdict(race)


def reference(name: str, wall_s: float) -> Mapping[str, Any]:
    """A line to compare with."""
    return benchmark(name, wall_s, wall_s, reference=True)


def control(name: str, wall_s: float, ideal: float | None = None, group: str = "control") -> Mapping[str, Any]:
    """A benchmark whose speed-up is known beforehand."""
    return benchmark(name, wall_s, wall_s / 10, group, **({"ideal": ideal} if ideal else {}))


# races


def test_a_race_is_a_group_with_the_fastest_first():
    """Groups stand in the order in which they were run; the first that ran is what the others are compared with."""
    found = races(
        [
            benchmark("sequential", 4.0, 1.0, "b"),
            benchmark("sequential", 2.0, 1.0, "a"),
            benchmark("threads-cold", 1.0, 1.0, "b"),
            benchmark("processes-cold", 3.0, 1.0, "a"),
        ]
    )
    assert ["b", "a"] == [race.workload for race in found]
    assert [["threads-cold", "sequential"], ["sequential", "processes-cold"]] == [
        [entry.name for entry in race.entries] for race in found
    ]
    assert ["sequential", "sequential"] == [race.base.name for race in found]
    assert [[4.0, 1.0], [1.0, 2 / 3]] == [[entry.speedup for entry in race.entries] for race in found]


def test_of_rounds_that_were_not_run_in_passes_there_are_medians_and_no_intervals():
    """Files and stored runs of before have no passes: what the machine did meanwhile is in each figure alone."""
    (found,) = races([benchmark("sequential", 4.0, 1.0), benchmark("threads-cold", 1.0, 1.0)])
    fastest, first = found.entries
    assert (4.0, None, 3, 0) == (fastest.speedup, fastest.gain, fastest.rounds, fastest.passes)
    assert (1.0, None) == (first.speedup, found.paired)
    assert ["unpaired"] == [reason.kind for reason in found.unfit]


def test_other_benchmarks_are_no_part_of_a_race():
    """Those that pytest-benchmark timed without the `lap` fixture, or with it and no workload named."""
    assert [] == races([{"group": None, "name": "test_x", "param": None, "extra_info": {}}])


def test_without_a_group_the_workload_is_the_race():
    """Two workloads are two races, and each has its name."""
    found = races([benchmark("sequential", 1.0, 1.0, None, workload=name) for name in ("shop", "bank")])
    assert ["shop", "bank"] == [race.workload for race in found]


def test_a_race_reads_what_was_saved():
    """JSON and back changes nothing."""
    saved = [benchmark("sequential", 1.0, 0.1), benchmark("threads-warm", 0.25, 0.1)]
    assert races(saved) == races(json.loads(json.dumps(saved)))


def test_an_entrys_figures_are_medians_over_its_rounds():
    """One slow round is no news; the parallelism was reckoned round by round before."""
    rounds = {"wall_s": [1.0, 9.0, 2.0], "cpu_s": [0.5, 0.3, 0.4]}
    (race,) = races([benchmark("sequential", 1.0, 1.0, rounds=rounds, parallelism=0.33)])
    assert (2.0, 0.4, 0.33, 3) == (
        race.base.median_s,
        race.base.cpu_s,
        race.base.parallelism,
        race.base.rounds,
    )


@pytest.mark.parametrize(
    ("label", "param", "name"), [("threads-w2", "x", "threads-w2"), (None, "x", "x"), (None, None, "test_shop")]
)
def test_an_entry_is_called_by_its_label(label, param, name):
    """Else by its parameters, else by its test."""
    (race,) = races([benchmark("test_shop", 1.0, 1.0, param=param, label=label)])
    assert name == race.base.name


@pytest.mark.parametrize(
    ("info", "setting"),
    [
        ({"http": "live", "latency": None}, "live"),
        ({"http": "replay", "latency": "scale:0.1"}, "replay at scale:0.1 pace"),
        ({"latency": None}, "no HTTP"),
    ],
)
def test_the_setting_is_where_the_answers_came_from(info, setting):
    """A live race can't be taken for a replayed one."""
    (race,) = races([benchmark("sequential", 1.0, 1.0, **info)])
    assert setting == race.setting


@pytest.mark.parametrize(("affinity", "quota", "cpus"), [(4, None, 4), (4, 1.5, 1.5), (1, 8.0, 1)])
def test_a_races_cpus_are_those_it_could_use(affinity, quota, cpus):
    """The lesser of affinity and quota, as they were then."""
    (race,) = races([benchmark("sequential", 1.0, 1.0, affinity_cpus=affinity, cpu_quota=quota)])
    assert cpus == race.cpus


# speed-up


def rounds(wall_s: Sequence[float], passes: Sequence[int] | None = None) -> dict[str, Sequence[float]]:
    """Rounds that played these recorded passes."""
    return {"wall_s": wall_s} | ({"pass": passes} if passes is not None else {})


@pytest.mark.parametrize(
    ("base", "other", "ratio"),
    [
        (rounds([2.0, 4.0, 3.0]), rounds([1.0, 1.5, 9.0]), 2.0),
        (rounds([1.0, 2.0, 9.0], [0, 1, 2]), rounds([0.5, 1.0], [0, 1]), 2.0),
        (rounds([1.0, 2.0, 9.0], [0, 1, 2]), rounds([3.0, 1.0], [2, 1]), 11 / 4),
        (rounds([1.0, 3.0, 2.0, 5.0], [0, 0, 0, 1]), rounds([1.0], [0]), 2.0),
        (rounds([1.0, 2.0], [0, 1]), rounds([1.0], [2]), 1.5),
        (rounds([1.0, 2.0], [0, 1]), rounds([1.0]), 1.5),
    ],
    ids=[
        "no passes: medians",
        "fewer rounds: only the passes that both played",
        "another order",
        "a pass played again: its median",
        "no pass in common: medians",
        "one without passes: medians",
    ],
)
def test_speedup_compares_like_with_like(base, other, ratio):
    """A recorded pass differs from the next, so a round is compared with those that played the same one."""
    assert pytest.approx(ratio) == speedup(base, other)


# controls


def test_controls_that_reach_their_ideal_are_as_they_must_be():
    """Within 25 % on either side."""
    assert ["As it must be: each within 25 % of its ideal."] == sentences(
        control("sequential", 1.0), control("threads-warm", 0.62, 2.0), control("processes-warm", 0.41, 2.0)
    )


@pytest.mark.parametrize("wall_s", [0.7, 0.39], ids=["too slow", "too fast"])
def test_a_control_that_misses_its_ideal_is_a_warning(wall_s):
    """The machine or the harness is at fault, and the figures beside it are no better."""
    assert [
        f"WARNING: threads-warm reached {times(1 / wall_s)}, its ideal is 2.00 ×: "
        "the machine was busy or the harness is at fault; doubt the figures beside it."
    ] == sentences(control("sequential", 1.0), control("threads-warm", wall_s, 2.0), control("asyncio", 0.5, 2.0))


def test_a_control_is_a_race_whose_outcome_is_known():
    """That of any of its variants; of its first, and of any other race, there is nothing to know."""
    (wait,) = races([control("sequential", 1.0), control("threads-warm", 0.5, 2.0)])
    (shop,) = races([benchmark("sequential", 1.0, 1.0), benchmark("threads-warm", 0.5, 1.0)])
    assert (True, False) == (is_control(wait), is_control(shop))


def test_a_control_without_its_first_variant_is_not_judged():
    """An ideal is a speed-up over that one; where it was not run, or failed, there is nothing to warn of."""
    assert not [
        sentence
        for sentence in sentences(control("threads-warm", 0.5, 2.0), control("asyncio-warm", 0.5, 2.0))
        if sentence.startswith("WARNING")
    ]


# the GIL


def test_a_gil_that_an_import_turned_on_is_told_first():
    """The figures of a free-threaded build are then none of free threads; what did it is named."""
    first, *_ = sentences(benchmark("sequential", 4.0, 4.0), benchmark("threads-cold", 1.0, 1.0, gil_on_by="x"))
    assert "WARNING: this build can run without the GIL, and did not: x turned it on." in first


# figures


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (123.4, "123 s"),
        (1.234, "1.23 s"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (0.0456, "45.6 ms"),
        (0.09996, "100 ms"),
        (0.009996, "10.0 ms"),
        (0.000789, "789 µs"),
        (1e-6, "1.00 µs"),
        (5e-8, "50.0 ns"),
        (0.0, "0.00 ns"),
    ],
)
def test_a_duration_has_three_digits_and_a_unit(seconds, text):
    """Also where rounding makes one digit more of it."""
    assert text == duration(seconds)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.00123, "0.0012 ×"),
        (0.0501, "0.05 ×"),
        (0.5, "0.50 ×"),
        (1.0, "1.00 ×"),
        (7.812, "7.81 ×"),
        (9.996, "10.0 ×"),
        (12.34, "12.3 ×"),
        (99.96, "100 ×"),
        (431.2, "431 ×"),
    ],
)
def test_a_ratio_has_three_digits(ratio, text):
    """Or two behind the point, below one; or two at all, below a tenth."""
    assert text == times(ratio)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (0.00049, "0.0 %"),
        (0.0123, "1.2 %"),
        (0.0994, "9.9 %"),
        (0.0996, "10 %"),
        (0.254, "25 %"),
        (0.999, "100 %"),
        (1.5, "150 %"),
        (-0.024, "-2.4 %"),
        (-0.25, "-25 %"),
    ],
)
def test_a_share_is_a_percentage(share, text):
    """Whole ones; below a tenth with a digit more. A space stands before the sign, as in the sentences around it."""
    assert text == percent(share)
