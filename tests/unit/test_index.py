"""What gates add up to: the product of their ratios, anchored at tags, with its intervals, and how it is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from math import exp, inf, log, sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from laptime import index
from laptime.history import GateRatio
from laptime.index import Edge, Index
from laptime.report import index as report
from tests.support.histories import START, commit

NAME = "bench/test_parcel.py::test_deliver"

SPREAD = 0.004

NOISE = tuple(SPREAD * (place - 9.5) / 9.5 for place in range(20))
"""Of the 20 blocks of a gate: symmetric, so that its centre is what was planted."""


def chain(count: int) -> list[str]:
    """The first parents: c0, c1 …"""
    return [f"c{place:03}".ljust(40, "0") for place in range(count)]


def ratio(start: int, stop: int, change: float, *, number: int = 0, **what: Any) -> GateRatio:
    """What a gate of two commits of the chain said: `change` as a share, `number` the minute it began at."""
    made = GateRatio(
        gate_id=f"{number:032x}",
        at=START + timedelta(minutes=number),
        base=commit(f"c{start:03}", start),
        head=commit(f"c{stop:03}", stop),
        document={},
        metric="wall",
        verdict="unresolved",
        blocks=tuple(log(1 + change) + one for one in NOISE),
        confirmed=0,
    )
    return replace(made, **what)


def edge(start: int, stop: int, change: float, error: float = 0.0, anchor: str | None = None) -> Edge:
    """One that is known already."""
    commits = (commit(f"c{start:03}", start), commit(f"c{stop:03}", stop))
    return Edge(start, stop, *commits, log(1 + change), error, 1, anchor)


def indexed(ratios: Sequence[GateRatio], count: int, tags: dict[str, int] | None = None, **what: Any) -> Index:
    """The index over so many commits; tags are given by the places of their commits."""
    hashes = chain(count)
    named = {name: hashes[place] for name, place in (tags or {}).items()}
    edges, _ = index.gated(ratios, "wall", hashes, named, **what)
    return index.added_up(edges, hashes)


def estimates(found: Index) -> list[float]:
    """The index at each point, to a millionth."""
    return [round(point.index.estimate, 6) for point in found.points]


def test_the_index_is_the_product_of_the_ratios() -> None:
    """It starts at 1 at the first commit: 12 times 1 % are 12.7 %."""
    found = indexed([ratio(place, place + 1, 0.01) for place in range(12)], 13)
    assert [round(1.01**place, 6) for place in range(13)] == estimates(found)
    assert 0.1268 == round(found.change(12, 0).estimate - 1, 4)
    assert (0, 0, {}) == (found.never_gated, found.newer, found.anchors)


def test_the_order_in_which_gates_were_run_is_nothing() -> None:
    """The chain's order counts."""
    ratios = [ratio(place, place + 1, 0.01 * place, number=(place * 5) % 7) for place in range(7)]
    assert indexed(ratios, 8) == indexed(ratios[::-1], 8) == indexed(ratios[3:] + ratios[:3], 8)


def test_what_was_gained_is_taken_off() -> None:
    """Twice as slow, then twice as fast."""
    assert [1.0, 2.0, 1.0] == estimates(indexed([ratio(0, 1, 1.0), ratio(1, 2, -0.5)], 3))


def test_an_edge_may_span_commits() -> None:
    """A gate of several merges: those between are no points."""
    found = indexed([ratio(0, 3, 0.1), ratio(3, 4, 0.1)], 5)
    assert ([0, 3, 4], [1.0, 1.1, 1.21]) == ([point.place for point in found.points], estimates(found))
    assert 0 == found.never_gated


def test_the_shorter_way_is_preferred() -> None:
    """Of two gates that end at one commit that of the nearer base."""
    ratios = [ratio(0, 1, 0.1), ratio(1, 2, 0.1), ratio(0, 2, 0.5)]
    assert [1.0, 1.1, 1.21] == estimates(indexed(ratios, 3))


