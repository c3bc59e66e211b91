"""Replay: a cassette served over loopback, by a process of its own, at its recorded pace."""

from laptime.replay.latency import Latency, LatencyError
from laptime.replay.limits import Limits, LimitsError
from laptime.replay.process import Handle, ReplayDied, ReplayServer, Served, Stage
from laptime.replay.tls import TlsError
from laptime.replay.visit import Visit

__all__ = [
    "Handle",
    "Latency",
    "LatencyError",
    "Limits",
    "LimitsError",
    "ReplayDied",
    "ReplayServer",
    "Served",
    "Stage",
    "TlsError",
    "Visit",
]
