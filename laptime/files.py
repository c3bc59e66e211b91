"""Files that are either whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def is_writable(path: Path) -> bool:
    """Whether a file can be written there, or over what is there: a device or a pipe would be replaced."""
    return path.parent.is_dir() and (path.is_file() or not path.exists())


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a kill, never meets half of it. Raises `OSError`."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
