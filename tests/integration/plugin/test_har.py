"""Sessions with ``--har``: what they write of what was served, and when they refuse to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.har import har_problems
from tests.support.here import pytest as pytest_here
from tests.support.sessions import CUT_SHORT, FAILED, USAGE, benchmarks, interrupt_after
from tests.support.sessions import pytest as pytest_in
from tests.support.shop import PRICES, SHORT, suite

TWO = """
    def test_lap(lap, replay):
        stage = replay(HERE / "shop.yaml", "scale:4")
        lap(partial(shopping, stage.url(), NAMES), prices_are_right, stage=stage, requests=ASKED, **RACE)

    def test_plain(replay):
        stage = replay(HERE / "shop.yaml", "none")
        assert [3, 4, None] == [price_or_none(stage.url(), name) for name in (*NAMES, "fig")]

    def test_failing(replay):
        stage = replay(HERE / "shop.yaml", "none")
        assert 5 == price_or_none(stage.url(), "pear")

    def test_without(lap):
        lap(one, is_one, **RACE)
"""


def titles(log: dict[str, Any]) -> list[tuple[str, int]]:
    """The title of each page, and how many entries it has."""
    refs = [one["pageref"] for one in log["entries"]]
    return [(page["title"], refs.count(page["id"])) for page in log["pages"]]


def test_a_session_writes_a_page_for_each_round(tmp_path: Path) -> None:
    """Of benchmarks, of plain tests and of failing ones; the first round is the one that isn't timed.

    The rounds of a benchmark are counted from pass to pass of its race.
    """
    suite(tmp_path, test_two=(TWO,))
    ended = pytest_here(tmp_path, "--har=out.har", "--benchmark-json=out.json")
    assert FAILED == ended.code, ended.text
    document = json.loads((tmp_path / "out.har").read_text(encoding="utf-8"))
    assert [] == har_problems(document)
    log = document["log"]
    rounds = [(f"test_two.py::test_lap, round {number}, shop.yaml at scale:4", 2) for number in (1, 2, 3)]
    plain = "test_two.py::test_plain, round 1, shop.yaml at none"
    assert [*rounds, (plain, 3), ("test_two.py::test_failing, round 1, shop.yaml at none", 1)] == titles(log)
    asked = {one["request"]["url"]: one["response"]["status"] for one in log["entries"]}
    addresses = {f"https://shop.test{path}": 200 for path in PRICES}
    assert addresses | {"https://shop.test/price/fig": 599} == asked
    assert f"laptime: wrote 10 requests to {tmp_path}/out.har" in ended.text
    assert {"test_lap", "test_without"} == set(benchmarks(tmp_path / "out.json"))
    waits = [one["timings"]["wait"] for one in log["entries"] if one["pageref"] == log["pages"][0]["id"]]
    assert all(wait >= 8 for wait in waits), "recorded: 2 ms, played at four times that"


STANDING_STILL = """
    def test_still(replay):
        stage = replay(HERE / "shop.yaml", "none")
        assert 3 == price_or_none(stage.url(), "pear")
        (HERE / "started").touch()
        time.sleep(600)
"""


def test_a_session_that_is_cut_short_writes_what_was_served(tmp_path: Path) -> None:
    """Until Ctrl-C; the file is whole."""
    suite(tmp_path, test_still=(STANDING_STILL,))
    ended = pytest_in(tmp_path, "--har=out.har", during=interrupt_after(tmp_path / "started"))
    assert (CUT_SHORT, ["out.har"]) == (ended.code, [path.name for path in tmp_path.iterdir() if ".har" in path.name])
    document = json.loads((tmp_path / "out.har").read_text(encoding="utf-8"))
    assert ([], 1) == (har_problems(document), len(document["log"]["entries"]))


def test_a_log_that_cannot_be_written_at_the_end_is_an_error(tmp_path: Path) -> None:
    """Its place was removed meanwhile: said with its name, and an exit code of its own though all tests passed."""
    removing = """
        import shutil

        def test_removing(replay):
            assert 3 == price_or_none(replay(HERE / "shop.yaml", "none").url(), "pear")
            shutil.rmtree(HERE / "logs")
    """
    suite(tmp_path, test_removing=(removing,))
    (tmp_path / "logs").mkdir()
    ended = pytest_here(tmp_path, "--har=logs/out.har")
    assert CUT_SHORT == ended.code
    assert f"laptime: {tmp_path}/logs/out.har: can't be written: No such file or directory" in ended.text
    assert "1 passed" in ended.text
    assert "INTERNALERROR" not in ended.text


def test_a_recording_that_is_gone_by_then_is_no_error(tmp_path: Path) -> None:
    """A test may make its own and remove it: what was served is logged with what the replay itself knows."""
    removing = """
        import shutil

        def test_removing(replay, tmp_path):
            for name in ("shop.yaml", "shop.timings.json"):
                shutil.copy(HERE / name, tmp_path / name)
            stage = replay(tmp_path / "shop.yaml", "none")
            shutil.rmtree(tmp_path)
            assert 3 == price_or_none(stage.url(), "pear")

        def test_after(replay):
            assert 3 == price_or_none(replay(HERE / "shop.yaml", "none").url(), "pear")
    """
    suite(tmp_path, test_removing=(removing,))
    ended = pytest_here(tmp_path, "--har=out.har")
    assert (True, False) == ("2 passed" in ended.text, "INTERNALERROR" in ended.text), ended.text
    document = json.loads((tmp_path / "out.har").read_text(encoding="utf-8"))
    asked = [(one["request"]["url"], one["response"]["status"]) for one in document["log"]["entries"]]
    assert ([], [("https://shop.test/price/pear", 200)] * 2) == (har_problems(document), asked)


def test_a_log_that_could_not_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """In a directory that isn't there: rather than after minutes of measuring."""
    ended = pytest_here(suite(tmp_path, test_short=(SHORT,)), "--har=missing/out.har")
    assert USAGE == ended.code
    assert "--har missing/out.har: expected a file in a directory that exists" in ended.text
    assert "collected" not in ended.text


def test_several_processes_write_no_log(tmp_path: Path) -> None:
    """They would write one file: refused before anything runs."""
    ended = pytest_here(suite(tmp_path, test_short=(SHORT,)), "--har=out.har", "-n", "2")
    assert USAGE == ended.code
    assert "--har: several processes would write one file; leave -n out" in ended.text
    assert not (tmp_path / "out.har").exists()
