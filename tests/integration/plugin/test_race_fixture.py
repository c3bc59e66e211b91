"""A race of one's own: the `race` fixture and ready-made ways in an empty directory, and what `laptime race` shows.

One session is shared by most: it races a recording and a function that computes, and is stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from laptime import cli
from tests.support import Exchange, timing, write_cassette
from tests.support.here import laptime
from tests.support.here import pytest as pytest_in
from tests.support.sessions import FAILED, OK, Ended, benchmarks, write
from tests.support.sessions import pytest as pytest_process

CANNOT = 2
SCHEMA = json.loads(files("laptime.report").joinpath("race.schema.json").read_text(encoding="utf-8"))
PRICES = {"pear": 3, "plum": 4, "fig": 5}

SHOP = """
    '''What a shop asks for its goods, by a client that is only imported.'''
    import asyncio, json, time, urllib.request

    def price(url):
        with urllib.request.urlopen(url, timeout=60) as response:
            return json.load(response)

    async def price_later(url):
        return await asyncio.to_thread(price, url)

    def square(number):
        time.sleep(0.008)  # so long that a visit has one round
        return number * number
"""
OWN = """
    from pathlib import Path

    import pytest
    from laptime.ways import ways
    from shop import price, price_later, square

    HERE = Path(__file__).parent
    NAMES = ["pear", "plum", "fig"]

    @pytest.mark.laptime_race(passes=8)
    @pytest.mark.parametrize("way", ways("sequential", "threads", "asyncio", workers=3, lifecycles="warm"), ids=str)
    def test_prices(race, replay, way):
        stage = replay(HERE / "shop.yaml", "fixed:20ms")
        urls = [f"{stage.url()}/price/{name}" for name in NAMES]
        race(way, price, urls, expected=[3, 4, 5], asynchronous=price_later, stage=stage, summary="what things cost",
             colour="red")

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("way", ways("sequential", "processes", workers=2, lifecycles="cold"), ids=str)
    def test_squares(race, way):
        race(way, square, range(4))
"""
CALM = """
    from laptime.busy import Disturbance

    Disturbance.void = lambda self, wall_s, cpu_s: False  # whatever else this machine does, no visit is repeated
