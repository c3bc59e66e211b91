"""Where a recording is made, and how it takes the old one's place: whole, whenever it is interrupted or killed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from laptime.cassette import sidecar_path
from laptime.record._errors import RecordError


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """The path of a new cassette, in a directory of its own beside the old one.

    What a killed recording left there is removed. Raises `RecordError` where the same cassette is being recorded now.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    directory = path.parent / f".{path.stem}.recording"
    lock = None
    while lock is None:
        lock = _locked(directory, path)
    try:
        for left in directory.iterdir():
            left.unlink()
        try:
            yield directory / path.name
        finally:
            shutil.rmtree(directory)
    finally:
        os.close(lock)


def _locked(directory: Path, path: Path) -> int | None:
    """The lock on a directory; None where the recording that had made it removed it meanwhile."""
    directory.mkdir(exist_ok=True)
    try:
        lock = os.open(directory, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with ExitStack() as opened:
        opened.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(lock), directory.stat()):
                return None
        except BlockingIOError:
            raise RecordError(f"{path}: is being recorded by another process") from None
        except FileNotFoundError:
            return None
        opened.pop_all()
    return lock


def publish(made: Path, path: Path) -> None:
    """Put the pair at `made` in the place of the pair at `path`.

    Two files can't be replaced at once. So the new side-car first carries the old one's content with it: until the new
    cassette is there, it is the old one's side-car, and from then on the new one's.
    """
    sidecar = sidecar_path(made)
    whole = sidecar.read_bytes()
    if path.exists():
        sidecar.write_text(json.dumps(json.loads(whole) | {"replaces": _current(path)}), encoding="utf-8")
    _replace(sidecar, sidecar_path(path))
    _replace(made, path)
    sidecar.write_bytes(whole)
    _replace(sidecar, sidecar_path(path))


def _current(path: Path) -> dict[str, object]:
    """The side-car that is in force for a cassette; without times where there is none, or none that fits."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        document = json.loads(sidecar_path(path).read_bytes())
    except (FileNotFoundError, ValueError):
        document = None
    for found in (document, document.get("replaces") if isinstance(document, dict) else None):
        if isinstance(found, dict) and found.get("cassette_sha256") == sha256:
            return {key: value for key, value in found.items() if key != "replaces"}
    return {"cassette_sha256": sha256}


def _replace(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
