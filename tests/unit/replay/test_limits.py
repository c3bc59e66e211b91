"""What a recorded origin lets through: so many requests at once, so many a second."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.replay import Limits, LimitsError
from laptime.replay.limits import Door

MS = 1_000_000
S = 1000 * MS


# Reading limits


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", Limits()),
        ("concurrent:4", Limits(concurrent=4)),
        ("rate:10", Limits(per_second=10)),
        ("rate:0.5", Limits(per_second=0.5)),
        ("rate:10:queue", Limits(per_second=10)),
        ("rate:10:429", Limits(per_second=10, turn_away=True)),
        ("concurrent:4,rate:10:429", Limits(4, 10, True)),
        (" rate:10 , concurrent:4 ", Limits(4, 10)),
        ("concurrent:100000,rate:1000000", Limits(100_000, 1e6)),
    ],
)
def test_limits_are_read_as_they_are_written(text: str, limits: Limits) -> None:
    """In any order, with blanks or without; none are no limits."""
    assert limits == Limits.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("4", "concurrent", "concurrent:", "concurrent:0", "concurrent:-1", "concurrent:1.5", "concurrent:100001"),
        *("concurrent:x", "concurrent:4:429", "concurrent:4,concurrent:5", "Concurrent:4", "concurrent:" + "9" * 5000),
        *("rate", "rate:", "rate:0", "rate:-1", "rate:nan", "rate:inf", "rate:1e7", "rate:0.0001", "rate:x"),
        *("rate:10:503", "rate:10:429:429", "rate:1,rate:2", "rate:10;concurrent:4", "burst:3"),
    ],
)
def test_any_other_limits_are_refused(text: str) -> None:
    """What are none is quoted, with ones that are."""
    with pytest.raises(LimitsError) as refused:
        Limits.parse(text)
    expected = "expected concurrent:4, rate:10 or rate:10:429, or two of them with a comma between"
    assert f"limits {text!r}: {expected}" == str(refused.value)


@given(
    st.builds(
        Limits,
        concurrent=st.none() | st.integers(1, 100_000),
        per_second=st.floats(1e-3, 1e6),
        turn_away=st.booleans(),
    )
)
def test_limits_are_shown_as_they_are_written(limits: Limits) -> None:
    """What was read from the text of limits has the same text."""
    assert str(limits) == str(Limits.parse(str(limits)))


@pytest.mark.parametrize(("text", "any_"), [("", False), ("concurrent:1", True), ("rate:1", True)])
def test_no_limits_are_none(text: str, any_: bool) -> None:
    """Nothing is looked at where nothing is limited."""
    assert any_ == bool(Limits.parse(text))


# The door


def test_so_many_enter_and_the_others_wait_in_line() -> None:
    """The first who leaves makes room for the first who waits."""
    door, entered = Door(Limits(concurrent=2)), list[int]()
    for number in range(5):
        door.enter(partial(entered.append, number))
    assert [0, 1] == entered
    door.leave()
    assert [0, 1, 2] == entered
    door.leave()
    door.leave()
    assert [0, 1, 2, 3, 4] == entered


def test_a_place_that_was_left_is_free() -> None:
    """Where nobody waits, the next one enters at once; never more than there is room for."""
    door, entered = Door(Limits(concurrent=2)), list[int]()
    for number in range(4):
        door.enter(partial(entered.append, number))
        door.leave()
    assert [0, 1, 2, 3] == entered
    for number in (4, 5, 6):
        door.enter(partial(entered.append, number))
    assert [0, 1, 2, 3, 4, 5] == entered


def test_without_a_number_all_enter() -> None:
    """A rate alone keeps nobody waiting here."""
    door, entered = Door(Limits(per_second=1)), list[int]()
    for number in range(5):
        door.enter(partial(entered.append, number))
    assert [0, 1, 2, 3, 4] == entered


@given(
    most=st.integers(1, 4),
    steps=st.lists(st.booleans(), max_size=60),
)
def test_never_more_than_so_many_are_inside(most: int, steps: list[bool]) -> None:
    """Whatever comes and goes: all enter in the order of their arrival, and nobody waits while there is room."""
    door, entered, arrived, left = Door(Limits(concurrent=most)), list[int](), 0, 0
    for arrives in steps:
        if arrives:
            door.enter(partial(entered.append, arrived))
            arrived += 1
        elif left < len(entered):
            door.leave()
            left += 1
        assert len(entered) - left == min(most, arrived - left)
    assert list(range(len(entered))) == entered


def test_slots_follow_each_other_at_the_rate() -> None:
    """The first at once, each further one an interval after the one before; who comes late has no claim to more."""
    door = Door(Limits(per_second=10))
    assert [0, 100 * MS, 200 * MS] == [door.slot_ns(0) for _ in range(3)]
    assert 300 * MS == door.slot_ns(250 * MS)
    assert [1000 * MS, 1100 * MS] == [door.slot_ns(1000 * MS), door.slot_ns(1000 * MS)]


def test_without_a_rate_every_slot_is_now() -> None:
    """However many come."""
    door = Door(Limits(concurrent=1))
    assert [7, 7, 8] == [door.slot_ns(7), door.slot_ns(7), door.slot_ns(8)]


@given(
    rate=st.floats(1e-3, 1e6),
    arrivals=st.lists(st.integers(0, 10**12), min_size=1, max_size=50).map(sorted),
)
def test_no_two_slots_are_closer_than_the_interval(rate: float, arrivals: list[int]) -> None:
    """None is before its request came, and in no second are there more than the rate allows."""
    door = Door(Limits(per_second=rate))
    slots = [door.slot_ns(arrival) for arrival in arrivals]
    interval = round(S / rate)
    assert [True] * len(slots) == [slot >= arrival for slot, arrival in zip(slots, arrivals, strict=True)]
    assert all(later - earlier >= interval for earlier, later in pairwise(slots))


@pytest.mark.parametrize(("at_ns", "after_s"), [(0, 2), (400 * MS, 2), (500 * MS, 1), (1499 * MS, 1), (1500 * MS, 0)])
def test_who_is_turned_away_is_told_when_to_come_again(at_ns: int, after_s: int) -> None:
    """In whole seconds, after which it is let in; who is, isn't told anything."""
    door = Door(Limits(per_second=2 / 3, turn_away=True))
    assert 0 == door.retry_after_s(0)
    assert 0 == door.slot_ns(0)
    assert after_s == door.retry_after_s(at_ns)
    assert 0 == door.retry_after_s(at_ns + after_s * S)


def test_who_may_wait_is_not_turned_away() -> None:
    """Without 429 in the limits."""
    door = Door(Limits(per_second=1))
    door.slot_ns(0)
    assert 0 == door.retry_after_s(0)


def test_a_round_begins_with_a_free_slot() -> None:
    """What the last round used up is no part of it."""
    door = Door(Limits(per_second=1, turn_away=True))
    door.slot_ns(0)
    door.begin()
    assert (0, 5) == (door.retry_after_s(5), door.slot_ns(5))
