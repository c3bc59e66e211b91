"""Races and their verdicts, from made-up figures as pytest-benchmark writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from laptime.analysis.race import is_control, races, speedup
from laptime.report.race import verdict
from laptime.report.units import duration, times


def benchmark(
    name: str, wall_s: float, cpu_s: float, group: str | None = "shop", param: str | None = None, **info: Any
) -> Mapping[str, Any]:
    """A benchmark of three equal rounds."""
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


# verdicts


def test_waiting():
    """What waits gains from anything that waits for many at once, and the cheapest of those will do."""
    assert [
        "Bound by waiting: sequential computed for 5% of its 1.00 s.",
        "For one run take asyncio-cold (240 ms, 4.17 ×, 40.0 ms of CPU); "
        "with a pool kept open take threads-warm (200 ms, 5.00 ×, 60.0 ms of CPU).",
    ] == sentences(
        benchmark("sequential", 1.0, 0.05),
        benchmark("threads-cold", 0.25, 0.08),
        benchmark("threads-warm", 0.2, 0.06),
        benchmark("asyncio-cold", 0.24, 0.04),
    )


def test_computing():
    """What computes gains from processes only, and how busy they kept the machine is told."""
    assert [
        "Bound by computing: sequential computed for 99% of its 1.00 s.",
        "For one run take processes-cold (700 ms, 1.43 ×, 1.40 s of CPU); "
        "with a pool kept open take processes-warm (520 ms, 1.92 ×, 1.00 s of CPU).",
        "processes-warm kept 1.9 of 2 CPUs busy.",
    ] == sentences(
        benchmark("sequential", 1.0, 0.99),
        benchmark("threads-warm", 1.05, 1.0),
        benchmark("processes-cold", 0.7, 1.4),
        benchmark("processes-warm", 0.52, 1.0),
    )


def test_both():
    """What does half of each is said to."""
    assert [
        "Bound by waiting and computing: sequential computed for 50% of its 1.00 s.",
        "Take threads-cold (500 ms, 2.00 ×, 490 ms of CPU); keeping a pool open gains less than 10 % more.",
    ] == sentences(
        benchmark("sequential", 1.0, 0.5),
        benchmark("threads-cold", 0.5, 0.49),
        benchmark("threads-warm", 0.495, 0.495),
    )


@pytest.mark.parametrize(
    ("cpu_s", "what"),
    [
        (0.24, "Bound by waiting: sequential computed for 24%"),
        (0.26, "Bound by waiting and computing: sequential computed for 26%"),
        (0.74, "Bound by waiting and computing: sequential computed for 74%"),
        (0.76, "Bound by computing: sequential computed for 76%"),
        (1.02, "Bound by computing: sequential computed for 100%"),
    ],
)
def test_what_bound_the_work_is_told_by_its_share_of_computing(cpu_s, what):
    """Below a quarter, above three quarters, or between; two clocks that differ a little make no more than all."""
    assert f"{what} of its 1.00 s." == sentences(benchmark("sequential", 1.0, cpu_s))[0]


def test_advice_holds_the_figures_of_the_sentences():
    """The share of computing, and the variants to take: for one run, and where a pool is kept open."""
    (race,) = races(
        [
            benchmark("sequential", 1.0, 0.05),
            benchmark("threads-cold", 0.25, 0.08),
            benchmark("threads-warm", 0.2, 0.06),
            reference("oracle", 0.001),
        ]
    )
    entries = {entry.name: entry for entry in race.entries}
    assert Advice(0.05, entries["threads-cold"], entries["threads-warm"]) == advise(race)
    assert "waiting" == advise(race).bound
    assert not is_control(race)


def test_nothing_gains():
    """Then the simplest is the one to take, and nothing is said of CPUs."""
    assert (
        "No variant gains 10 % on sequential: take sequential."
        == sentences(
            benchmark("sequential", 1.0, 1.0),
            benchmark("threads-warm", 0.95, 0.9),
            benchmark("processes-cold", 1.5, 3.0),
        )[-1]
    )


def test_one_that_gains_is_not_denied():
    """A cheaper variant that is nearly as fast, but gains too little by itself, doesn't hide it."""
    assert (
        "No variant gains"
        not in sentences(
            benchmark("sequential", 1.0, 0.1), benchmark("session", 0.93, 0.1), benchmark("threads-cold", 0.87, 0.2)
        )[1]
    )


def test_a_cold_start_may_cost_all_that_is_gained():
    """Then only a pool that is kept open is worth it."""
    assert (
        "For one run take sequential; with a pool kept open take processes-warm (520 ms, 1.92 ×, 1.00 s of CPU)."
        == sentences(
            benchmark("sequential", 1.0, 0.99),
            benchmark("processes-cold", 1.2, 2.0),
            benchmark("processes-warm", 0.52, 1.0),
        )[1]
    )


