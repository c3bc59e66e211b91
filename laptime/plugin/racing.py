"""The `race` fixture: a function, its items, and one of the ready-made ways to run it (`laptime.ways`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from laptime.replay import Stage
    from laptime.ways import Way

_UNKNOWN = object()
_SHOWN = 200


class Races:
    """What the first way of each race answered, where the suite doesn't say what is right."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, Any]] = {}

    def run(
        self,
        lap: Callable[..., None],
        node: pytest.Item,
        way: Way,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        *,
        expected: Any = _UNKNOWN,
        asynchronous: Callable[[Any], Awaitable[Any]] | None = None,
        stage: Stage | None = None,
        requests: Mapping[str, int] | None = None,
        summary: str = "",
        **info: object,
    ) -> None:
        """Time one way to run ``function(item)`` for every item. The fixture gives `lap` and `node`.

        way           one of `laptime.ways.ways`: a parameter of the test, so that each is a test with a name of its own
        expected      the list of right answers, in the order of the items; without it every way must answer as the
                      first did
        asynchronous  the same as an async function, for the way "asyncio"
        stage         what `replay` gave, where the function asks it
        requests      ``GET /path`` -> how often a round asks for it; without it any number of recorded requests will do
        summary       what the work is, in a few words
        info          what to store beside the figures

        Skips the test where the way can't run here. Raises `TypeError` where `way` is none, or can't run this function.
        """
        from laptime.ways import Way

        if not isinstance(way, Way):
            raise TypeError(f"race(way, function, items): way={way!r}: expected one of laptime.ways.ways(…)")
        if (needs := way.needs()) is not None:
            pytest.skip(f"it needs {needs}")
        name = node.nodeid.partition("[")[0].rpartition("::")[2]
        lap(
            open=partial(way.open, function, items, asynchronous),
            check=partial(self._check, node.nodeid.partition("[")[0], str(way), expected),
            lifecycle=way.lifecycle,
            stage=stage,
            requests=requests,
            group=name.removeprefix("test_"),
            **{
                "workload": name.removeprefix("test_"),
                "summary": summary,
                "label": str(way),
                "variant": way.kind,
                "first": _is_first(node, way),
                "workers": way.workers,
                "start_method": way.start_method,
                "http": None if stage is None else "replay",
                "cpu_elsewhere": way.scheduler is not None,
                **info,
            },
        )

    def _check(self, race: str, way: str, expected: Any, answers: list[Any]) -> None:
        right, whose = expected, "expected"
        if expected is _UNKNOWN:
            first, right = self._first.setdefault(race, (way, answers))
            whose = f"{first} answered"
        assert answers == right, f"wrong answer of {way}: {whose} {_short(right)}, got {_short(answers)}"


def _is_first(node: pytest.Item, way: Way) -> bool | None:
    """Whether this way is the first of the test's parameters; None where it is none of them."""
    call: Any = getattr(node, "callspec", None)
    if call is None:
        return None
    names = [name for name, value in call.params.items() if value is way]
    return bool(call.indices[names[0]] == 0) if names else None


def _short(answers: object) -> str:
    text = repr(answers)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} … ({len(text)} characters)"
