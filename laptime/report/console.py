"""Rich's output as a text. Pure."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from rich.console import Console


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
