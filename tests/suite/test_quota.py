"""Workers with fewer CPUs: made-up control groups, and real ones where this user may make them."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workloads import limits
from workloads.limits import CannotLimit, Hierarchy, hierarchy, own

FIRST = """\
proc /proc proc rw 0 0
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""


# where


def test_version_1_is_where_the_cpu_controller_is():
    """Also beside version 2, which then has none."""
    assert Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), 1) == hierarchy(FIRST)


def test_version_2_must_hand_the_controller_on(tmp_path):
    """Else it is said which file lacks it; nothing is changed there."""
    mounts = f"proc /proc proc rw 0 0\ncgroup2 {tmp_path} cgroup2 rw,nsdelegate 0 0\n"
    handed_on = tmp_path / "cgroup.subtree_control"
    with pytest.raises(CannotLimit, match=f"{handed_on}: No such file"):
        hierarchy(mounts)
    handed_on.write_text("memory pids\n")
    with pytest.raises(CannotLimit, match=f"{handed_on} hands no CPU controller on"):
        hierarchy(mounts)
    handed_on.write_text("cpu memory pids\n")
    assert Hierarchy(tmp_path, 2) == hierarchy(mounts)


def test_a_system_without_control_groups_says_so():
    """As macOS, or a bare container."""
    with pytest.raises(CannotLimit, match="no control groups are mounted"):
        hierarchy("proc /proc proc rw 0 0\n")


@pytest.mark.parametrize(
    ("groups", "version", "path"),
    [
        ("0::/user.slice/a:b\n", 2, "user.slice/a:b"),
        ("4:memory:/x\n1:cpu,cpuacct:/y/z\n0::/w\n", 1, "y/z"),
        ("4:memory:/x\n1:cpu,cpuacct:/y/z\n0::/w\n", 2, "w"),
        ("1:cpuset:/x\n", 1, ""),
        ("", 2, ""),
    ],
)
def test_a_process_s_own_group_is_read_from_the_system_s_list(groups, version, path):
    """Below the hierarchy's root."""
    assert path == own(groups, version)


# made-up groups


def test_a_group_that_cannot_be_made_says_why(tmp_path):
    """The path, and the system's reason."""
    with (
        pytest.raises(CannotLimit, match=rf"{tmp_path}/no/laptime-{os.getpid()} can't be made: No such file"),
        limits.quota(1, Hierarchy(tmp_path / "no", 2)),
    ):
        pass


def test_a_quota_that_cannot_be_set_leaves_no_group(tmp_path, monkeypatch):
    """It is removed again, and the reason is the system's."""

    def refuse(group, cpus, version):
        raise CannotLimit("no")

    # a directory is no control group: it lists no processes
    (tmp_path / "cgroup.procs").write_text("")
    monkeypatch.setattr(limits, "_limit", refuse)
    monkeypatch.setattr(Path, "read_text", lambda path: "")
    with pytest.raises(CannotLimit, match="no"), limits.quota(1, Hierarchy(tmp_path, 2)):
        pass
    assert ["cgroup.procs"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("version", "files"),
    [(2, {"cpu.max": "10000 20000"}), (1, {"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "10000"})],
)
def test_a_quota_is_written_as_the_version_has_it(tmp_path, version, files):
    """Half a CPU."""
    limits._limit(tmp_path, 0.5, version)
    assert files == {path.name: path.read_text() for path in tmp_path.iterdir()}


# real ones


@pytest.fixture
def real() -> Hierarchy:
    """This machine's control groups, where this user may make one."""
    try:
        found = hierarchy(Path("/proc/mounts").read_text())
        with limits.quota(1, found):
            return found
    except (OSError, CannotLimit) as why:
        pytest.skip(f"no control group can be made here: {why}")


def groups_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


def test_a_worker_joins_and_the_group_is_gone_at_the_end(real):
    """It is in the group when it works, and this process isn't."""
    with limits.quota(1, real) as group:
        with multiprocessing.get_context("fork").Pool(1, limits.join, (group,)) as pool:
            assert f"/{group.name}\n" in pool.apply(groups_of, (pool._pool[0].pid,))
            pool.close()
            pool.join()
        assert group.name not in groups_of(os.getpid())
    assert not group.exists()


def test_who_is_still_in_the_group_is_taken_out_whatever_happens(real):
    """A process that lives on after an error is back where it came from."""
    home = own(groups_of(os.getpid()), real.version)
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        def fails_with_it_inside() -> None:
            with limits.quota(1, real) as group:
                (group / "cgroup.procs").write_text(str(process.pid))
                assert f"/{group.name}\n" in groups_of(process.pid)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fails_with_it_inside()
        assert home == own(groups_of(process.pid), real.version)
        assert [] == list(real.root.glob(f"{limits.PREFIX}{os.getpid()}"))
        process.communicate()


def test_what_a_killed_process_left_is_removed_by_the_next(real):
    """But not the group of one that lives."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, living = (real.root / f"{limits.PREFIX}{pid}" for pid in (ended.pid, os.getppid()))
    dead.mkdir()
    living.mkdir()
    try:
        with limits.quota(1, real):
            assert (False, True) == (dead.exists(), living.exists())
    finally:
        living.rmdir()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system knows no affinity")
def test_a_pinned_worker_has_one_cpu():
    """And this process keeps its own."""
    before = limits.usable()
    with multiprocessing.get_context("fork").Pool(1, limits.pin, (before[-1],)) as pool:
        assert [before[-1]] == pool.apply(limits.usable)
        pool.close()
        pool.join()
    assert before == limits.usable()
