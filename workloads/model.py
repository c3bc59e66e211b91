"""The nouns: a workload is a named piece of work with an expected answer; a variant is one way to run it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

COLD, WARM = "cold", "warm"


class CannotRun(Exception):
    """A variant can't run this work here, and would not be at fault; the message says why."""


class Recorded(NamedTuple):
    """A recorded response: what a right answer is made from, without asking anybody."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class How:
    """How a variant runs: with how many workers, how its processes start, on whose cluster.

    scheduler  the address of a running cluster's; None: one of its own, on this machine
    """

    workers: int = 1
    start_method: str | None = None
    scheduler: str | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What not every Python has.

    module  can be found where it is there
    what    it is, or how to get it: ends the sentence "it needs …"
    """

    module: str
    what: str

    def met(self) -> bool:
        """Whether it is there."""
        return importlib.util.find_spec(self.module) is not None


Open = Callable[[Any, How], AbstractContextManager[Callable[[], Any]]]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run a workload.

    open           ``open(work, how)`` enters what it needs (a pool, a session) and gives a call without
                   arguments that does the work and returns the answer
    lifecycles     ("cold", "warm") where it has a pool: started and closed in each round, or once
    workers        whether it takes a number of workers
    start_methods  whether it starts processes
    reference      a line to compare with rather than a way to run the same algorithm
    leaves_memory  whether what it started leaves memory in this process, which would be in the figures of others
    cluster        whether it runs on a cluster, which takes seconds to start
    needs          what it can't run without, beside the suite's own requirements
    """

    name: str
    open: Open
    lifecycles: tuple[str, ...] = ()
    workers: bool = False
    start_methods: bool = False
    reference: bool = False
    leaves_memory: bool = False
    cluster: bool = False
    needs: Needs | None = None


@dataclass(frozen=True, slots=True)
class Http:
    """What a workload asks over HTTP.

    cassette  the name of its recording: ``cassettes/NAME.yaml``
    origin    the live site
    targets   ``targets(work)`` is the path of every request, each a GET, sent once
    outline   ``outline(answer)`` is what of an answer must be the same from one visit to a live site to the next
    """

    cassette: str
    origin: str
    targets: Callable[[Any], tuple[str, ...]]
    outline: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Workload:
    """A named piece of work.

    summary   what it is, in a few words
    work      ``work(tier, base_url, parser)`` is the input of a tier ("smoke", "default", "full" or "gate")
    variants  the ways to run it; the first is what the others are compared with
    expected  ``expected(work, recorded)`` is the right answer, found another way than by the variants;
              `recorded` maps the paths of an HTTP workload to their recorded responses
    describe  an answer in one line
    parsers   the parsers it can take
    ideal     ``ideal(work, variant name, workers, cpus)`` is the speed-up over the first variant that theory
              gives, None where it gives none
    """

    name: str
    summary: str
    work: Callable[[str, str, str | None], Any]
    variants: tuple[Variant, ...]
    expected: Callable[[Any, Mapping[str, Recorded]], Any]
    describe: Callable[[Any], str]
    http: Http | None = None
    parsers: tuple[str, ...] = ()
    ideal: Callable[[Any, str, int, float], float | None] | None = None


def digest(value: object) -> str:
    """A short digest of an answer's repr, so that two long answers can be told apart in one line."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]
