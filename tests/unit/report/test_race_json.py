"""Races as JSON: as the schema says, and with the verdict's figures and words."""

from __future__ import annotations

import json
from importlib.resources import files
from math import inf

import jsonschema
import pytest

from laptime.analysis.documents import races
from laptime.report import race_json
from laptime.report.race import verdict
from tests.support.races import COLD, PASSES, SEQUENTIAL, WARM, race, variant

SCHEMA = json.loads(files("laptime.report").joinpath("race.schema.json").read_text(encoding="utf-8"))
FIT = (SEQUENTIAL, COLD, WARM, variant("asyncio-w8-cold", 0.501, 0.2), variant("sieve", 0.01, reference=True))
UNFIT = (variant("threads-w8-cold", 0.5, waited_s=None), variant("asyncio-w8-cold", [0.2]))


@pytest.mark.parametrize("benchmarks", [FIT, UNFIT, (SEQUENTIAL,), ()], ids=["fit", "unfit", "one", "none"])
def test_json_is_as_its_schema_says(benchmarks):
    """Which is a valid schema itself; no figure is infinite, which is no JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    text = race_json.as_json(races(benchmarks))
    assert not {"Infinity", "NaN"} & set(text.replace(",", " ").split())
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))


def test_json_holds_the_figures():
    """Who is to be taken first, and then who is as good; each variant's gain and interval as in the table."""
    found = race(*FIT)
    (document,) = json.loads(race_json.as_json([found]))["races"]
    assert (True, [], "sequential") == (document["fit"], document["why"], document["first"])
    assert {"threads-w8-cold", "asyncio-w8-cold"} == set(document["take_once"])
    assert "threads-w8-cold" == document["take_once"][0]
    assert ["threads-w8-warm"] == document["take_kept"]
    assert found.half_width == document["half_width"]
    assert (PASSES, []) == (document["passes"], document["canary_s"])
    by_name = {one["name"]: one for one in document["variants"]}
    assert [entry.name for entry in found.entries] == list(by_name)
    assert ["sieve"] == [name for name, one in by_name.items() if not one["in_contest"]]
    threads, first = by_name["threads-w8-cold"], by_name["sequential"]
    assert (1.0, 1.0, 1.0) == (first["speedup"], first["low"], first["high"])
    assert threads["low"] < threads["speedup"] < threads["high"]
    assert ("test_shop.py::test_shop[threads-w8-cold]", 0.1, PASSES, PASSES, 0) == tuple(
        threads[name] for name in ("benchmark", "cpu_s", "passes", "rounds", "void")
    )


def test_json_of_an_unfit_race_names_nobody():
    """It says why, in the words of the verdict, and has null where nothing can be told."""
    found = race(*UNFIT)
    (document,) = json.loads(race_json.as_json([found]))["races"]
    assert (False, [], [], None) == tuple(document[name] for name in ("fit", "take_once", "take_kept", "first"))
    assert document["why"] == [one.removeprefix("NO VERDICT: ") for one in verdict(found) if "NO VERDICT" in one]
    assert document["bound"]["cpu_wait"] is None
    assert [None] == list({one[name] for one in document["variants"] for name in ("speedup", "low", "high")})


@pytest.mark.parametrize(
    "untold", [{}, {"waited_s": None}, {"tried": {"stolen_s": None}}], ids=["all", "waits", "steal"]
)
def test_json_has_null_for_what_the_system_does_not_tell(untold):
    """As off Linux."""
    document = json.loads(race_json.as_json([race(variant("sequential", 1.0, **untold), variant("t", 0.5, **untold))]))
    jsonschema.validate(document, SCHEMA)
    (found,) = document["races"]
    assert (untold.get("waited_s", 0.0), untold.get("tried", {}).get("stolen_s", 0.0)) == (
        found["bound"]["cpu_wait"],
        found["taken_by_others"]["stolen_cpus"],
    )


def test_json_of_one_variant_is_no_fit_race():
    """There is nobody to compare it with, and nothing wrong."""
    (document,) = json.loads(race_json.as_json([race(SEQUENTIAL)]))["races"]
    assert (False, [], [], 0) == tuple(document[name] for name in ("fit", "why", "take_once", "half_width"))


def test_without_an_interval_there_is_no_width():
    """One pass of each."""
    found = race(*(variant(name, [seconds]) for name, seconds in (("sequential", 1.0), ("threads-w8-cold", 0.5))))
    assert inf == found.half_width
    assert json.loads(race_json.as_json([found]))["races"][0]["half_width"] is None
