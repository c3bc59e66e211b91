"""A recording's files: whole whenever it is killed or interrupted, and written by recordings only.

Kills are real: `Nursery` is a process with everything imported that forks one for each recording. Such a process kills
itself at a step of a given number (or is killed from here), and what it left is looked at from here.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent
from threading import Event
from typing import Any

import psutil
import pytest
import requests
import vcr
import yaml

from laptime.cassette import Cassette, CassetteError, load, sidecar_path
from laptime.record import RecordError, record
from laptime.record._files import draft, publish
from tests.support import HANG_LIMIT_S, PASSES, Exchange, contents, timing, write_cassette
from tests.support.origins import Habit, Reply, always, asking, no_hang
from tests.support.sessions import pytest as pytest_in
from tests.support.sessions import run as run_in
from tests.support.sessions import until, write

__all__ = ["no_hang"]

OK = 0
NEW = (Exchange("http://site.test/new", body="new"), Exchange("http://site.test/new/2", body="newer"))
OLD = (Exchange("http://site.test/old", body="old", passes=[timing(wait=float(wait)) for wait in range(PASSES)]),)

NURSERY = """
    '''Reads {"do": "record" or "publish", …} and {"wait": pid} from lines; answers {"pid"} and {"status"}.'''
    import io, json, os, resource, signal, sys
    from pathlib import Path

    import requests
    from laptime.cassette import load
    from laptime.record import _files, record

    STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "socket.connect"}

    def countdown(stop, number):
        left = stop

        def step():
            nonlocal left
            if left == 0:
                left -= 1
                signal.raise_signal(number)
            left -= 1

        return step

    def watch_files(step):
        '''A step before each file that is opened for writing, renamed or removed, and each connection.'''

        def seen(event, arguments):
            if event in STEPS and (event != "open" or arguments[1] not in ("r", "rb", None) or arguments[2] & 3):
                step()

        sys.addaudithook(seen)

    def watch_publishing(step):
        '''A step before and after each replacement and write, and one in the middle of each write.'''
        replace = Path.replace

        def replaced(self, target):
            step()
            found = replace(self, target)
            step()
            return found

        def written(self, data, *args, **kwargs):
            data = data if isinstance(data, bytes) else data.encode()
            step()
            with io.open(self, "wb") as file:
                step()
                file.write(data[: len(data) // 2])
                file.flush()
                step()
                file.write(data[len(data) // 2 :])
            step()
            return len(data)

        Path.replace, Path.write_text, Path.write_bytes = replaced, written, written

    def work(order):
        step = countdown(order["stop"], signal.SIGINT if order["interrupt"] else signal.SIGKILL)
        path = Path(order["path"])
        if order["do"] == "publish":
            watch_publishing(step)
            _files.publish(Path(order["made"]), path)
        else:
            def run():
                with requests.Session() as client:
                    for target in order["targets"]:
                        client.get(order["url"] + target, timeout=60)

            watch_files(step)
            if order["most_bytes"] is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (order["most_bytes"],) * 2)
            record(path, run, "live", passes=5)

    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = {"status": os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])}
        else:
            pid = os.fork()
            if not pid:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.dup2(os.open(os.devnull, os.O_RDWR), 1)
                try:
                    work(order)
                except KeyboardInterrupt:
                    os._exit(130)
                except OSError as error:
                    os._exit(error.errno)
                except BaseException as error:
                    sys.stderr.write(repr(error))
                    sys.stderr.flush()
                    os._exit(1)
                os._exit(0)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)
