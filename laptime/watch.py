"""Watches one round: how much CPU each thread of a process tree has had, sampled by a process of its own.

It tells besides which process each client's port belongs to; which *thread* of the measured process sent a request,
an audit hook there notes (`http.client`, and so requests and urllib3). Run as ``python -m laptime.watch PID``;
`Watcher` does. Linux only: elsewhere there is nothing to sample, and a timeline has the replay's requests alone.
"""

from __future__ import annotations

import json
import os
import resource
import select
import sys
import threading
import time
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

from laptime import child
from laptime.measure import descendants

SAMPLE_INTERVAL_S = 0.002
SAMPLING_SHARE = 0.2
"""Of one CPU that sampling takes at the most: of a thousand threads, samples are fewer."""
LISTING_INTERVAL_S = 0.005
PORTS_INTERVAL_S = 0.05
STOP_LIMIT_S = 5.0
_ESTABLISHED = "01"

_senders: dict[int, int] | None = None
_hooked = False


class Watched(NamedTuple):
    """What was seen between `Watcher.start` and `Watcher.stop`; see `laptime.timeline.Seen`."""

    senders: dict[int, int]
    owners: dict[int, int]
    cpu: dict[tuple[int, int], list[tuple[int, int]]]


class Watcher(child.Helper):
    """A handle on the watching process; a context manager that leaves nothing behind."""

    called = "the watcher"

    def __init__(self) -> None:
        super().__init__((sys.executable, "-m", "laptime.watch", str(os.getpid())), STOP_LIMIT_S)

    def start(self, helpers: tuple[int, ...] = ()) -> None:
        """Begin to watch the tree, `helpers` (process ids) left out. Returns once the first sample is taken."""
        global _senders, _hooked
        if not _hooked:
            sys.addaudithook(_audit)
            _hooked = True
        self.ask("start " + " ".join(map(str, (self.pid, *helpers))))
        _senders = {}

    def stop(self) -> Watched:
        """End watching."""
        global _senders
        senders, _senders = _senders or {}, None
        answer = json.loads(self.ask("stop"))
        return Watched(
            senders,
            dict(answer["owners"]),
            {(pid, tid): [(at, cpu) for at, cpu in samples] for pid, tid, samples in answer["cpu"]},
        )


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Note which thread sends: at this moment the connection stands, and its port is known."""
    if _senders is not None and event == "http.client.send":
        with suppress(OSError, AttributeError):  # closed meanwhile, or not a socket of an internet family
            _senders[arguments[0].sock.getsockname()[1]] = threading.get_native_id()


class _Tree:
    """The threads of a process tree, and what each of them has computed."""

    def __init__(self, root: int, helpers: frozenset[int]) -> None:
        self._root, self._helpers = root, helpers
        self.cpu: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self.owners: dict[int, int] = {}
        self._files: dict[tuple[int, int], int] = {}
        self._closing = ExitStack()
        self._listed_ns = self._sampled_ns = time.monotonic_ns()

    def list_tasks(self) -> None:
        """Find threads that are new. What one had computed before it was found, it did since the last listing."""
        for pid in self._processes():
            with suppress(OSError):
                for name in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (read hundreds of times a second)
                    self._open(pid, int(name))
        self._listed_ns = time.monotonic_ns()

    def _processes(self) -> list[int]:
        return [pid for pid in (self._root, *descendants(self._root)) if pid not in self._helpers]

    def _open(self, pid: int, tid: int) -> None:
        if (pid, tid) in self._files:
            return
        with suppress(OSError):
            file = os.open(f"/proc/{pid}/task/{tid}/schedstat", os.O_RDONLY)
            self._closing.callback(os.close, file)
            self._files[pid, tid] = file
            if self.cpu:  # born in mid-round
                self.cpu[pid, tid] = [(self._listed_ns, 0)]

    def sample(self) -> None:
        """Read each thread's CPU time, in nanoseconds: the first number of its schedstat (proc_pid_schedstat)."""
        for task, file in list(self._files.items()):
            try:
                cpu_ns = int(os.pread(file, 64, 0).split()[0])
            except (OSError, IndexError):
                del self._files[task]  # it ended
                continue
            samples = self.cpu.setdefault(task, [])
            if len(samples) > 1 and samples[-2][1] == samples[-1][1] == cpu_ns:
                samples.pop()  # of a pause, its two ends
            samples.append((time.monotonic_ns(), cpu_ns))

    def find_ports(self) -> None:
        """Which process each connection's own end belongs to."""
        inodes = _ports()
        for pid in self._processes():
            if pid == self._root:
                continue
            with suppress(OSError):
                for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
                    with suppress(OSError):
                        link = os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115
                        if link in inodes:
                            self.owners[inodes[link]] = pid

    def close(self) -> None:
        """Close what is open."""
        self._closing.close()


def _ports() -> dict[str, int]:
    """``socket:[inode]`` -> local port, of the TCP connections that stand."""
    found = {}
    for family in ("tcp", "tcp6"):
        with suppress(OSError), open(f"/proc/net/{family}", encoding="ascii") as file:  # noqa: PTH123
            next(file)
            for line in file:
                fields = line.split()
                if fields[3] == _ESTABLISHED:
                    found[f"socket:[{fields[9]}]"] = int(fields[1].rpartition(":")[2], 16)
    return found


def _watch(root: int, helpers: frozenset[int]) -> str:
    tree = _Tree(root, helpers)
    try:
        tree.list_tasks()
        tree.sample()
        print("watching", flush=True)  # noqa: T201 (the answer to `start`)
        listed_at, interval_s = time.monotonic(), SAMPLE_INTERVAL_S
        ports_at = listed_at - PORTS_INTERVAL_S + LISTING_INTERVAL_S
        while not select.select([sys.stdin], [], [], interval_s)[0]:
            now = time.monotonic()
            if now - listed_at >= LISTING_INTERVAL_S:
                tree.list_tasks()
                listed_at = now
            if now - ports_at >= PORTS_INTERVAL_S:
                tree.find_ports()
                ports_at = now
            tree.sample()
            interval_s = max(SAMPLE_INTERVAL_S, (time.monotonic() - now) / SAMPLING_SHARE)
        tree.sample()
        tree.find_ports()
    finally:
        tree.close()
    computed = [(pid, tid, samples) for (pid, tid), samples in tree.cpu.items() if samples[-1][1] > samples[0][1]]
    return json.dumps({"owners": list(tree.owners.items()), "cpu": computed})


def main() -> None:
    """Watch when told to."""
    # a file is open for each thread
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # where the system's own limit is lower
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    root = int(sys.argv[1])
    child.obey(lambda helpers: _watch(root, helpers))


if __name__ == "__main__":
    main()
