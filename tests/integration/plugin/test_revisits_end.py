"""When a race ends, and how: with a verdict, badly, cut short, or before it begins."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.here import pytest as pytest_in
from tests.support.sessions import CUT_SHORT, FAILED, OK, USAGE, Ended, benchmarks, interrupt_after
from tests.support.sessions import pytest as pytest_process
from tests.support.visits import TICKING, log, session, visits

# when a race ends

ENDS = """
    VARIANTS = {"sequential": 1.0, "threads": 0.5, "slow": 3.0, "sieve": 0.01}

    @pytest.mark.parametrize("name", VARIANTS)
    def test_exact(lap, name):
        raced(lap, name, VARIANTS[name], group="exact", reference=name == "sieve")

    turns = {"sequential": count(), "threads": count(1)}

    @pytest.mark.parametrize("name", turns)
    def test_unsteady(lap, name):
        raced(lap, name, lambda: 1.0 + next(turns[name]) % 2, group="unsteady")
"""


@pytest.fixture(scope="module")
def over(tmp_path_factory) -> tuple[dict[str, dict], Ended]:
    """A race without noise, and one with nothing but noise that has no time: what was saved, how the session ended."""
    directory = session(tmp_path_factory.mktemp("over"), test_over=ENDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("laptime.plugin.passes.canary", lambda: 0.001)  # the machine has one speed
        ended = pytest_in(directory, *TICKING, "--race-time=0.01s", "--benchmark-columns=min,rounds")
    assert OK == ended.code, ended.text
    return {name: one["extra_info"] for name, one in benchmarks(directory / "out.json").items()}, ended


def test_a_race_whose_intervals_are_narrow_ends_with_a_verdict(over):
    """As soon as it has as many passes as that needs."""
    saved, ended = over
    passes = [len(saved[f"test_exact[{name}]"]["rounds"]["race_pass"]) for name in ("sequential", "threads")]
    assert [10, 10] == passes
    assert re.search(r"^Take threads: 2\.00 × \(2\.00 to 2\.00\), 500 ms", ended.text, re.M), ended.text


def test_who_has_lost_leaves_at_the_first_look(over):
    """So does what is beside the contest: at the confidence of that look."""
    saved, _ = over
    for name in ("slow", "sieve"):
        info = saved[f"test_exact[{name}]"]
        assert list(range(5)) == info["rounds"]["race_pass"]
        assert (5, 0.995) == (info["race"]["passes"], pytest.approx(info["race"]["confidence"]))


def test_a_race_without_time_has_ten_passes(over):
    """--race-time is for what comes after them."""
    saved, ended = over
    raced = [saved[f"test_unsteady[{name}]"] for name in ("sequential", "threads")]
    assert [list(range(10))] * 2 == [info["rounds"]["race_pass"] for info in raced]
    assert [False] * 2 == [info["race"]["look"] for info in raced]
    (canary,) = [info["race"]["canary"] for info in raced if "canary" in info["race"]]
    assert [2] * 10 == list(map(len, canary))
    assert "No variant is shown to gain 10 % on sequential" in ended.text


# visits that end badly

BADLY = """
    calls = {name: count() for name in ("wrong", "body", "skip", "xfail", "torn")}

    def third(name):
        return next(calls[name]) == 2

    @pytest.fixture
    def broken_setup():
        pytest.fail("broken in setup")

    @pytest.mark.benchmark(group="shop")
    @pytest.mark.laptime_race(passes=4)
    class TestShop:
        def test_right(self, lap):
            raced(lap, "right", lifecycle="warm")

        def test_wrong(self, lap):
            # the first visit has an untimed round before the timed one
            raced(lap, "wrong", lifecycle="warm", answer=lambda: 0 if next(calls["wrong"]) == 3 else 1)

        def test_body(self, lap):
            raced(lap, "body", lifecycle="warm")
            assert not third("body"), "wrong in the third visit"

        def test_skip(self, lap):
            raced(lap, "skip", lifecycle="warm")
            if third("skip"):
                pytest.skip("not today")

        @pytest.mark.xfail(reason="known")
        def test_xfail(self, lap):
            raced(lap, "xfail", lifecycle="warm")
            assert not third("xfail")

        def test_setup(self, broken_setup, lap):
            raced(lap, "setup")

        def test_nothing(self, lap):
            pass

    @pytest.fixture
    def torn():
        yield
        pytest.fail("broken in teardown")

    @pytest.mark.laptime_race(passes=3)
    def test_torn(lap, torn):
        raced(lap, "torn", lifecycle="warm", group="torn")
