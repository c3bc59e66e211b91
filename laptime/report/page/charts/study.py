"""The studies, each kind of them drawn as it is read: see `laptime.report.study`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from laptime.report.page.charts import parts, scaling, sweeps
from laptime.report.page.figure import Figure
from laptime.report.study import Study


def figures(study: Study, said: Sequence[str], cpus: float) -> list[Figure]:
    """A study's charts; `said` is what it says (its findings), `cpus` how many can compute at once.

    Raises `ValueError` where its points have no place on its axis.
    """
    return [*_KINDS[study.kind](study, said, cpus), *sweeps.draw_memory(study)]


_KINDS: Mapping[str, Callable[[Study, Sequence[str], float], list[Figure]]] = {
    "scaling": scaling.draw,
    "sweep": sweeps.draw_best,
    "break_even": sweeps.draw_break_even,
    "phases": parts.draw_phases,
    "compare": parts.draw_comparison,
}
