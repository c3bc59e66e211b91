"""What keeps two runs from being compared is told, thing by thing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from laptime.history import (
    INPUTS,
    INTERPRETER,
    MACHINE,
    PARTS,
    Difference,
    Fingerprint,
    differences,
    inputs_differences,
)
from tests.support.histories import FINGERPRINT, LIBRARIES, PYTHON
from tests.support.histories import MACHINE as HERE


def on(**changes) -> Fingerprint:
    """The usual fingerprint on another machine."""
    return replace(FINGERPRINT, machine={**HERE, **changes})


def under(**changes) -> Fingerprint:
    """The usual fingerprint under another interpreter."""
    return replace(FINGERPRINT, interpreter={**PYTHON, **changes})


def with_libraries(loaded: tuple[str, ...] = ("pytest-benchmark", "requests"), **changes: str) -> Fingerprint:
    """The usual fingerprint with other libraries."""
    return replace(FINGERPRINT, libraries={**LIBRARIES, **changes}, loaded=loaded)


def test_equal_fingerprints_can_be_compared():
    """In whatever order their parts stand."""
    turned = Fingerprint(
        dict(reversed(HERE.items())),
        dict(reversed(PYTHON.items())),
        dict(reversed(LIBRARIES.items())),
        FINGERPRINT.loaded[::-1],
    )
    assert [] == differences(FINGERPRINT, FINGERPRINT)
    assert [] == differences(FINGERPRINT, turned)
    assert [] == differences(Fingerprint(), Fingerprint())


@pytest.mark.parametrize(
    ("head", "difference"),
    [
        (on(cpu="Slow CPU"), Difference(MACHINE, "cpu", "Fast CPU", "Slow CPU")),
        (on(**{"usable CPUs": 4}), Difference(MACHINE, "usable CPUs", "2", "4")),
        (on(**{"CPU quota": 1.5}), Difference(MACHINE, "CPU quota", "none", "1.5")),
        (on(OS="Darwin"), Difference(MACHINE, "OS", "Linux", "Darwin")),
        (under(version="3.13.1"), Difference(INTERPRETER, "version", "3.13.0", "3.13.1")),
        (under(implementation="PyPy"), Difference(INTERPRETER, "implementation", "CPython", "PyPy")),
        (under(GIL="off"), Difference(INTERPRETER, "GIL", "on", "off")),
        (with_libraries(requests="2.35"), Difference(INPUTS, "requests", "2.34.2", "2.35")),
    ],
)
def test_a_difference_tells_both_sides(head, difference):
    """Whichever of the two comes first."""
    assert [difference] == differences(FINGERPRINT, head)
    turned = replace(difference, base=difference.head, head=difference.base)
    assert [turned] == differences(head, FINGERPRINT)


def test_a_free_threaded_interpreter_is_another():
    """3.14 and 3.14t are never mixed, not even with the lock turned on."""
    base = under(version="3.14.0")
    for lock in ("off", "on"):
        found = differences(base, under(version="3.14.0", GIL=lock, **{"free-threaded": True}))
        assert ("interpreter", "free-threaded", "False", "True") in [
            (one.part, one.what, one.base, one.head) for one in found
        ]


def test_what_only_one_of_them_tells_is_different():
    """Nobody knows whether it was the same; that nothing was there is not the same as not knowing."""
    untold = replace(FINGERPRINT, machine={key: value for key, value in HERE.items() if key != "CPU quota"})
    assert [Difference(MACHINE, "CPU quota", "none", "not known")] == differences(FINGERPRINT, untold)
    assert [Difference(MACHINE, "CPU quota", "not known", "none")] == differences(untold, FINGERPRINT)
    assert [] == differences(untold, untold)


def test_what_is_installed_beside_does_not_count():
    """It changes no figure."""
    assert [] == differences(FINGERPRINT, with_libraries(flask="3.0"))
    assert [] == differences(with_libraries(flask="2.0"), with_libraries(flask="3.0"))


@pytest.mark.parametrize("loaded", [("pytest-benchmark", "requests", "flask"), ("flask",)])
def test_what_one_of_them_loaded_counts(loaded):
    """The other would have loaded another version, or could not have."""
    other = with_libraries(loaded, flask="3.0")
    assert [Difference(INPUTS, "flask", "absent", "3.0")] == differences(FINGERPRINT, other)
    assert [Difference(INPUTS, "flask", "2.0", "3.0")] == differences(with_libraries(flask="2.0"), other)


def test_loading_less_of_the_same_is_no_difference():
    """Running some benchmarks only makes no other environment."""
    assert [] == differences(FINGERPRINT, with_libraries(("pytest-benchmark",)))
    assert [] == differences(with_libraries(()), FINGERPRINT)


def test_differences_come_in_the_order_of_their_parts():
    """And within one by name."""
    found = differences(FINGERPRINT, Fingerprint())
    assert [MACHINE] * 6 + [INTERPRETER] * 4 + [INPUTS] * 2 == [one.part for one in found]
    assert found == sorted(found, key=lambda one: (PARTS.index(one.part), one.what))


@pytest.mark.parametrize("across", [[], [MACHINE], [INTERPRETER], [INPUTS], [MACHINE, INTERPRETER], PARTS, {*PARTS}])
def test_parts_that_are_compared_across_may_differ(across):
    """The others may not."""
    other = replace(on(cpu="Slow CPU"), interpreter={}, libraries={})
    assert {*PARTS} - {*across} == {one.part for one in differences(FINGERPRINT, other, across)}


def test_inputs_differ_thing_by_thing():
    """A cassette, its pace, the tier."""
    base = {"tier": "smoke", "workers": 4, "latency": None, "cassette_sha256": "a" * 64}
    head = {"tier": "full", "workers": 4, "http": "replay", "cassette_sha256": "b" * 64}
    assert [
        Difference(INPUTS, "cassette_sha256", "aaaaaaaaaaaa…", "bbbbbbbbbbbb…"),
        Difference(INPUTS, "http", "not known", "replay"),
        Difference(INPUTS, "latency", "none", "not known"),
        Difference(INPUTS, "tier", "smoke", "full"),
    ] == inputs_differences(base, head)
    assert [] == inputs_differences(base, head, [INPUTS])
    assert [] == inputs_differences(base, {**base})
    assert 4 == len(inputs_differences(base, head, [MACHINE, INTERPRETER]))


def test_only_a_digest_is_shortened():
    """Of two texts that happen to be as long the end may be what differs."""
    base, head = (f"{'GCC 12.2.0 of the distribution '.ljust(63)}{end}" for end in "12")
    assert [Difference(INTERPRETER, "compiler", base, head)] == differences(under(compiler=base), under(compiler=head))


@pytest.mark.parametrize(("base", "head"), [("4", 4), (True, 1), (False, 0), (None, ""), (None, False), (1, 1.5)])
def test_values_of_different_kinds_differ(base, head):
    """A text is no number, and a number no yes."""
    assert [INPUTS] == [one.part for one in inputs_differences({"workers": base}, {"workers": head})]
