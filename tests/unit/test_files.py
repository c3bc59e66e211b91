"""Files that are written whole, or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from laptime.files import write_whole


def test_a_reader_never_meets_half_a_file(tmp_path: Path) -> None:
    """While it is written again and again it is one text or the other, and no draft is left."""
    path, texts = tmp_path / "out.har", ("a" * 500_000, "b" * 1_000_000)
    write_whole(path, texts[0])
    done = threading.Event()

    def rewrite() -> None:
        for number in range(20):
            write_whole(path, texts[number % 2])
        done.set()

    thread = threading.Thread(target=rewrite)
    thread.start()
    found = set()
    while not done.is_set():
        found.add(path.read_text())
    thread.join()
    assert found <= set(texts)
    assert [path] == list(tmp_path.iterdir())


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    """What was there before stays as it was."""
    path = tmp_path / "out.har"
    path.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "a" * 100_000 + "\ud800")
    assert ("before", [path]) == (path.read_text(), list(tmp_path.iterdir()))
    with pytest.raises(OSError, match="No such file or directory"):
        write_whole(tmp_path / "gone" / "out.har", "text")
