"""Gates on one machine take turns: two at once would each be the other's noise."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

VARIABLE = "LAPTIME_GATE_LOCK"
"""Names another file: containers on one machine see each other's only where they share it. NONE: take no turns."""
NONE = os.devnull
_DEFAULT = "/tmp/laptime-gate.lock"
"""Not where TMPDIR says: that is often a job's own."""
_MOST = 2000


@contextmanager
def turn(directory: Path, wait: Callable[[str], None]) -> Iterator[list[str]]:
    """Until it is left, no other gate begins. Where one is at work, `wait` is told so, once, before waiting.

    Gives what is to be remarked: that nothing can be locked here, where that is so. A process that is killed leaves
    its turn, since the system does.
    """
    path = Path(os.environ.get(VARIABLE) or _DEFAULT)
    if path == Path(NONE):
        yield []
        return
    try:
        descriptor = _taken(path, wait)
    except OSError as error:
        yield [f"{path} can't be locked ({error.strerror}), so another gate may have run at the same time ({VARIABLE})"]
        return
    try:
        told = {"pid": os.getpid(), "directory": str(directory), "since": time.strftime("%H:%M:%S")}
        with suppress(OSError):  # a full disk: it is locked all the same
            os.pwrite(descriptor, json.dumps(told).encode(), 0)
        yield []
    finally:
        with suppress(OSError):
            if _is_still(descriptor, path):  # if not, it was removed meanwhile, and this one is another gate's
                path.unlink()  # whoever waits for it finds out, and makes a new one
        os.close(descriptor)


def _taken(path: Path, wait: Callable[[str], None]) -> int:
    told = False
    while True:
        descriptor = _opened(path)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    wait(f"waiting for another gate on this machine{_holder(descriptor)}")
                    told = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(descriptor, path):
                if os.pread(descriptor, 1, 0) not in (b"", b"{"):  # the variable names some other file
                    raise FileExistsError(errno.EEXIST, "it is no lock: it holds something else")
                os.ftruncate(descriptor, 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        try:
            # another user's file in a directory that all may write to can't be opened with O_CREAT
            return os.open(path, flags)
        except FileNotFoundError:
            with suppress(FileExistsError):
                descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(descriptor, 0o666)  # for every user, whatever the umask
                return descriptor


def _is_still(descriptor: int, path: Path) -> bool:
    """Whether the file that is locked is the one that others find."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    try:
        told = json.loads(os.pread(descriptor, _MOST, 0))
        return f": process {told['pid']} in {told['directory']}, since {told['since']}"
    except (ValueError, KeyError, TypeError):  # it has the lock, and has not written yet
        return ""