def test_where_no_pool_was_kept_open_none_is_spoken_of():
    """Only what was measured is compared."""
    assert (
        "Take asyncio (100 ms, 10.0 ×, 20.0 ms of CPU)."
        == sentences(benchmark("sequential", 1.0, 0.1), benchmark("asyncio", 0.1, 0.02))[-1]
    )


@pytest.mark.parametrize(
    ("slower_s", "taken"),
    [
        (0.109, "asyncio-cold (109 ms, 9.17 ×, 20.0 ms of CPU)"),
        (0.111, "threads-cold (100 ms, 10.0 ×, 50.0 ms of CPU)"),
    ],
    ids=["within 10 %", "beyond"],
)
def test_of_those_that_are_nearly_as_fast_the_cheapest_in_cpu_is_taken(slower_s, taken):
    """Within 10 % counts as equally fast."""
    assert (
        f"Take {taken}."
        == sentences(
            benchmark("sequential", 1.0, 0.1),
            benchmark("threads-cold", 0.1, 0.05),
            benchmark("asyncio-cold", slower_s, 0.02),
        )[1]
    )


def test_only_a_pool_that_was_kept_open_is_recommended_as_one():
    """A cold variant that is nearly as fast as a warm one is none."""
    second = sentences(
        benchmark("sequential", 1.0, 0.1),
        benchmark("threads-cold", 0.1, 0.03),
        benchmark("asyncio-cold", 0.108, 0.02),
        benchmark("threads-warm", 0.095, 0.05),
    )[1]
    assert "with a pool kept open take threads-cold" not in second


def test_another_parser_is_told_apart():
    """It is no way to run the same work, so it is compared and not recommended."""
    assert [
        "Take threads-cold (500 ms, 2.00 ×, 500 ms of CPU).",
        "Another parser: sequential-lxml is 2.50 × sequential.",
    ] == sentences(
        benchmark("sequential", 1.0, 0.5, parser="html.parser"),
        benchmark("sequential-lxml", 0.4, 0.4, parser="lxml"),
        benchmark("threads-cold", 0.5, 0.5, parser="html.parser"),
    )[1:]


def test_a_reference_is_compared_and_never_recommended():
    """Another algorithm is no way to run the same one."""
    assert [
        "For one run take sequential; with a pool kept open take processes-warm (500 ms, 2.00 ×, 1.00 s of CPU).",
        "processes-warm kept 2.0 of 2 CPUs busy.",
        "Another algorithm does more than more cores: "
        "sieve is 100 × sequential and 50.0 × processes-warm, on one core.",
    ] == sentences(benchmark("sequential", 1.0, 1.0), benchmark("processes-warm", 0.5, 1.0), reference("sieve", 0.01))[
        1:
    ]


def test_where_nothing_gains_the_reference_is_compared_once():
    """What is to be taken is what it was compared with already."""
    assert (
        "Another algorithm does more than more cores: sieve is 100 × sequential, on one core."
        == sentences(benchmark("sequential", 1.0, 1.0), reference("sieve", 0.01))[-1]
    )


def test_a_reference_that_more_cores_beat_does_not_do_more():
    """Nothing is claimed that the figures deny."""
    assert not [
        sentence
        for sentence in sentences(
            benchmark("sequential", 1.0, 1.0), benchmark("processes-warm", 0.5, 1.0), reference("sieve", 0.8)
        )
        if "does more than more cores" in sentence
    ]


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


def test_a_control_without_its_first_variant_is_not_judged():
    """An ideal is a speed-up over that one; where it was not run, or failed, there is nothing to warn of."""
    assert not [
        sentence
        for sentence in sentences(control("threads-warm", 0.5, 2.0), control("asyncio-warm", 0.5, 2.0))
        if sentence.startswith("WARNING")
    ]


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


def test_a_race_of_one_recommends_nothing():
    """Where only one variant ran, its verdict is what bound it."""
    (only,) = races([benchmark("sequential", 1.0, 0.05)])
    assert ["Bound by waiting: sequential computed for 5% of its 1.00 s."] == verdict(only)


def test_cpu_of_a_cluster_that_runs_elsewhere_is_no_whole():
    """Such a variant is not chosen for its little CPU, nor said to keep few cores busy; and the reader is told."""
    slow, near = benchmark("sequential", 4.0, 4.0), benchmark("threads-cold", 1.0, 1.0)
    far = benchmark("dask-cold-cluster", 1.0, 0.01, cpu_elsewhere=True)
    said = sentences(slow, near, far)
    assert "threads-cold" in said[1]
    assert "CPU of dask-cold-cluster is the client's alone: the cluster's workers are not counted." == said[-1]
    assert "≥ 10.0 ms of CPU" in sentences(slow, far)[1]


def test_a_gil_that_an_import_turned_on_is_told_first():
    """The figures of a free-threaded build are then none of free threads; what did it is named."""
    first, *_ = sentences(benchmark("sequential", 4.0, 4.0), benchmark("threads-cold", 1.0, 1.0, gil_on_by="x"))
    assert "WARNING: this build can run without the GIL, and did not: x turned it on." in first
