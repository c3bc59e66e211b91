"""A race as JSON, for programs; `race.schema.json` beside this says what each field is. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

from laptime.analysis.race import Contest, Entry, Race
from laptime.report.race import why

VERSION = 1


def as_json(races: Sequence[Race]) -> str:
    """All races, as `race.schema.json` describes them."""
    return json.dumps({"version": VERSION, "races": [_race(race) for race in races]}, indent=2, ensure_ascii=False)


def _race(race: Race) -> dict[str, Any]:
    fit = not race.unfit and len(race.entries) > 1
    shares = race.shares
    return {
        "race": race.workload,
        "summary": race.summary,
        "fit": fit,
        "why": [why(race, reason) for reason in race.unfit],
        "bound": {"computing": shares.computing, "waiting": shares.waiting, "cpu_wait": shares.cpu_wait},
        "first": race.base.name if race.first_ran else None,
        "take_once": _taken(race.once) if fit else [],
        "take_kept": _taken(race.kept) if fit else [],
        "half_width": race.half_width if isfinite(race.half_width) else None,
        "passes": max(entry.passes for entry in race.entries),
        "taken_by_others": {"others_cpus": race.taken.others, "stolen_cpus": race.taken.stolen},
        "canary_s": [list(pair) for pair in race.canary],
        "variants": [_variant(race, entry) for entry in race.entries],
    }


def _taken(contest: Contest) -> list[str]:
    """What to take, and then those that are equally fast."""
    if not contest.worthwhile:
        return [contest.take.name]
    return [contest.take.name, *(entry.name for entry in contest.equals if entry is not contest.take)]


def _variant(race: Race, entry: Entry) -> dict[str, Any]:
    gain = entry.gain if race.first_ran else None
    known = gain is not None and (entry is race.base or (gain.low > 0 and isfinite(gain.high)))
    return {
        "name": entry.name,
        "benchmark": entry.fullname,
        "median_s": entry.median_s,
        "speedup": entry.speedup if race.first_ran else None,
        "low": gain.low if gain is not None and known else None,
        "high": gain.high if gain is not None and known else None,
        "equal_to_best": race.equal_to_best(entry),
        "in_contest": entry in race.runners,
        "cpu_s": entry.cpu_s,
        "passes": entry.passes,
        "rounds": entry.tried,
        "void": entry.void,
    }
