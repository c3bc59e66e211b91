"""A self-test: what would be found on this machine, and what settings that calls for."""

from __future__ import annotations

import tomllib
from math import exp, log1p
from pathlib import Path

import numpy as np
import pytest

from laptime.gate import settings as gate_settings
from laptime.gate.decision import noise
from laptime.gate.decision.noise import Noise
from laptime.gate.decision.trial import (
    CPU,
    WALL,
    Rules,
    Trial,
    smallest,
)
from tests.support.verdicts import (
    finding,
)


def test_the_noise_of_a_benchmark_is_that_of_its_blocks() -> None:
    """And more is found in more time; in too short a time nothing is."""
    one = noise.of([finding(blocks=(0.02, -0.02) * 6)], lambda _: Rules(), 12.0, 20.0)[0]
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
    assert noise.of([finding(blocks=(0.1, 0.2))], lambda _: Rules(), 12.0, 20.0) == []


def test_what_is_found_is_never_less_than_a_confirmation_finds() -> None:
    """However long it screens; and a screening of six blocks only has to be suspicious."""
    noisy = finding(blocks=(0.03, -0.03, 0.01) * 5)
    slow = noise.of([noisy], lambda _: Rules(), 50.0, 20.0)[0].smallest
    fast = noise.of([noisy], lambda _: Rules(), 0.1, 1.0)[0].smallest
    confirmed = smallest(noisy.blocks, 0.01)
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
    effect = noise.of([finding(blocks=blocks)], lambda _: Rules(), 5.0, 20.0)[0].smallest[-1][1]
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
