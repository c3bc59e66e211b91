"""Laws of scaling, and knees: on points whose truth is known, exact and noisy, and on points that have none."""

from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from laptime.stats.points import Point
from laptime.stats.scaling import Amdahl, Estimate, Knee, NoFit, Usl, amdahl, knee, usl
from tests.support.points import EIGHT, FIVE, TEN, cost, law, noisy, rates


@pytest.mark.parametrize("ask", [amdahl, usl, knee])
@pytest.mark.parametrize("x", [0, -1, 1.5])
def test_only_whole_workers_scale(ask, x):
    """A line over sizes has no law."""
    with pytest.raises(ValueError, match=rf"{x:g} is no number of workers"):
        ask([*law(EIGHT), Point(x, 1, (1.0,))])


# the laws


@pytest.mark.parametrize("serial", [0.0, 0.003, 0.05, 0.5, 1.0])
def test_amdahl_s_law_is_found_in_exact_figures(serial):
    """Also at its bounds; in any order of the points."""
    found = amdahl(law(FIVE, serial)[::-1])
    assert isinstance(found, Amdahl)
    assert (pytest.approx(50.0), pytest.approx(serial, abs=1e-9)) == (found.gamma.value, found.serial.value)
    assert (1, 16, pytest.approx(0, abs=1e-9)) == (found.fewest, found.most, found.scatter)
    assert found.serial.high - found.serial.low < 0.005


@pytest.mark.parametrize(("sigma", "kappa"), [(0, 0), (0.05, 0.001), (0, 0.01), (0.3, 0), (1, 0), (0.5, 0.5)])
def test_gunther_s_law_is_found_in_exact_figures(sigma, kappa):
    """Also at its bounds."""
    found = usl(law(EIGHT, sigma, kappa))
    assert isinstance(found, Usl)
    assert (pytest.approx(50.0), pytest.approx(sigma, abs=1e-9), pytest.approx(kappa, abs=1e-9)) == (
        found.gamma.value,
        found.sigma.value,
        found.kappa.value,
    )


def test_a_law_holds_where_one_worker_was_not_measured():
    """γ is fitted, not taken from one figure."""
    found = amdahl(law((2, 4, 8, 16, 32), 0.05))
    assert isinstance(found, Amdahl)
    assert (2, pytest.approx(50.0), pytest.approx(0.05)) == (found.fewest, found.gamma.value, found.serial.value)


@pytest.mark.parametrize(
    ("fit", "workers", "sigma", "kappa", "noise"),
    [
        (amdahl, FIVE, 0.05, 0.0, 0.05),
        pytest.param(amdahl, EIGHT, 0.0, 0.0, 0.05, marks=pytest.mark.slow),
        pytest.param(amdahl, EIGHT, 1.0, 0.0, 0.05, marks=pytest.mark.slow),
        (usl, TEN, 0.05, 0.001, 0.02),
        pytest.param(usl, TEN, 0.05, 0.001, 0.08, marks=pytest.mark.slow),
        pytest.param(usl, EIGHT, 0.1, 0.0, 0.05, marks=pytest.mark.slow),
        pytest.param(usl, EIGHT, 0.0, 0.01, 0.05, marks=pytest.mark.slow),
    ],
)
def test_the_intervals_hold_the_truth_as_often_as_they_say(fit, workers, sigma, kappa, noise):
    """Of 600 noisy fits about 95 %, also where the truth is a bound; a refused law counts as a miss."""
    random, truth = np.random.default_rng(7), law(workers, sigma, kappa)
    names = {"gamma": 50.0, "serial": sigma} if fit is amdahl else {"gamma": 50.0, "sigma": sigma, "kappa": kappa}
    held, times = dict.fromkeys(names, 0), 600
    for _ in range(times):
        found = fit(noisy(truth, noise, random))
        for name, true in names.items():
            held[name] += not isinstance(found, NoFit) and getattr(found, name).low <= true <= getattr(found, name).high
    assert all(0.90 * times <= count <= 0.985 * times for count in held.values()), held


