"""Figures as texts."""

from __future__ import annotations

import pytest

from laptime.report.units import duration, percent, times


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
