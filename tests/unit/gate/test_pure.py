"""What a gate concludes and says: canaries, noise, verdicts and exit codes, settings, whose code ran, the report."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import date
from itertools import combinations, permutations, product
from math import exp, log, log1p
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.gate import GateError, accept
from laptime.gate import settings as gate_settings
from laptime.gate.accept import Accept
from laptime.gate.decision import noise, verdicts
from laptime.gate.decision.canary import LEAST, MOST, Canaries
from laptime.gate.decision.noise import Noise
from laptime.gate.decision.rounds import Measured, Outcome, Pace, Turn
from laptime.gate.decision.trial import (
    ACCEPTED,
    BROKEN,
    CPU,
    FAILING,
    IMPROVED,
    MISSING,
    NEW,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    VERDICTS,
    WALL,
    Finding,
    Rules,
    Trial,
    smallest,
)
from laptime.gate.decision.verdicts import CANNOT, FAIL, PASS, Cost, Report, Row, Trouble
from laptime.gate.equipment.equip import Equipment
from laptime.gate.selection import select
from laptime.gate.settings import Settings
from laptime.gate.sides import proof
from laptime.gate.sides.cpus import stolen
from laptime.gate.sides.pair import Collected
from laptime.gate.tryout import Tryout
from laptime.report import gate
from laptime.settings import SettingsError

WIDTHS = (60, 80, 120, 200)

# canaries


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["b/test_a.py::test_x[1]", "b/test_a.py::test_x[2]"], ["1", "2"]),
        (["b/test_a.py::test_x[1]"], ["test_x[1]"]),
        (["b/test_a.py::test_x[a::b]", "b/test_a.py::T::test_y"], ["test_x[a::b]", "test_y"]),
        (["b/test_a.py::test_x", "b/test_b.py::test_x"], ["test_a.py::test_x", "test_b.py::test_x"]),
        (["a/test_a.py::test_x", "b/test_a.py::test_x"], ["a/test_a.py::test_x", "b/test_a.py::test_x"]),
        (["b/test_a.py::test_x[]", "b/test_a.py::test_x[1]"], ["test_x[]", "test_x[1]"]),
    ],
)
def test_a_benchmark_has_the_shortest_name_that_tells_it_from_the_others(names: list[str], shown: list[str]) -> None:
    """One form for all of them, so that they read alike."""
    assert dict(zip(names, shown, strict=True)) == gate.labels(names)


def test_a_block_is_void_by_any_of_its_canaries() -> None:
    """Before or after the block, in either direction."""
    for values in ((0.2, 0.0), (0.0, 0.2), (0.0, -0.2)):
        canaries = Canaries()
        assert canaries.is_void(*values)
        assert (canaries.blocks, canaries.void) == (1, 1)
    canaries = Canaries()
    assert not canaries.is_void(LEAST, -LEAST)
    assert (canaries.blocks, canaries.void) == (1, 0)


def test_the_limit_follows_what_canaries_are_like_here() -> None:
    """From eight on; a few wild ones among them don't raise it, and it stays between what matters and what is wild."""
    canaries = Canaries()
    for _ in range(4):
        canaries.is_void(0.03, -0.03)
    assert canaries.limit() == pytest.approx(4 * 1.4826 * 0.03)
    for _ in range(3):
        canaries.is_void(5.0)
    assert canaries.limit() == pytest.approx(4 * 1.4826 * 0.03)
    quiet = Canaries()
    for _ in range(20):
        quiet.is_void(0.0, 0.0)
    assert quiet.limit() == LEAST
    wild = Canaries()
    for _ in range(20):
        wild.is_void(5.0)
    assert wild.limit() == MOST
    assert wild.void == wild.blocks


@pytest.mark.parametrize(
    ("void", "good", "too_many"), [(0, 0, False), (15, 0, False), (16, 0, True), (16, 16, False), (16, 15, True)]
)
def test_a_machine_is_unfit_when_too_many_blocks_are_void(void: int, good: int, too_many: bool) -> None:
    """More than fifteen, and more than half."""
    canaries = Canaries()
    for _ in range(good):
        canaries.is_void(0.0)
    for _ in range(void):
        canaries.is_void(9.0)
    assert canaries.are_too_many is too_many


# rounds


def _turns(walls: Sequence[float], ticks: float = 0.0) -> tuple[Turn, ...]:
    return tuple(Turn(wall, wall / 2, ticks, 3) for wall in walls)


@pytest.mark.parametrize("equipment", [Equipment(), Equipment(isolate=True)], ids=["as it is", "isolated"])
def test_of_what_passes_nothing_is_looked_up(monkeypatch: pytest.MonkeyPatch, equipment: Equipment) -> None:
    """It comes of each benchmark in each block: to ask git, or what is installed, would take longer than the block."""
    for name in ("git.submodules", "git.files", "lacks"):
        monkeypatch.setattr(f"laptime.gate.tryout.{name}", lambda *_: pytest.fail("it was looked up"))
    here: Any = SimpleNamespace(step=None)
    tryout = Tryout(here, here, equipment, ["thing/fast.so"], here)
    passed = ("passed", "")
    assert tryout.settle("test_work", Outcome(Measured(_turns([1]), _turns([1])), passed, passed))
    assert {} == tryout.troubles


def test_a_block_is_the_median_of_its_pairs() -> None:
    """Not the ratio of two medians: a machine that changes speed changes both of a pair."""
    measured = Measured(_turns([1, 10, 100]), _turns([2, 20, 50]))
    assert measured.ratio(WALL) == pytest.approx(log(2))
    assert measured.ratio(CPU) == pytest.approx(log(2))
    assert measured.parallelism == pytest.approx(0.5)


def test_a_figure_that_is_zero_or_known_in_ticks_has_no_ratio() -> None:
    """CPU time only."""
    assert Measured(_turns([1, 0]), _turns([1, 1])).ratio(WALL) is None
    assert Measured((), ()).ratio(WALL) is None
    ticks = Measured(_turns([1], ticks=0.01), _turns([1]))
    assert ticks.ratio(CPU) is None
    assert ticks.ratio(WALL) == 0


