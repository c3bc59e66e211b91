"""Tests that are visited in passes, in real sessions: run several times, reported once, with all their rounds."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

from tests.support.here import pytest as pytest_in
from tests.support.sessions import FAILED, OK, Ended, benchmarks
from tests.support.visits import TICKING, log, session, visits


def chunks(values: list[str], size: int) -> list[list[str]]:
    """Passes, each sorted: of an order that is drawn nothing else is known."""
    return [sorted(values[start : start + size]) for start in range(0, len(values), size)]


# a session in which all is well

WELL = """
    VARIANTS = [("sequential", None), ("threads-warm", "warm"), ("asyncio-cold", "cold")]

    @pytest.fixture(scope="module")
    def shelf():
        note("shelf up")
        yield
        note("shelf down")

    @pytest.mark.laptime_race(passes=4)
    @pytest.mark.parametrize(("name", "lifecycle"), VARIANTS, ids=[name for name, _ in VARIANTS])
    def test_shop(lap, shelf, name, lifecycle, record_property):
        record_property("colour", "red")
        raced(lap, name, 1.0 if name == "sequential" else 0.25, lifecycle=lifecycle)

    @pytest.mark.laptime_race(passes=3)
    @pytest.mark.parametrize("name", ["sequential", "threads"])
    def test_bank(lap, shelf, name):
        raced(lap, name, group="bank")

    @pytest.mark.laptime_race(passes=1)
    @pytest.mark.parametrize("name", ["x", "y"])
    def test_once(lap, name):
        raced(lap, name, group="once", rounds=(3, 3, 0.0))

    def test_plain(benchmark):
        benchmark.pedantic(shopclock.move, (1.0,), rounds=2)

    def test_without():
        pass
"""


SHOP = ["test_shop[asyncio-cold]", "test_shop[sequential]", "test_shop[threads-warm]"]


BANK = ["test_bank[sequential]", "test_bank[threads]"]


ONCE = ["test_once[x]", "test_once[y]"]


ALONE = [*ONCE, "test_plain", "test_without"]


@pytest.fixture(scope="module")
def well(tmp_path_factory) -> tuple[Path, Ended]:
    """Two races, and tests that are in none: the directory, and how the session ended."""
    directory = session(tmp_path_factory.mktemp("well"), test_well=WELL)
    ended = pytest_in(directory, "-v", *TICKING, "--junitxml=out.xml")
    assert OK == ended.code, ended.text
    return directory, ended


def test_each_test_is_visited_once_in_each_pass(well):
    """A race as a whole where the first of its tests stands; what is in none, or in one of one pass, is run once."""
    directory, _ = well
    order = visits(directory)
    assert [SHOP] * 4 == chunks(order[:12], 3)
    assert [BANK] * 3 == chunks(order[12:18], 2)
    assert ALONE == order[18:]


def test_each_test_is_reported_once(well):
    """With -v, in the numbers at the end, and in what other programs read."""
    directory, ended = well
    told = Counter(re.findall(r"^test_well\.py::(\S+) (\w+)", ended.text, re.M))
    assert Counter((name, "PASSED") for name in (*SHOP, *BANK, *ALONE)) == told
    assert "9 passed" in ended.text
    cases = ElementTree.parse(directory / "out.xml").getroot().iter("testcase")
    assert sorted([*SHOP, *BANK, *ALONE]) == sorted(case.attrib["name"] for case in cases)


def test_what_a_test_records_of_itself_is_reported_once(well):
    """Each visit says the same: properties are not repeated visit by visit."""
    directory, _ = well
    cases = ElementTree.parse(directory / "out.xml").getroot().iter("testcase")
    colours = {case.attrib["name"]: len(list(case.iter("property"))) for case in cases}
    assert dict.fromkeys(SHOP, 1) == {name: colours[name] for name in SHOP}


def test_each_test_is_saved_once_with_all_its_rounds(well):
    """One of each pass; pytest-benchmark's own figures are of all of them."""
    directory, _ = well
    saved = benchmarks(directory / "out.json")
    assert [*SHOP, *BANK, *ONCE, "test_plain"] == sorted(saved, key=[*SHOP, *BANK, *ONCE, "test_plain"].index)
    for name, passes in (*((name, 4) for name in SHOP), *((name, 3) for name in BANK)):
        rounds, stats = saved[name]["extra_info"]["rounds"], saved[name]["stats"]
        assert list(range(passes)) == rounds["race_pass"]
        assert (rounds["wall_s"], passes) == (stats["data"], stats["rounds"])
        assert {passes} == {len(figures) for figures in rounds.values()}
    stats = saved["test_shop[threads-warm]"]["stats"]
    assert [pytest.approx(0.25)] * 5 == [*stats["data"], stats["mean"]]


