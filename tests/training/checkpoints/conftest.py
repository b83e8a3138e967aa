"""Checkpoints that come at the very step at which they are due, however busy the machine is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gradtui.training.checkpoints.keeper import Checkpoints


@contextmanager
def written_at_once() -> Iterator[None]:
    """Each is on disk before the next step; else the next would wait for its turn."""
    real = Checkpoints.look

    def look(self: Checkpoints) -> None:
        real(self)
        self.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "look", look)
        yield


@pytest.fixture
def at_once() -> Iterator[None]:
    with written_at_once():
        yield
