"""Share the trainings of recipes, so that tests can compare with those of other tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.recipes.training import Trainings


@pytest.fixture(scope="package")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainings]:
    """Train presets, and keep the results for all tests."""
    trainings = Trainings(tmp_path_factory.mktemp("recipes"))
    yield trainings
    trainings.close()
