"""What the tests of the page share: pages of made-up runs, and a reader of their HTML; needs altair."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from laptime.history import Run, from_json
from laptime.report.page import content, html
from laptime.report.page.material import Material
from tests.support.histories import document

LIBRARY = "window.vegaEmbed = async () => {};"
"""In the place of the real one, which takes seconds to bundle."""


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