# noise


def _finding(
    name: str = "test_a",
    metric: str = WALL,
    verdict: str = UNCHANGED,
    ratio: float | None = 1.0,
    blocks: Sequence[float] = (0.01, -0.01, 0.0) * 4,
    note: str | None = None,
    least: float | None = 0.04,
) -> Finding:
    low, high = (None, None) if ratio is None else (ratio * 0.98, ratio * 1.02)
    return Finding(name, metric, verdict, ratio, low, high, tuple(blocks), 0, least, note)


@pytest.mark.parametrize(
    ("taken_s", "of_s", "said"),
    [
        (0.0, 100.0, None),
        (4.9, 100.0, None),
        (5.0, 100.0, "5%"),
        (29.0, 100.0, "29%"),
        (0.0, 0.0, None),
        (1.0, 0.0, None),
    ],
)
def test_what_the_host_took_is_said_from_a_twentieth_on(taken_s: float, of_s: float, said: str | None) -> None:
    """Of the time of all CPUs; of no time nothing is said."""
    expected = [] if said is None else [said]
    assert expected == re.findall(r"took (\d+%) of its CPU time", "\n".join(stolen(taken_s, of_s=of_s)))


def test_the_noise_of_a_benchmark_is_that_of_its_blocks() -> None:
    """And more is found in more time; in too short a time nothing is."""
    one = noise.of([_finding(blocks=(0.02, -0.02) * 6)], lambda _: Rules(), 12.0, 20.0)[0]
    assert one.deviation == pytest.approx(0.0209, abs=1e-4)
    assert one.ratios == pytest.approx([exp(0.02), exp(-0.02)] * 6)
    (first, none), (second, some), (third, more) = one.smallest
    assert (first, second, third) == noise.TIMES_S
    assert none is None
    assert some is not None
    assert more is not None
    assert 0.01 < more <= some < 0.05


def test_what_has_too_few_blocks_is_not_told() -> None:
    """A deviation of two values is none."""
    assert noise.of([_finding(blocks=(0.1, 0.2))], lambda _: Rules(), 12.0, 20.0) == []


def test_what_is_found_is_never_less_than_a_confirmation_finds() -> None:
    """However long it screens; and a screening of six blocks only has to be suspicious."""
    finding = _finding(blocks=(0.03, -0.03, 0.01) * 5)
    slow = noise.of([finding], lambda _: Rules(), 50.0, 20.0)[0].smallest
    fast = noise.of([finding], lambda _: Rules(), 0.1, 1.0)[0].smallest
    confirmed = smallest(finding.blocks, 0.01)
    assert confirmed is not None
    assert {effect for _, effect in fast} == {confirmed}
    assert slow[0][1] is slow[1][1] is None
    assert slow[2][1] is not None
    assert slow[2][1] >= confirmed


def test_what_is_said_to_be_found_is_found() -> None:
    """Whole trials of one benchmark, normal noise: nearly 95 of 100, as both of two stages must find it."""
    random = np.random.default_rng(4)
    deviation = 0.03
    blocks = (random.standard_normal(400) * deviation).tolist()
    effect = noise.of([_finding(blocks=blocks)], lambda _: Rules(), 5.0, 20.0)[0].smallest[-1][1]
    assert effect is not None
    found = 0
    for _ in range(300):
        trial = Trial({"a": Rules()})
        while trial.wanted():
            trial.add({"a": {WALL: log1p(effect) + deviation * float(random.standard_normal())}})
        found += bool(trial.convicted)
    assert found >= 265


@pytest.mark.parametrize(
    "name", ["a.py::test_x[1]", 'a.py::test_x["q"]', "a\\b", "new\nline", "del\x7f", "ü*?", "\x01"]
)
def test_settings_for_a_noisy_benchmark_are_read_as_they_are_written(name: str, tmp_path: Path) -> None:
    """Whatever it is called."""
    found = [
        Noise(name, WALL, 0.1, 1.0, (), ((120.0, None), (600.0, 0.071))),
        Noise(name, CPU, 0.1, 1.0, (), ((120.0, None), (600.0, 0.06))),
        Noise("quiet", WALL, 0.1, 1.0, (), ((120.0, None), (600.0, 0.05))),
    ]
    (tmp_path / "pyproject.toml").write_text("\n".join(noise.settings(found, Rules())), encoding="utf-8")
    settings = gate_settings.read(tmp_path)
    assert settings.of(name) == Rules(0.01, 0.08)
    assert settings.of("quiet") == Rules()


def test_where_nothing_can_be_found_the_limit_is_as_wide_as_can_be() -> None:
    """A limit of 100 % is none."""
    lines = noise.settings([Noise("a", WALL, 9.0, 1.0, (), ((600.0, None),))], Rules())
    assert tomllib.loads("\n".join(lines))["tool"]["laptime"]["gate"]["benchmarks"]["a"] == {"limit": "99%"}


# verdicts


def _report(
    *words: str, unfit: str | None = None, interrupted: bool = False, looked: bool = True, refused: tuple[str, ...] = ()
) -> Report:
    rows = tuple(Row(f"test_{number}", WALL, word) for number, word in enumerate(words))
    return Report("main", "HEAD", rows, unfit=unfit, interrupted=interrupted, looked=looked, refused=refused)


def test_the_exit_code_in_all_combinations() -> None:
    """Every set of verdicts, fit or not, interrupted or not, looked or not, strict or not."""
    sets = [found for size in range(len(VERDICTS) + 1) for found in combinations(VERDICTS, size)]
    either = (False, True)
    for words, unfit, interrupted, looked, strict in product(sets, (None, "hot"), either, either, either):
        code = _report(*words, unfit=unfit, interrupted=interrupted, looked=looked).code(strict=strict)
        if unfit:
            assert code == CANNOT
        elif {REGRESSED, MISSING, BROKEN} & set(words):
            assert code == FAIL
        elif interrupted or not looked or not words:
            assert code == CANNOT
        elif strict and UNRESOLVED in words:
            assert code == FAIL
        else:
            assert code == PASS
    assert {PASS, FAIL, CANNOT} == {0, 1, 2}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("word", VERDICTS)
