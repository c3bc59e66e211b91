"""The stand-in origin's script (cassettes/origin.py) as a module; it is not part of any package."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tests.support import ROOT

SCRIPT = ROOT / "cassettes" / "origin.py"


def loaded() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("origin", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["origin"] = module
    spec.loader.exec_module(module)
    return module


origin = loaded()
