"""The page in a real browser: everything is drawn, nothing is asked for, nothing is complained of, at any width."""

# ruff: noqa: E402 (altair and selenium may be missing)

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed: no altair")
pytest.importorskip("vl_convert", reason="the extra `report` is not installed: no vl-convert-python")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from laptime import trend
from laptime.report.page import content, draw, html, theme
from laptime.report.page.material import Material
from tests.support import HANG_LIMIT_S
from tests.support import reports as support

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
PAGE = "everything"
_TWICE = 2
"""A row's name is drawn over its own halo."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on PATH"),
    pytest.mark.skipif(DRIVER is None, reason="no chromedriver on PATH (Debian's is in chromium-driver)"),
]

CHARTS = """
    const seen = (one) => { const box = one.getBoundingClientRect(); return box.width + box.height > 0; };
    return [...document.querySelectorAll(".chart")].map((chart) => {
      const svg = chart.querySelector("svg");
      const name = chart.parentNode.id;
      if (!svg) return {name, marks: 0, texts: [], shown: 0, made: -1};
      const edge = svg.getBoundingClientRect();
      const marks = [...svg.querySelectorAll("[class*=role-mark] path, [class*=role-mark] line")].filter(seen);
      const texts = [...svg.querySelectorAll("text")].filter((one) => one.textContent && seen(one)).map((one) => {
        const box = one.getBoundingClientRect();
        const beside = Math.max(edge.left - box.left, box.right - edge.right);
        const cut = Math.max(beside, edge.top - box.top, box.bottom - edge.bottom);
        return {text: one.textContent, px: parseFloat(getComputedStyle(one).fontSize), cut};
      });
      return {name, marks: marks.length, texts, shown: edge.width, made: +svg.getAttribute("width")};
    });