def test_what_is_accepted_without_need_is_no_pass_and_hides_no_failure(word: str, strict: bool) -> None:
    """The exit code is 2, unless something failed."""
    expected = FAIL if word in FAILING else CANNOT
    assert _report(UNCHANGED, word, refused=("accept 'x' fits no benchmark",)).code(strict=strict) == expected


def test_a_benchmark_counts_once_under_the_worst_of_its_verdicts() -> None:
    """Whatever the order of its metrics; the worst verdict comes first."""
    for order in permutations([Row("a", WALL, UNCHANGED), Row("a", CPU, REGRESSED), Row("b", WALL, UNRESOLVED)]):
        counts = Report("main", "HEAD", order).counts()
        assert list(counts.items()) == [(REGRESSED, 1), (UNRESOLVED, 1)]
    assert Report("main", "HEAD", ()).counts() == {}
    assert FAILING == {REGRESSED, MISSING, BROKEN}


def test_rows_come_by_what_matters() -> None:
    """The worst verdict, then the largest change in either direction; wall before CPU."""

    def rows_of(name: str, word: str, ratio: float) -> list[Row]:
        return [Row(name, metric, word, _finding(name, metric, word, ratio)) for metric in (CPU, WALL)]

    rows = [
        *rows_of("same", UNCHANGED, 1.001),
        *rows_of("slow", REGRESSED, 1.1),
        *rows_of("slower", REGRESSED, 1.3),
        *rows_of("fast", IMPROVED, 0.4),
        Row("new", None, NEW),
        Row("gone", None, MISSING),
        Row("unknown", WALL, UNRESOLVED, _finding("unknown", ratio=None)),
    ]
    found = verdicts.ordered(rows)
    names = ["gone", "slower", "slower", "slow", "slow", "unknown", "fast", "fast", "same", "same", "new"]
    assert [row.benchmark for row in found] == names
    assert [row.metric for row in found if row.benchmark == "slow"] == [WALL, CPU]


def _trial(names: Sequence[str], metrics: Sequence[str] = (WALL, CPU)) -> Trial:
    trial = Trial({name: Rules() for name in names})
    for number in range(12):
        trial.add({name: dict.fromkeys(metrics, (-1.0) ** number * (0.001 + 0.0001 * number)) for name in names})
        trial.wanted()
    return trial


def test_rows_are_what_was_judged_and_what_could_not_be() -> None:
    """A benchmark in trouble has one row, and none of its findings; costs are beside those that have some."""
    costs = {"a": (Cost(1.0, 0.5, 2), Cost(2.0, 0.5, 2))}
    rows = verdicts.rows(_trial(["a", "b"]), {"b": Trouble(BROKEN, "HEAD: boom"), "c": Trouble(MISSING, "gone")}, costs)
    assert [(row.benchmark, row.metric, row.verdict) for row in rows] == [
        ("b", None, BROKEN),
        ("c", None, MISSING),
        ("a", WALL, UNCHANGED),
        ("a", CPU, UNCHANGED),
    ]
    assert (rows[2].base, rows[2].head) == costs["a"]
    assert rows[0].note == "HEAD: boom"


def test_why_a_metric_is_not_judged_is_said_beside_the_other() -> None:
    """Whichever it is."""
    for left_out, other in ((CPU, WALL), (WALL, CPU)):
        trial = _trial(["a"])
        trial.leave_out("a", left_out, "it takes none")
        rows = verdicts.rows(trial, {}, {})
        assert [(row.metric, row.note) for row in rows] == [(other, f"{left_out} is not judged: it takes none")]


def test_a_benchmark_of_which_no_metric_is_judged_has_a_row() -> None:
    """It is unresolved: not mentioned, it would pass."""
    trial = _trial(["a"])
    trial.leave_out("a", CPU, "it takes none")
    trial.leave_out("a", WALL, "it takes none")
    (row,) = verdicts.rows(trial, {}, {})
    assert (row.benchmark, row.verdict) == ("a", UNRESOLVED)
    assert row.note is not None
    assert "wall is not judged: it takes none" in row.note


def test_nothing_judged_is_no_pass() -> None:
    """Where all benchmarks are new in BASE's eyes, or skipped, nothing was compared."""
    trial = Trial({})
    assert trial.wanted() == ()
    rows = verdicts.rows(trial, {"a": Trouble(NEW, "BASE skips it")}, {})
    assert Report("main", "HEAD", rows, looked=trial.looked).code() == CANNOT


def test_a_cost_is_that_of_one_call() -> None:
    """Medians, divided by the calls of a round."""
    measured = Measured(_turns([8, 8, 80]), _turns([16, 16, 1]), base_peak=100)
    base, head = verdicts.cost(measured, Pace(iterations=4, repeats=2, pairs=3))
    assert base == Cost(1.0, 0.5, 3 / 8, 100)
    assert head == Cost(2.0, 1.0, 3 / 8, None)
    assert base.waiting_s == 0.5
    assert Cost(1.0, 1.9, 0).waiting_s == 0


def test_a_typical_cost_is_the_median_of_the_blocks() -> None:
    """Of memory the largest that was seen, if it was."""
    costs = [(Cost(wall, wall, wall, peak), Cost(wall * 2, 1, 1)) for wall, peak in ((1, None), (2, 7), (9, 5))]
    base, head = verdicts.typical(costs)
    assert base == Cost(2, 2, 2, 7)
    assert head == Cost(4, 1, 1, None)


# settings


def _read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    return gate_settings.read(tmp_path)


def test_without_settings_there_are_defaults(tmp_path: Path) -> None:
    """No file, or none of ours in it."""
    assert gate_settings.read(tmp_path) == Settings()
    assert _read(tmp_path, "[tool.other]\nmargin = 7\n") == Settings()
    assert Settings().rules == Rules(0.01, 0.05)
    assert (Settings().max_time_s, Settings().round_limit_s) == (600, 60)


