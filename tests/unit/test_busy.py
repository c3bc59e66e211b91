"""What a round was kept from: the rule, and the difference of two readings, on made-up figures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from laptime import busy
from laptime.busy import Disturbance, Snapshot, Surroundings, together

linux = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux says who waited for a CPU")


# the rule


@pytest.mark.parametrize(
    ("disturbance", "wall_s", "cpu_s", "void"),
    [
        (Disturbance(0.0, 0.0, 0.0), 1.0, 1.0, False),
        (Disturbance(0.10, 0.0, 0.10), 1.0, 1.0, False),
        (Disturbance(0.11, 0.0, 0.11), 1.0, 1.0, True),
        # what others took from a CPU that stood idle cost it nothing, and it waits for itself too
        (Disturbance(0.9, 0.0, 0.0), 1.0, 1.0, False),
        (Disturbance(0.0, 0.0, 0.9), 1.0, 1.0, False),
        (Disturbance(0.9, 0.0, 0.05), 1.0, 0.05, False),
        # two CPUs that it kept busy have twice the time
        (Disturbance(0.15, 0.0, 0.15), 1.0, 1.9, False),
        (Disturbance(0.21, 0.0, 0.21), 1.0, 1.9, True),
        (Disturbance(0.15, 0.0, 0.15), 1.0, 1.02, True),
        (Disturbance(0.15, 0.0, 0.15), 1.0, 1.03, False),
        # where waiting isn't known, all that others computed counts
        (Disturbance(0.11, None, None), 1.0, 0.5, True),
        (Disturbance(0.10, None, None), 1.0, 0.5, False),
        # what is shorter than 10 ms is disturbed by anything
        (Disturbance(0.0009, 0.0, 0.0009), 0.001, 0.001, False),
        (Disturbance(0.0011, 0.0, 0.0011), 0.001, 0.001, True),
    ],
)
def test_a_round_is_void_where_it_waited_for_others_a_tenth_of_its_time(disturbance, wall_s, cpu_s, void):
    """Where it waited and they computed: the lesser of both, as a share of the CPUs that it kept busy."""
    assert void == disturbance.void(wall_s, cpu_s)


@pytest.mark.parametrize(
    ("stolen_s", "cpu_s", "void"),
    [
        (0.25, 0.5, False),
        (0.26, 0.5, True),
        (0.9, 0.75, False),
        (0.9, 0.74, True),
        (0.9, 1.0, False),
        (None, 0.0, False),
    ],
)
def test_a_round_is_void_where_the_host_took_a_quarter_of_it(stolen_s, cpu_s, void):
    """Of what it did not compute: a CPU that was noted as stolen while it computed all the time was not."""
    assert void == Disturbance(0.0, stolen_s, 0.0).void(1.0, cpu_s)


def test_rounds_that_follow_each_other_are_judged_together():
    """Sums; what isn't known of one isn't known of all."""
    known = [Disturbance(0.1, 0.2, 0.3), Disturbance(0.4, 0.5, 0.6)]
    assert Disturbance(0.5, 0.7, 0.9) == pytest.approx(together(known))
    assert known[0] == together(known[:1])
    assert (0.5, None, None) == together([*known, Disturbance(0.0, None, None)])


# two readings


def snapshot(
    others: dict[int, float],
    busy_s: float | None = None,
    stolen_s: float | None = None,
    waited_s: float | None = None,
    threads_s: float = 0.0,
    pressure_s: float | None = None,
    harness_s: float = 0.0,
) -> Snapshot:
    """A reading; what isn't said isn't known."""
    return Snapshot(others, harness_s, busy_s, stolen_s, waited_s, threads_s, pressure_s)


def between(before: Snapshot, after: Snapshot, cpu_s: float = 0.0) -> tuple[float | None, ...]:
    """What happened between two readings, to the nanosecond."""
    found = Surroundings().between(before, after, cpu_s)
    return tuple(None if value is None else round(value, 9) for value in found)


def test_what_is_not_known_is_none():
    """Off Linux there is no stealing and no waiting; what others computed is what is left of the whole."""
    assert (0.0, None, None) == between(snapshot({}), snapshot({}))
    ticks_s = 2 / os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
    before, after = snapshot({}, busy_s=10.0), snapshot({}, busy_s=12.0, harness_s=0.2)
    assert (round(2.0 - 0.5 - 0.2 - ticks_s, 9), None, None) == between(before, after, cpu_s=0.5)


def test_what_others_computed_is_what_their_clocks_say():
    """One that began meanwhile with all it has, one that ended with what only the sum of all tells."""
    before, after = snapshot({7: 1.0, 8: 5.0}), snapshot({7: 1.25, 9: 0.5})
    assert (0.75, None, None) == between(before, after)


def test_nothing_is_less_than_nothing():
    """Clocks and ticks differ by a little: no figure is below 0."""
    before = snapshot({7: 1.0}, busy_s=10.0, stolen_s=3.0, waited_s=2.0, threads_s=4.0, pressure_s=1.0)
    after = snapshot({}, busy_s=10.0, stolen_s=3.0, waited_s=1.5, threads_s=4.0, pressure_s=1.0)
    assert (0.0, 0.0, 0.0) == between(before, after, cpu_s=1.0)


def test_what_threads_waited_that_ended_is_the_pressure():
    """Where the living ones account for less than nine tenths of what was computed; else it is their own."""
    before = snapshot({}, waited_s=0.0, threads_s=0.0, pressure_s=0.0)
    ended = snapshot({}, waited_s=0.1, threads_s=0.8, pressure_s=0.5)
    lived = snapshot({}, waited_s=0.1, threads_s=0.9, pressure_s=0.5)
    assert (0.5, 0.1) == (between(before, ended, cpu_s=1.0)[2], between(before, lived, cpu_s=1.0)[2])
    unknown = ended._replace(pressure_s=None)
    assert between(before, unknown, cpu_s=1.0)[2] is None


@linux
def test_what_the_system_does_not_tell_is_none(monkeypatch):
    """A kernel without pressure, a container that hides /proc/stat: the rest stands."""
    monkeypatch.setattr(busy, "_PRESSURE", Path("/nowhere/pressure"))
    monkeypatch.setattr(busy, "_STAT", Path("/nowhere/stat"))
    now = Surroundings().snapshot()
    assert (None, None) == (now.pressure_s, now.busy_s)
    assert now.waited_s is not None


def test_off_linux_the_sum_of_all_is_read(monkeypatch):
    """No other's clock, no waiting and no stealing are known there."""
    monkeypatch.setattr(busy, "_LINUX", False)
    before = Surroundings().snapshot()
    assert ({}, None, None, None) == (before.others, before.waited_s, before.stolen_s, before.pressure_s)
    assert before.busy_s is not None
    found = Surroundings().between(before, Surroundings().snapshot(), 0.05)
    assert (None, None, True) == (found.waited_s, found.stolen_s, found.others_s >= 0)
