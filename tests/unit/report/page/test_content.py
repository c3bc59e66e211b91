"""What stands on the page of a report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed: no altair")

from laptime import trend
from laptime.report.page import content
from laptime.report.page.figure import MOST_DOTS
from laptime.stats.changes import changes
from tests.support import reports as support
from tests.support.histories import FINGERPRINT, MACHINE, PYTHON, Fingerprint, benchmark, commit
from tests.support.pages import of, page, text, values


def test_the_answers_come_first(everything: content.Page) -> None:
    """For each workload what to take and its race, waiting work first; then what bears it out."""
    anchors = [section.anchor for section in everything.sections]
    expected = ["races", "speedup", "timelines", "scaling", "studies", "controls", "trends", "gates", "not-timed"]
    assert [*expected, "measured-on", "again"] == anchors
    first = everything.sections[0]
    assert ["hn_items", "quotes", "primes"] == [card.title.partition(":")[0] for card in first.cards]
    hn_items, quotes, primes = (card.sentences[0] for card in first.cards)
    assert re.match(r"Take asyncio-w8-cold: [45]\.\d\d × \([\d.]+ to [\d.]+\), ", hn_items)
    assert quotes.startswith("Take asyncio-w8-cold: ")
    assert "For one run take sequential: no other is shown to gain 10 %." == primes
    assert ["race-hn_items", "race-quotes", "race-primes"] == [card.figures[0].name for card in first.cards]


def test_every_chart_has_a_name_of_its_own(everything: content.Page) -> None:
    """It is that of its files, and stays the same from run to run."""
    names = [figure.name for figure in everything.figures]
    assert len(names) == len({name.lower() for name in names})
    expected = {"overview", "race-hn_items", "speedup-primes", "timeline-quotes", "scaling", "scaling-efficiency"}
    expected |= {"sweep-chunks", "break-even-smallest", "phases-pools", "compare-clients", "trend-slow", "race-wait"}
    assert expected <= {*names}


def test_every_chart_says_what_it_shows(everything: content.Page) -> None:
    """In a title that is a sentence with the finding, a subtitle, and a text for who doesn't see it, with figures."""
    for figure in everything.figures:
        assert re.fullmatch(r"\S.*[.?!]", figure.title), figure.name
        assert re.search(r"\d", figure.alt), figure.name
        assert figure.subtitle.endswith("."), figure.name
        assert figure.alt != figure.subtitle
        assert figure.rows, figure.name
        assert {len(figure.columns)} == {len(row) for row in figure.rows}, figure.name
    titles = {figure.name: figure.title for figure in everything.figures}
    assert re.match(r"asyncio-w8-cold takes \S+ ms where sequential takes \S+ ms\.", titles["race-hn_items"])
    assert titles["race-primes"].startswith("processes-w2-forkserver-warm takes ")
    assert "processes: pays from 1.24 ms of work in a task on" in titles["break-even-smallest"]
    assert "forkserver, 2 workers: best at 64" in titles["sweep-chunks"]
    assert re.match(r"slow: [78]\.\d % slower since \w{10}\.", titles["trend-slow"])


def test_every_round_of_a_race_is_a_dot() -> None:
    """Up to thirty of a variant; of more thirty quantiles, and the chart says so."""
    few = page(of(*support.race("shop", passes=4))).figures[0]
    many = page(of(*support.race("shop", passes=100))).figures[0]
    assert 4 * 5 == len([row for row in values(few.spec) if "round" in row])
    assert MOST_DOTS * 5 == len([row for row in values(many.spec) if "round" in row])
    assert "quantiles" not in few.subtitle
    assert "30 quantiles" in many.subtitle


def test_thinned_rounds_are_told() -> None:
    """They are drawn as their quantiles, and no interval is made of them: which was of which pass isn't known."""
    made = of(*support.race("shop", passes=20))
    results = []
    for one in made.results:
        some = {metric: tuple(sorted(rounds)[::3]) for metric, rounds in one.rounds.items()}
        results.append(replace(one, thinned=True, rounds=some))
    figure = page(replace(made, results=tuple(results))).figures[0]
    assert "thinned" in figure.subtitle
    place = figure.columns.index("95 % interval")
    assert {"–"} == {row[place] for row in figure.rows}
    assert figure.title.startswith("No verdict: ")


