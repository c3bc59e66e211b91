"""A cassette: a vcrpy file, and beside it a side-car with the time that each part of each response took.

`load` turns the pair into frozen, validated objects, or raises `CassetteError` with the file, the
interaction's index and the field. Nothing here writes a file; only `laptime.record` does.
"""

from laptime.cassette._coding import Content, encoded
from laptime.cassette._diff import changes
from laptime.cassette._load import load, sidecar_path
from laptime.cassette._model import Cassette, CassetteError, Interaction, Timing, origin_of
from laptime.cassette._sidecar import MIN_PASSES, SIDECAR_VERSION
from laptime.cassette._suspicions import suspicions

__all__ = [
    "MIN_PASSES",
    "SIDECAR_VERSION",
    "Cassette",
    "CassetteError",
    "Content",
    "Interaction",
    "Timing",
    "changes",
    "encoded",
    "load",
    "origin_of",
    "sidecar_path",
    "suspicions",
]
