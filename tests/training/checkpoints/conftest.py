"""Write checkpoints at the very step at which they are due, however busy the machine is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gradtui.training.checkpoints.keeping import CheckpointWriter


@contextmanager
def written_at_once() -> Iterator[None]:
    """Write each checkpoint to disk before the next step; otherwise the next one would be delayed."""
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