"""
PRICED = ["test_prices[sequential]", "test_prices[threads-w3-warm]", "test_prices[asyncio-w3-warm]"]
SQUARED = ["test_squares[sequential]", "test_squares[processes-w2-forkserver-cold]"]


def directory_of_its_own(directory: Path, **tests: str) -> Path:
    """An empty directory with a shop, its recording, and tests: no conftest, no ini file, no package."""
    passes = [timing(wait=2.0)] * 5
    exchanges = (
        Exchange(f"https://shop.test/price/{name}", body=str(cost), passes=passes) for name, cost in PRICES.items()
    )
    write_cassette(directory / "shop.yaml", *exchanges)
    return write(directory, shop=SHOP, **tests)


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> tuple[Path, Ended]:
    """A session of two races, stored: the directory, and how it ended."""
    directory = directory_of_its_own(tmp_path_factory.mktemp("own"), test_own=OWN)
    ended = pytest_process(directory, "--benchmark-json=out.json", history=True)
    assert OK == ended.code, ended.text
    return directory, ended


def described(text: str) -> dict[str, Mapping[str, Any]]:
    """The races of a JSON document, by name; it is as the schema says."""
    document = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return {one["race"]: one for one in document["races"]}


# the fixture


def test_the_cases_of_a_function_are_one_race(own):
    """Named after it; a case is named after its way, and each was timed in every pass."""
    saved = benchmarks(own[0] / "out.json")
    groups = {**dict.fromkeys(PRICED, "prices"), **dict.fromkeys(SQUARED, "squares")}
    assert groups == {name: one["group"] for name, one in saved.items()}
    passes = [saved[name]["extra_info"]["rounds"]["race_pass"] for name in PRICED]
    assert [list(range(8))] * 3 == passes


def test_the_first_way_is_what_the_others_are_compared_with(own):
    """It is said of each whether it is, so that a race without it tells no gain."""
    info = {name: one["extra_info"] for name, one in benchmarks(own[0] / "out.json").items()}
    assert [True, False, False] == [info[name]["first"] for name in PRICED]
    assert [True, False] == [info[name]["first"] for name in SQUARED]


def test_a_way_is_stored_with_what_it_is(own):
    """And with what the test itself adds."""
    saved = benchmarks(own[0] / "out.json")
    names = ("label", "variant", "workers", "start_method", "lifecycle", "http", "latency", "summary", "colour")
    threads, processes = (saved[name]["extra_info"] for name in (PRICED[1], SQUARED[1]))
    expected = ("threads-w3-warm", "threads", 3, None, "warm", "replay", "fixed:20ms", "what things cost", "red")
    assert expected == tuple(threads.get(name) for name in names)
    expected = ("processes-w2-forkserver-cold", "processes", 2, "forkserver", "cold", None, None, "", None)
    assert expected == tuple(processes.get(name) for name in names)


def test_requests_to_a_recording_are_counted_and_played_pass_by_pass(own):
    """How many there must be need not be said: three in each round, of recordings that take turns."""
    rounds = benchmarks(own[0] / "out.json")[PRICED[2]]["extra_info"]["rounds"]
    assert ([3] * 8, [0, 1, 2, 3, 4, 0, 1, 2]) == (rounds["requests"], rounds["pass"])


def test_the_session_ends_in_a_verdict(own):
    """Whatever it is on this machine: a race of eight passes names somebody or says why not, one of two is a look."""
    _, ended = own
    said = " ".join(ended.text.partition(" laptime ---")[2].split())
    prices, squares = re.split(r"(?=prices: what things cost)|(?=squares )", said)[1:3]
    assert re.search(r"(take \S+:|No variant is shown|NO VERDICT: )", prices, re.IGNORECASE)
    assert "Bound by " in prices
    assert "NO VERDICT: this was a look of 2 passes, and a verdict needs 8" in squares


# what goes wrong

WRONG = """
    import pytest
    from laptime.ways import Way, ways
    from shop import price, price_later, square

    calls = []

    def counted(number):
        square(number)
        calls.append(number)
        return len(calls)

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("way", ways("sequential", "threads", workers=2, lifecycles="cold"), ids=str)
    class TestWrong:
        def test_expected(self, race, way):
            race(way, square, [1, 2, 3], expected=[1, 4, 8])

        def test_from_round_to_round(self, race, way):
            race(way, counted, [1, 1])

        def test_long(self, race, way):
            race(way, str, [number * "x" for number in range(100)], expected=[])

        def test_no_async(self, race, way):
            race(way, price_later, [1])

    def as_the_first():
        @pytest.mark.laptime_race(passes=2)
        @pytest.mark.parametrize("way", ways("sequential", "threads", workers=2, lifecycles="cold"), ids=str)
        def test(race, way):
            race(way, square if way.kind == "sequential" else abs, [1, 2, 3])

        return test

    # several, as passes have an order of their own
    test_as_the_first_0, test_as_the_first_1, test_as_the_first_2 = as_the_first(), as_the_first(), as_the_first()
    test_as_the_first_3, test_as_the_first_4, test_as_the_first_5 = as_the_first(), as_the_first(), as_the_first()

    @pytest.mark.laptime_race(passes=2)
    def test_no_way(race):
        race("threads", square, [1])

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("way", ways("sequential", "asyncio", workers=2, lifecycles="cold"), ids=str)
    def test_asyncio_of_what_is_not(race, way):
        race(way, square, [1, 2])

    class Missing(Way):
        def needs(self):
            return "a flux capacitor"

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("way", [Way("sequential"), Missing("threads", 2)], ids=str)
    def test_missing(race, way):
        race(way, square, [1, 2])

    @pytest.mark.laptime_race(passes=2)
    def test_alone(race):
        race(Way("sequential"), square, [1, 2], expected=[1, 4])

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("way", ways("sequential"), ids=str)
    def test_requests(race, replay, way):
        stage = replay("shop.yaml", "none")
        race(way, price, [stage.url() + "/price/pear"], stage=stage, requests={"GET /price/pear": 2})

    @pytest.mark.laptime_race(passes=2)
    @pytest.mark.parametrize("way", ways("sequential"), ids=str)
    def test_unrecorded(race, replay, way):
        stage = replay("shop.yaml", "none")
        race(way, price, [stage.url() + "/price/kiwi"], stage=stage)
"""
NOT_A_WAY = "TypeError: race(way, function, items): way='threads': expected one of laptime.ways.ways(…)"
SAID = {
    "test_expected[sequential]": "wrong answer of sequential: expected [1, 4, 8], got [1, 4, 9]",
    "test_expected[threads-w2-cold]": "wrong answer of threads-w2-cold: expected [1, 4, 8], got [1, 4, 9]",
    "test_no_way": NOT_A_WAY,
    "test_asyncio_of_what_is_not[asyncio-w2-cold]": "asyncio needs an async function: pass asynchronous=…",
    "test_requests[sequential]": "1 went missing (GET /price/pear)",
    "test_unrecorded[sequential]": "not in the cassette: GET /price/kiwi",
    "test_no_async[threads-w2-cold]": "threads needs a function that is not async",
}
"""What is said of those that fail."""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A session in which much goes wrong: what was said of each failure, and of each skip."""
    directory = directory_of_its_own(tmp_path_factory.mktemp("wrong"), test_wrong=WRONG, conftest=CALM)
    arguments = ("-v", "-rfs", "--no-fold-skipped", "--benchmark-json=out.json")
    ended = pytest_in(directory, *arguments, env={"COLUMNS": "1000"})
    assert FAILED == ended.code, ended.text
    summary = ended.text.partition("short test summary info")[2]
    said = re.findall(r"^(?:FAILED|SKIPPED) \S*::(\S+) - (.*)$", summary, re.M)
    assert len(said) == len(dict(said)), summary
    return directory, dict(said)


