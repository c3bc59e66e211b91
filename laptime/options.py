"""The plugin's settings, read once from the command line into one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from laptime.replay import Latency

REPLAY, LIVE, RECORD = "replay", "live", "record"
HTTP_MODES = (REPLAY, LIVE, RECORD)


class OptionError(ValueError):
    """An option's value can't be used; the message says which and what is expected."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where HTTP goes, and how fast it is played.

    http     "replay", "live" or "record"
    latency  as asked for on the command line; None leaves it to the suite
    origins  NAME of a recording -> the URL that stands in for its live origin
    """

    http: str = REPLAY
    latency: Latency | None = None
    origins: Mapping[str, str] = field(default_factory=dict)


def parse(http: str, latency: str | None, origins: list[str]) -> Options:
    """Read the options' texts. Raises `OptionError` or `LatencyError`."""
    return Options(
        http=http,
        latency=None if latency is None else Latency.parse(latency),
        origins=dict(_origin(text) for text in origins),
    )


def _origin(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if not name or not url.startswith(("http://", "https://")):
        raise OptionError(f"--origin {text!r}: expected NAME=URL, as in hn_items=http://127.0.0.1:8901")
    return name, url.rstrip("/")
