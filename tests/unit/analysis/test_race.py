"""Whom a race that was run in passes takes, who is as good, and why nobody is named where nobody can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from laptime.analysis.race import Entry, is_control, losers
from tests.support.races import COLD, PASSES, SEQUENTIAL, WARM, benchmark, control, race, variant, walls


def kinds(*benchmarks: Mapping[str, Any]) -> list[str]:
    """Why nobody is named."""
    return [reason.kind for reason in race(*benchmarks).unfit]


def names(entries: Sequence[Entry]) -> list[str]:
    """What entries are called."""
    return [entry.name for entry in entries]


# whom to take


@pytest.mark.parametrize(
    ("seconds", "wobble", "taken"),
    [
        (0.5, 1.0, "threads-w8-cold"),
        (0.88, 1.0, "threads-w8-cold"),
        (0.88, 10.0, "sequential"),  # 1.14, and the interval reaches below 1.10
        (0.95, 1.0, "sequential"),
        (0.85, 20.0, "sequential"),  # 1.18, and too unsteady to tell
        (2.0, 1.0, "sequential"),
    ],
)
def test_a_variant_is_taken_where_the_lower_end_of_its_gain_is_above_10_percent(seconds, wobble, taken):
    """Not where its estimate is: below that the first variant stays."""
    found = race(SEQUENTIAL, variant("threads-w8-cold", seconds, wobble=wobble))
    gain = found.gain(found.base, found.entries[0] if found.entries[0] is not found.base else found.entries[1])
    assert () == found.unfit
    assert taken == found.once.take.name
    assert (gain.low > 1.10) == found.once.worthwhile == (taken != "sequential")


def test_who_is_not_shown_to_be_slower_is_named_as_an_equal():
    """The fastest first, with the most by which they can differ; who is shown to be slower is none."""
    found = race(
        SEQUENTIAL,
        variant("threads-w8-cold", 0.500, 0.1),
        variant("asyncio-w8-cold", 0.498, 0.1),
        variant("threads-w2-cold", 0.7, 0.1),
    )
    assert ["asyncio-w8-cold", "threads-w8-cold"] == names(found.once.equals)
    best, other = found.once.equals
    assert found.gain(other, best).high - 1 == found.once.within
    assert 0 < found.once.within < 0.05
    assert [True, True, False, False] == [found.equal_to_best(entry) for entry in found.entries]


@pytest.mark.parametrize(
    ("asyncio_cpu_s", "taken"), [(0.05, "asyncio-w8-cold"), (0.09, "asyncio-w8-cold"), (0.098, "threads-w8-cold")]
)
def test_of_equals_the_one_that_needs_less_cpu_is_taken(asyncio_cpu_s, taken):
    """Where it saves 5 % at least; else the fastest."""
    found = race(
        SEQUENTIAL,
        variant("threads-w8-cold", 0.499, 0.1),
        variant("asyncio-w8-cold", 0.500, asyncio_cpu_s),
    )
    assert {"threads-w8-cold", "asyncio-w8-cold"} == set(names(found.once.equals))
    assert taken == found.once.take.name


def test_an_equal_that_may_be_far_behind_is_not_taken_for_its_cpu():
    """An unsteady one is as fast as anybody for all that is known: its estimate has to be within 10 % of the best."""
    found = race(
        SEQUENTIAL,
        variant("threads-w8-cold", 0.30, 0.1, wobble=1.0),
        variant("asyncio-w8-cold", 0.35, 0.01, wobble=60.0),
    )
    assert {"threads-w8-cold", "asyncio-w8-cold"} == set(names(found.once.equals))
    assert "threads-w8-cold" == found.once.take.name


def test_cpu_that_is_counted_in_part_decides_nothing():
    """A running cluster's workers compute elsewhere: its client's CPU is no price."""
    found = race(
        SEQUENTIAL,
        variant("threads-w8-cold", 0.500, 0.1),
        variant("dask-w8-cold", 0.499, 0.001, cpu_elsewhere=True),
    )
    assert "threads-w8-cold" == found.once.take.name


@pytest.mark.parametrize(
    ("warm_s", "kept"), [(0.30, "threads-w8-warm"), (0.44, "threads-w8-warm"), (0.47, "threads-w8-cold")]
)
def test_a_pool_is_kept_open_where_that_gains_10_percent_more(warm_s, kept):
    """Over what is taken for one run; no warm one is taken for that."""
    found = race(SEQUENTIAL, COLD, variant("threads-w8-warm", warm_s))
    assert ("threads-w8-cold", kept) == (found.once.take.name, found.kept.take.name)
    assert (found.kept is found.once) == (kept == "threads-w8-cold")


def test_other_parsers_and_other_algorithms_take_no_part():
    """However fast they are: they don't do the same work."""
    found = race(
        SEQUENTIAL,
        COLD,
        variant("threads-w8-lxml-cold", 0.1, parser="lxml"),
        variant("sieve", 0.01, 0.01, reference=True),
    )
    assert {"threads-w8-lxml-cold", "sieve"} == set(names(found.left_out))
    assert "threads-w8-cold" == found.once.take.name
    assert ["threads-w8-cold"] == names([entry for entry in found.once.equals if entry is not found.base])


