"""Which benchmarks of which runs are shown."""

from __future__ import annotations

import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed: no altair")

from laptime.report.page.material import benchmarks, places
from tests.support import reports as support
from tests.support.pages import of, page


def test_a_benchmark_is_that_of_the_newest_run_that_has_it() -> None:
    """Of runs of one fingerprint; where a chart is of several runs, it says which."""
    old = of(*support.race("shop"), number=1)
    new = of(support.raced("shop", "sequential", [9.0, 9.0]), number=2)
    (place,) = places([old, new])
    taken = {one["extra_info"]["label"]: made.id for one, made in place.groups[0].benchmarks}
    assert {**dict.fromkeys(support.VARIANTS, old.id), "sequential": new.id} == taken
    card = page(old, new).sections[0].cards[0]
    assert f"5 benchmarks: 1 from run {new.id[:10]}" in card.notes[0]


def test_other_inputs_are_not_mixed_into_a_race() -> None:
    """What ran at another pace is another race; the newest one is shown."""
    old = of(*support.race("shop"), number=1)
    new = of(support.raced("shop", "sequential", [9.0], latency="recorded"), number=2)
    (place,) = places([old, new])
    assert [new] == place.groups[0].runs


def test_a_study_may_give_its_lines_different_things() -> None:
    """Of one run all points are drawn; of an older one those that are given what one of these is."""
    lines = {"waiting": "fixed:20ms", "computing": None}
    points = [support.pointed("odd", "scaling", line, 1, 0.5) for line in lines]
    for point, latency in zip(points, lines.values(), strict=True):
        point["extra_info"]["latency"] = latency
    (place,) = places([of(*points)])
    assert 2 == len(place.groups[0].benchmarks)


def test_the_first_variant_is_known_after_a_store() -> None:
    """By its position, or in older runs by its name: a store keeps benchmarks in the order of their names."""
    made = list(reversed(support.race("shop")))
    assert "sequential" == benchmarks(of(*made))[0]["extra_info"]["label"]
    for position, one in enumerate(made):
        one["extra_info"]["position"] = position
    assert made[0]["extra_info"]["label"] == benchmarks(of(*made))[0]["extra_info"]["label"]
