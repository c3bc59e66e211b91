"""Change points: what is a step in a series of figures, and what is a spike, noise or drift."""

from __future__ import annotations

import sys
from itertools import accumulate

import numpy as np
import pytest

from laptime.stats.changes import Change, NoSearch, changes
from tests.support import needs_ruptures

pytestmark = needs_ruptures

COUNT = 60
STEP_AT = 30


def noise(count: int = COUNT, deviation: float = 0.02, seed: int = 0) -> np.ndarray:
    """Figures around 1 with normal noise."""
    return np.exp(deviation * np.random.default_rng(seed).standard_normal(count))


def times(factor: float, start: int, stop: int, count: int = COUNT) -> np.ndarray:
    """1, and `factor` between the two places."""
    return np.where((np.arange(count) >= start) & (np.arange(count) < stop), factor, 1.0)


def drift(keep: float, deviation: float, count: int, seed: int) -> np.ndarray:
    """Figures around 1 with noise of 2 % and an autoregressive drift."""
    pushes = deviation * (1 - keep**2) ** 0.5 * np.random.default_rng([seed, 1]).standard_normal(200 + count)
    walked = list(accumulate(pushes, lambda last, push: keep * last + push))[200:]
    return noise(count, seed=seed) * np.exp(walked)


def places(values: np.ndarray) -> list[int]:
    """Where the changes are."""
    return [change.at for change in changes(values.tolist())]


def test_a_step_is_found_at_its_first_value_between_its_two_segments() -> None:
    """An obvious step: where, what it lies between, and as sure as so many permutations can be."""
    values = noise() * times(1.2, STEP_AT, COUNT)
    assert [Change(at=30, start=0, stop=60, p=0.001)] == changes(values.tolist())


def test_a_step_down_is_a_change_too() -> None:
    """What got faster changed."""
    assert [30] == places(noise() * times(0.8, STEP_AT, COUNT))


def test_a_step_without_noise_is_found() -> None:
    """Ties have no noise to measure."""
    assert [20] == places(np.array([1.0] * 20 + [2.0] * 20))


def test_each_of_several_steps_is_found_with_its_neighbours_as_its_ends() -> None:
    """Segments touch: one's stop is the next but one's at."""
    values = noise(200) * times(1.2, 50, 200, 200) * times(1.3, 120, 200, 200)
    assert [(50, 0, 120), (120, 50, 200)] == [(one.at, one.start, one.stop) for one in changes(values.tolist())]


@pytest.mark.parametrize("at", [101, 199, 250, 299, 300, 500, 799, 955])
def test_in_a_long_series_a_step_is_found_once_wherever_it_is(at: int) -> None:
    """Stretches that are judged apart overlap."""
    assert [at] == places(noise(1000) * times(1.5, at, 1000, 1000))


@pytest.mark.parametrize("factor", [10, 1e6, 1e-6])
def test_a_huge_step_is_found(factor: float) -> None:
    """Orders of magnitude are no obstacle."""
    assert [30] == places(noise() * times(factor, STEP_AT, COUNT))


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_unit_makes_no_difference(scale: float) -> None:
    """Only ratios count."""
    assert [30] == places(scale * noise() * times(1.2, STEP_AT, COUNT))


@pytest.mark.parametrize("at", [0, 1, 29, 57, 58])
@pytest.mark.parametrize("factor", [1.1, 1.5, 3, 100, 0.5])
@pytest.mark.parametrize("wild", [1, 2])
def test_one_wild_run_or_two_are_no_change(wild: int, factor: float, at: int) -> None:
    """Wherever they are, and however wild."""
    assert [] == places(noise() * times(factor, at, at + wild))


def test_spikes_here_and_there_are_no_change() -> None:
    """Every tenth run is wild."""
    values = noise(200)
    values[::10] *= 2
    assert [] == places(values)


def test_a_spike_does_not_hide_a_step() -> None:
    """Both of them in one series, side by side."""
    assert [30] == places(noise() * times(1.2, STEP_AT, COUNT) * times(5, STEP_AT - 3, STEP_AT - 2))


@pytest.mark.parametrize("start", [0, 30, 57])
def test_three_runs_are_a_segment(start: int) -> None:
    """Three that agree and are far off, at the ends too."""
    ends = [end for end in (start, start + 3) if 0 < end < COUNT]
    assert ends == places(noise() * times(2, start, start + 3))


def test_noise_is_no_change() -> None:
    """Normal noise, of any size."""
    assert [] == [at for seed in range(20) for at in places(noise(100, 0.01 + seed / 50, seed))]


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.98])
def test_drift_is_hardly_ever_a_change(keep: float) -> None:
    """Drift as large as the noise, that persists for two runs or for fifty: at most one in 1,000 points."""
    assert 2 >= sum(len(places(drift(keep, 0.02, 200, seed))) for seed in range(10))


def test_a_slow_wave_is_no_change() -> None:
    """What comes and goes gradually is drift."""
    wave = np.exp(0.04 * np.sin(np.arange(300) / 20))
    assert [] == [at for seed in range(5) for at in places(noise(300, seed=seed) * wave)]


@pytest.mark.parametrize("count", range(8))
def test_too_few_runs_have_no_change(count: int) -> None:
    """Not even if they differ."""
    assert [] == places(1.0 + np.arange(count))


@pytest.mark.parametrize("count", [1, 6, 60, 1000])
def test_a_constant_series_has_no_change(count: int) -> None:
    """Nor noise."""
    assert [] == places(np.full(count, 0.1))


def test_ties_are_no_change() -> None:
    """A coarse clock knows two values only."""
    assert [] == places(np.random.default_rng(0).choice([1.0, 1.01], 200))


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_value_that_is_no_duration_is_refused(wrong: float) -> None:
    """By its number and what it is."""
    with pytest.raises(ValueError, match=f"^value 2 is {wrong}; a positive finite number is needed$"):
        changes([1.0, 1.0, wrong, 1.0])


def test_the_same_series_gives_the_same_answer() -> None:
    """The permutations' seed is part of the arguments."""
    values = (noise() * times(1.06, STEP_AT, COUNT)).tolist()
    assert changes(values) == changes(values)
    assert [30] == [change.at for change in changes(values, seed=1)]


def test_most_steps_of_five_percent_are_found_in_two_percent_of_noise() -> None:
    """Within three runs, with 25 on each side; the budget's script measures it better."""
    found = [places(noise(50, seed=seed) * times(1.05, 25, 50, 50)) for seed in range(60)]
    assert 52 <= sum(any(abs(at - 25) <= 3 for at in one) for one in found)


def test_false_changes_are_few() -> None:
    """Below three in a thousand points of strong drift; the budget's script measures it better."""
    found = [at for seed in range(100) for at in places(drift(0.9, 0.03, 100, 1000 + seed))]
    assert 30 >= len(found)


def test_without_the_library_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And which Python has it: no traceback, and no empty answer."""
    monkeypatch.setitem(sys.modules, "ruptures", None)
    with pytest.raises(NoSearch, match=r"ruptures, which is not installed: .* Python 3.13 or older"):
        changes(noise())
