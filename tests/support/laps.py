"""Work to time, and a made-up replay and memory sampler to time it with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, count, repeat
from typing import Any

from laptime.lap import Rounds
from laptime.replay import Served

PEAR, PLUM, FIG = "GET /pear", "GET /plum", "GET /fig"
NO_HTTP, NO_ROOM = "400 Bad Request: not HTTP/1.1", "503 Service Unavailable: no room"
ONE, THREE = Rounds(1, 1, 0.0), Rounds(3, 3, 0.0)


class Log(list[str]):
    """What happened, in order."""

    def says(self, event: str, answer: object = None) -> Callable[..., Any]:
        """A call that is noted and returns `answer`."""

        def note(*_: object) -> Any:
            self.append(event)
            return answer

        return note


class MadeUpMemory:
    """In the place of the memory sampler."""

    def __init__(self, log: Log) -> None:
        self.helpers: tuple[int, ...] = ()
        self.stop = log.says("sampled", 12_345)

    def start(self, helpers: tuple[int, ...]) -> None:
        self.helpers = helpers


class MadeUpStage:
    """In the place of a replay's stage: it serves what it is told to have served, round by round."""

    sha256 = "abc"
    latency = "scale:0.5"
    limits = "concurrent:2"
    ca_file = None
    passes = 2

    def __init__(self, log: Log, served: Iterable[dict[str, int] | Served | Exception] = ()) -> None:
        self._served = chain(served, repeat({PEAR: 1}))
        self._log = log
        self.begun: list[int] = []

    def begin(self, pass_number: int) -> None:
        self._log.append("begin")
        self.begun.append(pass_number)

    def end(self) -> Served:
        self._log.append("end")
        served = next(self._served)
        if isinstance(served, Exception):
            raise served
        return served if isinstance(served, Served) else Served(served, [], [], [])


def answers(*given: object) -> Callable[[], Any]:
    """Work that gives these answers, one a call, the last one from then on."""
    remaining = chain(given, repeat(given[-1]))

    @contextmanager
    def opened() -> Iterator[Callable[[], object]]:
        yield lambda: next(remaining)

    return opened


def noted(log: Log) -> Callable[[], Any]:
    """Work that notes when it is opened, done and closed, and always answers 1."""

    @contextmanager
    def opened() -> Iterator[Callable[[], object]]:
        log.append("open")
        yield log.says("work", 1)
        log.append("close")

    return opened


def raises(error: type[BaseException], call: int = 0) -> Callable[[], int]:
    """Work that answers 1, but for one call that raises."""
    calls = count()

    def work() -> int:
        if next(calls) == call:
            raise error
        return 1

    return work


def is_one(answer: object) -> None:
    """The check."""
    assert 1 == answer, f"not one: {answer}"
