"""How rounds and documents are stored: floats as they are in memory, JSON compressed."""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from array import array
from collections.abc import Sequence
from typing import Any


def floats(values: Sequence[float]) -> bytes:
    """As IEEE 754 binary64, little-endian."""
    packed = array("d", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpacked(content: bytes) -> tuple[float, ...]:
    """The floats again."""
    values = array("d", content)
    if sys.byteorder == "big":
        values.byteswap()
    return tuple(values)


def document(value: Any) -> bytes:
    """As compressed JSON."""
    return zlib.compress(_text(value), 6)


def named(value: Any) -> tuple[str, bytes]:
    """A digest, the same for equal values, and the document."""
    text = _text(value)
    return hashlib.sha256(text).hexdigest(), zlib.compress(text, 6)


def name_of(text: str) -> str:
    """The digest of a name."""
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def loaded(content: bytes) -> Any:
    """The document again. Raises `zlib.error` or `ValueError` where it is none."""
    return json.loads(zlib.decompress(content))
