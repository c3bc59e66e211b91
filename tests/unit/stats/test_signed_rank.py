"""The exact signed-rank test against brute force and scipy, its interval, Holm's procedure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import inf, isclose, log1p
from random import Random
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.stats import signed_rank
from laptime.stats.signed_rank import centre, detectable, holm, interval, p_above

# few enough different values that ties and zeros are common
TIED = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=9)
VALUES = st.lists(st.integers(-1000, 1000).map(lambda number: number / 64), min_size=1, max_size=24)


def _ranks(values: Sequence[float]) -> list[float]:
    """The mean rank of each absolute value."""
    sizes = [abs(value) for value in values]
    return [sum(other < size for other in sizes) + (sizes.count(size) + 1) / 2 for size in sizes]


def _by_all_signs(values: Sequence[float], than: float = 0.0) -> float:
    """The share of all signs whose positive ranks sum to as much, or more."""
    shifts = [value - than for value in values]
    ranks = _ranks(shifts)
    found = sum(rank for rank, shift in zip(ranks, shifts, strict=True) if shift > 0)
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in product((0, 1), repeat=len(ranks))
    ]
    return sum(one >= found for one in sums) / len(sums)


@given(TIED, st.sampled_from([0.0, 1.0, -0.5]))
def test_the_probability_is_that_of_all_signs_counted(values: list[float], than: float) -> None:
    """Ties share their mean rank; nothing is approximated."""
    assert isclose(_by_all_signs(values, than), p_above(values, than), rel_tol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 6, 12, 20, 40])
@pytest.mark.parametrize("shift", [0.0, 0.4, -0.7])
def test_the_probability_is_scipys(count: int, shift: float) -> None:
    """Where no value ties and none is zero."""
    from scipy.stats import wilcoxon  # type: ignore[import-untyped, unused-ignore]  # a second

    values = (np.random.default_rng(count).standard_normal(count) + shift).tolist()
    expected = wilcoxon(values, alternative="greater", method="exact").pvalue
    assert isclose(expected, p_above(values), rel_tol=1e-9)


@given(TIED.filter(lambda values: any(values)))
def test_a_zero_can_only_raise_the_probability(values: list[float]) -> None:
    """It ranks, and counts as below; Pratt's version ranks it too, and leaves its rank out."""
    shifts = [value for value in values if value]
    ranks = [rank for rank, value in zip(_ranks(values), values, strict=True) if value]
    found = sum(rank for rank, value in zip(ranks, shifts, strict=True) if value > 0)
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in product((0, 1), repeat=len(ranks))
    ]
    pratt = sum(one >= found for one in sums) / len(sums)
    assert p_above(values) >= pratt - 1e-12


@pytest.mark.parametrize("count", [1, 6, 12, 20, 60, 200])
def test_the_smallest_probability_is_that_all_signs_agree(count: int) -> None:
    """To the last bit: halves of one are exact. The whole is summed up, and so nearly 1."""
    assert 0.5**count == p_above([1.0 + number for number in range(count)])
    assert 0.5**count == p_above([1.0] * count)
    assert isclose(p_above([-1.0 - number for number in range(count)]), 1.0)


def test_no_values_say_nothing() -> None:
    """Neither that they lie above, nor where."""
    assert p_above([]) == 1.0
    assert interval([]) is None


@given(VALUES, st.integers(-500, 500).map(lambda number: number / 64))
def test_to_shift_the_values_is_to_shift_what_they_are_tested_against(values: list[float], shift: float) -> None:
    """64ths are exact in binary, so nothing is rounded."""
    assert p_above(values, 0.5) == p_above([value + shift for value in values], 0.5 + shift)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_values_is_nothing(values: list[float], random: Random) -> None:
    """Blocks may come in any order."""
    shuffled = random.sample(values, len(values))
    assert p_above(values) == p_above(shuffled)
    assert centre(values) == centre(shuffled)
    assert interval(values) == interval(shuffled)


@given(VALUES, st.floats(0.01, 100))
def test_a_scale_is_nothing_to_the_test(values: list[float], scale: float) -> None:
    """Only ranks and signs are looked at."""
    distinct = [value for value in dict.fromkeys(values) if -value not in values]
    assert p_above(distinct) == p_above([value * scale for value in distinct])


