"""What a session starts once and shares: the replay server, the memory sampler, what is known of live origins."""

from __future__ import annotations

from pathlib import Path

from laptime import live
from laptime.lap import Instruments
from laptime.measure import Meter
from laptime.memory import MemorySampler
from laptime.options import Options
from laptime.replay import Latency, ReplayServer, Stage


class KnownUnreachable(Exception):
    """An origin that could not be reached before; that was reported then."""


class Resources:
    """Started when first asked for; `close` leaves no process behind."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._server: ReplayServer | None = None
        self._memory: MemorySampler | None = None
        self._stages: dict[tuple[Path, str], Stage] = {}
        self._reached: dict[str, bool] = {}

    def stage(self, path: Path, latency: Latency) -> Stage:
        """The cassette, served by the session's one server.

        Raises `laptime.cassette.CassetteError` and `laptime.replay.ReplayDied`.
        """
        key = (path.resolve(), str(latency))
        if key not in self._stages:
            if self._server is None:
                self._server = ReplayServer()
            self._stages[key] = self._server.load(key[0], latency)
        return self._stages[key]

    def instruments(self) -> Instruments:
        """What measures beside the timer."""
        if self._memory is None:
            self._memory = MemorySampler()
        return Instruments(Meter(self._helpers), self._memory, self._helpers)

    def reach(self, name: str, origin: str) -> str:
        """The URL of a live origin, or of what stands in for it; asked once whether it can be reached.

        Raises `laptime.live.Unreachable` the first time, `KnownUnreachable` from then on.
        """
        url = self.options.origins.get(name, origin)
        if name not in self._reached:
            self._reached[name] = False
            live.probe(name, url)
            self._reached[name] = True
        if not self._reached[name]:
            raise KnownUnreachable(f"{name}: {url} can't be reached (see the first failure)")
        return url

    def close(self) -> None:
        """Stop the processes."""
        for helper in (self._server, self._memory):
            if helper is not None:
                helper.close()
        self._server = self._memory = None
        self._stages.clear()

    def _helpers(self) -> tuple[int, ...]:
        """Processes of the harness, which are not the work's."""
        return tuple(helper.pid for helper in (self._server, self._memory) if helper is not None)