def test_all_settings_are_read(tmp_path: Path) -> None:
    """As the module's first lines have them."""
    found = _read(tmp_path, gate_settings.__doc__.partition("\n\n")[2])
    assert found == Settings(
        arguments=("--tier=gate",),
        isolate=True,
        install=(".[test]",),
        harness=("benchmarks", "data"),
        rules=Rules(0.01, 0.05),
        named={"*processes*": Rules(0.02, 0.1, round_limit_s=300)},
        groups={"io*": Rules(0.03, 0.05)},
        accepts=(Accept("tests/test_parse.py::test_big*", 0.12, "checks every row since #812", date(2027, 1, 31)),),
        max_time_s=600,
        round_limit_s=60,
    )


def test_of_several_patterns_the_last_wins_and_brackets_are_plain(tmp_path: Path) -> None:
    """A pattern that leaves something out has it from the table, not from another pattern."""
    found = _read(
        tmp_path,
        '[tool.laptime.gate]\nmargin = 0.03\nlimit = "30%"\n[tool.laptime.gate.benchmarks]\n'
        '"*" = {limit = "20%"}\n"*::test_x[a-?]" = {margin = "4 %"}\n',
    )
    assert found.of("f.py::test_x") == Rules(0.03, 0.2)
    assert found.of("f.py::test_x[a-1]") == Rules(0.04, 0.3)
    assert found.of("f.py::test_xa") == Rules(0.03, 0.2)


def test_a_benchmarks_own_table_goes_before_that_of_its_group(tmp_path: Path) -> None:
    """Of several groups' tables the last wins, too; a benchmark without a group is in none."""
    found = _read(
        tmp_path,
        "[tool.laptime.gate]\nround_limit = 9\n[tool.laptime.gate.benchmarks]\n"
        '"*fast*" = {margin = "2%"}\n[tool.laptime.gate.groups]\n'
        '"*" = {limit = "20%"}\n"slow" = {round_limit = "1m"}\n',
    )
    assert found.of("test_x") == found.of("test_x", None) == Rules()
    assert found.of("test_x", "any") == Rules(limit=0.2)
    assert found.of("test_x", "slow") == Rules(round_limit_s=60)
    assert found.of("test_fast", "slow") == Rules(margin=0.02)


def test_a_table_that_fits_nothing_is_known(tmp_path: Path) -> None:
    """It may have a typo in it."""
    found = _read(tmp_path, "".join(f'[tool.laptime.gate.{name}]\n"*a" = {{}}\nb = {{}}\n' for name in TABLES))
    assert found.idle(["data"], []) == ['benchmarks."b"', 'groups."*a"', 'groups."b"']
    assert found.idle(["data", "b"], ["b", "a"]) == []


TABLES = ("benchmarks", "groups")


def test_a_benchmarks_group_is_that_of_heads_mark() -> None:
    """Both sides run HEAD's benchmarks."""

    def side(**groups: str | None) -> Collected:
        return Collected([{"name": name, "multicore": None, "group": group} for name, group in groups.items()])

    found = select(side(a="old", b="old", gone="old"), side(a="new", b=None, c="new"))
    assert found.groups == {"a": "new", "c": "new"}
    assert found.names == ("a", "b", "c", "gone")


def test_a_file_that_head_can_not_have_collected_is_broken_or_remarked() -> None:
    """Broken is what BASE has in it; of a new file, or one that was as bad before, nothing is known, which is said."""
    there: list[dict[str, object]] = [
        {"name": f"{file}::test", "multicore": None, "group": None} for file in ("a.py", "b.py")
    ]
    errors = [(file, f"E   SyntaxError: in {file}") for file in ("b.py", "new.py", "bad.py")]
    found = select(Collected(there, errors[2:]), Collected(there[:1], errors))
    assert ["b.py::test"] == [name for name, trouble in found.missing.items() if trouble.verdict == BROKEN]
    assert list(found.remarks) == [
        "BASE's own bad.py can't be collected (SyntaxError: in bad.py): what it had is not known",
        "HEAD's new.py can't be collected (SyntaxError: in new.py): what benchmarks it has is not known",
        "HEAD's bad.py can't be collected (SyntaxError: in bad.py): what benchmarks it has is not known",
    ]


ENTRY = {"benchmark": '"*big*"', "up_to": '"12%"', "why": '"because"', "until": '"v2.0"'}


