"""What the tests of the replay share beside `Serve` and `Wire`."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

from laptime.replay import Stage
from tests.support import Exchange


def trusting(stage: Stage) -> ssl.SSLContext:
    """A client's context that trusts this stage, and nobody else."""
    return ssl.create_default_context(cafile=str(stage.ca_file))


def write_large(path: Path, *exchanges: Exchange) -> Path:
    """A cassette as JSON, which is written so much faster than YAML; without times."""
    path.write_text(json.dumps({"version": 1, "interactions": [exchange.recorded() for exchange in exchanges]}))
    return path
