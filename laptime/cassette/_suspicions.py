"""What in a cassette still looks like a secret."""

from __future__ import annotations

from collections.abc import Iterator

from laptime.cassette._model import Cassette
from laptime.redact import suspects


def suspicions(cassette: Cassette) -> Iterator[str]:
    """A line for each: where it stands, how it begins, and what to do."""
    for interaction in cassette.interactions:
        for suspect in suspects(interaction.uri, interaction.request_headers, interaction.headers):
            yield (
                f"interaction {interaction.index}: {suspect.field}: {suspect.hint} looks like a secret. If it is one, "
                "add its name to secret_fields or secret_headers of [tool.laptime] in pyproject.toml, and record again"
            )
