"""What a race that was run in passes says: whom to take, who is as good, and why nobody is named where nobody can be.

From made-up figures, as pytest-benchmark writes them and `laptime.lap` and the plugin add to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from math import inf
from typing import Any

import jsonschema
import pytest

from laptime.analysis.documents import races
from laptime.analysis.race import Race, losers
from laptime.report import race_json
from laptime.report.race import verdict

PASSES = 20
SCHEMA = json.loads(files("laptime.report").joinpath("race.schema.json").read_text(encoding="utf-8"))
WOBBLE = (0.010, -0.004, 0.006, -0.010, 0.002, -0.008, 0.004)
"""By what share a round is off, pass by pass: each variant begins elsewhere, so no two keep step."""


def walls(seconds: float, passes: int = PASSES, wobble: float = 1.0, begin: int = 0) -> list[float]:
    """A round in each pass, none equal to the next."""
    return [seconds * (1 + wobble * WOBBLE[(begin + 3 * number) % len(WOBBLE)]) for number in range(passes)]


def variant(
    label: str,
    seconds: float | Sequence[float],
    cpu_s: float = 0.1,
    *,
    passes: int = PASSES,
    wobble: float = 1.0,
    void: int = 0,
    seed: int = 1,
    waited_s: float | None = 0.0,
    rounds: Mapping[str, Any] | None = None,
    raced: Mapping[str, Any] | None = None,
    tried: Mapping[str, Any] | None = None,
    **info: Any,
) -> dict[str, Any]:
    """A benchmark of a race: a round in each pass, of which the last `void` were disturbed."""
    begin = len(label) + sum(map(ord, label))
    wall_s = walls(seconds, passes, wobble, begin) if isinstance(seconds, float) else list(seconds)
    count = len(wall_s)
    figures = {
        "wall_s": wall_s,
        "cpu_s": [cpu_s] * count,
        "switches": [1] * count,
        "race_pass": list(range(count)),
        "void": [number >= count - void for number in range(count)],
        "waited_s": [waited_s] * count,
    }
    counts = {"rounds": count, "void": void, "wall_s": sum(wall_s), "others_s": 0.0, "stolen_s": 0.0}
    extra = {
        "workload": "shop",
        "summary": "what things cost",
        "label": label,
        "variant": label.partition("-")[0],
        "first": label == "sequential",
        "lifecycle": "warm" if label.endswith("warm") else "cold",
        "gil": ["on", "on"],
        "affinity_cpus": 2,
        "cpu_quota": None,
        "latency": "recorded",
        "rounds": {**figures, **(rounds or {})},
        "parallelism": cpu_s / wall_s[0],
        "tried": {**counts, **(tried or {})},
        "race": {"passes": count, "confidence": 0.99, "look": False, "seed": seed, **(raced or {})},
    }
    name = f"test_shop[{label}]"
    return {
        "group": "shop",
        "name": name,
        "fullname": f"test_shop.py::{name}",
        "param": label,
        "extra_info": {**extra, **info},
    }


def race(*benchmarks: Mapping[str, Any]) -> Race:
    """The one race of these."""
    (found,) = races(benchmarks)
    return found


def said(*benchmarks: Mapping[str, Any]) -> str:
    """The verdict, in one piece."""
    return " ".join(verdict(race(*benchmarks)))


def kinds(*benchmarks: Mapping[str, Any]) -> list[str]:
    """Why nobody is named."""
    return [reason.kind for reason in race(*benchmarks).unfit]


def names(entries: Sequence[Any]) -> list[str]:
    """What entries are called."""
    return [entry.name for entry in entries]


SEQUENTIAL = variant("sequential", 1.0, 0.1)

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
    assert "CPU of dask-w8-cold is the client's alone" in " ".join(verdict(found))


WARM = variant("threads-w8-warm", 0.30, 0.1)
COLD = variant("threads-w8-cold", 0.50, 0.1)


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
    assert (
        "NO VERDICT: the first variant was not run, so no gain can be told; × is against threads-w8-cold."
        == verdict(found)[0]
    )
    assert "Take " not in " ".join(verdict(found))


def test_the_first_variant_is_the_base_wherever_it_stands():
    """Also where another one was run before it."""
    assert "sequential" == race(COLD, SEQUENTIAL).base.name


def test_a_look_names_nobody():
    """It was asked for fewer passes than a verdict needs, which is no fault of anybody's."""
    found = [
        variant(name, seconds, passes=3, raced={"look": True}) for name, seconds in (("sequential", 1.0), ("t", 0.5))
    ]
    assert ["look"] == kinds(*found)
    assert "NO VERDICT: this was a look of 3 passes, and a verdict needs 8: leave out what limits them" in said(*found)