def test_an_interval_holds_what_the_f_test_does_not_reject():
    """At either end of each, the best fit with the parameter fixed there is as much worse as Student's t allows."""
    points = noisy(law(TEN, 0.05, 0.002), 0.02, np.random.default_rng(1))
    found = usl(points)
    assert isinstance(found, Usl)
    workers = np.array(TEN, dtype=float)
    curve = np.array([number / found.throughput(number) for number in TEN])
    costs = workers * np.array([point.item_s for point in points]) / curve
    columns = np.stack([np.ones_like(workers), workers - 1, workers * (workers - 1)]) / curve
    pairs = dict(zip(("gamma", "sigma", "kappa"), columns, strict=True))

    def rest(columns: list[np.ndarray], target: np.ndarray) -> float:
        design = np.column_stack(columns)
        return float(((target - design @ np.linalg.lstsq(design, target)[0]) ** 2).sum())

    def fixed(name: str, value: float) -> float:
        if name == "gamma":
            return rest([pairs["sigma"], pairs["kappa"]], costs - pairs["gamma"] / value)
        other = {"sigma": "kappa", "kappa": "sigma"}[name]
        return rest([pairs["gamma"] + value * pairs[name], pairs[other]], costs)

    free = rest(list(pairs.values()), costs)
    allowed = stats.t.ppf(0.975, len(TEN) - 3) ** 2
    for name in pairs:
        one = getattr(found, name)
        for end in (one.low, one.high):
            assert pytest.approx(allowed, rel=1e-6) == (fixed(name, end) - free) / (free / (len(TEN) - 3)), name


def test_noise_does_not_bend_the_curve():
    """On average over 400 fits to points that are 20 % off, one worker is worth what it is, within 4 %."""
    random, truth = np.random.default_rng(2), law(TEN, 0.05)
    found = [amdahl(noisy(truth, 0.2, random)) for _ in range(400)]
    values = [fit.gamma.value for fit in found if isinstance(fit, Amdahl)]
    assert len(values) > 390
    assert pytest.approx(50.0, rel=0.04) == np.median(values)


@pytest.mark.parametrize(
    "points",
    [law(EIGHT), rates(0.78, 1.2, 2.6, 4.1, 6.3, 8.2, 17.0, 21.0)],
    ids=["exact", "as much above linear as chance allows"],
)
def test_at_a_bound_a_parameter_lies_in_its_interval(points):
    """Where the fit within bounds is not where the free one is."""
    found = usl(points)
    assert isinstance(found, Usl)
    for one in (found.gamma, found.sigma, found.kappa):
        assert one.low <= one.value <= one.high


@pytest.mark.parametrize("fit", [amdahl, usl])
def test_a_parameter_lies_in_its_interval_and_that_within_the_law_s_bounds(fit):
    """In every noisy fit."""
    random = np.random.default_rng(3)
    for sigma in (0.0, 0.02, 1.0):
        for _ in range(100):
            found = fit(noisy(law(EIGHT, sigma), 0.1, random))
            if isinstance(found, NoFit):
                continue
            parameters = [found.gamma, *((found.serial,) if isinstance(found, Amdahl) else (found.sigma, found.kappa))]
            for one in parameters:
                assert 0 <= one.low <= one.value <= one.high
            assert parameters[1].high <= 1


@pytest.mark.parametrize(
    ("fit", "least", "name"), [(amdahl, 5, "Amdahl's law"), (usl, 8, "the Universal Scalability Law")]
)
def test_too_few_numbers_of_workers_have_no_fit(fit, least, name):
    """The reason counts them; one more, and there is a fit."""
    exact = law(TEN, 0.05, 0.001 if fit is usl else 0)
    assert NoFit(f"{name} needs {least} numbers of workers at least; none measured") == fit([])
    for count in range(1, least):
        assert NoFit(f"{name} needs {least} numbers of workers at least; {count} measured") == fit(exact[:count])
    assert not isinstance(fit(exact[:least]), NoFit)


@pytest.mark.parametrize("fit", [amdahl, usl])
def test_no_law_is_drawn_past_what_was_measured(fit):
    """Neither below nor above."""
    found = fit(law(EIGHT, 0.05))
    assert pytest.approx(50.0) == found.throughput(1)
    assert pytest.approx(50 * 16 / cost(16, 0.05, 0)) == found.throughput(16)
    for workers in (0.99, 0, -1, 16.01, 17, nan, inf):
        with pytest.raises(ValueError, match="workers: from 1 to 16 were measured, and the law is not drawn further"):
            found.throughput(workers)


def test_the_peak_is_where_throughput_turns_down():
    """Its place is √((1 - σ)/κ)."""
    found = usl(law(TEN, 0.05, 0.005))
    assert isinstance(found, Usl)
    assert pytest.approx(sqrt(0.95 / 0.005)) == found.peak
    assert found.throughput(found.peak) > max(found.throughput(found.peak - 1), found.throughput(found.peak + 1))


@pytest.mark.parametrize(
    "points",
    [law(TEN, 0.05, 0.0005), law(TEN, 0.05, 0.0), law(EIGHT, 0.05, 0.003)],
    ids=["at 43 workers of 32", "nowhere", "at 18 workers of 16"],
)
def test_a_peak_that_was_not_measured_is_none(points):
    """The law is not believed beyond the points."""
    found = usl(points)
    assert isinstance(found, Usl)
    assert found.peak is None


