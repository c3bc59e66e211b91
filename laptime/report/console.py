"""Stored words and Rich's output as texts, for a terminal and for Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from rich.console import Console

from laptime.history import Fingerprint


def plain(text: str) -> str:
    """A stored text without what would steer a terminal: such characters are shown as they are written in Python."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def printed(show: Callable[[Callable[..., None]], None], *, width: int, color: bool) -> str:
    """What `show` writes, by the function that it is given; stored names are never read as markup."""
    text = StringIO()
    console = Console(
        file=text,
        width=width,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    show(console.print)
    return text.getvalue()


def escaped(text: str) -> str:
    """A text in Markdown: no markup, no HTML and no table is made of it."""
    for sign in "\\`*_[]|":
        text = text.replace(sign, f"\\{sign}")
    return plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


def fingerprint_line(fingerprint: Fingerprint) -> str:
    """``CPython 3.13.0, AMD EPYC, 2 CPUs``."""
    machine, python = fingerprint.machine, fingerprint.interpreter
    version = f"{python.get('version', '?')}{'t' if python.get('free-threaded') else ''}"
    parts = [f"{python.get('implementation', 'Python ?')} {version}", str(machine.get("cpu", "unknown machine"))]
    if "usable CPUs" in machine:
        parts.append(f"{machine['usable CPUs']} CPUs")
    return ", ".join(parts)
