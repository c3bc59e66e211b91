"""Recording: with ``--http=record``, each HTTP workload's requests become a cassette (see cassettes/README.md)."""

from __future__ import annotations

import pytest

from workloads.catalog import ALL
from workloads.model import How

WITH_HTTP = [workload for workload in ALL if workload.http is not None]


@pytest.mark.laptime_record
@pytest.mark.parametrize("workload", WITH_HTTP, ids=lambda workload: workload.http.cassette)
def test_record(workload, record, cassettes):
    """Send every request of the full tier once, one after the other, and time them."""
    http, first = workload.http, workload.variants[0]

    def run(base_url):
        with first.open(workload.work("full", base_url, None), How()) as work:
            work()

    record(http.cassette, cassettes / f"{http.cassette}.yaml", http.origin, run)