"""
"""Of each chart: how many marks can be seen, and of its texts the size and by how many pixels they are cut off."""


def waited_for(event: Callable[[], bool], otherwise: str) -> None:
    """Return when something is so."""
    deadline = time.monotonic() + HANG_LIMIT_S
    while not event():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser, and the pages that it may be shown."""

    driver: Any
    pages: Path

    def show(self, name: str = PAGE, size: str = "desktop", scheme: str = "light") -> None:
        """Open a page and wait until all of its charts are drawn."""
        self.resize(size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get((self.pages / f"{name}.html").as_uri())
        waited_for(lambda: self.state() in ("drawn", "failed"), "the charts are never drawn")
        assert "drawn" == self.state(), self.complaints()

    def state(self) -> str | None:
        """Whether the charts are ``drawn``, or have ``failed``."""
        return self.run("return document.documentElement.dataset.charts")

    def resize(self, size: str) -> None:
        """Change the window."""
        width, height = SIZES[size]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def run(self, script: str) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script)

    def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        """What was written to the console since it was last asked, violations of the policy among it."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that a page asked for since it was last asked, on the network or in files."""
        found = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [one["params"]["request"]["url"] for one in found if one["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith(("chrome://", "data:"))]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with a profile of its own."""
    pages = tmp_path_factory.mktemp("pages")
    written(pages)
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    try:
        yield Browser(driver, pages)
    finally:
        driver.quit()


def written(directory: Path) -> None:
    """Two pages: one with everything, and one with 500 runs of 54 benchmarks."""
    library = draw.library()
    series = support.stepped(500)
    changes = trend.change_points(series)
    some = [(series, changes), (support.stepped(12), [])]
    run = support.full(failed={"t.py::test_bad": "<script>alert(1)</script>"})
    material = Material([run], trends=some, gates=[support.gate()], version="1.0")
    steady = replace(series, points=series.points[:300], values=series.values[:300])
    many = [
        (replace(one, fullname=f"t.py::test[work-{number}]"), found)
        for number, (one, found) in enumerate([(series, changes)] * 14 + [(steady, [])] * 40)
    ]
    for name, one in ((PAGE, material), ("history", replace(material, trends=many))):
        text = html.document(content.page(one), library)
        (directory / f"{name}.html").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desktop", "dark")])
def test_every_chart_is_drawn(browser: Browser, size: str, scheme: str) -> None:
    """With marks; no text is cut off or too small to read; nothing is asked for; nothing is said in the console.

    A scheme changes colours alone, and `test_colours_follow_the_scheme` looks at these.
    """
    browser.requests()
    browser.complaints()
    browser.show(PAGE, size, scheme)
    charts = browser.run(CHARTS)
    assert 21 == len(charts)
    assert [] == [chart["name"] for chart in charts if chart["marks"] < 2]
    texts = [{**one, "chart": chart["name"]} for chart in charts for one in chart["texts"]]
    assert [] == [one for one in texts if one["px"] < 11]
    assert [] == [one for one in texts if one["cut"] > 1]
    assert [] == [chart["name"] for chart in charts if abs(chart["shown"] - chart["made"]) > 1]
    assert 0 == browser.run("const page = document.documentElement; return page.scrollWidth - page.clientWidth")
    assert [(browser.pages / f"{PAGE}.html").as_uri()] == browser.requests()
    assert [] == browser.complaints()


def test_colours_follow_the_scheme(browser: Browser) -> None:
    """Without a script: they are the style sheet's."""
    browser.show()
    found = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        found[scheme] = browser.run(
            "const fill = (one) => getComputedStyle(document.querySelector(one)).fill;"
            "return [fill('#chart-race-hn_items [class*=role-mark] text'), "
            "fill('#chart-race-hn_items .mark-rect path[fill*=asyncio]'), "
            "getComputedStyle(document.body).backgroundColor]"
        )
    expected = {
        scheme: [rgb(palette[name]) for name in ("ink", "asyncio", "ground")]
        for scheme, palette in (("light", theme.LIGHT), ("dark", theme.DARK))
    }
    assert expected == found


def rgb(color: str) -> str:
    """A colour as a browser tells it."""
    return f"rgb({int(color[1:3], 16)}, {int(color[3:5], 16)}, {int(color[5:7], 16)})"


def test_charts_follow_the_window(browser: Browser) -> None:
    """A window that becomes a phone's, or a phone that is turned, has them laid out anew."""
    browser.show()
    wide = browser.run(CHARTS)
    browser.resize("phone")

    def narrower() -> bool:
        narrow = browser.run(CHARTS)
        return all(before["made"] > after["made"] > 0 for before, after in zip(wide, narrow, strict=True))

    waited_for(narrower, "not every chart became narrower")
    waited_for(lambda: browser.run("return document.documentElement.scrollWidth") == 390, "the page is not as narrow")


def test_the_keyboard_reaches_all(browser: Browser) -> None:
    """First a link past the navigation, then each section, table and detail; where it is can be seen."""
    browser.show()
    reached = []
    for _ in range(4):
        browser.press(Keys.TAB)
        reached.append(
            browser.run(
                "const one = document.activeElement, style = getComputedStyle(one);"
                "return [one.textContent, one.getAttribute('href'), style.outlineStyle]"
            )
        )
    assert ["Skip to the answers", "#main"] == reached[0][:2]
    assert ["Which way to run", "#races", "solid"] == reached[1]
    assert {"solid", "auto"} >= {outline for _, _, outline in reached}
    browser.run("document.querySelector('#chart-race-hn_items summary').focus()")
    browser.press(Keys.ENTER)
    assert browser.run("return document.querySelector('#chart-race-hn_items details').open")
    browser.press(Keys.TAB)
    assert "region" == browser.run("return document.activeElement.getAttribute('role')")
    assert [] == browser.run(
        "return [...document.querySelectorAll('[tabindex]')].filter((one) => one.tabIndex > 0).map((one) => one.id)"
    )


def test_a_dot_tells_its_figure(browser: Browser) -> None:
    """Where the mouse is over it; the same figures are in the table for who has none."""
    browser.show()
    browser.run("document.querySelector('#chart-race-hn_items').scrollIntoView({block: 'center', behavior: 'instant'})")
    dot = browser.run("return document.querySelector('#chart-race-hn_items .mark-symbol path')")
    ActionChains(browser.driver).move_to_element(dot).perform()
    told = browser.run("const tip = document.getElementById('tip'); return tip.hidden ? null : tip.textContent")
    assert re.fullmatch(r"asyncio-w8-cold: \d+\.\d ms", told)
    assert [] == browser.complaints()


def test_it_can_be_printed(browser: Browser) -> None:
    """With every table, which paper can't open; on the screen they are closed again."""
    browser.show(scheme="dark")
    browser.run(
        "window.atPrint = [];"
        "matchMedia('print').addEventListener('change', (now) => { if (now.matches) window.atPrint.push("
        "document.querySelectorAll('details:not([open])').length, getComputedStyle(document.body).backgroundColor) })"
    )
    printed = base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")
    assert [0, rgb(theme.LIGHT["ground"])] == browser.run("return window.atPrint")
    assert 0 == browser.run("return document.querySelectorAll('details[open]').length")
    assert [] == browser.complaints()


def test_a_long_history_is_drawn(browser: Browser) -> None:
    """54 benchmarks, 14 of which changed in 500 runs: all of them, and how long it took is printed."""
    browser.requests()
    browser.show("history")
    charts = browser.run(CHARTS)
    assert 14 == sum(chart["name"].startswith("chart-trend-") for chart in charts)
    assert 40 == sum(text["text"].startswith("work-") for chart in charts for text in chart["texts"]) / _TWICE
    assert [] == [chart["name"] for chart in charts if chart["marks"] < 2]
    assert [] == browser.complaints()
    size = (browser.pages / "history.html").stat().st_size
    assert size < 3_000_000
    first, last = browser.run("const {first, last} = document.documentElement.dataset; return [+first, +last]")
    said = f"{len(charts)} charts, {size / 1e6:.1f} MB: the first was drawn after {first} ms, the last after {last} ms"
    print(said)  # noqa: T201 (to be read with -s or -rP: no timing decides a test)