def test_what_a_race_was_is_saved_with_its_figures(well):
    """How many passes it had, at which confidence it is judged, and what its orders were drawn from: one for all."""
    directory, _ = well
    saved = benchmarks(directory / "out.json")
    raced = [saved[name]["extra_info"]["race"] for name in SHOP]
    assert [(4, True)] * 3 == [(one["passes"], one["look"]) for one in raced]
    assert [pytest.approx(0.95)] * 3 == [one["confidence"] for one in raced]
    assert 1 == len({one["seed"] for one in raced})
    assert raced[0]["seed"] != saved[BANK[0]]["extra_info"]["race"]["seed"]


def test_a_race_of_one_pass_is_none(well):
    """Its tests run as they would without: so many rounds as they ask for, and of no pass."""
    directory, _ = well
    info = benchmarks(directory / "out.json")["test_once[x]"]["extra_info"]
    assert (3, False, False) == (len(info["rounds"]["wall_s"]), "race_pass" in info["rounds"], "race" in info)


def test_a_visit_sets_up_and_tears_down_what_is_a_tests_own(well):
    """And leaves standing what is the module's."""
    events = [event for event in log(well[0]) if event.startswith(("up", "down", "shelf"))]
    within = events[: events.index("up test_once[x]")]
    assert ("shelf up", "shelf down") == (events[1], events[-1]) or "shelf up" in events[:2]
    assert (1, 1) == (events.count("shelf up"), events.count("shelf down"))
    pairs = [event for event in within if not event.startswith("shelf")]
    assert [up.removeprefix("up ") for up in pairs[::2]] == [down.removeprefix("down ") for down in pairs[1::2]]


def test_what_is_warm_stays_open_from_pass_to_pass(well):
    """Opened in the first visit, closed once its race is over; what is cold is opened and closed in every round."""
    events = log(well[0])
    assert (1, 1) == (events.count("open threads-warm"), events.count("close threads-warm"))
    last_visit = len(events) - 1 - events[::-1].index("up test_shop[threads-warm]")
    assert last_visit < events.index("close threads-warm") < events.index("up test_bank[threads]")
    rounds = 1 + 4  # the untimed one too
    assert (rounds, rounds) == (events.count("open asyncio-cold"), events.count("close asyncio-cold"))


NESTED = """
    @pytest.fixture(scope="module")
    def server():
        note("server up")
        yield
        note("server down")

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("name", ["sequential", "threads"])
    def test_shop(lap, server, name):
        raced(lap, name, lifecycle="warm")
"""


OWN = """
    @pytest.fixture
    def stall():
        stall = {"stands": True}
        yield stall
        stall["stands"] = False

    @pytest.mark.laptime_race(passes=3)
    @pytest.mark.parametrize("lifecycle", [None, "cold", "fresh"])
    def test_own(lap, stall, lifecycle):
        @contextmanager
        def work():
            assert stall["stands"], "it is opened in the stall of an earlier visit"
            yield lambda: time.sleep(0.016)

        def check(answer):
            assert stall["stands"], "it is checked in the stall of an earlier visit"

        lap(work, check, lifecycle=lifecycle)
"""


@pytest.fixture(scope="module")
def lives(tmp_path_factory) -> tuple[Path, Ended]:
    """A session of work that stands in fixtures, and is profiled: the directory, and how it ended."""
    directory = session(tmp_path_factory.mktemp("lives"), test_nested=NESTED, test_own=OWN)
    return directory, pytest_in(directory, "-v", "--benchmark-cprofile=cumtime", *TICKING)