@given(st.data())
def test_any_way_through_the_commits_tells_what_was_planted(data: st.DataObject) -> None:
    """Each commit changes something; gates of any neighbouring stretches, in any order, add up to all of it."""
    steps = data.draw(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=12))
    inner = st.sets(st.integers(1, len(steps) - 1)) if len(steps) > 1 else st.just(set())
    cuts = [0, *sorted(data.draw(inner)), len(steps)]
    ratios = [ratio(start, stop, exp(sum(steps[start:stop])) - 1) for start, stop in pairwise(cuts)]
    tagged = {"v1": data.draw(st.sampled_from(cuts))}
    found = indexed(data.draw(st.permutations(ratios)), len(steps) + 1, tagged)
    assert cuts == [point.place for point in found.points]
    for point in found.points:
        assert sum(steps[: point.place]) == pytest.approx(point.log, abs=1e-9)
        assert point.index.low <= point.index.estimate <= point.index.high


def test_a_gate_against_a_tag_replaces_the_product() -> None:
    """The merges' gates erred by 5 % in all; what follows goes on from the corrected value."""
    merges = [ratio(place, place + 1, 0.01) for place in range(6)]
    found = indexed([*merges, ratio(0, 5, 0.001)], 7, {"v1": 0})
    assert [1.0, 1.01, 1.0201, 1.030301, 1.040604, 1.001, 1.01101] == estimates(found)
    assert {0: "v1"} == found.anchors
    assert "v1" == next(point.edge.anchor for point in found.points if point.place == 5 and point.edge)


def test_an_anchor_is_a_ratio_to_the_tag_s_own_index() -> None:
    """Not to 1: what was before the tag stays."""
    ratios = [ratio(0, 1, 0.1), ratio(1, 2, 0.5), ratio(1, 3, 0.2)]
    found = indexed(ratios, 4, {"v1": 1})
    assert [1.0, 1.1, 1.65, 1.32] == estimates(found)
    assert 1.2 == pytest.approx(found.change(3, found.points[3].hangs_on).estimate)


def test_the_newest_of_several_anchors_is_taken() -> None:
    """It is the nearest."""
    ratios = [ratio(0, 2, 0.1), ratio(0, 3, 0.7), ratio(2, 3, 0.1)]
    found = indexed(ratios, 4, {"v1": 0, "v2": 2})
    assert [1.0, 1.1, 1.21] == estimates(found)
    assert {0: "v1", 1: "v2"} == found.anchors


def test_a_gate_that_was_asked_for_against_a_tag_is_an_anchor_wherever_the_tag_is() -> None:
    """This clone need not have it."""
    ratios = [ratio(0, 1, 0.5), ratio(1, 2, 0.5), ratio(0, 2, 0.1, document={"against": "v1"})]
    found = indexed(ratios, 3)
    assert ([1.0, 1.5, 1.1], {0: "v1"}) == (estimates(found), found.anchors)
    assert [1.0, 1.5, 2.25] == estimates(indexed([*ratios[:2], replace(ratios[2], document={"against": 7})], 3))


def test_several_tags_of_a_commit_are_one_anchor() -> None:
    """By all of their names, whichever the gate was asked for."""
    ratios = [ratio(0, 1, 0.1, document={"against": "v1-final"})]
    assert {0: "v1, v1-final"} == indexed(ratios, 2, {"v1-final": 0, "v1": 0}).anchors


def test_commits_that_no_gate_covers_are_taken_as_no_change_and_counted() -> None:
    """Between the first and the last; those after it are counted apart."""
    found = indexed([ratio(1, 2, 0.1), ratio(5, 6, 0.1)], 9)
    assert ([1.0, 1.1, 1.1, 1.21], [0, 0, 3, 0]) == (estimates(found), [point.gap for point in found.points])
    assert (3, 2) == (found.never_gated, found.newer)


def test_what_a_nightly_gate_covers_was_gated() -> None:
    """Though no gate was of that commit alone."""
    assert 0 == indexed([ratio(0, 1, 0.1), ratio(2, 3, 0.1), ratio(0, 3, 0.2)], 4, {"v1": 0}).never_gated