def test_a_peak_that_may_be_nowhere_is_none():
    """Where κ may be 0, throughput may only level off."""
    estimate = Estimate(0.01, 0.0, 0.02)
    assert Usl(Estimate(1, 1, 1), Estimate(0, 0, 0), estimate, 0.1, 1, 32).peak is None


@pytest.mark.parametrize("fit", [amdahl, usl])
def test_equal_throughput_is_all_serial(fit):
    """More workers do no more: a serial fraction of 1."""
    found = fit(rates(*[100.0] * 8))
    serial = found.serial if isinstance(found, Amdahl) else found.sigma
    assert (pytest.approx(1.0), pytest.approx(1.0, abs=0.01)) == (serial.value, serial.low)


@pytest.mark.parametrize(
    ("fit", "points", "reason"),
    [
        (amdahl, rates(*[n**1.3 for n in EIGHT]), "throughput grows by more than the workers"),
        (usl, [Point(n, 1, ((1.5 + n) / n**2,)) for n in EIGHT], "throughput grows by more than the workers"),
        (
            usl,
            rates(40.0, 80.0, 120.0, 160.0, 240.0, 280.0, 240.0, 170.0),
            "throughput grows by more than the workers, or",
        ),
        (amdahl, rates(100.0, *[70.0] * 7), "several workers do less than one: Amdahl's law has no σ above 1"),
        (usl, rates(100.0, *[70.0] * 7), "several workers do less than one: the Universal Scalability Law has no σ ab"),
        (usl, [Point(n, 1, (cost(n, 0.5, -0.02) / n,)) for n in EIGHT], "throughput levels off and rises again"),
        (
            amdahl,
            rates(10.9, 16.1, 25.8, 21.2, 9.1, 12.7, workers=(1, 2, 3, 4, 6, 12)),
            "the points are 43% off Amdahl's law: too far to say what one worker does",
        ),
    ],
)
def test_figures_that_a_law_does_not_allow_have_no_fit(fit, points, reason):
    """Superlinear, slower than one, or anyhow: the reason says so, with the parameter that would be needed."""
    found = fit(points)
    assert isinstance(found, NoFit)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize("fit", [amdahl, usl])
def test_figures_without_any_law_have_no_fit_or_a_wide_one(fit):
    """Throughputs at random: nothing certain is said of them."""
    random = np.random.default_rng(5)
    for _ in range(100):
        found = fit(rates(*np.exp(random.normal(0, 2, 8))))
        assert isinstance(found, NoFit) or found.scatter > 0.1


@given(st.lists(st.floats(1e-6, 1e6), min_size=8, max_size=8))
def test_whatever_the_figures_are_there_is_an_answer(throughputs):
    """A fit within bounds or a reason, and never an error."""
    for fit in (amdahl, usl):
        found = fit(rates(*throughputs))
        if not isinstance(found, NoFit):
            assert all(found.throughput(n) > 0 for n in EIGHT)


# the knee


def test_the_knee_is_the_fewest_workers_that_lose_nothing():
    """Within 5 % of the best; exact figures have no doubt."""
    found = knee(rates(10, 20, 30, 40, 58, 59, 60, 57))
    assert Knee(workers=6, low=6, high=6, best=12, most=16) == found
    assert not found.at_edge


def test_a_line_that_still_rises_at_its_end_has_its_knee_there():
    """Which is said: it is none."""
    found = knee(law(EIGHT, 0.0))
    assert (16, True) == (found.workers, found.at_edge)


def test_doubt_is_told_as_from_where_to_where_the_knee_may_be():
    """8 workers are 4 % slower than the best, give or take 20 %: they may not be enough, and fewer may be."""
    spread = (0.8, 0.85, 0.9, 1.0, 1.1, 1.15, 1.2)
    points = [
        Point(n, 1, tuple(one / rate for one in spread)) for n, rate in zip(FIVE, (10, 50, 90, 96, 100), strict=True)
    ]
    assert Knee(workers=8, low=4, high=16, best=16, most=16) == knee(points)


def test_too_few_rounds_leave_all_doubt():
    """One round each: the best is known to be the best, and nothing else."""
    assert Knee(workers=8, low=1, high=16, best=16, most=16) == knee(
        [Point(n, 1, (1 / rate,)) for n, rate in zip(FIVE, (10, 50, 90, 96, 100), strict=True)]
    )


@pytest.mark.parametrize("points", [[], law([4])])
def test_less_than_two_points_have_no_knee(points):
    """There is nothing to compare."""
    assert knee(points) is None


def test_what_is_slower_than_one_has_its_knee_at_one():
    """More workers lose."""
    assert Knee(1, 1, 1, best=1, most=16) == knee(rates(*[100 / n for n in EIGHT]))
