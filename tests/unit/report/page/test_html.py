"""The page as HTML: names that others wrote stay text, its policy, and who reads it."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed: no altair")

from laptime.report.page import content, html
from laptime.report.page.script import SCRIPT
from laptime.report.page.style import sheet
from tests.support import reports as support
from tests.support.histories import MACHINE, PYTHON, Fingerprint, benchmark, commit
from tests.support.pages import LIBRARY, Parsed, of, page, text

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


def test_no_name_breaks_out() -> None:
    """Whatever a benchmark, a branch, a label, a machine or a note is called, it stays a text."""
    name = " ".join(HOSTILE)
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
    asked = [
        one[key] or "" for _, one in parsed.tags for key in ("src", "href", "srcset", "data", "action") if key in one
    ]
    assert [] == [one for one in asked if not one.startswith(("#", "data:image/svg+xml,"))]
    assert "@import" not in sheet()
    assert "url(" not in sheet()


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
