"""From which size on another way pays: where two lines cross, or why they don't."""

from __future__ import annotations

import numpy as np
import pytest

from laptime.stats.break_even import Crossing, NoCrossing, crossing
from laptime.stats.points import Point
from tests.support.points import line


def test_a_crossing_lies_between_two_sizes():
    """Where the logarithm of the ratio is 0: here half way between 1 and 100, on a logarithmic axis."""
    plain = line(x1=[1.0] * 6, x100=[1.0] * 6)
    found = crossing(plain, line(x1=[2.0] * 6, x100=[0.5] * 6))
    assert Crossing(pytest.approx(10), pytest.approx(10), pytest.approx(10)) == found


def test_a_crossing_s_interval_is_where_the_ratios_intervals_cross():
    """The wider the rounds, the wider it is; it lies about the crossing."""
    plain = line(x1=[1.0, 1.1, 0.9, 1.05, 0.95, 1.0], x100=[1.0, 1.1, 0.9, 1.05, 0.95, 1.0])
    found = crossing(plain, line(x1=[2.0, 2.2, 1.8, 2.1, 1.9, 2.0], x100=[0.5, 0.55, 0.45, 0.52, 0.48, 0.5]))
    assert isinstance(found, Crossing)
    assert 5 < found.low < found.x < found.high < 20


def test_the_last_crossing_counts():
    """What pays only here and there doesn't pay from there on."""
    plain = line(**{f"x{10**n}": [1.0] * 6 for n in range(5)})
    found = crossing(plain, line(x1=[2.0] * 6, x10=[0.5] * 6, x100=[2.0] * 6, x1000=[0.5] * 6, x10000=[0.2] * 6))
    assert isinstance(found, Crossing)
    assert pytest.approx(10**2.5) == found.x


def test_a_crossing_that_may_be_below_all_sizes_has_no_low_end():
    """At the smallest size the rounds leave open which is faster; at the greatest they don't."""
    plain = line(x1=[0.5, 0.8, 1.0, 1.0, 1.2, 1.5], x100=[1.0] * 6)
    found = crossing(plain, line(x1=[0.6, 0.9, 1.1, 1.2, 1.3, 1.6], x100=[0.5] * 6))
    assert isinstance(found, Crossing)
    assert found.low is None
    assert 1 < found.x < found.high < 100


def test_a_size_with_too_few_rounds_bounds_nothing():
    """The interval reaches to the next size of which something is known."""
    plain = line(x1=[1.0] * 6, x10=[1.0] * 6, x100=[1.0] * 6)
    below = crossing(plain, line(x1=[2.0] * 6, x10=[0.5], x100=[0.5] * 6))
    assert Crossing(pytest.approx(10**0.5), 1, 100) == below


@pytest.mark.parametrize(
    ("other", "no_crossing"),
    [
        (line(x1=[2.0] * 6, x100=[1.5] * 6), NoCrossing("no gain up to 100, the greatest that was measured", False)),
        (line(x1=[0.5] * 6, x100=[1.5] * 6), NoCrossing("no gain up to 100, the greatest that was measured", False)),
        (
            line(x1=[2.0] * 6, x100=[0.8, 0.9, 0.9, 0.95, 1.1, 1.2]),
            NoCrossing("no gain is shown up to 100, the greatest that was measured", None),
        ),
        (
            line(x1=[2.0], x100=[0.5]),
            NoCrossing("no gain is shown up to 100, the greatest that was measured", None),
        ),
        (line(x1=[0.5] * 6, x100=[0.2] * 6), NoCrossing("a gain from 1 on, the smallest that was measured", True)),
        (
            line(x1=[2.0], x50=[0.2]),
            NoCrossing("two sizes at least are needed at which both were measured; there are 1", None),
        ),
    ],
    ids=["never", "lost again", "perhaps", "too few rounds", "always", "elsewhere"],
)
def test_where_nothing_crosses_the_reason_is_told(other, no_crossing):
    """And whether the other way pays, as far as that was shown."""
    assert no_crossing == crossing(line(x1=[1.0] * 6, x100=[1.0] * 6), other)


def test_a_size_of_nothing_has_no_logarithm():
    """It is refused."""
    with pytest.raises(ValueError, match="no place on a logarithmic axis"):
        crossing(line(x0=[1.0], x1=[1.0]), line(x0=[1.0], x1=[1.0]))


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_the_interval_of_a_crossing_holds_it(noise):
    """Of 400 noisy pairs of lines, at least 94 %: the ends take each ratio at its worst."""
    random, held, times = np.random.default_rng(11), 0, 400
    sizes = (1, 4, 16, 64, 256)
    for _ in range(times):
        plain, other = (
            [
                Point(x, 1, tuple(one * np.exp(random.normal(0, noise, 8))))
                for x, one in zip(sizes, seconds, strict=True)
            ]
            for seconds in ((1, 4, 16, 64, 256), [20 * (x / 20) ** 0.5 for x in sizes])
        )
        found = crossing(plain, other)
        assert isinstance(found, Crossing)
        held += (found.low or 0) <= 20 <= found.high
    assert held >= 0.94 * times
