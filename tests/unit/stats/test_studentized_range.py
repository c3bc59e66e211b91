"""Quantiles of the studentized range."""

from __future__ import annotations

from math import sqrt

import pytest
from scipy import stats

from laptime.stats import studentized_range


@pytest.mark.parametrize(("k", "df", "tabled"), [(2, 10, 3.151), (3, 10, 3.877), (3, 20, 3.578), (10, 20, 5.008)])
def test_quantiles_are_those_of_the_printed_tables(k, df, tabled):
    """At 5 %, to the three digits after the point that tables of Tukey's test have."""
    assert tabled == pytest.approx(studentized_range.quantile(0.95, k, df), abs=6e-4)


@pytest.mark.parametrize("p", [0.95, 0.995])
@pytest.mark.parametrize(("k", "df"), [(3, 5), (7, 9.0), (12, 77)])
def test_quantiles_are_those_of_scipy(p, k, df):
    """To a thousandth, for confidences of a race's looks."""
    expected = float(stats.studentized_range.ppf(p, k, df))
    assert expected == pytest.approx(studentized_range.quantile(p, k, df), abs=1e-3)


@pytest.mark.parametrize("df", [2, 5, 30])
def test_of_two_means_it_is_students_t(df):
    """The range of two is the size of their difference: q is t times the square root of two."""
    expected = sqrt(2) * float(stats.t.ppf(0.975, df))
    assert expected == pytest.approx(studentized_range.quantile(0.95, 2, df), abs=1e-3)


@pytest.mark.parametrize(("p", "k", "df"), [(0.0, 3, 10), (1.0, 3, 10), (95, 3, 10), (0.95, 1, 10), (0.95, 3, 0.5)])
def test_what_has_no_quantile_is_refused(p, k, df):
    """No probability, no two means, no degree of freedom: with the values that were given."""
    with pytest.raises(ValueError, match=f"p={p}, k={k}, df={df}: expected"):
        studentized_range.quantile(p, k, df)