def test_a_race_shows_each_gains_interval() -> None:
    """In its table and in the chart: the one whose end decides the verdict."""
    figure = page(of(*support.race("shop"))).figures[0]
    found = {row[0]: dict(zip(figure.columns, row, strict=True)) for row in figure.rows}
    assert "–" == found["sequential"]["95 % interval"]
    for name in set(found) - {"sequential"}:
        low, high = map(float, found[name]["95 % interval"].split(" to "))
        assert low < float(found[name]["speed-up"].removesuffix(" ×")) < high
    assert {"10"} == {one["passes"] for one in found.values()}
    rows = {row["name"]: row for row in values(figure.spec) if "fast" in row}
    assert all(row["fast"] <= row["median"] <= row["slow"] for row in rows.values())
    assert "► asyncio-w8-cold" in rows
    assert "all of them hold together" in figure.subtitle


def test_a_race_that_is_not_fit_recommends_nothing() -> None:
    """It shows who was the fastest, and says that there is no verdict."""
    found = page(of(*support.race("shop", passes=4)))
    assert found.figures[0].title.startswith("No verdict: the fastest was asyncio-w8-cold, ")
    assert not [row for row in values(found.figures[0].spec) if row.get("bold")]
    assert found.sections[0].cards[0].sentences[0].startswith("NO VERDICT: this was a look of ")


def test_a_run_of_any_suite_has_a_page() -> None:
    """A plain chart for each group; nothing is recommended."""
    made = [benchmark(f"t.py::test_{name}", [0.01, 0.02, 0.03], group="shop") for name in ("a", "b")]
    made.append(benchmark("t.py::test_c", [0.5]))
    found = page(of(*made))
    assert ["benchmarks", "measured-on", "again"] == [section.anchor for section in found.sections]
    assert {"group", "group-shop"} == {figure.name for figure in found.figures}
    assert "python -m pytest --benchmark-only" in found.sections[-1].cards[0].commands


def test_what_only_looks_like_ours_is_drawn_plainly() -> None:
    """An extra_info of somebody else's may hold the same words."""
    infos: list[dict[str, Any]] = [
        {"workload": "mine"},
        {"workload": 3, "rounds": [1]},
        {"workload": "x", "rounds": {"wall_s": "no"}},
    ]
    made = [{**benchmark(f"t.py::test_{number}", [0.1]), "extra_info": info} for number, info in enumerate(infos)]
    assert ["group"] == [figure.name for figure in page(of(*made)).figures]


def test_a_study_that_cant_be_read_is_told() -> None:
    """The rest of the page stands."""
    broken = support.pointed("odd", "sideways", "line", 1, 0.1)
    found = page(of(broken, *support.race("shop")))
    said = [card.sentences for section in found.sections for card in section.cards if card.title == "odd"]
    assert "expected one of scaling" in said[0][0]
    assert "race-shop" in {figure.name for figure in found.figures}


def test_parts_that_are_missing_leave_no_heading() -> None:
    """Of a run with one variant, no speed-up; with studies only, no race."""
    alone = page(of(support.raced("shop", "sequential", [0.1, 0.2])))
    assert ["races", "measured-on", "again"] == [section.anchor for section in alone.sections]
    only = page(of(*support.studies()))
    assert ["scaling", "studies", "measured-on", "again"] == [section.anchor for section in only.sections]


def test_what_failed_is_listed() -> None:
    """With why, as text; and a session that was cut short is said to be."""
    made = of(*support.race("shop"), failed={"t.py::test_bad": "<b>no</b>"}, complete=False)
    written = text(made)
    assert "1 failed, 0 skipped" in written
    assert "&lt;b&gt;no&lt;/b&gt;" in written
    assert "was cut short" in written


def test_other_fingerprints_are_kept_apart() -> None:
    """Each has sections of its own, and the page says what differs."""
    other = Fingerprint(MACHINE, {**PYTHON, "free-threaded": True, "GIL": "off"}, FINGERPRINT.libraries)
    runs = [of(*support.race("shop"), number=1), of(*support.race("shop"), number=2, fingerprint=other)]
    found = page(*runs)
    titles = [section.title for section in found.sections if section.anchor.startswith("races")]
    assert ["races", "races-2"] == [one.anchor for one in found.sections if one.anchor.startswith("races")]
    assert [
        "Which way to run on CPython 3.13.0t, Fast CPU, 2 CPUs",
        "Which way to run on CPython 3.13.0, Fast CPU, 2 CPUs",
    ] == titles
    assert ["race-shop", "race-shop-2"] == [one.name for one in found.figures if one.name.startswith("race")]
    (said,) = next(section.lead for section in found.sections if section.anchor == "measured-on")
    assert "GIL (off, on)" in said


