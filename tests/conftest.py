"""How thoroughly the property-based tests search: ``--hypothesis-profile thorough`` for a long look.

pytest reads this file for benchmarks too, where an option's value looks like a path (``--tier smoke``): there
Hypothesis need not be installed.
"""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import settings

    settings.register_profile("default", deadline=None)
    settings.register_profile("thorough", deadline=None, max_examples=3000)
    settings.load_profile("default")
