"""Cassettes that are small as files and huge as values: none brings down the process that loads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support import HANG_LIMIT_S

LOADING = """
import resource, sys
from pathlib import Path
from laptime.cassette import CassetteError, load
resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
for name in sys.argv[1:]:
    try:
        load(Path(name))
    except CassetteError as error:
        print(error)
"""
LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'ha'] * 10)}]\n" for n in range(8))
"""A list of a hundred million texts."""
BOMBS = {
    "deep": ("version: 1\ninteractions: " + "[" * 100_000, "doesn't parse (truncated, or not a cassette?): "),
    "version": (f"{LAUGHS}version: *a7", "version: expected 1, found "),
    "interaction": (
        f"{LAUGHS}version: 1\ninteractions: [*a7]",
        "interaction 0: interaction: expected a mapping, found a list",
    ),
}


def test_a_bomb_is_refused_and_brings_nothing_down(tmp_path: Path) -> None:
    """Neither the stack nor the memory of the process overflows, so it refuses the next one too."""
    paths = [tmp_path / f"{name}.yaml" for name in BOMBS]
    for path, (text, _) in zip(paths, BOMBS.values(), strict=True):
        path.write_text(text)
    command = [sys.executable, "-c", LOADING, *map(str, paths)]
    loading = subprocess.run(command, capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False)
    assert (0, "") == (loading.returncode, loading.stderr)
    expected = [f"{path}: {problem}" for path, (_, problem) in zip(paths, BOMBS.values(), strict=True)]
    assert expected == [
        line[: len(beginning)] for line, beginning in zip(loading.stdout.splitlines(), expected, strict=True)
    ]
