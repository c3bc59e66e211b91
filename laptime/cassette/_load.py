"""Reading the pair of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from laptime.cassette._model import Cassette, CassetteError, Interaction
from laptime.cassette._sidecar import timings_of

MAX_FILE_BYTES = 256 * 2**20


def sidecar_path(path: Path) -> Path:
    """`NAME.yaml` -> `NAME.timings.json`."""
    return path.with_suffix(".timings.json")


def load(path: Path) -> Cassette:
    """Read and validate a cassette and, where it exists, its side-car.

    Raises `CassetteError`. A thousand small interactions take 0.2 s where PyYAML has libyaml.
    """
    from laptime.cassette._vcr import entries as entries_of  # PyYAML: 0.05 s for who only knows what a cassette is

    raw = _read(path)
    sha256 = hashlib.sha256(raw).hexdigest()
    interactions = [Interaction(index=index, timings=(), **entry) for index, entry in enumerate(entries_of(path, raw))]
    sidecar = sidecar_path(path)
    kind: str | None = None
    try:
        timings_raw = _bytes(sidecar)
    except FileNotFoundError:
        pass  # the latency mode decides whether that will do
    else:
        kind, timings = timings_of(sidecar, timings_raw, path, sha256, interactions)
        if kind is not None:
            interactions = list(map(Interaction.timed, interactions, timings))
    return Cassette(path, sha256, tuple(interactions), kind, len(interactions[0].timings))


def _read(path: Path) -> bytes:
    try:
        return _bytes(path)
    except FileNotFoundError:
        raise CassetteError(
            f"{path}: no such cassette. Record it with `pytest --http=record -k {path.stem}`."
        ) from None


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise CassetteError(
                f"{path}: {size / 2**20:,.0f} MiB; a cassette is at most {MAX_FILE_BYTES // 2**20} MiB. "
                "Record fewer requests in one file."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CassetteError(f"{path}: can't be read: {error.strerror}") from error
