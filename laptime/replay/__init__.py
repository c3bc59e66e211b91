"""Replay: a cassette served over loopback, by a process of its own, at its recorded pace."""

from laptime.replay.latency import Latency, LatencyError
from laptime.replay.process import ReplayDied, ReplayServer, Served, Stage

__all__ = ["Latency", "LatencyError", "ReplayDied", "ReplayServer", "Served", "Stage"]
