"""What a session starts once and shares: the replay server, the memory sampler, what is known of live origins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from laptime.options import LIVE, Options

if TYPE_CHECKING:
    from laptime.child import Helper
    from laptime.lap import Instruments
    from laptime.memory import MemorySampler
    from laptime.replay import Handle, Latency, Stage
    from laptime.watch import Watcher


class KnownUnreachable(Exception):
    """An origin that could not be reached before; that was reported then."""


class Resources:
    """Started when first asked for; `close` leaves no process behind."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.start_server: Callable[[], Handle] = _start_server
        """Where another process has started the server, how to reach that one."""
        self.instruments: Callable[[], Instruments] = self._instruments
        """What measures beside the timer; where another process does, what doesn't."""
        self._server: Handle | None = None
        self._memory: MemorySampler | None = None
        self._watcher: Watcher | None = None
        self._stages: dict[tuple[object, ...], Stage] = {}
        self.before_round: Callable[[Stage], object] | None = None
        """See `laptime.replay.ReplayServer.before_round`."""
        self._reached: dict[str, bool] = {}

    def stage(self, path: Path, latency: Latency, *, tls: bool = False, limits: str | Mapping[str, str] = "") -> Stage:
        """The cassette, served by the session's one server; see `laptime.replay.ReplayServer.load`."""
        path = path.resolve()
        limited = limits if isinstance(limits, str) else tuple(sorted(limits.items()))
        key = (path, str(latency), tls, limited)
        if key not in self._stages:
            if self._server is None:
                self._server = self.start_server()
                self._server.before_round = self.before_round
            self._stages[key] = self._server.load(path, latency, tls=tls, limits=limits)
        return self._stages[key]

    def begin(self) -> None:
        """Forget what was asked of the stages; see `laptime.replay.ReplayServer.begin`."""
        if self._server is not None:
            self._server.begin()

    def stages(self) -> tuple[Stage, ...]:
        """All that is being served."""
        return tuple(self._stages.values())

    def _instruments(self) -> Instruments:
        from laptime.busy import Surroundings
        from laptime.lap import Instruments
        from laptime.measure import Meter
        from laptime.memory import MemorySampler

        if self._memory is None:
            self._memory = MemorySampler()
        if self._watcher is None and self.options.timelines:
            from laptime.watch import Watcher

            self._watcher = Watcher()
        # a stand-in for a live site computes too, and is no disturbance
        surroundings = None if self.options.http == LIVE else Surroundings(self._helpers)
        return Instruments(Meter(self._helpers), self._memory, self._helpers, self._watcher, surroundings)

    def reach(self, name: str, origin: str) -> str:
        """The URL of a live origin, or of what stands in for it; asked once whether it can be reached.

        Raises `laptime.live.Unreachable` the first time, `KnownUnreachable` from then on.
        """
        from laptime import live

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
        for helper in self._started():
            helper.close()
        self._server = self._memory = self._watcher = None
        self._stages.clear()

    def _helpers(self) -> tuple[int, ...]:
        """Processes of the harness, which are not the work's."""
        return tuple(pid for helper in self._started() if (pid := helper.pid) is not None)

    def _started(self) -> list[Handle | Helper]:
        return [helper for helper in (self._server, self._memory, self._watcher) if helper is not None]


def _start_server() -> Handle:
    from laptime.replay import ReplayServer

    return ReplayServer()