def test_it_says_how_to_do_it_again() -> None:
    """Commit, tier, pace and names, quoted for a shell."""
    made = of(*support.race("a shop"), *support.studies()[:2], commit=commit("abc"))
    commands = page(made).sections[-1].cards[0].commands
    assert f"git checkout {made.commit.id}" == commands[0]
    assert (
        "-k 'a shop or scaling'" not in commands[1]
    )  # the tier full holds all of it; two tiers are told by names only
    assert "--latency scale:0.1" in commands[1]
    (card,) = page(of(*support.race("a shop"))).sections[0].cards
    assert ("python -m pytest --benchmark-only --tier smoke --latency scale:0.1 -k 'a shop'",) == tuple(card.commands)


def test_changes_that_were_not_committed_are_told() -> None:
    """A checkout alone doesn't bring them back."""
    made = of(*support.race("shop"), commit=commit("abc", changes="1" * 8))
    assert "changes that were not committed" in page(made).sections[-1].cards[0].sentences[0]


def test_hundreds_of_benchmarks_are_drawn() -> None:
    """A chart holds the first sixty; its table has all."""
    made = [benchmark(f"t.py::test[{number}]", [0.001 * (number + 1)]) for number in range(300)]
    (figure,) = page(of(*made)).figures
    assert (300, 60 * 38) == (len(figure.rows), figure.spec["height"])
    assert "240 slower ones are in the table only" in figure.subtitle


def test_a_timeline_draws_few_lanes() -> None:
    """Of a thousand connections the first ones; how many are left out is said."""
    made = support.race("shop")
    made[0]["extra_info"]["timeline"] = {**support.timeline(40, 80), "lanes_left_out": 960}
    (figure,) = [one for one in page(of(*made)).figures if one.name.startswith("timeline")]
    assert "Not drawn: 984 lanes of sequential" in figure.subtitle


def test_a_law_is_drawn_inside_of_what_was_measured() -> None:
    """Curves begin at the fewest workers and end at the most."""
    figure = next(one for one in page(of(*support.studies())).figures if one.name == "scaling")
    curve = [row["x"] for row in values(figure.spec) if "Law" in str(row.get("told"))]
    assert (1, 16) == (min(curve), max(curve))


def test_a_knee_is_marked_and_named() -> None:
    """Where more workers gain nothing; what waits has another ideal than what computes."""
    made = []
    for workers in (1, 2, 4, 8, 16):
        for line, most, computing in (("waiting", 4, 0.05), ("computing", 1, 1.0)):
            one = support.pointed("scaling", "scaling", line, workers, 2.0 / min(workers, most), items=10)
            rounds = one["extra_info"]["rounds"]
            rounds["cpu_s"] = [wall_s * computing for wall_s in rounds["wall_s"]]
            made.append(one)
    figure = page(of(*made)).figures[0]
    assert "waiting: the knee is at 4 (4.00 ×)" in figure.title
    assert "computing: nothing gained from more than 1" in figure.title
    assert ["knee: 4"] == [row["text"] for row in values(figure.spec) if "text" in row]
    assert "as many times as there are workers, for what waits; up to 2 CPUs, for what computes" in figure.subtitle


def test_memory_that_grows_is_drawn(everything: content.Page) -> None:
    """Of a study along which it does; the others' is in their tables."""
    figures = {figure.name: figure for figure in everything.figures if figure.name.endswith("-memory")}
    assert ["sweep-chunks-memory"] == [*figures]
    assert "fork, 2 workers 100 MB at 1, 202 MB at 1,024" in figures["sweep-chunks-memory"].title


def test_a_trend_is_plain_numbers() -> None:
    """Of 500 runs of 54 benchmarks every byte counts."""
    series = support.stepped(500)
    figure = page(of(*support.race("shop")), trends=[(series, trend.change_points(series))]).figures[-1]
    assert 500 == len([one for one in values(figure.spec) if isinstance(one, float | int)])
    assert len(json.dumps(figure.spec)) < 12_000
    assert changes(series.values)[0].at == 300


def test_what_is_steady_is_drawn_in_rows() -> None:
    """Twenty to a chart, on one scale; the one that wavers most is named."""
    calm = support.stepped(40)
    calm = replace(calm, values=(0.1,) * 40)
    lively = replace(calm, fullname="t.py::test[lively]", values=tuple(0.1 + 0.002 * (n % 3) for n in range(40)))
    several = [*(replace(calm, fullname=f"t.py::test[a{number}]") for number in range(21)), lively]
    found = page(of(*support.race("shop")), trends=[(one, []) for one in several]).figures[-2:]
    assert ["trends-steady", "trends-steady-2"] == [figure.name for figure in found]
    assert [20, 2] == [len(figure.rows) for figure in found]
    assert "No change in 2 benchmarks; lively wavers most, by ± 2.0%." == found[1].title
