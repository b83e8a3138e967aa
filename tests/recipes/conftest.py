"""One trainer for all recipes: what one test has trained, the others compare with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.recipes.training import Trainings


@pytest.fixture(scope="package")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainings]:
    """Trains presets; see there."""
    trainings = Trainings(tmp_path_factory.mktemp("recipes"))
    yield trainings
    trainings.close()
