"""What stands on the page, in which order, and in which words. Pure.

What a person came for is first: for each workload which way to take, and its race. What bears it out follows, then what
was measured besides, and last on what, and how to do it again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from laptime.analysis.documents import races
from laptime.analysis.race import Entry, Race, is_control
from laptime.history import DESELECTED, FAILED, PASSED, Run, differences
from laptime.report import findings
from laptime.report.console import fingerprint_line
from laptime.report.gates import took
from laptime.report.page import theme
from laptime.report.page.charts import gate as gate_chart
from laptime.report.page.charts import plain as plain_chart
from laptime.report.page.charts import race as race_chart
from laptime.report.page.charts import study as study_chart
from laptime.report.page.charts import timeline as timeline_chart
from laptime.report.page.charts import trend as trend_chart
from laptime.report.page.figure import Card, Figure, Section, Table, count, distinct, listed, sentence
from laptime.report.page.material import THINNED, Benchmark, Group, Material, Place, places
from laptime.report.race import is_doubt, verdict
from laptime.report.runs import short
from laptime.report.study import StudyError, studies

_SHORT = 10
_FULL = "full"
_SCALING = "scaling"


@dataclass(frozen=True, slots=True)
class Page:
    """The whole of it.

    title    one line
    summary  what was measured, when and on what, in a sentence or two
    version  of laptime
    """

    title: str
    summary: Sequence[str]
    sections: Sequence[Section]
    version: str

    @property
    def figures(self) -> list[Figure]:
        """All, in order."""
        return [figure for section in self.sections for card in section.cards for figure in card.figures]


def page(material: Material) -> Page:
    """Everything that can be shown of it. Raises `ValueError`, `LookupError` or `TypeError` for what is malformed."""
    found = places(material.runs)
    several = len(found) > 1
    sections: list[Section] = []
    for number, place in enumerate(found):
        sections += _of_place(place, number, f" on {fingerprint_line(place.fingerprint)}" if several else "")
    sections += _of_history(material)
    sections += [section for section in (_not_timed(material.runs),) if section is not None]
    sections += [_measured_on(found, material), _again(found, material)]
    return Page(
        title="laptime: " + _workloads(found),
        summary=_summary(material, found),
        sections=_named_apart(sections),
        version=material.version,
    )


def _workloads(found: Sequence[Place]) -> str:
    names = dict.fromkeys(
        group.name
        for kind in ("workload", "study", "plain")
        for place in found
        for group in place.groups
        if group.kind == kind and group.name and not _is_control(group)
    )
    return listed(names, 3) if names else "benchmarks"


def _is_control(group: Group) -> bool:
    return any("ideal" in (one["extra_info"] or {}) and one["extra_info"]["ideal"] for one in group.documents)


def _summary(material: Material, found: Sequence[Place]) -> list[str]:
    newest = found[0].runs[0]
    timed = sum(result.outcome == PASSED for result in newest.results)
    said = [f"{count(timed, 'benchmark')} of {_run(newest)}, on {fingerprint_line(newest.fingerprint)}."]
    if len(material.runs) > 1:
        said.append(f"{len(material.runs)} runs are reported: what is shown is the newest that has it.")
    if len(found) > 1:
        said.append(
            f"They were made in {len(found)} different places, which can't be compared: each has sections of its own."
        )
    said += [f"{sentence(_run(run))} was cut short." for run in material.runs if not run.complete]
    return [*said, *material.notes]


def _run(run: Run) -> str:
    label = f" ({run.label})" if run.label else ""
    commit = f", commit {short(run.commit)}" if run.commit.id else ""
    changed = " with changes that were not committed" if run.commit.dirty else ""
    return f"run {run.id[:_SHORT]}{label} of {run.at:%Y-%m-%d %H:%M} UTC{commit}{changed}"


# one place


def _of_place(place: Place, number: int, where: str) -> Iterator[Section]:
    anchor = "" if not number else f"-{number + 1}"
    raced = [_raced(group) for group in place.groups if group.kind == "workload"]
    raced.sort(key=lambda one: min(one.race.base.cpu_s / max(one.race.base.median_s, 1e-12), 1.0))  # waiting work first
    work = [one for one in raced if not is_control(one.race)]
    controls = [one for one in raced if is_control(one.race)]
    if work:
        yield Section(f"races{anchor}", f"Which way to run{where}", (), [_race_card(one) for one in work])
        yield from _speedups(work, anchor, where)
        yield from _timelines(work, anchor, where)
    yield from _studies(place, anchor, where)
    plain_groups = [group for group in place.groups if group.kind == "plain"]
    if plain_groups:
        cards = [
            Card(
                group.name or "Benchmarks", (), [plain_chart.plain(group.name, group.documents)], notes=[_source(group)]
            )
            for group in sorted(plain_groups, key=lambda group: group.name)
        ]
        lead = ["Benchmarks without the `lap` fixture: their rounds are drawn, and nothing is recommended."]
        yield Section(f"benchmarks{anchor}", f"{'Other benchmarks' if work else 'Benchmarks'}{where}", lead, cards)
    if controls:
        lead = ["Work whose outcome is known beforehand. Where one is off, doubt the figures beside it."]
        yield Section(f"controls{anchor}", f"Controls{where}", lead, [_race_card(one) for one in controls])


@dataclass(frozen=True, slots=True)
class _Raced:
    group: Group
    race: Race
    measured: race_chart.Measured


def _raced(group: Group) -> _Raced:
    (race,) = races(group.documents)
    left = list(group.documents)
    measured = []
    for entry in race.entries:
        found = next(one for one in left if _label(one) == entry.name and _walls(one)[0] == entry.median_s)
        left.remove(found)
        measured.append((entry, _rounds(found, entry)))
    return _Raced(group, race, measured)


def _label(one: Benchmark) -> str:
    return str(one["extra_info"].get("label") or one["param"] or one["name"])


def _walls(one: Benchmark) -> tuple[float, tuple[float, ...]]:
    walls = tuple(map(float, one["extra_info"]["rounds"]["wall_s"]))
    return median(walls), walls


def _rounds(one: Benchmark, entry: Entry) -> race_chart.Rounds:
    info = one["extra_info"]
    workers = info.get("workers")
    return race_chart.Rounds(
        wall_s=_walls(one)[1],
        family=theme.family(str(info.get("variant") or entry.name)),
        workers=workers if isinstance(workers, int) and workers > 0 else None,
        thinned=bool(one.get(THINNED)),
    )


def _race_card(one: _Raced) -> Card:
    race = one.race
    title = f"{race.workload}: {race.summary}" if race.summary else race.workload
    before, after = _verdict(race)
    return Card(
        title,
        before,
        [race_chart.race(race, one.measured)],
        commands=[_command([one.group], names=[race.workload])],
        notes=[f"{sentence(race.setting)}. {_source(one.group)}"],
        besides=after,
    )


def _verdict(race: Race) -> tuple[list[str], list[str]]:
    """What is said before the chart (what to doubt, and what to take), and after it."""
    said = verdict(race)
    if is_control(race):
        return said[:1], said[1:]
    doubts = [sentence for sentence in said if is_doubt(sentence)]
    rest = [sentence for sentence in said if sentence not in doubts]
    return ([*doubts, *rest[:1]], rest[1:]) if not race.unfit else (doubts, rest)


def _speedups(work: Sequence[_Raced], anchor: str, where: str) -> Iterator[Section]:
    overview = race_chart.overview([(one.race, one.measured) for one in work])
    cards = [Card("All work in one picture", (), [overview])] if overview is not None else []
    for one in work:
        figure = race_chart.speedup(one.race, one.measured)
        if figure is not None:
            cards.append(Card(one.race.workload, (), [figure]))
    if cards:
        yield Section(f"speedup{anchor}", f"Speed-up and efficiency{where}", (), cards)


def _timelines(work: Sequence[_Raced], anchor: str, where: str) -> Iterator[Section]:
    cards = []
    for one in work:
        variants = _watched(one)
        if variants:
            figure = timeline_chart.timeline(one.race.workload, variants)
            cards.append(Card(one.race.workload, (), [figure]))
    if cards:
        lead = [
            "One more round of each, watched: who connects, waits, receives and computes, and when. Watching it takes "
            "time, and the round is not among those that were timed."
        ]
        yield Section(f"timelines{anchor}", f"What happens meanwhile{where}", lead, cards)


def _watched(one: _Raced) -> list[timeline_chart.Variant]:
    """The first variant, then the fastest of each family that does the same work, as many as one picture holds."""
    timelines = {
        _label(each): each["extra_info"]["timeline"]
        for each in one.group.documents
        if isinstance(each["extra_info"].get("timeline"), Mapping)
    }
    wanted = {one.race.once.take.name, one.race.kept.take.name}
    chosen: dict[str, timeline_chart.Variant] = {}
    same = [(e, r) for e, r in one.measured if e.parser == one.race.base.parser and not e.reference]
    # the first variant, what is recommended, and then the fastest
    same.sort(key=lambda each: (each[0].name != one.race.base.name, each[0].name not in wanted))
    for entry, rounds in same:
        if entry.name in timelines:
            chosen.setdefault(rounds.family, timeline_chart.Variant(entry.name, rounds.family, timelines[entry.name]))
    several = list(chosen.values())[: timeline_chart.MOST_VARIANTS]
    return sorted(several, key=lambda variant: theme.FAMILIES.index(variant.family))


def _studies(place: Place, anchor: str, where: str) -> Iterator[Section]:
    scaling: list[Card] = []
    others: list[Card] = []
    for group in place.groups:
        if group.kind == "study":
            kind, card = _study_card(group)
            (scaling if kind == _SCALING else others).append(card)
    if scaling:
        yield Section(f"scaling{anchor}", f"How many workers{where}", (), scaling, columns=1)
    if others:
        yield Section(f"studies{anchor}", f"What it costs, and when it pays{where}", (), others, columns=2)


def _study_card(group: Group) -> tuple[str, Card]:
    commands = [_command([group], names=[group.name])]
    notes = [_source(group)]
    try:
        (study,) = studies(group.documents)
        said = findings.findings(study)
        figures = study_chart.figures(study, said, _cpus(group))
    except (StudyError, ValueError) as error:
        return "", Card(group.name, [f"Can't be read as a study: {error}"], (), commands, notes)
    return study.kind, Card(study.title, (), figures, commands, notes, besides=said)


def _cpus(group: Group) -> float:
    info = group.documents[0]["extra_info"]
    return float(min(info.get("affinity_cpus") or float("inf"), info.get("cpu_quota") or float("inf")))


def _source(group: Group) -> str:
    """From which run a card is; where it is from several, from which how many."""
    runs = group.runs
    if len(runs) == 1:
        return f"From {_run(runs[0])}."
    counted = [f"{sum(run is one for _, run in group.benchmarks)} from {_run(one)}" for one in runs]
    return f"{count(len(group.benchmarks), 'benchmark')}: {', '.join(counted)}."


# the history


def _of_history(material: Material) -> Iterator[Section]:
    if material.trends:
        ordered = sorted(material.trends, key=lambda one: one[0].fullname)
        changed = [(series, changes) for series, changes in ordered if changes]
        most = max(len(series.values) for series, _ in ordered)
        lead = [
            f"{count(len(ordered), 'benchmark')} from commit to commit, up to {count(most, 'run')} each, of one "
            "machine and the same inputs. " + (f"{len(changed)} changed." if changed else "No change was found."),
        ]
        cards = [Card("Changed", (), [trend_chart.trend(series, changes) for series, changes in changed])]
        cards.append(Card("Steady", (), trend_chart.steady([series for series, changes in ordered if not changes])))
        yield Section("trends", "Trends", lead, [card for card in cards if card.figures], columns=1)
    if material.gates:
        cards = []
        newest = next((figure for one in material.gates if (figure := gate_chart.gate(one)) is not None), None)
        if newest is not None:
            cards.append(Card("The newest gate with figures", (), [newest]))
        table = Table(
            f"The {count(len(material.gates), 'newest gate')}",
            ("gate", "when (UTC)", "base → head", "verdicts", "took", "exit code"),
            [_gate_row(one) for one in material.gates],
        )
        cards.append(Card("", (), (), tables=[table]))
        lead = ["Base and head run in lockstep until an exact test can tell: what `laptime gate` said."]
        yield Section("gates", "Gates", lead, cards, columns=1)


def _gate_row(one: Any) -> tuple[str, ...]:
    counted: dict[str, int] = {}
    for result in one.results:
        counted[result.verdict] = counted.get(result.verdict, 0) + 1
    said = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counted.items())) or "nothing"
    return (
        one.id[:_SHORT],
        f"{one.at:%Y-%m-%d %H:%M}",
        f"{short(one.base)} → {short(one.head)}",
        said + ("" if one.complete else ", cut short"),
        took(one.seconds),
        str(one.code),
    )


# what it was


def _not_timed(runs: Sequence[Run]) -> Section | None:
    rows = [
        (result.fullname, result.outcome, run.id[:_SHORT], result.note or "")
        for run in runs
        for result in run.results
        if result.outcome not in (PASSED, DESELECTED)
    ]
    if not rows:
        return None
    failed = sum(outcome == FAILED for _, outcome, *_ in rows)
    lead = [f"{failed} failed, {len(rows) - failed} skipped: they have no figures."]
    table = Table("Not timed", ("benchmark", "outcome", "run", "why"), rows)
    return Section("not-timed", "Not timed", lead, [Card("", (), (), tables=[table])], columns=1)


def _measured_on(found: Sequence[Place], material: Material) -> Section:
    cards = []
    for place in found:
        fingerprint = place.fingerprint
        parts = {**fingerprint.machine, **fingerprint.interpreter}
        host = {f"host: {key}": value for one in place.runs[:1] for key, value in _host(one).items()}
        rows = [(key, _value(value)) for key, value in {**parts, **host}.items()]
        loaded = [(name, fingerprint.libraries.get(name, "?")) for name in sorted(fingerprint.loaded)]
        beside = [
            (name, fingerprint.libraries[name]) for name in sorted({*fingerprint.libraries} - {*fingerprint.loaded})
        ]
        tables = [
            Table("Machine and interpreter", ("what", "value"), rows),
            Table(
                "Runs", ("run", "when (UTC)", "commit", "branch", "label", "benchmarks"), [*map(_run_row, place.runs)]
            ),
            Table(f"Libraries that took part ({len(loaded)})", ("library", "version"), loaded, folded=True),
            Table(f"Libraries installed beside them ({len(beside)})", ("library", "version"), beside, folded=True),
        ]
        cards.append(Card(fingerprint_line(fingerprint), (), (), tables=[table for table in tables if table.rows]))
    lead = []
    for other in found[1:]:
        apart = differences(found[0].fingerprint, other.fingerprint)
        told = [f"{one.what} ({one.base}, {one.head})" for one in apart]
        lead.append(f"{sentence(_run(other.runs[0]))} is not comparable with the newest: {listed(told, 8)}.")
    return Section("measured-on", "Measured on", lead, cards, columns=1)


def _host(run: Run) -> Mapping[str, Any]:
    added = run.document.get("laptime")
    host = added.get("host") if isinstance(added, Mapping) else None
    return host if isinstance(host, Mapping) else {}


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _run_row(run: Run) -> tuple[str, ...]:
    timed = sum(result.outcome == PASSED for result in run.results)
    return (
        run.id[:_SHORT],
        f"{run.at:%Y-%m-%d %H:%M}",
        short(run.commit),
        run.commit.branch or "–",
        run.label or "–",
        f"{timed}{'' if run.complete else ' (cut short)'}",
    )


def _again(found: Sequence[Place], material: Material) -> Section:
    cards = []
    for place in found:
        for run in place.runs:
            groups = [group for group in place.groups if any(one is run for _, one in group.benchmarks)]
            if groups:
                cards.append(_again_card(run, groups))
    command = shlex.join(["laptime", "report", *material.asked])
    cards.append(Card("This page", (), (), commands=[command]))
    return Section("again", "Do it again", (), cards, columns=1)


def _again_card(run: Run, groups: Sequence[Group]) -> Card:
    said = []
    commands = []
    if run.commit.id:
        commands.append(f"git checkout {run.commit.id}")
    if run.commit.dirty:
        said.append("It was run with changes that were not committed: without them it isn't the same.")
    apart = any(one.outcome == DESELECTED for one in run.results) or any(
        group.kind == "study" and _tier(group) != _FULL for group in groups
    )
    names = [group.name for group in groups if group.kind != "plain"]
    commands.append(_command(groups, names=names if apart else ()))
    return Card(sentence(_run(run)), said, (), commands=commands)


def _tier(group: Group) -> str | None:
    tier = group.documents[0]["extra_info"].get("tier")
    return tier if isinstance(tier, str) else None


def _command(groups: Sequence[Group], *, names: Sequence[str]) -> str:
    """What measures these groups again."""
    infos = [group.documents[0]["extra_info"] for group in groups]
    words = ["python", "-m", "pytest", "--benchmark-only"]
    tiers = dict.fromkeys(tier for group in groups if (tier := _tier(group)))
    if len(tiers) == 1:
        words += ["--tier", *tiers]
    if any(info.get("http") == "live" for info in infos):
        words.append("--http=live")
    latencies = dict.fromkeys(latency for info in infos if isinstance(latency := info.get("latency"), str))
    if len(latencies) == 1:
        words += ["--latency", *latencies]
    if any("timeline" in one["extra_info"] for group in groups for one in group.documents):
        words.append("--timelines")
    if names:
        words += ["-k", " or ".join(dict.fromkeys(names))]
    return shlex.join(words)


def _named_apart(sections: Sequence[Section]) -> list[Section]:
    """Every figure's name once: it is a file's."""
    taken: list[str] = []

    def named(figure: Figure) -> Figure:
        taken.append(distinct(figure.name, taken))
        return replace(figure, name=taken[-1])

    return [
        replace(
            section,
            cards=[replace(card, figures=[named(figure) for figure in card.figures]) for card in section.cards],
        )
        for section in sections
    ]
