"""Figures with their units, as texts. Pure."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Three digits and a unit: ``1.23 s``, ``45.6 ms``, ``789 µs``."""
    seconds = float(f"{seconds:.3g}")
    scales = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
    unit, scale = next(((unit, scale) for unit, scale in scales if abs(seconds) >= scale), ("ns", 1e-9))
    value = seconds / scale
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f} {unit}"


def times(ratio: float) -> str:
    """``7.80 ×``; below a tenth two digits: ``0.0012 ×``."""
    if 0 < ratio < 0.1:
        return f"{float(f'{ratio:.2g}'):.10f}".rstrip("0") + " ×"
    ratio = float(f"{ratio:.3g}")
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.1f} ×" if ratio < 100 else f"{ratio:.0f} ×"


def percent(share: float) -> str:
    """``26 %``; below a tenth a digit more: ``2.4 %``."""
    return f"{share:.1%}".replace("%", " %") if abs(share) < 0.0995 else f"{share:.0%}".replace("%", " %")
