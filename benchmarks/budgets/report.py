"""The report: how long one of 500 runs takes to write, how large its page is, and how soon a browser has drawn it."""

from __future__ import annotations

import importlib.util
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.budgets import history
from benchmarks.budgets.figures import Figure, progress
from laptime.history.store import Store

RUNS = 500
OPENED = 5
MOST_MB, MOST_S = 3.0, 2.0
DRAWN_LIMIT_S = 60.0
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
DRAWN = "return document.documentElement.dataset.charts === 'drawn' ? performance.now() : null"
PAINTED = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"


def figures() -> Iterator[Figure]:
    """The newest of 500 runs of 50 benchmarks, with their trends; the page opened five times in Chromium."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        repository = place / "repository"
        commits = history.repository(repository)[-RUNS:]
        store, draw = Store("history.db", place, create=True), random.Random(1)
        for number, commit in enumerate(progress(commits, "runs")):
            store.append(history.made_up(number, commit, draw))
        out = place / "report"
        command = (sys.executable, "-m", "laptime.cli", "report", "latest", "-o", str(out))
        started = time.perf_counter()
        subprocess.run(
            (*command, "--history", str(place / "history.db")), cwd=repository, check=True, stdout=subprocess.DEVNULL
        )
        yield Figure("written, with each chart as SVG and PNG", f"{time.perf_counter() - started:.1f} s")
        size_mb = (out / "index.html").stat().st_size / 1e6
        yield Figure("size of the page", f"{size_mb:.2f} MB", f"< {MOST_MB:g} MB", size_mb < MOST_MB)
        yield from _opened(out / "index.html")


def _opened(page: Path) -> Iterator[Figure]:
    what = f"all charts drawn in Chromium (median of {OPENED})"
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None or importlib.util.find_spec("selenium") is None:
        yield Figure(what, "not measured: needs chromium, chromedriver and selenium")
        return
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    painted_s, drawn_s = [], []
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver)) as chromium:
        for _ in range(OPENED):
            chromium.get(page.as_uri())
            give_up_at = time.monotonic() + DRAWN_LIMIT_S
            while (drawn_ms := chromium.execute_script(DRAWN)) is None:
                if time.monotonic() > give_up_at:
                    raise SystemExit(f"the charts of {page} were not drawn within {DRAWN_LIMIT_S:g} s")
                time.sleep(0.02)
            drawn_s.append(drawn_ms / 1e3)
            painted_s.append(chromium.execute_script(PAINTED) / 1e3)
    yield Figure("first paint", f"{median(painted_s):.2f} s")
    yield Figure(what, f"{median(drawn_s):.2f} s", f"< {MOST_S:g} s", median(drawn_s) < MOST_S)