def _entry(**changed: str | None) -> str:
    keys = {**ENTRY, **changed}
    return "[[gate.accept]]\n" + "\n".join(f"{key} = {text}" for key, text in keys.items() if text is not None)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2027-01-31", date(2027, 1, 31)),
        ('"2027-01-31"', date(2027, 1, 31)),
        ('" v2.0 "', "v2.0"),
        ('"2027.1.31"', "2027.1.31"),
        ('"topic/faster"', "topic/faster"),
    ],
)
def test_what_is_accepted_ends_with_a_day_or_a_revision(tmp_path: Path, until: str, expected: date | str) -> None:
    """A day as TOML has it, or as a text; a tag may be named after a day."""
    text = _entry(until=until, why='"""in two\nlines"""').replace("gate.", "tool.laptime.gate.")
    assert _read(tmp_path, text).accepts == (Accept("*big*", 0.12, "in two lines", expected),)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("gate.accept = 7", "accept: expected a list of tables"),
        ("gate.accept = ['x']", "accept: expected a list of tables"),
        ("[gate.accept]", "accept: expected a list of tables"),
        (_entry() + "\n" + _entry(reason='"x"'), r"accept, entry 2: reason: no such setting; there are benchmark"),
        *((_entry(**{key: None}), f"entry 1: {key}: is missing") for key in ENTRY),
        (_entry(benchmark='""'), "entry 1: benchmark: '': expected a text"),
        (_entry(benchmark="7"), "entry 1: benchmark: 7: expected a text"),
        (_entry(why='" "'), "entry 1: why: ' ': expected a text"),
        (_entry(why="['x']"), r"entry 1: why: \['x'\]: expected a text"),
        (_entry(up_to='"12"'), "entry 1: up_to: '12': expected a share"),
        (_entry(up_to="true"), "entry 1: up_to: True: expected a share"),
        (_entry(up_to='"100%"'), "entry 1: up_to: '100%': expected a share"),
        (_entry(up_to="0"), "entry 1: up_to: 0: must be above the margin, 1 %"),
        (_entry(up_to='"1%"'), "entry 1: up_to: '1%': must be above the margin, 1 %"),
        (_entry(until="7"), "entry 1: until: '7': expected a day"),
        (_entry(until="true"), "entry 1: until: 'True': expected a day"),
        (_entry(until='""'), "entry 1: until: '': expected a day"),
        (_entry(until=f'"{"v" * 251}"'), "entry 1: until: 'v{250}': expected a day"),
        (_entry(until='"2027-02-30"'), "entry 1: until: '2027-02-30': expected a day"),
        (_entry(until='"31.1.2027"'), "entry 1: until: '31.1.2027': expected a day"),
        (_entry(until=r'"v2\u001b[31m"'), r"entry 1: until: 'v2\\x1b\[31m': expected a day"),
        (_entry(until='"2027/1/31"'), "entry 1: until: '2027/1/31': expected a day"),
        (_entry(until="2027-01-31T12:00:00Z"), "entry 1: until: '2027-01-31 12:00:00"),
        ("gate = 7", "expected a table"),
        ('gate.margni = "1%"', "margni.*no such setting"),
        ('gate.margin = "1"', r"margin: '1'.*share"),
        ("gate.margin = true", "margin: True"),
        ("gate.margin = nan", "margin: nan"),
        ("gate.limit = 1", "limit: 1"),
        ("gate.limit = -0.1", "limit: -0.1"),
        ('gate.limit = "100%"', "limit: '100%'"),
        ('gate.margin = "5%"', "must lie below"),
        ('gate.limit = "0.5%"', "must lie below"),
        ('gate.arguments = "-x"', "arguments: expected a list"),
        ("gate.harness = [7]", "harness: expected a list"),
        ('gate.harness = [""]', "harness: expected a list"),
        ('gate.max_time = "soon"', "max_time: 'soon'"),
        ('gate.max_time = "-3m"', "max_time"),
        ("gate.max_time = 0", "max_time"),
        ("gate.max_time = true", "max_time: True"),
        ("gate.max_time = inf", "max_time"),
        ('gate.round_limit = "3d"', "round_limit"),
        ("gate.benchmarks = 7", "benchmarks: expected tables"),
        ("gate.benchmarks.x = 7", "benchmarks: expected tables"),
        ('gate.benchmarks.x.max_time = "1m"', "benchmarks.'x'.max_time: no such setting"),
        ('gate.benchmarks.x.margin = "7%"', "benchmarks.'x': margin 7.0% must lie below limit 5.0%"),
        ('gate.benchmarks.x.round_limit = "soon"', "benchmarks.'x'.round_limit: 'soon': expected a time"),
        ("gate.groups = ['x']", "groups: expected tables, as in .*groups"),
        ("gate.groups.x = 7", "groups: expected tables"),
        ('gate.groups.x.max_time = "1m"', "groups.'x'.max_time: no such setting; there are margin, limit, round_limit"),
        ('gate.groups.x.limit = "0%"', "groups.'x': margin 1.0% must lie below limit 0.0%"),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(tmp_path: Path, text: str, word: str) -> None:
    """With the file, the key, and what was expected."""
    with pytest.raises(SettingsError, match=f"pyproject.toml: tool.laptime.gate.*{word}"):
        _read(tmp_path, f"[tool.laptime]\n{text}\n".replace("[gate", "[tool.laptime.gate"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90s", 90), ("10m", 600), ("10 min", 600), ("1.5h", 5400), (" 2m ", 120), ("0.5s", 0.5)],
)
def test_times(text: str, expected: float) -> None:
    """Seconds, minutes and hours."""
    assert gate_settings.seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "0m", "-1s", "m", "1d", "1e3", "inf", "nan", "1,5h", "9" * 400 + "h", "9" * 308 + "h"]
)
def test_no_times(text: str) -> None:
    """None, nothing, or endless."""
    with pytest.raises(ValueError, match="expected a time"):
        gate_settings.seconds(text)


@given(st.integers(0, 999))
def test_a_share_in_percent_is_that_share(tenths: int) -> None:
    """As text and as a number."""
    assert gate_settings.share(f"{tenths / 10}%") == pytest.approx(tenths / 1000)
    assert gate_settings.share(tenths / 1000) == tenths / 1000


# what is accepted

DAY = date(2027, 1, 31)
BIG = Accept("*big*", 0.12, "checks every row", DAY)


def test_an_entry_that_can_not_be_read_is_none_of_base(tmp_path: Path) -> None:
    """Another laptime wrote it; it equals none that can be read, and the others count."""
    good = _entry().replace("gate.", "tool.laptime.gate.")
    (tmp_path / "pyproject.toml").write_text(f"{good}\n[[tool.laptime.gate.accept]]\nwhy = 7\n", encoding="utf-8")
    assert gate_settings.accepts_before(tmp_path) == [Accept("*big*", 0.12, "because", "v2.0")]
    for text in ("", "[tool.laptime]\ngate = 7", "[tool.laptime.gate]\naccept = 7\nmargni = 7"):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        assert gate_settings.accepts_before(tmp_path) == []
    assert gate_settings.accepts_before(tmp_path / "absent") == []


def test_what_is_accepted_is_a_rule_of_the_benchmarks_that_it_fits() -> None:
    """And of no other; brackets are plain."""
    names = ["t.py::test_big[1]", "t.py::test_small"]
    accepted = accept.by_benchmark(names, [BIG, Accept("*small[1]", 0.2, "x", DAY)])
    assert accepted == {names[0]: BIG}
    assert accept.rules(dict.fromkeys(names, Rules(0.02)), accepted) == {
        names[0]: Rules(0.02, accepted=0.12),
        names[1]: Rules(0.02),
    }


def test_two_entries_for_one_benchmark_are_refused() -> None:
    """Which of them is meant?"""
    with pytest.raises(GateError, match=r"'\*big\*' and 'test_\*' both fit test_big: .* an up_to for both slowdowns"):
        accept.by_benchmark(["test_big"], [BIG, Accept("test_*", 0.2, "x", DAY)])


