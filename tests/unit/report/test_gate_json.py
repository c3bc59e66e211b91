"""What a gate writes as JSON, by its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from math import nan
from typing import Any

import jsonschema
import pytest

from laptime.gate.decision.trial import (
    CERTAIN,
    REGRESSED,
    VERDICTS,
    WALL,
)
from laptime.report import gate_json
from laptime.report.gate_words import Told
from tests.support.gate_outputs import SCHEMA, every_report, read
from tests.support.verdicts import EVERY, NOISE, SETTING, SLOWER, report_on


def test_the_schema_is_a_schema_that_describes_every_field() -> None:
    """Of JSON Schema 2020-12; nothing but what it names is allowed."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert list(VERDICTS) == SCHEMA["$defs"]["verdict"]["enum"]
    objects = [one for one in _within(SCHEMA) if "properties" in one]
    assert len(objects) == 8
    for one in objects:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
        assert all(field["description"].endswith(".") for field in one["properties"].values())


def _within(value: Any) -> list[dict[str, Any]]:
    """All objects in a document."""
    if isinstance(value, list):
        return [found for one in value for found in _within(one)]
    return [value, *_within(list(value.values()))] if isinstance(value, dict) else []


@every_report
def test_every_report_is_as_the_schema_says(told: Told) -> None:
    """Whatever its names and figures are."""
    found = read(gate_json.report(told))
    assert found["exit_code"] == told.code
    assert len(found["rows"]) == len(told.report.rows)


def test_what_can_not_be_measured_and_a_self_test_are_as_the_schema_says() -> None:
    """And that there is nothing to compare: the other shapes."""
    assert read(gate_json.nothing("no"))["nothing"] == "no"
    assert read(gate_json.error("no\n\udcff", None, "x"))["error"] == "no\n\\udcff"
    assert read(gate_json.noise([replace(NOISE[0], ratios=(0.98, nan))], []))["noise"][0]["ratios"] == [0.98, None]
    found = read(gate_json.noise(NOISE, SETTING))
    assert found["settings"] == SETTING
    assert found["noise"][0]["smallest"] == [{"seconds": 120.0, "effect": None}, {"seconds": 600.0, "effect": 0.034}]


def test_the_json_holds_all_that_is_known() -> None:
    """Of a regression, with both sides' costs."""
    found = read(
        gate_json.report(report_on(remarks=("a remark",), skipped=("test_s",), refused=("x",), stopped=CERTAIN))
    )
    assert found["counts"] == dict.fromkeys(VERDICTS, 1)
    assert (found["remarks"], found["skipped"], found["stopped"]) == (["a remark"], ["test_s"], CERTAIN)
    assert found["refused"] == ["x"]
    assert found["rows"][2] == {
        "benchmark": SLOWER,
        "metric": WALL,
        "verdict": REGRESSED,
        "ratio": 1.203,
        "low": 1.203 * 0.98,
        "high": 1.203 * 1.02,
        "blocks": [0.1, 0.2],
        "confirmed": 2,
        "smallest": 0.04,
        "base": {"wall_s": 0.01, "cpu_s": 0.009, "waiting_s": 0.01 - 0.009, "switches": 3, "peak_bytes": 50_000_000},
        "head": {"wall_s": 0.012, "cpu_s": 0.01, "waiting_s": 0.012 - 0.01, "switches": 4, "peak_bytes": 60_000_000},
        "note": None,
    }
    assert found["rows"][0]["note"] == EVERY[0].note


GOOD = json.loads(gate_json.report(report_on()))

ERROR = json.loads(gate_json.error("x", "main", None))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {**GOOD, "more": 1},
        {**GOOD, "version": 2},
        {**GOOD, "exit_code": 3},
        {**GOOD, "error": "x"},
        {**GOOD, "seconds": None},
        {**GOOD, "counts": {"slower": 1}},
        {**GOOD, "rows": [{**GOOD["rows"][0], "verdict": "slower"}]},
        {**GOOD, "rows": [{**GOOD["rows"][0], "metric": "memory"}]},
        {**GOOD, "rows": [{**GOOD["rows"][0], "more": 1}]},
        {**GOOD, "rows": [{**GOOD["rows"][2], "base": {"wall_s": 1}}]},
        {name: value for name, value in GOOD.items() if name != "rows"},
        {**ERROR, "exit_code": 0},
        {**ERROR, "error": None},
        {**ERROR, "more": 1},
    ],
)
def test_the_schema_refuses_what_is_wrong(wrong: Mapping[str, Any]) -> None:
    """What is not named, what is lacking, and what is something else."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(wrong)