"""


ENDED_BADLY = {
    "test_wrong": ("FAILED", "not one: 0", 3),
    "test_body": ("FAILED", "wrong in the third visit", 3),
    "test_skip": ("SKIPPED", "not today", 3),
    "test_xfail": ("XFAIL", "known", 3),
    "test_setup": ("ERROR", "broken in setup", 1),
}
"""How it is reported, what is said of it, and how often it was visited."""


@pytest.fixture(scope="module")
def badly(tmp_path_factory) -> tuple[Path, Ended]:
    """A race in which tests end in every way: the directory, and how the session ended."""
    directory = session(tmp_path_factory.mktemp("badly"), test_badly=BADLY)
    arguments = ("-v", "-rA", "--no-fold-skipped", *TICKING)
    return directory, pytest_in(directory, *arguments, env={"COLUMNS": "300"})


@pytest.mark.parametrize("name", ENDED_BADLY)
def test_what_ends_badly_ends_its_visits(badly, name):
    """It is reported once, with its reason, is visited no more, and leaves no timing of the visits before."""
    directory, ended = badly
    outcome, reason, count = ENDED_BADLY[name]
    summary = ended.text.partition("short test summary info")[2]
    lines = [line for line in summary.splitlines() if re.match(rf"{outcome} .*{name}\b", line)]
    assert [True] == [reason in line for line in lines], summary
    assert count == visits(directory).count(name)
    assert name not in benchmarks(directory / "out.json")


def test_what_ends_badly_takes_nothing_from_the_others(badly):
    """They go on to the end of the race."""
    directory, ended = badly
    assert FAILED == ended.code
    assert [0, 1, 2, 3] == benchmarks(directory / "out.json")["test_right"]["extra_info"]["rounds"]["race_pass"]


def test_what_times_nothing_is_visited_once(badly):
    """It can't be in a race, and passes."""
    directory, ended = badly
    assert 1 == visits(directory).count("test_nothing")
    assert 1 == len(re.findall(r"^PASSED .*test_nothing", ended.text, re.M))


@pytest.mark.parametrize("name", ["right", "wrong", "body", "skip", "xfail", "torn"])
def test_what_stands_open_is_closed_however_a_test_ends(badly, name):
    """Once."""
    events = log(badly[0])
    assert (1, 1) == (events.count(f"open {name}"), events.count(f"close {name}"))


def test_a_teardown_that_fails_ends_the_visits_too(badly):
    """Though it comes when the next visit is known already: one visit, one error."""
    directory, ended = badly
    assert 1 == visits(directory).count("test_torn")
    assert 1 == len(re.findall(r"^ERROR .*test_torn - .*broken in teardown", ended.text, re.M)), ended.text
    assert "test_torn" not in benchmarks(directory / "out.json")


JAMMED = """
    @contextmanager
    def jammed():
        yield lambda: time.sleep(0.016) or 1
        raise OSError("a worker is stuck")

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("work", [jammed, opened("well")], ids=["jammed", "well"])
    def test_shop(lap, work):
        lap(work, is_one, lifecycle="warm", group="shop", workload="shop")
"""


def test_what_does_not_close_well_is_an_error(tmp_path):
    """After the last visit: it was open during all that was measured, so no timing of it is left; others are well."""
    directory = session(tmp_path, test_jammed=JAMMED)
    ended = pytest_in(directory, "-v", "-rA", *TICKING)
    assert (FAILED, False) == (ended.code, "INTERNALERROR" in ended.text), ended.text
    assert re.search(r"^ERROR .*test_shop\[jammed\] - OSError: a worker is stuck", ended.text, re.M)
    assert ["test_shop[well]"] == list(benchmarks(directory / "out.json"))


# sessions that are cut short

