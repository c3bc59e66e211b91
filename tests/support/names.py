"""What the tests of comparisons and of lists of runs share: names that would do something where they are shown."""

from __future__ import annotations

HOSTILE = {
    "markup": "test[red]x[/red]",
    "broken markup": "test[/]",
    "cell": "test|x",
    "code": "test`x`",
    "HTML": "test<script>alert(1)</script>&amp;",
    "link": "test[x](http://evil.test)",
    "image": "test![x](http://evil.test)",
    "emphasis": "test*x*_y_**z**",
    "escape": "test\x1b[31mx\x1b]0;title\x07",
    "C1": "test\x9b31m",
    "lines": "test\nx\r\ty",
    "direction": "test\u202ex\u2066",
    "format": "test{0}%s%(x)s{row.name}",
    "emoji": "test:smile:\U0001f600",
    "backslash": "test\\|x\\",
    "heading": "# test",
}


def cells(line: str) -> int:
    """How many cells a line of a Markdown table has."""
    return line.replace("\\\\", "").replace("\\|", "").count("|") - 1


def printable(name: str) -> str:
    """A name whose control characters are written out."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)