@pytest.mark.parametrize(("passes", "expected"), [(7, ["passes"]), (8, [])])
def test_fewer_than_eight_passes_name_nobody(passes, expected):
    """Of any that the verdict would rest on."""
    assert expected == kinds(SEQUENTIAL, variant("threads-w8-cold", 0.5, passes=passes))


def test_a_loser_may_have_fewer_passes():
    """It left early because it was slower: nothing rests on it."""
    assert [] == kinds(SEQUENTIAL, COLD, variant("threads-w2-cold", 0.9, passes=5))


def test_who_has_too_few_passes_is_told_with_what_was_void():
    """And what to do."""
    few = variant("threads-w8-cold", 0.5, passes=9, void=2)
    assert (
        "NO VERDICT: threads-w8-cold has 7 passes, and a verdict needs 8: 2 of its 9 rounds were void. "
        "Give it more time with --race-time, or a machine of its own." == verdict(race(SEQUENTIAL, few))[0]
    )


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


def test_a_busy_machine_is_told_with_what_others_took():
    """In CPUs: other processes, and the host of a virtual machine where it took any to speak of."""
    taken = {"rounds": 30, "void": 20, "wall_s": 10.0, "others_s": 12.0}
    busy = [variant(name, seconds, tried=taken) for name, seconds in (("sequential", 1.0), ("threads-w8-cold", 0.5))]
    assert "others used 1.2 of 2 CPUs; 40 of 60 rounds are void. End what computes beside" in said(*busy)
    for one in busy:
        one["extra_info"]["tried"]["stolen_s"] = 3.0
    assert "others used 1.2 of 2 CPUs and the host took 0.3; 40 of 60 rounds are void." in said(*busy)


UNTOLD_WAIT = (
    "This system doesn't tell how long each round waited for a CPU: where that isn't known, a round beside which other "
    "processes computed is void."
)
UNTOLD_STEAL = "This system doesn't tell what the host took: no round is void for that."


@pytest.mark.parametrize(
    ("waited_s", "stolen_s", "untold"),
    [
        (0.0, 0.0, ()),
        (None, 0.0, (UNTOLD_WAIT,)),
        (0.0, None, (UNTOLD_STEAL,)),
        (None, None, (UNTOLD_WAIT, UNTOLD_STEAL)),
    ],
)
def test_what_the_system_does_not_tell_is_said(waited_s, stolen_s, untold):
    """As off Linux: the verdict stands, by what is known, and JSON has null for what isn't."""
    tried = {"stolen_s": stolen_s}
    told = [
        variant(name, seconds, waited_s=waited_s, tried=tried) for name, seconds in (("sequential", 1.0), ("t", 0.5))
    ]
    text = said(*told)
    assert text.startswith("Take t: ")
    assert [each in untold for each in (UNTOLD_WAIT, UNTOLD_STEAL)] == [
        each in text for each in (UNTOLD_WAIT, UNTOLD_STEAL)
    ]
    assert len(untold) == text.count("This system doesn't tell")
    found = json.loads(race_json.as_json([race(*told)]))
    jsonschema.validate(found, SCHEMA)
    assert [stolen_s, waited_s] == [
        found["races"][0]["taken_by_others"]["stolen_cpus"],
        found["races"][0]["bound"]["cpu_wait"],
    ]


def test_what_was_not_kept_is_not_said_to_be_untold():
    """A history that has thinned its rounds knows no waits any more: that is not the system's doing."""
    thinned = {"waited_s": []}
    assert "This system" not in said(variant("sequential", 1.0, rounds=thinned), variant("t", 0.5, rounds=thinned))


