"""A race in sentences: what to take, what bound the work, and why nobody is named where nobody can be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from laptime.report.race import is_doubt, verdict
from laptime.report.units import times
from tests.support.races import COLD, PASSES, SEQUENTIAL, WARM, benchmark, control, race, variant, walls


def sentences(*benchmarks: Mapping[str, Any]) -> list[str]:
    """The verdict on one race."""
    return verdict(race(*benchmarks))


def said(*benchmarks: Mapping[str, Any]) -> str:
    """The same in one piece."""
    return " ".join(sentences(*benchmarks))


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


# why nobody is named


OLD = [benchmark(name, seconds, 0.1) for name, seconds in (("sequential", 1.0), ("threads-w8-cold", 0.5))]
LOOK = [variant(name, seconds, passes=3, raced={"look": True}) for name, seconds in (("sequential", 1.0), ("t", 0.5))]
TWO_SPEEDS = [[at_first, 1.05 * then] for at_first, then in zip(walls(0.01), walls(0.01, begin=2), strict=True)]
WAITS = variant("sequential", [1.0] * PASSES, 0.02, rounds={"longest_s": [0.2] * PASSES})


@pytest.mark.parametrize(
    ("benchmarks", "reason"),
    [
        (
            (variant("threads-w8-cold", 0.5), variant("asyncio-w8-cold", 0.2)),
            "the first variant was not run, so no gain can be told; × is against threads-w8-cold.",
        ),
        (OLD, "its rounds were not run in passes, so what the machine did is in each figure alone. Run it again."),
        (LOOK, "this was a look of 3 passes, and a verdict needs 8: leave out what limits them "),
        (
            (variant("sequential", 1.0, raced={"canary": TWO_SPEEDS}), COLD),
            "the same computing, timed twice in each pass, came out 0.95 × as fast the second time (0.9",
        ),
        (
            (WAITS, variant("asyncio-cold", [0.1] * PASSES, 0.02, workers=2)),
            "asyncio-cold gained 10.0 × (10.0 to 10.0) on sequential, and no more than 2.72 × is there to gain: "
            "2 workers wait for what sequential waits for. Run it again.",
        ),
        (
            (WAITS, variant("asyncio-cold", [0.1] * PASSES, 0.02, workers=20)),
            "asyncio-cold gained 10.0 × (10.0 to 10.0) on sequential, and no more than 5.25 × is there to gain: "
            "its longest wait is waited for by all. Run it again.",
        ),
    ],
    ids=["first", "unpaired", "look", "canary", "workers", "longest wait"],
)
def test_why_nobody_is_named_is_said_first(benchmarks, reason):
    """As a doubt, with figures and what to do; nothing is said to take."""
    first, *others = sentences(*benchmarks)
    assert first.startswith(f"NO VERDICT: {reason}")
    assert is_doubt(first)
    assert not any(is_doubt(sentence) or "ake " in sentence for sentence in others)


def test_who_has_too_few_passes_is_told_with_what_was_void():
    """And what to do."""
    few = variant("threads-w8-cold", 0.5, passes=9, void=2)
    assert (
        "NO VERDICT: threads-w8-cold has 7 passes, and a verdict needs 8: 2 of its 9 rounds were void. "
        "Give it more time with --race-time, or a machine of its own." == verdict(race(SEQUENTIAL, few))[0]
    )


def test_a_busy_machine_is_told_with_what_others_took():
    """In CPUs: other processes, and the host of a virtual machine where it took any to speak of."""
    taken = {"rounds": 30, "void": 20, "wall_s": 10.0, "others_s": 12.0}
    busy = [variant(name, seconds, tried=taken) for name, seconds in (("sequential", 1.0), ("threads-w8-cold", 0.5))]
    assert "others used 1.2 of 2 CPUs; 40 of 60 rounds are void. End what computes beside" in said(*busy)
    for one in busy:
        one["extra_info"]["tried"]["stolen_s"] = 3.0
    assert "others used 1.2 of 2 CPUs and the host took 0.3; 40 of 60 rounds are void." in said(*busy)


def test_an_impossible_gain_is_told_with_the_bound():
    """Who gained what on whom, and what there is to gain."""
    first = variant("sequential", [1.0] * PASSES, 0.98)
    text = said(first, variant("threads-w4-warm", [1 / 2.47] * PASSES, 0.98, parallelism=0.98))
    assert text.startswith("NO VERDICT: threads-w4-warm gained 2.47 × (")
    assert " on sequential, and no more than 1.02 × is there to gain: sequential computes for 98 % of its time" in text
    assert "threads-w4-warm on 1.0 of 2 CPUs. Run it again." in text


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
    """As off Linux: the verdict stands, by what is known."""
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


def test_what_was_not_kept_is_not_said_to_be_untold():
    """A history that has thinned its rounds knows no waits any more: that is not the system's doing."""
    thinned = {"waited_s": []}
    assert "This system" not in said(variant("sequential", 1.0, rounds=thinned), variant("t", 0.5, rounds=thinned))


def test_of_one_variant_it_is_said_what_bound_it():
    """And nothing of winners."""
    assert ["Bound by waiting: sequential computed for 10 % of its 1.00 s."] == sentences(SEQUENTIAL)


def test_cpu_that_is_counted_in_part_is_said_to_be():
    """A running cluster's workers compute elsewhere."""
    dask = variant("dask-w8-cold", 0.499, cpu_elsewhere=True)
    assert "CPU of dask-w8-cold is the client's alone: the cluster's workers are not counted." in said(SEQUENTIAL, dask)


# controls, and the GIL


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


def test_a_gil_that_an_import_turned_on_is_told_first():
    """The figures of a free-threaded build are then none of free threads; what did it is named."""
    first, *_ = sentences(benchmark("sequential", 4.0, 4.0), benchmark("threads-cold", 1.0, 1.0, gil_on_by="x"))
    assert "WARNING: this build can run without the GIL, and did not: x turned it on." in first
