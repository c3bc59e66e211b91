"""How many times as fast one way is as another, timed in passes: known figures, known truths, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import exp, inf, isfinite, log

import pytest

from laptime.stats.paired import Gain, Passes

# estimates


def timed(passes: int, noise: float, seed: int, **seconds: float) -> dict[str, list[float]]:
    """Rounds with normal noise on the logarithms, of ways that truly take so many seconds."""
    rng = random.Random(seed)
    return {name: [exp(rng.gauss(log(value), noise)) for _ in range(passes)] for name, value in seconds.items()}


def rounded(gain: Gain) -> tuple[float, ...]:
    """Estimate, ends and passes, to nine digits."""
    return tuple(round(value, 9) for value in gain)


@pytest.mark.parametrize("passes", [2, 7, 8, 20])
def test_without_noise_the_gain_is_exact(passes):
    """Whether the mean is trimmed or not: the interval is a point."""
    gain = Passes({"a": [3.0] * passes, "b": [2.0] * passes}).gain("a", "b")
    assert (1.5, 1.5, 1.5, passes) == rounded(gain)


def test_what_strikes_a_whole_pass_strikes_no_gain():
    """A machine that is slower by up to ten times from pass to pass leaves the ratio as it is, exactly."""
    speeds = [1.0, 10.0, 0.3, 4.0, 2.5, 1.0, 0.7, 8.0, 1.2, 3.0]
    gain = Passes({"a": [4.0 * speed for speed in speeds], "b": speeds}).gain("a", "b")
    assert (4.0, 4.0, 4.0, 10) == rounded(gain)


def test_gains_are_the_same_from_either_side():
    """Of b over a, and of a over b: the inverse, its ends exchanged."""
    passes = Passes(timed(10, 0.1, 1, a=2.0, b=1.0, c=0.9))
    for one, other in combinations("abc", 2):
        there, back = passes.gain(one, other), passes.gain(other, one)
        assert (1 / there.estimate, 1 / there.high, 1 / there.low) == pytest.approx(back[:3])
    assert (1.0, 1.0, 1.0) == passes.gain("a", "a")[:3]


def test_an_interval_holds_its_estimate_and_narrows_with_passes():
    """And it widens with the confidence that is asked for."""
    widths = []
    for passes in (5, 10, 40):
        gain = Passes(timed(passes, 0.05, 2, a=2.0, b=1.0)).gain("a", "b")
        assert gain.low < gain.estimate < gain.high
        widths.append(gain.half_width)
    assert sorted(widths, reverse=True) == widths
    passes = Passes(timed(10, 0.05, 2, a=2.0, b=1.0))
    assert passes.gain("a", "b", 0.9).half_width < passes.gain("a", "b", 0.99).half_width


def test_with_more_ways_beside_it_an_interval_widens():
    """All hold together: the more there are, the more can go wrong."""
    rounds = timed(10, 0.05, 3, a=1.0, b=1.0, c=1.0, d=1.0, e=1.0, f=1.0)
    two = Passes({name: rounds[name] for name in "ab"}).gain("a", "b")
    # the same pair among six, of which no other pair differs in how it varies
    six = Passes({**{name: rounds[name] for name in "ab"}, **dict.fromkeys("cdef", rounds["b"])}).gain("a", "b")
    assert two.estimate == six.estimate
    assert two.half_width < six.half_width


def test_passes_that_one_of_a_pair_missed_are_left_out():
    """In the middle, and at the end of one that left early; a pair has those that both were timed in."""
    rounds: Mapping[str, Sequence[float | None]] = {
        "a": [2.0, 2.0, 60.0, 2.0, 70.0],
        "b": [1.0, 1.0, None, 1.0],
        "c": [4.0, None, 120.0, 4.0, 140.0],
    }
    passes = Passes(rounds)
    gains = {pair: passes.gain(*pair) for pair in ("ab", "ac", "bc")}
    expected = {"ab": (2.0, 3), "ac": (0.5, 4), "bc": (0.25, 2)}
    assert expected == {pair: (round(gain.estimate, 9), gain.passes) for pair, gain in gains.items()}


def test_one_pass_gives_an_estimate_and_no_interval():
    """Nobody knows what a second one would have been: it reaches from 0 to more than anybody can gain."""
    gain = Passes({"a": [3.0], "b": [2.0]}).gain("a", "b")
    assert (1.5, 0.0, 1) == (pytest.approx(gain.estimate), gain.low, gain.passes)
    assert gain.high > 1e300
    back = Passes({"a": [3.0], "b": [2.0]}).gain("b", "a")
    assert (inf, True) == (back.half_width, back.low <= 1e-300)


def test_no_pass_in_common_is_no_gain():
    """The number of passes says so."""
    assert 0 == Passes({"a": [1.0, None], "b": [None, 2.0]}).gain("a", "b").passes


def test_a_pair_without_an_interval_takes_none_from_another():
    """Three passes of a and b; c was timed once."""
    passes = Passes({"a": [2.0, 2.1, 2.0], "b": [1.0, 1.0, 1.1], "c": [1.0]})
    assert isfinite(passes.gain("a", "b").half_width)
    assert inf == passes.gain("a", "c").half_width


def test_an_unknown_way_is_an_error():
    """No figure is made up for it."""
    with pytest.raises(KeyError):
        Passes({"a": [1.0], "b": [1.0]}).gain("a", "z")


@pytest.mark.parametrize("value", [0.0, -1.0, inf, float("nan")])
def test_what_is_no_time_is_refused(value):
    """With the pass and the figure."""
    with pytest.raises(ValueError, match=f"pass 1: {value} s; a positive number is needed"):
        Passes({"a": [1.0, value], "b": [1.0, 1.0]})


# disturbances


def test_one_wild_round_in_ten_moves_nothing():
    """From eight passes on the mean is trimmed: a round that took thirty times as long is not in it."""
    calm = timed(10, 0.01, 4, a=2.0, b=1.0)
    wild = {name: list(values) for name, values in calm.items()}
    slowest = max(range(10), key=lambda number: calm["a"][number] / calm["b"][number])
    wild["a"][slowest] *= 30
    assert Passes(calm).gain("a", "b").estimate == pytest.approx(Passes(wild).gain("a", "b").estimate)
    assert Passes(wild).gain("a", "b").half_width < 0.05


def test_of_fewer_than_eight_passes_none_is_trimmed():
    """A wild one is in the mean, and the interval says so."""
    wild = Passes({"a": [2.0] * 6 + [60.0], "b": [1.0] * 7}).gain("a", "b")
    assert 2 * 30 ** (1 / 7) == pytest.approx(wild.estimate)
    assert wild.half_width > 1


def test_one_wild_way_widens_no_others_interval_much():
    """The variance is the pair's own, drawn towards the usual one: c varies thirty times as much as a and b."""
    rounds = timed(20, 0.01, 5, a=2.0, b=1.0) | timed(20, 0.3, 6, c=1.0)
    passes = Passes(rounds)
    assert passes.gain("a", "b").half_width < passes.gain("a", "c").half_width / 2


