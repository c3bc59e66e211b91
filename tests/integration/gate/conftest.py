"""What several tests of the gate need: a repository that costs no git to get."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.gates import project


@pytest.fixture(scope="session")
def _repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("made") / "project")


@pytest.fixture
def repository(_repository: Path, tmp_path: Path) -> Path:
    """A project with a change that is not committed."""
    return shutil.copytree(_repository, tmp_path / "project")
