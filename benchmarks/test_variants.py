"""Every variant of every workload, raced: the main job."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from workloads.model import CannotRun

PLAIN = ("sequential", "threads", "processes", "asyncio")
"""Names that need no words."""


def test_variant(case, tier, site, lap, laptime_options, usable_cpus):
    """Time one variant; every round's answer must be the right one."""
    workload, variant = case.workload, case.variant
    work = workload.work(tier, site.base_url, case.parser)
    targets = workload.http.targets(work) if workload.http else ()
    info = {
        "workload": workload.name,
        "summary": workload.summary,
        "label": case.label,
        "variant": variant.name,
        "first": case.first,
        "meaning": (variant.open.__doc__ or "").partition("\n")[0] if variant.name not in PLAIN else None,
        "workers": case.how.workers if variant.workers else None,
        "start_method": case.how.start_method,
        "parser": case.parser,
        "tier": tier,
        "http": laptime_options.http if workload.http else None,
        "reference": variant.reference,
        "cpu_elsewhere": case.how.scheduler is not None,
        "answer": site.summary(work),
    }
    if workload.ideal and variant is not workload.variants[0]:
        info["ideal"] = workload.ideal(work, variant.name, case.how.workers, usable_cpus)
    try:
        lap(
            open=partial(variant.open, work, case.how),
            check=site.check(work),
            lifecycle=case.lifecycle,
            stage=site.stage,
            requests=Counter(f"GET {target}" for target in targets),
            **info,
        )
    except CannotRun as error:
        pytest.skip(str(error))
