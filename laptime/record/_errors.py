"""What can go wrong."""

from __future__ import annotations


class RecordError(Exception):
    """Nothing was recorded, and what was there before is untouched. The message says why."""
