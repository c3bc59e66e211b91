"""The gate: two revisions in lockstep, and what can be said of their difference."""

from laptime.gate._errors import GateError

__all__ = ["GateError"]