"""
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Nursery:
    """A process that forks others to record and to publish."""

    process: subprocess.Popen[str]

    def start(self, do: str, path: Path, **order: object) -> int:
        """Start one; the result is its id.

        stop        the step at which it ends itself: 0 is before anything else, -1 never
        interrupt   it does so by Ctrl-C rather than by a kill
        most_bytes  no file may become longer
        """
        settings = {"stop": -1, "interrupt": False, "most_bytes": None}
        whole = {"do": do, "path": str(path), **settings, **order}
        pid: int = self._ask(whole)["pid"]
        return pid

    def end(self, pid: int) -> int:
        """The exit code, negative where it was killed."""
        status: int = self._ask({"wait": pid})["status"]
        return status

    def do(self, do: str, path: Path, **order: Any) -> int:
        """Start one, and wait for its end."""
        return self.end(self.start(do, path, **order))

    def _ask(self, order: dict[str, object]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """The process, which ends with the module's tests."""
    command = [sys.executable, "-c", dedent(NURSERY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()
        assert OK == process.wait(HANG_LIMIT_S)


def loaded(path: Path) -> Cassette | None:
    """A cassette; None where there is none (one that can't be read is an error)."""
    return load(path) if path.exists() else None


def vcrpy_plays(path: Path) -> int:
    """How many interactions vcrpy itself finds in a file."""
    serializer = "json" if path.suffix == ".json" else "yaml"
    with vcr.VCR(serializer=serializer, record_mode=vcr.mode.NONE).use_cassette(str(path)) as cassette:
        return len(cassette.requests)


def publish_anew(path: Path, exchanges: Sequence[Exchange]) -> Cassette:
    """Do what the next recording does with its files; the result is what is there then."""
    with draft(path) as made:
        assert [] == list(made.parent.iterdir())
        as_json(write_cassette(made, *exchanges))
        publish(made, path)
    return load(path)


def as_json(path: Path) -> None:
    """Write a cassette, if its name says so, as JSON, and the digest of that into its side-car."""
    if path.suffix != ".json" or not path.exists():
        return
    path.write_text(json.dumps(yaml.safe_load(path.read_bytes())))
    with suppress(FileNotFoundError):
        document = json.loads(sidecar_path(path).read_text())
        document["cassette_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        sidecar_path(path).write_text(json.dumps(document))


# Publishing, killed at each step


def leave_pair(path: Path) -> None:
    """An old pair."""
    write_cassette(path, *OLD)


def leave_untimed(path: Path) -> None:
    """An old cassette without a side-car."""
    write_cassette(path, *OLD, timed=False)


def leave_nothing(path: Path) -> None:
    """Nothing at all."""


def leave_same(path: Path) -> None:
    """A pair whose cassette is the new one, byte for byte, with other times."""
    write_cassette(path, *(replace(one, passes=[timing(wait=9.0)] * PASSES) for one in NEW))


def leave_replacing(path: Path) -> None:
    """An old pair that an earlier recording was about to replace when it was killed."""
    leave_pair(path)
    _carry(path)


def leave_replacing_untimed(path: Path) -> None:
    """The same, of an old cassette without a side-car."""
    leave_untimed(path)
    _carry(path)


def leave_replaced(path: Path) -> None:
    """A pair that an earlier recording had just put in an older one's place when it was killed."""
    leave_pair(path)
    document = json.loads(sidecar_path(path).read_text())
    document["replaces"] = {**document, "cassette_sha256": "0" * 64}
    sidecar_path(path).write_text(json.dumps(document))


def leave_stray(path: Path) -> None:
    """A side-car without a cassette."""
    leave_pair(path)
    path.unlink()


def _carry(path: Path) -> None:
    """Put a new side-car beside an old cassette, as a recording does first."""
    other = write_cassette(path.with_name("other.yaml"), Exchange("http://site.test/other"))
    old: dict[str, Any] = {"cassette_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    with suppress(FileNotFoundError):
        old = json.loads(sidecar_path(path).read_text())
    document = json.loads(sidecar_path(other).read_text())
    sidecar_path(path).write_text(json.dumps({**document, "replaces": old}))
    other.unlink()
    sidecar_path(other).unlink()


LEFT: list[Callable[[Path], None]] = [
    leave_pair,
    leave_untimed,
    leave_nothing,
    leave_same,
    leave_replacing,
    leave_replacing_untimed,
    leave_replaced,
    leave_stray,
]


@pytest.mark.parametrize(("leave", "name"), [*((leave, "items.yaml") for leave in LEFT), (leave_pair, "items.json")])
def test_publishing_that_is_killed_leaves_the_old_pair_or_the_new_one(
    tmp_path: Path, nursery: Nursery, leave: Callable[[Path], None], name: str
) -> None:
    """At each step: the old one with its times until the new cassette is in its place; the next recording succeeds."""
    path, made = tmp_path / name, tmp_path / ".items.recording" / name
    stop, seen = 0, []
    while True:
        leave(path)
        as_json(path)
        old = loaded(path)
        made.parent.mkdir(exist_ok=True)
        as_json(write_cassette(made, *NEW))
        new = replace(load(made), path=path)
        code = nursery.do("publish", path, made=str(made), stop=stop)
        there = loaded(path)
        assert there in (old, new), f"neither after step {stop}"
        if there is not None:
            assert len(there.interactions) == vcrpy_plays(path)
            is_new = hashlib.sha256(path.read_bytes()).hexdigest() == new.sha256
            assert (new.sha256 if is_new else old.sha256 if old else "") == there.sha256
        seen.append(there == new)
        if code == OK:
            break
        assert -signal.SIGKILL == code
        after = publish_anew(path, NEW)
        assert [one.uri for one in NEW] == [one.uri for one in after.interactions]
        assert {path, sidecar_path(path)} == set(tmp_path.iterdir())
        path.unlink()
        sidecar_path(path).unlink()
        stop += 1
    assert (False, True) == (seen[0], seen[-1])
    assert sorted(seen) == seen
    assert stop >= 10


@pytest.mark.parametrize(
    "sidecar", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"replaces": 3}', b'{"version": 1, "cassette_sha256": "0"}']
)
def test_an_old_side_car_that_is_broken_is_replaced(tmp_path: Path, sidecar: bytes) -> None:
    """Whatever it holds; the new pair is whole."""
    path = write_cassette(tmp_path / "items.yaml", *OLD)
    sidecar_path(path).write_bytes(sidecar)
    assert [one.uri for one in NEW] == [one.uri for one in publish_anew(path, NEW).interactions]
    assert {path, sidecar_path(path)} == set(tmp_path.iterdir())
    assert "replaces" not in json.loads(sidecar_path(path).read_text())


def test_an_old_cassette_that_is_broken_is_replaced(tmp_path: Path) -> None:
    """It is none that the result could name."""
    path = write_cassette(tmp_path / "items.yaml", *OLD)
    path.write_text("version: 1\ninteractions: [")
    with Habit(always()).serving() as url:
        made = record(path, asking(url, "/a"), "live", passes=PASSES)
    assert (None, load(path)) == (made.replaced, made.cassette)


# Whole recordings, killed and interrupted


@pytest.fixture
def origin() -> Habit:
    """An origin whose answers, and so cassettes, are different each time."""
    return Habit(lambda asked: Reply(body=b"%06d" % asked.visit))


@dataclass(frozen=True, slots=True)
class Before:
    """The pair that was there before a recording, and where its new one comes from."""

    path: Path
    cassette: Cassette
    raw: bytes
    url: str

    def check(self) -> bool:
        """Hold the pair to be whole, old or new; whether it is new."""
        there = load(self.path)
        assert len(there.interactions) == vcrpy_plays(self.path)
        if self.path.read_bytes() == self.raw:
            assert self.cassette == there
            return False
        assert ("live", PASSES, [f"{self.url}/a"]) == (
            there.origin_kind,
            there.passes,
            [one.uri for one in there.interactions],
        )
        return True


@contextmanager
def before_recording(path: Path, origin: Habit) -> Iterator[Before]:
    """An old pair, and the origin at work."""
    write_cassette(path, *OLD)
    with origin.serving() as url:
        yield Before(path, load(path), path.read_bytes(), url)


@pytest.mark.parametrize("interrupt", [False, True], ids=["killed", "interrupted"])
def test_a_recording_that_ends_at_any_step_leaves_a_whole_pair(
    tmp_path: Path, nursery: Nursery, origin: Habit, interrupt: bool
) -> None:
    """Before each connection, and each file that is opened, renamed or removed; the next recording is whole."""
    path, stop, news = tmp_path / "items.yaml", 0, []
    while True:
        with before_recording(path, origin) as before:
            code = nursery.do("record", path, url=before.url, targets=["/a"], stop=stop, interrupt=interrupt)
            news.append(before.check())
            if code == OK:
                break
            assert (INTERRUPTED if interrupt else -signal.SIGKILL) == code
            assert {path, sidecar_path(path)} == set(tmp_path.iterdir()) - {tmp_path / ".items.recording"}
            record(path, asking(before.url, "/a"), "live", passes=PASSES)
            assert before.check()
            assert {path, sidecar_path(path)} == set(tmp_path.iterdir())
        stop += 1
    assert (False, True) == (news[0], news[-1])
    assert stop > 1 + PASSES
    assert {path, sidecar_path(path)} == set(tmp_path.iterdir())


KILLS = 25


def test_a_recording_that_is_killed_at_any_time_leaves_a_whole_pair(
    tmp_path: Path, nursery: Nursery, origin: Habit
) -> None:
    """From outside, at moments spread over the time that one takes; the next recording is whole."""
    path = tmp_path / "items.yaml"
    with before_recording(path, origin) as before:
        started_s = time.monotonic()
        assert OK == nursery.do("record", path, url=before.url, targets=["/a"])
        took_s = time.monotonic() - started_s
    for number in range(KILLS):
        with before_recording(path, origin) as before:
            pid = nursery.start("record", path, url=before.url, targets=["/a"])
            time.sleep(took_s * number / (KILLS - 1))
            os.kill(pid, signal.SIGKILL)  # its parent has not waited for it, so this is it
            assert nursery.end(pid) in (OK, -signal.SIGKILL)
            before.check()
    with before_recording(path, origin) as before:
        record(path, asking(before.url, "/a"), "live", passes=PASSES)
        assert before.check()
    assert {path, sidecar_path(path)} == set(tmp_path.iterdir())


@pytest.mark.parametrize("most_bytes", [0, 100, 800])
def test_a_recording_that_finds_no_room_leaves_the_old_pair(
    tmp_path: Path, nursery: Nursery, origin: Habit, most_bytes: int
) -> None:
    """Whether the new cassette or its side-car can't be written, and nothing beside it."""
    path = tmp_path / "items.yaml"
    with before_recording(path, origin) as before:
        code = nursery.do("record", path, url=before.url, targets=["/a"], most_bytes=most_bytes)
        assert (errno.EFBIG, False) == (code, before.check())
    assert {path, sidecar_path(path)} == set(tmp_path.iterdir())


# Two at once


def test_a_cassette_is_recorded_by_one_at_a_time(tmp_path: Path, nursery: Nursery) -> None:
    """The second is refused with a message that names the file, and the first is unharmed."""
    path, released = tmp_path / "items.yaml", Event()

    def answer(asked: object) -> Reply:
        assert released.wait(HANG_LIMIT_S)
        return Reply()

    origin = Habit(answer)
    with origin.serving() as url:
        pid = nursery.start("record", path, url=url, targets=["/a"])
        until(lambda: origin.asked)
        with pytest.raises(RecordError) as failed:
            record(path, pytest.fail, "live", passes=PASSES)
        released.set()
        assert OK == nursery.end(pid)
    assert f"{path}: is being recorded by another process" == str(failed.value)
    assert [f"{url}/a"] == [one.uri for one in load(path).interactions]
    assert {path, sidecar_path(path)} == set(tmp_path.iterdir())


def test_other_cassettes_are_recorded_at_the_same_time(tmp_path: Path) -> None:
    """Also in the same directory."""
    with Habit(always()).serving() as url, draft(tmp_path / "other.yaml"):
        record(tmp_path / "items.yaml", asking(url, "/a"), "live", passes=PASSES)
        assert {"items.yaml", "items.timings.json"} == set(contents(tmp_path))


def test_a_recording_that_begins_as_another_ends_is_none_of_its_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other removes its directory just after this one opened it: this one takes a new one."""
    flock = fcntl.flock
    directory = tmp_path / ".items.recording"

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        shutil.rmtree(directory)
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", late)
    with draft(tmp_path / "items.yaml") as made:
        assert directory == made.parent
        assert directory.is_dir()
    assert [] == list(tmp_path.iterdir())


def test_a_recording_that_begins_as_others_end_and_begin_leaves_them_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One removes its directory just after this one opened it, and a third makes a new one: this one is refused."""
    flock = fcntl.flock
    directory = tmp_path / ".items.recording"
    theirs: list[int] = []

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        shutil.rmtree(directory)
        directory.mkdir()
        (directory / "items.yaml").write_text("the third one's")
        theirs.append(os.open(directory, os.O_RDONLY))
        flock(theirs[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", late)
    try:
        with pytest.raises(RecordError, match="is being recorded by another process"), draft(tmp_path / "items.yaml"):
            pytest.fail("two at once")
    finally:
        os.close(theirs[0])
    assert "the third one's" == (directory / "items.yaml").read_text()


def test_what_a_killed_recording_left_does_not_hold_up_the_next(tmp_path: Path, nursery: Nursery) -> None:
    """Its lock dies with it, and its files are removed."""
    path, asked = tmp_path / "items.yaml", Event()

    def answer(_: object) -> Reply:
        asked.set()
        assert ended.wait(HANG_LIMIT_S)
        return Reply()

    ended = Event()
    with Habit(answer).serving() as url:
        pid = nursery.start("record", path, url=url, targets=["/a"])
        assert asked.wait(HANG_LIMIT_S)
        os.kill(pid, signal.SIGKILL)  # its parent has not waited for it, so this is it
        assert -signal.SIGKILL == nursery.end(pid)
        ended.set()
        (tmp_path / ".items.recording" / "items.yaml").write_text("left behind")
        record(path, asking(url, "/a"), "live", passes=PASSES)
    assert {path, sidecar_path(path)} == set(tmp_path.iterdir())


# Who writes


SUITE = """
    from collections import Counter
    from contextlib import contextmanager
    from pathlib import Path
    from urllib.request import urlopen

    HERE = Path(__file__).parent

    @contextmanager
    def asking(url):
        yield lambda: [urlopen(url + "/old", timeout=60).read()]

    def is_right(answer):
        assert [b"old"] == answer

    def test_old(replay, lap):
        stage = replay(HERE / "items.yaml")
        lap(lambda: asking(stage.url()), is_right, stage=stage, requests=Counter(["GET /old"]), rounds=(2, 2, 0.0))
"""
LAPTIME = (sys.executable, "-m", "laptime.cli")


def serve_and_ask(directory: Path, before: Sequence[str]) -> tuple[int, str]:
    """Serve the cassette until it was asked for, and end that."""

    def ask(process: subprocess.Popen[bytes]) -> None:
        pid = process.pid
        until(lambda: process.poll() is not None or list(listening(pid)))
        for port in listening(pid):
            assert "old" == requests.get(f"http://127.0.0.1:{port}/old", timeout=HANG_LIMIT_S).text
        process.send_signal(signal.SIGINT)

    ended = run_in(directory, *before, *LAPTIME, "serve", directory / "items.yaml", during=ask)
    return ended.code, ended.text


def listening(pid: int) -> Iterator[int]:
    """The ports at which a process, or one that it started, listens."""
    with suppress(psutil.NoSuchProcess):
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            for connection in process.net_connections():
                if connection.status == psutil.CONN_LISTEN:
                    yield connection.laddr.port


def check(directory: Path, before: Sequence[str]) -> tuple[int, str]:
    """Check the cassette."""
    ended = run_in(directory, *before, *LAPTIME, "check", directory / "items.yaml")
    return ended.code, ended.text


def replay(directory: Path, before: Sequence[str]) -> tuple[int, str]:
    """Run a suite that plays the cassette."""
    words = (sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "--no-history")
    ended = run_in(directory, *before, *words) if before else pytest_in(directory)
    return ended.code, ended.text


@pytest.mark.parametrize("writable", [True, False], ids=["writable", "read-only"])
@pytest.mark.parametrize("use", [check, serve_and_ask, replay])
def test_only_recordings_write(use: Callable[[Path, Sequence[str]], tuple[int, str]], writable: bool) -> None:
    """Whoever checks, serves or replays a cassette leaves it as it is, and can do so where nobody may write."""
    before: list[str] = []
    if not writable and os.geteuid() == 0:  # root may write everywhere
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to be one that may not")
        before = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    with tempfile.TemporaryDirectory(prefix="laptime-test-") as name:
        directory = Path(name)
        write_cassette(directory / "items.yaml", *OLD)
        write(directory, test_items=SUITE)
        for path in directory.iterdir():
            path.chmod(0o644 if writable else 0o444)
        directory.chmod(0o755 if writable else 0o555)
        held, times = contents(directory), times_of(directory)
        code, text = use(directory, before)
        assert OK == code, text
        assert held == {name: one for name, one in contents(directory).items() if "__pycache__" not in name}
        if not writable:
            assert times == times_of(directory)
        directory.chmod(0o755)


def times_of(directory: Path) -> list[tuple[str, int, int]]:
    """A directory and its files: their inodes, and when they were written."""
    found = [directory, *sorted(directory.iterdir())]
    return [(path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in found]


def test_looking_at_a_broken_pair_does_not_mend_it(tmp_path: Path) -> None:
    """Nor one that a killed recording left: loading it, and being told that it is broken, changes nothing."""
    path = tmp_path / "items.yaml"
    leave_replacing(path)
    (tmp_path / ".items.recording").mkdir()
    (tmp_path / ".items.recording" / "items.yaml").write_text("left behind")
    broken = write_cassette(tmp_path / "broken.yaml", *OLD)
    broken.write_bytes(broken.read_bytes() + b"\n")
    before, times = contents(tmp_path), times_of(tmp_path)
    ended = run_in(tmp_path, *LAPTIME, "check", path, broken)
    assert (2, True) == (ended.code, f"{path}: 1 interactions, {PASSES} timed passes" in ended.text)
    with pytest.raises(CassetteError, match=r"these timings belong to another broken\.yaml"):
        load(broken)
    assert (before, times) == (contents(tmp_path), times_of(tmp_path))
