"""The plugin's settings, read once from the command line into one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from laptime.files import is_writable
from laptime.redact import Secrets

if TYPE_CHECKING:
    from laptime.replay import Latency

REPLAY, LIVE, RECORD = "replay", "live", "record"
HTTP_MODES = (REPLAY, LIVE, RECORD)


class OptionError(ValueError):
    """An option's value can't be used; the message says which and what is expected."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where HTTP goes, and how fast it is played.

    http       "replay", "live" or "record"
    latency    as asked for on the command line; None leaves it to the suite
    jitter     the seed by which waits are drawn anew; None plays them as they were recorded
    origins    NAME of a recording -> the URL that stands in for its live origin
    har        the file to write what was served to
    timelines  whether one more round of each benchmark is watched
    secrets    what a recording leaves out
    history    where the run is stored; None: nowhere
    chosen     whether that store was named, rather than taken for want of a name
    """

    http: str = REPLAY
    latency: Latency | None = None
    jitter: int | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    har: Path | None = None
    timelines: bool = False
    secrets: Secrets = field(default_factory=Secrets)
    history: str | None = None
    chosen: bool = False

    def pace(self, latency: str) -> Latency:
        """How fast to play: the command line goes before the suite's `latency`. Raises `LatencyError`."""
        from laptime.replay import Latency

        pace = self.latency or Latency.parse(latency)
        return pace if self.jitter is None else pace.with_jitter(self.jitter)


def parse(
    http: str,
    latency: str | None,
    origins: list[str],
    *,
    jitter: int | None = None,
    har: str | None = None,
    timelines: bool = False,
    secrets: Secrets | None = None,
    history: str | None = None,
    chosen: bool = False,
) -> Options:
    """Read the options' texts. Raises `OptionError`."""
    return Options(
        http=http,
        latency=None if latency is None else _latency(latency, jitter),
        jitter=jitter,
        origins=dict(_origin(text) for text in origins),
        har=None if har is None else _writable(Path(har)),
        timelines=timelines,
        secrets=secrets or Secrets(),
        history=history,
        chosen=chosen,
    )


def _latency(text: str, jitter: int | None) -> Latency:
    from laptime.replay import Latency, LatencyError

    try:
        latency = Latency.parse(text)
        if jitter is not None:
            latency.with_jitter(jitter)
    except LatencyError as error:
        raise OptionError(str(error)) from error
    return latency


def _writable(path: Path) -> Path:
    """Said now rather than after minutes of measuring."""
    place = path.resolve()
    if not is_writable(place):
        raise OptionError(f"--har {path}: expected a file in a directory that exists")
    return place


def _origin(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if not name or not url.startswith(("http://", "https://")):
        raise OptionError(f"--origin {text!r}: expected NAME=URL, as in hn_items=http://127.0.0.1:8901")
    return name, url.rstrip("/")