@given(VALUES, st.data())
def test_a_larger_value_never_speaks_against(values: list[float], data: st.DataObject) -> None:
    """One value raised: the probability falls or stays, the estimate and the interval rise or stay."""
    number = data.draw(st.integers(0, len(values) - 1))
    raised = list(values)
    raised[number] += data.draw(st.integers(0, 2000)) / 64
    # raising one value among ties can lower another's rank, but never the sum's place
    assert _exact(p_above(raised)) <= _exact(p_above(values)) or _ties(values) or _ties(raised)
    assert centre(raised) >= centre(values)
    before, after = interval(values), interval(raised)
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert after.low >= before.low
        assert after.high >= before.high


def _exact(p: float) -> float:
    return round(p, 12)


def _ties(values: Sequence[float]) -> bool:
    return len({abs(value) for value in values} - {0.0}) < len(values)


@given(
    VALUES, st.integers(-640, 640).map(lambda number: number / 64), st.integers(0, 640).map(lambda number: number / 64)
)
def test_the_farther_off_the_less_likely(values: list[float], than: float, more: float) -> None:
    """What is above a value is above what is lower too."""
    shifts = [value - than for value in values], [value - than - more for value in values]
    if not any(map(_ties, shifts)):
        assert _exact(p_above(values, than)) <= _exact(p_above(values, than + more))


@given(VALUES)
def test_both_directions_together_are_everything(values: list[float]) -> None:
    """P(W ≥ w) + P(W > w) = 1 by symmetry; so the two can't both be small."""
    assert p_above(values) + p_above([-value for value in values]) >= 1 - 1e-12


@given(VALUES)
def test_the_estimate_is_the_median_of_the_means_of_pairs(values: list[float]) -> None:
    """Against the definition; and mirrored values have the mirrored estimate."""
    means = [(values[b] + values[a]) / 2 for a in range(len(values)) for b in range(a, len(values))]
    assert median(means) == centre(values)
    assert -centre(values) == centre([-value for value in values])


@given(st.lists(st.integers(-1000, 1000), min_size=6, max_size=16, unique=True), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_holds_what_the_test_does_not_reject(numbers: list[int], confidence: float) -> None:
    """Its ends are where the test, at half of what is left, begins to reject."""
    values = [float(number) for number in numbers]
    found = interval(values, confidence)
    tail = (1 - confidence) / 2
    if found is None:
        assert 0.5 ** len(values) > tail
        return
    nothing = 1 / 1024
    assert p_above(values, found.low - nothing) <= tail
    assert p_above(values, found.low + nothing) > tail
    mirrored = [-value for value in values]
    assert p_above(mirrored, -found.high - nothing) <= tail
    assert p_above(mirrored, -found.high + nothing) > tail
    assert found.low <= centre(values) <= found.high


@pytest.mark.parametrize(("confidence", "fewest"), [(0.95, 6), (0.99, 8), (0.9, 5)])
def test_too_few_values_have_no_interval(confidence: float, fewest: int) -> None:
    """Even where all signs agree, fewer say too little."""
    values = [float(number) for number in range(fewest)]
    assert interval(values[1:], confidence) is None
    found = interval(values, confidence)
    assert found is not None
    assert (found.low, found.high) == (values[0], values[-1])


@pytest.mark.parametrize("count", [6, 12, 20])
def test_the_interval_covers_as_often_as_it_says(count: int) -> None:
    """4,000 samples of a heavy-tailed distribution around 0.3: at least 95 %, but for what chance does to 4,000."""
    random = np.random.default_rng(count)
    found = [interval((random.standard_t(3, count) + 0.3).tolist()) for _ in range(4000)]
    covered = sum(one is not None and one.low <= 0.3 <= one.high for one in found) / len(found)
    assert 0.94 <= covered <= 0.985  # exact for these counts: 96.9, 95.8 and 95.2 %


def test_the_test_is_wrong_as_seldom_as_it_says() -> None:
    """20,000 samples whose centre is what is tested: p ≤ 5 % in at most 5 % of them, and hardly fewer."""
    random = np.random.default_rng(1)
    samples = random.standard_t(4, (20_000, 12)) + 0.7
    wrong = sum(p_above(sample, 0.7) <= 0.05 for sample in samples.tolist()) / len(samples)
    assert 0.04 <= wrong <= 0.055


# Holm


def _naive_holm(p_values: Mapping[int, float], alpha: float) -> set[int]:
    """The closed test that Holm's procedure abbreviates: rejected is what every set that holds it rejects."""
    keys = list(p_values)
    rejected = set()
    for key in keys:
        others = [other for other in keys if other != key]
        sets = [
            [key, *(other for other, taken in zip(others, chosen, strict=True) if taken)]
            for chosen in product((False, True), repeat=len(others))
        ]
        if all(min(p_values[one] for one in members) <= alpha / len(members) for members in sets):
            rejected.add(key)
    return rejected


@given(st.lists(st.integers(0, 40).map(lambda number: number / 400), max_size=6), st.sampled_from([0.01, 0.05]))
def test_holm_rejects_what_the_closed_test_does(p_values: list[float], alpha: float) -> None:
    """Against the definition, over all sets of hypotheses."""
    named = dict(enumerate(p_values))
    assert _naive_holm(named, alpha) == holm(named, alpha)


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=8), st.data())
def test_a_smaller_probability_never_saves_another(p_values: list[float], data: st.DataObject) -> None:
    """Lower one, and all that were rejected still are."""
    number = data.draw(st.integers(0, len(p_values) - 1))
    lowered = dict(enumerate(p_values))
    lowered[number] = data.draw(st.floats(0, p_values[number]))
    assert holm(dict(enumerate(p_values)), 0.05) <= holm(lowered, 0.05)


