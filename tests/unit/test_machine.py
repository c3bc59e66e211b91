"""What is told of the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import sysconfig
import types

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
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
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


# What must be equal


@pytest.fixture
def cpu_info(tmp_path, monkeypatch):
    """Write what the kernel says of the processors."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "_CPU_INFO", path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "any64")
    monkeypatch.setattr(platform, "processor", lambda: "")
    return path.write_bytes


@pytest.mark.parametrize(
    ("written", "model"),
    [
        (b"processor\t: 0\nmodel name\t: Fast CPU @ 3.00GHz\n\nprocessor\t: 1\n", "Fast CPU @ 3.00GHz"),
        (b"model name\t: Fast: CPU\n", "Fast: CPU"),
        (b"model name\t: Fast\xae CPU\n", "Fast\ufffd CPU"),
        (b"CPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n", "ARM 0x41 0xd0c 0x3"),
        (b"CPU part\t: 0xd0c\n", "ARM 0xd0c"),
        (b"model name\t:\n", "any64"),
        (b"processor\t: 0\n", "any64"),
        (b"no colon\n", "any64"),
        (b"", "any64"),
    ],
)
def test_a_processor_is_called_as_the_kernel_calls_it(cpu_info, written, model):
    """By its model, by the numbers of an ARM, or by the architecture."""
    cpu_info(written)
    assert model == machine.cpu_model()


@pytest.mark.usefixtures("cpu_info")
def test_where_the_kernel_says_nothing_python_does(monkeypatch):
    """The architecture at the least."""
    assert "any64" == machine.cpu_model()
    monkeypatch.setattr(platform, "processor", lambda: "some CPU")
    assert "some CPU" == machine.cpu_model()


@pytest.mark.parametrize(("output", "model"), [("Apple M9\n", "Apple M9"), ("\n", "any64"), ("", "any64")])
def test_a_mac_s_processor_is_asked_of_the_system(monkeypatch, output, model):
    """There is no such file."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "any64")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, output, ""))
    assert model == machine.cpu_model()


def test_a_mac_without_the_program_has_an_architecture(monkeypatch):
    """What is told is never the reason for no figures."""

    def absent(command, **_):
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "any64")
    monkeypatch.setattr(subprocess, "run", absent)
    assert "any64" == machine.cpu_model()


def test_a_machine_is_its_processor_its_limits_and_its_system(monkeypatch, cpu_max):
    """Each by its name."""
    cpu_max("150000 100000\n")
    monkeypatch.setattr(machine, "cpu_model", lambda: "Fast CPU")
    monkeypatch.setattr(machine, "affinity_cpus", lambda: 3)
    monkeypatch.setattr(platform, "machine", lambda: "any64")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian", "VERSION_ID": "12"})
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    assert {
        "cpu": "Fast CPU",
        "usable CPUs": 3,
        "CPU quota": 1.5,
        "architecture": "any64",
        "OS": "Linux debian 12",
        "libc": "glibc 2.36",
    } == machine.machine()


def test_a_system_need_not_say_what_it_is(monkeypatch):
    """Then its kernel's release stands for it, and no C library is none."""

    def absent():
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", absent)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "release", lambda: "24.1.0")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    told = machine.machine()
    assert ("Darwin 24.1.0", None) == (told["OS"], told["libc"])


def test_an_interpreter_is_what_may_change_its_speed():
    """This one's."""
    told = machine.interpreter()
    assert platform.python_version() == told["version"]
    assert platform.python_implementation() == told["implementation"]
    assert machine.gil() == told["GIL"]
    assert (bool, bool, bool, str) == tuple(type(told[key]) for key in ("free-threaded", "debug", "JIT", "configured"))


@pytest.mark.parametrize(
    ("arguments", "configured"),
    [
        ("'--with-lto=thin' '--enable-optimizations' '--prefix=/usr'", "--enable-optimizations --with-lto=thin"),
        ("'--enable-optimizations' '--with-lto=thin'", "--enable-optimizations --with-lto=thin"),
        ("--enable-experimental-jit=yes-off CC='gcc -O3'", "--enable-experimental-jit=yes-off"),
        ("'--prefix=/usr'", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_an_interpreter_is_told_by_what_it_was_configured_with(monkeypatch, arguments, configured):
    """Of that what matters, in one order."""
    known = {"CONFIG_ARGS": arguments, "Py_GIL_DISABLED": 1, "Py_DEBUG": 0}
    monkeypatch.setattr(sysconfig, "get_config_var", known.get)
    told = machine.interpreter()
    assert (configured, True, False) == (told["configured"], told["free-threaded"], told["debug"])


@pytest.mark.parametrize("enabled", [True, False])
def test_a_jit_counts_where_it_is_on(monkeypatch, enabled):
    """From 3.14 on there may be one."""
    monkeypatch.setattr(sys, "_jit", types.SimpleNamespace(is_enabled=lambda: enabled), raising=False)
    assert enabled is machine.interpreter()["JIT"]


def test_what_is_told_can_be_stored():
    """As JSON, and the same again; the host's name is beside it, since it is not compared."""
    for told in (machine.machine(), machine.interpreter(), machine.host()):
        assert told == json.loads(json.dumps(told))
    assert set() == {*machine.host()} & {*machine.machine(), *machine.interpreter()}


@pytest.mark.parametrize(
    ("told", "stolen"),
    [
        ("cpu  1 2 3 4 5 6 7 800 9 10\ncpu0 1 2 3 4 5 6 7 300 9 10\n", 800),
        ("cpu  1 2 3 4 5 6 7\n", None),
        ("cpu  1 2 3 4 5 6 7 much 9\n", None),
        ("", None),
        (None, None),
    ],
    ids=["all CPUs'", "an old kernel", "no figure", "empty", "no such file"],
)
def test_what_the_host_took_is_read_where_it_is_told(tmp_path, monkeypatch, told, stolen):
    """In seconds of all CPUs together."""
    file = tmp_path / "stat"
    if told is not None:
        file.write_text(told)
    monkeypatch.setattr(machine, "_STAT", file)
    expected = None if stolen is None else stolen / os.sysconf("SC_CLK_TCK")
    assert expected == machine.stolen_s()
