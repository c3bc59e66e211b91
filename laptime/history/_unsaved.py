"""A run that its store would not take, kept as a file that can be imported later."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from laptime.files import write_whole


def unsaved(document: dict[str, Any], run_id: str, root: Path) -> Path:
    """Write pytest-benchmark's JSON beside the usual store, or where that fails among temporary files; its path.

    Raises `OSError` where neither can be written.
    """
    text = json.dumps(document, indent=4)
    name = f"unsaved-{run_id}.json"
    try:
        place = root / ".benchmarks"
        place.mkdir(exist_ok=True)
        write_whole(place / name, text)
    except OSError:
        place = Path(tempfile.gettempdir())
        write_whole(place / name, text)
    return place / name
