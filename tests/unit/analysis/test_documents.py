"""Races as they are read from what pytest-benchmark writes, of old files too."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from laptime.analysis.documents import races, speedup
from laptime.analysis.race import Race
from tests.support.races import COLD, SEQUENTIAL, benchmark, race, variant, walls


def unfit(found: Race) -> list[str]:
    """Why nobody is named."""
    return [reason.kind for reason in found.unfit]


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
    found = race(benchmark("sequential", 4.0, 1.0), benchmark("threads-cold", 1.0, 1.0))
    fastest, first = found.entries
    assert (4.0, None, 3, 0) == (fastest.speedup, fastest.gain, fastest.rounds, fastest.passes)
    assert (1.0, None) == (first.speedup, found.paired)
    assert ["unpaired"] == unfit(found)


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


# passes


def test_void_rounds_are_no_figures():
    """What others disturbed is left out of every gain, though it stays in the file."""
    slow_at_last = [*walls(0.5, 15), *[5.0] * 5]
    found = race(SEQUENTIAL, variant("threads-w8-cold", slow_at_last, void=5))
    entry = next(entry for entry in found.entries if entry is not found.base)
    assert (15, 5) == (entry.passes, entry.void)
    assert 2.0 == pytest.approx(entry.speedup, rel=0.02)


def test_several_rounds_in_a_pass_are_one_figure():
    """Their median: short work runs several in a visit."""
    threes = [seconds for wall_s in walls(0.5, 10) for seconds in (wall_s, 40.0, 0.9 * wall_s)]
    count = len(threes)
    rounds = {"race_pass": [number // 3 for number in range(count)], "void": [False] * count}
    found = race(variant("sequential", 1.0, passes=10), variant("threads-w8-cold", threes, rounds=rounds))
    assert 10 == found.entries[0].passes
    assert 2.0 == pytest.approx(found.entries[0].speedup, rel=0.02)


def test_the_first_variant_is_the_base_wherever_it_stands():
    """Also where another one was run before it."""
    assert "sequential" == race(COLD, SEQUENTIAL).base.name


def test_figures_that_were_not_run_in_passes_name_nobody():
    """An old file, or a run with a single pass: medians are shown, and no interval."""
    old = [
        variant(name, seconds, rounds={"race_pass": None, "void": None})
        for name, seconds in (("sequential", 1.0), ("threads-w8-cold", 0.5))
    ]
    for one in old:
        del one["extra_info"]["race"]
    found = race(*old)
    assert ["unpaired"] == unfit(found)
    assert [None, 1.0] == [entry.gain and entry.gain.estimate for entry in found.entries]
    assert 2.0 == pytest.approx(found.entries[0].speedup, rel=0.02)


def test_figures_of_two_schedules_are_not_paired():
    """Pass 3 of one is not pass 3 of the other: what the machine did then is in each alone, whatever their numbers."""
    assert ["unpaired"] == unfit(race(SEQUENTIAL, variant("threads-w8-cold", 0.5, seed=2)))


def test_thinned_rounds_tell_no_passes():
    """The history keeps but some of them: which one was of which pass is gone, so nobody is named."""
    thinned = variant("threads-w8-cold", walls(0.5, 5), rounds={"race_pass": list(range(20))})
    found = race(SEQUENTIAL, thinned)
    entry = next(entry for entry in found.entries if entry is not found.base)
    assert (0, None) == (entry.passes, entry.gain)
    assert found.unfit
    assert 2.0 == pytest.approx(entry.speedup, rel=0.02)


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