def test_what_is_warm_is_closed_before_what_it_stands_in(lives):
    """A fixture of the module was there before it was opened, and is there when it is closed."""
    ends = [event for event in log(lives[0]) if event.startswith(("server down", "close"))]
    assert ["close sequential", "close threads", "server down"] == [*sorted(ends[:2]), *ends[2:]]


@pytest.mark.parametrize("lifecycle", ["None", "cold", "fresh"])
def test_a_visit_opens_what_it_was_given(lives, lifecycle):
    """What is not warm may use what is torn down after each visit: the fixtures are the visit's own."""
    directory, ended = lives
    assert re.search(rf"^test_own\.py::test_own\[{lifecycle}\] PASSED", ended.text, re.M), ended.text
    assert 3 == visits(directory).count(f"test_own[{lifecycle}]")


def test_a_profile_is_no_round_of_a_race(lives):
    """--benchmark-cprofile calls the work once more in every visit: each figure stays with its own round."""
    saved = benchmarks(lives[0] / "out.json")
    for name in ("test_shop[sequential]", "test_shop[threads]"):
        rounds = saved[name]["extra_info"]["rounds"]
        assert [0, 1] == rounds["race_pass"]
        assert {2} == {len(figures) for figures in rounds.values()}


# visits that are void

DISTURBED = """
    from itertools import count
    from laptime.busy import Disturbance

    calls = count()
    Disturbance.void = lambda self, wall_s, cpu_s: next(calls) in (0, *range(7, 100))
"""


VOID = """
    @pytest.mark.laptime_race(passes=3)
    @pytest.mark.parametrize("name", ["sequential", "threads"])
    def test_shop(lap, name):
        raced(lap, name)

    @pytest.mark.laptime_race(passes=2)
    def test_busy(lap):
        raced(lap, "sequential", group="busy")

    @pytest.mark.laptime_race(passes=16)
    def test_hopeless(lap):
        raced(lap, "sequential", group="hopeless")
"""


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory) -> tuple[list[str], dict[str, dict]]:
    """A session whose first visit, and from the eighth on all, are void: the visits, and what was saved."""
    directory = session(tmp_path_factory.mktemp("disturbed"), conftest=DISTURBED, test_void=VOID)
    ended = pytest_in(directory, *TICKING)
    assert OK == ended.code, ended.text
    return visits(directory), benchmarks(directory / "out.json")


def test_a_void_visit_is_repeated_at_once(disturbed):
    """Its rounds are dropped, and that they were tried is kept."""
    order, saved = disturbed
    assert (order[0], 7) == (order[1], order.index("test_busy"))
    shop = [saved[f"test_shop[{name}]"]["extra_info"] for name in ("sequential", "threads")]
    assert [[0, 1, 2]] * 2 == [info["rounds"]["race_pass"] for info in shop]
    assert [[False] * 3] * 2 == [info["rounds"]["void"] for info in shop]
    assert [(3, 0), (4, 1)] == sorted((info["tried"]["rounds"], info["tried"]["void"]) for info in shop)


def test_a_visit_is_repeated_twice_at_most(disturbed):
    """The last one stands, and is marked as void."""
    order, saved = disturbed
    busy = saved["test_busy"]
    assert ([0, 1], [True, True]) == tuple(busy["extra_info"]["rounds"][name] for name in ("race_pass", "void"))
    tried = busy["extra_info"]["tried"]
    assert (6, 6, 6, 2) == (order.count("test_busy"), tried["rounds"], tried["void"], busy["stats"]["rounds"])


def test_where_most_visits_are_void_they_are_not_repeated_without_end(disturbed):
    """On a machine that is busy all the time a race takes half as long again, and not three times as long."""
    order, saved = disturbed
    assert 16 < order.count("test_hopeless") <= 16 * 1.5 + 4
    assert [True] * 16 == saved["test_hopeless"]["extra_info"]["rounds"]["void"]


# where nothing is timed, and where there is one


