"""What a project's pyproject.toml may say."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from laptime.redact import FIELDS, HEADERS, Secrets
from laptime.settings import Settings, SettingsError, read

KNOWN = "there are history, secret_fields, secret_headers"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's file, not yet written."""
    return tmp_path / "pyproject.toml"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        '[project]\nname = "shop"\n',
        "[tool.laptime]\n",
        "[tool.other]\nsecret_headers = 7\n",
        "[tool.laptime]\nsecret_headers = []\nsecret_fields = []\n",
        "[tool.laptime.gate]\nslower = 1.1\nsecret_headers = 7\n",
        "tool = 7\n",
    ],
    ids=[
        "no file",
        "empty",
        "another table",
        "nothing said",
        "another tool",
        "empty lists",
        "a part's table",
        "no tool",
    ],
)
def test_where_nothing_is_said_the_built_in_names_are_left_out(project: Path, text: str | None) -> None:
    """So it is with tables below `tool.laptime` too, which belong to other parts."""
    if text is not None:
        project.write_text(text)
    assert Settings(Secrets(HEADERS, FIELDS)) == Settings() == read(project.parent)


def test_names_are_added_to_the_built_in_ones(project: Path) -> None:
    """In whatever case they are written; lists beside them and tables below are none of each other's affair."""
    project.write_text(
        '[tool.laptime]\nsecret_headers = ["X-Shop-Session"]\nsecret_fields = ["Parcel", "STRASSE", "straße"]\n'
        "[tool.laptime.gate]\nslower = 1.1\n"
    )
    secrets = read(project.parent).secrets
    assert HEADERS | {"x-shop-session"} == secrets.headers
    assert FIELDS | {"parcel", "strasse"} == secrets.fields
    assert [True, True, False] == list(map(secrets.header, ("x-SHOP-session", "Cookie", "parcel")))
    assert [True, True, True, False] == [secrets.field(name, "7") for name in ("PARCEL", "Straße", "token", "page")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("secret_fields", '"x-session"'),
        ("secret_fields", "true"),
        ("secret_fields", '["x-session", 7]'),
        ("secret_fields", '[["x-session"]]'),
        ("secret_fields", '[""]'),
        ("secret_fields", "{x-session = true}"),  # a table, as those are that belong to other parts
        ("secret_headers", "7"),
    ],
)
def test_what_is_no_list_of_names_is_refused(project: Path, key: str, value: str) -> None:
    """With the file, the key and an example."""
    project.write_text(f"[tool.laptime]\n{key} = {value}\n")
    with pytest.raises(SettingsError) as refused:
        read(project.parent)
    assert f'{project}: tool.laptime.{key}: expected a list of names, as in ["x-session"]' == str(refused.value)


@pytest.mark.parametrize("key", ["secret_feilds", "secrets", "headers", "SECRET_FIELDS", "gate"])
def test_an_unknown_key_is_refused(project: Path, key: str) -> None:
    """A typo would let a secret into a recording."""
    project.write_text(f"[tool.laptime]\n{key} = []\n")
    with pytest.raises(SettingsError) as refused:
        read(project.parent)
    assert f"{project}: tool.laptime.{key}: no such setting; {KNOWN}" == str(refused.value)


@pytest.mark.parametrize("text", ["[tool]\nlaptime = 7\n", "[tool]\nlaptime = []\n", '[tool]\nlaptime = ""\n'])
def test_what_is_no_table_is_refused(project: Path, text: str) -> None:
    """With the file and the key."""
    project.write_text(text)
    with pytest.raises(SettingsError) as refused:
        read(project.parent)
    assert f"{project}: tool.laptime: expected a table" == str(refused.value)


@pytest.mark.parametrize(
    "raw", [b"[tool.laptime\n", b"secret = \n", b"name = '\xff\xfe'\n", b"a = 1\na = 2\n"], ids=repr
)
def test_a_file_that_does_not_parse_is_refused(project: Path, raw: bytes) -> None:
    """With its name; a bug in it mustn't switch the settings off."""
    project.write_bytes(raw)
    with pytest.raises(SettingsError) as refused:
        read(project.parent)
    assert str(refused.value).startswith(f"{project}: can't be read: ")


def test_a_file_that_cannot_be_read_is_refused(project: Path) -> None:
    """As a directory of that name."""
    project.mkdir()
    with pytest.raises(SettingsError) as refused:
        read(project.parent)
    assert str(refused.value).startswith(f"{project}: can't be read: ")


def test_settings_do_not_change() -> None:
    """What was read once holds for the session."""
    with pytest.raises(FrozenInstanceError):
        Settings().secrets = Secrets()  # type: ignore[misc]


@pytest.mark.parametrize("text", ["history = 'h.db'", "history = 'postgresql://host/db'\nsecret_fields = ['a']"])
def test_the_history_is_named_by_a_text(project: Path, text: str) -> None:
    """A file or a URL."""
    project.write_text(f"[tool.laptime]\n{text}\n")
    assert read(project.parent).history in ("h.db", "postgresql://host/db")


@pytest.mark.parametrize(
    "text", ["history = ''", "history = 7", "history = ['a']", "[tool.laptime.history]\nurl = 'x'"]
)
def test_a_history_that_is_no_text_is_refused(project: Path, text: str) -> None:
    """With the file and the key."""
    project.write_text(f"[tool.laptime]\n{text}\n")
    with pytest.raises(SettingsError, match=r"tool\.laptime\.history: expected a file or a URL"):
        read(project.parent)