@pytest.mark.parametrize(
    ("second", "passes", "expected"),
    [(1.05, 20, ["canary"]), (0.95, 20, ["canary"]), (1.015, 20, []), (1.0, 20, []), (1.5, 7, [])],
)
def test_a_canary_at_two_speeds_names_nobody(second, passes, expected):
    """The same work, timed twice in each pass, that differs by more than 2 % for certain: something keeps step."""
    pairs = [[a, second * b] for a, b in zip(walls(0.01, passes), walls(0.01, passes, begin=2), strict=True)]
    first = variant("sequential", 1.0, raced={"canary": pairs})
    assert expected == kinds(first, COLD)
    if expected:
        text = said(first, COLD)
        assert "NO VERDICT: the same computing, timed twice in each pass, came out " in text
        assert "something here keeps step with the passes. Run it again." in text


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


def test_an_impossible_gain_is_told_with_the_bound():
    """Who gained what on whom, and what there is to gain."""
    first = variant("sequential", [1.0] * PASSES, 0.98)
    text = said(first, variant("threads-w4-warm", [1 / 2.47] * PASSES, 0.98, parallelism=0.98))
    assert text.startswith("NO VERDICT: threads-w4-warm gained 2.47 × (")
    assert " on sequential, and no more than 1.02 × is there to gain: sequential computes for 98 % of its time" in text
    assert "threads-w4-warm on 1.0 of 2 CPUs. Run it again." in text


def test_waiting_can_be_gained_without_end():
    """Twenty requests at a time are twenty times as fast: nobody has to compute for that."""
    assert [] == kinds(variant("sequential", 1.0, 0.02), variant("asyncio-w20-warm", 0.05, 0.02))


@pytest.mark.parametrize(
    ("workers", "longest_s", "seconds", "expected"),
    [
        (2, 0.05, 0.40, []),  # it may wait a quarter less than the first variant: a connection is kept
        (2, 0.05, 0.30, ["impossible"]),
        (20, 0.20, 0.21, []),
        (20, 0.20, 0.15, ["impossible"]),
        (None, 0.05, 0.10, []),
    ],
)
def test_waiting_can_be_gained_as_far_as_workers_and_the_longest_wait_go(workers, longest_s, seconds, expected):
    """Two workers wait for two answers at a time, and nobody is done before the slowest answer is there."""
    longest = {"longest_s": [longest_s] * PASSES}
    first = variant("sequential", [1.0] * PASSES, 0.02, rounds=longest)
    other = variant("asyncio-cold", [seconds] * PASSES, 0.02, workers=workers)
    assert expected == kinds(first, other)
    if expected:
        assert "2 workers wait for what sequential waits for" in said(first, other) or workers != 2
        assert "its longest wait is waited for by all" in said(first, other) or workers != 20


def test_figures_that_were_not_run_in_passes_name_nobody():
    """An old file, or a run with a single pass: medians are shown, and no interval."""
    old = [
        variant(name, seconds, rounds={"race_pass": None, "void": None})
        for name, seconds in (("sequential", 1.0), ("threads-w8-cold", 0.5))
    ]
    for one in old:
        del one["extra_info"]["race"]
    found = race(*old)
    assert ["unpaired"] == [reason.kind for reason in found.unfit]
    assert [None, 1.0] == [entry.gain and entry.gain.estimate for entry in found.entries]
    assert 2.0 == pytest.approx(found.entries[0].speedup, rel=0.02)
    assert verdict(found)[0].startswith("NO VERDICT: its rounds were not run in passes, ")


def test_figures_of_two_schedules_are_not_paired():
    """Pass 3 of one is not pass 3 of the other: what the machine did then is in each alone, whatever their numbers."""
    assert ["unpaired"] == kinds(SEQUENTIAL, variant("threads-w8-cold", 0.5, seed=2))


def test_thinned_rounds_tell_no_passes():
    """The history keeps but some of them: which one was of which pass is gone, so nobody is named."""
    thinned = variant("threads-w8-cold", walls(0.5, 5), rounds={"race_pass": list(range(20))})
    found = race(SEQUENTIAL, thinned)
    entry = next(entry for entry in found.entries if entry is not found.base)
    assert (0, None) == (entry.passes, entry.gain)
    assert found.unfit
    assert 2.0 == pytest.approx(entry.speedup, rel=0.02)
    assert "Take " not in said(SEQUENTIAL, thinned)


