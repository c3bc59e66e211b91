"""How a new pair takes the place of an old one: whole, at whatever step it is killed."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from laptime.cassette import Cassette, load, sidecar_path
from laptime.record import record
from laptime.record._files import draft, publish
from tests.support import PASSES, Exchange, timing, write_cassette
from tests.support.cassettes import carry
from tests.support.nursery import Nursery, vcrpy_plays
from tests.support.origins import Habit, always, asking

OK = 0


NEW = (Exchange("http://site.test/new", body="new"), Exchange("http://site.test/new/2", body="newer"))


OLD = (Exchange("http://site.test/old", body="old", passes=[timing(wait=float(wait)) for wait in range(PASSES)]),)


def loaded(path: Path) -> Cassette | None:
    """A cassette; None where there is none (one that can't be read is an error)."""
    return load(path) if path.exists() else None


def publish_anew(path: Path, exchanges: Sequence[Exchange]) -> Cassette:
    """Do what the next recording does with its files; the result is what is there then."""
    with draft(path) as made:
        assert [] == list(made.parent.iterdir())
        write_cassette(made, *exchanges)
        publish(made, path)
    return load(path)


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
    carry(path)


def leave_replacing_untimed(path: Path) -> None:
    """The same, of an old cassette without a side-car."""
    leave_untimed(path)
    carry(path)


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


@pytest.mark.parametrize("leave", LEFT)
def test_publishing_that_is_killed_leaves_the_old_pair_or_the_new_one(
    tmp_path: Path, nursery: Nursery, leave: Callable[[Path], None]
) -> None:
    """At each step: the old one with its times until the new cassette is in its place; the next recording succeeds."""
    path, made = tmp_path / "items.yaml", tmp_path / ".items.recording" / "items.yaml"
    stop, seen = 0, []
    while True:
        leave(path)
        old = loaded(path)
        made.parent.mkdir(exist_ok=True)
        write_cassette(made, *NEW)
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
    "sidecar", [b"", b"[]", b"\xff\xfe", b'{"replaces": 3}', b'{"version": 1, "cassette_sha256": "0"}']
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
