"""A good pair, one thing of it changed, and what is said of it: what the tests of cassettes share."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from laptime.cassette import CassetteError, load, sidecar_path
from tests.support import SITE, Exchange, contents, recording, write_cassette

GONE = object()
"""In place of a value: there is none."""
PAIR = (Exchange(f"{SITE}/a"), Exchange(f"{SITE}/b"))
VALID = yaml.safe_dump(recording(PAIR)).encode()


def shown(value: object) -> str:
    """A parameter in the name of a test."""
    return "GONE" if value is GONE else repr(value)[:40]


def changed(document: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """The document with the value at a dotted place replaced, or gone."""
    *way, last = (int(key) if key.isdigit() else key for key in place.split("."))
    holder: Any = document
    for key in way:
        holder = holder[key]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return document


def refusal(path: Path) -> str:
    """Why a cassette is refused. Whatever is wrong with it, nothing in its directory is touched."""
    before = contents(path.parent)
    with pytest.raises(CassetteError) as refused:
        load(path)
    assert before == contents(path.parent)
    return str(refused.value)


def carry(path: Path) -> None:
    """Put a new side-car beside an old cassette, as a recording does first."""
    other = write_cassette(path.with_name("other.yaml"), Exchange("http://site.test/other"))
    old: dict[str, Any] = {"cassette_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    with suppress(FileNotFoundError):
        old = json.loads(sidecar_path(path).read_text())
    document = json.loads(sidecar_path(other).read_text())
    sidecar_path(path).write_text(json.dumps({**document, "replaces": old}))
    other.unlink()
    sidecar_path(other).unlink()
