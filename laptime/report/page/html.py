"""The page as one HTML file. Pure.

Names of benchmarks, branches and machines come from files that others wrote: every text is escaped, and a
Content-Security-Policy lets nothing run but the two scripts that are here, by their digests, and nothing be asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from html import escape

from laptime.report.console import plain
from laptime.report.page.content import Page
from laptime.report.page.figure import Card, Figure, Section, Table
from laptime.report.page.script import SCRIPT
from laptime.report.page.style import sheet

GENERATOR = "laptime"
"""What the page says it is made by; a directory whose page doesn't is not written over."""
_AXES_PX = 46
"""What stands below a chart's own height, for the room that is kept free for it."""
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%230068a6' "
    "d='M2 3h12v2H2zm0 4h7v2H2zm0 4h4v2H2z'/%3E%3C/svg%3E"
)


def document(page: Page, library: str) -> str:
    """The file's text; `library` is the JavaScript that draws (`draw.library`)."""
    css, scripts = sheet(), (_inline(library), _inline(SCRIPT))
    body = "\n".join(_section(section) for section in page.sections)
    links = "".join(f'<li><a href="#{_text(one.anchor)}">{_text(one.title)}</a></li>' for one in page.sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy(css, scripts)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="{GENERATOR} {_text(page.version)}">
<title>{_text(page.title)}</title>
<link rel="icon" href="{_ICON}">
<style>{css}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the answers</a>
<header>
<h1>{_text(page.title)}</h1>
{_paragraphs(page.summary)}
</header>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<main id="main" tabindex="-1">
<noscript><p>The charts are drawn by a script of this page. Without it: the figures are below each chart, and the
charts are in the directory <code>charts</code> beside this file, as SVG and PNG.</p></noscript>
{body}
</main>
<footer><p>Made by laptime {_text(page.version)}. Nothing on this page is asked of the network.</p></footer>
<div id="tip" hidden></div>
{"".join(f"<script>{one}</script>" for one in scripts)}
</body>
</html>
"""


def policy(css: str, scripts: Iterable[str]) -> str:
    """Nothing from outside; inside only what has these digests, and the icon."""
    allowed = " ".join(map(_digest, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_digest(css)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inline(script: str) -> str:
    """A script that stands between tags: what would end it there is written in another way, which is the same in it."""
    # the parser of HTML makes one line end of each kind, before the digest is looked at
    lines = script.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"<(?=/script|script|!--)", r"\\x3c", lines, flags=re.IGNORECASE)


def _text(text: str) -> str:
    """A text that may be anybody's, for HTML."""
    return escape(text if text.isprintable() else plain(text))


def _json(document: object) -> str:
    """JSON in a script that isn't run: nothing in it can end it."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _paragraphs(texts: Iterable[str], kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return "\n".join(f"<p{attribute}>{_text(text)}</p>" for text in texts)


def _section(section: Section) -> str:
    cards = "\n".join(_card(card, section.columns) for card in section.cards)
    beside = "cards two" if section.columns == 2 else "cards"
    anchor = _text(section.anchor)
    return f"""<section id="{anchor}" aria-labelledby="{anchor}-title">
<h2 id="{anchor}-title">{_text(section.title)}</h2>
{_paragraphs(section.lead, "lead")}
<div class="{beside}">
{cards}
</div>
</section>"""


def _card(card: Card, columns: int) -> str:
    large = columns == 1 or len(card.figures) > 1 or (columns > 2 and any(not figure.small for figure in card.figures))
    kinds = ["card", *(["wide"] if large else [])]
    heading = f"<h3>{_text(card.title)}</h3>" if card.title else ""
    figures = "\n".join(map(_figure, card.figures))
    parts = [
        heading,
        _paragraphs(card.sentences, "verdict"),
        f'<div class="figures">\n{figures}\n</div>' if figures else "",
        _paragraphs(card.besides, "beside"),
        *map(_table, card.tables),
        _commands(card),
        _paragraphs(card.notes, "note"),
    ]
    return f'<article class="{" ".join(kinds)}">\n' + "\n".join(part for part in parts if part) + "\n</article>"


def _commands(card: Card) -> str:
    if not card.commands:
        return ""
    lines = "\n".join(map(_text, card.commands))
    block = f"<pre><code>{lines}</code></pre>"
    return block if not card.figures else f"<details><summary>Measure it again</summary>{block}</details>"


def _figure(figure: Figure) -> str:
    height = int(figure.spec["height"]) + _AXES_PX
    rows = _rows(figure.columns, figure.rows, figure.title)
    return f"""<figure id="chart-{_text(figure.name)}">
<figcaption><p class="finding">{_text(figure.title)}</p><p class="sub">{_text(figure.subtitle)}</p></figcaption>
<div class="chart" role="img" aria-label="{_text(figure.alt)}" data-height="{height}"></div>
<script type="application/json">{_json(figure.spec)}</script>
<details><summary>The figures as a table</summary>{rows}</details>
</figure>"""


def _table(table: Table) -> str:
    rows = _rows(table.columns, table.rows, table.title)
    if not table.folded:
        return f"<h3>{_text(table.title)}</h3>{rows}"
    return f"<details><summary>{_text(table.title)}</summary>{rows}</details>"


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> str:
    """A table that scrolls in its own box, which the keyboard reaches."""
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in columns)
    body = "\n".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{_text(title)}"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>\n{body}\n</tbody></table></div>"
    )