def test_one_variant_is_no_race():
    """What bound it is said, and nothing of winners."""
    assert ["Bound by waiting: sequential computed for 10 % of its 1.00 s."] == verdict(race(SEQUENTIAL))


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


@pytest.mark.parametrize(
    ("cpu_s", "waited_s", "sentence"),
    [
        (0.1, 0.0, "Bound by waiting: sequential computed for 10 % of its 1.00 s."),
        (0.1, None, "Bound by waiting: sequential computed for 10 % of its 1.00 s."),
        (0.5, 0.0, "Bound by waiting and computing: sequential computed for 50 % of its 1.00 s."),
        (0.98, 0.0, "Bound by computing: sequential computed for 98 % of its 1.00 s."),
        # it computed for half of its time, and would have all of it: what it waited for was the CPU
        (0.5, 0.45, "Bound by computing: sequential computed for 50 % and waited for a CPU for 45 % of its 1.00 s."),
        (0.1, 0.3, "Bound by waiting: sequential computed for 10 % and waited for a CPU for 30 % of its 1.00 s."),
    ],
)
def test_what_bound_the_work_is_the_first_variants_time(cpu_s, waited_s, sentence):
    """Computing, waiting for what it asked for, and waiting for a CPU, which is no waiting for anybody's answer."""
    first = variant("sequential", [1.0] * PASSES, cpu_s, waited_s=waited_s)
    assert sentence in verdict(race(first, COLD))


def test_shares_come_to_the_whole():
    """Also where clocks differ and more was computed than there was time; waiting is then nothing."""
    shares = race(variant("sequential", [1.0] * PASSES, 1.02, waited_s=0.3), COLD).shares
    assert (1.0, 0.0, 0.0) == shares
    shares = race(variant("sequential", [1.0] * PASSES, 0.25, waited_s=0.25), COLD).shares
    assert (0.25, 0.5, 0.25) == pytest.approx(shares)


# sentences


def test_the_verdict_on_a_race_with_a_winner():
    """What to take, by how much it gains and at what price, what bound it, and how well that is known."""
    sentences = verdict(race(variant("sequential", [1.0] * PASSES), variant("asyncio-w8-cold", [0.25] * PASSES, 0.05)))
    assert [
        "Take asyncio-w8-cold: 4.00 × (4.00 to 4.00), 250 ms.",
        "Bound by waiting: sequential computed for 10 % of its 1.00 s.",
        "20 passes, replay at recorded pace: all intervals hold with 95 %.",
    ] == sentences


def test_the_verdict_on_a_race_with_equals():
    """Each with what it needs of CPU more or less; a few are named, the others counted."""
    first, best = variant("sequential", 1.0), variant("a-cold", 0.5, 0.05)
    text = said(first, best, *(variant(f"{name}-cold", 0.5, 0.1) for name in "bcdef"))
    assert text.startswith("Take a-cold: 2.0")
    named = re.search(r" Equally fast \(within [\d.]+ %\): (.*?)\. Bound", text)
    assert named is not None, text
    assert 5 == named[1].count("-cold (2.00 × the CPU)") + int(named[1].rpartition(" and ")[2].removesuffix(" more"))
    assert "b-cold (2.10 × the CPU)." in said(first, best, variant("b-cold", 0.5, 0.105))
    assert "b-cold (20 % more CPU)." in said(first, best, variant("b-cold", 0.5, 0.06))
    assert re.search(r" %\): [ab]-cold\. ", said(first, best, variant("b-cold", 0.5, 0.0501)))


def test_the_verdict_where_nothing_is_worth_it():
    """The nearest is told with its interval, so that one can see how near."""
    sentences = verdict(race(variant("sequential", [1.0] * PASSES), variant("threads-w8-cold", [0.96] * PASSES)))
    assert (
        "No variant is shown to gain 10 % on sequential (threads-w8-cold: 1.04 × (1.04 to 1.04)): take sequential."
        == sentences[0]
    )
    slower = verdict(race(variant("sequential", [1.0] * PASSES), variant("threads-w8-cold", [1.5] * PASSES)))
    assert "No variant is shown to gain 10 % on sequential: take sequential." == slower[0]


