"""The report: what stands on the page, how names that others wrote are kept from it, and how it is put in its place."""

# ruff: noqa: E402 (altair may be missing)

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

alt = pytest.importorskip("altair", reason="the extra `report` is not installed: no altair")
vl_convert = pytest.importorskip("vl_convert", reason="the extra `report` is not installed: no vl-convert-python")

from laptime import trend
from laptime.history import Run, from_json
from laptime.report.page import content, draw, html, theme
from laptime.report.page.figure import MOST_DOTS, distinct, dots, jitter, slug, unit
from laptime.report.page.material import Material, benchmarks, places
from laptime.report.page.script import SCRIPT
from laptime.report.page.style import sheet
from laptime.stats.changes import changes
from tests.support import reports as support
from tests.support.histories import FINGERPRINT, MACHINE, PYTHON, Fingerprint, benchmark, commit, document

LIBRARY = "window.vegaEmbed = async () => {};"
"""In the place of the real one, which takes seconds to bundle."""
HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "</title><svg onload=alert(1)>",
    "a\" onmouseover='alert(1)",
    "]]>",
    "<!--<script>",
    "line\u2028end",
    "turned \u202e around",
    "half \udc80 a pair",
    "nul \0 bell \a",
    "n" * 5000,
)


OURS = set(
    "html head meta title link style body a header h1 h2 h3 p nav ul li main noscript section article div figure "
    "figcaption script details summary table thead tbody tr th td pre code footer".split()
)
"""The elements of a page."""


class Parsed(HTMLParser):
    """What a document holds: tags with their attributes, and the text in each tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each of these tags."""
        return [attributes for name, attributes in self.tags if name == tag]


def page(*runs: Run, **material: Any) -> content.Page:
    """The page of these runs."""
    return content.page(Material(runs, version="1.0", **material))


def text(*runs: Run, **material: Any) -> str:
    """The same as HTML."""
    return html.document(page(*runs, **material), LIBRARY)


def of(*made: Mapping[str, Any], **what: Any) -> Run:
    """A run of these benchmarks."""
    return from_json(document(made, **what))


def values(spec: Mapping[str, Any]) -> list[Any]:
    """All data of a chart."""
    return [row for rows in spec["datasets"].values() for row in rows]


@pytest.fixture(scope="module")
def everything() -> content.Page:
    """A page with all there is."""
    series = support.stepped()
    material = Material(
        [support.full(commit=commit("abc"), failed={"t.py::test_bad": "assert 1 == 2"})],
        trends=[(series, trend.change_points(series))],
        gates=[support.gate()],
        asked=["latest", "-o", "report"],
        version="1.0",
    )
    return content.page(material)


@pytest.fixture(scope="module")
def parsed(everything: content.Page) -> Parsed:
    """The same as HTML."""
    return Parsed(html.document(everything, LIBRARY))


# what stands on it


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


def test_quantiles_keep_the_ends() -> None:
    """The fastest and the slowest round are among them, and no more than were asked for."""
    kept = dots(range(1000), 30)
    assert (0, 999, 30) == (kept[0], kept[-1], len(kept))
    assert [3.0, 1.0] == dots([3.0, 1.0])


def test_dots_are_strewn_in_the_same_way_each_time() -> None:
    """Within their row, and no two neighbours at one height."""
    places = [jitter(number) for number in range(30)]
    assert len(places) == len({*places})
    assert all(-1 < place < 1 for place in places)


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


def test_the_first_variant_is_known_after_a_store() -> None:
    """By its position, or in older runs by its name: a store keeps benchmarks in the order of their names."""
    made = list(reversed(support.race("shop")))
    assert "sequential" == benchmarks(of(*made))[0]["extra_info"]["label"]
    for position, one in enumerate(made):
        one["extra_info"]["position"] = position
    assert made[0]["extra_info"]["label"] == benchmarks(of(*made))[0]["extra_info"]["label"]


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