def test_where_benchmarks_are_disabled_each_test_runs_once(tmp_path):
    """There are no passes: answers are checked, and what is warm is opened for that."""
    directory = session(tmp_path, test_well=WELL)
    ended = pytest_in(directory, "--benchmark-disable", *TICKING)
    assert OK == ended.code, ended.text
    names = ["sequential", "threads-warm", "asyncio-cold"]
    expected = [*(f"test_shop[{name}]" for name in names), *BANK, *ALONE]
    assert expected == visits(directory)
    assert {} == benchmarks(directory / "out.json")
    events = log(directory)
    assert [1] * 3 == [events.count(f"open {name}") for name in names if name != "sequential"] + [
        events.count("close threads-warm")
    ]


# benchmarks of pytest-benchmark's own

PLAIN = """
    def work():
        shopclock.move(0.005)

    def test_a(benchmark):
        benchmark(work)

    def test_other():
        pass

    @pytest.mark.parametrize("rounds", [1, 25])
    @pytest.mark.benchmark(group="pots")
    def test_pot(benchmark, rounds):
        benchmark.pedantic(work, rounds=rounds)

    def test_b(benchmark):
        benchmark.extra_info["colour"] = "red"
        benchmark(work)

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("name", ["sequential", "threads"])
    def test_lap(lap, name):
        raced(lap, name)

    calls = count()

    @pytest.mark.benchmark(group="wrong")
    def test_wrong(benchmark):
        benchmark(work)
        assert next(calls) < 2, "wrong in the third visit"
"""


POTS = ["test_pot[1]", "test_pot[25]"]


@pytest.fixture(scope="module")
def interleaved(tmp_path_factory) -> tuple[Path, Ended]:
    """A session with --interleave: its directory, and how it ended."""
    directory = session(tmp_path_factory.mktemp("interleaved"), test_plain=PLAIN)
    arguments = ("--benchmark-min-rounds=15", "--benchmark-max-time=0.05", "--benchmark-min-time=0.001")
    return directory, pytest_in(directory, "-v", "--interleave", *arguments, *TICKING)


def test_benchmarks_of_a_group_take_turns(interleaved):
    """Ten times, those without a group among themselves; other tests, and a race of laps, stay where they stand."""
    order = visits(interleaved[0])
    assert [["test_a", "test_b"]] * 10 == chunks(order[:20], 2)
    assert "test_other" == order[20]
    assert [POTS] * 10 == chunks(order[21:41], 2)
    assert [["test_lap[sequential]", "test_lap[threads]"]] * 2 == chunks(order[41:45], 2)
    assert ["test_wrong"] * 3 == order[45:]


def test_no_benchmark_always_goes_first(interleaved):
    """Each pass has an order drawn anew: that ten are alike, of both groups, happens once in 262,144 sessions."""
    order = visits(interleaved[0])
    firsts = order[:20:2], order[21:41:2]
    assert [1, 1] != [len(set(first)) for first in firsts]


def test_rounds_of_all_passes_are_added_up(interleaved):
    """As many as the benchmark asks for, in ten parts that are rounded up; what it stores beside them stays."""
    saved = benchmarks(interleaved[0] / "out.json")
    rounds = {name: saved[name]["stats"]["rounds"] for name in ("test_a", "test_b", *POTS)}
    assert {"test_a": 20, "test_b": 20, "test_pot[1]": 10, "test_pot[25]": 30} == rounds
    data = {name: len(saved[name]["stats"]["data"]) for name in rounds}
    assert rounds == data
    assert [pytest.approx(0.005)] * 4 == [saved[name]["stats"]["median"] for name in rounds]
    assert {"colour": "red"} == saved["test_b"]["extra_info"]
    assert "pots" == saved["test_pot[1]"]["group"]
    options = [(saved[name]["options"]["min_rounds"], saved[name]["options"]["max_time"]) for name in rounds]
    assert [(15, 0.05)] * 4 == options


def test_interleaved_benchmarks_are_reported_once(interleaved):
    """A failure in a later pass is one failure, and leaves no timing."""
    directory, ended = interleaved
    assert FAILED == ended.code
    told = Counter(re.findall(r"^test_plain\.py::(\S+) (\w+)", ended.text, re.M))
    passed = ("test_a", "test_b", "test_other", *POTS, "test_lap[sequential]", "test_lap[threads]")
    assert Counter({**dict.fromkeys(((name, "PASSED") for name in passed), 1), ("test_wrong", "FAILED"): 1}) == told
    assert "test_wrong" not in benchmarks(directory / "out.json")