def test_the_verdict_with_a_pool_and_without():
    """For one run and where it stays open; or that keeping it gains nothing more."""
    text = said(SEQUENTIAL, COLD, WARM)
    assert "For one run take threads-w8-cold: 2.0" in text
    assert "With a pool kept open take threads-w8-warm: 3.3" in text
    text = said(SEQUENTIAL, COLD, variant("threads-w8-warm", 0.49))
    assert text.startswith("Take threads-w8-cold: ")
    assert "Keeping a pool open is not shown to gain 10 % more." in text
    text = said(SEQUENTIAL, variant("threads-w8-cold", 1.2), WARM)
    assert text.startswith("For one run take sequential: no other is shown to gain 10 %. With a pool kept open take ")


def test_void_rounds_and_the_width_are_told_at_the_end():
    """A race that is fit all the same."""
    last = verdict(race(SEQUENTIAL, variant("threads-w8-cold", 0.5, void=2)))[-1]
    assert re.fullmatch(r"20 passes, .*: all intervals hold with 95 %, to ± 0\.\d %; 2 of 40 rounds void\.", last)


# JSON

FIT = (SEQUENTIAL, COLD, WARM, variant("asyncio-w8-cold", 0.501, 0.2), variant("sieve", 0.01, reference=True))
UNFIT = (variant("threads-w8-cold", 0.5, waited_s=None), variant("asyncio-w8-cold", [0.2]))


@pytest.mark.parametrize("benchmarks", [FIT, UNFIT, (SEQUENTIAL,), ()], ids=["fit", "unfit", "one", "none"])
def test_json_is_as_its_schema_says(benchmarks):
    """Which is a valid schema itself; no figure is infinite, which is no JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    text = race_json.as_json(races(benchmarks))
    assert not {"Infinity", "NaN"} & set(text.replace(",", " ").split())
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))


def test_json_holds_the_figures():
    """Who is to be taken first, and then who is as good; each variant's gain and interval as in the table."""
    found = race(*FIT)
    (document,) = json.loads(race_json.as_json([found]))["races"]
    assert (True, [], "sequential") == (document["fit"], document["why"], document["first"])
    assert {"threads-w8-cold", "asyncio-w8-cold"} == set(document["take_once"])
    assert "threads-w8-cold" == document["take_once"][0]
    assert ["threads-w8-warm"] == document["take_kept"]
    assert found.half_width == document["half_width"]
    assert (PASSES, []) == (document["passes"], document["canary_s"])
    by_name = {one["name"]: one for one in document["variants"]}
    assert names(found.entries) == list(by_name)
    assert ["sieve"] == [name for name, one in by_name.items() if not one["in_contest"]]
    threads, first = by_name["threads-w8-cold"], by_name["sequential"]
    assert (1.0, 1.0, 1.0) == (first["speedup"], first["low"], first["high"])
    assert threads["low"] < threads["speedup"] < threads["high"]
    assert ("test_shop.py::test_shop[threads-w8-cold]", 0.1, PASSES, PASSES, 0) == tuple(
        threads[name] for name in ("benchmark", "cpu_s", "passes", "rounds", "void")
    )


def test_json_of_an_unfit_race_names_nobody():
    """It says why, in the words of the verdict, and has null where nothing can be told."""
    found = race(*UNFIT)
    (document,) = json.loads(race_json.as_json([found]))["races"]
    assert (False, [], [], None) == tuple(document[name] for name in ("fit", "take_once", "take_kept", "first"))
    assert document["why"] == [one.removeprefix("NO VERDICT: ") for one in verdict(found) if "NO VERDICT" in one]
    assert document["bound"]["cpu_wait"] is None
    assert [None] == list({one[name] for one in document["variants"] for name in ("speedup", "low", "high")})


def test_json_of_one_variant_is_no_fit_race():
    """There is nobody to compare it with, and nothing wrong."""
    (document,) = json.loads(race_json.as_json([race(SEQUENTIAL)]))["races"]
    assert (False, [], [], 0) == tuple(document[name] for name in ("fit", "why", "take_once", "half_width"))


def test_without_an_interval_there_is_no_width():
    """One pass of each."""
    found = race(*(variant(name, [seconds]) for name, seconds in (("sequential", 1.0), ("threads-w8-cold", 0.5))))
    assert inf == found.half_width
    assert json.loads(race_json.as_json([found]))["races"][0]["half_width"] is None