# names of others


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_breaks_out(name: str) -> None:
    """Whatever a benchmark, a branch, a label, a machine or a note is called, it stays a text."""
    study = support.pointed(name, "compare", name, name, 0.1, title=name, x_name=name, item=name)
    study["extra_info"]["position"] = 99
    made = [*support.race("shop"), study, benchmark(f"t.py::{name}", [0.1], group=name)]
    made[0]["extra_info"] |= {"label": name, "summary": name, "timeline": support.timeline(1, 2)}
    made[0]["extra_info"]["timeline"]["lanes"][0]["name"] = name
    fingerprint = Fingerprint({**MACHINE, "cpu": name, name: name}, PYTHON, {name: name}, (name,))
    run_of_it = of(
        *made, commit=commit("abc", branch=name), label=name, fingerprint=fingerprint, failed={f"t.py::x{name}": name}
    )
    written = html.document(page(run_of_it, asked=[name]), LIBRARY)
    written.encode("utf-8")
    parsed = Parsed(written)
    assert {tag for tag, _ in parsed.tags} <= OURS
    assert not parsed.all("img")
    assert not parsed.all("svg")
    assert not [one for _, one in parsed.tags for key in one if key.startswith("on") or key == "style"]
    assert 2 == len([one for one in parsed.all("script") if "type" not in one])
    for one, data in zip(parsed.all("script"), parsed.texts["script"], strict=True):
        if one.get("type") == "application/json":
            json.loads(data)
    assert "\u202e" not in written


def test_a_name_that_is_a_colour_stays_a_name() -> None:
    """Where colours are put in, what was measured is left alone."""
    made = [support.raced("shop", name, [0.1, 0.1]) for name in ("var(--ink)", "sequential")]
    spec = draw.alone(page(of(*made)).figures[0])
    assert "var(--ink)" in {row.get("name") for row in values(spec)}
    left = json.dumps({key: value for key, value in spec.items() if key != "datasets"})
    assert "var(" not in left


def test_names_of_files_are_names_of_files() -> None:
    """No path, no hidden file, none too long; and one each, on systems too that tell no A from an a."""
    assert "race-etc-passwd" == slug("race", "../../etc/passwd")
    assert 80 >= len(slug("race", "n" * 500))
    assert "chart" == slug("ü")
    assert "race-A-2" == distinct("race-A", ["race-a"])


# the policy


def test_the_policy_allows_what_is_there_and_nothing_else() -> None:
    """Digests of the style and of both scripts; nothing from anywhere."""
    written = text(of(*support.race("shop")))
    parsed = Parsed(written)
    policy = next(one["content"] for one in parsed.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert ("'none'", "data:", "'none'", "'none'") == tuple(
        rules[one] for one in ("default-src", "img-src", "base-uri", "form-action")
    )
    scripts = [
        data
        for one, data in zip(parsed.all("script"), parsed.texts["script"], strict=True)
        if one.get("type") != "application/json"
    ]
    assert [LIBRARY, SCRIPT] == scripts
    assert rules["script-src"].split() == [digest(one) for one in scripts]
    assert [rules["style-src"]] == [digest(one) for one in parsed.texts["style"]]


def digest(script: str) -> str:
    """As a policy has it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def test_a_library_cant_end_its_script() -> None:
    """What would end it is written in another way, which is the same text to the program."""
    written = html.document(page(of(*support.race("shop"))), 'x = "</script><!--<script>";\r\ny = 1</2/.exec')
    data = Parsed(written).texts["script"][-2]
    assert 'x = "\\x3c/script>\\x3c!--\\x3cscript>";\ny = 1</2/.exec' == data


def test_nothing_is_asked_of_the_network(parsed: Parsed) -> None:
    """No address stands in an attribute of the page, but of its own parts."""
    parsed = Parsed(text(support.full()))
    asked = [
        one[key] or "" for _, one in parsed.tags for key in ("src", "href", "srcset", "data", "action") if key in one
    ]
    assert [] == [one for one in asked if not one.startswith(("#", "data:image/svg+xml,"))]
    assert "@import" not in sheet()
    assert "url(" not in sheet()


# who reads it


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_texts_can_be_read(palette: Mapping[str, str]) -> None:
    """4.5:1 on the ground and on a card, for every colour that a text or a mark may have."""
    low = {
        (name, ground): theme.contrast(palette[name], palette[ground])
        for name in theme.TEXTS
        for ground in ("ground", "card")
    }
    assert {} == {key: ratio for key, ratio in low.items() if ratio < 4.5}


def test_contrast_is_that_of_the_standard() -> None:
    """21 for black on white, 1 for a colour on itself; 4.5 for the grey that is known for it."""
    assert 21 == pytest.approx(theme.contrast("#000000", "#ffffff"))
    assert 1 == theme.contrast("#777777", "#777777")
    assert 4.54 == pytest.approx(theme.contrast("#767676", "#ffffff"), abs=0.005)


def test_both_palettes_have_all_colours() -> None:
    """A variable that one lacks would be the other's."""
    assert [*theme.LIGHT] == [*theme.DARK]
    assert {*theme.FAMILIES, *theme.SERIES} <= {*theme.LIGHT}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("threads-w8-cold", "threads"),
        ("thread-per-item-forkserver", "threads"),
        ("pool-map-w2", "processes"),
        ("fork, 2 workers", "processes"),
        ("sequential-again", "base"),
        ("asyncio-w8", "asyncio"),
        ("sieve", "other"),
    ],
)
def test_a_variant_has_the_colour_of_its_family(name: str, expected: str) -> None:
    """By the first word of its name."""
    assert expected == theme.family(name)


