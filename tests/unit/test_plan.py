"""How long a session will take, from made-up times."""

from __future__ import annotations

import pytest

from laptime.plan import FIRST_GUESS_S, Plan, clock

NAMES = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("before_s", "left_s"),
    [
        ({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}, 10.0),
        ({"a": 1.0, "b": 2.0}, 3.0 + 2 * FIRST_GUESS_S),
        ({}, 4 * FIRST_GUESS_S),
        ({"gone": 99.0}, 4 * FIRST_GUESS_S),
    ],
    ids=["all known", "half known", "none known", "another known"],
)
def test_at_first_it_takes_as_long_as_before(before_s, left_s):
    """A benchmark that was never timed here is guessed at; one that isn't run takes nothing."""
    assert left_s == pytest.approx(Plan(NAMES, before_s).left_s())


def test_what_ran_is_no_longer_left():
    """Whether it took longer than before or not."""
    plan = Plan(NAMES, {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0})
    plan.done("b", 50.0)
    assert pytest.approx(8.0) == plan.left_s()


def test_the_guess_follows_this_session():
    """Of those without a past, the mean of what the others took now."""
    plan = Plan(NAMES, {"d": 4.0})
    plan.done("a", 1.0)
    plan.done("b", 3.0)
    assert pytest.approx(4.0 + 2.0) == plan.left_s()


def test_at_the_end_nothing_is_left():
    """Also where one ran twice."""
    plan = Plan(NAMES, {})
    for name in (*NAMES, "a"):
        plan.done(name, 1.0)
    assert 0 == plan.left_s()


@pytest.mark.parametrize(
    ("before", "known"), [((), False), (("a", "b"), False), (("a", "b", "c"), True), (("x", "y", "z"), False)]
)
def test_it_is_known_where_most_was_timed_before(before, known):
    """More than half; then the figure is more than a guess."""
    assert known is Plan(NAMES, dict.fromkeys(before, 1.0)).known


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (0.6, "1 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (65.0, "1 min 05 s"), (3_600.0, "60 min 00 s")],
)
def test_a_clock_shows_minutes_and_seconds(seconds, text):
    """Rounded to a second."""
    assert text == clock(seconds)
