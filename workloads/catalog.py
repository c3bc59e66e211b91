"""Every workload. A new one is added here."""

from workloads.controls import NOOP, SPIN, WAIT
from workloads.hn_items import HN_ITEMS
from workloads.model import Workload
from workloads.primes import PRIMES
from workloads.quotes import QUOTES

__all__ = ["ALL"]

ALL: tuple[Workload, ...] = (HN_ITEMS, QUOTES, PRIMES, WAIT, SPIN, NOOP)
"""In the order in which they are measured and shown."""
