"""Write checkpoints at the very step at which they are due, however busy the machine is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gradtui.training.checkpoints.keeping import CheckpointWriter


@contextmanager
def written_at_once() -> Iterator[None]:
    """Each is on disk before the next step; else the next would be put off."""
    real = CheckpointWriter.between_steps

    def between_steps(self: CheckpointWriter) -> None:
        real(self)
        self.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointWriter, "between_steps", between_steps)
        yield


@pytest.fixture
def at_once() -> Iterator[None]:
    with written_at_once():
        yield