def test_after_a_gap_the_uncertainty_stays() -> None:
    """That of what was before it."""
    found = index.added_up([edge(0, 1, 0.1, 0.01), edge(2, 3, 0.1, 0.01)], chain(4))
    assert [0, 1, 1, 2] == [round(point.variance / 0.01**2) for point in found.points]


def test_the_same_files_on_both_sides_are_a_ratio_of_1() -> None:
    """The gate ran, and had nothing to measure: no gap, and no uncertainty."""
    same = {"metric": None, "verdict": "unchanged", "blocks": ()}
    found = indexed([ratio(0, 1, 0.1), ratio(1, 2, 0.0, **same)], 3)
    assert ([1.0, 1.1, 1.1], 0) == (estimates(found), found.never_gated)
    assert found.points[1].variance == found.points[2].variance


def test_gates_of_one_pair_are_pooled() -> None:
    """From whichever machines: the centre of all their blocks, with a narrower interval."""
    two = [ratio(0, 1, 0.02, number=1), ratio(0, 1, 0.04, number=2)]
    found, alone = indexed(two, 2), indexed(two[:1], 2)
    assert 1.03 == pytest.approx(found.points[1].index.estimate, abs=1e-4)
    assert 2 == next(point.edge.gates for point in found.points if point.edge)
    many = indexed([ratio(0, 1, 0.02, number=number) for number in range(8)], 2)
    assert many.points[1].variance < alone.points[1].variance / 4


def test_only_confirmation_counts_where_there_is_one() -> None:
    """Screening nominated it for being slow, and so is biased."""
    blocks = (*(0.5 for _ in range(12)), *(log(1.1) + one for one in NOISE))
    assert [1.0, 1.1] == estimates(indexed([ratio(0, 1, 0, blocks=blocks, confirmed=20)], 2))


def test_more_blocks_than_tell_more_are_not_looked_at() -> None:
    """The newest are: however many are stored, it takes no minute."""
    found = indexed([ratio(0, 1, 0, blocks=(*[0.7] * 50_000, *NOISE * 20))], 2)
    assert 1.0 == pytest.approx(found.points[1].index.estimate)
    many = [ratio(0, 1, 0.3 if number < 5 else 0.0, number=number) for number in range(25)]
    assert [1.0, 1.0] == estimates(indexed(many[::-1], 2))


def test_blocks_beyond_reason_give_figures() -> None:
    """What was brought in from elsewhere may hold any float: JSON has no infinity."""
    worst = [ratio(place, place + 1, 0, blocks=(1e308,) * 10 + (-1e308,) * place) for place in range(3)]
    found = indexed(worst, 4)
    assert not [point for point in found.points if not 0 < point.index.low <= point.index.high < inf]


def test_errors_add_up_in_squares() -> None:
    """In the logarithm: 1.96 times the root of their sum, on either side."""
    found = index.added_up([edge(0, 1, 0.1, 0.03), edge(1, 2, 0.1, 0.04)], chain(3))
    last = found.points[2].index
    assert (1.21 * exp(-1.96 * 0.05), 1.21 * exp(1.96 * 0.05)) == pytest.approx((last.low, last.high), rel=1e-4)
    first = found.points[0].index
    assert (1.0, 1.0, 1.0) == (first.low, first.estimate, first.high)


def test_an_anchor_ends_the_adding_up_of_errors() -> None:
    """100 merges' errors are replaced by that of one gate, and those of the tag itself."""
    merges = [edge(place, place + 1, 0.0, 0.01, anchor="v1" if place == 1 else None) for place in range(101)]
    drifted = index.added_up(merges, chain(102)).points[-1]
    found = index.added_up([*merges, edge(1, 101, 0.0, 0.01, anchor="v1")], chain(102))
    assert 101 == round(drifted.variance / 0.01**2)
    assert 2 == round(found.points[-1].variance / 0.01**2)
    since = found.change(101, found.points[-1].hangs_on)
    assert exp(1.96 * 0.01) == pytest.approx(since.high, rel=1e-4)