def test_what_is_accepted_must_be_above_the_benchmarks_own_margin() -> None:
    """Which may be larger than that of others."""
    with pytest.raises(GateError, match=r"up_to 12 % is not above the margin of test_big, 12 %"):
        accept.rules({"test_big": Rules(0.12, 0.2)}, {"test_big": BIG})


def _concluded(*rows: Row, chosen: bool = False, names: Sequence[str] = ("test_big", "test_small")) -> Report:
    return accept.concluded(Report("main", "HEAD", rows, looked=True), [BIG], names, chosen=chosen)


def _row(verdict: str, metric: str | None = WALL, name: str = "test_big", note: str | None = None) -> Row:
    finding = _finding(name, metric, verdict) if metric else None
    return Row(name, metric, verdict, finding, note=note)


def test_what_is_accepted_is_said_beside_it() -> None:
    """By how much, until when and why; of what is beyond it, that it is."""
    report = _concluded(
        _row(ACCEPTED, note="cpu is not judged"), _row(REGRESSED, CPU), _row(REGRESSED, name="test_small")
    )
    assert [row.note for row in report.rows] == [
        "accepted up to 12 % until 2027-01-31: checks every row; cpu is not judged",
        "beyond what is accepted, 12 % until 2027-01-31",
        None,
    ]
    assert (report.refused, report.remarks) == ((), ())


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(UNCHANGED, WALL), (UNCHANGED, CPU)], "refused"),
        ([(UNCHANGED, WALL), (IMPROVED, CPU)], "refused"),
        ([(UNCHANGED, WALL), (ACCEPTED, CPU)], None),
        ([(IMPROVED, WALL), (REGRESSED, CPU)], None),
        ([(UNCHANGED, WALL), (UNRESOLVED, CPU)], "remark"),
        ([(UNRESOLVED, WALL), (ACCEPTED, CPU)], None),
        ([(UNCHANGED, None)], "remark"),  # both sides hold the same files, and nothing was measured
        ([(BROKEN, None)], "remark"),
        ([(NEW, None)], "remark"),
        ([], "remark"),  # skipped, or interrupted
    ],
)
def test_what_is_accepted_must_be_needed(rows: list[tuple[str, str | None]], expected: str | None) -> None:
    """It is refused where all that it fits was judged and is no slower; where that isn't known, it is a remark."""
    report = _concluded(*(_row(*one) for one in rows), _row(REGRESSED, name="test_small"))
    assert report.refused == (
        ("accept '*big*' is not needed: nothing that it fits became slower",) if expected == "refused" else ()
    )
    assert report.remarks == (
        ("accept '*big*': whether it is needed is not known by now",) if expected == "remark" else ()
    )


def test_what_is_slower_within_the_limit_may_need_what_is_accepted() -> None:
    """To be told to remove it now, and that it is regressed the next time, helps nobody."""
    slower = Row("test_big", WALL, UNCHANGED, _finding("test_big", ratio=1.03))
    assert _concluded(slower).refused == ()
    assert _concluded(slower).remarks == ("accept '*big*': whether it is needed is not known by now",)


def test_what_fits_no_benchmark_is_refused_unless_some_were_chosen() -> None:
    """With -k, it may fit one that was not."""
    assert _concluded(names=["test_small"]).refused == ("accept '*big*' fits no benchmark",)
    report = _concluded(names=["test_small"], chosen=True)
    assert report.refused == ()
    assert report.remarks == ("accept '*big*' fits none of the benchmarks that were chosen",)


def test_the_report_ends_with_what_is_refused() -> None:
    """Beside what failed; that it was accepted is shown in the table."""
    report = _concluded(_row(ACCEPTED), _row(UNCHANGED, CPU), _row(REGRESSED, name="test_small"))
    report = accept.concluded(report, [Accept("gone", 0.2, "x", "v2")], ["test_big"], chosen=False)
    shown = gate.terminal(report, lambda name: name, width=200, color=False)
    assert re.search(r"test_big +wall +accepted .* accepted up to 12 % until 2027-01-31: checks every row", shown)
    assert "1 regressed, 1 accepted · " in shown
    assert shown.splitlines()[-2:] == ["FAILED: 1 regressed", "REFUSED: accept 'gone' fits no benchmark: remove it"]
    alone = gate.terminal(_report(UNCHANGED, refused=("x",)), lambda name: name, width=80, color=False)
    assert "CAN'T TELL" not in alone


# whose code ran

BASE_TREE, HEAD_TREE, CHECKOUT = PurePosixPath("/t/base"), PurePosixPath("/t/head"), PurePosixPath("/home/me/shop")


def _complaint(**modules: str) -> str | None:
    side = proof.Loaded("BASE", BASE_TREE, (BASE_TREE / "src",), {k.replace("__", "."): v for k, v in modules.items()})
    return proof.complaint(side, HEAD_TREE, CHECKOUT, [BASE_TREE / "benchmarks"], ["shop"])


def test_a_side_that_runs_its_own_code_is_fine() -> None:
    """Whatever is installed beside."""
    own = {"shop": "/t/base/src/shop/__init__.py"}
    assert _complaint(**own) is None
    assert _complaint(**own, requests="/home/me/shop/.venv/lib/site-packages/requests/__init__.py") is None
    assert _complaint(**own, json="/usr/lib/python3/json/__init__.py", laptime="/home/me/shop/laptime/x.py") is None


@pytest.mark.parametrize(
    ("module", "path", "word"),
    [
        ("shop", "/t/head/src/shop/__init__.py", "from the other side"),
        ("shop", "/home/me/shop/src/shop/__init__.py", "the working tree"),
        ("helpers", "/home/me/shop/helpers.py", "the working tree"),
        ("shop", "/usr/lib/site-packages/shop/__init__.py", "although its own tree has 'shop'"),
        ("shop__cart", "/usr/lib/site-packages/shop/cart.py", "although its own tree has 'shop'"),
    ],
)
def test_a_side_that_runs_other_code_is_not(module: str, path: str, word: str) -> None:
    """Beside its own."""
    found = _complaint(**{"own": "/t/base/src/own.py", module: path})
    assert found is not None
    assert word in found
    assert path in found
    assert found.startswith("BASE loads")


