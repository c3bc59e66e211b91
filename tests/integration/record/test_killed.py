"""Whole recordings, killed and interrupted, short of room, and two at once."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from laptime.cassette import Cassette, load, sidecar_path
from laptime.record import RecordError, record
from laptime.record._files import draft
from tests.support import HANG_LIMIT_S, PASSES, Exchange, contents, timing, write_cassette
from tests.support.nursery import INTERRUPTED, Nursery, vcrpy_plays
from tests.support.origins import Habit, Reply, always, asking
from tests.support.sessions import until

OK = 0


OLD = (Exchange("http://site.test/old", body="old", passes=[timing(wait=float(wait)) for wait in range(PASSES)]),)


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


@pytest.mark.slow
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