def test_the_interval_of_a_gate_is_that_of_its_blocks() -> None:
    """The exact one of the signed-rank test, as the gate says it."""
    (found,), _ = index.gated([ratio(0, 1, 0.1)], "wall", chain(2), {})
    assert 0 < found.error < SPREAD / sqrt(12)
    assert found.ratio.low < 1.1 < found.ratio.high


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"base": commit("f00")}, index.ELSEWHERE),
        ({"head": commit("f00")}, index.ELSEWHERE),
        ({"base": commit("", changes=None), "head": commit("c002")}, index.ELSEWHERE),
        ({"base": commit("c003")}, index.ELSEWHERE),
        ({"base": commit("c002")}, index.ELSEWHERE),
        ({"head": commit("c002", changes="x")}, index.CHANGED),
        ({"base": commit("c001", changes="x")}, index.CHANGED),
        ({"document": {"environments": {"base": "3.13", "head": "3.14"}}}, index.ENVIRONMENTS),
        ({"blocks": NOISE[:5]}, index.UNKNOWN),
    ],
    ids=str,
)
def test_a_gate_that_is_no_step_along_the_chain_is_left_out(what: dict[str, Any], why: str) -> None:
    """Of branches, backwards, of a commit and itself, with changes, of two environments, cut short; each is counted."""
    ratios = [ratio(0, 1, 0.1), ratio(1, 2, 0.5, **what), ratio(2, 3, 0.1)]
    edges, left_out = index.gated(ratios, "wall", chain(4), {})
    assert [(0, 1), (2, 3)] == [(one.start, one.stop) for one in edges]
    assert {why: 1} == left_out


@pytest.mark.parametrize("what", [{"metric": "cpu"}, {"metric": None, "verdict": "broken"}, {"blocks": ()}], ids=str)
def test_a_gate_that_did_not_judge_the_benchmark_by_the_metric_is_none(what: dict[str, Any]) -> None:
    """By the other one, broken, or before there was a block."""
    assert ([], {}) == index.gated([ratio(0, 1, 0.1, **what)], "wall", chain(2), {})


def test_older_gates_are_left_out_where_it_is_asked_for() -> None:
    """The index then starts at 1 at the first that is left."""
    ratios = [ratio(place, place + 1, 0.1, number=place) for place in range(4)]
    assert [1.0, 1.1, 1.21] == estimates(indexed(ratios, 5, since=START + timedelta(minutes=2)))


def test_without_gates_there_is_no_point() -> None:
    """And no error."""
    assert ((), 0, 0, ()) == tuple(getattr(index.added_up([], chain(3)), one) for one in Index.__slots__)


def test_the_largest_steps_are_named() -> None:
    """The three that changed most, either way; a gate over several commits is none, where others tell which it was."""
    changes = (0.01, -0.2, 0.05, 0.0, 0.1, 0.03)
    edges = [edge(place, place + 1, change) for place, change in enumerate(changes)]
    found = index.added_up([*edges, edge(0, 6, 0.9, anchor="v1"), edge(6, 9, 0.07)], chain(10))
    assert [(1, 2), (4, 5), (6, 9)] == [(one.start, one.stop) for one in found.most]


def test_what_changed_nothing_contributed_nothing() -> None:
    """As where the files were the same."""
    assert () == index.added_up([edge(0, 1, 0.0)], chain(2)).most


def sample() -> Index:
    """14 commits, of which two were never gated, and a nightly gate."""
    merges = [ratio(place, place + 1, 0.01) for place in range(12) if place not in (3, 4)]
    return indexed([*merges, ratio(6, 11, 0.02)], 14, {"v1": 6})


