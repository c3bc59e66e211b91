"""A history is named by a file or a URL, and its password is never shown."""

from __future__ import annotations

import traceback
from pathlib import Path
from urllib.parse import quote

import pytest

from laptime.history import HistoryError, scrub
from laptime.history._engine import engine
from laptime.history._url import parse, shown

HERE = Path("/here")
AWKWARD = "p:a/s@s w%rd"
PASSWORDS = (
    AWKWARD,
    "zq7xv9k?x=y",
    "zq7#xv@9k",
    "zq7/xv@9k/x",
    "@zq7xv9k",
    "zq7xv9k@",
    "zq7;xv'9k\"x",
    "zq7&xv9k",
    "ü zq7 xv9k",
)


def leaks(told: str, password: str) -> list[str]:
    """Which pieces of a password, of four characters or more, are told."""
    forms = (password, quote(password, safe=""), quote(password))
    pieces = {form[start : start + 4] for form in forms for start in range(len(form) - 3)}
    return sorted(piece for piece in pieces if piece in told)


def said(text: str) -> str:
    """What anybody is shown of a history: its name, or why there is none."""
    try:
        url = parse(text, HERE)
        name = shown(url)
        if url.get_backend_name() != "sqlite":
            engine(url, create=False)
    except HistoryError as error:
        return "".join(traceback.format_exception(error))
    return name


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg", "mysql"])
@pytest.mark.parametrize("rest", ["db.test/base", "db.test:5432/base", "/base", "[::1]:5432/base", "db.test:port/base"])
def test_a_password_is_never_shown(password, scheme, rest):
    """Whatever it is made of, escaped as it should be or not, and whether the URL is one or not."""
    assert [] == leaks(said(f"{scheme}://user:{quote(password, safe='')}@{rest}"), password)
    assert [] == leaks(said(f"{scheme}://user:{password}@{rest}"), password)


def test_a_kind_of_history_that_is_none_is_named(tmp_path):
    """With what is expected, in the form in which all messages are shown; the password is left out."""
    with pytest.raises(HistoryError) as caught:
        parse("mysql://me:s3cret@db.test/base", tmp_path)
    told = scrub(str(caught.value))
    assert told.startswith("no such kind of history: expected a file, sqlite:///FILE or postgresql+psycopg://USER@HOST")
    assert told.endswith(", not mysql://me:***@db.test/base")


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("option", ["password", "sslpassword", "PASSWORD"])
@pytest.mark.parametrize("more", ["", "&host=/run/pg", "&port=port"])
def test_a_password_among_the_options_is_never_shown(password, option, more):
    """The driver takes it there too."""
    for scheme in ("postgresql", "mysql", "postgresql+asyncpg"):
        assert [] == leaks(said(f"{scheme}://user@db.test/base?{option}={quote(password, safe='')}{more}"), password)
        assert [] == leaks(
            said(f"{scheme}://user@db.test/base?a=b&{option}={quote(password, safe='')}{more}"), password
        )


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize(
    "form",
    [
        "{scheme}://user:{password}@db.test/base",
        " {scheme}://user:{password}@db.test/base",
        '"{scheme}://user:{password}@db.test/base"',
        "({scheme}://user:{password}@db.test/base) failed",
        "{scheme}://:{password}@db.test/base",
        "a\n{scheme}://user:{password}@db.test/base\nb",
    ],
)
def test_a_message_is_scrubbed(password, form):
    """Wherever in it a URL stands; the user and the host may be told."""
    for one in (password, quote(password, safe="")):
        told = scrub(form.format(scheme="postgresql", password=one))
        assert [] == leaks(told, password)
        assert "***@db.test/base" in told


@pytest.mark.parametrize("option", ["password", "sslpassword", "PassWord"])
@pytest.mark.parametrize("form", ["?{0}=zq7xv9k&a=b", "?a=b&{0}=zq7xv9k", "host=x {0}=zq7xv9k port=1", "{0}=zq7xv9k"])
def test_a_message_is_scrubbed_of_options(option, form):
    """Of a URL, and of a connection string."""
    told = scrub(form.format(option))
    assert "zq7xv9k" not in told
    assert f"{option}=***" in told


@pytest.mark.parametrize("text", ["", "nothing to hide", "a@b", "http://a.test/b@c", "postgresql://user@db.test/base"])
def test_what_holds_no_password_stays(text):
    """Word for word."""
    assert text == scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        " postgresql://user:zq7xv9k@db.test/base",
        "'postgresql://user:zq7xv9k@db.test/base'",
        "host=db.test user=me password=zq7xv9k",
        "postgresql:/user:zq7xv9k@db.test/base",
        "postgresql:user:zq7xv9k@db.test/base",
        "sqlite://user:zq7xv9k@/file",
    ],
)
def test_a_url_that_was_written_wrongly_is_not_shown_as_a_file(text):
    """It is refused, or its password is left out."""
    assert [] == leaks(said(text), "zq7xv9k")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("history.db", "/here/history.db"),
        ("./a/../history.db", "/here/a/../history.db"),
        ("/there/history.db", "/there/history.db"),
        ("sqlite:///history.db", "/here/history.db"),
        ("sqlite:////there/history.db", "/there/history.db"),
        ("with space.db", "/here/with space.db"),
        ("a:b", "/here/a:b"),
        ("x@y.db", "/here/x@y.db"),
        (".benchmarks/history.db", "/here/.benchmarks/history.db"),
    ],
)
def test_a_file_is_named_by_its_path(text, path):
    """A relative one is from the folder that is given."""
    url = parse(text, HERE)
    assert ("sqlite", path, path) == (url.drivername, url.database, shown(url))


def test_a_home_is_a_folder(monkeypatch):
    """As in a shell, where no shell has seen it."""
    monkeypatch.setenv("HOME", "/home/me")
    assert "/home/me/history.db" == parse("~/history.db", HERE).database


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_server_is_named_by_its_url(scheme):
    """In all the ways that people write it; the driver is laptime's to choose."""
    url = parse(f"{scheme}://user:{quote(AWKWARD, safe='')}@db.test:5433/base?sslmode=require", HERE)
    assert "postgresql+psycopg" == url.drivername
    assert ("user", AWKWARD, "db.test", 5433, "base") == (url.username, url.password, url.host, url.port, url.database)
    assert "postgresql+psycopg://user:***@db.test:5433/base?sslmode=require" == shown(url)


@pytest.mark.parametrize(
    "text",
    [
        *("", "\0", "a\0b", "~nobody-of-this-name/history.db", "mysql://db.test/base", "sqlite://", "x://"),
        *("sqlite://host/file", "sqlite+aiosqlite:///file", "postgresql+psycopg2://db.test/base"),
        *("postgresql://db.test:port/base", "http://db.test/history.db", "postgresql://[::1/base"),
    ],
)
def test_what_names_no_history_is_refused(text):
    """With what is expected."""
    with pytest.raises(HistoryError) as caught:
        engine(parse(text, HERE), create=False)
    assert str(caught.value).strip()
