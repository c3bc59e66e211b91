"""What a gate writes, read as its readers do."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from laptime.cli import main
from tests.support.gates import PASS
from tests.support.verdicts import REPORTS

every_report = pytest.mark.parametrize("told", REPORTS.values(), ids=REPORTS)

LONE = re.compile("[\ud800-\udfff]")


def _schema() -> dict[str, Any]:
    out = io.StringIO()
    with redirect_stdout(out):
        assert PASS == main(["gate", "--schema"])
    schema: dict[str, Any] = json.loads(out.getvalue())
    return schema


SCHEMA = _schema()


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def read(text: str) -> dict[str, Any]:
    """A document that the schema allows, in ASCII, without what is no JSON, or no character."""
    assert text.isascii()
    document: dict[str, Any] = json.loads(text, parse_constant=_refuse)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert not LONE.search(json.dumps(document, ensure_ascii=False))
    return document


def junit(text: str) -> ElementTree.Element:
    """The one suite, whose counts are those of its cases, in ASCII."""
    assert text.isascii()
    root = ElementTree.fromstring(text)
    (suite,) = root.findall("testsuite")
    cases = suite.findall("testcase")
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        count = sum(case.find(kind) is not None for case in cases)
        assert suite.attrib[name] == root.attrib[name] == str(count)
    assert suite.attrib["tests"] == str(len(cases))
    return suite
