"""A race in sentences: what to take, what bound the work, and why nobody is named where nobody can be. Pure.

Nothing here decides anything about figures: `laptime.analysis.race` does, and these are its words.
"""

from __future__ import annotations

from collections.abc import Iterator

from laptime.analysis.race import (
    ENOUGH_PASSES,
    NO_HTTP,
    Contest,
    Entry,
    Race,
    Unfit,
    is_control,
)
from laptime.report.units import duration, percent, times
from laptime.stats.paired import Gain

_NO_VERDICT = "NO VERDICT"
_NAMED = 2
"""So many that are equally fast are named."""


def verdict(race: Race) -> list[str]:
    """Sentences: what to take or why nobody is named, then what bound the work, and what was run beside it."""
    return [*_lock(race), *_verdict(race)]


def is_doubt(sentence: str) -> bool:
    """Whether a sentence of `verdict` says that figures are not to be trusted."""
    return sentence.startswith(("WARNING", _NO_VERDICT))


def _lock(race: Race) -> Iterator[str]:
    if race.gil_on_by is not None:
        yield (
            f"WARNING: this build can run without the GIL, and did not: {race.gil_on_by} turned it on. These are not "
            "the figures of free threads."
        )


def _verdict(race: Race) -> Iterator[str]:
    if is_control(race):
        yield from _control(race)
        return
    if len(race.entries) > 1:
        if race.unfit:
            yield from (f"{_NO_VERDICT}: {why(race, reason)}" for reason in race.unfit)
        else:
            yield from _taken(race)
    yield _bound(race)
    if len(race.entries) > 1:
        yield from _beside(race)
        yield from _untold(race)
        yield from _passes(race)


def why(race: Race, reason: Unfit) -> str:
    """Why a race names nobody, and what to do."""
    taken, base = race.taken, race.base
    if reason.kind == "first":
        return f"the first variant was not run, so no gain can be told; × is against {base.name}."
    if reason.kind == "unpaired":
        return "its rounds were not run in passes, so what the machine did is in each figure alone. Run it again."
    if reason.kind == "look":
        passes = max(entry.passes for entry in race.entries)
        return (
            f"this was a look of {passes} passes, and a verdict needs {ENOUGH_PASSES}: leave out what limits them "
            "(--tier smoke, --http=live, laptime_race(passes=…))."
        )
    if reason.kind == "busy":
        host = f" and the host took {taken.stolen:.1f}" if taken.stolen is not None and taken.stolen >= 0.05 else ""
        return (
            f"others used {taken.others:.1f} of {race.cpus:g} CPUs{host}; {taken.void} of {taken.tried} rounds are "
            "void. End what computes beside, or run it again later."
        )
    if reason.kind == "passes" and reason.entry is not None:
        void = f": {reason.entry.void} of its {reason.entry.tried} rounds were void" if reason.entry.void else ""
        return (
            f"{reason.entry.name} has {reason.entry.passes} passes, and a verdict needs {ENOUGH_PASSES}{void}. "
            "Give it more time with --race-time, or a machine of its own."
        )
    if reason.kind == "canary" and reason.gain is not None:
        return (
            f"the same computing, timed twice in each pass, came out {times(reason.gain.estimate)} as fast the second "
            f"time ({_span(reason.gain)}): something here keeps step with the passes. Run it again."
        )
    assert reason.entry is not None
    return (
        f"{reason.entry.name} gained {_gain(race.gain(base, reason.entry))} on {base.name}, and {_most(race, reason)}"
    )


def _most(race: Race, reason: Unfit) -> str:
    """What an impossible gain is held against."""
    assert reason.entry is not None
    base, entry = race.base, reason.entry
    because = {
        "computing": f"{base.name} computes for {percent(race.shares.computing)} of its time, {entry.name} on "
        f"{entry.parallelism:.1f} of {race.cpus:g} CPUs",
        "workers": f"{entry.workers} workers wait for what {base.name} waits for",
        "longest wait": "its longest wait is waited for by all",
    }
    return f"no more than {times(reason.bound)} is there to gain: {because[reason.limit]}. Run it again."