def test_who_left_early_is_judged_at_the_confidence_of_its_look():
    """Its interval is wider than that of the same figures at a look with a greater error rate."""
    early = variant("threads-w2-cold", 0.9, passes=5, raced={"confidence": 0.995})
    late = variant("threads-w2-cold", 0.9, passes=5, raced={"confidence": 0.95})
    beside = variant("sequential", 1.0, raced={"confidence": 0.95}), variant("asyncio-w8-cold", 0.5)
    widths = []
    for entry in (early, late):
        found = race(*beside, entry)
        (entry,) = [each for each in found.entries if each.name == "threads-w2-cold"]
        widths.append(found.gain(found.base, entry).half_width)
    assert widths[0] > 1.1 * widths[1]


def test_who_has_lost_takes_no_more_part():
    """It left early, and has fewer passes than a verdict needs: whatever its few figures are, none rests on them."""
    lost = variant("threads-w2-cold", 0.45, passes=5, wobble=30.0, raced={"left": "lost"})
    found = race(SEQUENTIAL, COLD, lost)
    assert ((), "threads-w8-cold") == (found.unfit, found.once.take.name)
    assert ["threads-w8-cold"] == names(found.once.equals)


# why nobody is named


def test_without_the_first_variant_no_gain_is_told():
    """It was left out by -k: figures are against the first that ran, and nobody is taken."""
    found = race(variant("threads-w8-cold", 0.5), variant("asyncio-w8-cold", 0.2))
    assert ["first"] == [reason.kind for reason in found.unfit]
    assert (False, "threads-w8-cold") == (found.first_ran, found.base.name)


def test_a_look_names_nobody():
    """It was asked for fewer passes than a verdict needs, which is no fault of anybody's."""
    found = [
        variant(name, seconds, passes=3, raced={"look": True}) for name, seconds in (("sequential", 1.0), ("t", 0.5))
    ]
    assert ["look"] == kinds(*found)


@pytest.mark.parametrize(("passes", "expected"), [(7, ["passes"]), (8, [])])
def test_fewer_than_eight_passes_name_nobody(passes, expected):
    """Of any that the verdict would rest on."""
    assert expected == kinds(SEQUENTIAL, variant("threads-w8-cold", 0.5, passes=passes))


def test_a_loser_may_have_fewer_passes():
    """It left early because it was slower: nothing rests on it."""
    assert [] == kinds(SEQUENTIAL, COLD, variant("threads-w2-cold", 0.9, passes=5))


@pytest.mark.parametrize(("void", "expected"), [(10, []), (11, ["busy"])])
def test_a_race_of_which_a_quarter_was_void_names_nobody(void, expected):
    """Of all rounds that were tried, those that were repeated too."""
    tried = {"rounds": 20, "void": void}
    assert expected == kinds(SEQUENTIAL, variant("threads-w8-cold", 0.5, tried=tried))


def test_what_others_disturbed_is_shown_where_it_names_nobody():
    """Of a race that is void for the most part there are figures all the same, and the one reason."""
    busy = [variant(name, seconds, passes=10, void=6) for name, seconds in (("sequential", 1.0), ("t-cold", 0.5))]
    found = race(*busy)
    assert ["busy"] == [reason.kind for reason in found.unfit]
    assert 2.0 == pytest.approx(found.entries[0].speedup, rel=0.02)


@pytest.mark.parametrize(
    ("second", "passes", "expected"),
    [(1.05, 20, ["canary"]), (0.95, 20, ["canary"]), (1.015, 20, []), (1.0, 20, []), (1.5, 7, [])],
)
def test_a_canary_at_two_speeds_names_nobody(second, passes, expected):
    """The same work, timed twice in each pass, that differs by more than 2 % for certain: something keeps step."""
    pairs = [[a, second * b] for a, b in zip(walls(0.01, passes), walls(0.01, passes, begin=2), strict=True)]
    first = variant("sequential", 1.0, raced={"canary": pairs})
    assert expected == kinds(first, COLD)


COMPUTES = variant("sequential", 1.0, 0.98)