def test_a_side_that_runs_nothing_of_its_own_is_not() -> None:
    """The harness is the same on both sides, and so is what is installed."""
    for path in ("/t/base/benchmarks/test_x.py", "/usr/lib/site-packages/x.py", "/t/base/.venv/site-packages/x.py"):
        found = _complaint(test_x=path)
        assert found is not None
        assert "nothing of the code under test" in found


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("No module named 'shop._version'", ["src/shop/_version.py"]),
        ("cannot import name '_fast' from 'shop' (x)", ["src/shop/_fast.cpython-311.so"]),
        ("cannot import name '_fast' from partially initialized module 'shop'", ["src/shop/_fast.cpython-311.so"]),
        ("No module named 'made'", ["made/"]),
        ("No module named 'else'", []),
        ("something else", []),
    ],
)
def test_what_is_ignored_may_be_what_is_lacking(message: str, expected: list[str]) -> None:
    """A generated file, a compiled one, a directory; not what lies in build directories."""
    ignored = [
        *("src/shop/_version.py", "src/shop/_fast.cpython-311.so", "made/", "notes/_version.txt"),
        *("build/shop/_version.py", ".venv/lib/site-packages/shop/_version.py"),
    ]
    assert proof.lacking(message, ignored) == expected


def test_what_is_compiled_beside_the_source_is_seen() -> None:
    """Not what is elsewhere, nor what isn't compiled."""
    ignored = ["shop/_fast.so", "shop/_fast.c", "build/_fast.so", "other/_fast.pyd", "top.dylib"]
    assert proof.compiled(ignored, ["shop", "build", "."]) == ["shop/_fast.so", "top.dylib"]


# the report

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
NASTY = "benchmarks/test_gate.py::test_x[red]\x1b[31m\r\n\u202e[/red]"
LONG = "benchmarks/test_gate.py::test_" + "long_" * 60
COSTS = (Cost(0.01, 0.009, 3, 50_000_000), Cost(0.012, 0.01, 4, 60_000_000))


def _rows() -> tuple[Row, ...]:
    blocks = [0.2 + 0.001 * number for number in range(32)]
    return (
        Row(NASTY, None, BROKEN, note="HEAD: Traceback [red]\nE   ValueError: \x1b[2Jboom"),
        Row(
            "benchmarks/test_gate.py::test_hn[threads-8]", WALL, REGRESSED, _finding(ratio=1.213, blocks=blocks), *COSTS
        ),
        Row("benchmarks/test_gate.py::test_hn[threads-8]", CPU, UNCHANGED, _finding(ratio=0.99999), *COSTS),
        Row(LONG, WALL, UNRESOLVED, _finding(ratio=0.93, verdict=UNRESOLVED), note="suspected, and not confirmed"),
        Row("test_none", WALL, UNRESOLVED, _finding(ratio=None, blocks=(), least=None)),
        Row("test_new", None, NEW, note="not in BASE"),
    )


def _shown(rows: Sequence[Row], width: int, *, color: bool = False) -> str:
    report = Report("main (1a2b3c4)", "HEAD [bold]", tuple(rows), seconds=245, blocks=32, void=1)
    return gate.terminal(report, lambda name: f"laptime gate main -- {name}", width=width, color=color)


def _table(shown: str) -> list[str]:
    """The table's own lines."""
    lines = ESCAPE.sub("", shown).splitlines()
    return lines[1 : next(number for number, line in enumerate(lines) if not line)]


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_at_every_width_names_verdicts_and_changes_can_be_read(width: int, color: bool) -> None:
    """What there is no room for is left out whole, or told below; nothing steers the terminal but its own colours."""
    shown = _shown(_rows(), width, color=color)
    assert ("\x1b[" in shown) is color
    bare = ESCAPE.sub("", shown)
    assert not set(bare) & {"\x1b", "\r", "\u202e"}
    lines = bare.splitlines()
    assert lines[0] == "laptime gate: HEAD [bold] against main (1a2b3c4)"
    assert lines[1].split()[:4] == ["benchmark", "by", "verdict", "change"]
    for word in (REGRESSED, UNCHANGED, UNRESOLVED, BROKEN, NEW):
        assert re.search(rf"\b{word}\b", "\n".join(_table(shown))), word
    assert "+21.3 %" in bare
    assert "+0.0 %" in bare
    assert "-0.0 %" not in bare
    row = next(line for line in lines if REGRESSED in line)
    assert "test_h" in row
    name = "".join(line.split("  ")[0].strip() for line in _table(shown))
    assert "test_x[red]\\x1b[31m\\r\\n\\u202e[/red]" in name
    assert "long_" * 60 in name
    assert "not in BASE" in " ".join(bare.split())
    assert re.search(r"long_: suspected, and not confirmed$", bare, re.M)  # told below, rather than in a column
    assert "4.0 %" in "\n".join(_table(shown))
    assert "1 regressed" in lines[-2]
    assert lines[-1] == "FAILED: 1 broken, 1 regressed"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int) -> None:
    """As wide as it is, or narrower."""
    rows = [row for row in _rows() if row.verdict in (UNCHANGED, REGRESSED)]
    assert max(map(len, _table(_shown(rows, width)))) <= width


def test_the_interval_and_the_blocks_are_shown_where_there_is_room() -> None:
    """The blocks go first."""
    found = {width: _shown(_rows()[1:3], width) for width in (60, 80, 200)}
    assert "95 % interval" not in found[60]
    assert "+18.9 % … +23.7 %" in found[80]
    assert "blocks" in found[200].splitlines()[1]
    assert "█" in found[200]


