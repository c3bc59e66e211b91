"""What of a project is the harness, which both sides have from HEAD."""

from __future__ import annotations

import pytest

from laptime.gate.sides.trees import harness_paths


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("bench/test_a.py", "bench"),
        ("tests/benchmarks/deep/test_a.py", "tests"),
        ("src/thing/tests/test_a.py", "src/thing/tests"),
        ("src/performance/tests/test_a.py", "src/performance/tests"),
        ("testing/test_a.py", "testing/test_a.py"),
        ("test_a.py", "test_a.py"),
    ],
)
def test_what_lies_beside_a_benchmark_is_of_the_harness_where_the_directory_is_called_so(tmp_path, file, place):
    """A package's own directory is not, whatever it is called."""
    found = harness_paths(tmp_path, tmp_path, (), [file])
    assert {file, place} == {name for name in found if file.startswith(name)}
