"""Intervals of a median and of a ratio: against known values, counted by hand, and in simulation."""

from __future__ import annotations

from itertools import combinations
from math import exp, log
from statistics import median

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from laptime.stats import intervals
from laptime.stats.intervals import Interval, of_median, point, ratio

FIGURES = st.floats(1e-9, 1e9)
SIDES = st.lists(FIGURES, min_size=4, max_size=30)
CONFIDENCES = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)


def fewest_by_hand(base: int, head: int, tail: float) -> int:
    """The largest k with P(U < k) at most the tail, from every order that there is."""
    places = range(base + head)
    counted = [sum(order) - base * (base - 1) // 2 for order in combinations(places, base)]
    below = 0
    while sum(one < below + 1 for one in counted) <= tail * len(counted):
        below += 1
    return below


# a median


@pytest.mark.parametrize(
    ("count", "outside"),
    [(6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (20, 5), (25, 7), (30, 9), (50, 17), (100, 39)],
)
def test_the_interval_of_a_median_lies_between_the_order_statistics_of_the_tables(count: int, outside: int) -> None:
    """At 95 %: the ranks that the sign test's tables give."""
    assert Interval(outside, count - 1 - outside) == of_median([float(number) for number in range(count)])


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_the_interval_of_a_median_is_the_binomial_distribution_s(confidence: float) -> None:
    """The narrowest that is at least as sure as was asked, for every count to 300."""
    for count in range(1, 300):
        outside = int(stats.binom.ppf((1 - confidence) / 2, count, 0.5))
        while outside >= 0 and stats.binom.cdf(outside, count, 0.5) > (1 - confidence) / 2:
            outside -= 1
        found = of_median(range(count), confidence)
        low = -1 if found is None else int(found.low)
        assert abs(low - outside) <= (0 if count <= 200 else 1), count


@pytest.mark.parametrize("count", range(6))
def test_too_few_values_have_no_interval_of_their_median(count: int) -> None:
    """Five are not enough at 95 %."""
    assert of_median([1.0] * count) is None


def test_equal_values_have_an_interval_of_no_width() -> None:
    """Also where all are zero."""
    assert Interval(2.0, 2.0) == of_median([2.0] * 7)
    assert Interval(0.0, 0.0) == of_median([0.0] * 7)


def test_the_interval_of_very_many_values_is_narrow_and_around_their_median() -> None:
    """100,000 rounds are usual; the normal distribution's ranks."""
    found = of_median(range(100_001))
    assert found is not None
    assert found.low == pytest.approx(50_000 - 1.96 * 100_000**0.5 / 2, abs=3)
    assert found.high == pytest.approx(50_000 + 1.96 * 100_000**0.5 / 2, abs=3)


@given(st.lists(FIGURES, min_size=6, max_size=400))
def test_a_median_lies_inside_its_interval(values: list[float]) -> None:
    """Whose ends are values."""
    found = of_median(values)
    assert found is not None
    assert found.low <= median(values) <= found.high
    assert {found.low, found.high} <= set(values)


# a ratio


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_the_rank_sum_distribution_is_counted_out(confidence: float) -> None:
    """As every order of small samples says."""
    for base in range(1, 7):
        for head in range(1, 7):
            wanted = fewest_by_hand(base, head, (1 - confidence) / 2)
            assert wanted == intervals._fewest(base, head, (1 - confidence) / 2), (base, head)


def test_the_rank_sum_s_critical_values_are_those_of_the_tables() -> None:
    """Of Mann and Whitney, two-sided at 5 %: U of 0, 2, 5, 8, 13, 17, 23 for equal sizes from 4 on; 37, 64 and 127."""
    wanted = {4: 0, 5: 2, 6: 5, 7: 8, 8: 13, 9: 17, 10: 23, 12: 37, 15: 64, 20: 127}
    assert wanted == {size: intervals._fewest(size, size, 0.025) - 1 for size in wanted}


@pytest.mark.parametrize(("base", "head"), [(40, 40), (39, 40), (20, 40), (10, 40)])
def test_beyond_what_is_counted_out_nothing_jumps(base: int, head: int) -> None:
    """The normal approximation goes on where the counting ends."""
    counted, near = intervals._fewest(base, head, 0.025), intervals._fewest(base, head + 1, 0.025)
    step = counted - intervals._fewest(base, head - 1, 0.025)
    assert abs(near - counted - step) <= 3


def test_a_known_pair_of_samples_has_its_known_interval() -> None:
    """Of R: `wilcox.test(log(y), log(x), conf.int = TRUE)` inverts the same test; here from every pair of values."""
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    found = ratio(x, y)
    pairs = sorted(log(right) - log(left) for left in x for right in y)
    assert found is not None
    assert (pytest.approx(exp(median(pairs))), pytest.approx(exp(pairs[8])), pytest.approx(exp(pairs[-9]))) == (
        found.estimate,
        found.low,
        found.high,
    )


@pytest.mark.parametrize("sizes", [(5, 5), (5, 9), (12, 7)])
def test_the_interval_holds_what_the_test_does_not_reject(sizes: tuple[int, int]) -> None:
    """scipy's exact Mann-Whitney test rejects a shift just outside of it, and none just inside."""
    random = np.random.default_rng(sum(sizes))
    base, head = (np.exp(random.normal(size=size)) for size in sizes)
    found = ratio(base.tolist(), head.tolist())
    assert found is not None

    def p(shift: float) -> float:
        return float(stats.mannwhitneyu(head / shift, base, method="exact").pvalue)

    assert p(found.low * (1 - 1e-9)) < 0.05 <= p(found.low * (1 + 1e-9))
    assert p(found.high * (1 + 1e-9)) < 0.05 <= p(found.high * (1 - 1e-9))


@pytest.mark.parametrize(("base", "head"), [(0, 0), (0, 5), (1, 1), (1, 5), (2, 2), (3, 3), (2, 7), (3, 4)])
def test_too_small_sides_have_no_interval_of_their_ratio(base: int, head: int) -> None:
    """At 95 %; there is still an estimate where both have a value."""
    left, right = [1.0] * base, [2.0] * head
    assert ratio(left, right) is None
    assert (pytest.approx(2.0) if base and head else None) == point(left, right)


def test_four_a_side_are_enough() -> None:
    """And so are 3 and 5, or 2 and 8."""
    for base, head in ((4, 4), (3, 5), (2, 8)):
        assert ratio([1.0] * base, [1.0] * head) is not None


@pytest.mark.parametrize("zeros", [[0.0] * 6, [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
def test_a_side_with_a_zero_has_no_ratio(zeros: list[float]) -> None:
    """On either side."""
    ones = [1.0] * 6
    assert [None] * 4 == [ratio(zeros, ones), ratio(ones, zeros), point(zeros, ones), point(ones, zeros)]


def test_ties_have_an_interval_too() -> None:
    """A coarse clock."""
    found = ratio([1.0, 1.0, 2.0, 2.0, 2.0], [1.0, 2.0, 2.0, 2.0, 1.0])
    assert found is not None
    assert (1.0, 0.5, 2.0) == (pytest.approx(found.estimate), pytest.approx(found.low), pytest.approx(found.high))


@pytest.mark.parametrize("count", [41, 1000, 1001, 200_000])
def test_very_many_values_have_a_ratio(count: int) -> None:
    """In reasonable time and memory, which all pairs of 200,000 would not be."""
    base = [1 + (number * 7919 % 1000) / 1e5 for number in range(count)]
    found = ratio(base, [1.5 * one for one in base])
    assert found is not None
    assert found.low <= 1.5 <= found.high
    assert found.high / found.low < 1.02
    assert pytest.approx(1.5, rel=1e-3) == found.estimate


@given(SIDES, SIDES)
def test_the_estimate_lies_inside_its_interval(base: list[float], head: list[float]) -> None:
    """And is what `point` says."""
    found = ratio(base, head)
    assert found is not None
    assert found.low <= found.estimate <= found.high
    assert found.estimate == point(base, head)


@given(SIDES, SIDES)
def test_swapping_the_sides_turns_the_ratio_over(base: list[float], head: list[float]) -> None:
    """What is twice as slow one way is twice as fast the other."""
    there, back = ratio(base, head), ratio(head, base)
    assert there is not None
    assert back is not None
    assert (
        pytest.approx(1 / back.estimate),
        pytest.approx(1 / back.high),
        pytest.approx(1 / back.low),
    ) == (there.estimate, there.low, there.high)


@given(SIDES, SIDES, st.floats(1e-6, 1e6))
def test_the_unit_does_not_matter(base: list[float], head: list[float], unit: float) -> None:
    """Seconds or bytes; and a factor on one side is a factor of all three."""
    plain, scaled = ratio(base, head), ratio([unit * one for one in base], [unit * one for one in head])
    one_side = ratio(base, [unit * one for one in head])
    assert plain is not None
    assert scaled is not None
    assert one_side is not None
    assert pytest.approx(plain.estimate) == scaled.estimate
    assert pytest.approx((plain.low, plain.high)) == (scaled.low, scaled.high)
    assert pytest.approx((unit * plain.low, unit * plain.high)) == (one_side.low, one_side.high)


@given(SIDES, SIDES)
def test_the_surer_the_wider(base: list[float], head: list[float]) -> None:
    """An interval of 80 % lies inside that of 95 %."""
    narrow, wide = ratio(base, head, 0.8), ratio(base, head)
    assume(narrow is not None)
    assert narrow is not None
    assert wide is not None
    assert wide.low <= narrow.low <= narrow.high <= wide.high


@pytest.mark.parametrize("size", [5, 12, 45])
def test_the_intervals_cover_what_they_say(size: int) -> None:
    """In 2,000 samples of a skewed distribution at 90 %: never less often than 88 %, and not nearly always."""
    random = np.random.default_rng(size)
    covered = {"median": 0, "ratio": 0}
    times = 2000
    for base, head in zip(*random.lognormal(0.0, 0.5, (2, times, size)), strict=True):
        around, between = of_median(base.tolist(), 0.9), ratio(base.tolist(), (1.1 * head).tolist(), 0.9)
        assert around is not None
        assert between is not None
        covered["median"] += around.low <= 1 <= around.high
        covered["ratio"] += between.low <= 1.1 <= between.high
    assert all(0.88 * times <= count <= 0.985 * times for count in covered.values()), covered
