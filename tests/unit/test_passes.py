"""In which order and how often a race visits its benchmarks, and when it ends: no clock, and orders from a seed."""

from __future__ import annotations

from collections import Counter

import pytest

from laptime.passes import LEAST_PASSES, LOOKS, MOST_PASSES, Limits, Schedule

NAMES = ["a", "b", "c", "d"]


def schedule(limits: Limits | None = None, seed: int = 7) -> Schedule:
    """A race of four."""
    return Schedule(NAMES, limits or Limits(), seed)


def looks(limits: Limits, pass_s: float, most: int = 200) -> dict[int, float]:
    """After which passes of so many seconds a race looks, at which error rate, until it is over."""
    race, found = schedule(limits), {}
    for number in range(1, most + 1):
        race.order()
        rate = race.look(number * pass_s)
        if rate is not None:
            found[number] = rate
        if race.is_over(number * pass_s):
            return found
    raise AssertionError(f"not over after {most} passes")


# the order


@pytest.mark.parametrize("canaries", [0, 2])
def test_a_pass_visits_each_once(canaries):
    """And has a place for each canary."""
    race = schedule()
    expected = Counter({**dict.fromkeys(NAMES, 1), **({None: canaries} if canaries else {})})
    assert [expected] * 20 == [Counter(race.order(canaries)) for _ in range(20)]


def test_the_first_pass_has_the_order_that_was_given():
    """So that the first benchmark answers first; where the canaries stand is drawn."""
    orders = [schedule(seed=seed).order(canaries=1) for seed in range(100)]
    assert [list(NAMES)] * 100 == [[name for name in order if name is not None] for order in orders]
    assert set(range(5)) == {order.index(None) for order in orders}


def test_each_later_pass_has_an_order_of_its_own():
    """Each place is taken by each, a canary too; none of the 24 orders of four is the rule."""
    race = schedule()
    race.look(0.0)
    orders = [tuple(race.order()) for _ in range(200)]
    assert 24 == len(set(orders))
    assert [set(NAMES)] * 4 == [set(place) for place in zip(*orders, strict=True)]
    with_canary = [race.order(canaries=1) for _ in range(200)]
    assert set(range(5)) == {order.index(None) for order in with_canary}


def test_orders_come_from_the_seed():
    """Which is stored, so that they can be drawn again; another one draws others."""
    first, again, other = schedule(seed=7), schedule(seed=7), schedule(seed=8)
    for race in (first, again, other):
        race.look(0.0)
    orders, same, others = ([race.order(2) for _ in range(10)] for race in (first, again, other))
    assert (7, orders) == (first.seed, same)
    assert orders != others


def test_who_left_is_visited_no_more():
    """The others stand in the order in which they were given; who isn't there can't leave."""
    race = schedule()
    race.drop({"c", "z"})
    assert ["a", "b", "d"] == race.running
    assert Counter("abd") == Counter(race.order())


def test_when_all_have_left_the_race_is_over():
    """However much time there is."""
    race = schedule()
    race.order()
    race.drop(NAMES)
    race.look(0.1)
    assert ([], True) == (race.running, race.is_over(0.1))


# looks


def test_a_race_with_time_looks_after_5_10_20_40_and_80_passes():
    """Each time at the rate of that look, and then it is over."""
    assert dict(LOOKS) == pytest.approx(looks(Limits(), 0.001))
    assert [5, 10, 20, 40, 80] == [passes for passes, _ in LOOKS]


def test_the_error_rates_of_all_looks_come_to_5_percent():
    """However long a race goes on, and wherever it ends."""
    assert 0.05 == pytest.approx(sum(rate for _, rate in LOOKS))
    for pass_s in (0.001, 0.7, 1.3, 2.9, 100.0):
        assert 0.05 == pytest.approx(sum(looks(Limits(), pass_s).values()))


def test_a_race_out_of_time_looks_once_more():
    """At the rate that is left, as it is its last one: 13 passes fit into the 30 s."""
    assert {5: 0.005, 10: 0.01, 13: 0.035} == pytest.approx(looks(Limits(), 2.3))


@pytest.mark.parametrize("pass_s", [3.1, 60.0])
def test_no_race_ends_for_want_of_time_before_its_tenth_pass(pass_s):
    """Fewer tell too little of how figures vary."""
    assert {5: 0.005, 10: 0.045} == pytest.approx(looks(Limits(), pass_s))
    assert 10 == LEAST_PASSES


@pytest.mark.parametrize(("pass_s", "passes"), [(2.0, 15), (2.07, 14), (2.5, 12), (1.0, 30)])
def test_a_race_ends_where_less_than_half_a_pass_is_left(pass_s, passes):
    """So that on average it takes the time it was given."""
    assert passes == max(looks(Limits(seconds=30.0), pass_s))


def test_a_race_has_no_more_than_80_passes():
    """With all the time of the world."""
    assert 80 == MOST_PASSES == max(looks(Limits(seconds=1e9), 1.0))


@pytest.mark.parametrize("passes", [1, 3, 8, 100])
def test_a_fixed_number_of_passes_is_kept_to(passes):
    """Whatever time they take, with one look, at the end, that has the whole rate."""
    for pass_s in (0.001, 100.0):
        assert {passes: pytest.approx(0.05)} == looks(Limits(passes=passes), pass_s)