def test_the_page_is_told_to_who_hears_it(everything: content.Page, parsed: Parsed) -> None:
    """A chart is one image with a text, a table a region that the keyboard reaches, and a section has a name."""
    charts = [one for one in parsed.all("div") if one.get("class") == "chart"]
    assert len(everything.figures) == len(charts)
    assert all(one["role"] == "img" and one["aria-label"] for one in charts)
    assert all(
        one.get("tabindex") == "0" and one["aria-label"] for one in parsed.all("div") if one.get("class") == "scroll"
    )
    ids = [one["id"] for _, one in parsed.tags if "id" in one]
    assert len(ids) == len({*ids})
    assert {one["href"] for one in parsed.all("a")} == {
        "#main",
        *(f"#{section.anchor}" for section in everything.sections),
    }
    assert [{"lang": "en"}] == parsed.all("html")
    assert ["h1"] == [tag for tag, _ in parsed.tags if tag == "h1"]


def test_every_chart_has_its_figures_as_a_table(everything: content.Page, parsed: Parsed) -> None:
    """Folded, below it."""
    assert len(everything.figures) <= len(parsed.all("table"))
    assert len(parsed.all("details")) == len(parsed.all("summary"))


# drawing


def test_charts_are_as_vega_lite_wants_them(everything: content.Page) -> None:
    """A chart of each kind fits the schema, which a report doesn't check: it would take twice as long."""
    kinds = {figure.name.partition("-")[0]: figure for figure in everything.figures}
    for kind in ("race", "speedup", "timeline", "scaling", "phases", "trend", "gate"):
        figure = kinds[kind]
        alt.LayerChart.from_dict({**figure.spec, "datasets": {}})


@pytest.mark.parametrize(
    "seconds", [("3 s", 3.0), ("3 ms", 0.003), ("3 µs", 3e-6), ("3 ns", 3e-9)], ids=lambda one: one[0]
)
def test_an_axis_has_a_unit(seconds: tuple[str, float]) -> None:
    """In which its largest figure is 2 or more."""
    scale, name = unit(seconds[1])
    assert seconds[0] == f"{seconds[1] * scale:.0f} {name}"


def test_a_chart_is_drawn_as_svg_and_png() -> None:
    """On a ground of its own, with its title, in colours that need no page around them."""
    figure = page(of(*support.race("shop"))).figures[0]
    drawn = draw.svg(figure)
    assert drawn.startswith("<svg")
    assert "var(--" not in drawn
    assert 'fill="#ffffff"' in drawn
    assert figure.title[:20] in drawn
    assert b"\x89PNG\r\n\x1a\n" == draw.png(drawn)[:8]


def test_a_png_is_packed_well() -> None:
    """It holds the same pixels, and its checksums are right."""
    hasty = vl_convert.svg_to_png(
        '<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><text y="50">x</text></svg>'
    )
    packed = draw.compressed(hasty)
    assert len(packed) < len(hasty)
    assert packed == draw.compressed(packed)
    assert pixels(hasty) == pixels(packed)


def pixels(png: bytes) -> bytes:
    """What a PNG of one or several chunks of data holds, its checksums looked at."""
    found, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        body = png[at + 4 : at + 8 + size]
        assert zlib.crc32(body) == int.from_bytes(png[at + 8 + size : at + 12 + size], "big")
        found += body[4:] if body[:4] == b"IDAT" else b""
        at += size + 12
    return zlib.decompress(found)


def test_the_real_library_fits(everything: content.Page) -> None:
    """With everything on it the page is far from three megabytes."""
    library = draw.library()
    assert "</script" not in library
    assert len(html.document(everything, library).encode()) < 2_000_000
