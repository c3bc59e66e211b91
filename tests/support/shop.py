"""A made-up suite for sessions to run: a shop, a recording of its prices, and what its tests have in common."""

from __future__ import annotations

from pathlib import Path

from tests.support import Exchange, timing, write_cassette
from tests.support.sessions import write

PRICES = {"/price/pear": "3", "/price/plum": "4"}

SHOP = """
    '''What a shop asks for its goods.'''
    import json, sys, urllib.request
    from contextlib import contextmanager

    def price(base_url, name):
        with urllib.request.urlopen(f"{base_url}/price/{name}", timeout=60) as response:
            return json.load(response)

    def price_or_none(base_url, name):
        try:
            return price(base_url, name)
        except OSError:
            return None

    @contextmanager
    def shopping(base_url, names, get=price):
        yield lambda: [get(base_url, name) for name in names]

    def is_loaded(module):
        return module in sys.modules
"""

COMMON = """
    import os, time
    from collections import Counter
    from contextlib import contextmanager
    from functools import partial
    from itertools import count
    from pathlib import Path

    import psutil, pytest
    from laptime.busy import Disturbance
    from shop import is_loaded, price_or_none, shopping

    pytestmark = pytest.mark.laptime_race(passes=2)
    Disturbance.void = lambda self, wall_s, cpu_s: False  # whatever else this machine does, no round is repeated

    HERE = Path(__file__).parent
    NAMES = ["pear", "plum"]
    ASKED = Counter(f"GET /price/{name}" for name in NAMES)
    RACE = {"group": "shop", "workload": "shop", "summary": "what things cost"}

    def prices_are_right(answer):
        assert [3, 4] == answer, f"wrong prices: {answer}"

    def is_one(answer):
        assert 1 == answer, f"not one: {answer}"

    @contextmanager
    def one():
        yield lambda: 1
"""

SHORT = """
    def test_short(replay, lap):
        stage = replay(HERE / "shop.yaml", "fixed:8ms")
        lap(partial(shopping, stage.url(), NAMES), prices_are_right, stage=stage, requests=ASKED, **RACE)
"""
"""Two passes of one round: it takes so long that a visit has no other."""

TIMED = """
    def in_the_race(test):
        return pytest.mark.benchmark(group="shop")(pytest.mark.laptime_race(seconds=0.5)(test))

    def shop(lap, stage, names=NAMES, asked=ASKED, **settings):
        lap(partial(shopping, stage.url(), names), prices_are_right, stage=stage, requests=asked, **RACE, **settings)

    @in_the_race
    def test_cold(replay, lap):
        shop(lap, replay(HERE / "shop.yaml", "scale:0.5"), lifecycle="cold", parcels=7)

    @in_the_race
    def test_warm(replay, lap):
        shop(lap, replay(HERE / "shop.yaml"), lifecycle="warm")

    def test_without_http(lap):
        lap(one, is_one)
"""
"""A race as it is run where nothing is said of passes, and a benchmark that takes no part."""

QUICK = """
    def test_quick(lap):
        lap(one, is_one)
"""


def suite(directory: Path, **tests: tuple[str, ...]) -> Path:
    """A package, its recording, and files of tests."""
    passes = [timing(wait=2.0)] * 5
    exchanges = (Exchange(f"https://shop.test{path}", body=price, passes=passes) for path, price in PRICES.items())
    write_cassette(directory / "shop.yaml", *exchanges)
    (directory / "shop").mkdir()
    write(directory / "shop", __init__=SHOP)
    return write(directory, **{name: (COMMON, *parts) for name, parts in tests.items()})
