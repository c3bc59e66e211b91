"""What is told of the machine."""

from __future__ import annotations

import os
import sys

import psutil
import pytest

from laptime import machine


@pytest.fixture
def cpu_max(tmp_path, monkeypatch):
    """Write what the control group's file says."""
    path = tmp_path / "cpu.max"
    monkeypatch.setattr(machine, "_CPU_MAX", path)
    return path.write_text


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no CPU affinity")
def test_only_cpus_that_may_be_used_count(monkeypatch):
    """Of a machine's many, a process may be held to a few."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 4, 5})
    assert 3 == machine.affinity_cpus()


def test_without_affinity_every_cpu_counts(monkeypatch):
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 7)
    assert 7 == machine.affinity_cpus()


@pytest.mark.parametrize(
    ("written", "quota"),
    [("150000 100000\n", 1.5), ("50000 100000\n", 0.5), ("max 100000\n", None), ("", None), ("150000\n", None)],
)
def test_the_quota_is_in_cpus(cpu_max, written, quota):
    """The time that may be used over the period; None where there is no limit, or nothing that says so."""
    cpu_max(written)
    assert quota == machine.cpu_quota()


def test_without_control_groups_there_is_no_quota(monkeypatch, tmp_path):
    """As on macOS."""
    monkeypatch.setattr(machine, "_CPU_MAX", tmp_path / "missing")
    assert machine.cpu_quota() is None


@pytest.mark.parametrize(
    ("affinity", "written", "usable"), [(4, "150000 100000", 1.5), (1, "400000 100000", 1), (4, "max 100000", 4)]
)
def test_usable_is_the_lesser_of_affinity_and_quota(monkeypatch, cpu_max, affinity, written, usable):
    """Both limit what runs at once."""
    monkeypatch.setattr(machine, "affinity_cpus", lambda: affinity)
    cpu_max(written)
    assert usable == machine.usable_cpus()


@pytest.mark.parametrize(("enabled", "told"), [(True, "on"), (False, "off")])
def test_the_gil_is_told_as_it_is_now(monkeypatch, enabled, told):
    """A free-threaded build may turn it on at run time."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: enabled, raising=False)
    assert told == machine.gil()


def test_an_interpreter_that_does_not_tell_has_the_gil(monkeypatch):
    """Before 3.13 there was no other."""
    monkeypatch.delattr(sys, "_is_gil_enabled", raising=False)
    assert "on" == machine.gil()
