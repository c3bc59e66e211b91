"""What the studies that fetch have in common: a stage to fetch from, and what `lap` is told of the requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workloads import clients
from workloads.model import Recorded


@dataclass(frozen=True, slots=True)
class Fetching:
    """So many requests of a stage: the work, and its right answer."""

    work: clients.Fetches
    stage: Any
    expected: clients.Answer

    def check(self, answer: clients.Answer) -> None:
        """Every request was answered as recorded."""
        assert answer == self.expected, (
            f"wrong answer: {_some(self.expected, answer)} went missing, {_some(answer, self.expected)} came instead"
        )

    def asked(self) -> dict[str, Any]:
        """The arguments of `lap` that belong together."""
        requests = {f"GET {target}": count for target, count in clients.targets(self.work).items()}
        return {"check": self.check, "stage": self.stage, "requests": requests, "http": "replay"}


def fetching(replay: Callable[..., Any], options: Any, cassettes: Path, latency: str, count: int) -> Fetching:
    """So many requests of a replay at this latency. Skips the test where there is no replay."""
    if options.http != "replay":
        pytest.skip("a study sends thousands of requests: to a replay only")
    stage = replay(cassettes / "hn_items.yaml", latency)
    work = clients.fetches(stage.url(), count)
    recorded = {target: Recorded(*response) for target, response in stage.responses().items()}
    return Fetching(work, stage, clients.expected(work, recorded))


def _some(of: Mapping[clients.Seen, int], without: Mapping[clients.Seen, int]) -> str:
    """Which of one are not in the other."""
    lacking = {one: count - without.get(one, 0) for one, count in of.items() if count > without.get(one, 0)}
    return ", ".join(f"{count} × {one}" for one, count in list(lacking.items())[:3]) or "nothing"
