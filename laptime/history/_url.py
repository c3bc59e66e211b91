"""Which store is meant, without ever saying its password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from laptime.history._errors import HistoryError

if TYPE_CHECKING:
    from sqlalchemy import URL

DEFAULT = ".benchmarks/history.db"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,99}:/{1,2}[^\s:/@]*:).*(?=@)")  # a longer scheme is a long line
_SECRET_OPTION = re.compile(r"((?:^|[?&\s;])(?:ssl)?password=)(?:'(?:\\.|[^'\\])*'|[^\s&;'\"]*)", re.IGNORECASE)
_MISWRITTEN = re.compile(r"\s*['\"]?postgres(?:ql)?(?:\+\w+)?:")
_POSTGRES = ("postgresql", "postgres")


def scrub(text: str) -> str:
    """A message without the passwords of the URLs in it."""
    return _SECRET_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1***", text))


def parse(text: str, directory: Path) -> URL:
    """``postgresql://…``, ``sqlite:///…`` or the path of a file, which a relative one is from `directory`.

    Raises `HistoryError`.
    """
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    if not text or "\0" in text:
        raise HistoryError("the history has no name: expected a file, or postgresql://USER@HOST/DATABASE")
    if not _SCHEME.match(text):
        return URL.create("sqlite", database=_file(text, directory))
    if text.count("@") > 1:
        # it would be cut at the wrong one, and what is left of the password be shown as the host
        raise HistoryError(f"{_beginning(text)}: an @ in a password is written %40, a / %2F, a : %3A; {_EXPECTED}")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise HistoryError(f"{_beginning(text)}: no URL of a history; {_EXPECTED}") from None
    if url.get_backend_name() in _POSTGRES and url.drivername in (*_POSTGRES, "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and not url.host:
        return url.set(database=str(directory / Path(url.database)))
    # the URL is last: from its password on all is left out up to an @, and there is one in what is expected
    raise HistoryError(f"no such kind of history: {_EXPECTED}, not {shown(url)}")


_EXPECTED = "expected a file, sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"


def anchored(text: str, directory: Path) -> str:
    """The same store, wherever it is read from: a relative path is from `directory`. Raises `HistoryError`."""
    if text and not _SCHEME.match(text) and "\0" not in text:
        return _file(text, directory)  # SQLAlchemy takes a while, and is needed for URLs only
    url = parse(text, directory)
    return str(url.database) if url.get_backend_name() == "sqlite" else text


def shown_text(text: str, directory: Path) -> str:
    """The same of a URL that was not parsed; of one that can't be, what can be said."""
    try:
        return shown(parse(text, directory))
    except HistoryError:
        return _beginning(text)


def _file(text: str, directory: Path) -> str:
    if "://" in text or _MISWRITTEN.match(text) or _SECRET_OPTION.search(text):
        raise HistoryError(f"{_beginning(text)}: no URL of a history; {_EXPECTED}")
    try:
        return str(directory / Path(text).expanduser())
    except RuntimeError as error:
        raise HistoryError(f"{text}: {error}") from None


def _beginning(text: str) -> str:
    """All that can be said of what should have been a URL: nobody knows where its password is."""
    return f"{text[: min((text.find(sign) for sign in ':=@' if sign in text), default=len(text))].strip()}…"


def shown(url: URL) -> str:
    """For a message: the path of a file; a server's URL without the password."""
    if url.get_backend_name() == "sqlite":
        return scrub(str(url.database))
    secret = [key for key in url.query if "password" in key.lower()]
    return url.difference_update_query(secret).render_as_string(hide_password=True)