@pytest.mark.parametrize(
    ("label", "seconds", "info", "expected"),
    [
        ("threads-w4-warm", 1 / 2.47, {}, ["impossible"]),
        ("threads-w4-warm", 0.5, {}, ["impossible"]),
        ("threads-w4-warm", 0.99, {}, []),
        ("processes-w2-warm", 0.55, {"start_method": "fork", "workers": 2}, []),
        ("processes-w2-warm", 0.40, {"start_method": "fork", "workers": 2}, ["impossible"]),
        ("threads-w2-warm", 0.55, {"gil": ["off", "off"], "workers": 2}, []),
        ("threads-w2-warm", 0.40, {"gil": ["off", "off"], "workers": 2}, ["impossible"]),
        ("dask-w8-warm", 0.1, {"cpu_elsewhere": True}, []),
    ],
)
def test_more_than_there_is_to_gain_names_nobody(label, seconds, info, expected):
    """Of what computes all the time threads under a GIL gain nothing, and processes on two CPUs no more than twice."""
    first = {**COMPUTES, "extra_info": {**COMPUTES["extra_info"], "gil": info.get("gil", ["on", "on"])}}
    assert expected == kinds(first, variant(label, seconds, 0.98, parallelism=0.98, **info))


def test_waiting_can_be_gained_without_end():
    """Twenty requests at a time are twenty times as fast: nobody has to compute for that."""
    assert [] == kinds(variant("sequential", 1.0, 0.02), variant("asyncio-w20-warm", 0.05, 0.02))


@pytest.mark.parametrize(
    ("workers", "longest_s", "seconds", "limits"),
    [
        (2, 0.05, 0.40, []),  # it may wait a quarter less than the first variant: a connection is kept
        (2, 0.05, 0.30, ["workers"]),
        (20, 0.20, 0.21, []),
        (20, 0.20, 0.15, ["longest wait"]),
        (None, 0.05, 0.10, []),
    ],
)
def test_waiting_can_be_gained_as_far_as_workers_and_the_longest_wait_go(workers, longest_s, seconds, limits):
    """Two workers wait for two answers at a time, and nobody is done before the slowest answer is there."""
    longest = {"longest_s": [longest_s] * PASSES}
    first = variant("sequential", [1.0] * PASSES, 0.02, rounds=longest)
    other = variant("asyncio-cold", [seconds] * PASSES, 0.02, workers=workers)
    assert [("impossible", limit) for limit in limits] == [
        (reason.kind, reason.limit) for reason in race(first, other).unfit
    ]


def test_of_one_variant_there_is_nothing_to_doubt():
    """It is no race."""
    assert [] == kinds(SEQUENTIAL)


def test_a_control_is_a_race_whose_outcome_is_known():
    """That of any of its variants; of its first, and of any other race, there is nothing to know."""
    wait = race(control("sequential", 1.0), control("threads-warm", 0.5, 2.0))
    shop = race(benchmark("sequential", 1.0, 1.0), benchmark("threads-warm", 0.5, 1.0))
    assert (True, False) == (is_control(wait), is_control(shop))


# whom to visit no more


def test_who_is_shown_to_be_too_slow_for_any_contest_has_lost():
    """By more than 10 % for certain; the first variant stays, and what is beside the contest is no loser."""
    lost = losers(
        race(
            SEQUENTIAL,
            COLD,
            WARM,
            variant("threads-w2-cold", 0.8),
            variant("threads-w2-warm", 0.45),
            variant("asyncio-w8-cold", 0.54),  # slower than the best cold one by 8 %
            variant("sieve", 5.0, reference=True),
            variant("threads-w2-lxml-cold", 5.0, parser="lxml"),
        )
    )
    assert {"test_shop.py::test_shop[threads-w2-cold]", "test_shop.py::test_shop[threads-w2-warm]"} == lost


def test_what_one_run_takes_has_not_lost_to_a_pool_that_stands():
    """A cold one is out of the race only where a cold one, or the first variant, beats it."""
    assert frozenset() == losers(race(SEQUENTIAL, COLD, variant("threads-w8-warm", 0.1)))


# what bound the work


def test_shares_come_to_the_whole():
    """Also where clocks differ and more was computed than there was time; waiting is then nothing."""
    shares = race(variant("sequential", [1.0] * PASSES, 1.02, waited_s=0.3), COLD).shares
    assert (1.0, 0.0, 0.0) == shares
    shares = race(variant("sequential", [1.0] * PASSES, 0.25, waited_s=0.25), COLD).shares
    assert (0.25, 0.5, 0.25) == pytest.approx(shares)
