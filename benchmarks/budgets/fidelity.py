"""Fidelity: each variant's speed-up on a live origin, and on the replay of the cassette recorded from it.

Both are measured in one run, in passes, in an order drawn anew. The live rounds are new visits with jitter of their
own, so the two sides differ by chance too: each has the interval that a race would give it.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import aiohttp

from benchmarks.budgets.figures import Figure, progress, stand_in_origin
from laptime.record import record
from laptime.replay import Latency, ReplayServer, Stage
from laptime.replay.tls import Authority
from laptime.stats.paired import Passes
from workloads.hn_items import HN_ITEMS
from workloads.model import WARM, How, Workload
from workloads.quotes import QUOTES

ROUNDS, WORKERS = 20, (2, 8)
TLS_ROUNDS, TLS_WORKERS = 10, (8,)
"""Fewer: what is asked is whether TLS changes anything."""
LIMIT = 0.10


def figures() -> Iterator[Figure]:
    """Both HTTP workloads, full tier, every variant that can run here but those of a cluster, pools warm."""
    with stand_in_origin() as origin, ReplayServer() as server, tempfile.TemporaryDirectory() as directory:
        for workload in (HN_ITEMS, QUOTES):
            yield from _compare(workload, origin, server, Path(directory) / f"{workload.name}.yaml")


def over_tls() -> Iterator[Figure]:
    """The same over TLS on both sides, without variants that start processes: a fork server keeps its environment."""
    with tempfile.TemporaryDirectory() as directory, closing(Authority()) as authority, ReplayServer() as server:
        path = Path(directory)
        with stand_in_origin(authority.certificate) as origin, _trusted(path / "both.pem") as trust:
            trust(authority.ca_file)
            for workload in (HN_ITEMS, QUOTES):
                yield from _compare(workload, origin, server, path / f"{workload.name}.yaml", trust)


@contextmanager
def _trusted(path: Path) -> Iterator[Callable[[Path], None]]:
    """Make this process's clients trust what the given call is called with."""
    names = {"REQUESTS_CA_BUNDLE": str(path), "SSL_CERT_FILE": str(path)}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)

    def trust(ca_file: Path) -> None:
        with path.open("ab") as file:
            file.write(ca_file.read_bytes())
        # aiohttp made its context when it was imported
        aiohttp.connector._SSL_CONTEXT_VERIFIED.load_verify_locations(ca_file)

    try:
        yield trust
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _ways(workload: Workload, *, tls: bool) -> Iterator[tuple[str, Callable[..., object], How, bool]]:
    for variant in workload.variants:
        if variant.cluster or (variant.needs and not variant.needs.met()) or (variant.start_methods and tls):
            continue
        method = "forkserver" if variant.start_methods else None
        pooled = (2,) if variant.start_methods else TLS_WORKERS if tls else WORKERS
        numbers = pooled if variant.workers else (1,)
        for workers in numbers:
            name = variant.name + (f"-w{workers}" if variant.workers else "")
            yield name, variant.open, How(workers, method), WARM in variant.lifecycles


def _compare(
    workload: Workload,
    origin: str,
    server: ReplayServer,
    path: Path,
    trust: Callable[[Path], None] | None = None,
) -> Iterator[Figure]:
    """One workload; over TLS where `trust` is given, which is called with what clients must trust."""
    first = workload.variants[0]
    rounds = ROUNDS if trust is None else TLS_ROUNDS
    answers: list[object] = []

    def visit() -> None:
        with first.open(workload.work("full", origin, None), How()) as run:
            answers.append(run())

    for _ in progress(range(1), f"{workload.name}: recording {rounds} passes"):
        record(path, visit, "stand-in", passes=rounds)
    stage = server.load(path, Latency("recorded"), tls=trust is not None)
    if trust is not None and stage.ca_file is not None:
        trust(stage.ca_file)
    live_s: dict[str, list[float]] = {}
    replay_s: dict[str, list[float]] = {}
    with ExitStack() as stack:
        timers = [
            (
                name,
                found_s,
                _timer(stack, open_variant, workload.work("full", url, None), how, warm, stage, answers[-1]),
            )
            for name, open_variant, how, warm in _ways(workload, tls=trust is not None)
            for found_s, url in ((live_s, origin), (replay_s, stage.url()))
        ]
        names = list(dict.fromkeys(name for name, *_ in timers))
        for _, _, timed in timers:
            timed(0)  # pools and connections are warm
        for turn in progress(range(rounds), f"{workload.name}: {len(timers) // 2} variants, live and replayed"):
            random.shuffle(timers)
            for name, found_s, timed in timers:
                found_s.setdefault(name, []).append(timed(turn))
    base = first.name
    sides = [Passes(seconds) for seconds in (live_s, replay_s)]
    for name in names:
        if name != base:
            live, replay = (side.gain(base, name) for side in sides)
            off = replay.estimate / live.estimate - 1
            yield Figure(
                f"{workload.name}{'' if trust is None else ' over TLS'}, {name}: speed-up over {base}, live → replay",
                f"{live.estimate:.2f} ({live.low:.2f} to {live.high:.2f}) → "
                f"{replay.estimate:.2f} ({replay.low:.2f} to {replay.high:.2f}), {off:+.1%}",
                "within 10 %",
                abs(off) <= LIMIT,
            )


def _timer(
    stack: ExitStack,
    open_variant: Callable[..., object],
    work: object,
    how: How,
    warm: bool,
    stage: Stage,
    right: object,
) -> Callable[[int], float]:
    """A call that plays a recorded pass, runs the variant once and returns the seconds; a wrong answer ends it all."""
    opened = partial(open_variant, work, how)
    kept = stack.enter_context(opened()) if warm else None

    def timed(turn: int) -> float:
        stage.begin(turn)
        started = time.perf_counter()
        if kept is None:
            with opened() as run:
                answer = run()
        else:
            answer = kept()
        took_s = time.perf_counter() - started
        if answer != right:
            raise SystemExit("a variant gave another answer than while it was recorded: nothing was measured")
        return took_s

    return timed
