"""What is said of what a side can not run, and what is not even looked up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from laptime.gate.blocks import _remedy
from laptime.gate.decision.rounds import Measured, Outcome
from laptime.gate.equipment.equip import Equipment
from laptime.gate.tryout import Tryout
from tests.support.verdicts import (
    turns,
)


@pytest.mark.parametrize("equipment", [Equipment(), Equipment(isolate=True)], ids=["as it is", "isolated"])
def test_of_what_passes_nothing_is_looked_up(monkeypatch: pytest.MonkeyPatch, equipment: Equipment) -> None:
    """It comes of each benchmark in each block: to ask git, or what is installed, would take longer than the block."""
    for name in ("git.submodules", "git.files", "lacks"):
        monkeypatch.setattr(f"laptime.gate.tryout.{name}", lambda *_: pytest.fail("it was looked up"))
    here: Any = SimpleNamespace(step=None)
    tryout = Tryout(here, here, equipment, ["thing/fast.so"], here)
    passed = ("passed", "")
    assert tryout.settle("test_work", Outcome(Measured(turns([1]), turns([1])), passed, passed))
    assert {} == tryout.troubles


@pytest.mark.parametrize(
    ("unknown", "remedy"),
    [
        ("--benchmark-enable --no-history", "add `-- -p benchmark -p laptime`"),
        ("--benchmark-enable", "add `-- -p benchmark`"),
        ("--no-history", "add `-- -p laptime`"),
        ("--nonsense", ""),
    ],
)
def test_where_a_plugin_that_a_side_needs_is_switched_off_it_is_said_how_to_switch_it_on(unknown, remedy):
    """pytest itself only says that it does not know an option, which the user did not give."""
    said = _remedy(f"BASE: pytest: error: unrecognized arguments: {unknown}\n  rootdir: x")
    assert said.endswith(remedy)
    assert bool(said) == bool(remedy)