@pytest.mark.parametrize("name", SAID)
def test_what_fails_says_why(wrong, name):
    """The way, what is right, and what it answered; or what it can't run, and what to do."""
    assert SAID[name] in wrong[1][name]


def test_without_expected_every_way_answers_as_the_first_did(wrong):
    """The first of the ways, whoever is visited first in the first pass: the other one fails, with both answers."""
    found = {name: said for name, said in wrong[1].items() if name.startswith("test_as_the_first")}
    said = "wrong answer of threads-w2-cold: sequential answered [1, 4, 9], got [1, 2, 3]"
    expected = {f"test_as_the_first_{number}[threads-w2-cold]": said for number in range(6)}
    assert expected == {name: said.removeprefix("AssertionError: ").rstrip() for name, said in found.items()}


def test_without_expected_every_round_answers_as_the_first(wrong):
    """What answers otherwise the second time is wrong, also as the first way."""
    assert re.search(r" answered \[.*\], got \[.*\]", wrong[1]["test_from_round_to_round[sequential]"])


def test_a_long_answer_is_told_in_short(wrong):
    """With how long it is."""
    said = wrong[1]["test_long[sequential]"]
    assert re.search(r"got \['', 'x', .{150,210} … \(\d{4} characters\)", said), said


def test_a_way_that_cant_run_here_is_skipped(wrong):
    """With what it needs; the others go on, and what has no parameters runs as well."""
    directory, said = wrong
    assert "Skipped: it needs a flux capacitor" in said["test_missing[threads-w2]"]
    saved = benchmarks(directory / "out.json")
    right = {"test_missing[sequential]", "test_alone", "test_asyncio_of_what_is_not[sequential]"}
    assert right <= set(saved)
    assert saved["test_alone"]["extra_info"]["first"] is None


def test_what_fails_leaves_no_timing(wrong):
    """Nobody can be compared with a wrong answer."""
    directory, said = wrong
    assert not set(said) & set(benchmarks(directory / "out.json"))


# the command


@pytest.fixture(scope="module")
def shown(own) -> dict[str, Mapping[str, Any]]:
    """The races of the session's file, as JSON."""
    ended = laptime(own[0], "race", "out.json", "--format", "json")
    assert OK == ended.code, ended.text
    return described(ended.text)


def test_a_file_is_shown_as_json(own, shown):
    """As the schema says, with the figures of the file."""
    saved = benchmarks(own[0] / "out.json")
    assert ["prices", "squares"] == list(shown)
    prices = shown["prices"]
    assert ("what things cost", "sequential", 3) == (prices["summary"], prices["first"], len(prices["variants"]))
    by_benchmark = {one["benchmark"]: one for one in prices["variants"]}
    threads = by_benchmark[f"test_own.py::{PRICED[1]}"]
    assert saved[PRICED[1]]["stats"]["median"] == pytest.approx(threads["median_s"])
    assert ("threads-w3-warm", True) == (threads["name"], threads["passes"] <= 8 <= threads["rounds"])
    squares = shown["squares"]
    assert (False, 1) == (squares["fit"], sum("this was a look" in reason for reason in squares["why"]))


def test_a_stored_run_is_shown_as_the_file_of_it(own, shown):
    """The history keeps every round of it, and of which pass that was."""
    ended = laptime(own[0], "race", "latest", "--format", "json")
    assert OK == ended.code, ended.text
    assert shown == described(ended.text)


def test_the_schema_is_printed(capsys):
    """Whatever is there."""
    assert OK == cli.main(["race", "--schema"])
    assert SCHEMA == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (("missing.json",), "missing.json"),
        (("others.json",), "laptime: others.json: holds no benchmarks of laptime's `lap` or `race` fixture"),
        (("latest",), "laptime: "),
        ((), "laptime: "),
    ],
    ids=["missing", "others", "no store", "nothing said"],
)
def test_where_there_is_no_race_the_code_is_2(tmp_path, monkeypatch, capsys, source, said):
    """With one line that says what is missing, and nothing that a program could take for a result."""
    other = {"group": None, "name": "test_other", "param": None, "extra_info": {}}
    (tmp_path / "others.json").write_text(json.dumps({"benchmarks": [other]}))
    monkeypatch.chdir(tmp_path)
    assert CANNOT == cli.main(["race", *source, "--format", "json"])
    written = capsys.readouterr()
    assert ("", 1) == (written.out, len(written.err.splitlines()))
    assert said in written.err
