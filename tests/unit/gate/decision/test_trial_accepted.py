"""What a trial says of a benchmark that is accepted to be slower up to a limit."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose, log1p

import numpy as np
import pytest

from laptime.gate.decision.trial import (
    ACCEPTED,
    CONFIRMATION,
    CPU,
    IMPROVED,
    REGRESSED,
    UNCHANGED,
    UNRESOLVED,
    WALL,
    Hypothesis,
    Rules,
)
from laptime.stats import signed_rank
from tests.support.trials import FIRST, THIRD, play, ripple, same, wild

UP_TO = Rules(accepted=0.12)


@pytest.mark.parametrize("effect", [0.05, 0.11, 0.12])
def test_what_is_slower_by_no_more_than_is_accepted_is_accepted(effect: float) -> None:
    """It is shown by the test that convicts, against the margin, and neither fails nor ends the run."""
    run = play({"a": same(effect), "b": wild}, a=UP_TO)
    found = run.to_the_end()
    assert [found["a", metric].verdict for metric in (WALL, CPU)] == [ACCEPTED, ACCEPTED]
    assert found["a", WALL].confirmed == CONFIRMATION
    assert isclose(found["a", WALL].ratio or 0, 1 + effect, rel_tol=0.002)
    assert run.count["b"] == THIRD
    assert run.trial.stopped is None


def test_what_is_slower_by_more_than_is_accepted_is_regressed() -> None:
    """Beyond chance, as any other regression; it ends the run."""
    run = play({"a": same(0.14), "b": wild}, a=UP_TO)
    assert run.to_the_end()["a", WALL].verdict == REGRESSED
    assert run.count == {"a": FIRST + CONFIRMATION, "b": FIRST}
    assert run.trial.stopped == "a regression was certain"


def test_what_may_be_slower_by_more_than_is_accepted_is_accepted() -> None:
    """14 % in such noise may be 12 %: the doubt is for the change, as it is where nothing is accepted."""
    run = play({"a": same(0.14, noise=100.0)}, a=UP_TO)
    run.to_the_end()
    assert set(run.words().values()) == {ACCEPTED}


def test_what_is_accepted_hides_no_other_regression() -> None:
    """Not even where it is the slowest: the first look nominates what exceeds by most what it may."""
    run = play({"a": same(0.3), "b": same(0.2), "c": same(0.05)}, to_the_end=True, a=Rules(accepted=0.4))
    run.to_the_end()
    assert {name: word for (name, _), word in run.words().items()} == {"a": ACCEPTED, "b": REGRESSED, "c": REGRESSED}
    soon = play({"a": same(0.3), "b": same(0.2)}, a=Rules(accepted=0.4))
    soon.to_the_end()
    assert {name: word for (name, _), word in soon.words().items()} == {"a": UNRESOLVED, "b": REGRESSED}
    assert soon.count == {"a": FIRST, "b": FIRST + CONFIRMATION}


def test_each_metric_is_accepted_or_not_by_itself() -> None:
    """CPU time may be beyond what wall time is within."""
    run = play({"a": lambda _, number: {WALL: 0.1 + ripple(number), CPU: 0.3 + ripple(number)}}, a=UP_TO)
    run.to_the_end()
    assert run.words() == {("a", WALL): ACCEPTED, ("a", CPU): REGRESSED}


@pytest.mark.parametrize(("effect", "verdict"), [(0.0, UNCHANGED), (-0.1, IMPROVED)])
def test_what_is_no_slower_needs_not_be_accepted(effect: float, verdict: str) -> None:
    """An entry changes nothing of it."""
    run = play({"a": same(effect)}, a=UP_TO)
    run.to_the_end()
    assert set(run.words().values()) == {verdict}


def test_time_over_in_a_confirmation_accepts_by_what_is_there() -> None:
    """As it convicts."""
    run = play({"a": same(0.11)}, a=UP_TO)
    run.until(lambda: run.count["a"] == FIRST + 12)
    run.trial.stop("there was no time left")
    assert run.words()["a", WALL] == ACCEPTED


def test_what_is_accepted_takes_no_share_of_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is one family, in which `up_to` is the bound of what is accepted; that it is slower is another."""
    asked: list[dict[str, float]] = []
    holm = signed_rank.holm

    def noted(p_values: Mapping[Hypothesis, float], alpha: float) -> set[Hypothesis]:
        asked.append({one.benchmark: p_value for one, p_value in p_values.items()})
        return holm(p_values, alpha)

    monkeypatch.setattr(signed_rank, "holm", noted)
    play({"a": same(0.11), "b": same(0.11)}, to_the_end=True, a=UP_TO).to_the_end()
    failing, shown = asked
    assert {"a": 1.0, "b": 0.5**CONFIRMATION} == failing
    assert {"a": 0.5**CONFIRMATION} == shown


def test_runs_in_which_all_is_accepted_are_wrong_seldom() -> None:
    """One as slow as is accepted, one as slow as its margin: together they may fail one run in a hundred."""
    random = np.random.default_rng(5)
    effects = {"a": log1p(0.12), "b": log1p(0.01)}

    def give(name: str, _: int) -> Mapping[str, float]:
        return {WALL: effects[name] + 0.03 * float(random.standard_normal())}

    said = []
    for _ in range(200):
        run = play(dict.fromkeys(effects, give), a=UP_TO)
        run.until(lambda: False)
        said.append(run.words())
    assert sum(REGRESSED in words.values() for words in said) <= 8  # 2 are expected
    assert sum(words["a", WALL] == ACCEPTED for words in said) >= 190