def test_the_index_is_drawn_with_what_it_comes_to() -> None:
    """As factors, the first commit being ×1.000; since the first and since the last anchor, and by what."""
    found = sample()
    notes = report.notes(found, {index.CHANGED: 2, index.UNKNOWN: 1})
    text = report.terminal(NAME, "wall", found, notes, width=120, color=False)
    said = [" ".join(line.split()) for line in text.splitlines()]
    assert f"{NAME}: 12 commits, wall, by gates" == said[0]
    assert "from c000000000 (2026-03-01), ×1.000, to c012000000 (2026-03-01); │ a new anchor" in said
    assert [line for line in said if line.startswith("the first c000000000 ×1.000 +7.2 % [+")]
    assert [line for line in said if line.startswith("v1 c006000000 ×1.041 +3.0 % [+")]
    assert 3 == len([line for line in said if " → c0" in line])
    assert "2 commits were never gated: taken as no change." in said
    assert "1 commit since the last is not gated yet." in said
    assert f"3 gates left out: 2 {index.CHANGED}, 1 {index.UNKNOWN}." in said
    assert "×1.0" in said[1]
    assert "│" in text


def test_nothing_is_noted_of_an_index_that_lacks_nothing() -> None:
    """No gap, no gate left out."""
    assert [] == report.notes(indexed([ratio(0, 1, 0.1)], 2), {})


@pytest.mark.parametrize("width", [20, 60, 120])
def test_an_index_is_drawn_in_any_terminal(width: int) -> None:
    """Also one of a single gate, and one that rose beyond all bounds."""
    for found in (sample(), indexed([ratio(0, 1, 0.1)], 2), indexed([ratio(0, 1, 1e9)], 2)):
        lines = report.terminal("short", "cpu", found, [], width=width, color=False).splitlines()
        assert max(map(cell_len, lines)) <= max(width, 30) or width < 60


def test_of_many_anchors_the_newest_are_shown() -> None:
    """Every commit may have a tag."""
    ratios = [ratio(place, place + 1, 0.01) for place in range(30)]
    text = report.terminal(
        NAME, "wall", indexed(ratios, 31, {f"b{n}": n for n in range(31)}), [], width=120, color=False
    )
    assert ["b25", "b26", "b27", "b28", "b29"] == [
        line.split()[0] for line in text.splitlines() if line.startswith("b2") and "×" in line
    ]


def test_hostile_names_are_shown_as_they_are() -> None:
    """Of tags that a gate was told, too."""
    hostile = "v[red]\x1b[31m\n|"
    ratios = [ratio(0, 1, 0.1, document={"against": hostile})]
    text = report.terminal(f"a::{hostile}", "wall", indexed(ratios, 2), [hostile], width=200, color=False)
    assert "\x1b" not in text
    assert "a::v[red]\\x1b[31m\\n|: 2 commits" in text


def test_json_has_everything() -> None:
    """Each point with its interval and what it hangs on; what it comes to; what contributed; what was left out."""
    document = json.loads(report.as_json(NAME, "wall", sample(), {index.CHANGED: 2}), parse_constant=pytest.fail)
    assert (1, NAME, "wall", 12) == (
        *(document[key] for key in ("version", "benchmark", "metric")),
        len(document["index"]),
    )
    first, last = document["index"][0], document["index"][-1]
    assert {
        "commit": "c000".ljust(40, "0"),
        "commit_at": START.isoformat(),
        "index": 1.0,
        "interval": [1.0, 1.0],
        "by": None,
        "since": {"commit": "c000".ljust(40, "0"), "tag": None, "ratio": 1.0, "interval": [1.0, 1.0]},
        "never_gated_before": 0,
    } == first
    assert {"base", "head", "ratio", "interval", "gates", "anchor"} == set(last["by"])
    assert ("v1", "c006".ljust(40, "0")) == (last["since"]["tag"], last["since"]["commit"])
    assert last["index"] == document["since_first"]["ratio"]
    assert last["since"]["ratio"] == document["since_anchor"]["ratio"]
    assert [("v1", "c006".ljust(40, "0"))] == [(one["tag"], one["commit"]) for one in document["anchors"]]
    assert (2, 1, {index.CHANGED: 2}, 3) == (
        *(document[key] for key in ("never_gated", "not_gated_yet", "left_out")),
        len(document["most"]),
    )


def test_json_without_an_anchor_says_so() -> None:
    """There is no sum since the last."""
    document = json.loads(report.as_json(NAME, "wall", indexed([ratio(0, 1, 0.1)], 2), {}))
    assert (None, []) == (document["since_anchor"], document["anchors"])