def _taken(race: Race) -> Iterator[str]:
    once, kept, base = race.once, race.kept, race.base
    if not once.worthwhile and kept is once:
        yield _nothing(race, once)
        return
    if kept is once:
        yield f"Take {_priced(race, once)}"
        if any(entry.warm for entry in race.runners):
            yield "Keeping a pool open is not shown to gain 10 % more."
        return
    if once.worthwhile:
        yield f"For one run take {_priced(race, once)}"
    else:
        yield f"For one run take {base.name}: no other is shown to gain 10 %."
    yield f"With a pool kept open take {_priced(race, kept)}"


def _nothing(race: Race, contest: Contest) -> str:
    best = contest.equals[0]
    nearest = "" if best is race.base else f" ({best.name}: {_gain(race.gain(race.base, best))})"
    return f"No variant is shown to gain 10 % on {race.base.name}{nearest}: take {race.base.name}."


def _priced(race: Race, contest: Contest) -> str:
    """What is taken, and who could be just as well: at which price."""
    take = contest.take
    said = f"{take.name}: {_gain(race.gain(race.base, take))}, {duration(take.median_s)}."
    others = [entry for entry in contest.equals if entry is not take]
    if not others:
        return said
    named = ", ".join(f"{entry.name}{_more_cpu(entry, take)}" for entry in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"{said} Equally fast (within {percent(contest.within)}): {named}{more}."


def _more_cpu(entry: Entry, take: Entry) -> str:
    if entry.elsewhere or take.elsewhere or not take.cpu_s:
        return ""
    more = entry.cpu_s / take.cpu_s - 1
    if more >= 1:
        return f" ({times(more + 1)} the CPU)"
    return f" ({percent(abs(more))} {'more' if more > 0 else 'less'} CPU)" if abs(more) >= 0.01 else ""


def _bound(race: Race) -> str:
    shares, base = race.shares, race.base
    queue = ""
    if shares.cpu_wait is not None and shares.cpu_wait >= 0.01:
        queue = f" and waited for a CPU for {percent(shares.cpu_wait)}"
    return (
        f"Bound by {shares.bound}: {base.name} computed for {percent(shares.computing)}{queue} of its "
        f"{duration(base.median_s)}."
    )


def _beside(race: Race) -> Iterator[str]:
    """Sentences on what the figures leave out: the CPU time of a running cluster's workers."""
    partly = [entry.name for entry in race.entries if entry.elsewhere]
    if partly:
        yield f"CPU of {', '.join(partly)} is the client's alone: the cluster's workers are not counted."


def _untold(race: Race) -> Iterator[str]:
    """What this system doesn't tell of what others did to the rounds."""
    if race.paired is None or not race.taken.tried:
        return
    if not race.waits_told:
        yield (
            "This system doesn't tell how long each round waited for a CPU: where that isn't known, a round beside "
            "which other processes computed is void."
        )
    if race.taken.stolen is None:
        yield "This system doesn't tell what the host took: no round is void for that."


def _passes(race: Race) -> Iterator[str]:
    if race.paired is None or race.taken.too_many_void:
        return
    void = f"; {race.taken.void} of {race.taken.tried} rounds void" if race.taken.void else ""
    most = max(entry.passes for entry in race.entries)
    setting = f", {race.setting}" if race.setting != NO_HTTP else ""
    width = f", to ± {percent(race.half_width)}" if 0 < race.half_width < 10 else ""
    yield f"{most} passes{setting}: all intervals hold with 95 %{width}{void}."


def _gain(gain: Gain) -> str:
    return f"{times(gain.estimate)} ({_span(gain)})" if gain.passes else times(gain.estimate)


def span(gain: Gain | None) -> str:
    """``4.71 to 5.22``; ``–`` where there is no interval."""
    return "–" if gain is None or not gain.passes or gain.low <= 0 else _span(gain)


def _span(gain: Gain) -> str:
    return f"{_short(gain.low)} to {_short(gain.high)}"


def _short(ratio: float) -> str:
    return times(ratio).removesuffix(" ×")


def _control(race: Race) -> Iterator[str]:
    off = [entry for entry in race.entries if entry.misses_ideal]
    if not off:
        yield "As it must be: each within 25 % of its ideal."
    for entry in off:
        yield (
            f"WARNING: {entry.name} reached {times(entry.speedup)}, its ideal is {times(entry.ideal or 1)}: "
            "the machine was busy or the harness is at fault; doubt the figures beside it."
        )


def cpu(entry: Entry) -> str:
    """CPU seconds of a round, ``≥`` where they are of a part."""
    return ("≥ " if entry.elsewhere else "") + duration(entry.cpu_s)