CUT = """
    import os

    calls = {"sequential": count(), "threads": count()}

    def answer(name):
        # in its first visit each has an untimed round too
        if next(calls[name]) == int(os.environ["CUT_IN_ROUND"]) and name == "threads":
            (HERE / "started").touch()
            if os.environ["CUT_BY"] == "ctrl-c":
                time.sleep(600)
            return 0
        return 1

    @pytest.mark.laptime_race(passes=4)
    @pytest.mark.parametrize("name", calls)
    def test_cut(lap, name):
        raced(lap, name, answer=lambda: answer(name), lifecycle="warm")
"""


@pytest.mark.parametrize("number", [1, 3], ids=["first pass", "third pass"])
def test_ctrl_c_closes_what_stands_open(tmp_path, number):
    """In whichever pass it comes; rounds that were cut short, and those of an unfinished race, are no result."""
    directory = session(tmp_path, test_cut=CUT)
    env = {"CUT_BY": "ctrl-c", "CUT_IN_ROUND": str(number)}
    ended = pytest_process(directory, *TICKING, during=interrupt_after(directory / "started"), env=env)
    assert CUT_SHORT == ended.code, ended.text
    events = Counter(log(directory))
    assert 1 == events["open threads"] == events["close threads"]
    assert events["open sequential"] == events["close sequential"]
    assert {} == benchmarks(directory / "out.json")


def test_x_ends_the_session_with_the_first_failure(tmp_path):
    """What stands open is closed; the others, which have not ended, are no result."""
    directory = session(tmp_path, test_cut=CUT)
    ended = pytest_in(directory, "-x", *TICKING, env={"CUT_BY": "failure", "CUT_IN_ROUND": "2"})
    assert (FAILED, True) == (ended.code, "stopping after 1 failures" in ended.text)
    assert 1 == len(re.findall(r"^FAILED ", ended.text, re.M))
    events = Counter(log(directory))
    assert [1, 1] * 2 == [events[f"{what} {name}"] for name in ("sequential", "threads") for what in ("open", "close")]
    assert {} == benchmarks(directory / "out.json")


def test_a_single_test_is_told_of(tmp_path):
    """Chosen with -k it has few passes, since nothing else is to be told apart, and no verdict but what bound it."""
    directory = session(tmp_path, test_over=ENDS)
    ended = pytest_in(directory, "-k", "exact and threads", *TICKING)
    assert OK == ended.code, ended.text
    assert {"test_exact[threads]": len(visits(directory))} == Counter(visits(directory))
    assert len(visits(directory)) <= 10
    assert "1 passed" in ended.text
    assert "Bound by waiting: threads computed for " in ended.text
    assert (False, False) == ("NO VERDICT" in ended.text, "Take " in ended.text)
    assert "benchmark 'exact': 1 tests" not in ended.text, "pytest-benchmark's own table was not asked for"


def test_pytest_benchmarks_own_table_comes_where_it_is_asked_for(over):
    """With any of the options that say how it looks: beside the race, and with all rounds."""
    _, ended = over
    assert "benchmark 'exact': 4 tests" in ended.text
    assert re.search(r"^test_unsteady\[threads\] .* 10$", ended.text, re.M), ended.text


# what is wrongly asked for

MARKS = """
    @pytest.mark.laptime_race({arguments})
    def test_marked(lap):
        raced(lap, "sequential")
"""


@pytest.mark.parametrize("arguments", ["passes=0", "pases=3", "seconds='long'"])
def test_a_mark_that_cant_be_read_is_a_usage_error(tmp_path, arguments):
    """It names the test, the mark and what that takes; nothing is run."""
    directory = session(tmp_path, test_marks=MARKS.format(arguments=arguments))
    ended = pytest_in(directory, "--race-time=0.001s")
    assert USAGE == ended.code, ended.text
    line = ended.line("^ERROR")
    assert re.search(r"test_marks\.py::test_marked: laptime_race takes passes=.* and seconds=.*; got Mark\(", line)
    assert not (directory / "log.txt").exists()


def test_a_race_time_that_cant_be_read_is_a_usage_error(tmp_path):
    """With an example of what can."""
    ended = pytest_in(tmp_path, "--race-time=soon")
    assert USAGE == ended.code
    assert "argument --race-time: 'soon': expected a time, as in 10m or 90s" in ended.text