def test_what_is_unresolved_tells_what_could_be_found_and_why_it_is_open() -> None:
    """In columns where there is room; that the run was ended is said once, below."""
    stop = "there was no time left"
    open_ = _finding(ratio=0.93, verdict=UNRESOLVED)
    rows = [
        Row("test_a", WALL, UNRESOLVED, open_, note=stop),
        Row("test_b", WALL, UNRESOLVED, open_, note=f"looks slower, and was not confirmed: {stop}"),
        Row("test_c", WALL, UNCHANGED, _finding()),
    ]
    shown = gate.terminal(Report("main", "HEAD", tuple(rows), stopped=stop), lambda name: name, width=120, color=False)
    head, *lines = _table(shown)
    assert "would find" in head
    assert [line.split()[0] for line in lines if "4.0 %" in line] == ["test_a", "test_b"]
    assert [line.split()[0] for line in lines if line.rstrip().endswith("looks slower, and was not confirmed")] == [
        "test_b"
    ]
    assert shown.count(stop) == 1
    assert "would find" not in _shown(rows[2:], 120)


def test_a_colour_is_the_verdicts() -> None:
    """Red for what fails."""
    shown = _shown(_rows(), 120, color=True)
    assert re.search(r"\x1b\[1;31mregressed", shown)
    assert re.search(r"\x1b\[33munresolved", shown)


@pytest.mark.parametrize("width", WIDTHS)
def test_two_hundred_rows_are_two_hundred_lines(width: int) -> None:
    """Each benchmark on its own."""
    rows = [Row(f"test_{number:03}", WALL, UNCHANGED, _finding()) for number in range(200)]
    assert len(_table(_shown(rows, width))) == 201


def test_a_benchmarks_name_stands_once() -> None:
    """Beside its first metric."""
    table = _table(_shown(_rows()[1:3], 200))
    assert sum("test_hn" in line for line in table) == 1
    assert table[2].split()[0] == CPU


def test_what_is_missing_is_a_dash() -> None:
    """Neither a ratio nor an interval nor blocks."""
    table = _table(_shown(_rows()[4:5], 200))
    assert table[1].split() == ["test_none", WALL, UNRESOLVED, "–", "–"]
    assert gate.percent(None) == "–"
    assert gate.between(_finding(ratio=None)) == "–"


def test_no_rows_are_no_table() -> None:
    """But a sum."""
    shown = gate.terminal(Report("main", "HEAD", ()), lambda name: name, width=80, color=False)
    assert "benchmark" not in shown.splitlines()[1]
    assert "nothing was judged" in shown
    assert "CAN'T TELL" in shown


def test_a_regression_says_where_the_time_went_and_how_to_run_it_alone() -> None:
    """Wall, CPU, waiting, switches and memory, of one call."""
    shown = _shown(_rows()[1:3], 120)
    assert "REGRESSED benchmarks/test_gate.py::test_hn[threads-8] (wall time)" in shown
    assert re.search(r"wall +10\.0 ms → 12\.0 ms  \(\+20\.0 %\)", shown)
    assert re.search(r"peak memory *\S+ \S+ → ", shown)
    assert "  laptime gate main -- benchmarks/test_gate.py::test_hn[threads-8]" in shown
    assert "waiting     0" in "\n".join(gate.where_it_went(Cost(1, 2, 0), Cost(1, 2, 0)))
    assert "peak" not in "\n".join(gate.where_it_went(Cost(1, 2, 0), Cost(1, 2, 0, 5)))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1.0, "+0.0 %"), (0.99999, "+0.0 %"), (1.052, "+5.2 %"), (0.5, "-50.0 %"), (1.9994, "+99.9 %"), (3.0, "+200 %")],
)
def test_a_change_in_percent(ratio: float, expected: str) -> None:
    """One decimal, where it says something."""
    assert gate.percent(ratio) == expected


def test_bars_are_as_high_as_their_blocks() -> None:
    """Half high is no change; the noise of a quiet benchmark isn't blown up; only the latest are shown."""
    assert gate.sparkline([]) == ""
    assert gate.sparkline([-1.0, 0.0, 1.0]) == "▁▅█"
    assert gate.sparkline([-0.001, 0.001]) in ("▄▅", "▅▅", "▄▄")
    assert gate.sparkline([9.0, *[0.0] * 20]) == "▅" * 20


@given(st.lists(st.floats(-20, 20), max_size=60))
def test_there_is_a_bar_for_any_block(blocks: list[float]) -> None:
    """And the larger is never lower."""
    bars = gate.sparkline(blocks)
    assert len(bars) == min(len(blocks), 20)
    shown = sorted(zip(blocks[-20:], bars, strict=True))
    assert [bar for _, bar in shown] == sorted(bars)


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (245, "4 min 05 s")])
def test_a_clock(seconds: float, expected: str) -> None:
    """Rounded before it is divided."""
    assert gate.clock(seconds) == expected


def test_the_command_for_one_benchmark_is_quoted() -> None:
    """For a shell."""
    assert gate.command("main", None, (), ["a.py::test_x[1 2]"]) == "laptime gate main -- 'a.py::test_x[1 2]'"
    assert gate.command("main", "feature", (), ["a.py::test"]) == "laptime gate main feature -- a.py::test"
    assert gate.command("main", None, ["--isolate"], ()) == "laptime gate --isolate main"


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_self_tests_table_at_every_width(width: int, color: bool) -> None:
    """Its names are never markup, what can't be found is a dash."""
    smallest_ = ((120.0, None), (300.0, 0.061), (600.0, 0.034))
    found = [Noise(NASTY, metric, 0.02, 1.001, tuple([0.98, 1.02] * 6), smallest_) for metric in (WALL, CPU)]
    shown = gate.noise(found, width=width, color=color)
    bare = ESCAPE.sub("", shown)
    assert not set(bare) & {"\x1b", "\r", "\u202e"}
    assert ("blocks" in bare) is (width >= 120)
    assert {WALL, CPU} <= set(bare.split())
    if width >= 80:
        line = next(line for line in bare.splitlines() if WALL in line)
        assert ["2.0", "%", "+0.1", "%", "–", "6.1", "%", "3.4", "%"] == line.partition(WALL)[2].split()[:9]
    assert ESCAPE.sub("", gate.noise([], width=width, color=color)).split()[:2] == ["benchmark", "by"]