# kinds of passes


KINDS = [number % 5 for number in range(20)]
BY_KIND = (0.5, 0.8, 1.0, 1.3, 2.0)
"""By how much b gains on each recording, beside twice."""


def test_what_differs_by_kind_is_no_noise():
    """Five recordings take turns, and b gains otherwise on each: each time the same, so the interval is a point."""
    rounds = {"a": [2.0 * BY_KIND[kind] for kind in KINDS], "b": [1.0] * 20}
    known, unknown = Passes(rounds, KINDS).gain("a", "b"), Passes(rounds).gain("a", "b")
    mean = 2 * (0.5 * 0.8 * 1.0 * 1.3 * 2.0) ** 0.2
    assert (round(mean, 9),) * 3 + (20,) == rounded(known)
    assert unknown.half_width > 0.1


def test_each_kind_counts_as_much_as_the_next():
    """Though one of them was played more often than the other."""
    rounds = {"a": [1.0, 1.0, 1.0, 1.0, 4.0, 4.0], "b": [1.0] * 6}
    assert 2.0 == pytest.approx(Passes(rounds, [0, 0, 0, 0, 1, 1]).gain("a", "b").estimate)


def test_a_kind_that_was_played_once_tells_no_variance():
    """Then all differences are of one kind: the interval is as wide as without."""
    rounds = {"a": [2.0, 4.0, 2.0], "b": [1.0] * 3}
    assert Passes(rounds).gain("a", "b") == Passes(rounds, [0, 1, 0]).gain("a", "b")


# coverage


def coverage(kinds: Sequence[int] | None, spread: Sequence[float]) -> float:
    """How often all six intervals of four ways hold, in 200 races of 10 passes."""
    rng = random.Random(20)
    truth = {"a": 1.0, "b": 0.5, "c": 0.48, "d": 2.0}
    held = 0
    for _ in range(200):
        passes = [rng.gauss(0, 0.3) for _ in range(10)]
        rounds = {
            name: [value * exp(drift + rng.gauss(0, sigma)) for drift in passes]
            for (name, value), sigma in zip(truth.items(), spread, strict=True)
        }
        race = Passes(rounds, kinds)
        held += all(
            (gain := race.gain(one, other)).low <= truth[one] / truth[other] <= gain.high
            for one, other in combinations(truth, 2)
        )
    return held / 200


@pytest.mark.parametrize(
    ("kinds", "spread"),
    [(None, (0.05,) * 4), (None, (0.02, 0.02, 0.02, 0.1)), ([0, 1, 2, 3, 4] * 2, (0.05,) * 4)],
    ids=["alike", "one varies more", "kinds"],
)
def test_all_intervals_hold_together(kinds, spread):
    """In nine races of ten at least, of two hundred whose truth is known; 95 % is what is meant."""
    assert coverage(kinds, spread) >= 0.90


# the width of an interval


@pytest.mark.parametrize(
    ("gain", "half_width"),
    [
        (Gain(2.0, 2.0, 2.0, 9), 0.0),
        (Gain(2.0, 1.6, 2.5, 9), 0.25),
        (Gain(2.0, 0.0, 4.0, 1), inf),
        (Gain(2.0, 1.0, inf, 1), inf),
    ],
)
def test_the_half_width_is_a_share(gain, half_width):
    """From 1.6 to 2.5 is 2, more or less by a quarter; without an end there is none."""
    assert half_width == pytest.approx(gain.half_width)
