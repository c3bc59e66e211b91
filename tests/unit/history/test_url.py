"""A history is named by a file or a URL, and its password is never shown."""

from __future__ import annotations

import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.history import HistoryError, scrub
from laptime.history._engine import engine
from laptime.history._url import anchored, parse, shown, shown_text

HERE = Path("/here")
SECRET = "zq7xv9k"
PASSWORDS = st.lists(st.sampled_from([SECRET, *"?/#@:;&='\"% ü[]{}\\", "%40", "%2F"]), min_size=1, max_size=5).map(
    lambda parts: "".join([*parts, SECRET])
)
"""Of all that a URL is parted at, and what must be in no message."""
SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg", "mysql")
PLACES = ("db.test/base", "db.test:5432/base", "/base", "[::1]:5432/base", "db.test:port/base")


def leaks(told: str) -> list[str]:
    """Which pieces of the secret, of four characters or more, are told."""
    pieces = (SECRET[start : start + 4] for start in range(len(SECRET) - 3))
    return [piece for piece in pieces if piece in told]


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


@given(PASSWORDS, st.sampled_from(SCHEMES), st.sampled_from(PLACES))
def test_a_password_is_never_shown(password, scheme, place):
    """Whatever it is made of, escaped as it should be or not, and whether the URL is one or not."""
    for written in (password, quote(password, safe="")):
        assert [] == leaks(said(f"{scheme}://user:{written}@{place}"))


@given(
    PASSWORDS,
    st.sampled_from(SCHEMES),
    st.sampled_from(["password", "sslpassword", "PASSWORD"]),
    st.sampled_from(["", "a=b&"]),
    st.sampled_from(["", "&host=/run/pg", "&port=port"]),
)
def test_a_password_among_the_options_is_never_shown(password, scheme, option, before, after):
    """The driver takes it there too."""
    assert [] == leaks(said(f"{scheme}://user@db.test/base?{before}{option}={quote(password, safe='')}{after}"))


@given(st.text(), st.text(min_size=1), st.sampled_from(["postgresql", "postgres", "postgresql+psycopg"]))
def test_a_server_is_named_by_its_url(password, user, scheme):
    """In all the ways that people write it; the driver is laptime's to choose, and the password alone is not shown."""
    text = f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@db.test:5433/base?sslmode=require"
    url = parse(text, HERE)
    assert "postgresql+psycopg" == url.drivername
    assert (user, password, "db.test", 5433, "base") == (url.username, url.password, url.host, url.port, url.database)
    assert url.set(password="***") == parse(shown(url), HERE)


def test_a_kind_of_history_that_is_none_is_named(tmp_path):
    """With what is expected, in the form in which all messages are shown; the password is left out."""
    with pytest.raises(HistoryError) as caught:
        parse("mysql://me:s3cret@db.test/base", tmp_path)
    told = scrub(str(caught.value))
    assert told.startswith("no such kind of history: expected a file, sqlite:///FILE or postgresql+psycopg://USER@HOST")
    assert told.endswith(", not mysql://me:***@db.test/base")


@given(
    PASSWORDS,
    st.sampled_from(
        [
            "postgresql://user:{password}@db.test/base",
            " postgresql://user:{password}@db.test/base",
            '"postgresql://user:{password}@db.test/base"',
            "(postgresql://user:{password}@db.test/base) failed",
            "postgresql://:{password}@db.test/base",
            "a\npostgresql://user:{password}@db.test/base\nb",
        ]
    ),
)
def test_a_message_is_scrubbed(password, form):
    """Wherever in it a URL stands; the user and the host may be told."""
    for written in (password, quote(password, safe="")):
        told = scrub(form.format(password=written))
        assert [] == leaks(told)
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
    assert [] == leaks(said(text))


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


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "\0",
            "a\0b",
            "~nobody-of-this-name/history.db",
            " mysql://db.test/base",
            "mysql://db.test/base",
            "mysql:///base",
            "sqlite://",
            "x://",
        ),
        *("sqlite://host/file", "sqlite+aiosqlite:///file", "postgresql+psycopg2://db.test/base"),
        *("postgresql://db.test:port/base", "http://db.test/history.db", "postgresql://[::1/base"),
    ],
)
def test_what_names_no_history_is_refused(text):
    """With what is expected."""
    with pytest.raises(HistoryError) as caught:
        parse(text, HERE)
    assert "expected a file" in str(caught.value) or "home directory" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("postgresql://user:zq7@xv9k@db.test/base", "postgresql…"),
        ("postgresql://[::1/base", "postgresql…"),
        (" host=db.test password=zq7xv9k", "host…"),
        ("~nobody@password=zq7xv9k", "~nobody…"),
        ("", "…"),
    ],
)
def test_of_what_cannot_be_parsed_its_beginning_is_shown(text, beginning):
    """Nobody knows where its password is."""
    assert beginning == shown_text(text, HERE)


def test_a_store_that_is_anchored_is_the_same_from_anywhere():
    """A file gets its whole path; a server stays as it was written."""
    server = "postgres://user:zq7xv9k@db.test/base"
    named = {"a.db": "/here/a.db", "/there/a.db": "/there/a.db", "sqlite:///a.db": "/here/a.db", server: server}
    assert named == {text: anchored(text, HERE) for text in named}
    assert "postgresql+psycopg://user:***@db.test/base" == shown_text(server, HERE)
    for text in ("", "a\0b", "mysql://db.test/base"):
        with pytest.raises(HistoryError):
            anchored(text, HERE)