def test_holm_takes_the_boundary_as_rejected() -> None:
    """And stops at the first that is not, whatever comes after."""
    assert {"a"} == holm({"a": 0.01}, 0.01)
    assert holm({"a": 0.0051, "b": 0.006}, 0.01) == set()
    assert {"a", "b"} == holm({"b": 0.01, "a": 0.005}, 0.01)
    assert holm({}, 0.01) == set()


# what can be found


def test_what_is_detectable_is_found_so_often() -> None:
    """Normal values, so far off as is said: found in 95 of 100, by the approximation's own error more or less."""
    random = np.random.default_rng(2)
    for count, alpha in ((20, 0.005), (20, 0.05), (12, 0.05)):
        effect = detectable(0.03, count, alpha)
        samples = 0.03 * random.standard_normal((2000, count)) + effect
        found = sum(p_above(sample) <= alpha for sample in samples.tolist()) / len(samples)
        assert 0.91 <= found <= 0.985, (count, alpha, found)


def test_what_is_detectable_falls_with_more_values_and_rises_with_noise() -> None:
    """As the root of the count, and in proportion."""
    assert isclose(detectable(0.02, 2000, 0.005) / detectable(0.02, 8000, 0.005), 2.0, rel_tol=1e-3)
    assert detectable(0.02, 20, 0.005) > 2 * detectable(0.02, 80, 0.005)
    assert isclose(detectable(0.04, 20, 0.005), 2 * detectable(0.02, 20, 0.005))
    assert detectable(0.02, 20, 0.005, power=0.99) > detectable(0.02, 20, 0.005)


def test_what_can_not_be_significant_is_never_found() -> None:
    """Seven agreeing signs are one of 128."""
    assert inf == detectable(0.02, 7, 0.005)
    assert detectable(0.02, 8, 0.005) < inf


def test_a_promised_effect_is_within_reach() -> None:
    """5 % at a deviation of 3.6 %, 10 % at 5 % with a margin of 2 %, by 20 blocks."""
    assert log1p(0.01) + detectable(0.036, 20, 0.005) < log1p(0.05)
    assert log1p(0.02) + detectable(0.05, 20, 0.005) < log1p(0.10)


def test_many_values_take_no_approximation_and_no_time() -> None:
    """300 of them, tied in part."""
    values = [float(number % 7 - 2) for number in range(300)]
    assert 0 < p_above(values) < 1e-6
    assert signed_rank.interval(values) is not None
